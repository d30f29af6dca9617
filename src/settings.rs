//! Pure: where events go and how, read once from the options of `configure`.
//!
//! A [`Settings`] that exists is valid. An option this version does not know is an error that names
//! it: a typing mistake must not lose data in silence.

use crate::collect::redact::Privacy;
use crate::collect::{data_layer, track};
use crate::consent;
use crate::delivery::Mode;
use crate::fault::{Fault, Reason};
use crate::identity;
use crate::json::{self, Kind};
use crate::xdm::envelope::{Envelope, Route};
use crate::xdm::mapping;
use crate::xdm::path::{self, Segment};

/// The service takes 1 MB in a request, whatever is in it.
const MAX_BATCH_BYTES: u32 = 1_000_000;
const CONTENT_TYPE: &str = "application/vnd.adobe.xed-full+json;version=1";

/// The parts of a page's context that events can carry, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contexts(u8);

impl Contexts {
    /// `web`: URL, title and referrer of the page (field group Web Details).
    pub const WEB: Contexts = Contexts(1);
    /// `device`: screen (field group Environment Details).
    pub const DEVICE: Contexts = Contexts(2);
    /// `environment`: browser window and language (field group Environment Details).
    pub const ENVIRONMENT: Contexts = Contexts(4);
    /// `placeContext`: local time and zone (field group Environment Details).
    pub const PLACE: Contexts = Contexts(8);
    /// `implementationDetails`: this library (field group Implementation Details).
    pub const IMPLEMENTATION: Contexts = Contexts(16);
    /// `highEntropyUserAgentHints`: what the browser tells of the device when asked (field group Environment
    /// Details). Off by default: it tells people apart.
    pub const HINTS: Contexts = Contexts(32);
    /// Those that are read from the browser.
    pub const BROWSER: Contexts = Contexts(2 | 4 | 8 | 32);
    const ALL: Contexts = Contexts(31);
    /// None.
    pub const NONE: Contexts = Contexts(0);

    /// Those in here and in `other`.
    pub fn and(self, other: Contexts) -> Contexts {
        Contexts(self.0 | other.0)
    }

    /// Whether all of `other` is in here.
    pub fn has(self, other: Contexts) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in here.
    pub fn has_any(self, other: Contexts) -> bool {
        self.0 & other.0 != 0
    }

    fn named(name: &str) -> Option<Contexts> {
        Some(match name {
            "web" => Contexts::WEB,
            "device" => Contexts::DEVICE,
            "environment" => Contexts::ENVIRONMENT,
            "placeContext" => Contexts::PLACE,
            "implementationDetails" => Contexts::IMPLEMENTATION,
            "highEntropyUserAgentHints" => Contexts::HINTS,
            _ => return None,
        })
    }
}

/// `delivery.transport`: how the page hands messages to the browser.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransportChoice {
    /// Keepalive `fetch` within the budget, plain `fetch` above; `sendBeacon` only where the browser
    /// has no keepalive and the page is leaving.
    Auto,
    /// `sendBeacon` while the page is leaving. It always sends credentials, so the endpoint must
    /// answer with the page's own origin and `Access-Control-Allow-Credentials: true`.
    Beacon,
    /// `fetch` in any case.
    Fetch,
}

/// `delivery`: how messages travel, and what is done so that none is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeliveryOptions {
    /// How messages are handed to the browser.
    pub transport: TransportChoice,
    /// How many messages one request carries at most. An inlet answers a batch item by item, and the
    /// fewer requests, the less a page pays: 50 of the usual 600 bytes fit `max_batch_bytes`.
    pub max_batch_events: u32,
    /// How large a batch is at most, in bytes: half the keepalive budget, so that two can be under way
    /// when the page leaves.
    pub max_batch_bytes: u32,
    /// How long a message waits for company, in milliseconds; the first of a quiet time does not wait.
    pub max_wait_ms: u32,
    /// How much waits at most, in bytes.
    pub max_stored_bytes: u32,
    /// How old a message gets before it is given up. Adobe's streaming audiences look back 24 hours;
    /// three days bridge a weekend.
    pub max_age_hours: u32,
    /// What happens to a message whose answer nobody saw.
    pub mode: Mode,
    /// Where the session's id and the event's number go in each event, if the schema has room.
    pub sequence_path: Option<String>,
    /// Whether anything may be written to disk.
    pub storage: bool,
}

impl Default for DeliveryOptions {
    fn default() -> DeliveryOptions {
        DeliveryOptions {
            transport: TransportChoice::Auto,
            max_batch_events: 50,
            max_batch_bytes: 32_000,
            max_wait_ms: 250,
            max_stored_bytes: 4_000_000,
            max_age_hours: 72,
            mode: Mode::Balanced,
            sequence_path: None,
            storage: true,
        }
    }
}

/// A dataset and the schema it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The dataset's id.
    pub dataset_id: String,
    /// The schema's `$id`.
    pub schema_id: String,
    /// The media type by which the schema is named.
    pub content_type: String,
}

/// Everything `configure` settled.
#[derive(Debug)]
pub struct Settings {
    /// URL for one message.
    pub endpoint: String,
    /// URL for several messages, if there is one. Synchronous validation is for single messages.
    pub batch_endpoint: Option<String>,
    /// `…@AdobeOrg`
    pub org_id: String,
    flow_id: Option<String>,
    source_name: Option<String>,
    /// Where `sendEvent` goes.
    pub events: Target,
    /// Where `sendProfile` goes, if a profile dataset was named.
    pub profiles: Option<Target>,
    /// Where the schema of `profiles` has its own identity; empty where it is not known.
    pub identity_path: Vec<Segment>,
    /// The context each event carries.
    pub context: Contexts,
    /// What holds until somebody decides, and how decisions are heard of.
    pub consent: consent::Options,
    /// What automatic fields are cleared of.
    pub privacy: Privacy,
    /// Who the browser is said to be.
    pub identity: identity::Options,
    /// What is captured, as [`track::kinds`] has it.
    pub track: String,
    /// How.
    pub tracking: track::Options,
    /// What of the page's data layer is forwarded, if anything is.
    pub data_layer: Option<data_layer::Options>,
    /// How messages travel.
    pub delivery: DeliveryOptions,
    /// Whether the page's `onBeforeEventSend` sees events before they are sent.
    pub before_event_send: bool,
    /// Whether the library talks to the console.
    pub debug: bool,
    /// The options as they were given, as JSON text.
    pub text: String,
}

impl Settings {
    /// Reads the options of `configure`.
    ///
    /// # Errors
    /// The first option that is missing, unknown or of the wrong kind, with its path.
    pub fn parse(text: &str) -> Result<Settings, Fault> {
        let (mut endpoint, mut batch, mut org_id) = (None, None, None);
        let (mut dataset_id, mut schema, mut profiles, mut identity_path) = (None, None, None, Vec::new());
        let (mut flow_id, mut source_name) = (None, None);
        let (mut context, mut delivery) = (Contexts::ALL, DeliveryOptions::default());
        let (mut sync_validation, mut before_event_send, mut debug) = (false, false, false);
        let (mut privacy, mut identity) = (Privacy::default(), identity::Options::default());
        let mut consent = consent::Options::default();
        let (mut track, mut tracking) = (String::new(), track::Options::default());
        let mut data_layer = None;

        each(text, |key, raw| {
            match key {
                "endpoint" => endpoint = Some(url(raw)?),
                "batchEndpoint" if json::kind(raw) == Kind::Null => batch = Some(None),
                "batchEndpoint" => batch = Some(Some(url(raw)?)),
                "orgId" => org_id = Some(org(raw)?),
                "datasetId" => dataset_id = Some(string(raw)?),
                "schema" => schema = Some(schema_ref(raw)?),
                "flowId" => flow_id = Some(string(raw)?),
                "sourceName" => source_name = Some(string(raw)?),
                "profile" => profiles = Some(profile(raw, &mut identity_path)?),
                "context" => context = contexts(raw)?,
                "consent" => consent = consent::Options::parse(raw)?,
                "privacy" => privacy = Privacy::parse(raw)?,
                "identity" => identity = identity::Options::parse(raw)?,
                "track" => track = track::kinds(raw)?,
                "tracking" => tracking = track::Options::parse(raw)?,
                "dataLayer" => data_layer = Some(data_layer::Options::parse(raw)?),
                "delivery" => each(raw, |key, raw| {
                    match key {
                        "transport" => delivery.transport = transport_choice(raw)?,
                        "maxBatchEvents" => delivery.max_batch_events = positive(raw)?,
                        "maxBatchBytes" => delivery.max_batch_bytes = positive(raw)?.min(MAX_BATCH_BYTES),
                        "maxWaitMs" => delivery.max_wait_ms = milliseconds(raw)?.unsigned_abs(),
                        "maxStoredBytes" => delivery.max_stored_bytes = positive(raw)?,
                        "maxAgeHours" => delivery.max_age_hours = positive(raw)?,
                        "mode" => delivery.mode = mode(raw)?,
                        "sequencePath" => delivery.sequence_path = Some(own_path(raw)?),
                        "storage" => delivery.storage = boolean(raw)?,
                        "syncValidation" => sync_validation = boolean(raw)?,
                        _ => return Err(Fault::new(Reason::UnknownOption)),
                    }
                    Ok(())
                })?,
                "onBeforeEventSend" => before_event_send = function(raw)?,
                "debug" => debug = boolean(raw)?,
                _ => return Err(Fault::new(Reason::UnknownOption)),
            }
            Ok(())
        })?;

        let mut endpoint = required(endpoint, "endpoint")?;
        let org_id = required(org_id, "orgId")?;
        let dataset_id = required(dataset_id, "datasetId")?;
        let (schema_id, content_type) = required(schema, "schema")?;
        let mut batch_endpoint = batch.unwrap_or_else(|| derive_batch(&endpoint));
        if sync_validation {
            batch_endpoint = None;
            endpoint.push(if endpoint.contains('?') { '&' } else { '?' });
            endpoint.push_str("syncValidation=true");
        }
        Ok(Settings {
            endpoint,
            batch_endpoint,
            org_id,
            flow_id,
            source_name,
            events: Target { dataset_id, schema_id, content_type },
            profiles,
            identity_path,
            context,
            consent,
            privacy,
            identity,
            track,
            tracking,
            data_layer,
            delivery,
            before_event_send,
            debug,
            text: String::from(text),
        })
    }

    /// Where the decision about consent is kept.
    pub fn consent_key(&self) -> String {
        self.consent.key(&self.org_id)
    }

    /// The envelope of messages for `target`.
    pub fn envelope(&self, target: &Target) -> Envelope {
        Envelope::new(&Route {
            schema_id: &target.schema_id,
            content_type: &target.content_type,
            org_id: &self.org_id,
            dataset_id: &target.dataset_id,
            flow_id: self.flow_id.as_deref(),
            source_name: self.source_name.as_deref(),
        })
    }
}

/// Calls `read` for each member of an object; a fault gets the member's key put before its path.
///
/// # Errors
/// `text` is no object, or the first fault of `read`.
pub fn each<'a>(
    text: &'a str,
    mut read: impl FnMut(&str, &'a str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    each_member(text, &mut read)
}

/// Once for all callers: each of them would bring a copy of what reads JSON.
fn each_member<'a>(
    text: &'a str,
    read: &mut dyn FnMut(&str, &'a str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if json::kind(text) != Kind::Object {
        return Err(Fault::new(Reason::NotAnObject));
    }
    for member in json::members(text) {
        let (key, raw) = member?;
        let key = &json::unescape(key);
        read(key, raw).map_err(|fault| fault.in_key(key))?;
    }
    Ok(())
}

/// Calls `read` for each element of an array; a fault gets the element's index put before its path.
///
/// # Errors
/// `text` is no array, or the first fault of `read`.
pub fn each_element(text: &str, read: &mut dyn FnMut(&str) -> Result<(), Fault>) -> Result<(), Fault> {
    if json::kind(text) != Kind::Array {
        return Err(Fault::new(Reason::NotAnArray));
    }
    for (index, element) in json::elements(text).enumerate() {
        read(element?).map_err(|fault| fault.in_index(index))?;
    }
    Ok(())
}

/// Strings that are not empty.
///
/// # Errors
/// `text` is no array, or an element of it is anything else.
pub fn strings(text: &str) -> Result<Vec<String>, Fault> {
    let mut all = Vec::new();
    each_element(text, &mut |raw| {
        all.push(string(raw)?);
        Ok(())
    })?;
    Ok(all)
}

/// A string that is not empty.
///
/// # Errors
/// Anything else.
pub fn string(raw: &str) -> Result<String, Fault> {
    let text = json::string(raw).ok_or(Reason::NotAString)?;
    if text.is_empty() {
        return Err(Fault::new(Reason::Empty));
    }
    Ok(text.into_owned())
}

/// `true` or `false`.
///
/// # Errors
/// Anything else.
pub fn boolean(raw: &str) -> Result<bool, Fault> {
    json::boolean(raw).ok_or(Fault::new(Reason::NotABoolean))
}

/// A function: JSON has none, and the loader, which keeps it, writes these words in its place.
fn function(raw: &str) -> Result<bool, Fault> {
    match json::string(raw).as_deref() {
        Some("a function") => Ok(true),
        _ => Err(Fault::new(Reason::NotAFunction)),
    }
}

/// A whole number of milliseconds, 0 to 2147483647 (what a browser's timer can hold).
///
/// # Errors
/// Anything else.
pub fn milliseconds(raw: &str) -> Result<i32, Fault> {
    json::integer(raw)
        .and_then(|number| i32::try_from(number).ok())
        .filter(|number| *number >= 0)
        .ok_or(Fault::new(Reason::NotMilliseconds))
}

/// A whole number above zero.
///
/// # Errors
/// Anything else.
pub fn positive(raw: &str) -> Result<u32, Fault> {
    json::integer(raw)
        .filter(|number| (1..=i64::from(i32::MAX)).contains(number))
        .and_then(|number| u32::try_from(number).ok())
        .ok_or(Fault::new(Reason::OutOfRange))
}

/// A path of the site's own that a value can be put at, whatever else is in the event.
///
/// # Errors
/// It is none, or what every event has is there.
pub fn own_path(raw: &str) -> Result<String, Fault> {
    const TAKEN: [&str; 4] = ["_id", "timestamp", "eventType", "identityMap"];
    let path = string(raw)?;
    let mut flat = String::from("{");
    json::push_string(&mut flat, &path);
    flat.push_str(":0}");
    mapping::nest(&flat).map_err(|fault| Fault::new(fault.reason))?;
    let first = path.trim_start().split(['.', '[']).next().unwrap_or_default();
    if TAKEN.contains(&first.trim_end()) {
        return Err(Fault::new(Reason::PathConflict));
    }
    Ok(path)
}

fn mode(raw: &str) -> Result<Mode, Fault> {
    match json::string(raw).as_deref() {
        Some("balanced") => Ok(Mode::Balanced),
        Some("atLeastOnce") => Ok(Mode::AtLeastOnce),
        Some("atMostOnce") => Ok(Mode::AtMostOnce),
        _ => Err(Fault::new(Reason::NotAMode)),
    }
}

/// `{id, contentType?}`, as id and media type.
///
/// # Errors
/// A part that is missing, unknown or no string.
pub fn schema_ref(raw: &str) -> Result<(String, String), Fault> {
    let (mut id, mut content_type) = (None, String::from(CONTENT_TYPE));
    each(raw, |key, raw| {
        match key {
            "id" => id = Some(string(raw)?),
            "contentType" => content_type = string(raw)?,
            _ => return Err(Fault::new(Reason::UnknownOption)),
        }
        Ok(())
    })?;
    Ok((required(id, "id")?, content_type))
}

/// The value of `key`.
///
/// # Errors
/// There is none.
pub fn required<T>(option: Option<T>, key: &str) -> Result<T, Fault> {
    option.ok_or_else(|| Fault::at(Reason::Missing, key))
}

fn profile(raw: &str, identity_path: &mut Vec<Segment>) -> Result<Target, Fault> {
    let (mut dataset_id, mut schema) = (None, None);
    each(raw, |key, raw| {
        match key {
            "datasetId" => dataset_id = Some(string(raw)?),
            "schema" => schema = Some(schema_ref(raw)?),
            "identityPath" => {
                *identity_path = path::parse(&string(raw)?).map_err(|fault| Fault::new(fault.reason))?;
            }
            _ => return Err(Fault::new(Reason::UnknownOption)),
        }
        Ok(())
    })?;
    let (schema_id, content_type) = required(schema, "schema")?;
    Ok(Target { dataset_id: required(dataset_id, "datasetId")?, schema_id, content_type })
}

fn contexts(raw: &str) -> Result<Contexts, Fault> {
    let mut all = 0;
    each_element(raw, &mut |raw| {
        let context = json::string(raw).and_then(|name| Contexts::named(&name));
        all |= context.ok_or(Reason::NotAContext)?.0;
        Ok(())
    })?;
    Ok(Contexts(all))
}

fn transport_choice(raw: &str) -> Result<TransportChoice, Fault> {
    Ok(match json::string(raw).as_deref() {
        Some("auto") => TransportChoice::Auto,
        Some("beacon") => TransportChoice::Beacon,
        Some("fetch") => TransportChoice::Fetch,
        _ => return Err(Fault::new(Reason::NotATransport)),
    })
}

fn org(raw: &str) -> Result<String, Fault> {
    let org = string(raw)?;
    match org.strip_suffix("@AdobeOrg") {
        Some(id) if !id.is_empty() => Ok(org),
        _ => Err(Fault::new(Reason::NotAnOrg)),
    }
}

/// An absolute URL with a path: `https`, or `http` on this very machine.
fn url(raw: &str) -> Result<String, Fault> {
    let url = string(raw)?;
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err(Fault::new(Reason::NotAUrl)),
    };
    let Some((authority, path)) = rest.split_once('/') else {
        return Err(Fault::new(Reason::NotAUrl));
    };
    let odd = |byte: u8| byte <= b' ' || matches!(byte, b'#' | b'\\' | b'"' | b'<' | b'>' | 0x7f..);
    if path.is_empty() || url.bytes().any(odd) || authority.contains(['@', '?']) {
        return Err(Fault::new(Reason::NotAUrl));
    }
    let host = host(authority).ok_or(Reason::NotAUrl)?;
    if !secure && !is_loopback(host) {
        return Err(Fault::new(Reason::NotHttps));
    }
    Ok(url)
}

/// The host out of `host` or `host:port`; an IPv6 address comes without its brackets.
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']')?,
        None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
    };
    let port_is_right = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| is_number(port) && port.parse::<u16>().is_ok());
    (!host.is_empty() && port_is_right).then_some(host)
}

/// Digits alone: `parse` would take a sign as well.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_loopback(host: &str) -> bool {
    let is_127 = host.starts_with("127.")
        && host.split('.').count() == 4
        && host.split('.').all(|part| is_number(part) && part.parse::<u8>().is_ok());
    host == "localhost" || host.ends_with(".localhost") || host == "::1" || is_127
}

/// As Adobe's own clients do it: `/collection/` becomes `/collection/batch/`. A URL that has no such
/// part (a proxy with other paths) never batches, unless `batchEndpoint` says where.
fn derive_batch(endpoint: &str) -> Option<String> {
    let (before, after) = endpoint.split_once("/collection/")?;
    let mut batch = String::from(before);
    batch.push_str("/collection/batch/");
    batch.push_str(after);
    Some(batch)
}
