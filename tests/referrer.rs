//! Where a visitor came from: when events tell of it, and of which kind the place is.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use support::*;
use xdm_beacon::collect::Moment;
use xdm_beacon::collect::page_views::{Seen, Views};
use xdm_beacon::collect::referrer;
use xdm_beacon::collect::track::Options;
use xdm_beacon::command::Verdict;

const PAGE: &str = "https://shop.example/mugs";

fn kind(referrer: &str, page: &str) -> &'static str {
    referrer::kind(referrer, page, &Options::default())
}

#[test]
fn the_kind_of_place_is_told_by_its_host() {
    let table: [(&str, &[&str]); 7] = [
        ("typed_bookmarked", &[""]),
        (
            "internal",
            &[
                "https://shop.example/",
                "https://shop.example/mugs",
                "http://shop.example/",
                "https://shop.example:8443/",
                "https://shop.example?from=www.google.com",
            ],
        ),
        (
            "external",
            &[
                "https://www.shop.example/",
                "https://sub.shop.example/",
                "https://shop.example.org/",
                "https://other.example/https://shop.example/",
                "https://other.example/?q=https://www.google.com/",
                "https://blog.example/x.com",
                "https://netflix.com/",
                "https://foot.co/",
                "https://notbing.com/",
                "https://bing.com.example/",
                // Google's, but no search.
                "https://docs.google.com/",
                "https://accounts.google.com/",
                // Look like search engines in a country, and are none.
                "https://www.google.evil.com/",
                "https://www.google.example/",
                "https://www.google.co.uk.com/",
                "https://www.google.com.evil.example/",
                "https://www.google./",
                "https://mywww.google.com/",
                "https://search.yahoo.example/",
                "android-app://com.example.shop/",
                "https://user:www.google.com@other.example/",
                "http://192.0.2.1/",
                "http://[2001:db8::1]:8080/",
                "https://t.co.example/",
            ],
        ),
        (
            "search_engine",
            &[
                "https://www.google.com/",
                "https://www.google.de/search?q=mugs",
                "https://www.google.co.uk/",
                "https://www.google.com.au/",
                "android-app://com.google.android.googlequicksearchbox/",
                "https://www.bing.com/",
                "https://bing.com/search?q=mugs",
                "https://cn.bing.com/",
                "https://duckduckgo.com/",
                "https://html.duckduckgo.com/",
                "https://search.yahoo.com/",
                "https://uk.search.yahoo.com/",
                "https://search.yahoo.co.jp/",
                "https://yandex.ru/",
                "https://yandex.com.tr/",
                "https://ya.ru/",
                "https://www.baidu.com/",
                "https://www.ecosia.org/",
                "https://search.brave.com/",
                "https://search.naver.com/",
                "https://search.seznam.cz/",
                "https://www.startpage.com/",
                "https://www.qwant.com/",
                "https://www.sogou.com/",
                "https://www.google.com:443/",
                "https://www.google.com?q=1",
                "https://www.google.com#1",
            ],
        ),
        (
            "social",
            &[
                "https://www.facebook.com/",
                "https://l.facebook.com/",
                "https://lm.facebook.com/",
                "https://l.instagram.com/",
                "https://www.threads.com/",
                "https://t.co/abc",
                "https://twitter.com/",
                "https://x.com/",
                "https://www.linkedin.com/",
                "https://lnkd.in/",
                "android-app://com.linkedin.android/",
                "https://www.pinterest.de/",
                "https://www.pinterest.co.uk/",
                "https://out.reddit.com/",
                "https://www.youtube.com/",
                "https://www.tiktok.com/",
                "https://away.vk.com/",
                "https://weibo.com/",
                "https://www.snapchat.com/",
                "https://bsky.app/",
                "https://t.me/",
            ],
        ),
        (
            "email",
            &[
                "https://mail.google.com/",
                "android-app://com.google.android.gm/",
                "https://outlook.live.com/",
                "https://outlook.office.com/",
                "https://outlook.office365.com/",
                "https://mail.yahoo.com/",
                "https://mail.yahoo.co.jp/",
                "https://mail.aol.com/",
                "https://mail.proton.me/",
                "https://e.mail.ru/",
                "https://mail.qq.com/",
                "https://mail.163.com/",
            ],
        ),
        (
            "conversational_ai",
            &[
                "https://chatgpt.com/",
                "https://chat.openai.com/",
                "https://gemini.google.com/",
                "https://copilot.microsoft.com/",
                "https://www.perplexity.ai/",
                "https://claude.ai/",
                "https://chat.deepseek.com/",
                "https://chat.mistral.ai/",
                "https://grok.com/",
                "https://www.meta.ai/",
            ],
        ),
    ];
    for (expected, referrers) in table {
        for referrer in referrers {
            assert_eq!(kind(referrer, PAGE), expected, "{referrer}");
        }
    }
    for referrer in
        ["about:client", "file:///home/ada/shop.html", "https://", "https:///path", "mugs", "://", "\u{e4}"]
    {
        assert_eq!(kind(referrer, PAGE), "unknown", "{referrer}");
        assert_eq!(kind(referrer, ""), "unknown", "{referrer}");
    }
    // A page with a port, or at an address, is itself.
    assert_eq!(kind("http://127.0.0.1:8788/a", "http://127.0.0.1:8788/b"), "internal");
    assert_eq!(kind("http://[::1]:8788/a", "http://[::1]:8788/b"), "internal");
    assert_eq!(kind("http://[::1]/a", "http://[::2]/b"), "external");
    // A search engine's own pages are internal to it.
    assert_eq!(kind("https://www.google.com/a", "https://www.google.com/b"), "internal");
    assert_eq!(kind("https://www.google.com/", ""), "search_engine");
}

#[test]
fn the_site_has_other_domains() {
    let table: [(&str, &[&str]); 4] = [
        (
            "internal",
            &[
                "https://partner.example/",
                "https://www.partner.example:8443/offers?from=shop",
                "https://a.b.partner.example",
                "https://partner.example./",
                "http://pay.shop.example/",
                "https://mail.google.com/",
                "https://shop.example/",
                "android-app://example.partner.android/",
            ],
        ),
        (
            "external",
            &[
                "https://example/",
                "https://notpartner.example/",
                "https://partner.example.org/",
                "https://other.example/partner.example",
                "https://partner.example@other.example/",
                "https://www.shop.example/",
                "android-app://example.partner/",
            ],
        ),
        ("search_engine", &["https://www.google.com/"]),
        ("typed_bookmarked", &[""]),
    ];
    let domains = r#"["Partner.Example", "pay.shop.example", "mail.google.com", "example.partner.android"]"#;
    let options = Options::parse(&format!(r#"{{"internalDomains":{domains}}}"#)).unwrap();
    for (expected, referrers) in table {
        for referrer in referrers {
            assert_eq!(referrer::kind(referrer, PAGE, &options), expected, "{referrer}");
        }
    }
    // On the other domain, too.
    assert_eq!(referrer::kind(PAGE, "https://partner.example/", &options), "external");
    assert_eq!(referrer::kind("https://shop.example./", PAGE, &options), "internal");

    // What an event says.
    let tracking = json!({ "tracking": { "internalDomains": ["partner.example"] } });
    let mut tag = Tag::configured(self::options(tracking));
    let came = |url: &str, kind: &str| json!({ "URL": url, "type": kind });
    let partner = "https://www.partner.example/";
    assert_eq!(event_at(&mut tag, &(PAGE, partner)), came(partner, "internal"));
    let other = "https://other.example/";
    assert_eq!(event_at(&mut tag, &(PAGE, other)), came(other, "external"));
}

/// `configure` with more options: an event waits for no company.
fn options(more: Value) -> Value {
    let mut options = json!({ "context": ["web"], "delivery": { "maxWaitMs": 0 } });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    options
}

/// What events that are called at these places, `(URL, document.referrer)`, tell of where the visitor came from.
fn told(places: &[(&str, &str)]) -> Vec<Value> {
    told_by(&mut Tag::configured(options(json!({}))), places)
}

fn told_by(tag: &mut Tag, places: &[(&str, &str)]) -> Vec<Value> {
    places.iter().map(|place| event_at(tag, place)).collect()
}

fn moment((url, referrer): &(&str, &str)) -> Option<Moment> {
    let title = String::from("Mugs");
    Some(Moment { now: NOW, url: String::from(*url), title, referrer: String::from(*referrer) })
}

fn event_at(tag: &mut Tag, place: &(&str, &str)) -> Value {
    tag.call_text("sendEvent", "{}", moment(place));
    let web = tag.entity()["web"].clone();
    tag.deliver();
    assert_eq!(web["webPageDetails"]["URL"].as_str().unwrap_or_default(), place.0);
    web.get("webReferrer").cloned().unwrap_or_default()
}

#[test]
fn a_referrer_is_told_with_the_first_event_and_again_when_it_changes() {
    const A: &str = "https://shop.example/a";
    const B: &str = "https://shop.example/b";
    const SEARCH: &str = "https://www.google.com/";
    let came = |url: &str, kind: &str| json!({ "URL": url, "type": kind });
    let direct = || json!({ "type": "typed_bookmarked" });
    for (places, expected) in [
        (
            vec![(A, SEARCH), (A, SEARCH), (A, SEARCH)],
            vec![came(SEARCH, "search_engine"), Value::Null, Value::Null],
        ),
        (vec![(A, ""), (A, "")], vec![direct(), Value::Null]),
        // A soft navigation: what was left is where the visitor came from.
        (
            vec![(A, SEARCH), (B, SEARCH), (B, SEARCH), (A, SEARCH)],
            vec![came(SEARCH, "search_engine"), came(A, "internal"), Value::Null, came(B, "internal")],
        ),
        (vec![(A, ""), ("https://shop.example/a?page=2", "")], vec![direct(), came(A, "internal")]),
        // Moving about in a page is none, and a page that was left has no fragment.
        (
            vec![("https://shop.example/a#1", ""), ("https://shop.example/a#2", ""), (A, ""), (B, "")],
            vec![direct(), Value::Null, Value::Null, came(A, "internal")],
        ),
        // An event without a place of its own tells of none, and changes nothing.
        (vec![(A, ""), ("", ""), (A, "")], vec![direct(), Value::Null, Value::Null]),
        // Whatever a page does to `document.referrer`, another one is told of.
        (
            vec![(A, SEARCH), (A, "https://x.com/"), (A, "https://x.com/")],
            vec![came(SEARCH, "search_engine"), came("https://x.com/", "social"), Value::Null],
        ),
    ] {
        assert_eq!(told(&places), expected, "{places:?}");
    }
}

#[test]
fn another_fragment_is_another_page_where_the_site_has_its_routes_there() {
    const HOME: &str = "https://shop.example/";
    const MUGS: &str = "https://shop.example/#/mugs";
    const BLUE: &str = "https://shop.example/#/mugs?colour=blue";
    let came = |url: &str| json!({ "URL": url, "type": "internal" });
    let places = [(HOME, ""), ("https://shop.example/#", ""), (MUGS, ""), (MUGS, ""), (BLUE, ""), (HOME, "")];
    let direct = json!({ "type": "typed_bookmarked" });
    let expected = [direct.clone(), Value::Null, came(HOME), Value::Null, came(MUGS), came(BLUE)];
    let tracking = json!({ "tracking": { "hashRoutes": true } });
    assert_eq!(told_by(&mut Tag::configured(options(tracking)), &places), expected);
    let moved = told_by(&mut Tag::configured(options(json!({}))), &places);
    assert_eq!(moved, [&[direct][..], &vec![Value::Null; 5]].concat());
}

#[test]
fn page_views_and_referrers_are_of_one_mind_about_what_another_page_is() {
    let urls = ["", "#", "#/", "#/mugs", "?a=1", "?a=1#", "?a=1#/mugs", "mugs", "mugs#a#b", "mugs#a##"];
    for hash_routes in [false, true] {
        for (one, other) in urls.iter().flat_map(|one| urls.iter().map(move |other| (one, other))) {
            let [one, other] = [one, other].map(|rest| format!("https://shop.example/{rest}"));
            let mut views = Views::default();
            let mut count = 0;
            for (now, seen, url) in [
                (1, Seen::Shown, &one),
                (2, Seen::Settled, &one),
                (3, Seen::Navigated, &other),
                (4, Seen::Settled, &other),
            ] {
                count += usize::from(views.step(seen, now, url, hash_routes).is_some());
            }
            let tracking = json!({ "tracking": { "hashRoutes": hash_routes } });
            let mut tag = Tag::configured(options(tracking));
            let told = told_by(&mut tag, &[(&one, ""), (&other, "")]);
            let news = told.iter().filter(|told| !told.is_null()).count();
            assert_eq!(news, count, "{one}, then {other}, hashRoutes {hash_routes}");
        }
    }
}

#[test]
fn an_event_that_is_not_sent_has_told_nothing() {
    let place = (PAGE, "https://x.com/");
    let expected = json!({ "URL": "https://x.com/", "type": "social" });

    let mut tag = Tag::configured(options(json!({})));
    tag.call_text("sendEvent", r#"{"xdm":{"_id":"a b"}}"#, moment(&place));
    let large = json!({ "xdm": { "a": "x".repeat(1_000_000) } }).to_string();
    tag.call_text("sendEvent", &large, moment(&place));
    assert_eq!(tag.sent.len(), 0);
    assert_eq!(event_at(&mut tag, &place), expected);

    let mut tag = Tag::configured(options(json!({ "onBeforeEventSend": "a function" })));
    let mut verdicts = vec![Verdict::Undecided, Verdict::Failed(String::new()), Verdict::Cancel];
    tag.before = Box::new(move |event| verdicts.pop().unwrap_or_else(|| Verdict::Send(event.to_string())));
    for _ in 0..3 {
        tag.call_text("sendEvent", "{}", moment(&place));
        assert_eq!(tag.sent.len(), 0);
    }
    assert_eq!(event_at(&mut tag, &place), expected);
    assert_eq!(event_at(&mut tag, &place), Value::Null);
}

#[test]
fn a_record_tells_nothing_and_changes_nothing() {
    let mut tag = Tag::configured(options(json!({ "profile": profile() })));
    tag.call("sendProfile", json!({ "xdm": { "identityMap": { "CRM": [{ "id": "1" }] } } }));
    tag.deliver();
    assert_eq!(event_at(&mut tag, &(PAGE, "")), json!({ "type": "typed_bookmarked" }));
}
