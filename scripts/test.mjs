// `npm test`: sets up, checks the style of everything, and runs every test there is.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { browserTests } from "./browser-tests.mjs";
import { build } from "./build.mjs";
import { buildInlet, nativeEnv } from "./inlet.mjs";
import { checkLicences } from "./licences.mjs";
import { chromedriver, setup, wasmEnv } from "./setup.mjs";
import { root, run, step, total } from "./steps.mjs";

const TARGET = "wasm32-unknown-unknown";
const npx = (name, ...args) => run(join(root, "node_modules/.bin", name), args);
const shown = { show: true };
/** Every entity that the end-to-end tests got accepted. */
const SENT = join(root, "target/sent.ndjson");

await setup({ wasm: true, browser: true, engines: true, wasmPack: true });

await step("check formatting and lints of Rust", {
  run: async () => {
    await run("cargo", ["fmt", "--all", "--check"]);
    await run("cargo", ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], {
      env: nativeEnv,
    });
    await run("cargo", ["clippy", "--all-targets", "--target", TARGET, "--", "-D", "warnings"], {
      env: { ...wasmEnv, ...nativeEnv },
    });
  },
  remedy: "run 'cargo fmt --all', then mend what clippy names",
});
await step("check formatting and lints of JavaScript, and types", {
  run: async () => {
    await npx("biome", "check", "--error-on-warnings", ".");
    await npx("tsc", "--project", "tests/types");
  },
  remedy: "run 'npx biome check --write .', then mend what is left",
});
await step("check the licences of all dependencies", { run: checkLicences });

await build();
await step("build the inlet", { run: buildInlet });

await step("test the core and the inlet, natively", {
  run: () => run("cargo", ["test", "--workspace"], { env: nativeEnv, ...shown }),
});
await step("test the core in the browser", {
  run: () =>
    run(
      "wasm-pack",
      ["test", "--headless", "--chrome", "--chromedriver", chromedriver(), "--mode", "no-install"],
      { env: { ...wasmEnv, ...nativeEnv, WASM_BINDGEN_TEST_TIMEOUT: "120" }, ...shown },
    ),
});
await step("test everything together in Chromium", {
  run: () => {
    rmSync(SENT, { force: true });
    return browserTests({ env: { XDM_EVENTS_OUT: SENT }, show: true });
  },
});
const officialSchemas = process.env.XDM_SCHEMAS || join(root, "../shared/xdm-schemas");
await step("hold what the browser sent against the official schemas", {
  done: () => !existsSync(officialSchemas),
  skipped: "they are not at hand",
  run: () =>
    run("cargo", ["test", "-p", "xdm-inlet", "--test", "official_schemas"], {
      env: { ...nativeEnv, XDM_EVENTS: SENT },
      ...shown,
    }),
});
total("All tests passed");
