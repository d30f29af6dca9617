// Consent, in real browsers: before it nothing is touched, a consent manager made of the IAB's own parts is followed
// whatever it does, and a decision reaches other tabs and instances. What counts is what arrived at the inlet.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import webpack from "webpack";
import { root } from "../../scripts/steps.mjs";
import { engineNames, openEngine } from "./engines.mjs";
import {
  baseCode,
  keepInstances,
  openHost,
  openSuite,
  optionsFor,
  page as pageWith,
  until,
} from "./support.mjs";

const { inlet, gate, stage, browser } = await openSuite();
const script = { "Content-Type": "text/javascript" };
stage.put("/stub.js", readFileSync(join(root, "node_modules/@iabtechlabtcf/stub/lib/stub.js")), script);
stage.put("/cmp.js", await bundleCmp(), script);
beforeEach(async () => {
  await inlet.reset();
  await inlet.faults({});
  gate.requests.length = 0;
});

async function bundleCmp() {
  const path = mkdtempSync(join(tmpdir(), "xdm-cmp-"));
  try {
    const compiler = webpack({
      mode: "production",
      entry: join(root, "tests/e2e/cmp.js"),
      output: { path, filename: "cmp.js" },
      performance: false,
    });
    await new Promise((resolve, reject) => {
      compiler.run((error, stats) => {
        if (error || stats.hasErrors()) reject(error ?? new Error(stats.toString("errors-only")));
        else compiler.close(resolve);
      });
    });
    return readFileSync(join(path, "cmp.js"));
  } finally {
    rmSync(path, { recursive: true });
  }
}

const KEY = `xdm-beacon.consent.${optionsFor("").orgId}`;
const STUB = '<script src="/stub.js"></script>';
const CMP = '<script src="/cmp.js"></script>';
/** Adobe's number in the IAB's list. */
const ADOBE = 565;

const options = (consent, more) => optionsFor(gate.origin, { context: [], consent, ...more });
const decide = (val) => ({ consent: [{ standard: "Adobe", version: "2.0", value: { collect: { val } } }] });
const event = (_id, more) => ({ xdm: { _id }, ...more });

/** A first visit in a browser context of its own. `head` comes before everything of ours. */
async function visit(consent, { head = "", more, init, path = "/consent.html" } = {}) {
  const host = await openHost(browser);
  if (init) await host.context.addInitScript(init);
  const html = pageWith(options(consent, more)).replace("<script>", () => `${head}<script>`);
  await host.page.goto(stage.put(path, html));
  return host;
}

const status = async (host) => (await host.call("getStatus")).value;
const consentOf = async (host) => (await status(host)).consent;
const consentIs = (host, consent) =>
  until(`consent to be ${consent}`, async () => (await consentOf(host)) === consent);

/** Sends an event and tells what its promise says: the status, or why it was dropped. */
async function send(host, id, more) {
  const { value } = await host.call("sendEvent", event(id, more));
  return value.reason ?? value.status;
}

/** All that arrived, each as often as it did. */
const arrivals = async () => (await inlet.good()).map(({ id }) => id).sort();

/** Whatever the origin keeps in the browser. */
const traces = (page) =>
  page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    cookie: document.cookie,
    databases: (await indexedDB.databases()).map(({ name }) => name),
    locks: (await navigator.locks.query()).held.map(({ name }) => name),
  }));

const NO_TRACES = { local: {}, session: {}, cookie: "", databases: [], locks: [] };

// ---- before anybody has decided ---------------------------------------------------------------------

/**
 * Runs in the page, before anything else: notes whatever could tell one browser from another, or one visit from the
 * next, as `what is called, its first argument`.
 */
function watchTouches() {
  window.touches = [];
  const watch = (object, name, what) => {
    const own = Object.getOwnPropertyDescriptor(object, name);
    const note = (argument) => window.touches.push([what ?? name, String(argument ?? "")]);
    if (own.get) {
      Object.defineProperty(object, name, {
        ...own,
        get() {
          note();
          return own.get.call(this);
        },
        set(value) {
          note(value);
          own.set.call(this, value);
        },
      });
    } else {
      object[name] = function (...args) {
        note(args[0]);
        return own.value.apply(this, args);
      };
    }
  };
  for (const name of ["getItem", "setItem", "removeItem", "key", "clear"]) watch(Storage.prototype, name);
  for (const name of ["open", "deleteDatabase", "databases"])
    watch(IDBFactory.prototype, name, `indexedDB.${name}`);
  for (const name of ["request", "query"]) watch(LockManager.prototype, name, `locks.${name}`);
  for (const name of ["open", "match"]) watch(CacheStorage.prototype, name, `caches.${name}`);
  watch(Document.prototype, "cookie");
  watch(Navigator.prototype, "sendBeacon");
  watch(XMLHttpRequest.prototype, "open", "XMLHttpRequest");
  watch(window, "fetch");
  if (window.fetchLater) watch(window, "fetchLater");
  if (window.BroadcastChannel) {
    window.BroadcastChannel = class extends BroadcastChannel {
      constructor(name) {
        window.touches.push(["BroadcastChannel", name]);
        super(name);
      }
    };
  }
}

for (const name of engineNames) {
  test(`${name}: nothing is touched before consent, and all of it works after`, async () => {
    const engine = await openEngine(name);
    try {
      for (const consent of ["pending", "out"]) {
        const page = (options) => `<!doctype html><link rel="icon" href="data:,"><title>Before</title>
          <script>(${watchTouches})()</script>
          <script>${baseCode()}; xdmBeacon("configure", ${JSON.stringify(options)})</script>
          <script async src="/sdk/xdm-beacon.js"></script>`;
        const options = optionsFor(gate.origin, {
          consent: { default: consent, storageKey: `key-${consent}` },
        });
        const tab = await engine.open(stage.put(`/before-${consent}.html`, page(options)));
        const call = (...args) => tab.evaluate((...args) => xdmBeacon(...args), ...args);
        const statusOf = async (...args) => (await call("sendEvent", event(...args))).status;
        const expected = consent === "pending" ? "pending" : "dropped";
        assert.equal(await statusOf(`${name}-first`), expected);
        assert.equal(await statusOf(`${name}-second`, { priority: "high" }), expected);
        assert.equal(await statusOf(`${name}-third`, { documentUnloading: true }), expected);
        await call("flush");
        // The page goes out of sight and back.
        await tab.evaluate(() => {
          const hide = (state) => {
            Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
          };
          hide("hidden");
          hide("visible");
          dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
          dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        });
        const { pending, dropped } = await call("getStatus");
        assert.deepEqual([pending, dropped.consent], consent === "pending" ? [3, 0] : [0, 3]);
        const touches = await tab.evaluate(() => window.touches);
        const ours = touches.filter(
          ([what, which]) => !(what === "fetch" && which.endsWith("xdm-beacon.wasm")),
        );
        // As it was configured, shown again, and back from the cache.
        assert.deepEqual(ours, Array(3).fill(["getItem", `key-${consent}`]), `${name} ${consent}`);
        assert.deepEqual(await traces(tab), NO_TRACES);
        assert.deepEqual(gate.requests, []);

        assert.deepEqual(await call("setConsent", decide("y")), { collect: "in" });
        assert.equal(await statusOf(`${name}-after`), "delivered");
        const waited = consent === "pending" ? ["first", "second", "third"] : [];
        const all = ["after", ...waited].map((id) => `${name}-${id}`);
        await until("all that waited", async () => (await arrivals()).length >= all.length);
        assert.deepEqual(await arrivals(), all.sort());
        await until("the outbox", async () => (await call("getStatus")).outbox.durable);
        const { local, databases } = await traces(tab);
        assert.equal(local[`key-${consent}`], "in");
        assert.deepEqual(databases, ["xdm-beacon"]);
        await tab.evaluate(async () => {
          localStorage.clear();
          sessionStorage.clear();
        });
        await tab.close();
        await deleteDatabase(engine);
        await inlet.reset();
        gate.requests.length = 0;
      }
    } finally {
      await engine.close();
    }
  });

  test(`${name}: a refusal makes no database, and the next visit knows it`, async () => {
    const engine = await openEngine(name);
    try {
      const options = optionsFor(gate.origin, { consent: { default: "pending" } });
      const url = stage.put("/refusal.html", pageWith(options));
      const tab = await engine.open(url);
      const call = (...args) => tab.evaluate((...args) => xdmBeacon(...args), ...args);
      const reason = async (id) => (await call("sendEvent", event(id))).reason;
      await call("sendEvent", event("waiting"));
      assert.deepEqual(await call("setConsent", decide("n")), { collect: "out" });
      assert.equal((await call("getStatus")).dropped.consent, 1);
      assert.equal(await reason("late"), "consent");
      // There was nothing to be purged, and it lets go of what it asked for.
      await until("the end of the purge", async () => {
        const { local, locks } = await traces(tab);
        return local[KEY] === "out" && locks.length === 0;
      });
      assert.deepEqual(await traces(tab), { ...NO_TRACES, local: { [KEY]: "out" } });
      await tab.goto(url);
      assert.equal(await reason("again"), "consent");
      assert.deepEqual(await traces(tab), { ...NO_TRACES, local: { [KEY]: "out" } });
      assert.deepEqual(gate.requests, []);

      await call("setConsent", decide("y"));
      assert.equal((await call("sendEvent", event("given"))).status, "delivered");
      await until("the outbox", async () => (await call("getStatus")).outbox.durable);
      assert.deepEqual(await arrivals(), ["given"]);
      await tab.goto(url);
      assert.equal((await call("getStatus")).consent, "in");
    } finally {
      await engine.close();
    }
  });

  test(`${name}: a decision in one tab counts in the others before they send again`, async () => {
    const engine = await openEngine(name);
    try {
      const options = optionsFor(gate.origin, { context: [], consent: { default: "pending" } });
      const url = stage.put("/tabs.html", pageWith(options));
      const one = await engine.open(url);
      const other = await engine.open(url);
      const call = (tab, ...args) => tab.evaluate((...args) => xdmBeacon(...args), ...args);
      const consentOf = async (tab) => (await call(tab, "getStatus")).consent;
      assert.equal((await call(other, "sendEvent", event("waiting"))).status, "pending");
      await call(one, "setConsent", decide("y"));
      await inlet.arrived("waiting");
      assert.equal(await consentOf(other), "in");

      // Nothing gets through for now: what the other tab has waits, and is not to be sent any more.
      await inlet.faults({ drop: "before" });
      assert.equal((await call(other, "sendEvent", event("kept"))).status, "stored");
      await call(one, "setConsent", decide("n"));
      await until("the other tab to hear of it", async () => (await consentOf(other)) === "out");
      await inlet.faults({});
      assert.equal((await call(other, "sendEvent", event("refused"))).reason, "consent");
      await until("the end of the purge", async () => (await traces(one)).local[KEY] === "out");
      // Who comes now finds nothing that could be sent.
      await call(one, "setConsent", decide("y"));
      await until("the other tab to hear of it", async () => (await consentOf(other)) === "in");
      const third = await engine.open(url);
      for (const [id, tab] of [one, other, third].entries()) {
        assert.equal((await call(tab, "sendEvent", event(`given-${id}`))).status, "delivered");
      }
      assert.deepEqual(await arrivals(), ["given-0", "given-1", "given-2", "waiting"]);
    } finally {
      await engine.close();
    }
  });

  test(`${name}: a consent manager of the IAB's parts is followed`, async () => {
    const engine = await openEngine(name);
    try {
      const options = optionsFor(gate.origin, {
        context: [],
        consent: { default: "pending", tcf: { follow: true } },
      });
      const html = pageWith(options, { head: CMP }).replace("<script>", () => `${STUB}<script>`);
      const tab = await engine.open(stage.put("/cmp.html", html));
      const call = (...args) => tab.evaluate((...args) => xdmBeacon(...args), ...args);
      const update = (purposes, vendors, visible) =>
        tab.evaluate(
          (purposes, vendors, visible) => cmp.update(tcString(purposes, vendors), visible),
          purposes,
          vendors,
          visible,
        );
      assert.equal((await call("sendEvent", event("early"))).status, "pending");
      await tab.evaluate(() => openCmp());
      await tab.evaluate(() => cmp.update("", true));
      assert.equal((await call("getStatus")).consent, "pending", "somebody is being asked");
      await update([1, 2], [ADOBE], false);
      await inlet.arrived("early");
      // Asked again: until there is an answer, the one before holds.
      await update([1, 2], [ADOBE], true);
      assert.equal((await call("getStatus")).consent, "in");
      await update([], [], false);
      assert.equal((await call("sendEvent", event("refused"))).reason, "consent");
      await update([1], [ADOBE], false);
      assert.equal((await call("sendEvent", event("given"))).status, "delivered");
      assert.deepEqual(await arrivals(), ["early", "given"]);
    } finally {
      await engine.close();
    }
  });
}

async function deleteDatabase(engine) {
  const tab = await engine.open(stage.put("/empty.html", '<!doctype html><link rel="icon" href="data:,">'));
  await tab.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase("xdm-beacon");
        request.onsuccess = resolve;
        request.onerror = () => reject(request.error);
      }),
  );
  await tab.close();
}

// ---- decisions --------------------------------------------------------------------------------------

test("decisions are applied in the order of the calls, before and after the library is there", async () => {
  const calls = [
    ["sendEvent", event("1-waits")],
    ["setConsent", decide("y")],
    ["sendEvent", event("2-given")],
    ["setConsent", decide("n")],
    ["sendEvent", event("3-refused")],
    ["setConsent", { consent: [{ standard: "Adobe", version: "1.0", value: { general: "perhaps" } }] }],
    ["sendEvent", event("4-refused")],
    ["setConsent", decide("y")],
    ["sendEvent", event("5-given")],
  ];
  const told = (outcomes) =>
    outcomes.map(({ code, value }) => code ?? value.collect ?? value.reason ?? value.status);
  // All in one task: what waited is dropped by the refusal, since it had no time to be sent.
  const expected = [
    "pending",
    "in",
    "consent",
    "out",
    "consent",
    "not-in-or-out",
    "consent",
    "in",
    "delivered",
  ];

  const early = await openHost(browser);
  await early.page.goto(stage.put("/early.html", pageWith(null, { sdk: null })));
  await early.page.evaluate(
    ([options, calls]) => {
      window.told = [["configure", options], ...calls].map((call) => outcome(xdmBeacon(...call)));
    },
    [options({ default: "pending" }), calls],
  );
  await early.page.addScriptTag({ url: `${stage.origin}/sdk/xdm-beacon.js` });
  const [, ...outcomes] = await early.page.evaluate(() => Promise.all(told));
  assert.deepEqual(told(outcomes), expected);
  assert.deepEqual(await arrivals(), ["5-given"]);
  assert.deepEqual(await early.heard(), []);
  await early.context.close();

  await inlet.reset();
  const late = await visit({ default: "pending" });
  const inOneTask = (calls) =>
    late.page.evaluate((calls) => Promise.all(calls.map((call) => outcome(xdmBeacon(...call)))), calls);
  assert.deepEqual(told(await inOneTask(calls)), expected);
  assert.deepEqual(await arrivals(), ["5-given"]);
  // Each in a task of its own, what is given is sent.
  await late.call("setConsent", decide("n"));
  for (const [command, options] of calls.slice(1, 5)) await late.call(command, options);
  assert.deepEqual(await arrivals(), ["2-given", "5-given"]);
  assert.deepEqual(await late.heard(), []);
  await late.context.close();
});

test("a decision outlives the page, and counts more than the default", async () => {
  const host = await visit({ default: "in" });
  assert.equal(await send(host, "default"), "delivered");
  assert.deepEqual((await traces(host.page)).local, {}, "no decision, no record");
  await host.call("setConsent", decide("n"));
  await host.page.reload();
  assert.equal(await send(host, "refused"), "consent");
  await host.call("setConsent", decide("y"));
  await host.page.goto(stage.put("/consent.html", pageWith(options({ default: "out" }))));
  assert.equal(await send(host, "given"), "delivered");
  // Under another key nobody has decided.
  await host.page.goto(
    stage.put("/consent.html", pageWith(options({ default: "out", storageKey: "other" }))),
  );
  assert.equal(await send(host, "elsewhere"), "consent");
  assert.deepEqual(await arrivals(), ["default", "given"]);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("Global Privacy Control makes out of the default where it is asked for, and a decision counts more", async () => {
  const control = () => {
    Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true });
  };
  const deaf = await visit({ default: "in" }, { init: control });
  assert.equal(await send(deaf, "unasked"), "delivered");
  await deaf.context.close();
  const host = await visit({ default: "in", globalPrivacyControl: true }, { init: control });
  assert.equal(await send(host, "wished"), "consent");
  assert.deepEqual(await traces(host.page), NO_TRACES);
  await host.call("setConsent", decide("y"));
  assert.equal(await send(host, "decided"), "delivered");
  await host.page.reload();
  assert.equal(await send(host, "still-decided"), "delivered");
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a tag says it all by its attributes", async () => {
  const { endpoint, orgId, datasetId, schema } = optionsFor(gate.origin);
  const host = await openHost(browser);
  const html = `<!doctype html><title>Tag</title><link rel="icon" href="data:,">${STUB}${CMP}
    <script async src="/sdk/xdm-beacon.js" data-endpoint="${endpoint}" data-org-id="${orgId}"
      data-dataset-id="${datasetId}" data-schema-id="${schema.id}" data-consent-default="pending"
      data-consent-storage-key="choice" data-consent-global-privacy-control data-consent-tcf-follow
      data-consent-tcf-vendor-id="12"></script>`;
  await host.page.goto(stage.put("/tag.html", html));
  await until("the library", () => host.page.evaluate(() => typeof window.xdmBeacon === "function"));
  assert.equal(await send(host, "waiting"), "pending");
  await host.page.evaluate(() => {
    openCmp();
    cmp.update(tcString([1], [565]));
  });
  await consentIs(host, "out");
  await host.page.evaluate(() => cmp.update(tcString([1], [12])));
  assert.equal(await send(host, "given"), "delivered");
  assert.equal((await traces(host.page)).local.choice, "in");
  assert.deepEqual(await arrivals(), ["given"]);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a refusal purges what waits in memory and on disk, for good", async () => {
  await inlet.faults({ drop: "before" });
  const host = await visit({ default: "in" });
  for (const id of ["one", "two", "three"]) assert.equal(await send(host, id), "stored");
  // Another page of the visit leaves something behind, too.
  await host.page.goto(stage.put("/consent.html", pageWith(options({ default: "in" }))));
  await until("what was left", async () => (await status(host)).outbox.events === 3);
  assert.equal(await send(host, "four"), "stored");
  const flying = host.call("sendEvent", event("five", { priority: "high" }));
  await host.call("setConsent", decide("n"));
  await until("the end of the purge", async () => (await traces(host.page)).local[KEY] === "out");
  const { local, session, cookie } = await traces(host.page);
  assert.deepEqual({ local, session, cookie }, { local: { [KEY]: "out" }, session: {}, cookie: "" });
  const records = await host.page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open("xdm-beacon");
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const count = request.result.transaction("outbox").objectStore("outbox").count();
          count.onsuccess = () => resolve(count.result);
          request.result.close();
        };
      }),
  );
  assert.equal(records, 0);
  assert.equal((await flying).value.reason, "consent");
  await inlet.faults({});
  // The next visit has nothing to send, not even when consent is given again.
  await host.page.reload();
  await host.call("setConsent", decide("y"));
  assert.equal(await send(host, "six"), "delivered");
  await until("the outbox", async () => (await status(host)).outbox.durable);
  assert.deepEqual(await arrivals(), ["six"]);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("instances of a page share a decision within a task where the key is the same", async () => {
  const host = await openHost(browser);
  const own = options({ default: "pending" });
  const head = `<script>${baseCode("second")}</script><script>${baseCode("other")}</script>`;
  await host.page.goto(stage.put("/instances.html", pageWith(own, { head })));
  const told = await host.page.evaluate(
    async ([own, another, yes, no]) => {
      second("configure", own);
      await other("configure", another);
      const all = [xdmBeacon, second, other];
      const consents = () => Promise.all(all.map(async (beacon) => (await beacon("getStatus")).consent));
      const told = [];
      const waiting = await second("sendEvent", { xdm: { _id: "waiting" } });
      await xdmBeacon("setConsent", yes);
      // It is sent along, since it waited longer.
      const sent = await second("sendEvent", { xdm: { _id: "given" } });
      told.push(waiting.status, sent.status, await consents());
      xdmBeacon("setConsent", no);
      const refused = second("sendEvent", { xdm: { _id: "refused" } });
      const third = other("sendEvent", { xdm: { _id: "third" } });
      told.push((await refused).reason, (await third).status, await consents());
      return told;
    },
    [own, options({ default: "pending" }, { orgId: "FFFF@AdobeOrg" }), decide("y"), decide("n")],
  );
  assert.deepEqual(told, [
    "pending",
    "delivered",
    ["in", "in", "pending"],
    "consent",
    "pending",
    ["out", "out", "pending"],
  ]);
  assert.deepEqual(await arrivals(), ["given", "waiting"]);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a page out of the back/forward cache hears of a refusal before it sends", async () => {
  const engine = await openEngine("chromium");
  try {
    const head = `<script>
      window.shows = [];
      addEventListener("pageshow", (event) => shows.push(event.persisted));
    </script>`;
    const first = stage.put("/cached.html", pageWith(options({ default: "in" }), { head }));
    const tab = await engine.open(first);
    const call = (...args) => tab.evaluate((...args) => xdmBeacon(...args), ...args);
    assert.equal((await call("sendEvent", event("before"))).status, "delivered");
    await inlet.faults({ drop: "before" });
    assert.equal((await call("sendEvent", event("waiting"))).status, "stored");
    await tab.goto(stage.put("/refuses.html", pageWith(options({ default: "in" }))));
    assert.deepEqual(await call("setConsent", decide("n")), { collect: "out" });
    await inlet.faults({});
    await tab.back();
    await until("the page to be back", () => tab.evaluate(() => window.shows?.length === 2));
    assert.deepEqual(await tab.evaluate(() => shows), [false, true]);
    assert.equal((await call("getStatus")).consent, "out");
    assert.equal((await call("sendEvent", event("after"))).reason, "consent");
    await until("the end of the purge", async () => (await traces(tab)).local[KEY] === "out");
    await call("setConsent", decide("y"));
    assert.equal((await call("sendEvent", event("given"))).status, "delivered");
    assert.deepEqual(await arrivals(), ["before", "given"]);
  } finally {
    await engine.close();
  }
});

/** Runs in the page, before anything else. */
const denyStorage = () => {
  const deny = () => {
    throw new DOMException("denied", "SecurityError");
  };
  for (const name of ["localStorage", "sessionStorage", "indexedDB"]) {
    Object.defineProperty(window, name, { get: deny });
  }
};

test("where storage is denied a refusal holds for the page, through a fault of the engine", async () => {
  const host = await openHost(browser);
  await host.context.addInitScript(denyStorage);
  await host.context.addInitScript(keepInstances);
  await host.page.goto(stage.put("/denied.html", pageWith(options({ default: "in" }))));
  assert.equal(await send(host, "before"), "delivered");
  await host.call("setConsent", decide("n"));
  assert.equal(await send(host, "refused"), "consent");
  // The call that finds out is refused; whatever comes after it is not.
  await host.page.evaluate(() => {
    fillMemory();
    return outcome(xdmBeacon("sendEvent"));
  });
  assert.equal(await send(host, "after"), "consent");
  const { consent, engineRestarts } = await status(host);
  assert.deepEqual([consent, engineRestarts], ["out", 1]);
  assert.deepEqual(await arrivals(), ["before"]);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a record that cannot be written does not leave the opposite behind", async () => {
  const host = await visit({ default: "pending" });
  await host.call("setConsent", decide("y"));
  const kept = await host.page.evaluate(
    async ([no, key]) => {
      const { setItem } = Storage.prototype;
      Storage.prototype.setItem = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
      await xdmBeacon("setConsent", no);
      Storage.prototype.setItem = setItem;
      return localStorage.getItem(key);
    },
    [decide("n"), KEY],
  );
  assert.equal(kept, null);
  assert.equal(await send(host, "refused"), "consent");
  await host.context.close();
});

// ---- consent managers -------------------------------------------------------------------------------

const FOLLOW = { default: "pending", tcf: { follow: true } };

test("a consent manager that knows the person from before, and one where the regulation does not apply", async () => {
  for (const [what, update, consent] of [
    ["agreed before", "cmp.update(tcString([1, 2, 3], [1, 565]))", "in"],
    ["refused before", "cmp.update(tcString([], []))", "out"],
    ["agreed, but not to us", "cmp.update(tcString([1, 2, 3], [1, 564, 566]))", "out"],
    ["agreed, but not to storage", "cmp.update(tcString([2, 3], [565]))", "out"],
    ["not asked since it does not apply", "cmp.update(null)", "in"],
  ]) {
    const host = await visit(FOLLOW, { head: STUB + CMP });
    assert.equal(await send(host, "waiting"), "pending", what);
    await host.page.evaluate(`openCmp(); ${update}`);
    await consentIs(host, consent);
    if (consent === "in") await inlet.arrived("waiting");
    else assert.equal((await status(host)).dropped.consent, 1, what);
    assert.deepEqual(await arrivals(), consent === "in" ? ["waiting"] : [], what);
    assert.deepEqual(await host.heard(), [], what);
    await inlet.reset();
    await host.context.close();
  }
});

test("a change of mind, again and again, each time at once", async () => {
  const host = await visit(FOLLOW, { head: STUB + CMP });
  await host.page.evaluate("openCmp(); cmp.update('', true)");
  assert.equal(await consentOf(host), "pending");
  const expected = [];
  for (const [at, agrees] of [true, false, true, true, false, false, true].entries()) {
    await host.page.evaluate(
      ([vendors]) => {
        cmp.update(tcString([1], vendors), true);
        cmp.update(tcString([1], vendors), false);
      },
      [agrees ? [ADOBE] : []],
    );
    const id = `event-${at}`;
    assert.equal(await send(host, id), agrees ? "delivered" : "consent");
    if (agrees) expected.push(id);
  }
  assert.deepEqual(await arrivals(), expected);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a consent manager that comes late, its stub with it", async () => {
  const host = await visit(FOLLOW);
  assert.equal(await send(host, "waiting"), "pending");
  await host.page.addScriptTag({ url: `${stage.origin}/stub.js` });
  await until("the question", () => host.page.evaluate(() => __tcfapi().length === 1));
  assert.equal(await consentOf(host), "pending");
  await host.page.addScriptTag({ url: `${stage.origin}/cmp.js` });
  await host.page.evaluate("openCmp(); cmp.update(tcString([1], [565]))");
  await inlet.arrived("waiting");
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a consent manager that never answers: what waits stays bounded, and it was asked once", async () => {
  const host = await visit(FOLLOW, { head: STUB, more: { delivery: { maxStoredBytes: 20_000 } } });
  const sent = await host.page.evaluate(() => {
    const web = { webPageDetails: { name: "x".repeat(300) } };
    return Promise.all(Array.from({ length: 200 }, () => xdmBeacon("sendEvent", { xdm: { web } })));
  });
  assert.deepEqual([...new Set(sent.map(({ status }) => status))], ["pending"]);
  const { consent, accepted, pending, dropped } = await status(host);
  assert.deepEqual([consent, accepted, pending + dropped.evicted], ["pending", 200, 200]);
  assert.ok(pending > 0 && pending < 40, `${pending} wait`);
  const questions = await host.page.evaluate(() =>
    __tcfapi().map(([command, version]) => [command, version]),
  );
  assert.deepEqual(questions, [["addEventListener", 2]]);
  assert.deepEqual(await traces(host.page), NO_TRACES);
  assert.deepEqual(gate.requests, []);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a consent manager that never comes is looked for so often and no more", async () => {
  const host = await visit(FOLLOW, {
    init: () => {
      // The looks, and nothing else, without the time between them.
      const { setTimeout } = window;
      window.looks = 0;
      window.setTimeout = (then, ms, ...rest) => {
        const looks = ms === 250 && typeof rest[0] === "number";
        window.looks += Number(looks);
        return setTimeout(then, looks ? 0 : ms, ...rest);
      };
    },
  });
  assert.equal(await send(host, "waiting"), "pending");
  await until("the last look", () => host.page.evaluate(() => window.looks === 240));
  await host.page.addScriptTag({ url: `${stage.origin}/stub.js` });
  assert.equal(await send(host, "later"), "pending");
  assert.deepEqual(await host.page.evaluate(() => [looks, __tcfapi()]), [240, []]);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a consent manager that is broken changes nothing, and the page hears nothing", async () => {
  for (const [what, tcfapi] of [
    ["throws", "() => { throw new Error('broken'); }"],
    ["is no function", "{}"],
    ["says no success", "(_command, _version, hear) => hear(null, false)"],
    ["says nothing", "(_command, _version, hear) => hear()"],
    ["says null", "(_command, _version, hear) => hear(null, true)"],
    ["has no string yet", "(_command, _version, hear) => hear({ eventStatus: 'tcloaded' }, true)"],
    [
      "has a string of version 1",
      "(_command, _version, hear) => hear({ eventStatus: 'tcloaded', gdprApplies: true, tcString: 'BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA' }, true)",
    ],
    [
      "throws when it is read",
      "(_command, _version, hear) => hear({ get eventStatus() { throw new Error('broken'); } }, true)",
    ],
    [
      "throws later",
      "(_command, _version, hear) => hear({ eventStatus: 'tcloaded', get tcString() { throw new Error('broken'); } }, true)",
    ],
    [
      "does not succeed with a string",
      "(_command, _version, hear) => hear({ eventStatus: 'tcloaded', gdprApplies: false }, false)",
    ],
  ]) {
    const host = await visit(FOLLOW, { head: `<script>window.__tcfapi = ${tcfapi}</script>` });
    assert.equal(await send(host, "waiting"), "pending", what);
    assert.equal(await consentOf(host), "pending", what);
    assert.deepEqual(await host.heard(), [], what);
    await host.context.close();
  }
});

test("without being told to, nobody asks a consent manager", async () => {
  const host = await visit({ default: "pending" }, { head: STUB });
  assert.equal(await send(host, "waiting"), "pending");
  assert.deepEqual(await host.page.evaluate(() => __tcfapi()), []);
  await host.context.close();
});

test("strings of the IAB's own library are read as it means them", async () => {
  const host = await visit({ default: "pending" }, { head: CMP });
  const wrong = await host.page.evaluate(async (adobe) => {
    // Reproducible: the numbers of a small generator.
    let seed = 7;
    const random = (below) => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    const wrong = [];
    for (let round = 0; round < 200; round++) {
      const purposes = [1, 2, 3, 11].filter(() => random(2));
      const vendors = new Set(round % 2 ? [adobe] : []);
      // A few, or so many that ranges do not pay; in runs or scattered.
      const [count, run] = [random(round % 3 ? 12 : 400), 1 + random(9)];
      for (let at = 0; at < count; at++) {
        const first = 1 + random(690);
        for (let id = first; id < first + run && id <= 700; id++) vendors.add(id);
      }
      if (round % 5 === 0) vendors.delete(adobe);
      const value = tcString(purposes, [...vendors]);
      const entry = { standard: "IAB TCF", version: "2.0", value, gdprApplies: true };
      const { collect } = await xdmBeacon("setConsent", { consent: [entry] });
      const expected = purposes.includes(1) && vendors.has(adobe) ? "in" : "out";
      if (collect !== expected) wrong.push({ value, collect, purposes, vendors: [...vendors] });
    }
    return wrong;
  }, ADOBE);
  assert.deepEqual(wrong, []);
  await host.context.close();
});
