//! What a submitted form comes to: which count, and what is told of its fields; never what they hold.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::redact::{Privacy, Redactor};
use xdm_beacon::collect::track::Options;
use xdm_beacon::collect::{Captured, form};
use xdm_beacon::settings::Contexts;

const PATH: &str = "_acme.form";

fn submitted(seen: &Value) -> Option<Captured> {
    let options = json!({ "paths": { "forms": PATH } }).to_string();
    let options = Options::parse(&options).expect("these are options");
    let (page, privacy) = (MemoryPage::default(), Privacy::default());
    form::capture(&seen.to_string(), &page.moment, &options, &mut Redactor::new(&privacy, &page))
}

/// What is told of a form.
fn details(seen: &Value) -> Value {
    let form = submitted(seen).expect("it counts");
    let flat: Value = serde_json::from_str(&form.mapping).expect("a mapping is JSON");
    flat[PATH].clone()
}

fn with_fields(fields: Value) -> Value {
    json!({ "action": "https://shop.example/", "fields": fields })
}

/// The names of those that are filled.
fn filled(fields: Value) -> Vec<String> {
    let names = &details(&with_fields(fields))["fieldsFilled"];
    names.as_array().into_iter().flatten().map(|name| name.as_str().expect("a text").to_string()).collect()
}

fn text(name: &str) -> Value {
    json!({ "tag": "input", "name": name, "holds": true })
}

#[test]
fn a_form_is_this_and_no_more() {
    let form = submitted(&json!({
        "name": "newsletter",
        "id": "newsletter-form",
        "action": "https://shop.example/subscribe",
        "fields": [text("email"), text("topics")],
    }))
    .expect("it counts");
    assert_eq!(form.xdm, r#"{"eventType":"web.formFilledOut"}"#);
    assert_eq!(
        form.mapping,
        concat!(
            r#"{"_acme.form":{"name":"newsletter","id":"newsletter-form","#,
            r#""action":"https://shop.example/subscribe","fieldsFilled":["email","topics"]}}"#
        )
    );
    assert_eq!((form.redacted, form.contexts, form.referrer), (0, Contexts::NONE, None));
    assert!(form.leaves);
}

#[test]
fn what_holds_something_is_told_by_the_kind_of_field() {
    let types =
        "text search tel url email password date month week time datetime-local number range color file";
    let mut rows: Vec<(&str, &str, &str)> =
        types.split(' ').chain(["", "nonsense", "TEXT"]).map(|kind| ("input", kind, "holds")).collect();
    rows.extend([
        ("textarea", "", "holds"),
        ("select", "", "holds"),
        ("x-field", "", "holds"),
        ("x-field", "submit", "holds"),
        ("input", "checkbox", "checked"),
        ("input", "RADIO", "checked"),
        ("input", "hidden", ""),
        ("input", "submit", ""),
        ("input", "Button", ""),
        ("input", "reset", ""),
        ("input", "image", ""),
        ("button", "", ""),
        ("button", "submit", ""),
        ("fieldset", "", ""),
        ("output", "", ""),
        ("object", "", ""),
        ("div", "", ""),
    ]);
    for (tag, kind, by) in rows {
        let field = json!({ "tag": tag, "type": kind, "name": "f", "id": "i" });
        for (holds, checked) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut field = field.clone();
            field["holds"] = json!(holds);
            // Only these have it at all.
            if tag == "input" {
                field["checked"] = json!(checked);
            }
            let expected = match by {
                "holds" => holds,
                "checked" => checked,
                _ => false,
            };
            let names = filled(json!([field]));
            assert_eq!(names.len(), usize::from(expected), "{field}");
            field["disabled"] = json!(true);
            assert_eq!(filled(json!([field])), [""; 0], "{field}");
            field["disabled"] = json!(false);
            assert_eq!(filled(json!([field])), names, "{field}");
        }
    }
    // An element of the page's own that can be checked is a box.
    for (holds, checked) in [(true, false), (false, true)] {
        let field = json!({ "tag": "x-switch", "name": "f", "holds": holds, "checked": checked });
        assert_eq!(filled(json!([field])).len(), usize::from(checked), "{field}");
    }
    // Nothing is known of these.
    for field in [json!({ "tag": "input", "name": "f" }), json!(null), json!([]), json!("f"), json!({})] {
        assert_eq!(filled(json!([field])), [""; 0], "{field}");
    }
}

#[test]
fn a_field_is_called_by_the_first_name_that_is_there_and_once() {
    let field = |name: &str, id: &str, label: &str| json!({ "tag": "input", "holds": true, "name": name, "id": id, "aria-label": label });
    for (field, expected) in [
        (field("a", "b", "c"), Some("a")),
        (field("", "b", "c"), Some("b")),
        (field(" \n", "\u{a0}", "c"), Some("c")),
        (field("", "", ""), None),
        (json!({ "tag": "input", "holds": true }), None),
        (field(" user[name]\t ", "b", "c"), Some("user[name]")),
        (field("write to anna@shop.example", "", ""), Some("write to REDACTED")),
        (field("4111111111111111", "", ""), Some("REDACTED")),
    ] {
        let names = filled(json!([field]));
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), Vec::from_iter(expected), "{field}");
    }
    let boxed = |name: &str, checked: bool| json!({ "tag": "input", "type": "checkbox", "name": name, "checked": checked });
    let fields =
        json!([boxed("b", true), text("a"), boxed("b", true), boxed("c", false), text("a"), text("d")]);
    assert_eq!(filled(fields), ["b", "a", "d"]);
}

#[test]
fn names_are_cut_and_so_is_the_list() {
    let long = "é".repeat(101);
    assert_eq!(filled(json!([text(&long)])), ["é".repeat(100)]);
    // A part of it would be left.
    assert_eq!(
        filled(json!([text(&("a".repeat(90) + " anna@shop.example"))])),
        ["a".repeat(90) + " REDACTED"]
    );
    // What the loader has cut there: half of it is left, which nothing knows for an address.
    assert_eq!(filled(json!([text("of anna@sh\0"), text("anna@sh\0")])), ["of"]);
    let many: Vec<Value> = (0..120).map(|number| text(&format!("field{}", number / 2))).collect();
    let names = filled(json!(many));
    assert_eq!(names.len(), 50);
    assert_eq!(names[49], "field49");
    let form = details(&json!({ "name": "x".repeat(300), "id": "y".repeat(300), "fields": [] }));
    assert_eq!(form, json!({ "name": "x".repeat(255), "id": "y".repeat(255) }));
}

#[test]
fn the_action_is_an_address_and_nobodys() {
    for (method, action, expected) in [
        ("post", "https://shop.example/subscribe?a#b", Some("https://shop.example/subscribe?a#b")),
        ("", "https://shop.example/", Some("https://shop.example/")),
        ("get", "https://me:secret@other.test/a@b", Some("https://other.test/a@b")),
        ("get", "https://shop.example/?m=anna%40shop.example", Some("https://shop.example/?m=REDACTED")),
        ("post", "mailto:anna@shop.example", Some("mailto:REDACTED")),
        ("post", "javascript:send()", None),
        ("post", "data:", None),
        ("post", "blob:https://shop.example/1", None),
        ("post", "", None),
        ("dialog", "https://shop.example/", None),
        ("DIALOG", "https://shop.example/", None),
    ] {
        let form = details(&json!({ "method": method, "action": action, "fields": [] }));
        assert_eq!(form.get("action").and_then(Value::as_str), expected, "{method} {action}");
        assert_eq!(form.as_object().expect("an object").len(), usize::from(expected.is_some()));
    }
}

#[test]
fn the_same_form_again_at_once_is_one() {
    for (since, counts) in [
        (json!(null), true),
        (json!(0), false),
        (json!(999), false),
        (json!(1_000), true),
        (json!(-5), false),
    ] {
        let seen = json!({ "since": since, "fields": [] });
        assert_eq!(submitted(&seen).is_some(), counts, "{since}");
    }
}

fn tag(changes: Value) -> Tag {
    Tag::configured(with(changes, "track", json!(["forms"])))
}

#[test]
fn a_form_is_sent_at_once_with_the_context_of_the_page() {
    let seen = json!({ "id": "f", "action": "https://shop.example/", "fields": [text("a")] }).to_string();
    let mut tag = tag(json!({ "tracking": { "paths": { "forms": PATH } } }));
    // While the first is under way, others wait for company.
    tag.call("sendEvent", json!({}));
    let (_, answer) = tag.capture("form", &seen);
    assert_eq!((tag.sent.len(), answer.as_str()), (2, ""));
    let entity = tag.entity();
    assert_eq!(entity["eventType"], "web.formFilledOut");
    assert_eq!(entity["web"]["webPageDetails"]["name"], "Mugs");
    let expected = json!({ "id": "f", "action": "https://shop.example/", "fieldsFilled": ["a"] });
    assert_eq!(entity["_acme"], json!({ "form": expected }));

    for tracking in [json!({}), json!({ "paths": { "errors": PATH } })] {
        let mut bare = self::tag(json!({ "context": [], "tracking": tracking }));
        bare.capture("form", &json!({ "name": "anna@shop.example", "fields": [] }).to_string());
        let entity = bare.entity();
        let keys: Vec<&str> = entity.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["_id", "timestamp", "eventType"]);
        assert_eq!(bare.status()["redacted"], 0, "it was not even told");
    }
}

#[test]
fn what_is_taken_out_is_counted_and_can_be_left_in() {
    let seen = json!({ "name": "of anna@shop.example", "fields": [text("4111 1111 1111 1111")] }).to_string();
    for (redact, name, field, count) in
        [(true, "of REDACTED", "REDACTED", 2), (false, "of anna@shop.example", "4111 1111 1111 1111", 0)]
    {
        let mut tag =
            tag(json!({ "tracking": { "paths": { "forms": PATH } }, "privacy": { "redact": redact } }));
        tag.capture("form", &seen);
        assert_eq!(tag.entity()["_acme"]["form"], json!({ "name": name, "fieldsFilled": [field] }));
        assert_eq!(tag.status()["redacted"], count);
    }
}

#[test]
fn a_form_of_which_nothing_is_known_is_still_one() {
    let mut tag = tag(json!({ "context": [], "tracking": { "paths": { "forms": PATH } } }));
    tag.capture("form", r#"{"fields":[]}"#);
    let entity = tag.entity();
    assert_eq!((&entity["eventType"], entity.get("_acme")), (&json!("web.formFilledOut"), None));
}

#[test]
fn what_does_not_count_sends_nothing_and_settles() {
    let mut tag = tag(json!({}));
    for seen in RUBBISH.iter().copied().chain(["{}", r#"{"fields":[],"since":5}"#]) {
        let (ticket, answer) = tag.capture("form", seen);
        assert_eq!((tag.result(ticket), answer.as_str()), (Ok(json!({})), ""), "{seen}");
    }
    assert!(tag.sent.is_empty());
}
