// Builds what is served: the library for pages (dist/sdk), the demo shop (dist/site), and the
// inspector (dist/inspector). The WebAssembly module itself comes from scripts/build.mjs, which runs
// before this.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import CopyPlugin from "copy-webpack-plugin";
import { minify } from "terser";
import { fileOf, names } from "./scripts/chunks.mjs";
import { esmHead, scriptHead } from "./scripts/demo.mjs";

const at = (path) => resolve(import.meta.dirname, path);
const PLACEHOLDER = "<!-- xdm-beacon -->";
/** What the library fetches only where it is asked for. */
const CHUNKS = at("www/sdk/capture/chunks.js");

const library = (name, entry, output) => ({
  name,
  mode: "production",
  target: ["web", "es2020"],
  entry: at(entry),
  output: { path: at("dist/sdk"), ...output },
  resolve: { alias: { "#engine": at("target/glue/xdm_beacon.js") } },
  // `new URL("./xdm-beacon.wasm", import.meta.url)` stays as it is, for the page's own bundler.
  module: {
    parser: { javascript: { importMeta: false, url: false } },
    rules: [{ test: CHUNKS, loader: at("scripts/chunks.mjs"), options: { script: name === "script" } }],
  },
  performance: false,
});

const module = (name, entry, filename) => ({
  ...library(name, entry, { filename, module: true, library: { type: "module" } }),
  experiments: { outputModule: true },
});

const copy = (name, path, patterns) => ({
  name,
  mode: "production",
  entry: {},
  output: { path: at(path) },
  plugins: [new CopyPlugin({ patterns })],
  performance: false,
});

/** What the shop's pages have in common is a file of its own, which each names. */
const withParts = (html) =>
  html.replace(/<!-- part: (\w+) -->/g, (_, name) =>
    readFileSync(at(`www/demo/parts/${name}.html`), "utf8").trim(),
  );

const pages = (head, to = ".") => ({
  from: at("www/demo/*.html"),
  to: `${to}/[name][ext]`,
  transform: (html) => withParts(html.toString()).replace(PLACEHOLDER, () => head),
});

export default async () => {
  const { code } = await minify(readFileSync(at("www/sdk/base-code.js"), "utf8"), { ecma: 2021 });
  const chunks = names(readFileSync(CHUNKS, "utf8"));
  const everythingElse = { globOptions: { ignore: ["**/*.html", "**/README.md"] } };
  return [
    library("script", "www/sdk/script.js", { filename: "xdm-beacon.js" }),
    { ...module("esm", "www/sdk/index.js", "index.js"), dependencies: ["script"] },
    ...chunks.map((name) => module(name, `www/sdk/capture/${name}.js`, fileOf(name))),
    copy("types", "dist/sdk", [
      { from: at("www/sdk/index.d.ts") },
      { from: at("www/sdk/base-code.js"), transform: () => code },
    ]),
    {
      ...copy("site", "dist/site", [
        pages(scriptHead(code)),
        pages(esmHead(), "esm"),
        { from: at("www/demo"), ...everythingElse },
        { from: at("www/demo"), to: "esm", ...everythingElse },
        { from: at("dist/sdk"), to: "sdk" },
        { from: at("dist/sdk"), to: "esm/sdk" },
      ]),
      dependencies: ["script", "esm", "types", ...chunks],
    },
    copy("inspector", "dist/inspector", [{ from: at("www/inspector") }]),
  ];
};
