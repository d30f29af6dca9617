// Forms: tells the core which form is submitted, and which of its fields hold something; never what they hold.
// What counts, and what is told of it, is decided there (src/collect/form.rs).

import { attribute, cut, get, is, MAX_ATTRIBUTE, resolved } from "./dom.js";
import { on, safe } from "./safe.js";

/** How many fields of a form are looked at. */
const MAX_FIELDS = 1000;

const short = (element, name) => cut(attribute(element, name) ?? "", MAX_ATTRIBUTE);

/** Whether something can be read there. */
const isWritten = (value) => /\S/.test(value ?? "");

/** By its tag, what a field holds in the end: whether that is something is all that leaves this place. */
const HOLDS = {
  input: (field) => isWritten(get(field, "value", HTMLInputElement)),
  textarea: (field) => isWritten(get(field, "value", HTMLTextAreaElement)),
  select: (field) =>
    [...get(field, "selectedOptions", HTMLSelectElement)].some(
      (option) => !is(option, ":disabled") && isWritten(get(option, "value", HTMLOptionElement)),
    ),
};

const read = safe((field) => {
  const tag = get(field, "localName");
  const isOurs = tag.includes("-");
  const checked = tag === "input" ? get(field, "checked", HTMLInputElement) : isOurs && field.checked;
  return {
    tag,
    type: short(field, "type"),
    name: short(field, "name"),
    id: short(field, "id"),
    "aria-label": short(field, "aria-label"),
    disabled: is(field, ":disabled"),
    // A custom element has of these what others like it have, if it has.
    holds: isOurs ? isWritten(field.value) : HOLDS[tag]?.(field),
    checked: typeof checked === "boolean" ? checked : undefined,
  };
});

/** @type {import("./index.js").Start} */
export function start(capture) {
  /** When a form was last submitted. */
  const last = new WeakMap();
  const look = ({ isTrusted, target: form, submitter, timeStamp }) => {
    if (!isTrusted || !is(form, "form")) return;
    const before = last.get(form);
    last.set(form, timeStamp);
    const of = (name) => (submitter && attribute(submitter, `form${name}`)) ?? attribute(form, name);
    const action = of("action");
    const fields = [...get(form, "elements", HTMLFormElement)].slice(0, MAX_FIELDS);
    capture("form", {
      name: short(form, "name"),
      id: short(form, "id"),
      action: action ? resolved(action, form) : document.URL,
      method: of("method")?.slice(0, MAX_ATTRIBUTE),
      since: before === undefined ? undefined : Math.round(timeStamp - before),
      fields: fields.map(read),
    });
  };
  on(document, "submit", look, true);
  // The event does not leave the shadow root that its form is in, but what comes before it does.
  const roots = new WeakSet();
  const enter = (event) => {
    for (const node of event.composedPath()) {
      if (!(node instanceof ShadowRoot) || roots.has(node)) continue;
      roots.add(node);
      on(node, "submit", look, true);
    }
  };
  for (const type of ["focusin", "keydown", "click"]) on(document, type, enter, true);
}
