import { announce } from "./announce.js";
import * as api from "./api.js";
import { el, find } from "./dom.js";
import { duration } from "./format.js";

/** How often the switches are looked at: others (tests, another tab) set them too, and time ends them. */
const LOOK_MS = 3000;

/** @typedef {Record<string, any>} Faults every switch of the contract; null is off */

/** @type {{name: string, hint: string, faults: Faults}[]} */
const PRESETS = [
  {
    name: "503 for 7 s",
    hint: "An outage that ends",
    faults: { status: 503, retryAfter: 2, exposeRetryAfter: true, forMs: 7000 },
  },
  { name: "Every other request fails", hint: "500, half of the time", faults: { status: 500, ratio: 0.5 } },
  {
    name: "Slow down",
    hint: "429, come back in 10 s",
    faults: { status: 429, retryAfter: 10, exposeRetryAfter: true, forMs: 30_000 },
  },
  { name: "2 s late", hint: "Every answer", faults: { delayMs: 2000 } },
  {
    name: "Answer lost",
    hint: "Stored, but the client never learns",
    faults: { drop: "afterCommit", ratio: 0.5 },
  },
  { name: "Line dead", hint: "Connections close, for 20 s", faults: { drop: "before", forMs: 20_000 } },
  { name: "Bad apples", hint: "A third of each batch: 500", faults: { itemStatus: 500, ratio: 0.33 } },
  { name: "No CORS", hint: "Browsers refuse the answer", faults: { cors: "none" } },
];

/** Switches that do something by themselves; the others only say how. */
const EFFECTS = ["status", "delayMs", "drop", "itemStatus", "cors"];

const isActive = (faults) => EFFECTS.some((name) => (faults[name] ?? null) !== null);

/** @param {Faults} faults @returns {string} one sentence */
export function inWords(faults) {
  const parts = [];
  if (faults.delayMs) parts.push(`answers come ${duration(faults.delayMs)} late`);
  if (faults.status) parts.push(`requests are answered with ${faults.status}`);
  if (faults.drop === "before") parts.push("connections close before anything is stored");
  if (faults.drop === "afterCommit")
    parts.push("messages are stored, then the connection closes without an answer");
  if (faults.itemStatus) parts.push(`batch items are refused with ${faults.itemStatus}`);
  if (faults.cors) {
    const cors = {
      star: "allow any origin",
      credentials: "name the origin and allow credentials",
      none: "are missing",
    };
    parts.push(`CORS headers ${cors[faults.cors]}`);
  }
  const how = [];
  if (faults.ratio !== null && faults.ratio !== undefined)
    how.push(`${Math.round(faults.ratio * 100)} % of the time`);
  if (faults.retryAfter !== null && faults.retryAfter !== undefined)
    how.push(`Retry-After ${faults.retryAfter}`);
  if (faults.forMs) how.push(`for ${duration(faults.forMs)}, then it switches itself off`);
  const where = faults.target === "platform" ? "On the platform routes, " : "";
  return where + [parts.join(", and "), ...how].join("; ");
}

/** The fault switches, and the banner that every view shows while one is on. */
export function faultsView() {
  const form = find("#fault-form");
  const banner = find("#fault-banner");
  let last = "{}";

  const presets = PRESETS.map(({ name, hint, faults }) =>
    el(
      "button",
      { type: "button", class: "preset", onclick: () => apply(faults) },
      el("strong", {}, name),
      el("span", {}, hint),
    ),
  );
  find("#presets").append(...presets);

  /** @returns {Faults} what the form says; empty fields are off */
  function read() {
    const faults = {};
    for (const { name, type, value, checked } of form.elements) {
      if (!name) continue;
      if (type === "checkbox") {
        if (checked) faults[name] = true;
      } else if (value.trim() !== "") {
        faults[name] = type === "number" || /^\d+$/.test(value.trim()) ? Number(value) : value.trim();
      }
    }
    return faults;
  }

  /** @param {Faults} faults */
  function write(faults) {
    for (const field of form.elements) {
      if (!field.name) continue;
      if (field.type === "checkbox") field.checked = faults[field.name] === true;
      else field.value = faults[field.name] ?? "";
    }
  }

  function complain(text) {
    find("#faults-error").hidden = text === "";
    find("#faults-error").textContent = text;
  }

  /** @param {Faults} faults as the inlet has them */
  function draw(faults, intoForm) {
    const on = isActive(faults);
    banner.hidden = !on;
    if (on) find("#fault-words").textContent = inWords(faults);
    find("#fault-state").hidden = on;
    const text = JSON.stringify(faults);
    if (text !== last || intoForm) write(faults);
    if (text !== last) announce(on ? `Fault on: ${inWords(faults)}` : "Faults are off");
    last = text;
  }

  async function apply(faults) {
    try {
      await api.setFaults(faults);
      draw(await api.faults(), true);
      complain("");
    } catch (error) {
      complain(error.message);
    }
  }

  async function look() {
    if (document.hidden) return;
    // No answer: the connection's own display says so.
    const faults = await api.faults().catch(() => null);
    if (faults) draw(faults, false);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply(read());
  });
  find("#faults-off").addEventListener("click", () => apply({}));
  find("#banner-off").addEventListener("click", () => apply({}));
  document.addEventListener("visibilitychange", look);
  setInterval(look, LOOK_MS);

  return { show: look, clear: () => {} };
}
