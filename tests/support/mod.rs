//! What the tests of the command layer share: a page in memory, and a tag on it that keeps book.

#![allow(dead_code, reason = "every test file uses a part of it")]

use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use xdm_beacon::collect::{Moment, Page, Reading};
use xdm_beacon::command::{Beacon, Birth, Call, Output, Verdict};
use xdm_beacon::delivery::{
    Answer, Document, Effect, Engine, Now, PageEvent, Request, RequestId, Survey, Ticket, Transport, Write,
};
use xdm_beacon::time::Millis;

pub const ENDPOINT: &str =
    "http://127.0.0.1:8787/collection/d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677d0e1c2b3a4958677";
pub const CONTENT_TYPE: &str = "application/vnd.adobe.xed-full+json;version=1";
/// What a browser on a telephone answers, and more than it was asked for.
pub const HINTS: &str = r#"{"architecture":"arm","bitness":"64","brands":[{"brand":"Chromium","version":"150"}],"fullVersionList":[],"mobile":true,"model":"Pixel 9","platform":"Android","platformVersion":"16.0.0","uaFullVersion":"150.0.1.2","wow64":false}"#;
/// 2026-11-24T03:49:50.123Z
pub const NOW: Millis = 1_795_492_190_123;

/// The twin of the browser's page. The moment's time is its wall clock, too.
pub struct MemoryPage {
    pub moment: Moment,
    /// The clock that only goes forward.
    pub mono: Millis,
    pub reading: Reading,
    pub keepalive: bool,
    pub deferred: bool,
    /// What the tab remembers, by name.
    pub memory: RefCell<BTreeMap<String, String>>,
    /// Decisions about consent, by key, on disk and in the page's memory.
    pub consents: BTreeMap<String, String>,
    pub consents_in_memory: BTreeMap<String, String>,
    /// Global Privacy Control.
    pub privacy: bool,
    /// What of the browser's storage was read.
    pub read: RefCell<Vec<String>>,
    pub jar: RefCell<Jar>,
    pub local: RefCell<BTreeMap<String, String>>,
    /// Whether local storage takes anything.
    pub local_full: bool,
    /// What the Visitor service says.
    pub visitor: String,
    /// How often cookies, storage or the Visitor service were asked for anything.
    pub touched: Cell<u32>,
}

/// A browser's cookies: name, value, domain (empty for the host's own), and the host that set it.
#[derive(Default)]
pub struct Jar {
    pub cookies: Vec<[String; 4]>,
    /// All that was ever written.
    pub written: Vec<String>,
    /// The browser takes none, or shows none.
    pub off: bool,
}

/// What no cookie can be set for.
const PUBLIC_SUFFIXES: [&str; 5] = ["example", "com", "uk", "co.uk", "github.io"];

impl Jar {
    fn reaches([.., domain, setter]: &[String; 4], host: &str) -> bool {
        if domain.is_empty() {
            host == setter
        } else {
            host == domain || host.ends_with(&format!(".{domain}"))
        }
    }

    pub fn read(&self, host: &str) -> String {
        let reached = self.cookies.iter().filter(|cookie| !self.off && Jar::reaches(cookie, host));
        let pairs: Vec<String> = reached.map(|[name, value, ..]| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// As a browser does it at `host`; a cookie that is not to be set is passed over in silence.
    pub fn write(&mut self, host: &str, secure: bool, cookie: &str) {
        self.written.push(String::from(cookie));
        let mut parts = cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').expect("a name and a value");
        let (mut domain, mut gone, mut refused) = ("", false, self.off);
        for part in parts {
            match part.split_once('=') {
                Some(("Domain", given)) => domain = given,
                Some(("Max-Age", seconds)) => gone = seconds == "0",
                Some(("Path", "/") | ("SameSite", "Lax")) => {}
                None if part == "Secure" => refused |= !secure,
                _ => panic!("{part} in {cookie}"),
            }
        }
        let below = format!(".{domain}");
        let public = PUBLIC_SUFFIXES.contains(&domain);
        if refused || !domain.is_empty() && (public || host != domain && !host.ends_with(&below)) {
            return;
        }
        let same = |known: &[String; 4]| known[0] == name && known[2] == domain && Jar::reaches(known, host);
        self.cookies.retain(|known| !same(known));
        if !gone {
            self.cookies.push([name, value, domain, host].map(String::from));
        }
    }
}

impl MemoryPage {
    /// Scheme and host of the page's URL.
    fn site(&self) -> (&str, &str) {
        let (scheme, rest) = self.moment.url.split_once(':').expect("a whole URL");
        let rest = rest.trim_start_matches('/');
        let authority = rest.split(['/', '?', '#']).next().unwrap();
        (scheme, authority.split(':').next().unwrap())
    }

    fn touch(&self) {
        self.touched.set(self.touched.get() + 1);
    }
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
                connection: String::from("wifi"),
                hints: String::from(HINTS),
            },
            mono: 0,
            keepalive: true,
            deferred: false,
            memory: RefCell::default(),
            consents: BTreeMap::new(),
            consents_in_memory: BTreeMap::new(),
            privacy: false,
            read: RefCell::default(),
            jar: RefCell::default(),
            local: RefCell::default(),
            local_full: false,
            visitor: String::new(),
            touched: Cell::new(0),
        }
    }
}

impl Page for MemoryPage {
    fn clocks(&self) -> Now {
        Now { wall: self.moment.now, mono: self.mono }
    }

    fn reading(&self, _at: Millis) -> Reading {
        self.reading.clone()
    }

    fn entropy(&self) -> [u8; 16] {
        [0x5e; 16]
    }

    fn has_keepalive(&self) -> bool {
        self.keepalive
    }

    fn recall(&self, name: &str) -> String {
        self.read.borrow_mut().push(format!("memory {name}"));
        self.memory.borrow().get(name).cloned().unwrap_or_default()
    }

    fn has_deferred(&self) -> bool {
        self.deferred
    }

    fn consent(&self, key: &str, on_disk: bool) -> String {
        if on_disk {
            self.read.borrow_mut().push(format!("consent {key}"));
        }
        let kept = self.consents.get(key).filter(|_| on_disk);
        kept.or_else(|| self.consents_in_memory.get(key)).cloned().unwrap_or_default()
    }

    fn wishes_privacy(&self) -> bool {
        self.privacy
    }

    fn url(&self) -> String {
        self.moment.url.clone()
    }

    fn cookies(&self) -> String {
        self.touch();
        self.jar.borrow().read(self.site().1)
    }

    fn set_cookie(&self, cookie: &str) {
        self.touch();
        let (scheme, host) = self.site();
        self.jar.borrow_mut().write(host, scheme == "https", cookie);
    }

    fn stored(&self, key: &str) -> String {
        self.touch();
        self.local.borrow().get(key).cloned().unwrap_or_default()
    }

    fn store(&self, key: &str, text: &str) {
        self.touch();
        if text.is_empty() {
            self.local.borrow_mut().remove(key);
        } else if !self.local_full {
            self.local.borrow_mut().insert(String::from(key), String::from(text));
        }
    }

    fn visitor_ecid(&self, _org: &str) -> String {
        self.touch();
        self.visitor.clone()
    }

    /// A pattern here is plain text, in any case; none has a bracket.
    fn replace(&self, text: &str, pattern: &str, with: &str) -> Option<String> {
        if pattern.contains(['(', ')', '[', ']']) {
            return None;
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.to_ascii_lowercase().find(&pattern.to_ascii_lowercase()) {
            out += &rest[..at];
            out += with;
            rest = &rest[at + pattern.len()..];
            if rest.is_empty() {
                break;
            }
        }
        Some(out + rest)
    }
}

/// The `_id` that the `number`th call of `sendEvent` or `sendProfile` gives its event, counted from 1.
pub fn generated_id(number: u8) -> String {
    xdm_beacon::id::uuid_v4([number; 16])
}

/// What a promise came to: what it resolved to, or the code and message it rejected with.
pub type Settled = Result<Value, (String, String)>;

/// An instance on a page that is alone at its origin. Requests are noted, and answered by the test; the disk
/// does at once what it is asked to. It fails when a promise is settled twice, or one that nobody waits for.
pub struct Tag {
    pub beacon: Beacon,
    pub page: MemoryPage,
    /// Requests without an answer.
    pub open: BTreeSet<RequestId>,
    /// All requests ever made, oldest first, with their URL.
    pub sent: Vec<(String, Request)>,
    pub waiting: BTreeSet<Ticket>,
    pub settled: BTreeMap<Ticket, Settled>,
    pub timers: Vec<(Ticket, i32)>,
    pub logs: Vec<String>,
    /// How often the client hints were asked for.
    pub asked_hints: u32,
    /// The page's `onBeforeEventSend`.
    pub before: Box<dyn FnMut(Value) -> Verdict>,
    /// The outbox; `None` where it cannot be opened.
    pub disk: Option<BTreeMap<String, String>>,
    pub handoffs: BTreeMap<String, String>,
    /// Whether there is an outbox, or one is made when it is opened.
    pub has_outbox: bool,
    /// What was opened, and the name of the lease; and how often all was let go of.
    pub opened: Vec<(String, String)>,
    pub closed: usize,
    /// What a survey finds, once there is a lease.
    found: Option<Survey>,
    wake: Option<Millis>,
    /// After `pagehide`: no timer runs.
    pub left: bool,
    last_ticket: Ticket,
    draws: u8,
}

/// The name of a page's life.
pub const OWNER: &str = "life";

pub fn birth() -> Birth {
    Birth {
        name: String::from("xdmBeacon"),
        document: Document::default(),
        owner: String::from(OWNER),
        hidden: false,
        online: true,
        restarts: 0,
    }
}

impl Tag {
    /// On an ordinary page, not configured.
    pub fn bare() -> Tag {
        Tag::born(birth())
    }

    pub fn born(birth: Birth) -> Tag {
        Tag {
            beacon: Beacon::new(birth),
            page: MemoryPage::default(),
            open: BTreeSet::new(),
            sent: Vec::new(),
            waiting: BTreeSet::new(),
            settled: BTreeMap::new(),
            timers: Vec::new(),
            logs: Vec::new(),
            asked_hints: 0,
            before: Box::new(|event| panic!("nobody asked to see {event}")),
            disk: Some(BTreeMap::new()),
            handoffs: BTreeMap::new(),
            has_outbox: false,
            opened: Vec::new(),
            closed: 0,
            found: None,
            wake: None,
            left: false,
            last_ticket: 0,
            draws: 0,
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

    /// Calls a command, and lets its task end; the answer is its ticket.
    pub fn call(&mut self, command: &str, options: Value) -> Ticket {
        self.call_text(command, &options.to_string(), None)
    }

    /// Calls a command with its options as they reach the core, at another moment.
    pub fn call_text(&mut self, command: &str, options: &str, moment: Option<Moment>) -> Ticket {
        let ticket = self.call_within_task(command, options, moment);
        self.wait(0);
        ticket
    }

    /// Calls a command, in a task that goes on.
    pub fn call_within_task(&mut self, command: &str, options: &str, moment: Option<Moment>) -> Ticket {
        let ticket = self.ticket();
        let moment = moment.unwrap_or_else(|| self.page.moment.clone());
        self.draws += u8::from(command.starts_with("send"));
        let call = Call { command, options, ticket, moment, entropy: [self.draws; 16] };
        let mut out = Vec::new();
        self.beacon.call(call, &self.page, &mut out);
        self.carry_out(out);
        ticket
    }

    /// Hands over what a module of the loader has seen; gives back the ticket and the answer to the module.
    pub fn capture(&mut self, kind: &str, text: &str) -> (Ticket, String) {
        let ticket = self.ticket();
        self.draws += 1;
        let moment = self.page.moment.clone();
        let call = Call { command: kind, options: text, ticket, moment, entropy: [self.draws; 16] };
        let mut out = Vec::new();
        let answer = self.beacon.capture(call, &self.page, &mut out);
        self.carry_out(out);
        self.wait(0);
        (ticket, answer)
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
        let call =
            Call { command: "", options: "", ticket, moment: self.page.moment.clone(), entropy: [0; 16] };
        let mut out = Vec::new();
        self.beacon.declared(dataset, call, &self.page, &mut out);
        self.carry_out(out);
        self.wait(0);
        self.result(ticket)
    }

    pub fn result(&self, ticket: Ticket) -> Settled {
        self.settled.get(&ticket).cloned().expect("the promise has settled")
    }

    /// Consent to the use of identities is given, and then to that of data.
    pub fn allow_identity(&mut self) {
        let mut out = Vec::new();
        self.beacon.identity_allowed(&self.page, &mut out);
        self.carry_out(out);
    }

    /// It is taken away.
    pub fn forbid_identity(&mut self, delete: bool) {
        let mut out = Vec::new();
        self.beacon.identity_forbidden(delete, &self.page, &mut out);
        self.carry_out(out);
    }

    /// Time passes, to the clocks and to the engine.
    pub fn wait(&mut self, ms: Millis) {
        let end = self.page.mono + ms;
        let mut ticks = 0;
        while let Some(at) = self.wake.filter(|at| *at <= end && !self.left) {
            self.set_clocks(at.max(self.page.mono));
            self.wake = None;
            self.tell(|engine, now, effects| engine.tick(now, effects));
            ticks += 1;
            assert!(ticks < 1_000, "it never rests");
        }
        self.set_clocks(end);
    }

    pub fn answer(&mut self, request: RequestId, answer: Answer<'_>) {
        self.open.remove(&request);
        self.tell(|engine, now, effects| engine.answer(request, answer, now, effects));
        self.wait(0);
    }

    /// The oldest open request is answered 200.
    pub fn deliver(&mut self) {
        let request = *self.open.first().expect("a request is open");
        self.answer(request, Answer::Response { status: 200, body: "{}", retry_after: "" });
    }

    pub fn page_event(&mut self, event: PageEvent) {
        match event {
            PageEvent::Leaving => self.left = true,
            PageEvent::Restored { .. } => self.left = false,
            _ => {}
        }
        let mut out = Vec::new();
        self.beacon.page(event, &self.page, &mut out);
        self.carry_out(out);
        self.wait(0);
    }

    /// A decision was kept under the key, in another tab.
    pub fn hear(&mut self, key: &str, record: &str) {
        self.page.consents.insert(String::from(key), String::from(record));
        let mut out = Vec::new();
        self.beacon.decided(key, record, &self.page, &mut out);
        self.carry_out(out);
        self.wait(0);
    }

    /// Gains the lease, and finds this in the outbox.
    pub fn lead(&mut self, survey: Survey) {
        self.found = Some(survey);
        self.tell(|engine, now, effects| engine.lease(true, now, effects));
        self.wait(0);
    }

    pub fn time_out_flush(&mut self, ticket: Ticket) {
        let mut out = Vec::new();
        self.beacon.flush_timed_out(ticket, &mut out);
        self.carry_out(out);
    }

    /// The last message, parsed; of a batch its last.
    pub fn message(&self) -> Value {
        let (_, request) = self.sent.last().expect("something was sent");
        let body: Value = serde_json::from_str(&request.body).expect("a message is JSON");
        let last = body["messages"].as_array().and_then(|messages| messages.last().cloned());
        last.unwrap_or(body)
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

    fn set_clocks(&mut self, mono: Millis) {
        self.page.moment.now += mono - self.page.mono;
        self.page.mono = mono;
    }

    pub fn tell(&mut self, tell: impl FnOnce(&mut Engine, Now, &mut Vec<Effect>)) {
        let now = self.page.clocks();
        let mut out = Vec::new();
        self.beacon.deliver(&mut out, |engine, effects| tell(engine, now, effects));
        self.carry_out(out);
    }

    fn carry_out(&mut self, out: Vec<Output>) {
        let mut queue = VecDeque::from(out);
        while let Some(output) = queue.pop_front() {
            let now = self.page.clocks();
            let mut more = Vec::new();
            match output {
                Output::Send { url, request } => {
                    assert!(self.open.insert(request.id), "two requests with one id");
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
                Output::Wake(when) => self.wake = Some(when),
                Output::Open { owner, lease, create } => {
                    self.opened.push((owner, lease));
                    let durable = self.disk.is_some() && (create || self.has_outbox);
                    self.has_outbox |= durable;
                    self.beacon.deliver(&mut more, |engine, fx| engine.opened(durable, now, fx));
                }
                Output::Write(op, write) => {
                    let done = self.disk.as_mut().map(|disk| commit(disk, write));
                    self.beacon.deliver(&mut more, |engine, fx| engine.written(op, done, now, fx));
                }
                Output::Handoff { owner, text } => {
                    self.handoffs.insert(owner.clone(), text);
                    self.beacon.deliver(&mut more, |engine, fx| engine.handed_off(&owner, true, now, fx));
                }
                Output::Remember(name, text) if text.is_empty() => {
                    self.page.memory.borrow_mut().remove(&name);
                }
                Output::Remember(name, text) => {
                    self.page.memory.borrow_mut().insert(name, text);
                }
                Output::BeforeSend(ticket, event) => {
                    let event = serde_json::from_str(&event).expect("an event is JSON");
                    let verdict = (self.before)(event);
                    self.beacon.judged(ticket, verdict, &self.page, &mut more);
                }
                Output::AskHints => self.asked_hints += 1,
                Output::Decided { key, record, on_disk } => {
                    if on_disk {
                        self.page.consents.insert(key.clone(), String::from(record));
                    }
                    self.page.consents_in_memory.insert(key.clone(), String::from(record));
                    self.beacon.decided(&key, record, &self.page, &mut more);
                }
                Output::Close => self.closed += 1,
                Output::Survey(_) if self.found.is_some() => {
                    let survey = self.found.clone().unwrap_or_default();
                    self.beacon.deliver(&mut more, |engine, fx| engine.surveyed(survey, now, fx));
                }
                Output::Defer(_) | Output::Survey(_) => {
                    panic!("{output:?}, in a browser that knows no fetchLater, and without the lease")
                }
            }
            queue.extend(more);
        }
    }

    fn settle(&mut self, ticket: Ticket, outcome: Settled) {
        assert!(self.waiting.remove(&ticket), "promise {ticket} is settled twice, or was never made");
        self.settled.insert(ticket, outcome);
    }
}

/// Carries out a transaction without claims.
fn commit(disk: &mut BTreeMap<String, String>, write: Write) -> Vec<bool> {
    assert_eq!(write.claims, [], "only who has the lease claims");
    disk.extend(write.puts);
    for key in write.deletes {
        disk.remove(&key);
    }
    Vec::new()
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
