//! What counts as a page view, and what the event of one says.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::Moment;
use xdm_beacon::collect::page_views::{self, Seen, View, Views};
use xdm_beacon::collect::track::Options;
use xdm_beacon::time::Millis;

use Seen::{Navigated, Restored, Settled, Shown};

const HOME: &str = "https://shop.example/";
const MUGS: &str = "https://shop.example/mugs";
const BLUE: &str = "https://shop.example/mugs?colour=blue";
const TOP: &str = "https://shop.example/mugs#top";

/// What is seen, when, and where the page is then.
type Step = (Seen, Millis, &'static str);
/// Where a view is of, when it began, and the view before it.
type Counted = (&'static str, Millis, &'static str);

/// One step after another; the views that counted.
fn counted(steps: &[Step], hash_routes: bool) -> Vec<(String, View)> {
    let mut views = Views::default();
    steps
        .iter()
        .filter_map(|(seen, now, url)| {
            let view = views.step(*seen, *now, url, hash_routes)?;
            Some((String::from(*url), view))
        })
        .collect()
}

#[test]
fn the_table() {
    type Row = (&'static str, &'static [Step], &'static [Counted]);
    let table: [Row; 21] = [
        ("first load", &[(Shown, 1, HOME), (Settled, 51, HOME)], &[(HOME, 1, "")]),
        ("a page that goes before it has settled", &[(Shown, 1, HOME), (Settled, 3, HOME)], &[(HOME, 1, "")]),
        ("hidden from beginning to end", &[(Settled, 50, HOME), (Settled, 99, HOME)], &[]),
        (
            "a hidden background tab that is shown, twice",
            &[(Settled, 50, HOME), (Shown, 900, HOME), (Settled, 950, HOME), (Shown, 999, HOME)],
            &[(HOME, 900, "")],
        ),
        (
            "hidden and shown again",
            &[(Shown, 1, HOME), (Settled, 51, HOME), (Shown, 99, HOME), (Settled, 149, HOME)],
            &[(HOME, 1, "")],
        ),
        (
            "a tab that navigates before somebody sees it",
            &[(Navigated, 5, MUGS), (Settled, 55, MUGS), (Shown, 900, MUGS), (Settled, 950, MUGS)],
            &[(MUGS, 900, "")],
        ),
        (
            "a redirect while the first view settles",
            &[(Shown, 1, HOME), (Navigated, 9, MUGS), (Settled, 51, MUGS)],
            &[(MUGS, 1, "")],
        ),
        (
            "another path",
            &[(Shown, 1, HOME), (Settled, 51, HOME), (Navigated, 100, MUGS), (Settled, 150, MUGS)],
            &[(HOME, 1, ""), (MUGS, 100, HOME)],
        ),
        (
            "another query",
            &[(Shown, 1, MUGS), (Settled, 51, MUGS), (Navigated, 100, BLUE), (Settled, 150, BLUE)],
            &[(MUGS, 1, ""), (BLUE, 100, MUGS)],
        ),
        (
            "another fragment",
            &[(Shown, 1, MUGS), (Settled, 51, MUGS), (Navigated, 100, TOP), (Settled, 150, TOP)],
            &[(MUGS, 1, "")],
        ),
        (
            "another path after another fragment",
            &[
                (Shown, 1, MUGS),
                (Settled, 51, MUGS),
                (Navigated, 100, TOP),
                (Settled, 150, TOP),
                (Navigated, 200, HOME),
                (Settled, 250, HOME),
            ],
            &[(MUGS, 1, ""), (HOME, 200, TOP)],
        ),
        (
            "replaced by the same URL",
            &[(Shown, 1, MUGS), (Settled, 51, MUGS), (Navigated, 100, MUGS), (Settled, 150, MUGS)],
            &[(MUGS, 1, "")],
        ),
        (
            "push and replace: of where it ended",
            &[
                (Shown, 1, HOME),
                (Settled, 51, HOME),
                (Navigated, 100, MUGS),
                (Navigated, 120, BLUE),
                (Settled, 150, BLUE),
            ],
            &[(HOME, 1, ""), (BLUE, 100, HOME)],
        ),
        (
            "the same URL pushed twice within the time that a view settles",
            &[
                (Shown, 1, HOME),
                (Settled, 51, HOME),
                (Navigated, 100, MUGS),
                (Navigated, 149, MUGS),
                (Settled, 150, MUGS),
            ],
            &[(HOME, 1, ""), (MUGS, 100, HOME)],
        ),
        (
            "the same URL pushed again later",
            &[
                (Shown, 1, HOME),
                (Settled, 51, HOME),
                (Navigated, 100, MUGS),
                (Settled, 150, MUGS),
                (Navigated, 151, MUGS),
                (Settled, 201, MUGS),
            ],
            &[(HOME, 1, ""), (MUGS, 100, HOME)],
        ),
        (
            "away and back before it has settled",
            &[
                (Shown, 1, HOME),
                (Settled, 51, HOME),
                (Navigated, 100, MUGS),
                (Navigated, 110, HOME),
                (Settled, 150, HOME),
            ],
            &[(HOME, 1, "")],
        ),
        (
            "away and back",
            &[
                (Shown, 1, HOME),
                (Settled, 51, HOME),
                (Navigated, 100, MUGS),
                (Settled, 150, MUGS),
                (Navigated, 200, HOME),
                (Settled, 250, HOME),
            ],
            &[(HOME, 1, ""), (MUGS, 100, HOME), (HOME, 200, MUGS)],
        ),
        (
            "a soft navigation of a hidden page",
            &[(Shown, 1, HOME), (Settled, 51, HOME), (Navigated, 100, MUGS), (Settled, 1_100, MUGS)],
            &[(HOME, 1, ""), (MUGS, 100, HOME)],
        ),
        (
            "settled twice, by the time and by the page that goes",
            &[(Shown, 1, HOME), (Settled, 51, HOME), (Settled, 52, HOME)],
            &[(HOME, 1, "")],
        ),
        (
            "restored, at the same URL",
            &[
                (Shown, 1, HOME),
                (Settled, 51, HOME),
                (Restored, 900, HOME),
                (Shown, 900, HOME),
                (Settled, 950, HOME),
            ],
            &[(HOME, 1, ""), (HOME, 900, "")],
        ),
        (
            "restored, but not shown",
            &[(Shown, 1, HOME), (Settled, 51, HOME), (Restored, 900, HOME), (Settled, 950, HOME)],
            &[(HOME, 1, "")],
        ),
    ];
    for (what, steps, expected) in table {
        let views = counted(steps, false);
        let told: Vec<_> = views.iter().map(|(url, v)| (url.as_str(), v.since, v.before.as_str())).collect();
        assert_eq!(told, expected, "{what}");
    }
}

#[test]
fn a_fragment_is_a_page_where_routes_are_in_it() {
    let routes = [
        (Shown, 1, "https://shop.example/"),
        (Settled, 51, "https://shop.example/"),
        (Navigated, 100, "https://shop.example/#"),
        (Settled, 150, "https://shop.example/#"),
        (Navigated, 200, "https://shop.example/#/mugs"),
        (Settled, 250, "https://shop.example/#/mugs"),
        (Navigated, 300, "https://shop.example/#/mugs"),
        (Settled, 350, "https://shop.example/#/mugs"),
        (Navigated, 400, "https://shop.example/#/cups#top"),
        (Settled, 450, "https://shop.example/#/cups#top"),
    ];
    let of = |hash_routes| -> Vec<String> {
        counted(&routes, hash_routes).into_iter().map(|(url, _)| url).collect()
    };
    assert_eq!(of(false), ["https://shop.example/"]);
    assert_eq!(
        of(true),
        ["https://shop.example/", "https://shop.example/#/mugs", "https://shop.example/#/cups#top"]
    );
}

#[test]
fn the_view_that_came_back_is_marked_and_no_other() {
    let views = counted(
        &[
            (Shown, 1, HOME),
            (Settled, 51, HOME),
            (Restored, 900, HOME),
            (Shown, 900, HOME),
            (Settled, 950, HOME),
            (Navigated, 960, MUGS),
            (Settled, 999, MUGS),
        ],
        false,
    );
    let marks: Vec<bool> = views.iter().map(|(_, view)| view.restored).collect();
    assert_eq!(marks, [false, true, false]);
}

/// A page whose loader brings along what it was given back.
struct Module {
    tag: Tag,
    state: String,
}

impl Module {
    fn of(options: Value) -> Module {
        Module { tag: Tag::configured(options), state: String::new() }
    }

    fn at(&mut self, now: Millis, url: &str, title: &str) -> &mut Module {
        let referrer = String::from("https://search.example/");
        self.tag.page.moment = Moment { now, url: String::from(url), title: String::from(title), referrer };
        self
    }

    /// Tells what is seen, and gives back how many events have left the page.
    fn see(&mut self, seen: &str, more: Value) -> usize {
        let mut text = json!({ "seen": seen, "state": self.state });
        for (key, value) in more.as_object().expect("an object") {
            text[key] = value.clone();
        }
        let (ticket, answer) = self.tag.capture("pageView", &text.to_string());
        self.state = answer;
        self.tag.wait(1_000);
        while !self.tag.open.is_empty() {
            self.tag.deliver();
        }
        // What is no event is settled, too.
        assert!(self.tag.result(ticket).is_ok());
        self.tag.sent.len()
    }

    fn entity(&self) -> Value {
        self.tag.entity()
    }
}

fn views(options: Value) -> Module {
    Module::of(with(options, "track", json!(["pageViews"])))
}

#[test]
fn a_view_says_where_and_when_it_began() {
    let mut page = views(json!({}));
    assert_eq!(page.at(NOW, HOME, "").see("shown", json!({})), 0);
    assert_eq!(page.at(NOW + 50, HOME, "Home").see("settled", json!({})), 1);
    let entity = page.entity();
    assert_eq!(entity["eventType"], "web.webpagedetails.pageViews");
    assert_eq!(entity["timestamp"], "2026-11-24T03:49:50.123Z");
    assert_eq!(
        entity["web"],
        json!({
            "webPageDetails":
                { "URL": HOME, "name": "Home", "pageViews": { "value": 1 }, "isHomePage": true },
            "webReferrer": { "URL": "https://search.example/", "type": "external" },
        })
    );
    assert_eq!(entity["device"]["screenHeight"], 1080);

    page.at(NOW + 877, MUGS, "Home").see("navigated", json!({}));
    assert_eq!(page.at(NOW + 927, MUGS, "Mugs").see("settled", json!({})), 2);
    let entity = page.entity();
    assert_eq!(entity["timestamp"], "2026-11-24T03:49:51.000Z");
    assert_eq!(
        entity["web"],
        json!({
            "webPageDetails": { "URL": MUGS, "name": "Mugs", "pageViews": { "value": 1 } },
            "webReferrer": { "URL": HOME, "type": "internal" },
        })
    );
}

#[test]
fn a_view_needs_the_page_and_no_other_context() {
    let mut page = views(json!({ "context": [] }));
    page.at(NOW, MUGS, "Mugs").see("shown", json!({}));
    assert_eq!(page.see("settled", json!({})), 1);
    let entity = page.entity();
    let keys: Vec<_> = entity.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["_id", "timestamp", "web", "eventType"]);
    assert_eq!(entity["web"]["webPageDetails"]["URL"], MUGS);
    // An event of the page's own has none all the same.
    page.tag.call("sendEvent", json!({}));
    assert_eq!(page.entity()["web"], Value::Null);
}

#[test]
fn what_the_page_says_of_itself() {
    for (url, said, expected) in [
        (MUGS, json!({}), json!({})),
        (HOME, json!({}), json!({ "isHomePage": true })),
        ("https://shop.example/?a=/b#c", json!({}), json!({ "isHomePage": true })),
        ("https://shop.example/index.html", json!({}), json!({})),
        (HOME, json!({ "isHomePage": "false" }), json!({ "isHomePage": false })),
        (MUGS, json!({ "isHomePage": "" }), json!({ "isHomePage": true })),
        (MUGS, json!({ "isErrorPage": "" }), json!({ "isErrorPage": true })),
        (MUGS, json!({ "isErrorPage": "true" }), json!({ "isErrorPage": true })),
        (MUGS, json!({ "isErrorPage": "false" }), json!({ "isErrorPage": false })),
        (MUGS, json!({ "isErrorPage": null, "viewName": null }), json!({})),
        (
            MUGS,
            json!({ "siteSection": "Shop \"A\"", "viewName": "list" }),
            json!({ "siteSection": "Shop \"A\"", "viewName": "list" }),
        ),
        (MUGS, json!({ "siteSection": "", "viewName": "" }), json!({})),
    ] {
        let mut page = views(json!({ "context": [] }));
        page.at(NOW, url, "Page").see("shown", json!({}));
        page.see("settled", said.clone());
        let mut details = page.entity()["web"]["webPageDetails"].clone();
        let details = details.as_object_mut().expect("an object");
        assert_eq!(details.remove("URL"), Some(json!(url)));
        assert_eq!(details.remove("name"), Some(json!("Page")));
        assert_eq!(details.remove("pageViews"), Some(json!({ "value": 1 })));
        assert_eq!(Value::Object(details.clone()), expected, "{url} {said}");
    }
}

#[test]
fn a_page_without_a_path_is_nobodys_home() {
    let moment = Moment { url: String::from("about:blank"), ..Moment::default() };
    let options = Options::default();
    let (state, view) =
        page_views::capture("{\"seen\":\"shown\"}", &Moment { now: NOW, ..moment.clone() }, &options);
    assert_eq!(view, None);
    let text = json!({ "seen": "settled", "state": state }).to_string();
    let (_, view) = page_views::capture(&text, &moment, &options);
    let xdm: Value = serde_json::from_str(&view.expect("it counts").xdm).expect("it is JSON");
    assert_eq!(xdm["web"]["webPageDetails"], json!({ "pageViews": { "value": 1 } }));
}

#[test]
fn a_view_that_came_back_is_marked_where_the_site_has_room() {
    for (paths, mark) in [(json!({}), Value::Null), (json!({ "restored": "_acme.restored" }), json!(true))] {
        let mut page = views(json!({ "tracking": { "paths": paths } }));
        page.at(NOW, HOME, "Home").see("shown", json!({}));
        assert_eq!(page.see("settled", json!({})), 1);
        assert_eq!(page.entity()["_acme"], Value::Null);
        page.see("restored", json!({}));
        page.see("shown", json!({}));
        assert_eq!(page.see("settled", json!({})), 2);
        let entity = page.entity();
        assert_eq!(entity["_acme"]["restored"], mark);
        assert_eq!(entity["web"]["webReferrer"]["URL"], "https://search.example/");
    }
}

#[test]
fn an_engine_that_was_started_anew_goes_on_where_the_last_one_was() {
    let mut page = views(json!({}));
    page.at(NOW, HOME, "Home").see("shown", json!({}));
    page.see("settled", json!({}));
    page.at(NOW + 900, MUGS, "Mugs").see("navigated", json!({}));

    let mut fresh = views(json!({}));
    fresh.state = page.state;
    assert_eq!(fresh.at(NOW + 950, MUGS, "Mugs").see("settled", json!({})), 1);
    assert_eq!(fresh.entity()["web"]["webReferrer"]["URL"], HOME);
    fresh.see("shown", json!({}));
    assert_eq!(fresh.see("settled", json!({})), 1, "the first view was counted before");
}

#[test]
fn what_is_no_observation_counts_nothing_and_is_settled() {
    let mut tag = Tag::configured(json!({ "track": ["pageViews"] }));
    for kind in ["pageView", "clicks", ""] {
        for text in RUBBISH {
            let (ticket, _) = tag.capture(kind, text);
            assert_eq!(tag.result(ticket), Ok(json!({})), "{kind} {text:?}");
        }
    }
    assert_eq!(tag.sent.len(), 0);
}

#[test]
fn before_configure_nothing_is_captured() {
    let mut tag = Tag::bare();
    let (ticket, answer) = tag.capture("pageView", "{\"seen\":\"shown\"}");
    assert_eq!(answer, "");
    assert_eq!(tag.result(ticket), Ok(json!({})));
}
