/**
 * The Lantern Room: what an ordinary customer of XDM Beacon writes.
 *
 * The head of each page has made `xdmBeacon(command, options)` callable and configured it, and with that page
 * views, clicks and forms are captured: what is left to say here is what only a shop knows. A call returns a
 * promise, and this shop never waits for one: the page goes on. The promises are only handed to the bar at the
 * bottom, which shows what became of each.
 */

import "./consent.js";
import * as cart from "./cart.js";
import { CURRENCY, productBySku } from "./catalogue.js";
import { draw, drawBasket, say } from "./pages.js";
import { call, report } from "./sent-bar.js";

/**
 * Once somebody has checked out, what is sent from here carries who they are, beside the browser's own id, which the
 * library adds to every event. That is what ties the two together; what is captured need not say it again.
 */
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

/**
 * What other people's tags are told, too, in the words that Google's tag manager has for it. `dataLayer` of
 * `configure` makes an event of it.
 *
 * @param {string} event
 * @param {cart.Line[]} lines
 */
function pushToDataLayer(event, lines) {
  window.dataLayer ??= [];
  const items = lines.map(({ sku, quantity }) => {
    const { name, cents } = productBySku(sku);
    return { item_id: sku, item_name: name, quantity, price: cents / 100, total: (cents * quantity) / 100 };
  });
  window.dataLayer.push({ event, ecommerce: { currency: CURRENCY, items } });
}

// ---------------------------------------------------------------------------------------------------
// The page itself. Its page view is captured: it has the title, and what `data-xdm-` attributes of the body say.

const page = draw();

if (page.product) sendCommerce("productViews", [{ sku: page.product.sku, quantity: 1 }]);
if (page.name === "cart") pushToDataLayer("view_cart", cart.lines());
if (page.name === "checkout" && cart.lines().length > 0) sendCommerce("checkouts", cart.lines());

// ---------------------------------------------------------------------------------------------------
// The way to our other address. To the browser that is another site, with cookies of its own, so the link takes the
// identity along. It is good for five minutes: it is made when somebody is about to follow it.

const twin = document.querySelector("#twin");
if (twin) {
  const url = new URL(twin.href);
  url.hostname = location.hostname === "localhost" ? "127.0.0.1" : "localhost";
  twin.href = url.href;
  const decorate = () =>
    call("appendIdentityToUrl", { url: url.href }).then(
      (decorated) => {
        twin.href = decorated.url;
      },
      // Without the library it is a link like any other.
      () => {},
    );
  for (const type of ["pointerdown", "focus"]) twin.addEventListener(type, decorate);
}

// ---------------------------------------------------------------------------------------------------
// The basket. Every button that changes it names the product and by how many pieces.

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button[data-sku]") : null;
  if (!button) return;

  const { sku, test } = button.dataset;
  const quantity = cart.change(sku, Number(button.dataset.pieces));
  if (quantity === 0) return;

  const added = Number(button.dataset.pieces) > 0;
  // Where attributes of the button make its click that event, there is nothing to send.
  if (!button.dataset.xdmMapping) {
    sendCommerce(added ? "productListAdds" : "productListRemovals", [{ sku, quantity }]);
  }

  drawBasket(test);
  const { name } = productBySku(sku);
  say(added ? `${name} is in your basket.` : `${quantity} × ${name} taken out of your basket.`);
});

// ---------------------------------------------------------------------------------------------------
// Checkout. Two messages leave with the page: the person, and the order.

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
