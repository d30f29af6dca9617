// Builds the inlet and runs it.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { root, run } from "./steps.mjs";

/** Where cargo puts the inlet. `release` is for benchmarks. */
const binary = (release) => join(root, "target", release ? "release" : "debug", "xdm-inlet");

/** Native code is built by the toolchain that is the default here, into our own target folder. */
export const nativeEnv = { CARGO_TARGET_DIR: join(root, "target") };

export const buildInlet = ({ release = false } = {}) =>
  run("cargo", ["build", "-p", "xdm-inlet", ...(release ? ["--release"] : [])], { env: nativeEnv });

const START_TIMEOUT_MS = 30_000;

/**
 * Starts the inlet and waits until it listens.
 *
 * @param {{data: string, port?: number, args?: string[], release?: boolean}} options port 0: any free one
 * @returns {Promise<{origin: string, pid: number, exited: Promise<number | null>, stop: (signal?: string) => Promise<void>}>}
 */
export function startInlet({ data, port = 0, args = [], release = false }) {
  const child = spawn(
    binary(release),
    ["--listen", `127.0.0.1:${port}`, "--data", data, "--www", join(root, "dist/inspector"), ...args],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const exited = new Promise((resolve) => child.once("exit", resolve));
  return new Promise((resolve, reject) => {
    let output = "";
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the inlet did not start within ${START_TIMEOUT_MS} ms: ${output}`));
    }, START_TIMEOUT_MS);
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    child.stdout.on("data", (chunk) => {
      output += chunk;
      const origin = /listening on (http:\/\/\S+)/.exec(output)?.[1];
      if (!origin) return;
      clearTimeout(late);
      resolve({
        origin,
        pid: child.pid,
        exited,
        stop: async (signal = "SIGTERM") => {
          child.kill(signal);
          await exited;
        },
      });
    });
    child.once("error", reject);
    exited.then((code) => {
      clearTimeout(late);
      reject(new Error(`the inlet ended with ${code}: ${output}`));
    });
  });
}
