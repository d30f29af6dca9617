// Page views: tells the core when the page is shown, navigates and goes. What counts is decided there
// (src/collect/page_views.rs).

import { on, safe } from "./safe.js";

/** How long a view settles: until a router has set the title, and has redirected where it does. */
const SETTLE_MS = 50;

/** What the page says of itself, in attributes of any of its elements. */
const ATTRIBUTES = {
  isErrorPage: "data-xdm-is-error-page",
  isHomePage: "data-xdm-is-home-page",
  siteSection: "data-xdm-site-section",
  viewName: "data-xdm-view-name",
};

/** @type {import("./index.js").Start} */
export function start(capture) {
  let state = "";
  /** Whether something settles. */
  let due = false;
  let timer;
  const tell = (seen, more) => {
    state = capture("pageView", { seen, state, ...more }) ?? state;
  };
  const settle = () => {
    if (!due) return;
    due = false;
    clearTimeout(timer);
    tell("settled", said());
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
  const look = () => {
    if (document.visibilityState === "hidden") settle();
    else begin("shown");
  };
  on(document, "visibilitychange", look);
  on(window, "pagehide", settle);
  on(window, "pageshow", ({ persisted }) => {
    if (!persisted) return;
    tell("restored");
    look();
  });
  look();
  follow(safe(() => begin("navigated")));
}

function said() {
  const all = {};
  for (const [name, attribute] of Object.entries(ATTRIBUTES))
    all[name] = document.querySelector(`[${attribute}]`)?.getAttribute(attribute);
  return all;
}

/** Calls `seen` whenever the page may be at another URL without having been loaded. */
function follow(seen) {
  if (window.navigation) {
    on(navigation, "currententrychange", seen);
    return;
  }
  for (const name of ["pushState", "replaceState"]) {
    // Whoever has wrapped it before us, or does so after us, is called all the same.
    const inner = history[name];
    const wrapped = function (...args) {
      const result = inner.apply(this, args);
      seen();
      return result;
    };
    // Where it cannot be wrapped, the rest below tells.
    Reflect.set(history, name, wrapped);
  }
  on(window, "popstate", seen);
  // Somebody may put back what was there before us. A title that changes tells of a navigation, too.
  let at = location.href;
  const look = () => {
    if (at !== location.href) seen();
    at = location.href;
  };
  new MutationObserver(safe(look)).observe(document.head, {
    childList: true,
    characterData: true,
    subtree: true,
  });
}
