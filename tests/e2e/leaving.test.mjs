// What a page sends as it goes away arrives, and its promises say so before nobody is left to hear them.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openEngine } from "./engines.mjs";
import { openHost, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, gate, stage, browser } = await openSuite();
const next = stage.put("/next.html", "<!doctype html><title>Next</title>");

/** A page with the library at work. */
async function openLeaver(name, { delivery, ...made } = {}) {
  const host = await openHost(browser);
  const options = optionsFor(gate.origin, { delivery });
  await host.page.goto(stage.put(`/${name}.html`, pageWith(options, made)));
  await host.call("getStatus");
  return host;
}

/** The outcomes that a page noted for its successor, by event. */
const noted = async (host) => {
  const entries = await host.page.evaluate(() => Object.entries(localStorage));
  // The library notes something there, too.
  return Object.fromEntries(entries.filter(([key]) => !key.startsWith("xdm-beacon.")));
};

test("a click that leads away: the event arrives and the promise settles first", async () => {
  const host = await openLeaver("click");
  await host.page.evaluate((next) => {
    const link = document.body.appendChild(document.createElement("a"));
    link.href = next;
    link.textContent = "Next";
    link.addEventListener("click", () => {
      xdmBeacon("sendEvent", { xdm: { _id: "click" }, documentUnloading: true }).then(({ status }) => {
        localStorage.click = status;
      });
    });
  }, next);
  await host.page.click("a");
  await host.page.waitForURL(next);
  assert.deepEqual(await noted(host), { click: "handedOver" });
  assert.equal((await inlet.arrived("click")).verdict, "good");
  await host.context.close();
});

test("a click that leads nowhere: handed over becomes delivered when the answer is seen", async () => {
  const host = await openLeaver("stay");
  const sent = await host.call("sendEvent", { xdm: { _id: "stay" }, documentUnloading: true });
  assert.equal(sent.value.status, "handedOver");
  await until("the answer", async () => (await host.call("getStatus")).value.delivered === 1);
  const { value } = await host.call("getStatus");
  assert.deepEqual([value.accepted, value.handedOver, value.inFlight], [1, 0, 0]);
  assert.equal((await inlet.arrived("stay")).verdict, "good");
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

/** Runs in the page: sends in each of the ways to leave, noting what its promises say. */
function sendOnLeaving(prefix) {
  const send = (name) => {
    for (const number of [1, 2, 3]) {
      const key = `${prefix}-${name}-${number}`;
      xdmBeacon("sendEvent", { xdm: { _id: key } }).then(({ status }) => {
        localStorage[key] = status;
      });
    }
  };
  addEventListener("pagehide", () => send("pagehide"));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") send("hidden");
  });
}

const idsOf = (prefix) =>
  ["pagehide", "hidden"].flatMap((name) => [1, 2, 3].map((number) => `${prefix}-${name}-${number}`));

test("handlers of pagehide and visibilitychange", async () => {
  const host = await openLeaver("handlers");
  await host.page.evaluate(sendOnLeaving, "handlers");
  await host.page.goto(next);
  const ids = idsOf("handlers");
  for (const id of ids) assert.equal((await inlet.arrived(id)).verdict, "good", id);
  assert.deepEqual(await noted(host), Object.fromEntries(ids.map((id) => [id, "handedOver"])));
  await host.context.close();
});

test("handlers that were there before the library, and so hear of it first", async () => {
  const head = `<script>(${sendOnLeaving})("early")</script><script async src="/sdk/xdm-beacon.js"></script>`;
  const host = await openLeaver("early", { sdk: null, head });
  await host.page.goto(next);
  for (const id of idsOf("early")) assert.equal((await inlet.arrived(id)).verdict, "good", id);
  await host.context.close();
});

test("a tab that is closed", async () => {
  const host = await openLeaver("closed");
  await host.page.evaluate(sendOnLeaving, "closed");
  await host.page.close({ runBeforeUnload: true });
  for (const id of idsOf("closed")) assert.equal((await inlet.arrived(id)).verdict, "good", id);
  assert.equal((await inlet.counts()).duplicates, 0);
  await host.context.close();
});

const big = (id, size) => ({ xdm: { _id: id, web: { webPageDetails: { name: "x".repeat(size) } } } });

for (const [what, sizes] of [
  ["three events of 30 KB, more than a page may have under way by keepalive", [30_000, 30_000, 30_000]],
  ["one event of 70 KB", [70_000]],
  ["one that fills the budget to the brim, and one more", [65_000, 400]],
]) {
  test(`${what}: all arrive while the page lives`, async () => {
    const host = await openLeaver("budget");
    const id = (at) => `budget-${sizes.length}-${sizes[0]}-${at}`;
    const sent = await host.page.evaluate(
      (events) => Promise.all(events.map((event) => outcome(xdmBeacon("sendEvent", event)))),
      sizes.map((size, at) => big(id(at), size)),
    );
    assert.deepEqual(
      sent.map(({ value }) => value.status),
      sizes.map(() => "delivered"),
    );
    for (const at of sizes.keys()) assert.equal((await inlet.arrived(id(at))).verdict, "good");
    // What came back is free again.
    const again = await host.call("sendEvent", big(`${id(0)}-again`, 30_000));
    assert.equal(again.value.status, "delivered");
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });
}

test("the JSON beacon: taken in any case, and lost where the endpoint answers *", async () => {
  for (const [cors, arrives] of [
    ["star", false],
    ["credentials", true],
  ]) {
    await inlet.faults({ cors });
    const host = await openLeaver(cors, { delivery: { transport: "beacon" } });
    const preflights = () =>
      gate.requests.filter(({ method, status }) => method === "OPTIONS" && status !== undefined).length;
    const before = preflights();
    const sent = await host.call("sendEvent", { xdm: { _id: `beacon-${cors}` }, documentUnloading: true });
    assert.equal(sent.value.status, "handedOver");
    await until("the beacon's preflight", () => preflights() > before);
    // While the page stays, the same site goes by keepalive, and that arrives after it.
    assert.equal((await host.call("sendEvent", { xdm: { _id: `after-${cors}` } })).value.status, "delivered");
    if (arrives) await inlet.arrived(`beacon-${cors}`);
    else assert.deepEqual((await inlet.get(`/inspect/good?id=beacon-${cors}`)).rows, []);
    const { value } = await host.call("getStatus");
    assert.deepEqual([value.accepted, value.delivered, value.handedOver], [2, 1, 1]);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  }
  await inlet.faults({});
});

test("a page that is prerendered sends nothing before somebody sees it", async () => {
  const head = `<script>
    const name = "prerendering: " + document.prerendering;
    xdmBeacon("sendEvent", { xdm: { _id: "prerendered", web: { webPageDetails: { name } } } });
  </script>`;
  const seen = stage.put(
    "/prerendered.html",
    pageWith(optionsFor(gate.origin), { head, sdk: "/prerendered" }),
  );
  const rules = JSON.stringify({ prerender: [{ urls: [seen], eagerness: "immediate" }] });
  const from = stage.put(
    "/prerender.html",
    `<!doctype html><title>From</title><script type="speculationrules">${rules}</script>
    <a id="on" href="${seen}">On</a>`,
  );
  // The usual driver keeps Chromium from prerendering.
  const profile = mkdtempSync(join(tmpdir(), "xdm-prerender-"));
  const chromium = await openEngine("chromium", { profile });
  try {
    const tab = await chromium.open(from);
    // Once its script is there only the engine is missing, which would be there soon.
    await until("the prerendered page's script", () => stage.asked("/prerendered/xdm-beacon.js"));
    assert.deepEqual((await inlet.get("/inspect/good?id=prerendered")).rows, []);
    assert.ok(!stage.asked("/prerendered/xdm-beacon.wasm"));
    await tab.click("#on");
    const { message } = await inlet.arrived("prerendered");
    assert.equal(message.body.xdmEntity.web.webPageDetails.name, "prerendering: true");
  } finally {
    await chromium.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
});
