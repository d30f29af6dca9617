// The engine traps: a fault of ours that leaves it unusable. A fresh one takes over, once; nothing that was
// accepted is lost, and the host page hears nothing.
//
// Real traps: the test fills the memory of the running WebAssembly instance with 0xff, or empties its function
// table, so that whatever it is asked next goes wrong.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { keepInstances, openHost, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, gate, stage, browser } = await openSuite();
beforeEach(() => inlet.reset());
afterEach(async () => {
  gate.passes = () => true;
  await inlet.faults({});
});

const WAYS = ["fillMemory", "emptyTable"];

async function visit({ delivery, ...more } = {}) {
  const host = await openHost(browser);
  await host.context.addInitScript(keepInstances);
  const options = optionsFor(gate.origin, { context: [], delivery, ...more });
  await host.page.goto(stage.put("/trap.html", pageWith(options)));
  await until(
    "the outbox",
    async () => (await host.call("getStatus")).value.outbox.durable === (delivery?.storage ?? true),
  );
  return host;
}

/**
 * Calls `sendEvent` for each and does not wait: the promises' outcomes come to be in `sent`. With `way` the engine is
 * broken right before, in the same task, so that nothing else finds out first.
 */
const begin = (host, ids, way) =>
  host.page.evaluate(
    ([ids, way]) => {
      if (way) window[way]();
      window.sent = ids.map((_id) => outcome(xdmBeacon("sendEvent", { xdm: { _id } })));
    },
    [ids, way],
  );

const ended = (host) => host.page.evaluate(() => Promise.all(sent));

const fates = async (host) => (await ended(host)).map(({ value }) => value?.status);

const breakBy = (host, way) => host.page.evaluate((way) => window[way](), way);

const status = async (host) => (await host.call("getStatus")).value;

async function arrivals(ids) {
  const times = Object.fromEntries(ids.map((id) => [id, 0]));
  for (const { id } of await inlet.good()) if (id in times) times[id]++;
  return Object.values(times);
}

const each = (ids, value) => ids.map(() => value);

/** Waits until all arrived and the outbox is empty. */
async function arrived(host, ids) {
  await until("the arrival of all", async () => (await arrivals(ids)).every((times) => times > 0));
  await until("an empty outbox", async () => {
    const { queued, inFlight, stored, outbox } = await status(host);
    return queued + inFlight + stored + outbox.events === 0;
  });
}

for (const way of WAYS) {
  test(`${way}: a fresh engine carries out the next calls, and the page hears nothing`, async () => {
    const host = await visit();
    await begin(host, ["before"]);
    assert.deepEqual(await fates(host), ["delivered"]);
    // Whoever finds out that it is broken is told; the ones after it are served.
    const ids = ["after-1", "after-2", "after-3"];
    await begin(host, ids, way);
    const [first, ...others] = await ended(host);
    assert.equal(first.code, "engine-failed");
    assert.match(first.message, /^xdmBeacon: the engine failed \(.+\): reload the page and report this$/);
    assert.deepEqual(
      others.map(({ value }) => value?.status),
      ["delivered", "delivered"],
    );
    await arrived(host, ids.slice(1));
    assert.deepEqual(await arrivals(["before", ...ids]), [1, 0, 1, 1]);
    const { engineRestarts, accepted, delivered } = await status(host);
    assert.deepEqual([engineRestarts, accepted, delivered], [1, 2, 2]);
    assert.equal(await host.page.evaluate(() => engines()), 2);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });

  test(`${way}: what was in flight is sent again by the fresh engine, under the same _id`, async () => {
    const host = await visit();
    const ids = ["flying-1", "flying-2"];
    let answer;
    const held = new Promise((resolve) => {
      answer = resolve;
    });
    gate.passes = ({ method }) => method !== "POST" || held;
    await begin(host, ids);
    await until("the requests at the inlet", async () => (await arrivals(ids)).every((times) => times === 1));
    await breakBy(host, way);
    // The answer is what the broken engine is asked about.
    answer(true);
    await until("the fresh engine", () => host.page.evaluate(() => engines() === 2));
    assert.deepEqual(await fates(host), each(ids, "delivered"));
    await arrived(host, ids);
    // Their answer was never seen: once before and once after.
    assert.deepEqual(await arrivals(ids), each(ids, 2));
    assert.equal((await status(host)).engineRestarts, 1);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });

  test(`${way}: what is in the outbox is sent by the fresh engine, once`, async () => {
    const host = await visit();
    await inlet.faults({ status: 503 });
    const ids = ["stored-1", "stored-2", "stored-3"];
    await begin(host, ids);
    assert.deepEqual(await fates(host), each(ids, "stored"));
    await breakBy(host, way);
    await inlet.faults({});
    // It traps by itself as it tries again.
    await until("the fresh engine", () => host.page.evaluate(() => engines() === 2));
    await arrived(host, ids);
    assert.deepEqual(await arrivals(ids), each(ids, 1));
    assert.equal((await status(host)).engineRestarts, 1);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });

  test(`${way}: a second trap is the last: every call is refused, the page goes on unharmed`, async () => {
    const host = await visit();
    for (const restarts of [1, 2]) {
      await begin(host, [`trap-${restarts}`], way);
      assert.equal((await ended(host))[0].code, "engine-failed", `trap ${restarts}`);
    }
    for (const command of ["sendEvent", "getStatus", "flush", "configure"]) {
      const { code, message } = await host.call(command);
      assert.equal(code, "engine-failed", command);
      assert.match(message, /reload the page and report this$/);
    }
    assert.equal(await host.page.evaluate(() => engines()), 2);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });
}

test("page views go on with the fresh engine, where they were", async () => {
  const host = await visit({ track: ["pageViews"] });
  const views = async () => {
    const all = await inlet.entities("&eventType=web.webpagedetails.pageViews");
    return all.map(({ web }) => [web.webPageDetails.name, web.webReferrer?.URL ?? ""]);
  };
  const first = ["Test page", ""];
  await until("the first view", async () => (await views()).length > 0);
  await begin(host, ["broken"], "fillMemory");
  assert.equal((await ended(host))[0].code, "engine-failed");
  assert.deepEqual(await fates(host), [undefined]);
  await host.page.evaluate(() => {
    history.pushState(null, "", "/second");
    document.title = "Second";
  });
  await until("the second view", async () => (await views()).length > 1);
  assert.deepEqual(await views(), [["Second", `${stage.origin}/trap.html`], first]);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a trap of a page that leaves: what was in the outbox goes with the next visit", async () => {
  const host = await visit();
  await inlet.faults({ status: 503, retryAfter: 3600, exposeRetryAfter: true });
  const ids = ["left-1", "left-2"];
  await begin(host, ids);
  assert.deepEqual(await fates(host), each(ids, "stored"));
  await breakBy(host, "fillMemory");
  await host.page.goto(stage.put("/away.html", '<!doctype html><link rel="icon" href="data:,">'));
  await inlet.faults({});
  await host.page.goto(`${stage.origin}/trap.html`);
  await arrived(host, ids);
  assert.deepEqual(await arrivals(ids), each(ids, 1));
  assert.equal((await status(host)).engineRestarts, 0);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("without storage: what nobody was told of is sent by the fresh engine", async () => {
  const host = await visit({ delivery: { storage: false } });
  const ids = ["memory-1", "memory-2"];
  let answer;
  const held = new Promise((resolve) => {
    answer = resolve;
  });
  gate.passes = ({ method }) => method !== "POST" || held;
  await begin(host, ids);
  await until("the requests at the inlet", async () => (await arrivals(ids)).every((times) => times === 1));
  await breakBy(host, "fillMemory");
  answer(true);
  assert.deepEqual(await fates(host), each(ids, "delivered"));
  assert.deepEqual(await arrivals(ids), each(ids, 2));
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("the page's onBeforeEventSend goes on with the fresh engine", async () => {
  const host = await openHost(browser);
  await host.context.addInitScript(keepInstances);
  await host.page.goto(stage.put("/function.html", pageWith()));
  const options = JSON.stringify(optionsFor(gate.origin, { context: [] }));
  await host.callWith(
    "configure",
    `({ ...${options}, onBeforeEventSend: ({ xdm }) => {
      if (xdm._id.endsWith("secret")) return false;
      xdm.web = { webPageDetails: { name: "seen" } };
    } })`,
  );
  await begin(host, ["before"]);
  assert.deepEqual(await fates(host), ["delivered"]);
  await begin(host, ["broken", "after", "after-secret"], "fillMemory");
  assert.deepEqual(await fates(host), [undefined, "delivered", "dropped"]);
  for (const id of ["before", "after"]) {
    const { message } = await inlet.arrived(id);
    assert.deepEqual(message.body.xdmEntity.web, { webPageDetails: { name: "seen" } });
  }
  assert.deepEqual(await arrivals(["before", "broken", "after", "after-secret"]), [1, 0, 1, 0]);
  const { engineRestarts, accepted, dropped } = await status(host);
  assert.deepEqual([engineRestarts, accepted, dropped.cancelled], [1, 2, 1]);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});
