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

/** What a page's head gets for the placeholder, with the script tag: base code, then the library. */
export function scriptHead(baseCode) {
  const { endpoint, orgId, datasetId, schema, sourceName, profile } = configuration;
  return `<script>${baseCode}</script>
    <script
      async
      src="sdk/xdm-beacon.js"
      data-endpoint="${endpoint}"
      data-org-id="${orgId}"
      data-dataset-id="${datasetId}"
      data-schema-id="${schema.id}"
      data-source-name="${sourceName}"
      data-profile-dataset-id="${profile.datasetId}"
      data-profile-schema-id="${profile.schema.id}"
    ></script>`;
}

/** The same with the ESM build. */
export const esmHead = () =>
  `<script type="application/json" id="xdm-beacon">${JSON.stringify(configuration)}</script>
    <script type="module" src="beacon.js"></script>`;
