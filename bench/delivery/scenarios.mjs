// What happens to the page. Each scenario is what a person, a browser or a network does before the next visit;
// the driver then counts, opens the page again, and counts again.
//
// `key` names it in SCENARIOS; `peers: true`: also run with other people's libraries.

import { until } from "../../tests/e2e/support.mjs";

const KB = { bytes: 1_024 };
/** A library may back off for as long, or look once a minute only for what other tabs have left. */
const PATIENT_MS = 75_000;
const noBfcache = { all: { bfcache: false } };

/**
 * Events in one task, and then the page ends: "navigate" in the same task; "close" right after it, as a person
 * closes a tab; "window.close()" in the same task again, of which Chromium tells a page by `visibilitychange` alone
 * and WebKitGTK not at all.
 */
const leaving = (key, what, events, { how, bfcache = true, delayMs = 0, peers = false }) => ({
  key: `${key}-${how.replace(/\W/g, "")}${bfcache ? "" : "-no-bfcache"}${delayMs ? "-slow" : ""}`,
  name: [
    `${what}, then ${how}`,
    how === "navigate" && `bfcache ${bfcache ? "on" : "off"}`,
    delayMs && `endpoint of ${delayMs} ms`,
  ]
    .filter(Boolean)
    .join(", "),
  events,
  peers,
  leaves: how !== "window.close()",
  browser: bfcache ? {} : noBfcache,
  async run(world) {
    const tab = await world.visit({ byScript: how === "window.close()" });
    if (delayMs) await world.endpoint.faults({ delayMs });
    await world.send(tab, { leave: how });
    if (how === "close") await tab.close();
  },
});

/** A few events while `trouble` lasts; the page stays. */
const troubled = (key, name, { trouble, over = () => {}, head, browser, ...more }) => ({
  key,
  name,
  events: { count: 20, ...KB },
  quietMs: PATIENT_MS,
  head,
  browser,
  ...more,
  async run(world) {
    const tab = await world.visit();
    await trouble(world, tab);
    await world.send(tab);
    await over(world, tab);
  },
});

/** Time for a page to find out by itself: not every engine can be told, and no page is told that an endpoint is gone. */
const noticed = (tab) => tab.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_000)));

/** Tells the page that it is offline where the engine can; the gate makes it true for all. */
const offline = async ({ browser, gate }, tab) => {
  await browser.online?.(tab, false);
  await gate.shut();
};
const online = async ({ browser, gate }, tab) => {
  await gate.open();
  await browser.online?.(tab, true);
};
const unavailable = ({ endpoint }) => endpoint.faults({ status: 503, forMs: 7_000 });

/** IndexedDB as a browser shows it that denies storage. */
const deniedHead = `<script>
  Object.defineProperty(window, "indexedDB", {
    get() { throw new DOMException("The operation is insecure.", "SecurityError"); },
  });
</script>`;

/** A full disk, for the engine that cannot be told to have one: what is written is never committed. */
const fullHead = `<script>
  if (/AppleWebKit/.test(navigator.userAgent) && !/Chrome/.test(navigator.userAgent)) {
    for (const method of ["put", "add"]) {
      const write = IDBObjectStore.prototype[method];
      IDBObjectStore.prototype[method] = function (...record) {
        const request = write.apply(this, record);
        this.transaction.abort();
        return request;
      };
    }
    Storage.prototype.setItem = () => {
      throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
    };
  }
</script>`;

const tabs = (number) => ({
  key: `tabs-${number}`,
  name: `${number} tabs, endpoint down, all but one closed a second later, endpoint up`,
  events: { count: 20, ...KB },
  quietMs: PATIENT_MS,
  async run(world) {
    const all = [];
    for (let tab = 0; tab < number; tab++) all.push(await world.visit());
    await world.gate.shut();
    for (const tab of all) await world.send(tab);
    for (const tab of all) await noticed(tab);
    for (const tab of all.slice(1)) await tab.close();
    await world.gate.open();
  },
});

/**
 * Runs in the page, without a driver: an event every 10 ms, and a note to the page's origin of each as it is
 * accepted, and again when its promise tells its status. The time goes to `localStorage`, where the outbox of a
 * page that leaves begins; the next visit notes what is left of it.
 */
function stream() {
  const prefix = new URLSearchParams(location.search).get("stream");
  let number = 0;
  const note = (what, id, at = Date.now()) => fetch(`/note?${new URLSearchParams({ what, id, at })}`);
  if (!prefix) {
    note("kept", "localStorage", localStorage.clock ?? 0);
    return;
  }
  bench.ready.then(() => {
    setInterval(() => {
      localStorage.clock = Date.now();
      const id = `${prefix}-${number++}`;
      bench.send(id, "").then(({ status }) => note(status, id));
      note("accepted", id);
    }, 10);
  });
}

const killed = {
  key: "sigkill",
  name: "SIGKILL while events are made every 10 ms and the endpoint is down; the same profile again",
  // WebKit keeps nothing on disk while a driver is attached.
  browser: { webkit: { attended: false } },
  head: `<script>(${stream})()</script>`,
  async run(world) {
    await world.endpoint.faults({ status: 503 });
    await world.browser.open(`${world.origin}/page.html?stream=${world.id("stream")}`);
    const accepted = () => world.notes.filter(({ what }) => what === "accepted");
    await until("200 events", () => accepted().length >= 200);
    world.killedAt = Date.now();
    await world.browser.kill();
    for (const { id } of accepted()) world.sent.add(id);
    await world.reopen();
  },
  /** How much of the last moment a store had not kept, and whether promises had said otherwise. */
  remark(world, arrived) {
    const here = new Set(arrived.map(({ id }) => id));
    const kept = world.notes.find(({ what }) => what === "kept");
    const lost = world.notes.filter(({ id }) => id !== kept?.id && !here.has(id));
    const made = lost.filter(({ what }) => what === "accepted").map(({ at }) => world.killedAt - Number(at));
    const promised = lost.filter(({ what }) => what === "stored").length;
    const events = made.length
      ? `lost: ${made.length}, made up to ${Math.max(...made)} ms before; ${promised} of them called stored`
      : "nothing lost";
    const clock = Number(kept?.at) ? `what was written ${world.killedAt - kept.at} ms before` : "nothing";
    return `${events}; of localStorage, ${clock} was kept`;
  },
};

export const scenarios = [
  leaving("200", "200 events of 1 KB in one task", { count: 200, ...KB }, { how: "navigate", peers: true }),
  leaving(
    "200",
    "200 events of 1 KB in one task",
    { count: 200, ...KB },
    { how: "navigate", bfcache: false, peers: true },
  ),
  leaving("200", "200 events of 1 KB in one task", { count: 200, ...KB }, { how: "close", peers: true }),
  leaving(
    "200",
    "200 events of 1 KB in one task",
    { count: 200, ...KB },
    { how: "navigate", bfcache: false, delayMs: 150, peers: true },
  ),
  leaving(
    "200",
    "200 events of 1 KB in one task",
    { count: 200, ...KB },
    { how: "close", delayMs: 150, peers: true },
  ),
  leaving("200", "200 events of 1 KB in one task", { count: 200, ...KB }, { how: "window.close()" }),
  leaving("20", "20 events of 1 KB in one task", { count: 20, ...KB }, { how: "navigate", peers: true }),
  leaving("20", "20 events of 1 KB in one task", { count: 20, ...KB }, { how: "navigate", bfcache: false }),
  leaving("20", "20 events of 1 KB in one task", { count: 20, ...KB }, { how: "close", peers: true }),
  leaving("70k", "one event of 70 KB", { count: 1, bytes: 70_000 }, { how: "navigate" }),
  leaving("70k", "one event of 70 KB", { count: 1, bytes: 70_000 }, { how: "close" }),
  leaving("30k", "three events of 30 KB in one task", { count: 3, bytes: 30_000 }, { how: "navigate" }),
  leaving("30k", "three events of 30 KB in one task", { count: 3, bytes: 30_000 }, { how: "close" }),
  {
    key: "click",
    name: "a click 50 ms after the first page view, endpoint of 300 ms",
    events: { count: 1, ...KB },
    peers: true,
    leaves: true,
    async run(world) {
      await world.endpoint.faults({ delayMs: 300 });
      const tab = await world.visit({ cold: true });
      await world.send(tab);
      await tab.evaluate(() => new Promise((resolve) => setTimeout(resolve, 50)));
      await world.send(tab, { leave: "navigate" });
    },
  },
  {
    key: "crash",
    name: "20 events of 1 KB in one task, then the renderer crashes",
    engines: ["chromium"],
    events: { count: 20, ...KB },
    peers: true,
    leaves: true,
    async run(world) {
      const tab = await world.visit();
      await world.send(tab);
      await world.browser.crash(tab);
    },
  },
  killed,
  troubled("offline", "offline, then online", { trouble: offline, over: online, peers: true }),
  {
    key: "offline-close",
    name: "offline, the tab closed a second later, then online",
    events: { count: 20, ...KB },
    peers: true,
    async run(world) {
      const tab = await world.visit();
      await offline(world, tab);
      await world.send(tab);
      await noticed(tab);
      await tab.close();
      // The gate stays shut until the next visit; the browser believes itself online by then.
      await world.browser.online?.(await world.browser.open("about:blank"), true);
    },
  },
  troubled("503", "503 for 7 s", { trouble: unavailable, peers: true }),
  troubled("answers-lost", "answers lost after commit, for 3 s", {
    trouble: ({ endpoint }) => endpoint.faults({ drop: "afterCommit", forMs: 3_000 }),
  }),
  tabs(2),
  tabs(5),
  troubled("storage-full", "storage full, 503 for 7 s", {
    browser: { firefox: { storageBytes: 1_024 } },
    head: fullHead,
    trouble: async (world, tab) => {
      await world.browser.quota?.(tab, world.origin, 1);
      await unavailable(world);
    },
  }),
  troubled("storage-denied", "IndexedDB denied, 503 for 7 s", { head: deniedHead, trouble: unavailable }),
];
