use proptest::prelude::*;
use serde_json::{Map, Value, json};
use xdm_beacon::fault::Reason;
use xdm_beacon::time::{parse_rfc3339, rfc3339};
use xdm_beacon::xdm::entity::{Entity, Parts, experience_event, profile_record};
use xdm_beacon::xdm::identity_map::{self, Known};

use crate::oracle::{oracle, without_empty_elements};

const NOW: i64 = 1_795_492_190_123;
const NOW_TEXT: &str = "2026-11-24T03:49:50.123Z";
const ENTROPY: [u8; 16] = [0xab; 16];
const UUID: &str = "abababab-abab-4bab-abab-abababababab";

/// What the library knows by itself.
const KNOWN: [Known; 2] = [
    Known { namespace: "ECID", id: "123", may_be_primary: true },
    Known { namespace: "Shop", id: "s-1", may_be_primary: true },
];

fn event(parts: Parts) -> Entity {
    experience_event(&parts, ENTROPY, NOW).unwrap()
}

#[test]
fn an_event_of_nothing_has_an_id_and_a_time() {
    let entity = event(Parts::default());
    assert_eq!(entity.json, format!("{{\"_id\":\"{UUID}\",\"timestamp\":\"{NOW_TEXT}\"}}"));
    assert_eq!(entity.id.as_deref(), Some(UUID));
    assert_eq!(entity.timestamp.as_deref(), Some(NOW_TEXT));
    assert_eq!(entity.timestamp_ms, NOW);
}

#[test]
fn sources_in_order_of_precedence() {
    let entity = event(Parts {
        context: r#"{"eventType":"c","web":{"webPageDetails":{"URL":"u","name":"c"}},"device":{"screenWidth":1}}"#,
        mapping: r#"{"eventType":"m","web.webPageDetails.name":"m","device.screenWidth":2,"identityMap.CRM[0].id":"m"}"#,
        xdm: r#"{"eventType":"x","timestamp":"2020-01-01T00:00:00Z","_id":"x:1","device":{"screenWidth":3},"identityMap":{"ECID":[{"id":"x"}]}}"#,
        event_type: r#""t""#,
        timestamp: r#""2021-01-01T01:00:00+01:00""#,
        identity_map: r#"{"CRM":[{"id":"t","primary":true}]}"#,
        sequence: r#"{"device":{"screenHeight":4,"screenWidth":4}}"#,
        identities: &[],
    });
    assert_eq!(
        entity.json,
        concat!(
            r#"{"_id":"x:1","timestamp":"2021-01-01T01:00:00+01:00","eventType":"t","#,
            r#""web":{"webPageDetails":{"URL":"u","name":"m"}},"device":{"screenWidth":4,"screenHeight":4},"#,
            r#""identityMap":{"CRM":[{"id":"t","primary":true}],"ECID":[{"id":"x"}]}}"#
        )
    );
    assert_eq!(entity.id.as_deref(), Some("x:1"));
    assert_eq!(entity.timestamp_ms, 1_609_459_200_000);
}

#[test]
fn an_empty_value_takes_an_earlier_one_away() {
    for empty in ["null", "\"\"", "{}", "[]", " { } "] {
        let xdm = format!(
            "{{\"_id\":{empty},\"timestamp\":{empty},\"eventType\":{empty},\"identityMap\":{empty}}}"
        );
        let entity = event(Parts {
            context: r#"{"eventType":"c"}"#,
            mapping: r#"{"_id":"m","timestamp":"2020-01-01T00:00:00Z"}"#,
            xdm: &xdm,
            ..Parts::default()
        });
        assert_eq!(entity.json, format!("{{\"_id\":\"{UUID}\",\"timestamp\":\"{NOW_TEXT}\"}}"), "{empty}");
        let entity = event(Parts {
            xdm: r#"{"eventType":"x","timestamp":"2020-01-01T00:00:00Z"}"#,
            event_type: empty,
            timestamp: empty,
            ..Parts::default()
        });
        assert_eq!(entity.timestamp.as_deref(), Some(NOW_TEXT), "{empty}");
        assert!(!entity.json.contains("eventType"), "{empty}");
    }
}

#[test]
fn faults_name_the_option() {
    let parts = Parts::default();
    let two = r#"{"CRM":[{"id":"1","primary":true}]}"#;
    for (parts, reason, path) in [
        (Parts { xdm: "1", ..parts }, Reason::NotAnObject, "xdm"),
        (Parts { xdm: "null", ..parts }, Reason::NotAnObject, "xdm"),
        (Parts { xdm: "[]", ..parts }, Reason::NotAnObject, "xdm"),
        (Parts { xdm: "{\"a\":1", ..parts }, Reason::NotJson, "xdm"),
        (Parts { mapping: "[]", ..parts }, Reason::NotAnObject, "mapping"),
        (Parts { mapping: "{\"a..b\":1}", ..parts }, Reason::EmptySegment, "mapping.a..b"),
        (Parts { mapping: "{\"a[0]\":null}", ..parts }, Reason::EmptyElement, "mapping.a[0]"),
        (Parts { context: "[]", ..parts }, Reason::NotAnObject, "context"),
        (Parts { xdm: "{\"a\":{\"b\":[{}]}}", ..parts }, Reason::EmptyElement, "xdm.a.b[0]"),
        (
            Parts { mapping: "{\"a.c\":1}", xdm: "{\"a\":{\"b\":[{}]}}", ..parts },
            Reason::EmptyElement,
            "xdm.a.b[0]",
        ),
        (Parts { event_type: "1", ..parts }, Reason::NotAString, "type"),
        (Parts { xdm: "{\"eventType\":1}", ..parts }, Reason::NotAString, "xdm.eventType"),
        (Parts { mapping: "{\"eventType\":true}", ..parts }, Reason::NotAString, "mapping.eventType"),
        (Parts { timestamp: "1795492190123", ..parts }, Reason::NotAString, "timestamp"),
        (Parts { timestamp: "\"yesterday\"", ..parts }, Reason::NotATimestamp, "timestamp"),
        (
            Parts { xdm: "{\"timestamp\":\"2026-11-24T03:49:50\"}", ..parts },
            Reason::NotATimestamp,
            "xdm.timestamp",
        ),
        (
            Parts { mapping: "{\"timestamp\":\"\\u0000\"}", ..parts },
            Reason::NotATimestamp,
            "mapping.timestamp",
        ),
        (Parts { xdm: "{\"_id\":1}", ..parts }, Reason::NotAString, "xdm._id"),
        (Parts { xdm: "{\"_id\":\"a b\"}", ..parts }, Reason::NotAnId, "xdm._id"),
        (Parts { mapping: "{\"_id\":\"1:x\"}", ..parts }, Reason::NotAnId, "mapping._id"),
        (Parts { identity_map: "1", ..parts }, Reason::NotAnObject, "identityMap"),
        (
            Parts { identity_map: "{\"CRM\":[{\"id\":1}]}", ..parts },
            Reason::NotAString,
            "identityMap.CRM[0].id",
        ),
        (
            Parts { xdm: "{\"identityMap\":{\"CRM\":[{\"id\":1}]}}", ..parts },
            Reason::NotAString,
            "xdm.identityMap.CRM[0].id",
        ),
        (
            Parts { mapping: "{\"identityMap.CRM[0].id\":\"\"}", ..parts },
            Reason::Empty,
            "mapping.identityMap.CRM[0].id",
        ),
        (
            Parts {
                xdm: "{\"identityMap\":{\"ECID\":[{\"id\":\"2\",\"primary\":true}]}}",
                identity_map: two,
                ..parts
            },
            Reason::TwoPrimaries,
            "identityMap.CRM[0].primary",
        ),
    ] {
        let fault = experience_event(&parts, ENTROPY, NOW).unwrap_err();
        assert_eq!((fault.reason, fault.path.as_str()), (reason, path));
    }
    // An array counts as a whole: the later source's primary is the only one.
    event(Parts {
        xdm: "{\"identityMap\":{\"CRM\":[{\"id\":\"2\",\"primary\":true}]}}",
        identity_map: two,
        ..parts
    });
}

#[test]
fn the_timestamp_is_replaced_in_place() {
    let mut entity = event(Parts {
        xdm: r#"{"b":1,"timestamp":"2026-11-24T03:49:50Z","_id":"a%20b"}"#,
        ..Parts::default()
    });
    entity.set_timestamp(NOW + 1);
    entity.set_timestamp(NOW);
    assert_eq!(entity.json, format!("{{\"_id\":\"a%20b\",\"timestamp\":\"{NOW_TEXT}\",\"b\":1}}"));
    assert_eq!((entity.timestamp.as_deref(), entity.timestamp_ms), (Some(NOW_TEXT), NOW));
}

#[test]
fn a_record_is_what_was_given_and_must_be_something() {
    let parts = Parts::default();
    for (parts, expected) in [
        (
            Parts { xdm: r#"{"person":{"name":{"firstName":"A","lastName":""}}}"#, ..parts },
            r#"{"person":{"name":{"firstName":"A"}}}"#,
        ),
        (
            Parts {
                mapping: r#"{"_repo.createDate":"2020-01-01T00:00:00Z"}"#,
                identity_map: r#"{"CRM":[{"id":"1"}]}"#,
                ..parts
            },
            r#"{"_repo":{"createDate":"2020-01-01T00:00:00Z"},"identityMap":{"CRM":[{"id":"1"}]}}"#,
        ),
    ] {
        let mut record = profile_record(&parts).unwrap();
        assert_eq!(record.json, expected);
        assert_eq!((&record.id, &record.timestamp, record.timestamp_ms), (&None, &None, 0));
        record.set_timestamp(NOW);
        assert_eq!(record.json, expected, "a record has no timestamp to replace");
    }
    for (parts, reason, path) in [
        (parts, Reason::Missing, "xdm"),
        (Parts { xdm: "{}", ..parts }, Reason::Missing, "xdm"),
        (Parts { xdm: r#"{"a":{"b":null}}"#, ..parts }, Reason::Missing, "xdm"),
        (Parts { identity_map: r#"{"CRM":[{}]}"#, ..parts }, Reason::Missing, "identityMap.CRM[0].id"),
        (Parts { xdm: "\"\"", ..parts }, Reason::NotAnObject, "xdm"),
    ] {
        let fault = profile_record(&parts).unwrap_err();
        assert_eq!((fault.reason, fault.path.as_str()), (reason, path));
    }
}

/// Objects without the fields that events check, so that most cases reach the end.
fn source() -> impl Strategy<Value = Map<String, Value>> {
    crate::values::object().prop_map(|value| {
        let Value::Object(members) = without_empty_elements(&value) else {
            unreachable!("an object stays one")
        };
        members
    })
}

fn id() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![
        Just(String::new()),
        "[a-z0-9.~%]{0,3}[a-z]".prop_map(|id| id.replace('%', "%41"))
    ])
}

fn timestamp() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![
        Just(String::new()),
        (0..4_000_000_000_000i64).prop_map(rfc3339),
        Just(String::from("2020-02-29T23:59:59.123456789-12:30")),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn events_are_merged_as_trees_are(
        context in source(),
        mut xdm in source(),
        xdm_id in id(),
        xdm_time in timestamp(),
        call_time in timestamp(),
        event_type in prop::option::of("[a-z.]{0,6}"),
        entropy: [u8; 16],
        now in 0..4_000_000_000_000i64,
        later in 0..4_000_000_000_000i64,
    ) {
        if let Some(id) = &xdm_id {
            xdm.insert(String::from("_id"), json!(id));
        }
        if let Some(time) = &xdm_time {
            xdm.insert(String::from("timestamp"), json!(time));
        }
        let mut call = Map::new();
        let raw = |value: &Option<String>| value.as_ref().map(|text| json!(text).to_string()).unwrap_or_default();
        if let Some(event_type) = &event_type {
            call.insert(String::from("eventType"), json!(event_type));
        }
        if let Some(time) = &call_time {
            call.insert(String::from("timestamp"), json!(time));
        }
        let layers = [context, xdm, call].map(Value::Object);
        let (context, xdm) = (layers[0].to_string(), layers[1].to_string());
        let parts = Parts {
            context: &context,
            xdm: &xdm,
            event_type: &raw(&event_type),
            timestamp: &raw(&call_time),
            ..Parts::default()
        };
        let mut entity = experience_event(&parts, entropy, now).unwrap();
        let id = entity.id.clone().unwrap();
        let timestamp = entity.timestamp.clone().unwrap();

        // As given, else generated.
        match xdm_id.filter(|id| !id.is_empty()) {
            Some(given) => prop_assert_eq!(&id, &given),
            None => prop_assert_eq!(&id, &xdm_beacon::id::uuid_v4(entropy)),
        }
        match call_time.or(xdm_time).filter(|time| !time.is_empty()) {
            Some(given) => prop_assert_eq!(&timestamp, &given),
            None => prop_assert_eq!(&timestamp, &rfc3339(now)),
        }
        prop_assert_eq!(parse_rfc3339(&timestamp), Some(entity.timestamp_ms));

        let head = json!({"_id": id, "timestamp": timestamp});
        let [context, xdm, call] = layers;
        let mut expected = oracle(&[head.clone(), context, xdm, call, head]).unwrap().unwrap();
        prop_assert_eq!(&entity.json, &expected.to_string());

        entity.set_timestamp(later);
        expected["timestamp"] = json!(rfc3339(later));
        prop_assert_eq!(&entity.json, &expected.to_string());
        prop_assert_eq!(entity.timestamp_ms, later);
        prop_assert_eq!(entity.id, Some(id));
    }

    #[test]
    fn any_parts_make_an_event_or_a_fault(
        xdm in crate::values::value(),
        mapping in crate::values::object(),
        other in crate::values::value(),
        text in "\\PC{0,12}|[\\[\\]{}\",:0-9tf ]{0,12}",
    ) {
        let (xdm, mapping, other) = (xdm.to_string(), mapping.to_string(), other.to_string());
        for call in [&other, &text] {
            for parts in [
                Parts { xdm: &xdm, ..Parts::default() },
                Parts { mapping: &mapping, ..Parts::default() },
                Parts { event_type: call, ..Parts::default() },
                Parts { timestamp: call, ..Parts::default() },
                Parts { identity_map: call, ..Parts::default() },
                Parts { xdm: &text, mapping: &text, context: &text, event_type: call, timestamp: &xdm, identity_map: call, sequence: &text, identities: &[] },
            ] {
                let parts = Parts { identities: &KNOWN, ..parts };
                if let Ok(entity) = experience_event(&parts, [0; 16], 0) {
                    let tree: Value = serde_json::from_str(&entity.json).unwrap();
                    prop_assert!(tree["_id"].is_string() && tree["timestamp"].is_string());
                    prop_assert!(identity_map::check(&tree["identityMap"].to_string()).is_ok());
                }
                if let Ok(record) = profile_record(&parts) {
                    prop_assert!(serde_json::from_str::<Value>(&record.json).unwrap().is_object());
                }
            }
        }
    }
}
