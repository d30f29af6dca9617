// Bundles the single-page shops; what comes out is for tests alone.

import { resolve } from "node:path";
import webpack from "webpack";
import { root, StepError } from "../../../scripts/steps.mjs";

const here = (path) => resolve(import.meta.dirname, path);

/** @returns {Promise<string>} the folder with react.js and vue.js */
export async function buildRouters() {
  const folder = resolve(root, "target/routers");
  const compiler = webpack({
    mode: "production",
    target: ["web", "es2022"],
    entry: { react: here("react.js"), vue: here("vue.js") },
    output: { path: folder, filename: "[name].js" },
    performance: false,
  });
  await new Promise((done, fail) => {
    compiler.run((error, stats) => {
      if (error) fail(error);
      else if (stats.hasErrors()) fail(new StepError(stats.toString("errors-only")));
      else compiler.close(done);
    });
  });
  return folder;
}
