//! Identifiers of events.

use crate::json::hex_digit;

/// A version 4 UUID (RFC 9562) made of 16 random bytes: lower case, with hyphens.
pub fn uuid_v4(entropy: [u8; 16]) -> String {
    let mut id = String::with_capacity(36);
    for (at, byte) in entropy.into_iter().enumerate() {
        let byte = match at {
            6 => 0x40 | byte & 0x0f,
            8 => 0x80 | byte & 0x3f,
            _ => byte,
        };
        if matches!(at, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        id.push(hex_digit(byte >> 4));
        id.push(hex_digit(byte));
    }
    id
}

/// Whether `text` is a URI reference (RFC 3986), the format that XDM asks of `_id`: allowed characters
/// alone, `%` before two hexadecimal digits, one `#` at most, and a colon in the first segment only
/// after a scheme. Stricter than the RFC in one thing: square brackets (an IPv6 host) are refused.
pub fn is_uri_reference(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut fragment = false;
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            b'#' => !std::mem::replace(&mut fragment, true),
            b'!' | b'$' | b'&'..=b';' | b'=' | b'?'..=b'Z' | b'_' | b'a'..=b'z' | b'~' => true,
            _ => false,
        };
        if !allowed {
            return false;
        }
    }
    // What the scheme, if there is one, leaves: a path, or `//` and an authority.
    let head = before(text, b"/?#");
    let scheme = before(head, b":");
    let mut rest = text;
    if scheme.len() < head.len() {
        let mut letters = scheme.bytes();
        let named = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !named {
            return false;
        }
        rest = text.get(scheme.len() + 1..).unwrap_or_default();
    }
    rest.strip_prefix("//").is_none_or(is_authority)
}

/// `user@host:port` up to the path: one `@` at most, and a port of digits.
fn is_authority(text: &str) -> bool {
    let authority = before(text, b"/?#");
    let user = before(authority, b"@");
    let mut host = authority;
    if user.len() < authority.len() {
        host = authority.get(user.len() + 1..).unwrap_or_default();
    }
    let mut port = host.bytes().skip_while(|byte| *byte != b':').skip(1);
    !host.bytes().any(|byte| byte == b'@') && port.all(|digit| digit.is_ascii_digit())
}

/// The part of `text` before the first of `stops`; all of it without one.
fn before<'a>(text: &'a str, stops: &[u8]) -> &'a str {
    let end = text.bytes().position(|byte| stops.contains(&byte));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}
