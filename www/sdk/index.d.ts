/** A namespace's identities, as XDM's `identityMap` has them. At most one of the whole map is primary. */
export interface IdentityItem {
  id: string;
  authenticatedState?: "ambiguous" | "authenticated" | "loggedOut";
  primary?: boolean;
}
export type IdentityMap = Record<string, IdentityItem[]>;

/** Which schema a message is of. */
export interface SchemaRef {
  /** The schema's `$id`, e.g. `https://ns.adobe.com/{TENANT}/schemas/{SCHEMA}`. */
  id: string;
  /** Default `application/vnd.adobe.xed-full+json;version=1`. */
  contentType?: string;
}

export type Context = "web" | "device" | "environment" | "placeContext" | "implementationDetails";

/** Options of `configure`. */
export interface Configuration {
  /** The streaming connection's whole URL: `https://dcs.adobedc.net/collection/{id}`. */
  endpoint: string;
  /** URL for several messages; derived from `endpoint`; `null`: never batch. */
  batchEndpoint?: string | null;
  /** `…@AdobeOrg` */
  orgId: string;
  /** Dataset of events. */
  datasetId: string;
  schema: SchemaRef;
  /** Dataflow id of the streaming connection. */
  flowId?: string;
  /** Source name of the streaming connection. */
  sourceName?: string;
  /** Where `sendProfile` goes. */
  profile?: { datasetId: string; schema: SchemaRef };
  /** What each event tells of the page by itself; all by default, `[]` nothing. */
  context?: Context[];
  delivery?: {
    /** Default `auto`. */
    transport?: "auto" | "beacon" | "fetch";
    /** Asks the endpoint for a verdict at once; limited to 60 requests a minute: for tests. */
    syncValidation?: boolean;
  };
  /** Lets the library talk to the console. */
  debug?: boolean;
}

/** An XDM document: plain data. Dates become ISO text, `undefined` is left out. */
export type Xdm = Record<string, unknown>;

/** XDM paths and their values: `{"web.webPageDetails.name": "Home", "productListItems[0].SKU": "A1"}`. */
export type Mapping = Record<string, unknown>;

export interface EventOptions {
  /** XDM's `eventType`, e.g. `web.webpagedetails.pageViews`. */
  type?: string;
  xdm?: Xdm;
  mapping?: Mapping;
  identityMap?: IdentityMap;
  /** RFC 3339 text or a Date; now by default. */
  timestamp?: string | Date;
  datasetId?: string;
  schema?: SchemaRef;
  priority?: "high" | "normal" | "low";
  /** The page is about to go away: hand the event over at once. */
  documentUnloading?: boolean;
}

export interface ProfileOptions {
  xdm?: Xdm;
  mapping?: Mapping;
  identityMap?: IdentityMap;
  datasetId?: string;
  schema?: SchemaRef;
}

export type DropReason = "rejected" | "unavailable" | "network" | "timeout" | "refused" | "no-page";

export interface Sent {
  /** The event's `_id`; a profile record has none. */
  id?: string;
  /** The event's `timestamp` as it was sent. */
  timestamp?: string;
  status: "delivered" | "handedOver" | "stored" | "pending" | "dropped";
  /** Why it was dropped. */
  reason?: DropReason;
  /** The server's words. */
  detail?: string;
}

/** Of the events accepted by this page load: `accepted` is the sum of the others, always. */
export interface Status {
  accepted: number;
  pending: number;
  queued: number;
  inFlight: number;
  handedOver: number;
  stored: number;
  delivered: number;
  dropped: Record<Exclude<DropReason, "no-page">, number>;
  /** Timestamps that were ahead of the endpoint's clock and put back. */
  timestampsCorrected: number;
  /** What the origin keeps on disk, whoever wrote it. */
  outbox: { events: number; bytes: number; durable: boolean };
}

export interface LibraryInfo {
  name: string;
  version: string;
  commands: string[];
  engine: "wasm" | "js";
  configuration?: Configuration;
}

/** What a promise rejects with. `code` is stable; `message` names the instance, the path and the remedy. */
export interface BeaconError extends Error {
  code: string;
}

/** An instance. Its promises always settle; they reject with a {@link BeaconError}. */
export interface XdmBeacon {
  (command: "configure", options: Configuration): Promise<Record<string, never>>;
  (command: "sendEvent", options?: EventOptions): Promise<Sent>;
  (command: "sendProfile", options: ProfileOptions): Promise<Sent>;
  /** Waits until nothing is in flight, at most `timeout` ms (10,000). */
  (command: "flush", options?: { timeout?: number }): Promise<{ delivered: number; stored: number }>;
  (command: "getStatus"): Promise<Status>;
  (command: "setDebug", options: { enabled: boolean }): Promise<Record<string, never>>;
  (command: "getLibraryInfo"): Promise<LibraryInfo>;
}

/** Makes an instance. On a server it does nothing and throws nothing. */
export function createInstance(options?: { name?: string; wasmUrl?: string | URL }): XdmBeacon;

declare global {
  interface Window {
    /** Where the base code or a script tag made it, under its default name. */
    xdmBeacon: XdmBeacon;
    /** The names of the instances that base code made. */
    __xdmBeaconNS?: string[];
  }
}
