//! The entity of a message: an ExperienceEvent or a profile record, put together from its sources.

use super::identity_map::{IDENTITY_MAP, Known};
use super::path::Segment;
use super::{identity_map, mapping};
use crate::fault::{Fault, Reason};
use crate::id::{is_uri_reference, uuid_v4};
use crate::json::{Kind, Layer, elements, find, is_empty, kind, members, merge_layers, push_string, string};
use crate::time::{Millis, parse_rfc3339, rfc3339};

/// What an entity is made of, each part raw JSON text, or empty where there is none. Later parts
/// win over earlier ones.
#[derive(Clone, Copy, Default)]
pub struct Parts<'a> {
    /// What was collected automatically.
    pub context: &'a str,
    /// Flat: paths and values.
    pub mapping: &'a str,
    /// The caller's XDM.
    pub xdm: &'a str,
    /// `type` of the call.
    pub event_type: &'a str,
    /// `timestamp` of the call.
    pub timestamp: &'a str,
    /// `identityMap` of the call.
    pub identity_map: &'a str,
    /// Where in the sequence of events this one stands: XDM that wins over all else.
    pub sequence: &'a str,
    /// What an event is given where the sources have no identity of the namespace.
    pub identities: &'a [Known<'a>],
}

/// An entity ready for its envelope.
#[derive(Clone, Debug)]
pub struct Entity {
    /// The entity as JSON text. An event starts with `_id` and `timestamp`.
    pub json: String,
    /// `_id` of an event.
    pub id: Option<String>,
    /// `timestamp` of an event, as sent.
    pub timestamp: Option<String>,
    /// `timestamp` of an event in milliseconds; 0 for a record.
    pub timestamp_ms: Millis,
    /// Which of the identities an event has room for ([`identity_map::room`]); a record has for none.
    pub room: u8,
}

const ID: &str = "{\"_id\":\"";
const TIMESTAMP: &str = "\",\"timestamp\":\"";

/// Puts an ExperienceEvent together. `_id` and `timestamp` are taken as given, else made from
/// `entropy` and `now`; empty ones count as not given. A fault's path starts with the option
/// that is at fault: `mapping`, `xdm`, `type`, `timestamp` or `identityMap`.
pub fn experience_event(parts: &Parts, entropy: [u8; 16], now: Millis) -> Result<Entity, Fault> {
    let nested = nested(parts)?;
    let mut layers = layers(parts, &nested)?;
    let room = identity_map::room(parts.identities, &layers);

    if let Some((event_type, source)) = latest(&layers, "eventType")
        && kind(event_type) != Kind::String
    {
        let option = if source.is_empty() { "type" } else { "eventType" };
        return Err(Fault::at(Reason::NotAString, option).in_key(source));
    }
    let id = match latest(&layers, "_id") {
        Some((id, source)) => read_id(id).map_err(|reason| Fault::at(reason, "_id").in_key(source))?,
        None => uuid_v4(entropy),
    };
    let (timestamp, timestamp_ms) = match latest(&layers, "timestamp") {
        Some((timestamp, source)) => {
            read_timestamp(timestamp).map_err(|reason| Fault::at(reason, "timestamp").in_key(source))?
        }
        None => (rfc3339(now), now),
    };

    // First for the place in the text, and last for the value, since a layer between may have its own.
    let (mut raw_id, mut raw_timestamp) = (String::new(), String::new());
    push_string(&mut raw_id, &id);
    push_string(&mut raw_timestamp, &timestamp);
    let head = || {
        let mut head = Layer::new("");
        head.add("_id", &raw_id);
        head.add("timestamp", &raw_timestamp);
        head
    };
    layers.insert(0, head());
    layers.push(head());
    let merged = merged(parts, &layers)?;
    let json = identity_map::complete(&merged, parts.identities, room).unwrap_or(merged);
    Ok(Entity { json, id: Some(id), timestamp: Some(timestamp), timestamp_ms, room })
}

/// Puts a profile record together. Nothing is added to what is given, and something must be.
pub fn profile_record(parts: &Parts) -> Result<Entity, Fault> {
    let nested = nested(parts)?;
    let json = merged(parts, &layers(parts, &nested)?)?;
    if json.is_empty() {
        return Err(Fault::at(Reason::Missing, "xdm"));
    }
    Ok(Entity { json, id: None, timestamp: None, timestamp_ms: 0, room: 0 })
}

/// Whether a profile record says whose it is: in its `identityMap`, or in the field at `path` that its schema
/// has for that. Where no path is known, any field may be the one, apart from those of XDM that are the same for
/// many people.
pub fn is_identified(record: &str, path: &[Segment]) -> bool {
    const OF_MANY: [&str; 4] = ["person", "consents", "preferredLanguage", "timeZone"];
    if find(record, IDENTITY_MAP).is_some() {
        return true;
    }
    if path.is_empty() {
        let of_one = |key: &str| !OF_MANY.contains(&key) && !key.ends_with("Address");
        return members(record).flatten().any(|(key, _)| of_one(key));
    }
    let value = path.iter().try_fold(record, |within, segment| match segment {
        Segment::Key(key) => find(within, key),
        Segment::Index(index) => elements(within).nth(*index)?.ok(),
    });
    value.is_some_and(|value| matches!(kind(value), Kind::String | Kind::Number))
}

impl Entity {
    /// Replaces the timestamp of an event, in the text too. A record has none and stays as it is.
    pub fn set_timestamp(&mut self, ms: Millis) {
        let (Some(id), Some(timestamp)) = (&self.id, &self.timestamp) else {
            return;
        };
        // Neither id nor timestamp may hold a character that JSON escapes.
        let start = ID.len() + id.len() + TIMESTAMP.len();
        let end = start + timestamp.len();
        if let (Some(before), Some(after)) = (self.json.get(..start), self.json.get(end..)) {
            let timestamp = rfc3339(ms);
            let mut json = String::with_capacity(before.len() + timestamp.len() + after.len());
            json.push_str(before);
            json.push_str(&timestamp);
            json.push_str(after);
            self.json = json;
            self.timestamp = Some(timestamp);
            self.timestamp_ms = ms;
        }
    }
}

fn nested(parts: &Parts) -> Result<String, Fault> {
    if parts.mapping.is_empty() {
        return Ok(String::new());
    }
    mapping::nest(parts.mapping).map_err(|fault| fault.in_key("mapping"))
}

/// The sources in order of precedence, those without a name being the call's own options.
fn layers<'a>(parts: &Parts<'a>, nested: &'a str) -> Result<Vec<Layer<'a>>, Fault> {
    let mut layers = Vec::with_capacity(6);
    for (name, object) in [("context", parts.context), ("mapping", nested), ("xdm", parts.xdm)] {
        if !object.is_empty() {
            layers.push(Layer::read(name, object).map_err(|fault| fault.in_key(name))?);
        }
    }
    let mut call = Layer::new("");
    call.add("eventType", parts.event_type);
    call.add("timestamp", parts.timestamp);
    call.add("identityMap", parts.identity_map);
    layers.push(call);
    if !parts.sequence.is_empty() {
        layers.push(Layer::read("", parts.sequence)?);
    }
    Ok(layers)
}

/// The value that counts and the name of the source it comes from; `None` where there is none or
/// the one that counts is empty, which takes earlier ones away.
fn latest<'a>(layers: &[Layer<'a>], key: &str) -> Option<(&'a str, &'a str)> {
    let mut sources = layers.iter().rev();
    let (value, source) = sources.find_map(|layer| Some((layer.get(key)?, layer.name)))?;
    (!is_empty(value)).then_some((value, source))
}

fn read_id(raw: &str) -> Result<String, Reason> {
    let id = string(raw).ok_or(Reason::NotAString)?;
    if !is_uri_reference(&id) {
        return Err(Reason::NotAnId);
    }
    Ok(id.into_owned())
}

fn read_timestamp(raw: &str) -> Result<(String, Millis), Reason> {
    let timestamp = string(raw).ok_or(Reason::NotAString)?;
    let ms = parse_rfc3339(&timestamp).ok_or(Reason::NotATimestamp)?;
    Ok((timestamp.into_owned(), ms))
}

/// The merge of all layers, empty when nothing is left. The identities are checked in each layer, so that
/// a fault names the option, and once more together: every source may bring a primary of its own.
fn merged(parts: &Parts, layers: &[Layer]) -> Result<String, Fault> {
    let mut maps = 0;
    for layer in layers {
        if let Some(map) = layer.get(IDENTITY_MAP) {
            identity_map::check(map).map_err(|fault| fault.in_key(IDENTITY_MAP).in_key(layer.name))?;
            maps += 1;
        }
    }
    let room = parts.context.len() + 2 * parts.mapping.len() + parts.xdm.len() + 256;
    let mut json = String::with_capacity(room);
    merge_layers(layers, &mut json)?;
    if maps > 1 {
        let map = find(&json, IDENTITY_MAP).unwrap_or_default();
        identity_map::check(map).map_err(|fault| fault.in_key(IDENTITY_MAP))?;
    }
    Ok(json)
}
