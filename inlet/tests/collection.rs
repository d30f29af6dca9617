//! The collection routes: what is answered to what, over HTTP.

mod common;

use common::{EVENT_SCHEMA, EVENTS, INLET, ORG, Request, Server, entity, event, message, raw};
use serde_json::{Value, json};

fn single() -> String {
    format!("/collection/{INLET}")
}

fn batch() -> String {
    format!("/collection/batch/{INLET}")
}

#[test]
fn a_single_message_is_received_stored_and_shown() {
    let server = Server::start(&[]);
    let sent = event("one");
    let answer = server.send(&sent);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let body = answer.json();
    assert_eq!(body["inletId"], INLET);
    assert_eq!(body["syncValidation"], json!({"skipped": true}));
    let rows = server.rows("/inspect/good");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row["message"], sent);
    assert_eq!(row["seq"], 1);
    assert_eq!(row["verdict"], "good");
    assert_eq!(row["xactionId"], body["xactionId"]);
    assert_eq!(row["receivedAt"], body["receivedTimeMs"]);
    assert_eq!(row["inletId"], INLET);
    assert_eq!(row["datasetId"], EVENTS);
    assert_eq!(row["eventType"], "web.webpagedetails.pageViews");
    assert_eq!(row["id"], "one");
    assert_eq!(row["duplicate"], false);
    assert_eq!(row["bytes"], sent.to_string().len());
    assert!(row.get("violations").is_none());
    assert_eq!(row["latency"]["profileMs"], Value::Null);
    let received = row["receivedAt"].as_i64().unwrap();
    let stored_at = row["latency"]["storedMs"].as_i64().unwrap() + 1_768_472_430_000;
    assert!((received..received + 60_000).contains(&stored_at));
    assert_eq!(server.counts(), json!({"received": 1, "good": 1, "bad": 0, "duplicates": 0}));
}

#[test]
fn an_invalid_entity_is_received_with_200_and_lands_among_the_bad() {
    let server = Server::start(&[]);
    let mut sent = event("one");
    sent["body"]["xdmEntity"]["typo"] = json!(1);
    sent["body"]["xdmEntity"]["loyalty"] = json!({});
    let answer = server.send(&sent);
    assert_eq!((answer.status, &answer.json()["syncValidation"]), (200, &json!({"skipped": true})));
    let rows = server.rows("/inspect/bad");
    assert_eq!(rows[0]["verdict"], "bad");
    let typo = json!({"pointer": "/typo", "keyword": "additionalProperties", "message": "extraneous key [typo] is not permitted"});
    assert!(rows[0]["violations"].as_array().unwrap().contains(&typo), "{}", rows[0]["violations"]);
    assert_eq!(server.counts(), json!({"received": 1, "good": 0, "bad": 1, "duplicates": 0}));
}

#[test]
fn the_same_id_in_the_same_dataset_is_a_duplicate_and_kept() {
    let server = Server::start(&[]);
    server.send(&event("one"));
    server.send(&event("one"));
    server.send(&message("another", EVENT_SCHEMA, entity("one")));
    let duplicates: Vec<_> =
        server.rows("/inspect/good").iter().map(|row| row["duplicate"].clone()).collect();
    assert_eq!(duplicates, [json!(false), json!(true), json!(false)]);
    assert_eq!(server.counts(), json!({"received": 3, "good": 3, "bad": 0, "duplicates": 1}));
}

#[test]
fn a_batch_is_answered_item_by_item() {
    let server = Server::start(&[]);
    let mut wrong_org = event("three");
    wrong_org["header"]["imsOrgId"] = json!("other@AdobeOrg");
    let mut invalid = event("four");
    invalid["body"]["xdmEntity"]["typo"] = json!(1);
    let messages =
        json!({"messages": [event("one"), {"header": event("x")["header"]}, wrong_org, invalid, 5]});
    let answer = server.post(&batch(), &messages);
    assert_eq!(answer.status, 207);
    let body = answer.json();
    assert_eq!(body["inletId"], INLET);
    assert!(body["receivedTimeMs"].is_i64());
    let id = body["batchId"].as_str().unwrap();
    let failed = |index: usize, text: &str| {
        json!({
            "statusCode": 400,
            "message": format!("inletId: [{INLET}] imsOrgId: [{ORG}] {text}"),
            "xactionId": format!("{id}:{index}"),
        })
    };
    let expected = json!([
        {"xactionId": format!("{id}:0")},
        failed(1, "Message has unknown xdm format"),
        failed(2, "Message has an absent or wrong ims org in the header"),
        {"xactionId": format!("{id}:3")},
        failed(4, "The 'header' field is mandatory. Provide a valid 'header' value and try again."),
    ]);
    assert_eq!(body["responses"], expected);
    assert_eq!(server.counts(), json!({"received": 5, "good": 1, "bad": 4, "duplicates": 0}));
    assert_eq!(server.post(&batch(), &json!({"messages": []})).json()["responses"], json!([]));
}

#[test]
fn synchronous_validation_tells_what_is_wrong() {
    let server = Server::start(&[]);
    for name in ["syncValidation", "synchronousValidation"] {
        let answer = server.post(&format!("{}?x=1&{name}=true", single()), &event(name));
        assert_eq!((answer.status, &answer.json()["syncValidation"]), (200, &json!({"status": "pass"})));
    }
    let mut invalid = event("bad");
    for n in 0..7 {
        invalid["body"]["xdmEntity"][format!("typo{n}")] = json!(n);
    }
    let path = format!("{}?syncValidation=true", single());
    let answer = server.post(&path, &invalid);
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let body = answer.json();
    assert_eq!(body["type"], "http://ns.adobe.com/adobecloud/problem/data-collection-service/inlet");
    assert_eq!((&body["status"], &body["title"]), (&json!(400), &json!("Invalid XDM Message Format")));
    assert_eq!(answer.report(), "Message is invalid");
    let tree = &body["report"]["cause"]["_streamingValidation"];
    assert_eq!(tree[0]["message"], "5 schema violations found");
    let causes = tree[0]["causingExceptions"].as_array().unwrap();
    assert_eq!(causes.len(), 5);
    assert_eq!(
        causes[0],
        json!({
            "schemaLocation": "#", "pointerToViolation": "#", "causingExceptions": [],
            "keyword": "additionalProperties", "message": "extraneous key [typo0] is not permitted",
        })
    );
    let mut typed = event("typed");
    typed["body"]["xdmEntity"]["_id"] = json!(5);
    let one = server.post(&path, &typed).json()["report"]["cause"]["_streamingValidation"][0].clone();
    assert_eq!(
        one,
        json!({
            "schemaLocation": "#/properties/_id", "pointerToViolation": "#/_id", "causingExceptions": [],
            "keyword": "type", "message": "expected type: String, found: Long",
        })
    );
    assert_eq!(server.counts(), json!({"received": 4, "good": 2, "bad": 2, "duplicates": 0}));
}

#[test]
fn synchronous_validation_is_limited_to_60_a_minute() {
    let other = "1234";
    let server = Server::start(&["--inlet", other]);
    let ask = |inlet: &str| server.post(&format!("/collection/{inlet}?syncValidation=true"), &event("x"));
    // One more than the limit at the least: a slow machine may see the window slide.
    let answers: Vec<_> = (0..200).map(|_| ask(INLET)).collect();
    let refused = answers.iter().find(|answer| answer.status != 200).expect("no limit");
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert!(refused.report().starts_with("Synchronous validation is limited to 60 requests a minute"));
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    assert!(answers[..60].iter().all(|answer| answer.status == 200));
    assert_eq!(ask(other).status, 200);
    assert_eq!(server.send(&event("y")).status, 200);
}

/// Every bad request to a collection route: what is sent, and the answer.
#[test]
fn bad_requests_and_their_answers() {
    let server = Server::start(&[]);
    let with = |pointer: &str, value: Value| {
        let mut message = event("x");
        *message.pointer_mut(pointer).unwrap() = value;
        message.to_string()
    };
    let without = |parent: &str, key: &str| {
        let mut message = event("x");
        message.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
        message.to_string()
    };
    let unknown_schema = {
        let mut message = event("x");
        for pointer in ["/header/schemaRef/id", "/body/xdmMeta/schemaRef/id"] {
            *message.pointer_mut(pointer).unwrap() = json!("https://ns.adobe.com/t/schemas/1");
        }
        message.to_string()
    };
    let good = event("x").to_string();
    let large = format!("{good}{}", " ".repeat(1_000_001 - good.len()));
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let (single, batch) = (single(), batch());
    let sync_batch = format!("{batch}?syncValidation=true");
    let header = "The 'header' field is mandatory. Provide a valid 'header' value and try again.";
    let format = "Message has unknown xdm format";
    let org = "Message has an absent or wrong ims org in the header";
    let messages = "The 'messages' field is mandatory in a batch and must be an array";
    let json = "application/json";
    let media = "Content-Type must be application/json, without Content-Encoding";
    // Method, path, content type, body; status and the beginning of the report.
    type Case<'a> = (&'a str, &'a str, &'a str, Vec<u8>, u16, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("POST", &single, json, b"{}".to_vec(), 400, header),
        ("POST", &single, json, b"[]".to_vec(), 400, header),
        ("POST", &single, json, without("", "header").into(), 400, header),
        ("POST", &single, json, without("", "body").into(), 400, format),
        ("POST", &single, json, without("/body", "xdmMeta").into(), 400, format),
        ("POST", &single, json, without("/body/xdmMeta", "schemaRef").into(), 400, format),
        ("POST", &single, json, without("/header", "schemaRef").into(), 400, format),
        ("POST", &single, json, with("/header/schemaRef/id", json!("https://other")).into(), 400, format),
        ("POST", &single, json, with("/header/datasetId", json!(common::RECORDS)).into(), 400, format),
        ("POST", &single, json, with("/header/imsOrgId", json!("x@AdobeOrg")).into(), 400, org),
        (
            "POST",
            &single,
            json,
            without("/body", "xdmEntity").into(),
            400,
            "Payload body is missing xdmEntity",
        ),
        (
            "POST",
            &single,
            json,
            without("/header", "datasetId").into(),
            400,
            "Payload header is missing datasetId",
        ),
        (
            "POST",
            &single,
            json,
            unknown_schema.into(),
            500,
            "Message payload schema is not specified or does not match a known XDM definition: [https://ns.adobe.com/t/schemas/1]",
        ),
        ("POST", &single, json, b"".to_vec(), 400, "Message is not valid JSON: EOF"),
        ("POST", &single, json, b"{\"header\":".to_vec(), 400, "Message is not valid JSON: EOF"),
        ("POST", &single, json, b"{\"a\":\"\\ud800\"}".to_vec(), 400, "Message is not valid JSON: "),
        (
            "POST",
            &single,
            json,
            deep.clone().into(),
            400,
            "Message is not valid JSON: recursion limit exceeded",
        ),
        ("POST", &single, json, b"{\"a\":\"\xff\"}".to_vec(), 400, "Message is not valid UTF-8"),
        (
            "POST",
            &single,
            json,
            large.clone().into(),
            413,
            "Payload is larger than 1 MB (1,000,000 bytes): send less at once",
        ),
        ("POST", &single, "text/plain;charset=UTF-8", good.clone().into(), 415, media),
        ("POST", &single, "", good.clone().into(), 415, media),
        (
            "POST",
            "/collection/unknown",
            json,
            good.clone().into(),
            404,
            "There is no such inlet: start xdm-inlet with --inlet ID",
        ),
        (
            "POST",
            "/collection/batch",
            json,
            good.clone().into(),
            404,
            "There is no such inlet: start xdm-inlet with --inlet ID",
        ),
        ("GET", &single, "", vec![], 405, "Only POST is accepted here"),
        ("PUT", &single, json, good.clone().into(), 405, "Only POST is accepted here"),
        ("DELETE", &batch, "", vec![], 405, "Only POST is accepted here"),
        ("POST", &batch, json, b"{}".to_vec(), 400, messages),
        ("POST", &batch, json, b"[]".to_vec(), 400, messages),
        ("POST", &batch, json, good.clone().into(), 400, messages),
        ("POST", &batch, json, b"{\"messages\":{}}".to_vec(), 400, messages),
        ("POST", &batch, json, b"{\"messages\":[".to_vec(), 400, "Message is not valid JSON: EOF"),
        ("POST", &batch, json, b"\xff".to_vec(), 400, "Message is not valid UTF-8"),
        ("POST", &batch, json, large.into(), 413, "Payload is larger than 1 MB"),
        ("POST", &batch, "text/plain", good.clone().into(), 415, media),
        (
            "POST",
            "/collection/batch/unknown",
            json,
            good.into(),
            404,
            "There is no such inlet: start xdm-inlet with --inlet ID",
        ),
        (
            "POST",
            &sync_batch,
            json,
            b"{\"messages\":[]}".to_vec(),
            400,
            "syncValidation is only available for single messages: leave it out for a batch",
        ),
    ];
    let kept = cases.iter().filter(|case| matches!(case.4, 400 | 500)).count();
    for (method, path, content_type, body, status, text) in cases {
        let shown = String::from_utf8_lossy(&body).chars().take(80).collect::<String>();
        let mut request = Request::new(method, path).body(body);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let answer = server.ask(request);
        assert_eq!(answer.status, status, "{method} {path} {shown}: {}", answer.text);
        assert!(answer.report().starts_with(text), "{method} {path} {shown}: {}", answer.text);
        let body = answer.json();
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], "http://ns.adobe.com/adobecloud/problem/data-collection-service/inlet");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{method} {path} {shown}");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
        }
    }
    assert_eq!(server.counts(), json!({"received": kept, "good": 0, "bad": kept, "duplicates": 0}));
    for row in server.rows("/inspect/bad?limit=1000") {
        assert_eq!(row["violations"][0]["keyword"], "envelope");
        assert!(row.get("message").is_some() != row.get("raw").is_some(), "{row}");
    }
    assert_eq!(server.send(&event("after")).status, 200);
}

#[test]
fn the_largest_body_fits() {
    let server = Server::start(&[]);
    let good = event("x").to_string();
    let body = format!("{good}{}", " ".repeat(1_000_000 - good.len()));
    let request =
        Request::new("POST", &single()).header("content-type", "application/json").body(body.into());
    assert_eq!(server.ask(request).status, 200);
    assert_eq!(server.rows("/inspect/good")[0]["bytes"], 1_000_000);
}

#[test]
fn an_oversized_body_without_a_length_or_with_a_question_is_answered_too() {
    let server = Server::start(&[]);
    let head = format!(
        "POST /collection/{INLET} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"
    );
    let mut chunked = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..40 {
        chunked.extend_from_slice(format!("{:x}\r\n{}\r\n", 100_000, " ".repeat(100_000)).as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let expecting = format!("{head}content-length: 2000000\r\nexpect: 100-continue\r\n\r\n").into_bytes();
    for request in [chunked, expecting] {
        let answer = raw(&server.address, &request);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("access-control-allow-origin: *"), "{answer}");
    }
}

#[test]
fn a_preflight_allows_post_with_a_content_type_from_anywhere() {
    let server = Server::start(&[]);
    for path in [single(), batch(), "/collection/unknown".to_owned()] {
        let preflight = Request::new("OPTIONS", &path)
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type");
        let answer = server.ask(preflight);
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
        assert_eq!(answer.header("access-control-max-age"), Some("7200"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

#[test]
fn any_host_name_may_collect() {
    let server = Server::start(&[]);
    let request = Request::new("POST", &single()).header("host", "inlet.example").json(&event("x"));
    assert_eq!(server.ask(request).status, 200);
}

#[test]
fn rubbish_on_the_wire_ends_the_connection_alone() {
    let server = Server::start(&[]);
    for rubbish in [&b"\x00\x01\x02\r\n\r\n"[..], b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", &[b'a'; 1_000_000]]
    {
        let answer = raw(&server.address, &[rubbish, b"\r\n\r\n"].concat());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(server.send(&event("after")).status, 200);
}

#[test]
fn a_dataset_is_bound_to_the_schema_of_its_first_message() {
    let server = Server::start(&[]);
    assert_eq!(server.send(&message("fresh", EVENT_SCHEMA, entity("1"))).status, 200);
    let other = message("fresh", common::RECORD_SCHEMA, json!({}));
    assert_eq!(server.send(&other).report(), "Message has unknown xdm format");
    let datasets = server.get("/datasets").json();
    let fresh =
        datasets["datasets"].as_array().unwrap().iter().find(|dataset| dataset["id"] == "fresh").unwrap();
    assert_eq!(
        *fresh,
        json!({
            "id": "fresh", "name": "fresh", "schemaRef": {"id": EVENT_SCHEMA, "contentType": common::FORM},
            "tags": {"unifiedProfile": ["enabled:false"], "unifiedIdentity": ["enabled:false"]}, "good": 1, "bad": 1,
        })
    );
}
