// The script-tag build: `<script async src="xdm-beacon.js" data-endpoint="…" …>`.
// Brings to life what the base code made, and the instance that the tag itself declares.

import { start } from "./engine.js";
import { instance } from "./instance.js";

// Only while the script runs does the page say which tag it came from.
const { currentScript } = document;
const dataset = { ...currentScript?.dataset };
const names = new Set(window.__xdmBeaconNS);
const declared = dataset.name || "xdmBeacon";
if (dataset.endpoint || !names.size) names.add(declared);
window.__xdmBeaconNS = [...names];

const wasm = new URL("xdm-beacon.wasm", currentScript?.src || document.baseURI);
for (const name of names) {
  const queue = window[name]?.q;
  // A second copy of the script finds a live function, whose queue is no array, and leaves it alone.
  if (!window[name] || Array.isArray(queue)) {
    const configured = dataset.endpoint && name === declared;
    window[name] = instance(name, start(wasm), configured ? dataset : undefined, queue);
  }
}
