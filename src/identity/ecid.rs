//! The Experience Cloud id where Adobe's own libraries have left one. It is read, never made.

use super::{cookies, decoded};

/// The namespace that the platform knows it by.
pub const NAMESPACE: &str = "ECID";
/// An ECID has 38 digits. So many are taken, should that ever change.
const MAX_DIGITS: usize = 64;

/// Whether a text has the form of one.
pub fn is_ecid(text: &str) -> bool {
    (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The ECID of an organisation in `document.cookie`: the Web SDK's identity cookie first, then that of the
/// Visitor service. Empty without one.
pub fn in_cookies(jar: &str, org: &str) -> String {
    let (id, at) = org.split_once('@').unwrap_or((org, ""));
    let (mut edge, mut visitor) = (String::new(), String::new());
    for (name, value) in cookies(jar) {
        // The Visitor service escapes its names, and others take that for their own.
        let name = &*decoded(name);
        let parts = |prefix, between: char| {
            let rest: &str = name.strip_prefix(prefix)?;
            rest.strip_prefix(id)?.strip_prefix(between)?.strip_prefix(at)
        };
        if edge.is_empty() && parts("kndctr_", '_') == Some("_identity") {
            edge = of_edge(value).unwrap_or_default();
        } else if visitor.is_empty() && parts("AMCV_", '@') == Some("") {
            visitor = of_visitor(&decoded(value)).unwrap_or_default();
        }
    }
    if edge.is_empty() { visitor } else { edge }
}

/// `…|MCMID|<ecid>|…`, keys and values in turn.
fn of_visitor(value: &str) -> Option<String> {
    let mut parts = value.split('|').skip_while(|part| *part != "MCMID").skip(1);
    parts.next().filter(|id| is_ecid(id)).map(String::from)
}

/// Base64url of a protobuf message whose field 1 is the ECID, as a string.
fn of_edge(value: &str) -> Option<String> {
    let bytes = base64(&decoded(value))?;
    let id = std::str::from_utf8(field_one(&bytes)?).ok()?;
    is_ecid(id).then(|| String::from(id))
}

/// The bytes that a text in base64 stands for, in either alphabet, with or without padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

/// The first field with number 1 and a length; what comes before it is passed over by its wire type.
fn field_one(mut bytes: &[u8]) -> Option<&[u8]> {
    const VARINT: u64 = 0;
    const EIGHT_BYTES: u64 = 1;
    const LENGTH: u64 = 2;
    const FOUR_BYTES: u64 = 5;

    loop {
        let tag = varint(&mut bytes)?;
        let length = match tag & 7 {
            VARINT => {
                varint(&mut bytes)?;
                continue;
            }
            EIGHT_BYTES => 8,
            LENGTH => varint(&mut bytes)?,
            FOUR_BYTES => 4,
            _ => return None,
        };
        let (field, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
        if tag == 1 << 3 | LENGTH {
            return Some(field);
        }
        bytes = rest;
    }
}

/// A number in groups of seven bits, the lowest first; the eighth bit says that another one follows.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for group in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 127) << (7 * group);
        if *byte < 128 {
            return Some(number);
        }
    }
    None
}
