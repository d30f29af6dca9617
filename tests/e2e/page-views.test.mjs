// Page views equal the table, in three engines: a site of several pages, two real single-page routers, and
// what pages do to their history; with the back/forward cache, without it, prerendered and in the background.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { engineNames, openEngine, openEngines } from "./engines.mjs";
import { buildRouters } from "./routers/build.mjs";
import { baseCode, openInlet, openStage, optionsFor, until } from "./support.mjs";

let inlet, stage;
const browsers = openEngines();
const { open } = browsers;

before(async () => {
  inlet = await openInlet();
  stage = await openStage();
  const routers = await buildRouters();
  for (const name of ["react", "vue"]) {
    const script = readFileSync(join(routers, `${name}.js`));
    stage.put(`/routers/${name}.js`, script, { "Content-Type": "text/javascript" });
  }
});
after(async () => {
  await browsers.close();
  await stage?.close();
  await inlet?.close();
});
/** Ids of page views of tests before. */
const forgotten = new Set();
beforeEach(forget);

const RESTORED = { paths: { restored: "_xdmbeacon.restored" } };

/** A page that tracks its views; `first` runs before anything of the library does. */
const html = (
  title,
  { tracking = RESTORED, delivery, first = "", root = "", body = "" } = {},
) => `<!doctype html>
<html lang="en" ${root}>
  <head>
    <meta charset="utf-8">
    <title>${title}</title>
    <link rel="icon" href="data:,">
    <script>
      addEventListener("pageshow", ({ persisted }) => { window.persisted = persisted; });
      ${first}
    </script>
    <script>${baseCode()}</script>
    <script>
      xdmBeacon("configure", ${JSON.stringify(optionsFor(inlet.origin, { track: ["pageViews"], tracking, delivery }))});
    </script>
    <script async src="/sdk/xdm-beacon.js"></script>
  </head>
  <body>${body}</body>
</html>`;

const pageViews = () => inlet.entities("&eventType=web.webpagedetails.pageViews");

/** Begins anew. What was handed over while leaving may come again later, since nobody has seen its answer. */
async function forget() {
  for (const { _id } of await pageViews()) forgotten.add(_id);
  await inlet.reset();
}

/** All page views that arrived, oldest first: path, title, path or URL that they come from, and whether restored. */
async function views() {
  return (await pageViews())
    .filter(({ _id }) => !forgotten.has(_id))
    .sort((one, other) => (one.timestamp < other.timestamp ? -1 : 1))
    .map(({ web, _xdmbeacon }) => {
      assert.deepEqual(web.webPageDetails.pageViews, { value: 1 });
      const path = (url = "") => url.replace(stage.origin, "");
      const view = [path(web.webPageDetails.URL), web.webPageDetails.name, path(web.webReferrer.URL)];
      return _xdmbeacon ? [...view, _xdmbeacon] : view;
    });
}

const BACK = { restored: true };

/** All that was about to count has counted: a timer that is set later and runs longer has run out. */
const calm = (tab) =>
  tab.evaluate(async () => {
    await xdmBeacon("getStatus");
    await new Promise((resolve) => setTimeout(resolve, 60));
    await xdmBeacon("flush");
  });

/** These views arrive, and when all has come no other has. */
async function assertViews(tab, expected, what) {
  await calm(tab);
  await until(`${expected.length} page views`, async () => (await views()).length >= expected.length);
  assert.deepEqual(await views(), expected, what);
}

/** A script that sends a mark once all that was about to count has arrived: an event with this id and name. */
const marking = (id, name) => `<script>
  xdmBeacon("getStatus").then(() => setTimeout(async () => {
    await xdmBeacon("flush");
    xdmBeacon("sendEvent", { xdm: { _id: "${id}", web: { webPageDetails: { name: String(${name}) } } } });
  }, 60));
</script>`;

const marked = async (id) => (await inlet.arrived(id)).message.body.xdmEntity.web.webPageDetails.name;

/** Waits until the tab is at `url`, a page that is not the one from before where it loads anew. */
async function arrive(tab, url, { anew = false } = {}) {
  const there = (url, anew) =>
    location.href === url && document.readyState === "complete" && !(anew && window.old);
  // A page that a script is run in as it leaves is not kept for the way back.
  await until(url, async () => (await tab.url().catch(() => "")) === url);
  await until(url, () => tab.evaluate(there, url, anew).catch(() => false));
}

/** In a task of its own: a driver does not like its page to go in the middle of a script. */
const later = (tab, act, ...args) =>
  tab.evaluate(`(args) => { window.old = true; setTimeout(() => (${act})(...args)); }`, args);

const goBack = (tab) => later(tab, () => history.back());
const goForward = (tab) => later(tab, () => history.forward());
const reload = (tab) => later(tab, () => location.reload());

/** What a page that is loaded anew says of where it comes from: browsers differ about reloads by script. */
async function referrer(tab, url) {
  await arrive(tab, url, { anew: true });
  return (await tab.evaluate(() => document.referrer)).replace(stage.origin, "");
}

/** Two pages that lead to each other. */
function putSite(folder) {
  const link = (to) => `<a id="next" href="${folder}/${to}">Next</a>`;
  stage.put(`${folder}/b.html`, html("B", { body: link("a.html") }));
  return stage.put(`${folder}/a.html`, html("A", { body: link("b.html") }));
}

for (const engine of engineNames) {
  for (const bfcache of [true, false]) {
    test(`${engine}: a site of several pages, ${bfcache ? "with" : "without"} the back/forward cache`, async () => {
      const a = putSite("/site");
      const b = a.replace("a.html", "b.html");
      const own = bfcache ? undefined : await openEngine(engine, { bfcache });
      try {
        const tab = await (own ? own.open(a) : open(engine, a));
        const expected = [["/site/a.html", "A", ""]];
        const step = async (what, url, view) => {
          await arrive(tab, url);
          expected.push(view);
          await assertViews(tab, expected, what);
          assert.equal(await tab.evaluate(() => window.persisted), view.length > 3, `${what}: restored`);
        };
        const back = bfcache ? [BACK] : [];
        await assertViews(tab, expected, "first load");
        await reload(tab);
        const from = await referrer(tab, a);
        await step("reload", a, ["/site/a.html", "A", from]);
        await tab.click("#next");
        await step("link", b, ["/site/b.html", "B", "/site/a.html"]);
        await goBack(tab);
        await step("back", a, ["/site/a.html", "A", from, ...back]);
        await goForward(tab);
        await step("forward", b, ["/site/b.html", "B", "/site/a.html", ...back]);
        await goBack(tab);
        await step("back again", a, ["/site/a.html", "A", from, ...back]);
        await tab.close();
      } finally {
        await own?.close();
      }
    });
  }

  // Where the link to the first page leads to.
  for (const [name, home] of [
    ["react", ""],
    ["vue", "/"],
  ]) {
    test(`${engine}: a single-page site by ${name}-router`, async () => {
      for (const [path, title] of [
        ["", "Home"],
        ["/", "Home"],
        ["/mugs", "Mugs"],
        ["/cups", "Cups"],
      ]) {
        const body = `<a id="outside" href="/outside.html">Outside</a><script src="/routers/${name}.js"></script>`;
        stage.put(`/${name}${path}`, html(title, { body }));
      }
      const outside = stage.put("/outside.html", html("Outside"));
      const at = (path) => `${stage.origin}/${name}${path}`;
      const tab = await open(engine, at("/"));
      const expected = [];
      /** Where it has `title` it counts, as one that comes `from` there. */
      const step = async (what, path, title, from) => {
        await arrive(tab, at(path));
        if (title) expected.push([`/${name}${path}`, title, `/${name}${from}`]);
        await assertViews(tab, expected, what);
      };
      expected.push([`/${name}/`, "Home", ""]);
      await step("first load", "/");
      await tab.click("#mugs");
      await step("link", "/mugs", "Mugs", "/");
      await tab.click("#blue");
      await step("another query", "/mugs?colour=blue", "Mugs", "/mugs");
      await tab.click("#top");
      await step("another fragment", "/mugs?colour=blue#top");
      await tab.click("#element");
      await step("redirected by what it shows", "/cups", "Cups", "/mugs?colour=blue#top");
      await tab.click("#loader");
      await step("redirected by its route", "/mugs", "Mugs", "/cups");
      await tab.click("#mugs");
      await step("link to where it is", "/mugs");
      await tab.click("#home");
      await step("home", home, "Home", "/mugs");
      await goBack(tab);
      await step("back", "/mugs", "Mugs", home);
      await goBack(tab);
      await step("further back", "/cups", "Cups", "/mugs");
      await goForward(tab);
      await step("forward", "/mugs", "Mugs", "/cups");
      await reload(tab);
      const from = await referrer(tab, at("/mugs"));
      expected.push([`/${name}/mugs`, "Mugs", from]);
      await step("reload", "/mugs");
      await tab.click("#outside");
      await arrive(tab, outside);
      expected.push(["/outside.html", "Outside", `/${name}/mugs`]);
      await assertViews(tab, expected, "link out of it");
      await goBack(tab);
      expected.push([`/${name}/mugs`, "Mugs", from, BACK]);
      await step("back into it", "/mugs");
      await tab.click("#cups");
      await step("and on", "/cups", "Cups", "/mugs");
      await tab.close();
    });
  }

  test(`${engine}: vue-router with its routes in the fragment`, async () => {
    for (const hashRoutes of [true, false]) {
      await forget();
      const body = '<script src="/routers/vue.js"></script>';
      const shop = stage.put("/vue-hash", html("Home", { body, tracking: { hashRoutes } }));
      const tab = await open(engine, shop);
      const expected = [["/vue-hash#/", "Home", ""]];
      await arrive(tab, `${shop}#/`);
      await assertViews(tab, expected, "first load");
      for (const [id, path, title, from] of [
        ["mugs", "/vue-hash#/mugs", "Mugs", "/vue-hash#/"],
        ["blue", "/vue-hash#/mugs?colour=blue", "Mugs", "/vue-hash#/mugs"],
        ["element", "/vue-hash#/cups", "Cups", "/vue-hash#/mugs?colour=blue"],
      ]) {
        await tab.click(`#${id}`);
        await arrive(tab, stage.origin + path);
        if (hashRoutes) expected.push([path, title, from]);
        await assertViews(tab, expected, `${id}, hashRoutes ${hashRoutes}`);
      }
      await tab.close();
    }
  });

  for (const [how, first] of [
    ["by what the browser has", ""],
    ["without the Navigation API", "Object.defineProperty(window, 'navigation', { value: undefined });"],
  ]) {
    test(`${engine}: what a page does to its history, ${how}`, async () => {
      for (const hashRoutes of [false, true]) {
        await forget();
        const tracking = { hashRoutes };
        const tab = await open(engine, stage.put("/history/start", html("Start", { first, tracking })));
        const expected = [["/history/start", "Start", ""]];
        await assertViews(tab, expected, "first load");
        let at = "/history/start";
        /** `path`: where it ends; counts where `title` is. */
        const step = async (what, act, path, title) => {
          await tab.evaluate(act);
          await arrive(tab, `${stage.origin}/history/${path}`);
          if (title) expected.push([`/history/${path}`, title, at]);
          at = `/history/${path}`;
          await assertViews(tab, expected, `${what}, hashRoutes ${hashRoutes}`);
        };
        const inFragments = hashRoutes ? "Start" : undefined;
        await step("replaced by itself", () => history.replaceState({ a: 1 }, "", location.href), "start");
        await step("pushed as itself", () => history.pushState({ a: 2 }, "", ""), "start");
        const setHash = () => {
          location.hash = "top";
        };
        await step("a fragment", setHash, "start#top", inFragments);
        await step("a fragment pushed", () => history.pushState(0, "", "#end"), "start#end", inFragments);
        const push = () => {
          history.pushState(null, "", "/history/mugs");
          document.title = "Mugs";
        };
        await step("another path", push, "mugs", "Mugs");
        await step("another query", () => history.pushState(null, "", "?a=1"), "mugs?a=1", "Mugs");
        const title = () => {
          history.replaceState(null, "", "/history/cups");
          setTimeout(() => {
            document.title = "Cups";
          });
        };
        await step("replaced by another path, with its title later", title, "cups", "Cups");
        const redirect = () => {
          history.pushState(null, "", "/history/old");
          setTimeout(() => history.replaceState(null, "", "/history/new"));
        };
        await step("a redirect", redirect, "new", "Cups");
        const twice = () => {
          history.pushState(null, "", "/history/twice");
          setTimeout(() => history.pushState(null, "", "/history/twice"));
        };
        await step("the same pushed twice", twice, "twice", "Cups");
        const awayAndBack = () => {
          history.pushState(null, "", "/history/away");
          history.replaceState(null, "", "/history/twice");
        };
        await step("away and back at once", awayAndBack, "twice");
        await step("back", () => history.go(-3), "new", "Cups");
        await step("forward to the same page", () => history.go(2), "twice", "Cups");
        await tab.close();
      }
    });
  }

  test(`${engine}: a document that is slow, whose title a script sets late`, async () => {
    let send;
    const script = new Promise((resolve) => {
      send = resolve;
    });
    stage.put(`/slow/${engine}.js`, script, { "Content-Type": "text/javascript" });
    // It is captured, and what was about to count has had its time.
    const body = `<script>
      xdmBeacon("getStatus").then(() => setTimeout(async () => {
        await xdmBeacon("flush");
        fetch("/slow/${engine}/waits");
      }, 60));
    </script>
    <script src="/slow/${engine}.js"></script>`;
    // WebKit runs what is `async` when a document has been read, and not before.
    const slow = html("Slow", { body }).replace("<script async", "<script");
    const opened = open(engine, stage.put("/slow/page", slow));
    try {
      await until("the page to wait", () => stage.asked(`/slow/${engine}/waits`));
      assert.deepEqual(await views(), [], "not read yet");
    } finally {
      send("document.title = 'Late'");
    }
    const tab = await opened;
    // By now it has heard of its own `pageshow`, which is no way back.
    const expected = [["/slow/page", "Late", ""]];
    await assertViews(tab, expected, "read");
    await tab.evaluate(() => {
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: false }));
    });
    await assertViews(tab, expected, "shown, and not restored");
    await tab.close();
  });

  test(`${engine}: a page that leaves before its view has settled`, async () => {
    const next = stage.put("/leave/next", "<!doctype html><title>Next</title>");
    const body = `<script>
      xdmBeacon("getStatus").then(() => {
        history.pushState(null, "", "/leave/soft");
        document.title = "Soft";
        location.href = "/leave/next";
      });
    </script>`;
    const loading = stage.put("/leave/first", html("First", { body }));
    const tab = await open(engine, loading);
    await arrive(tab, next);
    const expected = [["/leave/soft", "Soft", ""]];
    await until("its view", async () => (await views()).length === expected.length);
    assert.deepEqual(await views(), expected, "a first load that is sent elsewhere");

    await tab.goto(stage.put("/leave/second", html("Second")));
    expected.push(["/leave/second", "Second", ""]);
    await assertViews(tab, expected, "second load");
    await later(tab, () => {
      history.pushState(null, "", "/leave/soft");
      document.title = "Soft";
      location.href = "/leave/next";
    });
    await arrive(tab, next);
    expected.push(["/leave/soft", "Soft", "/leave/second"]);
    await until("its view", async () => (await views()).length === expected.length);
    assert.deepEqual(await views(), expected);
    await tab.close();
  });

  test(`${engine}: a page in the background counts when it is first shown`, async () => {
    const first = `
      addEventListener("storage", ({ key, newValue }) => { if (key === "go") location.href = newValue; });
    `;
    const start = stage.put(
      "/hidden/start",
      html("Start", { first: `window.xdmStart = 1; ${first}`, tracking: {} }),
    );
    // Windows of WebKit never hide each other here, so that the page has to say that it is hidden.
    const said = `Object.defineProperty(document, "visibilityState", { get: () => window.said, configurable: true });
      window.said = "hidden";`;
    const real = engine !== "webkit";
    const later = stage.put(
      "/hidden/later",
      html("Later", { first: real ? "" : said, body: marking("hidden", "document.visibilityState") }),
    );
    const tab = await open(engine, start);
    await assertViews(tab, [["/hidden/start", "Start", ""]], "a page that is seen");
    await forget();
    const other = await open(engine, stage.put("/hidden/other", "<!doctype html><title>Other</title>"));
    await other.evaluate((url) => localStorage.setItem("go", url), later);
    assert.equal(await marked("hidden"), "hidden");
    assert.deepEqual(await views(), []);
    if (!real) {
      await tab.evaluate(() => {
        window.said = "visible";
        document.dispatchEvent(new Event("visibilitychange"));
      });
    }
    const expected = [["/hidden/later", "Later", "/hidden/start"]];
    await assertViews(tab, expected, "shown");
    await other.evaluate(() => 0);
    await assertViews(tab, expected, "hidden and shown again");
    await tab.close();
    await other.close();
  });

  test(`${engine}: others that wrap history, before us and after us, and put it back`, async () => {
    const first = `
      Object.defineProperty(window, "navigation", { value: undefined });
      window.native = history.pushState;
      window.calls = [];
      history.pushState = function (...args) {
        calls.push(["before", this === history, args.length]);
        if (args[0] === "throw") throw new Error("theirs");
        native.apply(this, args);
        return "theirs";
      };`;
    const tab = await open(engine, stage.put("/wrapped/start", html("Start", { first })));
    const expected = [["/wrapped/start", "Start", ""]];
    await assertViews(tab, expected, "first load");
    const told = await tab.evaluate(() => {
      const told = [history.pushState(null, "", "/wrapped/one")];
      try {
        history.pushState("throw", "", "/wrapped/never");
      } catch (error) {
        told.push(error.message);
      }
      return [...told, calls];
    });
    assert.deepEqual(told, [
      "theirs",
      "theirs",
      [
        ["before", true, 3],
        ["before", true, 3],
      ],
    ]);
    expected.push(["/wrapped/one", "Start", "/wrapped/start"]);
    await assertViews(tab, expected, "wrapped before us");

    const after = await tab.evaluate(() => {
      calls.length = 0;
      const inner = history.pushState;
      window.ours = inner;
      history.pushState = function (...args) {
        calls.push(["after", this === history, args.length]);
        return inner.apply(this, args);
      };
      return [history.pushState(null, "", "/wrapped/two"), calls];
    });
    assert.deepEqual(after, [
      "theirs",
      [
        ["after", true, 3],
        ["before", true, 3],
      ],
    ]);
    expected.push(["/wrapped/two", "Start", "/wrapped/one"]);
    await assertViews(tab, expected, "wrapped after us");

    await tab.evaluate(() => {
      history.pushState = ours;
      history.pushState(null, "", "/wrapped/three");
    });
    expected.push(["/wrapped/three", "Start", "/wrapped/two"]);
    await assertViews(tab, expected, "unwrapped to ours");

    await tab.evaluate(() => {
      history.pushState = native;
      history.pushState(null, "", "/wrapped/four");
      document.title = "Four";
    });
    expected.push(["/wrapped/four", "Four", "/wrapped/three"]);
    await assertViews(tab, expected, "put back to what was there before us");
    await tab.close();
  });

  test(`${engine}: a history that nobody can wrap`, async () => {
    const first = `
      Object.defineProperty(window, "navigation", { value: undefined });
      Object.freeze(history);`;
    const tab = await open(engine, stage.put("/frozen/start", html("Start", { first })));
    const expected = [["/frozen/start", "Start", ""]];
    await assertViews(tab, expected, "first load");
    await tab.evaluate(() => {
      history.pushState(null, "", "/frozen/next");
      document.title = "Next";
    });
    expected.push(["/frozen/next", "Next", "/frozen/start"]);
    await assertViews(tab, expected, "a navigation that changes the title");
    await goBack(tab);
    await arrive(tab, `${stage.origin}/frozen/start`);
    expected.push(["/frozen/start", "Next", "/frozen/next"]);
    await assertViews(tab, expected, "back");
    await tab.close();
  });

  test(`${engine}: what a page says of itself`, async () => {
    const url = stage.put(
      "/said/start",
      html("Said", {
        root: 'data-xdm-site-section="Shop"',
        body: '<main data-xdm-view-name="list" data-xdm-is-error-page></main>',
      }),
    );
    const tab = await open(engine, url);
    await calm(tab);
    const details = async () => {
      const rows = await until("a view", async () => {
        const rows = await pageViews();
        return rows.length > 0 && rows;
      });
      const { pageViews: _, URL: __, name: ___, ...said } = rows[0].web.webPageDetails;
      return said;
    };
    assert.deepEqual(await details(), { isErrorPage: true, siteSection: "Shop", viewName: "list" });
    await forget();
    await tab.evaluate(() => {
      history.pushState(null, "", "/");
      document.querySelector("main").dataset.xdmIsErrorPage = "false";
      document.querySelector("main").dataset.xdmViewName = "grid";
    });
    await calm(tab);
    const said = { isErrorPage: false, isHomePage: true, siteSection: "Shop", viewName: "grid" };
    assert.deepEqual(await details(), said);
    await tab.close();
  });
}

test("chromium: a page that is prerendered counts once somebody sees it", async () => {
  const wasPrerendered = 'performance.getEntriesByType("navigation")[0].activationStart > 0';
  const seen = stage.put("/prerender/seen", html("Seen", { body: marking("prerendered", wasPrerendered) }));
  const rules = JSON.stringify({ prerender: [{ urls: [seen], eagerness: "immediate" }] });
  const head = `<script type="speculationrules">${rules}</script>`;
  const from = stage.put(
    "/prerender/from",
    html("From", { body: `${head}<a id="on" href="${seen}">On</a>` }),
  );
  // A page that is seen becomes another one to the driver, so this browser is for nothing else.
  const chromium = await openEngine("chromium");
  try {
    const tab = await chromium.open(from);
    const expected = [["/prerender/from", "From", ""]];
    await until("the prerendered page", () => stage.asked("/prerender/seen"));
    await assertViews(tab, expected, "not seen yet");
    await tab.click("#on");
    assert.equal(await marked("prerendered"), "true");
    expected.push(["/prerender/seen", "Seen", "/prerender/from"]);
    assert.deepEqual(await views(), expected, "seen");
  } finally {
    await chromium.close();
  }
});
