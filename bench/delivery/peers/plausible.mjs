import { init, track } from "@plausible-analytics/tracker";
import { collector, offer } from "./bench.mjs";

// Else it leaves out browsers that are driven.
window.__plausible = true;

init({
  domain: "bench.example",
  endpoint: `${collector.origin}/api/event`,
  autoCapturePageviews: false,
  captureOnLocalhost: true,
});

offer((props) => track("bench", { props }));
