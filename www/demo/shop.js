/**
 * The Lantern Room: what an ordinary customer of XDM Beacon writes.
 *
 * The head of each page has made `xdmBeacon(command, options)` callable and configured it. It returns a
 * promise, and this shop never waits for one: a call is made, the page goes on. The promises are only
 * handed to the bar at the bottom, which shows what became of each.
 */

import * as cart from "./cart.js";
import { CURRENCY, productBySku } from "./catalogue.js";
import { draw, drawBasket, say } from "./pages.js";
import { report } from "./sent-bar.js";

/** Once somebody has checked out, their later events carry who they are. Before that: nobody. */
function identity() {
  const email = cart.shopper();
  return email ? { Email: [{ id: email, primary: true, authenticatedState: "authenticated" }] } : undefined;
}

/**
 * One ExperienceEvent. `_id`, `timestamp`, and the page's URL, screen and so on are added by the library.
 *
 * `leaving: true` says that the page is about to go away, so the event has to leave at once by a way that
 * outlives the page.
 *
 * @param {string} type one of XDM's `eventType` values
 * @param {object} xdm
 * @param {{leaving?: boolean}} [how]
 */
function sendEvent(type, xdm, { leaving = false } = {}) {
  const options = { type, xdm };
  const identityMap = identity();
  if (identityMap) options.identityMap = identityMap;
  if (leaving) options.documentUnloading = true;
  report("sendEvent", options);
}

/** XDM's productListItems. @param {cart.Line[]} lines */
const productListItems = (lines) =>
  lines.map(({ sku, quantity }) => {
    const product = productBySku(sku);
    return {
      SKU: sku,
      name: product.name,
      quantity,
      priceTotal: (product.cents * quantity) / 100,
      currencyCode: CURRENCY,
    };
  });

/** A commerce event: the measure that is its name, and the products it is about. */
const sendCommerce = (measure, lines, { order, leaving } = {}) =>
  sendEvent(
    `commerce.${measure}`,
    {
      commerce: { [measure]: { value: 1 }, ...(order && { order }) },
      ...(lines.length > 0 && { productListItems: productListItems(lines) }),
    },
    { leaving },
  );

// ---------------------------------------------------------------------------------------------------
// The page itself. It is drawn first, so that its title is there when the page view is sent.

const page = draw();

sendEvent("web.webpagedetails.pageViews", {
  web: {
    webPageDetails: { name: page.name, siteSection: page.section, pageViews: { value: 1 } },
  },
});

if (page.product) sendCommerce("productViews", [{ sku: page.product.sku, quantity: 1 }]);
if (page.id === "cart") sendCommerce("productListViews", cart.lines());
if (page.id === "checkout" && cart.lines().length > 0) sendCommerce("checkouts", cart.lines());

// ---------------------------------------------------------------------------------------------------
// Links. One listener for the whole document, which never holds a click up: no preventDefault, no waiting.

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
  if (!link || link.closest("[data-untracked]")) return;

  const target = new URL(link.href);
  const withinPage = target.href.split("#")[0] === location.href.split("#")[0] && target.hash !== "";
  if (withinPage) return;

  const exit = target.host !== location.host;
  const download = link.hasAttribute("download");
  const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || link.target === "_blank";

  sendEvent(
    "web.webinteraction.linkClicks",
    {
      web: {
        webInteraction: {
          name: link.dataset.name ?? link.textContent.trim().replace(/\s+/g, " "),
          type: download ? "download" : exit ? "exit" : "other",
          URL: target.href,
          region: link.closest("[data-region]")?.dataset.region ?? "page",
          linkClicks: { value: 1 },
        },
      },
    },
    { leaving: !download && !elsewhere },
  );
});

// ---------------------------------------------------------------------------------------------------
// The basket. Every button that changes it names the product and by how many pieces.

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button[data-sku]") : null;
  if (!button) return;

  const { sku, test } = button.dataset;
  const quantity = cart.change(sku, Number(button.dataset.pieces));
  if (quantity === 0) return;

  const added = Number(button.dataset.pieces) > 0;
  sendCommerce(added ? "productListAdds" : "productListRemovals", [{ sku, quantity }]);

  drawBasket(test);
  const { name } = productBySku(sku);
  say(added ? `${name} is in your basket.` : `${quantity} × ${name} taken out of your basket.`);
});

// ---------------------------------------------------------------------------------------------------
// Checkout. Three messages leave with the page: the form, the person, the order.

document.querySelector("#checkout-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const text = (name) => String(form.get(name) ?? "").trim();

  const lines = cart.lines();
  const cents = cart.total(lines);
  const purchaseId = `LR-${Date.now().toString(36).toUpperCase()}`;

  cart.rememberShopper(text("email").toLowerCase());
  cart.rememberOrder({ purchaseId, lines, cents, delivery: text("delivery") });
  cart.empty();

  // What was filled in, never what it says: a form event carries no values.
  sendEvent(
    "web.formFilledOut",
    {
      web: {
        webPageDetails: { name: page.name, siteSection: page.section },
        webInteraction: { name: "checkout-form", type: "other", region: "main" },
      },
    },
    { leaving: true },
  );

  // The person: a Profile record, in its own dataset. It has no timestamp and no event id; it says who
  // somebody is, under the address by which later events will name them.
  report("sendProfile", {
    xdm: {
      person: { name: { firstName: text("firstName"), lastName: text("lastName") } },
      personalEmail: { address: cart.shopper() },
    },
    identityMap: identity(),
  });

  sendCommerce("purchases", lines, {
    order: {
      purchaseID: purchaseId,
      priceTotal: cents / 100,
      currencyCode: CURRENCY,
      payments: [
        {
          transactionID: `${purchaseId}-1`,
          paymentAmount: cents / 100,
          paymentType: text("payment"),
          currencyCode: CURRENCY,
        },
      ],
    },
    leaving: true,
  });

  // At once. What was sent above arrives without this page.
  location.assign("thanks.html");
});
