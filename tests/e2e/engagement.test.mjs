// For how long a page was seen and how far down, in three engines: of pages that are left, hidden and shown again,
// navigated without loading, kept for the way back, prerendered and closed.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { engineNames, openEngine } from "./engines.mjs";
import { baseCode, openInlet, openStage, optionsFor, until } from "./support.mjs";

let inlet, stage;
/** One browser of each engine, once it is needed. */
const browsers = new Map();

before(async () => {
  inlet = await openInlet();
  stage = await openStage();
});
after(async () => {
  for (const browser of browsers.values()) await browser.close();
  await stage?.close();
  await inlet?.close();
});
/** Ids of events of tests before. */
const forgotten = new Set();
beforeEach(async () => {
  // What was handed over while leaving may come again later, since nobody has seen its answer.
  for (const { _id } of await inlet.entities()) forgotten.add(_id);
  await inlet.reset();
});

async function open(engine, url, options) {
  if (!browsers.has(engine)) browsers.set(engine, await openEngine(engine));
  return browsers.get(engine).open(url, options);
}

/**
 * Runs in the page, before anything else: notes when it is shown and hidden, and holds the clock for as long as
 * others hear of it, so that the times are to be expected to the millisecond.
 */
function keepTime() {
  const now = performance.now.bind(performance);
  let held;
  performance.now = () => held ?? now();
  window.hold = () => {
    held = now();
    setTimeout(() => {
      held = undefined;
    });
    return Math.round(held);
  };
  /** `what` happens now; `bottom` and `height` are what there is to see. */
  window.note = (what) => {
    const notes = JSON.parse(localStorage.notes ?? "[]");
    const { scrollHeight } = document.documentElement;
    notes.push({ what, at: hold(), bottom: Math.ceil(scrollY + innerHeight), height: scrollHeight });
    localStorage.notes = JSON.stringify(notes);
  };
  addEventListener("pagehide", () => note("left"), true);
  addEventListener("pageshow", ({ persisted }) => note(persisted ? "restored" : "loaded"), true);
  addEventListener("visibilitychange", () => note(document.visibilityState), true);
}

/** A page of this height that tracks its engagement. */
const html = (
  title,
  { height = 3_000, track = ["engagement"], tracking, body = "", first = "", ...more } = {},
) => {
  const paths = { engagement: "_xdmbeacon.engagement" };
  const options = optionsFor(inlet.origin, { track, tracking: { paths, ...tracking }, ...more });
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>${title}</title>
    <link rel="icon" href="data:,">
    <style>body { margin: 0 } main { height: ${height}px } a { position: fixed; top: 0 }</style>
    <script>(${keepTime})();${first}</script>
    <script>${baseCode()}</script>
    <script>xdmBeacon("configure", ${JSON.stringify(options)});</script>
    <script async src="/sdk/xdm-beacon.js"></script>
  </head>
  <body><main></main>${body}</body>
</html>`;
};

/** The module is at work, and what was about to settle has. */
const ready = (tab) =>
  tab.evaluate(async () => {
    await xdmBeacon("getStatus");
    // The library has asked for it before.
    await import("/sdk/xdm-beacon-engagement.js");
    await new Promise((resolve) => setTimeout(resolve, 60));
  });

/** Since when a page that was loaded in the foreground is seen. */
const since = (tab) =>
  tab.evaluate(() => Math.round(performance.getEntriesByType("navigation")[0].responseStart));

/** What was noted since the last time that this was asked. */
const notes = (tab) =>
  tab.evaluate(() => {
    const notes = JSON.parse(localStorage.notes ?? "[]");
    localStorage.removeItem("notes");
    return notes;
  });

/** The first note of this kind. */
const find = (notes, what) =>
  notes.find((note) => note.what === what) ?? assert.fail(`${what}: ${JSON.stringify(notes)}`);

const percent = ({ bottom, height }) => Math.min(100, Math.round((bottom / height) * 100));

/** All that was told, oldest first: path, title, visible time, maximum scroll. */
async function engagements() {
  return (await inlet.entities("&eventType=web.engagement"))
    .filter(({ _id }) => !forgotten.has(_id))
    .sort((one, other) => (one.timestamp < other.timestamp ? -1 : 1))
    .map(({ web: { webPageDetails }, _xdmbeacon: { engagement } }) => {
      assert.deepEqual(Object.keys(engagement), ["visibleTime", "maxScroll"]);
      const path = webPageDetails.URL.replace(stage.origin, "");
      return [path, webPageDetails.name, engagement.visibleTime, engagement.maxScroll];
    });
}

async function assertTold(expected, what) {
  await until(
    `${what}: ${expected.length} events`,
    async () => (await engagements()).length >= expected.length,
  );
  assert.deepEqual(await engagements(), expected, what);
  assert.deepEqual(await inlet.bad(), []);
}

/** Waits until the tab is at `url`. */
async function arrive(tab, url) {
  const there = (url) => location.href === url && document.readyState === "complete";
  await until(url, () => tab.evaluate(there, url).catch(() => false));
}

/** In a task of its own: a driver does not like its page to go in the middle of a script. */
const later = (tab, act) => tab.evaluate(`() => { setTimeout(${act}); }`);

/** Scrolls there, and waits until that was shown. */
const scroll = (tab, to) =>
  tab.evaluate(async (to) => {
    scrollTo({ top: to, behavior: "instant" });
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    return { bottom: Math.ceil(scrollY + innerHeight), height: document.documentElement.scrollHeight };
  }, to);

for (const engine of engineNames) {
  // Firefox keeps no page for the way back whose outbox is open.
  const kept = engine === "firefox" ? { delivery: { storage: false } } : {};

  test(`${engine}: pages that are left, and come back out of the cache`, async () => {
    const body = (to) => `<a id="next" href="/left/${to}.html">Next</a>`;
    const a = stage.put("/left/a.html", html("A", { ...kept, body: body("b") }));
    const b = stage.put("/left/b.html", html("B", { ...kept, height: 100, body: body("a") }));
    const tab = await open(engine, a);
    await ready(tab);
    await notes(tab);
    const deep = await scroll(tab, 1_000);
    await scroll(tab, 0);
    const from = await since(tab);
    await tab.click("#next");
    await arrive(tab, b);
    const expected = [["/left/a.html", "A", find(await notes(tab), "left").at - from, percent(deep)]];
    assert.ok(percent(deep) > 33 && percent(deep) < 100);
    await assertTold(expected, "a page that was scrolled and back");

    await ready(tab);
    const fromB = await since(tab);
    await later(tab, () => history.back());
    await arrive(tab, a);
    const back = await notes(tab);
    expected.push(["/left/b.html", "B", find(back, "left").at - fromB, 100]);
    await assertTold(expected, "a page that is no taller than the window");

    await ready(tab);
    await tab.click("#next");
    await arrive(tab, b);
    const again = find(await notes(tab), "left");
    const restored = find(back, "restored");
    expected.push(["/left/a.html", "A", again.at - restored.at, percent(again)]);
    await assertTold(expected, "a page that came back: a view of its own, without the time in the cache");
    await tab.close();
  });

  test(`${engine}: a page that is hidden and shown again, and grows`, async () => {
    // Windows of WebKit never hide each other here, so that the page has to say that it is hidden.
    const real = engine !== "webkit";
    const first = real
      ? ""
      : `Object.defineProperty(document, "visibilityState", { get: () => window.said ?? "visible" });`;
    const tab = await open(engine, stage.put("/hidden/page", html("Page", { height: 2_000, first })));
    await ready(tab);
    await notes(tab);
    const other = await open(engine, stage.put("/hidden/other", "<!doctype html><title>Other</title>"));
    const say = (state) =>
      tab.evaluate((state) => {
        window.said = state;
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    const hide = () => (real ? other.evaluate(() => 0) : say("hidden"));
    const show = () => (real ? tab.evaluate(() => 0) : say("visible"));
    let from = await since(tab);
    const expected = [];
    let deepest = 0;
    for (const [height, top] of [
      [2_000, 500],
      [4_000, 0],
      [4_000, 3_000],
    ]) {
      await show();
      const shown = (await notes(tab)).filter(({ what }) => what === "visible");
      if (expected.length) from = shown.at(-1).at;
      await tab.evaluate((height) => {
        document.querySelector("main").style.height = `${height}px`;
      }, height);
      const { bottom } = await scroll(tab, top);
      deepest = Math.max(deepest, bottom);
      await notes(tab);
      await hide();
      await until("it to be hidden", () => other.evaluate(() => localStorage.notes?.includes("hidden")));
      const hidden = find(await notes(other), "hidden");
      assert.equal(hidden.height, height);
      expected.push(["/hidden/page", "Page", hidden.at - from, percent({ bottom: deepest, height })]);
      await assertTold(expected, `hidden ${expected.length} times`);
    }
    assert.ok(expected[1][3] < expected[0][3], "it has grown");
    await tab.close();
    await other.close();
  });
}
