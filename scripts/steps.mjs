// Runs set-up one step at a time and says so: what it does, how long it took, and, when a step
// fails, which command it was and what to do about it.

import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const tools = JSON.parse(readFileSync(join(root, "scripts/tools.json"), "utf8"));

/** Tools outlive a clone: they are kept here, not in the target folder. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "xdm-beacon");

const HEARTBEAT_MS = 30_000;
const started = Date.now();
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** A failure a person can act on. */
export class StepError extends Error {
  /**
   * @param {string} what the failure in words
   * @param {string} remedy what to do next
   */
  constructor(what, remedy) {
    super(what);
    this.remedy = remedy;
  }
}

/**
 * Runs one step and prints a line for it. `done()` true means that it is there already.
 *
 * @param {string} name
 * @param {{done?: () => boolean | Promise<boolean>, skipped?: string, run: () => unknown, remedy?: string}} step
 */
export async function step(name, { done, skipped = "already there", run, remedy }) {
  const since = Date.now();
  if (done && (await done())) {
    console.log(`  = ${name} (${skipped})`);
    return;
  }
  console.log(`  > ${name} …`);
  const beat = setInterval(() => console.log(`    still at it: ${name}, ${seconds(since)}`), HEARTBEAT_MS);
  try {
    await run();
  } catch (error) {
    console.error(`\n  ✗ ${name}: failed after ${seconds(since)}`);
    console.error(`    ${error.message}`);
    console.error(
      `    What to do: ${error.remedy ?? remedy ?? "read the output above, mend it, run this again"}\n`,
    );
    process.exit(1);
  } finally {
    clearInterval(beat);
  }
  console.log(`  ✓ ${name} (${seconds(since)})`);
}

/** Prints how long everything took. */
export const total = (what) => console.log(`${what} after ${seconds(started)}.`);

/**
 * Runs a command to its end. Its output goes to a log and is shown only when it fails, unless
 * `show` is set.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{env?: Record<string, string>, cwd?: string, show?: boolean, timeoutMs?: number}} [options]
 * @returns {Promise<string>} its standard output (empty with `show`)
 */
export function run(command, args, { env = {}, cwd = root, show = false, timeoutMs = 0 } = {}) {
  const line = [command, ...args].join(" ");
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", show ? "inherit" : "pipe", show ? "inherit" : "pipe"],
      timeout: timeoutMs,
    });
    let stdout = "";
    let output = "";
    let log;
    if (!show) {
      mkdirSync(join(root, "target"), { recursive: true });
      log = createWriteStream(join(root, "target/setup.log"), { flags: "a" });
      log.write(`\n$ ${line}\n`);
      const keep = (chunk) => {
        output += chunk;
        log.write(chunk);
      };
      child.stdout.on("data", (chunk) => {
        stdout += chunk;
      });
      child.stdout.on("data", keep);
      child.stderr.on("data", keep);
    }
    child.on("error", (error) =>
      reject(new StepError(`$ ${line}\n    ${error.message}`, `is '${command}' installed and on PATH?`)),
    );
    child.on("close", (code, signal) => {
      log?.end();
      if (code === 0) {
        resolve(stdout);
        return;
      }
      const tail = output.trimEnd().split("\n").slice(-30).join("\n    ");
      reject(new StepError(`$ ${line}\n    ended with ${signal ?? code}\n    ${tail}`));
    });
  });
}

/** Whether a command runs and exits with 0. */
export const works = (command, args, options) =>
  run(command, args, options).then(
    () => true,
    () => false,
  );
