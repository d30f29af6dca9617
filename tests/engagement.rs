//! For how long a page was seen and how far down, by view, and what the events of it say.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::Moment;
use xdm_beacon::collect::engagement::{Look, Seen, View};
use xdm_beacon::delivery::Ticket;
use xdm_beacon::time::Millis;

use Seen::{Hidden, Navigated, Restored, Settled, Shown};

const HOME: &str = "https://shop.example/";
const MUGS: &str = "https://shop.example/mugs";
const BLUE: &str = "https://shop.example/mugs?colour=blue";
const TOP: &str = "https://shop.example/mugs#top";

/// What is seen, when, what was in view and of what height, and where the page is then.
type Step = (Seen, Millis, (i64, i64), &'static str);
/// Of which view, for how long, and how far.
type Told = (&'static str, i32, i32);

/// Nobody has looked.
const NO: (i64, i64) = (0, 0);
/// The first half of it.
const HALF: (i64, i64) = (500, 1_000);

fn told(steps: &[Step], hash_routes: bool) -> Vec<(String, i32, i32)> {
    let mut view = View::default();
    let mut all = Vec::new();
    for (seen, mono, (bottom, height), url) in steps {
        let look = Look { mono: *mono, bottom: *bottom, height: *height };
        let moment = Moment { url: String::from(*url), title: format!("at {url}"), ..Moment::default() };
        let (url, title) = (view.url.clone(), view.title.clone());
        if let Some(part) = view.step(*seen, look, &moment, hash_routes) {
            assert_eq!(title, format!("at {url}"));
            all.push((url, part.visible, part.scroll));
        }
    }
    all
}

fn assert_told(what: &str, steps: &[Step], hash_routes: bool, expected: &[Told]) {
    let all = told(steps, hash_routes);
    let all: Vec<Told> = all
        .iter()
        .map(|(url, visible, scroll)| {
            let known = [HOME, MUGS, BLUE, TOP, ""].into_iter().find(|known| known == url);
            (known.expect("a URL of these tests"), *visible, *scroll)
        })
        .collect();
    assert_eq!(all, expected, "{what}");
}

#[test]
fn the_time_that_a_view_is_seen() {
    type Row = (&'static str, &'static [Step], &'static [Told]);
    let table: [Row; 16] = [
        (
            "shown since the beginning of time",
            &[(Shown, 0, NO, HOME), (Settled, 150, NO, HOME), (Hidden, 1_100, HALF, HOME)],
            &[(HOME, 1_100, 50)],
        ),
        (
            "shown until it is hidden",
            &[(Shown, 100, NO, HOME), (Settled, 150, NO, HOME), (Hidden, 1_100, HALF, HOME)],
            &[(HOME, 1_000, 50)],
        ),
        (
            "left before it has settled",
            &[(Shown, 100, NO, HOME), (Settled, 103, NO, HOME), (Hidden, 103, HALF, HOME)],
            &[(HOME, 3, 50)],
        ),
        ("never shown", &[(Hidden, 100, HALF, HOME), (Hidden, 900, HALF, HOME)], &[]),
        (
            "a background tab that is shown later",
            &[
                (Hidden, 100, HALF, HOME),
                (Shown, 5_000, NO, HOME),
                (Settled, 5_050, NO, HOME),
                (Hidden, 5_700, HALF, HOME),
            ],
            &[(HOME, 700, 50)],
        ),
        (
            "hidden twice in one go, as a page that leaves is",
            &[
                (Shown, 100, NO, HOME),
                (Settled, 150, NO, HOME),
                (Hidden, 200, HALF, HOME),
                (Hidden, 201, HALF, HOME),
            ],
            &[(HOME, 100, 50)],
        ),
        (
            "hidden and shown several times: parts that add up",
            &[
                (Shown, 100, NO, HOME),
                (Settled, 150, NO, HOME),
                (Hidden, 200, HALF, HOME),
                (Shown, 1_000, NO, HOME),
                (Settled, 1_050, NO, HOME),
                (Hidden, 1_300, HALF, HOME),
                (Shown, 9_000, NO, HOME),
                (Hidden, 9_001, HALF, HOME),
            ],
            &[(HOME, 100, 50), (HOME, 300, 50), (HOME, 1, 50)],
        ),
        (
            "shown for no time",
            &[(Shown, 100, NO, HOME), (Settled, 100, NO, HOME), (Hidden, 100, HALF, HOME)],
            &[],
        ),
        (
            "told twice that it is shown",
            &[
                (Shown, 100, NO, HOME),
                (Settled, 150, NO, HOME),
                (Shown, 400, NO, HOME),
                (Hidden, 600, HALF, HOME),
            ],
            &[(HOME, 500, 50)],
        ),
        (
            "a soft navigation ends the view at once, and the next one begins with it",
            &[
                (Shown, 100, NO, HOME),
                (Settled, 150, NO, HOME),
                (Navigated, 1_100, HALF, MUGS),
                (Settled, 1_150, NO, MUGS),
                (Hidden, 1_400, (1_000, 1_000), MUGS),
            ],
            &[(HOME, 1_000, 50), (MUGS, 300, 100)],
        ),
        (
            "a redirect: no view of where nobody was",
            &[
                (Shown, 100, NO, HOME),
                (Settled, 150, NO, HOME),
                (Navigated, 1_100, HALF, MUGS),
                (Navigated, 1_110, HALF, BLUE),
                (Settled, 1_150, NO, BLUE),
                (Hidden, 1_400, HALF, BLUE),
            ],
            &[(HOME, 1_000, 50), (BLUE, 300, 50)],
        ),
        (
            "away and back at once: the view goes on",
            &[
                (Shown, 100, NO, HOME),
                (Settled, 150, NO, HOME),
                (Navigated, 1_100, HALF, MUGS),
                (Navigated, 1_110, HALF, HOME),
                (Settled, 1_150, NO, HOME),
                (Hidden, 1_400, HALF, HOME),
            ],
            &[(HOME, 1_000, 50), (HOME, 300, 50)],
        ),
        (
            "redirected while the first view settles",
            &[
                (Shown, 100, NO, HOME),
                (Navigated, 110, HALF, MUGS),
                (Settled, 150, NO, MUGS),
                (Hidden, 600, HALF, MUGS),
            ],
            &[(MUGS, 500, 50)],
        ),
        (
            "another fragment is no other view",
            &[
                (Shown, 100, NO, MUGS),
                (Settled, 150, NO, MUGS),
                (Navigated, 400, HALF, TOP),
                (Settled, 450, NO, TOP),
                (Hidden, 600, HALF, TOP),
            ],
            &[(MUGS, 500, 50)],
        ),
        (
            "navigated while it is hidden",
            &[
                (Shown, 100, NO, HOME),
                (Settled, 150, NO, HOME),
                (Hidden, 300, HALF, HOME),
                (Navigated, 500, HALF, MUGS),
                (Settled, 1_500, NO, MUGS),
                (Shown, 2_000, NO, MUGS),
                (Hidden, 2_010, HALF, MUGS),
            ],
            &[(HOME, 200, 50), (MUGS, 10, 50)],
        ),
        (
            "restored: a new view, and the time in the cache is nobody's, even if it is shown first",
            &[
                (Shown, 100, NO, HOME),
                (Settled, 150, NO, HOME),
                (Hidden, 300, (1_000, 1_000), HOME),
                (Shown, 90_000, NO, HOME),
                (Restored, 90_005, NO, HOME),
                (Shown, 90_010, NO, HOME),
                (Settled, 90_060, NO, HOME),
                (Hidden, 90_100, HALF, HOME),
            ],
            &[(HOME, 200, 100), (HOME, 90, 50)],
        ),
    ];
    for (what, steps, expected) in table {
        assert_told(what, steps, false, expected);
    }
}

#[test]
fn a_fragment_is_a_view_where_routes_are_in_it() {
    let steps = [
        (Shown, 100, NO, MUGS),
        (Settled, 150, NO, MUGS),
        (Navigated, 400, HALF, TOP),
        (Settled, 450, NO, TOP),
        (Hidden, 600, HALF, TOP),
    ];
    assert_told("hash routes", &steps, true, &[(MUGS, 300, 50), (TOP, 200, 50)]);
}

#[test]
fn how_far_down_it_was_seen() {
    for (what, looks, expected) in [
        ("no taller than the window", &[(800, 800)][..], &[100][..]),
        ("less tall than the window", &[(800, 300)], &[100]),
        ("empty", &[(800, 0)], &[100]),
        ("a window without a height", &[(0, 0)], &[0]),
        ("a window without a height, and a page with one", &[(0, 3_000)], &[0]),
        ("the beginning", &[(800, 3_200)], &[25]),
        ("a third, rounded", &[(1_000, 3_000)], &[33]),
        ("two thirds, rounded", &[(2_000, 3_000)], &[67]),
        ("the end, but for half a pixel of a zoomed page", &[(2_999, 3_000)], &[100]),
        ("beyond the end", &[(3_100, 3_000)], &[100]),
        ("hardly anything", &[(1, 1_000)], &[0]),
        ("scrolled back", &[(3_000, 3_000), (800, 3_000)], &[100, 100]),
        ("further down each time", &[(800, 3_000), (1_500, 3_000)], &[27, 50]),
        ("it grows", &[(800, 800), (800, 1_600)], &[100, 50]),
        ("it shrinks", &[(1_600, 3_200), (800, 800)], &[50, 100]),
    ] {
        let mut view = View::default();
        let mut told = Vec::new();
        for (at, (bottom, height)) in (0..).zip(looks) {
            let moment = Moment { url: String::from(HOME), ..Moment::default() };
            let mut step =
                |seen, mono, bottom, height| view.step(seen, Look { mono, bottom, height }, &moment, false);
            step(Shown, at * 1_000 + 1, 0, 0);
            step(Settled, at * 1_000 + 50, 0, 0);
            told.extend(step(Hidden, at * 1_000 + 500, *bottom, *height).map(|part| part.scroll));
        }
        assert_eq!(told, expected, "{what}");
    }
}

#[test]
fn how_far_down_is_each_views_own() {
    let steps = [
        (Shown, 100, NO, HOME),
        (Settled, 150, (900, 0), HOME),
        (Navigated, 400, HALF, MUGS),
        (Settled, 450, (300, 0), MUGS),
        (Navigated, 460, HALF, TOP),
        (Hidden, 600, (200, 1_000), TOP),
    ];
    assert_told("each its own", &steps, false, &[(HOME, 300, 90), (MUGS, 200, 50)]);
}

#[test]
fn a_clock_that_goes_back_and_a_page_that_is_open_for_months() {
    let steps = [
        (Shown, 500, NO, HOME),
        (Settled, 400, NO, HOME),
        (Hidden, 460, HALF, HOME),
        (Shown, 1_000, NO, HOME),
        (Hidden, 9_000_000_000, HALF, HOME),
    ];
    assert_told("clocks", &steps, false, &[(HOME, 60, 50), (HOME, i32::MAX, 50)]);
}

/// A page whose loader brings along what it was given back.
struct Module {
    tag: Tag,
    state: String,
}

impl Module {
    fn of(options: Value) -> Module {
        let tag = Tag::configured(with(options, "track", json!(["engagement"])));
        Module { tag, state: String::new() }
    }

    fn at(&mut self, url: &str, title: &str) -> &mut Module {
        let moment = &mut self.tag.page.moment;
        (moment.url, moment.title) = (String::from(url), String::from(title));
        self
    }

    /// Tells what is seen.
    fn tell(&mut self, seen: &str, mono: Millis, (bottom, height): (i64, i64)) -> Ticket {
        let text =
            json!({ "seen": seen, "state": self.state, "mono": mono, "bottom": bottom, "height": height });
        let (ticket, answer) = self.tag.capture("engagement", &text.to_string());
        self.state = answer;
        ticket
    }

    /// The same, and gives back how many events have left the page.
    fn see(&mut self, seen: &str, mono: Millis, look: (i64, i64)) -> usize {
        let ticket = self.tell(seen, mono, look);
        let left = self.tag.sent.len();
        while !self.tag.open.is_empty() {
            self.tag.deliver();
        }
        // What is no event is settled, too.
        assert!(self.tag.result(ticket).is_ok());
        left
    }
}

/// What an event holds beside its id and time.
fn essence(mut entity: Value) -> Value {
    let members = entity.as_object_mut().expect("an object");
    for key in ["_id", "timestamp"] {
        assert!(members.remove(key).is_some_and(|value| value.is_string()), "{key}");
    }
    entity
}

const AT: fn() -> Value =
    || json!({ "tracking": { "paths": { "engagement": "_acme.engagement" } }, "context": [] });

#[test]
fn the_event_is_of_the_view_whatever_context_says_and_leaves_with_the_page() {
    let mut page = Module::of(AT());
    page.at(HOME, "Home").see("shown", 100, NO);
    page.see("settled", 150, NO);
    // The title has changed, and the fragment.
    assert_eq!(page.at("https://shop.example/#end", "(1) Home").see("hidden", 1_333, HALF), 1);
    assert_eq!(
        essence(page.tag.entity()),
        json!({
            "eventType": "web.engagement",
            "web": {
                "webPageDetails": { "URL": HOME, "name": "Home" },
                "webReferrer": { "URL": "https://search.example/", "type": "external" },
            },
            "_acme": { "engagement": { "visibleTime": 1_233, "maxScroll": 50 } },
        })
    );
    assert_eq!(page.see("hidden", 1_334, HALF), 1, "it was told");
}

#[test]
fn it_is_handed_over_at_once_where_the_page_is_hidden_and_waits_for_company_elsewhere() {
    for (seen, url, left) in [("hidden", HOME, 2), ("navigated", MUGS, 1)] {
        let mut page = Module::of(AT());
        page.at(HOME, "Home").see("shown", 100, NO);
        page.see("settled", 150, NO);
        // While the first is under way, others wait.
        page.tag.call("sendEvent", json!({}));
        assert_eq!(page.tag.sent.len(), 1);
        page.at(url, "Home").tell(seen, 1_100, HALF);
        assert_eq!(page.tag.sent.len(), left, "{seen}");
    }
}

#[test]
fn the_event_of_a_view_that_was_navigated_away_from_is_in_order_with_the_next() {
    let mut page = Module::of(AT());
    page.at(HOME, "Home").see("shown", 100, NO);
    page.see("settled", 150, NO);
    assert_eq!(page.at(MUGS, "Home").see("navigated", 1_100, HALF), 1);
    let first = essence(page.tag.entity());
    assert_eq!(first["web"]["webPageDetails"], json!({ "URL": HOME, "name": "Home" }));
    assert_eq!(first["web"]["webReferrer"]["URL"], "https://search.example/");
    page.at(MUGS, "Mugs").see("settled", 1_150, NO);
    assert_eq!(page.see("hidden", 1_200, HALF), 2);
    assert_eq!(
        essence(page.tag.entity()),
        json!({
            "eventType": "web.engagement",
            "web": {
                "webPageDetails": { "URL": MUGS, "name": "Mugs" },
                "webReferrer": { "URL": HOME, "type": "internal" },
            },
            "_acme": { "engagement": { "visibleTime": 100, "maxScroll": 50 } },
        })
    );
}

#[test]
fn without_a_path_the_event_has_its_type_alone() {
    let mut page = Module::of(json!({ "context": [] }));
    page.at(HOME, "Home").see("shown", 100, NO);
    page.see("settled", 150, NO);
    page.see("hidden", 1_100, HALF);
    let entity = page.tag.entity();
    let keys: Vec<_> = entity.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["_id", "timestamp", "web", "eventType"]);
    assert_eq!(entity["eventType"], "web.engagement");
}

#[test]
fn what_identifies_a_person_is_taken_out() {
    let mut page = Module::of(AT());
    page.at("https://shop.example/?mail=a@b.example", "For a@b.example").see("shown", 100, NO);
    page.see("settled", 150, NO);
    page.see("hidden", 1_100, HALF);
    let details = page.tag.entity()["web"]["webPageDetails"].clone();
    assert_eq!(details, json!({ "URL": "https://shop.example/?mail=REDACTED", "name": "For REDACTED" }));
    assert_eq!(page.tag.outcome("getStatus", json!({})).expect("counts")["redacted"], 2);
}

#[test]
fn an_engine_that_was_started_anew_goes_on_where_the_last_one_was() {
    let mut page = Module::of(AT());
    page.at(HOME, "\"Home\"\nand more").see("shown", 100, NO);
    page.see("settled", 150, (700, 0));

    let mut fresh = Module::of(AT());
    fresh.state = page.state;
    fresh.at(HOME, "Other").see("hidden", 1_100, HALF);
    let entity = fresh.tag.entity();
    assert_eq!(entity["web"]["webPageDetails"]["name"], "\"Home\"\nand more");
    assert_eq!(entity["_acme"]["engagement"], json!({ "visibleTime": 1_000, "maxScroll": 70 }));
}

#[test]
fn what_is_no_observation_tells_nothing_and_is_settled() {
    let mut tag = Tag::configured(json!({ "track": ["engagement"] }));
    for text in RUBBISH {
        let (ticket, _) = tag.capture("engagement", text);
        assert_eq!(tag.result(ticket), Ok(json!({})), "{text:?}");
    }
    for rest in [json!({}), json!({ "mono": -5, "height": -1 }), json!({ "mono": 1.5, "bottom": "x" })] {
        for seen in ["hidden", "navigated", "unheard-of"] {
            let mut text = rest.clone();
            text["seen"] = json!(seen);
            text["state"] = json!("{\"shown\":-3,\"visible\":\"long\",\"bottom\":null}");
            let (ticket, _) = tag.capture("engagement", &text.to_string());
            assert_eq!(tag.result(ticket), Ok(json!({})), "{text}");
        }
    }
    assert_eq!(tag.sent.len(), 0);
}
