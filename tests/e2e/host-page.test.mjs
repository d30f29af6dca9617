// The page that hosts the library never hears of our troubles: with debug off no console call of ours, no
// uncaught exception and no unhandled rejection, whatever the endpoint, the network, a policy or the page itself
// does to us. Each case states what the caller is told instead.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { listenOnLoopback, openHost, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, stage, browser } = await openSuite();

const CORS = { "Access-Control-Allow-Origin": "*" };
const PREFLIGHT = {
  ...CORS,
  "Access-Control-Allow-Methods": "POST",
  "Access-Control-Allow-Headers": "content-type",
};

/** An endpoint that answers preflights well, and each POST as `answer(request, response)` does. */
async function openEndpoint(answer, preflight = PREFLIGHT) {
  const server = createServer((request, response) => {
    // The body is none of our business, but an unread one would hold up the connection.
    request.resume();
    if (request.method === "OPTIONS") response.writeHead(204, preflight).end();
    else answer(request, response);
  });
  return listenOnLoopback(server);
}

const respond = (status, body, headers = {}) => {
  const html = { "Content-Type": "text/html", ...CORS, ...headers };
  return (_request, response) => response.writeHead(status, html).end(body);
};

const DROPPED = { rejected: 0, expired: 0, evicted: 0, consent: 0, unanswered: 0, cancelled: 0 };
const NONE = { pending: 0, queued: 0, inFlight: 0, handedOver: 0, stored: 0, delivered: 0, dropped: DROPPED };

const DELIVERED = { status: "delivered" };
/** Whatever leaves it open whether the endpoint has the event, or will take it some other time. */
const STORED = { status: "stored" };
const rejected = (detail) => ({ status: "dropped", reason: "rejected", ...(detail && { detail }) });

/** The whole of `getStatus` when these events are where they stay, `more` overriding it. */
const statusOf = ({ status }, more) => ({
  accepted: 1,
  consent: "in",
  ...NONE,
  ...(status === "dropped" ? { dropped: { ...DROPPED, rejected: 1 } } : { [status]: 1 }),
  timestampsCorrected: 0,
  redacted: 0,
  engineRestarts: 0,
  parked: 0,
  outbox: { events: status === "stored" ? 1 : 0, durable: true, dropped: 0 },
  ...more,
});

/** What `getStatus` says, the outbox's bytes apart: they are there when events are. */
async function status(host) {
  const { value } = await host.call("getStatus");
  const { bytes, ...outbox } = value.outbox;
  assert.equal(bytes > 0, outbox.events > 0, JSON.stringify(value));
  return { ...value, outbox };
}

/** The same at a moment when the outbox is open and nothing is under way, as between two attempts. */
const restingStatus = (host) =>
  until("a moment at which nothing is under way", async () => {
    const now = await status(host);
    return now.outbox.durable && now.queued + now.inFlight === 0 && now;
  });

/** Sends one event, asserts what its promise says, and gives back the event's `_id`. */
async function assertTold(host, fate) {
  const sent = await host.call("sendEvent", { type: "web.webpagedetails.pageViews" });
  assert.deepEqual(Object.keys(sent), ["value"], JSON.stringify(sent));
  const { id, timestamp, ...told } = sent.value;
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.ok(!Number.isNaN(Date.parse(timestamp)));
  assert.deepEqual(told, fate);
  return id;
}

/** Sends one event and asserts its fate, the status after it, and that nobody heard a thing. */
async function assertFate(host, fate) {
  const id = await assertTold(host, fate);
  assert.deepEqual(await restingStatus(host), statusOf(fate));
  assert.deepEqual(await host.heard(), []);
  return id;
}

const AFTER_AN_HOUR = { "Retry-After": "3600", "Access-Control-Expose-Headers": "Retry-After" };
const problem = JSON.stringify({ status: 400, title: "Invalid XDM Message Format" });

// Any 2xx is an acceptance: the platform's answers differ in form, and proxies rewrite them.
for (const [what, answer, fate, preflight] of [
  ["answers 200 with HTML", respond(200, "<h1>Welcome</h1>"), DELIVERED],
  ["answers 200 with half of a JSON", respond(200, '{"inletId": "d0e1c2b3", "xactio'), DELIVERED],
  ["answers 200 with nothing", respond(200, ""), DELIVERED],
  ["answers 204", respond(204), DELIVERED],
  ["answers 200 in bytes that are no text", respond(200, Buffer.from([0xff, 0xfe, 0x00, 0xc3])), DELIVERED],
  ["answers 400 with its reason", respond(400, problem), rejected("Invalid XDM Message Format")],
  ["answers 404 with HTML", respond(404, "<h1>Gone</h1>"), rejected()],
  ["answers 408", respond(408, ""), STORED],
  ["answers 413", respond(413, ""), rejected()],
  ["answers 429", respond(429, ""), STORED],
  ["answers 500 with HTML", respond(500, "<h1>Oh no</h1>"), STORED],
  ["answers 503 and when to come back", respond(503, "", AFTER_AN_HOUR), STORED],
  ["answers 302 to nowhere", respond(302, ""), rejected()],
  // Followed, it would become the GET of a page, whose 200 says nothing of the event.
  ["answers 302 to a page", redirect(302), STORED],
  ["answers 307 to a page", redirect(307), STORED],
  ["has no CORS headers", respond(200, "{}", { "Access-Control-Allow-Origin": "" }), STORED, {}],
  ["has CORS headers on the preflight alone", (_, response) => response.writeHead(200).end("{}"), STORED],
  ["closes the connection", (request) => request.socket.destroy(), STORED],
  ["breaks off in its answer", breakOff, STORED],
]) {
  test(`an endpoint that ${what}`, async (t) => {
    const endpoint = await openEndpoint(answer, preflight);
    t.after(endpoint.close);
    const host = await openHost(browser);
    await host.page.goto(stage.put("/rubbish.html", pageWith(optionsFor(endpoint.origin))));
    await assertFate(host, fate);
    await host.context.close();
  });
}

function redirect(status) {
  return (request, response) => {
    if (request.method === "GET" || request.url === "/login")
      respond(200, "<h1>Log in</h1>")(request, response);
    else response.writeHead(status, { ...CORS, Location: "/login" }).end();
  };
}

function breakOff(_request, response) {
  response.writeHead(200, { ...CORS, "Content-Length": 1000 });
  response.write('{"inletId"', () => response.destroy());
}

test("an endpoint where nobody listens", async () => {
  const endpoint = await openEndpoint(() => {});
  await endpoint.close();
  const host = await openHost(browser);
  await host.page.goto(stage.put("/refused.html", pageWith(optionsFor(endpoint.origin))));
  await assertFate(host, STORED);
  await host.context.close();
});

test("an endpoint that the page's policy does not allow", async () => {
  const host = await openHost(browser);
  const policy = "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; connect-src 'self'";
  const url = stage.put("/connect-src.html", pageWith(optionsFor(inlet.origin)), {
    "Content-Security-Policy": policy,
  });
  await host.page.goto(url);
  await assertFate(host, STORED);
  await host.context.close();
});

test("an endpoint that a blocker in the browser keeps away", async () => {
  const host = await openHost(browser);
  await host.context.route("**/collection/**", (route) => route.abort("blockedbyclient"));
  await host.page.goto(stage.put("/blocked.html", pageWith(optionsFor(inlet.origin))));
  await assertFate(host, STORED);
  await host.context.close();
});

for (const [what, fetch, fate] of [
  ["throws", "() => { throw new Error('blocked'); }", STORED],
  ["throws what is no error", "() => { throw undefined; }", STORED],
  ["gives back nothing", "() => {}", STORED],
  ["rejects with nothing", "() => Promise.reject()", STORED],
  ["resolves to nothing", "() => Promise.resolve()", STORED],
  ["resolves to what has no body", "() => Promise.resolve({ status: 200 })", STORED],
  ["was taken away", "undefined", STORED],
]) {
  test(`a page whose own fetch ${what}`, async () => {
    const host = await openHost(browser);
    await host.page.goto(stage.put("/fetch.html", pageWith(optionsFor(inlet.origin))));
    assert.deepEqual(await host.call("flush"), { value: { delivered: 0, stored: 0 } });
    await host.page.evaluate(`{ window.fetch = ${fetch}; }`);
    await assertFate(host, fate);
    await host.context.close();
  });
}

test("an endpoint that never answers holds up nobody", async (t) => {
  const mute = await listenOnLoopback(createServer(() => {}));
  const silent = await openHaltingEndpoint(() => {});
  const stalled = await openHaltingEndpoint((response) => {
    response.writeHead(200, { ...CORS, "Content-Length": 1000 });
    response.flushHeaders();
  });
  for (const endpoint of [mute, silent, stalled]) t.after(endpoint.close);

  // Side by side, since each of them waits for the library to lose its patience.
  await Promise.all([
    (async () => {
      const host = await openHost(browser);
      await host.page.goto(stage.put("/mute.html", pageWith(optionsFor(mute.origin))));
      await assertTold(host, STORED);
      // The promise did not wait for the request to be given up.
      assert.deepEqual(await status(host), statusOf(STORED, { stored: 0, inFlight: 1 }));
      assert.deepEqual(await host.heard(), []);
      await host.context.close();
    })(),
    ...Object.entries({ silent, stalled }).map(async ([name, endpoint]) => {
      const host = await openHost(browser);
      await host.page.goto(stage.put(`/${name}.html`, pageWith(optionsFor(endpoint.origin))));
      await host.page.evaluate(() => {
        window.first = outcome(xdmBeacon("sendEvent"));
      });
      await endpoint.halted;
      assert.deepEqual(await host.call("flush", { timeout: 1 }), { value: { delivered: 0, stored: 0 } });
      await until("its copy on disk", async () => (await status(host)).outbox.events === 1);
      assert.deepEqual(await status(host), statusOf(STORED, { stored: 0, inFlight: 1 }));
      assert.equal((await host.call("sendEvent")).value.status, "delivered");
      assert.equal((await host.page.evaluate(() => first)).value.status, "stored");
      // Given up at last, the first request's event is sent again, and taken.
      await until("both to be delivered", async () => (await status(host)).delivered === 2);
      assert.deepEqual(await restingStatus(host), statusOf(DELIVERED, { accepted: 2, delivered: 2 }));
      assert.deepEqual(await host.heard(), []);
      await host.context.close();
    }),
  ]);
});

/** Answers its first POST as `begin` does, which is not to the end, and takes all others. */
async function openHaltingEndpoint(begin) {
  let halt;
  const halted = new Promise((resolve) => {
    halt = resolve;
  });
  let posts = 0;
  const endpoint = await openEndpoint((request, response) => {
    posts += 1;
    if (posts > 1) {
      respond(200, "{}")(request, response);
      return;
    }
    begin(response);
    halt();
  });
  return { ...endpoint, halted };
}

/** Every command of a page whose engine cannot run is refused, before and after that is known. */
async function assertNoEngine(host, cause) {
  const commands = [
    "sendEvent",
    "sendProfile",
    "flush",
    "getStatus",
    "getLibraryInfo",
    "configure",
    "nonsense",
  ];
  for (const command of commands) {
    const told = await host.call(command, {});
    assert.equal(told.code, "engine-unavailable", command);
    assert.match(told.message, /^xdmBeacon: the WebAssembly engine cannot run here \(/);
    assert.match(told.message, cause);
    assert.match(told.message, /check that xdm-beacon\.wasm is served .* 'wasm-unsafe-eval'$/);
  }
  assert.deepEqual(await host.heard(), []);
}

test("an engine that is not there", async () => {
  stage.put("/missing/xdm-beacon.wasm", "Not found", {}, 404);
  const host = await openHost(browser);
  const html = pageWith(optionsFor(inlet.origin), { sdk: "/missing" });
  await host.page.goto(stage.put("/no-engine.html", html));
  await assertNoEngine(host, /CompileError/);
  await host.context.close();
});

test("an engine that the page's policy does not allow", async () => {
  const host = await openHost(browser);
  const url = stage.put("/no-wasm.html", pageWith(optionsFor(inlet.origin)), {
    "Content-Security-Policy": "script-src 'self' 'unsafe-inline'",
  });
  await host.page.goto(url);
  await assertNoEngine(host, /Content Security Policy|unsafe-eval/);
  await host.context.close();
});

test("an engine that may not be fetched", async () => {
  const host = await openHost(browser);
  await host.context.route("**/xdm-beacon.wasm", (route) => route.abort("blockedbyclient"));
  await host.page.goto(stage.put("/no-fetch.html", pageWith(optionsFor(inlet.origin))));
  await assertNoEngine(host, /Failed to fetch/);
  await host.context.close();
});

test("a browser without WebAssembly", async () => {
  const host = await openHost(browser);
  await host.context.addInitScript("delete window.WebAssembly");
  await host.page.goto(stage.put("/old.html", pageWith(optionsFor(inlet.origin))));
  await assertNoEngine(host, /WebAssembly is not defined/);
  await host.context.close();
});

test("an engine that never comes is given up", async () => {
  const host = await openHost(browser);
  await host.page.clock.install();
  let asked;
  const request = new Promise((resolve) => {
    asked = resolve;
  });
  // Neither answered nor aborted.
  await host.context.route("**/xdm-beacon.wasm", () => asked());
  await host.page.goto(stage.put("/never.html", pageWith(optionsFor(inlet.origin))));
  await request;
  await host.page.clock.fastForward(31_000);
  await assertNoEngine(host, /it took too long to load/);
  await host.context.close();
});

test("an engine served with the wrong type works all the same", async () => {
  const { body, headers } = await fetch(`${stage.origin}/sdk/xdm-beacon.wasm`).then(async (answer) => ({
    body: Buffer.from(await answer.arrayBuffer()),
    headers: answer.headers,
  }));
  assert.equal(headers.get("content-type"), "application/wasm");
  for (const type of ["text/plain", "application/octet-stream"]) {
    stage.put("/typed/xdm-beacon.wasm", body, { "Content-Type": type });
    const host = await openHost(browser);
    await host.page.goto(stage.put("/type.html", pageWith(optionsFor(inlet.origin), { sdk: "/typed" })));
    await assertFate(host, DELIVERED);
    await host.context.close();
  }
});
