// Starts the WebAssembly engine, once for all instances of a page.

import init, * as engine from "#engine";

/** The engine is given up when it has not come after this long. */
const LOAD_TIMEOUT_MS = 30_000;

let started;
/** How many engines have trapped, and whether the last one has, too. */
let restarts = 0;
let broken;
/** Settled when the engine that runs now is gone: with it go the locks it holds. */
let gone, goes;
/** What the engine wants to know after a restart. */
const memory = {};
/** What to do for each instance when the engine had to be started anew, or cannot be. */
const revivals = [];

/**
 * An exception out of the engine is a fault of ours, and the engine is unusable from there on. A fresh one
 * takes over, once; instances give it what they had not settled, and the outbox has the rest.
 */
export function trapped(error, of = restarts) {
  // The second of two faults of one engine, or a callback of an engine that is gone.
  if (of < restarts || broken) return;
  restarts++;
  goes();
  try {
    if (restarts > 1) throw error;
    engine.__wbg_reset_state();
    run();
  } catch {
    broken = error;
  }
  for (const revive of revivals) revive(broken);
}

/** Wraps a callback so that a fault of ours never reaches the page. */
const guard = (callback) => {
  const of = restarts;
  const end = gone;
  return (...args) => {
    try {
      const result = callback(...args);
      return result instanceof Promise ? Promise.race([result, end]) : result;
    } catch (error) {
      trapped(error, of);
    }
  };
};

const run = () => {
  gone = new Promise((resolve) => {
    goes = resolve;
  });
  engine.start(guard, memory);
};

async function compile(url) {
  try {
    return await WebAssembly.compileStreaming(fetch(url));
  } catch {
    // Streaming wants the type application/wasm, which not every server sends.
    return WebAssembly.compile(await (await fetch(url)).arrayBuffer());
  }
}

/** A page that is prerendered may never be seen: what it calls waits until it is. */
async function activated() {
  if (document.prerendering)
    await new Promise((resolve) => {
      document.addEventListener("prerenderingchange", resolve, { once: true });
    });
}

/**
 * Fetches, compiles and starts the engine, once for all instances.
 *
 * @param {string | URL} url where xdm-beacon.wasm is
 * @returns {Promise<void>} rejected when it cannot run here
 */
export function start(url) {
  started ??= activated().then(() =>
    Promise.race([
      init({ module_or_path: compile(url) }).then(run),
      new Promise((_, reject) => {
        setTimeout(() => reject(new Error("it took too long to load")), LOAD_TIMEOUT_MS);
      }),
    ]),
  );
  return started;
}

/**
 * Makes the engine's part of an instance.
 *
 * @param {string} name
 * @param {string} owner a random name for the page's life
 * @param {(event: string) => string | boolean} show asks the page's `onBeforeEventSend`
 * @returns {number} its handle
 */
export const create = (name, owner, show) => engine.create(name, owner, restarts, show);

/** @param {(broken?: Error) => void} revive called after a trap: with an error when the engine stays down */
export const onRestart = (revive) => revivals.push(revive);

export const { command, declare, tracking, capture } = engine;
