// What delivery costs a page: the main thread's CPU time of events from `send` until all have arrived, storing and
// what follows the answers included, beside alloy and Snowplow doing theirs in the same run; the same of clicks that are
// captured, beside alloy's click collection; and the memory of a long queue.

import { openBrowser, until } from "../tests/e2e/support.mjs";
import { openCollector } from "./delivery/collector.mjs";
import { openInletEndpoint, ours } from "./delivery/ours.mjs";
import { peer } from "./delivery/peers.mjs";
import { openGate, openSite } from "./delivery/world.mjs";
import { median, metricsOf } from "./page.mjs";

const EVENTS = 1_000;
const ROUNDS = 3;
const EVENT_BYTES = 1_024;
/** What follows upon the last arrival or the last commit is over. */
const SETTLED_MS = 1_500;

/** How a page may come to so many events. */
const PACES = {
  "one every 10 ms": { burst: 1, everyMs: 10 },
  "10 every 50 ms": { burst: 10, everyMs: 50 },
  "all in one task": { burst: EVENTS, everyMs: 0 },
};

const CLICKS = 1_000;
/** Different links, which are clicked in turn. */
const LINK_COUNT = 50;

const QUEUED = 10_000;
const QUEUE_LIMIT_BYTES = 50_000_000;

/** Runs in the page. */
function sendAll({ name, count, padding, burst, everyMs }) {
  return new Promise((resolve) => {
    let made = 0;
    const next = () => {
      for (let end = Math.min(count, made + burst); made < end; made++)
        bench.send(`${name}-${made}`, "x".repeat(padding));
      if (made < count) setTimeout(next, everyMs);
      else resolve();
    };
    next();
  });
}

/**
 * @returns {Promise<{events: number, paces: {pace: string, rows: {name: string, perEventUs: number, ratio: number}[]}[]}>}
 *   medians of the rounds; `ratio`: a library's time to ours, which is the first row
 */
export function benchDeliveryCost() {
  const parties = (inlet, collector) => [
    [ours(), inlet],
    [peer("alloy"), collector],
    [peer("snowplow"), collector],
  ];
  return among(parties, openContender, async (contenders) => {
    const paces = [];
    for (const [pace, how] of Object.entries(PACES)) {
      const costs = await costsOf(contenders, ({ run }, round) => run(`${how.burst}-${round}`, how));
      const rows = contenders.map(({ name }, place) => ({
        name,
        perEventUs: median(costs[place]),
        ratio: median(costs[place].map((cost, round) => cost / costs[0][round])),
      }));
      paces.push({ pace, rows });
    }
    return { events: EVENTS, paces };
  });
}

/** Opens `parties`, each a library and its endpoint, in one browser, and closes all when they have been measured. */
async function among(parties, open, measure) {
  const [inlet, collector] = await Promise.all([openInletEndpoint(), openCollector()]);
  await Promise.all([inlet.reset(), collector.reset()]);
  const browser = await openBrowser();
  const contenders = [];
  try {
    for (const [party, endpoint] of parties(inlet, collector))
      contenders.push(await open(browser, party, endpoint));
    return await measure(contenders);
  } finally {
    await browser.close();
    for (const { close } of contenders) await close();
    await Promise.all([inlet.close(), collector.close()]);
  }
}

/** What each costs in each round, by turns. */
async function costsOf(contenders, run) {
  const costs = contenders.map(() => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [place, contender] of contenders.entries()) {
      const cost = await run(contender, round);
      // The first round warms up.
      if (round > 0) costs[place].push(cost);
    }
  }
  return costs;
}

/** A library on a page in a context of its own. */
async function openContender(browser, party, endpoint) {
  const site = await openSite(party, { endpoint: `http://127.0.0.1:${endpoint.port}` });
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${site.origin}/page.html`);
  await page.evaluate(() => bench.ready);
  const { busy } = await metricsOf(page);
  const lone = `${party.name.replace(/\W/g, "")}-lone`;
  await page.evaluate((id) => void bench.send(id, ""), lone);
  const { bytes } = await until("the first event", async () => (await endpoint.arrivals()).get(lone));
  const padding = Math.max(0, EVENT_BYTES - bytes);
  return {
    name: party.name,
    /** The main thread's time per event, in µs. */
    run: async (name, how) => {
      const arrived = await endpoint.count();
      const before = await busy();
      await page.evaluate(sendAll, { name: `${lone}-${name}`, count: EVENTS, padding, ...how });
      await until("all events", async () => (await endpoint.count()) >= arrived + EVENTS);
      await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
      return ((await busy()) - before) / EVENTS;
    },
    close: site.close,
  };
}

/** What a page of links has in its head. Its links are prevented from leading away, as routers do. */
const LINKS = `<script>
  addEventListener("DOMContentLoaded", () => {
    const link = (_, at) => \`<a id="link\${at}" href="/away.html?\${at}">benchId:link-\${at}</a> \`;
    document.body.innerHTML = \`<main><nav aria-label="Links">\${Array.from({ length: ${LINK_COUNT} }, link).join("")}</nav></main>\`;
    window.clicks = 0;
    document.addEventListener("click", (event) => {
      event.preventDefault();
      if (event.isTrusted) window.clicks += 1;
    });
  });
</script>`;

/** A page without a library. */
const bare = {
  name: "no library",
  files: async () => (_request, _response, next) => next(),
  page: (_endpoint, head) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Delivery</title>
    <link rel="icon" href="data:,">
    ${head}
  </head>
  <body></body>
</html>`,
};

/**
 * Clicks on links, by the browser's own input.
 *
 * @returns {Promise<{clicks: number, rows: {name: string, perClickUs: number, addedUs: number, ratio: number}[]}>}
 *   medians of the rounds: the main thread's time of a click, what of it is beyond that of the page without a library,
 *   which is the first row, and the ratio of that to ours, which is the second
 */
export function benchClickCost() {
  const parties = (inlet, collector) => [
    [bare],
    [ours({}, { track: ["clicks"] }), inlet],
    [peer("alloy", { variant: "clicks" }), collector],
  ];
  return among(parties, openClicker, async (contenders) => {
    const costs = await costsOf(contenders, ({ run }) => run());
    const added = costs.map((rounds) => rounds.map((cost, round) => cost - costs[0][round]));
    const rows = contenders.map(({ name }, place) => ({
      name,
      perClickUs: median(costs[place]),
      addedUs: median(added[place]),
      ratio: median(added[place].map((cost, round) => cost / added[1][round])),
    }));
    return { clicks: CLICKS, rows };
  });
}

/** A page of links in a context of its own, with a library or, where there is no endpoint, without. */
async function openClicker(browser, party, endpoint) {
  const site = await openSite(party, { endpoint: `http://127.0.0.1:${endpoint?.port}`, head: LINKS });
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${site.origin}/page.html`);
  if (endpoint) {
    await page.evaluate(() => bench.ready.then(() => void bench.send("before-all-clicks", "")));
    await until("the first event", async () => (await endpoint.count()) > 0);
  }
  const places = await page.evaluate(() =>
    Array.from(document.links, (link) => {
      const { left, top, width, height } = link.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    }),
  );
  const { busy } = await metricsOf(page);
  const devtools = await context.newCDPSession(page);
  const button = { button: "left", clickCount: 1 };
  return {
    name: party.name,
    /** The main thread's time per click, in µs. */
    run: async () => {
      const clicks = () => page.evaluate(() => window.clicks);
      const [arrived, clicked] = [await endpoint?.count(), await clicks()];
      const before = await busy();
      for (let click = 0; click < CLICKS; click++) {
        const place = { ...places[click % places.length], ...button };
        await devtools.send("Input.dispatchMouseEvent", { type: "mousePressed", ...place });
        await devtools.send("Input.dispatchMouseEvent", { type: "mouseReleased", ...place });
      }
      if (endpoint) await until("all clicks", async () => (await endpoint.count()) >= arrived + CLICKS);
      await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
      const cost = ((await busy()) - before) / CLICKS;
      const made = (await clicks()) - clicked;
      if (made !== CLICKS) throw new Error(`${party.name}: ${made} of ${CLICKS} clicks were made`);
      return cost;
    },
    close: site.close,
  };
}

/** Keeps hold of the modules' memories; runs before anything in the page. */
function watchMemories() {
  window.memories = [];
  for (const method of ["instantiate", "instantiateStreaming"]) {
    const real = WebAssembly[method];
    WebAssembly[method] = async (...args) => {
      const made = await real.apply(WebAssembly, args);
      const { memory } = (made.instance ?? made).exports;
      if (memory) window.memories.push(memory);
      return made;
    };
  }
}

/**
 * Events of 1 KB while nothing listens at the endpoint.
 *
 * @returns {Promise<{queued: number, heapBytes: number, wasmBytes: number}>} what JavaScript and the module hold
 *   beyond a page without the library
 */
export async function benchQueueMemory() {
  const inlet = await openInletEndpoint();
  const gate = await openGate(inlet.port);
  const party = ours({ maxStoredBytes: QUEUE_LIMIT_BYTES });
  const site = await openSite(party, { endpoint: gate.origin });
  const browser = await openBrowser();
  try {
    const page = await (await browser.newContext()).newPage();
    await page.addInitScript(watchMemories);
    const { heapBytes } = await metricsOf(page);
    await page.goto(`${site.origin}/away.html`);
    const bare = await heapBytes();
    await page.goto(`${site.origin}/page.html`);
    await page.evaluate(() => bench.ready);
    await page.evaluate(() => void bench.send("memory-lone", ""));
    const { bytes } = await until("the first event", async () => (await inlet.arrivals()).get("memory-lone"));
    await gate.shut();
    await page.evaluate(sendAll, {
      name: "memory",
      count: QUEUED,
      padding: Math.max(0, EVENT_BYTES - bytes),
      burst: 100,
      everyMs: 10,
    });
    // All on disk, too, so that nothing of them is under way.
    const queued = await until("all events in the queue", () =>
      page.evaluate(async (count) => {
        const { outbox } = await xdmBeacon("getStatus");
        return outbox.events >= count && outbox.events;
      }, QUEUED),
    );
    await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
    return {
      queued,
      heapBytes: (await heapBytes()) - bare,
      wasmBytes: await page.evaluate(() => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0)),
    };
  } finally {
    await browser.close();
    await site.close();
    await gate.close();
    await inlet.close();
  }
}
