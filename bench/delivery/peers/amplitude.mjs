import { init, track } from "@amplitude/analytics-browser";
import { collector, offer } from "./bench.mjs";

const { promise } = init("bench", {
  serverUrl: `${collector.origin}/2/httpapi`,
  autocapture: false,
  remoteConfig: { fetchRemoteConfig: false },
});

offer((data) => track("bench", data), promise);
