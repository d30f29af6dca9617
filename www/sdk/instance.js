// An instance: the function a page calls. It reads its options before it returns, queues until the
// engine runs, and settles every promise.

/** @typedef {[resolve: Function, reject: Function, command: unknown, options: string | Error, moment?: unknown[]]} Entry */

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

/** JSON leaves functions out; left in, an option that is none is refused by its name. */
const showFunctions = (_key, value) => (typeof value === "function" ? "a function" : value);

/** Options as JSON text, "" for none, or the error that tells why they have no JSON form. */
function textOf(name, command, options) {
  try {
    if (options instanceof Error) throw options;
    // Any replacer, be it null, costs the browser's quick and deep way of doing this.
    return JSON.stringify(options, command === "configure" ? showFunctions : undefined) ?? "";
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

/**
 * @param {string} name what messages call the instance
 * @param {Promise<typeof import("#engine")>} engine
 * @param {Record<string, string>} [dataset] the attributes of the script tag, when they configure it
 * @param {Array} [replay] what the base code queued
 */
export function instance(name, engine, dataset, replay = []) {
  /** @type {Entry[]} */
  let queue = [];
  /** @type {(entry: Entry) => void} */
  let submit = (entry) => queue.push(entry);

  const accept = ([resolve, reject, [command, options], moment]) => {
    const text = textOf(name, command, options);
    if (text instanceof Error) reject(text);
    else submit([resolve, reject, command, text, moment]);
  };

  const call = (command, options) => {
    const promise = new Promise((resolve, reject) => {
      // Once the engine runs it looks at the page itself.
      const moment = queue && [Date.now(), location.href, document.title, document.referrer];
      accept([resolve, reject, [command, options], moment]);
    });
    // Whoever does not ask for the outcome is not bothered with it.
    promise.catch(() => {});
    return promise;
  };
  // A page may have kept the base code's function: what it queues from now on goes straight on.
  call.q = { push: accept };

  replay.forEach(accept);

  const run = (use) => {
    submit = ([resolve, reject, command, options, moment]) => {
      try {
        use(String(command), options, moment, resolve, reject);
      } catch (error) {
        reject(
          failure(
            name,
            "engine-failed",
            `the engine failed (${words(error)}): reload the page and report this`,
          ),
        );
      }
    };
    const waiting = queue;
    queue = undefined;
    waiting.forEach((entry) => {
      submit(entry);
    });
  };

  engine.then(
    (engine) => {
      const handle = engine.create(name);
      if (dataset)
        engine.declare(
          handle,
          JSON.stringify(dataset),
          () => {},
          ({ message }) => {
            // No promise of the page tells what is wrong with its attributes.
            if (["", "true"].includes(dataset.debug?.trim())) console.warn(message);
          },
        );
      run((...args) => engine.command(handle, ...args));
    },
    (error) => {
      run((_command, _options, _moment, _resolve, reject) => {
        reject(
          failure(
            name,
            "engine-unavailable",
            `the WebAssembly engine cannot run here (${words(error)}): check that xdm-beacon.wasm is served beside the script and that the page's Content-Security-Policy allows 'wasm-unsafe-eval'`,
          ),
        );
      });
    },
  );
  return call;
}
