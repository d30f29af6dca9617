//! Pure: what a page that leaves tells the next one, in one text that is stored synchronously.
//!
//! A transaction that starts while the page leaves may or may not be carried out. So the same is
//! written down once more: `{"v":1,"endpoint":…,"org":…,"consent":…,"records":{key: record, …},
//! "gone":[key, …]}`. Merging it with what is on disk gives the same result either way.

use super::Config;
use super::record::{Unreadable, push_scope, read_scoped};
use crate::json::{elements, members, push_string, string, unescape};

/// The most that a hand-off takes of the origin's synchronous storage, in bytes: an eighth of what
/// browsers give it, for the page needs some, too.
pub const MAX_HANDOFF_BYTES: usize = 1 << 20;

/// What a page left behind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Handoff {
    /// Records that may not be on disk, by key.
    pub records: Vec<(String, String)>,
    /// Keys of records that must not be sent again.
    pub gone: Vec<String>,
}

impl Handoff {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.gone.is_empty()
    }

    /// Writes it down for the instance of this configuration.
    pub fn write(&self, config: &Config) -> String {
        let mut text = String::new();
        push_scope(&mut text, config);
        text.push_str(",\"records\":{");
        for (at, (key, record)) in self.records.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            push_string(&mut text, key);
            text.push(':');
            text.push_str(record);
        }
        text.push_str("},\"gone\":[");
        for (at, key) in self.gone.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            push_string(&mut text, key);
        }
        text.push_str("]}");
        text
    }

    /// Reads a hand-off, whatever the storage gave. Single records are not looked into.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn read(config: &Config, text: &str) -> Result<Handoff, Unreadable> {
        let (mut records, mut gone) = (None, None);
        read_scoped(text, config, |key, raw| match key {
            "records" => records = Some(raw),
            "gone" => gone = Some(raw),
            _ => {}
        })?;
        let (Some(records), Some(gone)) = (records, gone) else { return Err(Unreadable::Corrupt) };
        let mut handoff = Handoff::default();
        for member in members(records) {
            let (key, record) = member.map_err(|_| Unreadable::Corrupt)?;
            handoff.records.push((unescape(key).into_owned(), String::from(record)));
        }
        for element in elements(gone) {
            let key = element.ok().and_then(string).ok_or(Unreadable::Corrupt)?;
            handoff.gone.push(key.into_owned());
        }
        Ok(handoff)
    }
}
