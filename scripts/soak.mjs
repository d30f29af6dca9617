// `npm run soak`: the long runs. Kills the inlet over and over, and runs the browser tests again and
// again, for a test that fails once in fifty runs is broken.

import { browserTests } from "./browser-tests.mjs";
import { build } from "./build.mjs";
import { buildInlet, nativeEnv } from "./inlet.mjs";
import { setup } from "./setup.mjs";
import { run, step, total } from "./steps.mjs";

const KILLS = process.env.KILLS || "2000";
const ROUNDS = Number(process.env.ROUNDS || 20);

await setup({ wasm: true, browser: true, engines: true });
await build();
await step("build the inlet", { run: () => buildInlet() });
await step(`kill the inlet ${KILLS} times under load`, {
  run: () =>
    run("cargo", ["test", "-p", "xdm-inlet", "--test", "kill", "--", "--nocapture"], {
      env: { ...nativeEnv, XDM_KILLS: KILLS },
      show: true,
    }),
});
for (let round = 1; round <= ROUNDS; round++) {
  await step(`browser tests, round ${round} of ${ROUNDS}`, { run: () => browserTests() });
}
total("Soaked");
