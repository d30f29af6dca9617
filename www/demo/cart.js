import { productBySku } from "./catalogue.js";

/**
 * The basket, the last order and who placed it. All of it lives in sessionStorage: it is gone with the
 * tab. Where storage is switched off, the shop forgets between pages, and nothing else breaks.
 *
 * @typedef {{sku: string, quantity: number}} Line
 * @typedef {{purchaseId: string, lines: Line[], cents: number, delivery: string}} Order
 */

/** What this page has written, for browsers that keep nothing. */
const memory = new Map();

const read = (key, fallback) => {
  try {
    return JSON.parse(sessionStorage.getItem(`lantern-room.${key}`)) ?? memory.get(key) ?? fallback;
  } catch {
    return memory.get(key) ?? fallback;
  }
};

const write = (key, value) => {
  memory.set(key, value);
  try {
    sessionStorage.setItem(`lantern-room.${key}`, JSON.stringify(value));
  } catch {
    // Full or forbidden.
  }
};

/** @returns {Line[]} only products that are still sold */
export const lines = () => read("cart", []).filter((line) => productBySku(line.sku));

/**
 * Puts pieces in (positive) or takes them out (negative).
 *
 * @param {string} sku
 * @param {number} pieces
 * @returns {number} how many really went in or out
 */
export function change(sku, pieces) {
  const cart = lines();
  const line = cart.find((candidate) => candidate.sku === sku);
  const before = line?.quantity ?? 0;
  const after = Math.max(0, before + pieces);
  if (line) line.quantity = after;
  else cart.push({ sku, quantity: after });
  write(
    "cart",
    cart.filter((candidate) => candidate.quantity > 0),
  );
  return Math.abs(after - before);
}

export const empty = () => write("cart", []);

/** @param {Line[]} list */
export const pieces = (list) => list.reduce((sum, line) => sum + line.quantity, 0);

/** @param {Line[]} list */
export const total = (list) =>
  list.reduce((sum, line) => sum + productBySku(line.sku).cents * line.quantity, 0);

/** @returns {Order | null} */
export const lastOrder = () => read("order", null);

/** @param {Order} order */
export const rememberOrder = (order) => write("order", order);

/** @returns {string | null} the e-mail address given at checkout in this tab */
export const shopper = () => read("shopper", null);

/** @param {string} email */
export const rememberShopper = (email) => write("shopper", email);
