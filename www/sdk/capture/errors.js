// Errors: tells the core what was thrown and not caught. What counts, and what is told of it, is decided there
// (src/collect/error.rs).

import { cut } from "./dom.js";
import { on, safe } from "./safe.js";

/** How much of a text is read. */
const MAX_TEXT = 4096;
const MAX_STACK = 16_384;

/** The lines that fit: half an address would not be known for one and taken out. */
const lines = (stack) =>
  stack.length > MAX_STACK ? stack.slice(0, Math.max(0, stack.lastIndexOf("\n", MAX_STACK))) : stack;

/** What was thrown, in words. It can be anything, and anything may happen when it is looked at. */
function described(thrown) {
  if (Object(thrown) !== thrown) return { message: cut(String(thrown), MAX_TEXT) };
  const text = safe((key) => {
    const value = thrown[key];
    return typeof value === "string" ? value : undefined;
  });
  // What an object holds is nobody's business.
  const kind = safe(() => Object.prototype.toString.call(thrown));
  return {
    name: cut(text("name") ?? "", MAX_TEXT),
    message: cut(text("message") ?? kind() ?? "", MAX_TEXT),
    stack: lines(text("stack") ?? ""),
  };
}

/** @type {import("./index.js").Start} */
export function start(capture) {
  /** What goes wrong while we look at what went wrong is not looked at. */
  let looks = false;
  const tell = (kind, thrown, where) => {
    if (looks) return;
    looks = true;
    try {
      capture("error", { kind, ...described(thrown), ...where });
    } finally {
      looks = false;
    }
  };
  // What cannot be loaded has an event of the same name, which does not get here.
  on(window, "error", ({ isTrusted, error, message, filename: source, lineno: line, colno: column }) => {
    // Of a script from another origin, and where nothing was thrown, there is a message alone.
    if (isTrusted) tell("error", error ?? { message }, { source, line, column });
  });
  // Whether it is trusted says nothing here: WebKit's own is not.
  on(window, "unhandledrejection", ({ reason }) => tell("unhandledrejection", reason));
}
