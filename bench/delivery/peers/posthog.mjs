import posthog from "posthog-js";
import { collector, offer } from "./bench.mjs";

const ready = new Promise((loaded) => {
  posthog.init("bench", {
    api_host: collector.origin,
    advanced_disable_flags: true,
    autocapture: false,
    capture_pageview: false,
    disable_external_dependency_loading: true,
    disable_session_recording: true,
    disable_surveys: true,
    // Else it leaves out browsers that are driven.
    opt_out_useragent_filter: true,
    loaded,
  });
});

offer((data) => posthog.capture("bench", data), ready);
