// The library as a page gets it: base code, replay, several instances, declared configuration, profiles,
// the endpoint's clock; and the inspector that shows what arrived.

import assert from "node:assert/strict";
import { test } from "node:test";
import { baseCode, openHost, openPage, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, stage, browser } = await openSuite();

const entity = async (id) => (await inlet.arrived(id)).message.body.xdmEntity;
const withLibrary = (host) => host.page.addScriptTag({ url: `${stage.origin}/sdk/xdm-beacon.js` });

test("calls from before the library are replayed in order, each with its own time and place", async () => {
  const host = await openHost(browser);
  const url = stage.put(
    "/replay.html",
    pageWith(optionsFor(inlet.origin, { context: ["web"] }), { sdk: null }),
  );
  await host.page.goto(url);
  await host.page.evaluate(() => {
    window.kept = window.xdmBeacon;
    window.order = [];
    const send = (name) => {
      const promise = xdmBeacon("sendEvent", { xdm: { _id: `replay-${name}` } });
      promise.then(({ timestamp }) => window.order.push([name, timestamp]));
    };
    document.title = "First";
    send("one");
    history.pushState({}, "", "/second.html");
    document.title = "Second";
    send("two");
    window.called = Date.now();
  });
  const called = await host.page.evaluate(() => window.called);
  await until("some time to pass", () => Date.now() > called + 50);
  await withLibrary(host);
  const [one, two] = [await entity("replay-one"), await entity("replay-two")];
  assert.deepEqual(one.web.webPageDetails, { URL: url, name: "First" });
  assert.deepEqual(two.web.webPageDetails, { URL: `${stage.origin}/second.html`, name: "Second" });
  assert.ok(Date.parse(one.timestamp) <= Date.parse(two.timestamp));
  assert.ok(Date.parse(two.timestamp) <= called, "the time of the call, not of the replay");

  // Whoever kept the base code's function still reaches the library.
  await host.page.evaluate(() => kept("sendEvent", { xdm: { _id: "replay-kept" } }));
  await entity("replay-kept");
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a second script tag sends nothing twice", async () => {
  const host = await openHost(browser);
  await host.page.goto(stage.put("/twice.html", pageWith(optionsFor(inlet.origin), { sdk: null })));
  await host.page.evaluate(() => {
    xdmBeacon("sendEvent", { xdm: { _id: "twice-1" } });
  });
  await withLibrary(host);
  await withLibrary(host);
  await host.call("sendEvent", { xdm: { _id: "twice-2" } });
  await entity("twice-1");
  const { value } = await host.call("getStatus");
  assert.equal(value.accepted, 2);
  assert.equal((await inlet.counts()).duplicates, 0);
  await host.context.close();
});

test("instances are apart: base code twice, and one by its tag alone", async () => {
  const host = await openHost(browser);
  const { endpoint, orgId, schema, datasetId } = optionsFor(inlet.origin);
  const other = optionsFor(inlet.origin, { datasetId: "65f1a2b3c4d5e6f708192aff" });
  await host.page.goto(
    stage.put(
      "/instances.html",
      pageWith(optionsFor(inlet.origin), {
        sdk: null,
        head: `<script>${baseCode("other")}</script>
          <script>other("configure", ${JSON.stringify(other)});</script>
          <script async src="/sdk/xdm-beacon.js" data-name="third" data-endpoint="${endpoint}"
            data-org-id="${orgId}" data-dataset-id="${datasetId}" data-schema-id="${schema.id}"
            data-source-name="third" data-context="" data-unrelated="x"></script>`,
      }),
    ),
  );
  await until("the third instance", () => host.page.evaluate(() => typeof window.third === "function"));
  const sent = await host.page.evaluate(() =>
    Promise.all(
      ["xdmBeacon", "other", "third"].map((name) =>
        window[name]("sendEvent", { xdm: { _id: `from-${name}` } }),
      ),
    ),
  );
  assert.deepEqual(
    sent.map(({ status }) => status),
    ["delivered", "delivered", "delivered"],
  );
  assert.equal((await inlet.arrived("from-xdmBeacon")).datasetId, datasetId);
  assert.equal((await inlet.arrived("from-other")).datasetId, other.datasetId);
  const third = (await inlet.arrived("from-third")).message;
  assert.deepEqual(third.header.source, { name: "third" });
  assert.deepEqual(Object.keys(third.body.xdmEntity), ["_id", "timestamp"]);
  const refusal = await host.page.evaluate(() => outcome(third("sendEvent", { xmd: {} })));
  assert.deepEqual(refusal, {
    code: "unknown-option",
    message: "third: 'xmd' is not an option of this version: remove it or check its spelling",
  });
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("commands before configure, a second configure and faults in it are refused by name", async () => {
  const host = await openHost(browser);
  await host.page.goto(stage.put("/refused.html", pageWith(null)));
  for (const [command, options, code, start] of [
    ["sendEvent", {}, "not-configured", "xdmBeacon: 'sendEvent' must be configured first"],
    [
      "configure",
      { ...optionsFor(inlet.origin), endpoint: "http://example.com/collection/x" },
      "not-https",
      "xdmBeacon: 'endpoint' must start with https://",
    ],
    [
      "configure",
      { ...optionsFor(inlet.origin), schema: {} },
      "missing",
      "xdmBeacon: 'schema.id' is required",
    ],
    [
      "configure",
      { ...optionsFor(inlet.origin), tracks: [] },
      "unknown-option",
      "xdmBeacon: 'tracks' is not an option",
    ],
    ["dance", {}, "unknown-command", "xdmBeacon: 'dance' is not a command"],
  ]) {
    const refusal = await host.call(command, options);
    assert.equal(refusal.code, code);
    assert.equal(refusal.message.slice(0, start.length), start);
  }
  assert.deepEqual(await host.call("configure", optionsFor(inlet.origin)), { value: {} });
  assert.equal((await host.call("configure", optionsFor(inlet.origin))).code, "configured-twice");
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("a clock that runs ahead is put right once the endpoint told its own, and counted", async () => {
  const host = await openHost(browser);
  await host.context.addInitScript(() => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + 7_200_000;
  });
  await host.page.goto(stage.put("/clock.html", pageWith(optionsFor(inlet.origin, { context: [] }))));
  const ahead = (await host.call("sendEvent", { xdm: { _id: "clock-1" } })).value;
  assert.ok(Date.parse(ahead.timestamp) > Date.now() + 7_000_000);
  const right = (await host.call("sendEvent", { xdm: { _id: "clock-2" } })).value;
  assert.ok(Date.parse(right.timestamp) < Date.now() + 60_000);
  assert.equal((await entity("clock-2")).timestamp, right.timestamp);
  assert.equal((await host.call("getStatus")).value.timestampsCorrected, 1);
  await host.context.close();
});

test("the inspector shows a good and a bad message, and what is wrong with it", async () => {
  const host = await openHost(browser);
  await host.page.goto(stage.put("/shown.html", pageWith(optionsFor(inlet.origin))));
  await host.call("sendEvent", { type: "shown.good", xdm: { _id: "shown-good" } });
  await host.call("sendEvent", {
    type: "shown.bad",
    xdm: { _id: "shown-bad", mediaCollection: { playhead: 3 } },
  });
  await inlet.arrived("shown-bad");
  await host.context.close();

  const { page, context, complaints } = await openPage(browser);
  await page.goto(inlet.origin);
  const inList = (text) => page.locator(".row").filter({ hasText: text }).first();
  await inList("shown.good").waitFor();
  await inList("shown.bad").click();
  await page.getByText("extraneous key [mediaCollection] is not permitted").first().waitFor();
  await page.getByText("MediaAnalytics Interaction Details").first().waitFor();
  // What comes later shows by itself.
  const late = await openHost(browser);
  await late.page.goto(stage.put("/late.html", pageWith(optionsFor(inlet.origin))));
  await late.call("sendEvent", { type: "shown.late", xdm: { _id: "shown-late" } });
  await inList("shown.late").waitFor();
  assert.deepEqual(complaints, []);
  await late.context.close();
  await context.close();
});
