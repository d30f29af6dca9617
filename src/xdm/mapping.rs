//! Mappings: a flat object of paths and values, nested into XDM.

use super::path::{self, Segment};
use crate::fault::{Fault, Reason};
use crate::json::{members, push_string, unescape};

/// A path of the mapping and the raw value that belongs there.
struct Entry<'a> {
    path: String,
    segments: Vec<Segment>,
    value: &'a str,
}

impl Entry<'_> {
    fn fault(&self, reason: Reason) -> Fault {
        Fault::at(reason, &self.path)
    }
}

/// Nests `{"a.b[0].c": 1}` into `{"a":{"b":[{"c":1}]}}`. Values stay as they are, empty ones too.
/// Keys come in the order of their first appearance; array elements may come in any order, without
/// gaps. A fault carries the path as it was written, less white space around it.
pub fn nest(flat: &str) -> Result<String, Fault> {
    let mut entries = Vec::new();
    for member in members(flat) {
        let (key, value) = member?;
        let key = unescape(key);
        entries.push(Entry { path: String::from(key.trim()), segments: path::parse(&key)?, value });
    }
    let mut out = String::with_capacity(flat.len() * 2);
    if entries.is_empty() {
        out.push_str("{}");
    } else {
        write(&entries.iter().collect::<Vec<_>>(), 0, &mut out)?;
    }
    Ok(out)
}

/// Writes the value that `entries`, at least one and all alike in their first `level` segments,
/// have in common.
fn write(entries: &[&Entry], level: usize, out: &mut String) -> Result<(), Fault> {
    let Some((first, others)) = entries.split_first() else {
        return Ok(());
    };
    let Some(segment) = first.segments.get(level) else {
        out.push_str(first.value);
        return match others.first() {
            None => Ok(()),
            Some(other) if other.segments.len() == level => Err(other.fault(Reason::DuplicatePath)),
            Some(other) => Err(other.fault(Reason::PathConflict)),
        };
    };
    let array = matches!(segment, Segment::Index(_));
    for other in others {
        match other.segments.get(level) {
            Some(Segment::Index(_)) if array => {}
            Some(Segment::Key(_)) if !array => {}
            _ => return Err(other.fault(Reason::PathConflict)),
        }
    }
    if array { write_array(entries, level, out) } else { write_object(entries, level, out) }
}

fn write_object(entries: &[&Entry], level: usize, out: &mut String) -> Result<(), Fault> {
    let mut mark = '{';
    for (at, entry) in entries.iter().enumerate() {
        let segment = entry.segments.get(level);
        let same = |other: &&&Entry| other.segments.get(level) == segment;
        let written = entries.iter().take(at).any(|other| same(&other));
        if let (false, Some(Segment::Key(key))) = (written, segment) {
            out.push(mark);
            mark = ',';
            push_string(out, key);
            out.push(':');
            let group: Vec<&Entry> = entries.iter().filter(same).copied().collect();
            write(&group, level + 1, out)?;
        }
    }
    out.push('}');
    Ok(())
}

fn write_array(entries: &[&Entry], level: usize, out: &mut String) -> Result<(), Fault> {
    let position = |entry: &&Entry| match entry.segments.get(level) {
        Some(Segment::Index(index)) => *index,
        _ => 0,
    };
    let mut mark = '[';
    let mut written = 0;
    for index in 0.. {
        if written == entries.len() {
            break;
        }
        let group: Vec<&Entry> = entries.iter().filter(|entry| position(entry) == index).copied().collect();
        if group.is_empty() {
            // Blame the element that comes next after the gap.
            let after = entries.iter().filter(|entry| position(entry) > index);
            return match after.min_by_key(|entry| position(entry)) {
                Some(entry) => Err(entry.fault(Reason::IndexGap)),
                None => Ok(()),
            };
        }
        out.push(mark);
        mark = ',';
        write(&group, level + 1, out)?;
        written += group.len();
    }
    out.push(']');
    Ok(())
}
