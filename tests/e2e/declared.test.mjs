// How the library comes into a page: configured by the attributes of its tag alone, twice by mistake, or
// in vain; and in which order it takes what was called before.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openHost, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, gate, stage, browser } = await openSuite();

/** The attributes of a tag that says all there is to say. */
const everything = () => {
  const { endpoint, orgId, datasetId, schema, profile } = optionsFor(gate.origin);
  const contentType = "application/vnd.adobe.xed-full+json;version=1";
  return {
    "data-endpoint": endpoint,
    "data-batch-endpoint": "null",
    "data-org-id": orgId,
    "data-dataset-id": datasetId,
    "data-schema-id": schema.id,
    "data-schema-content-type": contentType,
    "data-flow-id": "flow-1",
    "data-source-name": 'The "tag" & <more>',
    "data-profile-dataset-id": profile.datasetId,
    "data-profile-schema-id": profile.schema.id,
    "data-profile-schema-content-type": contentType,
    "data-context": " web  implementationDetails ",
    "data-delivery-transport": "fetch",
    "data-delivery-sync-validation": "",
    "data-debug": "true",
    "data-turbo-track": "reload",
  };
};

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
const tag = (attributes, sdk = "/sdk") => {
  const written = Object.entries(attributes).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  return `<script async src="${sdk}/xdm-beacon.js"${written.join("")}></script>`;
};

/** A page with nothing but this in its head: no base code. */
async function openTagged(name, head) {
  const host = await openHost(browser);
  await host.page.goto(stage.put(`/${name}.html`, `<!doctype html><title>Tagged</title>${head}`));
  await until("the library", () => host.page.evaluate(() => typeof window.xdmBeacon === "function"));
  return host;
}

test("each attribute of the tag is its option, and reaches the inlet", async () => {
  const host = await openTagged("everything", tag(everything()));
  const { endpoint, orgId, datasetId, schema, profile } = optionsFor(gate.origin);
  const contentType = "application/vnd.adobe.xed-full+json;version=1";
  const { value: library } = await host.call("getLibraryInfo");
  assert.deepEqual(library.configuration, {
    endpoint,
    batchEndpoint: null,
    orgId,
    datasetId,
    schema: { id: schema.id, contentType },
    flowId: "flow-1",
    sourceName: 'The "tag" & <more>',
    profile: { datasetId: profile.datasetId, schema: { id: profile.schema.id, contentType } },
    context: ["web", "implementationDetails"],
    delivery: { transport: "fetch", syncValidation: true },
    debug: true,
  });

  const { value } = await host.call("sendEvent", { xdm: { _id: "everything" } });
  assert.equal(value.status, "delivered");
  const { message, verdict } = await inlet.arrived("everything");
  assert.equal(verdict, "good");
  assert.deepEqual(message.header, {
    schemaRef: { id: schema.id, contentType },
    imsOrgId: orgId,
    datasetId,
    flowId: "flow-1",
    source: { name: 'The "tag" & <more>' },
  });
  const { _id, timestamp, ...context } = message.body.xdmEntity;
  assert.deepEqual(Object.keys(context), ["web", "implementationDetails"]);
  const post = gate.requests.find(({ method }) => method === "POST");
  assert.equal(post.path, `${new URL(endpoint).pathname}?syncValidation=true`);

  // Synchronous validation tells at once what is wrong.
  const refused = await host.call("sendEvent", { xdm: { _id: "refused", colour: "red" } });
  assert.deepEqual([refused.value.status, refused.value.reason], ["dropped", "rejected"]);
  assert.match(refused.value.detail, /./);

  const record = {
    person: { name: { firstName: "Ada" } },
    identityMap: { Email: [{ id: "a@example.com" }] },
  };
  assert.deepEqual(await host.call("sendProfile", { xdm: record }), { value: { status: "delivered" } });
  const [row] = await inlet.good(`&datasetId=${profile.datasetId}`);
  assert.deepEqual(row.message.body.xdmEntity, record);
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

for (const [what, wrong, logs] of [
  ["a flag that is neither", { "data-debug": "perhaps" }, null],
  [
    "a transport that is none",
    { "data-delivery-transport": "pigeon" },
    /'delivery.transport' must be "auto"/,
  ],
  ["an endpoint that is none", { "data-endpoint": "inlet" }, /'endpoint' must be a whole URL/],
  ["a context that is none", { "data-context": "web weather" }, /'context\[1\]' must be "web"/],
]) {
  test(`a tag with ${what} leaves the instance to be configured, and debug says why`, async () => {
    const host = await openTagged("wrong", tag({ ...everything(), ...wrong }));
    const refusal = await host.call("sendEvent", {});
    assert.equal(refusal.code, "not-configured");
    assert.match(refusal.message, /^xdmBeacon: 'sendEvent' must be configured first/);
    const heard = await host.heard();
    if (logs) {
      assert.equal(heard[0]?.startsWith("console.warn: xdmBeacon: "), true, heard[0]);
      assert.match(heard[0], logs);
    } else {
      assert.deepEqual(heard, []);
    }
    assert.deepEqual(await host.call("configure", optionsFor(gate.origin)), { value: {} });
    assert.equal((await host.call("sendEvent", {})).value.status, "delivered");
    await host.context.close();
  });
}

test("the same tag twice, with base code above it or without: each event once", async () => {
  for (const name of ["bare", "based"]) {
    const { "data-delivery-sync-validation": _, "data-debug": __, ...attributes } = everything();
    const head = tag(attributes) + tag(attributes);
    const host =
      name === "bare"
        ? await openTagged(name, head)
        : await openHost(browser).then(async (host) => {
            await host.page.goto(stage.put("/based.html", pageWith(null, { sdk: null, head })));
            return host;
          });
    const early = await host.call("sendEvent", { xdm: { _id: `${name}-1` } });
    // Both copies have run by the time the page is loaded.
    await host.page.waitForLoadState("load");
    const late = await host.call("sendEvent", { xdm: { _id: `${name}-2` } });
    assert.deepEqual([early.value.status, late.value.status], ["delivered", "delivered"]);
    assert.equal((await host.call("getStatus")).value.accepted, 2);
    const { rows } = await inlet.get(`/inspect/good?id=${name}-1`);
    assert.equal(rows.length, 1);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  }
  assert.equal((await inlet.counts()).duplicates, 0);
});

test("the same tag twice and no engine: nobody hears of the second copy either", async () => {
  stage.put("/missing/xdm-beacon.wasm", "Not found", {}, 404);
  const host = await openTagged(
    "twice-missing",
    tag(everything(), "/missing") + tag(everything(), "/missing"),
  );
  await host.page.waitForLoadState("load");
  assert.equal((await host.call("sendEvent")).code, "engine-unavailable");
  // The second copy would ask on its own; its answer comes after ours, so ask once more after it.
  await host.page.evaluate(() => fetch("/missing/xdm-beacon.wasm").then((answer) => answer.text()));
  await host.page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("what was called before the library is there is taken in order", async () => {
  const host = await openHost(browser);
  await host.page.goto(stage.put("/order.html", pageWith(null, { sdk: null })));
  const options = optionsFor(gate.origin);
  await host.page.evaluate((options) => {
    const cycle = {};
    cycle.self = cycle;
    window.told = [
      ["sendEvent", {}],
      ["configure", { ...options, endpoint: "inlet" }],
      ["configure", { ...options, endpoint: cycle }],
      ["getStatus"],
      ["configure", options],
      ["configure", options],
      ["sendEvent", { xdm: cycle }],
      ["sendEvent", { xdm: { _id: "ordered" } }],
      ["getStatus"],
      ["flush", {}],
      ["getStatus"],
    ].map((call) => outcome(xdmBeacon(...call)));
  }, options);
  await host.page.addScriptTag({ url: `${stage.origin}/sdk/xdm-beacon.js` });
  const told = await host.page.evaluate(() => Promise.all(told));
  assert.deepEqual(
    told.slice(0, 7).map(({ code, value }) => code ?? value),
    ["not-configured", "not-a-url", "not-json", "not-configured", {}, "configured-twice", "not-json"],
  );
  // `configure` is not copied, so its faults are known by name.
  assert.match(told[2].message, /^xdmBeacon: 'endpoint' cannot be turned into JSON/);
  assert.match(told[6].message, /^xdmBeacon: 'options' cannot be turned into JSON/);
  const [sent, first, flushed, second] = told.slice(7).map(({ value }) => value);
  assert.deepEqual([sent.id, sent.status], ["ordered", "delivered"]);
  assert.deepEqual([first.accepted, first.queued], [1, 1], "sent at the end of the task");
  assert.deepEqual(flushed, { delivered: 1, stored: 0 });
  assert.deepEqual([second.accepted, second.inFlight], [1, 1], "sent by flush, and asked before the answer");
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});
