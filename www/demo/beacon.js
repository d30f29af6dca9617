// The shop's way to the ESM build: make the instance, configure it with what the page says.
import { createInstance } from "./sdk/index.js";

window.xdmBeacon = createInstance();
window.xdmBeacon("configure", JSON.parse(document.getElementById("xdm-beacon").textContent));
