import * as cart from "./cart.js";
import { CURRENCY, price, productBySku, products } from "./catalogue.js";
import { el } from "./dom.js";

/**
 * Draws what depends on the catalogue and the basket, and says which page this is. Nothing in this file calls
 * XDM Beacon: what a click is about stands in attributes of what is clicked, and the buttons carry `data-sku`
 * and `data-pieces`, to which shop.js listens.
 */

const find = (selector) => document.querySelector(selector);

const picture = (product, alt = product.alt) =>
  el("img", { src: product.image, alt, width: 320, height: 320 });

/** A click on anything of a card tells which product it is about. */
const aboutProduct = ({ sku, name }) =>
  JSON.stringify({ "productListItems[0].SKU": sku, "productListItems[0].name": name });

/** A click that puts a piece into the basket is that event, and no call is needed for it. */
const addsProduct = ({ sku, name, cents }) =>
  JSON.stringify({
    eventType: "commerce.productListAdds",
    "commerce.productListAdds.value": 1,
    "productListItems[0]": { SKU: sku, name, quantity: 1, priceTotal: cents / 100, currencyCode: CURRENCY },
  });

const shelfItem = (product) =>
  el(
    "li",
    { class: "card", "data-xdm-mapping": aboutProduct(product) },
    el(
      "a",
      { class: "card-link", href: `product.html?sku=${product.sku}`, "data-test": `product-${product.sku}` },
      // The name stands beside it.
      picture(product, ""),
      el("span", { class: "card-name" }, product.name),
    ),
    el("p", { class: "card-line" }, product.line),
    el("p", { class: "price" }, price(product.cents)),
  );

function home() {
  find("#shelf").replaceChildren(...products.map(shelfItem));
}

function productPage() {
  const product = productBySku(new URLSearchParams(location.search).get("sku"));
  if (!product) {
    document.title = "Not on the shelf · The Lantern Room";
    document.body.dataset.xdmIsErrorPage = "";
    find("#product").replaceChildren(
      el(
        "div",
        {},
        el("h1", {}, "Not on the shelf"),
        el(
          "p",
          {},
          "We do not have that, or no longer. The rest is ",
          el("a", { href: "index.html", "data-test": "back-to-shop" }, "back in the shop"),
          ".",
        ),
      ),
    );
    return undefined;
  }
  document.title = `${product.name} · The Lantern Room`;
  find("#product-picture").replaceChildren(picture(product));
  find("#product-name").textContent = product.name;
  find("#product-line").textContent = product.line;
  find("#product-price").textContent = price(product.cents);
  find("#product-story").textContent = product.story;
  find("#product-facts").replaceChildren(...product.facts.map((fact) => el("li", {}, fact)));
  const add = find("#add-to-cart");
  add.dataset.sku = product.sku;
  add.dataset.xdmMapping = addsProduct(product);
  return product;
}

const step = (line, pieces, name, label, sign) =>
  el(
    "button",
    {
      class: "step",
      type: "button",
      "data-sku": line.sku,
      "data-pieces": pieces,
      "data-test": `${name}-${line.sku}`,
      "aria-label": label,
    },
    sign,
  );

function cartLine(line) {
  const product = productBySku(line.sku);
  return el(
    "li",
    { class: "line" },
    picture(product),
    el(
      "div",
      { class: "line-text" },
      el("a", { href: `product.html?sku=${line.sku}`, "data-test": `line-${line.sku}` }, product.name),
      el("span", { class: "line-each" }, `${price(product.cents)} each`),
    ),
    el(
      "div",
      { class: "line-count" },
      step(line, -1, "less", `One ${product.name} less`, "−"),
      el("span", { class: "line-quantity" }, el("span", { class: "unseen" }, "Pieces: "), line.quantity),
      step(line, 1, "more", `One ${product.name} more`, "+"),
    ),
    el("span", { class: "line-total" }, price(product.cents * line.quantity)),
    step(line, -line.quantity, "remove", `Remove ${product.name}`, "Remove"),
  );
}

function cartPage() {
  const lines = cart.lines();
  find("#cart-lines").replaceChildren(...lines.map(cartLine));
  find("#cart-total").textContent = price(cart.total(lines));
  find("#cart-full").hidden = lines.length === 0;
  find("#cart-empty").hidden = lines.length > 0;
}

const summaryLine = (line) =>
  el(
    "li",
    {},
    el("span", {}, `${line.quantity} × ${productBySku(line.sku).name}`),
    el("span", {}, price(productBySku(line.sku).cents * line.quantity)),
  );

function checkoutPage() {
  const lines = cart.lines();
  find("#summary-lines").replaceChildren(...lines.map(summaryLine));
  find("#summary-total").textContent = price(cart.total(lines));
  find("#checkout-full").hidden = lines.length === 0;
  find("#checkout-empty").hidden = lines.length > 0;
}

function thanksPage() {
  const order = cart.lastOrder();
  find("#order-known").hidden = !order;
  find("#order-unknown").hidden = Boolean(order);
  if (!order) return;
  find("#order-number").textContent = order.purchaseId;
  find("#order-email").textContent = cart.shopper() ?? "you";
  find("#order-delivery").textContent =
    order.delivery === "store" ? "We keep it by the door for you." : "It leaves with the next boat.";
  find("#order-lines").replaceChildren(...order.lines.map(summaryLine));
  find("#order-total").textContent = price(order.cents);
}

function basketCount() {
  const count = cart.pieces(cart.lines());
  find("#cart-count").textContent = count === 0 ? "" : String(count);
  find("#cart-count-text").textContent = count === 1 ? "1 piece" : `${count} pieces`;
}

const drawers = {
  home,
  product: productPage,
  cart: cartPage,
  checkout: checkoutPage,
  thanks: thanksPage,
};

/** @returns {{name: string, product?: import("./catalogue.js").Product}} `name`: as page views call it */
export function draw() {
  const name = document.body.dataset.xdmViewName;
  find(`.nav a[href="${name === "home" ? "index" : name}.html"]`)?.setAttribute("aria-current", "page");
  const product = drawers[name]?.();
  basketCount();
  return { name, product };
}

/**
 * After the basket has changed. The buttons are made anew, so the focus goes back to the one that was
 * pressed, or, where its line is gone, to the heading.
 *
 * @param {string | undefined} pressed the `data-test` of the button
 */
export function drawBasket(pressed) {
  basketCount();
  if (document.body.dataset.xdmViewName !== "cart") return;
  cartPage();
  (find(`[data-test="${pressed}"]`) ?? find("h1")).focus();
}

/** Says something to the person, seen and heard. @param {string} text */
export function say(text) {
  find("#said").textContent = text;
}
