// Engagement: tells the core for how long a page was seen, and how far down. What that makes of a view is
// decided there (src/collect/engagement.rs).

import { on, safe } from "./safe.js";
import { watch } from "./views.js";

/** @type {import("./index.js").Start} */
export function start(capture) {
  let state = "";
  /** The lowest line of the document that was in view since it was last told. */
  let bottom = 0;
  let due = false;
  const look = () => {
    due = false;
    bottom = Math.max(bottom, Math.ceil(scrollY + innerHeight));
  };
  // Once for all that scrolls in a frame, in which the page is laid out anyway.
  const soon = () => {
    if (!due) requestAnimationFrame(safe(look));
    due = true;
  };
  on(window, "scroll", soon);
  /** What is being told, and what has happened meanwhile: Firefox hides a page while it is still leaving. */
  const untold = [];
  const tell = () => {
    while (untold.length) {
      state = capture("engagement", { ...untold[0], state }) ?? state;
      untold.shift();
    }
  };
  watch((seen) => {
    const mono = Math.round(state ? performance.now() : since());
    let height = 0;
    if (seen === "hidden" || seen === "navigated") {
      // What is left is still there: a router shows the new page after it has navigated.
      look();
      height = (document.scrollingElement ?? document.documentElement).scrollHeight;
    } else if (seen === "shown") soon();
    if (untold.push({ seen, mono, bottom, height }) === 1) tell();
    bottom = 0;
  });
}

/** Since when a page has been seen that is seen now: it came before this module. */
function since() {
  const [navigation] = performance.getEntriesByType("navigation");
  // Chromium alone tells of the latter two.
  const shown = performance.getEntriesByType("visibility-state").filter(({ name }) => name === "visible");
  const times = [navigation?.responseStart, navigation?.activationStart, shown.pop()?.startTime];
  return Math.max(...times.map((time) => time ?? 0));
}
