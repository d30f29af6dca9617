// alloy speaks https to the host's usual port only, and the collector listens on another one without TLS.

import { collector } from "./bench.mjs";

const here = (url) => String(url).replace(`https://${collector.hostname}/`, collector.href);

const { fetch } = window;
window.fetch = (url, options) => fetch(here(url), options);
const { sendBeacon } = navigator;
navigator.sendBeacon = (url, body) => sendBeacon.call(navigator, here(url), body);
