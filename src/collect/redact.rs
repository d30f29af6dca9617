//! Pure: what identifies a person is taken out of what is collected automatically.
//!
//! E-mail addresses, card numbers, the values of the URL parameters that a site names, and what its
//! patterns match become [`REDACTED`]. Only for automatic fields: what a caller passes is his to answer
//! for. Every scan is linear in the length of the text, and cuts at characters alone.
//!
//! Percent-encoding is seen through, however often it was applied (`%40`, `%2540`), since URLs carry
//! URLs. No regular expressions are compiled in here: a site's patterns are the browser's to match.

use super::Page;
use crate::fault::{Fault, Reason};
use crate::settings::{boolean, each, strings};
use std::borrow::Cow;

/// What stands for what was taken out: fit for a URL as it is.
pub const REDACTED: &str = "REDACTED";
/// No card has more digits.
const MAX_CARD_DIGITS: usize = 19;
/// A card's number is written in this many groups at most (4-4-4-4-3), the first of four digits or more.
const MAX_CARD_GROUPS: usize = 5;
const FIRST_GROUP_DIGITS: usize = 4;

/// `privacy`: what is taken out of automatic fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Privacy {
    /// Whether anything is.
    pub redact: bool,
    /// Names of URL parameters, in any case, whose values are.
    pub parameters: Vec<String>,
    /// Sources of JavaScript regular expressions, matched in any case.
    pub patterns: Vec<String>,
}

impl Default for Privacy {
    fn default() -> Privacy {
        Privacy { redact: true, parameters: Vec::new(), patterns: Vec::new() }
    }
}

impl Privacy {
    /// Reads the option.
    ///
    /// # Errors
    /// A part that is unknown or of the wrong kind.
    pub fn parse(raw: &str) -> Result<Privacy, Fault> {
        let mut privacy = Privacy::default();
        each(raw, |key, raw| {
            match key {
                "redact" => privacy.redact = boolean(raw)?,
                "parameters" => privacy.parameters = strings(raw)?,
                "patterns" => privacy.patterns = strings(raw)?,
                _ => return Err(Fault::new(Reason::UnknownOption)),
            }
            Ok(())
        })?;
        Ok(privacy)
    }

    /// Asks the page whether its patterns are some.
    ///
    /// # Errors
    /// The first one that does not compile, or that finds something in no text.
    pub fn check(&self, page: &dyn Page) -> Result<(), Fault> {
        for (index, pattern) in self.patterns.iter().enumerate() {
            if page.replace("", pattern, REDACTED).as_deref() != Some("") {
                return Err(Fault::new(Reason::NotAPattern).in_index(index).in_key("patterns"));
            }
        }
        Ok(())
    }
}

/// Takes out and counts.
pub struct Redactor<'a> {
    privacy: &'a Privacy,
    page: &'a dyn Page,
    /// How often something was taken out; all that one pattern finds in one text counts once.
    pub count: u32,
}

impl<'a> Redactor<'a> {
    /// A redactor that has not found anything yet.
    pub fn new(privacy: &'a Privacy, page: &'a dyn Page) -> Redactor<'a> {
        Redactor { privacy, page, count: 0 }
    }

    /// Any text: a title, the text of a link.
    pub fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        self.cleared(text, false)
    }

    /// A URL, whole or in part, or a text that holds URLs, such as an error's stack.
    pub fn url<'t>(&mut self, url: &'t str) -> Cow<'t, str> {
        self.cleared(url, true)
    }

    fn cleared<'t>(&mut self, text: &'t str, has_parameters: bool) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        if !self.privacy.redact {
            return text;
        }
        if has_parameters && !self.privacy.parameters.is_empty() {
            self.take_out(&mut text, &|bytes, from| parameter(bytes, from, &self.privacy.parameters));
        }
        self.take_out(&mut text, &address);
        self.take_out(&mut text, &card);
        for pattern in &self.privacy.patterns {
            if let Some(replaced) = self.page.replace(&text, pattern, REDACTED)
                && replaced != *text
            {
                self.count += 1;
                text = Cow::Owned(replaced);
            }
        }
        text
    }

    /// Replaces all that `find`, given the text and where to begin, finds.
    fn take_out(&mut self, text: &mut Cow<'_, str>, find: &dyn Fn(&[u8], usize) -> Place) {
        let mut cleared = String::new();
        let mut done = 0;
        while let Some((start, end)) = find(text.as_bytes(), done) {
            cleared.push_str(text.get(done..start).unwrap_or_default());
            cleared.push_str(REDACTED);
            self.count += 1;
            done = end;
        }
        if done > 0 {
            cleared.push_str(text.get(done..).unwrap_or_default());
            *text = Cow::Owned(cleared);
        }
    }
}

/// Where something begins and ends, if there is something.
type Place = Option<(usize, usize)>;

/// What stands at a place: the byte that it means, and how many bytes it takes; `(0, 0)` at the end. An
/// escape means what it stands for, and `%25` begins another one if it can.
fn sign(bytes: &[u8], at: usize) -> (u8, usize) {
    match bytes.get(at..).unwrap_or_default() {
        [] => (0, 0),
        // The no-break space, which parts a number's groups as well.
        [0xc2, 0xa0, ..] => (b' ', 2),
        [b'%', escape @ ..] => {
            let (mut means, mut length) = (b'%', 1);
            for pair in escape.chunks_exact(2) {
                let [high, low] = pair else { break };
                let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { break };
                means = high << 4 | low;
                length += 2;
                if means != b'%' {
                    break;
                }
            }
            (means, length)
        }
        [byte, ..] => (*byte, 1),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Letters and digits; all beyond ASCII counts as letters, so that no character is ever cut.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The next e-mail address.
fn address(bytes: &[u8], from: usize) -> Place {
    let mut at = from;
    let mut local = None;
    loop {
        let (byte, length) = sign(bytes, at);
        if length == 0 {
            return None;
        }
        match byte {
            b'@' => {
                if let (Some(start), Some(end)) = (local, domain(bytes, at + length)) {
                    return Some((start, end));
                }
                local = None;
            }
            b'.' | b'_' | b'-' | b'+' | b'\'' | b'~' => local = local.or(Some(at)),
            letter if is_letter(letter) => local = local.or(Some(at)),
            _ => local = None,
        }
        at += length;
    }
}

/// The end of a domain that begins here: labels parted by dots, the last of them at least two long and
/// not beginning with a digit (which versions do: `library@1.2.3`).
fn domain(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut end = None;
    for labels in 0.. {
        let first = sign(bytes, at).0;
        let mut letters = 0;
        loop {
            let (byte, length) = sign(bytes, at);
            if !is_letter(byte) && byte != b'-' {
                break;
            }
            letters += 1;
            at += length;
        }
        if letters == 0 {
            break;
        }
        if labels > 0 && letters > 1 && !first.is_ascii_digit() {
            end = Some(at);
        }
        let (byte, length) = sign(bytes, at);
        if byte != b'.' {
            break;
        }
        at += length;
    }
    end
}

/// The next card number. It begins and ends with a group of digits, not within one.
fn card(bytes: &[u8], from: usize) -> Place {
    let mut at = from;
    let mut in_group = false;
    loop {
        let (byte, length) = sign(bytes, at);
        if length == 0 {
            return None;
        }
        let digit = byte.is_ascii_digit();
        if digit
            && !in_group
            && let Some(end) = card_at(bytes, at)
        {
            return Some((at, end));
        }
        in_group = digit;
        at += length;
    }
}

/// The end of the longest card number that begins here.
fn card_at(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut digits = [0; MAX_CARD_DIGITS];
    let (mut count, mut end) = (0, None);
    for _ in 0..MAX_CARD_GROUPS {
        let before = count;
        loop {
            let (byte, length) = sign(bytes, at);
            if !byte.is_ascii_digit() {
                break;
            }
            let Some(digit) = digits.get_mut(count) else { return end };
            *digit = byte - b'0';
            count += 1;
            at += length;
        }
        if count == before || count < FIRST_GROUP_DIGITS {
            break;
        }
        if is_card(digits.get(..count).unwrap_or_default()) {
            end = Some(at);
        }
        let (byte, length) = sign(bytes, at);
        // A plus is a space in a query.
        if !matches!(byte, b' ' | b'-' | b'+') {
            break;
        }
        at += length;
    }
    end
}

/// Whether digits are a card's: an issuer's first four with the lengths that it uses, and Luhn's sum.
fn is_card(digits: &[u8]) -> bool {
    let issuer = digits.iter().take(4).fold(0, |number, digit| number * 10 + u32::from(*digit));
    let lengths = match issuer {
        // Visa
        4000..=4999 => return matches!(digits.len(), 13 | 16 | 19) && adds_up(digits),
        // Mastercard
        5100..=5599 | 2221..=2720 => 16..=16,
        // American Express
        3400..=3499 | 3700..=3799 => 15..=15,
        // Diners Club
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => 14..=19,
        // JCB, Discover, UnionPay, Mir
        3528..=3589 | 6011 | 6200..=6299 | 6440..=6599 | 2200..=2204 => 16..=19,
        // Maestro
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => 12..=19,
        _ => return false,
    };
    lengths.contains(&digits.len()) && adds_up(digits)
}

/// Luhn's check: every second digit from the right counts twice, and the sum ends in 0.
fn adds_up(digits: &[u8]) -> bool {
    let mut sum = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let worth = u32::from(*digit) << (place & 1);
        sum += if worth > 9 { worth - 9 } else { worth };
    }
    sum % 10 == 0
}

/// The next value of a parameter that has one of these names, be it in query, fragment or a URL inside.
fn parameter(bytes: &[u8], from: usize, names: &[String]) -> Place {
    let mut at = from;
    let mut name = None;
    loop {
        let (byte, length) = sign(bytes, at);
        if length == 0 {
            return None;
        }
        match (byte, name) {
            (b'?' | b'&' | b'#', _) => name = Some(at + length),
            (b'=', Some(start)) => {
                let written = bytes.get(start..at).unwrap_or_default();
                if names.iter().any(|name| is_named(written, name)) {
                    let value = at + length;
                    // A URL inside of a value is encoded, and ends with the value or before it.
                    let end = value_end(bytes, value, length > 1);
                    if end > value {
                        return Some((value, end));
                    }
                }
                name = None;
            }
            _ => {}
        }
        at += length;
    }
}

fn value_end(bytes: &[u8], mut at: usize, inside: bool) -> usize {
    loop {
        let (byte, length) = sign(bytes, at);
        if length == 0 || matches!(byte, b'&' | b'#') && (inside || length == 1) {
            return at;
        }
        at += length;
    }
}

fn is_named(mut written: &[u8], name: &str) -> bool {
    for expected in name.bytes() {
        let (byte, length) = sign(written, 0);
        if !byte.eq_ignore_ascii_case(&expected) {
            return false;
        }
        written = written.get(length..).unwrap_or_default();
    }
    written.is_empty()
}
