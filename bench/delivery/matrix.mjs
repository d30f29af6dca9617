// Every scenario in every engine it applies to, one after another.

import { live } from "./world.mjs";

/**
 * @param {object} wants
 * @param {object} wants.party
 * @param {object} wants.endpoint
 * @param {string[]} wants.engines
 * @param {object[]} wants.scenarios
 * @param {(line: string) => void} wants.say one line per run
 * @returns {Promise<object[]>} what `live` gives; a run that broke has `failure` instead of numbers
 */
export async function matrix({ party, endpoint, engines, scenarios, say }) {
  const rows = [];
  for (const scenario of scenarios) {
    for (const engine of engines) {
      if (scenario.engines && !scenario.engines.includes(engine)) continue;
      const started = Date.now();
      const row = await live(party, endpoint, engine, scenario).catch((error) => ({
        party: party.name,
        engine,
        scenario: scenario.name,
        failure: error.message.split("\n")[0],
      }));
      rows.push(row);
      const told =
        row.failure ??
        `${row.sent} sent, ${row.atOnce} at once, ${row.inTheEnd} in the end, ${row.twice} twice ${row.remark}`;
      say(
        `${party.name}, ${engine}, ${scenario.name}: ${told} (${((Date.now() - started) / 1000).toFixed(1)} s)`,
      );
    }
  }
  return rows;
}
