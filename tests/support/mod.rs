//! What the tests of the command layer share: a page in memory, and a tag on it that keeps book.

#![allow(dead_code, reason = "every test file uses a part of it")]

use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use xdm_beacon::collect::{Moment, Page, Reading};
use xdm_beacon::command::{Beacon, Call, Output};
use xdm_beacon::delivery::{Answer, Request, RequestId, Ticket, Transport};
use xdm_beacon::time::Millis;

pub const ENDPOINT: &str =
    "http://127.0.0.1:8787/collection/d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677";
pub const CONTENT_TYPE: &str = "application/vnd.adobe.xed-full+json;version=1";
/// 2026-11-24T03:49:50.123Z
pub const NOW: Millis = 1_795_492_190_123;

/// The twin of the browser's page.
pub struct MemoryPage {
    pub moment: Moment,
    pub reading: Reading,
    pub keepalive: bool,
    draws: Cell<u8>,
}

impl Default for MemoryPage {
    /// An ordinary page in Berlin.
    fn default() -> MemoryPage {
        MemoryPage {
            moment: Moment {
                now: NOW,
                url: String::from("https://shop.example/mugs?colour=blue#top"),
                title: String::from("Mugs"),
                referrer: String::from("https://search.example/"),
            },
            reading: Reading {
                screen_width: 1920.0,
                screen_height: 1080.0,
                orientation: String::from("landscape-primary"),
                color_depth: 24.0,
                viewport_width: 1280.0,
                viewport_height: 720.0,
                language: String::from("en-GB"),
                timezone_offset: -60.0,
                time_zone: String::from("Europe/Berlin"),
            },
            keepalive: true,
            draws: Cell::new(0),
        }
    }
}

impl Page for MemoryPage {
    fn now(&self) -> Millis {
        self.moment.now
    }

    fn moment(&self) -> Moment {
        self.moment.clone()
    }

    fn reading(&self, _at: Millis) -> Reading {
        self.reading.clone()
    }

    fn entropy(&self) -> [u8; 16] {
        self.draws.set(self.draws.get().wrapping_add(1));
        [self.draws.get(); 16]
    }

    fn has_keepalive(&self) -> bool {
        self.keepalive
    }
}

/// The `_id` that the `draw`th event of a page gets, counted from 1.
pub fn generated_id(draw: u8) -> String {
    xdm_beacon::id::uuid_v4([draw; 16])
}

/// What a promise came to: what it resolved to, or the code and message it rejected with.
pub type Settled = Result<Value, (String, String)>;

/// An instance on a page. It carries out nothing; it notes what was asked for, and fails when a
/// promise is settled twice, or one that nobody waits for.
pub struct Tag {
    pub beacon: Beacon,
    pub page: MemoryPage,
    /// Requests without an answer, with the promise whose call made them.
    pub open: BTreeMap<RequestId, Ticket>,
    /// All requests ever made, oldest first, with their URL.
    pub sent: Vec<(String, Request)>,
    pub waiting: BTreeSet<Ticket>,
    pub settled: BTreeMap<Ticket, Settled>,
    pub timers: Vec<(Ticket, i32)>,
    pub logs: Vec<String>,
    last_ticket: Ticket,
}

impl Tag {
    /// On an ordinary page, not configured.
    pub fn bare() -> Tag {
        Tag {
            beacon: Beacon::new("xdmBeacon"),
            page: MemoryPage::default(),
            open: BTreeMap::new(),
            sent: Vec::new(),
            waiting: BTreeSet::new(),
            settled: BTreeMap::new(),
            timers: Vec::new(),
            logs: Vec::new(),
            last_ticket: 0,
        }
    }

    /// On an ordinary page, configured by [`configuration`] with changes.
    pub fn configured(changes: Value) -> Tag {
        let mut tag = Tag::bare();
        tag.configure(changes);
        tag
    }

    pub fn configure(&mut self, changes: Value) {
        let mut options = configuration();
        for (key, value) in changes.as_object().expect("changes are an object") {
            options[key] = value.clone();
        }
        assert_eq!(self.outcome("configure", options), Ok(json!({})));
    }

    /// Calls a command; the answer is its ticket.
    pub fn call(&mut self, command: &str, options: Value) -> Ticket {
        self.call_text(command, &options.to_string(), None)
    }

    /// Calls a command with its options as they reach the core, at another moment.
    pub fn call_text(&mut self, command: &str, options: &str, moment: Option<Moment>) -> Ticket {
        let ticket = self.ticket();
        let mut out = Vec::new();
        self.beacon.call(Call { command, options, ticket, moment }, &self.page, &mut out);
        self.note(Some(ticket), out);
        ticket
    }

    /// Calls a command that settles at once.
    pub fn outcome(&mut self, command: &str, options: Value) -> Settled {
        self.outcome_text(command, &options.to_string())
    }

    pub fn outcome_text(&mut self, command: &str, options: &str) -> Settled {
        let ticket = self.call_text(command, options, None);
        self.result(ticket)
    }

    /// Calls a command; what it settled with, if it settled at once.
    pub fn call_and_see(&mut self, command: &str, options: Value) -> Option<Settled> {
        let ticket = self.call(command, options);
        self.settled.get(&ticket).cloned()
    }

    pub fn declare(&mut self, dataset: &str) -> Settled {
        let ticket = self.ticket();
        let mut out = Vec::new();
        self.beacon.declared(dataset, ticket, &self.page, &mut out);
        self.note(None, out);
        self.result(ticket)
    }

    pub fn result(&self, ticket: Ticket) -> Settled {
        self.settled.get(&ticket).cloned().expect("the promise has settled")
    }

    pub fn answer(&mut self, request: RequestId, answer: Answer<'_>) {
        let mut out = Vec::new();
        self.beacon.answer(request, answer, self.page.moment.now, &mut out);
        self.open.remove(&request);
        self.note(None, out);
    }

    /// The oldest open request is answered 200.
    pub fn deliver(&mut self) {
        let request = *self.open.keys().next().expect("a request is open");
        self.answer(request, Answer::Response { status: 200, body: "{}" });
    }

    pub fn time_out_flush(&mut self, ticket: Ticket) {
        let mut out = Vec::new();
        self.beacon.flush_timed_out(ticket, &mut out);
        self.note(None, out);
    }

    /// The last message, parsed.
    pub fn message(&self) -> Value {
        let (_, request) = self.sent.last().expect("something was sent");
        serde_json::from_str(&request.body).expect("a message is JSON")
    }

    /// The entity of the last message.
    pub fn entity(&self) -> Value {
        self.message()["body"]["xdmEntity"].clone()
    }

    pub fn status(&mut self) -> Value {
        self.outcome_text("getStatus", "").expect("getStatus resolves")
    }

    fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        self.waiting.insert(self.last_ticket);
        self.last_ticket
    }

    fn note(&mut self, ticket: Option<Ticket>, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { url, request } => {
                    let ticket = ticket.expect("only a call sends");
                    assert!(self.open.insert(request.id, ticket).is_none(), "two requests with one id");
                    self.sent.push((url, request));
                }
                Output::Resolve(ticket, outcome) => {
                    let value = serde_json::to_value(&outcome).expect("an outcome is JSON");
                    self.settle(ticket, Ok(value));
                }
                Output::Reject(ticket, code, message) => {
                    self.settle(ticket, Err((String::from(code), message)));
                }
                Output::FlushTimer(ticket, ms) => self.timers.push((ticket, ms)),
                Output::Log(text) => self.logs.push(text),
            }
        }
    }

    fn settle(&mut self, ticket: Ticket, outcome: Settled) {
        assert!(self.waiting.remove(&ticket), "promise {ticket} is settled twice, or was never made");
        self.settled.insert(ticket, outcome);
    }
}

/// What every instance of these tests is configured with: the required options and nothing else.
pub fn configuration() -> Value {
    json!({
        "endpoint": ENDPOINT,
        "orgId": "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
        "datasetId": "65f1a2b3c4d5e6f708192a3b",
        "schema": { "id": "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent" },
    })
}

/// The `profile` option of `configure`.
pub fn profile() -> Value {
    json!({
        "datasetId": "65f1a2b3c4d5e6f708192a3c",
        "schema": { "id": "https://ns.adobe.com/xdmbeacon/schemas/profile-record" },
    })
}

/// What a rejection looks like: code, and the message with the instance's name and the path before it.
pub fn refusal(path: &str, (code, remedy): (&str, &str)) -> Settled {
    let path = if path.is_empty() { String::new() } else { format!("'{path}' ") };
    Err((String::from(code), format!("xdmBeacon: {path}{remedy}")))
}

pub const NOT_A_STRING: (&str, &str) = ("not-a-string", "must be a string");
pub const NOT_AN_OBJECT: (&str, &str) = ("not-an-object", "must be an object");
pub const NOT_A_BOOLEAN: (&str, &str) = ("not-a-boolean", "must be true or false");
pub const NOT_AN_ARRAY: (&str, &str) = ("not-an-array", "must be an array");
pub const EMPTY: (&str, &str) = ("empty", "must not be empty");
pub const MISSING: (&str, &str) = ("missing", "is required");
pub const UNKNOWN_OPTION: (&str, &str) =
    ("unknown-option", "is not an option of this version: remove it or check its spelling");

/// One value of each kind that JSON has.
pub fn one_of_each_kind() -> [(&'static str, Value); 6] {
    [
        ("string", json!("?")),
        ("number", json!(1.5)),
        ("boolean", json!(true)),
        ("null", Value::Null),
        ("array", json!([])),
        ("object", json!({})),
    ]
}

/// `options` with `value` at a path of keys parted by dots; objects on the way are made.
pub fn with(mut options: Value, path: &str, value: Value) -> Value {
    let mut at = &mut options;
    for key in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[key];
    }
    *at = value;
    options
}

/// `options` without what is at a path of keys.
pub fn without(mut options: Value, path: &str) -> Value {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer = if parent.is_empty() { String::new() } else { format!("/{}", parent.replace('.', "/")) };
    let parent = options.pointer_mut(&pointer).and_then(Value::as_object_mut).expect("an object");
    parent.remove(key).expect("it was there");
    options
}

/// Bodies that no endpoint of the platform answers with.
pub const RUBBISH: [&str; 8] =
    ["", "<html>", "[", "{\"a\":", "null", "\u{0}", "{\"receivedTimeMs\":{}}", "\"\\ud800\""];

/// How a request goes that one page makes for one event.
pub fn transport_of(tag: &Tag) -> Transport {
    tag.sent.last().expect("something was sent").1.transport
}
