import { announce } from "./announce.js";
import { el } from "./dom.js";

/**
 * What to copy while there is nothing to see. The ids are those of the inlet's demo set-up, which it has
 * until it is started with others.
 */

const INLET = "d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677";
const ORG = "0A1B2C3D4E5F60718293A4B5@AdobeOrg";
const DATASET = "65f1a2b3c4d5e6f708192a3b";
const SCHEMA = {
  id: "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent",
  contentType: "application/vnd.adobe.xed-full+json;version=1",
};

const endpoint = () => `${location.origin}/collection/${INLET}`;

const page = () => `<script async src="sdk/xdm-beacon.js"
  data-endpoint="${endpoint()}"
  data-org-id="${ORG}"
  data-dataset-id="${DATASET}"
  data-schema-id="${SCHEMA.id}"></script>
<script>
  addEventListener("load", () =>
    xdmBeacon("sendEvent", {
      type: "web.webpagedetails.pageViews",
      xdm: { web: { webPageDetails: { name: "home", pageViews: { value: 1 } } } }
    }));
</script>`;

function shell() {
  const message = {
    header: { schemaRef: SCHEMA, imsOrgId: ORG, datasetId: DATASET, source: { name: "shell" } },
    body: {
      xdmMeta: { schemaRef: SCHEMA },
      xdmEntity: {
        _id: crypto.randomUUID(),
        timestamp: new Date().toISOString(),
        eventType: "web.webpagedetails.pageViews",
        web: { webPageDetails: { name: "home", pageViews: { value: 1 } } },
      },
    },
  };
  return `curl '${endpoint()}' \\
  -H 'Content-Type: application/json' \\
  -d '${JSON.stringify(message)}'`;
}

function copyable(title, text) {
  const code = el("code", {}, text);
  const button = el("button", { type: "button", class: "small" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      announce("Copied.");
    } catch {
      // Not allowed: at least select it.
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  });
  return el("figure", { class: "snippet" }, el("figcaption", {}, title, button), el("pre", {}, code));
}

/** @returns {HTMLElement[]} for the page, and for the shell */
export const snippets = () => [copyable("In a page", page()), copyable("Or from a shell", shell())];
