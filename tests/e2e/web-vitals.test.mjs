// Web vitals in three engines, beside what the browser itself tells of them: of pages that are left, hidden and
// shown again, kept for the way back, navigated without loading and prerendered.

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

/** Runs in the page, before anything else: keeps what the browser tells. */
function watch() {
  window.entries = [];
  for (const type of ["paint", "largest-contentful-paint", "layout-shift", "event"]) {
    if (!PerformanceObserver.supportedEntryTypes.includes(type)) continue;
    const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
    observer.observe({ type, buffered: true, durationThreshold: 40 });
  }
  /** The web vitals by these; what an engine does not tell of is missing. */
  window.vitals = () => {
    const of = (type) => entries.filter(({ entryType }) => entryType === type);
    const times = {
      lcp: of("largest-contentful-paint").at(-1)?.startTime,
      fcp: of("paint").find(({ name }) => name === "first-contentful-paint")?.startTime,
      inp: Math.max(...of("event").map(({ interactionId, duration }) => (interactionId ? duration : 0))),
      ttfb: performance.getEntriesByType("navigation")[0].responseStart,
    };
    const all = {};
    for (const [name, time] of Object.entries(times)) if (time > 0) all[name] = Math.round(time);
    const shifts = of("layout-shift");
    if (shifts.length)
      all.cls = Math.round(shifts.reduce((sum, { value }) => sum + value, 0) * 10_000) / 10_000;
    return all;
  };
}

/** A page that is to be looked at, with a button that takes its time and another that moves things. */
const html = (title, { body = "", first = "", sdk = "/sdk", ...more } = {}) => {
  const tracking = { paths: { webVitals: "_xdmbeacon.webVitals" } };
  const options = optionsFor(inlet.origin, { track: ["webVitals"], tracking, ...more });
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>${title}</title>
    <link rel="icon" href="data:,">
    <script>(${watch})();${first}</script>
    <script>${baseCode()}</script>
    <script>xdmBeacon("configure", ${JSON.stringify(options)});</script>
    <script async src="${sdk}/xdm-beacon.js"></script>
  </head>
  <body>
    <h1>${"A heading that is long enough. ".repeat(8)}</h1>
    <button id="slow">Slow</button>
    ${body}
    <script>
      slow.addEventListener("click", () => {
        for (const end = performance.now() + (window.takes ?? 80); performance.now() < end; );
        slow.textContent += "!";
      });
    </script>
  </body>
</html>`;
};

/** The module is at work, and what there is to be seen is seen. */
const ready = (tab) =>
  tab.evaluate(async () => {
    await xdmBeacon("getStatus");
    // The library has asked for it before.
    await import("/sdk/xdm-beacon-web-vitals.js");
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    await new Promise((resolve) => setTimeout(resolve, 60));
  });

/** All that was told, oldest first: the last part of the URL, the title, the vitals. */
async function told(at) {
  const inFolder = ({ web }) => web.webPageDetails.URL.startsWith(`${stage.origin}${at}/`);
  const all = (await inlet.entities("&eventType=web.vitals")).filter(inFolder);
  return all
    .sort((one, other) => (one.timestamp < other.timestamp ? -1 : 1))
    .map(({ web: { webPageDetails }, _xdmbeacon: { webVitals } }) => {
      return [webPageDetails.URL.split("/").at(-1), webPageDetails.name, webVitals];
    });
}

async function assertTold(at, expected, what) {
  await until(`${what}: ${expected.length} events`, async () => (await told(at)).length >= expected.length);
  assert.deepEqual(await told(at), expected, what);
  assert.deepEqual(await inlet.bad(), []);
}

/** A person's click, seen by the browser's own measures where it has some. */
async function click(tab, selector) {
  const { x, y } = await tab.evaluate((selector) => {
    const { left, top } = document.querySelector(selector).getBoundingClientRect();
    return { x: Math.ceil(left) + 3, y: Math.ceil(top) + 3 };
  }, selector);
  await tab.act({
    type: "pointer",
    id: "mouse",
    parameters: { pointerType: "mouse" },
    actions: [
      { type: "pointerMove", x, y, duration: 0 },
      { type: "pointerDown", button: 0 },
      { type: "pointerUp", button: 0 },
    ],
  });
}

/** Moves everything by as much as no one has asked for; what comes within half a second of a click is asked for. */
const shift = (tab) =>
  tab.evaluate(async () => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    const block = document.createElement("div");
    block.style.height = "100px";
    document.body.prepend(block);
  });

/** Waits until the browser has told of these, and gives back what it has told. */
const measured = (tab, names, than = {}) =>
  until(`${names} in the browser's own words`, async () => {
    const all = await tab.evaluate(() => vitals());
    return names.every((name) => all[name] > (than[name] ?? -1)) && all;
  });

/** In a task of its own: a driver does not like its page to go in the middle of a script. */
const later = (tab, act) => tab.evaluate(`() => { setTimeout(${act}); }`);

/** Waits until the tab is at `url`. */
async function arrive(tab, url) {
  const there = (url) => location.href === url && document.readyState === "complete";
  await until(url, () => tab.evaluate(there, url).catch(() => false));
}

/** What an engine tells of, beside the time to the first byte, which WebKit keeps to itself where it is none. */
const MEASURES = { chromium: ["lcp", "inp", "fcp", "cls"], firefox: ["lcp", "inp", "fcp"], webkit: ["fcp"] };

for (const engine of engineNames) {
  const measures = MEASURES[engine];
  const some = (names) => names.filter((name) => measures.includes(name));

  test(`${engine}: all that is known in one event as the page is left, and none that is not`, async () => {
    const at = folder();
    const next = stage.put(`${at}/next`, "<!doctype html><title>Next</title>");
    const tab = await open(engine, stage.put(`${at}/page`, html("Page")));
    await ready(tab);
    await measured(tab, some(["lcp", "fcp"]));
    await click(tab, "#slow");
    await measured(tab, some(["inp"]));
    await shift(tab);
    const { ttfb, ...vitals } = await measured(tab, measures);
    assert.deepEqual(Object.keys(vitals).sort(), [...measures].sort());
    if (measures.includes("inp")) assert.ok(vitals.inp >= 80);
    if (measures.includes("cls")) assert.ok(vitals.cls > 0 && vitals.cls < 1);
    const first = ttfb === undefined ? {} : { ttfb };
    await later(tab, () => {
      location.href = "next";
    });
    await arrive(tab, next);
    const navigationType = "navigate";
    await assertTold(at, [["page", "Page", { ...vitals, ...first, navigationType }]], "left");
    await tab.close();
  });

  test(`${engine}: hidden again, what has changed since`, async () => {
    const at = folder();
    // Windows of WebKit never hide each other here, so that the page has to say that it is hidden.
    const real = engine !== "webkit";
    const first = real
      ? ""
      : `Object.defineProperty(document, "visibilityState", { get: () => window.said ?? "visible" });`;
    const other = await open(engine, stage.put(`${at}/other`, "<!doctype html><title>Other</title>"));
    const tab = await open(engine, stage.put(`${at}/page`, html("Page", { first })));
    const say = (state) =>
      tab.evaluate((state) => {
        window.said = state;
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    const hide = () => (real ? other.evaluate(() => 0) : say("hidden"));
    const show = () => (real ? tab.evaluate(() => 0) : say("visible"));
    await ready(tab);
    const navigationType = "navigate";
    const before = await measured(tab, some(["lcp", "fcp"]));
    // Nothing has moved, which the browser has no words for.
    const still = some(["cls"]).length ? { cls: 0 } : {};
    await hide();
    const expected = [["page", "Page", { ...before, ...still, navigationType }]];
    await assertTold(at, expected, "hidden once");
    await show();
    await click(tab, "#slow");
    const { inp } = await measured(tab, some(["inp"]));
    await hide();
    if (inp) expected.push(["page", "Page", { inp, navigationType }]);
    await assertTold(at, expected, "after a click");
    await show();
    await hide();
    await show();
    await shift(tab);
    const { cls } = await measured(tab, some(["cls"]));
    await hide();
    if (cls) expected.push(["page", "Page", { cls, navigationType }]);
    await assertTold(at, expected, "after nothing, and after a shift");
    await show();
    await tab.evaluate(() => xdmBeacon("flush"));
    await assertTold(at, expected, "nothing has come of nothing");
    await tab.close();
    await other.close();
  });

  test(`${engine}: a page that comes back out of the cache is measured anew`, async () => {
    const at = folder();
    const next = stage.put(`${at}/next`, "<!doctype html><title>Next</title>");
    const page = stage.put(`${at}/page`, html("Page"));
    const tab = await open(engine, page);
    await ready(tab);
    const before = await measured(tab, some(["lcp", "fcp"]));
    const away = () =>
      later(tab, () => {
        location.href = "next";
      });
    await away();
    await arrive(tab, next);
    const still = some(["cls"]).length ? { cls: 0 } : {};
    const expected = [["page", "Page", { ...before, ...still, navigationType: "navigate" }]];
    await assertTold(at, expected, "left");
    await later(tab, () => history.back());
    await arrive(tab, page);
    await ready(tab);
    await away();
    await arrive(tab, next);
    await until("the second event", async () => (await told(at)).length === 2);
    const { lcp, fcp, ...rest } = (await told(at))[1][2];
    for (const time of [lcp, fcp])
      assert.equal(Number.isInteger(time), some(["lcp", "fcp"]).length > 1 || time === fcp);
    const first = before.ttfb === undefined ? {} : { ttfb: 0 };
    assert.deepEqual(rest, { ...still, ...first, navigationType: "back-forward-cache" });
    await tab.close();
  });

  test(`${engine}: of the page as it was loaded, whatever it navigates to`, async () => {
    const at = folder();
    const next = stage.put(`${at}/next`, "<!doctype html><title>Next</title>");
    const tab = await open(engine, stage.put(`${at}/page`, html("Page")));
    await ready(tab);
    const before = await measured(tab, some(["lcp", "fcp"]));
    await tab.evaluate(() => {
      history.pushState(null, "", "soft");
      document.title = "Soft";
    });
    await later(tab, () => {
      location.href = "next";
    });
    await arrive(tab, next);
    const still = some(["cls"]).length ? { cls: 0 } : {};
    await assertTold(at, [["page", undefined, { ...before, ...still, navigationType: "navigate" }]], "left");
    await tab.close();
  });
}

test("chromium: a page that is prerendered is measured from when somebody sees it", async () => {
  const at = folder();
  stage.put(`${at}/next`, "<!doctype html><title>Next</title>");
  // A page that is seen becomes another one to the driver, so that it has to act by itself.
  const acts = async () => {
    await xdmBeacon("getStatus");
    await import("/sdk/xdm-beacon-web-vitals.js");
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    setTimeout(() => {
      location.href = "next";
    }, 60);
  };
  const seen = stage.put(`${at}/seen`, html("Seen", { body: `<script>(${acts})()</script>` }));
  const rules = JSON.stringify({ prerender: [{ urls: [seen], eagerness: "immediate" }] });
  const body = `<script type="speculationrules">${rules}</script><a id="on" href="${seen}">On</a>`;
  const from = stage.put(`${at}/from`, html("From", { track: [], body }));
  // So this browser is for nothing else.
  const chromium = await openEngine("chromium");
  try {
    const tab = await chromium.open(from);
    await until("the prerendered page", () => stage.asked(`${at}/seen`));
    await ready(tab);
    assert.deepEqual(await told(at), [], "not seen yet");
    await tab.click("#on");
    const [[url, title, vitals]] = await until("its vitals", async () => {
      const all = await told(at);
      return all.length > 0 && all;
    });
    assert.deepEqual([url, title, vitals.ttfb, vitals.navigationType], ["seen", "Seen", 0, "prerender"]);
  } finally {
    await chromium.close();
  }
});

test("the library brings it along for nobody who has not asked for it", async () => {
  const tab = await open(
    "chromium",
    stage.put("/none/page", html("Page", { track: ["pageViews"], sdk: "/none" })),
  );
  await tab.evaluate(() => xdmBeacon("flush"));
  assert.ok(stage.asked("/none/xdm-beacon.js"));
  assert.ok(!stage.asked("/none/xdm-beacon-web-vitals.js"));
  await tab.close();
  const other = await open("chromium", stage.put("/some/page", html("Page", { sdk: "/some" })));
  await until("the module", () => stage.asked("/some/xdm-beacon-web-vitals.js"));
  await other.close();
});
