//! Starting, stopping, and what is still there afterwards.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use common::{
    EVENTS, FORM, ORG, PATIENCE, Request, Server, command, event, event_of, message, record, wait_for, write,
};
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn everything_survives_a_restart() {
    let folder = TempDir::new().unwrap();
    let paths = [
        "/inspect/counts",
        "/inspect/good",
        "/inspect/bad",
        "/profiles",
        "/profiles?namespace=ECID&id=1",
        "/datasets",
        "/datasets/fresh/events",
    ];
    let look = |server: &Server| paths.map(|path| server.get(path).text);
    let mut server = Server::start_on(folder.path(), &[]);
    server.send(&event("a"));
    server.send(&event("a"));
    server.send(&event_of("b", json!({"ECID": [{"id": "1"}]})));
    server.send(&record(json!({"ECID": [{"id": "1"}]}), json!({"person": {"name": {"firstName": "Ann"}}})));
    server.send(&json!({"no": "header"}));
    server.send(&message("fresh", common::EVENT_SCHEMA, common::entity("c")));
    let patch = json!([{"op": "add", "path": "/tags/unifiedProfile", "value": ["enabled:true"]}]);
    assert_eq!(server.ask(Request::new("PATCH", "/datasets/fresh").json(&patch)).status, 200);
    let before = look(&server);
    server.signal("TERM");
    assert!(server.end().success());

    let mut server = Server::start_on(folder.path(), &[]);
    assert_eq!(look(&server), before);
    server.send(&event("d"));
    assert_eq!(server.rows("/inspect/good")[0]["seq"], 7);
    server.kill();

    let server = Server::start_on(folder.path(), &[]);
    assert_eq!(server.counts(), json!({"received": 7, "good": 6, "bad": 1, "duplicates": 1}));
    assert!(server.rows("/inspect/good")[0]["latency"]["storedMs"].is_i64());
}

#[test]
fn both_signals_stop_it_and_requests_under_way_are_answered() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start(&[]);
        let mut stream = BufReader::new(TcpStream::connect(&server.address).unwrap());
        stream.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        let body = event("x").to_string();
        write!(
            stream.get_mut(),
            "POST /collection/{} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            common::INLET,
            body.len(),
        )
        .unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 100 Continue\r\n", "the request is under way");
        server.signal(name);
        wait_for("the inlet to refuse connections", || TcpStream::connect(&server.address).err());
        write!(stream.get_mut(), "{body}").unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.trim_start().starts_with("HTTP/1.1 200 OK"), "{rest}");
        assert!(server.end().success());
    }
}

/// Starts an inlet that cannot run: its exit code and what it says.
fn failing(mut command: std::process::Command) -> (Option<i32>, String) {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let status = wait_for("the inlet to give up", || child.try_wait().unwrap());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (status.code(), said)
}

#[test]
fn what_keeps_it_from_starting_is_said_in_one_line_with_the_remedy() {
    let folder = TempDir::new().unwrap();
    let running = Server::start_on(&folder.path().join("running"), &[]);
    let file = write(folder.path(), "file", "");
    let foreign = folder.path().join("foreign");
    write(
        &foreign,
        "inlet.sqlite",
        "this is no database, and long enough to be read as one's header.............................",
    );
    let fresh = folder.path().join("fresh");
    let none = folder.path().join("none");
    let cases = [
        (
            command(&fresh, &["--listen", &running.address]),
            1,
            "choose another address with --listen HOST:PORT",
        ),
        (command(&fresh, &["--listen", "nonsense"]), 1, "choose another address with --listen HOST:PORT"),
        (command(&file, &[]), 1, "choose a folder you may write with --data DIR"),
        (command(&foreign, &[]), 1, "choose a folder you may write with --data DIR"),
        (command(&folder.path().join("running"), &[]), 1, "another xdm-inlet uses the data folder"),
        (command(&fresh, &["--schemas", none.to_str().unwrap()]), 1, "see --schemas DIR"),
        (command(&fresh, &["--nonsense"]), 2, "see xdm-inlet --help"),
    ];
    for (command, code, text) in cases {
        let (status, said) = failing(command);
        assert_eq!(status, Some(code), "{said}");
        assert!(said.starts_with("xdm-inlet: ") && said.contains(text), "{said}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    }
}

/// What the registry exports for a tenant's schema, cut short: open, with its marks.
fn export() -> Value {
    json!({
        "$id": "https://ns.adobe.com/tenant/schemas/5a3e",
        "$schema": "http://json-schema.org/draft-06/schema#",
        "meta:altId": "_tenant.schemas.5a3e",
        "meta:class": "https://ns.adobe.com/xdm/context/experienceevent",
        "meta:extends": ["https://ns.adobe.com/xdm/context/experienceevent", "https://ns.adobe.com/xdm/data/time-series", "https://ns.adobe.com/tenant/mixins/1"],
        "meta:resourceType": "schemas",
        "title": "Tenant events",
        "version": "1.2",
        "type": "object",
        "required": ["_id", "timestamp"],
        "properties": {
            "_id": {"title": "Identifier", "type": "string", "format": "uri-reference", "meta:xdmField": "@id", "meta:xdmType": "string"},
            "timestamp": {"type": "string", "format": "date-time", "meta:xdmField": "xdm:timestamp", "meta:xdmType": "date-time"},
            "_tenant": {"type": "object", "meta:xdmType": "object", "properties": {"score": {"type": "integer", "minimum": 0, "meta:xdmType": "int"}}},
        },
    })
}

#[test]
fn an_export_dropped_beside_the_shipped_schemas_works() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let given = folder.path().join("given");
    write(&data, "schemas/tenant.json", &format!("\u{feff}{}", export()));
    let mut second = export();
    second["$id"] = json!("https://ns.adobe.com/tenant/schemas/second");
    write(&given, "second.json", &second.to_string());
    write(&given, "broken.json", "{");
    write(&given, "page.json", "{\"results\": []}");
    write(&given, "notes.txt", "not looked at");

    let mut command = command(&data, &["--schemas", given.to_str().unwrap()]);
    command.stderr(Stdio::piped());
    let mut server = Server::launch(command);
    let path = format!("/collection/{}?syncValidation=true", common::INLET);
    let send = |schema: &str, entity: Value| server.post(&path, &message("tenant", schema, entity));
    let tenant = "https://ns.adobe.com/tenant/schemas/5a3e";
    let good = json!({"_id": "1", "timestamp": "2026-01-01T00:00:00Z", "_tenant": {"score": 3}});
    let answer = send(tenant, good.clone());
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut closed = good.clone();
    closed["_tenant"]["scorr"] = json!(1);
    assert!(send(tenant, closed).text.contains("extraneous key [scorr] is not permitted"));
    let mut low = good.clone();
    low["_tenant"]["score"] = json!(-1);
    assert!(send(tenant, low).text.contains("-1 is not greater or equal to 0"));
    assert_eq!(
        send("https://ns.adobe.com/tenant/schemas/second", good).report(),
        "Message has unknown xdm format"
    );

    let said = server.kill_and_hear();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("broken.json is left out: it is not JSON"), "{said}");
    assert!(
        lines[1].contains("page.json is left out: it has no $id: export the schema from the schema registry"),
        "{said}"
    );
}

#[test]
fn another_organisation_and_more_inlets() {
    let server = Server::start(&["--org", "OTHER@AdobeOrg", "--inlet", "second"]);
    let mut sent = event("x");
    assert_eq!(server.send(&sent).report(), "Message has an absent or wrong ims org in the header");
    sent["header"]["imsOrgId"] = json!("OTHER@AdobeOrg");
    assert_eq!(server.post("/collection/second", &sent).json()["inletId"], "second");
    assert_eq!(server.rows("/inspect/good")[0]["inletId"], "second");
    assert_ne!(ORG, "OTHER@AdobeOrg");
}

#[test]
fn the_demo_datasets_are_there_from_the_start() {
    let server = Server::start(&[]);
    let enabled = json!({"unifiedProfile": ["enabled:true"], "unifiedIdentity": ["enabled:true"]});
    let listed = server.get("/datasets").json();
    let datasets = listed["datasets"].as_array().unwrap();
    assert_eq!(datasets.len(), 2);
    for dataset in datasets {
        assert_eq!((&dataset["tags"], &dataset["schemaRef"]["contentType"]), (&enabled, &json!(FORM)));
    }
    assert_eq!(datasets[0]["id"], EVENTS);
}

#[test]
fn open_streams_and_idle_connections_do_not_keep_it_alive() {
    let mut server = Server::start(&[]);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /inspect/stream HTTP/1.1\r\nhost: {}\r\n\r\n", server.address).unwrap();
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while !line.starts_with("data: ") {
        line.clear();
        assert_ne!(stream.read_line(&mut line).unwrap(), 0);
    }
    let _idle = TcpStream::connect(&server.address).unwrap();
    server.signal("TERM");
    assert!(server.end().success());
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "the stream is ended, not broken off: {rest:?}");
}

#[test]
fn what_cannot_be_stored_is_not_acknowledged() {
    let folder = TempDir::new().unwrap();
    // No file may grow beyond 2,000 blocks, which is what a full disk looks like.
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\""]);
    let plain = command(folder.path(), &[]);
    limited.arg(plain.get_program()).args(plain.get_args()).stderr(Stdio::piped());
    let mut server = Server::launch(limited);
    let mut acknowledged = 0;
    let refused = (0..10_000)
        .map(|n| {
            let mut sent = event(&n.to_string());
            sent["body"]["xdmEntity"]["web"]["webPageDetails"]["name"] = json!("x".repeat(50_000));
            server.send(&sent)
        })
        .find(|answer| {
            acknowledged += i32::from(answer.status == 200);
            answer.status != 200
        })
        .expect("the disk is never full");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    assert!(refused.report().starts_with("The message could not be stored"));
    assert!(acknowledged > 0);
    assert_eq!(server.counts()["good"], acknowledged);
    assert!(server.kill_and_hear().contains("xdm-inlet: not stored: "));
    let server = Server::start_on(folder.path(), &[]);
    assert_eq!(server.counts()["good"], acknowledged);
    assert_eq!(server.send(&event("after")).status, 200);
}
