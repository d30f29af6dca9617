// Reads elements as the browser has them.

/** How much of an attribute is read. */
export const MAX_ATTRIBUTE = 4096;

/** Ends what was cut: no half of an address is known for one, so the core takes the last words for nothing. */
export const CUT = "\0";
export const cut = (text, length) => (text.length > length ? text.slice(0, length) + CUT : text);

/** A property of a node, whatever the page has laid over it: a form has its fields for properties. */
export const get = (node, name, type = Element) => Reflect.get(type.prototype, name, node);
export const attribute = (element, name) => get(element, "getAttribute").call(element, name);
export const is = (node, selector) => node instanceof Element && get(node, "matches").call(node, selector);

/** The whole URL, since half an address is not known for one and taken out; none where it is broken. */
export function resolved(href, element) {
  try {
    const url = new URL(href, get(element, "baseURI")).href;
    // Contents, of any length, are not shown.
    return url.startsWith("data:") ? "data:" : url;
  } catch {
    return "";
  }
}
