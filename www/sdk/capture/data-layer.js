// The page's data layer: tells the core what is pushed into it. What becomes of that, the mapping says
// (src/collect/data_layer.rs).
//
// Both kinds are heard by wrapping `push`. Adobe's listeners would do for its data layer, but once there is one
// anywhere, it clones each event for it, and throws into the page's `push` where there is a function or an
// element in it.

import { on, safe } from "./safe.js";

/** How much of one event is read at most: how many values, and how deep they are nested. */
const MAX_VALUES = 9999;
const MAX_DEPTH = 24;

const PLAIN = ["string", "number", "boolean"];
/** Stands for each element of an array in a path. */
const EACH = "*";

/** @type {import("./index.js").Start} */
export function start(capture) {
  // After a fault of the engine the next one is asked.
  const { kind, name, mapping } = JSON.parse(capture("dataLayer", {}) ?? capture("dataLayer", {}));
  const entries = new Map(Object.entries(mapping));
  const layers = new WeakSet();
  const heard = new WeakSet();

  /** What is pushed. It is read before anybody else sees it. */
  const hear = safe((pushed, layer) => {
    heard.add(pushed);
    const [event, payload] = named(pushed);
    const fields = entries.has(event) ? entries.get(event) : entries.get("*");
    if (typeof event !== "string" || !fields) return;
    const read = reader(payload, () => layer.getState?.());
    const values = {};
    for (const source of Object.values(fields))
      if (typeof source === "string") values[source] = safe(read)(source);
    capture("dataLayer", { event, values });
  });

  const follow = (layer) => {
    if (layers.has(layer)) return;
    layers.add(layer);
    for (const pushed of Array.from(layer)) if (!heard.has(pushed)) hear(pushed, layer);
    // Whoever has wrapped it before us, or does so after us, is called all the same.
    const inner = layer.push;
    const wrapped = function (...items) {
      for (const pushed of items) hear(pushed, layer);
      return inner.apply(this, items);
    };
    // One that takes nothing new has told all it has.
    Reflect.set(layer, "push", wrapped);
  };

  /** Adobe's library puts a `push` of its own there, and then calls functions that wait among the rest. */
  const adopt = safe(follow);
  const asked = new WeakSet();
  const look = safe(() => {
    window[name] ??= [];
    const layer = window[name];
    if (kind === "array") follow(layer);
    else if (!asked.has(layer)) {
      asked.add(layer);
      layer.push(adopt);
    }
  });
  look();
  // A page that makes its data layer in a script below ours may put another one there.
  on(document, "DOMContentLoaded", look);
  on(window, "load", look);
}

/** The name of an event and what comes with it; `gtag("event", name, parameters)` pushes its `arguments`. */
function named(pushed) {
  if (Object.prototype.toString.call(pushed) !== "[object Arguments]") return [pushed.event, pushed];
  const [command, event, parameters] = pushed;
  return command === "event" ? [event, { ...parameters, event }] : [];
}

/** Reads paths in what was pushed and, where nothing is there, in the state that it was pushed into. */
function reader(payload, getState) {
  let state;
  const find = (path) => {
    // Google's own names have dots in them.
    if (path in payload) return copy(payload[path]);
    const keys = path.split(/[.[\]]/).map((key) => key.trim());
    const steps = keys.filter(Boolean);
    const found = step(payload, steps);
    if (found !== undefined) return found;
    state ??= getState() ?? {};
    return step(state, steps);
  };
  // `{eventInfo.path}.title`: the text that is found at the path in braces is a part of the path.
  return (path) => find(path.replace(/\{([^{}]+)\}/g, (_, inner) => find(inner)));
}

/** A copy of what is found there; `undefined` for nothing, and `null` for what is explicitly nothing. */
function step(value, [key, ...rest]) {
  if (key === undefined) return copy(value);
  if (value === null || typeof value !== "object") return value === null ? null : undefined;
  if (key === EACH)
    return Array.isArray(value) ? value.map((element) => step(element, rest) ?? null) : undefined;
  return step(value[key] ?? (key in value ? null : undefined), rest);
}

/** A copy of what JSON can hold: without functions, elements of a document, and what is in itself. */
function copy(top) {
  let left = MAX_VALUES;
  const read = (value, around) => {
    if (value === null || PLAIN.includes(typeof value)) return value;
    if (typeof value !== "object" || around.includes(value) || around.length > MAX_DEPTH || left-- < 1)
      return;
    if (value.window === value || (value.nodeType && value.nodeName)) return;
    const inside = [...around, value];
    if (typeof value.toJSON === "function") return read(value.toJSON(), inside);
    const all = Object.keys(value).map((key) => [key, safe(() => read(value[key], inside))()]);
    const had = all.filter(([, one]) => one !== undefined);
    return Array.isArray(value) ? had.map(([, one]) => one) : Object.fromEntries(had);
  };
  return read(top, []);
}
