//! What is pushed into a data layer comes to: by which entry of the mapping it is forwarded, and with what.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::declared;

const NOT_A_DATA_LAYER: (&str, &str) = ("not-a-data-layer", "must be \"acdl\" or \"array\"");
const NOT_A_SOURCE: (&str, &str) = (
    "not-a-source",
    "must be a path into what is pushed, a number, true, false, or {\"value\": …} for anything else that is always the same",
);
const EMPTY_SEGMENT: (&str, &str) = ("empty-segment", "has an empty part: write it like a.b[0].c");
const BAD_INDEX: (&str, &str) =
    ("bad-index", "has a bad array index: write a whole number up to 9999 in brackets, like a[0]");
const UNSAFE_KEY: (&str, &str) =
    ("unsafe-key", "uses __proto__, constructor or prototype: choose another name");
const PATH_CONFLICT: (&str, &str) =
    ("path-conflict", "contradicts another path, which has a value, an object or an array in the same place");
const DUPLICATE_PATH: (&str, &str) = ("duplicate-path", "is set twice: keep one of the two");
const INDEX_GAP: (&str, &str) =
    ("index-gap", "leaves an array index before it unset: number the elements from 0 without gaps");

/// An instance that forwards by this mapping, and nothing else in its events.
fn forwarding(mapping: Value) -> Tag {
    Tag::configured(json!({ "context": [], "dataLayer": { "mapping": mapping }, "debug": true }))
}

/// The event that this makes, less `_id` and `timestamp`; `None` without one. And what is told of it.
fn forwarded(mapping: Value, event: &str, values: Value) -> (Option<Value>, Vec<String>) {
    let mut tag = forwarding(mapping);
    let (_, answer) = tag.capture("dataLayer", &json!({ "event": event, "values": values }).to_string());
    assert_eq!(answer, "");
    let logs = std::mem::take(&mut tag.logs);
    if tag.sent.is_empty() {
        return (None, logs);
    }
    let mut entity = tag.entity();
    for key in ["_id", "timestamp"] {
        entity.as_object_mut().expect("an entity is an object").remove(key).expect("every event has it");
    }
    (Some(entity), logs)
}

/// The same of an event of which nothing is told.
fn event(mapping: Value, event: &str, values: Value) -> Value {
    let (entity, logs) = forwarded(mapping, event, values);
    assert_eq!(logs, [""; 0]);
    entity.expect("it is forwarded")
}

/// The same, less `eventType`, of one that was pushed as `it`.
fn fields(entry: Value, values: Value) -> Value {
    let mut entity = event(json!({ "it": entry }), "it", values);
    assert_eq!(entity.as_object_mut().expect("an object").remove("eventType"), Some(json!("it")));
    entity
}

#[test]
fn an_event_is_forwarded_by_its_own_entry_or_by_the_one_for_all() {
    let mapping = json!({
        "purchase": { "_acme.by": { "value": "name" } },
        "*": { "_acme.by": { "value": "star" } },
        "gtm.js": null,
        "bare": {},
    });
    for (name, by) in [
        ("purchase", json!("name")),
        ("Purchase", json!("star")),
        ("anything", json!("star")),
        ("*", json!("star")),
        ("__proto__", json!("star")),
    ] {
        let expected = json!({ "eventType": name, "_acme": { "by": by } });
        assert_eq!(event(mapping.clone(), name, json!({})), expected);
    }
    assert_eq!(event(mapping.clone(), "bare", json!({})), json!({ "eventType": "bare" }));
    for name in ["gtm.js", ""] {
        assert_eq!(forwarded(mapping.clone(), name, json!({})), (None, vec![]), "{name}");
    }
    for mapping in [json!({}), json!({ "purchase": {} }), json!({ "*": null })] {
        assert_eq!(forwarded(mapping, "another", json!({})), (None, vec![]));
    }
}

#[test]
fn what_was_read_keeps_its_type_and_what_is_missing_is_left_out() {
    for value in [
        json!("text"),
        json!("5"),
        json!(5),
        json!(-0.25),
        json!(true),
        json!(false),
        json!(0),
        json!(["a", 1, true]),
        json!({ "a": { "b": [{ "c": 1 }] } }),
    ] {
        let expected = json!({ "_acme": { "a": value } });
        assert_eq!(fields(json!({ "_acme.a": "x.y[0]" }), json!({ "x.y[0]": value })), expected);
    }
    for nothing in [json!(null), json!(""), json!({}), json!([]), json!({ "a": null })] {
        assert_eq!(fields(json!({ "_acme.a": "x" }), json!({ "x": nothing })), json!({}));
    }
    assert_eq!(
        fields(json!({ "_acme.a": "x", "_acme.b": "y" }), json!({ "y": 1 })),
        json!({"_acme": {"b": 1}})
    );
    assert_eq!(fields(json!({ "_acme.a": "x" }), json!({})), json!({}));
}

#[test]
fn constants_are_themselves() {
    let entry = json!({
        "commerce.purchases.value": 1,
        "_acme.yes": true,
        "_acme.no": false,
        "_acme.text": { "value": "x" },
        "_acme.list": { "value": [1, 2] },
        "_acme.object": { "value": { "a": 1 } },
        "_acme.null": { "value": null },
        " _acme.spaced ": 2,
    });
    let expected = json!({
        "commerce": { "purchases": { "value": 1 } },
        "_acme": { "yes": true, "no": false, "text": "x", "list": [1, 2], "object": { "a": 1 }, "spaced": 2 },
    });
    assert_eq!(fields(entry, json!({ "x": "not this" })), expected);
}

#[test]
fn the_type_is_the_mappings_or_the_name() {
    for (source, values, expected) in [
        (json!({ "value": "commerce.purchases" }), json!({}), "commerce.purchases"),
        (json!("kind"), json!({ "kind": "read" }), "read"),
        (json!("kind"), json!({}), "it"),
        (json!("kind"), json!({ "kind": "" }), "it"),
        (json!("kind"), json!({ "kind": 5 }), "it"),
        (json!({ "value": null }), json!({}), "it"),
        (json!(5), json!({}), "it"),
    ] {
        let mapping = json!({ "it": { "eventType": source } });
        assert_eq!(event(mapping, "it", values), json!({ "eventType": expected }));
    }
}

#[test]
fn lists_are_read_element_by_element() {
    let entry = json!({
        "productListItems[*].SKU": "items[*].id",
        "productListItems[*].priceTotal": "items[*].price",
        "productListItems[*].currencyCode": "currency",
        "productListItems[*].quantity": 1,
        "productListItems[*]._acme.tags": "items[*].tags",
        "_acme.names[*]": "items[*].name",
        "commerce.order.priceTotal": "total",
    });
    let values = json!({
        "items[*].id": ["a", null, null, "d"],
        "items[*].price": [1.5, 2, null, ""],
        "items[*].tags": [["x"], null, null, ["y", "z"]],
        "items[*].name": ["A", "", null, "D"],
        "currency": "EUR",
        "total": 3.5,
    });
    let item = |more: Value| {
        let mut item = json!({ "currencyCode": "EUR", "quantity": 1 });
        for (key, value) in more.as_object().expect("an object") {
            item[key] = value.clone();
        }
        item
    };
    assert_eq!(
        fields(entry.clone(), values),
        json!({
            "productListItems": [
                item(json!({ "SKU": "a", "priceTotal": 1.5, "_acme": { "tags": ["x"] } })),
                item(json!({ "priceTotal": 2 })),
                item(json!({ "SKU": "d", "_acme": { "tags": ["y", "z"] } })),
            ],
            "_acme": { "names": ["A", "D"] },
            "commerce": { "order": { "priceTotal": 3.5 } },
        })
    );
    // Lists of different lengths, what is no list, and nothing.
    let short = json!({ "items[*].id": ["a"], "items[*].price": [1, 2], "items[*].tags": "x" });
    let expected = json!({ "productListItems": [
        { "SKU": "a", "priceTotal": 1, "quantity": 1 },
        { "priceTotal": 2, "quantity": 1 },
    ]});
    assert_eq!(fields(entry.clone(), short), expected);
    for nothing in [json!({}), json!({ "items[*].id": [] }), json!({ "items[*].id": [null, ""] })] {
        assert_eq!(fields(entry.clone(), nothing), json!({}));
    }
    // More of them than a path can count.
    let many: Vec<u32> = (0..12_000).collect();
    let expected: Vec<Value> = many.iter().map(|id| json!({ "SKU": id })).collect();
    let entry = json!({ "productListItems[*].SKU": "items[*].id" });
    let (entity, _) = forwarded(json!({ "it": entry }), "it", json!({ "items[*].id": many }));
    assert_eq!(entity, Some(json!({ "eventType": "it", "productListItems": expected })));
}

#[test]
fn what_no_event_can_hold_is_left_out_alone_and_told() {
    let empty_element = "is an empty array element: give it a value or remove it";
    let rows = [
        (
            json!({ "_acme.a": "x", "_acme.b": "y" }),
            json!({ "x": ["a", "", "c"], "y": 1 }),
            json!({ "_acme": { "b": 1 } }),
            format!("xdmBeacon: 'dataLayer.mapping.it._acme.a[1]' {empty_element}"),
        ),
        (
            json!({ "_acme.list[*]": "x[*]", "_acme.b": "y" }),
            json!({ "x[*]": ["a", { "c": [null] }], "y": 1 }),
            json!({ "_acme": { "b": 1 } }),
            format!("xdmBeacon: 'dataLayer.mapping.it._acme.list[1].c[0]' {empty_element}"),
        ),
        // The first element is not there, so the second cannot be.
        (
            json!({ "_acme.a[0]": "x", "_acme.a[1]": "y", "_acme.b": "y" }),
            json!({ "y": 1 }),
            json!({ "_acme": { "b": 1 } }),
            format!("xdmBeacon: 'dataLayer.mapping.it._acme.a[1]' {}", INDEX_GAP.1),
        ),
    ];
    for (entry, values, expected, log) in rows {
        let (entity, logs) = forwarded(json!({ "it": entry }), "it", values);
        let mut entity = entity.expect("it is forwarded");
        entity.as_object_mut().expect("an object").remove("eventType");
        assert_eq!((entity, logs), (expected, vec![log]));
    }
}

/// What has a meaning of its own in an event is checked when it is sent; the type is the last to go.
#[test]
fn fields_that_would_have_the_event_refused_are_left_out_together() {
    for (path, reason) in [
        ("timestamp", "'mapping.timestamp' must be a string"),
        ("_id", "'mapping._id' must be a string"),
        ("identityMap", "'mapping.identityMap' must be an object"),
    ] {
        let mapping = json!({ "it": { "eventType": { "value": "kept" }, path: "x", "_acme.b": 1 } });
        let (entity, logs) = forwarded(mapping, "it", json!({ "x": 5 }));
        assert_eq!(entity, Some(json!({ "eventType": "kept" })), "{path}");
        assert_eq!(logs, [format!("xdmBeacon: {reason}")]);
    }
    let mapping = json!({ "it": { "timestamp": "at", "_id": "id", "identityMap.CRM[0].id": "user" } });
    let mut tag = forwarding(mapping);
    let values = json!({ "at": "2026-11-24T03:00:00Z", "id": "order-1", "user": "ada" });
    tag.capture("dataLayer", &json!({ "event": "it", "values": values }).to_string());
    assert_eq!(
        tag.entity(),
        json!({
            "_id": "order-1",
            "timestamp": "2026-11-24T03:00:00Z",
            "eventType": "it",
            "identityMap": { "CRM": [{ "id": "ada" }] },
        })
    );
}

#[test]
fn values_are_the_sites_own() {
    let values = json!({ "x": "ada@example.com 4111 1111 1111 1111" });
    let mut tag = forwarding(json!({ "it": { "_acme.a": "x" } }));
    tag.capture("dataLayer", &json!({ "event": "it", "values": values }).to_string());
    assert_eq!(tag.entity()["_acme"]["a"], values["x"]);
    assert_eq!(tag.status()["redacted"], 0);
}

#[test]
fn they_win_over_the_context_which_comes_along() {
    let mut tag = Tag::configured(json!({
        "context": ["web"],
        "dataLayer": { "mapping": { "it": { "web.webPageDetails.name": "title" } } },
    }));
    tag.capture("dataLayer", &json!({ "event": "it", "values": { "title": "Mine" } }).to_string());
    assert_eq!(
        tag.entity()["web"]["webPageDetails"],
        json!({ "URL": "https://shop.example/mugs?colour=blue#top", "name": "Mine" })
    );
}

#[test]
fn consent_holds_for_them() {
    let decide = |general| json!({ "consent": [{ "standard": "Adobe", "version": "1.0", "value": { "general": general } }] });
    let seen = json!({ "event": "it", "values": {} }).to_string();
    for (default, decision, count) in [("pending", "in", 1), ("pending", "out", 0), ("out", "in", 0)] {
        let mut tag = Tag::configured(json!({
            "consent": { "default": default },
            "dataLayer": { "mapping": { "it": {} } },
        }));
        tag.capture("dataLayer", &seen);
        assert_eq!(tag.sent.len(), 0, "{default}");
        tag.call("setConsent", decide(decision));
        assert_eq!(tag.sent.len(), count, "{default}, then {decision}");
    }
}

#[test]
fn the_loader_is_told_what_to_follow() {
    let mapping = json!({ "it": { "_acme.a": "x", "_acme.b": { "value": [1] } }, "*": null });
    for (option, kind, name) in [
        (json!({ "mapping": mapping }), "acdl", "adobeDataLayer"),
        (json!({ "mapping": mapping, "kind": "acdl" }), "acdl", "adobeDataLayer"),
        (json!({ "mapping": mapping, "kind": "array" }), "array", "dataLayer"),
        (json!({ "mapping": mapping, "kind": "array", "name": "my \"layer\"" }), "array", "my \"layer\""),
        (json!({ "mapping": mapping, "name": "mine" }), "acdl", "mine"),
    ] {
        let mut tag = Tag::configured(json!({ "dataLayer": option }));
        assert_eq!(tag.beacon.tracking(), " dataLayer");
        let (ticket, answer) = tag.capture("dataLayer", "{}");
        assert_eq!(tag.result(ticket), Ok(json!({})));
        let told: Value = serde_json::from_str(&answer).expect("it is JSON");
        assert_eq!(told, json!({ "kind": kind, "name": name, "mapping": mapping }));
    }
    let mut tag = Tag::configured(json!({ "track": ["clicks"] }));
    assert_eq!(tag.beacon.tracking(), "clicks");
    assert_eq!(tag.capture("dataLayer", "{}").1, "");
}

fn configure(data_layer: Value) -> Settled {
    Tag::bare().outcome("configure", with(configuration(), "dataLayer", data_layer))
}

#[test]
fn each_part_refuses_every_kind_but_its_own() {
    for (kind, value) in one_of_each_kind() {
        let with = |key: &str| {
            let mut option = json!({ "mapping": {} });
            option[key] = value.clone();
            configure(option)
        };
        if kind != "object" {
            assert_eq!(configure(value.clone()), refusal("dataLayer", NOT_AN_OBJECT), "{kind}");
            assert_eq!(with("mapping"), refusal("dataLayer.mapping", NOT_AN_OBJECT), "{kind}");
        }
        if kind != "string" {
            assert_eq!(with("name"), refusal("dataLayer.name", NOT_A_STRING), "{kind}");
        }
        assert_eq!(with("kind"), refusal("dataLayer.kind", NOT_A_DATA_LAYER), "{kind}");
        assert_eq!(with("names"), refusal("dataLayer.names", UNKNOWN_OPTION), "{kind}");
        if !["object", "null"].contains(&kind) {
            let entry = configure(json!({ "mapping": { "it": value } }));
            assert_eq!(entry, refusal("dataLayer.mapping.it", NOT_AN_OBJECT), "{kind}");
        }
        if ["null", "array", "object"].contains(&kind) {
            let entry = configure(json!({ "mapping": { "it": { "_acme.a": value } } }));
            assert_eq!(entry, refusal("dataLayer.mapping.it._acme.a", NOT_A_SOURCE), "{kind}");
        }
    }
    assert_eq!(configure(json!({})), refusal("dataLayer.mapping", MISSING));
    assert_eq!(configure(json!({ "mapping": {}, "name": "" })), refusal("dataLayer.name", EMPTY));
    assert_eq!(
        configure(json!({ "mapping": {}, "kind": "ACDL" })),
        refusal("dataLayer.kind", NOT_A_DATA_LAYER)
    );
}

#[test]
fn paths_of_an_entry_are_paths_and_fit_together() {
    let table = [
        (json!({ "a..b": 1 }), "a..b", EMPTY_SEGMENT),
        (json!({ "": 1 }), "", EMPTY_SEGMENT),
        (json!({ "a[x]": 1 }), "a[x]", BAD_INDEX),
        (json!({ "a[1]": 1 }), "a[1]", INDEX_GAP),
        (json!({ "a": 1, "a.b": 1 }), "a.b", PATH_CONFLICT),
        (json!({ "a": 1, " a ": 1 }), "a", DUPLICATE_PATH),
        (json!({ "a.constructor": 1 }), "a.constructor", UNSAFE_KEY),
        (json!({ "a[*].b[*]": "x[*]" }), "a.*.b[*]", BAD_INDEX),
        (json!({ "a[*]": "x[*]", "a[0]": 1 }), "a[0]", PATH_CONFLICT),
        (json!({ "a[*].b": "x[*]", "a": 1 }), "a", PATH_CONFLICT),
        // Sources are named by where their value goes.
        (json!({ "a": "x..y" }), "a", EMPTY_SEGMENT),
        (json!({ "a": "" }), "a", EMPTY),
        (json!({ "a": "x.__proto__" }), "a", UNSAFE_KEY),
        (json!({ "a": "x[*].y" }), "a", BAD_INDEX),
        (json!({ "a[*]": "x[*].y[*]" }), "a[*]", BAD_INDEX),
    ];
    for (entry, path, reason) in table {
        let path = if path.is_empty() { String::new() } else { format!(".{path}") };
        let outcome = configure(json!({ "mapping": { "it": entry } }));
        assert_eq!(outcome, refusal(&format!("dataLayer.mapping.it{path}"), reason), "{entry}");
    }
    for entry in [
        json!(null),
        json!({}),
        json!({ "a[0].b": "x[3].y", "a[1].b": "{eventInfo.path}.dc:title" }),
        json!({ "a[*]": "x[*]", "b[*].c": "x[*].y", "b[*].d.e": 1, "eventType": "gtm.element" }),
    ] {
        assert_eq!(configure(json!({ "mapping": { "it": entry } })), Ok(json!({})), "{entry}");
    }
}

#[test]
fn each_part_is_an_attribute() {
    let declared = |attribute: &str, text: &str| -> Value {
        let options = declared::options(&json!({ attribute: text }).to_string()).expect("they are options");
        serde_json::from_str(&options).expect("they are JSON")
    };
    for (attribute, text, expected) in [
        ("dataLayerName", "mine", json!({ "name": "mine" })),
        ("dataLayerKind", "array", json!({ "kind": "array" })),
        ("dataLayerMapping", " {\"a.b\": {\"c\": [1]}} ", json!({ "mapping": { "a.b": { "c": [1] } } })),
        // What is not JSON goes on as text, to be named as faulty.
        ("dataLayerMapping", "{'a': 1}", json!({ "mapping": "{'a': 1}" })),
        ("dataLayerMapping", "", json!({ "mapping": "" })),
    ] {
        assert_eq!(declared(attribute, text), json!({ "dataLayer": expected }), "{attribute}={text}");
    }
}
