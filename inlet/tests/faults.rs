//! Every fault, as a client meets it.

mod common;

use common::{INLET, Request, Server, event};
use serde_json::json;

fn single() -> String {
    format!("/collection/{INLET}")
}

fn from_origin<'a>(method: &'a str, path: &str) -> Request<'a> {
    Request::new(method, path).header("origin", "https://shop.example")
}

#[test]
fn a_status_is_answered_instead_of_processing() {
    let server = Server::start(&[]);
    server.faults(&json!({"status": 503, "retryAfter": 7, "exposeRetryAfter": true}));
    let answer = server.send(&event("x"));
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("retry-after"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.json()["status"], 503);
    assert_eq!(answer.report(), "A fault is switched on at /inspect/faults");
    assert_eq!(server.ask(from_origin("OPTIONS", &single())).status, 204);
    assert_eq!(server.counts()["received"], 0);
    server.faults(&json!({"status": 429, "target": "collection"}));
    let answer = server.post(&format!("/collection/batch/{INLET}"), &json!({"messages": [event("x")]}));
    assert_eq!((answer.status, answer.header("retry-after")), (429, None));
    assert_eq!(answer.header("access-control-expose-headers"), None);
    server.faults(&json!({"status": 500, "target": "platform"}));
    assert_eq!(server.send(&event("x")).status, 200);
    server.faults(&json!({}));
    assert_eq!(server.send(&event("y")).status, 200);
}

#[test]
fn a_ratio_hits_some_and_the_rest_is_stored() {
    let server = Server::start(&[]);
    server.faults(&json!({"status": 500, "ratio": 0.5}));
    let statuses: Vec<u16> = (0..60).map(|n| server.send(&event(&n.to_string())).status).collect();
    let passed = statuses.iter().filter(|status| **status == 200).count();
    assert!((1..60).contains(&passed), "{statuses:?}");
    assert_eq!(passed + statuses.iter().filter(|status| **status == 500).count(), 60);
    assert_eq!(server.counts()["good"], passed);
}

#[test]
fn a_dropped_connection_gets_no_answer() {
    let server = Server::start(&[]);
    for (when, stored) in [("before", 0), ("afterCommit", 1)] {
        server.faults(&json!({"drop": when}));
        let outcome = Request::new("POST", &single()).json(&event("x")).try_to(&server.address);
        assert!(outcome.is_err(), "{when}: {outcome:?}");
        assert_eq!(server.counts()["good"], stored, "{when}");
        assert_eq!(server.ask(from_origin("OPTIONS", &single())).status, 204);
        let body = event("x").to_string();
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            single(),
            body.len(),
        );
        assert_eq!(common::raw(&server.address, request.as_bytes()), "");
    }
}

#[test]
fn a_delay_holds_the_answer_back() {
    let server = Server::start(&[]);
    server.faults(&json!({"delayMs": 300}));
    let start = std::time::Instant::now();
    assert_eq!(server.send(&event("x")).status, 200);
    assert!(start.elapsed() >= std::time::Duration::from_millis(300));
}

#[test]
fn items_of_a_batch_fail_alone() {
    let server = Server::start(&[]);
    server.faults(&json!({"itemStatus": 500, "ratio": 0.5}));
    let messages: Vec<_> = (0..60).map(|n| event(&n.to_string())).collect();
    let answer = server.post(&format!("/collection/batch/{INLET}"), &json!({"messages": messages}));
    assert_eq!(answer.status, 207);
    let body = answer.json();
    let responses = body["responses"].as_array().unwrap();
    let failed: Vec<_> = responses.iter().filter(|response| response.get("statusCode").is_some()).collect();
    assert!((1..60).contains(&failed.len()));
    assert!(failed.iter().all(|response| response["statusCode"] == 500 && response["xactionId"].is_string()));
    assert_eq!(server.counts()["good"], 60 - failed.len());
    let stored: Vec<_> =
        server.rows("/inspect/good?limit=1000").iter().map(|row| row["xactionId"].clone()).collect();
    assert!(failed.iter().all(|response| !stored.contains(&response["xactionId"])));
    server.faults(&json!({"itemStatus": 500}));
    assert_eq!(server.send(&event("single")).status, 200);
}

#[test]
fn cors_modes_hold_for_every_answer() {
    let server = Server::start(&[]);
    let path = single();
    let asked = |mode: serde_json::Value| {
        server.faults(&json!({"cors": mode, "ratio": 0}));
        let post = from_origin("POST", &path).json(&event("x"));
        let wrong = from_origin("POST", &path).json(&json!({}));
        [
            server.ask(from_origin("OPTIONS", &path)),
            server.ask(post),
            server.ask(wrong),
            server.ask(from_origin("GET", &path)),
        ]
    };
    for answer in asked(json!("star")) {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    for answer in asked(json!("credentials")) {
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example"));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    for answer in asked(json!("none")) {
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{answer:?}");
    }
    server.faults(&json!({"cors": "credentials"}));
    assert_eq!(server.send(&event("x")).header("access-control-allow-origin"), None);
}
