import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";
import { collector, offer } from "./bench.mjs";

const analytics = new RudderAnalytics();

analytics.load("bench", collector.origin, {
  getSourceConfig: () => ({
    source: {
      id: "bench",
      name: "bench",
      writeKey: "bench",
      workspaceId: "bench",
      enabled: true,
      config: { statsCollection: { errors: { enabled: false }, metrics: { enabled: false } } },
      destinations: [],
    },
  }),
});

offer((data) => analytics.track("bench", data), new Promise((resolve) => analytics.ready(resolve)));
