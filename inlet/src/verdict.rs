//! The verdict on a message: pure, from its text and what the inlet knows to an answer.
//!
//! An answer comes at once for the envelope; the entity is only judged by its schema, and unless
//! the sender asked for synchronous validation a faulty one is received with 200 all the same
//! (200 means received, not valid) and lands among the bad.
//!
//! | case | answer | source |
//! |---|---|---|
//! | received | 200 `{inletId, xactionId, receivedTimeMs, syncValidation: {skipped: true}}` | documented |
//! | synchronous, valid | 200, `syncValidation: {status: "pass"}` | documented |
//! | synchronous, invalid | 400 `Message is invalid`, `_streamingValidation`, five violations at most | documented |
//! | synchronous, invalid: kept among the bad | | ours (the platform drops it) |
//! | batch, any outcome | 207 `{inletId, batchId, receivedTimeMs, responses}` | documented |
//! | batch item refused | `{statusCode, message, xactionId}` | documented (`xactionId`: as a sink reads it) |
//! | no `header` | 400 `The 'header' field is mandatory. …` | documented |
//! | no `body`; no or incomplete `schemaRef` in `xdmMeta`; a content type that is not XED | 400 `Message has unknown xdm format` | documented |
//! | no `schemaRef` in `header` | the same | ours |
//! | `schemaRef` of `header` and `xdmMeta` differ | the same | ours (documented: they must agree) |
//! | schema differs from the dataset's | the same | documented (worked example; the table of codes says 500) |
//! | schema not known | 500 `Message payload schema is not specified or …` | documented (status; the text is ours) |
//! | `imsOrgId` wrong | 400 `Message has an absent or wrong ims org in the header` | documented |
//! | `imsOrgId` absent | accepted, the inlet's is meant | documented (two sources; that text names it an error) |
//! | no `datasetId` | 400 `Payload header is missing datasetId` | ours (documented: required) |
//! | dataset not known | created, bound to the message's schema, not enabled for Profile | ours (formerly the platform's habit) |
//! | more than 1,000 datasets | 400 `Too many datasets …` | ours |
//! | no `xdmEntity` | 400 `Payload body is missing xdmEntity` | ours (documented text, there found later) |
//! | `flowId` or `source.name` absent | accepted | documented (contradicted for `source.name`) |
//! | not JSON, nested over 127 levels, lone surrogate | 400 `Message is not valid JSON: …` | ours |
//! | a key twice in an object | the last one counts | ours |
//! | not UTF-8 | 400 `Message is not valid UTF-8` | ours |
//! | batch without `messages` array | 400 `The 'messages' field …` | ours |
//! | empty `messages` array | 207, no responses | ours |
//! | synchronous validation on a batch | 400 | ours (documented: not available) |
//! | synchronous validation, more than 60 a minute | 429, `Retry-After` | documented (the header is ours) |
//! | over 1,000,000 bytes | 413 | documented |
//! | unknown inlet | 404 | ours |
//! | method other than POST, OPTIONS | 405, `Allow` | ours |
//! | content type other than `application/json` (Smile is not read), or encoded content | 415 | ours |
//! | the body does not arrive within 30 s | 408 | ours |
//! | the message cannot be stored | 503, `Retry-After` | documented (status) |
//! | Profile-enabled: several primary identities; a record without identity | bad | ours |
//! | Profile-enabled, not Identity-enabled | the primary (else the first) identity counts, none are linked | ours |
//!
//! What is refused before there is a message (404, 405, 408, 413, 415, 429, 503) is not kept; every
//! other refusal is kept among the bad.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::profile::{self, Contribution, Outcome};
use crate::schemas::{Schema, Violation, epoch_ms};

/// Synchronous validation stops after so many errors in a message.
const SYNC_VIOLATIONS: usize = 5;
/// Violations kept with a message.
const KEPT_VIOLATIONS: usize = 50;
/// Ids longer than this, in bytes, are not taken for dataset ids.
const MAX_DATASET_ID: usize = 128;

/// Why a request or a message is refused at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoHeader,
    UnknownFormat,
    WrongOrg,
    UnknownSchema(String),
    NoDataset,
    TooManyDatasets,
    NoEntity,
    NotJson(String),
    NotUtf8,
    NoMessages,
    SyncOnBatch,
    SyncTooOften { retry_after_s: u64 },
    TooLarge,
    TooSlow,
    UnknownInlet,
    Method,
    ContentType,
    NotStored,
}

impl Refusal {
    pub fn status(&self) -> u16 {
        match self {
            Self::NoHeader
            | Self::UnknownFormat
            | Self::WrongOrg
            | Self::NoDataset
            | Self::TooManyDatasets
            | Self::NoEntity
            | Self::NotJson(_)
            | Self::NotUtf8
            | Self::NoMessages
            | Self::SyncOnBatch => 400,
            Self::UnknownInlet => 404,
            Self::Method => 405,
            Self::TooSlow => 408,
            Self::TooLarge => 413,
            Self::ContentType => 415,
            Self::SyncTooOften { .. } => 429,
            Self::UnknownSchema(_) => 500,
            Self::NotStored => 503,
        }
    }

    /// Seconds after which to try again, where it is worth it.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::SyncTooOften { retry_after_s } => Some(*retry_after_s),
            Self::NotStored => Some(1),
            _ => None,
        }
    }

    /// The part of `report.message` that follows inlet and org.
    pub fn text(&self) -> String {
        match self {
            Self::NoHeader => {
                "The 'header' field is mandatory. Provide a valid 'header' value and try again."
            }
            Self::UnknownFormat => "Message has unknown xdm format",
            Self::WrongOrg => "Message has an absent or wrong ims org in the header",
            Self::UnknownSchema(id) => {
                return format!(
                    "Message payload schema is not specified or does not match a known XDM \
                     definition: [{id}]. Put its export into a schemas folder of the inlet and \
                     start it again"
                );
            }
            Self::NoDataset => "Payload header is missing datasetId",
            Self::TooManyDatasets => {
                "Too many datasets: use one that exists, or start with another data folder"
            }
            Self::NoEntity => "Payload body is missing xdmEntity",
            Self::NotJson(reason) => return format!("Message is not valid JSON: {reason}"),
            Self::NotUtf8 => "Message is not valid UTF-8",
            Self::NoMessages => "The 'messages' field is mandatory in a batch and must be an array",
            Self::SyncOnBatch => {
                "syncValidation is only available for single messages: leave it out for a batch"
            }
            Self::SyncTooOften { retry_after_s } => {
                return format!(
                    "Synchronous validation is limited to 60 requests a minute: try again in \
                     {retry_after_s} s, or leave syncValidation out"
                );
            }
            Self::TooLarge => "Payload is larger than 1 MB (1,000,000 bytes): send less at once",
            Self::TooSlow => "The request body did not arrive in time",
            Self::UnknownInlet => "There is no such inlet: start xdm-inlet with --inlet ID",
            Self::Method => "Only POST is accepted here",
            Self::ContentType => "Content-Type must be application/json, without Content-Encoding",
            Self::NotStored => "The message could not be stored: see the inlet's error output",
        }
        .to_owned()
    }

    fn title(&self) -> &'static str {
        match self.status() {
            400 => "Invalid XDM Message Format",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            413 => "Payload Too Large",
            415 => "Unsupported Media Type",
            429 => "Too Many Requests",
            500 => "Internal Server Error",
            _ => "Service Unavailable",
        }
    }
}

/// The inlet a message came to.
#[derive(Clone, Copy, Debug)]
pub struct Inlet<'a> {
    pub id: &'a str,
    pub org: &'a str,
}

impl Inlet<'_> {
    /// `report.message` as the service writes it.
    pub fn report(&self, text: &str) -> String {
        format!("inletId: [{}] imsOrgId: [{}] {text}", self.id, self.org)
    }

    /// The body of an error answer.
    pub fn problem(&self, refusal: &Refusal) -> Value {
        problem(refusal.status(), refusal.title(), json!({"message": self.report(&refusal.text())}))
    }

    /// The body of the answer to a message that failed synchronous validation.
    pub fn sync_problem(&self, violations: &[Violation]) -> Value {
        let causes: Vec<Value> = violations.iter().take(SYNC_VIOLATIONS).map(cause).collect();
        let tree = match causes.len() {
            1 => causes,
            found => vec![json!({
                "schemaLocation": "#",
                "pointerToViolation": "#",
                "causingExceptions": causes,
                "message": format!("{found} schema violations found"),
            })],
        };
        let report = json!({
            "message": self.report("Message is invalid"),
            "cause": {"_streamingValidation": tree},
        });
        problem(400, "Invalid XDM Message Format", report)
    }
}

/// The problem shape of the collection service, for statuses it made up too.
pub fn problem(status: u16, title: &str, report: Value) -> Value {
    json!({
        "type": "http://ns.adobe.com/adobecloud/problem/data-collection-service/inlet",
        "status": status,
        "title": title,
        "report": report,
    })
}

fn cause(violation: &Violation) -> Value {
    // The service points at the object that holds an extraneous key, we at the key itself.
    let pointer = match violation.keyword.as_str() {
        "additionalProperties" => violation.pointer.rsplit_once('/').map_or("", |(parent, _)| parent),
        _ => violation.pointer.as_str(),
    };
    json!({
        "schemaLocation": format!("#{}", violation.schema_location),
        "pointerToViolation": format!("#{pointer}"),
        "causingExceptions": [],
        "keyword": violation.keyword,
        "message": violation.message,
    })
}

/// What the inlet knows of a dataset when a message names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetView {
    pub schema_id: String,
    pub profile: bool,
    pub identity: bool,
}

/// What a verdict looks things up in.
pub trait World {
    fn schema(&self, id: &str) -> Option<Arc<Schema>>;
    /// The dataset, created and bound to `schema_ref` where there is none yet; `None` when there
    /// are too many.
    fn dataset(&self, id: &str, schema_ref: &SchemaRef) -> Option<DatasetView>;
}

/// A `schemaRef` that names a schema in a form the service reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaRef {
    pub id: String,
    /// As the sender wrote it.
    pub content_type: String,
    media: String,
    major: String,
}

impl SchemaRef {
    /// Reads `{id, contentType}`; the content type is one of the XED forms with a `version`.
    pub fn parse(value: &Value) -> Option<Self> {
        let id = value.get("id")?.as_str().filter(|id| !id.is_empty())?;
        let content_type = value.get("contentType")?.as_str()?;
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let form = media.strip_prefix("application/vnd.adobe.")?.strip_suffix("+json")?;
        if !["xed-full", "xed", "xed-full-notext", "xed-notext"].contains(&form) {
            return None;
        }
        let version = parts.find_map(|part| part.strip_prefix("version="))?.trim();
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(major) || !digits(minor) {
            return None;
        }
        Some(Self {
            id: id.to_owned(),
            content_type: content_type.to_owned(),
            major: major.to_owned(),
            media,
        })
    }

    /// Whether both name the same schema in the same form, white space and minor version aside.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.id == other.id && self.media == other.media && self.major == other.major
    }
}

/// What became of one message.
#[derive(Debug, Default)]
pub struct Judged {
    pub dataset_id: Option<String>,
    pub event_type: Option<String>,
    /// The entity's `_id`.
    pub entity_id: Option<String>,
    /// The entity's `timestamp`, epoch ms.
    pub timestamp_ms: Option<i64>,
    /// Refused at once.
    pub refusal: Option<Refusal>,
    /// Why it is bad; with a refusal, that one alone.
    pub violations: Vec<Violation>,
    pub profile: Option<Contribution>,
    /// Valid, but too large for Profile.
    pub dropped_for_size: bool,
    /// Whether the text is JSON.
    pub is_json: bool,
}

impl Judged {
    /// A request refused as a whole.
    pub fn refused(refusal: Refusal) -> Self {
        let is_json = !matches!(refusal, Refusal::NotJson(_) | Refusal::NotUtf8);
        let mut judged = Self { is_json, ..Self::default() };
        judged.refuse(refusal);
        judged
    }

    pub fn is_good(&self) -> bool {
        self.violations.is_empty()
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.violations = vec![Violation::beside_schema("", "envelope", &refusal.text())];
        self.refusal = Some(refusal);
    }
}

/// Judges one message. Never panics, whatever the text.
pub fn judge(text: &str, inlet: Inlet<'_>, world: &impl World) -> Judged {
    let message: Value = match serde_json::from_str(text) {
        Ok(message) => message,
        Err(error) => return Judged::refused(Refusal::NotJson(error.to_string())),
    };
    let mut judged = Judged { is_json: true, ..Judged::default() };
    if let Err(refusal) = examine(&message, inlet, world, &mut judged) {
        judged.refuse(refusal);
    }
    judged
}

fn examine(
    message: &Value,
    inlet: Inlet<'_>,
    world: &impl World,
    judged: &mut Judged,
) -> Result<(), Refusal> {
    let object = |value: &Value, name: &str| value.get(name).filter(|value| value.is_object()).cloned();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let body = message.get("body").filter(|body| body.is_object());
    let entity = body.and_then(|body| body.get("xdmEntity")).filter(|entity| entity.is_object());
    if let Some(entity) = entity {
        judged.event_type = text(entity, "eventType");
        judged.entity_id = text(entity, "_id");
        judged.timestamp_ms = text(entity, "timestamp").and_then(|text| epoch_ms(&text));
    }
    let header = object(message, "header").ok_or(Refusal::NoHeader)?;
    let dataset_id = text(&header, "datasetId").filter(|id| !id.is_empty() && id.len() <= MAX_DATASET_ID);
    judged.dataset_id.clone_from(&dataset_id);
    match header.get("imsOrgId") {
        None => {}
        Some(Value::String(org)) if org == inlet.org => {}
        Some(_) => return Err(Refusal::WrongOrg),
    }
    let body = body.ok_or(Refusal::UnknownFormat)?;
    let meta_ref = body.get("xdmMeta").and_then(|meta| meta.get("schemaRef"));
    let meta_ref = meta_ref.and_then(SchemaRef::parse).ok_or(Refusal::UnknownFormat)?;
    let header_ref = header.get("schemaRef").and_then(SchemaRef::parse);
    let header_ref = header_ref.ok_or(Refusal::UnknownFormat)?;
    if !header_ref.agrees_with(&meta_ref) {
        return Err(Refusal::UnknownFormat);
    }
    let entity = entity.ok_or(Refusal::NoEntity)?;
    let dataset_id = dataset_id.ok_or(Refusal::NoDataset)?;
    let schema = world.schema(&header_ref.id);
    let schema = schema.ok_or_else(|| Refusal::UnknownSchema(header_ref.id.chars().take(200).collect()))?;
    let dataset = world.dataset(&dataset_id, &header_ref).ok_or(Refusal::TooManyDatasets)?;
    if dataset.schema_id != header_ref.id {
        return Err(Refusal::UnknownFormat);
    }
    judged.violations = schema.violations(entity, KEPT_VIOLATIONS);
    if dataset.profile {
        judged.violations.extend(profile::violations(schema.class, entity));
        if judged.is_good() {
            match profile::outcome(schema.class, entity) {
                Outcome::Taken(mut contribution) => {
                    if !dataset.identity {
                        contribution.identities.truncate(1);
                    }
                    judged.profile = Some(contribution);
                }
                Outcome::DroppedForSize => judged.dropped_for_size = true,
                Outcome::Nobody => {}
            }
        }
    }
    Ok(())
}

/// The messages of a batch, each as it was received.
pub fn split_batch(text: &str) -> Result<Vec<&RawValue>, Refusal> {
    #[derive(Deserialize)]
    struct Messages<'a>(#[serde(borrow)] Vec<&'a RawValue>);

    let not_json = |error: serde_json::Error| Refusal::NotJson(error.to_string());
    if !text.trim_start().starts_with('{') {
        // Anything but an object: either no JSON at all, or JSON without messages.
        return match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => Err(Refusal::NoMessages),
            Err(error) => Err(not_json(error)),
        };
    }
    let fields: HashMap<String, &RawValue> = serde_json::from_str(text).map_err(not_json)?;
    let messages = fields.get("messages").ok_or(Refusal::NoMessages)?;
    let messages: Messages<'_> = serde_json::from_str(messages.get()).map_err(|_| Refusal::NoMessages)?;
    Ok(messages.0)
}

/// The text of `xdmEntity` in a stored message.
pub fn entity_text(message: &str) -> Option<&str> {
    let fields = |text| serde_json::from_str::<HashMap<String, &RawValue>>(text).ok();
    let body = fields(message)?.get("body")?.get();
    Some(fields(body)?.get("xdmEntity")?.get())
}

/// Synchronous validation's limit: so many in any 60 seconds, for each inlet.
#[derive(Debug, Default)]
pub struct SyncLimit {
    taken_ms: HashMap<String, std::collections::VecDeque<u64>>,
}

impl SyncLimit {
    const PER_MINUTE: usize = 60;

    /// Takes one of the inlet's requests; otherwise says after how many seconds there is one.
    pub fn take(&mut self, inlet: &str, now_ms: u64) -> Result<(), Refusal> {
        let taken = self.taken_ms.entry(inlet.to_owned()).or_default();
        while taken.front().is_some_and(|oldest| oldest + 60_000 <= now_ms) {
            taken.pop_front();
        }
        match taken.front() {
            Some(oldest) if taken.len() >= Self::PER_MINUTE => Err(Refusal::SyncTooOften {
                retry_after_s: (oldest + 60_000).saturating_sub(now_ms).div_ceil(1000),
            }),
            _ => {
                taken.push_back(now_ms);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schemas::Schemas;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    const EVENTS: &str = "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent";
    const RECORDS: &str = "https://ns.adobe.com/xdmbeacon/schemas/profile-record";
    const FORM: &str = "application/vnd.adobe.xed-full+json;version=1";
    const INLET: Inlet<'_> = Inlet { id: "in", org: "O@AdobeOrg" };

    /// The shipped schemas; datasets `events` and `records` are enabled for Profile and Identity,
    /// `unlinked` for Profile alone, `full` stands for one too many, every other is new.
    struct Shipped(Schemas);

    impl World for Shipped {
        fn schema(&self, id: &str) -> Option<Arc<Schema>> {
            self.0.get(id).cloned()
        }

        fn dataset(&self, id: &str, schema_ref: &SchemaRef) -> Option<DatasetView> {
            let (schema_id, profile, identity) = match id {
                "events" => (EVENTS, true, true),
                "records" => (RECORDS, true, true),
                "unlinked" => (EVENTS, true, false),
                "full" => return None,
                _ => (schema_ref.id.as_str(), false, false),
            };
            Some(DatasetView { schema_id: schema_id.to_owned(), profile, identity })
        }
    }

    fn world() -> &'static Shipped {
        static WORLD: LazyLock<Shipped> = LazyLock::new(|| Shipped(Schemas::shipped().unwrap()));
        &WORLD
    }

    fn message(dataset: &str, schema: &str, entity: Value) -> Value {
        let schema_ref = json!({"id": schema, "contentType": FORM});
        json!({
            "header": {"schemaRef": schema_ref, "imsOrgId": "O@AdobeOrg", "datasetId": dataset},
            "body": {"xdmMeta": {"schemaRef": schema_ref}, "xdmEntity": entity},
        })
    }

    fn event() -> Value {
        json!({"_id": "1", "timestamp": "2026-01-01T00:00:00Z", "eventType": "a.b",
            "identityMap": {"ECID": [{"id": "42", "primary": true}]}})
    }

    fn judged(message: &Value) -> Judged {
        judge(&message.to_string(), INLET, world())
    }

    #[test]
    fn a_good_event_is_described() {
        let judged = judged(&message("events", EVENTS, event()));
        assert!(judged.is_good() && judged.is_json && judged.refusal.is_none());
        assert_eq!(judged.dataset_id.as_deref(), Some("events"));
        assert_eq!(judged.event_type.as_deref(), Some("a.b"));
        assert_eq!(judged.entity_id.as_deref(), Some("1"));
        assert_eq!(judged.timestamp_ms, Some(1_767_225_600_000));
        assert!(judged.profile.is_some());
    }

    /// Every fault of an envelope, as a change to a good message, and its answer.
    #[test]
    fn envelope_faults() {
        let set = |pointer: &str, value: Value| {
            let mut message = message("events", EVENTS, event());
            *message.pointer_mut(pointer).unwrap() = value;
            message
        };
        let without = |parent: &str, key: &str| {
            let mut message = message("events", EVENTS, event());
            message.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            message
        };
        let form = |text: &str| {
            let mut message = message("events", EVENTS, event());
            message["header"]["schemaRef"]["contentType"] = json!(text);
            message["body"]["xdmMeta"]["schemaRef"]["contentType"] = json!(text);
            message
        };
        let unknown = || Refusal::UnknownFormat;
        let cases = [
            (json!(3), Refusal::NoHeader),
            (json!([]), Refusal::NoHeader),
            (json!({}), Refusal::NoHeader),
            (without("", "header"), Refusal::NoHeader),
            (set("/header", json!("text")), Refusal::NoHeader),
            (without("", "body"), unknown()),
            (set("/body", Value::Null), unknown()),
            (without("/body", "xdmMeta"), unknown()),
            (without("/body/xdmMeta", "schemaRef"), unknown()),
            (without("/header", "schemaRef"), unknown()),
            (without("/header/schemaRef", "contentType"), unknown()),
            (without("/header/schemaRef", "id"), unknown()),
            (set("/header/schemaRef/id", json!("")), unknown()),
            (set("/header/schemaRef/id", json!(RECORDS)), unknown()),
            (
                set(
                    "/body/xdmMeta/schemaRef/contentType",
                    json!("application/vnd.adobe.xed-full+json;version=2"),
                ),
                unknown(),
            ),
            (form("application/json"), unknown()),
            (form("application/vnd.adobe.xdm+json;version=1"), unknown()),
            (form("application/vnd.adobe.xed-full+json"), unknown()),
            (form("application/vnd.adobe.xed-full+json;version=one"), unknown()),
            (message("records", EVENTS, event()), unknown()),
            (set("/header/imsOrgId", json!("other@AdobeOrg")), Refusal::WrongOrg),
            (set("/header/imsOrgId", json!("")), Refusal::WrongOrg),
            (set("/header/imsOrgId", Value::Null), Refusal::WrongOrg),
            (without("/body", "xdmEntity"), Refusal::NoEntity),
            (set("/body/xdmEntity", json!([])), Refusal::NoEntity),
            (without("/header", "datasetId"), Refusal::NoDataset),
            (set("/header/datasetId", json!(5)), Refusal::NoDataset),
            (set("/header/datasetId", json!("")), Refusal::NoDataset),
            (set("/header/datasetId", json!("d".repeat(129))), Refusal::NoDataset),
            (message("full", EVENTS, event()), Refusal::TooManyDatasets),
            (
                message("new", "https://ns.adobe.com/t/schemas/1", event()),
                Refusal::UnknownSchema("https://ns.adobe.com/t/schemas/1".to_owned()),
            ),
        ];
        for (message, refusal) in cases {
            let judged = judged(&message);
            assert_eq!(judged.refusal.as_ref(), Some(&refusal), "{message}");
            assert_eq!(judged.violations.len(), 1);
            assert!(judged.profile.is_none());
        }
    }

    #[test]
    fn what_the_docs_let_through() {
        let mut absent_org = message("events", EVENTS, event());
        absent_org["header"].as_object_mut().unwrap().remove("imsOrgId");
        let mut more = message("events", EVENTS, event());
        more["header"]["createdAt"] = json!(1);
        more["header"]["flowId"] = json!("f");
        more["body"]["xdmMeta"]["schemaRef"]["contentType"] =
            json!("application/vnd.adobe.xed-full+json; version=1.0");
        for message in [absent_org, more, message("new", EVENTS, event())] {
            assert!(judged(&message).is_good(), "{message}");
        }
        for form in ["xed-full", "xed", "xed-full-notext", "xed-notext"] {
            for version in [";version=1", "; version=1.0"] {
                let content_type = format!("application/vnd.adobe.{form}+json{version}");
                let parsed = SchemaRef::parse(&json!({"id": "i", "contentType": content_type}));
                assert!(parsed.is_some(), "{content_type}");
            }
        }
    }

    #[test]
    fn entities_are_judged_without_being_refused() {
        let with = |changes: Value| {
            let mut entity = event();
            for (key, value) in changes.as_object().unwrap() {
                entity[key] = value.clone();
            }
            entity
        };
        let primaries = json!({"A": [{"id": "1", "primary": true}], "B": [{"id": "2", "primary": true}]});
        let cases = [
            (message("events", EVENTS, with(json!({"typo": 1}))), "/typo", "additionalProperties"),
            (message("events", EVENTS, with(json!({"eventType": null}))), "/eventType", "type"),
            (
                message("events", EVENTS, with(json!({"timestamp": "2026-01-01T00:00:00"}))),
                "/timestamp",
                "format",
            ),
            (
                message("events", EVENTS, with(json!({"timestamp": "2026-01-01t00:00:00Z"}))),
                "/timestamp",
                "format",
            ),
            (message("events", EVENTS, json!({"timestamp": "2026-01-01T00:00:00Z"})), "", "required"),
            (
                message("events", EVENTS, with(json!({"identityMap": primaries}))),
                "/identityMap",
                "identityMap",
            ),
            (message("records", RECORDS, json!({})), "", "identityMap"),
        ];
        for (message, pointer, keyword) in cases {
            let judged = judged(&message);
            assert_eq!(judged.refusal, None, "{message}");
            let found: Vec<_> =
                judged.violations.iter().map(|v| (v.pointer.as_str(), v.keyword.as_str())).collect();
            assert_eq!(found, [(pointer, keyword)], "{message}");
        }
    }

    #[test]
    fn identities_are_linked_where_the_dataset_is_enabled_for_it() {
        let mut entity = event();
        entity["identityMap"] = json!({"A": [{"id": "1"}], "B": [{"id": "2", "primary": true}]});
        let namespaces = |dataset: &str| -> Vec<String> {
            let contribution = judged(&message(dataset, EVENTS, entity.clone())).profile;
            contribution
                .map_or(vec![], |taken| taken.identities.into_iter().map(|one| one.namespace).collect())
        };
        assert_eq!(namespaces("events"), ["B", "A"]);
        assert_eq!(namespaces("unlinked"), ["B"]);
        assert_eq!(namespaces("new"), [""; 0]);
    }

    #[test]
    fn large_events_are_good_and_not_for_profile() {
        let mut entity = event();
        entity["web"] = json!({"webPageDetails": {"name": "x".repeat(10_000)}});
        let judged = judged(&message("events", EVENTS, entity));
        assert!(judged.is_good() && judged.dropped_for_size && judged.profile.is_none());
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let deep_entity =
            format!("{{\"body\":{{\"xdmEntity\":{}1{}}}}}", "{\"a\":".repeat(200), "}".repeat(200));
        for text in ["", "{", "nonsense", "{\"a\":\"\\ud800\"}", "\"\u{0}\"", "1e999", &deep, &deep_entity] {
            let judged = judge(text, INLET, world());
            assert!(matches!(judged.refusal, Some(Refusal::NotJson(_))), "{text}");
            assert!(!judged.is_json);
        }
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let good = message("events", EVENTS, event()).to_string();
        let twice = good.replace("\"_id\":\"1\"", "\"_id\":1,\"_id\":\"2\"");
        let judged = judge(&twice, INLET, world());
        assert!(judged.is_good());
        assert_eq!(judged.entity_id.as_deref(), Some("2"));
    }

    #[test]
    fn batches_are_split_as_received() {
        let parts = |text| {
            split_batch(text).map(|parts| parts.iter().map(|part| part.get().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(parts(r#"{"messages":[ {"a": 1} , 2,"x"]}"#).unwrap(), [r#"{"a": 1}"#, "2", "\"x\""]);
        assert_eq!(parts(r#"{"messages":[]}"#).unwrap(), [""; 0]);
        assert_eq!(parts(r#"{"messages":1,"messages":[1]}"#).unwrap(), ["1"]);
        for text in ["{}", "[]", "3", r#"{"messages":{}}"#, r#"{"messages":null}"#] {
            assert_eq!(parts(text).unwrap_err(), Refusal::NoMessages, "{text}");
        }
        for text in ["", "{", "[1", r#"{"messages":[1}"#] {
            assert!(matches!(parts(text).unwrap_err(), Refusal::NotJson(_)), "{text}");
        }
    }

    #[test]
    fn entity_text_is_as_received() {
        let text = r#"{"body": {"xdmEntity": { "a" : 1.0 }}}"#;
        assert_eq!(entity_text(text), Some(r#"{ "a" : 1.0 }"#));
        for text in ["", "{}", "[]", r#"{"body":1}"#, r#"{"body":{}}"#] {
            assert_eq!(entity_text(text), None);
        }
    }

    #[test]
    fn one_violation_stands_alone_and_more_hang_together() {
        let violation = |pointer: &str| Violation::beside_schema(pointer, "additionalProperties", "m");
        let tree = |found: &[Violation]| {
            INLET.sync_problem(found)["report"]["cause"]["_streamingValidation"].clone()
        };
        let one = tree(&[violation("/a/b")]);
        assert_eq!(one[0]["pointerToViolation"], "#/a");
        assert_eq!(one[0]["keyword"], "additionalProperties");
        let many: Vec<_> = (0..9).map(|n| violation(&format!("/{n}"))).collect();
        let many = tree(&many);
        assert_eq!(many[0]["message"], "5 schema violations found");
        assert_eq!(many[0]["causingExceptions"].as_array().unwrap().len(), 5);
        assert_eq!(many[0]["causingExceptions"][0]["pointerToViolation"], "#");
    }

    #[test]
    fn the_sync_limit_slides() {
        let mut limit = SyncLimit::default();
        for n in 0..60 {
            assert_eq!(limit.take("a", n * 100), Ok(()));
        }
        assert_eq!(limit.take("a", 6_000), Err(Refusal::SyncTooOften { retry_after_s: 54 }));
        assert_eq!(limit.take("b", 6_000), Ok(()));
        assert_eq!(limit.take("a", 59_999), Err(Refusal::SyncTooOften { retry_after_s: 1 }));
        assert_eq!(limit.take("a", 60_000), Ok(()));
        assert_eq!(limit.take("a", 60_050), Err(Refusal::SyncTooOften { retry_after_s: 1 }));
        assert_eq!(limit.take("a", 60_100), Ok(()));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let names = prop::sample::select(vec![
            "header",
            "body",
            "schemaRef",
            "id",
            "contentType",
            "imsOrgId",
            "datasetId",
            "xdmMeta",
            "xdmEntity",
            "identityMap",
            "primary",
            "_id",
            "timestamp",
            "messages",
            "x/~",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
            Just(json!(EVENTS)),
            Just(json!(FORM)),
            Just(json!("2026-01-01T00:00:00Z")),
        ];
        leaf.prop_recursive(6, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names.clone(), inner), 0..8).prop_map(|fields| fields
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_get_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = String::from_utf8_lossy(&bytes);
            let judged = judge(&text, INLET, world());
            prop_assert!(!judged.is_good());
            let _ = split_batch(&text);
            let _ = entity_text(&text);
        }

        #[test]
        fn any_json_gets_a_verdict(envelope in any_json(), entity in any_json()) {
            prop_assert!(!judged(&envelope).is_good());
            let judged = judged(&message("events", EVENTS, entity.clone()));
            prop_assert_eq!(judged.refusal.is_some(), !entity.is_object());
            let _ = INLET.sync_problem(&judged.violations);
        }

        #[test]
        fn a_good_message_cut_or_changed_anywhere_gets_a_verdict(at in 0_usize..600, byte in any::<u8>()) {
            let mut bytes = message("events", EVENTS, event()).to_string().into_bytes();
            let at = at % bytes.len();
            let cut = String::from_utf8_lossy(&bytes[..at]).into_owned();
            prop_assert!(!judge(&cut, INLET, world()).is_good());
            bytes[at] = byte;
            let _ = judge(&String::from_utf8_lossy(&bytes), INLET, world());
        }
    }
}
