// For how long a page was seen and how far down, in three engines: of pages that are left, hidden and shown again,
// navigated without loading, kept for the way back, prerendered and closed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { engineNames, openEngine, openEngines } from "./engines.mjs";
import { baseCode, openInlet, openStage, optionsFor, until } from "./support.mjs";

let inlet, stage;
const browsers = openEngines();
const { open } = browsers;

before(async () => {
  inlet = await openInlet();
  stage = await openStage();
});
after(async () => {
  await browsers.close();
  await stage?.close();
  await inlet?.close();
});

let folders = 0;
/** The beginning of paths that no other test has: what comes of its pages later is not taken for another's. */
const folder = () => `/${++folders}`;

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
    const { scrollHeight } = document.documentElement;
    const all = { what, at: hold(), bottom: Math.ceil(scrollY + innerHeight), height: scrollHeight };
    if (!window.tells) localStorage.notes = JSON.stringify([...JSON.parse(localStorage.notes ?? "[]"), all]);
    return all;
  };
  const traversed = () => {
    if (window.traverses) note("navigates");
    window.traverses = false;
  };
  window.navigation?.addEventListener("currententrychange", traversed);
  addEventListener("popstate", traversed, true);
  addEventListener("pagehide", () => note("left"), true);
  addEventListener("pageshow", ({ persisted }) => note(persisted ? "restored" : "loaded"), true);
  addEventListener("visibilitychange", () => note(document.visibilityState), true);
}

/** A page of this height that tracks its engagement. */
const html = (
  title,
  { height = 3_000, track = ["engagement"], tracking, body = "", first = "", before, ...more } = {},
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
    <script>xdmBeacon("configure", { ...${JSON.stringify(options)}, onBeforeEventSend: ${before} });</script>
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

/** All events of a type and folder, oldest first. */
async function events(eventType, at) {
  const inFolder = ({ web }) => web.webPageDetails.URL.startsWith(`${stage.origin}${at}/`);
  const all = (await inlet.entities(`&eventType=${eventType}`)).filter(inFolder);
  return all.sort((one, other) => (one.timestamp < other.timestamp ? -1 : 1));
}

/** The last part of the URL, and the title. */
const viewOf = ({ web: { webPageDetails } }) => [webPageDetails.URL.split("/").at(-1), webPageDetails.name];

/** All that was told, oldest first: view, visible time, maximum scroll. */
async function engagements(at) {
  return (await events("web.engagement", at)).map((entity) => {
    const { visibleTime, maxScroll, ...rest } = entity._xdmbeacon.engagement;
    assert.deepEqual(rest, {});
    return [...viewOf(entity), visibleTime, maxScroll];
  });
}

async function assertTold(at, expected, what) {
  const told = () => engagements(at);
  await until(`${what}: ${expected.length} events`, async () => (await told()).length >= expected.length);
  assert.deepEqual(await told(), expected, what);
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

/** Has a page send what it notes as it is left, where nobody is there to be asked for it. */
const TELLS = `window.tells = true;
addEventListener("pagehide", () => {
  const { activationStart } = performance.getEntriesByType("navigation")[0];
  const shown = performance.getEntriesByType("visibility-state").pop()?.startTime;
  const name = JSON.stringify({ ...note("left"), activationStart, shown });
  xdmBeacon("sendEvent", { type: "left", documentUnloading: true, xdm: { web: { webPageDetails: { name } } } });
}, true);`;

/** What it has said. */
const saidLast = (at) =>
  until("what the page says", async () => {
    const [said] = await events("left", at);
    return said && JSON.parse(said.web.webPageDetails.name);
  });

for (const engine of engineNames) {
  test(`${engine}: pages that are left, and come back out of the cache`, async () => {
    const at = folder();
    const body = (to) => `<a id="next" href="${at}/${to}">Next</a>`;
    const a = stage.put(`${at}/a`, html("A", { body: body("b") }));
    const b = stage.put(`${at}/b`, html("B", { height: 100, body: body("a") }));
    const tab = await open(engine, a);
    await ready(tab);
    await notes(tab);
    const deep = await scroll(tab, 1_000);
    await scroll(tab, 0);
    const from = await since(tab);
    await tab.click("#next");
    await arrive(tab, b);
    const expected = [["a", "A", find(await notes(tab), "left").at - from, percent(deep)]];
    assert.ok(percent(deep) > 33 && percent(deep) < 100);
    await assertTold(at, expected, "a page that was scrolled and back");

    await ready(tab);
    const fromB = await since(tab);
    await later(tab, () => history.back());
    await arrive(tab, a);
    const back = await notes(tab);
    expected.push(["b", "B", find(back, "left").at - fromB, 100]);
    await assertTold(at, expected, "a page that is no taller than the window");

    await ready(tab);
    await tab.click("#next");
    await arrive(tab, b);
    const again = find(await notes(tab), "left");
    const restored = find(back, "restored");
    expected.push(["a", "A", again.at - restored.at, percent(again)]);
    await assertTold(at, expected, "a page that came back: a view of its own, without the time in the cache");
    await tab.close();
  });

  test(`${engine}: a page that is hidden and shown again, and grows`, async () => {
    // Windows of WebKit never hide each other here, so that the page has to say that it is hidden.
    const at = folder();
    const real = engine !== "webkit";
    const first = real
      ? ""
      : `Object.defineProperty(document, "visibilityState", { get: () => window.said ?? "visible" });`;
    const other = await open(engine, stage.put(`${at}/other`, "<!doctype html><title>Other</title>"));
    const tab = await open(engine, stage.put(`${at}/page`, html("Page", { height: 2_000, first })));
    await ready(tab);
    await notes(tab);
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
      expected.push(["page", "Page", hidden.at - from, percent({ bottom: deepest, height })]);
      await assertTold(at, expected, `hidden ${expected.length} times`);
    }
    assert.ok(expected[1][3] < expected[0][3], "it has grown");
    await tab.close();
    await other.close();
  });

  for (const [how, first] of [
    ["by what the browser has", ""],
    ["without the Navigation API", "Object.defineProperty(window, 'navigation', { value: undefined });"],
  ]) {
    test(`${engine}: soft navigations, each view that of a page view, ${how}`, async () => {
      for (const hashRoutes of [false, true]) {
        const at = folder();
        const made = { first, track: ["pageViews", "engagement"], tracking: { hashRoutes } };
        const url = stage.put(
          `${at}/start`,
          html("Start", { ...made, body: `<a id="next" href="${at}/next">Next</a>` }),
        );
        const end = stage.put(`${at}/next`, html("Next", { track: [] }));
        const tab = await open(engine, url);
        await ready(tab);
        await notes(tab);
        let from = await since(tab);
        let view = ["start", "Start"];
        const views = [view];
        const expected = [];
        /** Does something at a time that is known, and waits until it has settled; `to` is the view that it leads to. */
        const step = async (act, to, { most } = {}) => {
          await tab.evaluate(act);
          await tab.evaluate(() => new Promise((resolve) => setTimeout(resolve, 60)));
          const navigated = (await notes(tab)).filter(({ what }) => what === "navigates");
          if (!to) return;
          expected.push([...view, navigated[0].at - from, percent({ ...navigated[0], ...most })]);
          [view, from] = [to, navigated[0].at];
          views.push(view);
        };
        const most = await scroll(tab, 1_500);
        await scroll(tab, 0);
        await step(() => {
          note("navigates");
          history.replaceState({ a: 1 }, "", location.href);
        });
        const fragment = () => {
          note("navigates");
          history.pushState(null, "", "#top");
        };
        await step(fragment, hashRoutes && ["start#top", "Start"], { most });
        const push = () => {
          note("navigates");
          history.pushState(null, "", "mugs");
          document.title = "Mugs";
          document.querySelector("main").style.height = "6000px";
        };
        await step(push, ["mugs", "Mugs"], hashRoutes ? {} : { most });
        const redirect = () => {
          note("navigates");
          history.pushState(null, "", "old");
          document.querySelector("main").style.height = "10px";
          setTimeout(() => {
            history.replaceState(null, "", "new");
            document.title = "New";
          });
        };
        await step(redirect, ["new", "New"]);
        await tab.evaluate(() => {
          document.querySelector("main").style.height = "2000px";
        });
        const deep = await scroll(tab, 500);
        const away = () => {
          note("navigates");
          history.pushState(null, "", "away");
          history.replaceState(null, "", "new");
        };
        // It is told of, and goes on.
        await step(away, ["new", "New"], { most: deep });
        views.pop();
        const back = () => {
          window.traverses = true;
          history.go(-2);
        };
        await step(back, ["mugs", "New"]);
        await tab.click("#next");
        await arrive(tab, end);
        const left = find(await notes(tab), "left");
        expected.push([...view, left.at - from, percent(left)]);
        await assertTold(at, expected, `hashRoutes ${hashRoutes}`);
        const counted = (await events("web.webpagedetails.pageViews", at)).map(viewOf);
        assert.deepEqual(counted, views);
        await tab.close();
      }
    });
  }

  test(`${engine}: a page that leaves before its view has settled`, async () => {
    const at = folder();
    const next = stage.put(`${at}/next`, html("Next", { track: [] }));
    const tab = await open(engine, stage.put(`${at}/start`, html("Start")));
    await ready(tab);
    await notes(tab);
    const from = await since(tab);
    await later(tab, () => {
      note("navigates");
      history.pushState(null, "", "soft");
      document.title = "Soft";
      setTimeout(() => {
        location.href = "next";
      }, 1);
    });
    await arrive(tab, next);
    const all = await notes(tab);
    const [navigated, left] = [find(all, "navigates"), find(all, "left")];
    const expected = [
      ["start", "Start", navigated.at - from, percent(navigated)],
      ["soft", "Soft", left.at - navigated.at, percent(left)],
    ];
    await assertTold(at, expected, "both");
    await tab.close();
  });

  test(`${engine}: a page that is hidden again while it tells, as Firefox does it, and navigates`, async () => {
    const at = folder();
    const before = () => {
      document.dispatchEvent(new Event("visibilitychange"));
      if (!location.href.endsWith("next")) history.replaceState(null, "", "next");
    };
    const first = `Object.defineProperty(document, "visibilityState", { get: () => window.said ?? "visible" });`;
    const tab = await open(engine, stage.put(`${at}/page`, html("Page", { first, before })));
    await ready(tab);
    const from = await since(tab);
    const say = (state) =>
      tab.evaluate((state) => {
        window.said = state;
        document.dispatchEvent(new Event("visibilitychange"));
        return new Promise((resolve) => setTimeout(resolve, 60));
      }, state);
    await notes(tab);
    await say("hidden");
    const hidden = find(await notes(tab), "hidden");
    const expected = [["page", "Page", hidden.at - from, percent(hidden)]];
    await assertTold(at, expected, "told once");
    await say("visible");
    const shown = find(await notes(tab), "visible");
    await say("hidden");
    const again = find(await notes(tab), "hidden");
    expected.push(["next", "Page", again.at - shown.at, percent(again)]);
    await assertTold(at, expected, "the view that was navigated to meanwhile");
    await tab.close();
  });

  // Firefox ends the process of a tab that is closed within milliseconds: what arrives from there is a matter of luck.
  if (engine === "firefox") continue;
  test(`${engine}: a tab that is closed`, async () => {
    const at = folder();
    const tab = await open(engine, stage.put(`${at}/page`, html("Page", { first: TELLS })));
    await ready(tab);
    const from = await since(tab);
    await tab.close();
    const left = await saidLast(at);
    await assertTold(at, [["page", "Page", left.at - from, percent(left)]], "closed");
  });
}

test("chromium: a page that is prerendered is seen from when somebody sees it", async () => {
  const at = folder();
  // A page that is seen becomes another one to the driver, so that it has to act by itself.
  const acts = async () => {
    await xdmBeacon("getStatus");
    await import("/sdk/xdm-beacon-engagement.js");
    setTimeout(() => {
      location.href = "next";
    }, 60);
  };
  stage.put(`${at}/next`, html("Next", { track: [] }));
  const seen = stage.put(`${at}/seen`, html("Seen", { first: TELLS, body: `<script>(${acts})()</script>` }));
  const rules = JSON.stringify({ prerender: [{ urls: [seen], eagerness: "immediate" }] });
  const body = `<script type="speculationrules">${rules}</script><a id="on" href="${seen}">On</a>`;
  const from = stage.put(`${at}/from`, html("From", { track: [], body }));
  // So this browser is for nothing else.
  const chromium = await openEngine("chromium");
  try {
    const tab = await chromium.open(from);
    await until("the prerendered page", () => stage.asked(`${at}/seen`));
    await tab.click("#on");
    const left = await saidLast(at);
    assert.ok(0 < left.activationStart && left.activationStart <= left.shown, "it was prerendered");
    await assertTold(at, [["seen", "Seen", left.at - Math.round(left.shown), percent(left)]], "seen");
  } finally {
    await chromium.close();
  }
});
