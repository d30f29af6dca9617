// Three real browsers behind one small interface: Chromium, Firefox, WebKitGTK.
//
// All three speak WebDriver's classic commands: Chromium and WebKit through their drivers over HTTP, Firefox
// itself over its Marionette socket, so that nothing but the browsers' own packages is needed. What WebDriver
// lacks (crash a renderer, go offline, bound the storage) each engine has its own way for, or not at all.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromedriver, chromium, firefox, miniBrowser, webkitDriver } from "../../scripts/setup.mjs";
import { listenOnLoopback, until } from "./support.mjs";

export const engineNames = ["chromium", "firefox", "webkit"];

/** A command that takes longer has hung. */
const COMMAND_LIMIT_MS = 90_000;
/** The same for a script, and for a page to load; below the limit, so that the browser's own words are heard. */
const SCRIPT_LIMIT_MS = 60_000;

/** WebDriver's commands: name in Marionette, HTTP method, path. */
const COMMANDS = {
  actions: ["WebDriver:PerformActions", "POST", "/actions"],
  back: ["WebDriver:Back", "POST", "/back"],
  close: ["WebDriver:CloseWindow", "DELETE", "/window"],
  context: ["Marionette:SetContext"],
  devtools: [null, "POST", "/goog/cdp/execute"],
  execute: ["WebDriver:ExecuteAsyncScript", "POST", "/execute/async"],
  goto: ["WebDriver:Navigate", "POST", "/url"],
  handles: ["WebDriver:GetWindowHandles", "GET", "/window/handles"],
  handle: ["WebDriver:GetWindowHandle", "GET", "/window"],
  open: ["WebDriver:NewWindow", "POST", "/window/new"],
  switch: ["WebDriver:SwitchToWindow", "POST", "/window"],
  timeouts: ["WebDriver:SetTimeouts", "POST", "/timeouts"],
  url: ["WebDriver:GetCurrentURL", "GET", "/url"],
};

/**
 * Starts a browser.
 *
 * @param {"chromium" | "firefox" | "webkit"} name
 * @param {object} [options]
 * @param {string} [options.profile] a folder that outlives the browser; without it one is made and removed.
 *   WebKit keeps nothing there while a driver is attached: see `attended`.
 * @param {boolean} [options.bfcache] whether pages are kept for the way back
 * @param {number} [options.storageBytes] what all origins together may store (Firefox)
 * @param {boolean} [options.attended] false: no driver, the pages act by themselves; `open` is all there is
 */
export async function openEngine(name, { profile, attended = true, ...options } = {}) {
  const own = profile ? undefined : mkdtempSync(join(tmpdir(), `xdm-${name}-`));
  const folder = profile ?? own;
  const started = attended
    ? await start[name](folder, options)
    : { ...unattended[name](folder, options), engine: {} };
  const { children, engine } = started;
  const kill = async () => {
    await Promise.all(children.map((child) => child.end()));
    if (own) rmSync(own, { recursive: true, force: true, maxRetries: 5 });
  };
  if (!attended) return { name, attended, open: started.open, kill, close: kill };
  try {
    const { driver, tabType = "tab" } = started;
    await driver("timeouts", { script: SCRIPT_LIMIT_MS, pageLoad: SCRIPT_LIMIT_MS, implicit: 0 });
    const tabs = tabsOf(driver, await driver("handle", {}), tabType);
    return {
      name,
      attended,
      ...engine,
      /**
       * Opens a tab. The first one stays empty, since the last one's end would be the browser's. `byScript`: as a
       * page does it, so that a page may close it; such a tab never goes into the bfcache.
       */
      open: async (url, { byScript = false } = {}) => {
        const tab = tabs.take(byScript ? await tabs.openByScript() : await tabs.open());
        await tab.goto(url);
        return tab;
      },
      /** SIGKILL, to every process of it. */
      kill,
      close: kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** A browser of each engine, started when a page is first opened in it. */
export function openEngines() {
  const browsers = new Map();
  return {
    open: async (engine, url, options) => {
      if (!browsers.has(engine)) browsers.set(engine, await openEngine(engine));
      return browsers.get(engine).open(url, options);
    },
    close: async () => {
      for (const browser of browsers.values()) await browser.close();
    },
  };
}

/**
 * Runs a test in parts, all in one browser. `run` is given the browser and `part(name, act)`, which calls `reset` first.
 *
 * @param {import("node:test").TestContext} t
 */
export async function inParts(t, engine, reset, run) {
  const browser = await openEngine(engine);
  const part = (name, act) =>
    t.test(name, async () => {
      await reset();
      await act();
    });
  try {
    await run(browser, part);
  } finally {
    await browser.close();
  }
}

/** Tabs; the commands of all of them take turns. New ones are opened from the first, since any other may crash. */
function tabsOf(driver, first, type) {
  const at = (handle, ...command) => driver.inOrder([["switch", { handle, name: handle }], command]);
  return {
    open: async () => (await at(first, "open", { type })).handle,
    openByScript: async () => {
      const known = await driver("handles", {});
      await at(first, "execute", { script: 'window.open("about:blank"); arguments[0]()', args: [] });
      return until("the new tab", async () =>
        (await driver("handles", {})).find((handle) => !known.includes(handle)),
      );
    },
    take: (handle) => tabOf(driver, handle, (...command) => at(handle, ...command)),
  };
}

function tabOf(driver, handle, here) {
  /** Calls `run` in the page with arguments that JSON can carry, and waits for what it gives back. */
  const evaluate = async (run, ...args) => {
    const script = `const done = arguments[arguments.length - 1];
      new Promise((resolve) => resolve((${run})(...arguments[0])))
        .then((value) => done({ value }), (error) => done({ error: String(error) }));`;
    const { value, error } = await here("execute", { script, args: [args] });
    if (error) throw new Error(error);
    return value;
  };
  return {
    handle,
    goto: (url) => here("goto", { url }),
    back: () => here("back", {}),
    /** Where it is. Unlike `evaluate`, which Firefox listens for `unload` at, it may be asked of a page that goes. */
    url: () => here("url", {}),
    close: () => here("close", {}),
    /** Whether it is no more. */
    gone: async () => !(await driver("handles", {})).includes(handle),
    evaluate,
    /**
     * Clicks, in a task of its own. Not by the driver: Firefox's listens for `unload` meanwhile, which keeps the
     * page out of the bfcache.
     */
    click: (selector) =>
      evaluate((selector) => {
        const element = document.querySelector(selector);
        setTimeout(() => element.click());
      }, selector),
    /** What a person does with mouse and keys, as WebDriver's input sources have it. */
    act: (...actions) => here("actions", { actions }),
    /** A DevTools command (Chromium). */
    devtools: (cmd, params = {}) => here("devtools", { cmd, params }),
  };
}

const start = {
  async chromium(profile, { bfcache = true }) {
    const port = await freePort();
    const child = launch(chromedriver(), [`--port=${port}`]);
    const args = [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage"],
      "--hide-crash-restore-bubble",
      `--user-data-dir=${profile}`,
      ...(bfcache ? [] : ["--disable-features=BackForwardCache"]),
    ];
    const driver = await overHttp(child, port, { "goog:chromeOptions": { binary: chromium(), args } });
    return {
      driver,
      children: [child],
      engine: {
        /** Ends the tab's renderer as a crash does. The command itself gets no answer. */
        crash: async (tab) => {
          await Promise.race([
            tab.devtools("Page.crash").catch(() => {}),
            new Promise((resolve) => setTimeout(resolve, 2_000)),
          ]);
        },
        online: (tab, online) =>
          tab.devtools("Network.emulateNetworkConditions", {
            offline: !online,
            latency: 0,
            downloadThroughput: -1,
            uploadThroughput: -1,
          }),
        quota: (tab, origin, quotaSize) =>
          tab.devtools("Storage.overrideQuotaForOrigin", { origin, quotaSize }),
      },
    };
  },

  async firefox(profile, options) {
    const port = join(profile, "MarionetteActivePort");
    rmSync(port, { force: true });
    firefoxProfile(profile, options);
    const child = launch(firefox(), [
      ...["--headless", "--no-remote", "--profile", profile],
      ...["--marionette", "--remote-allow-system-access", "about:blank"],
    ]);
    const driver = await overMarionette(child, port);
    const privileged = (script) =>
      driver.inOrder([
        ["context", { value: "chrome" }],
        ["execute", { script: `${script}; arguments[0]()`, args: [] }],
        ["context", { value: "content" }],
      ]);
    return {
      driver,
      children: [child],
      engine: { online: (_tab, online) => privileged(`Services.io.offline = ${!online}`) },
    };
  },

  async webkit(profile, { bfcache = true }) {
    const screen = await openScreen();
    const port = await freePort();
    const child = launch(webkitDriver(), [`--port=${port}`, "--host=127.0.0.1"], webkitEnv(profile, screen));
    const args = [
      "--automation",
      `--enable-page-cache=${bfcache}`,
      "--javascript-can-open-windows-automatically=true",
    ];
    try {
      const driver = await overHttp(child, port, {
        "webkitgtk:browserOptions": { binary: miniBrowser(), args },
      });
      // A tab would lie behind the first one, hidden; a window of its own is visible.
      return { driver, tabType: "window", children: [child, screen], engine: {} };
    } catch (error) {
      screen.end();
      throw error;
    }
  },
};

/** Browsers that nobody drives: WebKit keeps what a page stores on disk in this case alone. */
const unattended = {
  webkit(profile) {
    const children = [];
    return {
      children,
      open: async (url) => {
        const screen = await openScreen();
        children.push(launch(miniBrowser(), [url], webkitEnv(profile, screen)), screen);
      },
    };
  },
};

function firefoxProfile(profile, { bfcache = true, storageBytes }) {
  const preferences = {
    "marionette.port": 0,
    "dom.disable_open_during_load": false,
    "browser.sessionstore.resume_from_crash": false,
    "toolkit.startup.max_resumed_crashes": -1,
    // Offline is to hold for this machine's own servers, too.
    "network.disable-localhost-when-offline": true,
    ...(bfcache ? {} : { "browser.sessionhistory.max_total_viewers": 0 }),
    ...(storageBytes
      ? { "dom.quotaManager.temporaryStorage.fixedLimit": Math.ceil(storageBytes / 1024) }
      : {}),
  };
  const lines = Object.entries(preferences).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(profile, "user.js"), lines.join(""));
}

function webkitEnv(profile, screen) {
  for (const name of ["data", "cache", "config"]) mkdirSync(join(profile, name), { recursive: true });
  return {
    DISPLAY: screen.display,
    GDK_BACKEND: "x11",
    HOME: profile,
    XDG_DATA_HOME: join(profile, "data"),
    XDG_CACHE_HOME: join(profile, "cache"),
    XDG_CONFIG_HOME: join(profile, "config"),
    // No sandbox within whatever runs this, no graphics card, no accessibility bus.
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
    WEBKIT_DISABLE_COMPOSITING_MODE: "1",
    NO_AT_BRIDGE: "1",
    DBUS_SESSION_BUS_ADDRESS: "disabled:",
  };
}

/** A screen that exists in memory. WebKitGTK has no headless mode. */
async function openScreen() {
  const child = launch("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]);
  let number = "";
  child.process.stdio[3].on("data", (chunk) => {
    number += chunk;
  });
  await child.until("Xvfb", () => number.endsWith("\n"));
  return { ...child, display: `:${number.trim()}` };
}

const running = new Set();
process.once("exit", () => {
  for (const end of running) end();
});

/** Starts a program in a process group of its own, so that all it starts can be ended with it. */
function launch(command, args, env = {}) {
  const child = spawn(command, args, {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  let output = "";
  let over;
  const keep = (chunk) => {
    output = (output + chunk).slice(-4_000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = new Promise((resolve) => {
    child.once("error", (error) => {
      over = error.message;
      resolve();
    });
    child.once("exit", (code, signal) => {
      over ??= `it ended with ${code ?? signal}`;
      resolve();
    });
  });
  const killGroup = () => {
    running.delete(killGroup);
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // Nothing of it is left.
    }
  };
  running.add(killGroup);
  return {
    process: child,
    /** Waits for a sign of life; what the program said goes into the failure. */
    until: (what, probe) =>
      until(`${what} to start`, () => {
        if (over) throw new Error(`${command}: ${over}\n${output}`);
        return probe();
      }),
    end: () => {
      killGroup();
      return exited;
    },
  };
}

/** Commands one after another, whoever gives them. `send` gives one its answer. */
function inTurn(send) {
  let last = Promise.resolve();
  /** Gives the last one's answer; after a failure the rest is done all the same, so that no state is left half way. */
  const inOrder = (commands) => {
    const run = last.then(async () => {
      let answer, failure;
      for (const [name, parameters] of commands) {
        try {
          answer = await send(name, parameters);
        } catch (error) {
          failure ??= error;
        }
      }
      if (failure) throw failure;
      return answer;
    });
    last = run.catch(() => {});
    return run;
  };
  return Object.assign((name, parameters) => inOrder([[name, parameters]]), { inOrder });
}

async function freePort() {
  const { origin, close } = await listenOnLoopback(createServer());
  await close();
  return Number(new URL(origin).port);
}

/** A session at a WebDriver server. */
async function overHttp(child, port, capabilities) {
  const call = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      body: method === "POST" ? JSON.stringify(body) : undefined,
      signal: AbortSignal.timeout(COMMAND_LIMIT_MS),
    });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
    return value;
  };
  try {
    await child.until("the driver", () =>
      call("GET", "/status").then(
        ({ ready }) => ready,
        () => false,
      ),
    );
    const { sessionId } = await call("POST", "/session", { capabilities: { alwaysMatch: capabilities } });
    return inTurn((name, parameters) => {
      const [, method, path] = COMMANDS[name];
      return call(method, `/session/${sessionId}${path}`, parameters);
    });
  } catch (error) {
    await child.end();
    throw error;
  }
}

/** A session at Firefox itself: `length:[0, number, command, parameters]` there, `[1, number, error, result]` back. */
async function overMarionette(child, portFile) {
  try {
    await child.until("Firefox", () => existsSync(portFile) && readFileSync(portFile, "utf8").trim());
    const socket = connect(Number(readFileSync(portFile, "utf8")), "127.0.0.1");
    const waiting = new Map();
    const fail = (why) => {
      for (const { reject } of waiting.values()) reject(new Error(why));
      waiting.clear();
    };
    socket.once("error", (error) => fail(error.message));
    socket.once("close", () => fail("Firefox is gone"));
    let read = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      read = Buffer.concat([read, chunk]);
      for (let colon = read.indexOf(":"); colon > 0; colon = read.indexOf(":")) {
        const end = colon + 1 + Number(read.subarray(0, colon));
        if (read.length < end) return;
        const message = JSON.parse(read.subarray(colon + 1, end));
        read = read.subarray(end);
        // The first message is a greeting.
        if (!Array.isArray(message)) continue;
        const [, number, error, result] = message;
        const { resolve, reject } = waiting.get(number) ?? {};
        waiting.delete(number);
        if (error) reject?.(new Error(`${error.error}: ${error.message}`));
        else resolve?.(result && "value" in result ? result.value : result);
      }
    });
    let count = 0;
    const call = (command, parameters) =>
      new Promise((resolve, reject) => {
        const number = ++count;
        const late = setTimeout(() => fail(`no answer to ${command}`), COMMAND_LIMIT_MS);
        const settled = (settle) => (value) => {
          clearTimeout(late);
          settle(value);
        };
        waiting.set(number, { resolve: settled(resolve), reject: settled(reject) });
        const text = JSON.stringify([0, number, command, parameters]);
        socket.write(`${Buffer.byteLength(text)}:${text}`);
      });
    await call("WebDriver:NewSession", {});
    return inTurn((name, parameters) => call(COMMANDS[name][0], parameters));
  } catch (error) {
    await child.end();
    throw error;
  }
}
