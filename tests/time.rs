//! RFC 3339 text: exactly the forms that the streaming service takes, over all years it can write.

#![cfg(not(target_arch = "wasm32"))]

use proptest::prelude::*;
use xdm_beacon::time::{parse_rfc3339, rfc3339, rfc3339_offset};

const FIRST: i64 = -62_135_596_800_000;
const LAST: i64 = 253_402_300_799_999;

#[test]
fn known_times() {
    for (ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_795_492_190_123, "2026-11-24T03:49:50.123Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (-2_203_891_200_001, "1900-02-28T23:59:59.999Z"),
        (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"),
        (FIRST, "0001-01-01T00:00:00.000Z"),
        (LAST, "9999-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(rfc3339(ms), text);
        assert_eq!(parse_rfc3339(text), Some(ms), "{text}");
    }
}

#[test]
fn every_day_of_eight_centuries() {
    let (mut year, mut month, mut day) = (1600, 1, 1);
    let first = parse_rfc3339("1600-01-01T00:00:00Z").unwrap();
    for number in 0..292_194 {
        let text = format!("{year:04}-{month:02}-{day:02}T12:34:56.789Z");
        let ms = first + number * 86_400_000 + 45_296_789;
        assert_eq!(rfc3339(ms), text);
        assert_eq!(parse_rfc3339(&text), Some(ms));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length =
            [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] + u8::from(leap && month == 2);
        day += 1;
        if day > length {
            (month, day) = (month + 1, 1);
        }
        if month > 12 {
            (year, month) = (year + 1, 1);
        }
    }
    assert_eq!((year, month, day), (2400, 1, 1));
}

#[test]
fn what_the_service_takes() {
    let base = parse_rfc3339("2026-11-24T03:49:50Z").unwrap();
    for (text, ms) in [
        ("2026-11-24T03:49:50.1Z", base + 100),
        ("2026-11-24T03:49:50.12Z", base + 120),
        ("2026-11-24T03:49:50.123456789Z", base + 123),
        ("2026-11-24T03:49:50.000999999Z", base),
        ("2026-11-24T04:49:50+01:00", base),
        ("2026-11-24T04:49:50.5+01:00", base + 500),
        ("2026-11-23T22:19:50-05:30", base),
        ("2026-11-24T03:49:50+00:00", base),
        ("2026-11-24T03:49:50-00:00", base),
        ("2026-11-25T03:48:50+23:59", base),
    ] {
        assert_eq!(parse_rfc3339(text), Some(ms), "{text}");
    }
}

#[test]
fn what_it_does_not_take() {
    for text in [
        "",
        "2026",
        "2026-11-24",
        "2026-11-24T03:49:50",
        "2026-11-24T03:49Z",
        "2026-11-24 03:49:50Z",
        "2026-11-24t03:49:50Z",
        "2026-11-24T03:49:50z",
        "2026-11-24T03:49:50.Z",
        "2026-11-24T03:49:50.1234567890Z",
        "2026-11-24T03:49:50,123Z",
        "2026-11-24T03:49:60Z",
        "2026-11-24T03:60:50Z",
        "2026-11-24T24:00:00Z",
        "2026-00-24T03:49:50Z",
        "2026-13-24T03:49:50Z",
        "2026-11-00T03:49:50Z",
        "2026-11-31T03:49:50Z",
        "2026-02-29T03:49:50Z",
        "1900-02-29T03:49:50Z",
        "0000-11-24T03:49:50Z",
        "-2026-11-24T03:49:50Z",
        "12026-11-24T03:49:50Z",
        "2026-11-24T03:49:50+01",
        "2026-11-24T03:49:50+0100",
        "2026-11-24T03:49:50+24:00",
        "2026-11-24T03:49:50+01:60",
        "2026-11-24T03:49:50+01:00Z",
        "2026-11-24T03:49:50Z ",
        " 2026-11-24T03:49:50Z",
        "2026-1-24T03:49:50Z",
        "２026-11-24T03:49:50Z",
        "1795492190123",
    ] {
        assert_eq!(parse_rfc3339(text), None, "{text:?}");
    }
}

#[test]
fn local_time_carries_its_offset() {
    let ms = 1_795_492_190_123;
    for (offset, text) in [
        (0, "2026-11-24T03:49:50.123+00:00"),
        (60, "2026-11-24T04:49:50.123+01:00"),
        (-330, "2026-11-23T22:19:50.123-05:30"),
        (-30, "2026-11-24T03:19:50.123-00:30"),
        (840, "2026-11-24T17:49:50.123+14:00"),
    ] {
        assert_eq!(rfc3339_offset(ms, offset), text);
    }
}

proptest! {
    #[test]
    fn text_and_back(ms in FIRST..=LAST) {
        prop_assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
    }

    #[test]
    fn text_with_offset_and_back(ms in FIRST + 86_400_000..=LAST - 86_400_000, offset in -1439..=1439) {
        prop_assert_eq!(parse_rfc3339(&rfc3339_offset(ms, offset)), Some(ms));
    }

    #[test]
    fn any_number_becomes_a_time_that_is_taken(ms: i64, offset: i32) {
        prop_assert!(parse_rfc3339(&rfc3339(ms)).is_some());
        prop_assert!(parse_rfc3339(&rfc3339_offset(ms, offset)).is_some());
    }

    #[test]
    fn what_is_taken_has_the_shape(text in "[0-9T:Z.+-]{18,32}|\\PC{0,32}") {
        if let Some(ms) = parse_rfc3339(&text) {
            prop_assert!(text.len() >= 20 && text.is_ascii());
            prop_assert!((FIRST - 86_400_000..=LAST + 86_400_000).contains(&ms));
        }
    }
}
