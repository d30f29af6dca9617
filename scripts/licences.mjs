// Checks that everything we depend on, in Rust and in JavaScript, may be used under Apache-2.0.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, StepError } from "./steps.mjs";

const ALLOWED = [
  "0BSD",
  "Apache-2.0",
  "Apache-2.0 WITH LLVM-exception",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BSL-1.0",
  "CC-BY-3.0",
  "CC-BY-4.0",
  "CC0-1.0",
  "CDLA-Permissive-2.0",
  "ISC",
  "MIT",
  "MIT-0",
  "MPL-2.0",
  "Python-2.0",
  "Unicode-3.0",
  "Unlicense",
  "Zlib",
];

async function crates() {
  const metadata = JSON.parse(await run("cargo", ["metadata", "--format-version", "1", "--locked"]));
  return metadata.packages
    .filter((crate) => crate.source)
    .map((crate) => ({
      name: `crate ${crate.name} ${crate.version}`,
      licence: crate.license?.replaceAll("/", " OR "),
    }));
}

function npmPackages() {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  return Object.entries(packages)
    .filter(([path]) => path)
    .map(([path, { version, license }]) => ({
      name: `npm ${path.replace(/^.*node_modules\//, "")} ${version}`,
      licence: license,
    }));
}

/** Throws with the names of all packages whose licence is not on the list. */
export async function checkLicences() {
  // Not above: this file is loaded before set-up has installed any package.
  const { default: satisfies } = await import("spdx-satisfies");
  const offenders = [...(await crates()), ...npmPackages()].filter(({ licence }) => {
    try {
      return !satisfies(licence, ALLOWED);
    } catch {
      return true;
    }
  });
  if (offenders.length > 0) {
    const lines = offenders.map(({ name, licence }) => `${name}: ${licence ?? "none stated"}`);
    throw new StepError(
      lines.join("\n    "),
      "replace these, or read their licence and add it to scripts/licences.mjs",
    );
  }
}
