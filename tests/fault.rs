//! Faults: stable codes, and sentences that name the option and the remedy.

#![cfg(not(target_arch = "wasm32"))]

use std::collections::HashSet;

use xdm_beacon::fault::{Fault, Reason};

#[test]
fn the_path_is_put_together_from_inside_out() {
    let fault =
        Fault::at(Reason::NotAString, "id").in_index(0).in_key("CRM").in_key("identityMap").in_key("xdm");
    assert_eq!(fault.path, "xdm.identityMap.CRM[0].id");
    assert_eq!(fault.message("xdmBeacon"), "xdmBeacon: 'xdm.identityMap.CRM[0].id' must be a string");
}

#[test]
fn parts_join_without_stray_dots() {
    let new = || Fault::new(Reason::EmptyElement);
    for (fault, path) in [
        (new(), ""),
        (new().in_key(""), ""),
        (new().in_key("a"), "a"),
        (new().in_index(12), "[12]"),
        (new().in_index(1).in_index(0), "[0][1]"),
        (new().in_index(1).in_key("a").in_key(""), "a[1]"),
        (new().in_key("b").in_key("a").in_index(3), "[3].a.b"),
    ] {
        assert_eq!(fault.path, path);
    }
}

#[test]
fn without_a_path_the_sentence_is_about_the_whole() {
    assert_eq!(Fault::new(Reason::NotAnObject).message("shop"), "shop: must be an object");
}

#[test]
fn every_reason_has_a_code_of_its_own_and_says_what_to_do() {
    let mut codes = HashSet::new();
    for reason in Reason::ALL {
        let code = reason.code();
        assert!(codes.insert(code), "{code} is used twice");
        assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code} is not in kebab case");
        let text = reason.text();
        assert!(text.len() > code.len() / 2, "{code} says nothing");
        assert!(
            text.starts_with(|first: char| first.is_ascii_lowercase()) && !text.ends_with('.'),
            "{text:?} does not end a sentence that starts with the path"
        );
    }
}
