// The life of a page's views, for the modules that count by them: it is shown and hidden, navigates without
// loading, and comes back. What is a view is decided in the core (src/collect/page_views.rs).

import { on, safe } from "./safe.js";

/** How long a view settles: until a router has set the title, and has redirected where it does. */
const SETTLE_MS = 50;

/**
 * Tells what happens, in the words of page_views.rs: `shown`, `navigated`, `settled`, `restored`, and beside
 * them `hidden`, as long as the page can still send something. What it tells of is heard before the engine
 * hears of it, so that what comes of it leaves together with all else.
 *
 * @param {(seen: string) => void} tell
 */
export function watch(tell) {
  /** Whether something settles. */
  let due = false;
  let timer;
  const settle = () => {
    if (!due) return;
    due = false;
    clearTimeout(timer);
    tell("settled");
  };
  const wait = () => {
    timer = setTimeout(safe(settle), SETTLE_MS);
  };
  const begin = (seen) => {
    tell(seen);
    if (due) return;
    due = true;
    // Before the document is there, it may not even have its title.
    if (document.readyState === "loading") on(document, "DOMContentLoaded", wait);
    else wait();
  };
  const hide = () => {
    settle();
    tell("hidden");
  };
  const look = () => {
    if (document.visibilityState === "hidden") hide();
    else begin("shown");
  };
  on(window, "visibilitychange", look, true);
  on(window, "pagehide", hide, true);
  on(window, "pageshow", ({ persisted }) => {
    if (!persisted) return;
    tell("restored");
    look();
  });
  look();
  follow(() => begin("navigated"));
}

/** Calls `seen` whenever the page is at another URL without having been loaded. */
function follow(seen) {
  let at = location.href;
  const look = safe(() => {
    if (at === location.href) return;
    at = location.href;
    seen();
  });
  if (window.navigation) {
    on(navigation, "currententrychange", look);
    return;
  }
  for (const name of ["pushState", "replaceState"]) {
    // Whoever has wrapped it before us, or does so after us, is called all the same.
    const inner = history[name];
    const wrapped = function (...args) {
      const result = inner.apply(this, args);
      look();
      return result;
    };
    // Where it cannot be wrapped, the rest below tells.
    Reflect.set(history, name, wrapped);
  }
  // Before the page's own router has shown what is there.
  on(window, "popstate", look, true);
  // Somebody may put back what was there before us. A title that changes tells of a navigation, too.
  new MutationObserver(look).observe(document.head, {
    childList: true,
    characterData: true,
    subtree: true,
  });
}
