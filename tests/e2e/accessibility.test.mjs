// Everybody can use the shop and the inspector: axe finds nothing wrong in any state of any page, by WCAG 2.2 A
// and AA and by good practice, in light and dark, wide and narrow; no page scrolls sideways or writes to the console.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { inletId } from "../../scripts/demo.mjs";
import { root } from "../../scripts/steps.mjs";
import { openBrowser, openInlet, openPage, openSite } from "./support.mjs";

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

const AXE = readFileSync(join(root, "node_modules/axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

// --- states: what each is called, how to get there from the one before, and what the browser says of it -------

const shop = (path) => (page) => page.goto(`${site.origin}/${path}`);
const view = (name, sign) => async (page) => {
  await page.goto(`${inlet.origin}/#/${name}`);
  await page.locator(sign).first().waitFor();
};
const press = (button, sign) => async (page) => {
  await page.click(button);
  await page.locator(sign).first().waitFor();
};
/** Opens the newest message with `text` in it; what was open before is not. */
const message = (text, sign) => async (page) => {
  await page.goto(`${inlet.origin}/#/messages`);
  await page.reload();
  await page.fill("#filter-text", text);
  await page.locator("#list-status:has-text(' of ')").waitFor();
  await press(".row[role=option]", `#detail ${sign}`)(page);
};

const NOTHING_YET = [
  ["no messages", view("messages", "#no-messages .snippet")],
  ["no profiles", view("profiles", "#no-profiles")],
];

const SHOP = [
  [
    "home, with the question",
    async (page) => {
      await shop("index.html")(page);
      await page.locator("#consent").waitFor();
    },
  ],
  ["the question above the open bar", press("#sent-toggle", "#sent-bar [open] .sent-facts")],
  [
    "the question at the end of the page",
    async (page) => {
      await page.click("#sent-toggle");
      await page.focus("[data-test=foot-about]");
      // What is fixed to the bottom covers nothing that has the focus.
      const [link, banner] = await page.evaluate(() =>
        ["[data-test=foot-about]", "#consent"].map((it) =>
          document.querySelector(it).getBoundingClientRect(),
        ),
      );
      assert.ok(
        link.bottom <= banner.top,
        `the focus at ${link.bottom} px, the question from ${banner.top} px`,
      );
    },
  ],
  ["a yes", press("[data-consent=y]", "#said:not(:empty)")],
  ["the question again", press("#consent-open", "#consent-keep")],
  ["home", shop("index.html")],
  ["about", shop("about.html")],
  ["a product that there is not", shop("product.html?sku=NONE")],
  ["an empty basket", shop("cart.html")],
  ["an empty checkout", shop("checkout.html")],
  ["no order", shop("thanks.html")],
  ["a product", shop("product.html?sku=LAMP-01")],
  ["a product put in the basket", press("#add-to-cart", "#said:not(:empty)")],
  ["a basket", shop("cart.html")],
  ["a checkout", shop("checkout.html")],
  ["a checkout with a fault", press("#place-order", "#first-name:invalid:focus")],
  [
    "an order",
    async (page) => {
      await page.fill("#first-name", "Ada");
      await page.fill("#last-name", "Lovelace");
      await page.fill("#email", "ada@example.com");
      await press("#place-order", "#order-known")(page);
    },
  ],
  ["the bar of what was sent", press("#sent-toggle", ".badge-delivered")],
  [
    "a no",
    async (page) => {
      await page.click("#consent-open");
      await press("[data-consent=n]", "#sent-stand.badge-out")(page);
    },
  ],
  [
    "a yes after it",
    async (page) => {
      await page.click("#consent-open");
      await press("[data-consent=y]", "#sent-stand.badge-in")(page);
    },
  ],
];

/** Messages of every kind: the shop's own are good, these are bad, there twice, or no JSON. */
async function sendWorse(page) {
  await page.evaluate(() =>
    Promise.all([
      xdmBeacon("sendEvent", { type: "sent.bad", xdm: { _id: "bad", mediaCollection: { playhead: 3 } } }),
      xdmBeacon("sendEvent", { type: "sent.mistyped", xdm: { web: { webPageDetails: { name: 1 } } } }),
      ...[1, 2].map(() => xdmBeacon("sendEvent", { type: "sent.twice", xdm: { _id: "twice" } })),
    ]),
  );
  await fetch(`${inlet.origin}/collection/${inletId}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "no JSON",
  });
}

const INSPECTOR = [
  ["messages", view("messages", ".row-bad")],
  [
    "plots",
    async (page) => {
      if (!(await page.locator("#plots[open]").count())) await page.click("#plots summary");
      await page.locator("#plot-rate .bar-bad").first().waitFor();
    },
  ],
  ["a good message", message("commerce.purchases", ".facts a")],
  ["a duplicate", message("sent.twice", ".chip")],
  ["what is not JSON", message("no JSON", ".raw")],
  ["a bad message", message("sent.bad", ".violation")],
  ["a fault of it shown", press(".violation", ".j-lit")],
  [
    "nothing found",
    async (page) => {
      await page.reload();
      await page.fill("#filter-text", "nowhere");
      await page.locator("#no-match").waitFor();
    },
  ],
  ["profiles", view("profiles", ".profile-link")],
  ["a profile", press(".profile-link", "#profile .identities")],
  ["an event of it", press("#profile .events summary", "#profile .events .json")],
  [
    "an unknown profile",
    view("profiles?namespace=Email&id=nobody", "#profile h3:has-text('nobody')"),
    /\b404\b/,
  ],
  ["datasets", view("datasets", "#dataset-cards li")],
  ["faults", view("faults", "#presets button")],
  ["a fault on", press("#presets button:has-text('2 s late')", "#fault-banner")],
  [
    "a fault refused",
    async (page) => {
      await press("#banner-off", "#fault-state")(page);
      await page.fill("#fault-retry", "100000");
      await press("#fault-form [type=submit]", "#faults-error")(page);
    },
    /\b400\b/,
  ],
  ["the question before a reset", press("#reset", "#reset-dialog")],
];

// --- what holds for each ------------------------------------------------------------------------------------

/** Runs in the page. */
const findings = async (tags) => {
  const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
  const found = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id} at ${target.join(" ")}: ${failureSummary}`),
  );
  const { scrollWidth, clientWidth } = document.scrollingElement;
  if (scrollWidth > clientWidth) found.push(`${scrollWidth} px in ${clientWidth}: scrolls sideways`);
  return found;
};

async function assertUsable({ page, complaints }, states) {
  const found = [];
  for (const [name, arrive, said] of states) {
    await arrive(page);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      found.push(...(await page.evaluate(findings, TAGS)).map((line) => `${name}, ${colorScheme}: ${line}`));
    }
    const unasked = complaints.splice(0).filter((line) => !said?.test(line));
    found.push(...unasked.map((line) => `${name}: ${line}`));
  }
  if (found.length > 0) assert.fail(found.join("\n"));
}

for (const width of [1280, 360]) {
  test(`shop and inspector, ${width} px wide`, async () => {
    await inlet.reset();
    const options = { reducedMotion: "reduce", viewport: { width, height: 720 } };
    const [customer, inspector] = [await openPage(browser, options), await openPage(browser, options)];
    for (const { context } of [customer, inspector]) await context.addInitScript(AXE);
    await assertUsable(inspector, NOTHING_YET);
    await assertUsable(customer, SHOP);
    await sendWorse(customer.page);
    await assertUsable(inspector, INSPECTOR);
    await customer.context.close();
    await inspector.context.close();
  });
}
