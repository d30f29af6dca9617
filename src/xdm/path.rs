//! Paths into XDM: parts joined by dots, array positions in brackets, a tenant's fields under
//! `_tenant`: `productListItems[0].SKU`, `_acme.loyalty.level`. White space around a part, as
//! pasting brings it, is left out.

use crate::fault::{Fault, Reason};
use crate::json::MAX_DEPTH;

/// The highest array position that a path may name.
const MAX_INDEX: usize = 9999;

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segment {
    /// A member of an object.
    Key(String),
    /// An element of an array, counted from 0.
    Index(usize),
}

/// The steps of a path, 1 to 32 of them; the first is a key. A fault carries the path.
pub fn parse(text: &str) -> Result<Vec<Segment>, Fault> {
    let text = text.trim();
    segments(text).map_err(|reason| Fault::at(reason, text))
}

fn segments(text: &str) -> Result<Vec<Segment>, Reason> {
    let mut segments = Vec::new();
    for part in text.split('.') {
        let mut pieces = part.split('[');
        let key = pieces.next().unwrap_or_default().trim();
        if key.is_empty() {
            return Err(Reason::EmptySegment);
        }
        if key.contains(']') {
            return Err(Reason::BadIndex);
        }
        if matches!(key, "__proto__" | "constructor" | "prototype") {
            return Err(Reason::UnsafeKey);
        }
        segments.push(Segment::Key(String::from(key)));
        for piece in pieces {
            let digits = piece.trim_end().strip_suffix(']').map(str::trim);
            let index = digits.and_then(index).ok_or(Reason::BadIndex)?;
            segments.push(Segment::Index(index));
        }
        if segments.len() > MAX_DEPTH {
            return Err(Reason::TooDeep);
        }
    }
    Ok(segments)
}

/// A whole number without leading zeros.
fn index(digits: &str) -> Option<usize> {
    if digits.is_empty() || digits.starts_with('0') && digits.len() > 1 {
        return None;
    }
    let mut index = 0;
    for byte in digits.bytes() {
        if !byte.is_ascii_digit() {
            return None;
        }
        index = index * 10 + usize::from(byte - b'0');
        if index > MAX_INDEX {
            return None;
        }
    }
    Some(index)
}
