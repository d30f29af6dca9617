//! Consent: what each standard says, in every order that pages say it, and what is touched before anybody has
//! decided.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;
use xdm_beacon::consent::allows;
use xdm_beacon::delivery::{Answer, PageEvent, Survey};

const UNKNOWN_KEY: (&str, &str) = ("unknown-key", "is not a known key: remove it or check its spelling");
const NOT_A_STANDARD: (&str, &str) = ("not-a-standard", "must be \"Adobe\" or \"IAB TCF\"");
const NOT_A_VERSION: (&str, &str) =
    ("not-a-version", "must be \"1.0\" or \"2.0\" of Adobe, or \"2.0\" to \"2.3\" of IAB TCF");
const NOT_IN_OR_OUT: (&str, &str) = ("not-in-or-out", "must be \"in\" or \"out\"");
const NOT_YES_OR_NO: (&str, &str) = ("not-yes-or-no", "must be \"y\" or \"n\"");
const NOT_A_TC_STRING: (&str, &str) =
    ("not-a-tc-string", "must be a TC string of version 2, as the consent manager gives it in 'tcString'");

const KEY: &str = "xdm-beacon.consent.0A1B2C3D4E5F60718293A4B5@AdobeOrg";
const ADOBE: u16 = 565;

// ---------------------------------------------------------------------------------------------
// TC strings, written by the IAB's description.

/// What a core string says of consent.
#[derive(Clone, Debug)]
struct Core {
    version: u64,
    /// Of 24 purposes.
    purposes: Vec<u64>,
    interests: Vec<u64>,
    max_vendor: u64,
    vendors: Vendors,
}

#[derive(Clone, Debug)]
enum Vendors {
    Bits(Vec<u64>),
    Ranges(Vec<(u64, u64)>),
}

impl Default for Core {
    fn default() -> Core {
        Core {
            version: 2,
            purposes: vec![1],
            interests: Vec::new(),
            max_vendor: 565,
            vendors: Vendors::Bits(vec![565]),
        }
    }
}

fn push(bits: &mut Vec<bool>, number: u64, count: u32) {
    bits.extend((0..count).rev().map(|at| number >> at & 1 == 1));
}

fn base64url(bits: &[bool]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sextet = |six: &[bool]| (0..6).fold(0, |sum, at| sum << 1 | usize::from(six.get(at) == Some(&true)));
    bits.chunks(6).map(|six| char::from(letters[sextet(six)])).collect()
}

impl Core {
    fn bits(&self) -> Vec<bool> {
        let mut bits = Vec::new();
        let flags = |set: &[u64], count: u64| (1..=count).map(|id| set.contains(&id)).collect::<Vec<bool>>();
        push(&mut bits, self.version, 6);
        push(&mut bits, 17_000_000_000, 36);
        push(&mut bits, 17_000_000_000, 36);
        push(&mut bits, 300, 12);
        push(&mut bits, 1, 12);
        push(&mut bits, 1, 6);
        push(&mut bits, 132, 12);
        push(&mut bits, 160, 12);
        push(&mut bits, 5, 6);
        push(&mut bits, 0b10, 2);
        push(&mut bits, 0, 12);
        bits.extend(flags(&self.purposes, 24));
        bits.extend(flags(&self.interests, 24));
        push(&mut bits, 0, 1);
        push(&mut bits, 132, 12);
        push(&mut bits, self.max_vendor, 16);
        match &self.vendors {
            Vendors::Bits(set) => {
                push(&mut bits, 0, 1);
                bits.extend(flags(set, self.max_vendor));
            }
            Vendors::Ranges(ranges) => {
                push(&mut bits, 1, 1);
                push(&mut bits, ranges.len() as u64, 12);
                for (first, last) in ranges {
                    push(&mut bits, u64::from(first != last), 1);
                    push(&mut bits, *first, 16);
                    if first != last {
                        push(&mut bits, *last, 16);
                    }
                }
            }
        }
        bits
    }

    /// The whole string: legitimate interests of no vendor, no restrictions.
    fn text(&self) -> String {
        let mut bits = self.bits();
        push(&mut bits, 0, 16 + 1);
        push(&mut bits, 0, 12);
        base64url(&bits)
    }
}

fn ranges(ranges: &[(u64, u64)]) -> Core {
    let max_vendor = ranges.iter().map(|(_, last)| *last).max().unwrap_or(0);
    Core { max_vendor, vendors: Vendors::Ranges(ranges.to_vec()), ..Core::default() }
}

fn bits(max_vendor: u64, vendors: &[u64]) -> Core {
    Core { max_vendor, vendors: Vendors::Bits(vendors.to_vec()), ..Core::default() }
}

#[test]
fn a_tc_string_must_name_purpose_1_and_the_vendor() {
    let purposes = |purposes: &[u64]| Core { purposes: purposes.to_vec(), ..Core::default() };
    let all: Vec<u64> = (1..=565).collect();
    for (what, core, vendor, allowed) in [
        ("purpose and vendor", Core::default(), ADOBE, true),
        ("all purposes", purposes(&(1..=24).collect::<Vec<u64>>()), ADOBE, true),
        ("no purpose", purposes(&[]), ADOBE, false),
        ("every purpose but the first", purposes(&(2..=24).collect::<Vec<u64>>()), ADOBE, false),
        ("a legitimate interest in purpose 1", Core { interests: vec![1], ..purposes(&[]) }, ADOBE, false),
        ("no vendor at all", bits(0, &[]), ADOBE, false),
        ("all vendors but this one", bits(564, &all), ADOBE, false),
        ("the vendor alone, as the last", bits(565, &[565]), ADOBE, true),
        ("among all", bits(565, &all), ADOBE, true),
        ("not the last, but before more", bits(600, &[565]), ADOBE, true),
        ("the neighbours", bits(600, &[564, 566]), ADOBE, false),
        ("the first vendor", bits(1, &[1]), 1, true),
        ("not the first vendor", bits(2, &[2]), 1, false),
        ("the last vendor that there can be", bits(65_535, &[65_535]), 65_535, true),
        ("no ranges", ranges(&[]), ADOBE, false),
        ("a range of one", ranges(&[(565, 565)]), ADOBE, true),
        ("a range around it", ranges(&[(1, 1000)]), ADOBE, true),
        ("a range from it", ranges(&[(565, 566)]), ADOBE, true),
        ("a range up to it", ranges(&[(2, 565)]), ADOBE, true),
        ("a range right before it", ranges(&[(2, 564)]), ADOBE, false),
        ("a range right after it", ranges(&[(566, 700)]), ADOBE, false),
        ("the third of three entries", ranges(&[(1, 2), (5, 5), (500, 600)]), ADOBE, true),
        ("the second of three entries", ranges(&[(1, 2), (565, 565), (700, 800)]), ADOBE, true),
        ("none of three entries", ranges(&[(1, 2), (5, 5), (700, 800)]), ADOBE, false),
        ("the last vendor, in a range", ranges(&[(1, 65_535)]), 65_535, true),
    ] {
        assert_eq!(allows(&core.text(), vendor), Some(allowed), "{what}");
        // What follows after a dot is for others: vendors that were disclosed, and publishers' own purposes.
        for more in [".", ".IAAA", ".YAAAAAAAAAAA", ".?!.\u{fc}"] {
            assert_eq!(allows(&(core.text() + more), vendor), Some(allowed), "{what}{more}");
        }
    }
}

#[test]
fn tc_strings_of_the_iab_s_own_library_are_read() {
    // Written by @iabtechlabtcf/core 1.5.21.
    for (what, text, allowed) in [
        (
            "all vendors, as one range",
            "CQuMEMAQuMEMAEsABBENCgFgAOAAAAAAAAAAFeQAYAAgV4AAAAAA.IAAA.YAAAAAAAAAAA",
            true,
        ),
        (
            "the vendor alone, as a range of one",
            "CQuMEMAQuMEMAEsABBENCgFgAIAAAAAAAAAAEawAQEagAAAA.IAAA.YAAAAAAAAAAA",
            true,
        ),
        (
            "every third vendor, ours among them, as bits",
            concat!(
                "CQuMEMAQuMEMAEsABBENCgFgAIAAAAAAAAAAFeJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJ",
                "JJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJJAAAAA",
                ".IAAA.YAAAAAAAAAAA"
            ),
            true,
        ),
        ("none", "CQuMEMAQuMEMAEsABBENCgFgAAAAAAAAAAAAAAAAAAAA.IAAA.YAAAAAAAAAAA", false),
        ("purposes 2 and 3", "CQuMEMAQuMEMAEsABBENCgFgAGAAAAAAAAAAEawAQEagAAAA.IAAA.YAAAAAAAAAAA", false),
        (
            "other vendors, in ranges",
            "CQuMEMAQuMEMAEsABBENCgFgAIAAAAAAAAAAEbQBIAAgAGAAoBGgCNgAAAAA.IAAA.YAAAAAAAAAAA",
            false,
        ),
    ] {
        assert_eq!(allows(text, ADOBE), Some(allowed), "{what}");
    }
}

#[test]
fn what_is_no_tc_string_is_told_from_a_refusal() {
    let good = Core::default().text();
    let version = |version: u64| Core { version, ..Core::default() }.text();
    let cut = |core: &Core, count: usize| {
        let bits = core.bits();
        // Whole letters: what is cut within one is filled up with zeros.
        base64url(&bits[..(bits.len() - count) / 6 * 6])
    };
    for (what, text) in [
        ("nothing", String::new()),
        ("a dot", String::from(".")),
        ("a dot before", format!(".{good}")),
        ("a word", String::from("undefined")),
        ("version 1", version(1)),
        ("version 3", version(3)),
        ("version 0", version(0)),
        ("padding", format!("{good}=")),
        ("white space", format!(" {good}")),
        ("the other alphabet", good.replacen('A', "+", 1)),
        ("letters that are none", format!("{}\u{e4}", &good[..60])),
        ("an end before the purposes", good[..20].to_string()),
        ("an end before the vendors", good[..38].to_string()),
        ("an end in the vendors", good[..60].to_string()),
        ("an end before the last vendor", cut(&bits(700, &[565]), 1)),
        ("an end before the first range", cut(&ranges(&[(565, 565)]), 17)),
        ("an end in a range", cut(&ranges(&[(1, 600)]), 1)),
        ("a range that ends before it begins", ranges(&[(600, 500)]).text()),
        ("a range from vendor 0", ranges(&[(0, 600)]).text()),
        ("vendor 0", ranges(&[(0, 0)]).text()),
    ] {
        assert_eq!(allows(&text, ADOBE), None, "{what}: {text}");
    }
}

proptest! {
    /// Any text at all; and text that looks like a TC string for a while.
    #[test]
    fn whatever_is_passed_as_a_tc_string_does_no_harm(
        text in any::<String>(), letters in "[A-Za-z0-9_.-]{0,400}", vendor in 1..=u16::MAX,
    ) {
        allows(&text, vendor);
        allows(&format!("C{letters}"), vendor);
        for text in [text, letters] {
            let consent = tcf(json!(text));
            let outcome = Tag::configured(json!({})).outcome("setConsent", consent);
            let refused = refusal("consent[0].value", NOT_A_TC_STRING);
            prop_assert!(outcome == Ok(json!({ "collect": "in" }))
                || outcome == Ok(json!({ "collect": "out" })) || outcome == refused, "{outcome:?}");
        }
    }

    #[test]
    fn vendors_are_found_in_bits_and_in_ranges_alike(
        set in proptest::collection::btree_set(1..=2_000_u64, 0..60), purpose in any::<bool>(), ask in 1..=2_100_u16,
    ) {
        let set: Vec<u64> = set.into_iter().collect();
        let last = set.last().copied().unwrap_or(0);
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for id in &set {
            match joined.last_mut() {
                Some((_, end)) if *end + 1 == *id => *end = *id,
                _ => joined.push((*id, *id)),
            }
        }
        let purposes = if purpose { vec![1] } else { vec![2] };
        let allowed = purpose && set.contains(&u64::from(ask));
        for core in [bits(last, &set), ranges(&joined)] {
            let core = Core { purposes: purposes.clone(), ..core };
            prop_assert_eq!(allows(&core.text(), ask), Some(allowed));
        }
    }
}

// ---------------------------------------------------------------------------------------------
// The options of `setConsent`.

fn adobe_1(word: &str) -> Value {
    json!({ "standard": "Adobe", "version": "1.0", "value": { "general": word } })
}

fn adobe_2(word: &str) -> Value {
    json!({ "standard": "Adobe", "version": "2.0", "value": { "collect": { "val": word } } })
}

fn tcf_entry(text: Value) -> Value {
    json!({ "standard": "IAB TCF", "version": "2.0", "value": text, "gdprApplies": true })
}

fn consent(entries: &[Value]) -> Value {
    json!({ "consent": entries })
}

fn tcf(text: Value) -> Value {
    consent(&[tcf_entry(text)])
}

fn collect(allowed: bool) -> Settled {
    Ok(json!({ "collect": if allowed { "in" } else { "out" } }))
}

#[test]
fn each_standard_says_yes_and_no_in_its_own_words() {
    let (yes, no) = (json!(Core::default().text()), json!(bits(565, &[]).text()));
    let with_all = json!({
        "collect": { "val": "y", "time": "2026-11-24T03:49:50Z" },
        "share": { "val": "n" },
        "adID": { "val": "n" },
        "personalize": { "content": { "val": "n" } },
        "marketing": { "any": { "val": "n" } },
        "metadata": { "time": "2026-11-24T03:49:50Z" },
    });
    for (entry, allowed) in [
        (adobe_1("in"), true),
        (adobe_1("out"), false),
        (adobe_2("y"), true),
        (adobe_2("n"), false),
        (with(adobe_2("y"), "value", with_all.clone()), true),
        (with(with(adobe_2("y"), "value", with_all), "value.collect.val", json!("n")), false),
        (tcf_entry(yes.clone()), true),
        (tcf_entry(no.clone()), false),
        (with(tcf_entry(yes.clone()), "version", json!("2.1")), true),
        (with(tcf_entry(no.clone()), "version", json!("2.2")), false),
        (with(tcf_entry(yes.clone()), "version", json!("2.3")), true),
        // Where nobody says, the regulation may apply.
        (without(tcf_entry(yes.clone()), "gdprApplies"), true),
        (without(tcf_entry(no.clone()), "gdprApplies"), false),
        (with(tcf_entry(no.clone()), "gdprApplies", Value::Null), false),
        // Where it does not apply, there need be no string, nor a right one.
        (with(tcf_entry(no.clone()), "gdprApplies", json!(false)), true),
        (with(tcf_entry(json!("")), "gdprApplies", json!(false)), true),
        (with(tcf_entry(json!("rubbish")), "gdprApplies", json!(false)), true),
        (with(tcf_entry(Value::Null), "gdprApplies", json!(false)), true),
        (with(without(tcf_entry(no.clone()), "value"), "gdprApplies", json!(false)), true),
        // Alloy's.
        (with(tcf_entry(yes), "gdprContainsPersonalData", json!(true)), true),
    ] {
        let mut tag = Tag::configured(json!({ "consent": { "default": "pending" } }));
        assert_eq!(
            tag.outcome("setConsent", consent(std::slice::from_ref(&entry))),
            collect(allowed),
            "{entry}"
        );
        assert_eq!(tag.status()["consent"], if allowed { "in" } else { "out" }, "{entry}");
    }
}

#[test]
fn the_vendor_is_the_configured_one() {
    let string = json!(bits(565, &[12]).text());
    for (vendor, allowed) in [(12, true), (565, false), (13, false)] {
        let mut tag = Tag::configured(json!({ "consent": { "tcf": { "vendorId": vendor } } }));
        assert_eq!(tag.outcome("setConsent", tcf(string.clone())), collect(allowed), "{vendor}");
    }
}

#[test]
fn of_several_entries_all_have_to_allow() {
    let (yes, no) = (tcf_entry(json!(Core::default().text())), tcf_entry(json!(bits(1, &[]).text())));
    for (entries, allowed) in [
        (vec![adobe_1("in"), adobe_2("y"), yes.clone()], true),
        (vec![adobe_1("out"), adobe_2("y"), yes.clone()], false),
        (vec![adobe_1("in"), adobe_2("n"), yes.clone()], false),
        (vec![adobe_1("in"), adobe_2("y"), no.clone()], false),
        (vec![adobe_2("y"), adobe_2("n")], false),
        (vec![adobe_2("n"), adobe_2("y")], false),
        (vec![no, yes], false),
    ] {
        let mut tag = Tag::configured(json!({}));
        assert_eq!(tag.outcome("setConsent", consent(&entries)), collect(allowed), "{entries:?}");
    }
    // What is wrong with one is not hidden by the refusal of another.
    let mut tag = Tag::configured(json!({}));
    let outcome = tag.outcome("setConsent", consent(&[adobe_2("n"), adobe_2("maybe")]));
    assert_eq!(outcome, refusal("consent[1].value.collect.val", NOT_YES_OR_NO));
    assert_eq!(tag.status()["consent"], "in");
}

#[test]
fn what_is_wrong_is_named_by_its_path_and_changes_nothing() {
    let string = json!(Core::default().text());
    let mut table = vec![
        (json!({}), "consent", MISSING),
        (json!({ "consent": [] }), "consent", EMPTY),
        (json!({ "consent": {} }), "consent", NOT_AN_ARRAY),
        (json!({ "consents": [] }), "consents", UNKNOWN_OPTION),
        (consent(&[json!("in")]), "consent[0]", NOT_AN_OBJECT),
        (consent(&[Value::Null]), "consent[0]", NOT_AN_OBJECT),
        (consent(&[adobe_2("y"), json!({})]), "consent[1].standard", MISSING),
        (consent(&[adobe_2("y"), json!([])]), "consent[1]", NOT_AN_OBJECT),
    ];
    for (entry, path, reason) in [
        (without(adobe_2("y"), "standard"), "standard", MISSING),
        (with(adobe_2("y"), "standard", json!(5)), "standard", NOT_A_STRING),
        (with(adobe_2("y"), "standard", json!("")), "standard", EMPTY),
        (with(adobe_2("y"), "standard", json!("adobe")), "standard", NOT_A_STANDARD),
        (with(adobe_2("y"), "standard", json!("IAB GPP")), "standard", NOT_A_STANDARD),
        (without(adobe_2("y"), "version"), "version", MISSING),
        (with(adobe_2("y"), "version", json!(2.0)), "version", NOT_A_STRING),
        (with(adobe_2("y"), "version", json!("2")), "version", NOT_A_VERSION),
        (with(adobe_2("y"), "version", json!("3.0")), "version", NOT_A_VERSION),
        (with(tcf_entry(string.clone()), "version", json!("1.1")), "version", NOT_A_VERSION),
        (with(adobe_2("y"), "vaule", json!(1)), "vaule", UNKNOWN_KEY),
        (without(adobe_2("y"), "value"), "value", MISSING),
        (with(adobe_2("y"), "value", Value::Null), "value", MISSING),
        (with(adobe_2("y"), "value", json!("y")), "value", NOT_AN_OBJECT),
        (with(adobe_2("y"), "value", json!({})), "value.collect.val", MISSING),
        (with(adobe_2("y"), "value", json!({ "Collect": { "val": "y" } })), "value.collect.val", MISSING),
        (with(adobe_2("y"), "value.collect", json!("y")), "value.collect", NOT_AN_OBJECT),
        (with(adobe_2("y"), "value.collect", json!({})), "value.collect.val", MISSING),
        (adobe_2("Y"), "value.collect.val", NOT_YES_OR_NO),
        (adobe_2("p"), "value.collect.val", NOT_YES_OR_NO),
        (adobe_2("in"), "value.collect.val", NOT_YES_OR_NO),
        (with(adobe_2("y"), "value.collect.val", json!(true)), "value.collect.val", NOT_YES_OR_NO),
        (with(adobe_1("in"), "value", json!({})), "value.general", MISSING),
        (with(adobe_1("in"), "value", json!("in")), "value", NOT_AN_OBJECT),
        (with(adobe_1("in"), "value.collect", json!({ "val": "y" })), "value.collect", UNKNOWN_KEY),
        (adobe_1("pending"), "value.general", NOT_IN_OR_OUT),
        (adobe_1("y"), "value.general", NOT_IN_OR_OUT),
        (without(tcf_entry(string.clone()), "value"), "value", MISSING),
        (tcf_entry(Value::Null), "value", MISSING),
        (tcf_entry(json!(5)), "value", NOT_A_STRING),
        (tcf_entry(json!({})), "value", NOT_A_STRING),
        (with(tcf_entry(json!(5)), "gdprApplies", json!(false)), "value", NOT_A_STRING),
        (tcf_entry(json!("")), "value", NOT_A_TC_STRING),
        (tcf_entry(json!("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA")), "value", NOT_A_TC_STRING),
        (with(tcf_entry(string.clone()), "gdprApplies", json!(1)), "gdprApplies", NOT_A_BOOLEAN),
        (with(tcf_entry(string.clone()), "gdprApplies", json!("false")), "gdprApplies", NOT_A_BOOLEAN),
        (
            with(tcf_entry(string), "gdprContainsPersonalData", json!("no")),
            "gdprContainsPersonalData",
            NOT_A_BOOLEAN,
        ),
    ] {
        table.push((consent(&[entry]), path, reason));
    }
    for (options, path, reason) in table {
        for default in ["in", "out", "pending"] {
            let mut tag = Tag::configured(json!({ "consent": { "default": default } }));
            let before = tag.status();
            let path =
                if path.starts_with("consent") { String::from(path) } else { format!("consent[0].{path}") };
            assert_eq!(tag.outcome("setConsent", options.clone()), refusal(&path, reason), "{options}");
            assert_eq!(tag.status(), before);
            assert_eq!(tag.page.consents.len(), 0, "nothing is kept");
        }
    }
}

// ---------------------------------------------------------------------------------------------
// What holds before anybody decides.

fn kept(record: &str) -> Tag {
    let mut tag = Tag::bare();
    tag.page.consents.insert(String::from(KEY), String::from(record));
    tag
}

#[test]
fn a_decision_counts_more_than_privacy_control_and_that_more_than_the_default() {
    for (kept, control, wish, default, holds) in [
        ("", false, false, None, "in"),
        ("", false, false, Some("in"), "in"),
        ("", false, false, Some("out"), "out"),
        ("", false, false, Some("pending"), "pending"),
        // The wish is heard where it is asked for.
        ("", false, true, None, "in"),
        ("", true, false, None, "in"),
        ("", true, true, None, "out"),
        ("", true, true, Some("in"), "out"),
        ("", true, true, Some("pending"), "out"),
        ("", true, true, Some("out"), "out"),
        ("in", false, false, Some("out"), "in"),
        ("in", false, false, Some("pending"), "in"),
        ("in", true, true, Some("pending"), "in"),
        ("out", false, false, None, "out"),
        ("out", true, false, Some("pending"), "out"),
        ("out purge", false, false, None, "out"),
        // No decision of ours.
        ("IN", false, false, Some("pending"), "pending"),
        ("yes", false, false, Some("out"), "out"),
        ("general=in", false, false, Some("pending"), "pending"),
    ] {
        let mut tag = if kept.is_empty() { Tag::bare() } else { self::kept(kept) };
        tag.page.privacy = wish;
        let mut options = json!({ "globalPrivacyControl": control });
        if let Some(default) = default {
            options["default"] = json!(default);
        }
        tag.configure(json!({ "consent": options }));
        let row = format!("kept {kept:?}, control {control}, wish {wish}, default {default:?}");
        assert_eq!(tag.status()["consent"], holds, "{row}");
        // An explicit decision counts more, either way.
        for allowed in [true, false, true] {
            let entry = adobe_1(if allowed { "in" } else { "out" });
            assert_eq!(tag.outcome("setConsent", consent(&[entry])), collect(allowed), "{row}");
            assert_eq!(tag.status()["consent"], if allowed { "in" } else { "out" }, "{row}");
        }
    }
}

#[test]
fn before_a_decision_nothing_is_touched_but_its_record_read() {
    let configurations = [
        ("pending", "", false, "pending"),
        ("out", "", false, "dropped"),
        ("in", "", true, "dropped"),
        ("in", "out", false, "dropped"),
    ];
    for (default, kept, wish, status) in configurations {
        let mut tag = if kept.is_empty() { Tag::bare() } else { self::kept(kept) };
        tag.page.privacy = wish;
        tag.configure(json!({ "consent": { "default": default, "globalPrivacyControl": true } }));
        for options in [json!({}), json!({ "priority": "high" }), json!({ "documentUnloading": true })] {
            let outcome = tag.outcome("sendEvent", options).unwrap();
            assert_eq!(outcome["status"], status, "{default} {kept}");
        }
        tag.wait(200_000);
        tag.page_event(PageEvent::Offline);
        tag.page_event(PageEvent::Online);
        tag.page_event(PageEvent::Hidden);
        tag.page_event(PageEvent::Shown);
        tag.call("flush", json!({}));
        tag.page_event(PageEvent::Hidden);
        tag.page_event(PageEvent::Leaving);
        tag.page_event(PageEvent::Restored { owner: String::from("again") });
        tag.wait(200_000);
        assert_eq!(tag.sent.len(), 0, "{default} {kept}");
        assert_eq!(tag.opened, [], "{default} {kept}");
        assert!(tag.handoffs.values().all(String::is_empty), "{default} {kept}");
        assert!(tag.disk.as_ref().unwrap().is_empty(), "{default} {kept}");
        assert!(tag.page.memory.borrow().is_empty(), "{default} {kept}");
        // When it was configured, whenever it was shown again: the record of the decision.
        let read = format!("consent {KEY}");
        assert_eq!(*tag.page.read.borrow(), vec![read; 3], "{default} {kept}");
    }
}

#[test]
fn what_waits_for_consent_is_formed_at_the_call_and_sent_once_it_is_given() {
    let mut tag = Tag::configured(json!({ "consent": { "default": "pending" } }));
    let first = tag.outcome("sendEvent", json!({ "type": "first" })).unwrap();
    assert_eq!(
        (&first["status"], &first["timestamp"]),
        (&json!("pending"), &json!("2026-11-24T03:49:50.123Z"))
    );
    tag.wait(5_000);
    let here = std::mem::replace(&mut tag.page.moment.url, String::from("https://shop.example/elsewhere"));
    tag.page.moment.title = String::from("Elsewhere");
    tag.page.reading.viewport_width = 300.0;
    let second = tag.outcome("sendEvent", json!({ "type": "second" })).unwrap();
    assert_eq!(second["status"], "pending");
    let status = tag.status();
    assert_eq!((&status["accepted"], &status["pending"]), (&json!(2), &json!(2)));

    assert_eq!(tag.outcome("setConsent", consent(&[adobe_2("y")])), collect(true));
    let (_, request) = &tag.sent[0];
    let messages: Value = serde_json::from_str(&request.body).unwrap();
    let entities: Vec<&Value> = messages["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["body"]["xdmEntity"])
        .collect();
    assert_eq!(entities.len(), 2);
    for (entity, sent, kind, url, title, width) in [
        (entities[0], &first, "first", here.as_str(), "Mugs", 1280),
        (entities[1], &second, "second", "https://shop.example/elsewhere", "Elsewhere", 300),
    ] {
        assert_eq!(entity["_id"], sent["id"]);
        assert_eq!(entity["timestamp"], sent["timestamp"]);
        assert_eq!(entity["eventType"], kind);
        assert_eq!(entity["web"]["webPageDetails"], json!({ "URL": url, "name": title }));
        assert_eq!(entity["environment"]["browserDetails"]["viewportWidth"], width);
    }
    tag.deliver();
    let status = tag.status();
    assert_eq!((&status["delivered"], &status["pending"]), (&json!(2), &json!(0)));
}

#[test]
fn what_waits_for_consent_is_bounded() {
    let mut tag = Tag::configured(json!({
        "context": [],
        "consent": { "default": "pending" },
        "delivery": { "maxStoredBytes": 20_000 },
    }));
    for number in 0..100 {
        let priority = if number == 0 { "high" } else { "normal" };
        let name = "x".repeat(300);
        let xdm = json!({ "_id": format!("e{number}"), "web": { "webPageDetails": { "name": name } } });
        tag.call("sendEvent", json!({ "priority": priority, "xdm": xdm }));
    }
    let status = tag.status();
    let (pending, evicted) =
        (status["pending"].as_u64().unwrap(), status["dropped"]["evicted"].as_u64().unwrap());
    assert_eq!(pending + evicted, 100);
    assert!((15..40).contains(&pending), "{pending}");
    tag.call("setConsent", consent(&[adobe_2("y")]));
    let (_, request) = &tag.sent[0];
    let body: Value = serde_json::from_str(&request.body).unwrap();
    let ids: Vec<&Value> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["body"]["xdmEntity"]["_id"])
        .collect();
    assert_eq!(ids[0], "e0", "what was to go first was kept");
    assert_eq!(ids.last(), Some(&&json!("e99")));
}

#[test]
fn decisions_are_applied_in_the_order_of_the_calls() {
    let no = &consent(&[adobe_2("n")]).to_string();
    let yes = &consent(&[adobe_2("y")]).to_string();
    let event = |id: &str| json!({ "xdm": { "_id": id } }).to_string();
    // All in one task, before anything can be sent.
    for (default, calls, statuses, arrived) in [
        ("out", vec!["a", yes, "b"], vec!["dropped", "delivered"], vec!["b"]),
        ("pending", vec!["a", yes, "b"], vec!["pending", "delivered"], vec!["a", "b"]),
        ("pending", vec!["a", no, "b"], vec!["pending", "dropped"], vec![]),
        ("pending", vec!["a", no, "b", yes, "c"], vec!["pending", "dropped", "delivered"], vec!["c"]),
        ("in", vec!["a", no, "b"], vec!["dropped", "dropped"], vec![]),
        ("in", vec!["a", no, "b", yes, "c"], vec!["dropped", "dropped", "delivered"], vec!["c"]),
        ("out", vec![yes, "a", no, "b"], vec!["dropped", "dropped"], vec![]),
    ] {
        let mut tag = Tag::configured(json!({ "context": [], "consent": { "default": default } }));
        let mut tickets = Vec::new();
        for call in &calls {
            if call.len() > 1 {
                tag.call_within_task("setConsent", call, None);
            } else {
                tickets.push(tag.call_within_task("sendEvent", &event(call), None));
            }
        }
        tag.wait(0);
        while !tag.open.is_empty() {
            tag.deliver();
        }
        let settled: Vec<Value> = tickets.iter().map(|ticket| tag.result(*ticket).unwrap()).collect();
        let found: Vec<&Value> = settled.iter().map(|outcome| &outcome["status"]).collect();
        assert_eq!(found, statuses, "{default}: {calls:?}");
        for outcome in &settled {
            let reason = if outcome["status"] == "dropped" { json!("consent") } else { Value::Null };
            assert_eq!(outcome["reason"], reason);
        }
        let sent: String = tag.sent.iter().map(|(_, request)| request.body.as_str()).collect();
        for id in ["a", "b", "c"] {
            assert_eq!(
                sent.contains(&format!("\"_id\":\"{id}\"")),
                arrived.contains(&id),
                "{default}: {calls:?}"
            );
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Decisions are kept, and reach others.

#[test]
fn a_decision_is_kept_under_its_key_and_found_by_the_next_page() {
    for (options, key) in [(json!({}), KEY), (json!({ "storageKey": "choice" }), "choice")] {
        let mut tag = Tag::configured(json!({ "consent": options }));
        assert_eq!(tag.page.consents.len(), 0, "nothing is kept without a decision");
        for (entry, record) in [(adobe_1("in"), "in"), (adobe_2("y"), "in")] {
            tag.call("setConsent", consent(&[entry]));
            assert_eq!(tag.page.consents.get(key).map(String::as_str), Some(record));
        }
        tag.call("setConsent", consent(&[adobe_2("n")]));
        assert!(tag.page.consents[key].starts_with("out"));

        let mut next = Tag::bare();
        next.page.consents = tag.page.consents.clone();
        let mut options = options.clone();
        options["default"] = json!("in");
        next.configure(json!({ "consent": options }));
        assert_eq!(next.status()["consent"], "out");
    }
}

#[test]
fn with_nothing_to_go_to_disk_the_decision_does_not_either() {
    let mut tag = kept("out");
    tag.configure(json!({ "consent": { "default": "pending" }, "delivery": { "storage": false } }));
    assert_eq!(tag.status()["consent"], "pending", "nor is it read");
    tag.call("setConsent", consent(&[adobe_2("y")]));
    assert_eq!(tag.page.consents[KEY], "out");
    assert_eq!(tag.page.read.borrow().len(), 0);
    // The page itself remembers, for an engine that takes over and for instances that come later.
    let mut second = Tag::bare();
    second.page.consents_in_memory = tag.page.consents_in_memory.clone();
    second.configure(json!({ "consent": { "default": "pending" }, "delivery": { "storage": false } }));
    assert_eq!(second.status()["consent"], "in");
}

#[test]
fn a_decision_elsewhere_counts_here_where_the_key_is_the_same() {
    let mut tag = Tag::configured(json!({ "context": [], "consent": { "default": "pending" } }));
    assert_eq!(tag.outcome("sendEvent", json!({})).unwrap()["status"], "pending");
    for (key, record) in [("another", "in"), ("", "in"), (KEY, ""), (KEY, "maybe"), (KEY, "in ")] {
        tag.hear(key, record);
        assert_eq!(tag.status()["consent"], "pending", "{key} {record}");
    }
    tag.hear(KEY, "in");
    assert_eq!(tag.status()["consent"], "in");
    assert_eq!(tag.sent.len(), 1);
    tag.deliver();

    // Withdrawn: what waits is dropped, and what comes after, too.
    tag.page_event(PageEvent::Offline);
    let waiting = tag.call("sendEvent", json!({}));
    tag.hear(KEY, "out purge");
    assert_eq!(tag.status()["consent"], "out");
    let consent = json!("consent");
    assert_eq!(tag.result(waiting).unwrap()["reason"], consent);
    tag.page_event(PageEvent::Online);
    assert_eq!(tag.outcome("sendEvent", json!({})).unwrap()["reason"], consent);
    assert_eq!(tag.sent.len(), 1);
    // A record that is gone is no decision: the refusal stands.
    tag.hear(KEY, "");
    assert_eq!(tag.status()["consent"], "out");
    tag.hear(KEY, "in");
    tag.call("sendEvent", json!({}));
    tag.wait(1_000);
    assert_eq!(tag.sent.len(), 2);
}

#[test]
fn a_page_that_slept_looks_at_the_record_before_it_does_anything() {
    for (event, sleep) in [
        (PageEvent::Shown, PageEvent::Hidden),
        (PageEvent::Restored { owner: String::from("again") }, PageEvent::Leaving),
    ] {
        for storage in [true, false] {
            // What could not be sent waits, in the outbox or in memory.
            let mut tag = Tag::configured(json!({ "context": [], "delivery": { "storage": storage } }));
            tag.page_event(PageEvent::Offline);
            tag.call("sendEvent", json!({}));
            tag.page_event(sleep.clone());
            let record = String::from("out purge");
            let consents = if storage { &mut tag.page.consents } else { &mut tag.page.consents_in_memory };
            consents.insert(String::from(KEY), record);
            tag.page_event(event.clone());
            tag.page_event(PageEvent::Online);
            tag.wait(10_000);
            assert_eq!(tag.status()["consent"], "out", "{event:?}");
            assert_eq!(tag.sent.len(), 0, "{event:?}");
        }
    }
}

#[test]
fn a_refusal_where_there_is_no_outbox_makes_none() {
    for default in ["pending", "out"] {
        let mut tag = Tag::configured(json!({ "consent": { "default": default } }));
        tag.call("sendEvent", json!({}));
        tag.call("setConsent", consent(&[adobe_2("n")]));
        assert!(!tag.has_outbox, "{default}");
        assert_eq!((tag.opened.len(), tag.closed), (1, 1), "and lets go of what it has asked for");
        // There is nothing left to be purged by the next page.
        assert_eq!(tag.page.consents[KEY], "out");
        tag.call("setConsent", consent(&[adobe_2("n")]));
        assert_eq!(tag.page.consents[KEY], "out");
        assert_eq!(tag.opened.len(), 1);
        // Given after all: now there is one.
        tag.call("setConsent", consent(&[adobe_2("y")]));
        tag.call("sendEvent", json!({}));
        assert!(tag.has_outbox, "{default}");
        assert_eq!(tag.opened.len(), 2);
        assert_eq!(tag.sent.len(), 1);
        tag.deliver();
        assert_eq!(tag.status()["delivered"], 1);
    }
}

/// A record of another page that is gone, as the outbox has it.
fn left_behind(tag: &mut Tag) -> (String, String) {
    // Whatever this instance would write for itself.
    tag.page_event(PageEvent::Offline);
    tag.call("sendEvent", json!({}));
    let (key, text) = tag.disk.as_ref().unwrap().first_key_value().expect("a record");
    (key.replace(OWNER, "gone"), text.clone())
}

#[test]
fn a_refusal_is_marked_until_all_that_was_stored_is_gone() {
    let orphan = left_behind(&mut Tag::configured(json!({})));
    let mut tag = Tag::configured(json!({ "context": [] }));
    tag.page_event(PageEvent::Offline);
    tag.call("sendEvent", json!({}));
    tag.page.memory.borrow_mut().insert(String::from("other"), String::from("1"));
    let disk = tag.disk.as_mut().unwrap();
    disk.insert(orphan.0.clone(), orphan.1.clone());
    assert_eq!(disk.len(), 2);
    tag.page_event(PageEvent::Online);
    tag.deliver();
    assert_eq!(tag.page.memory.borrow().len(), 2, "it remembers that the endpoint is well");

    tag.call("setConsent", consent(&[adobe_2("n")]));
    assert_eq!(tag.page.consents[KEY], "out purge", "what others left has not been looked for");
    assert_eq!(tag.page.memory.borrow().len(), 1, "what it remembered is forgotten");

    // The page that comes next goes on with it, even if this one ended here.
    let mut next = Tag::bare();
    next.page.consents = tag.page.consents.clone();
    next.disk = tag.disk.clone();
    next.has_outbox = true;
    next.configure(json!({ "context": [] }));
    assert_eq!(next.opened.len(), 1);
    for tag in [&mut tag, &mut next] {
        let (key, text) = orphan.clone();
        tag.lead(Survey { records: vec![(key, text)], ..Survey::default() });
        assert_eq!(tag.disk.as_ref().unwrap().len(), 0);
        assert_eq!(tag.page.consents[KEY], "out");
    }
    assert_eq!((tag.sent.len(), next.sent.len()), (1, 0), "what was left was not sent");
    // And the one after that touches nothing.
    let mut last = Tag::bare();
    last.page.consents = next.page.consents.clone();
    last.configure(json!({}));
    assert_eq!(last.opened, []);
}

#[test]
fn a_refusal_where_nothing_is_stored_needs_no_purge() {
    let mut tag = Tag::configured(json!({ "delivery": { "storage": false } }));
    tag.call("setConsent", consent(&[adobe_2("n")]));
    assert_eq!(tag.page.consents_in_memory[KEY], "out");
    assert_eq!(tag.opened, []);
    assert_eq!(tag.page.consents.len(), 0);
}

#[test]
fn answers_that_come_after_a_refusal_leave_no_trace() {
    let mut tag = Tag::configured(json!({ "context": [] }));
    let flying = tag.call("sendEvent", json!({}));
    tag.call("setConsent", consent(&[adobe_2("n")]));
    assert_eq!(tag.settled.get(&flying), None, "it was sent before");
    tag.deliver();
    assert_eq!(tag.result(flying).unwrap()["status"], "delivered");
    assert!(tag.page.memory.borrow().is_empty());
    assert!(tag.disk.as_ref().unwrap().is_empty());

    // One that failed is not tried again.
    let mut tag = Tag::configured(json!({ "context": [] }));
    let flying = tag.call("sendEvent", json!({}));
    tag.call("setConsent", consent(&[adobe_2("n")]));
    let request = *tag.open.first().unwrap();
    tag.answer(request, Answer::Response { status: 503, body: "", retry_after: "" });
    assert_eq!(tag.result(flying).unwrap()["reason"], "consent");
    assert!(tag.disk.as_ref().unwrap().is_empty());
}
