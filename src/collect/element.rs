//! Pure: elements of a page as the loader has read them (www/sdk/capture/dom.js).

use super::host_of;
use crate::json;

/// Ends a text of which the loader has cut the rest off.
pub const CUT: char = '\0';

/// An element as raw JSON.
pub struct Element<'a>(pub &'a str);

impl Element<'_> {
    pub fn has(&self, key: &str) -> bool {
        json::find(self.0, key).is_some()
    }

    /// The value of an attribute; empty without.
    pub fn get(&self, key: &str) -> String {
        json::find(self.0, key).and_then(json::string).unwrap_or_default().into_owned()
    }

    /// The same of an attribute whose values are words in any case.
    pub fn word(&self, key: &str) -> String {
        let mut word = self.get(key);
        word.make_ascii_lowercase();
        word
    }

    /// The first of these that has something to read.
    pub fn first(&self, keys: &[&str]) -> String {
        for key in keys {
            let text = collapsed(finished(&self.get(key)));
            if !text.is_empty() {
                return text;
            }
        }
        String::new()
    }
}

/// A URL as the browser has parsed and written it.
pub struct Address<'a> {
    /// What may be shown of it; empty where it is no address.
    pub shown: String,
    /// Whether its scheme is http or https.
    pub is_web: bool,
    /// The host; empty where the scheme has none.
    pub host: &'a str,
}

impl<'a> Address<'a> {
    pub fn read(url: &'a str) -> Address<'a> {
        let scheme = before(url, b":");
        let mut address =
            Address { shown: String::new(), is_web: matches!(scheme, "http" | "https"), host: "" };
        if matches!(scheme, "javascript" | "data" | "blob") {
            return address;
        }
        let Some((_, rest)) =
            url.split_at_checked(scheme.len() + 3).filter(|(start, _)| start.ends_with("://"))
        else {
            address.shown.push_str(url);
            return address;
        };
        let authority = before(rest, b"/?#");
        // Who and with which password comes before an @.
        let user = authority.bytes().rposition(|byte| byte == b'@').map_or(0, |at| at + 1);
        let start = scheme.len() + 3;
        address.shown.push_str(url.get(..start).unwrap_or_default());
        address.shown.push_str(rest.get(user..).unwrap_or_default());
        address.host = host_of(url);
        address
    }
}

/// What is whole of a text: where it was cut, the last word may be half an address, which nothing knows for one, and
/// words with digits before it are the first groups of a card's number.
fn finished(text: &str) -> &str {
    let Some((mut whole, _)) = text.split_once(CUT) else { return text };
    loop {
        let end = whole.rfind(char::is_whitespace).unwrap_or_default();
        whole = whole.get(..end).unwrap_or_default().trim_end();
        let last = whole.rsplit(char::is_whitespace).next().unwrap_or_default();
        if !last.bytes().any(|byte| byte.is_ascii_digit()) {
            return whole;
        }
    }
}

/// White space at the ends taken off, and elsewhere made one space.
fn collapsed(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// What has more characters than that, cut.
pub fn cut(text: &str, chars: usize) -> &str {
    let end = text.char_indices().nth(chars);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text).trim_ascii_end()
}

/// What comes before the first of these ASCII characters; all if there is none.
pub fn before<'a>(text: &'a str, marks: &[u8]) -> &'a str {
    let end = text.bytes().position(|byte| marks.contains(&byte));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}
