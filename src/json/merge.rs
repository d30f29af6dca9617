//! Laying objects over one another, and leaving out what is empty, on JSON text.
//!
//! Later layers win, deep; arrays count as a whole. After that `null`, `""`, `{}` and `[]` are left
//! out from the leaves up, so an empty value in a later layer takes an earlier one away. An element
//! of an array is never left out, since that would move the others: an empty one is a fault.
//!
//! Where only one layer has a value, its text is copied in one pass, and what turns out to be empty
//! is rolled back. Where several have an object, their members are indexed first.

use std::borrow::Cow;

use super::scan::{Cursor, Kind, kind, members, unescape};
use super::{MAX_DEPTH, push_string};
use crate::fault::{Fault, Reason};

/// An object that takes part in a merge, read one level deep. Its keys are taken to differ, as they do
/// in all that `JSON.stringify` writes.
pub struct Layer<'a> {
    /// What its faults' paths start with; empty for nothing.
    pub name: &'a str,
    members: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Layer<'a> {
    /// An object without members.
    pub fn new(name: &'a str) -> Layer<'a> {
        Layer { name, members: Vec::new() }
    }

    /// Adds a member with a key that is not there yet; without a value, nothing.
    pub fn add(&mut self, key: &'a str, value: &'a str) {
        if !value.is_empty() {
            self.members.push((Cow::Borrowed(key), value));
        }
    }

    /// Reads the text of an object.
    pub fn read(name: &'a str, object: &'a str) -> Result<Layer<'a>, Fault> {
        let mut layer = Layer::new(name);
        for member in members(object) {
            let (key, value) = member?;
            layer.members.push((unescape(key), value));
        }
        Ok(layer)
    }

    /// The raw value of `key`.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let member = self.members.iter().find(|(known, _)| known == key);
        member.map(|(_, value)| *value)
    }
}

/// Appends to `out` the merge of `layers`, each the text of an object or empty for none, in
/// the order of precedence (later wins). Keys come in the order of their first appearance. Answers
/// whether anything is left; when not, `out` is as it was.
pub fn merge(layers: &[&str], out: &mut String) -> Result<bool, Fault> {
    let mut read = Vec::new();
    for object in layers {
        if !object.is_empty() {
            read.push(Layer::read("", object)?);
        }
    }
    merge_layers(&read, out)
}

/// Like [`merge`], of layers that are read already. A fault's path starts with the name of the
/// layer that it is in.
pub fn merge_layers<'a>(layers: &[Layer<'a>], out: &mut String) -> Result<bool, Fault> {
    let mut merger = Merger { out, source: "" };
    match merger.union(layers, 1) {
        Ok(left) => Ok(left),
        Err(fault) => Err(fault.in_key(merger.source)),
    }
}

/// A raw value and the layer that it comes from.
struct Value<'a> {
    source: &'a str,
    raw: &'a str,
}

impl Value<'_> {
    fn is_object(&self) -> bool {
        kind(self.raw) == Kind::Object
    }
}

struct Merger<'a, 'o> {
    out: &'o mut String,
    /// The layer being read.
    source: &'a str,
}

impl<'a> Merger<'a, '_> {
    /// Objects of several layers, member by member.
    fn union(&mut self, layers: &[Layer<'a>], depth: usize) -> Result<bool, Fault> {
        if depth > MAX_DEPTH {
            return Err(Reason::TooDeep.into());
        }
        // Of each key: the values that have a say.
        let mut slots: Vec<(&Cow<'a, str>, Vec<Value<'a>>)> = Vec::new();
        for layer in layers {
            // Within a layer keys differ: only what earlier ones brought is searched, so one large object
            // among small ones costs no more than its length.
            let earlier = slots.len();
            for (key, value) in &layer.members {
                let value = Value { source: layer.name, raw: value };
                match slots.iter_mut().take(earlier).find(|(known, _)| *known == key) {
                    Some((_, values)) => {
                        // Only an object on top of an object leaves anything of it.
                        if !value.is_object() || !values.iter().all(Value::is_object) {
                            values.clear();
                        }
                        values.push(value);
                    }
                    None => slots.push((key, vec![value])),
                }
            }
        }
        let start = self.open('{');
        for (key, values) in &slots {
            let before = self.out.len();
            push_string(self.out, key);
            self.out.push(':');
            let kept = self.merged(values, depth + 1).map_err(|fault| fault.in_key(key))?;
            self.settle(kept, before);
        }
        Ok(self.close(start, '}'))
    }

    fn merged(&mut self, values: &[Value<'a>], depth: usize) -> Result<bool, Fault> {
        if let [Value { source, raw }] = values {
            self.source = source;
            let mut from = Cursor::new(raw);
            from.space();
            let kept = self.copy(&mut from, depth)?;
            from.end()?;
            return Ok(kept);
        }
        let mut layers = Vec::new();
        for Value { source, raw } in values {
            self.source = source;
            layers.push(Layer::read(source, raw)?);
        }
        self.union(&layers, depth)
    }

    /// One value as it stands, less what is empty. Answers whether anything was written.
    fn copy(&mut self, from: &mut Cursor<'a>, depth: usize) -> Result<bool, Fault> {
        match from.peek() {
            b'{' => self.copy_object(from, depth),
            b'[' => self.copy_array(from, depth),
            b'"' => {
                let raw = from.string()?;
                if raw.is_empty() {
                    return Ok(false);
                }
                match unescape(raw) {
                    // What had no escapes needs none.
                    Cow::Borrowed(plain) => {
                        self.out.push('"');
                        self.out.push_str(plain);
                        self.out.push('"');
                    }
                    Cow::Owned(text) => push_string(self.out, &text),
                }
                Ok(true)
            }
            first => {
                let raw = from.scalar()?;
                if first == b'n' {
                    return Ok(false);
                }
                self.out.push_str(raw);
                Ok(true)
            }
        }
    }

    fn copy_object(&mut self, from: &mut Cursor<'a>, depth: usize) -> Result<bool, Fault> {
        if depth > MAX_DEPTH {
            return Err(Reason::TooDeep.into());
        }
        from.eat(b'{');
        let start = self.open('{');
        let mut more = from.first(b'}');
        while more {
            let key = unescape(from.key()?);
            let before = self.out.len();
            push_string(self.out, &key);
            self.out.push(':');
            let kept = self.copy(from, depth + 1).map_err(|fault| fault.in_key(&key))?;
            self.settle(kept, before);
            more = from.another(b'}')?;
        }
        Ok(self.close(start, '}'))
    }

    fn copy_array(&mut self, from: &mut Cursor<'a>, depth: usize) -> Result<bool, Fault> {
        if depth > MAX_DEPTH {
            return Err(Reason::TooDeep.into());
        }
        from.eat(b'[');
        let start = self.open('[');
        let mut index = 0;
        let mut more = from.first(b']');
        while more {
            let kept = self.copy(from, depth + 1).map_err(|fault| fault.in_index(index))?;
            if !kept {
                return Err(Fault::new(Reason::EmptyElement).in_index(index));
            }
            self.out.push(',');
            index += 1;
            more = from.another(b']')?;
        }
        Ok(self.close(start, ']'))
    }

    fn open(&mut self, bracket: char) -> usize {
        let start = self.out.len();
        self.out.push(bracket);
        start
    }

    /// Ends a member that started at `before`, or takes it back.
    fn settle(&mut self, kept: bool, before: usize) {
        if kept {
            self.out.push(',');
        } else {
            self.out.truncate(before);
        }
    }

    /// Ends what [`Merger::open`] began at `start`, or takes it back when nothing is in it.
    fn close(&mut self, start: usize, bracket: char) -> bool {
        // Everything inside ends in a comma; with nothing inside, this is the opening bracket.
        self.out.pop();
        let left = self.out.len() > start;
        if left {
            self.out.push(bracket);
        }
        left
    }
}
