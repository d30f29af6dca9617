// What the end-to-end tests share: a real inlet, a real site, a real browser, and waiting with a bound.

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request as forward } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { chromium as playwright } from "playwright-core";
import sirv from "sirv";
import { configuration, inletId } from "../../scripts/demo.mjs";
import { startInlet } from "../../scripts/inlet.mjs";
import { chromium } from "../../scripts/setup.mjs";
import { serve } from "../../scripts/site.mjs";
import { root } from "../../scripts/steps.mjs";

/** Two busy cores are slow: a condition that never comes true fails after this long. */
const PATIENCE_MS = 30_000;
const POLL_MS = 50;

const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
];

/**
 * Waits until `probe` gives something truthy, and gives it back.
 *
 * @template T
 * @param {string} what is waited for, for the failure's message
 * @param {() => T | Promise<T>} probe
 */
export async function until(what, probe) {
  const end = Date.now() + PATIENCE_MS;
  let last;
  while (Date.now() < end) {
    last = await probe();
    if (last) return last;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`waited ${PATIENCE_MS} ms in vain: ${what}`);
}

/**
 * An inlet on a free port with data of its own. Where XDM_EVENTS_OUT names a file, every entity that it
 * found good is noted there, for the test that holds them against the official schemas.
 */
export async function openInlet(args = []) {
  const data = mkdtempSync(join(tmpdir(), "xdm-inlet-"));
  const inlet = await startInlet({ data, args });
  const get = async (path) => (await fetch(inlet.origin + path)).json();
  const keep = () => process.env.XDM_EVENTS_OUT && keepEntities(get, process.env.XDM_EVENTS_OUT);
  return {
    origin: inlet.origin,
    get,
    counts: () => get("/inspect/counts"),
    good: async (query = "") => (await get(`/inspect/good?limit=1000${query}`)).rows,
    /**
     * The good entities, newest first, each `_id` once: what was handed over while leaving may come again, since
     * nobody has seen its answer.
     */
    entities: async (query = "") => {
      const { rows } = await get(`/inspect/good?limit=1000${query}`);
      return [...new Map(rows.map(({ id, message }) => [id, message.body.xdmEntity])).values()];
    },
    bad: async (query = "") => (await get(`/inspect/bad?limit=1000${query}`)).rows,
    /** What arrived with this `_id`, good or bad; waits for it. */
    arrived: (id) =>
      until(`the arrival of ${id}`, async () => {
        const [good, bad] = await Promise.all([
          get(`/inspect/good?id=${encodeURIComponent(id)}`),
          get(`/inspect/bad?id=${encodeURIComponent(id)}`),
        ]);
        return [...good.rows, ...bad.rows][0];
      }),
    reset: async () => {
      await keep();
      await fetch(`${inlet.origin}/inspect/reset`, { method: "POST" });
    },
    /** Switches faults; `{}` switches all off. */
    faults: async (faults) => {
      const answer = await fetch(`${inlet.origin}/inspect/faults`, {
        method: "PUT",
        body: JSON.stringify(faults),
      });
      if (!answer.ok) throw new Error(await answer.text());
    },
    close: async () => {
      await keep();
      await inlet.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

const keptEntities = new Set();

/** Appends the good entities to `file`, each once, as NDJSON of `{class: "event" | "profile", entity}`. */
async function keepEntities(get, file) {
  for (let next = ""; next !== null; ) {
    const page = await get(`/inspect/good?limit=1000${next && `&after=${next}`}`);
    for (const { message } of page.rows) {
      const isProfile = message.header.schemaRef.id === configuration.profile.schema.id;
      const line = JSON.stringify({ class: isProfile ? "profile" : "event", entity: message.body.xdmEntity });
      if (!keptEntities.has(line)) appendFileSync(file, `${line}\n`);
      keptEntities.add(line);
    }
    next = page.next;
  }
}

/** The built shop, its pages pointed at `inlet`. */
export const openSite = (inlet, options) =>
  serve(join(root, "dist/site"), { inlet: inlet.origin, ...options });

/** @param {Record<string, string>} [env] of the browser's process, beside this one's */
export const openBrowser = (env) =>
  playwright.launch({
    executablePath: chromium(),
    args: CHROMIUM_ARGS,
    env: { ...process.env, ...env },
  });

/** What most suites work with. It is closed when their tests are over. */
export async function openSuite() {
  const inlet = await openInlet();
  const gate = await openGate(inlet);
  const stage = await openStage();
  const browser = await openBrowser();
  after(async () => {
    for (const one of [browser, stage, gate, inlet]) await one.close();
  });
  return { inlet, gate, stage, browser };
}

/**
 * A page in a context of its own, with everything it complained about in `complaints`: console
 * messages, uncaught exceptions, unhandled rejections.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function openPage(browser, options) {
  const context = await browser.newContext(options);
  return { context, ...(await openTab(context)) };
}

async function openTab(context) {
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(`console.${message.type()}: ${message.text()}`));
  // Chromium reports unhandled rejections here, too.
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error}`));
  return { page, complaints };
}

/**
 * A page in a context of its own on which nothing goes unheard: from before its first script on, every call
 * of the console, every uncaught exception and every unhandled rejection is noted in the page. What the
 * browser itself says there, as of a request that failed, passes by.
 */
export async function openHost(browser, options) {
  const context = await browser.newContext(options);
  await context.addInitScript(listen);
  return openHostIn(context);
}

async function openHostIn(context) {
  const { page, complaints } = await openTab(context);
  return {
    page,
    context,
    /** The same in another tab, which shares the origin's storage with this one. */
    another: () => openHostIn(context),
    /** What the page heard since it was loaded, and what Chromium saw of exceptions and rejections. */
    heard: async () => [
      ...(await page.evaluate(() => window.heard)),
      ...complaints.filter((line) => line.startsWith("uncaught")),
    ],
    /** Calls a command there and tells what became of the promise: `{value}`, or `{code, message}`. */
    call: (command, options) => page.evaluate((call) => outcome(xdmBeacon(...call)), [command, options]),
    /** The same, with options written as an expression, for what cannot be handed over. */
    callWith: (command, expression) =>
      page.evaluate(`outcome(xdmBeacon(${JSON.stringify(command)}, ${expression}))`),
  };
}

/** Runs in the page. */
function listen() {
  window.heard = [];
  const hear = (what, detail) => window.heard.push(`${what}: ${detail}`);
  for (const [name, member] of Object.entries(console)) {
    if (typeof member === "function") console[name] = (...args) => hear(`console.${name}`, args.map(String));
  }
  addEventListener("error", (event) => hear("error", event.message));
  addEventListener("unhandledrejection", (event) => hear("unhandled rejection", event.reason));
  window.outcome = (promise) =>
    promise.then(
      (value) => ({ value }),
      (error) => {
        if (!(error instanceof Error)) return { notAnError: String(error) };
        return { code: error.code, message: error.message };
      },
    );
}

/** Runs in the page, before anything else: keeps every WebAssembly instance that is made, to be broken. */
export function keepInstances() {
  const made = [];
  const { instantiate, Instance } = WebAssembly;
  WebAssembly.instantiate = async (...args) => {
    const answer = await instantiate(...args);
    made.push(answer.instance ?? answer);
    return answer;
  };
  WebAssembly.Instance = new Proxy(Instance, {
    construct: (target, args) => {
      const instance = new target(...args);
      made.push(instance);
      return instance;
    },
  });
  window.engines = () => made.length;
  window.fillMemory = () => new Uint8Array(made.at(-1).exports.memory.buffer).fill(0xff);
  window.emptyTable = () => {
    for (const member of Object.values(made.at(-1).exports)) {
      if (member instanceof WebAssembly.Table && member.length > 100) {
        for (let at = 0; at < member.length; at++) member.set(at, null);
      }
    }
  };
}

/** Options of `configure` for the demo's datasets at the inlet, or whatever else listens at `origin`. */
export const optionsFor = (origin, more) => ({
  ...configuration,
  endpoint: `${origin}/collection/${inletId}`,
  ...more,
});

/** The base code as a person pastes it, under its own or another name. */
export const baseCode = (name = "xdmBeacon") =>
  readFileSync(join(root, "dist/sdk/base-code.js"), "utf8").replace('"xdmBeacon"', JSON.stringify(name));

/** A page as its reader gets it: base code, library, `configure`. */
export const page = (options, { sdk = "/sdk", head = "" } = {}) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>Test page</title>
    <link rel="icon" href="data:,">
    <script>${baseCode()}</script>
    <script>${options ? `xdmBeacon("configure", ${JSON.stringify(options)});` : ""}</script>
    ${sdk ? `<script async src="${sdk}/xdm-beacon.js"></script>` : ""}
    ${head}
  </head>
  <body></body>
</html>`;

/**
 * For a page's head: `started()` there waits until a module of the library listens to `type`. What it listens with
 * is passive, unlike what these pages do.
 */
export const noteListener = (target, type) => `<script>
  {
    const inner = ${target}.addEventListener;
    const heard = new Promise((resolve) => {
      ${target}.addEventListener = function (type, listener, options) {
        if (type === "${type}" && options?.passive) resolve();
        return inner.call(this, type, listener, options);
      };
    });
    window.started = () => heard;
  }
</script>`;

/** A server for pages that a test makes up. The built library is below every folder of it. */
export async function openStage() {
  const made = new Map();
  const paths = new Set();
  const library = sirv(join(root, "dist/sdk"), { dev: true });
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    paths.add(path);
    const answer = made.get(path);
    if (answer) {
      response.writeHead(answer.status, { "Content-Type": "text/html; charset=utf-8", ...answer.headers });
      response.end(await answer.body);
      return;
    }
    request.url = request.url.replace(/^\/[^/]*/, "");
    library(request, response, () => response.writeHead(404).end("Not found"));
  });
  const { origin, close } = await listenOnLoopback(server);
  return {
    origin,
    close,
    /** Whether something was asked for. */
    asked: (path) => paths.has(path),
    /** Puts something at `path`, or what a promise comes to, and gives back its URL. */
    put: (path, body, headers = {}, status = 200) => {
      made.set(path, { body, headers, status });
      return origin + path;
    },
  };
}

/**
 * Passes everything on to the inlet and notes what came by, preflights too: `{method, path, headers, body, status}`,
 * the body once it is there, the status once it is answered. `gate.passes` decides what becomes of an answer: it is given the note, and
 * where it says no (maybe later), the connection is closed instead.
 */
export async function openGate(inlet) {
  const requests = [];
  const gate = { requests, passes: () => true };
  const server = createServer((request, response) => {
    const { method, url: path, headers } = request;
    const note = { method, path, headers };
    requests.push(note);
    const onward = forward(inlet.origin + path, { method, headers }, async (answer) => {
      if (!(await gate.passes(note))) {
        response.destroy();
        return;
      }
      // A browser by itself repeats a POST for which a connection that it had kept was closed.
      response.writeHead(answer.statusCode, { ...answer.headers, connection: "close" });
      answer.pipe(response);
      response.once("finish", () => {
        note.status = answer.statusCode;
      });
    });
    // A page may leave in the middle of a request, and an inlet close on one.
    onward.once("error", () => response.destroy());
    request.once("aborted", () => onward.destroy());
    const body = [];
    request.on("data", (chunk) => body.push(chunk));
    request.once("end", () => {
      note.body = Buffer.concat(body).toString();
    });
    request.pipe(onward);
  });
  return Object.assign(gate, await listenOnLoopback(server));
}

/** Starts a server on a free port. */
export async function listenOnLoopback(server) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
