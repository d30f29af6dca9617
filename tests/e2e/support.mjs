// What the end-to-end tests share: a real inlet, a real site, a real browser, and waiting with a bound.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium as playwright } from "playwright-core";
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

/** An inlet on a free port with data of its own. */
export async function openInlet(args = []) {
  const data = mkdtempSync(join(tmpdir(), "xdm-inlet-"));
  const inlet = await startInlet({ data, args });
  const get = async (path) => (await fetch(inlet.origin + path)).json();
  return {
    origin: inlet.origin,
    get,
    counts: () => get("/inspect/counts"),
    good: async (query = "") => (await get(`/inspect/good?limit=1000${query}`)).rows,
    bad: async (query = "") => (await get(`/inspect/bad?limit=1000${query}`)).rows,
    reset: () => fetch(`${inlet.origin}/inspect/reset`, { method: "POST" }),
    /** Switches faults; `{}` switches all off. */
    faults: async (faults) => {
      const answer = await fetch(`${inlet.origin}/inspect/faults`, {
        method: "PUT",
        body: JSON.stringify(faults),
      });
      if (!answer.ok) throw new Error(await answer.text());
    },
    close: async () => {
      await inlet.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** The built shop, its pages pointed at `inlet`. */
export const openSite = (inlet, options) =>
  serve(join(root, "dist/site"), { inlet: inlet.origin, ...options });

export const openBrowser = () => playwright.launch({ executablePath: chromium(), args: CHROMIUM_ARGS });

/**
 * A page in a context of its own, with everything it complained about in `complaints`: console
 * messages, uncaught exceptions, unhandled rejections.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function openPage(browser, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(`console.${message.type()}: ${message.text()}`));
  // Chromium reports unhandled rejections here, too.
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error}`));
  return { page, context, complaints };
}
