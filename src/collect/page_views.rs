//! Pure: what counts as a page view.
//!
//! The browser layer tells what it sees ([`Seen`]); a machine without a clock counts. What it has to know
//! of before comes with each call and goes back with the answer, so that an engine that was started anew
//! goes on where the last one was.
//!
//! A view begins when a page is shown for the first time, when it comes back from the back/forward cache,
//! and when it navigates without loading. It counts when it has settled, or when the page goes: by then
//! the title is the new page's, and a redirect has come to its end. The view is of where it ended.

use super::context::Object;
use super::track::Options;
use super::{Captured, Moment, page_of};
use crate::json;
use crate::settings::Contexts;
use crate::time::Millis;
use crate::xdm::event_types::WEB_PAGE_VIEWS;

/// What happens to a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Somebody sees it, for the first time or again.
    Shown,
    /// It may be at another URL now.
    Navigated,
    /// What began has had its time, or the page goes.
    Settled,
    /// It is back from the back/forward cache.
    Restored,
}

/// What is known of a page's views.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Views {
    /// URL of the last view; empty before the first one.
    at: String,
    /// When the view began that has not settled; 0 without.
    since: Millis,
    /// Whether the next view is of a page that came back.
    restored: bool,
}

/// A view that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// When it began.
    pub since: Millis,
    /// URL of the view before in the same document; empty for the first one and one that came back.
    pub before: String,
    /// Whether it came back from the back/forward cache.
    pub restored: bool,
}

impl Views {
    /// Something happens at `now`, with the page at `url`.
    pub fn step(&mut self, seen: Seen, now: Millis, url: &str, hash_routes: bool) -> Option<View> {
        let waits = self.at.is_empty();
        match seen {
            Seen::Restored => *self = Views { restored: true, ..Views::default() },
            Seen::Shown if waits && self.since == 0 => self.since = now,
            Seen::Navigated if !waits && self.since == 0 => self.since = now,
            Seen::Settled if self.since != 0 => return self.settle(url, hash_routes),
            Seen::Shown | Seen::Navigated | Seen::Settled => {}
        }
        None
    }

    fn settle(&mut self, url: &str, hash_routes: bool) -> Option<View> {
        let Views { at: before, since, restored } = std::mem::take(self);
        self.at = String::from(url);
        let is_another = page_of(&before, hash_routes) != page_of(url, hash_routes);
        is_another.then_some(View { since, before, restored })
    }

    fn read(text: &str) -> Views {
        let find = |key| json::find(text, key).unwrap_or_default();
        Views {
            at: json::string(find("at")).unwrap_or_default().into_owned(),
            since: json::integer(find("since")).unwrap_or_default(),
            restored: json::boolean(find("restored")).unwrap_or_default(),
        }
    }

    fn write(&self) -> String {
        let mut out = String::from("{\"at\":");
        json::push_string(&mut out, &self.at);
        out.push_str(",\"since\":");
        json::push_int(&mut out, self.since);
        out.push_str(if self.restored { ",\"restored\":true}" } else { "}" });
        out
    }
}

/// Takes `{seen, state, isErrorPage, isHomePage, siteSection, viewName}`: `seen` is a word for [`Seen`],
/// `state` what was given back the last time, the rest what the page says of itself, if it does. Gives
/// back the state, and the view if there is one.
pub fn capture(text: &str, moment: &Moment, options: &Options) -> (String, Option<Captured>) {
    let find = |key| json::find(text, key).and_then(json::string);
    let mut views = Views::read(&find("state").unwrap_or_default());
    let seen = match find("seen").as_deref() {
        Some("shown") => Seen::Shown,
        Some("navigated") => Seen::Navigated,
        Some("restored") => Seen::Restored,
        _ => Seen::Settled,
    };
    let view = views.step(seen, moment.now, &moment.url, options.hash_routes);
    let captured = view.map(|view| {
        let mut xdm = Object::new();
        xdm.text("eventType", WEB_PAGE_VIEWS);
        xdm.object("web", |web| {
            web.object("webPageDetails", |details| {
                details.object("pageViews", |views| views.number("value", 1));
                for key in ["isErrorPage", "isHomePage"] {
                    let said = find(key);
                    let is = match said.as_deref() {
                        None => key == "isHomePage" && path(&moment.url) == "/",
                        Some(said) => said != "false",
                    };
                    if is || said.is_some() {
                        details.boolean(key, is);
                    }
                }
                for key in ["siteSection", "viewName"] {
                    details.text(key, &find(key).unwrap_or_default());
                }
            });
        });
        let mut mapping = String::new();
        if let Some(path) = options.path("restored").filter(|_| view.restored) {
            let mut flat = Object::new();
            flat.boolean(path, true);
            mapping = flat.close();
        }
        let before = if view.before.is_empty() { moment.referrer.clone() } else { view.before };
        Captured {
            moment: Moment { now: view.since, ..moment.clone() },
            xdm: xdm.close(),
            referrer: Some(before),
            mapping,
            contexts: Contexts::WEB,
            past: false,
            redacted: 0,
            leaves: false,
        }
    });
    (views.write(), captured)
}

/// The path of a URL.
fn path(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
    path.split(['?', '#']).next().unwrap_or_default()
}
