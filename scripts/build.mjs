// Builds everything a page downloads: the core as WebAssembly, small, then the bundles around it.

import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setup, stdSource, wasmEnv } from "./setup.mjs";
import { root, run, StepError, step, total } from "./steps.mjs";

const TARGET = "wasm32-unknown-unknown";
const cargoOut = join(root, "target", TARGET, "page/xdm_beacon.wasm");
const glueWasm = join(root, "target/glue/xdm_beacon_bg.wasm");
const wasm = join(root, "dist/sdk/xdm-beacon.wasm");

const bin = (name) => join(root, "node_modules/.bin", name);
const newer = (output, input) => existsSync(output) && statSync(output).mtimeMs >= statSync(input).mtimeMs;

/** The features of the engines we build for; named, so that no later one slips in. */
const FEATURES = [
  "bulk-memory",
  "nontrapping-float-to-int",
  "sign-ext",
  "mutable-globals",
  "reference-types",
  "multivalue",
];

async function cargo() {
  const env = { ...wasmEnv, CARGO_TARGET_DIR: join(root, "target") };
  const args = ["build", "--lib", "--profile", "page", "--target", TARGET];
  if (await stdSource()) {
    // With std's source at hand, std itself is built small and a panic becomes a bare trap.
    args.push("-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size");
    env.RUSTC_BOOTSTRAP = "1";
    env.RUSTFLAGS = "-Zunstable-options -Cpanic=immediate-abort -Clink-arg=-zstack-size=65536";
  } else {
    env.RUSTFLAGS = "-Clink-arg=-zstack-size=65536";
  }
  await run("cargo", args, { env });
}

/** Runs webpack with webpack.config.js. */
async function bundle() {
  const [{ default: webpack }, { default: config }] = await Promise.all([
    import("webpack"),
    import("../webpack.config.js"),
  ]);
  const compiler = webpack(await config());
  await new Promise((resolve, reject) => {
    compiler.run((error, stats) => {
      if (error) reject(error);
      else if (stats.hasErrors()) reject(new StepError(stats.toString("errors-only")));
      else compiler.close(resolve);
    });
  });
}

export async function build() {
  mkdirSync(join(root, "dist/sdk"), { recursive: true });
  await step("compile the core to WebAssembly", { run: cargo });
  await step("make the module small", {
    done: () => newer(wasm, cargoOut),
    run: async () => {
      await run(
        "wasm-bindgen",
        [
          cargoOut,
          "--target",
          "web",
          "--omit-default-module-path",
          "--no-typescript",
          // Lets the loader start afresh after a trap.
          "--experimental-reset-state-function",
          "--out-dir",
          join(root, "target/glue"),
        ],
        {
          env: wasmEnv,
        },
      );
      await run(bin("wasm-opt"), [
        glueWasm,
        "-Oz",
        "--converge",
        ...FEATURES.map((name) => `--enable-${name}`),
        "--strip-debug",
        "--strip-producers",
        "-o",
        wasm,
      ]);
    },
  });
  await step("bundle the library, the shop and the inspector", { run: bundle });
}

if (import.meta.url === `file://${process.argv[1]}`) {
  await setup({ wasm: true });
  await build();
  total("Built");
}
