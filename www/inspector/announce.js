import { find } from "./dom.js";

/** Not more often than this, in ms: a live region that never stops is one that nobody can use. */
const PAUSE_MS = 1500;

let timer = 0;

/**
 * Says something to those who listen to the page. Of what comes in quick succession only the last is said.
 *
 * @param {string} text
 */
export function announce(text) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    find("#announcer").textContent = text;
  }, PAUSE_MS / 3);
}

let quietUntil = 0;

/** The same, for news that nobody asked for: rarer. @param {string} text */
export function mention(text) {
  const now = Date.now();
  if (now < quietUntil) return;
  quietUntil = now + PAUSE_MS * 10;
  announce(text);
}
