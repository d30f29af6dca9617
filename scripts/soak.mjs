// `npm run soak`: the long runs. Kills the inlet over and over, and runs the browser tests again and
// again, for a test that fails once in fifty runs is broken.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { buildInlet, nativeEnv } from "./inlet.mjs";
import { setup } from "./setup.mjs";
import { root, run, step, total } from "./steps.mjs";

const KILLS = process.env.KILLS || "2000";
const ROUNDS = Number(process.env.ROUNDS || 20);

await setup({ wasm: true, browser: true });
await build();
await step("build the inlet", { run: () => buildInlet() });
await step(`kill the inlet ${KILLS} times under load`, {
  run: () =>
    run("cargo", ["test", "-p", "xdm-inlet", "--test", "kill", "--", "--nocapture"], {
      env: { ...nativeEnv, XDM_KILLS: KILLS },
      show: true,
    }),
});
const suites = readdirSync(join(root, "tests/e2e")).filter((name) => name.endsWith(".test.mjs"));
for (let round = 1; round <= ROUNDS; round++) {
  await step(`browser tests, round ${round} of ${ROUNDS}`, {
    run: () =>
      run(process.execPath, [
        "--test",
        "--test-concurrency=1",
        ...suites.map((name) => join("tests/e2e", name)),
      ]),
  });
}
total("Soaked");
