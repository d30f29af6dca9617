import { newTracker, trackSelfDescribingEvent } from "@snowplow/browser-tracker";
import { collector, offer } from "./bench.mjs";

newTracker("bench", collector.origin, { appId: "bench", encodeBase64: false });

offer((data) =>
  trackSelfDescribingEvent({ event: { schema: "iglu:org.example/bench/jsonschema/1-0-0", data } }),
);
