// Starts the WebAssembly engine, once for all instances of a page.

import init, * as engine from "#engine";

/** The engine is given up when it has not come after this long. */
const LOAD_TIMEOUT_MS = 30_000;

let started;

/** Wraps a callback so that a fault of ours never reaches the page. */
const guard =
  (callback) =>
  (...args) => {
    try {
      callback(...args);
    } catch {
      // The instance is unusable from here on; its calls say so.
    }
  };

async function compile(url) {
  try {
    return await WebAssembly.compileStreaming(fetch(url));
  } catch {
    // Streaming wants the type application/wasm, which not every server sends.
    return WebAssembly.compile(await (await fetch(url)).arrayBuffer());
  }
}

/**
 * Fetches, compiles and starts the engine.
 *
 * @param {string | URL} url where xdm-beacon.wasm is
 * @returns {Promise<typeof engine>} rejected when it cannot run here
 */
export function start(url) {
  started ??= Promise.race([
    init({ module_or_path: compile(url) }).then(() => {
      engine.start(guard);
      return engine;
    }),
    new Promise((_, reject) => {
      setTimeout(() => reject(new Error("it took too long to load")), LOAD_TIMEOUT_MS);
    }),
  ]);
  return started;
}
