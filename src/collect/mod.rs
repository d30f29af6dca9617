//! Pure: what the page is and what happens on it, as XDM.
//!
//! The browser layer reads raw values ([`Reading`]); here they become XDM text, and whatever is
//! missing, negative or absurd leaves its key out.

pub mod click;
mod context;
pub mod data_layer;
mod element;
pub mod engagement;
pub mod error;
pub mod form;
pub mod page_views;
pub mod redact;
pub mod referrer;
pub mod track;
pub mod web_vitals;

use crate::settings::Contexts;
use context::Object;
pub use context::{Moment, Page, Reading, context};

/// What was captured of a page, about to become an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Captured {
    /// When and where it happened.
    pub moment: Moment,
    /// XDM beside the context, its `eventType` included, as JSON text.
    pub xdm: String,
    /// Where the visitor came from, if that is to be told in any case.
    pub referrer: Option<String>,
    /// What the site wants to be added, flat, as JSON text; empty for nothing.
    pub mapping: String,
    /// Contexts that it makes no sense without, whatever `context` says.
    pub contexts: Contexts,
    /// Whether it is of a page that was left before: nothing is to be told of where the visitor came from.
    pub past: bool,
    /// How often something was taken out of it.
    pub redacted: u32,
    /// Whether the page is likely to go away now.
    pub leaves: bool,
}

/// What of a URL has to change for another page: its fragment does where the site has its routes there.
pub fn page_of(url: &str, hash_routes: bool) -> &str {
    let end = if hash_routes { None } else { url.find('#') };
    url.get(..end.unwrap_or(url.len())).unwrap_or_default().trim_end_matches('#')
}

impl Captured {
    /// An event of which its type says all but the `details`, a JSON object that goes to the site's own path, if
    /// there is one for it; `redacted` is how often something was taken out of them.
    fn told(event_type: &str, moment: &Moment, path: Option<&str>, details: &str, redacted: u32) -> Captured {
        let mut xdm = Object::new();
        xdm.text("eventType", event_type);
        let place = |path: &str| {
            let mut flat = Object::new();
            flat.raw(path, details);
            flat.close()
        };
        let mapping = path.map(place).unwrap_or_default();
        Captured {
            moment: moment.clone(),
            xdm: xdm.close(),
            referrer: None,
            redacted: if mapping.is_empty() { 0 } else { redacted },
            mapping,
            contexts: Contexts::NONE,
            past: false,
            leaves: false,
        }
    }
}

/// The host of a URL as browsers write it, without its port; empty where there is none.
pub fn host_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    // An IPv6 address has colons of its own.
    let port = host.rfind(':').filter(|at| !host.get(*at..).unwrap_or_default().contains(']'));
    port.and_then(|at| host.get(..at)).unwrap_or(host)
}
