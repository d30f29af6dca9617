// One run of one scenario: a fresh browser on a fresh profile, a page's origin, an endpoint on another, and a
// gate between them that can be shut. Nothing here knows whose library is on the page.

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "../../tests/e2e/engines.mjs";
import { listenOnLoopback, until } from "../../tests/e2e/support.mjs";

/** What a document may have under way by keepalive: https://fetch.spec.whatwg.org/#http-network-or-cache-fetch */
const KEEPALIVE_BYTES = 65_536;
/** What it may have deferred to one origin: https://fetch.spec.whatwg.org/#deferred-fetch */
const DEFERRED_BYTES = 65_536;

const POLL_MS = 100;
/** Everything has arrived; a duplicate of it would follow within this time. */
const COMPLETE_MS = 1_500;
/** Longest wait for quiet. */
const LIMIT_MS = 120_000;

let runs = 0;

/**
 * Lives through `scenario` with `party`'s library in `engine`, and counts what arrived.
 *
 * @param {object} party see ours.mjs
 * @param {object} endpoint what takes the events in: `port`, `reset()`, `faults(faults)`, `count()`, `arrivals()`
 * @param {"chromium" | "firefox" | "webkit"} engine
 * @param {object} scenario see scenarios.mjs
 * @returns {Promise<{party: string, engine: string, scenario: string, sent: number, atOnce: number,
 *   atOnceBytes: number, allowed: number, allowedBytes: number, allowedKeepalive: number, inTheEnd: number,
 *   twice: number, remark: string}>}
 *   distinct events and their bytes before the next visit; what the browser's quotas let a leaving page hand over of
 *   them, and how many of these by keepalive; distinct events after the next visit; events that arrived again
 */
export async function live(party, endpoint, engine, scenario) {
  await endpoint.reset();
  await endpoint.faults({});
  const world = await openWorld(party, endpoint, engine, scenario);
  try {
    await scenario.run(world);
    await world.quiet(scenario.quietMs ? (party.patienceMs ?? scenario.quietMs) : party.quietMs);
    const before = await world.arrived();
    await endpoint.faults({});
    await world.gate.open();
    await world.visitAgain();
    const after = await world.arrived();
    const quotas = engine === "chromium" ? [KEEPALIVE_BYTES, DEFERRED_BYTES] : [KEEPALIVE_BYTES];
    const may = scenario.leaves ? allowed(quotas, after) : after;
    const bytes = (arrivals) => arrivals.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      party: party.name,
      engine,
      scenario: scenario.name,
      sent: world.sent.size,
      atOnce: before.length,
      atOnceBytes: bytes(before),
      allowed: may.length,
      allowedBytes: bytes(may),
      allowedKeepalive: scenario.leaves ? allowed([KEEPALIVE_BYTES], after).length : after.length,
      inTheEnd: after.length,
      twice: after.filter(({ times }) => times > 1).length,
      remark: scenario.remark?.(world, after) ?? "",
    };
  } finally {
    await world.close();
  }
}

/** Those events that a page may hand over as it leaves: whole ones only, in each of its ways. */
function allowed(quotas, arrivals) {
  const waiting = arrivals.toSorted((one, other) => one.bytes - other.bytes);
  const taken = [];
  for (let room of quotas) {
    for (; waiting.length > 0 && waiting[0].bytes <= room; room -= taken.at(-1).bytes)
      taken.push(waiting.shift());
  }
  return taken;
}

async function openWorld(party, endpoint, engineName, scenario) {
  const run = `run${++runs}`;
  const profile = mkdtempSync(join(tmpdir(), "xdm-delivery-"));
  const gate = await openGate(endpoint.port);
  const notes = [];
  const requested = new Set();
  const site = await openSite(party, { endpoint: gate.origin, head: scenario.head, notes, requested });
  const browserOptions = { profile, ...scenario.browser?.[engineName], ...scenario.browser?.all };
  let browser = await openEngine(engineName, browserOptions);
  const sent = new Set();
  let padding = 0;
  let leaves = 0;
  let visits = 0;

  const world = {
    engineName,
    endpoint,
    gate,
    notes,
    sent,
    origin: site.origin,
    get browser() {
      return browser;
    },

    /** Opens the page; unless it is to be `cold`, events have come through, one alone and two together. */
    visit: async ({ cold = false, byScript = false } = {}) => {
      const tab = await browser.open(`${site.origin}/page.html`, { byScript });
      await tab.evaluate(() => bench.ready);
      if (cold) return tab;
      const name = `${run}-warm-${++visits}`;
      for (const ids of [[`${name}a`], [`${name}b`, `${name}c`]]) {
        await tab.evaluate((ids) => {
          for (const id of ids) bench.send(id, "");
        }, ids);
        const bytes = await until("the first events", async () => {
          const arrivals = await endpoint.arrivals();
          return ids.every((id) => arrivals.has(id)) && arrivals.get(ids[0]).bytes;
        });
        padding = Math.max(0, (scenario.events?.bytes ?? 0) - bytes);
        await until("its answer in the page", () => tab.evaluate(() => bench.calm()));
      }
      return tab;
    },

    /** Events in one task; the same one ends the page, if `leave` is "navigate" or "window.close()". */
    send: async (tab, { leave, count = scenario.events.count } = {}) => {
      const ids = Array.from({ length: count }, () => {
        const id = `${run}-event-${sent.size}`;
        sent.add(id);
        return id;
      });
      const away = leave === "navigate" && `/away.html?${++leaves}`;
      await tab.evaluate(
        (ids, padding, leave, away) => {
          const act = () => {
            for (const id of ids) bench.send(id, "x".repeat(padding));
            if (away) location.href = away;
            if (leave === "window.close()") window.close();
          };
          // In a task of its own, since the driver awaits the end of this one.
          if (away || leave === "window.close()") setTimeout(act);
          else act();
        },
        ids,
        padding,
        leave,
        away,
      );
      if (away) await until("the next page", () => requested.has(away));
      if (leave === "window.close()") await until("the tab's end", tab.gone);
    },

    /** A name that no other run has, for ids that a page makes by itself. */
    id: (name) => `${run}-${name}`,

    /** A new browser on the same profile. */
    reopen: async () => {
      browser = await openEngine(engineName, browserOptions);
    },

    /** Those of the events that arrived: `{id, times, bytes}`. */
    arrived: async () =>
      [...(await endpoint.arrivals())]
        .filter(([id]) => sent.has(id))
        .map(([id, { times, bytes }]) => ({ id, times, bytes })),

    /** Waits until nothing has arrived for `ms`, or, where everything is here, nothing more for a moment. */
    quiet: async (ms) => {
      const end = Date.now() + LIMIT_MS;
      let last = -1;
      let since = Date.now();
      while (Date.now() < end) {
        const count = await endpoint.count();
        if (count !== last) since = Date.now();
        last = count;
        const still = Date.now() - since;
        if (still >= ms || (still >= COMPLETE_MS && (await world.arrived()).length === sent.size)) return;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },

    /**
     * The next visit to the origin. Some libraries look at what an earlier page has left only when an event comes,
     * as one does on every page of a site.
     */
    visitAgain: async () => {
      const tab = await browser.open(`${site.origin}/page.html`);
      if (browser.attended) await tab.evaluate(() => bench.ready.then(() => bench.pageView?.()));
      await world.quiet(party.nextVisitMs);
    },

    close: async () => {
      await browser.close();
      await site.close();
      await gate.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return world;
}

/** The page's origin: the page itself, one to leave to, and a place for the page's own notes. */
export async function openSite(party, { endpoint, head = "", notes = [], requested = new Set() }) {
  const folders = await party.files();
  const html = { "Content-Type": "text/html; charset=utf-8" };
  const server = createServer((request, response) => {
    requested.add(request.url);
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    if (pathname === "/page.html") {
      response.writeHead(200, html).end(party.page(endpoint, head));
    } else if (pathname === "/away.html") {
      response.writeHead(200, html).end('<!doctype html><link rel="icon" href="data:,"><title>Away</title>');
    } else if (pathname === "/note") {
      notes.push(Object.fromEntries(searchParams));
      response.writeHead(204).end();
    } else {
      folders(request, response, () => response.writeHead(404).end());
    }
  });
  return listenOnLoopback(server);
}

/** Passes bytes on to a port of this machine, until it is shut: then connections are refused. */
export async function openGate(to) {
  const sockets = new Set();
  const server = createTcpServer((near) => {
    const far = connect(to, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(one);
      one.pipe(other);
      one.once("error", () => other.destroy());
      one.once("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  const listen = (port) => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address();
  const shut = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return {
    origin: `http://127.0.0.1:${port}`,
    shut,
    open: async () => {
      if (!server.listening) await listen(port);
    },
    close: shut,
  };
}
