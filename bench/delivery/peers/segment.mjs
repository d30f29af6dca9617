import { AnalyticsBrowser } from "@segment/analytics-next";
import { collector, offer } from "./bench.mjs";

const analytics = AnalyticsBrowser.load({
  writeKey: "bench",
  cdnSettings: {
    integrations: {
      "Segment.io": { apiKey: "bench", apiHost: `${collector.host}/v1`, protocol: "http" },
    },
  },
});

offer((data) => analytics.track("bench", data), analytics.ready());
