// Runs the end-to-end tests, all there are.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./steps.mjs";

/** No suite takes longer, on the slowest machine: whatever lasts beyond has hung. */
const SUITE_LIMIT_MS = 600_000;

/** @param {Parameters<typeof run>[2]} [options] */
export function browserTests(options) {
  const suites = readdirSync(join(root, "tests/e2e")).filter((name) => name.endsWith(".test.mjs"));
  return run(
    process.execPath,
    [
      "--test",
      // One after another: the machine may have two cores only.
      "--test-concurrency=1",
      `--test-timeout=${SUITE_LIMIT_MS}`,
      "--test-reporter=spec",
      ...suites.map((name) => join("tests/e2e", name)),
    ],
    options,
  );
}
