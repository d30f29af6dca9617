//! The commands, end to end in memory: options in, messages and settled promises out.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::Moment;
use xdm_beacon::command::Verdict;
use xdm_beacon::delivery::{Answer, PageEvent, Ticket, Transport};
use xdm_beacon::time::{Millis, rfc3339};

const NOT_CONFIGURED: (&str, &str) = ("not-configured", "must be configured first: call 'configure' before");
const CONFIGURED_TWICE: (&str, &str) =
    ("configured-twice", "may only be configured once: remove the second call");
const UNKNOWN_COMMAND: (&str, &str) = (
    "unknown-command",
    "is not a command: use configure, sendEvent, sendProfile, setConsent, getIdentity, appendIdentityToUrl, flush, getStatus, setDebug or getLibraryInfo",
);
const NO_PROFILE_DATASET: (&str, &str) =
    ("no-profile-dataset", "is required: name it here or set 'profile' in 'configure'");
const NOT_A_PRIORITY: (&str, &str) = ("not-a-priority", "must be \"high\", \"normal\" or \"low\"");
const NOT_MILLISECONDS: (&str, &str) =
    ("not-milliseconds", "must be a whole number of milliseconds, 0 to 2147483647");
const NOT_A_TIMESTAMP: (&str, &str) =
    ("not-a-timestamp", "must be a time like 2026-11-24T03:49:50.123Z or 2026-11-24T04:49:50+01:00");
const NOT_AN_ID: (&str, &str) =
    ("not-an-id", "must hold only characters that a URI may have (no spaces; a colon only after a scheme)");
const TOO_LARGE: (&str, &str) = ("too-large", "is larger than 1 MB: send less");

const COMMANDS: [&str; 10] = [
    "configure",
    "sendEvent",
    "sendProfile",
    "setConsent",
    "getIdentity",
    "appendIdentityToUrl",
    "flush",
    "getStatus",
    "setDebug",
    "getLibraryInfo",
];
/// Nothing was counted yet.
const NOTHING: fn() -> Value = || {
    json!({
        "accepted": 0, "consent": "in", "pending": 0, "queued": 0, "inFlight": 0, "handedOver": 0, "stored": 0, "delivered": 0,
        "dropped": { "rejected": 0, "expired": 0, "evicted": 0, "consent": 0, "unanswered": 0, "cancelled": 0 },
        "timestampsCorrected": 0,
        "redacted": 0,
        "engineRestarts": 0,
        "parked": 0,
        "outbox": { "events": 0, "bytes": 0, "durable": true, "dropped": 0 },
    })
};

/// A tag without context, so that an event holds what the test put there. An event waits for no company:
/// it is sent at the end of the task of its call, as long as two requests are not under way.
fn plain() -> Tag {
    plain_with(json!({}))
}

/// The same with more options of `delivery`.
fn plain_with(delivery: Value) -> Tag {
    let mut all = json!({ "maxWaitMs": 0 });
    all.as_object_mut().unwrap().extend(delivery.as_object().unwrap().clone());
    Tag::configured(json!({ "context": [], "profile": profile(), "delivery": all }))
}

fn answer(status: u16, body: &str) -> Answer<'_> {
    Answer::Response { status, body, retry_after: "" }
}

// ---------------------------------------------------------------------------------------------
// Calls that are refused.

#[test]
fn an_unknown_command_is_named_before_and_after_configure() {
    for mut tag in [Tag::bare(), plain()] {
        for command in ["sendevent", "track", "undefined", "[object Object]", "setconsent"] {
            assert_eq!(tag.outcome(command, json!({})), refusal(command, UNKNOWN_COMMAND));
        }
        assert_eq!(tag.outcome("", json!({})), refusal("", UNKNOWN_COMMAND));
    }
}

#[test]
fn every_command_but_configure_waits_for_configure() {
    for command in &COMMANDS[1..] {
        for options in ["", "{}", "{\"unknown\":1}"] {
            assert_eq!(Tag::bare().outcome_text(command, options), refusal(command, NOT_CONFIGURED));
        }
    }
}

#[test]
fn configure_is_done_once_and_a_failed_one_does_not_count() {
    let mut tag = Tag::bare();
    assert_eq!(tag.outcome("configure", json!({})), refusal("endpoint", MISSING));
    assert_eq!(tag.outcome("getStatus", json!({})), refusal("getStatus", NOT_CONFIGURED));
    assert_eq!(tag.outcome("configure", configuration()), Ok(json!({})));
    for options in [configuration(), json!({}), json!(null)] {
        assert_eq!(tag.outcome("configure", options), refusal("configure", CONFIGURED_TWICE));
    }
}

#[test]
fn messages_start_with_the_name_of_the_instance() {
    use xdm_beacon::command::Birth;
    let mut tag = Tag::born(Birth { name: String::from("shop"), ..birth() });
    let (code, message) = tag.outcome("flush", json!({})).unwrap_err();
    assert_eq!(code, "not-configured");
    assert_eq!(message, "shop: 'flush' must be configured first: call 'configure' before");
}

#[test]
fn options_as_a_whole_are_an_object_or_left_out() {
    for command in COMMANDS {
        for (kind, value) in one_of_each_kind() {
            if kind != "object" {
                let mut tag = if command == "configure" { Tag::bare() } else { plain() };
                let outcome = tag.outcome(command, value);
                assert_eq!(outcome, refusal("options", NOT_AN_OBJECT), "{command} given {kind}");
            }
        }
    }
    // Left out: where nothing is required, nothing is missed.
    for (command, path, reason) in [
        ("configure", "options", NOT_AN_OBJECT),
        ("sendProfile", "xdm", MISSING),
        ("setConsent", "options", NOT_AN_OBJECT),
        ("appendIdentityToUrl", "options", NOT_AN_OBJECT),
        ("setDebug", "options", NOT_AN_OBJECT),
    ] {
        let mut tag = if command == "configure" { Tag::bare() } else { plain() };
        assert_eq!(tag.outcome_text(command, ""), refusal(path, reason), "{command}");
    }
    for command in ["getIdentity", "flush", "getStatus", "getLibraryInfo"] {
        assert!(plain().outcome_text(command, "").is_ok(), "{command}");
    }
    let mut tag = plain();
    tag.call_text("sendEvent", "", None);
    assert_eq!(tag.sent.len(), 1);
}

#[test]
fn an_option_that_a_command_does_not_know_is_named() {
    let table: [(&str, &[&str]); 9] = [
        ("setConsent", &["identityMap", "Consent"]),
        ("sendEvent", &["renderDecisions", "Type", "xdm ", "schemaRef", "schema.version"]),
        ("sendProfile", &["type", "timestamp", "priority", "documentUnloading", "data", "schema.version"]),
        ("getIdentity", &["namespaces", "url"]),
        ("appendIdentityToUrl", &["href", "namespaces"]),
        ("flush", &["timeoutMs", "enabled"]),
        ("getStatus", &["timeout", "outbox"]),
        ("setDebug", &["debug", "level"]),
        ("getLibraryInfo", &["name"]),
    ];
    for (command, paths) in table {
        for path in paths {
            for (kind, value) in one_of_each_kind() {
                // What is null was left out, but for commands that have no such thing as leaving out.
                let outcome = plain().call_and_see(command, with(json!({}), path, value));
                let left_out = kind == "null" && matches!(command, "sendEvent" | "sendProfile");
                let nested = path.contains('.');
                if left_out && !nested {
                    assert_ne!(outcome, Some(refusal(path, UNKNOWN_OPTION)), "{command} {path} null");
                } else {
                    assert_eq!(outcome, Some(refusal(path, UNKNOWN_OPTION)), "{command} {path} given {kind}");
                }
            }
        }
    }
}

#[test]
fn each_option_refuses_every_kind_but_its_own() {
    type Row = (&'static str, &'static str, (&'static str, &'static str), &'static [&'static str]);
    // What stands for nothing (null, and in the event also {} and []) is left out, not refused.
    let table: [Row; 25] = [
        ("sendEvent", "type", NOT_A_STRING, &["string", "null", "array", "object"]),
        ("sendEvent", "xdm", NOT_AN_OBJECT, &["object", "null"]),
        ("sendEvent", "mapping", NOT_AN_OBJECT, &["object", "null"]),
        ("sendEvent", "identityMap", NOT_AN_OBJECT, &["object", "null", "array"]),
        ("sendEvent", "timestamp", NOT_A_STRING, &["string", "null", "array", "object"]),
        ("sendEvent", "datasetId", NOT_A_STRING, &["string", "null"]),
        ("sendEvent", "schema", NOT_AN_OBJECT, &["object", "null"]),
        ("sendEvent", "schema.id", NOT_A_STRING, &["string"]),
        ("sendEvent", "priority", NOT_A_PRIORITY, &["null"]),
        ("sendEvent", "documentUnloading", NOT_A_BOOLEAN, &["boolean", "null"]),
        ("sendEvent", "xdm.identityMap", NOT_AN_OBJECT, &["object", "null", "array"]),
        ("sendEvent", "xdm._id", NOT_A_STRING, &["string", "null", "array", "object"]),
        ("sendEvent", "xdm.timestamp", NOT_A_STRING, &["string", "null", "array", "object"]),
        ("sendEvent", "xdm.eventType", NOT_A_STRING, &["string", "null", "array", "object"]),
        ("sendEvent", "mapping._id", NOT_A_STRING, &["string", "null", "array", "object"]),
        ("sendProfile", "xdm", NOT_AN_OBJECT, &["object", "null"]),
        ("sendProfile", "mapping", NOT_AN_OBJECT, &["object", "null"]),
        ("sendProfile", "identityMap", NOT_AN_OBJECT, &["object", "null", "array"]),
        ("sendProfile", "datasetId", NOT_A_STRING, &["string", "null"]),
        ("sendProfile", "schema", NOT_AN_OBJECT, &["object", "null"]),
        ("sendProfile", "schema.id", NOT_A_STRING, &["string"]),
        ("appendIdentityToUrl", "url", NOT_A_STRING, &["string"]),
        ("flush", "timeout", NOT_MILLISECONDS, &[]),
        ("setConsent", "consent", NOT_AN_ARRAY, &["array"]),
        ("setDebug", "enabled", NOT_A_BOOLEAN, &["boolean"]),
    ];
    for (command, path, reason, right) in table {
        for (kind, value) in one_of_each_kind() {
            if !right.contains(&kind) {
                let mut tag = plain();
                let before = tag.status();
                let outcome = tag.outcome(command, with(json!({}), path, value));
                assert_eq!(outcome, refusal(path, reason), "{command} {path} given {kind}");
                assert_eq!(tag.sent.len(), 0);
                assert_eq!(tag.status(), before, "nothing is counted");
            }
        }
    }
    let schema = json!({ "schema": { "id": "s", "contentType": 5 } });
    for command in ["sendEvent", "sendProfile"] {
        assert_eq!(plain().outcome(command, schema.clone()), refusal("schema.contentType", NOT_A_STRING));
    }
}

#[test]
fn what_is_null_was_left_out() {
    let mut tag = plain();
    for option in [
        "type",
        "xdm",
        "mapping",
        "identityMap",
        "timestamp",
        "datasetId",
        "schema",
        "priority",
        "documentUnloading",
    ] {
        tag.call("sendEvent", json!({ option: null }));
        let expected = json!({ "_id": generated_id(tag.sent.len() as u8), "timestamp": rfc3339(NOW) });
        assert_eq!(tag.entity(), expected, "{option}");
        tag.deliver();
    }
}

#[test]
fn values_that_are_none_of_their_option() {
    for (command, path, value, reason) in [
        ("sendEvent", "datasetId", json!(""), EMPTY),
        ("sendEvent", "schema.id", json!(""), EMPTY),
        ("sendProfile", "datasetId", json!(""), EMPTY),
        ("sendEvent", "schema", json!({}), MISSING),
        ("sendProfile", "schema", json!({ "contentType": "x" }), MISSING),
        ("sendEvent", "priority", json!("urgent"), NOT_A_PRIORITY),
        ("sendEvent", "priority", json!(""), NOT_A_PRIORITY),
        ("sendEvent", "timestamp", json!("yesterday"), NOT_A_TIMESTAMP),
        ("sendEvent", "timestamp", json!("2026-11-24T03:49:50"), NOT_A_TIMESTAMP),
        ("sendEvent", "xdm.timestamp", json!("2026-11-24 03:49:50Z"), NOT_A_TIMESTAMP),
        ("sendEvent", "xdm._id", json!("a b"), NOT_AN_ID),
        ("flush", "timeout", json!(-1), NOT_MILLISECONDS),
        ("flush", "timeout", json!(2_147_483_648_u32), NOT_MILLISECONDS),
        ("flush", "timeout", json!("100"), NOT_MILLISECONDS),
        ("flush", "timeout", json!(1e300), NOT_MILLISECONDS),
    ] {
        let path_missed = if reason == MISSING { format!("{path}.id") } else { String::from(path) };
        let outcome = plain().outcome(command, with(json!({}), path, value.clone()));
        assert_eq!(outcome, refusal(&path_missed, reason), "{command} {path} {value}");
    }
    assert_eq!(plain().outcome("setDebug", json!({})), refusal("enabled", MISSING));
    for priority in ["high", "normal", "low"] {
        let mut tag = plain();
        tag.call("sendEvent", json!({ "priority": priority }));
        assert_eq!(tag.sent.len(), 1);
        assert_eq!(tag.entity().get("priority"), None);
    }
}

#[test]
fn faults_deep_in_an_event_are_named_by_their_path() {
    let crm = |identities: Value| json!({ "CRM": identities });
    for (options, path, code) in [
        (
            json!({ "xdm": { "identityMap": crm(json!([{ "id": 5 }])) } }),
            "xdm.identityMap.CRM[0].id",
            "not-a-string",
        ),
        (
            json!({ "identityMap": crm(json!([{ "id": "a" }, { "primary": true }])) }),
            "identityMap.CRM[1].id",
            "missing",
        ),
        (
            json!({ "mapping": { "identityMap.CRM[0].id": "a", "identityMap.CRM[0].state": "x" } }),
            "mapping.identityMap.CRM[0].state",
            "unknown-key",
        ),
        (
            json!({ "xdm": { "productListItems": [{ "SKU": "a" }, {}] } }),
            "xdm.productListItems[1]",
            "empty-element",
        ),
        (json!({ "mapping": { "a[1].b": 1 } }), "mapping.a[1].b", "index-gap"),
        (json!({ "mapping": { "a": 1, "a.b": 1 } }), "mapping.a.b", "path-conflict"),
        (json!({ "mapping": { "a..b": 1 } }), "mapping.a..b", "empty-segment"),
        (json!({ "mapping": { "__proto__.x": 1 } }), "mapping.__proto__.x", "unsafe-key"),
    ] {
        for command in ["sendEvent", "sendProfile"] {
            let (found, message) = plain().outcome(command, options.clone()).unwrap_err();
            assert_eq!(found, code, "{command} {options}");
            let start = format!("xdmBeacon: '{path}' ");
            assert!(message.starts_with(&start), "{message} starts with {start}");
        }
    }
}

#[test]
fn a_record_says_whose_it_is() {
    const NO_IDENTITY: (&str, &str) = (
        "no-identity",
        "is required, since a record belongs to somebody: add it, or name the schema's own identity field in 'profile.identityPath'",
    );
    let named = || json!({ "name": { "firstName": "Ada" }, "birthYear": 1815 });
    let crm = || json!({ "CRM": [{ "id": "1" }] });
    let address = || json!({ "city": "Zurich" });
    let email = || json!({ "address": "ada@example.com" });
    let consents = || json!({ "collect": { "val": "y" } });
    let other_schema = || json!({ "id": "https://ns.adobe.com/acme/schemas/other" });
    let own = "_acme.customer.ids[1]";
    // `profile.identityPath`, options of `sendProfile`, and whether the record is sent.
    for (path, options, sent) in [
        // By its identity map, wherever that comes from.
        (None, json!({ "xdm": { "person": named(), "identityMap": crm() } }), true),
        (None, json!({ "xdm": { "person": named() }, "identityMap": crm() }), true),
        (None, json!({ "mapping": { "person.birthYear": 1815, "identityMap.CRM[0].id": "1" } }), true),
        (Some(own), json!({ "xdm": { "person": named() }, "identityMap": crm() }), true),
        // Without one, where any field may be the schema's own identity: never by one that many share.
        (None, json!({ "xdm": { "person": named() } }), false),
        (
            None,
            json!({ "xdm": { "person": named(), "homeAddress": address(), "consents": consents() } }),
            false,
        ),
        (None, json!({ "xdm": { "workAddress": address() } }), false),
        (None, json!({ "xdm": { "preferredLanguage": "de-CH", "timeZone": "Europe/Zurich" } }), false),
        (None, json!({ "mapping": { "person.name.firstName": "Ada" } }), false),
        (None, json!({ "xdm": { "person": named(), "personalEmail": email() } }), true),
        (None, json!({ "xdm": { "person": named(), "mobilePhone": { "number": "1" } } }), true),
        (None, json!({ "xdm": { "person": named(), "personID": "1" } }), true),
        (None, json!({ "xdm": { "person": named(), "loyalty": { "loyaltyID": ["1"] } } }), true),
        (None, json!({ "xdm": { "person": named(), "_acme": { "customerID": "1" } } }), true),
        // An empty one is none.
        (None, json!({ "xdm": { "person": named(), "identityMap": {} } }), false),
        (None, json!({ "xdm": { "person": named(), "identityMap": { "CRM": [] } } }), false),
        (None, json!({ "xdm": { "person": named(), "identityMap": crm() }, "identityMap": [] }), false),
        (None, json!({ "xdm": { "person": named(), "_acme": { "customerID": "" } } }), false),
        // By the field that is known for it.
        (
            Some(own),
            json!({ "xdm": { "person": named(), "_acme": { "customer": { "ids": ["0", "1"] } } } }),
            true,
        ),
        (
            Some(own),
            json!({ "xdm": { "person": named(), "_acme": { "customer": { "ids": ["0", 1] } } } }),
            true,
        ),
        (
            Some(own),
            json!({ "mapping": { "_acme.customer.ids[0]": "0", "_acme.customer.ids[1]": "1" } }),
            true,
        ),
        (
            Some(own),
            json!({ "xdm": { "person": named(), "_acme": { "customer": { "ids": ["0"] } } } }),
            false,
        ),
        (Some(own), json!({ "xdm": { "_acme": { "customer": { "ids": { "1": "1" } } } } }), false),
        (Some(own), json!({ "xdm": { "_acme": { "customer": "1" } } }), false),
        (Some(own), json!({ "xdm": { "_acme": { "customer": { "ids": ["0", { "id": "1" }] } } } }), false),
        (Some(own), json!({ "xdm": { "_acme": { "customer": { "ids": ["0", true] } } } }), false),
        (Some("person.name.firstName"), json!({ "xdm": { "person": named() } }), true),
        (Some(own), json!({ "xdm": { "person": named(), "personalEmail": email() } }), false),
        // It is known for one schema alone.
        (Some(own), json!({ "xdm": { "personalEmail": email() }, "schema": other_schema() }), true),
        (Some(own), json!({ "xdm": { "person": named() }, "schema": other_schema() }), false),
        (Some(own), json!({ "xdm": { "personalEmail": email() }, "schema": profile()["schema"] }), false),
    ] {
        let mut profile = profile();
        if let Some(path) = path {
            profile["identityPath"] = json!(path);
        }
        let mut tag = Tag::configured(json!({ "profile": profile }));
        let outcome = tag.call_and_see("sendProfile", options.clone());
        let expected = (!sent).then(|| refusal("identityMap", NO_IDENTITY));
        assert_eq!(outcome, expected, "{path:?} {options}");
        assert_eq!(tag.sent.len(), usize::from(sent));
        assert_eq!(tag.status()["accepted"], usize::from(sent));
    }
}

#[test]
fn text_that_is_no_json_is_refused() {
    for options in ["{", "{\"type\"}", "{\"type\":}", "{\"type\":\"a\"", "{} {}", "{\"type\":\"a\",}"] {
        let (code, _) = plain().outcome_text("sendEvent", options).unwrap_err();
        assert_eq!(code, "not-json", "{options}");
    }
}

// ---------------------------------------------------------------------------------------------
// Events and records on their way.

#[test]
fn an_event_goes_out_in_the_documented_envelope() {
    let mut tag = Tag::configured(json!({ "context": [], "flowId": "f-1", "sourceName": "Web \"shop\"" }));
    tag.call("sendEvent", json!({ "type": "web.webpagedetails.pageViews", "xdm": { "web": { "webPageDetails": { "name": "Mugs" } } } }));
    let schema = json!({ "id": "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent", "contentType": CONTENT_TYPE });
    let (url, _) = tag.sent.last().unwrap();
    assert_eq!(url, ENDPOINT);
    assert_eq!(
        tag.message(),
        json!({
            "header": {
                "schemaRef": schema,
                "imsOrgId": "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
                "datasetId": "65f1a2b3c4d5e6f708192a3b",
                "flowId": "f-1",
                "source": { "name": "Web \"shop\"" },
            },
            "body": {
                "xdmMeta": { "schemaRef": schema },
                "xdmEntity": {
                    "_id": generated_id(1),
                    "timestamp": "2026-11-24T03:49:50.123Z",
                    "web": { "webPageDetails": { "name": "Mugs" } },
                    "eventType": "web.webpagedetails.pageViews",
                },
            },
        })
    );

    // Without flow and source neither key is there.
    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    let header = tag.message()["header"].clone();
    let keys: Vec<&String> = header.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["schemaRef", "imsOrgId", "datasetId"]);
}

#[test]
fn an_event_may_go_to_another_dataset_and_schema() {
    let own = json!({ "id": "https://ns.adobe.com/acme/schemas/2", "contentType": "application/vnd.adobe.xed-full+json;version=2" });
    let default = json!({ "id": "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent", "contentType": CONTENT_TYPE });
    for (options, dataset, schema) in [
        (json!({}), "65f1a2b3c4d5e6f708192a3b", &default),
        (json!({ "datasetId": "other" }), "other", &default),
        (json!({ "schema": own }), "65f1a2b3c4d5e6f708192a3b", &own),
        (json!({ "datasetId": "other", "schema": own }), "other", &own),
    ] {
        let mut tag = plain();
        tag.call("sendEvent", options);
        let message = tag.message();
        assert_eq!(message["header"]["datasetId"], dataset);
        assert_eq!(&message["header"]["schemaRef"], schema);
        assert_eq!(&message["body"]["xdmMeta"]["schemaRef"], schema);
        // The next event goes where `configure` said.
        tag.call("sendEvent", json!({}));
        assert_eq!(tag.message()["header"]["datasetId"], "65f1a2b3c4d5e6f708192a3b");
        assert_eq!(tag.message()["header"]["schemaRef"], default);
    }
    // A schema without a content type has the usual one.
    let mut tag = plain();
    tag.call("sendEvent", json!({ "schema": { "id": "s" } }));
    assert_eq!(tag.message()["header"]["schemaRef"], json!({ "id": "s", "contentType": CONTENT_TYPE }));
}

#[test]
fn a_profile_record_goes_to_its_dataset_with_nothing_added() {
    let xdm = json!({ "personID": "1", "person": { "name": { "firstName": "Ada" } } });
    let mut tag = Tag::configured(json!({ "profile": profile() }));
    let ticket = tag.call("sendProfile", json!({ "xdm": xdm }));
    let message = tag.message();
    let schema =
        json!({ "id": "https://ns.adobe.com/xdmbeacon/schemas/profile-record", "contentType": CONTENT_TYPE });
    assert_eq!(message["header"]["datasetId"], "65f1a2b3c4d5e6f708192a3c");
    assert_eq!(message["header"]["schemaRef"], schema);
    assert_eq!(message["body"]["xdmMeta"]["schemaRef"], schema);
    assert_eq!(message["body"]["xdmEntity"], xdm, "no _id, no timestamp, no context");
    tag.deliver();
    assert_eq!(tag.result(ticket), Ok(json!({ "status": "delivered" })));

    let mut tag = plain();
    tag.call(
        "sendProfile",
        json!({
            "mapping": { "person.name.firstName": "Ada" },
            "identityMap": { "CRM": [{ "id": "1", "primary": true }] },
            "datasetId": "other",
            "schema": { "id": "s", "contentType": "t" },
        }),
    );
    let message = tag.message();
    assert_eq!(message["header"]["datasetId"], "other");
    assert_eq!(message["header"]["schemaRef"], json!({ "id": "s", "contentType": "t" }));
    assert_eq!(
        message["body"]["xdmEntity"],
        json!({
            "person": { "name": { "firstName": "Ada" } },
            "identityMap": { "CRM": [{ "id": "1", "primary": true }] },
        })
    );
}

#[test]
fn a_profile_record_needs_a_dataset_a_schema_and_something_to_say() {
    let xdm = json!({ "personID": "1", "person": { "name": { "firstName": "Ada" } } });
    let schema = json!({ "id": "s" });
    let mut tag = Tag::configured(json!({}));
    for (options, missed) in [
        (json!({ "xdm": xdm }), Some("datasetId")),
        (json!({ "xdm": xdm, "schema": schema }), Some("datasetId")),
        (json!({ "xdm": xdm, "datasetId": "d" }), Some("schema")),
        (json!({ "xdm": xdm, "datasetId": "d", "schema": schema }), None),
    ] {
        let outcome = tag.call_and_see("sendProfile", options);
        assert_eq!(outcome, missed.map(|path| refusal(path, NO_PROFILE_DATASET)));
    }
    for options in [json!({}), json!({ "xdm": {} }), json!({ "xdm": { "person": { "name": {} } } })] {
        assert_eq!(plain().outcome("sendProfile", options), refusal("xdm", MISSING));
    }
}

#[test]
fn later_sources_win_over_earlier_ones() {
    let mut tag = Tag::configured(json!({}));
    tag.call(
        "sendEvent",
        json!({
            "type": "from.type",
            "timestamp": "2026-11-24T03:00:00Z",
            "identityMap": { "CRM": [{ "id": "call" }] },
            "mapping": {
                "eventType": "from.mapping",
                "timestamp": "2026-11-24T01:00:00Z",
                "_id": "from-mapping",
                "web.webPageDetails.name": "mapping",
                "web.webPageDetails.siteSection": "mapping",
                "web.webPageDetails.server": "mapping",
                "device.screenWidth": 1,
                "identityMap.CRM[0].id": "mapping",
                "identityMap.Email[0].id": "mapping",
                "productListItems[0].SKU": "mapping-0",
                "productListItems[1].SKU": "mapping-1",
            },
            "xdm": {
                "eventType": "from.xdm",
                "timestamp": "2026-11-24T02:00:00Z",
                "_id": "from-xdm",
                "web": { "webPageDetails": { "siteSection": "xdm", "server": null } },
                "device": { "screenHeight": 2 },
                "productListItems": [{ "SKU": "xdm-0" }],
            },
        }),
    );
    let entity = tag.entity();
    for (pointer, value) in [
        ("/_id", json!("from-xdm")),
        ("/timestamp", json!("2026-11-24T03:00:00Z")),
        ("/eventType", json!("from.type")),
        // context, under mapping, under xdm
        ("/web/webPageDetails/URL", json!("https://shop.example/mugs?colour=blue#top")),
        ("/web/webPageDetails/name", json!("mapping")),
        ("/web/webPageDetails/siteSection", json!("xdm")),
        ("/device/screenWidth", json!(1)),
        ("/device/screenHeight", json!(2)),
        ("/device/screenOrientation", json!("landscape")),
        // arrays are taken whole
        ("/productListItems", json!([{ "SKU": "xdm-0" }])),
        ("/identityMap", json!({ "CRM": [{ "id": "call" }], "Email": [{ "id": "mapping" }] })),
    ] {
        assert_eq!(entity.pointer(pointer), Some(&value), "{pointer}");
    }
    // An empty value takes an earlier one away.
    assert_eq!(entity.pointer("/web/webPageDetails/server"), None);
}

#[test]
fn id_and_timestamp_are_kept_as_given_or_made() {
    let sent = |options: Value| {
        let mut tag = plain();
        let ticket = tag.call("sendEvent", options);
        let entity = tag.entity();
        tag.deliver();
        let outcome = tag.result(ticket).unwrap();
        assert_eq!(outcome["id"], entity["_id"]);
        assert_eq!(outcome["timestamp"], entity["timestamp"]);
        (entity["_id"].clone(), entity["timestamp"].clone())
    };
    let (made_id, made_time) = (json!(generated_id(1)), json!("2026-11-24T03:49:50.123Z"));
    let given_time = json!("2019-01-25T16:29:46.27Z");
    for (options, id, timestamp) in [
        (json!({}), &made_id, &made_time),
        (json!({ "xdm": { "_id": "", "timestamp": null } }), &made_id, &made_time),
        (json!({ "xdm": { "_id": "370327773583" } }), &json!("370327773583"), &made_time),
        (json!({ "mapping": { "_id": "a/b" } }), &json!("a/b"), &made_time),
        (json!({ "timestamp": given_time }), &made_id, &given_time),
        (json!({ "xdm": { "timestamp": given_time } }), &made_id, &given_time),
        (json!({ "mapping": { "timestamp": given_time } }), &made_id, &given_time),
    ] {
        assert_eq!(sent(options), (id.clone(), timestamp.clone()));
    }
    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    let first = tag.entity()["_id"].clone();
    tag.call("sendEvent", json!({}));
    assert_ne!(tag.entity()["_id"], first);
}

#[test]
fn a_replayed_call_speaks_of_its_own_moment() {
    let moment = Moment {
        now: NOW - 5_000,
        url: String::from("https://shop.example/before"),
        title: String::from("Before"),
        referrer: String::from("https://ads.example/"),
    };
    let mut tag = Tag::configured(json!({ "delivery": { "maxWaitMs": 0 } }));
    tag.call_text("sendEvent", "{}", Some(moment));
    let entity = tag.entity();
    assert_eq!(entity["timestamp"], "2026-11-24T03:49:45.123Z");
    assert_eq!(
        entity["web"]["webPageDetails"],
        json!({ "URL": "https://shop.example/before", "name": "Before" })
    );
    assert_eq!(entity["web"]["webReferrer"], json!({ "URL": "https://ads.example/", "type": "external" }));
    assert_eq!(entity["placeContext"]["localTime"], "2026-11-24T04:49:45.123+01:00");

    tag.call("sendEvent", json!({}));
    let entity = tag.entity();
    assert_eq!(entity["timestamp"], "2026-11-24T03:49:50.123Z");
    assert_eq!(entity["web"]["webPageDetails"]["name"], "Mugs");
}

/// The legacy extension's payloads, as captured, come out of `mapping` alone.
#[test]
fn the_old_extensions_payloads_come_out_again() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let v2 = (include_str!("golden/legacy/v2-mapping.json"), include_str!("golden/legacy/v2-payload.json"));
    let v1 = (include_str!("golden/legacy/v1-mapping.json"), include_str!("golden/legacy/v1-payload.json"));
    let message = |input: &str| {
        let input = parse(input);
        let mut tag = Tag::bare();
        let options = with(input["configure"].clone(), "endpoint", json!(ENDPOINT));
        assert_eq!(tag.outcome("configure", options), Ok(json!({})));
        tag.call("sendEvent", json!({ "mapping": input["mapping"] }));
        tag.message()
    };
    assert_eq!(message(v2.0), parse(v2.1));
    assert_eq!(message(v1.0)["body"]["xdmEntity"], parse(v1.1)["body"]["xdmEntity"]);
}

#[test]
fn an_outcome_tells_the_fate_and_nothing_else() {
    let sent = |more: Value| {
        let mut outcome = json!({ "id": generated_id(1), "timestamp": "2026-11-24T03:49:50.123Z" });
        outcome.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        outcome
    };
    for (given, expected) in [
        (answer(200, "{}"), json!({ "status": "delivered" })),
        (answer(207, "rubbish"), json!({ "status": "delivered" })),
        (
            answer(400, r#"{"title":"No"}"#),
            json!({ "status": "dropped", "reason": "rejected", "detail": "No" }),
        ),
        (answer(404, ""), json!({ "status": "dropped", "reason": "rejected" })),
        // What may yet be delivered waits in the outbox.
        (answer(503, "<html>"), json!({ "status": "stored" })),
        (answer(429, ""), json!({ "status": "stored" })),
        (Answer::Unreachable, json!({ "status": "stored" })),
        (Answer::TimedOut, json!({ "status": "stored" })),
    ] {
        for disk in [true, false] {
            let mut tag = plain_with(json!({ "storage": disk }));
            let ticket = tag.call("sendEvent", json!({}));
            assert!(!tag.settled.contains_key(&ticket), "it waits for the answer");
            tag.answer(tag.sent[0].1.id, given);
            if given == Answer::Unreachable {
                assert!(!tag.settled.contains_key(&ticket), "it may be the page's own end");
                tag.wait(100);
            }
            assert_eq!(tag.result(ticket), Ok(sent(expected.clone())), "{given:?}, disk {disk}");
        }
    }

    let mut tag = plain();
    let leaving = tag.outcome("sendEvent", json!({ "documentUnloading": true }));
    assert_eq!(leaving, Ok(sent(json!({ "status": "handedOver" }))));

    let mut tag = plain_with(json!({ "transport": "beacon" }));
    let beacon = tag.call("sendEvent", json!({ "documentUnloading": true }));
    assert!(!tag.settled.contains_key(&beacon), "it waits for the browser's word");
    tag.answer(tag.sent[0].1.id, Answer::BeaconTaken);
    assert_eq!(tag.result(beacon), Ok(sent(json!({ "status": "handedOver" }))));

    // One that the browser refused goes another way.
    let mut tag = plain_with(json!({ "transport": "beacon" }));
    let beacon = tag.call("sendEvent", json!({ "documentUnloading": true }));
    tag.answer(tag.sent[0].1.id, Answer::BeaconRefused);
    assert_eq!(transport_of(&tag), Transport::Keepalive);
    tag.deliver();
    assert_eq!(tag.result(beacon), Ok(sent(json!({ "status": "delivered" }))));
}

#[test]
fn an_event_goes_at_the_end_of_its_task_and_later_ones_wait_for_company() {
    let mut tag = Tag::configured(json!({}));
    let first = tag.call_within_task("sendEvent", "{}", None);
    let second = tag.call_within_task("sendEvent", "{}", None);
    assert_eq!(tag.sent.len(), 0, "the task goes on");
    tag.wait(0);
    assert_eq!(tag.sent.len(), 1, "both go together");
    assert!(tag.sent[0].0.contains("/collection/batch/"));
    assert_eq!(tag.sent[0].1.body.matches("\"_id\"").count(), 2);
    tag.deliver();
    for ticket in [first, second] {
        assert_eq!(tag.result(ticket).unwrap()["status"], "delivered");
    }

    tag.call("sendEvent", json!({}));
    tag.wait(249);
    assert_eq!(tag.sent.len(), 1);
    tag.wait(1);
    assert_eq!(tag.sent.len(), 2);
    assert_eq!(tag.sent[1].0, ENDPOINT);
}

#[test]
fn a_silent_endpoint_does_not_hold_a_promise_up_that_is_safe() {
    for disk in [true, false] {
        let mut tag = plain_with(json!({ "storage": disk }));
        let ticket = tag.call("sendEvent", json!({}));
        tag.wait(1_999);
        assert!(tag.waiting.contains(&ticket));
        tag.wait(1);
        assert_eq!(tag.result(ticket).unwrap()["status"], "stored", "disk {disk}");
        // The answer moves the count.
        assert_eq!(tag.status()["inFlight"], 1);
        tag.deliver();
        assert_eq!(tag.status()["delivered"], 1);
    }
}

#[test]
fn promises_in_flight_settle_with_their_own_outcome() {
    let mut tag = plain();
    let send = |n: usize, tag: &mut Tag| {
        let ticket = tag.call("sendEvent", json!({ "xdm": { "_id": format!("e{n}") } }));
        (ticket, tag.sent.last().unwrap().1.id)
    };
    let (zero, one) = (send(0, &mut tag), send(1, &mut tag));
    tag.answer(one.1, answer(404, ""));
    let two = send(2, &mut tag);
    tag.answer(two.1, answer(500, ""));
    tag.answer(zero.1, answer(200, ""));
    for (n, (ticket, _), status) in [(0, zero, "delivered"), (1, one, "dropped"), (2, two, "stored")] {
        let outcome = tag.result(ticket).unwrap();
        assert_eq!((&outcome["id"], &outcome["status"]), (&json!(format!("e{n}")), &json!(status)));
    }
}

#[test]
fn a_page_that_left_before_configure_is_still_leaving() {
    let back = PageEvent::Restored { owner: String::from("second") };
    for (leaves, comes_back) in [(PageEvent::Hidden, PageEvent::Shown), (PageEvent::Leaving, back)] {
        let mut tag = Tag::bare();
        tag.page_event(leaves);
        tag.configure(json!({ "context": [] }));
        assert_eq!(tag.outcome("sendEvent", json!({})).unwrap()["status"], "handedOver");
        tag.page_event(comes_back);
        let ticket = tag.call("sendEvent", json!({}));
        assert!(tag.waiting.contains(&ticket));
    }
}

#[test]
fn a_page_that_was_offline_before_configure_sends_once_it_is_not() {
    let mut tag = Tag::bare();
    tag.page_event(PageEvent::Offline);
    tag.configure(json!({}));
    tag.call("sendEvent", json!({}));
    assert_eq!(tag.sent.len(), 0);
    tag.page_event(PageEvent::Online);
    assert_eq!(tag.sent.len(), 1);
}

#[test]
fn the_outbox_is_opened_under_the_pages_name_and_led_by_one_per_place() {
    let place = format!("{ENDPOINT} 0A1B2C3D4E5F60718293A4B5@AdobeOrg");
    let mut tag = plain();
    assert_eq!(tag.opened, [(String::from(OWNER), place.clone())]);
    tag.page_event(PageEvent::Leaving);
    tag.page_event(PageEvent::Restored { owner: String::from("second") });
    assert_eq!(tag.opened[1..], [(String::from("second"), place)]);

    // Each message lies under the page's name and random digits of its own.
    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    tag.call("sendProfile", json!({ "xdm": { "a": 1 } }));
    let keys: Vec<&str> = tag.disk.as_ref().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["life/0101010101010101", "life/0202020202020202"]);

    // With storage off nothing is opened, written or remembered.
    let mut tag = plain_with(json!({ "storage": false }));
    tag.call("sendEvent", json!({}));
    tag.deliver();
    tag.page_event(PageEvent::Leaving);
    assert_eq!(tag.opened, []);
    assert_eq!(tag.disk, Some(Default::default()));
    assert!(tag.handoffs.is_empty() && tag.page.memory.borrow().is_empty());
    assert_eq!(tag.status()["outbox"]["durable"], false);
}

#[test]
fn what_one_page_of_a_tab_remembers_the_next_one_trusts() {
    let mut first = plain();
    first.call("sendEvent", json!({}));
    first.deliver();
    for (memory, gone) in [(first.page.memory.take(), true), (Default::default(), false)] {
        let mut tag = Tag::bare();
        *tag.page.memory.borrow_mut() = memory;
        tag.configure(json!({}));
        tag.page_event(PageEvent::Hidden);
        tag.call("sendEvent", json!({}));
        // Taken as delivered, or to be sent once more.
        let handoff = tag.handoffs.get(OWNER).cloned().unwrap_or_default();
        let copies = handoff.matches("\"message\":").count() + tag.disk.as_ref().unwrap().len();
        assert_eq!(copies, usize::from(!gone), "{handoff}");
    }
}

// ---------------------------------------------------------------------------------------------
// The number in the sequence of events.

#[test]
fn each_accepted_event_says_where_in_the_sequence_it_stands() {
    let path = "_acme.collection.sequence";
    let mut tag = plain_with(json!({ "sequencePath": path }));
    let at = |tag: &Tag| tag.entity().pointer("/_acme/collection/sequence").cloned();
    let number = |number: u32| Some(json!({ "session": OWNER, "number": number }));
    tag.call("sendEvent", json!({}));
    assert_eq!(at(&tag), number(1));
    tag.deliver();
    // A refused event takes no number: neither one that is at fault, nor one that is too large.
    tag.outcome("sendEvent", json!({ "type": 5 })).unwrap_err();
    let huge = json!({ "xdm": { "a": "x".repeat(1_000_000) } });
    assert_eq!(tag.outcome("sendEvent", huge), refusal("sendEvent", TOO_LARGE));
    // A record has none.
    tag.call("sendProfile", json!({ "xdm": { "a": 1 } }));
    assert_eq!(tag.entity(), json!({ "a": 1 }));
    tag.deliver();
    // It wins over what the page puts there, and what stands beside it stays.
    let own = json!({ "collection": { "sequence": { "number": 99, "more": true }, "beside": 1 } });
    tag.call("sendEvent", json!({ "xdm": { "_acme": own } }));
    let sequence = json!({ "number": 2, "more": true, "session": OWNER });
    let expected = json!({ "collection": { "sequence": sequence, "beside": 1 } });
    assert_eq!(tag.entity()["_acme"], expected);
    tag.deliver();
    // Restored from the cache the page lives under another name, and the numbers go on.
    tag.page_event(PageEvent::Leaving);
    tag.page_event(PageEvent::Restored { owner: String::from("second") });
    tag.call("sendEvent", json!({}));
    assert_eq!(at(&tag), Some(json!({ "session": "second", "number": 3 })));

    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    assert_eq!(tag.entity().as_object().unwrap().len(), 2, "without the option it is not there");
}

#[test]
fn the_transport_of_configure_and_the_browser_decide_how_it_goes() {
    for (transport, keepalive, expected) in [
        ("auto", true, Transport::Keepalive),
        ("auto", false, Transport::Beacon),
        ("beacon", true, Transport::Beacon),
        ("fetch", true, Transport::Keepalive),
        ("fetch", false, Transport::Fetch),
    ] {
        let mut tag = Tag::bare();
        tag.page.keepalive = keepalive;
        tag.configure(json!({ "delivery": { "transport": transport } }));
        tag.call("sendEvent", json!({ "documentUnloading": true }));
        assert_eq!(transport_of(&tag), expected, "{transport}, keepalive {keepalive}");
    }
}

// ---------------------------------------------------------------------------------------------
// Clocks.

const HOUR: Millis = 3_600_000;

/// A tag whose endpoint has answered once, with a clock that is so far from the page's.
fn with_clock(skew: Millis) -> Tag {
    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    tell_clock(&mut tag, skew);
    tag
}

fn tell_clock(tag: &mut Tag, skew: Millis) {
    let body = format!(r#"{{"receivedTimeMs":{}}}"#, tag.page.moment.now + skew);
    let request = *tag.open.first().expect("a request is open");
    tag.answer(request, answer(200, &body));
}

/// Sends an event; the answer is the timestamp as sent, and how many were corrected until now.
fn timestamp_of(tag: &mut Tag, options: Value) -> (String, u64) {
    let ticket = tag.call("sendEvent", options);
    let sent = tag.entity()["timestamp"].as_str().unwrap().to_owned();
    tag.deliver();
    assert_eq!(tag.result(ticket).unwrap()["timestamp"], sent, "the outcome tells what was sent");
    (sent, tag.status()["timestampsCorrected"].as_u64().unwrap())
}

#[test]
fn before_any_answer_a_timestamp_stays_as_it_is() {
    let mut tag = plain();
    assert_eq!(timestamp_of(&mut tag, json!({})), (rfc3339(NOW), 0));
    let far = "2099-01-01T00:00:00Z";
    assert_eq!(timestamp_of(&mut tag, json!({ "timestamp": far })), (String::from(far), 0));
}

#[test]
fn a_timestamp_ahead_of_the_endpoints_clock_becomes_the_endpoints_now() {
    let mut tag = with_clock(-2 * HOUR);
    let endpoint_now = rfc3339(NOW - 2 * HOUR);
    assert_eq!(timestamp_of(&mut tag, json!({})), (endpoint_now.clone(), 1));
    assert_eq!(
        timestamp_of(&mut tag, json!({ "timestamp": "2099-01-01T00:00:00+05:45" })),
        (endpoint_now, 2)
    );
    // The page's clock goes on, and the endpoint's with it.
    tag.page.moment.now += 1_000;
    assert_eq!(timestamp_of(&mut tag, json!({})), (rfc3339(NOW + 1_000 - 2 * HOUR), 3));
    // What is in the endpoint's past is nobody's business.
    let past = "2026-11-24T01:00:00Z";
    assert_eq!(timestamp_of(&mut tag, json!({ "timestamp": past })), (String::from(past), 3));
    // Nothing else of the event changes.
    tag.call("sendEvent", json!({ "xdm": { "_id": "a", "eventType": "t" } }));
    let expected = json!({ "_id": "a", "timestamp": rfc3339(NOW + 1_000 - 2 * HOUR), "eventType": "t" });
    assert_eq!(tag.entity(), expected);
    // A later answer sets the clock anew.
    tell_clock(&mut tag, 0);
    assert_eq!(timestamp_of(&mut tag, json!({})), (rfc3339(NOW + 1_000), 4));
}

#[test]
fn up_to_a_minute_ahead_is_left_alone() {
    for (skew, corrected) in
        [(2 * HOUR, false), (0, false), (-59_000, false), (-60_000, false), (-60_001, true), (-61_000, true)]
    {
        let mut tag = with_clock(skew);
        let expected = if corrected { (rfc3339(NOW + skew), 1) } else { (rfc3339(NOW), 0) };
        assert_eq!(timestamp_of(&mut tag, json!({})), expected, "{skew}");
    }
    // The same with a timestamp of the caller's.
    for (ahead, corrected) in [(60_000, false), (60_001, true)] {
        let mut tag = with_clock(0);
        let given = rfc3339(NOW + ahead);
        let expected = if corrected { (rfc3339(NOW), 1) } else { (given.clone(), 0) };
        assert_eq!(timestamp_of(&mut tag, json!({ "timestamp": given })), expected, "{ahead}");
    }
}

#[test]
fn records_have_no_time_to_correct() {
    let mut tag = with_clock(-2 * HOUR);
    let record = json!({ "_repo": { "createDate": "2099-01-01T00:00:00Z" } });
    tag.call("sendProfile", json!({ "xdm": record }));
    assert_eq!(tag.entity(), record);
    assert_eq!(tag.status()["timestampsCorrected"], 0);
}

#[test]
fn an_absurd_clock_does_no_harm() {
    for received in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
        let mut tag = plain();
        tag.call("sendEvent", json!({}));
        tag.answer(tag.sent[0].1.id, answer(200, &format!(r#"{{"receivedTimeMs":{received}}}"#)));
        let (timestamp, _) = timestamp_of(&mut tag, json!({}));
        assert!(xdm_beacon::time::parse_rfc3339(&timestamp).is_some(), "{received}: {timestamp}");
    }
}

// ---------------------------------------------------------------------------------------------
// Sizes.

/// An event whose message has exactly so many bytes; `filler` is the text it is filled with.
fn event_of(bytes: usize, filler: &str) -> Value {
    let event =
        |name: String| json!({ "xdm": { "_id": "a", "web": { "webPageDetails": { "name": name } } } });
    let mut tag = plain();
    tag.call("sendEvent", event(String::from("x")));
    let room = bytes - (tag.sent[0].1.body.len() - 1);
    let mut name = filler.repeat(room / filler.len());
    name.extend(std::iter::repeat_n('x', room - name.len()));
    event(name)
}

#[test]
fn a_message_above_a_megabyte_of_utf8_is_refused_and_not_counted() {
    for filler in ["x", "\u{e4}", "\u{20ac}", "\u{1f375}"] {
        let mut tag = plain();
        tag.call("sendEvent", event_of(1_000_000, filler));
        assert_eq!(tag.sent.len(), 1, "{filler}");
        assert_eq!(tag.sent[0].1.body.len(), 1_000_000);
        assert_eq!(transport_of(&tag), Transport::Fetch);
        tag.deliver();
        let before = tag.status();
        assert_eq!(before["delivered"], 1);

        assert_eq!(tag.outcome("sendEvent", event_of(1_000_001, filler)), refusal("sendEvent", TOO_LARGE));
        assert_eq!(tag.sent.len(), 1);
        assert_eq!(tag.status(), before);
    }
    let record = json!({ "xdm": { "personID": "\u{e4}".repeat(500_000) } });
    assert_eq!(plain().outcome("sendProfile", record), refusal("sendProfile", TOO_LARGE));
}

#[test]
fn a_refused_message_corrects_no_timestamp() {
    let mut tag = with_clock(-2 * HOUR);
    let before = tag.status();
    assert_eq!(tag.outcome("sendEvent", event_of(1_000_001, "x")), refusal("sendEvent", TOO_LARGE));
    assert_eq!(tag.status(), before);
}

#[test]
fn debug_warns_of_entities_that_profile_drops() {
    let entity_bytes = |tag: &Tag| {
        let body = &tag.sent.last().unwrap().1.body;
        let start = body.find("\"xdmEntity\":").unwrap() + "\"xdmEntity\":".len();
        body.len() - start - "}}".len()
    };
    let event = |bytes: usize| {
        let mut tag = plain();
        tag.call("sendEvent", event_of(20_000, "\u{e4}"));
        event_of(20_000 + bytes - entity_bytes(&tag), "\u{e4}")
    };
    let mut tag = plain();
    tag.call("sendEvent", event(10_001));
    assert_eq!((entity_bytes(&tag), &tag.logs[..]), (10_001, &[][..]), "silent with debug off");
    tag.deliver();

    tag.outcome("setDebug", json!({ "enabled": true })).unwrap();
    tag.call("sendEvent", event(10_000));
    assert_eq!((entity_bytes(&tag), &tag.logs[..]), (10_000, &[][..]), "exactly the limit");
    tag.deliver();
    tag.call("sendEvent", event(10_001));
    assert_eq!(
        tag.logs,
        [
            "xdmBeacon: the entity has 10001 bytes; Real-Time Customer Profile drops it above 10000 (the data lake keeps it): send fewer fields"
        ]
    );
    assert_eq!(tag.sent.len(), 3, "a warning stops nothing");

    tag.outcome("setDebug", json!({ "enabled": false })).unwrap();
    tag.call("sendEvent", event(20_000));
    assert_eq!(tag.logs.len(), 1);

    // Records have ten times the room.
    let record = |bytes: usize| json!({ "xdm": { "a": "x".repeat(bytes - "{\"a\":\"\"}".len()) } });
    let mut tag = Tag::configured(json!({ "profile": profile(), "debug": true }));
    tag.call("sendProfile", record(100_000));
    assert_eq!(tag.logs, [""; 0]);
    tag.call("sendProfile", record(100_001));
    assert_eq!(
        tag.logs,
        [
            "xdmBeacon: the entity has 100001 bytes; Real-Time Customer Profile drops it above 100000 (the data lake keeps it): send fewer fields"
        ]
    );
}

#[test]
fn debug_tells_of_refusals_and_silence_is_the_default() {
    let refused = "xdmBeacon: 'type' must be a string";
    let mut tag = plain();
    tag.outcome("sendEvent", json!({ "type": 5 })).unwrap_err();
    assert_eq!(tag.logs, [""; 0]);
    assert_eq!(tag.outcome("setDebug", json!({ "enabled": true })), Ok(json!({})));
    tag.outcome("sendEvent", json!({ "type": 5 })).unwrap_err();
    assert_eq!(tag.logs, [refused]);
    assert_eq!(tag.outcome("setDebug", json!({ "enabled": false })), Ok(json!({})));
    tag.outcome("sendEvent", json!({ "type": 5 })).unwrap_err();
    assert_eq!(tag.logs, [refused]);

    let mut tag = Tag::configured(json!({ "debug": true }));
    tag.outcome("sendEvent", json!({ "type": 5 })).unwrap_err();
    assert_eq!(tag.logs, [refused]);
    assert_eq!(Tag::bare().outcome("flush", json!({})), refusal("flush", NOT_CONFIGURED));
}

// ---------------------------------------------------------------------------------------------
// flush, getStatus, getLibraryInfo.

#[test]
fn an_idle_flush_resolves_at_once() {
    let mut tag = plain();
    assert_eq!(tag.outcome("flush", json!({})), Ok(json!({ "delivered": 0, "stored": 0 })));
    tag.call("sendEvent", json!({}));
    tag.deliver();
    assert_eq!(tag.outcome("flush", json!({ "timeout": 0 })), Ok(json!({ "delivered": 0, "stored": 0 })));
    tag.call("sendEvent", json!({}));
    tag.answer(tag.sent[1].1.id, answer(400, ""));
    assert_eq!(tag.outcome("flush", json!({})), Ok(json!({ "delivered": 0, "stored": 0 })));
}

#[test]
fn a_flush_sends_what_waits_for_company() {
    let mut tag = Tag::configured(json!({ "delivery": { "maxWaitMs": 2_147_483_647 } }));
    tag.call("sendEvent", json!({}));
    tag.call("sendEvent", json!({}));
    tag.call("sendEvent", json!({}));
    assert_eq!(tag.sent.len(), 1);
    let flush = tag.call("flush", json!({}));
    assert_eq!(tag.sent.len(), 2);
    tag.deliver();
    tag.deliver();
    assert_eq!(tag.result(flush), Ok(json!({ "delivered": 3, "stored": 0 })));
}

#[test]
fn a_flush_resolves_after_the_last_answer() {
    let mut tag = plain();
    for _ in 0..3 {
        tag.call("sendEvent", json!({}));
    }
    tag.deliver();
    let flush = tag.call("flush", json!({}));
    assert_eq!(tag.timers, [(flush, 10_000)]);
    tag.deliver();
    assert!(tag.waiting.contains(&flush));
    tag.answer(*tag.open.first().unwrap(), answer(404, ""));
    // Delivered since the call: neither the one before it nor the one that was dropped.
    assert_eq!(tag.result(flush), Ok(json!({ "delivered": 1, "stored": 0 })));
    // Its timer comes too late to settle it again.
    tag.time_out_flush(flush);
}

#[test]
fn a_flush_resolves_at_its_timeout_with_what_came_until_then() {
    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    tag.call("sendEvent", json!({}));
    let flush = tag.call("flush", json!({ "timeout": 250 }));
    assert_eq!(tag.timers, [(flush, 250)]);
    tag.deliver();
    tag.time_out_flush(flush);
    assert_eq!(tag.result(flush), Ok(json!({ "delivered": 1, "stored": 0 })));
    tag.deliver();
    assert_eq!(tag.waiting.len(), 0);

    // What could not be sent is in the outbox, and counted there.
    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    tag.answer(tag.sent[0].1.id, answer(503, ""));
    let flush = tag.call("flush", json!({ "timeout": 0 }));
    assert!(tag.waiting.contains(&flush));
    tag.time_out_flush(flush);
    assert_eq!(tag.result(flush), Ok(json!({ "delivered": 0, "stored": 1 })));
}

#[test]
fn several_flushes_each_have_their_own_sum_and_timeout() {
    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    let first = tag.call("flush", json!({ "timeout": 1 }));
    let second = tag.call("flush", json!({ "timeout": 2_147_483_647 }));
    tag.call("sendEvent", json!({}));
    tag.deliver();
    let third = tag.call("flush", json!({ "timeout": 1 }));
    assert_eq!(tag.timers, [(first, 1), (second, 2_147_483_647), (third, 1)]);
    tag.time_out_flush(first);
    assert_eq!(tag.result(first), Ok(json!({ "delivered": 1, "stored": 0 })));
    assert_eq!(tag.waiting.iter().filter(|ticket| [second, third].contains(ticket)).count(), 2);
    tag.deliver();
    assert_eq!(tag.result(second), Ok(json!({ "delivered": 2, "stored": 0 })));
    assert_eq!(tag.result(third), Ok(json!({ "delivered": 1, "stored": 0 })));
}

#[test]
fn the_status_counts_each_event_in_one_place() {
    for disk in [true, false] {
        let mut tag = plain_with(json!({ "storage": disk }));
        let mut expected = NOTHING();
        expected["outbox"]["durable"] = json!(disk);
        assert_eq!(tag.status(), expected);
        for (status, times) in [(200, 3), (400, 2)] {
            for _ in 0..times {
                tag.call("sendEvent", json!({}));
                tag.answer(tag.sent.last().unwrap().1.id, answer(status, ""));
            }
        }
        // Two requests are under way, so the record has to wait.
        tag.call("sendEvent", json!({ "documentUnloading": true }));
        tag.call("sendEvent", json!({}));
        tag.call("sendProfile", json!({ "xdm": { "a": 1 } }));
        // Refused calls are no events.
        tag.outcome("sendEvent", json!({ "type": 5 })).unwrap_err();
        expected["accepted"] = json!(8);
        expected["delivered"] = json!(3);
        expected["dropped"]["rejected"] = json!(2);
        expected["handedOver"] = json!(1);
        expected["inFlight"] = json!(1);
        expected[if disk { "stored" } else { "queued" }] = json!(1);
        if let Some(records) = tag.disk.as_ref().filter(|_| disk) {
            let sizes = records.values().map(|record| {
                let record: Value = serde_json::from_str(record).unwrap();
                record["message"].to_string().len()
            });
            expected["outbox"]["events"] = json!(records.len());
            expected["outbox"]["bytes"] = json!(sizes.sum::<usize>());
        }
        assert_eq!(tag.status(), expected);
        assert_eq!(tag.outcome("getStatus", json!({})), Ok(expected.clone()));

        while !tag.open.is_empty() {
            tag.deliver();
        }
        for key in ["handedOver", "inFlight", "stored", "queued"] {
            expected[key] = json!(0);
        }
        expected["delivered"] = json!(6);
        expected["outbox"]["events"] = json!(0);
        expected["outbox"]["bytes"] = json!(0);
        assert_eq!(tag.status(), expected);
    }
}

#[test]
fn the_status_tells_of_evicted_events_and_of_engines_that_trapped() {
    use xdm_beacon::command::Birth;
    let mut tag = plain();
    tag.call("sendEvent", json!({}));
    let bytes = tag.sent[0].1.body.len();

    let mut tag = Tag::born(Birth { restarts: 1, online: false, ..birth() });
    tag.configure(json!({ "context": [], "delivery": { "maxStoredBytes": 2 * bytes } }));
    let tickets: Vec<Ticket> = (0..3).map(|_| tag.call("sendEvent", json!({}))).collect();
    let evicted = tag.result(tickets[0]).unwrap();
    assert_eq!((&evicted["status"], &evicted["reason"]), (&json!("dropped"), &json!("evicted")));
    let status = tag.status();
    assert_eq!(status["engineRestarts"], 1);
    assert_eq!((&status["accepted"], &status["stored"]), (&json!(3), &json!(2)));
    assert_eq!(status["dropped"]["evicted"], 1);
    let records = (&status["outbox"]["events"], &status["outbox"]["bytes"]);
    assert_eq!(records, (&json!(2), &json!(2 * bytes)));
    assert_eq!(tag.disk.unwrap().len(), 2);
}

#[test]
fn the_library_tells_what_it_is_and_how_it_was_configured() {
    let mut tag = Tag::bare();
    let text = configuration().to_string();
    tag.outcome_text("configure", &text).unwrap();
    assert_eq!(
        tag.outcome_text("getLibraryInfo", ""),
        Ok(json!({
            "name": "xdm-beacon",
            "version": env!("CARGO_PKG_VERSION"),
            "commands": COMMANDS,
            "engine": "wasm",
            "configuration": text,
        }))
    );
}

// ---------------------------------------------------------------------------------------------
// Whatever happens, in whatever order.

#[derive(Clone, Debug)]
enum Step {
    Call(&'static str, &'static str),
    Declare(&'static str),
    Answer { which: prop::sample::Index, status: u16, body: &'static str },
    Fail { which: prop::sample::Index, timed_out: bool },
    FlushTimer(prop::sample::Index),
    Page(PageEvent),
    Wait(Millis),
    Clock(i64),
}

fn calls() -> Vec<(&'static str, &'static str)> {
    vec![
        ("sendEvent", ""),
        ("sendEvent", "{}"),
        ("sendEvent", r#"{"type":"a","xdm":{"a":{"b":[1,2]}}}"#),
        ("sendEvent", r#"{"type":5}"#),
        ("sendEvent", r#"{"documentUnloading":true,"mapping":{"a.b[0]":"x"}}"#),
        ("sendEvent", r#"{"timestamp":"2099-01-01T00:00:00Z"}"#),
        ("sendEvent", "{"),
        ("sendProfile", r#"{"xdm":{"a":1}}"#),
        ("sendProfile", "{}"),
        ("flush", ""),
        ("flush", r#"{"timeout":1}"#),
        ("flush", r#"{"timeout":-1}"#),
        ("getStatus", ""),
        ("setDebug", r#"{"enabled":true}"#),
        ("setDebug", "{}"),
        ("getLibraryInfo", ""),
        ("configure", "{}"),
        ("constructor", ""),
    ]
}

fn page_events() -> Vec<PageEvent> {
    let restored = PageEvent::Restored { owner: String::from("restored") };
    use PageEvent::{Hidden, Leaving, Offline, Online, Shown};
    vec![Hidden, Shown, Leaving, restored, Offline, Online]
}

fn step() -> impl Strategy<Value = Step> {
    let body = prop::sample::select(RUBBISH.to_vec());
    let skewed = Just(r#"{"receivedTimeMs":1000}"#);
    prop_oneof![
        6 => prop::sample::select(calls()).prop_map(|(command, options)| Step::Call(command, options)),
        1 => prop::sample::select(vec!["{}", "{\"debug\":\"\"}"]).prop_map(Step::Declare),
        3 => (any::<prop::sample::Index>(), 100..600_u16, prop_oneof![body, skewed])
            .prop_map(|(which, status, body)| Step::Answer { which, status, body }),
        1 => (any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(which, timed_out)| Step::Fail { which, timed_out }),
        1 => any::<prop::sample::Index>().prop_map(Step::FlushTimer),
        1 => prop::sample::select(page_events()).prop_map(Step::Page),
        2 => prop_oneof![0..300_i64, 0..40_000_i64].prop_map(Step::Wait),
        1 => (-10_000_000..10_000_000_i64).prop_map(Step::Clock),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// [`Tag`] fails when a promise settles twice. Here: none is forgotten either. A flush waits for its timer
    /// at the latest; an event no longer than the patience, once it is safe, which it is at once.
    #[test]
    fn every_promise_settles_once_and_the_counts_add_up(
        steps in prop::collection::vec(step(), 1..60),
        configured_after in 0..4_usize,
        storage in any::<bool>(),
        denied in any::<bool>(),
        decides in any::<bool>(),
    ) {
        let mut tag = Tag::bare();
        if denied {
            tag.disk = None;
        }
        let mut shown = 0;
        tag.before = Box::new(move |event| {
            shown += 1;
            match shown % 5 {
                0 => Verdict::Cancel,
                1 => Verdict::Failed(String::new()),
                2 => Verdict::Undecided,
                _ => Verdict::Send(event.to_string()),
            }
        });
        let (mut flushes, mut events) = (Vec::new(), Vec::new());
        for (at, step) in steps.into_iter().enumerate() {
            if at == configured_after {
                let mut options = json!({ "profile": profile(), "delivery": { "storage": storage } });
                if decides {
                    options["onBeforeEventSend"] = json!("a function");
                }
                tag.configure(options);
            }
            match step {
                Step::Call(command, options) => {
                    let ticket = tag.call_text(command, options, None);
                    match command {
                        "flush" => flushes.push(ticket),
                        "sendEvent" | "sendProfile" => events.push(ticket),
                        _ => prop_assert!(tag.settled.contains_key(&ticket)),
                    }
                }
                Step::Declare(dataset) => {
                    tag.declare(dataset).unwrap_err();
                }
                Step::Answer { which, status, body } if !tag.sent.is_empty() => {
                    let request = which.get(&tag.sent).1.id;
                    tag.answer(request, answer(status, body));
                }
                Step::Fail { which, timed_out } if !tag.sent.is_empty() => {
                    let request = which.get(&tag.sent).1.id;
                    tag.answer(request, if timed_out { Answer::TimedOut } else { Answer::Unreachable });
                }
                Step::FlushTimer(which) if !tag.timers.is_empty() => {
                    let (ticket, _) = *which.get(&tag.timers);
                    tag.time_out_flush(ticket);
                    prop_assert!(tag.settled.contains_key(&ticket));
                }
                // Only a page that left comes out of the cache.
                Step::Page(PageEvent::Restored { .. }) if !tag.left => {}
                Step::Page(event) => tag.page_event(event),
                Step::Wait(ms) => tag.wait(ms),
                Step::Clock(by) => tag.page.moment.now += by,
                Step::Answer { .. } | Step::Fail { .. } | Step::FlushTimer(_) => {}
            }
            for ticket in tag.waiting.iter().filter(|ticket| flushes.contains(ticket)) {
                prop_assert!(tag.timers.iter().any(|(timer, _)| timer == ticket), "a flush without a timer");
            }
            if at >= configured_after {
                let status = tag.status();
                let count = |key: &str| status[key].as_u64().unwrap();
                let dropped: u64 = status["dropped"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
                let sum = ["pending", "queued", "inFlight", "handedOver", "stored", "delivered"]
                    .iter().map(|key| count(key)).sum::<u64>();
                prop_assert_eq!(count("accepted"), sum + dropped);
                let refused = |ticket: &&Ticket| matches!(tag.settled.get(ticket), Some(Err(_)));
                prop_assert_eq!(count("accepted") as usize, events.len() - events.iter().filter(refused).count());
            }
        }
        // A page in the cache runs no timers; out of it they do.
        if tag.left {
            tag.page_event(PageEvent::Restored { owner: String::from("last") });
        }
        tag.wait(2_000);
        for (ticket, _) in tag.timers.clone() {
            tag.time_out_flush(ticket);
        }
        prop_assert!(tag.waiting.is_empty(), "{:?} are forgotten", tag.waiting);
    }
}
