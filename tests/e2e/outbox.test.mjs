// What was accepted is not lost: it waits in the outbox while it cannot be delivered, for this page, for
// another tab, or for the next visit to the origin, and goes out once, under the `_id` that it had from the
// start. Counted at the inlet.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { openEngine } from "./engines.mjs";
import { baseCode, openHost, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, gate, stage, browser } = await openSuite();
const away = stage.put("/away.html", '<!doctype html><link rel="icon" href="data:,"><title>Away</title>');
beforeEach(() => inlet.reset());
afterEach(async () => {
  gate.passes = () => true;
  await inlet.faults({});
});

/** The endpoint is there, cannot, and says when to come back: long after these tests. */
const LATER = { status: 503, retryAfter: 3600, exposeRetryAfter: true };
/** More than a page may have under way as it leaves. */
const TOO_LARGE = 70_000;

const urlOf = (delivery) =>
  stage.put("/page.html", pageWith(optionsFor(gate.origin, { context: [], delivery })));

/** A first visit, in a browser context of its own: nothing is on disk. `init` runs before all of the page. */
async function visit({ delivery, init } = {}) {
  const host = await openHost(browser);
  if (init) await host.context.addInitScript(init);
  await host.page.goto(urlOf(delivery));
  return host;
}

/** The next visit, in the same tab or another. */
async function visitAgain(host, delivery) {
  await host.page.goto(urlOf(delivery));
  return host;
}

/** Makes `count` names for events. */
const names = (prefix, count) => Array.from({ length: count }, (_, at) => `${prefix}-${at + 1}`);

/** Sends events with these `_id`s in one task, and gives back what their promises say. */
async function send(host, ids, size = 10) {
  const outcomes = await host.page.evaluate(
    ([ids, size]) => {
      const webPageDetails = { name: "x".repeat(size) };
      return Promise.all(
        ids.map((_id) => outcome(xdmBeacon("sendEvent", { xdm: { _id, web: { webPageDetails } } }))),
      );
    },
    [ids, size],
  );
  return outcomes.map(({ value }) => value.status);
}

const each = (ids, value) => ids.map(() => value);

const status = async (host) => (await host.call("getStatus")).value;

/** Waits for a status. */
const statusWhere = (host, what, holds) =>
  until(what, async () => {
    const now = await status(host);
    return holds(now) && now;
  });

const emptied = (host) =>
  statusWhere(
    host,
    "an empty outbox",
    ({ queued, inFlight, stored, outbox }) => queued + inFlight + stored + outbox.events === 0,
  );

/** How often each of these came to the inlet. */
async function arrivals(ids) {
  const times = Object.fromEntries(ids.map((id) => [id, 0]));
  for (const { id } of await inlet.good()) if (id in times) times[id]++;
  return Object.values(times);
}

const arrived = (ids) =>
  until("the arrival of all", async () => (await arrivals(ids)).every((times) => times > 0));

/** Waits for all of them to arrive, and for nothing to be left to send; and then asserts that each came once. */
async function assertOnce(host, ids) {
  await arrived(ids);
  await emptied(host);
  assert.deepEqual(await arrivals(ids), each(ids, 1));
}

/** All that the outbox holds, as `[key, value]`; null when there is no database. */
const readOutbox = (host) =>
  host.page.evaluate(async () => {
    const known = await indexedDB.databases();
    if (!known.some(({ name }) => name === "xdm-beacon")) return null;
    const done = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await done(indexedDB.open("xdm-beacon"));
    const store = database.transaction("outbox").objectStore("outbox");
    const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
    database.close();
    return keys.map((key, at) => [key, values[at]]);
  });

// ---- the endpoint fails ---------------------------------------------------------------------------

test("an endpoint that is down when the page is closed: all arrive on the next visit, each once", async () => {
  await inlet.faults({ drop: "before" });
  const host = await visit();
  const ids = names("down", 20);
  assert.deepEqual(await send(host, ids), each(ids, "stored"));
  await statusWhere(host, "all to rest", ({ stored }) => stored === ids.length);
  const next = await host.another();
  await host.page.close();
  // Down as long as this: whatever the page handed over as it left has failed by then.
  await visitAgain(next);
  await statusWhere(next, "all to be taken over", ({ outbox }) => outbox.events === ids.length);
  const before = gate.requests.length;
  await until("another attempt", () => gate.requests.length > before);
  assert.deepEqual(await arrivals(ids), each(ids, 0));
  await inlet.faults({});
  await assertOnce(next, ids);
  // They are none of this page's own.
  assert.equal((await status(next)).accepted, 0);
  assert.deepEqual(await next.heard(), []);
  await host.context.close();
});

test("503 for a while: all arrive on the same page, each once, in the order of the calls", async () => {
  await inlet.faults({ status: 503 });
  const host = await visit();
  const ids = names("unavailable", 20);
  assert.deepEqual(await send(host, ids), each(ids, "stored"));
  await inlet.faults({});
  await statusWhere(host, "their delivery", ({ delivered }) => delivered === ids.length);
  await assertOnce(host, ids);
  const rows = await inlet.good();
  assert.deepEqual(rows.map(({ id }) => id).reverse(), ids);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("events of one task go as one batch, in the order of the calls, and what matters more first", async () => {
  const host = await visit();
  const ids = names("ordered", 9);
  const sent = await host.page.evaluate(
    (ids) =>
      Promise.all(
        ids.map((_id, at) =>
          outcome(
            xdmBeacon("sendEvent", { xdm: { _id }, priority: ["low", "normal", "high"][Math.floor(at / 3)] }),
          ),
        ),
      ),
    ids,
  );
  assert.deepEqual(
    sent.map(({ value }) => value.status),
    each(ids, "delivered"),
  );
  const order = [...ids.slice(6), ...ids.slice(3, 6), ...ids.slice(0, 3)];
  const rows = await inlet.good();
  assert.deepEqual(rows.map(({ id }) => id).reverse(), order);
  assert.equal(new Set(rows.map(({ xactionId }) => xactionId.split("-").slice(0, -1).join("-"))).size, 1);
  await host.context.close();
});

test("offline, then online", async () => {
  const host = await visit();
  assert.deepEqual(await send(host, ["online-1"]), ["delivered"]);
  await host.context.setOffline(true);
  await until("the page to know", () => host.page.evaluate(() => !navigator.onLine));
  const before = gate.requests.length;
  const ids = names("offline", 5);
  assert.deepEqual(await send(host, ids), each(ids, "stored"));
  const { stored, outbox } = await status(host);
  assert.deepEqual([stored, outbox.events], [ids.length, ids.length]);
  assert.equal(gate.requests.length, before, "nobody tried");
  await host.context.setOffline(false);
  await assertOnce(host, ids);
  assert.equal((await status(host)).delivered, ids.length + 1);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("an answer lost after the inlet had it all: twice what it was for, the same _id, and nothing else", async () => {
  const host = await visit();
  const sendThree = () =>
    host.page.evaluate(() => Promise.all([1, 2, 3].map(() => outcome(xdmBeacon("sendEvent")))));
  const told = async () => {
    const sent = (await sendThree()).map(({ value }) => value);
    return [sent.map(({ id }) => id), sent.map(({ status }) => status)];
  };
  const [before, fatesBefore] = await told();
  assert.deepEqual(fatesBefore, each(before, "delivered"));

  let answers = 0;
  gate.passes = ({ method }) => method !== "POST" || answers++ > 0;
  const [lost, fatesLost] = await told();
  assert.deepEqual(fatesLost, each(lost, "stored"));
  await emptied(host);
  const [later, fatesLater] = await told();
  assert.deepEqual(fatesLater, each(later, "delivered"));

  assert.deepEqual(await arrivals(before), each(before, 1));
  assert.deepEqual(await arrivals(lost), each(lost, 2));
  assert.deepEqual(await arrivals(later), each(later, 1));
  assert.deepEqual(await inlet.counts(), { received: 12, good: 12, bad: 0, duplicates: 3 });
  await host.context.close();
});

test("answers lost after commit, and then the page: the next visit sends what nobody answered for", async () => {
  const host = await visit();
  const answered = names("answered", 3);
  assert.deepEqual(await send(host, answered), each(answered, "delivered"));
  await inlet.faults({ drop: "afterCommit" });
  const ids = names("unanswered", 3);
  assert.deepEqual(await send(host, ids), each(ids, "stored"));
  assert.equal(
    (await arrivals(ids)).every((times) => times > 0),
    true,
  );
  await host.page.goto(away);
  const before = await arrivals(ids);
  await inlet.faults({});
  await visitAgain(host);
  await until("all to come again", async () =>
    (await arrivals(ids)).every((times, at) => times > before[at]),
  );
  await emptied(host);
  assert.deepEqual(await arrivals(answered), each(answered, 1));
  await host.context.close();
});

test("a batch of which some are refused: those are dropped, the others delivered, each once", async () => {
  const host = await visit();
  await inlet.faults({ itemStatus: 400, ratio: 0.5 });
  const ids = names("mixed", 40);
  const sent = await host.page.evaluate(
    (ids) => Promise.all(ids.map((_id) => outcome(xdmBeacon("sendEvent", { xdm: { _id } })))),
    ids,
  );
  await inlet.faults({});
  const fates = { delivered: [], dropped: [] };
  for (const told of sent) fates[told.value.status].push(told);
  for (const { value } of fates.dropped) {
    assert.equal(value.reason, "rejected");
    assert.match(value.detail, /./);
  }
  const idsOf = (list) => list.map(({ value }) => value.id);
  assert.deepEqual(await arrivals(idsOf(fates.delivered)), each(fates.delivered, 1));
  assert.deepEqual(await arrivals(idsOf(fates.dropped)), each(fates.dropped, 0));
  const { accepted, delivered, dropped } = await emptied(host);
  assert.deepEqual(
    [accepted, delivered, dropped.rejected],
    [ids.length, fates.delivered.length, fates.dropped.length],
  );
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a batch of which some are put off: those are sent again, the others not", async () => {
  const host = await visit();
  await inlet.faults({ itemStatus: 503, ratio: 0.5 });
  const ids = names("put-off", 40);
  const fates = await send(host, ids);
  assert.deepEqual([...new Set(fates)].sort(), ["delivered", "stored"]);
  await inlet.faults({});
  await statusWhere(host, "their delivery", ({ delivered }) => delivered === ids.length);
  await assertOnce(host, ids);
  await host.context.close();
});

// ---- several tabs -----------------------------------------------------------------------------------

test("two tabs find what a third left behind: each event goes once", async () => {
  await inlet.faults(LATER);
  const first = await visit();
  const ids = names("orphan", 30);
  assert.deepEqual(await send(first, ids), each(ids, "stored"));
  const tabs = [await first.another(), await first.another()];
  await first.page.close();
  await inlet.faults({});
  await Promise.all(tabs.map((tab) => visitAgain(tab)));
  await arrived(ids);
  for (const tab of tabs) await emptied(tab);
  assert.deepEqual(await arrivals(ids), each(ids, 1));
  assert.deepEqual(await readOutbox(tabs[0]), []);
  await first.context.close();
});

const isLease = ({ name }) => name.startsWith("xdm-beacon.lease.");

test("a tab that lives keeps its own; what it leaves is anybody's", async () => {
  const leader = await visit();
  const locks = (host) => host.page.evaluate(() => navigator.locks.query());
  await until("the lease", async () => (await locks(leader)).held.some(isLease));
  // The next to look into the outbox, once the leader is gone.
  const heir = await visitAgain(await leader.another());
  await until("it to stand in line", async () => (await locks(heir)).pending.some(isLease));
  await inlet.faults(LATER);
  const [orphans, own] = [names("leader", 5), names("living", 5)];
  assert.deepEqual(await send(leader, orphans), each(orphans, "stored"));
  const living = await visitAgain(await leader.another());
  assert.deepEqual(await send(living, own), each(own, "stored"));
  await inlet.faults({});

  await leader.page.close();
  await assertOnce(heir, orphans);
  assert.equal((await status(living)).stored, own.length);
  assert.deepEqual(await arrivals(own), each(own, 0));

  await living.page.close();
  await visitAgain(heir);
  await assertOnce(heir, own);
  await leader.context.close();
});

// ---- storage that is off, denied, full or not ours -------------------------------------------------------

test("storage: false writes nothing, whatever happens", async () => {
  const host = await visit({ delivery: { storage: false } });
  assert.deepEqual(await send(host, names("memory", 3)), each([1, 2, 3], "delivered"));
  await inlet.faults(LATER);
  assert.deepEqual(await send(host, ["kept"]), ["stored"]);
  const { queued, stored, outbox } = await status(host);
  assert.deepEqual([queued, stored, outbox.durable, outbox.events], [1, 0, false, 0]);
  const traces = () =>
    host.page.evaluate(async () => ({
      databases: await indexedDB.databases(),
      local: { ...localStorage },
      session: { ...sessionStorage },
      locks: (await navigator.locks.query()).held.length,
    }));
  const none = { databases: [], local: {}, session: {}, locks: 0 };
  assert.deepEqual(await traces(), none);
  await host.page.goto(away);
  assert.deepEqual(await traces(), none);
  await host.context.close();
});

/** Runs in the page, before anything else. */
function denyStorage() {
  const deny = () => {
    throw new DOMException("denied", "SecurityError");
  };
  IDBFactory.prototype.open = deny;
  for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, { get: deny });
}

test("storage that throws: events are delivered all the same, and the status says how it is", async () => {
  const host = await visit({ init: denyStorage });
  assert.deepEqual(await send(host, names("denied", 3)), each([1, 2, 3], "delivered"));
  await inlet.faults({ status: 503 });
  assert.deepEqual(await send(host, ["patient"]), ["stored"]);
  const { accepted, delivered, stored, outbox } = await status(host);
  assert.deepEqual([accepted, delivered, stored], [4, 3, 0]);
  assert.deepEqual(outbox, { events: 0, bytes: 0, durable: false, dropped: 0 });
  await inlet.faults({});
  await statusWhere(host, "its delivery", (now) => now.delivered === 4);
  await host.page.evaluate(() => {
    addEventListener("pagehide", () => xdmBeacon("sendEvent", { xdm: { _id: "denied-leaving" } }));
  });
  assert.deepEqual(await host.heard(), []);
  await host.page.goto(away);
  await inlet.arrived("denied-leaving");
  await host.context.close();
});

/** Runs in the page, before anything else. */
function fillStorage() {
  Storage.prototype.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
}

test("no room for a hand-off: what is in the outbox and what can be handed over still arrive", async () => {
  const host = await visit({ init: fillStorage });
  await inlet.faults(LATER);
  const ids = names("full", 5);
  assert.deepEqual(await send(host, ids), each(ids, "stored"));
  await host.page.goto(away);
  await inlet.faults({});
  await visitAgain(host);
  await assertOnce(host, ids);
  await host.page.evaluate(() => {
    window.goOn = () => xdmBeacon("sendEvent", { xdm: { _id: "full-leaving" } });
    addEventListener("pagehide", goOn);
  });
  await host.page.goto(away);
  await inlet.arrived("full-leaving");
  await host.context.close();
});

test("records of a newer version are left alone, corrupt ones are dropped and counted, the rest is sent", async () => {
  await inlet.faults(LATER);
  const host = await visit();
  const ids = names("record", 3);
  assert.deepEqual(await send(host, ids), each(ids, "stored"));
  await host.page.goto(away);
  const planted = await host.page.evaluate(async () => {
    const database = await new Promise((resolve, reject) => {
      const request = indexedDB.open("xdm-beacon");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const store = database.transaction("outbox", "readwrite").objectStore("outbox");
    const [text] = await new Promise((resolve) => {
      const request = store.getAll();
      request.onsuccess = () => resolve(request.result);
    });
    const good = JSON.parse(text);
    const put = (rid, value) => store.put(value, `gone/${rid}`);
    const others = {
      newer: JSON.stringify({ ...good, v: 2, message: "packed" }),
      elsewhere: JSON.stringify({ ...good, endpoint: "https://example.com/collection/1" }),
      colleague: JSON.stringify({ ...good, org: "Other@AdobeOrg" }),
    };
    for (const [rid, value] of Object.entries(others)) put(rid, value);
    put("rubbish", "rubbish");
    put("cut", text.slice(0, -10));
    put("number", 7);
    put("object", { v: 1 });
    put("empty", JSON.stringify({ ...good, message: undefined }));
    const [last] = await Promise.all([
      new Promise((resolve) => {
        store.transaction.oncomplete = resolve;
      }),
    ]);
    database.close();
    return last && Object.entries(others).map(([rid, value]) => [`gone/${rid}`, value]);
  });
  await inlet.faults({});
  await visitAgain(host);
  await assertOnce(host, ids);
  assert.equal((await statusWhere(host, "the count", ({ outbox }) => outbox.dropped > 0)).outbox.dropped, 5);
  const kept = await until("the corrupt ones to go", async () => {
    const found = await readOutbox(host);
    return found.length === planted.length && found;
  });
  assert.deepEqual(new Map(kept), new Map(planted));
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

for (const [what, request] of [
  ["brings a newer version", 'indexedDB.open("xdm-beacon", 2)'],
  ["deletes it", 'indexedDB.deleteDatabase("xdm-beacon")'],
]) {
  test(`the database gives way to a page that ${what}, and events still arrive`, async () => {
    const host = await visit();
    await statusWhere(host, "the outbox", ({ outbox }) => outbox.durable);
    const event = await host.page.evaluate(
      `new Promise((resolve) => {
        const request = ${request};
        for (const name of ["success", "error", "blocked"]) request["on" + name] = () => resolve(name);
      })`,
    );
    assert.equal(event, "success");
    const ids = names("after", 3);
    assert.deepEqual(await send(host, ids), each(ids, "delivered"));
    await inlet.faults({ status: 503 });
    assert.deepEqual(await send(host, ["later"]), ["stored"]);
    await inlet.faults({});
    await assertOnce(host, [...ids, "later"]);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });
}

// ---- leaving ----------------------------------------------------------------------------------------

test("a page out of the back/forward cache sends again, and held nothing while it was there", async () => {
  const engine = await openEngine("chromium");
  // What the page says as it leaves is too large to be handed over.
  const head = `<script>
    window.shows = [];
    addEventListener("pageshow", (event) => shows.push(event.persisted));
    addEventListener("pagehide", () => {
      const web = { webPageDetails: { name: "x".repeat(${TOO_LARGE}) } };
      window.told = xdmBeacon("sendEvent", { xdm: { _id: "waiting", web } });
    });
  </script>`;
  const options = optionsFor(gate.origin, { context: [] });
  const tab = await engine.open(stage.put("/cached.html", pageWith(options, { head })));
  try {
    const sendThere = (_id) => tab.evaluate((_id) => xdmBeacon("sendEvent", { xdm: { _id } }), _id);
    const held = () => tab.evaluate(async () => (await navigator.locks.query()).held.map(({ name }) => name));
    assert.equal((await sendThere("shown")).status, "delivered");
    await until("name and lease to be held", async () => (await held()).length === 2);
    await tab.goto(away);
    assert.deepEqual(await held(), []);
    assert.deepEqual(await arrivals(["waiting"]), [0]);
    await tab.back();
    await until("the page to be back", () => tab.evaluate(() => window.shows?.length === 2));
    assert.deepEqual(await tab.evaluate(() => shows), [false, true]);
    assert.equal((await tab.evaluate(() => told)).status, "stored");
    assert.equal((await sendThere("restored")).status, "delivered");
    const ids = ["shown", "waiting", "restored"];
    await arrived(ids);
    await until("an empty outbox", async () => {
      const { stored, outbox } = await tab.evaluate(() => xdmBeacon("getStatus"));
      return stored + outbox.events === 0;
    });
    assert.deepEqual(await arrivals(ids), each(ids, 1));
    await until("name and lease to be held again", async () => (await held()).length === 2);
  } finally {
    await engine.close();
  }
});

/** Runs in the page, before anything else: counts the deferred requests that the browser took. */
function countDeferred() {
  const deferLater = window.fetchLater;
  window.deferred = 0;
  window.fetchLater = (...args) => {
    const taken = deferLater(...args);
    window.deferred++;
    return taken;
  };
}

test("a renderer that crashes: what was queued arrives, sent by the browser", async () => {
  const host = await visit({ delivery: { maxWaitMs: 600_000 }, init: countDeferred });
  assert.deepEqual(await send(host, ["calm"]), ["delivered"]);
  const ids = names("queued", 10);
  const before = await host.page.evaluate((ids) => {
    for (const _id of ids) xdmBeacon("sendEvent", { xdm: { _id } });
    return window.deferred;
  }, ids);
  await until("a deferred request", () => host.page.evaluate((before) => deferred > before, before));
  assert.deepEqual(await arrivals(ids), each(ids, 0));
  const crashed = new Promise((resolve) => {
    host.page.once("crash", resolve);
  });
  const devtools = await host.context.newCDPSession(host.page);
  devtools.send("Page.crash").catch(() => {});
  await crashed;
  await arrived(ids);
  assert.deepEqual(await arrivals(ids), each(ids, 1));
  await host.context.close();
});

for (const [mode, times] of [
  ["balanced", 1],
  ["atLeastOnce", 2],
  ["atMostOnce", 1],
]) {
  test(`${mode}: an event handed over whose answer was lost arrives ${times === 1 ? "once" : "twice"}`, async () => {
    const host = await visit({ delivery: { mode } });
    assert.deepEqual(await send(host, ["healthy"]), ["delivered"]);
    // The second one shows on the next visit that the outbox was looked into.
    await host.page.evaluate((size) => {
      addEventListener("pagehide", () => {
        const note = (id) => (sent) => {
          localStorage[id] = sent.status;
        };
        xdmBeacon("sendEvent", { xdm: { _id: "left" } }).then(note("left"));
        const web = { webPageDetails: { name: "x".repeat(size) } };
        xdmBeacon("sendEvent", { xdm: { _id: "too-large", web } }).then(note("too-large"));
      });
    }, TOO_LARGE);
    gate.passes = ({ method }) => method !== "POST";
    await host.page.goto(away);
    const told = await host.page.evaluate(() => [localStorage.left, localStorage["too-large"]]);
    assert.deepEqual(told, ["handedOver", "stored"]);
    await inlet.arrived("left");
    gate.passes = () => true;
    await visitAgain(host, { mode });
    await arrived(["too-large"]);
    await host.call("flush");
    await emptied(host);
    assert.deepEqual(await arrivals(["left", "too-large"]), [times, 1]);
    await host.context.close();
  });
}

/** Runs in the page, before anything else: notes how each message is sent. */
function watchFetch() {
  const fetchThen = window.fetch;
  window.sent = [];
  let used = 0;
  window.fetch = async (url, init) => {
    if (init?.method !== "POST") return fetchThen(url, init);
    const bytes = init.keepalive ? new Blob([init.body]).size : 0;
    used += bytes;
    window.sent.push({ keepalive: init.keepalive, used });
    try {
      return await fetchThen(url, init);
    } catch (error) {
      window.sent.push(String(error));
      throw error;
    } finally {
      used -= bytes;
    }
  };
}

test("two instances of a page share one keepalive budget", async () => {
  const host = await openHost(browser);
  await host.context.addInitScript(watchFetch);
  const options = optionsFor(gate.origin, { context: [] });
  const head = `<script>${baseCode("second")}</script>
    <script>for (const beacon of [xdmBeacon, second]) beacon("configure", ${JSON.stringify(options)});</script>
    <script async src="/sdk/xdm-beacon.js"></script>`;
  await host.page.goto(stage.put("/two.html", pageWith(null, { sdk: null, head })));
  // No answer before both are on their way.
  const before = gate.requests.length;
  const posts = () => gate.requests.slice(before).filter(({ method }) => method === "POST").length;
  gate.passes = ({ method }) => method !== "POST" || until("both", () => posts() >= 2);
  const sendBoth = (prefix) =>
    host.page.evaluate(async (prefix) => {
      const web = { webPageDetails: { name: "x".repeat(40_000) } };
      const [first, other] = [xdmBeacon, second].map((beacon, at) =>
        outcome(beacon("sendEvent", { xdm: { _id: `${prefix}-${at}`, web } })),
      );
      return [(await first).value.status, (await other).value.status];
    }, prefix);
  assert.deepEqual(await sendBoth("both"), ["delivered", "delivered"]);
  const sent = await host.page.evaluate(() => window.sent);
  assert.deepEqual(sent.map(({ keepalive }) => keepalive).sort(), [false, true]);
  // What came back is free again.
  assert.deepEqual(await sendBoth("again"), ["delivered", "delivered"]);
  const all = await host.page.evaluate(() => window.sent);
  assert.equal(all.length, 4, JSON.stringify(all));
  for (const { used } of all) assert.ok(used <= 65_536);
  assert.equal(
    all.slice(2).some(({ keepalive }) => keepalive),
    true,
  );
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});
