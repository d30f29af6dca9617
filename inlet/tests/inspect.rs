//! The routes for whoever looks in.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

use common::{
    Answer, EVENT_SCHEMA, EVENTS, INLET, PATIENCE, RECORDS, Request, Server, entity, event, event_of,
    message, record, wait_for, write,
};
use serde_json::{Value, json};

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

/// Five good events, the third of another type and the fourth in another dataset.
fn five(server: &Server) {
    for id in ["a", "b", "c", "d", "e"] {
        let mut sent = event(id);
        if id == "c" {
            sent["body"]["xdmEntity"]["eventType"] = json!("web.webinteraction.linkClicks");
        }
        if id == "d" {
            sent["header"]["datasetId"] = json!("other");
        }
        assert_eq!(server.send(&sent).status, 200);
    }
}

#[test]
fn listings_filter_and_continue() {
    let server = Server::start(&[]);
    five(&server);
    let cases = [
        ("", vec!["e", "d", "c", "b", "a"]),
        ("?eventType=web.webinteraction.linkClicks", vec!["c"]),
        ("?datasetId=other", vec!["d"]),
        ("?id=b", vec!["b"]),
        ("?id=b&datasetId=other", vec![]),
        ("?eventType=&datasetId=&id=&limit=&after=", vec!["e", "d", "c", "b", "a"]),
        ("?after=3", vec!["b", "a"]),
        (&format!("?datasetId={EVENTS}&limit=2&after=5"), vec!["c", "b"]),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&server.rows(&format!("/inspect/good{query}"))), expected, "{query}");
        assert_eq!(server.rows(&format!("/inspect/bad{query}")).len(), 0, "{query}");
    }
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page = server.get(&format!("/inspect/good?limit=2&after={next}")).json();
        seen.extend(page["rows"].as_array().unwrap().clone());
        match page["next"].as_i64() {
            Some(seq) => next = seq.to_string(),
            None => break,
        }
    }
    assert_eq!(ids(&seen), ["e", "d", "c", "b", "a"]);
}

#[test]
fn a_page_of_large_messages_ends_early_and_goes_on() {
    let server = Server::start(&[]);
    let filler = "x".repeat(900_000);
    for n in 0..12 {
        let mut sent = event(&n.to_string());
        sent["body"]["xdmEntity"]["web"]["webPageDetails"]["name"] = json!(filler);
        assert_eq!(server.send(&sent).status, 200);
    }
    let first = server.get("/inspect/good?limit=1000").json();
    let rows = first["rows"].as_array().unwrap().len();
    assert!((1..12).contains(&rows), "{rows}");
    let rest = server.rows(&format!("/inspect/good?limit=1000&after={}", first["next"]));
    assert_eq!(rows + rest.len(), 12);
}

/// Every bad request to the other routes: what is sent, and the answer.
#[test]
fn bad_requests_and_their_answers() {
    let server = Server::start(&[]);
    let patch = format!("/datasets/{EVENTS}");
    let cases = [
        ("GET", "/inspect/good?limit=0", "", 400, "'limit' must be a number from 1 to 1000"),
        ("GET", "/inspect/good?limit=1001", "", 400, "'limit' must be a number from 1 to 1000"),
        ("GET", "/inspect/bad?limit=x", "", 400, "'limit' must be a number from 1 to 1000"),
        ("GET", "/inspect/bad?after=x", "", 400, "'after' must be the seq of a row"),
        ("GET", "/inspect/good?colour=red", "", 400, "'colour' must be left out"),
        ("GET", "/inspect/reset", "", 405, "see the Allow header"),
        ("POST", "/inspect/counts", "{}", 405, "see the Allow header"),
        ("PUT", "/inspect/faults", "", 400, "'faults' must be JSON: EOF"),
        ("PUT", "/inspect/faults", "[]", 400, "'faults' must be an object"),
        ("PUT", "/inspect/faults", "{\"status\":99}", 400, "'status' must be a status from 200 to 599"),
        ("PUT", "/inspect/faults", "{\"wrong\":1}", 400, "'wrong' must be left out"),
        ("GET", "/profiles?namespace=ECID", "", 400, "'namespace' and 'id' must be given together"),
        ("GET", "/profiles?id=1", "", 400, "'namespace' and 'id' must be given together"),
        ("GET", "/profiles?namespace=ECID&id=1", "", 404, "nobody has this identity"),
        ("GET", "/datasets/none/events", "", 404, "there is no such dataset"),
        ("PATCH", "/datasets/none", "[]", 404, "there is no such dataset"),
        ("PATCH", &patch, "nonsense", 400, "the patch must be JSON: "),
        ("PATCH", &patch, "{}", 400, "the patch must be an array of {op, path, value} (JSON Patch)"),
        (
            "PATCH",
            &patch,
            "[{\"op\":\"add\",\"path\":\"/name\"}]",
            400,
            "'[0].path' must be \"/tags/unifiedProfile\"",
        ),
        (
            "PATCH",
            &patch,
            "[{\"op\":\"move\",\"path\":\"/tags/unifiedProfile\"}]",
            400,
            "'[0].op' must be \"add\"",
        ),
        (
            "PATCH",
            &patch,
            "[{\"op\":\"add\",\"path\":\"/tags/unifiedProfile\",\"value\":true}]",
            400,
            "'[0].value' must be [\"enabled:true\"]",
        ),
        ("GET", "/nowhere", "", 404, "there is no such route"),
        ("POST", "/collection", "{}", 404, "there is no such route"),
        ("GET", "/data/foundation/schemaregistry/tenant/schemas", "", 404, "there is no such route"),
    ];
    for (method, path, body, status, detail) in cases {
        let request = Request::new(method, path).header("content-type", "application/json").body(body.into());
        let answer = server.ask(request);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{method} {path}: {problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
    }
}

#[test]
fn only_the_inlets_own_pages_and_tools_look_in() {
    let server = Server::start(&[]);
    let port = server.address.rsplit_once(':').unwrap().1;
    let at = |host: &str| host.replace("PORT", port);
    let paths = [
        "/inspect/counts",
        "/inspect/good",
        "/inspect/stream",
        "/inspect/faults",
        "/profiles",
        "/datasets",
        "/",
        "/inspector/",
        "/nowhere",
    ];
    for path in paths {
        for host in [
            "evil.example",
            "evil.example:PORT",
            "127.0.0.1",
            "127.0.0.1:1",
            "127.0.0.1.evil.example:PORT",
            "localhost:PORT:PORT",
            "[::2]:PORT",
        ] {
            let answer = server.ask(Request::new("GET", path).header("host", &at(host)));
            assert_eq!(answer.status, 403, "{path} {host}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        for origin in [
            "http://evil.example",
            "null",
            "http://127.0.0.1:1",
            "https://127.0.0.1:PORT",
            "http://localhost:PORT",
        ] {
            let answer = server.ask(Request::new("GET", path).header("origin", &at(origin)));
            assert_eq!(answer.status, 403, "{path} {origin}");
        }
        let script = Request::new("GET", path)
            .header("sec-fetch-site", "same-site")
            .header("sec-fetch-mode", "no-cors");
        assert_eq!(server.ask(script).status, 403);
    }
    for (method, path) in [
        ("POST", "/inspect/reset"),
        ("PUT", "/inspect/faults"),
        ("PATCH", "/datasets/x"),
        ("OPTIONS", "/inspect/faults"),
    ] {
        let answer = server
            .ask(Request::new(method, path).header("origin", "http://evil.example").body(b"{}".to_vec()));
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None));
    }
    for host in ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST:PORT", "[::1]:PORT"] {
        let host = at(host);
        let origin = format!("http://{}", host.to_lowercase());
        let own = Request::new("GET", "/inspect/counts").header("host", &host).header("origin", &origin);
        assert_eq!(server.ask(own).status, 200, "{host}");
    }
    let link =
        Request::new("GET", "/").header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
    assert_eq!(server.ask(link).status, 307);
    let nameless = common::raw(&server.address, b"GET /inspect/counts HTTP/1.0\r\n\r\n");
    assert!(nameless.starts_with("HTTP/1.0 403 "), "{nameless}");
}

#[test]
fn a_reset_empties_all_but_datasets_and_numbers_go_on() {
    let server = Server::start(&[]);
    five(&server);
    server.send(&event_of("f", json!({"ECID": [{"id": "1"}]})));
    let answer = server.ask(Request::new("POST", "/inspect/reset"));
    let zero = json!({"received": 0, "good": 0, "bad": 0, "duplicates": 0});
    assert_eq!((answer.status, answer.json()), (200, zero.clone()));
    assert_eq!(server.counts(), zero);
    assert_eq!(server.rows("/inspect/good").len(), 0);
    assert_eq!(server.get("/profiles").json(), json!({"profiles": []}));
    let datasets = server.get("/datasets").json();
    assert_eq!(datasets["datasets"].as_array().unwrap().len(), 3);
    assert!(datasets["datasets"].as_array().unwrap().iter().all(|dataset| dataset["good"] == 0));
    server.send(&event("a"));
    let rows = server.rows("/inspect/good");
    assert_eq!((&rows[0]["seq"], &rows[0]["duplicate"]), (&json!(7), &json!(false)));
}

/// Server-sent events as they arrive: `(event, id, data)`.
fn follow(server: &Server, last_event_id: Option<&str>) -> mpsc::Receiver<(String, Option<i64>, Value)> {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let last = last_event_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
    write!(stream, "GET /inspect/stream HTTP/1.1\r\nhost: {}\r\n{last}\r\n", server.address).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let (mut event, mut id) = (String::new(), None);
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            match line.split_once(": ") {
                Some(("event", name)) => event = name.to_owned(),
                Some(("id", seq)) => id = seq.parse().ok(),
                Some(("data", data)) => {
                    let data = serde_json::from_str(data).unwrap();
                    if sender.send((std::mem::take(&mut event), id.take(), data)).is_err() {
                        return;
                    }
                }
                _ => {}
            }
        }
    });
    receiver
}

fn next(stream: &mpsc::Receiver<(String, Option<i64>, Value)>) -> (String, Option<i64>, Value) {
    stream.recv_timeout(PATIENCE).expect("nothing more on the stream")
}

#[test]
fn the_stream_tells_counts_then_messages_then_resets() {
    let server = Server::start(&[]);
    let path = format!("/collection/{INLET}");
    server.send(&event("before"));
    let stream = follow(&server, None);
    let (name, id, counts) = next(&stream);
    assert_eq!((&*name, id, &counts["received"]), ("counts", None, &json!(1)));
    // Line breaks in a message must not break the stream.
    let pretty = serde_json::to_string_pretty(&event("after")).unwrap().replace('\n', "\r\n");
    let request = Request::new("POST", &path).header("content-type", "application/json").body(pretty.into());
    assert_eq!(server.ask(request).status, 200);
    let (name, id, row) = next(&stream);
    assert_eq!((&*name, id, &row["id"]), ("message", Some(2), &json!("after")));
    assert_eq!(row, server.rows("/inspect/good")[0]);
    assert_eq!(row["message"], event("after"));
    server.ask(
        Request::new("POST", &path).header("content-type", "application/json").body(b"not\njson".to_vec()),
    );
    let (_, id, row) = next(&stream);
    assert_eq!((id, &row["verdict"], &row["raw"]), (Some(3), &json!("bad"), &json!("not\njson")));
    server.ask(Request::new("POST", "/inspect/reset"));
    let (name, _, counts) = next(&stream);
    assert_eq!((&*name, &counts["received"]), ("counts", &json!(0)));
    server.send(&event("later"));
    assert_eq!(next(&stream).1, Some(4));
}

#[test]
fn a_stream_that_comes_back_gets_what_it_missed() {
    let server = Server::start(&[]);
    five(&server);
    let stream = follow(&server, Some("2"));
    assert_eq!(next(&stream).0, "counts");
    for seq in 3..=5 {
        assert_eq!(next(&stream).1, Some(seq));
    }
    for odd in ["99", "-5", "nonsense"] {
        let stream = follow(&server, Some(odd));
        assert_eq!(next(&stream).0, "counts", "{odd}");
    }
}

#[test]
fn at_most_1000_missed_rows_are_sent() {
    let server = Server::start(&[]);
    let messages: Vec<Value> = (1..=1_100).map(|n| event(&n.to_string())).collect();
    assert_eq!(
        server.post(&format!("/collection/batch/{INLET}"), &json!({"messages": messages})).status,
        207
    );
    let stream = follow(&server, Some("0"));
    assert_eq!(next(&stream).0, "counts");
    for seq in 101..=1_100 {
        assert_eq!(next(&stream).1, Some(seq));
    }
}

fn profile(server: &Server, namespace: &str, id: &str) -> Answer {
    server.get(&format!("/profiles?namespace={namespace}&id={id}"))
}

#[test]
fn profiles_join_by_identity_and_later_records_win() {
    let server = Server::start(&[]);
    let named = |first: &str, last: Option<&str>| {
        let mut name = json!({"firstName": first});
        if let Some(last) = last {
            name["lastName"] = json!(last);
        }
        json!({"person": {"name": name}})
    };
    let email = json!({"Email": [{"id": "a@example.com"}]});
    let ecid = json!({"ECID": [{"id": "1"}]});
    for sent in [
        record(email.clone(), named("Ann", Some("Lee"))),
        event_of("x", ecid.clone()),
        event_of("x", ecid.clone()),
        record(ecid.clone(), named("Anna", None)),
        event_of("y", json!({"CRM": [{"id": "9"}]})),
    ] {
        assert_eq!(server.send(&sent).status, 200);
    }
    assert_eq!(server.counts()["bad"], 0);
    let apart = profile(&server, "ECID", "1").json();
    assert_eq!(apart["record"], named("Anna", None));
    assert_eq!(apart["events"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/profiles").json()["profiles"].as_array().unwrap().len(), 3);

    let mut linking =
        event_of("z", json!({"Email": [{"id": "a@example.com"}], "ECID": [{"id": "1", "primary": true}]}));
    linking["body"]["xdmEntity"]["timestamp"] = json!("2026-01-15T10:20:29Z");
    assert_eq!(server.send(&linking).status, 200);
    let joined = profile(&server, "ECID", "1");
    assert_eq!(joined.text, profile(&server, "Email", "a@example.com").text);
    let joined = joined.json();
    assert_eq!(joined["identities"], json!({"ECID": [{"id": "1"}], "Email": [{"id": "a@example.com"}]}));
    assert_eq!(joined["record"], named("Anna", Some("Lee")));
    let events: Vec<_> =
        joined["events"].as_array().unwrap().iter().map(|event| event["_id"].as_str().unwrap()).collect();
    assert_eq!(events, ["x", "z"]);
    let listed = server.get("/profiles").json();
    let rows = listed["profiles"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["identities"], &rows[0]["events"]), (&json!(2), &json!(2)));
    assert_eq!((&rows[1]["namespace"], &rows[1]["id"]), (&json!("CRM"), &json!("9")));
    let row = &server.rows("/inspect/good?id=z")[0];
    assert_eq!(row["latency"]["profileMs"], row["latency"]["storedMs"]);
    assert!(row["latency"]["profileMs"].is_i64());

    assert_eq!(
        server.send(&record(json!({"CRM": [{"id": "9"}], "ECID": [{"id": "1"}]}), named("Zoe", None))).status,
        200
    );
    let all = profile(&server, "CRM", "9").json();
    assert_eq!(all["record"], named("Zoe", Some("Lee")));
    assert_eq!(all["events"].as_array().unwrap().len(), 3);
    assert_eq!(server.get("/profiles").json()["profiles"].as_array().unwrap().len(), 1);
}

#[test]
fn profile_drops_what_is_too_large_and_the_lake_keeps_it() {
    let server = Server::start(&[]);
    let identities = json!({"ECID": [{"id": "1"}]});
    let mut large = event_of("large", identities.clone());
    large["body"]["xdmEntity"]["web"]["webPageDetails"]["name"] = json!("x".repeat(10_000));
    server.send(&large);
    let row = &server.rows("/inspect/good")[0];
    assert_eq!((&row["profileDropped"], &row["latency"]["profileMs"]), (&json!("size"), &Value::Null));
    assert_eq!(profile(&server, "ECID", "1").status, 404);
    server.send(&event_of("small", identities));
    assert!(server.rows("/inspect/good")[0].get("profileDropped").is_none());
    assert_eq!(profile(&server, "ECID", "1").json()["events"].as_array().unwrap().len(), 1);
}

#[test]
fn datasets_are_enabled_as_the_catalog_does_it() {
    let server = Server::start(&[]);
    let sent = |id: &str| {
        message("fresh", EVENT_SCHEMA, {
            let mut entity = entity(id);
            entity["identityMap"] = json!({"ECID": [{"id": "7"}]});
            entity
        })
    };
    server.send(&sent("1"));
    assert_eq!(profile(&server, "ECID", "7").status, 404);
    let patch = |operations: Value| server.ask(Request::new("PATCH", "/datasets/fresh").json(&operations));
    let on = json!([
        {"op": "add", "path": "/tags/unifiedProfile", "value": ["enabled:true"]},
        {"op": "add", "path": "/tags/unifiedIdentity", "value": ["enabled:true"]},
    ]);
    let answer = patch(on);
    assert_eq!((answer.status, answer.json()), (200, json!(["@/dataSets/fresh"])));
    let tags = || {
        let listed = server.get("/datasets").json();
        let datasets = listed["datasets"].as_array().unwrap().clone();
        datasets.into_iter().find(|dataset| dataset["id"] == "fresh").unwrap()["tags"].clone()
    };
    assert_eq!(tags(), json!({"unifiedProfile": ["enabled:true"], "unifiedIdentity": ["enabled:true"]}));
    server.send(&sent("2"));
    let events = profile(&server, "ECID", "7").json()["events"].clone();
    assert_eq!(events.as_array().unwrap().len(), 1, "what came before stays outside");
    patch(json!([{"op": "remove", "path": "/tags/unifiedProfile"}]));
    assert_eq!(tags(), json!({"unifiedProfile": ["enabled:false"], "unifiedIdentity": ["enabled:true"]}));
    let events = server.get("/datasets/fresh/events");
    assert_eq!(events.header("content-type"), Some("application/x-ndjson"));
    let landed: Vec<Value> = events.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(landed, [sent("1")["body"]["xdmEntity"].clone(), sent("2")["body"]["xdmEntity"].clone()]);
    assert_eq!(server.get(&format!("/datasets/{RECORDS}/events")).text, "");
}

#[test]
fn many_events_are_read_as_a_stream() {
    let server = Server::start(&[]);
    let messages: Vec<Value> = (0..1_500).map(|n| event(&n.to_string())).collect();
    server.post(&format!("/collection/batch/{INLET}"), &json!({"messages": messages}));
    let text = server.get(&format!("/datasets/{EVENTS}/events")).text;
    let ids: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["_id"].clone()).collect();
    assert_eq!(ids, (0..1_500).map(|n| json!(n.to_string())).collect::<Vec<_>>());
}

#[test]
fn faults_are_shown_set_and_switched_off() {
    let server = Server::start(&[]);
    let off = json!({
        "target": null, "status": null, "ratio": null, "delayMs": null, "drop": null, "itemStatus": null,
        "retryAfter": null, "exposeRetryAfter": null, "cors": null, "forMs": null,
    });
    assert_eq!(server.get("/inspect/faults").json(), off);
    let mut on = off.clone();
    on["status"] = json!(503);
    on["retryAfter"] = json!("Wed, 21 Oct 2026 07:28:00 GMT");
    let put = |value: &Value| server.ask(Request::new("PUT", "/inspect/faults").json(value)).json();
    assert_eq!(put(&on), on);
    assert_eq!(server.get("/inspect/faults").json(), on);
    assert_eq!(put(&json!({})), off);
    put(&json!({"status": 500, "forMs": 50}));
    wait_for("the faults to switch themselves off", || {
        (server.get("/inspect/faults").json() == off).then_some(())
    });
    assert_eq!(server.send(&event("x")).status, 200);
}

#[test]
fn the_inspector_is_served_from_its_folder_alone() {
    let folder = tempfile::TempDir::new().unwrap();
    write(folder.path(), "secret.txt", "secret");
    write(folder.path(), "www/index.html", "<p>inspector</p>");
    write(folder.path(), "www/js/app.js", "1");
    write(folder.path(), "www/app.wasm", "");
    let www = folder.path().join("www");
    std::os::unix::fs::symlink(folder.path().join("secret.txt"), www.join("link.txt")).unwrap();
    let server = Server::start(&["--www", www.to_str().unwrap()]);
    for path in ["/", "/inspector"] {
        assert_eq!(server.get(path).header("location"), Some("/inspector/"));
    }
    let cases = [
        ("/inspector/", Some("text/html; charset=utf-8")),
        ("/inspector/js/app.js", Some("text/javascript; charset=utf-8")),
        ("/inspector/app.wasm", Some("application/wasm")),
        ("/inspector/none.js", None),
        ("/inspector/js", None),
        ("/inspector/link.txt", None),
        ("/inspector/..%2fsecret.txt", None),
        ("/inspector/%2e%2e/secret.txt", None),
        ("/inspector//etc/passwd", None),
    ];
    for (path, kind) in cases {
        let answer = server.get(path);
        match kind {
            Some(kind) => {
                assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}")
            }
            None => assert_eq!(answer.status, 404, "{path}"),
        }
        assert!(!answer.text.contains("secret"), "{path}");
    }
    let climbing = format!(
        "GET /inspector/../secret.txt HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        server.address
    );
    assert!(common::raw(&server.address, climbing.as_bytes()).starts_with("HTTP/1.1 404 "));
    let bare = Server::start(&[]);
    assert!(bare.get("/inspector/").text.contains("npm run build"));
}
