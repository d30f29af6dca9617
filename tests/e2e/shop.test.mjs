// A person's whole visit to the demo shop: every interaction lands at the inlet as a good event, none
// bad, none missing, field by field; from the script-tag build and from the ESM build.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { openBrowser, openInlet, openPage, openSite, until } from "./support.mjs";

let inlet, site, browser;

before(async () => {
  inlet = await openInlet();
  site = await openSite(inlet);
  browser = await openBrowser();
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
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const lamp = { SKU: "LAMP-01", quantity: 1, priceTotal: 148, currencyCode: "EUR" };
const pageView = (name, siteSection) => ({
  eventType: "web.webpagedetails.pageViews",
  web: { webPageDetails: { name, siteSection, pageViews: { value: 1 } } },
});
const link = (name, region, url, type = "other") => ({
  eventType: "web.webinteraction.linkClicks",
  web: { webInteraction: { name, type, region, URL: url, linkClicks: { value: 1 } } },
});
const commerce = (measure, ...productListItems) => ({
  eventType: `commerce.${measure}`,
  commerce: { [measure]: { value: 1 } },
  ...(productListItems.length > 0 && { productListItems }),
});

/** What the visit below is to send, in this order. `at` is the folder the shop is served from. */
const visit = (at, lampName) => {
  const product = { ...lamp, name: lampName };
  const identityMap = { Email: [{ id: EMAIL, primary: true, authenticatedState: "authenticated" }] };
  return [
    pageView("home", "shop"),
    link(lampName, "catalogue", `${at}product.html?sku=LAMP-01`),
    pageView(`product: ${lampName}`, "shop"),
    commerce("productViews", product),
    commerce("productListAdds", product),
    link("The light", "navigation", `${at}about.html`),
    pageView("about", "about"),
    link("The keeper's log", "main", `${at}files/keepers-log.pdf`, "download"),
    link("Basket", "navigation", `${at}cart.html`),
    pageView("cart", "checkout"),
    commerce("productListViews", product),
    commerce("productListAdds", product),
    commerce("productListRemovals", product),
    link("To the checkout", "cart", `${at}checkout.html`),
    pageView("checkout", "checkout"),
    commerce("checkouts", product),
    {
      eventType: "web.formFilledOut",
      web: {
        webPageDetails: { name: "checkout", siteSection: "checkout" },
        webInteraction: { name: "checkout-form", type: "other", region: "main" },
      },
      identityMap,
    },
    {
      ...commerce("purchases", product),
      commerce: {
        purchases: { value: 1 },
        order: {
          priceTotal: 148,
          currencyCode: "EUR",
          payments: [{ paymentAmount: 148, paymentType: "cash", currencyCode: "EUR" }],
        },
      },
      identityMap,
    },
    { ...pageView("thanks", "checkout"), identityMap },
    { ...link("The light", "navigation", `${at}about.html`), identityMap },
    { ...pageView("about", "about"), identityMap },
    { ...link("Lighthouses of the world", "main", "https://example.com/lighthouses", "exit"), identityMap },
  ];
};

for (const [build, folder] of [
  ["script-tag", "/"],
  ["ESM", "/esm/"],
]) {
  test(`a visit with the ${build} build lands whole and good`, async () => {
    const at = site.origin + folder;
    const { page, context, complaints } = await openPage(browser, {
      timezoneId: "Europe/Berlin",
      locale: "de-DE",
    });
    // The outbound link leads out of this machine: answer for it.
    await context.route("https://example.com/**", (route) => route.fulfill({ body: "elsewhere" }));
    const click = (name) => page.click(`[data-test=${name}]`);
    const land = (path) => page.waitForURL(`${at}${path}`);

    await page.goto(`${at}index.html`);
    const lampName =
      (await page.getAttribute("[data-test=product-LAMP-01]", "data-name")) ??
      (await page.textContent("[data-test=product-LAMP-01]")).trim();
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

    const expected = visit(at, lampName);
    await until("all messages to arrive", async () => (await inlet.counts()).received >= expected.length + 1);
    assert.deepEqual(await inlet.bad(), []);
    assert.deepEqual(await inlet.counts(), {
      received: expected.length + 1,
      good: expected.length + 1,
      bad: 0,
      duplicates: 0,
    });

    const rows = await inlet.good();
    const events = rows.filter((row) => row.datasetId === EVENTS).map((row) => row.message);
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
      const found = left.findIndex((event) => isSame(event, own));
      assert.notEqual(
        found,
        -1,
        `not expected: ${JSON.stringify(own)}\nleft: ${JSON.stringify(left.slice(0, 4))}`,
      );
      left.splice(found, 1);
    }
    assert.deepEqual(left, [], "these did not arrive");

    const [profile, ...more] = rows.filter((row) => row.datasetId === PROFILES);
    assert.deepEqual(more, []);
    assert.deepEqual(profile.message.body.xdmEntity, {
      person: { name: { firstName: "Ada", lastName: "Lovelace" } },
      personalEmail: { address: EMAIL },
      identityMap: { Email: [{ id: EMAIL, primary: true, authenticatedState: "authenticated" }] },
    });
    const merged = await inlet.get(`/profiles?namespace=Email&id=${EMAIL}`);
    assert.equal(merged.record.person.name.firstName, "Ada");
    assert.equal(merged.events.length, 6);
    assert.deepEqual(complaints, []);
    await context.close();
  });
}

/** Checks what the library added by itself, and gives back the rest. */
function withoutContext(entity, at) {
  const { _id, timestamp, web, device, environment, placeContext, implementationDetails, commerce, ...own } =
    structuredClone(entity);
  assert.match(_id, UUID_V4);
  assert.match(timestamp, RFC_3339);
  assert.deepEqual(device, { screenHeight: 720, screenWidth: 1280, screenOrientation: "landscape" });
  assert.deepEqual(environment, {
    type: "browser",
    colorDepth: 24,
    browserDetails: { viewportHeight: 720, viewportWidth: environment.browserDetails.viewportWidth },
    _dc: { language: "de-DE" },
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

  const { URL: url, name, ...details } = web.webPageDetails;
  assert.ok(url.startsWith(at), url);
  if (web.webReferrer) {
    const { URL: from, type } = web.webReferrer;
    if (from) assert.ok(from.startsWith(at), from);
    assert.equal(type, from ? "internal" : "typed_bookmarked");
  }
  // The automatic name is the title; the shop's own page views overwrite it.
  const ownName = Object.keys(details).length > 0;
  if (!ownName) assert.match(name, /Lantern Room/);
  const kept = {};
  if (ownName) kept.webPageDetails = { name, ...details };
  if (web.webInteraction) kept.webInteraction = web.webInteraction;
  if (Object.keys(kept).length > 0) own.web = kept;

  if (commerce) {
    // Made up anew for each order.
    const order = commerce.order;
    if (order) {
      assert.match(order.purchaseID, /^LR-/);
      assert.equal(order.payments[0].transactionID, `${order.purchaseID}-1`);
      delete order.purchaseID;
      delete order.payments[0].transactionID;
    }
    own.commerce = commerce;
  }
  return own;
}

function isSame(one, other) {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
}
