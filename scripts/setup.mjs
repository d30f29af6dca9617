// Installs what this machine lacks, and only that. Every step first looks whether it is needed.
// What is asked for: "wasm" (build the library), "browser" (Chromium and its driver), "engines" (Firefox and
// WebKit besides), "wasm-pack".

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { cache, run, StepError, step, tools, works } from "./steps.mjs";

const TARGET = "wasm32-unknown-unknown";
const DEBIAN_RUSTLIB = "/usr/lib/rustlib";
const DEBIAN_TOOLCHAIN = "debian";
const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];

const binaries = join(cache, "bin");

/** The environment in which cargo builds for wasm32; filled in by `setup`. */
export const wasmEnv = { PATH: `${binaries}:${process.env.PATH}` };

const sysrootHasTarget = (sysroot) => {
  const lib = join(sysroot, "rustlib", TARGET, "lib");
  return existsSync(lib) && readdirSync(lib).some((name) => name.startsWith("libstd-"));
};

const rustupHasTarget = () =>
  run("rustup", ["target", "list", "--installed"]).then(
    (list) => list.split("\n").includes(TARGET),
    () => false,
  );

const debianHasTarget = async () =>
  sysrootHasTarget("/usr/lib") &&
  existsSync(join(DEBIAN_RUSTLIB, "x86_64-unknown-linux-gnu/bin/rust-lld")) &&
  (await works("cargo", [`+${DEBIAN_TOOLCHAIN}`, "--version"]));

async function apt(packages) {
  const [command, ...args] = [...asRoot, "apt-get"];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run(command, [...args, "update"], { env });
  await run(command, [...args, "install", "-y", "--no-install-recommends", ...packages], { env });
}

/** Debian ships the compiler and std's source, but no std for wasm32: build it once, put it in place. */
async function wasmFromDebian() {
  await apt(tools.debian.wasm);
  const linker = join(DEBIAN_RUSTLIB, "x86_64-unknown-linux-gnu/bin/rust-lld");
  if (!existsSync(linker)) {
    mkdirSync(join(linker, ".."), { recursive: true });
    symlinkSync(tools.debian.lld, linker);
  }
  const scratch = join(cache, "std");
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(join(scratch, "src"), { recursive: true });
  writeFileSync(
    join(scratch, "Cargo.toml"),
    '[package]\nname = "std-for-wasm"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n',
  );
  writeFileSync(join(scratch, "src/lib.rs"), "");
  await run(
    "/usr/bin/cargo",
    ["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort,panic_unwind,test"],
    {
      cwd: scratch,
      env: {
        RUSTC_BOOTSTRAP: "1",
        RUSTC: "/usr/bin/rustc",
        CARGO_TARGET_DIR: join(scratch, "target"),
        RUSTFLAGS: "",
      },
    },
  );
  const built = join(scratch, "target", TARGET, "release/deps");
  const lib = join(DEBIAN_RUSTLIB, TARGET, "lib");
  mkdirSync(lib, { recursive: true });
  for (const name of readdirSync(built)) {
    if (name.endsWith(".rlib")) copyFileSync(join(built, name), join(lib, name));
  }
  await run("rustup", ["toolchain", "link", DEBIAN_TOOLCHAIN, "/usr"]);
  rmSync(scratch, { recursive: true, force: true });
}

async function wasmTarget() {
  if (await works("rustup", ["target", "add", TARGET], { timeoutMs: 120_000 })) {
    // std's source makes the small build possible; without it the plain one is built.
    await works("rustup", ["component", "add", "rust-src"], { timeoutMs: 120_000 });
    return;
  }
  if (
    !(await works("apt-get", ["--version"])) ||
    !(await works(asRoot[0] ?? "true", asRoot[0] ? ["-n", "true"] : []))
  ) {
    throw new StepError(
      `'rustup target add ${TARGET}' failed, and Debian's packages cannot be installed from here (no apt-get, or no right to use it).`,
      `give this machine access to rustup's server and run 'rustup target add ${TARGET}', or run this as root on Debian`,
    );
  }
  await wasmFromDebian();
}

const cargoTool = (name, crate, version, locked) =>
  step(`install ${name} ${version} (built from source, some minutes)`, {
    done: () =>
      works(join(binaries, name), ["--version"]).then(
        (there) => there && existsSync(join(cache, `${name}-${version}`)),
      ),
    run: async () => {
      await run(
        "cargo",
        ["install", crate, "--version", version, "--root", cache, "--force", ...(locked ? ["--locked"] : [])],
        {
          env: { CARGO_TARGET_DIR: join(cache, "build") },
        },
      );
      rmSync(join(cache, "build"), { recursive: true, force: true });
      writeFileSync(join(cache, `${name}-${version}`), "");
    },
    remedy: `see target/setup.log; 'cargo install ${crate} --version ${version}' must work`,
  });

/**
 * Makes the machine ready.
 *
 * @param {{wasm?: boolean, browser?: boolean, engines?: boolean, wasmPack?: boolean}} wants
 */
export async function setup({ wasm = false, browser = false, engines = false, wasmPack = false }) {
  mkdirSync(binaries, { recursive: true });
  await step(`check Node ${tools.node} or newer and rustup`, {
    run: async () => {
      if (Number(process.versions.node.split(".")[0]) < tools.node) {
        throw new StepError(`this is Node ${process.versions.node}`, `install Node ${tools.node} or newer`);
      }
      if (!(await works("rustup", ["--version"])) || !(await works("cargo", ["--version"]))) {
        throw new StepError(
          "rustup or cargo does not run",
          "install Rust with rustup (https://rustup.rs), then run this again",
        );
      }
    },
  });
  await step("install npm packages", {
    done: () => works("npm", ["ls", "--all=false", "--silent"]),
    run: () => run("npm", ["ci"]),
    remedy: "is the npm registry reachable?",
  });
  if (wasm) {
    await step("get a wasm32 target for Rust", {
      done: async () => (await rustupHasTarget()) || (await debianHasTarget()),
      run: wasmTarget,
    });
    if (!(await rustupHasTarget())) wasmEnv.RUSTUP_TOOLCHAIN = DEBIAN_TOOLCHAIN;
    await cargoTool("wasm-bindgen", "wasm-bindgen-cli", tools["wasm-bindgen"], false);
  }
  if (wasmPack) await cargoTool("wasm-pack", "wasm-pack", tools["wasm-pack"], true);
  if (browser) {
    await step("install Chromium and its driver", {
      done: () => existsSync(chromium()) && existsSync(chromedriver()),
      run: () => apt(tools.debian.browser),
      remedy: "install Chromium and chromedriver yourself and name them in CHROMIUM and CHROMEDRIVER",
    });
  }
  if (engines) {
    await step("install Firefox", {
      done: () => existsSync(firefox()),
      run: () => apt(tools.debian.firefox),
      remedy: "install Firefox yourself and name it in FIREFOX",
    });
    await step("install WebKitGTK, its driver, and a screen for it", {
      done: async () =>
        existsSync(webkitDriver()) &&
        existsSync(miniBrowser()) &&
        (await works("sh", ["-c", "command -v Xvfb"])),
      run: () => apt(tools.debian.webkit),
      remedy:
        "install them yourself: Xvfb on PATH, WebKitWebDriver and MiniBrowser named in WEBKIT_DRIVER and MINI_BROWSER",
    });
  }
}

/** Where Chromium is: the variable CHROMIUM, or Debian's place. */
export const chromium = () => process.env.CHROMIUM || "/usr/bin/chromium";
/** Where its driver is: the variable CHROMEDRIVER, or Debian's place. */
export const chromedriver = () => process.env.CHROMEDRIVER || "/usr/bin/chromedriver";
/** Where Firefox is: the variable FIREFOX, or Debian's place. It needs no driver. */
export const firefox = () => process.env.FIREFOX || "/usr/bin/firefox-esr";
/** Where WebKitGTK's driver is: the variable WEBKIT_DRIVER, or Debian's place. */
export const webkitDriver = () => process.env.WEBKIT_DRIVER || "/usr/bin/WebKitWebDriver";
/** Where WebKitGTK's small browser is: the variable MINI_BROWSER, or Debian's place. */
export const miniBrowser = () =>
  process.env.MINI_BROWSER || "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

/** The folder of std's source when it can be rebuilt for the small module, else null. */
export async function stdSource() {
  const sysroot = (await run("rustc", ["--print", "sysroot"], { env: wasmEnv })).trim();
  return (
    [join(sysroot, "lib/rustlib/src/rust/library"), join(DEBIAN_RUSTLIB, "src/rust/library")].find(
      (path) => path.startsWith(sysroot) && existsSync(join(path, "std/src/lib.rs")),
    ) ?? null
  );
}

if (import.meta.url === `file://${process.argv[1]}`) {
  await setup({ wasm: true, browser: true, engines: true, wasmPack: true });
}
