import { say } from "./pages.js";
import { call, keepClear, onState, refresh } from "./sent-bar.js";

/**
 * The question whether anything may be kept, and the way back to it from the foot of every page. What was
 * decided is XDM Beacon's to remember, so the shop stores nothing for this: it asks `getStatus` what holds, and
 * tells `setConsent` what a person has chosen.
 */

const find = (selector) => document.querySelector(selector);
const banner = find("#consent");
const way = find("#consent-open");
const keep = find("#consent-keep");

const WORDS = {
  pending: "You have not decided yet.",
  in: "So far: accepted.",
  out: "So far: rejected.",
};

/** What holds: "pending", "in" or "out"; nothing until it is known. */
let consent;
/** Whether somebody has asked for the banner, rather than it for a decision. */
let asked = false;

keepClear(banner, "--banner");
onState(({ status }) => {
  if (consent === status.consent) return;
  consent = status.consent;
  draw();
});

/** The banner stands over the page as long as nobody has decided; in this tab or, heard of since, in another. */
function draw() {
  const undecided = consent === "pending";
  banner.hidden = !undecided && !asked;
  keep.hidden = undecided;
  find("#consent-now").textContent = WORDS[consent];
  way.hidden = false;
}

way.addEventListener("click", () => {
  asked = true;
  draw();
  find("#consent-title").focus();
});

function close() {
  const back = asked ? way : find("#main");
  asked = false;
  draw();
  // Where the focus was is gone now.
  back.focus({ preventScroll: true });
}

keep.addEventListener("click", close);
banner.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && consent !== "pending") close();
});

banner.addEventListener("click", async (event) => {
  const val = event.target instanceof Element && event.target.closest("[data-consent]")?.dataset.consent;
  if (!val) return;
  const { collect } = await call("setConsent", {
    consent: [{ standard: "Adobe", version: "2.0", value: { collect: { val } } }],
  });
  consent = collect;
  close();
  say(collect === "in" ? "Thank you. We take notes." : "As you wish. Nothing is noted.");
  refresh();
});
