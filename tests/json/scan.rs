use proptest::prelude::*;
use serde_json::Value;
use xdm_beacon::fault::Reason;
use xdm_beacon::json::{
    Kind, boolean, elements, find, integer, is_empty, kind, members, string, unescape, valid,
};

use crate::values;

#[test]
fn members_are_slices_of_the_text() {
    let text = " {\"a\" : 1 , \"b\\n\":{\"c\":[1,2]}, \"\":\"x,}\" } ";
    let found: Vec<_> = members(text).map(Result::unwrap).collect();
    assert_eq!(found, [("a", "1"), ("b\\n", "{\"c\":[1,2]}"), ("", "\"x,}\"")]);
}

#[test]
fn elements_are_slices_of_the_text() {
    let text = "[1 ,\"]\", [2],{\"a\":[]},null]";
    let found: Vec<_> = elements(text).map(Result::unwrap).collect();
    assert_eq!(found, ["1", "\"]\"", "[2]", "{\"a\":[]}", "null"]);
}

#[test]
fn what_is_no_object_ends_in_one_fault() {
    for (text, before, reason) in [
        ("", 0, Reason::NotAnObject),
        ("[]", 0, Reason::NotAnObject),
        ("null", 0, Reason::NotAnObject),
        ("{", 0, Reason::NotJson),
        ("{\"a\":1", 1, Reason::NotJson),
        ("{\"a\":1,}", 1, Reason::NotJson),
        ("{\"a\":1}x", 1, Reason::NotJson),
        ("{\"a\" 1}", 0, Reason::NotJson),
        ("{a:1}", 0, Reason::NotJson),
        ("{\"a\":01}", 1, Reason::NotJson),
        ("{\"a\":\"\\x\"}", 0, Reason::NotJson),
    ] {
        let mut found = members(text);
        for _ in 0..before {
            assert!(found.next().unwrap().is_ok(), "{text}");
        }
        assert_eq!(found.next().unwrap().unwrap_err().reason, reason, "{text}");
        assert!(found.next().is_none(), "{text}");
    }
    let mut found = elements("{}");
    assert_eq!(found.next().unwrap().unwrap_err().reason, Reason::NotAnArray);
    assert!(found.next().is_none());
}

#[test]
fn find_takes_the_last_of_two() {
    let text = "{\"a\":1,\"b\":2,\"\\u0061\":3}";
    assert_eq!(find(text, "a"), Some("3"));
    assert_eq!(find(text, "c"), None);
    assert_eq!(find("{\"a\":1", "a"), None);
    assert_eq!(find("[1]", "a"), None);
}

#[test]
fn kinds() {
    for (raw, expected, empty) in [
        ("null", Kind::Null, true),
        ("true", Kind::Boolean, false),
        ("false", Kind::Boolean, false),
        ("0", Kind::Number, false),
        ("-1.5e3", Kind::Number, false),
        ("\"a\"", Kind::String, false),
        ("\"\"", Kind::String, true),
        ("{\"a\":null}", Kind::Object, false),
        ("{ }", Kind::Object, true),
        ("[ ]", Kind::Array, true),
        ("[null]", Kind::Array, false),
        ("", Kind::Nothing, true),
        ("undefined", Kind::Nothing, false),
        (" {}", Kind::Object, true),
    ] {
        assert_eq!(kind(raw), expected, "{raw:?}");
        assert_eq!(is_empty(raw), empty, "{raw:?}");
    }
}

#[test]
fn scalars_are_read() {
    assert_eq!(string("\"a\\tb\"").as_deref(), Some("a\tb"));
    assert_eq!(string("1"), None);
    assert_eq!(string("\"a"), None);
    assert_eq!(boolean("true"), Some(true));
    assert_eq!(boolean(" false "), Some(false));
    assert_eq!(boolean("\"true\""), None);
    for (raw, number) in [
        ("0", Some(0)),
        ("-7", Some(-7)),
        ("1565628583854", Some(1_565_628_583_854)),
        ("999999999999999", Some(999_999_999_999_999)),
        ("-999999999999999", Some(-999_999_999_999_999)),
        ("1000000000000000", None),
        ("99999999999999999999999", None),
        ("1.0", None),
        ("1e3", None),
        ("+1", None),
        ("-", None),
        ("", None),
        ("\"1\"", None),
    ] {
        assert_eq!(integer(raw), number, "{raw:?}");
    }
}

#[test]
fn a_surrogate_alone_becomes_the_replacement_character() {
    for (raw, text) in [
        ("plain", "plain"),
        ("\\b\\t\\n\\f\\r\\/\\\\\\\"", "\u{8}\t\n\u{c}\r/\\\""),
        ("\\u00e9\\u20AC", "é€"),
        ("\\ud83d\\ude00", "😀"),
        ("a\\ud83d", "a\u{fffd}"),
        ("\\ud83dx", "\u{fffd}x"),
        ("\\ude00", "\u{fffd}"),
        ("\\ud83d\\ud83d\\ude00", "\u{fffd}😀"),
        ("\\ude00\\ud83d", "\u{fffd}\u{fffd}"),
        ("\\ud83d😀", "\u{fffd}😀"),
        ("\\ud83d\\n", "\u{fffd}\n"),
    ] {
        assert_eq!(unescape(raw), text, "{raw}");
    }
}

#[test]
fn nesting_is_bounded_without_recursion() {
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    assert!(valid(&nested(64)));
    assert!(!valid(&nested(65)));
    assert!(!valid(&"[{\"a\":".repeat(200_000)));
    let text = format!("{{\"a\":{}}}", nested(65));
    let fault = members(&text).next().unwrap().unwrap_err();
    assert_eq!((fault.reason, fault.path.as_str()), (Reason::TooDeep, "a"));
}

/// What `serde_json` takes for JSON; unlike its trees, without a bound on numbers.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn mutated() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3, 0..32usize), 0..3);
    (values::value(), any::<bool>(), edits).prop_map(|(value, noisy, edits)| {
        let text = if noisy { values::noisy(&value) } else { value.to_string() };
        let mut chars: Vec<char> = text.chars().collect();
        for (at, edit, token) in edits {
            let at = at.index(chars.len() + 1);
            let token = "{}[]\",:\\u0019.eE+-tfn \n\u{0}x😀ad8/".chars().nth(token);
            match (edit, token) {
                (0, Some(token)) => chars.insert(at, token),
                (1, Some(token)) if at < chars.len() => chars[at] = token,
                _ if at < chars.len() => drop(chars.remove(at)),
                _ => {}
            }
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn valid_is_what_serde_json_reads(text in mutated()) {
        prop_assert_eq!(valid(&text), is_json(&text), "{}", text);
    }

    #[test]
    fn any_text_at_all_is_judged_alike(text in "[\\[\\]{}\",:0-9.eE+\\-truefalsn \\\\]{0,12}") {
        prop_assert_eq!(valid(&text), is_json(&text), "{}", text);
    }

    #[test]
    fn entries_of_any_text(text in mutated()) {
        let all: Result<Vec<_>, _> = members(&text).collect();
        prop_assert_eq!(all.is_ok(), valid(&text) && kind(&text) == Kind::Object);
        let all: Result<Vec<_>, _> = elements(&text).collect();
        prop_assert_eq!(all.is_ok(), valid(&text) && kind(&text) == Kind::Array);
    }
}

proptest! {
    #[test]
    fn entries_are_those_of_the_tree(value in values::object()) {
        for text in [value.to_string(), values::noisy(&value)] {
            let mut tree = serde_json::Map::new();
            for member in members(&text) {
                let (key, raw) = member.unwrap();
                tree.insert(unescape(key).into_owned(), serde_json::from_str(raw).unwrap());
                prop_assert_eq!(raw.trim(), raw);
            }
            prop_assert_eq!(&Value::Object(tree), &value);
        }
    }

    #[test]
    fn strings_are_read_as_serde_json_reads_them(text in any::<String>()) {
        let value = Value::from(text);
        for raw in [value.to_string(), values::noisy(&value)] {
            let read = string(&raw);
            prop_assert_eq!(read.as_deref(), value.as_str());
        }
    }
}
