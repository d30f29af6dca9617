//! The automatic context: what each part writes, and what it leaves out.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::redact::{Privacy, Redactor};
use xdm_beacon::collect::track::Options;
use xdm_beacon::collect::{Moment, context};
use xdm_beacon::settings::{Contexts, Settings};
use xdm_beacon::time::{Millis, parse_rfc3339};

fn chosen(names: &[&str]) -> Contexts {
    let options = with(configuration(), "context", json!(names));
    Settings::parse(&options.to_string()).expect("these contexts exist").context
}

/// What is written of a page that nobody is named on.
fn unredacted(contexts: Contexts, page: &MemoryPage) -> String {
    let privacy = Privacy::default();
    let mut redactor = Redactor::new(&privacy, page);
    let text = context(
        contexts,
        &page.moment,
        Some(&page.moment.referrer),
        &Options::default(),
        page,
        &mut redactor,
    );
    assert_eq!(redactor.count, 0);
    text
}

/// The text of one context of a page.
fn text(name: &str, page: &MemoryPage) -> String {
    unredacted(chosen(&[name]), page)
}

fn written(name: &str, page: &MemoryPage) -> Value {
    serde_json::from_str(&text(name, page)).expect("context is JSON")
}

/// The page of the tests with other readings.
fn page(change: impl FnOnce(&mut MemoryPage)) -> MemoryPage {
    let mut page = MemoryPage::default();
    change(&mut page);
    page
}

const WEB: &str = r#""web":{"webPageDetails":{"URL":"https://shop.example/mugs?colour=blue#top","name":"Mugs"},"webReferrer":{"URL":"https://search.example/","type":"external"}}"#;
const DEVICE: &str = r#""device":{"screenHeight":1080,"screenWidth":1920,"screenOrientation":"landscape"}"#;
const ENVIRONMENT: &str = r#""environment":{"type":"browser","colorDepth":24,"connectionType":"wireless_wifi","browserDetails":{"viewportHeight":720,"viewportWidth":1280},"_dc":{"language":"en-GB"}}"#;
const PLACE: &str = r#""placeContext":{"localTime":"2026-11-24T04:49:50.123+01:00","localTimezoneOffset":-60,"ianaTimezone":"Europe/Berlin"}"#;
const IMPLEMENTATION: &str = concat!(
    r#""implementationDetails":{"name":"urn:xdm-beacon:web","version":""#,
    env!("CARGO_PKG_VERSION"),
    r#"","environment":"browser"}"#
);
const ALL: [(&str, &str); 5] = [
    ("web", WEB),
    ("device", DEVICE),
    ("environment", ENVIRONMENT),
    ("placeContext", PLACE),
    ("implementationDetails", IMPLEMENTATION),
];

#[test]
fn every_choice_of_contexts_writes_those_and_no_other() {
    let page = MemoryPage::default();
    for choice in 0..1 << ALL.len() {
        let on = || ALL.iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1).map(|(_, row)| row);
        let names: Vec<&str> = on().map(|(name, _)| *name).collect();
        let parts: Vec<&str> = on().map(|(_, part)| *part).collect();
        let expected = format!("{{{}}}", parts.join(","));
        assert_eq!(unredacted(chosen(&names), &page), expected, "{names:?}");
    }
}

#[test]
fn lengths_are_whole_numbers_above_zero_or_left_out() {
    type Field = (&'static str, &'static str, fn(&mut MemoryPage, f64));
    let fields: [Field; 5] = [
        ("device", "/device/screenWidth", |page, value| page.reading.screen_width = value),
        ("device", "/device/screenHeight", |page, value| page.reading.screen_height = value),
        ("environment", "/environment/colorDepth", |page, value| page.reading.color_depth = value),
        ("environment", "/environment/browserDetails/viewportWidth", |page, value| {
            page.reading.viewport_width = value;
        }),
        ("environment", "/environment/browserDetails/viewportHeight", |page, value| {
            page.reading.viewport_height = value;
        }),
    ];
    for (name, pointer, set) in fields {
        for value in [1.0, 24.0, 360.0, 100_000.0] {
            let written = written(name, &page(|page| set(page, value)));
            assert_eq!(written.pointer(pointer), Some(&json!(value as i64)), "{pointer} {value}");
        }
        for value in [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -1.0,
            -0.0,
            0.0,
            0.5,
            1279.999,
            100_000.5,
            100_001.0,
            4_294_967_296.0,
            1e300,
        ] {
            let written = written(name, &page(|page| set(page, value)));
            assert_eq!(written.pointer(pointer), None, "{pointer} {value}");
            // Only that key is gone.
            let siblings = pointer.rsplit_once('/').unwrap().0;
            assert!(written.pointer(siblings).is_some(), "{siblings} stays with {pointer} {value}");
        }
    }
}

#[test]
fn what_is_left_without_a_value_leaves_no_empty_object() {
    let empty = page(|page| page.reading = Default::default());
    assert_eq!(text("device", &empty), "{}");
    assert_eq!(text("environment", &empty), r#"{"environment":{"type":"browser"}}"#);
    let blank = page(|page| page.moment = Moment { now: NOW, ..Moment::default() });
    let privacy = Privacy { redact: false, ..Privacy::default() };
    let mut redactor = Redactor::new(&privacy, &blank);
    assert_eq!(
        context(chosen(&["web"]), &blank.moment, None, &Options::default(), &blank, &mut redactor),
        "{}"
    );
    assert_eq!(text("highEntropyUserAgentHints", &empty), "{}");
}

#[test]
fn orientation_is_the_first_word_if_it_is_one_of_two() {
    for (orientation, expected) in [
        ("portrait-primary", Some("portrait")),
        ("portrait-secondary", Some("portrait")),
        ("landscape-primary", Some("landscape")),
        ("landscape-secondary", Some("landscape")),
        ("portrait", Some("portrait")),
        ("landscape", Some("landscape")),
        ("", None),
        ("-primary", None),
        ("natural", None),
        ("Portrait-primary", None),
        ("portraits-primary", None),
        ("any", None),
    ] {
        let page = page(|page| page.reading.orientation = String::from(orientation));
        let written = written("device", &page);
        assert_eq!(written["device"].get("screenOrientation"), expected.map(|side| json!(side)).as_ref());
    }
}

#[test]
fn language_is_a_tag_that_the_schema_takes_or_left_out() {
    for tag in [
        "en",
        "en-GB",
        "EN-gb",
        "de-CH",
        "ast",
        "es-419",
        "zh-Hans",
        "zh-Hans-CN",
        "sr-Latn-RS",
        "ca-ES-valencia",
        "de-DE-1996",
        "sl-rozaj-biske",
        "en-US-u-hc-h12",
        "ar-EG-u-nu-latn-ca-islamic",
        "en-GB-t-de-u-hc-h12",
        "de-x-kiosk",
        "abcd",
        "abcdefgh",
    ] {
        let page = page(|page| page.reading.language = String::from(tag));
        assert_eq!(written("environment", &page)["environment"]["_dc"]["language"], tag);
    }
    for tag in [
        "",
        "C",
        "e",
        "1",
        "12",
        "e1",
        "abcdefghi",
        "en_GB",
        "en-US@posix",
        "en-GB.UTF-8",
        "en-",
        "-GB",
        "en--GB",
        "en-GB-",
        "en GB",
        " en",
        "en\n",
        "\u{e4}\u{f6}",
        "en-G\u{df}",
        "en,de",
        "*",
        // Each part looks right, their order does not.
        "en-1",
        "en-G",
        "en-12",
        "en-GB-US",
        "en-GB-Latn",
        "en-Latn-Cyrl",
        "de-1996-DE",
        "en-a",
        "en-u",
        "en-GB-u-x",
        "en-u-h",
        "de-x",
        "en-abcdefghi",
        "en-a1b",
        "en-abc1-GB",
        "en-a-b-cd",
    ] {
        let page = page(|page| page.reading.language = String::from(tag));
        let environment = &written("environment", &page)["environment"];
        assert_eq!(environment.get("_dc"), None, "{tag:?}");
        assert_eq!(environment["type"], "browser");
    }
}

#[test]
fn a_connection_has_xdms_word_where_there_is_one_for_sure() {
    for (kind, expected) in [
        ("wifi", Some("wireless_wifi")),
        ("cellular", Some("mobile")),
        ("ethernet", Some("lan")),
        ("", None),
        ("none", None),
        ("unknown", None),
        ("other", None),
        ("mixed", None),
        ("bluetooth", None),
        ("wimax", None),
        ("4g", None),
        ("WIFI", None),
    ] {
        let page = page(|page| page.reading.connection = String::from(kind));
        let environment = &written("environment", &page)["environment"];
        assert_eq!(environment.get("connectionType"), expected.map(|word| json!(word)).as_ref(), "{kind:?}");
    }
}

#[test]
fn client_hints_are_written_each_if_it_is_of_its_kind() {
    let hints = |given: &str| {
        let page = page(|page| page.reading.hints = String::from(given));
        let written = written("highEntropyUserAgentHints", &page);
        written.pointer("/environment/browserDetails/userAgentClientHints").cloned()
    };
    let page = MemoryPage::default();
    assert_eq!(
        text("highEntropyUserAgentHints", &page),
        r#"{"environment":{"browserDetails":{"userAgentClientHints":{"architecture":"arm","bitness":"64","model":"Pixel 9","platform":"Android","platformVersion":"16.0.0","mobile":true,"wow64":false}}}}"#
    );
    for given in ["", "{}", "null", "[]", "5", "\"x\"", "{", "undefined", r#"{"architecture":""}"#] {
        assert_eq!(hints(given), None, "{given}");
    }
    let kinds = one_of_each_kind();
    for key in ["architecture", "bitness", "model", "platform", "platformVersion", "mobile", "wow64"] {
        let right = if matches!(key, "mobile" | "wow64") { "boolean" } else { "string" };
        for (kind, value) in &kinds {
            let expected = (*kind == right).then(|| json!({ key: value }));
            assert_eq!(hints(&json!({ key: value }).to_string()), expected, "{key} {kind}");
        }
    }
    let longest = "x".repeat(100);
    assert_eq!(hints(&json!({ "model": longest }).to_string()), Some(json!({ "model": longest })));
    assert_eq!(
        hints(&json!({ "model": "x".repeat(101), "bitness": "64" }).to_string()),
        Some(json!({ "bitness": "64" }))
    );
    for unknown in ["brands", "fullVersionList", "formFactors", "uaFullVersion", "Architecture"] {
        assert_eq!(hints(&json!({ unknown: "x" }).to_string()), None, "{unknown}");
    }
}

#[test]
fn client_hints_are_asked_for_once_and_on_request_alone() {
    for (context, asked) in [
        (json!(["highEntropyUserAgentHints"]), 1),
        (json!(["web", "device", "environment", "placeContext", "implementationDetails"]), 0),
        (json!([]), 0),
    ] {
        let mut tag = Tag::configured(json!({ "context": context }));
        tag.call("sendEvent", json!({}));
        tag.call("sendEvent", json!({}));
        assert_eq!(tag.asked_hints, asked);
    }
    let mut tag = Tag::configured(json!({}));
    tag.call("sendEvent", json!({}));
    assert_eq!(tag.asked_hints, 0, "by default");

    // An event before the answer goes without; it stands beside what else there is of the browser.
    let mut tag = Tag::bare();
    tag.page.reading.hints = String::new();
    tag.configure(
        json!({ "context": ["environment", "highEntropyUserAgentHints"], "delivery": { "maxWaitMs": 0 } }),
    );
    tag.call("sendEvent", json!({}));
    let details = tag.entity()["environment"]["browserDetails"].clone();
    assert_eq!(details, json!({ "viewportHeight": 720, "viewportWidth": 1280 }));
    tag.deliver();
    tag.page.reading.hints = String::from(r#"{"bitness":"64"}"#);
    tag.call("sendEvent", json!({}));
    let details = tag.entity()["environment"]["browserDetails"].clone();
    assert_eq!(details["viewportHeight"], 720);
    assert_eq!(details["userAgentClientHints"], json!({ "bitness": "64" }));
}

#[test]
fn the_offset_is_positive_west_of_greenwich_and_local_time_the_other_way() {
    for (offset, written_offset, local_time) in [
        (-60.0, -60, "2026-11-24T04:49:50.123+01:00"),
        (480.0, 480, "2026-11-23T19:49:50.123-08:00"),
        (-345.0, -345, "2026-11-24T09:34:50.123+05:45"),
        (0.0, 0, "2026-11-24T03:49:50.123+00:00"),
        (-0.0, 0, "2026-11-24T03:49:50.123+00:00"),
        (210.0, 210, "2026-11-24T00:19:50.123-03:30"),
        (-840.0, -840, "2026-11-24T17:49:50.123+14:00"),
        (720.0, 720, "2026-11-23T15:49:50.123-12:00"),
        (1439.0, 1439, "2026-11-23T03:50:50.123-23:59"),
        (-1439.0, -1439, "2026-11-25T03:48:50.123+23:59"),
    ] {
        let page = page(|page| page.reading.timezone_offset = offset);
        let place = &written("placeContext", &page)["placeContext"];
        assert_eq!(place["localTimezoneOffset"], written_offset);
        assert_eq!(place["localTime"], local_time);
        assert_eq!(parse_rfc3339(local_time), Some(NOW));
    }
}

#[test]
fn an_offset_that_is_none_takes_local_time_with_it() {
    for offset in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -53.466,
        0.5,
        // A day: no clock shows it, and RFC 3339 cannot write it.
        1440.0,
        -1440.0,
        1441.0,
        1e9,
        -1e300,
    ] {
        let page = page(|page| page.reading.timezone_offset = offset);
        assert_eq!(
            text("placeContext", &page),
            r#"{"placeContext":{"ianaTimezone":"Europe/Berlin"}}"#,
            "{offset}"
        );
    }
    let nowhere = page(|page| {
        page.reading.timezone_offset = f64::NAN;
        page.reading.time_zone = String::new();
    });
    assert_eq!(text("placeContext", &nowhere), "{}");
    let unnamed = page(|page| page.reading.time_zone = String::new());
    assert_eq!(written("placeContext", &unnamed)["placeContext"].get("ianaTimezone"), None);
}

#[test]
fn local_time_stays_writable_at_the_ends_of_time() {
    for now in [Millis::MIN, -1, 0, Millis::MAX] {
        let page = page(|page| page.moment.now = now);
        let place = &written("placeContext", &page)["placeContext"];
        let local_time = place["localTime"].as_str().unwrap();
        assert!(parse_rfc3339(local_time).is_some(), "{local_time}");
    }
}

#[test]
fn an_untitled_page_leaves_its_name_out_and_a_visit_without_a_referrer_has_a_type() {
    let untitled = page(|page| page.moment.title = String::new());
    assert_eq!(
        text("web", &untitled),
        r#"{"web":{"webPageDetails":{"URL":"https://shop.example/mugs?colour=blue#top"},"webReferrer":{"URL":"https://search.example/","type":"external"}}}"#
    );
    let direct = page(|page| page.moment.referrer = String::new());
    assert_eq!(
        text("web", &direct),
        r#"{"web":{"webPageDetails":{"URL":"https://shop.example/mugs?colour=blue#top","name":"Mugs"},"webReferrer":{"type":"typed_bookmarked"}}}"#
    );
    let both = page(|page| {
        page.moment.title = String::new();
        page.moment.referrer = String::new();
    });
    assert_eq!(
        text("web", &both),
        r#"{"web":{"webPageDetails":{"URL":"https://shop.example/mugs?colour=blue#top"},"webReferrer":{"type":"typed_bookmarked"}}}"#
    );
}

#[test]
fn a_title_is_escaped_and_kept_whole() {
    for title in ["\"Mugs\" \\ more", "line\nbreak\tand\u{1}", "Kaffeebecher \u{1f375} für dich", "</script>"]
    {
        let page = page(|page| page.moment.title = String::from(title));
        assert_eq!(written("web", &page)["web"]["webPageDetails"]["name"], title);
    }
}

#[test]
fn an_event_carries_the_context_that_was_chosen() {
    let mut tag = Tag::configured(json!({ "context": ["device", "implementationDetails"] }));
    tag.call("sendEvent", json!({}));
    let entity = tag.entity();
    let keys: Vec<&String> = entity.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["_id", "timestamp", "device", "implementationDetails"]);

    let mut tag = Tag::configured(json!({ "context": [] }));
    tag.call("sendEvent", json!({}));
    let keys = tag.entity().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys, ["_id", "timestamp"]);

    let mut tag = Tag::configured(json!({}));
    tag.call("sendEvent", json!({}));
    let mut entity = tag.entity();
    let members = entity.as_object_mut().unwrap();
    members.retain(|key, _| key != "_id" && key != "timestamp");
    let expected = format!("{{{}}}", ALL.map(|(_, part)| part).join(","));
    assert_eq!(entity, serde_json::from_str::<Value>(&expected).unwrap());
}
