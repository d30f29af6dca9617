//! The origin and what is around it: time, disk, locks, network, and the order of all that happens.

use super::check::{Fault, Invariant, Tally, Violation, excuse};
use super::life::{Life, Rng, Size, Step, What};
use super::page::{Doubt, End, Memory, Page, Slot};
use super::server::{Arrival, Post, Reply, Server, Verdict};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use xdm_beacon::delivery::stamp::{holder, stamp};
use xdm_beacon::delivery::{
    Answer, Consent, DiskOp, Effect, Mode, PageEvent, REQUEST_TIMEOUT_MS, RequestId, SURVEY_RECORDS, Survey,
    Transport, Url, Write,
};
use xdm_beacon::time::Millis;

/// 2026-11-24: when every life begins.
pub const EPOCH: Millis = 1_795_492_190_123;
/// Without Web Locks a name is a stamp that holds this long.
const STAMP_MS: Millis = 150_000;
/// How often it is renewed.
const RENEW_MS: Millis = 30_000;
/// A survey and the transaction that comes of it are over after this time.
const CONTEST_MS: Millis = 20_000;
/// More would be an endless loop.
const MOST_HAPPENINGS: u64 = 100_000;
/// So often a message is written to disk at most.
const MOST_PUTS: u32 = 60;
/// The name of the record of event 7 is `r7`; planted records have others.
const RID: char = 'r';

/// A message that was accepted.
pub struct Event {
    pub text: String,
    pub ep: usize,
    pub mode: Mode,
    /// The slot that accepted it.
    pub home: usize,
    /// Since when it may be on disk: once consent is given, and with `atMostOnce` while it is not in flight.
    pub since: Millis,
    pub accepted: Millis,
    /// By the wall clock.
    pub created: Millis,
    pub bad: bool,
    pub poison: bool,
    pub has_id: bool,
    pub attempts: u32,
    pub commits: u32,
    /// Attempts whose answer may still be seen.
    pub open: u32,
    /// Of them, those that outlive the page.
    pub open_lasting: u32,
    /// Attempts that ended without a readable word on it.
    pub unknown: u32,
    /// Who has seen a readable acceptance, in which incarnation, when.
    pub taken: Option<(usize, u32, Millis)>,
    /// The one who has seen it could not tell others.
    pub forgotten: bool,
    pub refused: Option<(usize, Millis)>,
    /// `balanced`: handed over to an endpoint that was certainly well.
    pub trusted: bool,
    pub settled: bool,
    pub on_disk: u32,
    pub in_handoff: u32,
    pub ever_kept: bool,
    /// Who wrote its record.
    pub keeper: usize,
    pub puts: u32,
    /// Somebody took its record since a stamp had run out while its page lived.
    pub contested: bool,
    pub excuse: u16,
    /// Consent when it was accepted; `In` once that was given.
    pub consent: Consent,
}

impl Event {
    pub fn resolved(&self) -> bool {
        self.taken.is_some() || self.refused.is_some()
    }

    pub fn kept(&self) -> bool {
        self.on_disk + self.in_handoff > 0
    }
}

/// A request on its way.
pub struct Req {
    pub slot: usize,
    pub incarnation: u32,
    pub id: RequestId,
    pub url: Url,
    /// None for a deferred one, whose answer nobody sees.
    pub transport: Option<Transport>,
    pub events: Vec<u32>,
    pub bytes: usize,
    pub issued: Millis,
    /// The page may still see an answer.
    pub open: bool,
    pub arrived: bool,
    pub cancelled: bool,
    reply: Reply,
    verdicts: Vec<Verdict>,
}

/// A transaction on its way.
pub struct Op {
    pub slot: usize,
    pub incarnation: u32,
    pub id: DiskOp,
    pub write: Write,
    /// The messages it puts, of which its page does not know yet that they are on disk.
    pub puts: Vec<u32>,
    pub begun: Millis,
    pub issued: Millis,
    pub lost: bool,
    pub committed: bool,
    outcome: Option<Vec<bool>>,
}

/// What happens next.
pub enum Happening {
    Tick {
        slot: usize,
        wake: u32,
    },
    Arrive {
        req: usize,
    },
    Answered {
        req: usize,
    },
    TimedOut {
        req: usize,
    },
    /// The browser's own quota was used up by others.
    Refused {
        req: usize,
    },
    Commit {
        op: usize,
    },
    Written {
        op: usize,
    },
    Opened {
        slot: usize,
        epoch: u32,
        create: bool,
    },
    Leased {
        slot: usize,
        epoch: u32,
    },
    LeaseLost {
        slot: usize,
        epoch: u32,
    },
    LeaseWanted {
        slot: usize,
        epoch: u32,
    },
    /// Another page has changed the origin's storage.
    Inherits {
        page: usize,
    },
    LeaseExpired {
        ep: usize,
        slot: usize,
        epoch: u32,
    },
    SurveyRead {
        slot: usize,
        incarnation: u32,
        after: String,
    },
    Surveyed {
        slot: usize,
        incarnation: u32,
        records: Vec<(String, String)>,
    },
}

struct Due {
    at: Millis,
    order: u64,
    what: Happening,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    /// The heap gives the greatest first; the earliest is wanted.
    fn cmp(&self, other: &Due) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// Who lives, as others can tell.
pub struct Name {
    pub owner: String,
    pub slot: usize,
    /// The stamp that nobody renews any more.
    last_stamp: Option<String>,
    /// A stamp that was not renewed in time is not seen until then.
    unseen_until: Millis,
}

#[derive(Default)]
struct Lease {
    /// The slot, and its epoch when it got the lease.
    holder: Option<(usize, u32)>,
    /// Until then one who has lost it may be at work beside the next holder.
    contested_until: Millis,
    queue: VecDeque<usize>,
}

#[derive(Default)]
pub struct Tab {
    pub page: Option<usize>,
    pub cached: Vec<usize>,
    /// By endpoint.
    pub memory: BTreeMap<usize, Memory>,
}

/// Until when something is wrong with the browser or its storage.
#[derive(Default)]
pub struct Trouble {
    pub disk_full: Millis,
    pub disk_slow: Millis,
    pub handoff_full: Millis,
    pub quota_taken: (usize, Millis),
    pub defer_refused: Millis,
    pub beacon_refused: Millis,
}

pub struct World<'a> {
    pub life: &'a Life,
    pub now: Millis,
    pub wall_offset: Millis,
    highest_offset: Millis,
    pub last_jump: Millis,
    pub rng: Rng,
    due: BinaryHeap<Due>,
    order: u64,
    happenings: u64,
    pub pages: Vec<Page>,
    pub slots: Vec<Slot>,
    pub tabs: Vec<Tab>,
    pub events: Vec<Event>,
    pub reqs: Vec<Req>,
    pub ops: Vec<Op>,
    pub disk: BTreeMap<String, String>,
    disk_free_at: Millis,
    pub handoffs: BTreeMap<String, String>,
    pub names: Vec<Name>,
    leases: Vec<Lease>,
    planted: Vec<(String, Option<String>)>,
    planted_handoffs: Vec<String>,
    /// It was made, by whichever page.
    pub has_outbox: bool,
    pub server: Server,
    pub trouble: Trouble,
    pub online: bool,
    /// The visitor's choice, as a new page finds it.
    pub consent: Consent,
    pub healing: bool,
    pub effects: VecDeque<(usize, Effect)>,
    pub draining: bool,
    pub spare: Vec<Effect>,
    pub names_given: u32,
    pub loads: u64,
    pub met: u128,
    pub policy_drops: u32,
    pub slowest_settle: Millis,
    pub violation: Option<Violation>,
    pub trace: Option<Vec<String>>,
}

/// Adds a line to the trace, where there is one.
macro_rules! trace {
    ($world:expr, $($arg:tt)*) => {
        if let Some(trace) = &mut $world.trace {
            let line = format!($($arg)*);
            trace.push(format!("{:>11.3}  {line}", $world.now as f64 / 1000.0));
        }
    };
}
pub(crate) use trace;

impl<'a> World<'a> {
    pub fn new(life: &'a Life, traced: bool) -> World<'a> {
        World {
            life,
            now: 0,
            wall_offset: 0,
            highest_offset: 0,
            last_jump: -1,
            rng: Rng::new(life.seed),
            due: BinaryHeap::new(),
            order: 0,
            happenings: 0,
            pages: Vec::new(),
            slots: Vec::new(),
            tabs: Vec::new(),
            events: Vec::new(),
            reqs: Vec::new(),
            ops: Vec::new(),
            disk: BTreeMap::new(),
            disk_free_at: 0,
            handoffs: BTreeMap::new(),
            names: Vec::new(),
            leases: life.circumstances.modes.iter().map(|_| Lease::default()).collect(),
            planted: Vec::new(),
            has_outbox: false,
            planted_handoffs: Vec::new(),
            server: Server::default(),
            trouble: Trouble::default(),
            online: true,
            consent: life.circumstances.consent,
            healing: false,
            effects: VecDeque::new(),
            draining: false,
            spare: Vec::new(),
            names_given: 0,
            loads: 0,
            met: 0,
            policy_drops: 0,
            slowest_settle: 0,
            violation: None,
            trace: traced.then(Vec::new),
        }
    }

    /// Lives the life to its end.
    pub fn run(&mut self) {
        let life = self.life;
        self.meet_circumstances();
        for step in &life.steps {
            self.advance(step.after);
            self.rng = Rng::new(step.salt);
            trace!(self, "== {:?} (tab {})", step.what, step.tab);
            self.perform(step);
            if self.violation.is_some() {
                return;
            }
        }
        self.rng = Rng::new(life.seed);
        self.finale();
    }

    pub fn met(&mut self, fault: Fault) {
        self.met |= 1 << fault as u32;
    }

    pub fn fail(&mut self, invariant: Invariant, detail: String) {
        if self.violation.is_none() {
            trace!(self, "!! {invariant:?}: {detail}");
            self.violation = Some(Violation { invariant, detail });
        }
    }

    pub fn wall(&self) -> Millis {
        EPOCH + self.now + self.wall_offset
    }

    /// The server's clock, which is right.
    fn true_time(&self) -> Millis {
        EPOCH + self.now
    }

    // ---- time ------------------------------------------------------------------------------------

    pub fn later(&mut self, after: Millis, what: Happening) {
        self.order += 1;
        self.due.push(Due { at: self.now + after, order: self.order, what });
    }

    pub fn advance(&mut self, by: Millis) {
        let until = self.now + by;
        while self.violation.is_none() {
            match self.due.peek() {
                Some(due) if due.at <= until => {}
                _ => break,
            }
            let Some(due) = self.due.pop() else { break };
            self.now = due.at;
            self.happenings += 1;
            if self.happenings > MOST_HAPPENINGS {
                self.fail(Invariant::NoLivelock, format!("{MOST_HAPPENINGS} happenings"));
                return;
            }
            self.happen(due.what);
        }
        self.now = until;
    }

    fn happen(&mut self, what: Happening) {
        // What is meant for a frozen page waits until it is thawed.
        let waiting = match &what {
            Happening::Tick { slot, .. }
            | Happening::Opened { slot, .. }
            | Happening::Leased { slot, .. }
            | Happening::LeaseLost { slot, .. }
            | Happening::Surveyed { slot, .. } => Some(*slot),
            Happening::Answered { req } | Happening::TimedOut { req } | Happening::Refused { req } => {
                Some(self.reqs[*req].slot)
            }
            Happening::Written { op } => Some(self.ops[*op].slot),
            _ => None,
        };
        if let Some(slot) = waiting {
            let page = &mut self.pages[self.slots[slot].page];
            if page.frozen {
                page.parked.push(what);
                return;
            }
        }
        match what {
            Happening::Tick { slot, wake } => {
                if self.slots[slot].wake == wake {
                    self.slots[slot].wake += 1;
                    self.input(slot, |engine, now, fx| engine.tick(now, fx));
                }
            }
            Happening::Arrive { req } => self.arrive(req),
            Happening::Answered { req } => self.answered(req),
            Happening::TimedOut { req } => {
                if self.reqs[req].open {
                    self.met(Fault::TimedOut);
                    self.end_request(req, None);
                    self.tell(req, Answer::TimedOut);
                }
            }
            Happening::Refused { req } => {
                if self.reqs[req].open {
                    self.end_request(req, None);
                    self.tell(req, Answer::Unreachable);
                }
            }
            Happening::Inherits { page } => {
                if self.pages[page].alive && !self.pages[page].frozen {
                    self.tell_page(page, PageEvent::Inherits);
                }
            }
            Happening::Commit { op } => self.commit(op),
            Happening::Written { op } => self.written(op),
            Happening::Opened { slot, epoch, create } => self.opened(slot, epoch, create),
            Happening::Leased { slot, epoch } => {
                let ep = self.slots[slot].ep;
                if self.slots[slot].epoch == epoch && self.holds_lease(ep, slot) {
                    self.slots[slot].lease = true;
                    self.input(slot, |engine, now, fx| engine.lease(true, now, fx));
                }
            }
            Happening::LeaseLost { slot, epoch } => {
                if self.slots[slot].epoch == epoch && self.slots[slot].lease {
                    self.slots[slot].lease = false;
                    self.input(slot, |engine, now, fx| engine.lease(false, now, fx));
                }
            }
            Happening::LeaseWanted { slot, epoch } => {
                if self.slots[slot].epoch == epoch && self.slots[slot].engine.is_some() {
                    self.want_lease(slot);
                }
            }
            Happening::LeaseExpired { ep, slot, epoch } => {
                if self.leases[ep].holder == Some((slot, epoch)) {
                    self.leases[ep].holder = None;
                    self.grant(ep);
                }
            }
            Happening::SurveyRead { slot, incarnation, after } => {
                let mut records = Vec::new();
                if !self.slots[slot].dying {
                    for (key, text) in self.disk.range(after.clone()..) {
                        if *key > after {
                            records.push((key.clone(), text.clone()));
                            if records.len() == SURVEY_RECORDS {
                                break;
                            }
                        }
                    }
                }
                let wait = self.rng.between(0, 3);
                self.later(wait, Happening::Surveyed { slot, incarnation, records });
            }
            Happening::Surveyed { slot, incarnation, records } => {
                if self.slots[slot].incarnation != incarnation {
                    return;
                }
                let survey = Survey {
                    records,
                    live: self.live(),
                    handoffs: self
                        .handoffs
                        .iter()
                        .map(|(owner, text)| (owner.clone(), text.clone()))
                        .collect(),
                };
                trace!(
                    self,
                    "s{slot} surveyed {} records, {} hand-offs, live {:?}",
                    survey.records.len(),
                    survey.handoffs.len(),
                    survey.live
                );
                self.slots[slot].surveyed = Some((self.now, survey.live.clone()));
                let ep = self.slots[slot].ep;
                let foreign = survey.records.iter().filter_map(|(key, _)| number(key));
                if foreign.map(|n| self.events[n as usize].ep).any(|other| other != ep) {
                    self.met(Fault::OtherEndpoint);
                }
                self.input(slot, |engine, now, fx| engine.surveyed(survey, now, fx));
            }
        }
    }

    // ---- the network -----------------------------------------------------------------------------

    /// Puts a request on the wire.
    pub fn launch(
        &mut self,
        slot: usize,
        id: RequestId,
        url: Url,
        transport: Option<Transport>,
        events: Vec<u32>,
        bytes: usize,
    ) -> usize {
        let answerable = matches!(transport, Some(Transport::Keepalive | Transport::Fetch));
        for &n in &events {
            let event = &mut self.events[n as usize];
            event.attempts += 1;
            if answerable {
                event.open += 1;
                event.open_lasting += u32::from(transport == Some(Transport::Keepalive));
            } else {
                event.unknown += 1;
            }
        }
        let req = self.reqs.len();
        let incarnation = self.slots[slot].incarnation;
        self.reqs.push(Req {
            slot,
            incarnation,
            id,
            url,
            transport,
            events,
            bytes,
            issued: self.now,
            open: answerable,
            arrived: false,
            cancelled: false,
            reply: Reply::Nothing,
            verdicts: Vec::new(),
        });
        if answerable {
            self.slots[slot].open.push(req);
            self.later(REQUEST_TIMEOUT_MS as Millis, Happening::TimedOut { req });
        }
        if self.online {
            let way = self.way();
            self.later(way, Happening::Arrive { req });
        } else {
            self.met(Fault::Offline);
            self.reqs[req].cancelled = true;
            let wait = self.rng.between(1, 30);
            self.later(wait, Happening::Refused { req });
        }
        req
    }

    /// One way through the network.
    fn way(&mut self) -> Millis {
        let latency = self.life.circumstances.latency;
        self.rng.between(latency / 2, latency * 2) + 1
    }

    fn arrive(&mut self, req: usize) {
        if self.reqs[req].cancelled {
            return;
        }
        let messages: Vec<Arrival> = self.reqs[req]
            .events
            .iter()
            .map(|&n| &self.events[n as usize])
            .map(|event| Arrival { bad: event.bad, poison: event.poison })
            .collect();
        let post = Post {
            url: self.reqs[req].url,
            bytes: self.reqs[req].bytes,
            messages: &messages,
            now: self.now,
            clock: self.true_time(),
        };
        let decision = self.server.decide(&post, self.life.circumstances.bad_batch, &mut self.rng);
        for fault in decision.faults {
            self.met(fault);
        }
        trace!(self, "   server: request {req} -> {:?} {:?}", decision.reply, decision.items);
        self.reqs[req].arrived = true;
        let events = std::mem::take(&mut self.reqs[req].events);
        for (&n, (committed, _)) in events.iter().zip(&decision.items) {
            if *committed {
                self.events[n as usize].commits += 1;
                let event = &self.events[n as usize];
                // Where a stamp runs out while its page lives, nobody can know that another has it, too.
                if event.commits > 1 && event.mode == Mode::AtMostOnce && !event.contested {
                    self.fail(Invariant::AtMostOnce, format!("message {n} is committed twice"));
                }
            }
        }
        self.reqs[req].events = events;
        self.reqs[req].verdicts = decision.items.into_iter().map(|(_, verdict)| verdict).collect();
        let silent = matches!(decision.reply, Reply::Nothing);
        self.reqs[req].reply = decision.reply;
        if !silent && self.reqs[req].open {
            let way = self.way() + decision.delay;
            self.later(way, Happening::Answered { req });
        }
    }

    fn answered(&mut self, req: usize) {
        if !self.reqs[req].open {
            return;
        }
        match std::mem::replace(&mut self.reqs[req].reply, Reply::Nothing) {
            Reply::Response { status, body, retry_after } => {
                self.end_request(req, Some(status));
                self.note_wait(req, status, &body, &retry_after);
                self.tell(req, Answer::Response { status, body: &body, retry_after: &retry_after });
            }
            Reply::Unreachable => {
                self.end_request(req, None);
                self.tell(req, Answer::Unreachable);
            }
            Reply::Nothing => {}
        }
    }

    /// Notes how long the endpoint asked this page to wait, by what a page can know.
    fn note_wait(&mut self, req: usize, status: u16, body: &str, retry_after: &str) {
        let slot = self.reqs[req].slot;
        if self.slots[slot].incarnation != self.reqs[req].incarnation {
            return;
        }
        if body.contains("receivedTimeMs") {
            self.slots[slot].clock_known = Some(self.now);
        }
        if !matches!(status, 408 | 429 | 500..) || retry_after.is_empty() {
            return;
        }
        let wait = match retry_after.parse::<Millis>() {
            Ok(seconds) => seconds * 1000,
            Err(_) => {
                // Who knows the server's clock knows the wait; so does who has the right time, and has
                // not learnt from the server that it was wrong.
                let known = match self.slots[slot].clock_known {
                    Some(at) => at > self.last_jump,
                    None => self.wall_offset == 0,
                };
                if !known {
                    return;
                }
                let date =
                    xdm_beacon::time::parse_http_date(retry_after).expect("the server writes dates well");
                date - self.true_time() - 2_000
            }
        };
        let until = self.now + wait;
        self.slots[slot].not_before = self.slots[slot].not_before.max(until);
    }

    /// The page hears the end of a request: what it can know of each message from now on.
    pub fn end_request(&mut self, req: usize, status: Option<u16>) {
        let (slot, transport, bytes) = {
            let request = &mut self.reqs[req];
            request.open = false;
            (request.slot, request.transport, request.bytes)
        };
        let (url, incarnation) = (self.reqs[req].url, self.reqs[req].incarnation);
        self.slots[slot].open.retain(|&open| open != req);
        let current = self.slots[slot].incarnation == incarnation;
        let page = self.slots[slot].page;
        if transport == Some(Transport::Keepalive) {
            self.pages[page].keepalive_real -= bytes;
            if current {
                self.pages[page].keepalive -= bytes;
            }
        }
        let events = std::mem::take(&mut self.reqs[req].events);
        let readable = status.is_some();
        let mut whole = true;
        for (at, &n) in events.iter().enumerate() {
            let verdict = match self.reqs[req].verdicts.get(at) {
                Some(verdict) if readable => *verdict,
                _ => Verdict::Silent,
            };
            whole &= matches!(verdict, Verdict::Accepted | Verdict::Refused);
            let event = &mut self.events[n as usize];
            event.open -= 1;
            event.open_lasting -= u32::from(transport == Some(Transport::Keepalive));
            if !current {
                event.unknown += 1;
                continue;
            }
            match verdict {
                Verdict::Accepted => {
                    event.taken = event.taken.or(Some((slot, incarnation, self.now)));
                    // Somebody took its record over: this page cannot remove it.
                    event.forgotten |= event.on_disk > 0 && event.keeper != slot;
                }
                Verdict::Refused => {
                    event.refused = event.refused.or(Some((slot, self.now)));
                    event.excuse |= excuse::REFUSED;
                }
                Verdict::Later => {
                    event.trusted = false;
                    if event.mode == Mode::AtMostOnce {
                        event.since = self.now;
                    }
                }
                Verdict::Silent => {
                    event.unknown += 1;
                    event.trusted = false;
                }
            }
        }
        self.reqs[req].events = events;
        if !current {
            return;
        }
        let good = status.is_some_and(|status| (200..300).contains(&status));
        let alive = status.is_some_and(|status| !matches!(status, 408 | 429 | 500..));
        let doubted_until = self.doubted_until();
        let slot = &mut self.slots[slot];
        slot.down = !alive;
        if !good || !whole {
            slot.last_failure = self.now;
            // A page that is back from the cache may see that what it had taken as delivered was not: nothing
            // of what is under way still is, for something has gone wrong.
            for &n in slot.open.iter().flat_map(|&open| &self.reqs[open].events) {
                self.events[n as usize].trusted = false;
            }
        }
        let Some(transport) = transport else { return };
        let until = &mut slot.health[url as usize][transport as usize];
        let well = self.now <= *until;
        if good {
            *until = Millis::MAX;
            slot.certain[url as usize][transport as usize] = self.now;
        } else if !alive {
            let lasting = transport == Transport::Keepalive && status.is_none();
            if lasting {
                *until = (*until).min(doubted_until);
                let events = self.reqs[req].events.clone();
                slot.doubts.push(Doubt { at: self.now, events, bytes, url, well });
            } else {
                *until = Millis::MIN;
            }
        }
    }

    pub fn tell(&mut self, req: usize, answer: Answer<'_>) {
        let Req { slot, id, incarnation, issued, .. } = self.reqs[req];
        trace!(self, "s{slot} answer to {id} (request {req}): {answer:?}");
        if self.slots[slot].incarnation == incarnation {
            if matches!(answer, Answer::Response { .. }) {
                self.heard(slot, issued);
            }
            self.input(slot, |engine, now, fx| engine.answer(id, answer, now, fx));
        }
    }

    // ---- the disk --------------------------------------------------------------------------------

    fn disk_time(&mut self) -> Millis {
        let takes = if self.now < self.trouble.disk_slow {
            self.met(Fault::DiskSlow);
            self.rng.between(500, 4_000)
        } else {
            self.rng.between(1, 20)
        };
        self.disk_free_at = self.disk_free_at.max(self.now + takes);
        self.disk_free_at - self.now
    }

    pub fn begin(&mut self, slot: usize, id: DiskOp, write: Write) {
        let op = self.ops.len();
        let incarnation = self.slots[slot].incarnation;
        self.ops.push(Op {
            slot,
            incarnation,
            id,
            puts: write.puts.iter().filter_map(|(key, _)| number(key)).collect(),
            write,
            begun: self.now,
            issued: self.slots[slot].surveyed.as_ref().map_or(self.now, |(at, _)| *at).min(self.now),
            lost: false,
            committed: false,
            outcome: None,
        });
        self.slots[slot].ops.push(op);
        let wait = self.disk_time();
        self.later(wait, Happening::Commit { op });
    }

    pub fn survey(&mut self, slot: usize, after: String) {
        let wait = self.disk_time();
        let incarnation = self.slots[slot].incarnation;
        self.later(wait, Happening::SurveyRead { slot, incarnation, after });
    }

    fn commit(&mut self, op: usize) {
        if self.ops[op].lost {
            return;
        }
        let slot = self.ops[op].slot;
        let writes = |write: &Write| {
            !write.puts.is_empty() || write.claims.iter().any(|claim| !claim.record.is_empty())
        };
        let full = self.now < self.trouble.disk_full && writes(&self.ops[op].write);
        if full {
            self.met(Fault::DiskFull);
        }
        if self.slots[slot].dying {
            self.met(Fault::DiskDied);
        }
        self.ops[op].committed = true;
        if full || self.slots[slot].dying {
            self.slots[slot].write_failed = self.now;
            trace!(self, "s{slot} transaction {} aborted", self.ops[op].id);
        } else {
            let write = std::mem::take(&mut self.ops[op].write);
            let issued = self.ops[op].issued;
            trace!(self, "s{slot} transaction {} committed", self.ops[op].id);
            let mut claimed = Vec::new();
            for claim in &write.claims {
                let there = self.remove(&claim.from);
                claimed.push(there);
                if there {
                    if let Some(n) = number(&claim.from)
                        && claim.record.is_empty()
                        && self.slots[slot].incarnation != self.ops[op].incarnation
                    {
                        // `atMostOnce`: off the disk so that it may be sent, by an engine that has trapped.
                        self.events[n as usize].excuse |= excuse::UNANSWERED;
                    }
                    if let Some(n) = number(&claim.to) {
                        self.obtain(slot, n, issued);
                    }
                    if !claim.record.is_empty() {
                        self.put(slot, &claim.to, &claim.record);
                    }
                }
            }
            for (key, record) in &write.puts {
                if let Some(n) = number(key) {
                    self.obtain(slot, n, issued);
                }
                self.put(slot, key, record);
            }
            for key in &write.deletes {
                self.remove(key);
            }
            if self.now < self.leases[self.slots[slot].ep].contested_until {
                // Two pages took over the same hand-off: neither could know of the other.
                for n in write.puts.iter().filter_map(|(key, _)| number(key)) {
                    let event = &mut self.events[n as usize];
                    event.contested |= event.on_disk > 1;
                }
            }
            self.ops[op].write.handoffs = write.handoffs;
            self.ops[op].outcome = Some(claimed);
        }
        // A page hears of its transactions in their order.
        let told = (self.now + self.rng.between(0, 3)).max(self.slots[slot].told_at);
        self.slots[slot].told_at = told;
        self.later(told - self.now, Happening::Written { op });
    }

    fn written(&mut self, op: usize) {
        let slot = self.ops[op].slot;
        self.slots[slot].ops.retain(|&open| open != op);
        if self.slots[slot].incarnation != self.ops[op].incarnation || self.slots[slot].engine.is_none() {
            return;
        }
        let outcome = self.ops[op].outcome.take();
        if outcome.is_some() {
            for owner in std::mem::take(&mut self.ops[op].write.handoffs) {
                let issued = self.ops[op].issued;
                for n in tokens(self.handoffs.get(&owner).map_or("", String::as_str)) {
                    self.obtain(slot, n, issued);
                }
                trace!(self, "s{slot} hand-off of {owner} removed");
                self.set_handoff(&owner, "");
            }
        }
        let Op { id, begun, .. } = self.ops[op];
        trace!(self, "s{slot} written {id}: {outcome:?}");
        if outcome.is_some() {
            self.heard(slot, begun);
        }
        self.input(slot, |engine, now, fx| engine.written(id, outcome, now, fx));
    }

    /// From now on this slot may send a message that it did not accept.
    pub fn obtain(&mut self, slot: usize, n: u32, at: Millis) {
        self.slots[slot].obtained.entry(n).or_insert(at);
    }

    fn put(&mut self, slot: usize, key: &str, record: &str) {
        self.remove(key);
        if let Some(n) = number(key) {
            if self.copies(record).is_ok_and(|found| found == [n]) {
                let event = &mut self.events[n as usize];
                event.on_disk += 1;
                event.keeper = slot;
                event.ever_kept = true;
                event.puts += 1;
                // `atMostOnce` takes it off the disk for each attempt, and puts it back after a failure.
                let most = MOST_PUTS + event.attempts;
                if event.puts > most {
                    self.fail(Invariant::NoLivelock, format!("message {n} is written {most} times"));
                }
            } else {
                self.fail(Invariant::BodyIntact, format!("the record {key} does not hold its message"));
            }
        }
        self.disk.insert(String::from(key), String::from(record));
    }

    fn remove(&mut self, key: &str) -> bool {
        let there = self.disk.remove(key).is_some();
        if let (true, Some(n)) = (there, number(key)) {
            self.events[n as usize].on_disk -= 1;
            trace!(self, "   {key} leaves the disk");
        }
        there
    }

    pub fn set_handoff(&mut self, owner: &str, text: &str) {
        if let Some(old) = self.handoffs.remove(owner) {
            for n in tokens(&old) {
                self.events[n as usize].in_handoff -= 1;
            }
        }
        if !text.is_empty() {
            for n in tokens(text) {
                self.events[n as usize].in_handoff += 1;
                self.events[n as usize].ever_kept = true;
            }
            self.handoffs.insert(String::from(owner), String::from(text));
        }
    }

    // ---- names and leases ------------------------------------------------------------------------

    pub fn take_name(&mut self, slot: usize) {
        let owner = self.slots[slot].owner.clone();
        if !self.names.iter().any(|name| name.owner == owner) {
            self.names.push(Name { owner, slot, last_stamp: None, unseen_until: 0 });
        }
    }

    pub fn let_go(&mut self, slot: usize, abruptly: bool) {
        self.slots[slot].lease = false;
        if abruptly && !self.life.circumstances.has_locks {
            let Slot { ep, epoch, .. } = self.slots[slot];
            self.leases[ep].queue.retain(|&waiting| waiting != slot);
            let wall = self.wall();
            for name in self.names.iter_mut().filter(|name| name.slot == slot && name.last_stamp.is_none()) {
                name.last_stamp = Some(stamp(&name.owner, wall));
            }
            self.later(STAMP_MS, Happening::LeaseExpired { ep, slot, epoch });
        } else {
            self.give_up_name(slot);
        }
        self.slots[slot].epoch += 1;
    }

    pub fn give_up_name(&mut self, slot: usize) {
        let ep = self.slots[slot].ep;
        self.leases[ep].queue.retain(|&waiting| waiting != slot);
        self.names.retain(|name| name.slot != slot || name.last_stamp.is_some());
        if self.holds_lease(ep, slot) {
            self.leases[ep].holder = None;
            self.grant(ep);
        }
    }

    fn holds_lease(&self, ep: usize, slot: usize) -> bool {
        self.leases[ep].holder == Some((slot, self.slots[slot].epoch))
    }

    /// The names that others see.
    pub fn live(&self) -> Vec<String> {
        let holds = |text: &String| holder(text, self.wall(), self.wall()).is_some();
        let seen = |name: &&Name| self.now >= name.unseen_until && name.last_stamp.as_ref().is_none_or(holds);
        self.names.iter().filter(seen).map(|name| name.owner.clone()).collect()
    }

    pub fn want_lease(&mut self, slot: usize) {
        let ep = self.slots[slot].ep;
        if !self.holds_lease(ep, slot) && !self.leases[ep].queue.contains(&slot) {
            self.leases[ep].queue.push_back(slot);
        }
        self.grant(ep);
    }

    fn grant(&mut self, ep: usize) {
        if self.leases[ep].holder.is_none()
            && let Some(slot) = self.leases[ep].queue.pop_front()
        {
            let epoch = self.slots[slot].epoch;
            self.leases[ep].holder = Some((slot, epoch));
            let wait = self.rng.between(0, 20);
            self.later(wait, Happening::Leased { slot, epoch });
        }
    }

    /// The holder loses the lease, and hears of it `late` milliseconds afterwards.
    fn lose_lease(&mut self, ep: usize, late: Millis) {
        let Some((slot, epoch)) = self.leases[ep].holder.take() else { return };
        self.leases[ep].contested_until = self.now + late + CONTEST_MS;
        self.later(late, Happening::LeaseLost { slot, epoch });
        self.later(late + 5_000, Happening::LeaseWanted { slot, epoch });
        self.grant(ep);
    }

    // ---- steps -----------------------------------------------------------------------------------

    fn meet_circumstances(&mut self) {
        use xdm_beacon::settings::TransportChoice;
        let circumstances = &self.life.circumstances;
        let conditions = [
            (!circumstances.has_locks, Fault::NoLocks),
            (circumstances.transport == TransportChoice::Beacon, Fault::TransportBeacon),
            (circumstances.transport == TransportChoice::Fetch, Fault::TransportFetch),
            (!circumstances.has_keepalive, Fault::NoKeepalive),
            (!circumstances.has_deferred, Fault::NoDeferred),
            (!circumstances.has_batch, Fault::NoBatch),
            (!circumstances.storage, Fault::NoStorage),
            (circumstances.modes.contains(&Mode::Balanced), Fault::Balanced),
            (circumstances.modes.contains(&Mode::AtLeastOnce), Fault::AtLeastOnce),
            (circumstances.modes.contains(&Mode::AtMostOnce), Fault::AtMostOnce),
        ];
        for (holds, fault) in conditions {
            if holds {
                self.met(fault);
            }
        }
    }

    /// The tab a step is about; the first step opens one.
    fn tab(&mut self, step: &Step) -> usize {
        let open: Vec<usize> = (0..self.tabs.len()).filter(|&tab| self.tabs[tab].page.is_some()).collect();
        if open.is_empty() {
            return self.open_tab();
        }
        open[usize::from(step.tab) % open.len()]
    }

    fn open_tab(&mut self) -> usize {
        let tab = self.tabs.len();
        self.tabs.push(Tab::default());
        self.load(tab, None);
        if self.tabs.iter().filter(|tab| tab.page.is_some()).count() > 1 {
            self.met(Fault::SeveralTabs);
        }
        tab
    }

    fn perform(&mut self, step: &Step) {
        let until = |lasts: Millis| self.now + lasts;
        match step.what {
            What::Wait => {}
            What::Endpoint { ill, lasts } => {
                let until = until(lasts);
                self.server.falls_ill(ill, until);
            }
            What::DiskFull { lasts } => self.trouble.disk_full = until(lasts),
            What::DiskSlow { lasts } => self.trouble.disk_slow = until(lasts),
            What::HandoffFull { lasts } => self.trouble.handoff_full = until(lasts),
            What::QuotaTaken { bytes, lasts } => self.trouble.quota_taken = (bytes, until(lasts)),
            What::DeferRefused { lasts } => self.trouble.defer_refused = until(lasts),
            What::BeaconRefused { lasts } => self.trouble.beacon_refused = until(lasts),
            What::WallJump { by } => {
                self.met(if by > 0 { Fault::ClockForward } else { Fault::ClockBack });
                self.wall_offset += by;
                self.highest_offset = self.highest_offset.max(self.wall_offset);
                self.last_jump = self.now;
                if !self.life.circumstances.has_locks {
                    // Stamps are held against the clock: until they are renewed, nobody seems to live.
                    let until = self.now + RENEW_MS;
                    for name in &mut self.names {
                        name.unseen_until = until;
                    }
                }
            }
            What::Offline { silent } => {
                self.online = false;
                if !silent {
                    self.tell_pages(PageEvent::Offline);
                }
            }
            What::Online => {
                self.online = true;
                self.tell_pages(PageEvent::Online);
            }
            What::Consent(consent) => self.choose(consent),
            What::ForgetConsent => self.consent = Consent::Pending,
            What::Kill => self.kill(),
            What::StealLease => {
                for ep in 0..self.leases.len() {
                    if self.leases[ep].holder.is_some() {
                        self.met(Fault::LeaseStolen);
                        let late = self.rng.between(0, 50);
                        self.lose_lease(ep, late);
                    }
                }
            }
            What::PlantNewer => self.plant_newer(),
            What::PlantCorrupt => self.plant_corrupt(),
            What::PlantHandoff => self.plant_handoff(),
            What::Open => {
                if self.tabs.iter().filter(|tab| tab.page.is_some()).count() < 5 {
                    self.open_tab();
                }
            }
            What::StampExpires { lasts } => {
                let tab = self.tab(step);
                self.expire_stamps(tab, lasts);
            }
            _ => {
                let tab = self.tab(step);
                self.perform_in(tab, step.what);
            }
        }
    }

    fn perform_in(&mut self, tab: usize, what: What) {
        let Some(page) = self.tabs[tab].page else { return };
        match what {
            What::Events { count, size } => self.track(page, count, size),
            What::ClickAndLeave => {
                self.met(Fault::ClickLeaves);
                self.click(page);
                let wait = self.rng.spread(1, 200);
                self.advance(wait);
                self.go(page, End::Gone);
                self.load(tab, None);
            }
            What::Hide => self.hide(page),
            What::Show => self.show(page),
            What::Close => {
                self.met(Fault::Closed);
                self.go(page, End::Gone);
                for cached in std::mem::take(&mut self.tabs[tab].cached) {
                    self.end(cached, End::Gone);
                }
                self.tabs[tab].page = None;
            }
            What::Navigate => {
                self.met(Fault::Navigated);
                self.go(page, End::Gone);
                self.load(tab, None);
            }
            What::NavigateCached => {
                self.met(Fault::Cached);
                self.go(page, End::Cached);
                self.tabs[tab].cached.push(page);
                self.load(tab, None);
            }
            What::Back => {
                if let Some(cached) = self.tabs[tab].cached.pop() {
                    self.met(Fault::RestoredFromCache);
                    let how = if self.rng.chance(500) { End::Cached } else { End::Gone };
                    self.go(page, how);
                    if how == End::Cached {
                        self.tabs[tab].cached.insert(0, page);
                    }
                    self.tabs[tab].page = Some(cached);
                    self.restore(cached);
                }
            }
            What::Evict => {
                if let Some(cached) = self.tabs[tab].cached.pop() {
                    self.met(Fault::Evicted);
                    self.end(cached, End::Gone);
                }
            }
            What::Crash => {
                self.met(Fault::Crashed);
                self.end(page, End::Crashed);
                // The visitor loads it again.
                self.load(tab, None);
            }
            What::Trap => {
                self.met(Fault::Trapped);
                self.trap(page);
            }
            What::DiskDies => {
                for at in 0..self.pages[page].slots.len() {
                    let slot = self.pages[page].slots[at];
                    self.slots[slot].dying = true;
                }
            }
            What::Flush => {
                for at in 0..self.pages[page].slots.len() {
                    let slot = self.pages[page].slots[at];
                    self.input(slot, |engine, now, fx| engine.flush(now, fx));
                }
            }
            _ => {}
        }
    }

    /// Pages that run.
    pub fn awake(&self) -> Vec<usize> {
        (0..self.pages.len()).filter(|&page| self.pages[page].alive && !self.pages[page].frozen).collect()
    }

    fn tell_pages(&mut self, event: PageEvent) {
        for page in self.awake() {
            self.tell_page(page, event.clone());
        }
    }

    fn choose(&mut self, consent: Consent) {
        self.consent = consent;
        if consent == Consent::Out {
            self.met(Fault::ConsentOut);
            self.refuse_all();
        }
        for page in self.awake() {
            self.tell_consent(page);
        }
    }

    /// Some page may drop whatever there is, because consent was refused.
    pub fn refuse_all(&mut self) {
        for event in self.events.iter_mut().filter(|event| !event.resolved()) {
            event.excuse |= excuse::CONSENT;
        }
    }

    fn kill(&mut self) {
        self.met(Fault::Killed);
        for tab in 0..self.tabs.len() {
            let cached = std::mem::take(&mut self.tabs[tab].cached);
            for page in cached.into_iter().chain(self.tabs[tab].page.take()) {
                self.end(page, End::Killed);
            }
        }
    }

    fn expire_stamps(&mut self, tab: usize, lasts: Millis) {
        let Some(page) = self.tabs[tab].page else { return };
        let until = self.now + lasts;
        for at in 0..self.pages[page].slots.len() {
            let slot = self.pages[page].slots[at];
            if let Some(name) =
                self.names.iter_mut().find(|name| name.slot == slot && name.last_stamp.is_none())
            {
                name.unseen_until = until;
                self.met(Fault::StampExpired);
            }
            let ep = self.slots[slot].ep;
            if self.holds_lease(ep, slot) {
                self.lose_lease(ep, lasts.min(10_000));
            }
        }
    }

    /// Whether a name is taken by a page that lives, whatever others see.
    pub fn truly_lives(&self, owner: &str) -> bool {
        self.names.iter().any(|name| name.owner == owner && name.last_stamp.is_none())
    }

    pub fn has_unseen_stamp(&self, owner: &str) -> bool {
        self.names.iter().any(|name| name.owner == owner && self.now < name.unseen_until)
    }

    // ---- what others left on the disk ------------------------------------------------------------

    fn plant_newer(&mut self) {
        let Some(template) = self.disk.iter().find(|(key, _)| number(key).is_some()).map(|(_, text)| text)
        else {
            return;
        };
        let mut record: serde_json::Value = serde_json::from_str(template).expect("a record is JSON");
        record["v"] = (record["v"].as_i64().expect("a record has a version") + 1).into();
        record["news"] = "of a later version".into();
        let text = record.to_string().replace('#', "~");
        let key = format!("later{}/n", self.planted.len());
        self.met(Fault::NewerRecord);
        self.disk.insert(key.clone(), text.clone());
        self.planted.push((key, Some(text)));
    }

    fn plant_corrupt(&mut self) {
        let template = self.disk.values().next().map_or("{\"v\":1,\"endpoint\"", String::as_str);
        let half: String = template.chars().take(template.chars().count() / 2).collect();
        let text = match self.rng.below(4) {
            0 => String::new(),
            1 => String::from("[1,2"),
            2 => String::from("{\"v\":1}"),
            _ => half.replace('#', "~"),
        };
        let key = format!("gone{}/c", self.planted.len());
        self.met(Fault::CorruptRecord);
        self.disk.insert(key.clone(), text);
        self.planted.push((key, None));
    }

    fn plant_handoff(&mut self) {
        let text = match self.rng.below(3) {
            0 => "{\"v\":1,\"endpoint\":\"https",
            1 => "null",
            _ => "{\"v\":1,\"records\":[1",
        };
        let owner = format!("lost{}", self.planted_handoffs.len());
        self.met(Fault::CorruptHandoff);
        self.handoffs.insert(owner.clone(), String::from(text));
        self.planted_handoffs.push(owner);
    }

    // ---- the end ---------------------------------------------------------------------------------

    /// Everything heals; each endpoint is visited twice more; then all must be where it belongs.
    fn finale(&mut self) {
        trace!(self, "== the end: everything heals");
        for tab in 0..self.tabs.len() {
            if let Some(page) = self.tabs[tab].page.take() {
                self.go(page, End::Gone);
            }
            for cached in std::mem::take(&mut self.tabs[tab].cached) {
                self.end(cached, End::Gone);
            }
        }
        self.server.heal();
        self.trouble = Trouble::default();
        self.online = true;
        self.healing = true;
        // By then no stamp of a page that crashed holds any more.
        self.advance(STAMP_MS + 10_000);
        for _ in 0..2 {
            for ep in 0..self.life.circumstances.modes.len() {
                self.tabs.push(Tab::default());
                let tab = self.tabs.len() - 1;
                self.load(tab, Some(ep));
                self.advance(100_000);
                for _ in 0..60 {
                    if self.violation.is_some() || self.all_done(ep) {
                        break;
                    }
                    self.advance(60_000);
                }
                if self.violation.is_some() {
                    return;
                }
                if let Some(page) = self.tabs[tab].page.take() {
                    self.check_notes(page);
                    self.go(page, End::Gone);
                }
                self.advance(40_000);
            }
        }
        self.judge();
    }

    fn all_done(&self, ep: usize) -> bool {
        self.consent != Consent::In
            || self.events.iter().all(|event| {
                event.ep != ep || event.commits > 0 || event.poison || event.excuse != 0 || event.resolved()
            })
    }

    fn check_notes(&mut self, page: usize) {
        let slot = self.pages[page].slots[0];
        let ep = self.slots[slot].ep;
        let Some(notes) = self.slots[slot].engine.as_ref().map(|engine| engine.notes()) else { return };
        // Without locks the lease of a page that crashed may outlast this visit.
        if !notes.durable || self.consent != Consent::In || self.slots[slot].surveyed.is_none() {
            return;
        }
        let ours =
            self.disk.keys().filter_map(|key| number(key)).filter(|&n| self.events[n as usize].ep == ep);
        let count = ours.count() as u32;
        if count != notes.outbox_events {
            let detail = format!("the notes say {} events, on disk are {count}", notes.outbox_events);
            self.fail(Invariant::NotesTrue, detail);
        }
    }

    /// Whether a message may have been given up for its age at some time.
    pub fn may_have_expired(&self, n: u32) -> bool {
        let event = &self.events[n as usize];
        let max_age = self.life.circumstances.max_age;
        let latest = EPOCH + self.now + self.highest_offset;
        latest - event.created >= max_age - 1000 || self.now - event.accepted >= max_age - 1000
    }

    pub fn store_is_small(&self) -> bool {
        self.life.circumstances.max_stored_bytes < 1_000_000
    }

    fn judge(&mut self) {
        let mut by_policy = Vec::new();
        for n in 0..self.events.len() as u32 {
            let event = &self.events[n as usize];
            if event.commits > 0 {
                continue;
            }
            let kept = event.kept();
            let waits = self.consent != Consent::In || event.poison;
            if event.excuse != 0 || kept && waits {
                continue;
            }
            if !kept && (self.may_have_expired(n) || self.store_is_small()) {
                by_policy.push(n);
                continue;
            }
            let detail = format!(
                "message {n} ({:?}, accepted at {} by s{}, {} attempts)",
                event.mode, event.accepted, event.home, event.attempts
            );
            match kept {
                true => self.fail(Invariant::NothingStuck, detail),
                false => self.fail(Invariant::NothingLost, detail),
            }
        }
        let drops = self.policy_drops as usize;
        for n in by_policy.iter().copied() {
            let expired = self.may_have_expired(n);
            self.met(if expired { Fault::Expired } else { Fault::StoreFull });
            self.events[n as usize].excuse |= if expired { excuse::EXPIRED } else { excuse::EVICTED };
        }
        if by_policy.len() > drops {
            let detail = format!(
                "{} messages are gone that may be too old or evicted, {drops} were given up: {by_policy:?}",
                by_policy.len()
            );
            self.fail(Invariant::NothingLost, detail);
        }
        let looked = self.life.circumstances.storage && self.consent != Consent::Pending;
        for (key, text) in std::mem::take(&mut self.planted) {
            match (text, self.disk.get(&key)) {
                (Some(text), Some(there)) if text == *there => {}
                (Some(_), _) => self.fail(Invariant::ForeignUntouched, format!("{key} was touched")),
                (None, Some(_)) if looked => {
                    self.fail(Invariant::CorruptDropped, format!("{key} is still there"));
                }
                (None, _) => {}
            }
        }
        for owner in std::mem::take(&mut self.planted_handoffs) {
            if looked && self.handoffs.contains_key(&owner) {
                self.fail(Invariant::CorruptDropped, format!("the hand-off of {owner} is still there"));
            }
        }
        if self.consent == Consent::Out && self.life.circumstances.storage {
            let left = (0..self.events.len()).find(|&n| self.events[n].kept());
            if let Some(n) = left {
                self.fail(Invariant::ConsentPurge, format!("message {n} is still on disk"));
            }
        }
    }

    pub fn tally(&self, tally: &mut Tally) {
        tally.lives += 1;
        tally.loads += self.loads;
        tally.events += self.events.len() as u64;
        tally.requests += self.reqs.len() as u64;
        tally.virtual_ms += self.now;
        tally.most_happenings = tally.most_happenings.max(self.happenings);
        tally.slowest_settle = tally.slowest_settle.max(self.slowest_settle);
        for (at, sum) in tally.met.iter_mut().enumerate() {
            *sum += u64::from(self.met >> at & 1 == 1);
        }
        for event in &self.events {
            tally.most_attempts = tally.most_attempts.max(event.attempts);
            let fates = tally.of(event.mode);
            fates.accepted += 1;
            if event.commits > 0 {
                fates.delivered += 1;
                fates.twice += u64::from(event.commits > 1);
                fates.surplus += u64::from(event.commits - 1);
            } else if event.excuse != 0 && !event.kept() {
                fates.lost[event.excuse.trailing_zeros() as usize] += 1;
            } else {
                fates.kept += 1;
            }
        }
    }

    /// Whether a message counts as unresolved for a size of `Size`.
    pub fn size_bytes(&mut self, size: Size) -> usize {
        match size {
            Size::Small => self.rng.between(500, 2_000) as usize,
            Size::Large => self.rng.between(28_000, 33_000) as usize,
            Size::Huge => self.rng.between(66_000, 75_000) as usize,
        }
    }
}

/// The event that a record's key is about; planted records are about none.
pub fn number(key: &str) -> Option<u32> {
    key.rsplit_once('/')?.1.strip_prefix(RID)?.parse().ok()
}

/// The name of an event's record.
pub fn rid(n: u32) -> String {
    format!("{RID}{n}")
}

/// The messages whose text stands in a text: each has its number between two `#`, and no other `#`.
pub fn tokens(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    let mut parts = text.split('#');
    parts.next();
    while let (Some(digits), Some(_)) = (parts.next(), parts.next()) {
        found.extend(digits.parse::<u32>().ok());
    }
    found
}
