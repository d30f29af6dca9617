// Which message reaches the inlet under each of its CORS modes: by keepalive fetch, plain fetch and
// beacon, with and without a warm preflight, while the page lives and while it leaves.
//
// That something does not arrive is told by one that is sent after it, by a way known to work.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { openHost, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, gate, stage, browser } = await openSuite();
afterEach(() => inlet.faults({}));

/** Small ones go by keepalive; 70,000 bytes are above its budget. */
const event = (id, size = 10) => ({ xdm: { _id: id, web: { webPageDetails: { name: "x".repeat(size) } } } });
const PLAIN = 70_000;

/** A page of its own browser context, so that no preflight is remembered. */
async function openSender(name, delivery) {
  const host = await openHost(browser);
  const options = optionsFor(gate.origin, { context: [], delivery });
  await host.page.goto(stage.put(`/${name}.html`, pageWith(options)));
  await host.call("getStatus");
  return host;
}

/** Whether `id` arrived, known after a later message did. */
async function didArrive(id) {
  await inlet.faults({});
  const control = await openSender("control");
  const { value } = await control.call("sendEvent", event(`${id}-control`));
  assert.equal(value.status, "delivered");
  await control.context.close();
  return (await arrivals(id)) === 1;
}

/** How often the message with this `_id` came. */
const arrivals = async (id) => (await inlet.get(`/inspect/good?id=${id}`)).rows.length;

/** Waits until a first request since `before`, a preflight maybe, was answered. */
const answered = (before) =>
  until("an answer to the first request", () =>
    gate.requests.slice(before).some(({ status }) => status !== undefined),
  );

/** Sends as the page goes away; gives back what the promise said before it was gone, if it did. */
async function leave(host, options) {
  await host.page.evaluate((options) => {
    addEventListener("pagehide", () =>
      xdmBeacon("sendEvent", options).then(({ status }) => {
        localStorage.told = status;
      }),
    );
  }, options);
  await host.page.goto(stage.put("/elsewhere.html", "<title>Elsewhere</title>"));
  return host.page.evaluate(() => localStorage.told);
}

async function leaveSending(host, options) {
  const before = gate.requests.length;
  assert.equal(await leave(host, options), "handedOver");
  await answered(before);
}

const ARRIVES = { star: true, credentials: true, none: false };

for (const [cors, arrives] of Object.entries(ARRIVES)) {
  for (const preflight of ["cold", "warm"]) {
    const warm = async (host) => {
      if (preflight === "warm") await host.call("sendEvent", event(`${cors}-warming-${Math.random()}`));
      await inlet.faults({ cors });
    };

    for (const [transport, size] of [
      ["keepalive fetch", 10],
      ["plain fetch", PLAIN],
    ]) {
      test(`${cors}, ${preflight} preflight, living page, ${transport}`, async () => {
        const id = `living-${cors}-${preflight}-${size}`;
        const host = await openSender("living");
        await warm(host);
        const { value } = await host.call("sendEvent", event(id, size));
        const { id: _, timestamp: __, ...told } = value;
        assert.deepEqual(told, { status: arrives ? "delivered" : "stored" });
        // Without CORS headers a request that may leave (its preflight is remembered) arrives, but its
        // answer cannot be read: so it is sent again, which is the only way to be sure.
        const before = await arrivals(id);
        assert.equal(before > 0, arrives || preflight === "warm");
        await inlet.faults({});
        await until("its delivery", async () => {
          const { value: status } = await host.call("getStatus");
          return status.delivered === status.accepted;
        });
        const expected = arrives ? before : before + 1;
        // Another attempt may have been on its way when the fault was switched off.
        if (preflight === "cold") assert.equal(await arrivals(id), expected);
        else assert.ok((await arrivals(id)) >= expected);
        assert.deepEqual(await host.heard(), []);
        await host.context.close();
      });
    }

    test(`${cors}, ${preflight} preflight, leaving page, keepalive fetch`, async () => {
      const id = `leaving-${cors}-${preflight}`;
      const host = await openSender("leaving");
      await warm(host);
      await leaveSending(host, event(id));
      if (arrives || preflight === "warm") await inlet.arrived(id);
      else assert.equal(await didArrive(id), false);
      await host.context.close();
    });

    test(`${cors}, ${preflight} preflight, leaving page, JSON beacon`, async () => {
      const id = `beacon-${cors}-${preflight}`;
      const host = await openSender("beacon", { transport: "beacon" });
      // What a fetch without credentials has warmed is nothing to a beacon, which has them.
      await warm(host);
      await leaveSending(host, event(id));
      if (cors === "credentials") await inlet.arrived(id);
      else assert.equal(await didArrive(id), false);
      await host.context.close();
    });
  }
}

for (const [cors, arrives] of Object.entries({ ...ARRIVES, star: false })) {
  for (const preflight of ["cold", "warm"]) {
    test(`${cors}, ${preflight} preflight, living page, JSON beacon`, async () => {
      const id = `unloading-${cors}-${preflight}`;
      const host = await openSender("unloading", { transport: "beacon" });
      if (preflight === "warm") await host.call("sendEvent", event(`${id}-warming`));
      await inlet.faults({ cors });
      const before = gate.requests.length;
      const { value } = await host.call("sendEvent", { ...event(id), documentUnloading: true });
      // The browser takes it in any case, and never tells.
      assert.equal(value.status, "handedOver");
      await answered(before);
      if (arrives) await inlet.arrived(id);
      else assert.equal(await didArrive(id), false);
      assert.deepEqual(await host.heard(), []);
      await host.context.close();
    });
  }
}

test("what no request can carry beyond the page is stored, and goes with the next page", async () => {
  for (const preflight of ["cold", "warm"]) {
    const id = `too-large-${preflight}`;
    const host = await openSender("too-large");
    if (preflight === "warm") await host.call("sendEvent", event(`${id}-warming`));
    assert.equal(await leave(host, event(id, PLAIN)), "stored");
    assert.equal(await didArrive(id), false);
    await host.page.goto(`${stage.origin}/too-large.html`);
    await inlet.arrived(id);
    await until("an empty outbox", async () => (await host.call("getStatus")).value.outbox.events === 0);
    assert.equal(await arrivals(id), 1);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  }
});

test("what was asked once is not asked again, but single and batch apart, and a beacon by itself", async () => {
  await inlet.faults({ cors: "credentials" });
  const host = await openSender("apart", { transport: "beacon" });
  const since = gate.requests.length;
  /** Each request from here on that came for this path, preflights marked. */
  const seen = (path) =>
    gate.requests
      .slice(since)
      .filter((request) => request.path === path)
      .map(({ method }) => method);
  const { endpoint } = optionsFor(gate.origin);
  const single = new URL(endpoint).pathname;
  const batch = single.replace("/collection/", "/collection/batch/");

  await host.call("sendEvent", event("apart-1"));
  await host.call("sendEvent", event("apart-2"));
  assert.deepEqual(seen(single), ["OPTIONS", "POST", "POST"]);

  const post = (path) =>
    host.page.evaluate(
      (url) =>
        fetch(url, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          credentials: "omit",
          body: "{}",
        }).then(({ status }) => status),
      gate.origin + path,
    );
  await post(batch);
  await post(batch);
  assert.deepEqual(seen(batch), ["OPTIONS", "POST", "POST"]);
  await post(single);
  assert.deepEqual(seen(single), ["OPTIONS", "POST", "POST", "POST"]);

  await host.call("sendEvent", { ...event("apart-beacon"), documentUnloading: true });
  await inlet.arrived("apart-beacon");
  assert.deepEqual(seen(single), ["OPTIONS", "POST", "POST", "POST", "OPTIONS", "POST"]);
  await host.context.close();
});

test("the page reads Retry-After only where the inlet exposes it", async () => {
  const host = await openSender("retry");
  const read = (endpoint) =>
    host.page.evaluate(async (endpoint) => {
      const answer = await fetch(endpoint, { method: "POST", body: "{}" });
      return [answer.status, answer.headers.get("Retry-After")];
    }, endpoint);
  const { endpoint } = optionsFor(inlet.origin);
  await inlet.faults({ target: "collection", status: 503, retryAfter: 7 });
  assert.deepEqual(await read(endpoint), [503, null]);
  await inlet.faults({ target: "collection", status: 503, retryAfter: 7, exposeRetryAfter: true });
  assert.deepEqual(await read(endpoint), [503, "7"]);
  await host.context.close();
});
