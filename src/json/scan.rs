//! Reading JSON text in place: every result is a slice of the text that was given.

use std::borrow::Cow;

use crate::fault::{Fault, Reason};

/// What a raw value is, told by its first character.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string, in quotes.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
    /// No value: the text is empty, or starts like nothing in JSON.
    Nothing,
}

/// The kind of a raw value. Looks at the first character alone.
pub fn kind(raw: &str) -> Kind {
    let mut cursor = Cursor::new(raw);
    cursor.space();
    match cursor.peek() {
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b'"' => Kind::String,
        b't' | b'f' => Kind::Boolean,
        b'n' => Kind::Null,
        b'-' | b'0'..=b'9' => Kind::Number,
        _ => Kind::Nothing,
    }
}

/// Whether a raw value is one that stands for nothing: null, `""`, `{}`, `[]`, or no text at all.
pub fn is_empty(raw: &str) -> bool {
    match raw.trim_ascii() {
        "" | "null" | "\"\"" => true,
        raw => match kind(raw) {
            Kind::Object => members(raw).next().is_none(),
            Kind::Array => elements(raw).next().is_none(),
            _ => false,
        },
    }
}

/// The text of a raw string value; `None` when the value is not a string.
pub fn string(raw: &str) -> Option<Cow<'_, str>> {
    let mut cursor = Cursor::new(raw);
    cursor.space();
    cursor.string().ok().map(unescape)
}

/// The value of a raw boolean; `None` when the value is not one.
pub fn boolean(raw: &str) -> Option<bool> {
    match raw.trim_ascii() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The value of a raw whole number of up to 15 digits, which all numbers of JavaScript are exact for;
/// `None` when the value is anything else.
pub fn integer(raw: &str) -> Option<i64> {
    let raw = raw.trim_ascii();
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let mut number = 0;
    for byte in digits.bytes() {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(if digits.len() < raw.len() { -number } else { number })
}

/// Whether `text` is exactly one JSON value as RFC 8259 has it, nested 64 levels at most.
pub fn valid(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.space();
    cursor.value().is_ok() && cursor.end().is_ok()
}

/// The raw value of `key` in an object; the last one when the key is there twice. `None` when the
/// key is missing or `object` is not an object.
pub fn find<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let mut found = None;
    for member in members(object) {
        let (name, value) = member.ok()?;
        if unescape(name) == key {
            found = Some(value);
        }
    }
    found
}

/// The members of an object: raw key without its quotes, raw value. A text that is not an object
/// ends in one `Err`.
pub fn members(object: &str) -> Members<'_> {
    Members(Entries { cursor: Cursor::new(object), state: State::Start })
}

/// The elements of an array, raw. A text that is not an array ends in one `Err`.
pub fn elements(array: &str) -> Elements<'_> {
    Elements(Entries { cursor: Cursor::new(array), state: State::Start })
}

/// See [`members`].
pub struct Members<'a>(Entries<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = Result<(&'a str, &'a str), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.step(true).transpose()
    }
}

/// See [`elements`].
pub struct Elements<'a>(Entries<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a str, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.step(false) {
            Ok(Some((_, value))) => Some(Ok(value)),
            Ok(None) => None,
            Err(fault) => Some(Err(fault)),
        }
    }
}

enum State {
    Start,
    Inside,
    Done,
}

struct Entries<'a> {
    cursor: Cursor<'a>,
    state: State,
}

impl<'a> Entries<'a> {
    fn step(&mut self, keyed: bool) -> Result<Option<(&'a str, &'a str)>, Fault> {
        // Whatever goes wrong below ends the iteration.
        let state = std::mem::replace(&mut self.state, State::Done);
        let cursor = &mut self.cursor;
        let (open, close, refusal) =
            if keyed { (b'{', b'}', Reason::NotAnObject) } else { (b'[', b']', Reason::NotAnArray) };
        let more = match state {
            State::Done => return Ok(None),
            State::Start => {
                cursor.space();
                if !cursor.eat(open) {
                    return Err(refusal.into());
                }
                cursor.first(close)
            }
            State::Inside => cursor.another(close)?,
        };
        if !more {
            cursor.end()?;
            return Ok(None);
        }
        let key = if keyed { cursor.key()? } else { "" };
        match cursor.value() {
            Ok(value) => {
                self.state = State::Inside;
                Ok(Some((key, value)))
            }
            Err(reason) => Err(Fault::at(reason, &unescape(key))),
        }
    }
}

/// The text that a raw string (without its quotes) stands for. A surrogate without its other half
/// becomes U+FFFD, since UTF-8 cannot carry it.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    const HALF: std::ops::Range<u32> = 0xD800..0xDC00;
    const OTHER_HALF: std::ops::Range<u32> = 0xDC00..0xE000;

    if !raw.bytes().any(|byte| byte == b'\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    let mut half: Option<u32> = None;
    while let Some(char) = chars.next() {
        let mut code = u32::from(char);
        if char == '\\' {
            code = match chars.next().unwrap_or('\\') {
                'b' => 8,
                't' => 9,
                'n' => 10,
                'f' => 12,
                'r' => 13,
                'u' => (0..4)
                    .fold(0, |code, _| code * 16 + chars.next().and_then(|c| c.to_digit(16)).unwrap_or(0)),
                itself => u32::from(itself),
            };
        }
        if let Some(half) = half.take() {
            if OTHER_HALF.contains(&code) {
                code = 0x10000 + ((half - HALF.start) << 10) + (code - OTHER_HALF.start);
            } else {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        if HALF.contains(&code) {
            half = Some(code);
        } else {
            text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }
    if half.is_some() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    Cow::Owned(text)
}

/// A place in a JSON text. The end reads as the byte 0, which no token contains.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, at: 0 }
    }

    pub(super) fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn next(&mut self) -> u8 {
        let byte = self.peek();
        self.at += 1;
        byte
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == byte;
        if there {
            self.at += 1;
        }
        there
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Only white space may be left.
    pub(super) fn end(&mut self) -> Result<(), Reason> {
        self.space();
        if self.at < self.text.len() {
            return Err(Reason::NotJson);
        }
        Ok(())
    }

    /// After an opening bracket: whether anything stands before the closing one.
    pub(super) fn first(&mut self, close: u8) -> bool {
        self.space();
        !self.eat(close)
    }

    /// After a member or element: whether another follows.
    pub(super) fn another(&mut self, close: u8) -> Result<bool, Reason> {
        self.space();
        if self.eat(close) {
            return Ok(false);
        }
        if !self.eat(b',') {
            return Err(Reason::NotJson);
        }
        self.space();
        Ok(true)
    }

    /// A member's key, up to where its value starts; raw, without the quotes.
    pub(super) fn key(&mut self) -> Result<&'a str, Reason> {
        let key = self.string()?;
        self.space();
        if !self.eat(b':') {
            return Err(Reason::NotJson);
        }
        self.space();
        Ok(key)
    }

    /// A string, raw, without its quotes.
    pub(super) fn string(&mut self) -> Result<&'a str, Reason> {
        if !self.eat(b'"') {
            return Err(Reason::NotJson);
        }
        let start = self.at;
        loop {
            // Most of a JSON text is passed here.
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..b' '));
            self.at += plain.count();
            let raw = self.since(start);
            match self.next() {
                b'"' => return Ok(raw),
                b'\\' => self.escape()?,
                _ => return Err(Reason::NotJson),
            }
        }
    }

    /// What follows the backslash of an escape.
    fn escape(&mut self) -> Result<(), Reason> {
        let digits = match self.next() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
            b'u' => 4,
            _ => return Err(Reason::NotJson),
        };
        for _ in 0..digits {
            if !self.next().is_ascii_hexdigit() {
                return Err(Reason::NotJson);
            }
        }
        Ok(())
    }

    /// A number, `true`, `false` or `null`, raw.
    pub(super) fn scalar(&mut self) -> Result<&'a str, Reason> {
        let start = self.at;
        let word: &[u8] = match self.peek() {
            b't' => b"true",
            b'f' => b"false",
            b'n' => b"null",
            _ => b"",
        };
        for byte in word {
            if !self.eat(*byte) {
                return Err(Reason::NotJson);
            }
        }
        if word.is_empty() {
            self.number()?;
        }
        Ok(self.since(start))
    }

    fn number(&mut self) -> Result<(), Reason> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Reason> {
        if !self.next().is_ascii_digit() {
            return Err(Reason::NotJson);
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    /// Any one value, raw. Open brackets are the bits of a number (1 is an object), so that a
    /// hostile text cannot make us recurse.
    pub(super) fn value(&mut self) -> Result<&'a str, Reason> {
        let start = self.at;
        let mut objects = 0u64;
        let mut depth = 0;
        loop {
            // Whether another value follows in the brackets that are open.
            let mut more = false;
            match self.peek() {
                open @ (b'{' | b'[') => {
                    if depth == u64::BITS {
                        return Err(Reason::TooDeep);
                    }
                    self.at += 1;
                    // In ASCII a closing bracket stands two after its opening one.
                    more = self.first(open + 2);
                    if more {
                        depth += 1;
                        objects = objects << 1 | u64::from(open == b'{');
                    }
                }
                b'"' => {
                    self.string()?;
                }
                _ => {
                    self.scalar()?;
                }
            }
            while !more {
                if depth == 0 {
                    return Ok(self.since(start));
                }
                more = self.another(if objects & 1 == 1 { b'}' } else { b']' })?;
                if !more {
                    depth -= 1;
                    objects >>= 1;
                }
            }
            if objects & 1 == 1 {
                self.key()?;
            }
        }
    }
}
