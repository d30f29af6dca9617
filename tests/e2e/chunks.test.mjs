// Modules that are fetched only where they are asked for, by both builds in three engines: from the page's own
// origin and another one, under policies, and where they cannot be had. The data layer stands for all of them.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import sirv from "sirv";
import { root } from "../../scripts/steps.mjs";
import { engineNames, openEngine } from "./engines.mjs";
import { baseCode, listenOnLoopback, openInlet, optionsFor, until } from "./support.mjs";

const CHUNK = "xdm-beacon-data-layer.js";
const BUILDS = ["script", "module"];

let inlet, own, other;
before(async () => {
  inlet = await openInlet();
  own = await openServer();
  other = await openServer();
});
after(async () => {
  await other?.close();
  await own?.close();
  await inlet?.close();
});

/**
 * Serves pages, and the built library below every folder of it to any origin. `answers` has what is said instead
 * for some of its files: `[status, headers, body]`.
 */
async function openServer() {
  const pages = new Map();
  const requests = [];
  const answers = {};
  const library = sirv(join(root, "dist/sdk"), { dev: true });
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    requests.push(pathname);
    const page = pages.get(pathname);
    if (page) {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", ...page.headers });
      response.end(page.html);
      return;
    }
    const file = pathname.split("/").pop();
    const [status, headers, body] = answers[file] ?? [];
    response.setHeader("Cache-Control", "no-store");
    if (!headers) response.setHeader("Access-Control-Allow-Origin", "*");
    if (status) {
      response.writeHead(status, headers).end(body);
      return;
    }
    request.url = `/${file}`;
    library(request, response, () => response.writeHead(404).end("Not found"));
  });
  return {
    ...(await listenOnLoopback(server)),
    pages,
    requests,
    answers,
    /** How often each file of the library was asked for that is a chunk. */
    chunks: () =>
      requests.map((path) => path.split("/").pop()).filter((file) => file.startsWith("xdm-beacon-")),
  };
}

/** Notes what goes wrong in the page, and what its policy has refused. */
const LISTEN = `window.heard = []; window.refused = [];
  for (const type of ["error", "unhandledrejection"])
    addEventListener(type, (event) => heard.push(type + ": " + (event.message ?? event.reason)));
  for (const name of ["log", "warn", "error", "info", "debug"])
    console[name] = (...words) => heard.push("console." + name + ": " + words);
  addEventListener("securitypolicyviolation", ({ blockedURI }) => refused.push(blockedURI));
  window.dataLayer = [{ event: "early" }];`;

const FORWARD = { dataLayer: { kind: "array", mapping: { "*": {} } } };

let visits = 0;
/**
 * Opens a page that tracks its views, with the library from a folder of its own at `from`. `instances` are names and
 * options on top of that.
 */
async function visit(browser, build, { from = own, policy, instances = { xdmBeacon: FORWARD } }) {
  visits += 1;
  const sdk = `${from.origin}/visit-${visits}`;
  const options = (more) =>
    JSON.stringify(optionsFor(inlet.origin, { context: [], track: ["pageViews"], ...more }));
  const inline = (code, type = "") => `<script nonce="abc"${type}>${code}</script>`;
  const each = (run) => Object.entries(instances).map(run).join("\n");
  const script = () => `
    ${each(([name]) => inline(baseCode(name)))}
    ${inline(each(([name, more]) => `${name}("configure", ${options(more)});`))}
    <script nonce="abc" async src="${sdk}/xdm-beacon.js"></script>`;
  const module = () =>
    inline(
      `import { createInstance } from "${sdk}/index.js";
      ${each(
        ([name, more]) =>
          `window.${name} = createInstance({ name: "${name}" }); ${name}("configure", ${options(more)});`,
      )}`,
      ' type="module"',
    );
  const path = `/page-${visits}`;
  own.pages.set(path, {
    headers: policy ? { "Content-Security-Policy": policy(sdk) } : {},
    html: `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
      <link rel="icon" href="data:,">${inline(LISTEN)}${build === "script" ? script() : module()}
      </head><body></body></html>`,
  });
  const tab = await browser.open(own.origin + path);
  await until("the library", () => tab.evaluate(() => typeof window.xdmBeacon === "function"));
  return tab;
}

/** The types of what has arrived. */
const types = async () => (await inlet.entities()).map(({ eventType }) => eventType).sort();

/** These have arrived, and nothing went wrong in the page. */
async function assertTypes(tab, expected) {
  const sorted = [...expected].sort();
  await until(sorted.join(", "), async () => (await types()).length >= sorted.length);
  await tab.evaluate(() => xdmBeacon("flush"));
  assert.deepEqual(await types(), sorted);
  assert.deepEqual(await tab.evaluate(() => heard), []);
}

const VIEW = "web.webpagedetails.pageViews";

/** It comes, and does what it is for. */
async function assertForwards(tab, from) {
  await until("the early event", async () => (await types()).includes("early"));
  await tab.evaluate(() => dataLayer.push({ event: "late" }));
  await assertTypes(tab, [VIEW, "early", "late"]);
  assert.deepEqual(from.chunks(), [CHUNK]);
  await tab.close();
}

/** It has not come; all else is as ever. */
async function assertGoesOn(tab) {
  await tab.evaluate(() => {
    dataLayer.push({ event: "late" });
    return xdmBeacon("sendEvent", { type: "called" });
  });
  await assertTypes(tab, [VIEW, "called"]);
}

const places = { "the page's own origin": () => own, "another origin": () => other };

/** What a policy has to allow, beside the engine and the endpoint. */
const ALLOWING = {
  "a nonce": () => "script-src 'nonce-abc' 'wasm-unsafe-eval'",
  "a nonce and strict-dynamic": () => "script-src 'nonce-abc' 'strict-dynamic' 'wasm-unsafe-eval'",
  "the folder of the library": (sdk) => `script-src 'unsafe-inline' 'wasm-unsafe-eval' ${sdk}/`,
};

const FOREIGN = "may not be read by another origin";

/** What becomes of the file. */
const BROKEN = {
  "is not there": [404, { "Access-Control-Allow-Origin": "*" }, "Not found"],
  "is a page": [200, { "Access-Control-Allow-Origin": "*", "Content-Type": "text/html" }, "<!doctype html>"],
  "is no script": [
    200,
    { "Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript" },
    "export (",
  ],
  "is another module": [
    200,
    { "Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript" },
    "export const nothing = 1;",
  ],
  throws: [
    200,
    { "Access-Control-Allow-Origin": "*", "Content-Type": "text/javascript" },
    "throw new Error('broken');",
  ],
  [FOREIGN]: [
    200,
    { "Content-Type": "text/javascript" },
    "export const start = (capture) => capture('dataLayer', { event: 'wrong', values: {} });",
  ],
};

for (const engine of engineNames) {
  test(engine, async (t) => {
    const browser = await openEngine(engine);
    const part = (name, run) =>
      t.test(name, async () => {
        await inlet.reset();
        for (const server of [own, other]) {
          server.requests.length = 0;
          delete server.answers[CHUNK];
        }
        await run();
      });
    try {
      for (const build of BUILDS) {
        await part(`${build}: nothing is fetched that is not asked for`, async () => {
          const tab = await visit(browser, build, {
            instances: { xdmBeacon: { track: ["pageViews", "clicks"] } },
          });
          await until("the page view", async () => (await types()).includes(VIEW));
          await assertGoesOn(tab);
          assert.deepEqual(own.chunks(), []);
          await tab.close();
        });
        for (const [place, from] of Object.entries(places)) {
          await part(`${build}: it comes from ${place}`, async () => {
            await assertForwards(await visit(browser, build, { from: from() }), from());
          });
          for (const [what, policy] of Object.entries(ALLOWING))
            await part(`${build}: it comes from ${place}, allowed by ${what}`, async () => {
              const tab = await visit(browser, build, { from: from(), policy });
              await assertForwards(tab, from());
            });
        }
        for (const [what, answer] of Object.entries(BROKEN))
          await part(`${build}: one that ${what} hurts nothing`, async () => {
            // Of a script from another origin nobody hears what it rejects.
            const from = what === FOREIGN ? other : own;
            from.answers[CHUNK] = answer;
            const tab = await visit(browser, build, { from });
            await until("the attempt", () => from.chunks().length > 0);
            const path = from.requests.find((path) => path.endsWith(CHUNK));
            // Who asks for the same is told after us. (WebKit then says yes to what it has refused before.)
            await tab.evaluate(async (url) => {
              await import(url).catch(() => {});
              await new Promise((resolve) => setTimeout(resolve));
            }, from.origin + path);
            await assertGoesOn(tab);
            await tab.close();
          });
        await part(`${build}: one that the policy refuses hurts nothing`, async () => {
          const main = build === "script" ? "xdm-beacon.js" : "index.js";
          const policy = (sdk) => `script-src 'unsafe-inline' 'wasm-unsafe-eval' ${sdk}/${main}`;
          const tab = await visit(browser, build, { policy });
          await until("the refusal", () =>
            tab.evaluate((file) => refused.some((url) => url.endsWith(file)), CHUNK),
          );
          await assertGoesOn(tab);
          assert.deepEqual(own.chunks(), []);
          await tab.close();
        });
        await part(`${build}: two instances ask for it, and it is fetched once`, async () => {
          const more = { ...FORWARD, track: [] };
          const instances = { xdmBeacon: more, second: { ...more, sourceName: "second" } };
          const tab = await visit(browser, build, { instances });
          await until("the early events", async () => (await types()).length === 2);
          await tab.evaluate(() => dataLayer.push({ event: "late" }));
          await assertTypes(tab, ["early", "early", "late", "late"]);
          const sources = (await inlet.good()).map(({ message: { header, body } }) => [
            header.source.name === "second",
            body.xdmEntity.eventType,
          ]);
          assert.deepEqual(sources.sort(), [
            [false, "early"],
            [false, "late"],
            [true, "early"],
            [true, "late"],
          ]);
          assert.deepEqual(own.chunks(), [CHUNK]);
          await tab.close();
        });
      }
    } finally {
      await browser.close();
    }
  });
}
