//! What a click comes to: which count, and what each is called, where it stands and where it leads.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::redact::{Privacy, Redactor};
use xdm_beacon::collect::track::Options;
use xdm_beacon::collect::{Captured, click};
use xdm_beacon::delivery::Transport;

fn options(raw: Value) -> Options {
    Options::parse(&raw.to_string()).expect("these are options")
}

/// With what the site's attributes have wrong.
fn clicked_and_faults(raw: Value, seen: &str) -> (Option<Captured>, Vec<String>) {
    let (page, privacy, mut faults) = (MemoryPage::default(), Privacy::default(), Vec::new());
    let mut redact = Redactor::new(&privacy, &page);
    let click = click::capture(seen, &page.moment, &options(raw), &page, &mut redact, &mut faults);
    (click, faults.iter().map(|fault| fault.message("xdmBeacon")).collect())
}

fn clicked_with(raw: Value, seen: &Value) -> Option<Captured> {
    clicked_and_faults(raw, &seen.to_string()).0
}

/// A click of the main button on the first of `path`.
fn clicked(path: Value) -> Captured {
    clicked_with(json!({}), &json!({"button": 0, "keys": false, "path": path})).expect("it counts")
}

/// `web.webInteraction` of a click.
fn interaction(click: &Captured) -> Value {
    let xdm: Value = serde_json::from_str(&click.xdm).expect("XDM is JSON");
    assert_eq!(xdm["eventType"], "web.webinteraction.linkClicks");
    assert_eq!(xdm["web"]["webInteraction"]["linkClicks"], json!({"value": 1}));
    xdm["web"]["webInteraction"].clone()
}

fn link(href: &str) -> Value {
    json!({"tag": "a", "href": href, "text": "Text"})
}

/// What is written of a click, whole: nothing beside it, in this order.
#[test]
fn a_click_is_this_and_no_more() {
    let click = clicked(json!([link("https://shop.example/cups"), {"tag": "nav"}]));
    assert_eq!(
        click.xdm,
        concat!(
            r#"{"eventType":"web.webinteraction.linkClicks","web":{"webInteraction":{"name":"Text","region":"NAV","#,
            r#""type":"other","URL":"https://shop.example/cups","linkClicks":{"value":1}}}}"#
        )
    );
    assert_eq!(click.mapping, "");
}

#[test]
fn the_type_is_told_by_host_and_attribute() {
    let internal = json!({"internalDomains": ["partner.test", "Shop.Org", "localhost"]});
    let rows = [
        ("https://shop.example/cups", "other"),
        ("http://shop.example:8080/cups", "other"),
        ("https://shop.example./cups", "other"),
        ("https://user:secret@shop.example/cups", "other"),
        ("https://other.test/", "exit"),
        ("https://other.test", "exit"),
        ("https://other.test?x", "exit"),
        ("https://other.test#x", "exit"),
        ("https://other.test/shop.example/page", "exit"),
        ("https://other.test/?u=https://shop.example/", "exit"),
        ("https://other.test/#@shop.example/", "exit"),
        ("https://other.test/@shop.example", "exit"),
        ("https://shop.example@other.test/", "exit"),
        ("https://noshop.example/", "exit"),
        ("https://www.shop.example/", "exit"),
        ("https://shop.example.other.test/", "exit"),
        ("https://example/", "exit"),
        ("https://partner.test/", "other"),
        ("https://a.partner.test:444/", "other"),
        ("https://notpartner.test/", "exit"),
        ("https://partner.test.evil.test/", "exit"),
        ("https://www.shop.org/", "other"),
        ("http://localhost:3000/", "other"),
        ("http://[::1]:3000/", "exit"),
        ("http://127.0.0.1/", "exit"),
        ("ftp://other.test/", "other"),
        ("whatsapp://send?text=x", "other"),
        ("mailto:?subject=x.zip", "other"),
        ("tel:+4930", "other"),
        ("javascript:void(0)", "other"),
        ("data:text/plain,x.zip", "other"),
        ("blob:https://other.test/1.zip", "other"),
        ("about:blank", "other"),
        ("", "other"),
        ("https://shop.example/a.pdf", "download"),
        ("https://shop.example/A.PDF?x#y", "download"),
        ("https://other.test/a.zip", "download"),
        ("https://shop.example/a.exe", "download"),
        ("https://shop.example/a.b.pptx#p", "download"),
        ("https://shop.example/a.pdf/", "other"),
        ("https://shop.example/a.pdfx", "other"),
        ("https://shop.example/apdf", "other"),
        ("https://shop.example/?a.pdf", "other"),
        ("https://shop.example/#a.pdf", "other"),
        ("https://example.zip/", "exit"),
    ];
    for (href, expected) in rows {
        let seen = json!({"button": 0, "keys": false, "path": [link(href)]});
        let click = clicked_with(internal.clone(), &seen).expect("it counts");
        assert_eq!(interaction(&click)["type"], expected, "{href}");
        let mut path = json!([link(href)]);
        path[0]["download"] = json!("");
        assert_eq!(interaction(&clicked(path))["type"], "download", "{href}, by attribute");
    }
}

#[test]
fn the_sites_qualifier_takes_the_place_of_the_usual_one() {
    let rows = [
        (".epub", "https://shop.example/a.epub", "download"),
        (".EPUB", "https://shop.example/a.epub?x", "download"),
        (".epub", "https://shop.example/A.EPUB", "download"),
        (".epub", "https://shop.example/?a.epub", "other"),
        (".epub", "https://shop.example/a.pdf", "other"),
        ("/files/", "https://shop.example/files/x", "download"),
        ("x", "mailto:x", "other"),
        ("secret", "https://secret@shop.example/", "other"),
        ("(", "https://shop.example/(", "other"),
    ];
    for (qualifier, href, expected) in rows {
        let seen = json!({"button": 0, "keys": false, "path": [link(href)]});
        let click = clicked_with(json!({"downloadLinkQualifier": qualifier}), &seen).expect("it counts");
        assert_eq!(interaction(&click)["type"], expected, "{qualifier} on {href}");
    }
}

#[test]
fn a_url_is_shown_if_it_is_an_address_and_without_who_knows_the_password() {
    let rows = [
        ("https://shop.example/a?b#c", Some("https://shop.example/a?b#c")),
        ("https://me:secret@other.test:1/a@b", Some("https://other.test:1/a@b")),
        ("https://me@other.test", Some("https://other.test")),
        ("https://a@b@other.test/", Some("https://other.test/")),
        ("ftp://me:secret@other.test/x", Some("ftp://other.test/x")),
        ("mailto:?subject=Hi", Some("mailto:?subject=Hi")),
        ("tel:+4930", Some("tel:+4930")),
        ("about:blank", Some("about:blank")),
        ("javascript:alert(1)", None),
        ("data:text/plain,x", None),
        ("blob:https://shop.example/1", None),
        ("", None),
    ];
    for (href, expected) in rows {
        let shown = interaction(&clicked(json!([link(href)])));
        assert_eq!(shown.get("URL").and_then(Value::as_str), expected, "{href}");
    }
    assert_eq!(interaction(&clicked(json!([{"tag": "button"}]))).get("URL"), None);
}

#[test]
fn the_name_is_the_first_that_is_there() {
    let order = ["labelledby", "aria-label", "value", "alt", "text", "title", "id"];
    for (at, first) in order.iter().enumerate() {
        let mut element = json!({"tag": "input"});
        for key in &order[at..] {
            element[key] = json!(key);
        }
        for nothing in ["", " \n\u{a0}"] {
            for key in &order[..at] {
                element[key] = json!(nothing);
            }
            assert_eq!(interaction(&clicked(json!([element])))["name"], *first);
        }
    }
    assert_eq!(interaction(&clicked(json!([{"tag": "a", "href": ""}]))).get("name"), None);
}

#[test]
fn text_is_collapsed_and_cut_at_a_character() {
    let (a, smiley) = ("a".repeat(255), "😀".repeat(255));
    let rows = [
        (String::from("  a\n\t b\u{a0}\u{2003}c \r\n"), "a b c"),
        (a.clone(), &a),
        (a.clone() + "b", &a),
        ("😀".repeat(300), &smiley),
        ("a".repeat(254) + " b", &a[..254]),
        ("a".repeat(253) + "   bc", &("a".repeat(253) + " b")),
        (String::from("\u{feff}x"), "\u{feff}x"),
    ];
    for (text, expected) in rows {
        let click = clicked(json!([{"tag": "button", "text": text}, {"tag": "div", "id": text}]));
        assert_eq!(interaction(&click)["name"], *expected);
        assert_eq!(interaction(&click)["region"], *expected);
    }
    // Half of a pair, as JSON.stringify writes it.
    let seen = r#"{"button":0,"keys":false,"path":[{"tag":"button","text":"a\ud83d"}]}"#;
    let click = clicked_and_faults(json!({}), seen).0.expect("it counts");
    assert_eq!(interaction(&click)["name"], "a\u{fffd}");
}

#[test]
fn of_a_text_that_the_loader_has_cut_only_what_is_sure_to_be_whole_is_left() {
    let rows = [
        ("Read more\0", "Read"),
        ("Read more \0", "Read more"),
        ("Write to ada@shop.example and bob@sho\0", "Write to REDACTED and"),
        ("Write to ada@shop.example \0", "Write to REDACTED"),
        ("Write to ada.lovela\0", "Write to"),
        ("Write to ada%40sho\0", "Write to"),
        // Groups of a card's number, wherever it was cut.
        ("Card 4111 1111 1111 1111 \0", "Card"),
        ("Card 4111 1111 1111 11\0", "Card"),
        ("Card 4111  1111\u{a0}1111 \0", "Card"),
        ("Card no:4111 1111-1111 1\0", "Card"),
        ("Card 4111 1111 1111 1111 of Ada Lov\0", "Card REDACTED of Ada"),
        // Of several texts the first that was cut.
        ("Read ada@sho\0 and bob@shop.exam\0", "Read"),
        ("Read\0\0\0", "id"),
        ("\0", "id"),
        ("4111 1111 1\0", "id"),
    ];
    for (text, expected) in rows {
        for key in ["text", "labelledby", "aria-label", "value", "alt", "title"] {
            let click = clicked(json!([{"tag": "button", "id": "id", key: text}]));
            assert_eq!(interaction(&click)["name"], expected, "{key} {text:?}");
        }
        let click =
            clicked(json!([{"tag": "button"}, {"tag": "div", "id": text}, {"tag": "div", "id": "id"}]));
        assert_eq!(interaction(&click)["region"], expected, "{text:?}");
    }
}

#[test]
fn the_region_is_the_nearest_that_is_there() {
    let rows = [
        (json!([]), "BODY"),
        (json!([{"tag": "div"}, {"tag": "body"}, {"tag": "html"}]), "BODY"),
        (json!([{"tag": "div", "id": "x", "aria-label": "L", "labelledby": "B"}]), "x"),
        (json!([{"tag": "nav", "id": " ", "aria-label": "L", "labelledby": "B"}]), "B"),
        (json!([{"tag": "nav", "aria-label": "L", "labelledby": " "}]), "L"),
        (json!([{"tag": "nav", "aria-label": ""}, {"tag": "div", "id": "far"}]), "NAV"),
        (json!([{"tag": "div"}, {"tag": "li", "id": "near"}, {"tag": "nav", "id": "far"}]), "near"),
        (json!([{"tag": "header"}]), "HEADER"),
        (json!([{"tag": "main"}]), "MAIN"),
        (json!([{"tag": "aside"}]), "ASIDE"),
        (json!([{"tag": "footer"}]), "FOOTER"),
        (json!([{"tag": "search"}]), "SEARCH"),
        (json!([{"tag": "section"}, {"tag": "form"}, {"tag": "article"}]), "BODY"),
        (json!([{"tag": "div", "role": "banner"}]), "HEADER"),
        (json!([{"tag": "div", "role": " Navigation menu"}]), "NAV"),
        (json!([{"tag": "div", "role": "MAIN"}]), "MAIN"),
        (json!([{"tag": "div", "role": "complementary"}]), "ASIDE"),
        (json!([{"tag": "div", "role": "contentinfo"}]), "FOOTER"),
        (json!([{"tag": "form", "role": "search"}]), "SEARCH"),
        (json!([{"tag": "nav", "role": "presentation"}]), "BODY"),
        (json!([{"tag": "nav", "role": ""}]), "NAV"),
        (json!([{"tag": "body", "id": "page"}]), "page"),
    ];
    for (around, expected) in rows {
        let mut path = vec![json!({"tag": "a", "href": "", "id": "own", "role": "main"})];
        path.extend(around.as_array().expect("an array").iter().cloned());
        assert_eq!(interaction(&clicked(json!(path)))["region"], expected, "{around}");
    }
}

#[test]
fn only_these_buttons_count() {
    let (link, button) = (link("https://shop.example/x"), json!({"tag": "button"}));
    let rows = [
        (0, &link, true),
        (1, &link, true),
        (2, &link, false),
        (3, &link, false),
        (0, &button, true),
        (1, &button, false),
        (2, &button, false),
    ];
    for (button, element, expected) in rows {
        let seen = json!({"button": button, "keys": false, "path": [element]});
        assert_eq!(clicked_with(json!({}), &seen).is_some(), expected, "{button} on {element}");
    }
    for seen in [
        json!({"button": 0, "keys": false, "path": []}),
        json!({"button": 0, "keys": false}),
        json!({"keys": false, "path": [link]}),
        json!([]),
    ] {
        assert_eq!(clicked_with(json!({}), &seen), None, "{seen}");
    }
}

#[test]
fn it_is_told_when_the_page_is_likely_to_go() {
    let with = |href: &str, key: &str, value: &str| {
        let mut link = link(href);
        link[key] = json!(value);
        json!([link])
    };
    let form = |tag: &str, kind: &str| json!([{"tag": tag, "type": kind}, {"tag": "p"}, {"tag": "form"}]);
    let rows = [
        (json!([link("https://shop.example/x")]), true),
        (json!([link("https://other.test/")]), true),
        // It is loaded anew.
        (json!([link("https://shop.example/mugs?colour=blue")]), true),
        (json!([link("https://shop.example/mugs?colour=blue#else")]), false),
        (json!([link("https://shop.example/mugs?colour=bluer#else")]), true),
        (json!([link("https://shop.example/a.pdf")]), false),
        (json!([link("mailto:?x")]), false),
        (json!([link("javascript:void(0)")]), false),
        (json!([link("")]), false),
        (with("https://shop.example/x", "download", ""), false),
        (with("https://shop.example/x", "target", "_blank"), false),
        (with("https://shop.example/x", "target", "frame"), false),
        (with("https://shop.example/x", "target", ""), true),
        (with("https://shop.example/x", "target", "_SELF"), true),
        (with("https://shop.example/x", "target", "_top"), true),
        (with("https://shop.example/x", "target", "_parent"), true),
        (form("button", "submit"), true),
        (form("button", ""), true),
        (form("button", "Button"), false),
        (form("button", "reset"), false),
        (form("input", "submit"), true),
        (form("input", "image"), true),
        (form("input", "button"), false),
        (form("div", ""), false),
        (json!([{"tag": "button"}, {"tag": "div"}]), false),
    ];
    for (path, expected) in rows {
        assert_eq!(clicked(path.clone()).leaves, expected, "{path}");
        for (button, keys) in [(0, true), (1, false)] {
            let seen = json!({"button": button, "keys": keys, "path": path});
            let leaves = clicked_with(json!({}), &seen).is_some_and(|click| click.leaves);
            assert!(!leaves, "elsewhere: {path}");
        }
    }
}

#[test]
fn attributes_bring_fields() {
    type Row = (Value, Value, &'static [&'static str]);
    let rows: [Row; 16] = [
        (json!([{}]), json!(null), &[]),
        (json!([{"data-xdm-marketing.tracking-code": "a"}]), json!({"marketing.trackingCode": "a"}), &[]),
        (json!([{"data-xdm-a.-s-k-u": "1"}]), json!({"a.SKU": "1"}), &[]),
        (json!([{"data-xdm-_acme.level-2-a-": "1"}]), json!({"_acme.level-2A": "1"}), &[]),
        (json!([{"data-xdm-items[0].name": "1"}]), json!({"items[0].name": "1"}), &[]),
        (json!([{"data-xdm-site-section": "1"}]), json!(null), &[]),
        (
            json!([{"data-xdm-mapping": r#"{"a.b": 1, "a.c": [true, null], "eventType": "x"}"#}]),
            json!({"a.b": 1, "a.c": [true, null], "eventType": "x"}),
            &[],
        ),
        (
            json!([{"data-xdm-a.b": "near"}, {}, {"data-xdm-a.b": "far", "data-xdm-a.c": "far"}]),
            json!({"a.b": "near", "a.c": "far"}),
            &[],
        ),
        (
            json!([{"data-xdm-a.b": "near"}, {"data-xdm-mapping": r#"{"a.b.c": 1, "d": 2}"#}]),
            json!({"a.b": "near", "d": 2}),
            &["'data-xdm-mapping.a.b.c' "],
        ),
        (json!([{"data-xdm-a.b": "near"}, {"data-xdm-a": "x"}]), json!({"a.b": "near"}), &[]),
        (
            json!([{"data-xdm-a.b": "near"}, {"data-xdm-a[0].b": "x"}]),
            json!({"a.b": "near"}),
            &["'data-xdm-a[0].b' "],
        ),
        (
            json!([{"data-xdm-mapping": "{a: 1}", "data-xdm-a.b": "1"}]),
            json!({"a.b": "1"}),
            &["'data-xdm-mapping' "],
        ),
        (json!([{"data-xdm-mapping": r#"{"a": 1"#}]), json!(null), &["'data-xdm-mapping"]),
        (json!([{"data-xdm-mapping": "[1]"}]), json!(null), &["'data-xdm-mapping' "]),
        (json!([{"data-xdm-mapping": r#"{"a": 1} x"#}]), json!(null), &["'data-xdm-mapping' "]),
        (
            json!([{"data-xdm-a..b": "1", "data-xdm-constructor.x": "1", "data-xdm-a[x].b": "1"}]),
            json!(null),
            &["'data-xdm-a..b' ", "'data-xdm-constructor.x' ", "'data-xdm-a[x].b' "],
        ),
    ];
    for (path, expected, faults) in rows {
        let seen = json!({"button": 0, "keys": false, "path": path}).to_string();
        let (click, said) = clicked_and_faults(json!({}), &seen);
        let click = click.expect("it counts");
        let mapping = if click.mapping.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&click.mapping).expect("a mapping is JSON")
        };
        assert_eq!(mapping, expected, "{path}");
        assert_eq!(said.len(), faults.len(), "{path}: {said:?}");
        for (message, part) in said.iter().zip(faults) {
            assert!(message.contains(part), "{message} names {part}");
        }
    }
}

/// An instance that captures clicks.
fn tag(changes: Value) -> Tag {
    Tag::configured(with(changes, "track", json!(["clicks"])))
}

fn seen(path: Value) -> String {
    json!({"button": 0, "keys": false, "path": path}).to_string()
}

#[test]
fn a_click_is_sent_as_an_event_with_the_context_of_the_page() {
    let mut tag = tag(json!({}));
    tag.capture("click", &seen(json!([link("https://other.test/")])));
    let entity = tag.entity();
    assert_eq!(entity["_id"], generated_id(1));
    assert_eq!(entity["timestamp"], "2026-11-24T03:49:50.123Z");
    assert_eq!(entity["eventType"], "web.webinteraction.linkClicks");
    assert_eq!(entity["web"]["webPageDetails"]["name"], "Mugs");
    assert_eq!(entity["web"]["webInteraction"]["type"], "exit");
    assert_eq!(entity["environment"]["type"], "browser");

    let mut bare = self::tag(json!({ "context": [] }));
    bare.capture("click", &seen(json!([link("https://other.test/")])));
    let entity = bare.entity();
    let keys: Vec<&str> = entity.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["_id", "timestamp", "eventType", "web"]);
    assert_eq!(entity["web"].as_object().expect("an object").len(), 1);
}

#[test]
fn what_does_not_count_sends_nothing_and_settles() {
    let mut tag = tag(json!({}));
    for seen in ["", "{}", "[", r#"{"button":2,"keys":false,"path":[{"tag":"a","href":""}]}"#] {
        let (ticket, answer) = tag.capture("click", seen);
        assert_eq!((tag.result(ticket), answer.as_str()), (Ok(json!({})), ""), "{seen}");
    }
    assert!(tag.sent.is_empty());
}

#[test]
fn a_click_after_which_the_page_goes_is_handed_over_at_once() {
    for (path, leaves) in [
        (json!([link("https://shop.example/x")]), true),
        (json!([{"tag": "button"}, {"tag": "form"}]), true),
        (json!([link("https://shop.example/mugs?colour=blue#else")]), false),
        (json!([{"tag": "button"}]), false),
    ] {
        let mut tag = tag(json!({}));
        // While the first is under way, others wait for company.
        tag.call("sendEvent", json!({}));
        assert_eq!(tag.sent.len(), 1);
        tag.capture("click", &seen(path.clone()));
        assert_eq!(tag.sent.len(), if leaves { 2 } else { 1 }, "{path}");
        assert_eq!(transport_of(&tag), Transport::Keepalive);
    }
}

#[test]
fn the_sites_own_fields_win_over_what_is_captured() {
    let mut tag = tag(json!({}));
    let element = json!({"tag": "button", "text": "Text", "data-xdm-mapping": r#"{"eventType": "own.type", "web.webInteraction.name": "Own", "web.webInteraction.linkClicks": null, "marketing.trackingCode": "x"}"#});
    tag.capture("click", &seen(json!([element])));
    let entity = tag.entity();
    assert_eq!(entity["eventType"], "own.type");
    assert_eq!(entity["marketing"], json!({"trackingCode": "x"}));
    assert_eq!(entity["web"]["webInteraction"], json!({"name": "Own", "region": "BODY", "type": "other"}));
}

#[test]
fn fields_that_would_spoil_the_event_are_left_out_and_told_with_debug_on() {
    let spoilt = [
        r#"{"identityMap.CRM[0].id": 7, "marketing.trackingCode": "x"}"#,
        r#"{"timestamp": "yesterday"}"#,
        r#"{"_id": "with spaces"}"#,
        r#"{"eventType": 1}"#,
        r#"{"productListItems": [null]}"#,
    ];
    for mapping in spoilt {
        for debug in [false, true] {
            let mut tag = tag(json!({ "debug": debug }));
            let element =
                json!({"tag": "button", "text": "Text", "data-xdm-mapping": mapping, "data-xdm-a..b": "1"});
            tag.capture("click", &seen(json!([element])));
            let entity = tag.entity();
            assert_eq!(entity["web"]["webInteraction"]["name"], "Text", "{mapping}");
            assert_eq!(entity["_id"], generated_id(1));
            assert_eq!(entity.get("marketing"), None);
            let said: Vec<bool> = tag.logs.iter().map(|log| log.starts_with("xdmBeacon: '")).collect();
            assert_eq!(said, if debug { vec![true, true] } else { vec![] }, "{:?}", tag.logs);
        }
    }
}

#[test]
fn what_identifies_a_person_is_taken_out_and_counted() {
    let rows = [
        ("text", "Write to anna@shop.example", "name", "Write to REDACTED"),
        ("aria-label", "4111 1111\n 1111  1111", "name", "REDACTED"),
        ("id", "anna@shop.example", "name", "REDACTED"),
        // A part of it would be left.
        ("text", &("a".repeat(250) + " anna@shop.example"), "name", &("a".repeat(250) + " REDA")),
        ("href", "mailto:anna@shop.example?subject=x", "URL", "mailto:REDACTED?subject=x"),
        ("href", "https://shop.example/?m=anna%40shop.example", "URL", "https://shop.example/?m=REDACTED"),
    ];
    for (key, value, field, expected) in rows {
        let mut element = json!({"tag": "a", "href": ""});
        element[key] = json!(value);
        let click = clicked(json!([element]));
        assert_eq!(interaction(&click)[field], *expected, "{key} {value}");
        assert_eq!(click.redacted, 1);
    }
    let click = clicked(json!([{"tag": "button", "text": "x"}, {"tag": "div", "id": "anna@shop.example"}]));
    assert_eq!(interaction(&click)["region"], "REDACTED");

    let seen = seen(
        json!([{"tag": "button", "text": "anna@shop.example", "data-xdm-marketing.tracking-code": "anna@shop.example"}]),
    );
    for (redact, name, count) in [(true, "REDACTED", 1), (false, "anna@shop.example", 0)] {
        let mut tag = tag(json!({ "privacy": { "redact": redact } }));
        tag.capture("click", &seen);
        assert_eq!(tag.entity()["web"]["webInteraction"]["name"], name);
        assert_eq!(tag.entity()["marketing"]["trackingCode"], "anna@shop.example", "it is the site's own");
        assert_eq!(tag.status()["redacted"], count);
    }
}
