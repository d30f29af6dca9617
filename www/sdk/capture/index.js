// What is captured of a page by itself. A module looks, and hands what it has seen over; what that is worth
// is decided by the core (src/collect/).

import { chunks } from "./chunks.js";
import * as clicks from "./clicks.js";
import * as pageViews from "./page-views.js";
import * as tcf from "./tcf.js";

/**
 * Hands over what was seen: its kind, what it is (plain data), and when and where if that is not here and now.
 * Gives back what the core wants to have back the next time, if it can say so at once.
 *
 * @typedef {(kind: string, seen: object, moment?: unknown[]) => string | undefined} Capture
 * @typedef {(command: string, options?: object) => Promise<unknown>} Call an instance
 * @typedef {(capture: Capture, call: Call) => void} Start
 */

/** Modules that come with the library, by the names that the core has for them. */
const included = { pageViews, clicks, tcf };

/**
 * Starts what is asked for. What cannot be had is not captured.
 *
 * @param {string} names parted by spaces
 * @param {Capture} capture
 * @param {Call} call for what calls like the page does
 */
export function start(names, capture, call) {
  names.split(" ").forEach(async (name) => {
    try {
      const module = included[name] ?? (await chunks[name]?.());
      module?.start(capture, call);
    } catch {
      // Nobody waits for it, and the page shall not hear of it.
    }
  });
}
