//! Pure: who the browser is, as far as the library finds out by itself.
//!
//! Two identities: a first-party id that is made and kept here, and the ECID where Adobe's libraries have
//! left one. Nothing is read or written before [`Identity::allow`]: neither cookie nor storage. What came with
//! the page's own URL is looked at as the page begins, since a router may change it, and kept in memory.

mod ecid;
mod first_party;
mod link;

pub use first_party::{FirstParty, Storage};
pub use link::Travelling;

use crate::collect::Page;
use crate::fault::{Fault, Reason};
use crate::json;
use crate::settings::{boolean, each};
use crate::time::Millis;
use crate::xdm::identity_map::Known;
use std::borrow::Cow;

/// No id that is taken from a page is longer, in bytes.
const MAX_ID: usize = 64;

/// Which of the library's own identities becomes primary in an event that has no primary one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Primary {
    /// The ECID where it is known, else the first-party id.
    #[default]
    Either,
    /// The ECID alone.
    Ecid,
    /// The first-party id alone.
    FirstParty,
    /// None: the schema has a primary identity of its own, or the caller gives it.
    None,
}

/// `identity`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The site's own id, if it is to have one.
    pub first_party: Option<FirstParty>,
    /// Whether the ECID is looked for.
    pub read_ecid: bool,
    /// What becomes primary.
    pub primary: Primary,
}

impl Default for Options {
    fn default() -> Options {
        Options { first_party: None, read_ecid: true, primary: Primary::Either }
    }
}

impl Options {
    /// Reads the option.
    ///
    /// # Errors
    /// A part that is missing, unknown or wrong.
    pub fn parse(raw: &str) -> Result<Options, Fault> {
        let mut options = Options::default();
        each(raw, |key, raw| {
            match key {
                "firstParty" => options.first_party = Some(FirstParty::parse(raw)?),
                "readEcid" => options.read_ecid = boolean(raw)?,
                "primary" => {
                    options.primary = match json::string(raw).as_deref() {
                        Some("ecid") => Primary::Ecid,
                        Some("firstParty") => Primary::FirstParty,
                        Some("none") => Primary::None,
                        _ => return Err(Fault::new(Reason::NotAPrimary)),
                    };
                }
                _ => return Err(Fault::new(Reason::UnknownOption)),
            }
            Ok(())
        })?;
        Ok(options)
    }

    /// The namespace of the first-party id; empty without one.
    fn namespace(&self) -> &str {
        self.first_party.as_ref().map_or("", |first_party| &first_party.namespace)
    }
}

/// The identities of one instance.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    allowed: bool,
    /// Those in use; the same that a link out is given.
    ids: Travelling,
    /// Those that the page's URL brought, until they may be used.
    arrived: Travelling,
}

impl Identity {
    /// The page has begun at `url`.
    pub fn arrive(&mut self, url: &str, options: &Options, org: &str, now: Millis) {
        self.arrived = link::arrived(url, org, options.namespace(), now);
    }

    /// Identities may be used: they are read, and the first-party id is made where there is none. `remembered`
    /// is the ECID that a link brought to an earlier page of this visit.
    pub fn allow(&mut self, options: &Options, org: &str, remembered: &str, page: &dyn Page) {
        self.allowed = true;
        let arrived = std::mem::take(&mut self.arrived);
        if let Some(first_party) = &options.first_party {
            self.ids.own = first_party.obtain(&arrived.own, page);
        }
        if options.read_ecid {
            self.ids.ecid = arrived.ecid;
            if self.ids.ecid.is_empty() && ecid::is_ecid(remembered) {
                self.ids.ecid = String::from(remembered);
            }
        }
        self.look(options, org, page);
    }

    /// Identities may not be used: they are forgotten, and `delete` removes what is kept of them.
    pub fn forbid(&mut self, options: &Options, delete: bool, page: &dyn Page) {
        self.allowed = false;
        self.ids = Travelling::default();
        if delete {
            self.arrived = Travelling::default();
            if let Some(first_party) = &options.first_party {
                first_party.remove(page);
            }
        }
    }

    /// Looks for the ECID, as long as none was found: Adobe's libraries may come by it later than we begin.
    pub fn look(&mut self, options: &Options, org: &str, page: &dyn Page) {
        if !self.allowed || !options.read_ecid || !self.ids.ecid.is_empty() {
            return;
        }
        self.ids.ecid = ecid::in_cookies(&page.cookies(), org);
        if self.ids.ecid.is_empty() {
            let visitor = page.visitor_ecid(org);
            if ecid::is_ecid(&visitor) {
                self.ids.ecid = visitor;
            }
        }
    }

    /// The ECID that a link has brought; empty without.
    pub fn arrived_ecid(&self) -> &str {
        &self.arrived.ecid
    }

    /// What an event is given where it has none of the namespace: always both, those that are not known (yet)
    /// without an id, those that are not wanted without a namespace. The one to become primary comes first.
    pub fn known<'a>(&'a self, options: &'a Options) -> [Known<'a>; 2] {
        let primary = |own: Primary| options.primary == Primary::Either || options.primary == own;
        [
            Known {
                namespace: if options.read_ecid { ecid::NAMESPACE } else { "" },
                id: &self.ids.ecid,
                may_be_primary: primary(Primary::Ecid),
            },
            Known {
                namespace: options.namespace(),
                id: &self.ids.own,
                may_be_primary: primary(Primary::FirstParty),
            },
        ]
    }

    /// The URL with the identities that are known, for a page of another domain.
    pub fn append_to(&self, url: &str, options: &Options, org: &str, now: Millis) -> String {
        link::append(url, &self.ids, org, options.namespace(), now)
    }
}

/// Whether a text can be the id of a browser: letters, digits and `-._~`, which need no escaping anywhere.
fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(plain)
}

/// Names and values of `document.cookie`, as they are written.
fn cookies(jar: &str) -> impl Iterator<Item = (&str, &str)> {
    jar.split(';').filter_map(|cookie| cookie.trim().split_once('='))
}

/// A text with its percent-escapes undone; as it is where they stand for no UTF-8.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let (byte, left) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => ((high * 16 + low) as u8, after.get(2..).unwrap_or_default()),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}
