//! `onBeforeEventSend`: what the page makes of an event is checked like any event; what it cancels is counted.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use support::*;
use xdm_beacon::command::Verdict;
use xdm_beacon::delivery::Answer;

/// A tag that shows its events, and what it has shown.
fn showing(
    changes: Value,
    mut before: impl FnMut(Value) -> Verdict + 'static,
) -> (Tag, Rc<RefCell<Vec<Value>>>) {
    let mut options = json!({
        "context": [],
        "profile": profile(),
        "delivery": { "maxWaitMs": 0 },
        "onBeforeEventSend": "a function",
    });
    options.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut tag = Tag::configured(options);
    let shown = Rc::new(RefCell::new(Vec::new()));
    let seen = shown.clone();
    tag.before = Box::new(move |event| {
        seen.borrow_mut().push(event.clone());
        before(event)
    });
    (tag, shown)
}

/// One whose function leaves this of every event.
fn leaving(xdm: &str) -> Tag {
    let xdm = String::from(xdm);
    showing(json!({}), move |_| Verdict::Send(xdm.clone())).0
}

fn event() -> Value {
    json!({ "type": "t", "xdm": { "web": { "webPageDetails": { "name": "Mugs" } } } })
}

#[test]
fn the_function_sees_the_whole_event_once_and_nothing_else() {
    let (mut tag, shown) = showing(json!({ "context": ["web"] }), |event| Verdict::Send(event.to_string()));
    let ticket = tag.call("sendEvent", event());
    let expected = json!({
        "_id": generated_id(1),
        "timestamp": "2026-11-24T03:49:50.123Z",
        "eventType": "t",
        "web": {
            "webPageDetails": { "URL": "https://shop.example/mugs?colour=blue#top", "name": "Mugs" },
            "webReferrer": { "URL": "https://search.example/", "type": "external" },
        },
    });
    assert_eq!(*shown.borrow(), std::slice::from_ref(&expected));
    assert_eq!(tag.entity(), expected);
    tag.deliver();
    assert_eq!(tag.result(ticket).unwrap()["status"], "delivered");

    tag.call("sendProfile", json!({ "xdm": { "identityMap": { "CRM": [{ "id": "1" }] } } }));
    assert_eq!(tag.sent.len(), 2, "a record is sent");
    assert_eq!(shown.borrow().len(), 1, "and not shown");
    tag.outcome("sendEvent", json!({ "xdm": { "_id": "a b" } })).unwrap_err();
    assert_eq!(shown.borrow().len(), 1, "nor is an event that is refused anyhow");
}

#[test]
fn what_it_leaves_is_what_is_sent() {
    let now = "2026-11-24T03:49:50.123Z";
    for (left, sent) in [
        (
            r#"{"_id":"mine","timestamp":"1970-01-01T00:00:00Z","a":1}"#,
            json!({ "_id": "mine", "timestamp": "1970-01-01T00:00:00Z", "a": 1 }),
        ),
        // What an event must have and it took away is made again.
        ("{}", json!({ "_id": generated_id(1), "timestamp": now })),
        (r#"{"_id":"","timestamp":null}"#, json!({ "_id": generated_id(1), "timestamp": now })),
        // Empty values are left out here, too.
        (
            r#"{"a":"","b":{"c":[]},"eventType":"x"}"#,
            json!({ "_id": generated_id(1), "timestamp": now, "eventType": "x" }),
        ),
    ] {
        let mut tag = leaving(left);
        let ticket = tag.call("sendEvent", event());
        assert_eq!(tag.entity(), sent, "{left}");
        tag.deliver();
        let expected = json!({ "id": sent["_id"], "timestamp": sent["timestamp"], "status": "delivered" });
        assert_eq!(tag.result(ticket), Ok(expected));
    }
}

#[test]
fn what_it_leaves_is_checked_like_any_event() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(33), "}".repeat(33));
    let large = json!({ "a": "x".repeat(1_000_000) }).to_string();
    let deep_path = format!("onBeforeEventSend.xdm{}", ".a".repeat(32));
    for (left, path, code) in [
        ("null", "onBeforeEventSend.xdm", "not-an-object"),
        ("[]", "onBeforeEventSend.xdm", "not-an-object"),
        ("5", "onBeforeEventSend.xdm", "not-an-object"),
        (r#""text""#, "onBeforeEventSend.xdm", "not-an-object"),
        (r#"{"_id":"a b"}"#, "onBeforeEventSend.xdm._id", "not-an-id"),
        (r#"{"_id":5}"#, "onBeforeEventSend.xdm._id", "not-a-string"),
        (r#"{"timestamp":"yesterday"}"#, "onBeforeEventSend.xdm.timestamp", "not-a-timestamp"),
        (r#"{"eventType":5}"#, "onBeforeEventSend.xdm.eventType", "not-a-string"),
        (
            r#"{"identityMap":{"CRM":[{"id":5}]}}"#,
            "onBeforeEventSend.xdm.identityMap.CRM[0].id",
            "not-a-string",
        ),
        (r#"{"productListItems":[{}]}"#, "onBeforeEventSend.xdm.productListItems[0]", "empty-element"),
        (deep.as_str(), deep_path.as_str(), "too-deep"),
        (large.as_str(), "sendEvent", "too-large"),
    ] {
        let mut tag = leaving(left);
        let before = tag.status();
        let (found, message) = tag.outcome("sendEvent", event()).unwrap_err();
        assert_eq!(found, code, "{path}");
        let start = format!("xdmBeacon: '{path}' ");
        assert!(message.starts_with(&start), "{message} starts with {start}");
        assert_eq!(tag.sent.len(), 0);
        assert_eq!(tag.status(), before, "nothing is counted");
    }
}

#[test]
fn a_cancelled_event_is_dropped_and_counted() {
    let (mut tag, _) = showing(json!({}), |event| match event["eventType"].as_str() {
        Some("secret") => Verdict::Cancel,
        _ => Verdict::Send(event.to_string()),
    });
    let outcome = tag.outcome("sendEvent", json!({ "type": "secret", "xdm": { "_id": "a" } }));
    let expected = json!({ "id": "a", "timestamp": "2026-11-24T03:49:50.123Z", "status": "dropped", "reason": "cancelled" });
    assert_eq!(outcome, Ok(expected));
    tag.call("sendEvent", event());
    tag.deliver();
    assert_eq!(tag.sent.len(), 1);
    let status = tag.status();
    assert_eq!(status["accepted"], 2);
    assert_eq!(status["delivered"], 1);
    assert_eq!(status["dropped"]["cancelled"], 1);
}

#[test]
fn a_function_that_throws_or_does_not_decide_costs_that_event_alone() {
    for (verdict, code, text) in [
        (
            (|| Verdict::Failed(String::from("TypeError: mine"))) as fn() -> Verdict,
            "callback-failed",
            "xdmBeacon: 'onBeforeEventSend' failed, so this event was not sent: mend it (TypeError: mine)",
        ),
        (
            || Verdict::Failed(String::new()),
            "callback-failed",
            "xdmBeacon: 'onBeforeEventSend' failed, so this event was not sent: mend it",
        ),
        (
            || Verdict::Undecided,
            "callback-async",
            "xdmBeacon: 'onBeforeEventSend' gave back a promise, so this event was not sent: it must decide at once",
        ),
    ] {
        let mut first = true;
        let (mut tag, _) = showing(json!({ "debug": true }), move |event| {
            if std::mem::take(&mut first) { verdict() } else { Verdict::Send(event.to_string()) }
        });
        let outcome = tag.outcome("sendEvent", event());
        assert_eq!(outcome, Err((String::from(code), String::from(text))));
        assert_eq!(tag.logs, [text]);
        assert_eq!(tag.status()["accepted"], 0);
        tag.call("sendEvent", event());
        assert_eq!(tag.sent.len(), 1, "the next one is sent");
    }
}

#[test]
fn an_event_has_its_number_once_it_is_to_be_sent() {
    let mut count = 0;
    let (mut tag, shown) = showing(
        json!({ "delivery": { "maxWaitMs": 0, "sequencePath": "_acme.place" } }),
        move |mut event| {
            count += 1;
            event["_acme"] = json!({ "place": { "number": 99, "mine": 1 } });
            if count == 2 { Verdict::Cancel } else { Verdict::Send(event.to_string()) }
        },
    );
    for number in [Some(1), None, Some(2)] {
        tag.call("sendEvent", event());
        if let Some(number) = number {
            assert_eq!(
                tag.entity()["_acme"]["place"],
                json!({ "session": OWNER, "number": number, "mine": 1 })
            );
            tag.deliver();
        }
    }
    assert!(shown.borrow().iter().all(|event| event.get("_acme").is_none()), "it is not the page's business");
}

#[test]
fn a_timestamp_ahead_of_the_endpoints_clock_is_put_back_whoever_set_it() {
    let mut tag = leaving(r#"{"_id":"a","timestamp":"2027-01-01T00:00:00Z"}"#);
    let ticket = tag.call("sendEvent", event());
    // The endpoint has the page's time.
    let body = json!({ "receivedTimeMs": NOW }).to_string();
    let request = *tag.open.first().unwrap();
    tag.answer(request, Answer::Response { status: 200, body: &body, retry_after: "" });
    assert_eq!(tag.result(ticket).unwrap()["timestamp"], "2027-01-01T00:00:00Z");
    tag.call("sendEvent", event());
    assert_eq!(tag.entity()["timestamp"], "2026-11-24T03:49:50.123Z");
    assert_eq!(tag.status()["timestampsCorrected"], 1);
}

#[test]
fn without_a_function_nothing_is_shown() {
    // `Tag` panics when it is shown something that nobody asked for.
    let mut tag = Tag::configured(json!({ "context": [] }));
    tag.call("sendEvent", event());
    assert_eq!(tag.sent.len(), 1);
}
