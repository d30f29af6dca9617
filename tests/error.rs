//! What an uncaught error comes to: which count, and what is told of each.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::redact::{Privacy, Redactor};
use xdm_beacon::collect::track::Options;
use xdm_beacon::collect::{Captured, error};
use xdm_beacon::settings::Contexts;

const PATH: &str = "_acme.error";

fn captured(seen: &Value, told: &mut Vec<String>) -> Option<Captured> {
    let options = json!({ "paths": { "errors": PATH } }).to_string();
    let options = Options::parse(&options).expect("these are options");
    let privacy = Privacy { parameters: vec![String::from("token")], ..Privacy::default() };
    let page = MemoryPage::default();
    let mut redact = Redactor::new(&privacy, &page);
    error::capture(&seen.to_string(), &page.moment, &options, &mut redact, told)
}

/// What is told of an error that is the first of its page.
fn details(seen: &Value) -> Value {
    let error = captured(seen, &mut Vec::new()).expect("it counts");
    let flat: Value = serde_json::from_str(&error.mapping).expect("a mapping is JSON");
    flat[PATH].clone()
}

fn uncaught(message: &str) -> Value {
    json!({ "kind": "error", "name": "TypeError", "message": message })
}

#[test]
fn an_error_is_this_and_no_more() {
    let error = captured(
        &json!({
            "kind": "error",
            "name": "TypeError",
            "message": "x is not a function",
            "stack": "TypeError: x is not a function\n    at f (https://shop.example/a.js:1:2)\n    at https://shop.example/a.js:3:4",
            "source": "https://shop.example/a.js",
            "line": 1,
            "column": 2,
        }),
        &mut Vec::new(),
    )
    .expect("it counts");
    assert_eq!(error.xdm, r#"{"eventType":"web.error"}"#);
    assert_eq!(
        error.mapping,
        concat!(
            r#"{"_acme.error":{"kind":"error","name":"TypeError","message":"x is not a function","#,
            r#""stack":"at f (https://shop.example/a.js:1:2)\nat https://shop.example/a.js:3:4","#,
            r#""source":"https://shop.example/a.js","line":1,"column":2}}"#
        )
    );
    assert_eq!((error.redacted, error.contexts, error.referrer), (0, Contexts::NONE, None));
    assert!(!error.leaves);
}

#[test]
fn both_kinds_count_and_no_other() {
    for (kind, counts) in [
        ("error", true),
        ("unhandledrejection", true),
        ("Error", false),
        ("rejectionhandled", false),
        ("", false),
    ] {
        let seen = json!({ "kind": kind, "message": "x" });
        assert_eq!(captured(&seen, &mut Vec::new()).is_some(), counts, "{kind}");
        if counts {
            assert_eq!(details(&seen), json!({ "kind": kind, "message": "x" }));
        }
    }
    assert_eq!(captured(&json!({ "message": "x" }), &mut Vec::new()), None);
}

#[test]
fn observers_that_are_late_are_no_error() {
    for (name, message, counts) in [
        ("", "ResizeObserver loop completed with undelivered notifications.", false),
        ("", "ResizeObserver loop limit exceeded", false),
        ("Error", "ResizeObserver loop limit exceeded", true),
        ("", "ResizeObserver is not defined", true),
        ("", "Script error.", true),
    ] {
        let seen = json!({ "kind": "error", "name": name, "message": message });
        assert_eq!(captured(&seen, &mut Vec::new()).is_some(), counts, "{name} {message}");
    }
}

#[test]
fn a_stack_is_its_frames_whoever_wrote_it() {
    for (what, message, stack, expected) in [
        (
            "Chromium",
            "no",
            "RangeError: no\n    at f (https://shop.example/a.js:1:2)\n    at async Promise.all (index 0)\n    at new G (<anonymous>)",
            "at f (https://shop.example/a.js:1:2)\nat async Promise.all (index 0)\nat new G (<anonymous>)",
        ),
        (
            "Firefox",
            "no",
            "f@https://shop.example/a.js:1:2\nasync*g@https://shop.example/a.js:3:4\n@https://shop.example/a.js:5:6\n",
            "f@https://shop.example/a.js:1:2\nasync*g@https://shop.example/a.js:3:4\n@https://shop.example/a.js:5:6",
        ),
        (
            "WebKit",
            "no",
            "f@https://shop.example/a.js:1:2\nforEach@[native code]\nglobal code@https://shop.example/a.js:3:4",
            "f@https://shop.example/a.js:1:2\nforEach@[native code]\nglobal code@https://shop.example/a.js:3:4",
        ),
        ("a message like a call", "f", "f@https://shop.example/a.js:1:2", "f@https://shop.example/a.js:1:2"),
        (
            "a message like part of a place",
            "//shop",
            "f@https://shop.example/a.js:1:2",
            "f@https://shop.example/a.js:1:2",
        ),
        (
            "a message of several lines, some like frames",
            "no:\n  at home\n  ada@home",
            "Error: no:\n  at home\n  ada@home\n    at f (https://shop.example/a.js:1:2)",
            "at f (https://shop.example/a.js:1:2)",
        ),
        (
            "no message",
            "",
            "Error\n    at f (https://shop.example/a.js:1:2)",
            "at f (https://shop.example/a.js:1:2)",
        ),
        (
            "a message that was changed afterwards",
            "wrapped: no",
            "Error: no\nand why\n    at f (https://shop.example/a.js:1:2)",
            "at f (https://shop.example/a.js:1:2)",
        ),
        (
            "a message that the loader has cut",
            "no:\n  at home, wh\0",
            "Error: no:\n  at home, which is gone\n    at f (https://shop.example/a.js:1:2)",
            "at f (https://shop.example/a.js:1:2)",
        ),
        ("no frames", "no", "Error: no", ""),
        ("nothing", "no", "", ""),
    ] {
        let seen = json!({ "kind": "error", "message": message, "stack": stack });
        let told = details(&seen);
        assert_eq!(told.get("stack").and_then(Value::as_str).unwrap_or_default(), expected, "{what}");
    }
}

#[test]
fn texts_are_trimmed_in_number_and_length() {
    let long = "é".repeat(300);
    let frames: Vec<String> = (0..30).map(|number| format!("    at f{number} ({long})")).collect();
    let told = details(&json!({
        "kind": "error",
        "name": long,
        "message": format!("a  b\n{long}"),
        "stack": frames.join("\n"),
    }));
    assert_eq!(told["name"], "é".repeat(255));
    assert_eq!(told["message"], format!("a b {}", "é".repeat(251)));
    let stack: Vec<&str> = told["stack"].as_str().expect("a text").lines().collect();
    assert_eq!(stack.len(), 10);
    assert_eq!(stack[9], format!("at f9 ({}", "é".repeat(248)));
}

#[test]
fn a_place_is_told_where_it_is_one() {
    for (source, line, column, expected) in [
        (
            "https://shop.example/a.js?b#c",
            json!(1),
            json!(2),
            json!({ "source": "https://shop.example/a.js?b#c", "line": 1, "column": 2 }),
        ),
        (
            "https://me:secret@shop.example/a.js",
            json!(0),
            json!(7),
            json!({ "source": "https://shop.example/a.js", "column": 7 }),
        ),
        ("", json!(0), json!(0), json!({})),
        ("data:text/javascript,x", json!(1), json!(0), json!({ "line": 1 })),
        ("blob:https://shop.example/1", json!(-1), json!(1.5), json!({})),
        ("javascript:x", json!(2_147_483_648_i64), json!("1"), json!({})),
    ] {
        let seen = json!({ "kind": "error", "source": source, "line": line, "column": column });
        let mut told = details(&seen);
        assert_eq!(told.as_object_mut().expect("an object").remove("kind"), Some(json!("error")));
        assert_eq!(told, expected, "{source}");
    }
}

#[test]
fn what_identifies_a_person_is_taken_out_before_anything_is_cut() {
    for (key, value, expected) in [
        ("message", "no such user: anna@shop.example", "no such user: REDACTED"),
        (
            "message",
            "GET https://shop.example/?token=1a2b&x failed",
            "GET https://shop.example/?token=REDACTED&x failed",
        ),
        (
            "message",
            "GET https://shop.example/?token=1a2b failed",
            "GET https://shop.example/?token=REDACTED",
        ),
        ("message", "card 4111 1111 1111 1111 declined", "card REDACTED declined"),
        ("message", &("a".repeat(250) + " anna@shop.example"), &("a".repeat(250) + " REDA")),
        ("name", "anna@shop.example", "REDACTED"),
        // What the loader has cut there: half of it is left, which nothing knows for an address.
        ("message", "no such user: anna@sh\0", "no such user:"),
        ("message", "card 4111 1111 11\0", "card"),
        ("name", "Error of anna@sh\0", "Error of"),
        ("source", "https://shop.example/?token=1a2b&b", "https://shop.example/?token=REDACTED&b"),
        ("source", "https://shop.example/anna%40shop.example", "https://shop.example/REDACTED"),
        (
            "stack",
            "f@https://shop.example/a.js?token=1a2b:1:2\ng@https://shop.example/anna@shop.example/a.js:1:2",
            "f@https://shop.example/a.js?token=REDACTED\ng@https://shop.example/REDACTED/a.js:1:2",
        ),
        (
            "stack",
            &format!("    at f (https://shop.example/{}/anna@shop.example:1:2)", "a".repeat(223)),
            &format!("at f (https://shop.example/{}/REDA", "a".repeat(223)),
        ),
        ("stack", "submit@https://shop.example/a.js:1:2", "submit@https://shop.example/a.js:1:2"),
        ("stack", "wasm-function[3]@[wasm code]", "wasm-function[3]@[wasm code]"),
    ] {
        let mut seen = json!({ "kind": "unhandledrejection" });
        seen[key] = json!(value);
        assert_eq!(details(&seen)[key], *expected, "{key} {value}");
    }
}

#[test]
fn an_error_that_says_the_same_is_told_once_and_no_more_than_ten() {
    let mut told = Vec::new();
    let mut counts = |seen: &Value| captured(seen, &mut told).is_some();
    assert!(counts(&uncaught("a")));
    assert!(!counts(&uncaught("a")));
    assert!(!counts(&uncaught(" a ")), "no difference can be seen");
    let mut differs = uncaught("a");
    for (key, value) in [
        ("kind", json!("unhandledrejection")),
        ("name", json!("Error")),
        ("stack", json!("f@a")),
        ("source", json!("https://shop.example/")),
        ("line", json!(1)),
        ("column", json!(1)),
    ] {
        differs[key] = value;
        assert!(counts(&differs), "{key}");
        assert!(!counts(&differs), "{key}");
    }
    for number in 8..=30 {
        assert_eq!(counts(&uncaught(&number.to_string())), number <= 10, "{number}");
    }
    assert!(!counts(&uncaught("a")));
    assert_eq!(told.len(), 10);
}

fn tag(changes: Value) -> Tag {
    Tag::configured(with(changes, "track", json!(["errors"])))
}

#[test]
fn an_error_is_sent_with_the_context_of_the_page_and_each_instance_counts_for_itself() {
    let seen = json!({ "kind": "error", "message": "of anna@shop.example" }).to_string();
    for _ in 0..2 {
        let mut tag = tag(json!({ "tracking": { "paths": { "errors": PATH } } }));
        for _ in 0..3 {
            let (_, answer) = tag.capture("error", &seen);
            assert_eq!((tag.sent.len(), answer.as_str()), (1, ""));
        }
        let entity = tag.entity();
        assert_eq!(entity["eventType"], "web.error");
        assert_eq!(entity["web"]["webPageDetails"]["name"], "Mugs");
        assert_eq!(entity["_acme"], json!({ "error": { "kind": "error", "message": "of REDACTED" } }));
        assert_eq!(tag.status()["redacted"], 1, "what is not sent is not counted");
    }

    let mut bare = tag(json!({ "context": [] }));
    bare.capture("error", &seen);
    bare.capture("error", &seen);
    let entity = bare.entity();
    let keys: Vec<&str> = entity.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["_id", "timestamp", "eventType"]);
    assert_eq!(bare.sent.len(), 1);
    assert_eq!(bare.status()["redacted"], 0);
}

#[test]
fn what_does_not_count_sends_nothing_and_settles() {
    let mut tag = tag(json!({}));
    for seen in RUBBISH.iter().copied().chain(["{}", r#"{"kind":"load"}"#]) {
        let (ticket, answer) = tag.capture("error", seen);
        assert_eq!((tag.result(ticket), answer.as_str()), (Ok(json!({})), ""), "{seen}");
    }
    assert!(tag.sent.is_empty());
}
