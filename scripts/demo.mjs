// The demo shop's own settings: the inlet it talks to, and how its pages load the library.

/** Where `npm start` puts the inlet and the site. */
export const inletOrigin = "http://127.0.0.1:8787";
export const siteOrigin = "http://127.0.0.1:8788";

/** The connection that every inlet knows from the start. */
export const inletId = "d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677";

/** Options of `configure` for the demo's datasets. */
export const configuration = {
  endpoint: `${inletOrigin}/collection/${inletId}`,
  orgId: "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
  datasetId: "65f1a2b3c4d5e6f708192a3b",
  schema: { id: "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent" },
  sourceName: "XDM Beacon demo",
  profile: {
    datasetId: "65f1a2b3c4d5e6f708192a3c",
    schema: { id: "https://ns.adobe.com/xdmbeacon/schemas/profile-record" },
  },
};

/** The same, and what the shop wants to have captured, as whom, and not before somebody has said yes. */
export const shop = {
  ...configuration,
  track: ["pageViews", "clicks", "forms", "engagement", "errors", "webVitals"],
  tracking: {
    // The shop has two addresses: its own, and the same server by its other name.
    internalDomains: ["127.0.0.1", "localhost"],
    paths: {
      restored: "_xdmbeacon.restored",
      forms: "_xdmbeacon.form",
      engagement: "_xdmbeacon.engagement",
      errors: "_xdmbeacon.error",
      webVitals: "_xdmbeacon.webVitals",
    },
  },
  dataLayer: {
    kind: "array",
    mapping: {
      view_cart: {
        eventType: { value: "commerce.productListViews" },
        "commerce.productListViews.value": 1,
        "productListItems[*].SKU": "ecommerce.items[*].item_id",
        "productListItems[*].name": "ecommerce.items[*].item_name",
        "productListItems[*].quantity": "ecommerce.items[*].quantity",
        "productListItems[*].priceTotal": "ecommerce.items[*].total",
        "productListItems[*].currencyCode": "ecommerce.currency",
      },
    },
  },
  consent: { default: "pending", globalPrivacyControl: true },
  identity: { firstParty: { namespace: "LanternRoom" } },
};

/** Plain options as attributes of the script tag: `{schema: {id}}` is `data-schema-id`. */
const attributes = (options, prefix = "data") =>
  Object.entries(options).flatMap(([key, value]) => {
    const name = `${prefix}-${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (Array.isArray(value)) return `${name}="${value.join(" ")}"`;
    if (key === "mapping") return `${name}='${JSON.stringify(value)}'`;
    return typeof value === "object" ? attributes(value, name) : `${name}="${value}"`;
  });

/** What a page's head gets for the placeholder, with the script tag: base code, then the library. */
export const scriptHead = (baseCode) => `<script>${baseCode}</script>
    <script
      async
      src="sdk/xdm-beacon.js"
      ${attributes(shop).join("\n      ")}
    ></script>`;

/** The same with the ESM build. */
export const esmHead = () =>
  `<script type="application/json" id="xdm-beacon">${JSON.stringify(shop)}</script>
    <script type="module" src="beacon.js"></script>`;
