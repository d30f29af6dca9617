// The ESM build: `import { createInstance } from "xdm-beacon"`.
// Importing it does nothing, so that it can stand in code that also runs on a server.

import { start } from "./engine.js";
import { instance } from "./instance.js";

/**
 * Makes an instance: a function that takes a command and its options and returns a promise.
 *
 * @param {{name?: string, wasmUrl?: string | URL}} [options] `name` begins its messages; `wasmUrl`
 *   says where xdm-beacon.wasm is, if not beside this module
 */
export function createInstance({ name = "xdmBeacon", wasmUrl } = {}) {
  if (typeof document === "undefined") {
    // On a server there is no page and nothing to send.
    return () => Promise.resolve({ status: "dropped", reason: "no-page" });
  }
  return instance(name, start(wasmUrl ?? new URL("./xdm-beacon.wasm", import.meta.url)));
}
