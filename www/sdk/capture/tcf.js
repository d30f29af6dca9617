// Follows the page's consent manager, if it speaks the IAB's TCF: what it is told becomes `setConsent`.

/** A consent manager may come later than we do, and may never come. */
const LOOK_EVERY_MS = 250;
const LOOKS = 240;

/** @type {import("./index.js").Start} */
export function start(_capture, call) {
  const hear = (data, success) => {
    try {
      const { eventStatus, tcString, gdprApplies } = data;
      // While somebody is being asked there is an answer of before at most.
      if (success && (eventStatus === "tcloaded" || eventStatus === "useractioncomplete"))
        call("setConsent", {
          consent: [{ standard: "IAB TCF", version: "2.0", value: tcString, gdprApplies }],
        });
    } catch {
      // What it passes is its own; an exception would end in its code.
    }
  };
  const look = (left) => {
    try {
      // Its stub is enough: that keeps the question until the consent manager has come.
      if (typeof __tcfapi === "function") __tcfapi("addEventListener", 2, hear);
      else if (left) setTimeout(look, LOOK_EVERY_MS, left - 1);
    } catch {
      // It is broken: the default stays.
    }
  };
  look(LOOKS);
}
