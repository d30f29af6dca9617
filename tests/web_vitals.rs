//! What the event of a page's web vitals says.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;

const PATH: &str = "_acme.vitals";
const HOME: &str = "https://shop.example/";
const MUGS: &str = "https://shop.example/mugs";

fn tag(options: Value) -> Tag {
    Tag::configured(with(with(options, "track", json!(["webVitals"])), "context", json!([])))
}

fn at_path() -> Value {
    json!({ "tracking": { "paths": { "webVitals": PATH } } })
}

fn stand(tag: &mut Tag, url: &str, title: &str) {
    let moment = &mut tag.page.moment;
    (moment.url, moment.title) = (String::from(url), String::from(title));
}

/// Captures what was seen; the event, if it has left the page with it.
fn captured(tag: &mut Tag, seen: &Value) -> Option<Value> {
    let before = tag.sent.len();
    let (ticket, answer) = tag.capture("webVitals", &seen.to_string());
    assert_eq!(answer, "");
    let sent = tag.sent.len() > before;
    while !tag.open.is_empty() {
        tag.deliver();
    }
    assert!(tag.result(ticket).is_ok());
    sent.then(|| tag.entity())
}

#[test]
fn the_measures_that_are_known_and_nothing_else() {
    let all = json!({
        "lcp": 1_180, "cls": 0.0213, "inp": 96, "fcp": 840, "ttfb": 120, "navigationType": "navigate",
    });
    let with = |key: &str, value: Value| with(all.clone(), key, value);
    let without = |key: &str| {
        let mut some = all.clone();
        some.as_object_mut().expect("an object").remove(key);
        some
    };
    for (seen, expected) in [
        (all.clone(), all.clone()),
        (json!({ "ttfb": 0 }), json!({ "ttfb": 0 })),
        (json!({ "cls": 0 }), json!({ "cls": 0 })),
        (
            json!({ "cls": 1.5, "navigationType": "back-forward-cache" }),
            json!({ "cls": 1.5, "navigationType": "back-forward-cache" }),
        ),
        (without("inp"), without("inp")),
        (with("id", json!("v4-1")), all.clone()),
        (with("lcp", json!(86_400_000)), with("lcp", json!(86_400_000))),
        (with("lcp", json!(86_400_001)), without("lcp")),
        (with("fcp", json!(-1)), without("fcp")),
        (with("fcp", json!(1.5)), without("fcp")),
        (with("inp", json!(null)), without("inp")),
        (with("ttfb", json!("12")), without("ttfb")),
        (with("cls", json!(-0.1)), without("cls")),
        (with("cls", json!(null)), without("cls")),
        (with("cls", json!({})), without("cls")),
        (with("navigationType", json!(null)), without("navigationType")),
    ] {
        let entity = captured(&mut tag(at_path()), &seen).unwrap_or_else(|| panic!("{seen} has left"));
        assert_eq!(entity["eventType"], "web.vitals");
        assert_eq!(entity["_acme"]["vitals"], expected, "{seen}");
    }
}

#[test]
fn where_nothing_is_known_there_is_no_event() {
    let mut tag = tag(at_path());
    for seen in [
        json!({}),
        json!({ "navigationType": "reload", "url": HOME }),
        json!({ "lcp": -1, "cls": null, "inp": "0", "fcp": 0.5, "ttfb": 100_000_000 }),
    ] {
        assert_eq!(captured(&mut tag, &seen), None, "{seen}");
    }
    for text in RUBBISH {
        let (ticket, _) = tag.capture("webVitals", text);
        assert_eq!(tag.result(ticket), Ok(json!({})), "{text:?}");
    }
    assert_eq!(tag.sent.len(), 0);
}

#[test]
fn it_is_of_the_page_as_it_was_loaded() {
    let details = |url: &str, name: Option<&str>| match name {
        Some(name) => json!({ "URL": url, "name": name }),
        None => json!({ "URL": url }),
    };
    for (loaded, at, hash_routes, expected) in [
        (HOME, HOME, false, details(HOME, Some("Now"))),
        (HOME, "https://shop.example/#end", false, details(HOME, Some("Now"))),
        (HOME, "https://shop.example/#end", true, details(HOME, None)),
        (HOME, MUGS, false, details(HOME, None)),
        (
            "https://shop.example/?mail=a@b.example",
            MUGS,
            false,
            details("https://shop.example/?mail=REDACTED", None),
        ),
    ] {
        let mut options = at_path();
        options["tracking"]["hashRoutes"] = json!(hash_routes);
        let mut tag = tag(options);
        stand(&mut tag, at, "Now");
        let entity = captured(&mut tag, &json!({ "ttfb": 5, "url": loaded })).expect("it has left");
        assert_eq!(entity["web"]["webPageDetails"], expected, "{loaded} at {at}");
    }
}

#[test]
fn it_is_handed_over_at_once() {
    let mut tag = tag(at_path());
    // While the first is under way, others wait for company.
    tag.call("sendEvent", json!({}));
    assert_eq!(tag.sent.len(), 1);
    assert!(captured(&mut tag, &json!({ "ttfb": 5 })).is_some());
}

#[test]
fn a_page_that_was_left_leaves_the_trail_alone() {
    let mut tag = Tag::configured(json!({ "context": ["web"] }));
    let told = |entity: Value| entity["web"]["webReferrer"]["URL"].clone();
    let event = |tag: &mut Tag| {
        tag.call("sendEvent", json!({ "documentUnloading": true }));
        while !tag.open.is_empty() {
            tag.deliver();
        }
        told(tag.entity())
    };
    let vitals =
        |tag: &mut Tag| told(captured(tag, &json!({ "ttfb": 5, "url": HOME })).expect("it has left"));
    stand(&mut tag, HOME, "Home");
    assert_eq!(vitals(&mut tag), "https://search.example/", "the first event");
    assert_eq!(event(&mut tag), Value::Null);
    stand(&mut tag, MUGS, "Mugs");
    assert_eq!(vitals(&mut tag), Value::Null, "of the page before");
    assert_eq!(event(&mut tag), HOME);
    assert_eq!(vitals(&mut tag), Value::Null, "of the page before");
    assert_eq!(event(&mut tag), Value::Null);
}

#[test]
fn without_a_path_the_event_has_its_type_alone() {
    let entity = captured(&mut tag(json!({})), &json!({ "lcp": 5, "url": HOME })).expect("it has left");
    let keys: Vec<_> = entity.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["_id", "timestamp", "web", "eventType"]);
}
