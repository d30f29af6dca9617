//! Identities on their way from one domain of a site to another, in the URL of a link.
//!
//! Each is one parameter of fields parted by `|`, as Adobe's libraries write and read it:
//! `adobe_mc=TS=<seconds>|MCMID=<ecid>|MCORGID=<org>`, escaped as a whole. Ours has the same form.

use super::ecid::is_ecid;
use super::{decoded, is_id};
use crate::json::{self, push_int};
use crate::time::Millis;
use std::borrow::Cow;

/// Adobe's parameter.
const ADOBE: &str = "adobe_mc";
/// Ours, for the first-party id.
const OURS: &str = "xdm_beacon_id";
/// A link is good for so long: five minutes, as with Adobe's own.
const WINDOW_MS: Millis = 300_000;

/// What travels with a URL; each is empty where there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Travelling {
    /// ECID.
    pub ecid: String,
    /// First-party id.
    pub own: String,
}

/// The identities in `url` that were given to it for this organisation, and this namespace, less than five
/// minutes ago. Of several parameters of a name the last one counts, good or not.
pub fn arrived(url: &str, org: &str, namespace: &str, now: Millis) -> Travelling {
    let (mut adobe, mut ours) = ("", "");
    // Those of the query, and those of a fragment that has one of its own.
    for part in url.split(['?', '&', '#']).skip(1) {
        match part.split_once('=') {
            Some((ADOBE, value)) => adobe = value,
            Some((OURS, value)) => ours = value,
            _ => {}
        }
    }
    let ecid = accepted(adobe, org, now, "MCMID").filter(|id| is_ecid(id)).unwrap_or_default();
    let same = !namespace.is_empty() && accepted(ours, org, now, "NS").as_deref() == Some(namespace);
    let own = accepted(ours, org, now, "ID").filter(|id| same && is_id(id)).unwrap_or_default();
    Travelling { ecid, own }
}

/// A field of a parameter that is fresh and of this organisation.
fn accepted(parameter: &str, org: &str, now: Millis, name: &str) -> Option<String> {
    let fields = decoded(parameter);
    // Adobe's libraries escape what they put in as well as the whole.
    let field = |name: &str| {
        let mut fields = fields.split('|').filter_map(|field| field.split_once('='));
        fields.find(|(known, _)| *known == name).map(|(_, value)| decoded(value))
    };
    let age = now - json::integer(&field("TS")?)? * 1000;
    let good = age.abs() <= WINDOW_MS && field("MCORGID")? == org;
    field(name).filter(|_| good).map(Cow::into_owned)
}

/// The URL with the identities in its query, before a fragment. Nothing is added to what is no web address.
pub fn append(url: &str, travelling: &Travelling, org: &str, namespace: &str, now: Millis) -> String {
    let (base, fragment) = url.split_at_checked(url.find('#').unwrap_or(url.len())).unwrap_or((url, ""));
    let mut out = String::from(base);
    if is_web_address(base) {
        let mut add = |parameter: &str, id: (&str, &str), namespace: &str| {
            if id.1.is_empty() {
                return;
            }
            out.push(if out.contains('?') { '&' } else { '?' });
            out.push_str(parameter);
            out.push('=');
            let mut fields = String::from("TS=");
            push_int(&mut fields, (now + 500).div_euclid(1000));
            for (name, value) in [id, ("NS", namespace), ("MCORGID", org)] {
                if !value.is_empty() {
                    fields.push('|');
                    fields.push_str(name);
                    fields.push('=');
                    fields.push_str(value);
                }
            }
            escape(&mut out, &fields);
        };
        let mut escaped = String::new();
        escape(&mut escaped, namespace);
        add(ADOBE, ("MCMID", &travelling.ecid), "");
        add(OURS, ("ID", &travelling.own), &escaped);
    }
    out.push_str(fragment);
    out
}

/// Relative, or of `http` or `https`: `mailto:` and its like have no page that would read it.
fn is_web_address(url: &str) -> bool {
    let head = url.split(['/', '?']).next().unwrap_or_default().trim_start();
    match head.split_once(':') {
        Some((scheme, _)) => scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"),
        None => true,
    }
}

/// Appends a text as part of a URL, as `encodeURIComponent` would have it.
fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => {
                out.push('%');
                for nibble in [byte >> 4, byte] {
                    out.push(json::hex_digit(nibble).to_ascii_uppercase());
                }
            }
        }
    }
}
