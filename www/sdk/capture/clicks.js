// Clicks: tells the core what was clicked and what is around it. What counts, and what it is called, is decided
// there (src/collect/click.rs).

import { attribute, CUT, cut, get, is, MAX_ATTRIBUTE, resolved } from "./dom.js";
import { on } from "./safe.js";

/** What takes input: what is in there is nobody's business. */
const FIELD =
  "input:not([type=submit],[type=button],[type=reset],[type=image]),select,textarea,[contenteditable]:not([contenteditable=false])";
/** What acts on a click. */
const ACTS =
  "a[*|href],area[href],button,input,summary,[role~=button i],[role~=link i],[role~=menuitem i],[role~=tab i],[onclick]:not(html,body)";
/** What is not to be read in the midst of a text. */
const UNREAD = "input,script,style,noscript,template,canvas,audio,video,object,[hidden],[aria-hidden=true]";
const KEPT = /^(id|role|type|title|alt|target|download|aria-label|data-xdm-.+)$/;
/** Elements between which no white space is seen. Whether others stand apart, a layout alone could tell. */
const INLINE = /^([abiqsu]|em|font|mark|slot|small|span|strong|su[bp]|tspan)$/;

/** How many elements outwards are looked at. */
const MAX_PATH = 64;
/** How much of a text is read: 255 characters and, whole, what is to be taken out before they are counted. */
const MAX_TEXT = 4096;
const MAX_NODES = 999;
const MAX_DATA = 1e5;

/** The text of an element, as far as it is known without a layout. */
function textOf(top) {
  let text = "";
  let nodes = 0;
  const add = (node, unread) => {
    if (node instanceof Text) text = (text + cut(node.data, MAX_DATA)).replace(/\s+/g, " ");
    if (!(node instanceof Element) || is(node, unread)) return;
    const tag = get(node, "localName");
    const apart = INLINE.test(tag) ? "" : " ";
    text += apart;
    if (tag === "img") text += attribute(node, "alt") ?? "";
    const slotted = (tag === "slot" && node.assignedNodes?.()) || [];
    const inner = slotted.length ? slotted : get(get(node, "shadowRoot") ?? node, "childNodes");
    for (const child of inner) {
      if (text.length > MAX_TEXT || nodes++ > MAX_NODES) {
        text += CUT;
        return;
      }
      add(child, `${FIELD},${UNREAD}`);
    }
    text += apart;
  };
  add(top, FIELD);
  return cut(text, MAX_TEXT);
}

function read(element) {
  const seen = { tag: get(element, "localName") };
  for (const { name, value } of get(element, "attributes"))
    if (KEPT.test(name)) {
      // Fields of the site's own are not cleared.
      seen[name] = name.startsWith("data-") ? value.slice(0, MAX_ATTRIBUTE) : cut(value, MAX_ATTRIBUTE);
    }
  const labels = attribute(element, "aria-labelledby");
  if (labels) {
    const root = get(element, "getRootNode").call(element);
    seen.labelledby = labels
      .split(/\s+/, 9)
      .map((id) => textOf(root.getElementById?.(id)))
      .join(" ");
  }
  return seen;
}

/** @type {import("./index.js").Start} */
export function start(capture) {
  const look = (event) => {
    if (!event.isTrusted) return;
    const path = event.composedPath();
    const at = path.findIndex((node) => is(node, `${ACTS},${FIELD}`));
    const element = path[at];
    if (!element || is(element, `${FIELD},:disabled,[aria-disabled=true]`) || element.isContentEditable)
      return;
    const elements = path.slice(at, at + MAX_PATH).filter((node) => node instanceof Element);
    const [clicked, ...around] = elements.map(read);
    clicked.text = textOf(element);
    if (is(element, "input:not([type=image])")) clicked.value = attribute(element, "value") ?? "";
    if (is(element, "a,area")) {
      const href = attribute(element, "href") ?? attribute(element, "xlink:href");
      if (href !== null) clicked.href = resolved(href, element);
    }
    const { button, ctrlKey, metaKey, shiftKey, altKey } = event;
    const keys = ctrlKey || metaKey || shiftKey || altKey;
    capture("click", { button, keys, path: [clicked, ...around] });
  };
  on(document, "click", look, true);
  on(document, "auxclick", look, true);
}
