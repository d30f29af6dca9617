// How long an event keeps the page's main thread busy: `sendEvent` beside hand-written
// `JSON.stringify` and keepalive `fetch` of the same message, in turn, in one run.
//
// Both wait for each answer before the next event, so that the browser's keepalive budget refuses
// neither; the library is told not to wait for a second event, so each goes out alone. Measured is the main thread's CPU time (DevTools protocol, `TaskDuration` in thread
// ticks), everything included: building, sending, and taking the answer.

import {
  openBrowser,
  openInlet,
  openStage,
  optionsFor,
  page as pageWith,
  until,
} from "../tests/e2e/support.mjs";

const ROUNDS = 10;
const EVENTS_PER_ROUND = 100;

/** What a shop's page might send. The library adds context, `_id` and `timestamp`. */
const EVENT = {
  type: "commerce.productViews",
  xdm: {
    commerce: { productViews: { value: 1 } },
    productListItems: [
      { SKU: "LAMP-01", name: "Storm lamp", quantity: 1, priceTotal: 148, currencyCode: "EUR" },
      { SKU: "MUG-02", name: "Keeper's mug", quantity: 2, priceTotal: 48, currencyCode: "EUR" },
    ],
    web: { webPageDetails: { siteSection: "shop", viewName: "product" } },
  },
};

/** @returns {Promise<{rows: string[][], ratio: number}>} */
export async function benchPage() {
  const inlet = await openInlet();
  const stage = await openStage();
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    const options = optionsFor(inlet.origin, { delivery: { maxWaitMs: 0 } });
    await page.goto(stage.put("/event.html", pageWith(options)));
    await page.evaluate((event) => window.xdmBeacon("sendEvent", event), EVENT);
    const message = await until(
      "the first message",
      async () => (await inlet.good("&eventType=commerce.productViews"))[0]?.message,
    );

    const { busy } = await metricsOf(page);
    const contenders = {
      "hand-written": ({ message, endpoint, count }) =>
        (async () => {
          for (let i = 0; i < count; i++) {
            message.body.xdmEntity._id = crypto.randomUUID();
            message.body.xdmEntity.timestamp = new Date().toISOString();
            const answer = await fetch(endpoint, {
              method: "POST",
              keepalive: true,
              credentials: "omit",
              headers: { "Content-Type": "application/json" },
              body: JSON.stringify(message),
            });
            await answer.text();
          }
        })(),
      "XDM Beacon": ({ event, count }) =>
        (async () => {
          for (let i = 0; i < count; i++) await window.xdmBeacon("sendEvent", event);
        })(),
    };
    const argument = { message, event: EVENT, endpoint: options.endpoint, count: EVENTS_PER_ROUND };

    const perEvent = { "hand-written": [], "XDM Beacon": [] };
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, send] of Object.entries(contenders)) {
        const before = await busy();
        await page.evaluate(send, argument);
        const cost = ((await busy()) - before) / EVENTS_PER_ROUND;
        // The first round warms up.
        if (round > 0) perEvent[name].push(cost);
      }
    }
    const ratios = perEvent["XDM Beacon"].map((cost, round) => cost / perEvent["hand-written"][round]);
    const rows = Object.entries(perEvent).map(([name, costs]) => [
      name,
      `${median(costs).toFixed(0)} µs`,
      `${(median(costs) / median(perEvent["hand-written"])).toFixed(2)}×`,
    ]);
    return { rows, ratio: median(ratios), bytes: JSON.stringify(message).length };
  } finally {
    await browser.close();
    await stage.close();
    await inlet.close();
  }
}

/**
 * What Chromium tells of a page: `busy()`, the CPU time of its main thread so far in µs; `heapBytes()`, what
 * JavaScript there holds once the garbage is collected.
 */
export async function metricsOf(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  const metric = async (wanted) => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === wanted).value;
  };
  return {
    busy: async () => (await metric("TaskDuration")) * 1e6,
    heapBytes: async () => {
      await devtools.send("HeapProfiler.collectGarbage");
      return metric("JSHeapUsedSize");
    },
  };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
