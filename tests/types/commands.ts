// Compiles if and only if the types of www/sdk/index.d.ts say yes to every right use and no to every
// wrong one: `@ts-expect-error` on a line without an error is an error itself.

import {
  type BeaconError,
  type Configuration,
  createInstance,
  type EventType,
  type Sent,
  type Status,
} from "xdm-beacon";

const beacon = createInstance({ name: "xdmBeacon", wasmUrl: new URL("https://example.com/xdm-beacon.wasm") });

const configuration: Configuration = {
  endpoint: "https://dcs.adobedc.net/collection/id",
  batchEndpoint: null,
  orgId: "0A1B@AdobeOrg",
  datasetId: "65f1",
  schema: { id: "https://ns.adobe.com/tenant/schemas/1" },
  profile: {
    datasetId: "65f2",
    schema: { id: "https://ns.adobe.com/tenant/schemas/2", contentType: "x" },
    identityPath: "_tenant.customerID",
  },
  context: ["web", "device", "highEntropyUserAgentHints"],
  consent: {
    default: "pending",
    storageKey: "choice",
    globalPrivacyControl: true,
    tcf: { follow: true, vendorId: 565 },
  },
  track: ["pageViews", "clicks"],
  tracking: { hashRoutes: true, internalDomains: ["shop.example"], paths: { restored: "_acme.restored" } },
  dataLayer: {
    name: "myLayer",
    kind: "array",
    mapping: {
      purchase: {
        eventType: { value: "commerce.purchases" },
        "commerce.purchases.value": 1,
        "productListItems[*].SKU": "cart.items[*].id",
        "_acme.isTest": false,
      },
      "gtm.js": null,
      "*": {},
    },
  },
  delivery: { transport: "beacon", syncValidation: true, mode: "atLeastOnce", maxWaitMs: 0, storage: false },
  privacy: { redact: true, parameters: ["token"], patterns: ["customer-\\d+"] },
  identity: { firstParty: { namespace: "Shop", storage: "serverCookie", maxAgeDays: 1 }, primary: "none" },
  onBeforeEventSend: ({ xdm }) => {
    xdm._id = "mine";
  },
  debug: true,
};

export async function right(): Promise<void> {
  await beacon("configure", configuration);
  const sent: Sent = await beacon("sendEvent", {
    type: "web.webpagedetails.pageViews",
    xdm: { web: { webPageDetails: { pageViews: { value: 1 } } } },
    mapping: { "web.webPageDetails.name": "Home" },
    identityMap: { Email: [{ id: "ada@example.com", primary: true, authenticatedState: "loggedOut" }] },
    timestamp: new Date(),
    priority: "high",
    documentUnloading: true,
  });
  if (sent.status === "dropped") console.info(sent.reason, sent.detail);
  await beacon("sendEvent");
  // A site may have event types of its own; the standard ones are offered.
  await beacon("sendEvent", { type: "acme.lampLit" });
  const standard: EventType = "commerce.purchases";
  await beacon("sendEvent", { type: standard });
  await beacon("sendProfile", { xdm: { person: {} }, identityMap: { CRM: [{ id: "1" }] } });
  const { collect } = await beacon("setConsent", {
    consent: [
      { standard: "Adobe", version: "1.0", value: { general: "in" } },
      {
        standard: "Adobe",
        version: "2.0",
        value: { collect: { val: "y" }, metadata: { time: "2026-11-24T03:49:50Z" } },
      },
      { standard: "IAB TCF", version: "2.0", value: "CQ", gdprApplies: true },
      { standard: "IAB TCF", version: "2.2", gdprApplies: false },
    ],
  });
  if (collect === "in") console.info("collected");
  const { identityMap } = await beacon("getIdentity");
  const { url } = await beacon("appendIdentityToUrl", { url: "https://other.example/" });
  console.info(identityMap.ECID?.[0]?.id, url);
  const { delivered, stored } = await beacon("flush", { timeout: 100 });
  const status: Status = await beacon("getStatus");
  console.info(delivered + stored + status.dropped.rejected + status.outbox.bytes);
  await beacon("setDebug", { enabled: true });
  const { engine, configuration: configured } = await beacon("getLibraryInfo");
  console.info(engine === "wasm", configured?.endpoint);
  await window.xdmBeacon("getStatus").catch((error: BeaconError) => error.code);
}

configuration.onBeforeEventSend = (content) => {
  content.xdm = { eventType: "mine" };
  return false;
};
configuration.onBeforeEventSend = ({ xdm }) => xdm.eventType !== "mine";

export async function wrong(): Promise<void> {
  // @ts-expect-error not a command
  await beacon("send");
  // @ts-expect-error options are required
  await beacon("configure");
  // @ts-expect-error datasetId is missing
  await beacon("configure", { endpoint: "x", orgId: "x", schema: { id: "x" } });
  // @ts-expect-error nothing that can be tracked
  const track: Configuration["track"] = ["scrolls"];
  await beacon("configure", { ...configuration, track });
  // @ts-expect-error not an option
  await beacon("sendEvent", { xmd: {} });
  // @ts-expect-error a type is a string
  await beacon("sendEvent", { type: 5 });
  // @ts-expect-error not a standard type: the path is in capitals, the type is not
  const misspelled: EventType = "web.webPageDetails.pageViews";
  console.info(misspelled);
  // @ts-expect-error not a priority
  await beacon("sendEvent", { priority: "urgent" });
  // @ts-expect-error an id is a string
  await beacon("sendEvent", { identityMap: { CRM: [{ id: 1 }] } });
  // @ts-expect-error a profile record has no type
  await beacon("sendProfile", { type: "web.webpagedetails.pageViews" });
  // @ts-expect-error a number
  await beacon("flush", { timeout: "1" });
  // @ts-expect-error a URL is required
  await beacon("appendIdentityToUrl", {});
  // @ts-expect-error a namespace is required
  configuration.identity = { firstParty: {} };
  // @ts-expect-error a boolean
  await beacon("setDebug", { enabled: "yes" });
  // @ts-expect-error takes no options
  await beacon("getStatus", {});
  // @ts-expect-error the result has no such field
  (await beacon("flush")).lost;
  // @ts-expect-error it has to decide at once
  configuration.onBeforeEventSend = async () => false;
  // @ts-expect-error it has to decide at once
  configuration.onBeforeEventSend = async () => {};
  // @ts-expect-error a verdict is true or false
  configuration.onBeforeEventSend = () => "no";
  // @ts-expect-error there is nothing but xdm
  configuration.onBeforeEventSend = ({ data }) => data;
  // @ts-expect-error options are required
  await beacon("setConsent");
  // @ts-expect-error not a standard
  await beacon("setConsent", { consent: [{ standard: "GPP", version: "1", value: "x" }] });
  // @ts-expect-error 1.0 knows only in and out
  await beacon("setConsent", { consent: [{ standard: "Adobe", version: "1.0", value: { general: "y" } }] });
  // @ts-expect-error collect is missing
  await beacon("setConsent", { consent: [{ standard: "Adobe", version: "2.0", value: {} }] });
  configuration.dataLayer = { mapping: { "*": {} } };
  // @ts-expect-error a mapping is required
  configuration.dataLayer = { kind: "acdl" };
  // @ts-expect-error not a kind
  configuration.dataLayer = { kind: "gtm", mapping: {} };
  // @ts-expect-error what is always the same has a name
  configuration.dataLayer = { mapping: { "*": { "_acme.tags": ["a"] } } };
  // @ts-expect-error not a context
  configuration.context = ["page"];
}
