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

export type Context =
  | "web"
  | "device"
  | "environment"
  | "placeContext"
  | "implementationDetails"
  | "highEntropyUserAgentHints";

/** What a page does by itself that becomes events. */
export type Track = "pageViews" | "clicks" | "forms" | "engagement" | "errors" | "webVitals";

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
  profile?: {
    datasetId: string;
    schema: SchemaRef;
    /**
     * Where the schema has its own identity, e.g. `_tenant.customerID`, if it has one. A record needs it, or an
     * `identityMap`.
     */
    identityPath?: string;
  };
  /** What each event tells of the page by itself; by default all but `highEntropyUserAgentHints`; `[]` nothing. */
  context?: Context[];
  /** Whether events may be collected, until `setConsent` or an earlier visit has decided. */
  consent?: {
    /**
     * What holds until somebody decides. `in` (default). `pending`: events are kept in memory, and nothing of the
     * browser is touched. `out`: events are dropped.
     */
    default?: "in" | "out" | "pending";
    /** Where the decision is kept in `localStorage`; default `xdm-beacon.consent.` and the `orgId`. */
    storageKey?: string;
    /** Global Privacy Control makes `out` of the default; a decision of the person counts more. Default false. */
    globalPrivacyControl?: boolean;
    tcf?: {
      /** Does what the page's consent manager says through `__tcfapi`; default false. */
      follow?: boolean;
      /** The vendor that a TC string must name; default 565, which is Adobe. */
      vendorId?: number;
    };
  };
  /** What is taken out of automatic fields; `REDACTED` stands in its place. */
  privacy?: {
    /** E-mail addresses, card numbers and what is named below; default true. */
    redact?: boolean;
    /** Names of URL parameters whose values are taken out. */
    parameters?: string[];
    /** Sources of regular expressions, matched in any case, for what else is. */
    patterns?: string[];
  };
  /** Who the browser is, in each event that does not say so itself. */
  identity?: {
    /** The site's own id; none by default. */
    firstParty?: {
      /** What it is registered as with the platform. */
      namespace: string;
      /** Default `cookie`. `serverCookie`: the site's server sets it; it is only read. */
      storage?: "cookie" | "localStorage" | "serverCookie";
      /** How long a cookie lives from the last visit; default 390. */
      maxAgeDays?: number;
      /** The cookie's domain; by default the widest that the browser takes. */
      domain?: string;
    };
    /** Whether an Experience Cloud id that Adobe's libraries have left is used; default true. */
    readEcid?: boolean;
    /** What becomes primary where the event has no primary identity: by default the ECID, or else the first-party id. */
    primary?: "ecid" | "firstParty" | "none";
  };
  /** What is captured without a call; nothing by default. */
  track?: Track[];
  tracking?: {
    /**
     * A regular expression for the URLs of links that are downloads, matched in any case and without query and
     * fragment; by default the usual endings (`.pdf`, `.zip`, …), as alloy has them.
     */
    downloadLinkQualifier?: string;
    /** The site's other domains, with what is below them: links there are no exits, referrers from there `internal`. */
    internalDomains?: string[];
    /** Another fragment is another page, for page views and referrers; default false. */
    hashRoutes?: boolean;
    /** Where in the schema details go that XDM has no place for, e.g. `_acme.restored`; left out by default. */
    paths?: {
      /** `true` for a page view that came back from the back/forward cache. */
      restored?: string;
      /** Of a submitted form `{name, id, action, fieldsFilled}`: the fields' names, never what they held. */
      forms?: string;
      /** `{visibleTime, maxScroll}`: milliseconds since the event before of the same view; percent of the page. */
      engagement?: string;
      /** Of an uncaught error `{kind, name, message, stack, source, line, column}`. */
      errors?: string;
      /** `{lcp, inp, fcp, ttfb, cls, navigationType}`: times in milliseconds; what is not known is left out. */
      webVitals?: string;
    };
  };
  /** What the page pushes into its data layer, as events; nothing by default. */
  dataLayer?: {
    /** The global variable; default `adobeDataLayer`, or `dataLayer` of the kind `array`. */
    name?: string;
    /** `acdl` (default): the Adobe Client Data Layer. `array`: a plain array, as tag managers have it. */
    kind?: "acdl" | "array";
    mapping: DataLayerMapping;
  };
  delivery?: {
    /** Default `auto`. */
    transport?: "auto" | "beacon" | "fetch";
    /** How many messages one request carries at most; default 50. */
    maxBatchEvents?: number;
    /** How large a batch is at most, in bytes; default 32,000: two of them fit the browser's keepalive budget. */
    maxBatchBytes?: number;
    /** How long a message waits for company, in milliseconds; default 250. The first of a quiet time does not wait. */
    maxWaitMs?: number;
    /** How much waits at most, in bytes; default 4,000,000. The oldest of the lowest priority is dropped first. */
    maxStoredBytes?: number;
    /** How old a message gets before it is given up; default 72. */
    maxAgeHours?: number;
    /**
     * What happens to a message that was sent while its answer was not seen. `balanced` (default): it is taken as
     * delivered where the endpoint was healthy, else sent again. `atLeastOnce`: always sent again. `atMostOnce`: never.
     */
    mode?: "balanced" | "atLeastOnce" | "atMostOnce";
    /** Where each event says `{session, number}`, so that a gap can be seen; if the schema has room. */
    sequencePath?: string;
    /** Whether anything may be written to disk; default true. */
    storage?: boolean;
    /** Asks the endpoint for a verdict at once; limited to 60 requests a minute and without batches: for tests. */
    syncValidation?: boolean;
  };
  /**
   * Sees every event, as it is about to be sent, before it is sent: it may change `content.xdm` or put another object
   * in its place; `false` cancels the event. It decides at once: a promise is refused. When it throws, that event alone
   * is not sent, and its promise rejects. Profile records pass it by.
   */
  onBeforeEventSend?: (content: EventContent) => Verdict;
  /** Lets the library talk to the console. */
  debug?: boolean;
}

/** What `onBeforeEventSend` is shown: the event's entity, an object of its own. */
export interface EventContent {
  xdm: Xdm;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing lets the event pass
export type Verdict = boolean | void;

/** An XDM document: plain data. Dates become ISO text, `undefined` is left out. */
export type Xdm = Record<string, unknown>;

/**
 * A record of XDM's class Individual Profile: the standard field groups that a web page knows something for, typed,
 * and any other field. Each needs its field group in the schema.
 */
export interface ProfileXdm {
  identityMap?: IdentityMap;
  /** Demographic Details */
  person?: Person;
  /** Personal Contact Details */
  personalEmail?: EmailAddress;
  homePhone?: PhoneNumber;
  mobilePhone?: PhoneNumber;
  faxPhone?: PhoneNumber;
  shippingAddressPhone?: PhoneNumber;
  billingAddressPhone?: PhoneNumber;
  homeAddress?: PostalAddress;
  shippingAddress?: PostalAddress;
  billingAddress?: PostalAddress;
  mailingAddress?: PostalAddress;
  /** Work Contact Details */
  workEmail?: EmailAddress;
  workPhone?: PhoneNumber;
  workAddress?: PostalAddress;
  organizations?: string[];
  /** Consent and Preference Details */
  consents?: Consents;
  [field: string]: unknown;
}

export interface Person {
  name?: {
    firstName?: string;
    lastName?: string;
    middleName?: string;
    courtesyTitle?: string;
    suffix?: string;
    fullName?: string;
  };
  /** `YYYY-MM-DD` */
  birthDate?: string;
  /** `MM-DD` */
  birthDayAndMonth?: string;
  birthYear?: number;
  gender?: "male" | "female" | "not_specified" | "non_specific";
  maritalStatus?: "married" | "single" | "divorced" | "widowed" | "not_specified";
  /** ISO 3166-1 alpha-2: two capitals. */
  nationality?: string;
}

/** Values that XDM proposes for how well an address or a number works; others are allowed. */
export type ContactStatus =
  | "active"
  | "incomplete"
  | "pending_verification"
  | "blacklisted"
  | "blocked"
  | (string & {});

export interface EmailAddress {
  address?: string;
  primary?: boolean;
  label?: string;
  type?: "unknown" | "personal" | "work" | "education" | (string & {});
  status?: ContactStatus;
  statusReason?: string;
}

export interface PhoneNumber {
  number?: string;
  /** One to three digits, without a sign: `41`. */
  countryCode?: string;
  extension?: string;
  primary?: boolean;
  status?: ContactStatus;
  statusReason?: string;
  validity?: "consistent" | "inconsistent" | "incomplete" | "successfullyUsed" | (string & {});
}

export interface PostalAddress {
  street1?: string;
  street2?: string;
  street3?: string;
  street4?: string;
  city?: string;
  region?: string;
  state?: string;
  /** ISO 3166-2: `CH-ZH`. */
  stateProvince?: string;
  postalCode?: string;
  postOfficeBox?: string;
  country?: string;
  /** ISO 3166-1 alpha-2: two capitals. */
  countryCode?: string;
  label?: string;
  primary?: boolean;
  status?: ContactStatus;
  statusReason?: string;
  /** `YYYY-MM-DD` */
  lastVerifiedDate?: string;
  _schema?: { latitude?: number; longitude?: number; elevation?: number; description?: string };
}

/** Yes, no, pending, unknown, yes and no by default; legitimate interest, contract, legal obligation, vital and public interest. */
export type ConsentValue = "y" | "n" | "p" | "u" | "dy" | "dn" | "LI" | "CT" | "CP" | "VI" | "PI";

export interface Consent {
  val: ConsentValue;
}

export interface MarketingConsent extends Consent {
  /** RFC 3339 text or a Date. */
  time?: string | Date;
  /** Up to 255 characters. */
  reason?: string;
}

/** One channel's subscriptions, by the name of each. */
export interface SubscribableConsent extends MarketingConsent {
  subscriptions?: Record<
    string,
    {
      val?: ConsentValue;
      type?: string;
      topics?: string[];
      subscribers?: Record<string, { time?: string | Date; source?: string }>;
    }
  >;
}

export interface Consents {
  collect?: Consent;
  share?: Consent;
  personalize?: { content?: Consent };
  marketing?: {
    preferred?:
      | "email"
      | "push"
      | "inApp"
      | "sms"
      | "whatsApp"
      | "phone"
      | "phyMail"
      | "inVehicle"
      | "inHome"
      | "iot"
      | "social"
      | "other"
      | "none"
      | "unknown";
    any?: MarketingConsent;
    email?: SubscribableConsent;
    push?: SubscribableConsent;
    sms?: SubscribableConsent;
    whatsApp?: SubscribableConsent;
    call?: MarketingConsent;
    fax?: MarketingConsent;
    commercialEmail?: MarketingConsent;
    postalMail?: MarketingConsent;
  };
  /** Of one identity alone, by namespace and id. */
  idSpecific?: Record<
    string,
    Record<
      string,
      {
        collect?: Consent;
        share?: Consent;
        adID?: Consent & { idType?: "IDFA" | "GAID" };
        personalize?: { content?: Consent };
        marketing?: Partial<Record<"email" | "push" | "sms" | "whatsApp", MarketingConsent>>;
      }
    >
  >;
  metadata?: { time?: string | Date };
}

/** XDM paths and their values: `{"web.webPageDetails.name": "Home", "productListItems[0].SKU": "A1"}`. */
export type Mapping = Record<string, unknown>;

/**
 * What is forwarded of a data layer, by the name of the event: paths of XDM, and what is put there. `*` is for all
 * events without an entry of their own; `null` for one that is not forwarded.
 */
export type DataLayerMapping = Record<string, Record<string, DataLayerSource> | null>;

/**
 * A text is a path into what is pushed: `cart.total`, or `cart.items[*].id` for each element of an array. A number and
 * a boolean are themselves; `{value}` is anything else that is always the same.
 */
export type DataLayerSource = string | number | boolean | { value: unknown };

/**
 * XDM's standard values of `eventType`. The list is open: a site may have values of its own. (The web ones are lower
 * case where their paths are not.)
 */
export type EventType =
  | "advertising.clicks"
  | "advertising.completes"
  | "advertising.conversions"
  | "advertising.federated"
  | "advertising.firstQuartiles"
  | "advertising.impressions"
  | "advertising.midpoints"
  | "advertising.starts"
  | "advertising.thirdQuartiles"
  | "advertising.timePlayed"
  | "application.close"
  | "application.launch"
  | "commerce.backofficeCreditMemoIssued"
  | "commerce.backofficeOrderCancelled"
  | "commerce.backofficeOrderItemsShipped"
  | "commerce.backofficeOrderPlaced"
  | "commerce.backofficeShipmentCompleted"
  | "commerce.checkouts"
  | "commerce.productListAdds"
  | "commerce.productListOpens"
  | "commerce.productListRemovals"
  | "commerce.productListReopens"
  | "commerce.productListViews"
  | "commerce.productViews"
  | "commerce.purchases"
  | "commerce.saveForLaters"
  | "decisioning.propositionDismiss"
  | "decisioning.propositionDisplay"
  | "decisioning.propositionInteract"
  | "decisioning.propositionSend"
  | "decisioning.propositionTrigger"
  | "delivery.feedback"
  | "directMarketing.emailBounced"
  | "directMarketing.emailBouncedSoft"
  | "directMarketing.emailClicked"
  | "directMarketing.emailDelivered"
  | "directMarketing.emailOpened"
  | "directMarketing.emailSent"
  | "directMarketing.emailUnsubscribed"
  | "inappmessageTracking.dismiss"
  | "inappmessageTracking.display"
  | "inappmessageTracking.interact"
  | "leadOperation.addToCampaign"
  | "leadOperation.callWebhook"
  | "leadOperation.changeCampaignStream"
  | "leadOperation.changeEngagementCampaignCadence"
  | "leadOperation.convertLead"
  | "leadOperation.interestingMoment"
  | "leadOperation.mergeLeads"
  | "leadOperation.newLead"
  | "leadOperation.revenueStageChanged"
  | "leadOperation.scoreChanged"
  | "leadOperation.statusInCampaignProgressionChanged"
  | "listOperation.addToList"
  | "listOperation.removeFromList"
  | "location.entry"
  | "location.exit"
  | "media.adBreakComplete"
  | "media.adBreakStart"
  | "media.adComplete"
  | "media.adSkip"
  | "media.adStart"
  | "media.bitrateChange"
  | "media.bufferStart"
  | "media.chapterComplete"
  | "media.chapterSkip"
  | "media.chapterStart"
  | "media.customTracking"
  | "media.downloaded"
  | "media.error"
  | "media.pauseStart"
  | "media.ping"
  | "media.play"
  | "media.sessionComplete"
  | "media.sessionEnd"
  | "media.sessionStart"
  | "media.statesUpdate"
  | "message.feedback"
  | "message.renderingData"
  | "message.tracking"
  | "opportunityEvent.addToOpportunity"
  | "opportunityEvent.opportunityUpdated"
  | "opportunityEvent.removeFromOpportunity"
  | "pushTracking.applicationOpened"
  | "pushTracking.customAction"
  | "web.formFilledOut"
  | "web.webinteraction.linkClicks"
  | "web.webpagedetails.pageViews";

export interface EventOptions {
  /** XDM's `eventType`: a standard one, or one of the site's own. */
  type?: EventType | (string & {});
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
  xdm?: ProfileXdm;
  mapping?: Mapping;
  identityMap?: IdentityMap;
  datasetId?: string;
  schema?: SchemaRef;
}

/** A decision, in the words of a standard. */
export type ConsentEntry =
  | { standard: "Adobe"; version: "1.0"; value: { general: "in" | "out" } }
  | { standard: "Adobe"; version: "2.0"; value: { collect: { val: "y" | "n" }; [purpose: string]: unknown } }
  | {
      standard: "IAB TCF";
      version: "2.0" | "2.1" | "2.2" | "2.3";
      /** The TC string: purpose 1 and the vendor must have consent. */
      value?: string;
      /** `false` allows, whatever the string says; default true. */
      gdprApplies?: boolean;
      gdprContainsPersonalData?: boolean;
    };

export interface ConsentOptions {
  /** All of them have to allow collection. */
  consent: ConsentEntry[];
}

/**
 * `rejected`: by the endpoint. `expired`: older than `maxAgeHours`. `evicted`: the outbox was full. `consent`: it was
 * refused. `unanswered`: `atMostOnce` alone, sent and no answer seen. `cancelled`: by `onBeforeEventSend`. `no-page`:
 * called on a server.
 */
export type DropReason =
  | "rejected"
  | "expired"
  | "evicted"
  | "consent"
  | "unanswered"
  | "cancelled"
  | "no-page";

export interface Sent {
  /** The event's `_id`; a profile record has none. */
  id?: string;
  /** The event's `timestamp` as it was sent. */
  timestamp?: string;
  /**
   * `delivered`: accepted by the endpoint. `handedOver`: given to the browser while leaving, answer not seen.
   * `stored`: safe in the outbox (in memory where nothing can be stored), sent later. `pending`: waits for consent.
   */
  status: "delivered" | "handedOver" | "stored" | "pending" | "dropped";
  /** Why it was dropped. */
  reason?: DropReason;
  /** The server's words. */
  detail?: string;
}

/** Of the events accepted by this page load: `accepted` is the sum of the others, always. */
export interface Status {
  accepted: number;
  /** Whether events may be collected. */
  consent: "in" | "out" | "pending";
  pending: number;
  queued: number;
  inFlight: number;
  handedOver: number;
  stored: number;
  delivered: number;
  dropped: Record<Exclude<DropReason, "no-page">, number>;
  /** Timestamps that were ahead of the endpoint's clock and put back. */
  timestampsCorrected: number;
  /** How often something was taken out of what is collected automatically. */
  redacted: number;
  /** How often the engine had to be started anew after a fault of ours; the counts began with the last time. */
  engineRestarts: number;
  /** Events that fail while others pass, set aside until the next visit. */
  parked: number;
  /** What is on disk, of this page and of earlier ones that it took over; records that were given up. */
  outbox: { events: number; bytes: number; durable: boolean; dropped: number };
}

export interface LibraryInfo {
  name: string;
  version: string;
  commands: string[];
  engine: "wasm" | "js";
  /** As it was given; functions are words there. */
  configuration?: Omit<Configuration, "onBeforeEventSend"> & { onBeforeEventSend?: string };
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
  /** Decides, in the order of the calls, for all instances and tabs with the same `consent.storageKey`. */
  (command: "setConsent", options: ConsentOptions): Promise<{ collect: "in" | "out" }>;
  /** The browser's own identities, as an event without any is given them; none before there is consent. */
  (command: "getIdentity"): Promise<{ identityMap: IdentityMap }>;
  /** Adds the browser's identities to the URL of a link to another domain of the site, for five minutes. */
  (command: "appendIdentityToUrl", options: { url: string }): Promise<{ url: string }>;
  /** Sends what waits at once, and tells when nothing waits any more, after `timeout` ms (10,000) at the latest. */
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
