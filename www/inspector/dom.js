/** @typedef {Node | string | number | false | null | undefined} Child */

/**
 * An element with properties and children. `class` and names with a hyphen become attributes, `on…`
 * functions listeners, everything else properties.
 *
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {HTMLElement & Record<string, any>}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "role" || name.includes("-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  append(node, children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An SVG element; every property is an attribute.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...Child} children
 */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (child !== false && child !== null && child !== undefined) node.append(child);
  }
}

/** @param {string} selector @returns {any} an element that the page is known to have */
export const find = (selector) => document.querySelector(selector);

/**
 * Runs `work` once, a moment after the last call.
 *
 * @param {number} ms
 * @param {() => void} work
 */
export function settled(ms, work) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}

/**
 * Runs `work` at once and then at most every `ms`; calls in between are made up for by one at the end.
 *
 * @param {number} ms
 * @param {() => void} work
 */
export function atMostEvery(ms, work) {
  let timer = 0;
  let wanted = false;
  return function run() {
    if (timer) {
      wanted = true;
      return;
    }
    work();
    timer = setTimeout(() => {
      timer = 0;
      if (wanted) {
        wanted = false;
        run();
      }
    }, ms);
  };
}
