// Other people's libraries in the driver, as their packages on npm have them, with the settings that they come with.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, step, works } from "../../scripts/steps.mjs";

const folder = join(root, "bench/delivery/peers");
const bundles = join(root, "target/peers");

/** Key in PEERS, its package, and whatever differs from the others. The page is peers/<module or key>.mjs. */
const PEERS = {
  snowplow: { title: "Snowplow", package: "@snowplow/browser-tracker" },
  alloy: { title: "alloy", package: "@adobe/alloy" },
  "alloy-unloading": {
    title: "alloy",
    note: ", all `documentUnloading`",
    package: "@adobe/alloy",
    module: "alloy",
    variant: "documentUnloading",
  },
  segment: { title: "Segment", package: "@segment/analytics-next" },
  // Takes over what a closed tab has left after 10 s at the earliest.
  rudderstack: { title: "RudderStack", package: "@rudderstack/analytics-js", nextVisitMs: 25_000 },
  posthog: { title: "PostHog", package: "posthog-js" },
  amplitude: { title: "Amplitude", package: "@amplitude/analytics-browser" },
  plausible: { title: "Plausible", package: "@plausible-analytics/tracker" },
};

export const peerNames = Object.keys(PEERS);

/**
 * Installs the packages, unless they are there, and bundles a page's script for each.
 *
 * Some of the packages bring their own build tools along, of which nothing is run here. `overrides` in package.json
 * names a rollup that needs no binary per platform, since `npm ci` wants every platform's in the lock.
 */
export async function buildPeers() {
  await step("install other people's libraries", {
    done: () => works("npm", ["ls", "--all=false", "--silent"], { cwd: folder }),
    run: () => run("npm", ["ci", "--ignore-scripts"], { cwd: folder }),
    remedy: "is the npm registry reachable? PEERS=0 goes without",
  });
  await step("bundle other people's libraries", { run: bundle });
}

async function bundle() {
  const { default: webpack } = await import("webpack");
  const compiler = webpack({
    mode: "production",
    target: ["web", "es2020"],
    entry: Object.fromEntries(
      Object.entries(PEERS).map(([key, { module = key }]) => [module, join(folder, `${module}.mjs`)]),
    ),
    output: { path: bundles },
    performance: false,
  });
  await new Promise((resolve, reject) => {
    compiler.run((error, stats) => {
      if (error) reject(error);
      else if (stats.hasErrors()) reject(new Error(stats.toString("errors-only")));
      else compiler.close(resolve);
    });
  });
}

/**
 * @param {string} key one of `peerNames`
 * @param {object} [changes] of what is listed above
 */
export function peer(key, changes) {
  const known = { ...PEERS[key], ...changes };
  const { title, note = "", package: name, module = key, variant = "", nextVisitMs = 10_000 } = known;
  const { version } = JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8"));
  return {
    name: `${title} ${version}${note}`,
    quietMs: 3_000,
    /**
     * Chosen, not measured, and less than XDM Beacon is given: a library that backs off for longer has its next
     * chance on the next visit.
     */
    patienceMs: 30_000,
    nextVisitMs,
    files: async () => {
      const { default: sirv } = await import("sirv");
      return sirv(bundles, { dev: true });
    },
    page: (endpoint, head) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Delivery</title>
    <link rel="icon" href="data:,">
    <script>window.collector = ${JSON.stringify(endpoint)}; window.variant = ${JSON.stringify(variant)};</script>
    ${head}
    <script defer src="/${module}.js"></script>
  </head>
  <body></body>
</html>`,
  };
}
