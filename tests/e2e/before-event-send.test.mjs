// `onBeforeEventSend`: whatever the page's function does with an event, it has its stated outcome, at the caller and
// at the inlet; the function may call the library itself; and nothing is heard on the page.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openHost, openSuite, optionsFor, page as pageWith } from "./support.mjs";

const { inlet, stage, browser } = await openSuite();

const options = (more) => JSON.stringify(optionsFor(inlet.origin, { context: [], ...more }));

/**
 * A page that is configured with this function (as an expression), in the page's own code, which runs `more` before
 * that. Where it is `early`, that is before the library is there, and `later` runs there, too.
 */
async function visit(source, { early = false, more = "", later = "", ...rest } = {}) {
  const host = await openHost(browser);
  const configure = `${more}; xdmBeacon("configure", { ...${options(rest)}, onBeforeEventSend: ${source} });`;
  const head = early ? `<script>${configure}${later}</script>` : "";
  await host.page.goto(stage.put("/before.html", pageWith(undefined, { sdk: null, head })));
  await host.page.addScriptTag({ url: `${stage.origin}/sdk/xdm-beacon.js` });
  if (!early) await host.page.evaluate(configure);
  return host;
}

const entity = async (id) => (await inlet.arrived(id)).message.body.xdmEntity;
const status = async (host) => (await host.call("getStatus")).value;
const web = (details) => ({ web: { webPageDetails: details } });
const named = (name) => web({ name });
const failed = (words) => ({
  code: "callback-failed",
  message: `xdmBeacon: 'onBeforeEventSend' failed, so this event was not sent: mend it (${words})`,
});
const ASYNC = {
  code: "callback-async",
  message:
    "xdmBeacon: 'onBeforeEventSend' gave back a promise, so this event was not sent: it must decide at once",
};
const notAnObject = {
  code: "not-an-object",
  message: "xdmBeacon: 'onBeforeEventSend.xdm' must be an object",
};

/**
 * What it is, the function's body, and what becomes of an event named "n": the entity less `_id` and `timestamp`, the
 * error, or the reason for which it is dropped.
 */
const TABLE = [
  ["nothing", "", named("n")],
  ["true", "return true", named("n")],
  ["other falsy values than false", "return 0", named("n")],
  ["a field changed", "content.xdm.web.webPageDetails.name = 'm'", named("m")],
  ["a field added", "content.xdm.web.webPageDetails.viewName = 'v'", web({ name: "n", viewName: "v" })],
  ["a field removed", "delete content.xdm.web", {}],
  ["a field emptied", "content.xdm.web.webPageDetails.name = ''", {}],
  [
    "another object put in its place",
    "content.xdm = { web: { webPageDetails: { viewName: 'v' } } }",
    web({ viewName: "v" }),
  ],
  ["a date put in", "content.xdm.web.webPageDetails.name = new Date(0)", named("1970-01-01T00:00:00.000Z")],
  ["half a character put in", "content.xdm.web.webPageDetails.name = '\\ud800'", named("\ufffd")],
  ["false", "content.xdm.web.webPageDetails.name = 'm'; return false", { reason: "cancelled" }],
  [
    "an error thrown",
    "content.xdm.web.webPageDetails.name = 'm'; throw new RangeError('mine')",
    failed("RangeError: mine"),
  ],
  ["a text thrown", "throw 'mine'", failed("mine")],
  ["a symbol thrown", "throw Symbol('mine')", failed("Symbol(mine)")],
  ["what has no text thrown", "throw Object.create(null)", failed("an error without a text")],
  ["a promise", "content.xdm.web.webPageDetails.name = 'm'; return Promise.resolve()", ASYNC],
  ["a promise of false", "return Promise.resolve(false)", ASYNC],
  ["a promise that is rejected", "return Promise.reject(new Error('mine'))", ASYNC],
  ["what acts like a promise", "return { then() {} }", ASYNC],
  [
    "what will not show whether it is a promise",
    "return { get then() { throw Error('mine'); } }",
    failed("Error: mine"),
  ],
  ["xdm removed", "delete content.xdm", notAnObject],
  ["null", "content.xdm = null", notAnObject],
  ["an array", "content.xdm = []", notAnObject],
  ["a text", "content.xdm = '{}'", notAnObject],
  ["a function", "content.xdm = () => {}", notAnObject],
  [
    "a BigInt",
    "content.xdm.web.webPageDetails.name = 1n",
    failed("TypeError: Do not know how to serialize a BigInt"),
  ],
  [
    "an identity without an id",
    "content.xdm.identityMap = { CRM: [{ id: 5 }] }",
    {
      code: "not-a-string",
      message: "xdmBeacon: 'onBeforeEventSend.xdm.identityMap.CRM[0].id' must be a string",
    },
  ],
];

describe("what the function does with an event", { concurrency: false }, () => {
  let host;
  before(async () => {
    host = await visit("(content) => act(content)", { more: "window.act = () => {}" });
  });
  after(() => host?.context.close());

  for (const [index, [what, body, expected]] of TABLE.entries()) {
    test(what, async () => {
      const _id = `act-${index}`;
      const before = await status(host);
      const outcome = await host.page.evaluate(
        ([body, _id]) => {
          window.act = new Function("content", body);
          const options = { xdm: { _id, timestamp: new Date(), web: { webPageDetails: { name: "n" } } } };
          const given = JSON.stringify(options);
          const promise = window.outcome(xdmBeacon("sendEvent", options));
          if (JSON.stringify(options) !== given) throw new Error("the caller's options were changed");
          window.act = () => {};
          return promise;
        },
        [body, _id],
      );
      const now = await status(host);
      if (expected.code) {
        assert.deepEqual(outcome, expected);
        assert.equal(now.accepted, before.accepted);
      } else if (expected.reason) {
        const { timestamp, ...rest } = outcome.value;
        assert.ok(timestamp);
        assert.deepEqual(rest, { id: _id, status: "dropped", reason: expected.reason });
        assert.equal(now.dropped.cancelled, before.dropped.cancelled + 1);
        assert.equal(now.accepted, before.accepted + 1);
      } else {
        assert.equal(outcome.value?.status, "delivered", JSON.stringify(outcome));
        const { _id: _, timestamp, ...rest } = await entity(outcome.value.id);
        assert.equal(timestamp, outcome.value.timestamp);
        assert.deepEqual(rest, expected);
      }
      // Whatever it was, the next event is sent as it is.
      const next = await host.call("sendEvent", { xdm: { _id: `${_id}-next`, ...named("next") } });
      assert.equal(next.value?.status, "delivered");
      assert.deepEqual((await entity(`${_id}-next`)).web, named("next").web);
      assert.deepEqual(await host.heard(), []);
    });
  }
});

test("it may put _id and timestamp, or take them away: an event has both", async () => {
  const host = await visit(`({ xdm }) => {
    if (xdm._id === "given") Object.assign(xdm, { _id: "mine", timestamp: "2001-01-01T00:00:00Z" });
    else if (xdm._id === "taken") { delete xdm._id; delete xdm.timestamp; }
  }`);
  const mine = await host.call("sendEvent", { xdm: { _id: "given" } });
  assert.deepEqual(mine.value, { id: "mine", timestamp: "2001-01-01T00:00:00Z", status: "delivered" });
  assert.equal((await entity("mine")).timestamp, "2001-01-01T00:00:00Z");
  const { value } = await host.call("sendEvent", { xdm: { _id: "taken" } });
  assert.match(value.id, /^[0-9a-f-]{36}$/);
  assert.equal((await entity(value.id)).timestamp, value.timestamp);
  await host.context.close();
});

test("it sees what the event will be, automatic fields and all, and records pass it by", async () => {
  const host = await visit("({ xdm }) => { seen.push(xdm); }", {
    more: "window.seen = []",
    context: ["web"],
  });
  await host.call("sendEvent", { type: "t", mapping: { "web.webPageDetails.viewName": "v" } });
  const identityMap = { Email: [{ id: "ada@example.com", primary: true }] };
  const record = await host.call("sendProfile", { xdm: { identityMap } });
  assert.deepEqual(record.value, { status: "delivered" });
  const [{ _id, timestamp, eventType, web }, ...others] = await host.page.evaluate(() => seen);
  assert.deepEqual(others, []);
  assert.ok(_id && timestamp);
  assert.equal(eventType, "t");
  assert.deepEqual(web.webPageDetails, {
    URL: `${stage.origin}/before.html`,
    name: "Test page",
    viewName: "v",
  });
  await host.context.close();
});

for (const early of [false, true]) {
  const when = early ? "before the library is there" : "when the engine runs";
  test(`called ${when}: the function may call the library, and order is kept`, async () => {
    const source = `({ xdm }) => {
      order.push(xdm._id);
      if (xdm._id !== "first") return;
      window.told = Promise.all([
        outcome(xdmBeacon("sendEvent", { xdm: { _id: "inner-1" } })),
        outcome(xdmBeacon("getStatus")),
        outcome(xdmBeacon("sendEvent", { xdm: { _id: "inner-2" } })),
        outcome(xdmBeacon("flush")),
        outcome(xdmBeacon("configure", {})),
      ]);
      order.push("end of first");
    }`;
    const ids = ["first", "second", "third"];
    const send = `window.sent = ${JSON.stringify(ids)}.map((_id) => outcome(xdmBeacon("sendEvent", { xdm: { _id } })))`;
    const host = await visit(source, { early, more: "window.order = []", later: send });
    if (!early) {
      await status(host);
      await host.page.evaluate(send);
    }
    for (const { value } of await host.page.evaluate(() => Promise.all(sent))) {
      assert.equal(value?.status, "delivered");
    }
    const [inner1, counts, inner2, flushed, configured] = await host.page.evaluate(() => told);
    assert.equal(inner1.value?.status, "delivered");
    assert.equal(inner2.value?.status, "delivered");
    assert.ok(flushed.value, JSON.stringify(flushed));
    assert.equal(configured.code, "configured-twice");
    // The order is that of the calls: what waited for the library was called before.
    const inner = ["inner-1", "inner-2"];
    const others = ["second", "third"];
    const order = ["first", "end of first", ...(early ? [...others, ...inner] : [...inner, ...others])];
    assert.deepEqual(await host.page.evaluate(() => order), order);
    assert.equal(counts.value?.accepted, early ? 4 : 2);
    for (const id of [...ids, ...inner]) await entity(id);
    assert.equal((await status(host)).engineRestarts, 0);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
    await inlet.reset();
  });
}

test("one that sends an event about every event comes to an end", async () => {
  const host = await visit(
    `({ xdm }) => {
      told.push(outcome(xdmBeacon("sendEvent", { xdm: { _id: xdm._id + "+" } })));
    }`,
    { more: "window.told = []" },
  );
  const { value } = await host.call("sendEvent", { xdm: { _id: "loop" } });
  assert.equal(value?.status, "delivered");
  const told = await host.page.evaluate(() => Promise.all(told));
  assert.equal(told.length, 9);
  const last = told.pop();
  assert.equal(last.code, "callback-loops");
  assert.match(last.message, /^xdmBeacon: 'onBeforeEventSend' sends events without end: /);
  for (const { value } of told) assert.equal(value?.status, "delivered");
  assert.equal((await status(host)).accepted, 9);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("an event that is sent out of the engine's own work has its turn at once", async () => {
  // The page has put its own `fetch` in place, and it sends events, while the engine is carrying something out.
  const host = await visit("({ xdm }) => { order.push(xdm._id); }", {
    more: "window.order = []",
    delivery: { maxWaitMs: 0 },
  });
  await host.page.evaluate(() => {
    const { fetch } = window;
    window.fetch = (...args) => {
      if (!window.nested) {
        window.nested = outcome(xdmBeacon("sendEvent", { xdm: { _id: "in-fetch" } }));
        order.push("after the call");
        window.counted = outcome(xdmBeacon("getStatus"));
      }
      return fetch(...args);
    };
  });
  await host.call("sendEvent", { xdm: { _id: "out-of-fetch" } });
  assert.equal((await host.page.evaluate(() => nested)).value?.status, "delivered");
  assert.equal((await host.page.evaluate(() => counted)).value.accepted, 2);
  const order = ["out-of-fetch", "in-fetch", "after the call"];
  assert.deepEqual(await host.page.evaluate(() => window.order), order);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("instances have each their own, and one's may call the other", async () => {
  const host = await openHost(browser);
  await host.page.goto(stage.put("/two.html", pageWith(undefined, { sdk: null })));
  await host.page.evaluate(
    (options) => {
      window.__xdmBeaconNS.push("other");
      window.xdmBeacon("configure", {
        ...options,
        onBeforeEventSend: ({ xdm }) => {
          xdm.web = { webPageDetails: { name: "one" } };
          if (xdm._id === "both")
            window.inner = outcome(window.other("sendEvent", { xdm: { _id: "from-one" } }));
        },
      });
    },
    optionsFor(inlet.origin, { context: [] }),
  );
  await host.page.addScriptTag({ url: `${stage.origin}/sdk/xdm-beacon.js` });
  await host.page.evaluate(
    (options) =>
      other("configure", {
        ...options,
        onBeforeEventSend: ({ xdm }) => {
          xdm.web = { webPageDetails: { name: "two" } };
        },
      }),
    optionsFor(inlet.origin, { context: [] }),
  );
  await host.call("sendEvent", { xdm: { _id: "both" } });
  assert.equal((await host.page.evaluate(() => inner)).value?.status, "delivered");
  assert.deepEqual((await entity("both")).web, named("one").web);
  assert.deepEqual((await entity("from-one")).web, named("two").web);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("what is no function is refused, and functions elsewhere are named", async () => {
  for (const [source, path, text] of [
    ["onBeforeEventSend: true", "onBeforeEventSend", "must be a function"],
    ["onBeforeEventSend: {}", "onBeforeEventSend", "must be a function"],
    ["onBeforeEventSend: null", "onBeforeEventSend", "must be a function"],
    ["onBeforeLinkClickSend: () => {}", "onBeforeLinkClickSend", "is not an option of this version"],
    ["delivery: { onBeforeEventSend: () => {} }", "delivery.onBeforeEventSend", "is not an option"],
    ["orgId: () => {}", "orgId", "must be an organisation id"],
  ]) {
    const host = await openHost(browser);
    await host.page.goto(stage.put("/refused.html", pageWith()));
    const { message } = await host.callWith("configure", `({ ...${options()}, ${source} })`);
    assert.ok(message?.startsWith(`xdmBeacon: '${path}' ${text}`), `${source}: ${message}`);
    // A refused function is forgotten: the next one counts.
    const configured = await host.callWith(
      "configure",
      `({ ...${options()}, onBeforeEventSend: ({ xdm }) => { xdm._id = "kept"; } })`,
    );
    assert.deepEqual(configured, { value: {} });
    assert.equal((await host.callWith("sendEvent", "{}")).value.id, "kept");
    const { value } = await host.call("getLibraryInfo");
    assert.equal(value.configuration.onBeforeEventSend, "a function");
    await host.context.close();
  }
});
