use proptest::prelude::*;
use serde_json::Value;
use xdm_beacon::fault::{Fault, Reason};
use xdm_beacon::json::{Layer, merge, merge_layers};

use crate::oracle::{oracle, without_empty_elements};
use crate::values;

fn merged(layers: &[&str]) -> Result<String, Fault> {
    let mut out = String::from(">");
    let left = merge(layers, &mut out)?;
    assert_eq!(left, out.len() > 1, "what is answered is what is written");
    Ok(out.split_off(1))
}

#[test]
fn later_layers_win_and_nothing_empty_is_left() {
    for (layers, expected) in [
        (&["{}"][..], ""),
        (&[], ""),
        (&["", "{\"a\":1}", ""], "{\"a\":1}"),
        (&["{\"a\":1,\"b\":2}", "{\"c\":3,\"a\":4}"], "{\"a\":4,\"b\":2,\"c\":3}"),
        (&["{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":3,\"z\":4}}"], "{\"a\":{\"x\":1,\"y\":3,\"z\":4}}"),
        (&["{\"a\":[1,2,3]}", "{\"a\":[4]}"], "{\"a\":[4]}"),
        (&["{\"a\":[1]}", "{\"a\":{\"b\":1}}"], "{\"a\":{\"b\":1}}"),
        (&["{\"a\":{\"b\":1}}", "{\"a\":2}", "{\"a\":{\"c\":3}}"], "{\"a\":{\"c\":3}}"),
        (&["{\"a\":0,\"b\":false}"], "{\"a\":0,\"b\":false}"),
        (&["{\"a\":null,\"b\":\"\",\"c\":{},\"d\":[],\"e\":{\"f\":{\"g\":null}}}"], ""),
        (&["{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "{\"a\":null,\"b\":{\"c\":\"\"}}"], "{\"b\":{\"d\":3}}"),
        (&["{\"a\":{\"b\":1}}", "{\"a\":{}}"], "{\"a\":{\"b\":1}}"),
        (&["{\"a\":{\"b\":1}}", "{\"a\":{\"b\":null}}"], ""),
        (&["{\"a\":{\"b\":1}}", "{\"a\":[]}"], ""),
        (&["{\"a\":[{\"b\":null,\"c\":1}]}"], "{\"a\":[{\"c\":1}]}"),
        (&["{\"a\":[[1],false,0]}"], "{\"a\":[[1],false,0]}"),
        (&[" { \"a\" : [ 1 , { \"b\" : true } ] } "], "{\"a\":[1,{\"b\":true}]}"),
        (&["{\"a\":1.50,\"b\":-0,\"c\":1E400}"], "{\"a\":1.50,\"b\":-0,\"c\":1E400}"),
        (&["{\"__proto__\":{\"a\":1}}"], "{\"__proto__\":{\"a\":1}}"),
    ] {
        assert_eq!(merged(layers).unwrap(), expected, "{layers:?}");
    }
}

#[test]
fn strings_survive_and_lone_surrogates_do_not() {
    for (text, expected) in [
        ("{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"😀\"}"),
        ("{\"a\":\"x\\ud83dy\"}", "{\"a\":\"x\u{fffd}y\"}"),
        ("{\"a\\udc00\":1}", "{\"a\u{fffd}\":1}"),
        ("{\"a\":\"\\\"\\\\\\n\\u0001\\u2028\"}", "{\"a\":\"\\\"\\\\\\n\\u0001\u{2028}\"}"),
    ] {
        assert_eq!(merged(&[text]).unwrap(), expected);
        assert_eq!(merged(&["{\"b\":0}", text]).unwrap(), format!("{{\"b\":0,{}", &expected[1..]));
    }
}

#[test]
fn faults_name_the_place() {
    let deep = |levels: usize| {
        let object = "{\"a\":".repeat(levels - 1) + "{\"a\":1}" + &"}".repeat(levels - 1);
        assert_eq!(object.matches('{').count(), levels);
        object
    };
    assert_eq!(merged(&[&deep(32)]).unwrap(), deep(32));
    assert_eq!(merged(&[&deep(32), &deep(32)]).unwrap(), deep(32));
    let path_32 = ["a"; 32].join(".");
    let arrays = format!("{{\"a\":{}1{}}}", "[".repeat(32), "]".repeat(32));
    let path_arrays = format!("a{}", "[0]".repeat(31));
    for (layers, reason, path) in [
        (&["{\"a\":[null]}"][..], Reason::EmptyElement, "a[0]"),
        (&["{\"a\":[1,\"\"]}"], Reason::EmptyElement, "a[1]"),
        (&["{\"a\":[1,2,[]]}"], Reason::EmptyElement, "a[2]"),
        (&["{\"a\":{\"b\":[{\"c\":[{}]}]}}"], Reason::EmptyElement, "a.b[0].c[0]"),
        (&["{\"a\":[{\"b\":null}]}"], Reason::EmptyElement, "a[0]"),
        (&["{\"a\":{\"x\":1}}", "{\"a\":{\"y\":[null]}}"], Reason::EmptyElement, "a.y[0]"),
        (&["1"], Reason::NotAnObject, ""),
        (&["{}", "[]"], Reason::NotAnObject, ""),
        (&["{\"a\":tru}"], Reason::NotJson, "a"),
        (&["{\"a\":1"], Reason::NotJson, ""),
        (&[&deep(33)], Reason::TooDeep, &path_32),
        (&[&deep(33), &deep(33)], Reason::TooDeep, &path_32),
        (&[&arrays], Reason::TooDeep, &path_arrays),
    ] {
        let fault = merged(layers).unwrap_err();
        assert_eq!((fault.reason, fault.path.as_str()), (reason, path), "{layers:?}");
    }
    // An empty element that no one will see harms no one.
    assert_eq!(merged(&["{\"a\":[null]}", "{\"a\":1}"]).unwrap(), "{\"a\":1}");
}

#[test]
fn a_fault_names_its_layer() {
    let mut xdm = "{\"a\":{\"x\":[null]},\"b\":1}";
    let layers = |xdm| {
        [
            Layer::read("context", "{\"a\":{\"y\":1},\"b\":[null]}").unwrap(),
            Layer::read("xdm", xdm).unwrap(),
            Layer::read("", "{\"c\":1}").unwrap(),
        ]
    };
    let fault = merge_layers(&layers(xdm), &mut String::new()).unwrap_err();
    assert_eq!(fault.path, "xdm.a.x[0]");
    xdm = "{}";
    let fault = merge_layers(&layers(xdm), &mut String::new()).unwrap_err();
    assert_eq!(fault.path, "context.b[0]");
}

fn agrees(layers: &[Value]) -> Result<(), TestCaseError> {
    let compact: Vec<_> = layers.iter().map(Value::to_string).collect();
    let noisy: Vec<_> = layers.iter().map(values::noisy).collect();
    let expected = oracle(layers);
    for texts in [compact, noisy] {
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        match (merged(&texts), &expected) {
            // Text for text: the order of keys and the look of numbers too.
            (Ok(text), Ok(Some(tree))) => prop_assert_eq!(text, tree.to_string()),
            (Ok(text), Ok(None)) => prop_assert_eq!(text, ""),
            (Err(fault), Err(path)) => {
                prop_assert_eq!(fault.reason, Reason::EmptyElement);
                prop_assert_eq!(&fault.path, path);
            }
            (ours, theirs) => prop_assert!(false, "{:?} is not {:?}", ours, theirs),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn merging_text_is_merging_trees(layers in prop::collection::vec(values::object(), 1..5)) {
        agrees(&layers)?;
        let clean: Vec<_> = layers.iter().map(without_empty_elements).collect();
        agrees(&clean)?;
    }

    #[test]
    fn merging_again_changes_nothing(layer in values::object()) {
        let text = without_empty_elements(&layer).to_string();
        let once = merged(&[&text]).unwrap();
        prop_assert_eq!(merged(&[&once]).unwrap(), once.as_str());
        prop_assert_eq!(merged(&[&once, &once]).unwrap(), once.as_str());
    }

    #[test]
    fn any_text_merges_to_json_or_to_a_fault(
        one in "\\PC{0,20}|[\\[\\]{}\",:0-9abnul ]{0,20}",
        object in values::object(),
    ) {
        let object = object.to_string();
        for layers in [[&one, &object], [&object, &one]] {
            if let Ok(text) = merged(&layers.map(String::as_str)) {
                prop_assert!(text.is_empty() || serde_json::from_str::<Value>(&text).is_ok());
            }
        }
    }
}
