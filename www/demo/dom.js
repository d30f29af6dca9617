/**
 * An element with properties and children. `data-…` and `aria-…` names and `class` become attributes,
 * the rest properties.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [props]
 * @param {...(Node | string | number | false | null | undefined)} children
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name === "class" || name.includes("-")) node.setAttribute(name, String(value));
    else node[name] = value;
  }
  node.append(
    ...children
      .filter((child) => child || child === 0)
      .map((child) => (child instanceof Node ? child : String(child))),
  );
  return node;
}
