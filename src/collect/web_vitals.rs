//! Pure: how fast a page was, and how steady, in the measures of Google's web vitals.
//!
//! The library of that name measures; here it becomes one event for each time that the page is hidden, with what
//! was not told yet. They are of the page as it was loaded, whatever it navigates to afterwards.

use super::context::Object;
use super::track::Options;
use super::{Captured, Moment, page_of};
use crate::json::{self, Kind};
use crate::settings::Contexts;

/// `eventType`: XDM has none for it.
const EVENT_TYPE: &str = "web.vitals";
/// Those that are times, in milliseconds.
const TIMES: [&str; 4] = ["lcp", "inp", "fcp", "ttfb"];
/// No page takes longer than a day; a time beyond it is a fault of the platform.
const MAX_MS: i64 = 86_400_000;

/// Takes `{lcp, cls, inp, fcp, ttfb, navigationType, url}`: times are whole milliseconds, what is not known is
/// left out; `url` is that of the page as it was loaded. `None` if nothing is known.
pub fn capture(seen: &str, moment: &Moment, options: &Options) -> Option<Captured> {
    let find = |key| json::find(seen, key).unwrap_or_default();
    let mut details = Object::new();
    for key in TIMES {
        if let Some(ms) = json::integer(find(key)).filter(|ms| (0..=MAX_MS).contains(ms)) {
            details.number(key, ms as i32);
        }
    }
    let shift = find("cls");
    if json::kind(shift) == Kind::Number && !shift.starts_with('-') {
        details.raw("cls", shift);
    }
    if details.is_empty() {
        return None;
    }
    let text = |key| json::string(find(key)).unwrap_or_default();
    details.text("navigationType", &text("navigationType"));
    let url = text("url").into_owned();
    let past = page_of(&url, options.hash_routes) != page_of(&moment.url, options.hash_routes);
    // The title is that of where the page is now.
    let title = if past { String::new() } else { moment.title.clone() };
    let moment = Moment { now: moment.now, url, title, referrer: moment.referrer.clone() };
    let path = options.path("webVitals");
    let told = Captured::told(EVENT_TYPE, &moment, path, &details.close(), 0);
    Some(Captured { contexts: Contexts::WEB, past, leaves: true, ..told })
}
