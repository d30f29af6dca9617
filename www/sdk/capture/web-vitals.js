// Web vitals: Google's library measures, and what it knows is handed over when the page is hidden. What becomes
// of it is decided in the core (src/collect/web_vitals.rs).

import { onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";
import { on, safe } from "./safe.js";

/** @type {import("./index.js").Start} */
export function start(capture) {
  // They are of the document, whatever it navigates to without loading.
  const url = location.href;
  /** What is known and was not told yet. */
  let seen;
  const note = safe(({ name, value, navigationType }) => {
    const digits = name === "CLS" ? 10_000 : 1;
    seen = { ...seen, url, navigationType, [name.toLowerCase()]: Math.round(value * digits) / digits };
  });
  // What it has put off until the page is idle it does not tell of later, unless it tells of all changes.
  for (const measure of [onCLS, onFCP, onINP, onLCP, onTTFB]) measure(note, { reportAllChanges: true });
  const tell = () => {
    if (document.visibilityState !== "hidden" || !seen) return;
    const told = seen;
    seen = undefined;
    capture("webVitals", told);
  };
  // The library has its last words on the way down, in listeners of the window; the engine comes after this.
  on(document, "visibilitychange", tell, true);
}
