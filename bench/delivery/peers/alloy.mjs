import "./plain-http.mjs";
import { createInstance } from "@adobe/alloy";
import { collector, offer } from "./bench.mjs";

const alloy = createInstance({ name: "alloy" });

const ready = alloy("configure", {
  datastreamId: "bench",
  orgId: "bench@AdobeOrg",
  edgeDomain: collector.hostname,
  thirdPartyCookiesEnabled: false,
  idMigrationEnabled: false,
  clickCollectionEnabled: window.variant === "clicks",
});

// A page with no more events to come may say so of each; what a page does not know to be its last cannot.
const documentUnloading = window.variant === "documentUnloading";

offer((data) => {
  alloy("sendEvent", { documentUnloading, xdm: { eventType: "bench", _bench: data } }).catch(() => {});
}, ready);
