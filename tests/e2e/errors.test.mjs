// Errors that a page throws and does not catch, in three real browsers: what arrives at the inlet of each, and
// that what is thrown, however it is made, does no harm when it is looked at.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { engineNames, inParts } from "./engines.mjs";
import { noteListener, openInlet, openStage, optionsFor, page, until } from "./support.mjs";

let inlet, stage, other;
before(async () => {
  inlet = await openInlet();
  stage = await openStage();
  other = await openStage();
});
after(async () => {
  await other?.close();
  await stage?.close();
  await inlet?.close();
});

const options = (more) =>
  optionsFor(inlet.origin, {
    context: ["web"],
    track: ["errors"],
    tracking: { paths: { errors: "_xdmbeacon.error" } },
    privacy: { parameters: ["token"] },
    ...more,
  });

/** Runs in the page: does what is in a script, so that what it throws is the page's and not a driver's. */
const load = (url) =>
  new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = url;
    // It has been run by then, or it is none.
    script.onload = script.onerror = resolve;
    document.head.append(script);
  });
const HEAD = `${noteListener("window", "unhandledrejection")}<script>window.load = ${load}</script>`;

const put = (path, more, head = "") => stage.put(path, page(options(more), { head: HEAD + head }));

async function open(browser, ...of) {
  const tab = await browser.open(put(...of));
  await tab.evaluate(() => started());
  return tab;
}

/** What arrived, in no order: the details of each error. */
const errors = async () =>
  (await inlet.entities())
    .filter(({ eventType }) => eventType === "web.error")
    .map(({ _xdmbeacon }) => _xdmbeacon?.error);

const messages = (told) => told.map(({ message }) => message);
/** The same in any order. */
const assertSame = (one, other) => {
  const sorted = (list) => list.map((part) => JSON.stringify(part)).sort();
  assert.deepEqual(sorted(one), sorted(other));
};

let lasts = 0;
/** What has arrived once so many have, and an event that is sent after them. */
async function arrived(tab, count) {
  await until(`${count} of them`, async () => (await errors()).length >= count);
  const type = `last ${++lasts}`;
  await tab.evaluate((type) => xdmBeacon("sendEvent", { type }).then(() => xdmBeacon("flush")), type);
  await until("the last event", async () =>
    (await inlet.entities()).some(({ eventType }) => eventType === type),
  );
  assert.deepEqual(await inlet.bad(), []);
  return errors();
}

const script = (tab, url) => tab.evaluate((url) => load(url), url);

/** Puts a script and runs it on the page. */
let count = 0;
async function run(tab, text, at = stage) {
  const path = `/errors/script-${count++}.js`;
  await script(tab, at.put(path, text, { "Content-Type": "text/javascript" }));
  return path;
}

const withoutPlace = ({ stack, source, line, column, ...rest }) => rest;

/** What is thrown, as an expression, and what is told of it. */
const THROWN = {
  "an error": [`new TypeError("no")`, { name: "TypeError", message: "no" }],
  "an error without a message": [`new Error()`, { name: "Error" }],
  "an error with a name of its own": [
    `Object.assign(new Error("no"), { name: "PaymentError" })`,
    { name: "PaymentError", message: "no" },
  ],
  "an exception of the browser": [
    `new DOMException("no", "AbortError")`,
    { name: "AbortError", message: "no" },
  ],
  "an error of another frame": [
    `new (document.body.appendChild(document.createElement("iframe")).contentWindow.RangeError)("no")`,
    { name: "RangeError", message: "no" },
  ],
  "a text": [`"no"`, { message: "no" }],
  "a number": ["7", { message: "7" }],
  "a symbol": [`Symbol("no")`, { message: "Symbol(no)" }],
  "an object that says so": [`{ name: "E", message: "no", code: "canary" }`, { name: "E", message: "no" }],
  "an object that does not": [`{ user: "canary" }`, { message: "[object Object]" }],
  "an array": [`["canary"]`, { message: "[object Array]" }],
  "a function": [
    `(function thrower() { return "canary" })`,
    { name: "thrower", message: "[object Function]" },
  ],
  "an answer": [`new Response("canary")`, { message: "[object Response]" }],
  "an event": [`new Event("canary")`, { message: "[object Event]" }],
  "an object that has no text": [
    `Object.assign(Object.create(null), { toString: 1 })`,
    { message: "[object Object]" },
  ],
  "an object that throws": [
    `{ get name() { throw 1 }, get message() { throw 2 }, get stack() { throw 3 }, toString() { throw 4 }, get [Symbol.toStringTag]() { throw 5 } }`,
    {},
  ],
  "a proxy that throws": [`new Proxy({}, new Proxy({}, { get() { throw new Error("trap") } }))`, {}],
  "a proxy that is no more": [
    `(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })()`,
    {},
  ],
  "an object of things that are no texts": [
    `{ name: {}, message: ["canary"], stack: 7 }`,
    { message: "[object Object]" },
  ],
  "an error that reports itself when it is looked at": [
    `(() => { const it = { get name() { reportError(it); return "loop" }, message: "no" }; return it })()`,
    { name: "loop", message: "no" },
  ],
  "an error that rejects when it is looked at": [
    `{ get message() { Promise.reject("within"); return "outer" } }`,
    { message: "outer" },
    { kind: "unhandledrejection", message: "within" },
  ],
};

async function throwOne(browser, name) {
  const [value, due, ...more] = THROWN[name];
  const tab = await open(browser, "/errors/thrown");
  await run(tab, `throw ${value}`);
  // They are told in a task of their own.
  await run(tab, `Promise.reject(${value})`);
  const kinds = ["error", "unhandledrejection"];
  const all = [...kinds.map((kind) => ({ kind, ...due })), ...more];
  const told = await arrived(tab, all.length);
  assertSame(told.map(withoutPlace), all.map(withoutPlace));
  assert.ok(!JSON.stringify(await inlet.good()).includes('canary"'));
  await tab.close();
}

async function tellPlaces(browser) {
  const tab = await open(browser, "/errors/places");
  const at = await run(
    tab,
    `function outer() { inner(); }
function inner() {
  throw new Error("line one\\n    at line two (https://line.test)");
}
outer();`,
  );
  const [{ stack, ...told }] = await arrived(tab, 1);
  const { column, ...rest } = told;
  assert.deepEqual(rest, {
    kind: "error",
    name: "Error",
    message: "line one at line two (https://line.test)",
    source: stage.origin + at,
    line: 3,
  });
  assert.ok(column >= 3, column);
  const [first, second, third, ...others] = stack.split("\n");
  assert.match(first, /inner/);
  assert.ok(first.includes(`${stage.origin + at}:3:`), first);
  assert.match(second, /outer/);
  assert.ok(second.includes(`${stage.origin + at}:1:`), second);
  assert.ok(third.includes(`${stage.origin + at}:5:`), third);
  assert.deepEqual(others, []);

  // Deep down there are the innermost frames.
  await run(
    tab,
    `const deep = (left) => { if (left) deep(left - 1); else throw new Error("deep") }; deep(40)`,
  );
  const deep = (await arrived(tab, 2)).find(({ message }) => message === "deep");
  assert.equal(deep.stack.split("\n").length, 10);
  await run(tab, `const endless = () => endless() + 1; endless()`);
  const endless = (await arrived(tab, 3)).find(({ name }) => /^(Range|Internal)Error$/.test(name));
  assert.ok(endless.stack.split("\n").length <= 10);
  await tab.close();
}

async function hideFromOthers(engine, browser) {
  const tab = await open(browser, "/errors/others");
  // A script of another origin: Chromium and WebKit say nothing of it. A driven Firefox does, to any page.
  await tab.evaluate(() => {
    addEventListener(
      "error",
      ({ error }) => {
        window.muted = !error;
      },
      { once: true },
    );
  });
  await run(tab, `throw new Error("elsewhere")`, other);
  const muted = await tab.evaluate(() => window.muted);
  assert.ok(muted || engine === "firefox");
  // What cannot be loaded or read is another matter.
  await tab.evaluate(() => {
    const image = document.createElement("img");
    const failed = new Promise((resolve) => {
      image.onerror = resolve;
    });
    image.src = "/errors/no-such-image";
    document.body.append(image);
    return failed;
  });
  await script(tab, `${stage.origin}/errors/no-such-script.js`);
  // So is what the page makes up, what it handles, and that a layout takes its time.
  await run(
    tab,
    `dispatchEvent(new ErrorEvent("error", { message: "made up" }));
     Promise.reject(new Error("handled")).catch(() => {});
     try { throw new Error("caught") } catch {}`,
  );
  await tab.evaluate(
    () =>
      new Promise((resolve) => {
        addEventListener("error", ({ message }) => message.includes("ResizeObserver") && resolve());
        const box = document.body.appendChild(document.createElement("div"));
        new ResizeObserver(() => {
          box.style.width = `${box.offsetWidth - 1}px`;
        }).observe(box);
      }),
  );
  // What the page prevents is an error all the same, and so is what it reports.
  await run(tab, `onerror = () => true; throw new Error("prevented")`);
  await run(tab, `reportError(new Error("reported"))`);
  await run(tab, `this is no script`);
  const told = await arrived(tab, 4);
  const broken = told.filter(({ name }) => name === "SyntaxError");
  assert.equal(broken.length, 1);
  assert.ok(broken[0].message);
  const others = told.filter(({ name }) => name !== "SyntaxError");
  assertSame(others.map(withoutPlace), [
    muted
      ? { kind: "error", message: "Script error." }
      : { kind: "error", name: "Error", message: "elsewhere" },
    { kind: "error", name: "Error", message: "prevented" },
    { kind: "error", name: "Error", message: "reported" },
  ]);
  if (muted) {
    const told = others.find(({ message }) => message === "Script error.");
    assert.deepEqual(told, withoutPlace(told));
  }
  await tab.close();
}

async function limit(browser) {
  const tab = await open(browser, "/errors/many");
  await run(
    tab,
    `setInterval(() => { window.ticks = (window.ticks ?? 0) + 1; throw new Error("again") }, 1)`,
  );
  await until("many of them", () => tab.evaluate(() => window.ticks > 20));
  assert.deepEqual((await arrived(tab, 1)).map(withoutPlace), [
    { kind: "error", name: "Error", message: "again" },
  ]);
  for (let number = 2; number <= 14; number++) await run(tab, `throw new Error("number ${number}")`);
  const due = [2, 3, 4, 5, 6, 7, 8, 9, 10].map((number) => `number ${number}`);
  assertSame(messages(await arrived(tab, 10)), ["again", ...due]);
  await tab.close();

  // Another page load tells anew.
  await inlet.reset();
  const next = await open(browser, "/errors/many");
  await run(next, `throw new Error("again")`);
  assert.equal((await arrived(next, 1)).length, 1);
  await next.close();
}

async function redact(browser) {
  const tab = await browser.open(`${put("/errors/redacted")}?token=canary1&x#canary2@shop.test`);
  await tab.evaluate(() => started());
  const at = `/errors/canary3@shop.test/x.js`;
  const text = `const failing = (left) => { if (left) failing(left - 1); else throw new Error("canary4@shop.test and https://a.test/?token=canary5&b and 4111 1111 1111 1111") }; failing(2)`;
  stage.put(at, text, { "Content-Type": "text/javascript" });
  await script(tab, `${stage.origin + at}?token=canary6`);
  await run(tab, `Promise.reject("canary7@shop.test")`);
  // Half of it is read.
  await run(tab, `reportError({ message: "far" + " ".repeat(4085) + "canary8@shop.test" })`);
  const told = await arrived(tab, 3);
  const rejected = told.find(({ kind }) => kind === "unhandledrejection");
  const { message, source, stack } = told.find(({ name }) => name === "Error");
  assert.ok(messages(told).includes("far"));
  assert.equal(rejected.message, "REDACTED");
  assert.equal(message, "REDACTED and https://a.test/?token=REDACTED&b and REDACTED");
  assert.equal(source, `${stage.origin}/errors/REDACTED/x.js?token=REDACTED`);
  // WebKit's has no query.
  assert.ok(stack.includes(`${stage.origin}/errors/REDACTED/x.js`), stack);
  assert.equal(stack.split("\n").length, 4);
  const all = JSON.stringify(await inlet.good());
  for (const secret of ["canary", "4111"]) assert.ok(!all.includes(secret), secret);
  assert.ok(await tab.evaluate(async () => (await xdmBeacon("getStatus")).redacted >= 8));
  await tab.close();
}

/** What the page's own function does to an event about an error does not become one without end. */
async function endLoops(browser) {
  const html = page(null, {
    head: `${HEAD}<script>
      window.shown = 0;
      xdmBeacon("configure", { ...${JSON.stringify(options())}, onBeforeEventSend: ({ xdm }) => {
        if (xdm.eventType !== "web.error") return;
        const number = ++shown;
        reportError(new Error("reported " + number));
        setTimeout(() => { throw new Error("later " + number) });
        if (number % 2) throw new Error("thrown " + number);
      } });
    </script>`,
  });
  const tab = await browser.open(stage.put("/errors/loops", html));
  await tab.evaluate(() => started());
  await run(tab, `throw new Error("first")`);
  await until("all of them", () => tab.evaluate(() => window.shown === 10));
  // Whatever came after the last one has come by now.
  await tab.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
  const told = await arrived(tab, 5);
  assert.equal(await tab.evaluate(() => window.shown), 10);
  assertSame(
    messages(told),
    [1, 3, 5, 7, 9].map((number) => `later ${number}`),
  );
  await tab.close();
}

/** No fault of the library is an error of the page. */
async function stayQuiet(browser) {
  const tab = await open(
    browser,
    "/errors/quiet",
    {},
    `<script>
    window.heard = [];
    for (const type of ["error", "unhandledrejection"])
      addEventListener(type, ({ message, reason }) => heard.push(type + ": " + (message ?? reason)));
  </script>`,
  );
  await run(
    tab,
    `xdmBeacon("sendEvent", { xdm: 1 });
    xdmBeacon("noSuchCommand");
    // The page breaks what we need, just as something fails.
    const { stringify } = JSON;
    JSON.stringify = () => { throw new Error("broken") };
    reportError(new Error("real"));
    JSON.stringify = stringify;
    // It is thrown in a task of its own.
    setTimeout(() => { throw new Error("after") });`,
  );
  await until("both", () => tab.evaluate(() => heard.length > 1));
  assert.deepEqual(
    (await tab.evaluate(() => heard)).map((words) => words.split(" ").at(-1)),
    ["real", "after"],
  );
  assert.deepEqual((await arrived(tab, 1)).map(withoutPlace), [
    { kind: "error", name: "Error", message: "after" },
  ]);
  await tab.close();
}

for (const engine of engineNames) {
  test(engine, (t) =>
    inParts(t, engine, inlet.reset, async (browser, part) => {
      for (const name of Object.keys(THROWN)) await part(`told: ${name}`, () => throwOne(browser, name));
      await part("a place is told, and the innermost frames", () => tellPlaces(browser));
      await part("what is none, or another's, is not told", () => hideFromOthers(engine, browser));
      await part("an error is told once, and ten of a page load", () => limit(browser));
      await part("what identifies a person is taken out", () => redact(browser));
      await part("errors about errors come to an end", () => endLoops(browser));
      await part("no fault of the library is told", () => stayQuiet(browser));
    }),
  );
}
