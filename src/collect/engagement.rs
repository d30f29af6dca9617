//! Pure: how long and how far a page was looked at.
//!
//! The browser layer tells what happens to the page ([`Seen`]), when, and what of the document was in view; a
//! machine without a clock adds it up by view. What is a view is the rule of [`super::page_views`]. What it has to
//! know of before comes with each call and goes back with the answer.
//!
//! # Parts
//!
//! A page that is hidden may never be heard of again, so each time it is, the view tells what it has. It tells
//! the time since it has told the last time, so that times can be added up, over views, pages or people,
//! without knowing which events belong together; and how far down it was seen since it began, so that of any of
//! them the largest counts. A part of no time is not told.
//!
//! # Views
//!
//! A view ends where another page is navigated to, and is told of at once, while the document is still its own.
//! The time until the next one has settled is the next one's, or its own where that is the same page again; how
//! a page was scrolled meanwhile, likewise.

use super::context::Object;
use super::track::Options;
use super::{Captured, Moment, page_of};
use crate::json;
use crate::settings::Contexts;
use crate::time::Millis;

/// `eventType`: XDM has none for it.
const EVENT_TYPE: &str = "web.engagement";

/// What happens to a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Somebody sees it, for the first time or again.
    Shown,
    /// Nobody sees it any more, or it goes.
    Hidden,
    /// It is at another URL now.
    Navigated,
    /// What began has had its time, or the page goes.
    Settled,
    /// It is back from the back/forward cache.
    Restored,
}

/// What is in view. Lengths are CSS pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// By a clock that only goes forward, in milliseconds.
    pub mono: Millis,
    /// The lowest line of the document that was in view since the look before; 0 where nobody has looked.
    pub bottom: i64,
    /// How high the document is; 0 where nobody has looked.
    pub height: i64,
}

/// A view, as far as it has come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// URL when it settled; empty before.
    pub url: String,
    /// Title when it settled.
    pub title: String,
    /// Since when it is seen, as far as that is not in `visible`; `None` while it is hidden.
    shown: Option<Millis>,
    /// For how long it was seen since it was told of.
    visible: Millis,
    /// The lowest line that was in view.
    bottom: i64,
}

/// What is told of a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// For how long it was seen since it was told of, in milliseconds; never 0.
    pub visible: i32,
    /// How much of the document was in view since the view began, in percent of its height now.
    pub scroll: i32,
}

impl View {
    /// Something happens, with the page at the URL of `moment`. What is told is of the view as it was before.
    pub fn step(&mut self, seen: Seen, look: Look, moment: &Moment, hash_routes: bool) -> Option<Part> {
        if let Some(shown) = &mut self.shown {
            self.visible += (look.mono - *shown).max(0);
            *shown = look.mono;
        }
        self.bottom = self.bottom.max(look.bottom);
        let is_another = page_of(&self.url, hash_routes) != page_of(&moment.url, hash_routes);
        match seen {
            Seen::Restored => *self = View::default(),
            Seen::Shown => self.shown = Some(look.mono),
            Seen::Hidden => {
                self.shown = None;
                return self.part(look.height);
            }
            Seen::Navigated if is_another && !self.url.is_empty() => {
                let part = self.part(look.height);
                *self = View { shown: self.shown, ..View::default() };
                return part;
            }
            Seen::Settled if is_another => {
                self.url.clone_from(&moment.url);
                self.title.clone_from(&moment.title);
            }
            Seen::Navigated | Seen::Settled => {}
        }
        None
    }

    fn part(&mut self, height: i64) -> Option<Part> {
        // XDM's `int` ends there.
        let visible = std::mem::take(&mut self.visible).min(i64::from(i32::MAX)) as i32;
        let scroll = match self.bottom {
            // The window has no height.
            0 => 0,
            bottom if bottom >= height => 100,
            bottom => ((bottom * 100 + height / 2) / height) as i32,
        };
        (visible > 0).then_some(Part { visible, scroll })
    }

    fn read(text: &str) -> View {
        let text_of = |key| json::find(text, key).and_then(json::string).unwrap_or_default().into_owned();
        View {
            url: text_of("url"),
            title: text_of("title"),
            shown: json::find(text, "shown").and_then(json::integer).filter(|at| *at >= 0),
            visible: number(text, "visible"),
            bottom: number(text, "bottom"),
        }
    }

    fn write(&self) -> String {
        let mut out = String::from("{\"url\":");
        json::push_string(&mut out, &self.url);
        out.push_str(",\"title\":");
        json::push_string(&mut out, &self.title);
        let numbers = [
            (",\"visible\":", Some(self.visible)),
            (",\"bottom\":", Some(self.bottom)),
            (",\"shown\":", self.shown),
        ];
        for (key, number) in numbers {
            if let Some(number) = number {
                out.push_str(key);
                json::push_int(&mut out, number);
            }
        }
        out.push('}');
        out
    }
}

/// A whole number that is not negative; 0 where there is none.
fn number(text: &str, key: &str) -> i64 {
    json::find(text, key).and_then(json::integer).unwrap_or_default().max(0)
}

/// Takes `{seen, state, mono, bottom, height}`: `seen` is a word for [`Seen`], `state` what was given back the
/// last time, the rest a [`Look`]. Gives back the state, and what there is to tell.
pub fn capture(text: &str, moment: &Moment, options: &Options) -> (String, Option<Captured>) {
    let find = |key| json::find(text, key).and_then(json::string).unwrap_or_default();
    let mut view = View::read(&find("state"));
    let seen = match &*find("seen") {
        "shown" => Seen::Shown,
        "hidden" => Seen::Hidden,
        "navigated" => Seen::Navigated,
        "restored" => Seen::Restored,
        _ => Seen::Settled,
    };
    let look =
        Look { mono: number(text, "mono"), bottom: number(text, "bottom"), height: number(text, "height") };
    let (url, title) = (view.url.clone(), view.title.clone());
    let part = view.step(seen, look, moment, options.hash_routes);
    let captured = part.map(|part| {
        let mut details = Object::new();
        details.number("visibleTime", part.visible);
        details.number("maxScroll", part.scroll);
        let moment = Moment { now: moment.now, url, title, referrer: moment.referrer.clone() };
        let path = options.path("engagement");
        Captured {
            contexts: Contexts::WEB,
            leaves: seen == Seen::Hidden,
            ..Captured::told(EVENT_TYPE, &moment, path, &details.close(), 0)
        }
    });
    (view.write(), captured)
}
