// A person's whole visit to the demo shop: once there is consent every interaction lands at the inlet as a good
// event, none bad, none missing, field by field; from the script-tag build and from the ESM build. And the question
// that comes before: what it keeps from happening, with the keyboard, remembered, and changed.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { openBrowser, openInlet, openPage, openSite, until } from "./support.mjs";

let inlet, site, browser;

before(async () => {
  inlet = await openInlet();
  site = await openSite(inlet);
  browser = await openBrowser({ TZ: "Europe/Berlin", LANGUAGE: "en_US" });
});
after(async () => {
  await browser?.close();
  await site?.close();
  await inlet?.close();
});
beforeEach(() => inlet.reset());

const EVENTS = "65f1a2b3c4d5e6f708192a3b";
const PROFILES = "65f1a2b3c4d5e6f708192a3c";
const EMAIL = "ada@example.com";
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const COOKIE = "xdm_beacon_LanternRoom";
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const lampName = "Fresnel table lamp";
const lamp = { SKU: "LAMP-01", name: lampName, quantity: 1, priceTotal: 148, currencyCode: "EUR" };

/** A page of the shop, as every event of it tells of it. */
const pages = {
  home: ["index.html", "The Lantern Room · goods for long evenings", "shop"],
  product: ["product.html?sku=LAMP-01", `${lampName} · The Lantern Room`, "shop"],
  about: ["about.html", "The light · The Lantern Room", "about"],
  cart: ["cart.html", "Your basket · The Lantern Room", "checkout"],
  checkout: ["checkout.html", "Checkout · The Lantern Room", "checkout"],
  thanks: ["thanks.html", "Thank you · The Lantern Room", "checkout"],
};

/** What the visit below is to send, in this order. `at` is the folder the shop is served from, `id` the browser's. */
function visit(at, id) {
  const expected = [];
  let web, webReferrer;
  const first = { identityMap: { LanternRoom: [{ id, primary: true }] } };
  const known = {
    identityMap: {
      LanternRoom: [{ id }],
      Email: [{ id: EMAIL, primary: true, authenticatedState: "authenticated" }],
    },
  };
  const add = (event, identity = first) =>
    expected.push({ ...event, web: { ...web, ...event.web }, ...identity });
  const view = (viewName, more) => {
    const [path, name, siteSection] = pages[viewName];
    const before = web?.webPageDetails.URL;
    const webPageDetails = { URL: at + path, name };
    webReferrer = before ? { URL: before, type: "internal" } : { type: "typed_bookmarked" };
    const details = { ...webPageDetails, pageViews: { value: 1 }, siteSection, viewName, ...more };
    web = { webPageDetails };
    add({ eventType: "web.webpagedetails.pageViews", web: { webPageDetails: details, webReferrer } });
  };
  const interaction = (name, region, more) => ({
    webInteraction: { name, region, type: "other", linkClicks: { value: 1 }, ...more },
  });
  const click = (name, region, { path, ...more } = {}, mapped = {}) => {
    const URL = path && { URL: at + path };
    const web = interaction(name, region, { ...more, ...URL });
    add({ eventType: "web.webinteraction.linkClicks", web, ...mapped });
  };
  const commerce = (measure, identity) =>
    add(
      { eventType: `commerce.${measure}`, commerce: { [measure]: { value: 1 } }, productListItems: [lamp] },
      identity,
    );

  view("home", { isHomePage: true });
  click("Accept", "consent");
  const productListItems = [{ SKU: lamp.SKU, name: lampName }];
  click(lampName, "shelf", { path: "product.html?sku=LAMP-01" }, { productListItems });
  view("product");
  commerce("productViews");
  // The click is the event: attributes of the button say so.
  add({
    eventType: "commerce.productListAdds",
    commerce: { productListAdds: { value: 1 } },
    productListItems: [lamp],
    web: interaction("Add to basket", "product"),
  });
  click("The light", "Main", { path: "about.html" });
  view("about");
  click("The keeper's log, one page (PDF)", "main", { path: "files/keepers-log.pdf", type: "download" });
  click("Basket", "Main", { path: "cart.html" });
  view("cart");
  commerce("productListViews");
  click(`One ${lampName} more`, "cart-lines");
  commerce("productListAdds");
  click(`One ${lampName} less`, "cart-lines");
  commerce("productListRemovals");
  click("To the checkout", "cart-full", { path: "checkout.html" });
  view("checkout");
  commerce("checkouts");
  click("Place the order", "checkout-form");
  commerce("purchases", known);
  Object.assign(expected.at(-1).commerce, {
    order: {
      priceTotal: 148,
      currencyCode: "EUR",
      payments: [{ paymentAmount: 148, paymentType: "cash", currencyCode: "EUR" }],
    },
  });
  view("thanks");
  click("The light", "Main", { path: "about.html" });
  view("about");
  click("Lighthouses of the world (another site) ↗", "main", {
    URL: "https://example.com/lighthouses",
    type: "exit",
  });
  return expected;
}

/** What modules of their own capture (forms, engagement, errors, vitals) tells of itself below the tenant. */
const isOfModule = ({ message }) => "_xdmbeacon" in message.body.xdmEntity;

/** Each message once, newest first: what was handed over while leaving may come again. */
const distinct = async (inlet) => [
  ...new Map((await inlet.good()).map((row) => [row.id ?? row, row])).values(),
];

for (const [build, folder] of [
  ["script-tag", "/"],
  ["ESM", "/esm/"],
]) {
  test(`a visit with the ${build} build lands whole and good`, async () => {
    const at = site.origin + folder;
    const { page, context, complaints } = await openPage(browser);
    // The outbound link leads out of this machine: answer for it.
    await context.route("https://example.com/**", (route) => route.fulfill({ body: "elsewhere" }));
    const click = (name) => page.click(`[data-test=${name}]`);
    const land = (path) => page.waitForURL(`${at}${path}`);

    await page.goto(`${at}index.html`);
    await page.click("[data-consent=y]");
    await page.locator("#consent").waitFor({ state: "hidden" });
    const [{ value: id, ...cookie }, ...others] = await context.cookies();
    assert.match(id, UUID_V4);
    assert.deepEqual([cookie.name, cookie.domain, cookie.sameSite, others], [COOKIE, "127.0.0.1", "Lax", []]);
    await click("product-LAMP-01");
    await land("product.html?sku=LAMP-01");
    await click("add-to-cart");
    await click("nav-about");
    await land("about.html");
    await Promise.all([page.waitForEvent("download"), click("download")]);
    await click("nav-cart");
    await land("cart.html");
    await click("more-LAMP-01");
    await click("less-LAMP-01");
    await click("to-checkout");
    await land("checkout.html");
    await page.fill("#first-name", "Ada");
    await page.fill("#last-name", "Lovelace");
    await page.fill("#email", EMAIL);
    await click("place-order");
    await land("thanks.html");
    await click("nav-about");
    await land("about.html");
    await click("outbound");
    await page.waitForURL("https://example.com/lighthouses");

    const expected = visit(at, id);
    const arrived = await until("all messages to arrive", async () => {
      const rows = (await distinct(inlet)).filter((row) => !isOfModule(row));
      return rows.length >= expected.length + 1 && rows;
    });
    assert.deepEqual(await inlet.bad(), []);
    assert.equal(arrived.length, expected.length + 1);

    const events = arrived.filter((row) => row.datasetId === EVENTS).map((row) => row.message);
    // Each page's own events carry that page's URL, title and clock; requests may overtake each other.
    events.sort((one, other) => (one.body.xdmEntity.timestamp < other.body.xdmEntity.timestamp ? -1 : 1));

    const left = [...expected];
    for (const { header, body } of events) {
      assert.deepEqual(header, {
        schemaRef: {
          id: "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent",
          contentType: "application/vnd.adobe.xed-full+json;version=1",
        },
        imsOrgId: "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
        datasetId: EVENTS,
        source: { name: "XDM Beacon demo" },
      });
      assert.deepEqual(body.xdmMeta, { schemaRef: header.schemaRef });
      const own = withoutContext(body.xdmEntity, at);
      const found = left.findIndex((event) => isDeepStrictEqual(event, own));
      assert.notEqual(
        found,
        -1,
        `not expected: ${JSON.stringify(own)}\nleft: ${JSON.stringify(left.slice(0, 4))}`,
      );
      left.splice(found, 1);
    }
    assert.deepEqual(left, [], "these did not arrive");

    await assertModules(inlet, expected, at);

    const [profile, ...more] = arrived.filter((row) => row.datasetId === PROFILES);
    assert.deepEqual(more, []);
    assert.deepEqual(profile.message.body.xdmEntity, {
      person: { name: { firstName: "Ada", lastName: "Lovelace" } },
      personalEmail: { address: EMAIL },
      identityMap: { Email: [{ id: EMAIL, primary: true, authenticatedState: "authenticated" }] },
    });
    // The purchase has named both, and so the whole visit is hers.
    for (const [namespace, value] of [
      ["Email", EMAIL],
      ["LanternRoom", id],
    ]) {
      const merged = await inlet.get(`/profiles?namespace=${namespace}&id=${value}`);
      assert.equal(merged.record.person.name.firstName, "Ada");
      const types = merged.events.map(({ eventType }) => eventType);
      for (const { eventType } of expected) assert.ok(types.includes(eventType), eventType);
      assert.ok(merged.events.length >= expected.length, `${merged.events.length} events`);
    }
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

/** Checks what the modules told: the form that was sent, and of every page how it was looked at and how fast it was. */
async function assertModules(inlet, expected, at) {
  const pages = expected
    .filter(({ web }) => web?.webPageDetails?.pageViews)
    .map(({ web }) => web.webPageDetails.URL);
  const of = async (type) =>
    (await inlet.entities(`&eventType=${type}`)).filter(({ _xdmbeacon }) => _xdmbeacon);
  const urls = async (type) => [...new Set((await of(type)).map(({ web }) => web.webPageDetails.URL))].sort();
  for (const type of ["web.engagement", "web.vitals"]) {
    const known = await until(`${type} of all pages`, async () => {
      const known = await urls(type);
      return known.length >= new Set(pages).size && known;
    });
    assert.deepEqual(known, [...new Set(pages)].sort());
  }
  for (const { _xdmbeacon } of await of("web.engagement")) {
    const { visibleTime, maxScroll, ...more } = _xdmbeacon.engagement;
    assert.ok(visibleTime > 0 && maxScroll >= 0 && maxScroll <= 100, JSON.stringify(_xdmbeacon));
    assert.deepEqual(more, {});
  }
  const forms = await of("web.formFilledOut");
  assert.deepEqual(
    forms.map(({ _xdmbeacon }) => _xdmbeacon),
    [
      {
        form: {
          id: "checkout-form",
          action: `${at}thanks.html`,
          fieldsFilled: ["firstName", "lastName", "email", "delivery", "payment"],
        },
      },
    ],
  );
  assert.deepEqual(await of("web.error"), []);
}

/** Checks what the library added by itself, and gives back the rest. */
function withoutContext(entity, at) {
  const { _id, timestamp, device, environment, placeContext, implementationDetails, ...own } =
    structuredClone(entity);
  assert.match(_id, UUID_V4);
  assert.match(timestamp, RFC_3339);
  assert.deepEqual(device, { screenHeight: 720, screenWidth: 1280, screenOrientation: "landscape" });
  assert.deepEqual(environment, {
    type: "browser",
    colorDepth: 24,
    browserDetails: { viewportHeight: 720, viewportWidth: environment.browserDetails.viewportWidth },
    _dc: { language: "en-US" },
  });
  assert.ok(Number.isInteger(environment.browserDetails.viewportWidth));
  const { localTime, ...place } = placeContext;
  assert.equal(new Date(localTime).getTime(), new Date(timestamp).getTime());
  assert.match(localTime, /\+0[12]:00$/);
  assert.deepEqual(place, {
    localTimezoneOffset: localTime.endsWith("+01:00") ? -60 : -120,
    ianaTimezone: "Europe/Berlin",
  });
  assert.deepEqual(implementationDetails, {
    name: "urn:xdm-beacon:web",
    version: "0.1.0",
    environment: "browser",
  });

  // Beside the page view, the first event of a page tells where it was come from, whichever that is.
  const { webReferrer, webPageDetails } = own.web;
  if (webReferrer && !webPageDetails.pageViews) {
    assert.equal(webReferrer.type, webReferrer.URL ? "internal" : "typed_bookmarked");
    if (webReferrer.URL) assert.ok(webReferrer.URL.startsWith(at), webReferrer.URL);
    delete own.web.webReferrer;
  }
  const order = own.commerce?.order;
  if (order) {
    // Made up anew for each order.
    assert.match(order.purchaseID, /^LR-/);
    assert.equal(order.payments[0].transactionID, `${order.purchaseID}-1`);
    delete order.purchaseID;
    delete order.payments[0].transactionID;
  }
  return own;
}

// ---- the question -------------------------------------------------------------------------------------

/** All that the browser keeps of the shop, and what the shop itself keeps, which is its basket alone. */
async function kept(page) {
  const [{ local, session, databases }, cookies] = await Promise.all([
    page.evaluate(async () => ({
      local: { ...localStorage },
      session: Object.keys(sessionStorage),
      databases: (await indexedDB.databases()).map(({ name }) => name),
    })),
    page.context().cookies(),
  ]);
  return { local, session, databases, cookies: cookies.map(({ name }) => name) };
}

const DECISION = "xdm-beacon.consent.0A1B2C3D4E5F60718293A4B5@AdobeOrg";
const NOTHING = { local: {}, session: [], databases: [], cookies: [] };
const REFUSED = { ...NOTHING, local: { [DECISION]: "out" } };

test("the shop asks first, takes an answer from the keyboard, remembers it and lets it be changed", async () => {
  const { page, context, complaints } = await openPage(browser);
  const banner = page.locator("#consent");
  const has = (selector, text) =>
    until(`${selector} to say ${text}`, async () => (await page.textContent(selector)).includes(text));
  const focus = () =>
    page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  const open = async (path) => {
    await page.goto(`${site.origin}/${path}`);
    // It is there once the library has said what holds.
    await until("the footer's button", () => page.isVisible("#consent-open"));
  };

  await open("index.html");
  await banner.waitFor();
  assert.equal(await page.textContent("#consent-now"), "You have not decided yet.");
  await has("#sent-consent", "pending");
  assert.equal(await page.textContent("#sent-identity"), "none");
  await has("#sent-counts", "pending 1");
  // The next page asks as well; what waited has gone with the page before.
  await open("product.html?sku=LAMP-01");
  await banner.waitFor();
  assert.deepEqual(await kept(page), NOTHING);

  await page.keyboard.press("Tab");
  assert.equal(await focus(), "Skip to the content");
  await page.keyboard.press("Tab");
  assert.equal(await focus(), "Accept");
  await page.keyboard.press("Tab");
  assert.equal(await focus(), "Reject");
  // It is no trap, and no dialogue: there is no way out of it by Escape but to decide.
  await page.keyboard.press("Escape");
  assert.ok(await banner.isVisible());
  await page.keyboard.press("Enter");
  await banner.waitFor({ state: "hidden" });
  assert.equal(await focus(), "main");
  assert.equal(await page.textContent("#said"), "As you wish. Nothing is noted.");
  await has("#sent-consent", "out");
  await until("the end of the purge", async () => (await kept(page)).local[DECISION] === "out");
  assert.deepEqual(await kept(page), REFUSED);

  // Refused is refused, on the next page, too, and nobody is asked again.
  await open("product.html?sku=LAMP-01");
  assert.ok(await banner.isHidden());
  await page.click("#add-to-cart");
  await has("#sent-counts", "dropped (consent)");
  assert.deepEqual(await kept(page), { ...REFUSED, session: ["lantern-room.cart"] });
  assert.equal((await inlet.counts()).received, 0);

  await page.focus("#consent-open");
  await page.keyboard.press("Enter");
  await banner.waitFor();
  assert.equal(await focus(), "consent-title");
  assert.equal(await page.textContent("#consent-now"), "So far: rejected.");
  await page.keyboard.press("Escape");
  await banner.waitFor({ state: "hidden" });
  assert.equal(await focus(), "consent-open");
  await page.keyboard.press("Enter");
  await banner.waitFor();
  await page.click("#consent-keep");
  await banner.waitFor({ state: "hidden" });
  await page.click("#consent-open");
  await page.click("[data-consent=y]");
  await banner.waitFor({ state: "hidden" });
  assert.equal(await focus(), "consent-open");
  assert.equal(await page.textContent("#said"), "Thank you. We take notes.");
  await has("#sent-identity", "LanternRoom");
  const [cookie, ...others] = await context.cookies();
  assert.deepEqual([cookie.name, others], [COOKIE, []]);
  assert.equal(await page.textContent("#sent-identity"), `LanternRoom ${cookie.value} (primary)`);

  await open("about.html");
  assert.ok(await banner.isHidden());
  await until(
    "a page view",
    async () => (await inlet.entities("&eventType=web.webpagedetails.pageViews"))[0],
  );
  // Another tab hears of a change of mind.
  const another = await context.newPage();
  await another.goto(`${site.origin}/about.html`);
  await another.click("#consent-open");
  await another.click("[data-consent=n]");
  await has("#sent-consent", "out");
  assert.deepEqual(await context.cookies(), []);
  assert.deepEqual(complaints, []);
  await context.close();
});

test("the link to the shop's other address takes the browser's id along, for consent to be given there", async () => {
  const { page, context, complaints } = await openPage(browser);
  await page.goto(`${site.origin}/about.html`);
  await page.click("[data-consent=y]");
  await page.locator("#consent").waitFor({ state: "hidden" });
  const [{ value: id }] = await context.cookies();
  await page.click("#twin");
  const other = site.origin.replace("127.0.0.1", "localhost");
  await page.waitForURL((url) => url.origin === other && url.pathname === "/about.html");
  assert.match(page.url(), /\?xdm_beacon_id=TS%3D\d+%7CID%3D/);
  await page.locator("#consent").waitFor();
  assert.deepEqual(await context.cookies(other), []);
  await page.click("[data-consent=y]");
  await until("the id", async () => (await page.textContent("#sent-identity")).includes("LanternRoom"));
  assert.equal(await page.textContent("#sent-identity"), `LanternRoom ${id} (primary)`);
  // Both of them are the shop's: the link is no exit.
  const find = ({ web }) => web?.webInteraction?.name === "This page at our other address";
  const click = await until("the click", async () => (await inlet.entities()).find(find));
  assert.equal(click.web.webInteraction.type, "other");
  assert.deepEqual(complaints, []);
  await context.close();
});
