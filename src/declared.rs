//! Pure: `data-` attributes of the script tag as options of `configure`.
//!
//! Every plain option is an attribute in kebab-case, nested ones joined: `data-org-id`,
//! `data-schema-id`, `data-delivery-transport`. The browser hands them over in camelCase
//! (`dataset.schemaId`). An attribute that is not in the table belongs to somebody else (frameworks
//! mark script tags with their own) and is passed over.

use crate::fault::{Fault, Reason};
use crate::json;
use crate::xdm::mapping;

enum Kind {
    Text,
    Flag,
    Number,
    /// Words parted by white space; the empty attribute is the empty list.
    List,
    /// Text, or the word `null`.
    TextOrNull,
    /// Any JSON.
    Json,
}

/// Attribute (camelCase), option path, kind.
const ATTRIBUTES: &[(&str, &str, Kind)] = &[
    ("endpoint", "endpoint", Kind::Text),
    ("batchEndpoint", "batchEndpoint", Kind::TextOrNull),
    ("orgId", "orgId", Kind::Text),
    ("datasetId", "datasetId", Kind::Text),
    ("schemaId", "schema.id", Kind::Text),
    ("schemaContentType", "schema.contentType", Kind::Text),
    ("flowId", "flowId", Kind::Text),
    ("sourceName", "sourceName", Kind::Text),
    ("profileDatasetId", "profile.datasetId", Kind::Text),
    ("profileSchemaId", "profile.schema.id", Kind::Text),
    ("profileSchemaContentType", "profile.schema.contentType", Kind::Text),
    ("profileIdentityPath", "profile.identityPath", Kind::Text),
    ("context", "context", Kind::List),
    ("consentDefault", "consent.default", Kind::Text),
    ("consentStorageKey", "consent.storageKey", Kind::Text),
    ("consentGlobalPrivacyControl", "consent.globalPrivacyControl", Kind::Flag),
    ("consentTcfFollow", "consent.tcf.follow", Kind::Flag),
    ("consentTcfVendorId", "consent.tcf.vendorId", Kind::Number),
    ("privacyRedact", "privacy.redact", Kind::Flag),
    ("privacyParameters", "privacy.parameters", Kind::List),
    ("privacyPatterns", "privacy.patterns", Kind::List),
    ("identityFirstPartyNamespace", "identity.firstParty.namespace", Kind::Text),
    ("identityFirstPartyStorage", "identity.firstParty.storage", Kind::Text),
    ("identityFirstPartyMaxAgeDays", "identity.firstParty.maxAgeDays", Kind::Number),
    ("identityFirstPartyDomain", "identity.firstParty.domain", Kind::Text),
    ("identityReadEcid", "identity.readEcid", Kind::Flag),
    ("identityPrimary", "identity.primary", Kind::Text),
    ("track", "track", Kind::List),
    ("trackingDownloadLinkQualifier", "tracking.downloadLinkQualifier", Kind::Text),
    ("trackingInternalDomains", "tracking.internalDomains", Kind::List),
    ("trackingHashRoutes", "tracking.hashRoutes", Kind::Flag),
    ("trackingPathsRestored", "tracking.paths.restored", Kind::Text),
    ("trackingPathsForms", "tracking.paths.forms", Kind::Text),
    ("trackingPathsEngagement", "tracking.paths.engagement", Kind::Text),
    ("trackingPathsErrors", "tracking.paths.errors", Kind::Text),
    ("trackingPathsWebVitals", "tracking.paths.webVitals", Kind::Text),
    ("dataLayerName", "dataLayer.name", Kind::Text),
    ("dataLayerKind", "dataLayer.kind", Kind::Text),
    ("dataLayerMapping", "dataLayer.mapping", Kind::Json),
    ("deliveryTransport", "delivery.transport", Kind::Text),
    ("deliveryMaxBatchEvents", "delivery.maxBatchEvents", Kind::Number),
    ("deliveryMaxBatchBytes", "delivery.maxBatchBytes", Kind::Number),
    ("deliveryMaxWaitMs", "delivery.maxWaitMs", Kind::Number),
    ("deliveryMaxStoredBytes", "delivery.maxStoredBytes", Kind::Number),
    ("deliveryMaxAgeHours", "delivery.maxAgeHours", Kind::Number),
    ("deliveryMode", "delivery.mode", Kind::Text),
    ("deliverySequencePath", "delivery.sequencePath", Kind::Text),
    ("deliveryStorage", "delivery.storage", Kind::Flag),
    ("deliverySyncValidation", "delivery.syncValidation", Kind::Flag),
    ("debug", "debug", Kind::Flag),
];

/// Turns the script element's `dataset`, as JSON text, into the options of `configure`, as JSON text.
///
/// # Errors
/// When `dataset` is not a JSON object of strings.
pub fn options(dataset: &str) -> Result<String, Fault> {
    let mut flat = String::from("{");
    for member in json::members(dataset) {
        let (attribute, raw) = member?;
        let Some((_, path, kind)) = ATTRIBUTES.iter().find(|(name, ..)| *name == attribute) else {
            continue;
        };
        if flat.len() > 1 {
            flat.push(',');
        }
        json::push_string(&mut flat, path);
        flat.push(':');
        let text = json::string(raw).ok_or_else(|| Fault::at(Reason::NotAString, attribute))?;
        match (kind, text.trim()) {
            (Kind::Flag, "" | "true") => flat.push_str("true"),
            (Kind::Flag, "false") => flat.push_str("false"),
            (Kind::TextOrNull, "null") => flat.push_str("null"),
            (Kind::List, words) => {
                flat.push('[');
                for (index, word) in words.split_whitespace().enumerate() {
                    if index > 0 {
                        flat.push(',');
                    }
                    json::push_string(&mut flat, word);
                }
                flat.push(']');
            }
            (Kind::Number, number) if json::integer(number).is_some() => flat.push_str(number),
            (Kind::Json, raw) if json::valid(raw) => flat.push_str(raw),
            // What is none of its kind goes on as text, so that `configure` names it as faulty.
            (Kind::Text | Kind::Flag | Kind::Number | Kind::TextOrNull | Kind::Json, text) => {
                json::push_string(&mut flat, text)
            }
        }
    }
    flat.push('}');
    mapping::nest(&flat)
}
