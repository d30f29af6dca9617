//! JSON values to test with, and ways to write them that `JSON.stringify` does not have.

use proptest::prelude::*;
use serde_json::{Map, Value};

/// Strings with everything that needs care: quotes, controls, escapes, several planes.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z ]{1,6}",
        1 => Just(String::new()),
        1 => "[\"\\\\/\u{0}-\u{1f}é€😀\u{7f}\u{2028}]{1,5}",
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => (-1000i64..1000).prop_map(Value::from),
        // Few digits: serde_json reads long fractions a bit off.
        1 => any::<i32>().prop_map(|number| Value::from(f64::from(number) / 64.0)),
        3 => text().prop_map(Value::from),
    ]
}

/// Any value. Keys come from a handful, so that layers meet.
pub fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            3 => members(inner).prop_map(Value::Object),
        ]
    })
}

/// Any object.
pub fn object() -> impl Strategy<Value = Value> {
    members(value()).prop_map(Value::Object)
}

fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    let key = prop::sample::select(vec!["a", "b", "c", "d", "", "\"", "é\n"]);
    prop::collection::vec((key.prop_map(String::from), value), 0..6)
        .prop_map(|members| members.into_iter().collect())
}

/// Writes a value with white space around every token and every other character escaped.
pub fn noisy(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(noisy).collect();
            format!("\n[ {}\t] ", elements.join(" ,\r\n"))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(key, value)| format!(" {} :{}", noisy_string(key), noisy(value)))
                .collect();
            format!("\t{{{} }}\r\n", members.join(","))
        }
        Value::String(text) => noisy_string(text),
        scalar => format!(" {scalar} "),
    }
}

fn noisy_string(text: &str) -> String {
    let mut out = String::from("\"");
    for (at, char) in text.chars().enumerate() {
        if at % 2 == 0 || char < ' ' || char == '"' || char == '\\' {
            for unit in char.encode_utf16(&mut [0; 2]) {
                out += &if at % 3 == 0 { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
            }
        } else {
            out.push(char);
        }
    }
    out + "\""
}
