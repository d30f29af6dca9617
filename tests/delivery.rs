//! The delivery engine, driven by hand: virtual clocks, and a page that carries out nothing by itself.

#![cfg(not(target_arch = "wasm32"))]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use xdm_beacon::delivery::{
    Answer, Config, DiskOp, Document, DropReason, Effect, Engine, Fate, Handoff, KEEPALIVE_BUDGET, Message,
    Mode, Now, PageEvent, Priority, Request, RequestId, Ticket, Transport, Url, Write,
};
use xdm_beacon::settings::TransportChoice;
use xdm_beacon::time::Millis;

const START: Now = Now { wall: 1_795_492_190_123, mono: 1_000 };
const OWNER: &str = "life";

fn config() -> Config {
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
fn message(ticket: Ticket, bytes: usize) -> Message {
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
    }
}

/// The tickets of the messages in a request's body.
fn tickets(request: &Request) -> Vec<u64> {
    let body: Value = serde_json::from_str(&request.body).expect("a body is JSON");
    let number = |message: &Value| message["n"].as_u64().expect("a message carries its ticket");
    match request.url {
        Url::Single => vec![number(&body)],
        Url::Batch => body["messages"].as_array().expect("a batch").iter().map(number).collect(),
    }
}

fn status(status: u16) -> Answer<'static> {
    Answer::Response { status, body: "", retry_after: "" }
}

/// A page with one engine.
struct Page {
    engine: Engine,
    config: Config,
    now: Now,
    /// All requests ever made, oldest first, and how many of them [`Page::sent`] has told of.
    requests: Vec<Request>,
    told: usize,
    settled: BTreeMap<Ticket, Fate>,
    /// Transactions that are under way, and what those that are committed have left.
    writes: Vec<(DiskOp, Write)>,
    disk: BTreeMap<String, String>,
    handoff: String,
    opened: Vec<String>,
    wake: Option<Millis>,
}

impl Page {
    /// A page whose outbox is open.
    fn new(config: Config) -> Page {
        Page::of(config, &Document::default())
    }

    fn of(config: Config, document: &Document) -> Page {
        let engine = Engine::new(config.clone(), document, OWNER, 7, false, false);
        let mut page = Page {
            engine,
            config,
            now: START,
            requests: Vec::new(),
            told: 0,
            settled: BTreeMap::new(),
            writes: Vec::new(),
            disk: BTreeMap::new(),
            handoff: String::new(),
            opened: Vec::new(),
            wake: None,
        };
        page.tell(|engine, now, fx| engine.start(now, fx));
        if page.config.storage {
            assert_eq!(page.opened, [OWNER]);
            page.tell(|engine, now, fx| engine.opened(true, now, fx));
        }
        page
    }

    fn tell(&mut self, tell: impl FnOnce(&mut Engine, Now, &mut Vec<Effect>)) {
        let mut fx = Vec::new();
        tell(&mut self.engine, self.now, &mut fx);
        self.carry_out(fx);
    }

    fn carry_out(&mut self, fx: Vec<Effect>) {
        assert!(self.engine.counts().adds_up(), "{:?}", self.engine.counts());
        for effect in fx {
            match effect {
                Effect::Send(request) => self.requests.push(request),
                Effect::Settle { ticket, id, timestamp, fate } => {
                    assert_eq!(id, Some(format!("id-{ticket}")));
                    assert_eq!(timestamp, Some(format!("time-{ticket}")));
                    assert_eq!(self.settled.insert(ticket, fate), None, "{ticket} settles twice");
                }
                Effect::Write(op, write) => self.writes.push((op, write)),
                Effect::Handoff { owner, text } => {
                    self.handoff = text;
                    let mut more = Vec::new();
                    self.engine.handed_off(&owner, true, self.now, &mut more);
                    self.carry_out(more);
                }
                Effect::Open { owner } => self.opened.push(owner),
                Effect::Wake(when) => self.wake = Some(when),
                Effect::Close | Effect::Remember(_) => {}
                Effect::Survey(_) | Effect::Defer(_) => panic!("{effect:?}"),
            }
        }
    }

    fn accept(&mut self, message: Message) {
        self.tell(|engine, now, fx| engine.accept(message, now, fx));
    }

    /// Accepts messages of 100 bytes each with these tickets, in one task that then ends.
    fn accept_all(&mut self, tickets: impl IntoIterator<Item = Ticket>) {
        for ticket in tickets {
            self.accept(message(ticket, 100));
        }
        self.wait(0);
    }

    /// Time passes; the engine is woken whenever it asked for it.
    fn wait(&mut self, ms: Millis) {
        let end = self.now.mono + ms;
        let mut ticks = 0;
        while let Some(at) = self.wake.filter(|at| *at <= end) {
            self.pass(at.max(self.now.mono) - self.now.mono);
            self.wake = None;
            self.tell(|engine, now, fx| engine.tick(now, fx));
            ticks += 1;
            assert!(ticks < 10_000, "it never rests");
        }
        self.pass(end - self.now.mono);
    }

    fn pass(&mut self, ms: Millis) {
        self.now.mono += ms;
        self.now.wall += ms;
    }

    fn answer(&mut self, request: RequestId, answer: Answer<'_>) {
        self.tell(|engine, now, fx| engine.answer(request, answer, now, fx));
        self.wait(0);
    }

    fn page(&mut self, event: PageEvent) {
        self.tell(|engine, now, fx| engine.page(event, now, fx));
    }

    /// All transactions under way are committed.
    fn commit(&mut self) {
        for (op, write) in std::mem::take(&mut self.writes) {
            assert_eq!(write.claims, [], "only who has the lease claims");
            self.disk.extend(write.puts);
            for key in write.deletes {
                self.disk.remove(&key);
            }
            self.tell(|engine, now, fx| engine.written(op, Some(Vec::new()), now, fx));
        }
        self.wait(0);
    }

    /// The requests since the last look: URL, transport and tickets.
    fn sent(&mut self) -> Vec<(Url, Transport, Vec<u64>)> {
        let new = &self.requests[self.told..];
        self.told = self.requests.len();
        new.iter().map(|request| (request.url, request.transport, tickets(request))).collect()
    }

    /// The tickets of each request since the last look.
    fn sent_tickets(&mut self) -> Vec<Vec<u64>> {
        self.sent().into_iter().map(|(.., tickets)| tickets).collect()
    }

    fn last(&self) -> RequestId {
        self.requests.last().expect("a request was made").id
    }
}

fn dropped(reason: DropReason) -> Option<Fate> {
    Some(Fate::Dropped(reason, String::new()))
}

// ---------------------------------------------------------------------------------------------
// Budget and transport.

#[test]
fn the_budget_is_65536_bytes_to_the_byte_for_all_engines_of_a_document() {
    assert_eq!(KEEPALIVE_BUDGET, 65_536);
    let document = Document::default();
    let eager = || Config { max_wait: 0, ..config() };
    let (mut one, mut two) = (Page::of(eager(), &document), Page::of(eager(), &document));
    let send = |page: &mut Page, ticket, bytes| {
        page.accept(message(ticket, bytes));
        page.wait(0);
        page.sent()[0].1
    };
    assert_eq!(send(&mut one, 1, 65_000), Transport::Keepalive);
    assert_eq!(document.keepalive_used(), 65_000);
    assert_eq!(send(&mut two, 1, 537), Transport::Fetch, "one byte too many");
    assert_eq!(send(&mut two, 2, 536), Transport::Keepalive, "to the byte");
    assert_eq!(document.keepalive_used(), KEEPALIVE_BUDGET);
    // What goes by plain fetch takes nothing and gives nothing back.
    two.answer(1, status(200));
    assert_eq!(document.keepalive_used(), KEEPALIVE_BUDGET);
    assert_eq!(send(&mut two, 3, 65_537), Transport::Fetch);

    for answer in [status(200), status(404), status(503), status(0), Answer::TimedOut] {
        let document = Document::default();
        let mut page = Page::of(eager(), &document);
        assert_eq!(send(&mut page, 1, KEEPALIVE_BUDGET), Transport::Keepalive);
        page.answer(1, answer);
        assert_eq!(document.keepalive_used(), 0, "given back on {answer:?}");
        page.answer(1, answer);
        assert_eq!(document.keepalive_used(), 0, "and once only");
    }
    let document = Document::default();
    let mut page = Page::of(eager(), &document);
    send(&mut page, 1, 100);
    page.answer(1, Answer::Unreachable);
    assert_eq!(document.keepalive_used(), 100, "the request may go on");
    page.wait(100);
    assert_eq!(document.keepalive_used(), 0);
}

#[test]
fn the_transport_follows_the_choice_the_browser_and_whether_the_page_leaves() {
    use Transport::{Beacon, Fetch, Keepalive};
    let (auto, beacon, fetch) = (TransportChoice::Auto, TransportChoice::Beacon, TransportChoice::Fetch);
    // choice, keepalive known, leaving, small, too large (nothing: it stays in the outbox)
    let table = [
        (auto, true, false, Keepalive, Some(Fetch)),
        (auto, true, true, Keepalive, None),
        (auto, false, false, Fetch, Some(Fetch)),
        (auto, false, true, Beacon, None),
        (beacon, true, false, Keepalive, Some(Fetch)),
        (beacon, true, true, Beacon, None),
        (beacon, false, false, Fetch, Some(Fetch)),
        (beacon, false, true, Beacon, None),
        (fetch, true, false, Keepalive, Some(Fetch)),
        (fetch, true, true, Keepalive, None),
        (fetch, false, false, Fetch, Some(Fetch)),
        (fetch, false, true, Fetch, Some(Fetch)),
    ];
    for (transport, has_keepalive, leaving, small, large) in table {
        for (bytes, expected) in [(1_000, Some(small)), (65_537, large)] {
            let mut page = Page::new(Config { transport, has_keepalive, ..config() });
            page.accept(message(1, bytes));
            if leaving {
                page.page(PageEvent::Leaving);
            } else {
                page.wait(0);
            }
            let chosen = page.sent().first().map(|(_, transport, _)| *transport);
            let row = (transport, has_keepalive, leaving, bytes);
            assert_eq!(chosen, expected, "{row:?}");
            let counts = page.engine.counts();
            let place = match (leaving, expected) {
                (false, _) => counts.in_flight,
                (true, Some(_)) => counts.handed_over,
                (true, None) => counts.stored,
            };
            assert_eq!(place, 1, "{row:?} {counts:?}");
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Batches.

#[test]
fn the_first_of_a_quiet_time_goes_at_the_end_of_its_task_and_later_ones_wait() {
    let mut page = Page::new(config());
    page.accept(message(1, 100));
    assert_eq!(page.sent_tickets(), [[0; 0]; 0], "the task goes on");
    page.accept(message(2, 100));
    page.wait(0);
    let together = (Url::Batch, Transport::Keepalive, vec![1, 2]);
    assert_eq!(page.sent(), [together]);

    page.wait(100);
    page.accept_all([3]);
    page.wait(149);
    assert_eq!(page.sent_tickets(), [[0; 0]; 0], "it waits for company, since the last request");
    page.accept_all([4]);
    page.wait(1);
    assert_eq!(page.sent_tickets(), [[3, 4]]);

    page.answer(1, status(200));
    page.answer(2, status(200));
    page.wait(250);
    page.accept_all([5]);
    let alone = (Url::Single, Transport::Keepalive, vec![5]);
    assert_eq!(page.sent(), [alone], "the time was quiet");
}

#[test]
fn a_batch_goes_when_it_is_full_of_messages_or_bytes() {
    // 10 messages, or 20,000 bytes.
    for (bytes, count) in [(100, 10), (3_000, 7), (20_000, 1)] {
        let mut page = Page::new(config());
        page.accept_all([100]);
        page.sent();
        for ticket in 1..=count {
            assert_eq!(page.sent_tickets(), [[0; 0]; 0], "{bytes} bytes");
            page.accept(message(ticket, bytes));
            page.wait(0);
        }
        assert_eq!(page.sent().len(), 1, "{bytes} bytes");
        assert!(page.requests.iter().all(|request| request.body.len() <= 20_000), "{bytes} bytes");
    }
}

#[test]
fn without_a_batch_url_each_goes_alone() {
    let mut page = Page::new(Config { has_batch: false, ..config() });
    page.accept_all(1..=3);
    assert_eq!(page.sent_tickets(), [[1], [2]], "two requests at a time");
    page.answer(1, status(200));
    assert_eq!(page.sent(), [(Url::Single, Transport::Keepalive, vec![3])]);
}

// ---------------------------------------------------------------------------------------------
// Answers.

#[test]
fn the_status_decides_what_becomes_of_one_message_and_of_several() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Then {
        Delivered,
        Rejected,
        /// Sent again after a while, one message first.
        Probed,
        /// Sent again at once, in halves.
        Halved,
    }
    use Then::{Delivered, Halved, Probed, Rejected};
    let mut table = Vec::new();
    table.extend([200, 201, 202, 204, 299].map(|status| (status, Delivered, Delivered)));
    table.extend([408, 429, 500, 502, 503, 504, 599].map(|status| (status, Probed, Probed)));
    table.extend([401, 403, 404, 405, 410, 501].map(|status| (status, Rejected, Rejected)));
    table.extend([400, 413, 415, 422, 300, 304, 100, 600].map(|status| (status, Rejected, Halved)));
    table.push((0, Probed, Probed));
    for (code, single, several) in table {
        for (count, then) in [(1, single), (4, several)] {
            let mut page = Page::new(config());
            page.accept_all(1..=count);
            page.commit();
            page.sent();
            page.answer(1, status(code));
            let counts = page.engine.counts();
            let fate = match then {
                Delivered => Some(Fate::Delivered),
                Rejected => dropped(DropReason::Rejected),
                Probed => Some(Fate::Stored),
                Halved => Some(Fate::Stored),
            };
            for ticket in 1..=count {
                assert_eq!(page.settled.get(&ticket).cloned(), fate, "{code} of {count}");
            }
            let expected: &[&[u64]] = if then == Halved { &[&[1, 2], &[3, 4]] } else { &[] };
            assert_eq!(page.sent_tickets(), expected, "{code} of {count}");
            let place = match then {
                Delivered => counts.delivered,
                Rejected => counts.dropped.rejected,
                Probed => counts.stored,
                Halved => counts.in_flight,
            };
            assert_eq!(place, count, "{code} of {count} {counts:?}");
            if then == Probed {
                page.wait(1_000);
                assert_eq!(page.sent_tickets().concat().len(), 1, "{code} of {count}: one finds out");
                page.answer(page.last(), status(200));
                page.wait(250);
                assert_eq!(page.sent_tickets().concat().len() as u32, count - 1);
            }
        }
    }
}

#[test]
fn a_mixed_answer_is_read_item_by_item() {
    let mut page = Page::new(config());
    page.accept_all(1..=4);
    page.commit();
    page.sent();
    let body = json!({
        "batchId": "b",
        "responses": [
            { "xactionId": "b:0" },
            { "status": 400, "message": "No", "xactionId": "b:1" },
            { "status": 503, "xactionId": "b:2" },
        ],
    })
    .to_string();
    page.answer(1, Answer::Response { status: 207, body: &body, retry_after: "" });
    assert_eq!(page.settled[&1], Fate::Delivered);
    assert_eq!(page.settled[&2], Fate::Dropped(DropReason::Rejected, String::from("No")));
    // What the endpoint could not take now, and what it does not speak of, is sent again.
    for ticket in [3, 4] {
        assert_eq!(page.settled[&ticket], Fate::Stored);
    }
    page.wait(1_000);
    page.answer(page.last(), status(200));
    page.wait(250);
    page.answer(page.last(), status(200));
    let mut again = page.sent_tickets().concat();
    again.sort_unstable();
    assert_eq!(again, [3, 4]);
    assert_eq!(page.engine.counts().delivered, 3);
    page.commit();
    assert_eq!(page.disk.len(), 0);
}

#[test]
fn retry_after_is_honoured_in_both_forms_and_rubbish_is_not() {
    // In the second form the server's clock counts, which is an hour ahead of the page's.
    let server_now = START.wall + 3_600_000;
    let body = format!("{{\"receivedTimeMs\":{server_now}}}");
    // The header; at least and at most so long: the own back-off is up to a second.
    for (header, least, most) in [
        ("2", 2_000, 2_000),
        (" 30 ", 30_000, 30_000),
        ("86400", 3_600_000, 3_600_000),
        ("99999999999999999999", 3_600_000, 3_600_000),
        // 2026-11-24T04:49:50Z is the server's now, without its 123 ms.
        ("Tue, 24 Nov 2026 04:50:00 GMT", 9_877, 9_877),
        ("Tue, 24 Nov 2026 03:50:00 GMT", 0, 1_000),
        ("0", 0, 1_000),
        ("", 0, 1_000),
        ("-5", 0, 1_000),
        ("soon", 0, 1_000),
        ("2.5", 0, 1_000),
    ] {
        for code in [503, 429] {
            let mut page = Page::new(Config { max_age: 100_000_000, ..config() });
            page.accept_all([1]);
            page.sent();
            page.answer(1, Answer::Response { status: code, body: &body, retry_after: header });
            if least > 0 {
                page.wait(least - 1);
                assert_eq!(page.sent_tickets(), [[0; 0]; 0], "{header:?} is too early");
            }
            page.wait(most - least + 1);
            assert_eq!(page.sent_tickets(), [[1]], "{header:?}");
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Leaving, and the outbox.

#[test]
fn what_is_most_valuable_is_handed_over_and_the_rest_is_in_the_hand_off() {
    let mut page = Page::new(Config { max_batch_bytes: 70_000, ..config() });
    for (ticket, priority) in
        [(1, Priority::Low), (2, Priority::Normal), (3, Priority::High), (4, Priority::Normal)]
    {
        page.accept(Message { priority, ..message(ticket, 30_000) });
    }
    page.page(PageEvent::Leaving);
    assert_eq!(page.sent(), [(Url::Batch, Transport::Keepalive, vec![3, 2])]);
    for (ticket, fate) in [(1, Fate::Stored), (2, Fate::HandedOver), (3, Fate::HandedOver), (4, Fate::Stored)]
    {
        assert_eq!(page.settled.get(&ticket), Some(&fate), "{ticket}");
    }
    // Nothing was ever heard of the endpoint, so all of it is kept.
    let handoff = Handoff::read(&page.config, &page.handoff).unwrap();
    let mut keys: Vec<&str> = handoff.records.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["life/m1", "life/m2", "life/m3", "life/m4"]);
    assert_eq!(handoff.gone, [""; 0]);
    let counts = page.engine.counts();
    assert_eq!((counts.handed_over, counts.stored), (2, 2));
}

#[test]
fn a_record_is_put_at_the_end_of_the_task_and_removed_when_it_is_answered() {
    let mut page = Page::new(config());
    page.accept(message(1, 100));
    page.accept(message(2, 100));
    assert_eq!(page.writes, []);
    page.wait(0);
    let [(_, write)] = &page.writes[..] else { panic!("{:?}", page.writes) };
    let keys: Vec<&str> = write.puts.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["life/m1", "life/m2"], "one transaction for all");
    // The endpoint is silent; only what is committed is stored.
    page.wait(2_000);
    assert_eq!(page.settled.len(), 0);
    page.commit();
    assert_eq!(page.settled, BTreeMap::from([(1, Fate::Stored), (2, Fate::Stored)]));
    assert_eq!(page.engine.notes().outbox_events, 2);
    assert_eq!(page.engine.notes().outbox_bytes, 200);

    page.answer(1, status(200));
    page.commit();
    assert_eq!(page.disk, BTreeMap::new());
    assert_eq!(page.engine.counts().delivered, 2);
    assert_eq!(page.engine.notes().outbox_events, 0);
}

#[test]
fn the_bound_evicts_the_oldest_of_the_lowest_priority() {
    let mut page = Page::new(Config { max_stored_bytes: 300, ..config() });
    page.page(PageEvent::Offline);
    for (ticket, priority) in [
        (1, Priority::High),
        (2, Priority::Normal),
        (3, Priority::Low),
        (4, Priority::Low),
        (5, Priority::Normal),
    ] {
        page.accept(Message { priority, ..message(ticket, 100) });
    }
    page.wait(0);
    page.commit();
    let evicted = dropped(DropReason::Evicted).unwrap();
    assert_eq!(page.settled, BTreeMap::from([(3, evicted.clone()), (4, evicted)]));
    let keys: Vec<&str> = page.disk.keys().map(String::as_str).collect();
    assert_eq!(keys, ["life/m1", "life/m2", "life/m5"]);
    assert_eq!(page.engine.counts().dropped.evicted, 2);
}
