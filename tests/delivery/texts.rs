//! The texts that outlive a page, read back from whatever the disk gives; and what a header says.

use crate::page::{config, message, record};
use proptest::prelude::*;
use serde_json::{Map, Value};
use xdm_beacon::delivery::stamp::{ANSWER_MS, RENEW_EVERY_MS, holder, stamp};
use xdm_beacon::delivery::{Config, Handoff, Priority, Record, Unreadable, retry_after};
use xdm_beacon::time::{Millis, parse_http_date, rfc3339};

/// The greatest number that a record carries: the integers of JavaScript have up to 15 digits.
const MOST: Millis = 999_999_999_999_999;
const WALL: Millis = 1_795_492_190_123;

fn is_ours(text: &str) -> Result<(), Unreadable> {
    Record::read(&config(), text).map(|_| ())
}

// ---------------------------------------------------------------------------------------------
// Records and hand-offs.

prop_compose! {
    fn configs()(endpoint in "\\PC{0,40}", org_id in any::<String>()) -> Config {
        Config { endpoint, org_id, ..config() }
    }
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn objects() -> impl Strategy<Value = String> {
    prop::collection::btree_map(any::<String>(), json_values(), 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()).to_string())
}

fn priorities() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High)]
}

prop_compose! {
    fn records()(
        created in -MOST..=MOST,
        priority in priorities(),
        id in any::<Option<String>>(),
        json in objects(),
    ) -> Record {
        Record { created, priority, id, json }
    }
}

fn write(config: &Config, record: &Record) -> String {
    Record::write(config, record.created, record.priority, record.id.as_deref(), &record.json)
}

/// Near misses: a text of ours with a piece cut out and another put in.
fn damaged(text: String) -> impl Strategy<Value = String> {
    let length = text.chars().count();
    (0..=length, 0..=8_usize, "[{}\\[\\]\":,0-9a-z\\\\]{0,4}").prop_map(move |(from, cut, put)| {
        let head = text.chars().take(from);
        head.chain(put.chars()).chain(text.chars().skip(from + cut)).collect()
    })
}

proptest! {
    #[test]
    fn a_record_comes_back_as_it_was(config in configs(), record in records()) {
        let text = write(&config, &record);
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        prop_assert_eq!(Record::read(&config, &text), Ok(record));
    }

    #[test]
    fn a_hand_off_comes_back_as_it_was(
        config in configs(),
        records in prop::collection::vec((any::<String>(), records()), 0..5),
        gone in prop::collection::vec(any::<String>(), 0..5),
    ) {
        let records = records.into_iter().map(|(key, record)| (key, write(&config, &record))).collect();
        let handoff = Handoff { records, gone };
        let text = handoff.write(&config);
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        prop_assert_eq!(Handoff::read(&config, &text), Ok(handoff));
    }

    #[test]
    fn nobody_reads_what_is_for_another(config in configs(), other in configs(), record in records()) {
        prop_assume!((&config.endpoint, &config.org_id) != (&other.endpoint, &other.org_id));
        let text = write(&config, &record);
        prop_assert_eq!(Record::read(&other, &text), Err(Unreadable::Foreign));
        let text = Handoff { records: Vec::new(), gone: vec![text] }.write(&config);
        prop_assert_eq!(Handoff::read(&other, &text), Err(Unreadable::Foreign));
    }

    #[test]
    fn any_text_is_read_without_panic_and_what_is_taken_is_json(
        text in prop_oneof![
            any::<String>(),
            objects(),
            damaged(record(&config(), 1, WALL)),
            damaged(Handoff { records: vec![(String::from("a/b"), record(&config(), 1, WALL))],
                gone: vec![String::from("a/c")] }.write(&config())),
        ],
    ) {
        if let Ok(record) = Record::read(&config(), &text) {
            prop_assert!(serde_json::from_str::<Map<String, Value>>(&record.json).is_ok(), "{}", record.json);
        }
        if let Ok(handoff) = Handoff::read(&config(), &text) {
            for (_, record) in handoff.records {
                prop_assert!(serde_json::from_str::<Value>(&record).is_ok(), "{record}");
            }
        }
        // Nothing but a whole JSON object is anybody's.
        if serde_json::from_str::<Map<String, Value>>(&text).is_err() {
            prop_assert_eq!(is_ours(&text), Err(Unreadable::Corrupt));
        }
        let _ = (retry_after(&text, WALL), parse_http_date(&text), holder(&text, WALL, WALL));
    }
}

#[test]
fn a_record_that_cannot_be_used_is_anothers_or_nobodys() {
    use Unreadable::{Corrupt, Foreign};
    let ours = record(&config(), 1, WALL);
    let with = |what: &str, by: &str| {
        assert!(ours.contains(what), "{what}");
        ours.replacen(what, by, 1)
    };
    let org = "\"org\":\"0@AdobeOrg\"";
    let json = message(1, 100).json;
    let table = [
        (ours.clone(), Ok(())),
        // What is not known is passed over, in any order and with any white space.
        (with("{\"v\":1", "{\"x\":[{}],\"v\": 1 "), Ok(())),
        (format!(" {} ", with(org, &format!("\"y\":null,{org}"))), Ok(())),
        (with("\"id\":\"id-1\",", ""), Ok(())),
        // Another's, or of a version that is yet to come, whatever that may look like.
        (with("/collection/1", "/collection/2"), Err(Foreign)),
        (with("0@AdobeOrg", "0@adobeorg"), Err(Foreign)),
        (with("\"collect\"", "\"marketing\""), Err(Foreign)),
        (with("\"v\":1", "\"v\":2"), Err(Foreign)),
        (String::from("{\"v\":2}"), Err(Foreign)),
        (String::from("{\"v\":17,\"endpoint\":5,\"message\":\"?\"}"), Err(Foreign)),
        (with("\"v\":1", "\"v\":2").replace(&json, "[]"), Err(Foreign)),
        (with("0@AdobeOrg", "1@AdobeOrg").replace(&json, "[]"), Err(Foreign)),
        // Nobody's.
        (with("\"v\":1,", ""), Err(Corrupt)),
        (with("\"v\":1", "\"v\":0"), Err(Corrupt)),
        (with("\"v\":1", "\"v\":-1"), Err(Corrupt)),
        (with("\"v\":1", "\"v\":1.5"), Err(Corrupt)),
        (with("\"v\":1", "\"v\":\"1\""), Err(Corrupt)),
        (with("\"v\":1", "\"v\":null"), Err(Corrupt)),
        (with(&format!("{org},"), ""), Err(Corrupt)),
        (with(org, "\"org\":0"), Err(Corrupt)),
        (with("\"consent\":\"collect\",", ""), Err(Corrupt)),
        (with("\"priority\":1", "\"priority\":3"), Err(Corrupt)),
        (with("\"priority\":1", "\"priority\":-1"), Err(Corrupt)),
        (with("\"priority\":1,", ""), Err(Corrupt)),
        (with("\"created\":1795492190123", "\"created\":\"now\""), Err(Corrupt)),
        (with("\"created\":1795492190123,", ""), Err(Corrupt)),
        (with(&json, "[]"), Err(Corrupt)),
        (with(&json, "\"\""), Err(Corrupt)),
        (with(&json, "{\"a\":}"), Err(Corrupt)),
        (format!("{ours}x"), Err(Corrupt)),
        (format!("[{ours}]"), Err(Corrupt)),
        (String::from("{}"), Err(Corrupt)),
        (String::from("null"), Err(Corrupt)),
        (String::from("2"), Err(Corrupt)),
    ];
    for (text, expected) in table {
        assert_eq!(is_ours(&text), expected, "{text}");
    }
    // Torn off anywhere, of whatever version.
    for text in [ours.clone(), with("\"v\":1", "\"v\":2")] {
        for end in 0..text.len() {
            assert_eq!(is_ours(&text[..end]), Err(Corrupt), "{}", &text[..end]);
        }
    }
}

#[test]
fn a_hand_off_that_cannot_be_used_is_anothers_or_nobodys() {
    use Unreadable::{Corrupt, Foreign};
    let handoff = Handoff {
        records: vec![(String::from("a/\"b"), String::from("{\"any\":1}"))],
        gone: vec![String::from("a/\u{1F600}")],
    };
    assert!(!handoff.is_empty() && Handoff::default().is_empty());
    let ours = handoff.write(&config());
    assert_eq!(Handoff::read(&config(), &ours), Ok(handoff));
    let with = |what: &str, by: &str| {
        assert!(ours.contains(what), "{what}");
        ours.replacen(what, by, 1)
    };
    let table = [
        (with("\"v\":1", "\"v\":2"), Foreign),
        (with("0@", "1@"), Foreign),
        (with("\"collect\"", "\"x\""), Foreign),
        (with("\"v\":1,", ""), Corrupt),
        (with("\"records\"", "\"record\""), Corrupt),
        (with("\"gone\"", "\"going\""), Corrupt),
        (with("\"gone\":[", "\"gone\":[1,"), Corrupt),
        (with("\"records\":{", "\"records\":[{").replace("},\"gone", "}],\"gone"), Corrupt),
        (String::from("{\"v\":1}"), Corrupt),
        (String::new(), Corrupt),
    ];
    for (text, expected) in table {
        assert_eq!(Handoff::read(&config(), &text), Err(expected), "{text}");
    }
    for (end, _) in ours.char_indices() {
        assert_eq!(Handoff::read(&config(), &ours[..end]), Err(Corrupt), "{}", &ours[..end]);
    }
}

// ---------------------------------------------------------------------------------------------
// Retry-After.

#[test]
fn retry_after_is_seconds_or_a_date_and_an_hour_at_most() {
    const HOUR: Millis = 3_600_000;
    let now = parse_http_date("Tue, 24 Nov 2026 04:50:00 GMT").unwrap();
    for (header, wait) in [
        ("0", Some(0)),
        ("1", Some(1_000)),
        ("007", Some(7_000)),
        ("\t120 ", Some(120_000)),
        ("3600", Some(HOUR)),
        ("3601", Some(HOUR)),
        ("4294967295", Some(HOUR)),
        ("4294967296", Some(HOUR)),
        ("99999999999999999999999999", Some(HOUR)),
        ("Tue, 24 Nov 2026 04:50:00 GMT", Some(0)),
        ("Tue, 24 Nov 2026 04:50:01 GMT", Some(1_000)),
        (" Tue, 24 Nov 2026 04:51:00 GMT ", Some(60_000)),
        ("Tue, 24 Nov 2026 05:50:01 GMT", Some(HOUR)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(HOUR)),
        ("Tue, 24 Nov 2026 04:49:59 GMT", Some(0)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("", None),
        (" ", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        ("0x10", None),
        ("1 2", None),
        ("1, 2", None),
        ("\u{661}", None),
        ("soon", None),
        ("Tue, 24 Nov 2026 04:50:01", None),
        ("2026-11-24T04:50:01Z", None),
    ] {
        assert_eq!(retry_after(header, now), wait, "{header:?}");
    }
    // A clock that knows no reason.
    for clock in [Millis::MIN, Millis::MAX] {
        assert!(retry_after("Tue, 24 Nov 2026 04:50:00 GMT", clock).is_some());
    }
}

#[test]
fn an_http_date_is_read_in_the_form_that_is_to_be_written() {
    for (text, time) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z"),
        ("Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59.000Z"),
    ] {
        assert_eq!(parse_http_date(text).map(rfc3339), Some(String::from(time)), "{text}");
    }
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    for (at, month) in months.iter().enumerate() {
        let date = parse_http_date(&format!("Mon, 10 {month} 2025 00:00:00 GMT")).map(rfc3339);
        assert_eq!(date, Some(format!("2025-{:02}-10T00:00:00.000Z", at + 1)));
    }
    for text in [
        "",
        "GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 anF 1994 08:49:37 GMT",
        "Sun, 06 JanFeb 1994 08:49:37 GMT",
        "Sun, 06 No 1994 08:49:37 GMT",
        "Sun, 06 € 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Thu, 29 Feb 2023 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(parse_http_date(text), None, "{text}");
    }
}

// ---------------------------------------------------------------------------------------------
// Stamps.

#[test]
fn a_stamp_holds_for_150_seconds_and_one_of_the_future_never() {
    let text = stamp("a b/c", WALL);
    for (later, holds) in [
        (0, true),
        (1, true),
        (150_000, true),
        (150_001, false),
        (10_000_000_000, false),
        // The clock was set back: it would hold for longer than any stamp can.
        (-1, false),
        (-10_000_000_000, false),
    ] {
        assert_eq!(holder(&text, WALL + later, WALL + later), holds.then_some("a b/c"), "{later}");
    }
    // A hidden page's timers may run once a minute: one of its stamps holds until the next.
    assert_eq!(holder(&text, WALL + RENEW_EVERY_MS + 60_000, Millis::MAX), Some("a b/c"));
    for text in ["", " ", "x", "5", "5x a", "1e9 a", "99999999999999999999 a", "-9223372036854775808 a"] {
        assert_eq!(holder(text, WALL, WALL), None, "{text}");
    }
    for wall in [Millis::MIN, 0, Millis::MAX - 1] {
        assert_eq!(holder(&stamp("a", wall), wall, wall), Some("a"), "{wall}");
    }
}

#[test]
fn whoever_has_not_answered_a_page_in_three_seconds_is_given_up() {
    let came = WALL + 40_000;
    for (renewed, asked, holds) in [
        // It may still answer.
        (WALL, came, true),
        (WALL, came + ANSWER_MS - 1, true),
        // It has not, and was last heard of before.
        (WALL, came + ANSWER_MS, false),
        (came - 1, came + ANSWER_MS, false),
        // It has.
        (came, came + ANSWER_MS, true),
        (came + 1_000, came + 60_000, true),
        (came, came + 150_001, false),
        // The clock was set back meanwhile: nobody can tell.
        (WALL, WALL + 1, true),
    ] {
        let held = holder(&stamp("a", renewed), asked, came).is_some();
        assert_eq!(held, holds, "renewed {} after it came, asked after {}", renewed - came, asked - came);
    }
}
