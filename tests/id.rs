//! Event ids: UUIDs from given bytes, and what may be an id at all.

#![cfg(not(target_arch = "wasm32"))]

use proptest::prelude::*;
use xdm_beacon::id::{is_uri_reference, uuid_v4};

#[test]
fn a_uuid_is_written_from_its_bytes() {
    assert_eq!(uuid_v4([0; 16]), "00000000-0000-4000-8000-000000000000");
    assert_eq!(uuid_v4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(
        uuid_v4(*b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10"),
        "01234567-89ab-4def-bedc-ba9876543210"
    );
}

#[test]
fn uri_references() {
    for text in [
        "",
        "370327773583",
        "01234567-89ab-4def-bedc-ba9876543210",
        "x:1",
        "urn:uuid:01234567-89ab-4def-bedc-ba9876543210",
        "a/b:c",
        "./1:x",
        "?a:b",
        "#a:b",
        "#",
        "a%20b",
        "A-Z_a.z~0-9!$&'()*+,;=@/?",
        "https://shop.example:8080/p?q=1#top",
        "//user:secret@host:80/path",
        "//host:",
        "a//b:c",
    ] {
        assert!(is_uri_reference(text), "{text:?}");
    }
    for text in [
        " ",
        "a b",
        "1:x",
        ":x",
        "-a:x",
        "a_b:x",
        "é",
        "a%2",
        "a%",
        "a%2g",
        "a\"b",
        "a<b>",
        "a\\b",
        "a^b",
        "a`b",
        "{a}",
        "a|b",
        "a[0]",
        "#a#b",
        "http://host:port/",
        "//a@b@c",
        "\n",
        "a\u{0}",
    ] {
        assert!(!is_uri_reference(text), "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_uuid_has_version_4_and_is_a_uri_reference(entropy: [u8; 16]) {
        let id = uuid_v4(entropy);
        prop_assert_eq!(id.len(), 36);
        for (at, char) in id.chars().enumerate() {
            match at {
                8 | 13 | 18 | 23 => prop_assert_eq!(char, '-'),
                14 => prop_assert_eq!(char, '4'),
                19 => prop_assert!("89ab".contains(char)),
                _ => prop_assert!("0123456789abcdef".contains(char)),
            }
        }
        prop_assert!(is_uri_reference(&id));
    }

    #[test]
    fn different_bytes_make_different_ids(one: [u8; 16], other: [u8; 16]) {
        // Six bits are the version's and the variant's.
        let ours = |mut bytes: [u8; 16]| { bytes[6] &= 0x0f; bytes[8] &= 0x3f; bytes };
        prop_assert_eq!(uuid_v4(one) == uuid_v4(other), ours(one) == ours(other));
    }

    #[test]
    fn any_text_is_judged(text in "\\PC{0,40}|[a-z:/?#@%0-9.]{0,20}") {
        if is_uri_reference(&text) {
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
