//! The site's own id of a browser: made here, kept in a cookie or in localStorage.

use super::ecid::NAMESPACE;
use super::{cookies, decoded, is_id};
use crate::collect::{Page, host_of};
use crate::fault::{Fault, Reason};
use crate::id::uuid_v4;
use crate::json;
use crate::settings::{each, positive, required, string};

/// Adobe keeps its own ids for thirteen months, and no browser keeps a cookie for more than 400 days.
const MAX_AGE_DAYS: u32 = 390;
const DAY_SECONDS: i64 = 86_400;
/// What the names of cookies and storage keys begin with; the namespace follows.
const NAME: &str = "xdm_beacon_";

/// Where the id is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    /// In a cookie that the page writes.
    Cookie,
    /// In the origin's local storage.
    LocalStorage,
    /// In a cookie of the same name that the site's server sets: it is read, and neither written nor removed.
    ServerCookie,
}

/// `identity.firstParty`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FirstParty {
    /// What the platform knows it by.
    pub namespace: String,
    /// Where it is kept.
    pub storage: Storage,
    /// How long a cookie lives from the last visit.
    pub max_age_days: u32,
    /// The cookie's domain; without it the widest that the browser takes.
    pub domain: Option<String>,
}

impl FirstParty {
    /// Reads the option.
    ///
    /// # Errors
    /// A part that is missing, unknown or wrong.
    pub fn parse(raw: &str) -> Result<FirstParty, Fault> {
        let mut namespace = None;
        let (mut storage, mut max_age_days, mut domain) = (Storage::Cookie, MAX_AGE_DAYS, None);
        each(raw, |key, raw| {
            match key {
                "namespace" => namespace = Some(namespace_of(raw)?),
                "storage" => {
                    storage = match json::string(raw).as_deref() {
                        Some("cookie") => Storage::Cookie,
                        Some("localStorage") => Storage::LocalStorage,
                        Some("serverCookie") => Storage::ServerCookie,
                        _ => return Err(Fault::new(Reason::NotAStorage)),
                    };
                }
                "maxAgeDays" => max_age_days = positive(raw)?,
                "domain" => domain = Some(domain_of(raw)?),
                _ => return Err(Fault::new(Reason::UnknownOption)),
            }
            Ok(())
        })?;
        let namespace = required(namespace, "namespace")?;
        Ok(FirstParty { namespace, storage, max_age_days, domain })
    }

    /// The name of the cookie or storage key: the namespace after `xdm_beacon_`, its letters, digits and
    /// hyphens as they are, all else `_`.
    pub fn name(&self) -> String {
        let mut name = String::from(NAME);
        for letter in self.namespace.chars() {
            name.push(if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' });
        }
        name
    }

    /// The id that `arrived` with a link, else the one that is kept, else a new one; it is kept from here on,
    /// and for another while. Empty where nothing can be kept: an id for one page would tell nobody anything.
    pub fn obtain(&self, arrived: &str, page: &dyn Page) -> String {
        let name = &self.name();
        let here = self.kept(name, page);
        if self.storage == Storage::ServerCookie {
            return here;
        }
        let id = match (arrived, here) {
            ("", here) if here.is_empty() => uuid_v4(page.entropy()),
            ("", here) => here,
            (arrived, _) => String::from(arrived),
        };
        if self.storage == Storage::LocalStorage {
            page.store(name, &id);
        } else {
            let site = Site::of(page);
            let widest = || site.domains(|domain| site.takes(name, &id, domain, page));
            let domain = self.domain.clone().or_else(widest).unwrap_or_default();
            site.write(name, &id, i64::from(self.max_age_days) * DAY_SECONDS, &domain, page);
        }
        // An older cookie of the name may stand before this one: whatever is seen from here on is the id.
        self.kept(name, page)
    }

    /// Removes the id from wherever it may be.
    pub fn remove(&self, page: &dyn Page) {
        let name = &self.name();
        match self.storage {
            Storage::ServerCookie => {}
            _ if self.kept(name, page).is_empty() => {}
            Storage::LocalStorage => page.store(name, ""),
            Storage::Cookie => {
                let site = Site::of(page);
                site.write(name, "", 0, "", page);
                site.domains(|domain| {
                    site.write(name, "", 0, domain, page);
                    false
                });
            }
        }
    }

    /// What is kept, if it can be an id.
    fn kept(&self, name: &str, page: &dyn Page) -> String {
        let kept = match self.storage {
            Storage::LocalStorage => page.stored(name),
            Storage::Cookie | Storage::ServerCookie => cookie(page, name),
        };
        if is_id(&kept) { kept } else { String::new() }
    }
}

/// The first cookie of this name; empty without.
fn cookie(page: &dyn Page, name: &str) -> String {
    let jar = page.cookies();
    let value = cookies(&jar).find(|(known, _)| *known == name).map(|(_, value)| decoded(value).into_owned());
    value.unwrap_or_default()
}

/// Where cookies are written.
struct Site {
    host: String,
    secure: bool,
}

impl Site {
    fn of(page: &dyn Page) -> Site {
        let url = page.url();
        Site { host: String::from(host_of(&url)), secure: url.starts_with("https:") }
    }

    /// The domains that a cookie of this host may have, the widest first, up to the one for which `accept`
    /// says yes. An address and a name without a dot have none.
    fn domains(&self, accept: impl Fn(&str) -> bool) -> Option<String> {
        let host = self.host.as_str();
        let last = host.rsplit('.').next().unwrap_or_default();
        if last.len() == host.len() || last.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut dots = host.bytes().enumerate().filter(|(_, byte)| *byte == b'.').map(|(at, _)| at + 1).rev();
        // What comes after the last dot alone is no site's.
        dots.next();
        let mut wide = dots.chain([0]).filter_map(|start| host.get(start..));
        wide.find(|domain| accept(domain)).map(String::from)
    }

    /// Whether the browser lets a cookie have this domain, found out by one that is removed again.
    fn takes(&self, name: &str, value: &str, domain: &str, page: &dyn Page) -> bool {
        let mut trial = String::from(name);
        trial.push_str("_trial");
        self.write(&trial, value, DAY_SECONDS, domain, page);
        let taken = cookie(page, &trial) == value;
        if taken {
            self.write(&trial, "", 0, domain, page);
        }
        taken
    }

    /// Writes a cookie that lives so many seconds, 0 to remove it; without a domain it is this host's alone.
    fn write(&self, name: &str, value: &str, seconds: i64, domain: &str, page: &dyn Page) {
        let mut cookie = String::from(name);
        cookie.push('=');
        cookie.push_str(value);
        cookie.push_str("; Path=/; Max-Age=");
        json::push_int(&mut cookie, seconds);
        cookie.push_str("; SameSite=Lax");
        if self.secure {
            cookie.push_str("; Secure");
        }
        if !domain.is_empty() {
            cookie.push_str("; Domain=");
            cookie.push_str(domain);
        }
        page.set_cookie(&cookie);
    }
}

/// A namespace that the site has registered. Adobe's own is for ids that Adobe makes.
fn namespace_of(raw: &str) -> Result<String, Fault> {
    let namespace = string(raw)?;
    match namespace.trim() {
        "" => Err(Fault::new(Reason::Empty)),
        ecid if ecid.eq_ignore_ascii_case(NAMESPACE) => Err(Fault::new(Reason::ReservedNamespace)),
        _ => Ok(namespace),
    }
}

/// A host's name, as it is written in a cookie.
fn domain_of(raw: &str) -> Result<String, Fault> {
    let domain = string(raw)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if domain.bytes().all(plain) { Ok(domain) } else { Err(Fault::new(Reason::NotADomain)) }
}
