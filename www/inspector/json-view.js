import { el } from "./dom.js";
import { count, counted } from "./format.js";

/**
 * JSON as a tree of lines: objects and arrays fold, and every place can be found by its JSON pointer.
 * What is folded is not in the document until it is opened, so a message of a megabyte opens at once.
 */

/** Levels that are open to begin with, and how many lines at most. */
const OPEN_DEPTH = 7;
const OPEN_LINES = 600;
/** Members that are drawn before a button offers the rest. */
const CHUNK = 100;
/** Characters of a string that are shown before a button offers the rest. */
const LONG = 1000;

/** @param {string} pointer @returns {string[]} */
export const tokens = (pointer) =>
  pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));

/** @param {string} token */
const escaped = (token) => token.replaceAll("~", "~0").replaceAll("/", "~1");

function scalar(value) {
  const type = value === null ? "null" : typeof value;
  const text = JSON.stringify(value);
  const node = el("span", { class: `j-${type}` });
  if (text.length <= LONG) {
    node.textContent = text;
    return node;
  }
  const more = el(
    "button",
    { type: "button", class: "j-more", onclick: () => node.replaceChildren(text) },
    `… all ${count(text.length)} characters`,
  );
  node.append(text.slice(0, LONG), more);
  return node;
}

/**
 * @param {any} root
 * @param {object} [marks]
 * @param {Set<string>} [marks.at]                    pointers of lines to mark
 * @param {Map<string, string[]>} [marks.missing]     pointer of an object → keys it should have
 * @param {Set<string>} [marks.folded]                pointers of what is folded to begin with
 * @returns {{element: HTMLElement, reveal: (pointer: string) => HTMLElement}}
 */
export function jsonView(root, { at = new Set(), missing = new Map(), folded = new Set() } = {}) {
  /** Lines by pointer, as far as they are drawn. @type {Map<string, HTMLElement>} */
  const lines = new Map();
  /** How to draw the members of a container up to one of them. @type {Map<string, (key?: string) => void>} */
  const openers = new Map();
  let drawn = 0;

  const mark = (line, pointer) => {
    line.dataset.pointer = pointer;
    if (at.has(pointer)) line.classList.add("j-marked");
    lines.set(pointer, line);
    drawn += 1;
    return line;
  };

  const keyPart = (key) =>
    typeof key === "string" ? [el("span", { class: "j-key" }, JSON.stringify(key)), ": "] : [];

  function draw(value, key, pointer, depth, comma) {
    if (value === null || typeof value !== "object") {
      return mark(el("div", { class: "j-line" }, ...keyPart(key), scalar(value), comma), pointer);
    }
    return container(value, key, pointer, depth, comma);
  }

  function container(value, key, pointer, depth, comma) {
    const list = Array.isArray(value);
    const [left, right] = list ? "[]" : "{}";
    const keys = list ? value : Object.keys(value);
    const absent = missing.get(pointer) ?? [];
    if (keys.length === 0 && absent.length === 0) {
      return mark(el("div", { class: "j-line" }, ...keyPart(key), left, right, comma), pointer);
    }

    const members = el("div", { class: "j-members" });
    const fold = el(
      "span",
      { class: "j-fold" },
      ` ${counted(keys.length, list ? "item" : "key")} `,
      right,
      comma,
    );
    const summary = el("summary", { class: "j-line" }, ...keyPart(key), left, fold);
    const node = el(
      "details",
      { class: "j-node" },
      summary,
      members,
      el("div", { class: "j-line" }, right, comma),
    );
    mark(summary, pointer);

    let done = 0;
    let begun = false;
    const more = el("button", { type: "button", class: "j-more", onclick: () => chunk() });

    function chunk(until = done + CHUNK) {
      more.remove();
      const end = Math.min(keys.length, until);
      for (; done < end; done += 1) {
        const name = list ? String(done) : keys[done];
        members.append(
          draw(
            value[name],
            list ? done : name,
            `${pointer}/${escaped(name)}`,
            depth + 1,
            done < keys.length - 1 ? "," : "",
          ),
        );
      }
      if (done < keys.length) {
        more.textContent = `${count(keys.length - done)} more`;
        members.append(more);
      }
    }

    function open(token) {
      if (!begun) {
        begun = true;
        for (const name of absent) {
          members.append(
            el(
              "div",
              { class: "j-line j-missing" },
              el("span", { class: "j-key" }, JSON.stringify(name)),
              ": missing",
            ),
          );
        }
        chunk();
      }
      if (token !== undefined) {
        const index = list ? Number(token) : keys.indexOf(token);
        if (index >= done) chunk(index + 1);
      }
    }

    openers.set(pointer, (token) => {
      open(token);
      node.open = true;
    });
    node.addEventListener("toggle", () => node.open && open());
    if (depth < OPEN_DEPTH && drawn < OPEN_LINES && !folded.has(pointer)) {
      open();
      node.open = true;
    }
    return node;
  }

  const element = el("div", { class: "json" }, draw(root, undefined, "", 0, ""));

  return {
    element,
    /** Opens what hides a place; where the place does not exist, the nearest around it is meant. */
    reveal(pointer) {
      let place = "";
      for (const token of tokens(pointer)) {
        openers.get(place)?.(token);
        const next = `${place}/${escaped(token)}`;
        if (!lines.has(next)) break;
        place = next;
      }
      return lines.get(place);
    },
  };
}
