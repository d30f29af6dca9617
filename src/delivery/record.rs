//! Pure: how a message lies in the outbox.
//!
//! JSON text: `{"v":1,"endpoint":"…","org":"…","consent":"collect","created":ms,"priority":0,"id":"…",
//! "message":{…}}`. A record is read by the instance that sends to the same endpoint for the same
//! organisation under the same consent, and by no other.

use super::{Config, Priority};
use crate::json::{self, Kind, integer, push_int, push_string, string};
use crate::time::Millis;

/// The version of the form that is written here, of records and hand-offs alike.
pub(super) const VERSION: i64 = 1;
/// The purpose that the message was collected for.
const CONSENT: &str = "collect";

/// A message as the outbox keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// When it was accepted, by the wall clock of then.
    pub created: Millis,
    /// What goes first.
    pub priority: Priority,
    /// The event's `_id`.
    pub id: Option<String>,
    /// The whole message as JSON text.
    pub json: String,
}

/// Why a record cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// Another instance's, or written by a newer version of this library: it is left alone.
    Foreign,
    /// Nobody will ever read it: it is dropped and counted.
    Corrupt,
}

impl Record {
    /// Writes a record for the instance of this configuration.
    pub fn write(
        config: &Config,
        created: Millis,
        priority: Priority,
        id: Option<&str>,
        json: &str,
    ) -> String {
        let mut text = String::with_capacity(json.len() + config.endpoint.len() + 200);
        push_scope(&mut text, config);
        text.push_str(",\"created\":");
        push_int(&mut text, created);
        text.push_str(",\"priority\":");
        push_int(&mut text, priority as i64);
        if let Some(id) = id {
            text.push_str(",\"id\":");
            push_string(&mut text, id);
        }
        text.push_str(",\"message\":");
        text.push_str(json);
        text.push('}');
        text
    }

    /// Reads a record, whatever the disk gave.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn read(config: &Config, text: &str) -> Result<Record, Unreadable> {
        let (mut created, mut priority, mut id, mut json) = (None, None, None, None);
        read_scoped(text, config, |key, raw| match key {
            "created" => created = integer(raw),
            "priority" => priority = integer(raw),
            "id" => id = string(raw).map(|id| id.into_owned()),
            "message" if json::kind(raw) == Kind::Object => json = Some(String::from(raw)),
            _ => {}
        })?;
        let priority = match priority {
            Some(0) => Priority::Low,
            Some(1) => Priority::Normal,
            Some(2) => Priority::High,
            _ => return Err(Unreadable::Corrupt),
        };
        match (created, json) {
            (Some(created), Some(json)) => Ok(Record { created, priority, id, json }),
            _ => Err(Unreadable::Corrupt),
        }
    }
}

/// Begins an object that says whose it is.
pub(super) fn push_scope(text: &mut String, config: &Config) {
    text.push_str("{\"v\":");
    push_int(text, VERSION);
    text.push_str(",\"endpoint\":");
    push_string(text, &config.endpoint);
    text.push_str(",\"org\":");
    push_string(text, &config.org_id);
    text.push_str(",\"consent\":");
    push_string(text, CONSENT);
}

/// Reads an object that this instance may read, in one pass: `take` gets what is not about whose it is.
pub(super) fn read_scoped<'a>(
    text: &'a str,
    config: &Config,
    mut take: impl FnMut(&str, &'a str),
) -> Result<(), Unreadable> {
    let (mut version, mut says) = (None, [None, None, None]);
    for member in json::members(text) {
        let (key, raw) = member.map_err(|_| Unreadable::Corrupt)?;
        match key {
            "v" => version = integer(raw),
            "endpoint" => says[0] = string(raw),
            "org" => says[1] = string(raw),
            "consent" => says[2] = string(raw),
            key => take(key, raw),
        }
    }
    match version {
        Some(VERSION) => {}
        Some(newer) if newer > VERSION => return Err(Unreadable::Foreign),
        _ => return Err(Unreadable::Corrupt),
    }
    match says {
        [Some(endpoint), Some(org), Some(consent)] => {
            let ours = endpoint == config.endpoint && org == config.org_id && consent == CONSENT;
            if ours { Ok(()) } else { Err(Unreadable::Foreign) }
        }
        _ => Err(Unreadable::Corrupt),
    }
}
