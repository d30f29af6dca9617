// Our own library in the driver: its page, and the inlet as the place where its events are counted.

import { join } from "node:path";
import { configuration, inletId } from "../../scripts/demo.mjs";
import { root } from "../../scripts/steps.mjs";
import { baseCode, openInlet } from "../../tests/e2e/support.mjs";

/** What the driver asks of a library on a page: `bench.ready`, `bench.send(id, padding)`, and whether all answers are in. */
function bench() {
  window.bench = {
    calm: () => xdmBeacon("getStatus").then(({ queued, inFlight }) => queued + inFlight === 0),
    ready: xdmBeacon("getStatus").then(() => {}),
    send: (id, padding) =>
      xdmBeacon("sendEvent", { xdm: { _id: id, web: { webPageDetails: { name: `n${padding}` } } } }),
  };
}

/**
 * @param {object} [delivery] options of `configure`
 * @param {object} [more] the same, beside `delivery`
 */
export const ours = (delivery, more) => ({
  name: "XDM Beacon",
  /** No event for so long: what could arrive has arrived. */
  quietMs: 3_000,
  /** The same on the next visit. */
  nextVisitMs: 8_000,
  files: async () => {
    const { default: sirv } = await import("sirv");
    return sirv(join(root, "dist"), { dev: true });
  },
  page: (endpoint, head) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Delivery</title>
    <link rel="icon" href="data:,">
    <script>${baseCode()}</script>
    <script>
      xdmBeacon("configure", ${JSON.stringify({ ...configuration, endpoint: `${endpoint}/collection/${inletId}`, delivery, ...more })});
      (${bench})();
    </script>
    ${head}
    <script async src="/sdk/xdm-beacon.js"></script>
  </head>
  <body></body>
</html>`,
});

/** The inlet as an endpoint of the driver. */
export async function openInletEndpoint() {
  const inlet = await openInlet();
  return {
    port: Number(new URL(inlet.origin).port),
    reset: inlet.reset,
    faults: inlet.faults,
    count: async () => (await inlet.counts()).received,
    /** By `_id`: how often it came, and the bytes of its message. */
    arrivals: async () => {
      const found = new Map();
      for (let next = ""; next !== null; ) {
        const page = await inlet.get(`/inspect/good?limit=1000${next && `&after=${next}`}`);
        for (const { id, bytes } of page.rows) {
          const known = found.get(id);
          if (known) known.times += 1;
          else found.set(id, { times: 1, bytes });
        }
        next = page.next;
      }
      return found;
    },
    close: inlet.close,
  };
}
