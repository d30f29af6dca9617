//! `track` and `tracking`: every part right, of the wrong kind and unknown; by attribute, too.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::declared;
use xdm_beacon::settings::Settings;

const NOT_TRACKED: (&str, &str) = (
    "not-tracked",
    "must be \"pageViews\", \"clicks\", \"forms\", \"engagement\", \"errors\" or \"webVitals\"",
);
const PATH_CONFLICT: (&str, &str) =
    ("path-conflict", "contradicts another path, which has a value, an object or an array in the same place");
const EMPTY_SEGMENT: (&str, &str) = ("empty-segment", "has an empty part: write it like a.b[0].c");

fn configure(options: Value) -> Settled {
    Tag::bare().outcome("configure", options)
}

fn settings(options: &Value) -> Settings {
    Settings::parse(&options.to_string()).unwrap_or_else(|fault| panic!("{options}: {fault:?}"))
}

fn everything() -> Value {
    let mut options = configuration();
    options["track"] = json!(["pageViews", "clicks", "forms", "engagement", "errors", "webVitals"]);
    options["tracking"] = json!({
        "downloadLinkQualifier": "\\.pdf$",
        "internalDomains": ["shop.example", "help.example"],
        "hashRoutes": true,
        "paths": {
            "restored": "_acme.restored",
            "forms": "_acme.form",
            "engagement": "_acme.engagement",
            "errors": "_acme.error",
            "webVitals": "_acme.vitals",
        },
    });
    options
}

#[test]
fn all_parts_are_taken() {
    assert_eq!(configure(everything()), Ok(json!({})));
    let settings = settings(&everything());
    assert_eq!(settings.track, "pageViews clicks forms engagement errors webVitals");
    let tracking = settings.tracking;
    assert_eq!(tracking.download_link_qualifier.as_deref(), Some("\\.pdf$"));
    assert_eq!(tracking.internal_domains, ["shop.example", "help.example"]);
    assert!(tracking.hash_routes);
    for (name, path) in [
        ("restored", "_acme.restored"),
        ("forms", "_acme.form"),
        ("engagement", "_acme.engagement"),
        ("errors", "_acme.error"),
        ("webVitals", "_acme.vitals"),
    ] {
        assert_eq!(tracking.path(name), Some(path));
    }
}

#[test]
fn nothing_is_tracked_by_default() {
    let settings = settings(&configuration());
    assert_eq!(settings.track, "");
    assert_eq!(settings.tracking, Default::default());
    assert_eq!(settings.tracking.path("restored"), None);
}

#[test]
fn what_is_asked_for_twice_is_tracked_once() {
    for (asked, track) in [
        (json!([]), ""),
        (json!(["clicks"]), "clicks"),
        (json!(["clicks", "pageViews", "clicks"]), "clicks pageViews"),
    ] {
        assert_eq!(settings(&with(configuration(), "track", asked)).track, track);
    }
}

#[test]
fn an_instance_tells_what_to_capture_once_it_is_configured() {
    let mut tag = Tag::bare();
    assert_eq!(tag.beacon.tracking(), "");
    tag.configure(json!({ "track": ["pageViews", "errors"] }));
    assert_eq!(tag.beacon.tracking(), "pageViews errors");
}

#[test]
fn each_part_refuses_every_kind_but_its_own() {
    type Row = (&'static str, (&'static str, &'static str), &'static [&'static str]);
    let table: [Row; 9] = [
        ("tracking", NOT_AN_OBJECT, &["object"]),
        ("tracking.downloadLinkQualifier", NOT_A_STRING, &["string"]),
        ("tracking.hashRoutes", NOT_A_BOOLEAN, &["boolean"]),
        ("tracking.paths", NOT_AN_OBJECT, &["object"]),
        ("tracking.paths.restored", NOT_A_STRING, &["string"]),
        ("tracking.paths.forms", NOT_A_STRING, &["string"]),
        ("tracking.paths.engagement", NOT_A_STRING, &["string"]),
        ("tracking.paths.errors", NOT_A_STRING, &["string"]),
        ("tracking.paths.webVitals", NOT_A_STRING, &["string"]),
    ];
    for (kind, value) in one_of_each_kind() {
        for (path, reason, right) in table {
            if !right.contains(&kind) {
                let options = with(everything(), path, value.clone());
                assert_eq!(configure(options), refusal(path, reason), "{path} given {kind}");
            }
        }
        for path in ["track", "tracking.internalDomains"] {
            if kind != "array" {
                let options = with(everything(), path, value.clone());
                assert_eq!(configure(options), refusal(path, NOT_AN_ARRAY), "{path} given {kind}");
            }
            if kind != "string" {
                let options = with(everything(), path, json!(["clicks", value]));
                let element = format!("{path}[1]");
                assert_eq!(configure(options), refusal(&element, NOT_A_STRING), "{element} given {kind}");
            }
        }
    }
}

#[test]
fn what_is_none_of_them_is_refused() {
    for name in ["pageviews", "page-views", "Clicks", "webvitals", "pageViews clicks"] {
        let options = with(configuration(), "track", json!(["clicks", name]));
        assert_eq!(configure(options), refusal("track[1]", NOT_TRACKED), "{name}");
    }
    for (path, reason) in [
        ("tracking.exits", UNKNOWN_OPTION),
        ("tracking.paths.pageViews", UNKNOWN_OPTION),
        ("tracking.downloadLinkQualifier", EMPTY),
        ("tracking.paths.forms", EMPTY),
    ] {
        assert_eq!(configure(with(everything(), path, json!(""))), refusal(path, reason), "{path}");
    }
    let options = with(configuration(), "track", json!([""]));
    assert_eq!(configure(options), refusal("track[0]", EMPTY));
    for (path, reason) in [("eventType.a", PATH_CONFLICT), ("_acme..b", EMPTY_SEGMENT)] {
        let options = with(configuration(), "tracking.paths.restored", json!(path));
        assert_eq!(configure(options), refusal("tracking.paths.restored", reason), "{path}");
    }
}

#[test]
fn each_part_is_an_attribute() {
    let dataset = json!({
        "track": " pageViews clicks\nforms ",
        "trackingDownloadLinkQualifier": "\\.pdf$",
        "trackingInternalDomains": "shop.example help.example",
        "trackingHashRoutes": "",
        "trackingPathsRestored": "_acme.restored",
        "trackingPathsForms": "_acme.form",
        "trackingPathsEngagement": "_acme.engagement",
        "trackingPathsErrors": "_acme.error",
        "trackingPathsWebVitals": "_acme.vitals",
    });
    let text = declared::options(&dataset.to_string()).expect("they are options");
    let expected = everything();
    assert_eq!(
        serde_json::from_str::<Value>(&text).expect("it is JSON"),
        json!({ "track": ["pageViews", "clicks", "forms"], "tracking": expected["tracking"] })
    );
}

#[test]
fn what_is_no_pattern_or_no_host_is_refused() {
    const NOT_A_PATTERN: (&str, &str) =
        ("not-a-pattern", "must be a regular expression that does not match an empty text");
    const NOT_A_HOST: (&str, &str) = (
        "not-a-host",
        "must be a host such as shop.example, without scheme, port or path; in ASCII (xn--…) where it has other letters",
    );
    // The page of these tests takes a bracket for one that is not closed.
    let options = with(configuration(), "tracking", json!({ "downloadLinkQualifier": "(" }));
    assert_eq!(configure(options), refusal("tracking.downloadLinkQualifier", NOT_A_PATTERN));
    for domain in ["shop.example", "SHOP.example", "xn--bcher-kva.test", "localhost", "127.0.0.1"] {
        let options = with(configuration(), "tracking", json!({ "internalDomains": [domain] }));
        assert_eq!(configure(options), Ok(json!({})), "{domain}");
    }
    for domain in [
        "https://shop.example",
        "shop.example:8080",
        "shop.example/",
        "*.shop.example",
        ".shop.example",
        "bücher.test",
        " ",
    ] {
        let options = with(configuration(), "tracking", json!({ "internalDomains": ["ok.example", domain] }));
        assert_eq!(configure(options), refusal("tracking.internalDomains[1]", NOT_A_HOST), "{domain}");
    }
}
