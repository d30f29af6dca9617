use proptest::prelude::*;
use serde_json::{Map, Value, json};
use xdm_beacon::fault::Reason;
use xdm_beacon::xdm::mapping::nest;

#[test]
fn flat_becomes_nested() {
    for (flat, nested) in [
        ("{}", "{}"),
        ("{\"a\":1}", "{\"a\":1}"),
        ("{\"a.b[0].c\":1}", "{\"a\":{\"b\":[{\"c\":1}]}}"),
        ("{\"a.b\":1,\"c\":2,\"a.d\":3}", "{\"a\":{\"b\":1,\"d\":3},\"c\":2}"),
        ("{\"a[1]\":1,\"a[0]\":0}", "{\"a\":[0,1]}"),
        ("{\"a[0][1]\":1,\"a[0][0]\":0}", "{\"a\":[[0,1]]}"),
        (
            "{\"p[0].SKU\":\"x\",\"p[1].SKU\":\"y\",\"p[0].name\":\"n\"}",
            "{\"p\":[{\"SKU\":\"x\",\"name\":\"n\"},{\"SKU\":\"y\"}]}",
        ),
        (
            "{\" web . webPageDetails . name \":\"Home\"}",
            "{\"web\":{\"webPageDetails\":{\"name\":\"Home\"}}}",
        ),
        ("{\"_tenant.x\":{\"y\":[1]}}", "{\"_tenant\":{\"x\":{\"y\":[1]}}}"),
        ("{\"a\":null,\"b\":\"\",\"c\":[]}", "{\"a\":null,\"b\":\"\",\"c\":[]}"),
        ("{\"a\\n\\\"b\":1}", "{\"a\\n\\\"b\":1}"),
    ] {
        assert_eq!(nest(flat).unwrap(), nested, "{flat}");
    }
}

#[test]
fn faults_name_the_path_as_it_was_written() {
    for (flat, reason, path) in [
        ("{\"a[0]\":1,\"a[2]\":2}", Reason::IndexGap, "a[2]"),
        ("{\"a[1]\":1}", Reason::IndexGap, "a[1]"),
        ("{\"a[9]\":1,\"a[5].b\":1}", Reason::IndexGap, "a[5].b"),
        ("{\"a[0][1]\":1}", Reason::IndexGap, "a[0][1]"),
        ("{\"a\":1,\" a.b \":2}", Reason::PathConflict, "a.b"),
        ("{\"a.b\":2,\"a\":1}", Reason::PathConflict, "a"),
        ("{\"a\":{\"x\":1},\"a.b\":2}", Reason::PathConflict, "a.b"),
        ("{\"a.b\":1,\"a[0]\":2}", Reason::PathConflict, "a[0]"),
        ("{\"a[0]\":1,\"a.b\":2}", Reason::PathConflict, "a.b"),
        ("{\"a[0]\":1,\"a\":2}", Reason::PathConflict, "a"),
        ("{\"a[0]\":1,\"a[0].b\":2}", Reason::PathConflict, "a[0].b"),
        ("{\"a.b\":1,\"a . b\":2}", Reason::DuplicatePath, "a . b"),
        ("{\"a\":1,\"a\":2}", Reason::DuplicatePath, "a"),
        ("{\"a..b\":1}", Reason::EmptySegment, "a..b"),
        ("{\"\":1}", Reason::EmptySegment, ""),
        ("{\"a[x]\":1}", Reason::BadIndex, "a[x]"),
        ("{\"a.__proto__.b\":1}", Reason::UnsafeKey, "a.__proto__.b"),
        ("[]", Reason::NotAnObject, ""),
        ("{\"a\":}", Reason::NotJson, "a"),
    ] {
        let fault = nest(flat).unwrap_err();
        assert_eq!((fault.reason, fault.path.as_str()), (reason, path), "{flat}");
    }
}

/// Trees whose keys can be parts of a path. Containers are not empty, since no path leads into those.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!({})),
        Just(json!([])),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\é]{0,4}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from), object(inner),]
    });
    object(value)
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::vec(("[a-d]|_tenant|é\"x", value), 1..5)
        .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
}

fn flatten(value: &Value, path: String, into: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(value, format!("{path}{dot}{key}"), into);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (index, value) in elements.iter().enumerate() {
                flatten(value, format!("{path}[{index}]"), into);
            }
        }
        leaf => into.push((path, leaf.clone())),
    }
}

fn flat_text(entries: &[(String, Value)]) -> String {
    let members: Vec<_> =
        entries.iter().map(|(path, value)| format!("{}:{value}", Value::from(path.as_str()))).collect();
    format!("{{{}}}", members.join(","))
}

fn flat() -> impl Strategy<Value = (Value, Vec<(String, Value)>)> {
    tree().prop_flat_map(|tree| {
        let mut entries = Vec::new();
        flatten(&tree, String::new(), &mut entries);
        (Just(tree), Just(entries).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn nesting_undoes_flattening_in_any_order((tree, entries) in flat()) {
        let nested = nest(&flat_text(&entries)).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&nested).unwrap(), tree);
    }

    #[test]
    fn a_path_through_a_value_is_a_conflict(
        (_, mut entries) in flat(),
        at: prop::sample::Index,
        other: prop::sample::Index,
        step in "\\.[a-c]|\\[[0-3]\\]",
    ) {
        let (path, value) = entries[at.index(entries.len())].clone();
        let extended = format!("{path}{step}");
        entries.insert(other.index(entries.len() + 1), (extended.clone(), value));
        let fault = nest(&flat_text(&entries)).unwrap_err();
        prop_assert_eq!(fault.reason, Reason::PathConflict);
        prop_assert!(fault.path == path || fault.path == extended);
    }

    #[test]
    fn the_same_path_twice_is_a_fault((_, mut entries) in flat(), at: prop::sample::Index) {
        let again = entries[at.index(entries.len())].clone();
        entries.push((format!(" {} ", again.0), again.1));
        let fault = nest(&flat_text(&entries)).unwrap_err();
        prop_assert_eq!((fault.reason, fault.path), (Reason::DuplicatePath, again.0));
    }

    #[test]
    fn an_element_taken_out_of_the_middle_leaves_a_gap((_, entries) in flat(), at: prop::sample::Index) {
        let (path, _) = &entries[at.index(entries.len())];
        let Some((array, _)) = path.rsplit_once('[') else { return Ok(()) };
        let first = format!("{array}[0]");
        let second = format!("{array}[1]");
        prop_assume!(entries.iter().any(|(path, _)| path.starts_with(&second)));
        let left: Vec<_> = entries.iter().filter(|(path, _)| !path.starts_with(&first)).cloned().collect();
        let fault = nest(&flat_text(&left)).unwrap_err();
        prop_assert_eq!(fault.reason, Reason::IndexGap);
        prop_assert!(fault.path.starts_with(&second), "{}", fault.path);
    }

    #[test]
    fn any_object_nests_to_json_or_to_a_fault(
        members in prop::collection::vec(("[ab.\\[\\]01 ]{0,6}", crate::values::value()), 0..6),
        text in "\\PC{0,20}",
    ) {
        if let Ok(nested) = nest(&flat_text(&members)) {
            prop_assert!(serde_json::from_str::<Value>(&nested).unwrap().is_object());
        }
        if let Ok(nested) = nest(&text) {
            prop_assert!(serde_json::from_str::<Value>(&nested).unwrap().is_object());
        }
    }
}
