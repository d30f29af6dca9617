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
  for (const measure of [onCLS, onFCP, onINP, onLCP, onTTFB]) measure(note);
  // The library has its last words in listeners of its own, which come first.
  const tell = () => {
    if (document.visibilityState !== "hidden" || !seen) return;
    capture("webVitals", seen);
    seen = undefined;
  };
  on(window, "visibilitychange", tell, true);
}
