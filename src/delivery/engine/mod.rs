//! Pure: the state machine of [`super`]: its state, what it is told, and what it tells.

mod leaving;
mod outbox;
mod sending;

use super::handoff::{Handoff, MAX_HANDOFF_BYTES};
use super::record::{Record, Unreadable};
use super::retry::{Backoff, retry_after};
use super::{
    Answer, Claim, Config, Consent, Counts, DEFERRED_BUDGET, DiskOp, Document, DropReason, Effect, Fate,
    KEEPALIVE_BUDGET, Message, Mode, Notes, Now, PageEvent, Priority, REQUEST_TIMEOUT_MS, Request, RequestId,
    SURVEY_RECORDS, Survey, Ticket, Transport, Url, Write,
};
use crate::json::push_int;
use crate::settings::TransportChoice;
use crate::time::Millis;
use crate::xdm::envelope::{batch, batch_bytes};
use crate::xdm::response::{self, ItemAnswer};

/// Requests in flight at a time while the endpoint is well. Two keep a slow line busy; more would
/// only make smaller batches.
const MAX_FLIGHTS: usize = 2;
/// A promise waits this long for the endpoint; then, once the message is safe, it settles as stored.
const PATIENCE_MS: Millis = 2_000;
/// What the disk has not done after this long it will not do.
const DISK_TIMEOUT_MS: Millis = 10_000;
/// After a failed transaction the disk is left in peace for this long.
const DISK_REST_MS: Millis = 30_000;
/// How often orphans are looked for, and how often the deferred request is replaced at most.
const SURVEY_EVERY_MS: Millis = 60_000;
const DEFER_EVERY_MS: Millis = 1_000;
/// A page that leaves something behind is given this long to be gone.
const INHERIT_AFTER_MS: Millis = 500;
/// The browser's own time limit comes first; this one is for a `fetch` that knows none.
const FLIGHT_TIMEOUT_MS: Millis = REQUEST_TIMEOUT_MS as Millis + 5_000;
/// What URL and headers of one more deferred request take of the quota.
const DEFERRED_OVERHEAD: usize = 700;
/// How long a page has to outlive the failure of a keepalive request for it to count.
const DOUBT_MS: Millis = 50;
/// Nobody tells when a beacon's bytes come back to the budget.
const BEACON_HOLD_MS: Millis = REQUEST_TIMEOUT_MS as Millis;
/// After the browser refused a keepalive request that fits our own count, somebody else uses the budget.
const KEEPALIVE_REST_MS: Millis = 5_000;
/// So often a message may fail without a readable reason while others pass.
const MAX_STRIKES: u8 = 3;
/// After so long without an answer another visit begins.
const VISIT_MS: Millis = 1_800_000;
/// The kinds of requests whose answers can be seen.
const OBSERVED: [(Url, Transport); 4] = [
    (Url::Single, Transport::Keepalive),
    (Url::Single, Transport::Fetch),
    (Url::Batch, Transport::Keepalive),
    (Url::Batch, Transport::Fetch),
];
/// So few go one by one to the URL that is known to be well (and whose preflight the browser remembers)
/// rather than together to the one that is not.
const FEW: usize = 20;

/// Where a message is that is neither delivered nor dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Waits for consent.
    Pending,
    /// Waits to be sent.
    Waiting,
    /// Fails while others pass: not tried again in this visit.
    Parked,
    /// In this request.
    Flying(RequestId),
    /// Given to the browser for good, without an answer to come: by a beacon, or by a request whose
    /// promise ended with the page.
    Given,
    /// In the deferred request of a page that left.
    Deferred,
    /// Left to the outbox by a page that left.
    Stowed,
}

/// A message is in a deferred request that is armed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Deferral {
    url: Url,
    /// The browser surely has it: something that the page asked for later has been answered since. When a
    /// page goes right after it deferred something, the browser may not hear of it any more, nor of what was
    /// to be taken back.
    sure: bool,
}

struct Item {
    /// Its name in the outbox, without the owner's.
    rid: String,
    ticket: Option<Ticket>,
    id: Option<String>,
    timestamp: Option<String>,
    json: String,
    priority: Priority,
    /// Wall clock; and how old it was when this page got to know it, and when (mono) that was.
    created: Millis,
    age: Millis,
    since: Millis,
    /// Accepted by this page, and so in its counts.
    own: bool,
    place: Place,
    /// Its number in the request it flies in: answers to a batch come by number.
    seat: usize,
    /// The caller said that the page goes away.
    unloading: bool,
    /// Which identities it has room for, while it is pending.
    room: u8,
    /// Given to the browser while leaving.
    handed: bool,
    /// Handed over, and to be taken as delivered unless an answer says otherwise.
    trusted: bool,
    /// An attempt has failed: no use in waiting for its answer.
    failed: bool,
    deferral: Option<Deferral>,
    /// The whole key of its record, once that is on its way to disk; and whether it has arrived.
    copy: Option<String>,
    safe: bool,
    /// It stands in the hand-off.
    in_handoff: bool,
    /// The page left and came back while it flew: its record belongs to whoever finds it.
    abandoned: bool,
    /// `atMostOnce`: its record is being removed by this transaction, before it may be sent.
    drawing: Option<DiskOp>,
    /// It must not be in a request with more messages than this.
    company: usize,
    /// Failures without a readable reason while others passed, and how many had passed at the last.
    strikes: u8,
    passed_before: u32,
}

impl Item {
    /// Its record is on disk and stays there.
    fn is_safe(&self) -> bool {
        self.safe && self.drawing.is_none()
    }

    fn back_to_waiting(&mut self) {
        self.place = Place::Waiting;
        self.handed = false;
        self.distrust();
    }

    /// Something has gone wrong: it is not to be taken as delivered any more. The hand-off has said that it
    /// is, and one that held this page for gone may have removed its record.
    fn distrust(&mut self) {
        if std::mem::take(&mut self.trusted) {
            self.safe = false;
        }
    }
}

struct Flight {
    request: RequestId,
    url: Url,
    transport: Transport,
    /// What it takes of the keepalive budget.
    bytes: usize,
    sent: Millis,
    deadline: Millis,
    /// Its promise was rejected: judged at the deadline, unless the page leaves.
    doubted: bool,
}

#[derive(Default)]
struct DiskWork {
    op: DiskOp,
    deadline: Millis,
    puts: Vec<String>,
    deletes: Vec<String>,
    /// `atMostOnce`: what is removed so that it may be sent, by claim.
    drawn: Vec<String>,
    /// What becomes ours when the transaction is committed; beside it the number of its claim.
    adopted: Vec<(Option<usize>, Item)>,
    /// It takes over what others left behind, and with it the hand-offs of these owners.
    adoption: bool,
    handoffs: Vec<String>,
    /// Hand-offs that were removed before, to be put back should it not be committed.
    taken: Vec<(String, String)>,
}

/// The outbox as far as this page can use it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Disk {
    /// Not asked for.
    Closed,
    /// Asked for, since when.
    Opening(Millis),
    Open,
    /// Took a transaction and does not answer: no more are given.
    Stuck,
    /// Denied or switched off: memory is all there is.
    Off,
}

/// What becomes of what is in the outbox after a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purge {
    /// Nobody has asked for it.
    Idle,
    /// It is looked for, to be removed.
    Due,
    /// All of it was seen.
    Done,
}

/// Delivers the messages of one instance. See the module above.
pub struct Engine {
    config: Config,
    document: Document,
    owner: String,
    consent: Consent,
    /// In the order in which they are sent, within a priority.
    items: Vec<Item>,
    bytes: usize,
    flights: Vec<Flight>,
    last_request: RequestId,

    disk: Disk,
    /// It was asked for by a refusal: where there is none, none is made.
    opens_to_purge: bool,
    purge: Purge,
    disk_rests_until: Millis,
    work: Vec<DiskWork>,
    last_op: DiskOp,
    /// Keys of records to remove with the next transaction.
    deletes: Vec<String>,
    lease: bool,
    survey_at: Millis,
    surveying: bool,
    /// Our name is held: others see that it lives.
    named: bool,
    /// The hand-off that stands under our name.
    handoff: String,
    /// Those that are to stand there next, and whose records they hold: the browser has not said yet.
    handoffs: Vec<(String, Vec<String>)>,
    /// The one that the browser would not have, and the most bytes that have been tried since.
    handoff_refused: Option<String>,
    handoff_limit: usize,

    hidden: bool,
    /// After `pagehide`.
    left: bool,
    online: bool,
    backoff: Backoff,
    not_before: Millis,
    /// The server itself said when to come back.
    told_to_wait: bool,
    keepalive_rests_until: Millis,
    /// Beacons that hold bytes of the budget, until when.
    beacons: Vec<(usize, Millis)>,
    /// The last answer for this URL by this transport was a 2xx, and nothing has gone wrong since.
    healthy: Vec<(Url, Transport)>,
    passed: u32,
    last_dispatch: Option<Millis>,
    urgent: bool,
    skew: Option<Millis>,

    armed: bool,
    defer_stale: bool,
    defer_limit: usize,
    /// What the deferred requests hold, with what each takes of the quota; and when they may be replaced.
    deferred_bytes: usize,
    deferred_at: Millis,

    wake: Option<Millis>,
    /// Accepted, delivered, dropped, handed over for good, and stored for good.
    done: Counts,
    /// Own messages that the outbox owns since the page left.
    away: Vec<String>,
    /// Keys of records, left behind under an earlier name, that were answered after all.
    answered: Vec<String>,
    /// After a trap, until the outbox was read: messages that ended meanwhile, whose records under the name
    /// before are still there to be found.
    ended: Option<Vec<String>>,
    records_dropped: u32,
}

impl Engine {
    /// `owner`: the name of this page's life, random. `seed`: entropy, for the back-off. `hidden`:
    /// the page is hidden now. `restarted`: the engine before this one, of the same page and owner,
    /// trapped. What that one left under its name must not be overwritten, so this one has a name of
    /// its own and finds it as it finds what pages left that are gone.
    pub fn new(
        config: Config,
        document: &Document,
        owner: &str,
        seed: u64,
        hidden: bool,
        restarted: bool,
    ) -> Engine {
        let mut name = String::from(owner);
        if restarted {
            name.push('r');
        }
        Engine {
            document: document.clone(),
            owner: name,
            consent: Consent::In,
            items: Vec::new(),
            bytes: 0,
            flights: Vec::new(),
            last_request: 0,
            disk: if config.storage { Disk::Closed } else { Disk::Off },
            opens_to_purge: false,
            purge: Purge::Idle,
            disk_rests_until: 0,
            work: Vec::new(),
            last_op: 0,
            deletes: Vec::new(),
            lease: false,
            survey_at: 0,
            surveying: false,
            named: false,
            handoff: String::new(),
            handoffs: Vec::new(),
            handoff_refused: None,
            handoff_limit: MAX_HANDOFF_BYTES,
            hidden,
            left: false,
            online: true,
            backoff: Backoff::new(seed),
            not_before: 0,
            told_to_wait: false,
            keepalive_rests_until: 0,
            beacons: Vec::new(),
            healthy: Vec::new(),
            passed: 0,
            last_dispatch: None,
            urgent: false,
            skew: None,
            armed: false,
            defer_stale: false,
            defer_limit: DEFERRED_BUDGET,
            deferred_bytes: 0,
            deferred_at: 0,
            wake: None,
            done: Counts::default(),
            away: Vec::new(),
            answered: Vec::new(),
            ended: restarted.then(Vec::new),
            records_dropped: 0,
            config,
        }
    }

    /// What an earlier page of this tab remembered of the endpoint: `{wall clock} {bits of what was healthy}`.
    /// Before [`Engine::start`].
    pub fn recall(&mut self, text: &str, now: Now) {
        let Some((at, bits)) = text.split_once(' ') else { return };
        let (Ok(at), Ok(bits)) = (at.parse::<Millis>(), bits.parse::<u8>()) else { return };
        if (0..=VISIT_MS).contains(&now.wall.saturating_sub(at)) {
            for (bit, (url, transport)) in OBSERVED.into_iter().enumerate() {
                if bits & (1 << bit) != 0 {
                    self.healthy.push((url, transport));
                }
            }
        }
    }

    fn remember(&self, now: Now, fx: &mut Vec<Effect>) {
        if self.config.storage && self.consent == Consent::In {
            let seen = OBSERVED.iter().enumerate().filter(|(_, kind)| self.healthy.contains(kind));
            let mut text = String::new();
            push_int(&mut text, now.wall);
            text.push(' ');
            push_int(&mut text, seen.map(|(bit, _)| 1 << bit).sum());
            fx.push(Effect::Remember(text));
        }
    }

    // ---- what it is told ---------------------------------------------------------------------------

    /// Nobody has decided yet, and the default does not allow collection: nothing is touched until
    /// [`Engine::consent`] tells of a decision. Before [`Engine::start`].
    pub fn withhold(&mut self, consent: Consent) {
        self.consent = consent;
    }

    /// Begins. Before it, [`Engine::consent`] may tell of a decision.
    pub fn start(&mut self, now: Now, fx: &mut Vec<Effect>) {
        self.open(now, fx);
        self.finish(now, fx);
    }

    /// The outbox is open, or cannot be.
    pub fn opened(&mut self, durable: bool, now: Now, fx: &mut Vec<Effect>) {
        self.named = durable;
        if let Disk::Opening(_) = self.disk {
            self.disk = match durable {
                true => Disk::Open,
                false if self.opens_to_purge => Disk::Closed,
                false => Disk::Off,
            };
            if self.disk == Disk::Closed {
                // There is nothing to purge, and the name is not needed either.
                fx.push(Effect::Close);
                if self.consent == Consent::Out {
                    self.purge = Purge::Done;
                } else {
                    self.open(now, fx);
                }
            }
        } else if durable && self.disk == Disk::Stuck {
            self.disk = Disk::Open;
        }
        self.finish(now, fx);
    }

    /// This page alone, of all pages of the origin, takes orphans; or no longer.
    pub fn lease(&mut self, held: bool, now: Now, fx: &mut Vec<Effect>) {
        self.lease = held;
        self.survey_at = now.mono;
        self.surveying = false;
        self.finish(now, fx);
    }

    /// Takes a message. From here on it is counted.
    pub fn accept(&mut self, message: Message, now: Now, fx: &mut Vec<Effect>) {
        self.done.accepted += 1;
        let mut item = Item {
            rid: message.key,
            ticket: Some(message.ticket),
            id: message.id,
            timestamp: message.timestamp,
            json: message.json,
            priority: message.priority,
            created: now.wall,
            age: 0,
            since: now.mono,
            own: true,
            place: Place::Waiting,
            seat: 0,
            unloading: message.unloading,
            room: message.room,
            handed: false,
            trusted: false,
            failed: false,
            deferral: None,
            copy: None,
            safe: false,
            in_handoff: false,
            abandoned: false,
            drawing: None,
            company: usize::MAX,
            strikes: 0,
            passed_before: 0,
        };
        match self.consent {
            Consent::In => {}
            Consent::Pending => {
                item.place = Place::Pending;
                settle(&mut item, Fate::Pending, fx);
            }
            Consent::Out => {
                self.drop_item(item, DropReason::Consent, String::new(), fx);
                return;
            }
        }
        let unloading = item.unloading;
        self.bytes += item.json.len();
        self.items.push(item);
        self.defer_stale = true;
        self.bound(fx);
        if self.hidden || self.left || unloading {
            self.leave(now, fx);
            self.finish(now, fx);
        } else {
            // Everything else is done at the end of the task, once for all that it brings.
            self.wake_at(now.mono, fx);
        }
    }

    /// A message was given up before it got here: the page cancelled it. It is counted, no more.
    pub fn cancelled(&mut self) {
        self.done.accepted += 1;
        self.done.dropped.count(DropReason::Cancelled);
    }

    /// Takes what came of a request.
    pub fn answer(&mut self, request: RequestId, answer: Answer<'_>, now: Now, fx: &mut Vec<Effect>) {
        if let Some(at) = self.flights.iter().position(|flight| flight.request == request) {
            let keepalive =
                self.flights.get(at).is_some_and(|flight| flight.transport == Transport::Keepalive);
            if keepalive && answer == Answer::Unreachable {
                // When a page is taken down its promises are, too, some right before `pagehide`, while the
                // requests go on. So this is no failure before the page has outlived it.
                if let Some(flight) = self.flights.get_mut(at) {
                    flight.doubted = true;
                    flight.deadline = now.mono + DOUBT_MS;
                }
                if self.left {
                    self.give_doubted();
                } else {
                    // Only if the page leaves now: it may as well live on, and crash.
                    let flying = Place::Flying(request);
                    self.items.iter_mut().filter(|item| item.place == flying).for_each(Item::distrust);
                }
            } else {
                let flight = self.flights.swap_remove(at);
                if matches!(answer, Answer::Response { .. }) {
                    self.heard(flight.sent);
                }
                if answer == Answer::BeaconTaken {
                    self.beacons.push((flight.bytes, now.mono + BEACON_HOLD_MS));
                } else {
                    self.give_back(flight.bytes);
                }
                self.judge(&flight, answer, now, fx);
                self.dispatch(now, fx);
            }
        }
        self.finish(now, fx);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now, fx: &mut Vec<Effect>) {
        self.wake = None;
        self.expire(now, fx);
        // A message is on its way to disk before it is on its way to the endpoint; where it may be sent
        // once only, it goes to disk when it cannot be sent.
        if self.config.mode == Mode::AtMostOnce {
            self.dispatch(now, fx);
            self.save(now, fx);
        } else {
            self.save(now, fx);
            self.dispatch(now, fx);
        }
        self.defer(now, fx);
        if self.may_survey() && now.mono >= self.survey_at {
            self.surveying = true;
            self.survey_at = now.mono + SURVEY_EVERY_MS;
            fx.push(Effect::Survey(String::new()));
        }
        self.finish(now, fx);
    }

    /// Sends what waits, without waiting for company.
    pub fn flush(&mut self, now: Now, fx: &mut Vec<Effect>) {
        self.urgent = true;
        self.save(now, fx);
        self.dispatch(now, fx);
        self.finish(now, fx);
    }

    /// The page does something.
    pub fn page(&mut self, event: PageEvent, now: Now, fx: &mut Vec<Effect>) {
        match event {
            PageEvent::Hidden => {
                self.hidden = true;
                self.leave(now, fx);
            }
            PageEvent::Leaving => {
                self.left = true;
                self.hidden = true;
                self.leave(now, fx);
                if self.disk != Disk::Off {
                    self.lease = false;
                    self.surveying = false;
                    fx.push(Effect::Close);
                }
            }
            PageEvent::Shown => self.shown(now),
            PageEvent::Restored { owner } => self.restored(owner, now, fx),
            PageEvent::Inherits => self.survey_at = self.survey_at.min(now.mono + INHERIT_AFTER_MS),
            PageEvent::Offline => self.online = false,
            PageEvent::Online => {
                self.online = true;
                if !self.told_to_wait {
                    self.not_before = now.mono;
                }
                self.dispatch(now, fx);
            }
        }
        self.finish(now, fx);
    }

    /// Lets the messages that wait for consent be changed, right before it is given: `amend` gets each as JSON
    /// text, and which identities it has room for; it answers with a text to take the place of the first.
    pub fn amend_pending(&mut self, amend: &mut dyn FnMut(&str, u8) -> Option<String>, fx: &mut Vec<Effect>) {
        for item in self.items.iter_mut().filter(|item| item.place == Place::Pending) {
            if let Some(json) = amend(&item.json, item.room) {
                self.bytes = self.bytes - item.json.len() + json.len();
                item.json = json;
            }
        }
        self.bound(fx);
    }

    /// Consent was given, withdrawn or put in question.
    pub fn consent(&mut self, consent: Consent, now: Now, fx: &mut Vec<Effect>) {
        self.consent = consent;
        self.purge = if consent == Consent::Out { Purge::Due } else { Purge::Idle };
        match consent {
            Consent::In => {
                for item in &mut self.items {
                    if item.place == Place::Pending {
                        item.place = Place::Waiting;
                    }
                }
            }
            // What waits is dropped at the end of this and of every other input.
            Consent::Out if self.config.storage => fx.push(Effect::Remember(String::new())),
            Consent::Pending | Consent::Out => {}
        }
        if consent != Consent::In {
            self.disarm(fx);
        }
        if !self.left {
            self.open(now, fx);
        }
        self.survey_at = now.mono;
        self.defer_stale = true;
        self.finish(now, fx);
    }

    /// A transaction was committed (one word per claim: whether the record was there), or aborted.
    pub fn written(&mut self, op: DiskOp, done: Option<Vec<bool>>, now: Now, fx: &mut Vec<Effect>) {
        if let Some(at) = self.work.iter().position(|work| work.op == op) {
            let work = self.work.swap_remove(at);
            if self.disk == Disk::Stuck {
                self.disk = Disk::Open;
            }
            match done {
                Some(claimed) => {
                    // The disk is well.
                    self.disk_rests_until = 0;
                    self.heard(work.deadline - DISK_TIMEOUT_MS);
                    let drawn = !work.drawn.is_empty();
                    self.committed(work, &claimed, fx);
                    if drawn {
                        self.dispatch(now, fx);
                    }
                }
                None => {
                    self.disk_rests_until = now.mono + DISK_REST_MS;
                    self.aborted(work, fx);
                }
            }
        }
        self.finish(now, fx);
    }

    /// The outbox was read.
    pub fn surveyed(&mut self, survey: Survey, now: Now, fx: &mut Vec<Effect>) {
        if self.lease && self.surveying && !self.left {
            let last = survey.records.last().map(|(key, _)| key.clone());
            let more = survey.records.len() >= SURVEY_RECORDS;
            self.adopt(survey, now, fx);
            match last {
                Some(last) if more => fx.push(Effect::Survey(last)),
                _ => {
                    self.surveying = false;
                    self.ended = None;
                    if self.purge == Purge::Due {
                        self.purge = Purge::Done;
                    }
                }
            }
        }
        self.finish(now, fx);
    }

    /// The browser has stored the hand-off, or would not.
    pub fn handed_off(&mut self, owner: &str, kept: bool, now: Now, fx: &mut Vec<Effect>) {
        if owner != self.owner {
            // That of a page that is gone, or this page's own from before it left.
            return;
        }
        if !self.handoffs.is_empty() {
            let (text, rids) = self.handoffs.remove(0);
            if kept {
                let next = &self.handoffs;
                for item in self.items.iter_mut().filter(|item| !item.abandoned) {
                    let stays = next.iter().all(|(_, rids)| rids.contains(&item.rid));
                    item.in_handoff = stays && rids.contains(&item.rid);
                }
                self.handoff = text;
                self.handoff_refused = None;
            } else {
                // What stood there before still does.
                self.handoff_limit = self.handoff_limit.min(text.len()) / 2;
                self.handoff_refused = Some(text);
            }
        }
        self.finish(now, fx);
    }

    /// The browser has taken the deferred request, or would not.
    pub fn deferred(&mut self, taken: bool, now: Now, fx: &mut Vec<Effect>) {
        if taken {
            for item in self.items.iter_mut().filter(|item| item.place == Place::Deferred) {
                settle(item, Fate::HandedOver, fx);
            }
        } else {
            self.take_back();
            self.defer_limit /= 2;
            let mut any = false;
            for item in self.items.iter_mut().filter(|item| item.place == Place::Deferred) {
                item.back_to_waiting();
                any = true;
            }
            if any {
                self.leave(now, fx);
            }
        }
        self.finish(now, fx);
    }

    // ---- what it tells -----------------------------------------------------------------------------

    /// Where everything is that this page accepted.
    pub fn counts(&self) -> Counts {
        let mut counts = self.done;
        counts.stored += self.away.len() as u32;
        for item in self.items.iter().filter(|item| item.own) {
            *match item.place {
                Place::Pending => &mut counts.pending,
                Place::Given | Place::Deferred => &mut counts.handed_over,
                Place::Flying(_) if item.handed => &mut counts.handed_over,
                Place::Flying(_) => &mut counts.in_flight,
                _ if item.is_safe() || item.in_handoff => &mut counts.stored,
                _ => &mut counts.queued,
            } += 1;
        }
        counts
    }

    /// What else there is to know.
    pub fn notes(&self) -> Notes {
        let kept = || self.items.iter().filter(|item| item.safe);
        Notes {
            outbox_events: kept().count() as u32,
            outbox_bytes: kept().map(|item| item.json.len() as u32).sum(),
            durable: self.disk == Disk::Open && self.disk_rests_until == 0,
            parked: self.items.iter().filter(|item| item.place == Place::Parked).count() as u32,
            records_dropped: self.records_dropped,
        }
    }

    /// The endpoint's clock minus the page's, in milliseconds, once an answer told it.
    pub fn clock_skew(&self) -> Option<Millis> {
        self.skew
    }

    /// After a refusal: whether nothing is left in the outbox, of this page or of others that are gone.
    pub fn purged(&self) -> bool {
        let seen = self.purge == Purge::Done || self.disk == Disk::Off;
        seen && self.consent == Consent::Out
            && !self.left
            && self.work.is_empty()
            && self.deletes.is_empty()
            && self.items.iter().all(|item| item.copy.is_none())
    }

    /// Whether nothing waits to be sent or answered.
    pub fn is_idle(&self) -> bool {
        !self.items.iter().any(|item| matches!(item.place, Place::Waiting | Place::Flying(_)))
    }

    // ---- the end of each input ---------------------------------------------------------------------

    fn finish(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if self.consent == Consent::Out {
            // What comes back from a request, too.
            let sent = |item: &Item| matches!(item.place, Place::Flying(_) | Place::Given | Place::Deferred);
            self.drop_where(|item| !sent(item), DropReason::Consent, fx);
        }
        if !self.left {
            // An answer was seen: a record that is not needed any more must not be found by others.
            if !self.deletes.is_empty() {
                self.save(now, fx);
            }
            // Given by a page that lives on (a beacon): its copy, if it is to have one, is for the next visit.
            let memory = self.disk == Disk::Off;
            let (mode, consent) = (self.config.mode, self.consent);
            for item in self.take_where(|item| {
                item.place == Place::Given && (item.safe || memory || !wants_copy(item, mode, consent))
            }) {
                self.done.handed_over += u32::from(item.own);
            }
        }
        self.hand_off(fx);
        // What the hand-off has no room for cannot wait for the timers of a page that is not seen.
        let told = self.handoffs.is_empty();
        if told && self.hidden && self.items.iter().any(|item| self.unsaved(item) && !item.in_handoff) {
            self.save(now, fx);
        }
        self.settle_safe(now, fx);
        self.sleep(now, fx);
    }

    /// Whether memory is all there is at the moment.
    fn memory_only(&self, now: Now) -> bool {
        matches!(self.disk, Disk::Off | Disk::Stuck) || now.mono < self.disk_rests_until
    }

    /// Settles the promises of what is safe and will not be answered soon.
    fn settle_safe(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if self.beacons_are_out() {
            // What they refuse may be handed over in another way yet.
            return;
        }
        let memory = self.memory_only(now) && !self.left;
        let leaving = self.hidden || self.left;
        for item in &mut self.items {
            let patient = !item.failed && !leaving && now.mono < item.since + PATIENCE_MS;
            // What is deferred settles by the browser's word on it.
            let waits = !matches!(item.place, Place::Pending | Place::Deferred);
            if !patient && waits && (item.is_safe() || item.in_handoff || memory) {
                settle(item, Fate::Stored, fx);
            }
        }
    }

    /// Time limits.
    fn expire(&mut self, now: Now, fx: &mut Vec<Effect>) {
        while let Some(at) = self.flights.iter().position(|flight| now.mono >= flight.deadline) {
            let flight = self.flights.swap_remove(at);
            self.give_back(flight.bytes);
            let answer = if flight.doubted { Answer::Unreachable } else { Answer::TimedOut };
            self.judge(&flight, answer, now, fx);
        }
        let mut held = std::mem::take(&mut self.beacons);
        held.retain(|&(bytes, until)| {
            let over = now.mono >= until;
            if over {
                self.give_back(bytes);
            }
            !over
        });
        self.beacons = held;
        match self.disk {
            Disk::Opening(since) if now.mono >= since + DISK_TIMEOUT_MS => self.disk = Disk::Stuck,
            Disk::Open if self.work.iter().any(|work| now.mono >= work.deadline) => self.disk = Disk::Stuck,
            _ => {}
        }
        let max_age = self.config.max_age;
        self.drop_where(
            |item| {
                let waits = matches!(item.place, Place::Waiting | Place::Parked | Place::Pending);
                waits && item.drawing.is_none() && item.age + (now.mono - item.since) > max_age
            },
            DropReason::Expired,
            fx,
        );
    }

    /// Asks to be woken when something is due.
    fn sleep(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if self.left {
            return;
        }
        let mut next = Millis::MAX;
        let mut at = |when: Millis| next = next.min(when);
        if self.may_write(now) && self.items.iter().any(|item| self.unsaved(item)) {
            at(now.mono);
        }
        if self.disk == Disk::Open && now.mono < self.disk_rests_until {
            at(self.disk_rests_until);
        }
        let sendable = self.items.iter().any(|item| self.sendable(item));
        if self.may_send() && self.has_free_flight() {
            if sendable {
                at(self.due(now).max(self.not_before));
            } else if self.config.mode == Mode::AtMostOnce
                && self.may_write(now)
                && self.items.iter().any(|item| item.place == Place::Waiting && item.safe)
                && !self.items.iter().any(|item| item.drawing.is_some())
            {
                at(self.not_before.max(self.wait_over()));
            }
        }
        if self.may_send() && sendable && self.defer_stale && self.may_defer() {
            at(self.deferred_at.max(self.not_before));
        }
        if self.armed && self.defer_stale {
            at(self.deferred_at);
        }
        for flight in &self.flights {
            at(flight.deadline);
        }
        for (_, until) in &self.beacons {
            at(*until);
        }
        match self.disk {
            Disk::Opening(since) => at(since + DISK_TIMEOUT_MS),
            Disk::Open => {
                for work in &self.work {
                    at(work.deadline);
                }
            }
            _ => {}
        }
        for item in self.items.iter().filter(|item| item.ticket.is_some()) {
            let patience = item.since + PATIENCE_MS;
            if patience > now.mono {
                at(patience);
            }
        }
        if self.may_survey() {
            at(self.survey_at);
        }
        if next < Millis::MAX {
            self.wake_at(next.max(now.mono), fx);
        }
    }

    /// A tick too early does no harm, so an earlier one stays.
    fn wake_at(&mut self, when: Millis, fx: &mut Vec<Effect>) {
        if self.wake.is_none_or(|wake| when < wake) {
            self.wake = Some(when);
            fx.push(Effect::Wake(when));
        }
    }

    // ---- endings -----------------------------------------------------------------------------------

    /// Keeps what waits within its bound: the oldest of the lowest priority goes first.
    fn bound(&mut self, fx: &mut Vec<Effect>) {
        while self.bytes > self.config.max_stored_bytes {
            let mut victim: Option<(usize, Priority)> = None;
            for (at, item) in self.items.iter().enumerate() {
                let waits = matches!(item.place, Place::Waiting | Place::Parked | Place::Pending);
                let lower = victim.is_none_or(|(_, priority)| item.priority < priority);
                if waits && item.drawing.is_none() && lower {
                    victim = Some((at, item.priority));
                }
            }
            let Some((at, _)) = victim else { return };
            let item = self.items.remove(at);
            self.bytes -= item.json.len();
            self.drop_item(item, DropReason::Evicted, String::new(), fx);
        }
    }

    fn take_where(&mut self, wanted: impl Fn(&Item) -> bool) -> Vec<Item> {
        if !self.items.iter().any(&wanted) {
            return Vec::new();
        }
        let (taken, kept): (Vec<Item>, Vec<Item>) =
            std::mem::take(&mut self.items).into_iter().partition(|item| wanted(item));
        self.items = kept;
        self.bytes -= taken.iter().map(|item| item.json.len()).sum::<usize>();
        taken
    }

    fn drop_where(&mut self, wanted: impl Fn(&Item) -> bool, reason: DropReason, fx: &mut Vec<Effect>) {
        for item in self.take_where(wanted) {
            self.drop_item(item, reason, String::new(), fx);
        }
    }

    fn drop_item(&mut self, mut item: Item, reason: DropReason, text: String, fx: &mut Vec<Effect>) {
        self.delete_copy(&mut item);
        if item.own {
            self.done.dropped.count(reason);
        } else {
            self.records_dropped += 1;
        }
        settle(&mut item, Fate::Dropped(reason, text), fx);
    }

    fn deliver(&mut self, mut item: Item, fx: &mut Vec<Effect>) {
        self.delete_copy(&mut item);
        self.done.delivered += u32::from(item.own);
        settle(&mut item, Fate::Delivered, fx);
    }

    fn delete_copy(&mut self, item: &mut Item) {
        if let Some(ended) = &mut self.ended {
            ended.push(item.rid.clone());
        }
        if let Some(key) = item.copy.take().filter(|_| item.drawing.is_none()) {
            if item.abandoned {
                self.answered.push(key.clone());
            }
            self.deletes.push(key);
        }
    }
}

/// Whether a message is to have a record: it may have to be sent by a later page.
fn wants_copy(item: &Item, mode: Mode, consent: Consent) -> bool {
    let wanted = match item.place {
        Place::Waiting | Place::Parked | Place::Stowed => true,
        Place::Flying(_) | Place::Given | Place::Deferred => mode != Mode::AtMostOnce && !item.trusted,
        Place::Pending => false,
    };
    // What was left behind under an earlier name is in the outbox already.
    wanted && !item.abandoned && consent == Consent::In
}

/// The transaction that puts its record: whether that is on disk will be told yet.
fn writing(work: &[DiskWork], item: &Item) -> Option<DiskOp> {
    let key = item.copy.as_ref()?;
    work.iter().find(|work| work.puts.contains(key)).map(|work| work.op)
}

fn url(packed: &[usize]) -> Url {
    if packed.len() == 1 { Url::Single } else { Url::Batch }
}

fn owner_of(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

fn rid_of(key: &str) -> &str {
    key.split('/').nth(1).unwrap_or_default()
}

fn key_of(owner: &str, rid: &str) -> String {
    let mut key = String::with_capacity(owner.len() + rid.len() + 1);
    key.push_str(owner);
    key.push('/');
    key.push_str(rid);
    key
}

fn settle(item: &mut Item, fate: Fate, fx: &mut Vec<Effect>) {
    if let Some(ticket) = item.ticket.take() {
        fx.push(Effect::Settle { ticket, id: item.id.clone(), timestamp: item.timestamp.take(), fate });
    }
}
