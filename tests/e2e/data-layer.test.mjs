// Data layers, in three engines: the Adobe Client Data Layer as Adobe has published it, and a plain array with
// somebody else's wrapper around its `push`. What is pushed before, between and after arrives once, in its order,
// and the page's own code finds everything as it is without us.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "../../scripts/steps.mjs";
import { engineNames, openEngine } from "./engines.mjs";
import { keepInstances, openInlet, openStage, optionsFor, page, until } from "./support.mjs";

const ACDL = "node_modules/@adobe/adobe-client-data-layer/dist/adobe-client-data-layer.min.js";

let inlet, stage;
before(async () => {
  inlet = await openInlet();
  stage = await openStage();
  stage.put("/acdl.js", readFileSync(join(root, ACDL)), { "Content-Type": "text/javascript" });
  stage.put("/gtm.js", `(${manager})()`, { "Content-Type": "text/javascript" });
});
after(async () => {
  await stage?.close();
  await inlet?.close();
});

/** Runs in the page: wraps `push` like Google's tag manager, which answers, and keeps a few items only. */
function manager() {
  window.managed = dataLayer.length;
  window.lengths = [];
  const inner = dataLayer.push;
  dataLayer.push = function (...items) {
    const length = inner.apply(this, items);
    managed += items.length;
    lengths.push(length);
    while (this.length > 2) this.shift();
    return typeof length !== "boolean" || length;
  };
}

/** The entity of an event of these tests is told by the name of its page. */
const NAMED = { "web.webPageDetails.name": "name" };

const options = (dataLayer, more) =>
  optionsFor(inlet.origin, {
    context: [],
    dataLayer,
    delivery: { sequencePath: "_xdmbeacon.sequence" },
    ...more,
  });

/** A page that is configured, and has `head` after that; the library comes by {@link library}. */
const put = (path, configured, head) => stage.put(path, page(configured, { sdk: null, head }));

const script = (code) => `<script>${code}</script>`;

const load = (tab, src) =>
  tab.evaluate(
    (src) =>
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        Object.assign(script, { src, onload: () => resolve(), onerror: reject });
        document.head.append(script);
      }),
    src,
  );

/** Brings the library, and waits until the data layer is followed, or our function waits in it for Adobe's. */
async function library(tab) {
  await tab.evaluate(() => {
    window.layer = () => window.adobeDataLayer ?? window.dataLayer;
    window.functions = () => layer()?.filter((item) => typeof item === "function").length ?? 0;
    window.was = { push: layer()?.push ?? Array.prototype.push, functions: functions() };
  });
  await load(tab, "/sdk/xdm-beacon.js");
  const follows = () => layer() && (layer().push !== was.push || functions() > was.functions);
  await until("the data layer to be followed", () => tab.evaluate(follows));
}

/** Ids of tests before: what nobody has seen the answer of may come again. */
const forgotten = new Set();
async function forget() {
  for (const { _id } of await inlet.entities()) forgotten.add(_id);
  await inlet.reset();
}

/** What has arrived, in the order in which it was accepted. */
async function entities() {
  const number = ({ _xdmbeacon }) => _xdmbeacon.sequence.number;
  const news = (await inlet.entities()).filter(({ _id }) => !forgotten.has(_id));
  const all = news.sort((one, other) => number(one) - number(other));
  return all.map(({ _id, timestamp, identityMap, _xdmbeacon, ...entity }) => entity);
}

/** These have arrived, and no other does. */
async function assertArrived(tab, expected) {
  await until(`${expected.length} events`, async () => (await entities()).length >= expected.length);
  await tab.evaluate(() => xdmBeacon("flush"));
  assert.deepEqual(await entities(), expected);
  assert.deepEqual(await inlet.bad(), []);
  assert.equal((await inlet.counts()).duplicates, 0);
}

const named = (eventType, name, more) => ({ eventType, web: { webPageDetails: { name } }, ...more });

/** What goes wrong in the page from here on is noted. */
const LISTEN = script(`window.heard = [];
  for (const type of ["error", "unhandledrejection"])
    addEventListener(type, (event) => heard.push(type + ": " + (event.message ?? event.reason)));
  for (const name of ["log", "warn", "error"])
    console[name] = (...words) => heard.push("console." + name + ": " + words);`);

const heard = (tab) => tab.evaluate(() => window.heard);

/** The page's own listeners in Adobe's data layer, and what they are told. */
const OWN = script(`window.told = [];
  const tell = (who) => (event) => told.push(who + " " + (event.event ?? "data"));
  window.adobeDataLayer = window.adobeDataLayer || [];
  adobeDataLayer.push((layer) => {
    layer.addEventListener("adobeDataLayer:change", tell("path"), { path: "cart.total" });
    layer.addEventListener("shown", tell("past"), { scope: "past" });
    layer.addEventListener("shown", tell("future"), { scope: "future" });
    layer.addEventListener("adobeDataLayer:event", tell("all"));
  });`);

const SHOP = {
  mapping: {
    shown: NAMED,
    "cmp:click": {
      eventType: { value: "web.webinteraction.linkClicks" },
      "web.webPageDetails.name": "page.title",
      "web.webInteraction.name": "{eventInfo.path}.dc:title",
      "web.webInteraction.linkClicks.value": 1,
    },
    purchase: {
      eventType: { value: "commerce.purchases" },
      "web.webPageDetails.name": "page.title",
      "commerce.purchases.value": 1,
      "commerce.order.priceTotal": "cart.total",
      "productListItems[*].SKU": "cart.items[*].id",
      "productListItems[*].quantity": "cart.items[*].amount",
      "productListItems[*].currencyCode": "cart.currency",
    },
  },
};

/** What is pushed, as three parts, each before another thing happens. */
const PUSHED = [
  `adobeDataLayer.push({ page: { title: "First" }, component: { "button-1": { "dc:title": "Buy" } } });
   adobeDataLayer.push({ event: "shown", name: "1" }, { event: "unknown", name: "2" });`,
  `adobeDataLayer.push({ event: "cmp:click", eventInfo: { path: "component.button-1" } });
   adobeDataLayer.push({ event: "shown", name: "3" });`,
  `adobeDataLayer.push({ cart: { currency: "EUR", total: 3.5, items: [{ id: "a", amount: 2 }, { id: "b" }] } });
   adobeDataLayer.push({ page: { title: "Second" } });
   adobeDataLayer.push({ event: "purchase", cart: { total: 4 } });
   adobeDataLayer.push({ event: "cmp:click", eventInfo: { path: "component.none" }, page: null });`,
];
const clicked = (name, interaction) => ({
  eventType: "web.webinteraction.linkClicks",
  web: {
    ...(name ? { webPageDetails: { name } } : {}),
    webInteraction: { linkClicks: { value: 1 }, ...interaction },
  },
});
const ARRIVES = [
  named("shown", "1"),
  clicked("First", { name: "Buy" }),
  named("shown", "3"),
  named("commerce.purchases", "Second", {
    commerce: { purchases: { value: 1 }, order: { priceTotal: 4 } },
    productListItems: [
      { SKU: "a", quantity: 2, currencyCode: "EUR" },
      { SKU: "b", currencyCode: "EUR" },
    ],
  }),
  clicked("", {}),
];

/** The same where the state is the one after all of it: the page has no title any more. */
const ARRIVES_LATE = [
  named("shown", "1"),
  clicked("", { name: "Buy" }),
  named("shown", "3"),
  { ...ARRIVES[3], web: undefined },
  clicked("", {}),
].map((entity) => JSON.parse(JSON.stringify(entity)));

/** Which comes first: Adobe's library and ours, among the parts of what is pushed. */
const ORDERS = {
  "Adobe's library before ours": { order: ["acdl", 0, 1, "library", 2], arrives: ARRIVES },
  "ours before Adobe's": { order: [0, "library", 1, "acdl", 2], arrives: ARRIVES },
  "all pushed before both": { order: [0, 1, 2, "library", "acdl"], arrives: ARRIVES_LATE },
  "all pushed after both": { order: ["acdl", "library", 0, 1, 2], arrives: ARRIVES },
};

/** What the page's own listeners are told in the course of this. */
async function visit(tab, order) {
  for (const step of order) {
    if (step === "acdl") await load(tab, "/acdl.js");
    else if (step === "library") await library(tab);
    else await tab.evaluate(`() => { ${PUSHED[step]} }`);
  }
  return tab.evaluate(() => told);
}

async function shop(browser, { order, arrives }) {
  const alone = await browser.open(put("/alone", null, LISTEN + OWN));
  const without = await visit(
    alone,
    order.filter((step) => step !== "library"),
  );
  await alone.close();
  assert.ok(without.length >= 9, without);

  const tab = await browser.open(put("/shop", options(SHOP), LISTEN + OWN));
  assert.deepEqual(await visit(tab, order), without);
  await assertArrived(tab, arrives);
  assert.deepEqual(await heard(tab), []);
  await tab.close();
}

const ARRAY = { kind: "array", mapping: { "gtm.js": null, "*": NAMED } };

/** Each is called, and answers, whoever comes first. */
const MANAGED = {
  "the manager before us": ["manager", "library"],
  "the manager after us": ["library", "manager"],
};

async function manage(browser, order) {
  const early = script(`
    window.dataLayer = window.dataLayer || [];
    function gtag() { dataLayer.push(arguments); }
    dataLayer.push({ "gtm.start": 1, event: "gtm.js" });
    gtag("js", new Date());
    gtag("config", "G-1", { name: "not this" });
    gtag("event", "early", { name: "1" });`);
  const tab = await browser.open(put("/managed", options(ARRAY), LISTEN + early));
  for (const step of order) {
    if (step === "library") await library(tab);
    else await load(tab, "/gtm.js");
  }
  const returned = await tab.evaluate(() => {
    const item = { event: "late", name: "2", "dotted.name": "yes" };
    const first = dataLayer.push(item, { name: "not this" }, { event: "late", name: "3" });
    item.name = "changed after it was pushed";
    gtag("event", "late", { name: "4" });
    gtag("set", { name: "not this" });
    dataLayer.push(["event", "late", { name: "not this" }], () => {}, { event: 5 }, { event: "" });
    return [first, dataLayer.push(item), dataLayer.length, managed, lengths];
  });
  // It gives back what the manager does, and the manager is given what the array does; it has seen everything.
  assert.deepEqual(returned, [true, true, 2, 14, [7, 3, 3, 6, 3]]);
  await assertArrived(tab, [
    named("early", "1"),
    ...["2", "3", "4", "changed after it was pushed"].map((name) => named("late", name)),
  ]);
  assert.deepEqual(await heard(tab), []);
  await tab.close();
}

/** A page that puts another data layer in the place of the one that we have made. */
async function replace(browser) {
  const tab = await browser.open(put("/replaced", options(ARRAY), LISTEN));
  await library(tab);
  await tab.evaluate(() => {
    dataLayer.push({ event: "one", name: "1" });
    window.dataLayer = [...dataLayer, { event: "two", name: "2" }];
    dispatchEvent(new Event("load"));
    dispatchEvent(new Event("load"));
    dataLayer.push({ event: "three", name: "3" });
  });
  await assertArrived(tab, [named("one", "1"), named("two", "2"), named("three", "3")]);
  assert.deepEqual(await heard(tab), []);
  await tab.close();
}

/** What Adobe's library does not get over by itself: it clones all that is in its state. */
const ENDLESS = { acdl: ["cycle", "view", "frame", "deep"], array: [] };

/** Runs in the page: pushes what is hard to read, but `left`. Gives back what was thrown. */
function pushHard(left) {
  window.adobeDataLayer ??= [];
  const cycle = { name: "inside" };
  cycle.self = cycle;
  cycle.list = [cycle, "kept"];
  let deep = {};
  for (let depth = 0; depth < 100; depth++) deep = { deep, depth };
  const frame = document.createElement("iframe");
  document.body.append(frame);
  const broken = {
    kept: 1,
    get name() {
      throw new Error("broken");
    },
  };
  const hard = {
    node: document.body,
    nodes: [document.body, frame.contentDocument.body, "kept"],
    call: () => {},
    calls: [() => {}, Symbol("x"), 5n, undefined, "kept"],
    big: 5n,
    symbol: Symbol("x"),
    map: new Map([["a", 1]]),
    date: new Date(0),
    nan: Number.NaN,
    many: Array.from({ length: 20_000 }, () => ({ a: 1 })),
    deep,
    view: window,
    frame: frame.contentWindow,
    broken,
    cycle,
  };
  const thrown = [];
  const push = (item) => {
    try {
      adobeDataLayer.push(item);
    } catch (error) {
      thrown.push(error.name);
    }
  };
  for (const [name, value] of Object.entries(hard))
    if (!left.includes(name)) push({ event: "hard", name, value });
  push(Object.defineProperty({ name: "none" }, "event", { get: () => broken.name }));
  for (const odd of [null, undefined, 5, "event"]) push(odd);
  push({ event: "hard", name: "last", value: "kept" });
  return thrown;
}

async function survive(browser, kind) {
  const open = async (path, configured) => {
    const tab = await browser.open(put(path, configured, LISTEN + script("window.adobeDataLayer = [];")));
    if (kind === "acdl") await load(tab, "/acdl.js");
    return tab;
  };
  const alone = await open("/hard-alone", null);
  const without = [await alone.evaluate(pushHard, ENDLESS[kind]), await heard(alone)];
  await alone.close();

  const mapping = { hard: { ...NAMED, "_xdmbeacon.value": "value" } };
  const tab = await open("/hard", options({ kind, name: "adobeDataLayer", mapping }));
  await library(tab);
  assert.deepEqual([await tab.evaluate(pushHard, ENDLESS[kind]), await heard(tab)], without);

  // No schema has a place that takes all of these.
  const count = 16 - ENDLESS[kind].length;
  const values = await until("the last event", async () => {
    const rows = [...(await inlet.good()), ...(await inlet.bad())];
    const all = rows.map(({ message }) => message.body.xdmEntity);
    const entries = all.map(({ web, _xdmbeacon }) => [web.webPageDetails.name, _xdmbeacon.value]);
    return (
      entries.some(([name]) => name === "last") && entries.length === count && Object.fromEntries(entries)
    );
  });
  const depth = (value) => (value?.deep ? 1 + depth(value.deep) : 1);
  const { many, deep, ...others } = values;
  assert.deepEqual([many.length, depth(deep)], [9998, kind === "acdl" ? 1 : 25]);
  const none = undefined;
  const expected = {
    ...{ node: none, nodes: ["kept"], call: none, calls: ["kept"], big: none, symbol: none, map: none },
    ...{ date: "1970-01-01T00:00:00.000Z", nan: none, view: none, frame: none, broken: { kept: 1 } },
    ...{ cycle: { name: "inside", list: ["kept"] }, last: "kept" },
  };
  for (const name of ENDLESS[kind]) delete expected[name];
  assert.deepEqual(others, expected);
  await tab.close();
}

async function restart(browser) {
  const first = script(`(${keepInstances})()`);
  const early = script('window.dataLayer = [{ event: "it", name: "1" }];');
  const tab = await browser.open(put("/restart", options(ARRAY), LISTEN + first + early));
  await inlet.faults({ status: 503 });
  await library(tab);
  await tab.evaluate(() => dataLayer.push({ event: "it", name: "2" }));
  const stored = () =>
    tab.evaluate(() => xdmBeacon("getStatus").then(({ stored, outbox }) => outbox.durable && stored));
  await until("both to be stored", async () => (await stored()) === 2);
  const code = await tab.evaluate(() => {
    fillMemory();
    return xdmBeacon("getStatus").catch((error) => error.code);
  });
  assert.equal(code, "engine-failed");
  await tab.evaluate(() => dataLayer.push({ event: "it", name: "3" }));
  await inlet.faults({});
  // Nothing of it is to come in the next test.
  const open = () =>
    xdmBeacon("getStatus").then(({ queued, inFlight, stored, outbox }) =>
      [queued, inFlight, stored, outbox.events].some(Boolean),
    );
  await until("all three events", async () => (await entities()).length >= 3 && !(await tab.evaluate(open)));
  const names = (await entities()).map(({ web }) => web.webPageDetails.name);
  assert.deepEqual(names.sort(), ["1", "2", "3"]);
  assert.equal(await tab.evaluate(() => xdmBeacon("getStatus").then((status) => status.engineRestarts)), 1);
  assert.deepEqual(await heard(tab), []);
  await tab.close();
}

async function consent(browser) {
  const early = script('window.dataLayer = [{ event: "it", name: "1" }];');
  const tab = await browser.open(
    put("/consent", options(ARRAY, { consent: { default: "pending" } }), LISTEN + early),
  );
  await library(tab);
  await tab.evaluate(() => dataLayer.push({ event: "it", name: "2" }));
  const { pending, accepted } = await tab.evaluate(() => xdmBeacon("getStatus"));
  assert.deepEqual([pending, accepted], [2, 2]);
  assert.equal((await inlet.counts()).received, 0);
  const decide = (general) =>
    xdmBeacon("setConsent", { consent: [{ standard: "Adobe", version: "1.0", value: { general } }] });
  await tab.evaluate(decide, "in");
  await assertArrived(tab, [named("it", "1"), named("it", "2")]);
  await tab.evaluate(decide, "out");
  await tab.evaluate(() => dataLayer.push({ event: "it", name: "3" }));
  const { dropped } = await tab.evaluate(() => xdmBeacon("getStatus"));
  assert.equal(dropped.consent, 1);
  await tab.evaluate(() => localStorage.clear());
  await tab.close();
}

/** The attributes of the tag say all there is to say. */
async function declare(browser) {
  const { endpoint, orgId, datasetId, schema } = optionsFor(inlet.origin);
  const mapping = JSON.stringify({ it: { "web.webPageDetails.name": "name" } });
  stage.put(
    "/declared",
    `<!doctype html><title>Declared</title>${LISTEN}
      <script>window.mine = [{ event: "it", name: "1" }];</script>
      <script async src="/sdk/xdm-beacon.js" data-endpoint="${endpoint}" data-org-id="${orgId}"
        data-dataset-id="${datasetId}" data-schema-id="${schema.id}" data-context=""
        data-delivery-sequence-path="_xdmbeacon.sequence" data-data-layer-name="mine"
        data-data-layer-kind="array" data-data-layer-mapping='${mapping}'></script>`,
  );
  const tab = await browser.open(`${stage.origin}/declared`);
  await tab.evaluate(() => mine.push({ event: "it", name: "2" }));
  await until("the library", () => tab.evaluate(() => typeof xdmBeacon === "function"));
  await assertArrived(tab, [named("it", "1"), named("it", "2")]);
  assert.deepEqual(await heard(tab), []);
  await tab.close();
}

for (const engine of engineNames) {
  test(engine, async (t) => {
    const browser = await openEngine(engine);
    const part = (name, run) =>
      t.test(name, async () => {
        await forget();
        await run();
      });
    try {
      for (const [name, how] of Object.entries(ORDERS))
        await part(`Adobe's data layer, ${name}`, () => shop(browser, how));
      for (const [name, order] of Object.entries(MANAGED))
        await part(`an array, ${name}`, () => manage(browser, order));
      await part("an array that is replaced", () => replace(browser));
      for (const kind of ["acdl", "array"])
        await part(`what is hard to read does no harm: ${kind}`, () => survive(browser, kind));
      await part("each arrives once, whatever becomes of the engine", () => restart(browser));
      await part("consent holds for what is pushed", () => consent(browser));
      await part("a tag alone", () => declare(browser));
    } finally {
      await browser.close();
    }
  });
}
