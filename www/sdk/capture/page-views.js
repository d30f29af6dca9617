// Page views: tells the core when the page is shown, navigates and goes. What counts is decided there
// (src/collect/page_views.rs).

import { watch } from "./views.js";

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
  watch((seen) => {
    if (seen !== "hidden")
      state = capture("pageView", { seen, state, ...(seen === "settled" && said()) }) ?? state;
  });
}

function said() {
  const all = {};
  for (const [name, attribute] of Object.entries(ATTRIBUTES))
    all[name] = document.querySelector(`[${attribute}]`)?.getAttribute(attribute);
  return all;
}
