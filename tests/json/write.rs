use proptest::prelude::*;
use xdm_beacon::json::{push_int, push_string};

use crate::values;

fn quoted(text: &str) -> String {
    let mut out = String::from(">");
    push_string(&mut out, text);
    out.split_off(1)
}

fn decimal(number: i64) -> String {
    let mut out = String::from(">");
    push_int(&mut out, number);
    out.split_off(1)
}

#[test]
fn every_control_character_is_escaped_as_json_stringify_does() {
    for code in 0..0x80u8 {
        let text = String::from(char::from(code));
        assert_eq!(quoted(&text), serde_json::to_string(&text).unwrap());
    }
}

#[test]
fn numbers_at_the_edges() {
    for number in [0, 1, -1, 9, 10, -10, 99, 100, i64::MAX, i64::MIN] {
        assert_eq!(decimal(number), number.to_string());
    }
}

proptest! {
    #[test]
    fn strings_are_what_serde_json_writes(text in values::text(), any in any::<String>()) {
        prop_assert_eq!(quoted(&text), serde_json::to_string(&text).unwrap());
        prop_assert_eq!(quoted(&any), serde_json::to_string(&any).unwrap());
    }

    #[test]
    fn numbers_are_what_rust_writes(number: i64) {
        prop_assert_eq!(decimal(number), number.to_string());
    }
}
