//! Identity: what is made, kept, read, sent, passed on and taken over, with the exact values.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;
use xdm_beacon::delivery::Consent;
use xdm_beacon::identity::{Identity, Options};
use xdm_beacon::time::Millis;

const ORG: &str = "0A1B2C3D4E5F60718293A4B5@AdobeOrg";
const ECID: &str = "15921341578853919360119213917925197322";
const OTHER_ECID: &str = "77094828402023918047117570965393734545";
/// What the page's randomness makes an id of.
const MADE: &str = "5e5e5e5e-5e5e-4e5e-9e5e-5e5e5e5e5e5e";
const SECONDS: Millis = NOW / 1000;

fn options(identity: Value) -> Options {
    Options::parse(&identity.to_string()).unwrap_or_else(|fault| panic!("{identity}: {fault:?}"))
}

/// A page at `url` on which nothing is.
fn page_at(url: &str) -> MemoryPage {
    let mut page = MemoryPage::default();
    page.moment.url = String::from(url);
    page
}

/// A page whose host has these cookies.
fn page_with(cookies: &[(&str, &str)]) -> MemoryPage {
    let page = MemoryPage::default();
    for (name, value) in cookies {
        let cookie = [*name, *value, "", "shop.example"].map(String::from);
        page.jar.borrow_mut().cookies.push(cookie);
    }
    page
}

/// A tag on `page` that sends events with nothing but identities.
fn tag_on(page: MemoryPage, identity: Value) -> Tag {
    let mut tag = Tag::bare();
    tag.page = page;
    tag.configure(
        json!({ "context": [], "identity": identity, "profile": profile(), "delivery": { "maxWaitMs": 0 } }),
    );
    tag
}

fn first_party(namespace: &str) -> Value {
    json!({ "firstParty": { "namespace": namespace } })
}

fn map_of(tag: &mut Tag) -> Value {
    tag.outcome_text("getIdentity", "").unwrap()["identityMap"].clone()
}

/// What `getIdentity` resolves to; the browser layer makes an object of the text.
fn identities(tag: &mut Tag) -> Value {
    serde_json::from_str(map_of(tag).as_str().unwrap()).unwrap()
}

/// The identities of an event with these options.
fn sent(tag: &mut Tag, event: Value) -> Value {
    tag.call("sendEvent", event);
    let map = tag.entity()["identityMap"].clone();
    tag.deliver();
    map
}

// ---- the first-party id ------------------------------------------------------------------------

#[test]
fn a_cookie_is_made_for_the_widest_domain_that_takes_it() {
    let made = |age: &str, rest: &str| format!("Path=/; Max-Age={age}; SameSite=Lax{rest}");
    let trial = "xdm_beacon_Shop_trial";
    let mut tag = tag_on(page_at("https://www.shop.co.uk/a"), first_party("Shop"));
    assert_eq!(
        tag.page.jar.borrow().written,
        [
            format!("{trial}={MADE}; {}", made("86400", "; Secure; Domain=co.uk")),
            format!("{trial}={MADE}; {}", made("86400", "; Secure; Domain=shop.co.uk")),
            format!("{trial}=; {}", made("0", "; Secure; Domain=shop.co.uk")),
            format!("xdm_beacon_Shop={MADE}; {}", made("33696000", "; Secure; Domain=shop.co.uk")),
        ]
    );
    assert_eq!(tag.page.jar.borrow().cookies.len(), 1, "the trial leaves nothing");
    assert_eq!(map_of(&mut tag), json!(format!("{{\"Shop\":[{{\"id\":\"{MADE}\",\"primary\":true}}]}}")));
    assert_eq!(sent(&mut tag, json!({})), json!({ "Shop": [{ "id": MADE, "primary": true }] }));
}

#[test]
fn of_each_host_the_domain() {
    for (url, domain) in [
        ("https://shop.example/", "shop.example"),
        ("https://www.shop.example/", "shop.example"),
        ("https://a.b.c.shop.example/", "shop.example"),
        ("https://www.shop.co.uk/", "shop.co.uk"),
        ("https://shop.co.uk/", "shop.co.uk"),
        ("https://ada.github.io/", "ada.github.io"),
        ("https://x.ada.github.io/", "ada.github.io"),
        ("https://shop.example:8443/?a=b.c", "shop.example"),
        // For this host alone.
        ("https://github.io/", ""),
        ("http://localhost:8080/", ""),
        ("http://127.0.0.1:8080/", ""),
        ("http://[::1]:8080/", ""),
        ("https://intranet/", ""),
    ] {
        let tag = tag_on(page_at(url), first_party("Shop"));
        let jar = tag.page.jar.borrow();
        let last = jar.written.last().unwrap();
        let written = last.split_once("; Domain=").map_or("", |(_, domain)| domain);
        assert_eq!(written, domain, "{url}");
        assert_eq!(last.contains("; Secure"), url.starts_with("https:"), "{url}");
        assert_eq!(jar.cookies.len(), 1, "{url}");
    }
}

#[test]
fn a_domain_that_is_given_is_not_tried_out() {
    let identity = json!({
        "firstParty": { "namespace": "Shop", "domain": "a.shop.example", "maxAgeDays": 7 },
    });
    let tag = tag_on(page_at("http://b.a.shop.example/"), identity);
    let expected =
        format!("xdm_beacon_Shop={MADE}; Path=/; Max-Age=604800; SameSite=Lax; Domain=a.shop.example");
    assert_eq!(tag.page.jar.borrow().written, [expected]);
}

#[test]
fn the_name_is_that_of_the_namespace() {
    for (namespace, name) in [
        ("Shop", "xdm_beacon_Shop"),
        ("web-id_2", "xdm_beacon_web-id_2"),
        ("a b;c=d.é", "xdm_beacon_a_b_c_d__"),
    ] {
        let mut tag = tag_on(MemoryPage::default(), first_party(namespace));
        assert_eq!(tag.page.jar.borrow().cookies[0][0], name);
        assert_eq!(identities(&mut tag), json!({ namespace: [{ "id": MADE, "primary": true }] }));
    }
}

#[test]
fn an_id_is_kept_and_renewed_on_each_page() {
    let mut tag = tag_on(page_with(&[("other", "1"), ("xdm_beacon_Shop", "kept-1")]), first_party("Shop"));
    assert_eq!(identities(&mut tag), json!({ "Shop": [{ "id": "kept-1", "primary": true }] }));
    let written = tag.page.jar.borrow().written.last().cloned().unwrap();
    assert!(written.starts_with("xdm_beacon_Shop=kept-1; Path=/; Max-Age=33696000"), "{written}");
    // Another page of the site, and another subdomain.
    for url in ["https://shop.example/next", "https://www.shop.example/"] {
        let mut page = page_at(url);
        page.jar.get_mut().cookies.clone_from(&tag.page.jar.borrow().cookies);
        let mut next = tag_on(page, first_party("Shop"));
        assert_eq!(identities(&mut next), json!({ "Shop": [{ "id": "kept-1", "primary": true }] }), "{url}");
    }
}

#[test]
fn of_two_cookies_the_one_that_the_browser_shows_first_is_the_id() {
    let url = format!("https://shop.example/?{OWN}");
    let mut page = page_at(&url);
    page.jar.get_mut().cookies.push(["xdm_beacon_Shop", "old", "", "shop.example"].map(String::from));
    let mut tag = tag_on(page, first_party("Shop"));
    assert_eq!(tag.page.jar.borrow().cookies.len(), 2);
    assert_eq!(identities(&mut tag), json!({ "Shop": [{ "id": "old", "primary": true }] }));
}

#[test]
fn what_can_be_no_id_is_replaced() {
    for value in ["", "a b", "a\"b", "ä", "a%3Bb", &"x".repeat(65)] {
        let mut tag = tag_on(page_with(&[("xdm_beacon_Shop", value)]), first_party("Shop"));
        // The cookie of this host alone is still there, and the browser shows it first.
        assert_eq!(identities(&mut tag), json!({}), "{value}");
        tag.page.jar.get_mut().cookies.clear();
        let mut tag = tag_on(tag.page, first_party("Shop"));
        assert_eq!(identities(&mut tag), json!({ "Shop": [{ "id": MADE, "primary": true }] }), "{value}");
    }
}

#[test]
fn local_storage_keeps_it_as_well() {
    let identity = json!({ "firstParty": { "namespace": "Shop", "storage": "localStorage" } });
    let mut tag = tag_on(MemoryPage::default(), identity.clone());
    assert_eq!(identities(&mut tag), json!({ "Shop": [{ "id": MADE, "primary": true }] }));
    assert_eq!(tag.page.local.borrow().iter().next(), Some((&"xdm_beacon_Shop".into(), &MADE.into())));
    assert_eq!(tag.page.jar.borrow().written, [""; 0]);
    let page = MemoryPage::default();
    page.local.borrow_mut().insert("xdm_beacon_Shop".into(), "kept-1".into());
    let mut tag = tag_on(page, identity);
    assert_eq!(identities(&mut tag), json!({ "Shop": [{ "id": "kept-1", "primary": true }] }));
    tag.forbid_identity(true);
    assert_eq!(tag.page.local.borrow().len(), 0);
}

#[test]
fn a_servers_cookie_is_read_and_neither_written_nor_removed() {
    let identity = json!({ "firstParty": { "namespace": "Shop", "storage": "serverCookie" } });
    let mut tag = tag_on(page_with(&[("xdm_beacon_Shop", "server.1")]), identity.clone());
    assert_eq!(identities(&mut tag), json!({ "Shop": [{ "id": "server.1", "primary": true }] }));
    tag.forbid_identity(true);
    assert_eq!(tag.page.jar.borrow().written, [""; 0]);
    assert_eq!(tag.page.jar.borrow().cookies.len(), 1);
    assert_eq!(identities(&mut tag_on(MemoryPage::default(), identity)), json!({}));
}

#[test]
fn an_id_that_cannot_be_kept_is_none() {
    let page = MemoryPage::default();
    page.jar.borrow_mut().off = true;
    let mut tag = tag_on(page, first_party("Shop"));
    assert_eq!(identities(&mut tag), json!({}));
    assert_eq!(sent(&mut tag, json!({})), Value::Null);
    let page = MemoryPage { local_full: true, ..MemoryPage::default() };
    let identity = json!({ "firstParty": { "namespace": "Shop", "storage": "localStorage" } });
    assert_eq!(identities(&mut tag_on(page, identity)), json!({}));
}

#[test]
fn nothing_is_made_unless_asked_for() {
    let tag = tag_on(MemoryPage::default(), json!({}));
    assert_eq!(tag.page.jar.borrow().written, [""; 0]);
    let tag = tag_on(MemoryPage::default(), json!({ "readEcid": false }));
    assert_eq!(tag.page.touched.get(), 0);
}

// ---- the ECID ----------------------------------------------------------------------------------

/// Base64url as Adobe's servers write it.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let groups = bits.as_bytes().chunks(6).map(|group| {
        let group = format!("{:0<6}", std::str::from_utf8(group).unwrap());
        char::from(LETTERS[usize::from_str_radix(&group, 2).unwrap()])
    });
    groups.collect()
}

/// The identity cookie of the Web SDK: the id in field 1, with what Adobe's servers put around it.
fn edge(ecid: &str) -> Vec<u8> {
    let mut bytes = vec![1 << 3 | 2, ecid.len() as u8];
    bytes.extend(ecid.bytes());
    // Metadata (field 10): created_at, is_new, device_type, region; write_time (field 30).
    bytes.extend([
        10 << 3 | 2,
        18,
        8,
        0xc8,
        0xc9,
        0xca,
        0x96,
        0xe2,
        0x97,
        0x32,
        16,
        1,
        24,
        1,
        42,
        3,
        b'O',
        b'R',
        b'2',
        48,
        0,
    ]);
    bytes.extend([0xf0, 1, 0xc8, 0xca, 0x96, 0xe2, 0x97, 0x32]);
    bytes
}

const EDGE: &str = "kndctr_0A1B2C3D4E5F60718293A4B5_AdobeOrg_identity";
const AMCV: &str = "AMCV_0A1B2C3D4E5F60718293A4B5@AdobeOrg";
const AMCV_ESCAPED: &str = "AMCV_0A1B2C3D4E5F60718293A4B5%40AdobeOrg";

fn ecid_in(cookies: &[(&str, &str)]) -> Value {
    identities(&mut tag_on(page_with(cookies), json!({})))["ECID"][0]["id"].clone()
}

#[test]
fn an_ecid_is_read_from_the_cookies_of_adobes_libraries() {
    let edge_value = base64(&edge(ECID));
    let visitor = format!("179643557|MCIDTS|20411|MCMID|{ECID}|MCAAMLH-1764|6|vVersion|5.5.0");
    let escaped = visitor.replace('|', "%7C");
    let found = json!(ECID);
    for (cookies, expected) in [
        (&[(EDGE, edge_value.as_str())][..], &found),
        (&[(EDGE, &format!("{edge_value}="))], &found),
        (&[(EDGE, &format!("{edge_value}%3D%3D"))], &found),
        (&[(EDGE, &edge_value.replace('-', "+").replace('_', "/"))], &found),
        (&[(AMCV, &visitor)], &found),
        (&[(AMCV, &escaped)], &found),
        (&[(AMCV_ESCAPED, &escaped)], &found),
        (&[(AMCV, &format!("MCMID|{ECID}"))], &found),
        (&[("a", "1"), (AMCV_ESCAPED, &escaped), ("b", "2")], &found),
        // The Web SDK's own word counts.
        (&[(AMCV, &format!("MCMID|{OTHER_ECID}")), (EDGE, &edge_value)], &found),
        (&[(EDGE, &edge_value), (AMCV, &format!("MCMID|{OTHER_ECID}"))], &found),
        (&[(EDGE, "rubbish"), (AMCV, &visitor)], &found),
        // Of another organisation, of another name, or none.
        (&[("kndctr_FFFF2C3D4E5F60718293A4B5_AdobeOrg_identity", &edge_value)], &Value::Null),
        (&[("AMCV_FFFF2C3D4E5F60718293A4B5@AdobeOrg", &visitor)], &Value::Null),
        (&[("kndctr_0A1B2C3D4E5F60718293A4B5_AdobeOrg_cluster", &edge_value)], &Value::Null),
        (&[("AMCVS_0A1B2C3D4E5F60718293A4B5@AdobeOrg", &visitor)], &Value::Null),
        (&[(AMCV, "MCIDTS|20411")], &Value::Null),
        (&[(AMCV, "MCMID|")], &Value::Null),
        (&[(AMCV, "MCMID")], &Value::Null),
        (&[(AMCV, "MCMID|NOTARGET")], &Value::Null),
        (&[(AMCV, &format!("MCMID|{}", "1".repeat(65)))], &Value::Null),
        (&[(AMCV, "")], &Value::Null),
        (&[(EDGE, "")], &Value::Null),
        (&[(EDGE, "%")], &Value::Null),
        (&[], &Value::Null),
    ] {
        assert_eq!(ecid_in(cookies), *expected, "{cookies:?}");
    }
}

#[test]
fn the_identity_cookie_is_read_field_by_field() {
    let id = |ecid: &str| [&[1 << 3 | 2, ecid.len() as u8], ecid.as_bytes()].concat();
    let after = |before: &[u8]| [before, &id(ECID)].concat();
    for (bytes, expected) in [
        (id(ECID), json!(ECID)),
        (after(&[]), json!(ECID)),
        (after(&[10 << 3 | 2, 3, 1, 2, 3]), json!(ECID)),
        (after(&[10 << 3 | 2, 0]), json!(ECID)),
        (after(&[0xa0, 0x01, 0xff, 0xff, 0x01]), json!(ECID)),
        (after(&[2 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]), json!(ECID)),
        (after(&[2 << 3 | 5, 1, 2, 3, 4]), json!(ECID)),
        // Field 1 of another type is passed over.
        (after(&[1 << 3, 7]), json!(ECID)),
        // Field 17, whose tag takes two bytes.
        (after(&[0x8a, 0x01, 1, 9]), json!(ECID)),
        ([id(ECID), vec![0xff; 20]].concat(), json!(ECID)),
        // Groups are no more, and 6 and 7 are no types.
        (after(&[2 << 3 | 3]), Value::Null),
        (after(&[2 << 3 | 6]), Value::Null),
        // Cut off, too long, or no end in sight.
        (id(ECID)[..30].to_vec(), Value::Null),
        (vec![1 << 3 | 2], Value::Null),
        (vec![1 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Value::Null),
        (vec![0xff; 40], Value::Null),
        (vec![], Value::Null),
        // No digits.
        (id("1592134157885391936011921391792519732x"), Value::Null),
        (id(""), Value::Null),
        (vec![1 << 3 | 2, 2, 0xc3, 0x28], Value::Null),
    ] {
        assert_eq!(ecid_in(&[(EDGE, &base64(&bytes))]), expected, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_cookies_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..80), text in "[ -~]{0,60}") {
        let bytes = base64(&bytes);
        for value in [&bytes, &text] {
            for name in [EDGE, AMCV] {
                let page = page_with(&[(name, value)]);
                let mut identity = Identity::default();
                identity.allow(&options(json!({})), ORG, value, &page);
            }
        }
    }

    #[test]
    fn any_id_comes_back_out_of_its_cookie(ecid in "[0-9]{38}", before in prop::collection::vec((2u8..16, any::<u64>()), 0..4)) {
        let mut bytes = Vec::new();
        for (field, mut number) in before {
            bytes.push(field << 3);
            while number > 127 {
                bytes.push(number as u8 | 128);
                number >>= 7;
            }
            bytes.push(number as u8);
        }
        bytes.extend(edge(&ecid));
        prop_assert_eq!(ecid_in(&[(EDGE, &base64(&bytes))]), json!(ecid));
    }
}

#[test]
fn an_ecid_is_read_from_the_visitor_service_of_the_page() {
    for (visitor, expected) in
        [(ECID, json!([{ "id": ECID, "primary": true }])), ("", Value::Null), ("no id", Value::Null)]
    {
        let page = MemoryPage { visitor: String::from(visitor), ..MemoryPage::default() };
        assert_eq!(identities(&mut tag_on(page, json!({})))["ECID"], expected);
    }
    let page =
        MemoryPage { visitor: String::from(OTHER_ECID), ..page_with(&[(AMCV, &format!("MCMID|{ECID}"))]) };
    assert_eq!(identities(&mut tag_on(page, json!({})))["ECID"][0]["id"], ECID, "a cookie comes first");
}

#[test]
fn an_ecid_that_comes_later_is_found_then_and_stays() {
    let mut tag = tag_on(MemoryPage::default(), json!({}));
    assert_eq!(sent(&mut tag, json!({})), Value::Null);
    let later = page_with(&[(AMCV, &format!("MCMID|{ECID}"))]);
    tag.page.jar = later.jar;
    assert_eq!(sent(&mut tag, json!({})), json!({ "ECID": [{ "id": ECID, "primary": true }] }));
    tag.page.jar.get_mut().cookies.clear();
    let before = tag.page.touched.get();
    assert_eq!(sent(&mut tag, json!({})), json!({ "ECID": [{ "id": ECID, "primary": true }] }));
    assert_eq!(tag.page.touched.get(), before, "what is known is not asked for again");
}

#[test]
fn a_site_may_do_without() {
    let page = MemoryPage { visitor: String::from(ECID), ..page_with(&[(AMCV, &format!("MCMID|{ECID}"))]) };
    let mut tag = tag_on(page, json!({ "readEcid": false }));
    assert_eq!(sent(&mut tag, json!({})), Value::Null);
    assert_eq!(tag.page.touched.get(), 0);
}

// ---- in events ---------------------------------------------------------------------------------

#[test]
fn at_most_one_is_primary_and_the_callers_comes_first() {
    let (e, s) = (json!([{ "id": ECID }]), json!([{ "id": MADE }]));
    let (ep, sp) = (json!([{ "id": ECID, "primary": true }]), json!([{ "id": MADE, "primary": true }]));
    let (c, cp) = (json!([{ "id": "c" }]), json!([{ "id": "c", "primary": true }]));
    let none = json!({});
    // `primary`, what the call gives, what is sent; with both, with the first-party id alone, with the ECID alone.
    let rows = [
        (None, &none, [json!({"ECID": ep, "Shop": s}), json!({"Shop": sp}), json!({"ECID": ep})]),
        (Some("ecid"), &none, [json!({"ECID": ep, "Shop": s}), json!({"Shop": s}), json!({"ECID": ep})]),
        (
            Some("firstParty"),
            &none,
            [json!({"ECID": e, "Shop": sp}), json!({"Shop": sp}), json!({"ECID": e})],
        ),
        (Some("none"), &none, [json!({"ECID": e, "Shop": s}), json!({"Shop": s}), json!({"ECID": e})]),
        (
            None,
            &json!({"CRM": c}),
            [
                json!({"ECID": ep, "Shop": s, "CRM": c}),
                json!({"Shop": sp, "CRM": c}),
                json!({"ECID": ep, "CRM": c}),
            ],
        ),
        (
            None,
            &json!({"CRM": cp}),
            [
                json!({"ECID": e, "Shop": s, "CRM": cp}),
                json!({"Shop": s, "CRM": cp}),
                json!({"ECID": e, "CRM": cp}),
            ],
        ),
        // Arrays are whole: a namespace of the caller's is the caller's.
        (
            None,
            &json!({"ECID": c}),
            [json!({"Shop": sp, "ECID": c}), json!({"Shop": sp, "ECID": c}), json!({"ECID": c})],
        ),
        (
            Some("ecid"),
            &json!({"ECID": c}),
            [json!({"Shop": s, "ECID": c}), json!({"Shop": s, "ECID": c}), json!({"ECID": c})],
        ),
        (
            None,
            &json!({"Shop": cp}),
            [json!({"ECID": e, "Shop": cp}), json!({"Shop": cp}), json!({"ECID": e, "Shop": cp})],
        ),
        (None, &json!({"ECID": []}), [json!({"Shop": sp}), json!({"Shop": sp}), Value::Null]),
        (None, &json!({"ECID": null, "Shop": ""}), [Value::Null, Value::Null, Value::Null]),
    ];
    for (primary, given, expected) in rows {
        for (sources, expected) in [(3, &expected[0]), (1, &expected[1]), (2, &expected[2])] {
            let mut identity = if sources & 1 == 1 { first_party("Shop") } else { json!({}) };
            if let Some(primary) = primary {
                identity["primary"] = json!(primary);
            }
            let cookie = format!("MCMID|{ECID}");
            let page = if sources & 2 == 2 { page_with(&[(AMCV, &cookie)]) } else { MemoryPage::default() };
            let mut tag = tag_on(page, identity);
            // From whichever source the caller takes.
            let mut flat = json!({});
            for (namespace, list) in given.as_object().unwrap() {
                flat[format!("identityMap.{namespace}")] = list.clone();
            }
            for event in [
                json!({ "identityMap": given }),
                json!({ "xdm": { "identityMap": given } }),
                json!({ "mapping": flat }),
                json!({ "mapping": flat, "xdm": { "identityMap": {} }, "identityMap": null }),
            ] {
                assert_eq!(sent(&mut tag, event.clone()), *expected, "{primary:?} {sources} {event}");
            }
        }
    }
}

#[test]
fn the_whole_map_may_be_taken_away() {
    let mut tag = tag_on(MemoryPage::default(), first_party("Shop"));
    for empty in [json!(null), json!(""), json!([])] {
        assert_eq!(sent(&mut tag, json!({ "xdm": { "identityMap": empty } })), Value::Null, "{empty}");
    }
    let list = json!([{ "id": "c" }]);
    let event = json!({ "mapping": { "identityMap": null }, "identityMap": { "CRM": list } });
    assert_eq!(sent(&mut tag, event), json!({ "CRM": list }));
    // Left out is not taken away.
    assert_eq!(sent(&mut tag, json!({ "identityMap": null }))["Shop"][0]["id"], MADE);
}

#[test]
fn it_stands_where_the_map_is_or_at_the_end() {
    let mut tag = tag_on(MemoryPage::default(), first_party("Shop"));
    tag.call("sendEvent", json!({ "type": "t", "xdm": { "_id": "i", "timestamp": "2026-11-24T03:49:50Z" } }));
    let head = r#""xdmEntity":{"_id":"i","timestamp":"2026-11-24T03:49:50Z""#;
    let own = format!(r#""Shop":[{{"id":"{MADE}","primary":true}}]"#);
    let expected = format!(r#"{head},"eventType":"t","identityMap":{{{own}}}}}}}}}"#);
    assert!(tag.sent[0].1.body.ends_with(&expected), "{}", tag.sent[0].1.body);
    let xdm = json!({ "_id": "i", "timestamp": "2026-11-24T03:49:50Z", "identityMap": { "CRM": [{ "id": "{}" }] }, "a": 1 });
    tag.call("sendEvent", json!({ "xdm": xdm }));
    let expected = format!(r#"{head},"identityMap":{{{own},"CRM":[{{"id":"{{}}"}}]}},"a":1}}}}}}"#);
    assert!(tag.sent[1].1.body.ends_with(&expected), "{}", tag.sent[1].1.body);
}

#[test]
fn an_event_never_gets_more_than_twenty() {
    let mut tag = tag_on(page_with(&[(AMCV, &format!("MCMID|{ECID}"))]), first_party("Shop"));
    for (given, added) in [(18, true), (19, false), (20, false)] {
        let list: Vec<Value> = (0..given).map(|id| json!({ "id": id.to_string() })).collect();
        let map = sent(&mut tag, json!({ "identityMap": { "CRM": list } }));
        assert_eq!(map.as_object().unwrap().len(), if added { 3 } else { 1 }, "{given}");
    }
}

#[test]
fn a_profile_record_gets_what_it_is_given_and_nothing_else() {
    let mut tag = tag_on(MemoryPage::default(), first_party("Shop"));
    let record = json!({ "identityMap": { "CRM": [{ "id": "1", "primary": true }] } });
    tag.call("sendProfile", record.clone());
    assert_eq!(tag.entity(), record);
}

// ---- consent -----------------------------------------------------------------------------------

fn consent(tag: &mut Tag, consent: Consent) {
    tag.tell(|engine, now, effects| engine.consent(consent, now, effects));
    tag.wait(0);
}

#[test]
fn nothing_is_touched_while_it_is_not_allowed() {
    let options = options(first_party("Shop"));
    let page = page_with(&[(AMCV, &format!("MCMID|{ECID}"))]);
    let mut identity = Identity::default();
    identity.arrive("https://shop.example/", &options, ORG, NOW);
    identity.look(&options, ORG, &page);
    assert_eq!(identity.known(&options).map(|known| known.id), ["", ""]);
    assert_eq!(identity.append_to("/a", &options, ORG, NOW), "/a");
    identity.forbid(&options, false, &page);
    assert_eq!(page.touched.get(), 0);
    identity.allow(&options, ORG, "", &page);
    assert_eq!(identity.known(&options).map(|known| known.id), [ECID, MADE]);
    let touched = page.touched.get();
    identity.forbid(&options, false, &page);
    identity.look(&options, ORG, &page);
    assert_eq!(identity.known(&options).map(|known| known.id), ["", ""]);
    assert_eq!(page.touched.get(), touched);
}

#[test]
fn events_that_waited_for_consent_get_the_identities_then() {
    let mut tag = tag_on(page_with(&[(AMCV, &format!("MCMID|{ECID}"))]), first_party("Shop"));
    tag.forbid_identity(false);
    consent(&mut tag, Consent::Pending);
    let events = [
        (json!({}), json!({ "ECID": [{ "id": ECID, "primary": true }], "Shop": [{ "id": MADE }] })),
        (
            json!({ "identityMap": { "CRM": [{ "id": "c", "primary": true }] } }),
            json!({ "ECID": [{ "id": ECID }], "Shop": [{ "id": MADE }], "CRM": [{ "id": "c", "primary": true }] }),
        ),
        (
            json!({ "xdm": { "identityMap": { "ECID": [] } } }),
            json!({ "Shop": [{ "id": MADE, "primary": true }] }),
        ),
        (json!({ "xdm": { "identityMap": null } }), Value::Null),
    ];
    for (event, _) in &events {
        let outcome = tag.call_and_see("sendEvent", event.clone()).unwrap().unwrap();
        assert_eq!(outcome["status"], "pending");
    }
    let record = json!({ "identityMap": { "CRM": [{ "id": "1" }] } });
    tag.call("sendProfile", record.clone());
    assert_eq!(identities(&mut tag), json!({}), "none is known before");
    assert_eq!(tag.sent.len(), 0);
    tag.allow_identity();
    consent(&mut tag, Consent::In);
    let body: Value = serde_json::from_str(&tag.sent[0].1.body).unwrap();
    let entity = |at: usize| &body["messages"][at]["body"]["xdmEntity"];
    for (at, (event, expected)) in events.iter().enumerate() {
        assert_eq!(entity(at)["identityMap"], *expected, "{event}");
        assert_eq!(entity(at)["_id"], generated_id(at as u8 + 1));
    }
    assert_eq!(*entity(events.len()), record);
    assert_eq!(tag.status()["accepted"], 5);
}

#[test]
fn an_event_that_would_grow_too_large_stays_as_it_is() {
    let mut tag = tag_on(MemoryPage::default(), first_party("Shop"));
    tag.forbid_identity(false);
    consent(&mut tag, Consent::Pending);
    let room = 1_000_000 - 700;
    tag.call("sendEvent", json!({ "xdm": { "a": "x".repeat(room) } }));
    let before = tag.status()["pending"].clone();
    let lengths = |tag: &mut Tag| {
        let mut lengths = Vec::new();
        tag.beacon.deliver(&mut Vec::new(), |engine, fx| {
            engine.amend_pending(
                &mut |json, _| {
                    lengths.push(json.len());
                    None
                },
                fx,
            );
        });
        lengths
    };
    let length = lengths(&mut tag)[0];
    assert!(length > 1_000_000 - 700 && length < 1_000_000, "{length}");
    // Fill it up to a byte below the limit.
    tag.call("sendEvent", json!({ "xdm": { "a": "x".repeat(room + 999_999 - length) } }));
    assert_eq!(lengths(&mut tag), [length, 999_999]);
    assert_eq!(before, 1);
    tag.allow_identity();
    let after = lengths(&mut tag);
    assert!(after[0] > length && after[1] == 999_999, "{after:?}");
}

#[test]
fn what_is_refused_is_removed_from_wherever_it_is() {
    let mut tag = tag_on(page_at("https://www.shop.example/"), first_party("Shop"));
    // Left by an earlier configuration.
    for domain in ["", "www.shop.example"] {
        let cookie = ["xdm_beacon_Shop", "old", domain, "www.shop.example"].map(String::from);
        tag.page.jar.get_mut().cookies.push(cookie);
    }
    let theirs = [AMCV, "MCMID|1", "", "www.shop.example"].map(String::from);
    tag.page.jar.get_mut().cookies.push(theirs.clone());
    tag.forbid_identity(true);
    assert_eq!(tag.page.jar.borrow().cookies, [theirs], "Adobe's are not ours to remove");
    assert_eq!(identities(&mut tag), json!({}));
    assert_eq!(sent(&mut tag, json!({})), Value::Null);
    // And nothing is written where nothing is.
    let written = tag.page.jar.borrow().written.len();
    tag.forbid_identity(true);
    assert_eq!(tag.page.jar.borrow().written.len(), written);
    // Consent again makes another one.
    tag.allow_identity();
    assert_eq!(identities(&mut tag)["Shop"], json!([{ "id": MADE }]));
}

// ---- from one domain to another ----------------------------------------------------------------

const ADOBE_MC: &str = "adobe_mc=TS%3D1795492190%7CMCMID%3D15921341578853919360119213917925197322%7CMCORGID%3D0A1B2C3D4E5F60718293A4B5%40AdobeOrg";
const OWN: &str = "xdm_beacon_id=TS%3D1795492190%7CID%3D5e5e5e5e-5e5e-4e5e-9e5e-5e5e5e5e5e5e%7CNS%3DShop%7CMCORGID%3D0A1B2C3D4E5F60718293A4B5%40AdobeOrg";

#[test]
fn a_url_is_given_what_is_known() {
    let both = format!("{ADOBE_MC}&{OWN}");
    let cookie = format!("MCMID|{ECID}");
    for (identity, cookies, added) in [
        (first_party("Shop"), &[(AMCV, cookie.as_str())][..], both.as_str()),
        (json!({}), &[(AMCV, &cookie)], ADOBE_MC),
        (first_party("Shop"), &[], OWN),
        (json!({}), &[], ""),
    ] {
        let mut tag = tag_on(page_with(cookies), identity);
        for (before, separator, after) in [
            ("https://other.example/", "?", ""),
            ("https://other.example", "?", ""),
            ("https://other.example/a?b=c", "&", ""),
            ("https://other.example/a?b=c&adobe_mc=old", "&", ""),
            ("https://other.example/a", "?", "#top"),
            ("https://other.example/a?b=c", "&", "#/r?d=e"),
            ("//other.example/a", "?", ""),
            ("/a?b", "&", ""),
            ("a", "?", "#"),
            ("?a", "&", ""),
            ("HTTP://other.example/", "?", ""),
            ("/a:b", "?", ""),
        ] {
            let url = format!("{before}{after}");
            let expected =
                if added.is_empty() { url.clone() } else { format!("{before}{separator}{added}{after}") };
            let outcome = tag.outcome("appendIdentityToUrl", json!({ "url": url }));
            assert_eq!(outcome, Ok(json!({ "url": expected })));
        }
        for url in [
            "mailto:ada@example.com",
            "javascript:void(0)",
            " tel:+49",
            "data:text/plain,?a#b",
            "about:blank",
        ] {
            assert_eq!(tag.outcome("appendIdentityToUrl", json!({ "url": url })), Ok(json!({ "url": url })));
        }
    }
}

#[test]
fn what_is_asked_for_has_a_url() {
    let mut tag = tag_on(MemoryPage::default(), json!({}));
    assert_eq!(tag.outcome("appendIdentityToUrl", json!({})), refusal("url", MISSING));
    assert_eq!(tag.outcome("appendIdentityToUrl", json!({ "url": "" })), refusal("url", EMPTY));
    tag.forbid_identity(false);
    assert_eq!(tag.outcome("appendIdentityToUrl", json!({ "url": "/a" })), Ok(json!({ "url": "/a" })));
}

/// The identities of a page that begins at `url`, for a namespace `Shop`.
fn arrived(url: &str) -> [String; 2] {
    let options = options(first_party("Shop"));
    let mut identity = Identity::default();
    identity.arrive(url, &options, ORG, NOW);
    identity.allow(&options, ORG, "", &page_at("https://other.example/"));
    identity.known(&options).map(|known| String::from(known.id))
}

#[test]
fn identities_are_taken_over_within_five_minutes_by_the_same_organisation() {
    let ecid = |fields: &str| arrived(&format!("https://other.example/?{fields}#x"))[0].clone();
    let adobe =
        |ts: &str, id: &str, org: &str| format!("adobe_mc=TS%3D{ts}%7CMCMID%3D{id}%7CMCORGID%3D{org}");
    let org = "0A1B2C3D4E5F60718293A4B5%40AdobeOrg";
    let at = |seconds: Millis| (SECONDS + seconds).to_string();
    for (seconds, taken) in [
        (0, true),
        (-299, true),
        (-300, false),
        (-301, false),
        (299, true),
        (300, true),
        (301, false),
        (-86_400, false),
    ] {
        // 1,795,492,190.123 s is now: of 300 seconds ago are 300.123.
        let expected = if taken { ECID } else { "" };
        assert_eq!(ecid(&adobe(&at(seconds), ECID, org)), expected, "{seconds}");
    }
    let now = &at(0);
    for (fields, expected) in [
        (adobe(now, ECID, "0A1B2C3D4E5F60718293A4B5%2540AdobeOrg"), ECID),
        (adobe(now, ECID, "0A1B2C3D4E5F60718293A4B5@AdobeOrg"), ECID),
        (format!("adobe_mc=TS={now}|MCMID={ECID}|MCORGID={ORG}"), ECID),
        (format!("adobe_mc=MCORGID={ORG}|X=1|MCMID={ECID}|Y|TS={now}"), ECID),
        (format!("a=1&{}&b=2", adobe(now, ECID, org)), ECID),
        // The last one counts, good or not.
        (format!("{}&{}", adobe(now, OTHER_ECID, org), adobe(now, ECID, org)), ECID),
        (format!("{}&{}", adobe(now, ECID, org), adobe(&at(-301), OTHER_ECID, org)), ""),
        (format!("{}&adobe_mc=", adobe(now, ECID, org)), ""),
        // Of others, or malformed.
        (adobe(now, ECID, "FFFF2C3D4E5F60718293A4B5%40AdobeOrg"), ""),
        (adobe("soon", ECID, org), ""),
        (adobe("", ECID, org), ""),
        (adobe(now, "", org), ""),
        (adobe(now, "12x", org), ""),
        (adobe("999999999999999", ECID, org), ""),
        (adobe("-999999999999999", ECID, org), ""),
        (format!("adobe_mc=TS%3D{now}%7CMCMID%3D{ECID}"), ""),
        (format!("adobe_mc=MCMID%3D{ECID}%7CMCORGID%3D{org}"), ""),
        (format!("adobe_mc=TS%3D{now}%7CMCMID%3D{ECID}%7CMCORGID%3D{org}%FF"), ""),
        (format!("x{}", adobe(now, ECID, org)), ""),
        (String::from("adobe_mc"), ""),
        (String::from("adobe_mc=%7C%7C%3D%7C"), ""),
    ] {
        assert_eq!(ecid(&fields), expected, "{fields}");
    }
    let hash = format!("https://other.example/#/route?{}", adobe(now, ECID, org));
    assert_eq!(arrived(&hash)[0], ECID, "in the query of a fragment");
    let path = format!("https://other.example/{}", adobe(now, ECID, org));
    assert_eq!(arrived(&path)[0], "", "not in a path");
}

#[test]
fn a_first_party_id_is_taken_over_in_its_own_namespace() {
    let own = |ts: Millis, id: &str, namespace: &str, org: &str| {
        format!(
            "https://other.example/?xdm_beacon_id=TS%3D{ts}%7CID%3D{id}%7CNS%3D{namespace}%7CMCORGID%3D{org}"
        )
    };
    for (url, expected) in [
        (own(SECONDS, "their-1", "Shop", ORG), "their-1"),
        (own(SECONDS - 301, "their-1", "Shop", ORG), MADE),
        (own(SECONDS, "their-1", "Other", ORG), MADE),
        (own(SECONDS, "their-1", "", ORG), MADE),
        (own(SECONDS, "their-1", "Shop", "B@AdobeOrg"), MADE),
        // What could not stand in a cookie.
        (own(SECONDS, "a%253B%20Domain%253Dx", "Shop", ORG), MADE),
        (own(SECONDS, &"x".repeat(65), "Shop", ORG), MADE),
        (own(SECONDS, "", "Shop", ORG), MADE),
    ] {
        assert_eq!(arrived(&url)[1], expected, "{url}");
    }
}

#[test]
fn what_one_domain_appends_another_takes_over() {
    for namespace in ["Shop", "a|b=c&d e%é"] {
        let mut here = tag_on(page_with(&[(AMCV, &format!("MCMID|{ECID}"))]), first_party(namespace));
        let outcome =
            here.outcome("appendIdentityToUrl", json!({ "url": "https://other.example/?a=1#b" })).unwrap();
        let mut page = page_at(outcome["url"].as_str().unwrap());
        page.moment.now += 299_000;
        let kept = [here.page.jar.borrow().cookies[1][0].as_str(), "old", "other.example", "other.example"]
            .map(String::from);
        page.jar.get_mut().cookies.push(kept);
        let mut there = tag_on(page, first_party(namespace));
        let expected = json!({ "ECID": [{ "id": ECID, "primary": true }], namespace: [{ "id": MADE }] });
        assert_eq!(identities(&mut there), expected, "{namespace}");
        assert_eq!(
            there.page.jar.borrow().cookies[0][1],
            MADE,
            "the one that came takes the place of the one there"
        );

        // The next page of the tab: the URL says nothing any more.
        let mut next = page_at("https://other.example/next");
        next.jar = there.page.jar;
        next.memory = there.page.memory;
        let mut next = tag_on(next, first_party(namespace));
        assert_eq!(identities(&mut next), expected, "{namespace}");
        next.forbid_identity(true);
        assert_eq!(next.page.memory.borrow().len(), 0);
    }
}

#[test]
fn a_link_is_of_no_use_once_consent_was_refused() {
    let options = options(first_party("Shop"));
    let page = page_at("https://other.example/");
    let mut identity = Identity::default();
    identity.arrive(&format!("https://other.example/?{ADOBE_MC}"), &options, ORG, NOW);
    identity.forbid(&options, true, &page);
    identity.allow(&options, ORG, "", &page);
    assert_eq!(identity.known(&options).map(|known| known.id), ["", MADE]);
}

#[test]
fn a_link_is_as_good_as_it_was_when_the_page_began() {
    let options = options(first_party("Shop"));
    let mut identity = Identity::default();
    identity.arrive(&format!("https://other.example/?{ADOBE_MC}&{OWN}"), &options, ORG, NOW);
    // An hour later there is consent.
    let mut page = page_at("https://other.example/elsewhere");
    page.moment.now += 3_600_000;
    identity.allow(&options, ORG, "", &page);
    assert_eq!(identity.known(&options).map(|known| known.id), [ECID, MADE]);
}
