// The automatic context in a real browser: the referrer's story over real navigations, client hints, and a
// connection, each held against what the browser itself says.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openHost, openStage, openSuite, optionsFor, page as pageWith, until } from "./support.mjs";

const { inlet, stage, browser } = await openSuite();
const other = await openStage();
after(() => other.close());

const entity = async (id) => (await inlet.arrived(id)).message.body.xdmEntity;

async function send(host, options) {
  const { value } = await host.call("sendEvent", options);
  return entity(value.id);
}

test("where the visitor came from: another site, another page, a soft navigation, a reload", async () => {
  const options = optionsFor(inlet.origin, { context: ["web"] });
  stage.put("/second.html", pageWith(options));
  const first = stage.put(
    "/first.html",
    pageWith(options, { head: '<meta name="referrer" content="unsafe-url">' }),
  );
  // The same machine under another name: another host.
  const from = `${other.origin.replace("127.0.0.1", "localhost")}/elsewhere.html`;
  other.put(
    "/elsewhere.html",
    `<!doctype html><link rel="icon" href="data:,"><meta name="referrer" content="unsafe-url"><a href="${first}">on</a>`,
  );
  const host = await openHost(browser);
  const referrer = async () => (await send(host)).web.webReferrer;

  await host.page.goto(from);
  await host.page.click("a");
  await host.page.waitForURL(first);
  assert.deepEqual(await referrer(), { URL: from, type: "external" });
  assert.equal(await referrer(), undefined);

  await host.page.evaluate(() => history.pushState({}, "", "?page=2#top"));
  assert.deepEqual(await referrer(), { URL: first, type: "internal" });
  assert.equal(await referrer(), undefined);
  await host.page.evaluate(() => {
    location.hash = "below";
  });
  assert.equal(await referrer(), undefined);

  await host.page.evaluate(() => {
    location.href = "/second.html";
  });
  await host.page.waitForURL(`${stage.origin}/second.html`);
  assert.deepEqual(await referrer(), { URL: `${first}?page=2`, type: "internal" });
  await host.page.reload();
  assert.deepEqual(await referrer(), { URL: `${first}?page=2`, type: "internal" });
  assert.equal(await referrer(), undefined);

  await host.page.goto("about:blank");
  await host.page.goto(first);
  assert.deepEqual(await referrer(), { type: "typed_bookmarked" });
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

test("high-entropy client hints come when they are known, and no event waits for them", async () => {
  const host = await openHost(browser);
  // The browser's answer is held back until the test lets it go.
  await host.context.addInitScript(() => {
    const { getHighEntropyValues } = NavigatorUAData.prototype;
    window.asked = [];
    const go = new Promise((resolve) => {
      window.letGo = resolve;
    });
    NavigatorUAData.prototype.getHighEntropyValues = async function (names) {
      window.asked.push(names);
      await go;
      return getHighEntropyValues.call(this, names);
    };
  });
  const options = optionsFor(inlet.origin, { context: ["highEntropyUserAgentHints"] });
  await host.page.goto(stage.put("/hints.html", pageWith(options)));
  const early = await send(host);
  assert.deepEqual(Object.keys(early), ["_id", "timestamp"]);

  const names = ["architecture", "bitness", "model", "platformVersion", "wow64"];
  const { brands, ...hints } = await host.page.evaluate((names) => {
    letGo();
    return navigator.userAgentData.getHighEntropyValues(names);
  }, names);
  const late = await until("the hints", async () => {
    const { environment } = await send(host);
    return environment;
  });
  // Brands are no hint of high entropy. What is empty, as the model of a desktop, is left out.
  assert.ok(brands);
  const told = Object.entries(hints).filter(([, hint]) => hint !== "");
  assert.ok(told.length > 3, JSON.stringify(hints));
  assert.deepEqual(late, { browserDetails: { userAgentClientHints: Object.fromEntries(told) } });
  assert.deepEqual(await host.page.evaluate(() => asked), [names, names], "once by us, once by this test");
  assert.deepEqual(await host.heard(), []);
  await host.context.close();
});

for (const [what, script] of [
  [
    "refuses",
    "NavigatorUAData.prototype.getHighEntropyValues = () => Promise.reject(new DOMException('no', 'NotAllowedError'))",
  ],
  ["throws", "NavigatorUAData.prototype.getHighEntropyValues = () => { throw new Error('no'); }"],
  [
    "answers rubbish",
    "NavigatorUAData.prototype.getHighEntropyValues = async () => ({ bitness: 64, wow64: 'no', model: {}, architecture: null })",
  ],
  [
    "answers what has no JSON form",
    "NavigatorUAData.prototype.getHighEntropyValues = async () => { const hints = {}; hints.hints = hints; return hints; }",
  ],
  ["has no such thing", "Object.defineProperty(navigator, 'userAgentData', { value: undefined })"],
]) {
  test(`a browser that ${what} leaves the hints out, and nothing is heard`, async () => {
    const host = await openHost(browser);
    await host.context.addInitScript(script);
    const options = optionsFor(inlet.origin, {
      context: ["highEntropyUserAgentHints", "implementationDetails"],
    });
    await host.page.goto(stage.put("/no-hints.html", pageWith(options)));
    await send(host);
    // The answer came before this event: it was there at once.
    assert.deepEqual(Object.keys(await send(host)), ["_id", "timestamp", "implementationDetails"]);
    assert.deepEqual(await host.heard(), []);
    await host.context.close();
  });
}

test("the kind of connection is told where the platform tells it", async () => {
  const host = await openHost(browser);
  await host.context.addInitScript(() => {
    const connection = { type: "wifi", effectiveType: "4g" };
    Object.defineProperty(navigator, "connection", { value: connection });
  });
  const options = optionsFor(inlet.origin, { context: ["environment"] });
  await host.page.goto(stage.put("/connection.html", pageWith(options)));
  assert.equal((await send(host)).environment.connectionType, "wireless_wifi");
  // It is asked each time: telephones wander.
  await host.page.evaluate(() => {
    navigator.connection.type = "cellular";
  });
  assert.equal((await send(host)).environment.connectionType, "mobile");
  await host.page.evaluate(() => {
    navigator.connection.type = undefined;
  });
  assert.equal((await send(host)).environment.connectionType, undefined);
  await host.context.close();
});
