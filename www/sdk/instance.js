// An instance: the function a page calls. It reads its options before it returns, queues until the
// engine runs, and settles every promise.

import { start as startCapture } from "./capture/index.js";
import {
  command as carryOut,
  create,
  declare,
  onRestart,
  capture as take,
  tracking,
  trapped,
} from "./engine.js";

/** @typedef {{run: Function, resolve: Function, reject: Function, command: string, text: string, moment: unknown[], entropy: Uint8Array, before?: Function, depth: number, answer?: string}} Entry */

/** How deep events may be nested that the page's `onBeforeEventSend` sends about events that it sent. */
const MAX_DEPTH = 8;

function failure(name, code, text) {
  return Object.assign(new Error(`${name}: ${text}`), { code });
}

/** What was thrown, in words: it can be anything, a symbol or an object without a text included. */
function words(thrown) {
  try {
    return String(thrown);
  } catch {
    return "an error without a text";
  }
}

/** Options as JSON text, "" for none, or the error that tells why they have no JSON form. */
function textOf(name, options, replacer) {
  try {
    if (options instanceof Error) throw options;
    // Any replacer, be it null, costs the browser's quick and deep way of doing this.
    return JSON.stringify(options, replacer) ?? "";
  } catch (error) {
    return failure(
      name,
      "not-json",
      `'${culprit(options)}' cannot be turned into JSON: pass plain data (${words(error)})`,
    );
  }
}

/** The option that has no JSON form. */
function culprit(options) {
  let at = "options";
  try {
    for (const key in options) {
      at = key;
      JSON.stringify(options[key]);
    }
  } catch {
    return at;
  }
  return "options";
}

/** Sixteen random bytes. */
function random() {
  const bytes = new Uint8Array(16);
  try {
    return crypto.getRandomValues(bytes);
  } catch {
    return bytes.map(() => Math.random() * 256);
  }
}

const nothing = () => {};

/** The moment of a call. */
const now = () => [Date.now(), location.href, document.title, document.referrer];

/**
 * @param {string} name what messages call the instance
 * @param {Promise<void>} started when the engine runs
 * @param {Record<string, string>} [dataset] the attributes of the script tag, when they configure it
 * @param {Array} [replay] what the base code queued
 */
export function instance(name, started, dataset, replay = []) {
  /** In the order of the calls: what waits for the engine or has not been settled. @type {Set<Entry>} */
  const open = new Set();
  /** The engine's number for this instance, once it runs. */
  let handle;
  /** Why it does not and will not. */
  let refuse;
  /** The options that an engine which takes over is configured with, and the function that came with them. */
  let configuration, before;
  /** While that function has an event, the calls that it makes wait here: events keep their order. */
  let showing = false;
  const late = [];
  /** How deep the call that is handed over is nested in such calls. */
  let depth = 0;
  /** The moment of a tag's own `configure`: before a router changes the URL. */
  const moment = now();
  /** Whether the page is captured for it. */
  let captured;
  const owner = [...random()].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const submit = (entry) => {
    const { run, command, text, moment, entropy } = entry;
    const end = (settle) => (value) => {
      open.delete(entry);
      settle(value);
    };
    const reject = end(entry.reject);
    const resolve = end((value) => {
      if (command === "configure") {
        [configuration, before] = [text, entry.before];
        begun();
      }
      entry.resolve(value);
    });
    if (refuse) {
      refuse(reject);
      return;
    }
    try {
      entry.answer = run(handle, command, text, moment, entropy, resolve, reject);
    } catch (error) {
      // Whoever brought the engine down is not asked to do it again.
      reject(failed(error));
      trapped(error);
    }
  };

  /** Hands entries over, in the order of their calls. */
  const hand = (...entries) => {
    late.push(...entries);
    if (showing) return;
    while (late.length) {
      const next = late.shift();
      depth = next.depth;
      submit(next);
    }
    depth = 0;
  };

  /** Hands over all that is not settled, to a fresh engine or to its end. */
  const handAll = () => {
    late.length = 0;
    hand(...open);
  };

  /** Shows an event to the page's function. Gives back what it has become, `false` to cancel it, or `true`: undecided. */
  const show = (event) => {
    showing = true;
    try {
      const content = { xdm: JSON.parse(event) };
      const verdict = before(content);
      if (typeof verdict?.then === "function") {
        Promise.resolve(verdict).catch(nothing);
        return true;
      }
      return verdict !== false && (JSON.stringify(content.xdm) ?? "null");
    } catch (error) {
      throw words(error);
    } finally {
      showing = false;
    }
  };

  const failed = (error) =>
    failure(name, "engine-failed", `the engine failed (${words(error)}): reload the page and report this`);

  /** Takes an entry, in the order of the calls. */
  const enqueue = (entry) => {
    if (showing && depth === MAX_DEPTH) {
      const remedy = "let it tell its own events apart, and send none about them";
      const words = `'onBeforeEventSend' sends events without end: ${remedy}`;
      entry.reject(failure(name, "callback-loops", words));
      return;
    }
    if (showing) entry.depth = depth + 1;
    open.add(entry);
    if (refuse || handle !== undefined) hand(entry);
  };

  const accept = ([resolve, reject, [command, options], moment]) => {
    const entry = { run: carryOut, resolve, reject, command: words(command), moment, depth: 0 };
    // JSON leaves functions out; left in, one that is no option is refused by its name.
    const keepFunctions = (key, value) => {
      if (typeof value !== "function") return value;
      if (key === "onBeforeEventSend") entry.before = value;
      return "a function";
    };
    const text = textOf(name, options, command === "configure" ? keepFunctions : undefined);
    if (text instanceof Error) {
      reject(text);
      return;
    }
    enqueue(Object.assign(entry, { text, entropy: random() }));
  };

  /**
   * Hands over what a module has seen, like a call. Gives back what the module has to bring along the next time,
   * if it can be said at once.
   */
  const capture = (command, seen, moment = now()) => {
    const text = JSON.stringify(seen);
    const entry = {
      run: take,
      resolve: nothing,
      reject: nothing,
      command,
      text,
      moment,
      entropy: random(),
      depth: 0,
    };
    enqueue(entry);
    return entry.answer;
  };

  /** It is configured: once for all engines, the page is captured. */
  const begun = () => {
    if (captured) return;
    captured = true;
    startCapture(tracking(handle), capture, call);
  };

  const call = (command, options) => {
    const promise = new Promise((resolve, reject) => {
      accept([resolve, reject, [command, options], now()]);
    });
    // Whoever does not ask for the outcome is not bothered with it.
    promise.catch(nothing);
    return promise;
  };
  // A page may have kept the base code's function: what it queues from now on goes straight on.
  call.q = { push: accept };

  replay.forEach(accept);

  const begin = () => {
    handle = create(name, owner, show);
    if (dataset) {
      declare(handle, JSON.stringify(dataset), moment, begun, ({ message }) => {
        // No promise of the page tells what is wrong with its attributes.
        if (["", "true"].includes(dataset.debug?.trim())) console.warn(message);
      });
    } else if (configuration) {
      carryOut(handle, "configure", configuration, moment, random(), nothing, nothing);
    }
    handAll();
  };

  onRestart((broken) => {
    if (broken) {
      refuse = (reject) => reject(failed(broken));
      handAll();
    } else if (handle !== undefined) begin();
  });
  started.then(begin, (error) => {
    refuse = (reject) =>
      reject(
        failure(
          name,
          "engine-unavailable",
          `the WebAssembly engine cannot run here (${words(error)}): check that xdm-beacon.wasm is served beside the script and that the page's Content-Security-Policy allows 'wasm-unsafe-eval'`,
        ),
      );
    handAll();
  });
  return call;
}
