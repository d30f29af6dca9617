//! `configure`: every option, missing, of the wrong kind, unknown and right.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::redact::Privacy;
use xdm_beacon::consent;
use xdm_beacon::delivery::{Consent, Mode};
use xdm_beacon::identity;
use xdm_beacon::settings::{Contexts, DeliveryOptions, Settings, TransportChoice};

const NOT_A_URL: (&str, &str) =
    ("not-a-url", "must be a whole URL of plain characters, like https://dcs.adobedc.net/collection/1a2b");
const NOT_HTTPS: (&str, &str) = ("not-https", "must start with https:// (http:// is for this machine alone)");
const NOT_AN_ORG: (&str, &str) = ("not-an-org", "must be an organisation id that ends in @AdobeOrg");
const NOT_A_CONTEXT: (&str, &str) = (
    "not-a-context",
    "must be \"web\", \"device\", \"environment\", \"placeContext\", \"implementationDetails\" or \"highEntropyUserAgentHints\"",
);
const NOT_A_TRANSPORT: (&str, &str) = ("not-a-transport", "must be \"auto\", \"beacon\" or \"fetch\"");
const NOT_A_MODE: (&str, &str) = ("not-a-mode", "must be \"balanced\", \"atLeastOnce\" or \"atMostOnce\"");
const NOT_A_FUNCTION: (&str, &str) = ("not-a-function", "must be a function");
const NOT_A_CONSENT: (&str, &str) = ("not-a-consent", "must be \"in\", \"out\" or \"pending\"");
const NOT_A_VENDOR: (&str, &str) =
    ("not-a-vendor", "must be a number of the IAB's list of vendors, 1 to 65535 (Adobe's is 565)");
const NOT_A_STORAGE: (&str, &str) =
    ("not-a-storage", "must be \"cookie\", \"localStorage\" or \"serverCookie\"");
const NOT_A_PRIMARY: (&str, &str) = ("not-a-primary", "must be \"ecid\", \"firstParty\" or \"none\"");
const NOT_A_DOMAIN: (&str, &str) = ("not-a-domain", "must be a domain of this site, like shop.example");
const RESERVED_NAMESPACE: (&str, &str) =
    ("reserved-namespace", "is the namespace of ids that Adobe makes: use one of your own");
const OUT_OF_RANGE: (&str, &str) = ("out-of-range", "must be a whole number, 1 to 2147483647");
const NOT_MILLISECONDS: (&str, &str) =
    ("not-milliseconds", "must be a whole number of milliseconds, 0 to 2147483647");

fn configure(options: Value) -> support::Settled {
    Tag::bare().outcome("configure", options)
}

fn settings(options: &Value) -> Settings {
    Settings::parse(&options.to_string()).unwrap_or_else(|fault| panic!("{options}: {fault:?}"))
}

/// All options there are, with a `profile` that is right.
fn everything() -> Value {
    json!({
        "endpoint": "https://dcs.adobedc.net/collection/abc",
        "batchEndpoint": "https://dcs.adobedc.net/collection/batch/abc",
        "orgId": "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
        "datasetId": "65f1a2b3c4d5e6f708192a3b",
        "schema": { "id": "https://ns.adobe.com/acme/schemas/1", "contentType": CONTENT_TYPE },
        "flowId": "f1",
        "sourceName": "Web",
        "profile": {
            "datasetId": "65f1a2b3c4d5e6f708192a3c",
            "schema": { "id": "https://ns.adobe.com/acme/schemas/2", "contentType": CONTENT_TYPE },
            "identityPath": "_acme.customerID",
        },
        "context": ["web", "device"],
        "consent": {
            "default": "pending",
            "storageKey": "choice",
            "globalPrivacyControl": true,
            "tcf": { "follow": true, "vendorId": 1 },
        },
        "privacy": { "redact": true, "parameters": ["token"], "patterns": ["customer-\\d+"] },
        "identity": {
            "firstParty": {
                "namespace": "Shop",
                "storage": "localStorage",
                "maxAgeDays": 30,
                "domain": "shop.example",
            },
            "readEcid": false,
            "primary": "firstParty",
        },
        "delivery": {
            "transport": "fetch",
            "maxBatchEvents": 10,
            "maxBatchBytes": 20_000,
            "maxWaitMs": 500,
            "maxStoredBytes": 100_000,
            "maxAgeHours": 24,
            "mode": "atLeastOnce",
            "sequencePath": "_acme.sequence",
            "storage": false,
            "syncValidation": false,
        },
        "onBeforeEventSend": "a function",
        "debug": false,
    })
}

#[test]
fn all_options_together_and_the_required_ones_alone_are_taken() {
    assert_eq!(configure(everything()), Ok(json!({})));
    assert_eq!(configure(configuration()), Ok(json!({})));
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let settings = settings(&configuration());
    assert_eq!(settings.endpoint, ENDPOINT);
    assert_eq!(settings.events.dataset_id, "65f1a2b3c4d5e6f708192a3b");
    assert_eq!(settings.events.schema_id, "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent");
    assert_eq!(settings.events.content_type, CONTENT_TYPE);
    assert_eq!(settings.profiles, None);
    let delivery = DeliveryOptions {
        transport: TransportChoice::Auto,
        max_batch_events: 50,
        max_batch_bytes: 32_000,
        max_wait_ms: 250,
        max_stored_bytes: 4_000_000,
        max_age_hours: 72,
        mode: Mode::Balanced,
        sequence_path: None,
        storage: true,
    };
    assert_eq!(settings.delivery, delivery);
    assert!(!settings.before_event_send);
    let consent = consent::Options {
        default: Consent::In,
        storage_key: None,
        privacy_control: false,
        follow: false,
        vendor_id: 565,
    };
    assert_eq!(settings.consent, consent);
    assert_eq!(settings.consent_key(), "xdm-beacon.consent.0A1B2C3D4E5F60718293A4B5@AdobeOrg");
    let privacy = Privacy { redact: true, parameters: Vec::new(), patterns: Vec::new() };
    assert_eq!(settings.privacy, privacy);
    let identity =
        identity::Options { first_party: None, read_ecid: true, primary: identity::Primary::Either };
    assert_eq!(settings.identity, identity);
    assert!(!settings.debug);
    for context in ALL_CONTEXTS {
        assert!(settings.context.has(context.1), "{} is on by default", context.0);
    }
}

#[test]
fn each_required_option_is_missed_by_its_path() {
    let paths = ["endpoint", "orgId", "datasetId", "schema", "schema.id"];
    let nested =
        ["profile.datasetId", "profile.schema", "profile.schema.id", "identity.firstParty.namespace"];
    for path in paths.into_iter().chain(nested) {
        assert_eq!(configure(without(everything(), path)), refusal(path, MISSING));
    }
    for path in [
        "batchEndpoint",
        "flowId",
        "sourceName",
        "profile",
        "context",
        "consent",
        "consent.default",
        "consent.storageKey",
        "consent.globalPrivacyControl",
        "consent.tcf",
        "consent.tcf.follow",
        "consent.tcf.vendorId",
        "privacy",
        "privacy.redact",
        "privacy.parameters",
        "privacy.patterns",
        "identity",
        "identity.firstParty",
        "identity.firstParty.storage",
        "identity.firstParty.maxAgeDays",
        "identity.firstParty.domain",
        "identity.readEcid",
        "identity.primary",
        "delivery",
        "debug",
        "schema.contentType",
        "profile.schema.contentType",
        "profile.identityPath",
        "delivery.transport",
        "delivery.maxBatchEvents",
        "delivery.maxBatchBytes",
        "delivery.maxWaitMs",
        "delivery.maxStoredBytes",
        "delivery.maxAgeHours",
        "delivery.mode",
        "delivery.sequencePath",
        "delivery.storage",
        "delivery.syncValidation",
        "onBeforeEventSend",
    ] {
        assert_eq!(configure(without(everything(), path)), Ok(json!({})), "{path} is not required");
    }
}

#[test]
fn each_option_refuses_every_kind_but_its_own() {
    type Row = (&'static str, (&'static str, &'static str), &'static [&'static str]);
    let table: [Row; 39] = [
        ("endpoint", NOT_A_STRING, &["string"]),
        ("batchEndpoint", NOT_A_STRING, &["string", "null"]),
        ("orgId", NOT_A_STRING, &["string"]),
        ("datasetId", NOT_A_STRING, &["string"]),
        ("schema", NOT_AN_OBJECT, &["object"]),
        ("schema.id", NOT_A_STRING, &["string"]),
        ("schema.contentType", NOT_A_STRING, &["string"]),
        ("flowId", NOT_A_STRING, &["string"]),
        ("sourceName", NOT_A_STRING, &["string"]),
        ("profile", NOT_AN_OBJECT, &["object"]),
        ("profile.datasetId", NOT_A_STRING, &["string"]),
        ("profile.schema", NOT_AN_OBJECT, &["object"]),
        ("profile.schema.id", NOT_A_STRING, &["string"]),
        ("profile.schema.contentType", NOT_A_STRING, &["string"]),
        ("profile.identityPath", NOT_A_STRING, &["string"]),
        ("context", NOT_AN_ARRAY, &["array"]),
        ("consent", NOT_AN_OBJECT, &["object"]),
        ("consent.storageKey", NOT_A_STRING, &["string"]),
        ("consent.globalPrivacyControl", NOT_A_BOOLEAN, &["boolean"]),
        ("consent.tcf", NOT_AN_OBJECT, &["object"]),
        ("consent.tcf.follow", NOT_A_BOOLEAN, &["boolean"]),
        ("consent.tcf.vendorId", NOT_A_VENDOR, &[]),
        ("identity", NOT_AN_OBJECT, &["object"]),
        ("identity.firstParty", NOT_AN_OBJECT, &["object"]),
        ("identity.firstParty.namespace", NOT_A_STRING, &["string"]),
        ("identity.firstParty.maxAgeDays", OUT_OF_RANGE, &[]),
        ("identity.firstParty.domain", NOT_A_STRING, &["string"]),
        ("identity.readEcid", NOT_A_BOOLEAN, &["boolean"]),
        ("delivery", NOT_AN_OBJECT, &["object"]),
        ("delivery.maxBatchEvents", OUT_OF_RANGE, &[]),
        ("delivery.maxBatchBytes", OUT_OF_RANGE, &[]),
        ("delivery.maxWaitMs", NOT_MILLISECONDS, &[]),
        ("delivery.maxStoredBytes", OUT_OF_RANGE, &[]),
        ("delivery.maxAgeHours", OUT_OF_RANGE, &[]),
        ("delivery.sequencePath", NOT_A_STRING, &["string"]),
        ("delivery.storage", NOT_A_BOOLEAN, &["boolean"]),
        ("delivery.syncValidation", NOT_A_BOOLEAN, &["boolean"]),
        // The loader writes "a function" for one; other text is text.
        ("onBeforeEventSend", NOT_A_FUNCTION, &[]),
        ("debug", NOT_A_BOOLEAN, &["boolean"]),
    ];
    for (path, reason, right) in table {
        for (kind, value) in one_of_each_kind() {
            if !right.contains(&kind) {
                let options = with(everything(), path, value);
                assert_eq!(configure(options), refusal(path, reason), "{path} given {kind}");
            }
        }
    }
    for (kind, value) in one_of_each_kind() {
        let path = "delivery.transport";
        let options = with(everything(), path, value.clone());
        assert_eq!(configure(options), refusal(path, NOT_A_TRANSPORT), "{path} given {kind}");
        let path = "consent.default";
        let options = with(everything(), path, value.clone());
        assert_eq!(configure(options), refusal(path, NOT_A_CONSENT), "{path} given {kind}");
        let path = "delivery.mode";
        let options = with(everything(), path, value.clone());
        assert_eq!(configure(options), refusal(path, NOT_A_MODE), "{path} given {kind}");
        let path = "identity.primary";
        let options = with(everything(), path, value.clone());
        assert_eq!(configure(options), refusal(path, NOT_A_PRIMARY), "{path} given {kind}");
        let path = "identity.firstParty.storage";
        let options = with(everything(), path, value.clone());
        assert_eq!(configure(options), refusal(path, NOT_A_STORAGE), "{path} given {kind}");
        let options = with(everything(), "context", json!(["web", value]));
        assert_eq!(configure(options), refusal("context[1]", NOT_A_CONTEXT), "context[1] given {kind}");
    }
}

#[test]
fn a_first_party_id_has_a_namespace_of_its_own_and_a_domain_of_plain_letters() {
    for namespace in ["ECID", "ecid", " Ecid "] {
        let options = with(everything(), "identity.firstParty.namespace", json!(namespace));
        assert_eq!(configure(options), refusal("identity.firstParty.namespace", RESERVED_NAMESPACE));
    }
    let options = with(everything(), "identity.firstParty.namespace", json!(" "));
    assert_eq!(configure(options), refusal("identity.firstParty.namespace", EMPTY));
    for domain in
        ["shop.example; Secure", "shop.example/", "https://shop.example", "shöp.example", "a b", ":8080"]
    {
        let options = with(everything(), "identity.firstParty.domain", json!(domain));
        assert_eq!(configure(options), refusal("identity.firstParty.domain", NOT_A_DOMAIN), "{domain}");
    }
    for storage in ["Cookie", "localstorage", "sessionStorage"] {
        let options = with(everything(), "identity.firstParty.storage", json!(storage));
        assert_eq!(configure(options), refusal("identity.firstParty.storage", NOT_A_STORAGE), "{storage}");
    }
    for primary in ["ECID", "auto", "true"] {
        let options = with(everything(), "identity.primary", json!(primary));
        assert_eq!(configure(options), refusal("identity.primary", NOT_A_PRIMARY), "{primary}");
    }
    for path in ["identity.namespace", "identity.firstParty.name", "identity.ecid"] {
        let options = with(everything(), path, json!("x"));
        assert_eq!(configure(options), refusal(path, UNKNOWN_OPTION), "{path}");
    }
}

#[test]
fn an_empty_string_is_no_value_of_any_option() {
    for path in [
        "endpoint",
        "batchEndpoint",
        "orgId",
        "datasetId",
        "schema.id",
        "schema.contentType",
        "flowId",
        "sourceName",
        "profile.datasetId",
        "profile.schema.id",
        "profile.schema.contentType",
        "profile.identityPath",
        "consent.storageKey",
        "identity.firstParty.namespace",
        "identity.firstParty.domain",
        "delivery.sequencePath",
    ] {
        assert_eq!(configure(with(everything(), path, json!(""))), refusal(path, EMPTY));
    }
}

#[test]
fn an_identity_path_is_a_path() {
    for path in ["personID", "_acme.customerID", "personalEmail.address", "loyalty.loyaltyID[0]"] {
        assert_eq!(
            configure(with(everything(), "profile.identityPath", json!(path))),
            Ok(json!({})),
            "{path}"
        );
    }
    for (path, code) in [
        (".", "empty-segment"),
        ("_acme.", "empty-segment"),
        ("a[x]", "bad-index"),
        ("a[01]", "bad-index"),
        ("__proto__.a", "unsafe-key"),
    ] {
        let (found, message) =
            configure(with(everything(), "profile.identityPath", json!(path))).unwrap_err();
        assert_eq!(found, code, "{path}");
        assert!(message.starts_with("xdmBeacon: 'profile.identityPath' "), "{message}");
    }
}

#[test]
fn consent_is_in_out_or_pending_and_a_vendor_has_a_number() {
    for (word, consent) in [("in", Consent::In), ("out", Consent::Out), ("pending", Consent::Pending)] {
        assert_eq!(settings(&with(configuration(), "consent.default", json!(word))).consent.default, consent);
    }
    for word in ["In", "", "yes", "out "] {
        let options = with(configuration(), "consent.default", json!(word));
        assert_eq!(configure(options), refusal("consent.default", NOT_A_CONSENT), "{word:?}");
    }
    for id in [1, 565, 65_535] {
        let options = with(configuration(), "consent.tcf.vendorId", json!(id));
        assert_eq!(i64::from(settings(&options).consent.vendor_id), id);
    }
    for id in [json!(0), json!(-1), json!(65_536), json!(1.5), json!("565"), json!(1e300)] {
        let options = with(configuration(), "consent.tcf.vendorId", id.clone());
        assert_eq!(configure(options), refusal("consent.tcf.vendorId", NOT_A_VENDOR), "{id}");
    }
}

#[test]
fn an_option_that_this_version_does_not_know_is_named() {
    for path in [
        "endPoint",
        "edgeConfigId",
        "schema.version",
        "profile.orgId",
        "profile.schema.version",
        "consent.defaultConsent",
        "consent.tcf.vendor",
        "delivery.Transport",
        "delivery.maxWait",
    ] {
        for (kind, value) in one_of_each_kind() {
            let options = with(everything(), path, value);
            assert_eq!(configure(options), refusal(path, UNKNOWN_OPTION), "{path} given {kind}");
        }
    }
    // The path shows the key as the page wrote it, not as JSON escapes it.
    let options = with(everything(), "say \"so\"", json!(1));
    assert_eq!(configure(options), refusal("say \"so\"", UNKNOWN_OPTION));
}

#[test]
fn the_options_as_a_whole_must_be_an_object() {
    for options in ["", "null", "true", "1.5", "\"?\"", "[]"] {
        let outcome = Tag::bare().outcome_text("configure", options);
        assert_eq!(outcome, refusal("options", NOT_AN_OBJECT), "{options:?}");
    }
}

#[test]
fn an_organisation_is_named_with_its_suffix() {
    assert_eq!(configure(with(configuration(), "orgId", json!("A@AdobeOrg"))), Ok(json!({})));
    for org in ["A", "@AdobeOrg", "A@adobeorg", "A@AdobeOrg ", "AdobeOrg"] {
        let options = with(configuration(), "orgId", json!(org));
        assert_eq!(configure(options), refusal("orgId", NOT_AN_ORG), "{org}");
    }
}

#[test]
fn an_endpoint_is_https_or_on_this_machine() {
    for url in [
        "https://dcs.adobedc.net/collection/abc",
        "https://dcs.adobedc.net:8443/collection/abc?syncValidation=true&x-adobe-flow-id=1",
        "https://proxy.example/a",
        "https://192.0.2.1/collection/abc",
        "https://[2001:db8::1]/collection/abc",
        "https://[2001:db8::1]:8443/collection/abc",
        "http://127.0.0.1/collection/abc",
        "http://127.0.0.1:8787/collection/abc",
        "http://127.1.2.3:1/collection/abc",
        "http://127.255.255.255/collection/abc",
        "http://[::1]/collection/abc",
        "http://[::1]:8787/collection/abc",
        "http://localhost/collection/abc",
        "http://localhost:8787/collection/abc",
        "http://inlet.localhost/collection/abc",
        "http://a.b.localhost:8787/collection/abc",
    ] {
        assert_eq!(configure(with(configuration(), "endpoint", json!(url))), Ok(json!({})), "{url}");
        assert_eq!(configure(with(configuration(), "batchEndpoint", json!(url))), Ok(json!({})), "{url}");
    }
}

#[test]
fn other_urls_are_refused() {
    let not_https = [
        "http://dcs.adobedc.net/collection/abc",
        "http://192.0.2.1/collection/abc",
        "http://127.0.0.1.example/collection/abc",
        "http://127.0.0/collection/abc",
        "http://127.0.0.0.1/collection/abc",
        "http://127.0.0.256/collection/abc",
        "http://127.0.0.+1/collection/abc",
        "http://127.0.0./collection/abc",
        "http://127.a.0.1/collection/abc",
        "http://1270.0.0.1/collection/abc",
        "http://localhost.example/collection/abc",
        "http://notlocalhost/collection/abc",
        "http://[::2]/collection/abc",
        "http://[2001:db8::1]:8787/collection/abc",
        "http://0.0.0.0:8787/collection/abc",
    ];
    let not_a_url = [
        "dcs.adobedc.net/collection/abc",
        "//dcs.adobedc.net/collection/abc",
        "/collection/abc",
        "javascript:alert(1)",
        "javascript://dcs.adobedc.net/%0aalert(1)",
        "data:text/plain,hello/there",
        "ftp://dcs.adobedc.net/collection/abc",
        "wss://dcs.adobedc.net/collection/abc",
        "https:dcs.adobedc.net/collection/abc",
        "https:/dcs.adobedc.net/collection/abc",
        // no host
        "https:///collection/abc",
        "https://:8443/collection/abc",
        "https://[]/collection/abc",
        "https://[::1/collection/abc",
        // no path
        "https://dcs.adobedc.net",
        "https://dcs.adobedc.net/",
        "https://dcs.adobedc.net?collection=abc",
        "https://dcs.adobedc.net?a/b",
        // a port that is none
        "https://dcs.adobedc.net:/collection/abc",
        "https://dcs.adobedc.net:https/collection/abc",
        "https://dcs.adobedc.net:65536/collection/abc",
        "https://dcs.adobedc.net:1:2/collection/abc",
        "http://localhost:80%40dcs.adobedc.net/collection/abc",
        "http://[::1]dcs.adobedc.net/collection/abc",
        "http://[::1]:x/collection/abc",
        // a user
        "https://user@dcs.adobedc.net/collection/abc",
        "https://user:password@dcs.adobedc.net/collection/abc",
        "http://127.0.0.1@dcs.adobedc.net/collection/abc",
        // a fragment
        "https://dcs.adobedc.net/collection/abc#top",
        "https://dcs.adobedc.net#/collection/abc",
        // white space and what browsers would mend
        " https://dcs.adobedc.net/collection/abc",
        "https://dcs.adobedc.net/collection/abc ",
        "https://dcs.adobedc.net/collection/a bc",
        "https://dcs.adobedc.net/collection/a\tbc",
        "https://dcs.adobedc.net/collection/abc\n",
        "https://dcs.adobedc.net\\collection\\abc",
        "http://localhost\\.dcs.adobedc.net/collection/abc",
        "https://dcs.adobedc.net/collection/<abc>",
        "https://dcs.adobedc.net/collection/\"abc\"",
        "https://dcs.adobedc.net/collection/\u{e4}bc",
        "https://dcs.adobedc.net/collection/abc\u{7f}",
    ];
    let table =
        not_https.map(|url| (url, NOT_HTTPS)).into_iter().chain(not_a_url.map(|url| (url, NOT_A_URL)));
    for (url, reason) in table {
        for path in ["endpoint", "batchEndpoint"] {
            let options = with(configuration(), path, json!(url));
            assert_eq!(configure(options), refusal(path, reason), "{url:?}");
        }
    }
}

#[test]
fn the_batch_endpoint_is_derived_given_or_none() {
    let derived =
        |endpoint: &str| settings(&with(configuration(), "endpoint", json!(endpoint))).batch_endpoint;
    let some = |url: &str| Some(String::from(url));
    for (endpoint, batch) in [
        ("https://dcs.adobedc.net/collection/abc", some("https://dcs.adobedc.net/collection/batch/abc")),
        (
            "https://dcs.adobedc.net/collection/abc?x-adobe-flow-id=1",
            some("https://dcs.adobedc.net/collection/batch/abc?x-adobe-flow-id=1"),
        ),
        ("https://proxy.example/aep/collection/abc", some("https://proxy.example/aep/collection/batch/abc")),
        (
            "https://a.example/collection/collection/x",
            some("https://a.example/collection/batch/collection/x"),
        ),
        ("https://proxy.example/beacon", None),
        ("https://proxy.example/mycollection/abc", None),
        ("https://proxy.example/collections/abc", None),
    ] {
        assert_eq!(derived(endpoint), batch, "{endpoint}");
    }

    let own = "https://proxy.example/many";
    assert_eq!(settings(&with(configuration(), "batchEndpoint", json!(own))).batch_endpoint, some(own));
    assert_eq!(settings(&with(configuration(), "batchEndpoint", Value::Null)).batch_endpoint, None);
}

#[test]
fn synchronous_validation_is_asked_of_the_single_endpoint_alone() {
    let ask = |endpoint: &str| {
        let options = with(configuration(), "endpoint", json!(endpoint));
        settings(&with(options, "delivery.syncValidation", json!(true)))
    };
    let plain = ask("https://a.example/collection/abc");
    assert_eq!(plain.endpoint, "https://a.example/collection/abc?syncValidation=true");
    assert_eq!(plain.batch_endpoint, None, "only a single message is validated at once");
    assert_eq!(
        ask("https://a.example/collection/abc?a=b").endpoint,
        "https://a.example/collection/abc?a=b&syncValidation=true"
    );
    // Nor where a batch endpoint was named.
    let named = with(configuration(), "batchEndpoint", json!("https://a.example/many"));
    assert_eq!(settings(&with(named, "delivery.syncValidation", json!(true))).batch_endpoint, None);
    let off = with(configuration(), "delivery.syncValidation", json!(false));
    assert_eq!(settings(&off).endpoint, ENDPOINT);
    assert!(settings(&off).batch_endpoint.is_some());
}

#[test]
fn each_transport_has_its_name() {
    for (name, choice) in [
        ("auto", TransportChoice::Auto),
        ("beacon", TransportChoice::Beacon),
        ("fetch", TransportChoice::Fetch),
    ] {
        let options = with(configuration(), "delivery.transport", json!(name));
        assert_eq!(settings(&options).delivery.transport, choice);
    }
    for name in ["", "Auto", "sendBeacon", "xhr"] {
        let options = with(configuration(), "delivery.transport", json!(name));
        assert_eq!(configure(options), refusal("delivery.transport", NOT_A_TRANSPORT));
    }
}

#[test]
fn numbers_of_delivery_are_taken_up_to_their_bounds() {
    type Read = fn(&DeliveryOptions) -> u32;
    let positive: [(&str, Read, u32); 4] = [
        ("delivery.maxBatchEvents", |options| options.max_batch_events, 2_147_483_647),
        // A request of the service has 1 MB at most.
        ("delivery.maxBatchBytes", |options| options.max_batch_bytes, 1_000_000),
        ("delivery.maxStoredBytes", |options| options.max_stored_bytes, 2_147_483_647),
        ("delivery.maxAgeHours", |options| options.max_age_hours, 2_147_483_647),
    ];
    for (path, read, most) in positive {
        for (number, taken) in [(1, 1), (5, 5), (1_000_000, 1_000_000), (2_147_483_647, most)] {
            let options = with(configuration(), path, json!(number));
            assert_eq!(read(&settings(&options).delivery), taken, "{path} {number}");
            assert_eq!(configure(options), Ok(json!({})));
        }
        for value in [json!(0), json!(-1), json!(2_147_483_648_u32), json!(0.5), json!(1e300), json!("5")] {
            let options = with(configuration(), path, value.clone());
            assert_eq!(configure(options), refusal(path, OUT_OF_RANGE), "{path} {value}");
        }
    }
    let path = "delivery.maxWaitMs";
    for number in [0, 1, 2_147_483_647] {
        let options = with(configuration(), path, json!(number));
        assert_eq!(settings(&options).delivery.max_wait_ms, number);
    }
    for value in [json!(-1), json!(2_147_483_648_u32), json!(0.5), json!("5")] {
        let options = with(configuration(), path, value.clone());
        assert_eq!(configure(options), refusal(path, NOT_MILLISECONDS), "{value}");
    }
}

#[test]
fn each_mode_has_its_name() {
    for (name, mode) in
        [("balanced", Mode::Balanced), ("atLeastOnce", Mode::AtLeastOnce), ("atMostOnce", Mode::AtMostOnce)]
    {
        let options = with(configuration(), "delivery.mode", json!(name));
        assert_eq!(settings(&options).delivery.mode, mode);
    }
    for name in ["", "Balanced", "at-least-once", "exactlyOnce"] {
        let options = with(configuration(), "delivery.mode", json!(name));
        assert_eq!(configure(options), refusal("delivery.mode", NOT_A_MODE));
    }
}

#[test]
fn a_sequence_path_is_a_path_of_the_event() {
    let at = "delivery.sequencePath";
    for path in ["_acme.sequence", "a", "_acme.steps[0]"] {
        let options = with(configuration(), at, json!(path));
        assert_eq!(settings(&options).delivery.sequence_path.as_deref(), Some(path));
        assert_eq!(configure(options), Ok(json!({})));
    }
    for (path, code) in [
        ("a..b", "empty-segment"),
        (".", "empty-segment"),
        (" ", "empty-segment"),
        ("__proto__.a", "unsafe-key"),
        ("a[x]", "bad-index"),
    ] {
        let (found, message) = configure(with(configuration(), at, json!(path))).unwrap_err();
        assert_eq!(found, code, "{path:?}");
        assert!(message.starts_with("xdmBeacon: 'delivery.sequencePath' "), "{message}");
    }
}

#[test]
fn storage_is_on_or_off() {
    for on in [true, false] {
        let options = with(configuration(), "delivery.storage", json!(on));
        assert_eq!(settings(&options).delivery.storage, on);
    }
}

const ALL_CONTEXTS: [(&str, Contexts); 5] = [
    ("web", Contexts::WEB),
    ("device", Contexts::DEVICE),
    ("environment", Contexts::ENVIRONMENT),
    ("placeContext", Contexts::PLACE),
    ("implementationDetails", Contexts::IMPLEMENTATION),
];

#[test]
fn contexts_are_chosen_one_by_one() {
    let chosen = |names: Value| settings(&with(configuration(), "context", names)).context;
    for (name, context) in ALL_CONTEXTS {
        for (_, other) in ALL_CONTEXTS {
            assert_eq!(chosen(json!([name])).has(other), other == context);
        }
        assert!(!chosen(json!([])).has(context));
        assert!(chosen(json!([name, "web", name])).has(context));
    }
    for name in ["", "Web", "webPageDetails", "all"] {
        let options = with(configuration(), "context", json!([name]));
        assert_eq!(configure(options), refusal("context[0]", NOT_A_CONTEXT));
    }
}
