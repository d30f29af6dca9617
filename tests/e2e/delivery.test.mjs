// An accepted event is never lost, whatever happens to the page: in three real browsers, counted at the inlet.
// The whole matrix, with more of the same, is `npm run delivery`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openInletEndpoint, ours } from "../../bench/delivery/ours.mjs";
import { scenarios } from "../../bench/delivery/scenarios.mjs";
import { live } from "../../bench/delivery/world.mjs";
import { engineNames } from "./engines.mjs";

/** What the browser's quotas let a page hand over is to be used. */
const USED = 0.95;

/**
 * `unanswered`: the page cannot see every answer, or has seen none before it goes, so that events may come twice.
 * `crash`: no code runs as the page ends.
 */
const CORE = {
  "200-navigate": {},
  "200-close": {},
  "20-navigate-no-bfcache": {},
  "20-close": {},
  "70k-navigate": {},
  "30k-close": {},
  click: { unanswered: true },
  crash: { unanswered: true, crash: true },
  "offline-close": {},
  503: {},
  "answers-lost": { unanswered: true },
  "tabs-2": { unanswered: true },
  "storage-denied": {},
};

let inlet;
before(async () => {
  inlet = await openInletEndpoint();
});
after(() => inlet?.close());

for (const [key, { unanswered = false, crash = false }] of Object.entries(CORE)) {
  const scenario = scenarios.find((scenario) => scenario.key === key);
  for (const engine of scenario.engines ?? engineNames) {
    test(`${engine}: ${scenario.name}`, async () => {
      const outcome = await live(ours(), inlet, engine, scenario);
      const told = JSON.stringify(outcome);
      assert.equal(outcome.inTheEnd, outcome.sent, told);
      assert.ok(outcome.sent > 0, told);
      if (scenario.leaves && !crash) assert.ok(outcome.atOnceBytes >= USED * outcome.allowedBytes, told);
      // Firefox may end the process of a closed tab before what the page wrote last to localStorage is kept: the
      // next visit does not learn then that the endpoint was healthy, and sends what it has once more.
      const forgets = engine === "firefox" && key.endsWith("close");
      // Beyond the keepalive budget there was no answer yet as the page left, or is none to be seen.
      const surplus = Math.max(0, outcome.atOnce - outcome.allowedKeepalive);
      if (!unanswered && !forgets) assert.ok(outcome.twice <= surplus, told);
    });
  }
}
