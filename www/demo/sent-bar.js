import { el } from "./dom.js";

/**
 * The bar at the bottom: what holds (consent, identity, counts), what this tab has handed to XDM Beacon, and what
 * became of it. A demo's window into its own tracking; a real shop would not have it.
 *
 * @typedef {object} Entry
 * @property {number} at        epoch ms
 * @property {string} command
 * @property {string} what      the event's type
 * @property {string} state     a status of the promise, or "sending", "rejected", "left"
 * @property {string} [detail]  the reason or the message
 */

const KEPT = 12;
const REFRESH_MS = 1000;
const STORE = "lantern-room.sent";

const WORDS = {
  sending: "on its way",
  left: "sent while leaving",
  delivered: "delivered",
  handedOver: "handed to the browser",
  stored: "stored, sent later",
  pending: "waiting for consent",
  dropped: "dropped",
  rejected: "rejected",
};

/** @type {Entry[]} newest first; those of earlier pages in this tab included */
const entries = restore();

function restore() {
  try {
    return (JSON.parse(sessionStorage.getItem(STORE)) ?? []).map((entry) =>
      // That page is gone, and its promise with it: the answer was not seen.
      entry.state === "sending" ? { ...entry, state: "left" } : entry,
    );
  } catch {
    return [];
  }
}

/** Whether anything may be kept: what is known of events is no more the shop's than the events are. */
let mayKeep = false;

function remember() {
  try {
    if (mayKeep) sessionStorage.setItem(STORE, JSON.stringify(entries));
    else sessionStorage.removeItem(STORE);
  } catch {
    // Nothing kept, nothing lost but the bar's memory.
  }
}

/** Where the inspector is: `?inlet=` of the page's address, else its meta tag, else the usual port. */
function inletAddress() {
  const usual = "http://127.0.0.1:8787/";
  const given =
    new URLSearchParams(location.search).get("inlet") ??
    document.querySelector('meta[name="inlet"]')?.content;
  try {
    const url = new URL(given ?? usual);
    return /^https?:$/.test(url.protocol) ? url.origin : usual;
  } catch {
    return usual;
  }
}

const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

const latest = el("span", { class: "sent-latest" });
const list = el("ol", { class: "sent-list" });
const fact = (id) => el("dd", { id }, "not known yet");
const facts = {
  consent: fact("sent-consent"),
  identity: fact("sent-identity"),
  counts: fact("sent-counts"),
};
/** Consent in a word, for when the bar is closed. */
const stand = el("span", { class: "badge", id: "sent-stand" });

const inspector = el(
  "a",
  { id: "inspector-link", href: inletAddress(), target: "_blank", rel: "noopener" },
  "Inspector",
);

/** @param {Entry} entry */
const badge = ({ state }) =>
  el("span", { class: `badge badge-${state}`, "data-state": state }, WORDS[state] ?? state);

/** @param {Entry} entry */
const row = (entry) =>
  el(
    "li",
    { class: "sent-row", "data-command": entry.command, "data-type": entry.what, "data-status": entry.state },
    el("time", { dateTime: new Date(entry.at).toISOString() }, time.format(entry.at)),
    el("code", {}, entry.what),
    badge(entry),
    entry.detail && el("span", { class: "sent-detail" }, entry.detail),
  );

function drawEntries() {
  const [newest] = entries;
  if (newest) latest.replaceChildren(el("code", {}, newest.what), badge(newest));
  list.replaceChildren(...entries.map(row));
}

const CONSENT = {
  pending: ["pending", "pending: nothing is stored or sent, and what happens here waits in memory"],
  in: ["given", "in: what happens is sent"],
  out: ["refused", "out: nothing is sent, and nothing is kept but this refusal"],
};

/** `accepted 3 · delivered 2 · in flight 1`: every count that is not zero. */
function countsOf({ dropped = {}, outbox = {}, redacted = 0, ...status }) {
  const shown = ["accepted", "pending", "queued", "inFlight", "handedOver", "stored", "delivered"];
  const parts = shown.filter((name) => status[name] > 0).map((name) => `${name} ${status[name]}`);
  for (const [reason, count] of Object.entries(dropped)) {
    if (count > 0) parts.push(`dropped (${reason}) ${count}`);
  }
  if (outbox.events > 0) parts.push(`on disk ${outbox.events}`);
  if (redacted > 0) parts.push(`redacted ${redacted}`);
  return parts.join(" · ") || "nothing yet";
}

/** `LanternRoom 1f0c… (primary)` */
const identityOf = (map) =>
  Object.entries(map)
    .flatMap(([namespace, items]) =>
      items.map(({ id, primary }) => `${namespace} ${id}${primary ? " (primary)" : ""}`),
    )
    .join(" · ") || "none";

/** Writes only what has changed, so that a text that somebody has marked stays marked. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The library, or, where it is blocked or missing, a promise that says so. */
export const call = (command, options) =>
  typeof window.xdmBeacon === "function"
    ? window.xdmBeacon(command, options)
    : Promise.reject(new Error("xdmBeacon is not on this page"));

const listeners = [];

/** Calls `listener` with `{status, identityMap}` whenever the library was asked. */
export function onState(listener) {
  listeners.push(listener);
}

/** Asks the library what holds, and shows it. */
export async function refresh() {
  try {
    const [status, { identityMap }] = await Promise.all([call("getStatus"), call("getIdentity")]);
    const [word, words] = CONSENT[status.consent];
    write(stand, word);
    stand.className = `badge badge-${status.consent}`;
    write(facts.consent, words);
    write(facts.identity, identityOf(identityMap));
    write(facts.counts, countsOf(status));
    // What is captured settles no promise of the shop's: where it has called nothing, the counts tell.
    if (entries.length === 0) write(latest, countsOf(status));
    if (mayKeep !== (status.consent === "in")) {
      mayKeep = !mayKeep;
      remember();
    }
    for (const listener of listeners) listener({ status, identityMap });
  } catch (error) {
    write(facts.counts, error.message);
  }
}

function settle(entry, state, detail) {
  entry.state = state;
  if (detail) entry.detail = detail;
  remember();
  drawEntries();
  refresh();
}

/**
 * Makes the call and shows its outcome. Returns at once; no error leaves it.
 *
 * @param {string} command
 * @param {{type?: string}} options
 */
export function report(command, options) {
  /** @type {Entry} */
  const entry = { at: Date.now(), command, what: options.type ?? command, state: "sending" };
  entries.unshift(entry);
  entries.length = Math.min(entries.length, KEPT);
  remember();
  drawEntries();
  call(command, options).then(
    ({ status, reason, detail }) => settle(entry, status, detail ? `${reason}: ${detail}` : reason),
    (error) => settle(entry, "rejected", error.message),
  );
}

const term = (name, node) => el("div", {}, el("dt", {}, name), node);

const details = el(
  "details",
  {},
  el(
    "summary",
    // Clicks on it are clicks like any other; the text in it changes, their name does not.
    { id: "sent-toggle", "data-xdm-web.web-interaction.name": "XDM Beacon" },
    el("span", { class: "sent-title" }, "XDM Beacon"),
    el("span", { class: "unseen" }, "Consent: "),
    stand,
    latest,
  ),
  el(
    "div",
    // It scrolls, so the keyboard has to reach it.
    { class: "sent-body", tabIndex: 0, role: "group", "aria-label": "What holds, and calls, newest first" },
    el(
      "dl",
      { class: "sent-facts" },
      term("Consent", facts.consent),
      term("Identity", facts.identity),
      term("This page", facts.counts),
    ),
    list,
  ),
);

const bar = el(
  "aside",
  { class: "sent-bar", id: "sent-bar", "aria-label": "What this page sent" },
  details,
  inspector,
);
document.body.append(bar);
drawEntries();
refresh();

// What is captured is counted without a call that would tell of it: look now and then, while somebody does.
setInterval(() => {
  if (document.visibilityState === "visible") refresh();
}, REFRESH_MS);
for (const [target, type] of [
  [details, "toggle"],
  [document, "visibilitychange"],
  // Another tab may have decided.
  [window, "storage"],
])
  target.addEventListener(type, refresh);

// What is fixed to the bottom covers nothing that can be scrolled to or has the focus.
export const keepClear = (element, name) =>
  new ResizeObserver(() => {
    document.documentElement.style.setProperty(name, `${element.offsetHeight}px`);
  }).observe(element);
keepClear(bar, "--bar");
