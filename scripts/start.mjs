// `npm start`: sets up, builds, starts the inlet and the demo shop, and says where to look.

import { join } from "node:path";
import { build } from "./build.mjs";
import { inletOrigin, siteOrigin } from "./demo.mjs";
import { buildInlet, startInlet } from "./inlet.mjs";
import { setup } from "./setup.mjs";
import { serve } from "./site.mjs";
import { root, step, total } from "./steps.mjs";

const port = (origin) => Number(new URL(origin).port);

await setup({ wasm: true });
await build();
await step("build the inlet", { run: buildInlet });

let inlet;
await step("start the inlet and the shop", {
  run: async () => {
    inlet = await startInlet({ data: join(root, ".inlet"), port: port(inletOrigin) });
    await serve(join(root, "dist/site"), { port: port(siteOrigin) });
  },
  remedy: `are ports ${port(inletOrigin)} and ${port(siteOrigin)} free? Another 'npm start' may be running`,
});
inlet.exited.then((code) => {
  console.error(`The inlet ended (${code}).`);
  process.exit(1);
});

total("Ready");
console.log(`
  Open ${siteOrigin}/ and click around.

  Each interaction arrives at the local inlet, which you watch at ${inletOrigin}/.
  Ctrl+C ends both.
`);
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await inlet.stop();
    process.exit(0);
  });
}
