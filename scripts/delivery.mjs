// `npm run delivery`: what arrives when pages go away and networks fail, in three real browsers, counted at the
// inlet; and the same with other people's libraries, counted at a collector that answers them. Prints a table
// per engine for each, and writes them to target/delivery.md.
//
// ENGINES=chromium,firefox,webkit         the engines, for all libraries
// SCENARIOS=200-close,crash,…             keys of bench/delivery/scenarios.mjs; those with `peers` are run with all
// MODES=balanced,atLeastOnce,atMostOnce   of XDM Beacon; only balanced otherwise; the first is the one compared
// PEERS=snowplow,alloy,…                  keys of bench/delivery/peers.mjs; all of them otherwise; 0: none, and
//                                         none is installed

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { build } from "./build.mjs";
import { buildInlet } from "./inlet.mjs";
import { setup } from "./setup.mjs";
import { root, step, total } from "./steps.mjs";

const REPORT = join(root, "target/delivery.md");
const say = (line) => console.log(`    ${line}`);

/** What the variable names of `all`, or `otherwise`. */
function wanted(name, all, otherwise = all) {
  const named = process.env[name]?.split(",").filter(Boolean);
  const unknown = named?.find((one) => !all.includes(one));
  if (unknown) {
    console.error(`${name} names '${unknown}', which is none of ${all.join(", ")}`);
    process.exit(2);
  }
  return named ?? otherwise;
}

await setup({ wasm: true, browser: true, engines: true });
await build();
await step("build the inlet", { run: () => buildInlet() });

// Not above: they need packages that set-up installs.
const { engineNames } = await import("../tests/e2e/engines.mjs");
const { openCollector } = await import("../bench/delivery/collector.mjs");
const { matrix } = await import("../bench/delivery/matrix.mjs");
const { openInletEndpoint, ours } = await import("../bench/delivery/ours.mjs");
const { buildPeers, peer, peerNames } = await import("../bench/delivery/peers.mjs");
const { comparison, ownReport } = await import("../bench/delivery/report.mjs");
const { scenarios: all } = await import("../bench/delivery/scenarios.mjs");

const engines = wanted("ENGINES", engineNames);
const keys = wanted(
  "SCENARIOS",
  all.map(({ key }) => key),
);
const modes = wanted("MODES", ["balanced", "atLeastOnce", "atMostOnce"], ["balanced"]);
const peers = process.env.PEERS === "0" ? [] : wanted("PEERS", peerNames);
const scenarios = all.filter(({ key }) => keys.includes(key));
const shared = scenarios.filter(({ peers }) => peers);
if (peers.length > 0) await buildPeers();

const parts = [];
const compared = [];

/** Runs one library through its scenarios. */
async function measure(what, party, endpoint, scenarios) {
  let rows;
  await step(what, {
    run: async () => {
      rows = await matrix({ party, endpoint, engines, scenarios, say });
    },
  });
  if (rows.some(({ failure }) => failure)) process.exitCode = 1;
  return rows;
}

const inlet = await openInletEndpoint();
for (const mode of modes) {
  const rows = await measure(`deliver by XDM Beacon, ${mode}`, ours({ mode }), inlet, scenarios);
  parts.push(`## XDM Beacon, \`${mode}\`\n\n${ownReport(rows)}`);
  if (mode === modes[0]) {
    const names = shared.map(({ name }) => name);
    compared.push(...rows.filter(({ scenario }) => names.includes(scenario)));
  }
}
await inlet.close();

const collector = await openCollector();
for (const name of peers) {
  const party = peer(name);
  compared.push(...(await measure(`deliver by ${party.name}`, party, collector, shared)));
}
await collector.close();
if (peers.length > 0) parts.push(`## XDM Beacon beside others\n\n${comparison(compared)}`);

const report = `${cpus().length} × ${cpus()[0].model}, ${new Date().toISOString()}\n\n${parts.join("\n\n")}\n`;
mkdirSync(dirname(REPORT), { recursive: true });
writeFileSync(REPORT, report);
console.log(`\n${report}`);
if (process.exitCode) console.error("Some did not run: see the lines above.");
total("Measured, and written to target/delivery.md,");
