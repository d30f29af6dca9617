//! A page with one engine that is driven by hand: virtual clocks, a disk and an endpoint that do nothing
//! by themselves. What must hold at every step is checked at every step.

use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use xdm_beacon::delivery::{
    Answer, Config, Consent, DiskOp, Document, DropReason, Effect, Engine, Fate, Handoff, KEEPALIVE_BUDGET,
    Message, Mode, Now, PageEvent, Priority, Record, Request, RequestId, SURVEY_RECORDS, Survey, Ticket,
    Transport, Url, Write,
};
use xdm_beacon::settings::TransportChoice;
use xdm_beacon::time::Millis;

pub const START: Now = Now { wall: 1_795_492_190_123, mono: 1_000 };
pub const OWNER: &str = "life";
/// What the tab remembers when all four kinds of requests are known to be well.
pub const ALL_WELL: &str = "1795492190123 15";

pub fn config() -> Config {
    Config {
        endpoint: String::from("https://a.example/collection/1"),
        has_batch: true,
        org_id: String::from("0@AdobeOrg"),
        transport: TransportChoice::Auto,
        has_keepalive: true,
        has_deferred: false,
        storage: true,
        max_batch_events: 10,
        max_batch_bytes: 20_000,
        max_wait: 250,
        max_stored_bytes: 4_000_000,
        max_age: 3_600_000,
        mode: Mode::Balanced,
    }
}

/// A message of exactly so many bytes that carries its ticket.
pub fn message(ticket: Ticket, bytes: usize) -> Message {
    let head = format!("{{\"n\":{ticket},\"p\":\"");
    let filler = bytes.checked_sub(head.len() + 2).expect("room for the ticket");
    Message {
        json: format!("{head}{}\"}}", "x".repeat(filler)),
        ticket,
        key: format!("m{ticket}"),
        id: Some(format!("id-{ticket}")),
        timestamp: Some(format!("time-{ticket}")),
        priority: Priority::Normal,
        unloading: false,
        room: 0,
    }
}

/// The record that a page has left behind.
pub fn record(config: &Config, ticket: Ticket, created: Millis) -> String {
    let Message { json, id, priority, .. } = message(ticket, 100);
    Record::write(config, created, priority, id.as_deref(), &json)
}

/// The tickets of the messages in a body.
fn tickets_in(url: Url, body: &str) -> Vec<u64> {
    let body: Value = serde_json::from_str(body).expect("a body is JSON");
    let number = |message: &Value| message["n"].as_u64().expect("a message carries its ticket");
    match url {
        Url::Single => vec![number(&body)],
        Url::Batch => body["messages"].as_array().expect("a batch").iter().map(number).collect(),
    }
}

pub fn tickets(request: &Request) -> Vec<u64> {
    tickets_in(request.url, &request.body)
}

pub fn status(status: u16) -> Answer<'static> {
    Answer::Response { status, body: "", retry_after: "" }
}

pub fn busy(retry_after: &str) -> Answer<'_> {
    Answer::Response { status: 503, body: "", retry_after }
}

pub fn dropped(reason: DropReason) -> Option<Fate> {
    Some(Fate::Dropped(reason, String::new()))
}

/// What happens to a page, in a table.
pub type Step = fn(&mut Page);

/// Nothing, of requests.
pub const NONE: [[u64; 0]; 0] = [];

/// How a page begins.
pub struct Birth {
    pub owner: &'static str,
    pub document: Document,
    pub seed: u64,
    pub hidden: bool,
    pub restarted: bool,
    pub recalled: String,
    /// What somebody has decided.
    pub consent: Consent,
    /// What holds since nobody has.
    pub withheld: Consent,
    pub now: Now,
}

impl Default for Birth {
    fn default() -> Birth {
        Birth {
            owner: OWNER,
            document: Document::default(),
            seed: 7,
            hidden: false,
            restarted: false,
            recalled: String::new(),
            consent: Consent::In,
            withheld: Consent::In,
            now: START,
        }
    }
}

pub struct Page {
    pub engine: Engine,
    pub config: Config,
    pub document: Document,
    pub now: Now,
    /// All requests ever made, oldest first, how many of them [`Page::sent`] has told of, and those
    /// without an answer.
    pub requests: Vec<Request>,
    told: usize,
    pub open: Vec<Request>,
    pub settled: BTreeMap<Ticket, Fate>,
    /// Transactions that are under way, and what those that are committed have left.
    pub writes: Vec<(DiskOp, Write)>,
    pub disk: BTreeMap<String, String>,
    /// By owner. What takes more bytes than the quota is refused.
    pub handoffs: BTreeMap<String, String>,
    pub handoff_quota: usize,
    /// The names that the page has held.
    pub opened: Vec<String>,
    /// Whether the outbox that was last asked for is to be made where there is none.
    pub creates: bool,
    pub closed: usize,
    /// Surveys under way: above which key.
    pub surveys: Vec<String>,
    /// What the tab remembers.
    pub remembered: String,
    /// What the deferred requests were to be, each time, and what they are; the quota of their bodies.
    deferrals: Vec<Vec<Vec<u64>>>,
    armed: Vec<Vec<u64>>,
    pub deferred_quota: usize,
    left: bool,
    pub wake: Option<Millis>,
}

impl Page {
    /// A page whose outbox is open.
    pub fn new(config: Config) -> Page {
        Page::of(config, &Document::default())
    }

    pub fn of(config: Config, document: &Document) -> Page {
        Page::opened(config, Birth { document: document.clone(), ..Birth::default() })
    }

    /// What the endpoint is known for was remembered.
    pub fn recalling(config: Config, recalled: &str) -> Page {
        Page::opened(config, Birth { recalled: String::from(recalled), ..Birth::default() })
    }

    pub fn opened(config: Config, birth: Birth) -> Page {
        let mut page = Page::born(config, birth);
        if page.config.storage {
            page.answer_open(true);
        }
        page
    }

    /// A page whose outbox has not answered yet.
    pub fn born(config: Config, birth: Birth) -> Page {
        let Birth { owner, document, seed, hidden, restarted, recalled, consent, withheld, now } = birth;
        let mut page = Page {
            engine: Engine::new(config.clone(), &document, owner, seed, hidden, restarted),
            config,
            document,
            now,
            requests: Vec::new(),
            told: 0,
            open: Vec::new(),
            settled: BTreeMap::new(),
            writes: Vec::new(),
            disk: BTreeMap::new(),
            handoffs: BTreeMap::new(),
            handoff_quota: 5_000_000,
            opened: Vec::new(),
            creates: false,
            closed: 0,
            surveys: Vec::new(),
            remembered: recalled,
            deferrals: Vec::new(),
            armed: Vec::new(),
            deferred_quota: 64_000,
            left: false,
            wake: None,
        };
        page.engine.recall(&page.remembered, now);
        page.engine.withhold(withheld);
        if consent != Consent::In {
            page.consent(consent);
        }
        page.tell(|engine, now, fx| engine.start(now, fx));
        page
    }

    /// The next page of the tab, once this one is gone. It holds the lease, and has surveyed.
    pub fn next(self) -> Page {
        let config = self.config.clone();
        self.next_with(config)
    }

    pub fn next_with(self, config: Config) -> Page {
        let now = Now { wall: self.now.wall + 1_000, mono: START.mono };
        let mut next = Page::opened(
            config,
            Birth { owner: "next", seed: 9, recalled: self.remembered, now, ..Birth::default() },
        );
        next.disk = self.disk;
        next.handoffs = self.handoffs;
        next.lead(&[]);
        next
    }

    /// Gains the lease and takes over what all have left but these and itself.
    pub fn lead(&mut self, live: &[&str]) {
        self.lease(true);
        while !self.surveys.is_empty() {
            self.survey(live);
        }
        self.commit();
    }

    /// What a page of this name has handed off: records, by key and ticket, and tombstones.
    pub fn plant(&mut self, owner: &str, records: &[(&str, Ticket)], gone: &[&str]) {
        let wall = self.now.wall;
        let record =
            |(key, ticket): &(&str, Ticket)| (String::from(*key), record(&self.config, *ticket, wall));
        let handoff = Handoff {
            records: records.iter().map(record).collect(),
            gone: gone.iter().map(|key| String::from(*key)).collect(),
        };
        self.handoffs.insert(String::from(owner), handoff.write(&self.config));
    }

    pub fn tell(&mut self, tell: impl FnOnce(&mut Engine, Now, &mut Vec<Effect>)) {
        let mut fx = Vec::new();
        tell(&mut self.engine, self.now, &mut fx);
        let mut queue = VecDeque::from(fx);
        self.check();
        while let Some(effect) = queue.pop_front() {
            let mut more = Vec::new();
            self.carry_out(effect, &mut more);
            queue.extend(more);
            self.check();
        }
    }

    fn check(&self) {
        let counts = self.engine.counts();
        assert!(counts.adds_up(), "{counts:?}");
        assert!(self.document.keepalive_used() <= KEEPALIVE_BUDGET);
    }

    fn carry_out(&mut self, effect: Effect, more: &mut Vec<Effect>) {
        match effect {
            Effect::Send(request) => {
                self.check_send(&request);
                self.open.push(request.clone());
                self.requests.push(request);
            }
            Effect::Settle { ticket, id, timestamp, fate } => {
                assert_eq!(id, Some(format!("id-{ticket}")));
                assert_eq!(timestamp, Some(format!("time-{ticket}")));
                assert_eq!(self.settled.insert(ticket, fate), None, "{ticket} settles twice");
            }
            Effect::Write(op, write) => self.writes.push((op, write)),
            Effect::Handoff { owner, text } => {
                let kept = text.len() <= self.handoff_quota;
                if text.is_empty() {
                    self.handoffs.remove(&owner);
                } else if kept {
                    self.handoffs.insert(owner.clone(), text);
                }
                self.engine.handed_off(&owner, kept, self.now, more);
            }
            Effect::Defer(requests) => {
                let asked: Vec<_> = requests.iter().map(|(url, body)| tickets_in(*url, body)).collect();
                self.deferrals.push(asked.clone());
                let taken = requests.iter().map(|(_, body)| body.len()).sum::<usize>() <= self.deferred_quota;
                self.armed = if taken { asked } else { Vec::new() };
                if !requests.is_empty() {
                    self.engine.deferred(taken, self.now, more);
                }
            }
            Effect::Open { owner, create } => {
                self.opened.push(owner);
                self.creates = create;
            }
            Effect::Close => self.closed += 1,
            Effect::Survey(above) => self.surveys.push(above),
            Effect::Remember(text) => self.remembered = text,
            Effect::Wake(when) => self.wake = Some(when),
        }
    }

    fn check_send(&self, request: &Request) {
        let sent = tickets(request);
        for ticket in &sent {
            assert!(!self.armed.concat().contains(ticket), "{ticket} is in the deferred request, too");
        }
        assert!(sent.len() <= self.config.max_batch_events);
        assert!(sent.len() == 1 || request.body.len() <= self.config.max_batch_bytes);
        if self.config.mode == Mode::AtMostOnce {
            for ticket in sent {
                let end = format!("/m{ticket}");
                assert!(!self.disk.keys().any(|key| key.ends_with(&end)), "{ticket} is on disk");
                let put = self.writes.iter().flat_map(|(_, write)| &write.puts);
                assert!(!put.into_iter().any(|(key, _)| key.ends_with(&end)), "{ticket} goes to disk");
                let handed: Vec<Handoff> = self
                    .handoffs
                    .values()
                    .filter_map(|text| Handoff::read(&self.config, text).ok())
                    .collect();
                let mut records = handed.iter().flat_map(|handoff| &handoff.records);
                assert!(!records.any(|(key, _)| key.ends_with(&end)), "{ticket} is in a hand-off");
            }
        }
    }

    // ---- what happens ------------------------------------------------------------------------------

    pub fn answer_open(&mut self, durable: bool) {
        self.tell(|engine, now, fx| engine.opened(durable, now, fx));
    }

    pub fn accept(&mut self, message: Message) {
        self.tell(|engine, now, fx| engine.accept(message, now, fx));
    }

    /// Accepts messages of 100 bytes each with these tickets, in one task that then ends.
    pub fn accept_all(&mut self, tickets: impl IntoIterator<Item = Ticket>) {
        for ticket in tickets {
            self.accept(message(ticket, 100));
        }
        self.wait(0);
    }

    /// Time passes; the engine is woken whenever it asked for it, unless the page has left.
    pub fn wait(&mut self, ms: Millis) {
        let end = self.now.mono + ms;
        let mut ticks = 0;
        while let Some(at) = self.wake.filter(|at| *at <= end && !self.left) {
            self.pass((at - self.now.mono).max(0));
            self.wake = None;
            self.tell(|engine, now, fx| engine.tick(now, fx));
            ticks += 1;
            assert!(ticks < 10_000, "it never rests");
        }
        self.pass(end - self.now.mono);
    }

    /// Time passes, and no timer runs.
    pub fn pass(&mut self, ms: Millis) {
        self.now.mono += ms;
        self.now.wall += ms;
    }

    /// Waits for the next request; the answer is for how long, in milliseconds.
    pub fn wait_for_request(&mut self) -> Millis {
        let (begin, requests) = (self.now.mono, self.requests.len());
        while self.requests.len() == requests {
            let at = self.wake.expect("a request is on its way");
            assert!(at < begin + 10_000_000, "no request");
            self.wait((at - self.now.mono).max(0));
        }
        self.now.mono - begin
    }

    /// For so long the disk and the endpoint answer at once.
    pub fn serve<'a>(&mut self, ms: Millis, endpoint: impl Fn(&Request) -> Answer<'a>) {
        let end = self.now.mono + ms;
        loop {
            self.commit();
            if let Some(request) = self.open.first() {
                let (id, answer) = (request.id, endpoint(request));
                self.answer(id, answer);
                continue;
            }
            match self.wake.filter(|at| *at <= end) {
                Some(at) => self.wait((at - self.now.mono).max(0)),
                None if self.writes.is_empty() => break,
                None => {}
            }
        }
        self.wait(end - self.now.mono);
    }

    /// For so long the endpoint answers 200 at once; the disk says nothing.
    pub fn serve_endpoint(&mut self, ms: Millis) {
        let end = self.now.mono + ms;
        loop {
            if self.open.is_empty() {
                match self.wake.filter(|at| *at <= end) {
                    Some(at) => self.wait((at - self.now.mono).max(0)),
                    None => break,
                }
            } else {
                self.answer_next(status(200));
            }
        }
        self.wait(end - self.now.mono);
    }

    pub fn answer(&mut self, request: RequestId, answer: Answer<'_>) {
        self.open.retain(|open| open.id != request);
        self.tell(|engine, now, fx| engine.answer(request, answer, now, fx));
        self.wait(0);
    }

    /// The oldest request without an answer gets this one.
    pub fn answer_next(&mut self, answer: Answer<'_>) {
        let request = self.open.first().expect("a request is open").id;
        self.answer(request, answer);
    }

    /// Accepts one more, sends it and has it answered.
    pub fn answer_one(&mut self, answer: Answer<'_>) {
        self.accept_all([900]);
        self.flush();
        self.answer_next(answer);
    }

    pub fn page(&mut self, event: PageEvent) {
        match event {
            PageEvent::Leaving => self.left = true,
            PageEvent::Restored { .. } => self.left = false,
            _ => {}
        }
        self.tell(|engine, now, fx| engine.page(event, now, fx));
    }

    /// Back out of the cache, with an outbox that opens.
    pub fn restore(&mut self, owner: &str) {
        self.page(PageEvent::Restored { owner: String::from(owner) });
        self.answer_open(true);
        self.wait(0);
    }

    pub fn consent(&mut self, consent: Consent) {
        self.tell(|engine, now, fx| engine.consent(consent, now, fx));
    }

    pub fn lease(&mut self, held: bool) {
        self.tell(|engine, now, fx| engine.lease(held, now, fx));
        self.wait(0);
    }

    pub fn flush(&mut self) {
        self.tell(|engine, now, fx| engine.flush(now, fx));
    }

    /// The oldest survey under way is answered; beside this page these live.
    pub fn survey(&mut self, live: &[&str]) {
        let above = self.surveys.remove(0);
        let range = (Bound::Excluded(above), Bound::Unbounded);
        let records = self.disk.range(range).take(SURVEY_RECORDS);
        let mut live: Vec<String> = live.iter().map(|owner| String::from(*owner)).collect();
        live.extend(self.opened.last().cloned());
        let survey = Survey {
            records: records.map(|(key, text)| (key.clone(), text.clone())).collect(),
            live,
            handoffs: self.handoffs.iter().map(|(owner, text)| (owner.clone(), text.clone())).collect(),
        };
        self.tell(|engine, now, fx| engine.surveyed(survey, now, fx));
        self.wait(0);
    }

    /// All transactions under way are committed.
    pub fn commit(&mut self) {
        for (op, write) in std::mem::take(&mut self.writes) {
            let claimed = self.commit_unheard(write);
            self.tell(|engine, now, fx| engine.written(op, Some(claimed), now, fx));
        }
        self.wait(0);
    }

    /// A transaction is committed, and nobody hears of it yet: one word per claim.
    pub fn commit_unheard(&mut self, write: Write) -> Vec<bool> {
        let mut claimed = Vec::new();
        for claim in write.claims {
            let there = self.disk.remove(&claim.from).is_some();
            if there && !claim.record.is_empty() {
                self.disk.insert(claim.to, claim.record);
            }
            claimed.push(there);
        }
        self.disk.extend(write.puts);
        for key in write.deletes {
            self.disk.remove(&key);
        }
        for owner in write.handoffs {
            self.handoffs.remove(&owner);
        }
        claimed
    }

    /// All transactions under way are aborted.
    pub fn abort(&mut self) {
        for (op, _) in std::mem::take(&mut self.writes) {
            self.tell(|engine, now, fx| engine.written(op, None, now, fx));
        }
        self.wait(0);
    }

    // ---- what is seen ------------------------------------------------------------------------------

    /// The requests since the last look: URL, transport and tickets.
    pub fn sent(&mut self) -> Vec<(Url, Transport, Vec<u64>)> {
        let new = &self.requests[self.told..];
        self.told = self.requests.len();
        new.iter().map(|request| (request.url, request.transport, tickets(request))).collect()
    }

    /// The tickets of each request since the last look.
    pub fn sent_tickets(&mut self) -> Vec<Vec<u64>> {
        self.sent().into_iter().map(|(.., tickets)| tickets).collect()
    }

    /// What the deferred requests were replaced by since the last look, each time.
    pub fn deferrals(&mut self) -> Vec<Vec<Vec<u64>>> {
        std::mem::take(&mut self.deferrals)
    }

    /// The tickets of all requests since the last look, in order of number.
    pub fn sent_numbers(&mut self) -> Vec<u64> {
        let mut numbers = self.sent_tickets().concat();
        numbers.sort_unstable();
        numbers
    }

    pub fn last(&self) -> RequestId {
        self.requests.last().expect("a request was made").id
    }

    pub fn fate(&self, ticket: Ticket) -> Option<Fate> {
        self.settled.get(&ticket).cloned()
    }

    pub fn keys(&self) -> Vec<&str> {
        self.disk.keys().map(String::as_str).collect()
    }

    /// What stands in the hand-off of this owner: keys of records, and tombstones.
    pub fn handoff(&self, owner: &str) -> (Vec<String>, Vec<String>) {
        let Some(text) = self.handoffs.get(owner) else { return (Vec::new(), Vec::new()) };
        let handoff = Handoff::read(&self.config, text).expect("a hand-off can be read");
        let mut keys: Vec<String> = handoff.records.into_iter().map(|(key, _)| key).collect();
        let mut gone = handoff.gone;
        keys.sort_unstable();
        gone.sort_unstable();
        (keys, gone)
    }
}
