//! `data-` attributes of a script tag as options of `configure`.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::declared::options;

fn declared(dataset: Value) -> Value {
    let text = options(&dataset.to_string()).unwrap_or_else(|fault| panic!("{dataset}: {fault:?}"));
    serde_json::from_str(&text).unwrap()
}

/// The attributes of an ordinary tag, as the browser names them.
fn dataset() -> Value {
    json!({
        "endpoint": ENDPOINT,
        "orgId": "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
        "datasetId": "65f1a2b3c4d5e6f708192a3b",
        "schemaId": "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent",
    })
}

#[test]
fn each_attribute_is_its_option() {
    let table = [
        ("endpoint", "https://a.example/collection/x", json!({"endpoint": "https://a.example/collection/x"})),
        ("batchEndpoint", "https://a.example/many", json!({"batchEndpoint": "https://a.example/many"})),
        ("batchEndpoint", "null", json!({"batchEndpoint": null})),
        ("orgId", "A@AdobeOrg", json!({"orgId": "A@AdobeOrg"})),
        ("datasetId", "d", json!({"datasetId": "d"})),
        ("schemaId", "s", json!({"schema": {"id": "s"}})),
        ("schemaContentType", "t", json!({"schema": {"contentType": "t"}})),
        ("flowId", "f", json!({"flowId": "f"})),
        ("sourceName", "Web shop", json!({"sourceName": "Web shop"})),
        ("profileDatasetId", "p", json!({"profile": {"datasetId": "p"}})),
        ("profileSchemaId", "s", json!({"profile": {"schema": {"id": "s"}}})),
        ("profileSchemaContentType", "t", json!({"profile": {"schema": {"contentType": "t"}}})),
        ("profileIdentityPath", "_a.id", json!({"profile": {"identityPath": "_a.id"}})),
        ("context", "web device", json!({"context": ["web", "device"]})),
        ("consentDefault", "pending", json!({"consent": {"default": "pending"}})),
        ("consentStorageKey", "choice", json!({"consent": {"storageKey": "choice"}})),
        ("consentGlobalPrivacyControl", "", json!({"consent": {"globalPrivacyControl": true}})),
        ("consentTcfFollow", "true", json!({"consent": {"tcf": {"follow": true}}})),
        ("consentTcfVendorId", "12", json!({"consent": {"tcf": {"vendorId": 12}}})),
        ("privacyRedact", "false", json!({"privacy": {"redact": false}})),
        ("privacyParameters", "token email", json!({"privacy": {"parameters": ["token", "email"]}})),
        ("privacyPatterns", "cust-\\d+ a|b", json!({"privacy": {"patterns": ["cust-\\d+", "a|b"]}})),
        ("identityFirstPartyNamespace", "Shop", json!({"identity": {"firstParty": {"namespace": "Shop"}}})),
        ("identityFirstPartyStorage", "cookie", json!({"identity": {"firstParty": {"storage": "cookie"}}})),
        ("identityFirstPartyMaxAgeDays", "30", json!({"identity": {"firstParty": {"maxAgeDays": 30}}})),
        (
            "identityFirstPartyDomain",
            "a.example",
            json!({"identity": {"firstParty": {"domain": "a.example"}}}),
        ),
        ("identityReadEcid", "false", json!({"identity": {"readEcid": false}})),
        ("identityPrimary", "none", json!({"identity": {"primary": "none"}})),
        ("deliveryTransport", "beacon", json!({"delivery": {"transport": "beacon"}})),
        ("deliveryMaxBatchEvents", "10", json!({"delivery": {"maxBatchEvents": 10}})),
        ("deliveryMaxBatchBytes", " 32000 ", json!({"delivery": {"maxBatchBytes": 32_000}})),
        ("deliveryMaxWaitMs", "0", json!({"delivery": {"maxWaitMs": 0}})),
        ("deliveryMaxStoredBytes", "1", json!({"delivery": {"maxStoredBytes": 1}})),
        ("deliveryMaxAgeHours", "-5", json!({"delivery": {"maxAgeHours": -5}})),
        ("deliveryMode", "atMostOnce", json!({"delivery": {"mode": "atMostOnce"}})),
        ("deliverySequencePath", "_a.b", json!({"delivery": {"sequencePath": "_a.b"}})),
        ("deliveryStorage", "false", json!({"delivery": {"storage": false}})),
        ("deliverySyncValidation", "true", json!({"delivery": {"syncValidation": true}})),
        ("debug", "true", json!({"debug": true})),
        // Text is text, also where it looks like something else.
        ("datasetId", "null", json!({"datasetId": "null"})),
        ("datasetId", "true", json!({"datasetId": "true"})),
        ("datasetId", "5", json!({"datasetId": "5"})),
        ("sourceName", " \"quoted\" \n", json!({"sourceName": "\"quoted\""})),
        ("flowId", "", json!({"flowId": ""})),
        // A number that is none stays text, to be named as faulty.
        ("deliveryMaxWaitMs", "soon", json!({"delivery": {"maxWaitMs": "soon"}})),
        ("deliveryMaxWaitMs", "", json!({"delivery": {"maxWaitMs": ""}})),
        ("deliveryMaxWaitMs", "1,000", json!({"delivery": {"maxWaitMs": "1,000"}})),
        ("deliveryMaxWaitMs", "0.5", json!({"delivery": {"maxWaitMs": "0.5"}})),
        ("deliveryMaxWaitMs", "[1]", json!({"delivery": {"maxWaitMs": "[1]"}})),
    ];
    for (attribute, text, expected) in table {
        assert_eq!(declared(json!({ attribute: text })), expected, "{attribute}={text:?}");
    }
}

#[test]
fn a_list_is_words_and_the_empty_attribute_the_empty_list() {
    for (text, list) in [
        ("", json!([])),
        (" \n ", json!([])),
        ("web", json!(["web"])),
        ("  web \t device\nenvironment ", json!(["web", "device", "environment"])),
        ("web,device", json!(["web,device"])),
        ("we\"b", json!(["we\"b"])),
    ] {
        assert_eq!(declared(json!({ "context": text })), json!({ "context": list }), "{text:?}");
    }
}

#[test]
fn a_flag_is_on_by_being_there() {
    for (attribute, path) in [
        ("debug", "debug"),
        ("deliverySyncValidation", "delivery.syncValidation"),
        ("deliveryStorage", "delivery.storage"),
        ("consentGlobalPrivacyControl", "consent.globalPrivacyControl"),
        ("consentTcfFollow", "consent.tcf.follow"),
    ] {
        for (text, value) in [
            ("", json!(true)),
            ("true", json!(true)),
            (" true ", json!(true)),
            ("false", json!(false)),
            ("yes", json!("yes")),
            ("TRUE", json!("TRUE")),
        ] {
            let expected = with(json!({}), path, value);
            assert_eq!(declared(json!({ attribute: text })), expected, "{attribute}={text:?}");
        }
    }
}

#[test]
fn attributes_of_others_are_passed_over() {
    assert_eq!(declared(json!({})), json!({}));
    let mut dataset = dataset();
    let alone = declared(dataset.clone());
    for name in
        ["name", "cfasync", "domainScript", "endPoint", "schema", "delivery", "", "__proto__", "a.b[0]"]
    {
        dataset[name] = json!("theirs");
    }
    assert_eq!(declared(dataset), alone);
}

#[test]
fn a_whole_tag_configures_its_instance() {
    let mut all = dataset();
    for (attribute, text) in [
        ("name", "xdmBeacon"),
        ("batchEndpoint", "null"),
        ("flowId", "f"),
        ("sourceName", "Web"),
        ("schemaContentType", CONTENT_TYPE),
        ("profileDatasetId", "p"),
        ("profileSchemaId", "https://ns.adobe.com/xdmbeacon/schemas/profile-record"),
        ("profileSchemaContentType", CONTENT_TYPE),
        ("context", "web placeContext"),
        ("deliveryTransport", "fetch"),
        ("deliveryMaxBatchEvents", "20"),
        ("deliveryMaxBatchBytes", "20000"),
        ("deliveryMaxWaitMs", "100"),
        ("deliveryMaxStoredBytes", "100000"),
        ("deliveryMaxAgeHours", "24"),
        ("deliveryMode", "atLeastOnce"),
        ("deliverySequencePath", "_acme.sequence"),
        ("deliveryStorage", "false"),
        ("deliverySyncValidation", ""),
        ("debug", "false"),
    ] {
        all[attribute] = json!(text);
    }
    for tag in [dataset(), all] {
        assert_eq!(Tag::bare().declare(&tag.to_string()), Ok(json!({})));
    }

    let mut tag = Tag::bare();
    tag.declare(&dataset().to_string()).unwrap();
    let library = tag.outcome_text("getLibraryInfo", "").unwrap();
    let configuration_text = library["configuration"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(configuration_text).unwrap(), configuration());
    let twice = ("configured-twice", "may only be configured once: remove the second call");
    assert_eq!(tag.outcome("configure", configuration()), refusal("configure", twice));
}

#[test]
fn faulty_attributes_are_named_by_their_option() {
    let not_https = ("not-https", "must start with https:// (http:// is for this machine alone)");
    let not_a_url = (
        "not-a-url",
        "must be a whole URL of plain characters, like https://dcs.adobedc.net/collection/1a2b",
    );
    let not_an_org = ("not-an-org", "must be an organisation id that ends in @AdobeOrg");
    let not_a_context = (
        "not-a-context",
        "must be \"web\", \"device\", \"environment\", \"placeContext\", \"implementationDetails\" or \"highEntropyUserAgentHints\"",
    );
    let not_a_transport = ("not-a-transport", "must be \"auto\", \"beacon\" or \"fetch\"");
    let not_a_mode = ("not-a-mode", "must be \"balanced\", \"atLeastOnce\" or \"atMostOnce\"");
    let out_of_range = ("out-of-range", "must be a whole number, 1 to 2147483647");
    let not_milliseconds = ("not-milliseconds", "must be a whole number of milliseconds, 0 to 2147483647");
    for (attribute, text, path, reason) in [
        ("endpoint", "http://a.example/collection/x", "endpoint", not_https),
        ("endpoint", "", "endpoint", EMPTY),
        ("batchEndpoint", "none", "batchEndpoint", not_a_url),
        ("orgId", "A", "orgId", not_an_org),
        ("schemaId", " ", "schema.id", EMPTY),
        ("profileDatasetId", "p", "profile.schema", MISSING),
        ("profileSchemaId", "s", "profile.datasetId", MISSING),
        ("profileSchemaContentType", "t", "profile.schema.id", MISSING),
        ("context", "web,device", "context[0]", not_a_context),
        ("context", "web Device", "context[1]", not_a_context),
        ("deliveryTransport", "", "delivery.transport", not_a_transport),
        ("deliveryMaxBatchEvents", "0", "delivery.maxBatchEvents", out_of_range),
        ("deliveryMaxBatchBytes", "many", "delivery.maxBatchBytes", out_of_range),
        ("deliveryMaxStoredBytes", "", "delivery.maxStoredBytes", out_of_range),
        ("deliveryMaxAgeHours", "-5", "delivery.maxAgeHours", out_of_range),
        ("deliveryMaxWaitMs", "soon", "delivery.maxWaitMs", not_milliseconds),
        ("deliveryMode", "balance", "delivery.mode", not_a_mode),
        ("deliverySequencePath", " ", "delivery.sequencePath", EMPTY),
        ("deliveryStorage", "no", "delivery.storage", NOT_A_BOOLEAN),
        ("deliverySyncValidation", "1", "delivery.syncValidation", NOT_A_BOOLEAN),
        ("debug", "yes", "debug", NOT_A_BOOLEAN),
    ] {
        let tag = with(dataset(), attribute, json!(text));
        let outcome = Tag::bare().declare(&tag.to_string());
        assert_eq!(outcome, refusal(path, reason), "{attribute}={text:?}");
    }
    for (attribute, path) in
        [("endpoint", "endpoint"), ("orgId", "orgId"), ("datasetId", "datasetId"), ("schemaId", "schema")]
    {
        let tag = without(dataset(), attribute);
        assert_eq!(Tag::bare().declare(&tag.to_string()), refusal(path, MISSING), "no {attribute}");
    }
}

#[test]
fn what_is_no_dataset_is_refused() {
    for text in ["", "null", "[]", "\"x\"", "5"] {
        assert_eq!(Tag::bare().declare(text), refusal("", NOT_AN_OBJECT), "{text:?}");
    }
    for (kind, value) in one_of_each_kind() {
        if kind != "string" {
            let tag = with(dataset(), "orgId", value);
            assert_eq!(Tag::bare().declare(&tag.to_string()), refusal("orgId", NOT_A_STRING), "{kind}");
        }
    }
    let broken = Tag::bare().declare("{\"endpoint\":\"x\"").unwrap_err();
    assert_eq!(broken, (String::from("not-json"), String::from("xdmBeacon: must be JSON")));
}
