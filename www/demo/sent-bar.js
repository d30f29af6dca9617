import { el } from "./dom.js";

/**
 * The bar at the bottom: what this tab has handed to XDM Beacon, and what became of it. A demo's window
 * into its own tracking; a real shop would not have it.
 *
 * @typedef {object} Entry
 * @property {number} at        epoch ms
 * @property {string} command
 * @property {string} what      the event's type
 * @property {string} state     a status of the promise, or "sending", "rejected", "left"
 * @property {string} [detail]  the reason or the message
 */

const KEPT = 12;
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

function remember() {
  try {
    sessionStorage.setItem(STORE, JSON.stringify(entries));
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
const counts = el("p", { class: "sent-counts", id: "sent-counts" }, "Nothing sent yet on this page.");

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
  else latest.textContent = "nothing yet";
  list.replaceChildren(...entries.map(row));
}

/** `accepted 3 · delivered 2 · in flight 1`: every count that is not zero. */
function drawCounts(status) {
  const shown = ["accepted", "pending", "queued", "inFlight", "handedOver", "stored", "delivered"];
  const parts = shown.filter((name) => status[name] > 0).map((name) => `${name} ${status[name]}`);
  for (const [reason, count] of Object.entries(status.dropped ?? {})) {
    if (count > 0) parts.push(`dropped (${reason}) ${count}`);
  }
  if (status.outbox?.events > 0) parts.push(`on disk ${status.outbox.events}`);
  counts.textContent =
    parts.length > 0 ? `This page: ${parts.join(" · ")}` : "Nothing sent yet on this page.";
}

/** The library, or, where it is blocked or missing, a promise that says so. */
const call = (command, options) =>
  typeof window.xdmBeacon === "function"
    ? window.xdmBeacon(command, options)
    : Promise.reject(new Error("xdmBeacon is not on this page"));

function settle(entry, state, detail) {
  entry.state = state;
  if (detail) entry.detail = detail;
  remember();
  drawEntries();
  call("getStatus").then(drawCounts, () => {});
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

document.body.append(
  el(
    "aside",
    { class: "sent-bar", id: "sent-bar", "aria-label": "What this page sent", "data-untracked": "" },
    el(
      "details",
      {},
      el("summary", { id: "sent-toggle" }, el("span", { class: "sent-title" }, "XDM Beacon"), latest),
      el(
        "div",
        // It scrolls, so the keyboard has to reach it.
        { class: "sent-body", tabIndex: 0, role: "group", "aria-label": "Calls, newest first" },
        counts,
        list,
      ),
    ),
    inspector,
  ),
);
drawEntries();
