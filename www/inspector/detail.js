import { announce } from "./announce.js";
import { el } from "./dom.js";
import { bytes, clock, counted, date, duration } from "./format.js";
import { jsonView, tokens } from "./json-view.js";
import { NO_TYPE } from "./store.js";

/** @typedef {import("./api.js").Row} Row @typedef {import("./api.js").Violation} Violation */

const ENTITY = "/body/xdmEntity";

/** What surrounds the entity is the same in every message: folded, until asked for. */
const ENVELOPE = new Set(["/header", "/body/xdmMeta"]);

/** Where in the message a violation is: its pointer starts at the entity, unless it is the envelope's. */
const placeOf = ({ keyword, pointer }) => (keyword === "envelope" ? pointer : ENTITY + pointer);

/** The key that a "required" violation misses, from the platform's wording. */
const missingKey = ({ keyword, message }) =>
  keyword === "required" ? /^required key \[(.+)\] not found/.exec(message)?.[1] : undefined;

/** @param {string} message "expected type: Integer, found: String" */
function typeRemedy(message) {
  const [, expected = "", found = ""] = /expected type: (.+), found: (\w+)/.exec(message) ?? [];
  if (found === "Null") return "Leave the key out: null is no value in XDM.";
  if (expected === "Integer" && found === "Double") return "Send a whole number.";
  if (expected === "JSONArray") return "Send a list, even of one: [ … ].";
  if (found === "String") return "Send the value itself, without quotes.";
  if (expected === "String") return "Send text: put it in quotes.";
  return null;
}

/** What to do about it, where there is something to say that the message does not. @param {Violation} violation */
function remedy(violation) {
  const { keyword, fieldGroup, pointer, message } = violation;
  if (fieldGroup) return `Add the field group “${fieldGroup}” to the schema, or drop the field.`;
  if (keyword === "additionalProperties") {
    return pointer.startsWith("/_")
      ? "Add the field to a field group of your own in the schema, or drop it."
      : "No standard field group brings this key: look at its spelling and place, bring it by a group of your own, or drop it.";
  }
  if (keyword === "required")
    return `Add ${missingKey(violation) ?? "the key"}; the schema does not take an entity without it.`;
  if (keyword === "type") return typeRemedy(message);
  if (keyword === "enum") return "Use one of the values that the schema lists, in its spelling.";
  if (keyword === "envelope")
    return "The message did not get as far as its schema: mend what surrounds the entity.";
  return null;
}

/** A pointer as people write paths: web.webPageDetails.name, productListItems[0].SKU */
const path = (pointer) =>
  tokens(pointer).reduce(
    (text, token) => (/^\d+$/.test(token) ? `${text}[${token}]` : text ? `${text}.${token}` : token),
    "",
  );

function violationItem(violation, number, reveal) {
  const advice = remedy(violation);
  const button = el(
    "button",
    {
      type: "button",
      class: "violation",
      "aria-pressed": "false",
      onclick: () => {
        for (const other of button.closest("ol").querySelectorAll("button")) {
          other.setAttribute("aria-pressed", String(other === button));
        }
        reveal(violation);
      },
    },
    el(
      "code",
      { class: "violation-path" },
      path(violation.pointer) || (violation.keyword === "envelope" ? "message" : "xdmEntity"),
    ),
    el("span", { class: "violation-message" }, violation.message),
    advice && el("span", { class: "violation-remedy" }, advice),
  );
  return el("li", { "data-keyword": violation.keyword, "data-number": number }, button);
}

const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));

function identities(row) {
  const map = row.verdict === "good" ? (row.message?.body?.xdmEntity?.identityMap ?? {}) : {};
  return Object.entries(map).flatMap(([namespace, list]) =>
    list.map(({ id }) =>
      el("a", { href: `#/profiles?${new URLSearchParams({ namespace, id })}` }, `${namespace} ${id}`),
    ),
  );
}

/** @param {Row} row @param {(id: string | null) => string} datasetName */
function facts(row, datasetName) {
  const { storedMs, profileMs } = row.latency;
  const people = identities(row);
  return el(
    "dl",
    { class: "facts" },
    fact(
      "Received",
      el(
        "time",
        { dateTime: new Date(row.receivedAt).toISOString(), title: date(row.receivedAt) },
        clock(row.receivedAt),
      ),
    ),
    fact("Page → stored", duration(storedMs)),
    fact(
      "Page → profile",
      profileMs === null
        ? row.profileDropped
          ? "too large for Profile"
          : "not in a profile"
        : duration(profileMs),
    ),
    fact("Size", bytes(row.bytes)),
    fact("Dataset", datasetName(row.datasetId)),
    people.length > 0 &&
      fact("Profile", ...people.flatMap((link, index) => (index > 0 ? [", ", link] : [link]))),
    row.id !== null && fact("_id", el("code", {}, row.id)),
    fact("xactionId", el("code", {}, row.xactionId)),
  );
}

function copyButton(text) {
  const button = el("button", { type: "button", class: "small" }, "Copy JSON");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      announce("Copied.");
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser did not allow it";
    }
  });
  return button;
}

/**
 * The pane that shows one message.
 *
 * @param {HTMLElement} pane
 * @param {{datasetName: (id: string | null) => string, onBack: () => void}} options
 */
export function detailPane(pane, { datasetName, onBack }) {
  const hint = pane.firstElementChild;

  return {
    clear() {
      pane.replaceChildren(hint);
    },

    /** @param {Row} row */
    show(row) {
      const violations = row.violations ?? [];
      const { raw } = row;

      const at = new Set(violations.map(placeOf));
      const missing = new Map();
      for (const violation of violations) {
        const key = missingKey(violation);
        if (!key) continue;
        const place = placeOf(violation);
        missing.set(place, [...(missing.get(place) ?? []), key]);
      }
      const view = raw === undefined ? jsonView(row.message, { at, missing, folded: ENVELOPE }) : null;
      let lit = null;

      function reveal(violation) {
        if (!view) return;
        lit?.classList.remove("j-lit");
        lit = view.reveal(placeOf(violation));
        lit.classList.add("j-lit");
        lit.scrollIntoView({ block: "center", inline: "nearest" });
        announce(`Marked in the message: ${path(placeOf(violation)) || "the whole message"}`);
      }

      pane.replaceChildren(
        el(
          "header",
          { class: "detail-head" },
          el("button", { type: "button", class: "small back", onclick: onBack }, "← All messages"),
          el(
            "h3",
            { tabIndex: -1 },
            el("span", { class: `verdict verdict-${row.verdict}` }, row.verdict),
            " ",
            row.eventType ?? (view ? NO_TYPE : "not JSON"),
          ),
          row.duplicate && el("span", { class: "chip" }, "duplicate: this _id was there already"),
          copyButton(() => raw ?? JSON.stringify(row.message, null, 2)),
        ),
        facts(row, datasetName),
        el(
          "div",
          { class: violations.length > 0 ? "detail-body with-violations" : "detail-body" },
          violations.length > 0 &&
            el(
              "section",
              { class: "violations", "aria-labelledby": "violations-title" },
              el("h4", { id: "violations-title" }, counted(violations.length, "violation")),
              el(
                "ol",
                {},
                ...violations.map((violation, index) => violationItem(violation, index + 1, reveal)),
              ),
            ),
          el(
            "section",
            { class: "message", "aria-label": "Message" },
            view ? view.element : el("pre", { class: "json raw" }, raw),
          ),
        ),
      );
      pane.scrollTop = 0;
    },

    focus() {
      pane.querySelector("h3")?.focus();
    },
  };
}
