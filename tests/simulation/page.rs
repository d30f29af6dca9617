//! A document and the instances on it: what the browser layer does, in virtual time.

use super::check::{Fault, Invariant, excuse};
use super::life::Size;
use super::world::{Event, Happening, World, number, rid, trace};
use std::collections::{BTreeMap, VecDeque};
use xdm_beacon::delivery::{
    Answer, Config, Consent, DEFERRED_BUDGET, Document, DropReason, Effect, Engine, Fate, KEEPALIVE_BUDGET,
    Message, Mode, Now, PageEvent, Priority, Request, Transport, Url, Write,
};
use xdm_beacon::settings::TransportChoice;
use xdm_beacon::time::Millis;

/// The `timestamp` of all events: the engine hands it through.
const TIMESTAMP: &str = "2026-11-24T03:49:50.123Z";
/// A promise settles within this time of a page's being awake.
const SETTLE_MS: Millis = 30_000;
/// A message is on disk after this time, where the disk works.
const STORE_MS: Millis = 6_000;
/// A beacon's bytes count at least this long, and no longer than that.
const BEACON_LEAST_MS: Millis = 5_000;
const BEACON_MOST_MS: Millis = 60_000;
/// For so long the failure of a keepalive request may be the page's own end.
const DOUBT_MS: Millis = 50;
/// A message is tried so often by each page at once, and once more in this time.
const MOST_ATTEMPTS: u32 = 20;
const ATTEMPT_EVERY_MS: Millis = 10_000;
/// A hand-off is not larger than this; what does not fit is nowhere.
const HANDOFF_BYTES: usize = 1 << 20;

/// How a page ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Closed, navigated away from, or evicted from the cache.
    Gone,
    /// Into the back/forward cache: not an end yet.
    Cached,
    /// The renderer crashed.
    Crashed,
    /// The whole browser was killed.
    Killed,
}

/// A document.
pub struct Page {
    pub slots: Vec<usize>,
    tab: usize,
    document: Document,
    born: Millis,
    pub alive: bool,
    pub frozen: bool,
    hidden: bool,
    left: bool,
    ever_cached: bool,
    consent: Consent,
    /// How long it was awake before `awake_since`.
    awake: Millis,
    awake_since: Millis,
    /// What happens to it once it is thawed.
    pub parked: Vec<Happening>,
    /// Keepalive bodies in flight, as the engine may believe and as the browser counts.
    pub keepalive: usize,
    pub keepalive_real: usize,
    /// Beacons taken: when, by the clock and in time awake, and their bytes.
    beacons: Vec<(Millis, Millis, usize)>,
    /// Timers of hidden pages are late by so much at most.
    throttle: Millis,
    /// Deferred requests that nobody can replace any more.
    stray: Vec<Deferred>,
}

/// What a page remembers of an endpoint for the next pages of its tab.
pub struct Memory {
    text: String,
    health: Health,
}

/// A deferred request that is armed.
pub struct Deferred {
    slot: usize,
    url: Url,
    events: Vec<u32>,
    bytes: usize,
}

/// By URL and transport: until when the endpoint counts as well there. For ever after a 2xx; after a failure
/// not at all, or for as long as it may have been the page's own end.
type Health = [[Millis; 3]; 2];

/// A keepalive request whose promise was rejected: the page may have been about to go.
pub struct Doubt {
    /// When it began.
    pub at: Millis,
    pub events: Vec<u32>,
    pub bytes: usize,
    pub url: Url,
    /// The endpoint was well then.
    pub well: bool,
}

/// An instance on a page.
pub struct Slot {
    pub page: usize,
    pub ep: usize,
    pub engine: Option<Engine>,
    pub ended: Millis,
    /// Engines before this one trapped.
    pub incarnation: u32,
    pub owner: String,
    /// Names it had before it was in the cache.
    former: Vec<String>,
    config: Config,
    pub wake: u32,
    wake_at: Option<Millis>,
    ticks_now: (Millis, u32),
    /// Rises whenever name and lease are let go.
    pub epoch: u32,
    pub lease: bool,
    /// What `opened` said.
    durable: Option<bool>,
    denied: bool,
    pub dying: bool,
    pub write_failed: Millis,
    handoff_refused: bool,
    deferred: Vec<Deferred>,
    /// When that was last changed, and what it was before, as long as the browser may not have heard of it.
    deferred_at: Millis,
    unheard: Vec<Vec<Deferred>>,
    /// Requests whose answer may still be seen.
    pub open: Vec<usize>,
    /// Transactions not reported yet.
    pub ops: Vec<usize>,
    pub told_at: Millis,
    pub health: Health,
    /// Since when it has been well there for certain.
    pub certain: [[Millis; 3]; 2],
    pub last_failure: Millis,
    pub doubts: Vec<Doubt>,
    pub down: bool,
    pub not_before: Millis,
    pub clock_known: Option<Millis>,
    /// When the outbox was last surveyed, and who lived then.
    pub surveyed: Option<(Millis, Vec<String>)>,
    /// Messages it has or had, and since when it knows of them.
    pub obtained: BTreeMap<u32, Millis>,
    tickets: VecDeque<(u32, Millis)>,
    accepted: u32,
    unloading: bool,
    settles: Vec<(u32, Fate)>,
    effects_now: usize,
}

impl World<'_> {
    // ---- pages come ------------------------------------------------------------------------------

    /// A page loads in a tab, with an instance for this endpoint, or with what the page happens to have.
    pub fn load(&mut self, tab: usize, only: Option<usize>) {
        let life = self.life;
        let eps: Vec<usize> = match (only, life.circumstances.modes.len(), self.rng.below(10)) {
            (Some(ep), _, _) => vec![ep],
            (None, 1, 0) => vec![0, 0],
            (None, 1, _) | (None, _, 0..=4) => vec![0],
            (None, _, 5 | 6) => vec![1],
            (None, _, _) => vec![0, 1],
        };
        if eps.len() > 1 {
            self.met(Fault::TwoInstances);
        }
        let page = self.pages.len();
        self.loads += 1;
        let hidden = !self.healing && self.rng.chance(30);
        let denied = !self.healing && self.rng.chance(life.circumstances.denied);
        let throttle = self.rng.pick(&[0, 1_000, 1_000, 60_000]);
        self.pages.push(Page {
            slots: Vec::new(),
            tab,
            document: Document::default(),
            born: self.now,
            alive: true,
            frozen: false,
            hidden,
            left: false,
            ever_cached: false,
            consent: self.consent,
            awake: 0,
            awake_since: self.now,
            parked: Vec::new(),
            keepalive: 0,
            keepalive_real: 0,
            beacons: Vec::new(),
            throttle: if self.healing { 0 } else { throttle },
            stray: Vec::new(),
        });
        self.tabs[tab].page = Some(page);
        if self.consent == Consent::Pending {
            self.met(Fault::ConsentPending);
        }
        trace!(self, "page {page} loads in tab {tab}, hidden {hidden}, denied {denied}, {:?}", self.consent);
        for ep in eps {
            let slot = self.slots.len();
            let owner = self.new_owner();
            let config = self.config(ep);
            self.slots.push(Slot {
                page,
                ep,
                engine: None,
                ended: 0,
                incarnation: 0,
                owner,
                former: Vec::new(),
                config,
                wake: 0,
                wake_at: None,
                ticks_now: (0, 0),
                epoch: 0,
                lease: false,
                durable: None,
                denied,
                dying: false,
                write_failed: Millis::MIN / 2,
                handoff_refused: false,
                deferred: Vec::new(),
                deferred_at: 0,
                unheard: Vec::new(),
                open: Vec::new(),
                ops: Vec::new(),
                told_at: 0,
                health: [[Millis::MIN; 3]; 2],
                certain: [[Millis::MIN; 3]; 2],
                last_failure: Millis::MIN / 2,
                doubts: Vec::new(),
                down: false,
                not_before: 0,
                clock_known: None,
                surveyed: None,
                obtained: BTreeMap::new(),
                tickets: VecDeque::new(),
                accepted: 0,
                unloading: false,
                settles: Vec::new(),
                effects_now: 0,
            });
            self.pages[page].slots.push(slot);
            self.boot(slot, false);
        }
    }

    fn new_owner(&mut self) -> String {
        self.names_given += 1;
        format!("{:x}o{}", self.rng.below(256), self.names_given)
    }

    fn config(&self, ep: usize) -> Config {
        let circumstances = &self.life.circumstances;
        Config {
            endpoint: format!("https://in{ep}.example/collection/0"),
            has_batch: circumstances.has_batch,
            org_id: String::from("0@AdobeOrg"),
            transport: circumstances.transport,
            has_keepalive: circumstances.has_keepalive,
            has_deferred: circumstances.has_deferred,
            storage: circumstances.storage,
            max_batch_events: circumstances.max_batch_events,
            max_batch_bytes: circumstances.max_batch_bytes,
            max_wait: circumstances.max_wait,
            max_stored_bytes: circumstances.max_stored_bytes,
            max_age: circumstances.max_age,
            mode: circumstances.modes[ep],
        }
    }

    fn boot(&mut self, s: usize, restarted: bool) {
        let seed = self.rng.next();
        let slot = &mut self.slots[s];
        let page = &self.pages[slot.page];
        let (hidden, consent) = (page.hidden, page.consent);
        slot.engine =
            Some(Engine::new(slot.config.clone(), &page.document, &slot.owner, seed, hidden, restarted));
        if restarted {
            let owner = format!("{}r", slot.owner);
            slot.former.push(std::mem::replace(&mut slot.owner, owner));
        }
        trace!(self, "s{s} is {} for endpoint {}", self.slots[s].owner, self.slots[s].ep);
        let tab = &self.tabs[self.pages[self.slots[s].page].tab];
        if let Some(Memory { text, health }) = tab.memory.get(&self.slots[s].ep) {
            let text = text.clone();
            self.slots[s].health = *health;
            self.input(s, |engine, now, _| engine.recall(&text, now));
        }
        match consent {
            Consent::In => {}
            Consent::Pending => self.input(s, |engine, _, _| engine.withhold(consent)),
            Consent::Out => self.input(s, |engine, now, fx| engine.consent(consent, now, fx)),
        }
        self.input(s, |engine, now, fx| engine.start(now, fx));
        if !self.online {
            self.input(s, |engine, now, fx| engine.page(PageEvent::Offline, now, fx));
        }
    }

    /// The instance trapped: all instances of the page start anew, under names of their own.
    pub fn trap(&mut self, page: usize) {
        self.pages[page].document = Document::default();
        self.pages[page].keepalive = 0;
        self.pages[page].beacons.clear();
        for s in self.pages[page].slots.clone() {
            self.account(s, End::Crashed);
            self.let_go(s, true);
            let slot = &mut self.slots[s];
            slot.incarnation += 1;
            slot.wake += 1;
            slot.wake_at = None;
            slot.lease = false;
            slot.tickets.clear();
            slot.accepted = 0;
            slot.health = [[Millis::MIN; 3]; 2];
            slot.certain = [[Millis::MIN; 3]; 2];
            slot.down = false;
            slot.not_before = 0;
            slot.clock_known = None;
            slot.open.clear();
            slot.obtained.clear();
            slot.durable = None;
            let stray = std::mem::take(&mut slot.deferred);
            self.pages[page].stray.extend(stray);
        }
        for s in self.pages[page].slots.clone() {
            self.boot(s, true);
        }
    }

    // ---- pages live ------------------------------------------------------------------------------

    fn awake_clock(&self, page: usize) -> Millis {
        let page = &self.pages[page];
        if page.frozen { page.awake } else { page.awake + self.now - page.awake_since }
    }

    /// The page sends some events in one task.
    pub fn track(&mut self, page: usize, count: u32, size: Size) {
        let slots = self.pages[page].slots.clone();
        let slot = self.rng.pick(&slots);
        if count >= 60 {
            self.met(Fault::Burst);
        }
        match size {
            Size::Small => {}
            Size::Large => self.met(Fault::LargeEvent),
            Size::Huge => self.met(Fault::HugeEvent),
        }
        for _ in 0..count {
            self.accept(slot, size, false);
            if self.violation.is_some() {
                return;
            }
        }
    }

    /// The page sends an event and says that it goes away.
    pub fn click(&mut self, page: usize) {
        let slots = self.pages[page].slots.clone();
        let slot = self.rng.pick(&slots);
        self.slots[slot].unloading = true;
        self.accept(slot, Size::Small, true);
        self.slots[slot].unloading = false;
    }

    fn accept(&mut self, s: usize, size: Size, unloading: bool) {
        let n = self.events.len() as u32;
        let bytes = self.size_bytes(size);
        let pad = match self.rng.below(5) {
            0 => "漢".repeat(bytes / 3),
            1 => "\\\"é\\\\".repeat(bytes / 6),
            _ => "x".repeat(bytes),
        };
        let has_id = !self.rng.chance(30);
        if !has_id {
            self.met(Fault::Profile);
        }
        let id = has_id.then(|| format!("e{n}"));
        let name = id.as_ref().map_or(String::new(), |id| format!("\"_id\":\"{id}\","));
        let text = format!(
            "{{\"header\":{{\"imsOrgId\":\"0@AdobeOrg\"}},\"body\":{{\"xdmEntity\":{{{name}\"pad\":\"#{n}#{pad}\"}}}}}}"
        );
        let priority = match self.rng.below(8) {
            0 => Priority::Low,
            1 => Priority::High,
            _ => Priority::Normal,
        };
        let (bad, poison) = (self.life.circumstances.bad, self.life.circumstances.poison);
        let page = self.slots[s].page;
        let consent = self.pages[page].consent;
        let message = Message {
            json: text.clone(),
            ticket: n,
            key: rid(n),
            id,
            timestamp: has_id.then(|| String::from(TIMESTAMP)),
            priority,
            unloading,
            room: 0,
        };
        // A page that still goes by a refusal which nobody remembers may drop what others keep.
        let refuses = |page: &Page| page.alive && page.consent == Consent::Out;
        let refused =
            consent == Consent::Out || self.consent == Consent::Pending && self.pages.iter().any(refuses);
        let event = Event {
            text,
            ep: self.slots[s].ep,
            mode: self.slots[s].config.mode,
            home: s,
            accepted: self.now,
            since: self.now,
            created: self.wall(),
            bad: self.rng.chance(bad),
            poison: self.rng.chance(poison),
            has_id,
            attempts: 0,
            commits: 0,
            open: 0,
            open_lasting: 0,
            unknown: 0,
            taken: None,
            forgotten: false,
            refused: None,
            trusted: false,
            settled: false,
            on_disk: 0,
            in_handoff: 0,
            ever_kept: false,
            keeper: s,
            puts: 0,
            contested: false,
            excuse: if refused { excuse::CONSENT } else { 0 },
            consent,
        };
        trace!(
            self,
            "s{s} accepts {n}: {} bytes{}{}",
            event.text.len(),
            if event.bad { ", bad" } else { "" },
            if event.poison { ", poison" } else { "" }
        );
        self.events.push(event);
        let awake = self.awake_clock(page);
        let slot = &mut self.slots[s];
        slot.obtained.insert(n, self.now);
        slot.tickets.push_back((n, awake));
        slot.accepted += 1;
        self.input(s, |engine, now, fx| engine.accept(message, now, fx));
    }

    pub fn tell_page(&mut self, page: usize, event: PageEvent) {
        trace!(self, "page {page}: {event:?}");
        for s in self.pages[page].slots.clone() {
            let event = event.clone();
            self.input(s, |engine, now, fx| engine.page(event, now, fx));
        }
    }

    pub fn tell_consent(&mut self, page: usize) {
        let consent = self.consent;
        if consent == Consent::Pending || self.pages[page].consent == consent {
            return;
        }
        self.pages[page].consent = consent;
        trace!(self, "page {page}: consent {consent:?}");
        for s in self.pages[page].slots.clone() {
            for n in self.slots[s].obtained.keys() {
                let event = &mut self.events[*n as usize];
                if consent == Consent::In && event.consent == Consent::Pending {
                    event.consent = Consent::In;
                    event.since = self.now;
                }
            }
            self.input(s, |engine, now, fx| engine.consent(consent, now, fx));
        }
    }

    pub fn hide(&mut self, page: usize) {
        if !self.pages[page].hidden {
            self.met(Fault::Hidden);
            self.pages[page].hidden = true;
            self.tell_page(page, PageEvent::Hidden);
        }
    }

    pub fn show(&mut self, page: usize) {
        if self.pages[page].hidden {
            self.met(Fault::Shown);
            self.pages[page].hidden = false;
            self.tell_page(page, PageEvent::Shown);
            for s in self.pages[page].slots.clone() {
                self.slots[s].handoff_refused = false;
                if let Some(at) = self.slots[s].wake_at {
                    self.set_wake(s, at);
                }
            }
        }
    }

    // ---- pages go --------------------------------------------------------------------------------

    /// The page is left: what it hears then, and what becomes of it.
    pub fn go(&mut self, page: usize, how: End) {
        let mut events = vec![PageEvent::Leaving];
        if !self.pages[page].hidden {
            match self.rng.below(10) {
                0 | 1 => events.insert(0, PageEvent::Hidden),
                2 => {}
                _ => events.push(PageEvent::Hidden),
            }
        }
        if how == End::Gone && !self.healing && self.rng.chance(200) {
            self.reject_promises(page);
        }
        let late = (!self.healing && self.rng.chance(40)).then(|| self.rng.below(2));
        for event in events {
            if event == PageEvent::Leaving {
                self.pages[page].left = true;
            }
            self.pages[page].hidden = true;
            let leaving = event == PageEvent::Leaving;
            self.tell_page(page, event);
            // The page's own listeners may come after ours.
            if let (true, Some(count)) = (leaving, late) {
                self.track(page, count as u32 + 1, Size::Small);
            }
        }
        for s in self.pages[page].slots.clone() {
            let owner = &self.slots[s].owner;
            if self.truly_lives(owner) {
                let detail = format!("s{s} holds its name {owner} after pagehide");
                self.fail(Invariant::LetsGo, detail);
            }
        }
        match how {
            End::Cached => self.freeze(page),
            _ => self.end(page, how),
        }
    }

    /// The promises of a page that is about to go may be rejected first, while its requests go on.
    fn reject_promises(&mut self, page: usize) {
        for s in self.pages[page].slots.clone() {
            for req in self.slots[s].open.clone() {
                if self.reqs[req].transport == Some(Transport::Keepalive) && self.reqs[req].open {
                    self.met(Fault::RejectedByEnd);
                    self.end_request(req, None);
                    self.tell(req, Answer::Unreachable);
                }
            }
        }
    }

    fn freeze(&mut self, page: usize) {
        for s in self.pages[page].slots.clone() {
            self.trust(s);
            self.excuse_handed(s, true);
            // More than a hand-off holds: the page may end in the cache.
            if self.unsaved(s) > HANDOFF_BYTES {
                self.slots[s].handoff_refused = true;
                // What is in neither is kept in memory until its transaction is heard of: should the page be
                // back before that and go again, it cannot know that others have found it on disk.
                for op in &self.slots[s].ops {
                    for n in &self.ops[*op].puts {
                        let event = &mut self.events[*n as usize];
                        event.contested |= event.in_handoff == 0;
                    }
                }
            }
            if self.slots[s].handoff_refused && self.slots[s].config.mode == Mode::AtMostOnce {
                self.excuse_drawn(s);
            }
        }
        self.pages[page].awake = self.awake_clock(page);
        self.pages[page].frozen = true;
        self.pages[page].ever_cached = true;
        trace!(self, "page {page} is in the back/forward cache");
        let sent = self.send_deferred(page);
        if sent {
            self.met(Fault::CachedSentDeferred);
        }
        for s in self.pages[page].slots.clone() {
            for req in self.slots[s].open.clone() {
                if self.reqs[req].transport == Some(Transport::Fetch) && self.rng.chance(500) {
                    self.reqs[req].cancelled = true;
                    self.later(1, Happening::Refused { req });
                }
            }
        }
    }

    pub fn restore(&mut self, page: usize) {
        self.pages[page].frozen = false;
        self.pages[page].left = false;
        self.pages[page].hidden = false;
        self.pages[page].awake_since = self.now;
        trace!(self, "page {page} is back from the cache");
        if self.consent == Consent::Pending && self.pages[page].consent == Consent::Out {
            // The last it heard was a refusal, and nothing is left that tells it of another decision since.
            self.refuse_all();
        }
        self.tell_consent(page);
        let shown_first = self.rng.chance(300);
        if shown_first {
            self.tell_page(page, PageEvent::Shown);
        }
        for s in self.pages[page].slots.clone() {
            let owner = self.new_owner();
            trace!(self, "s{s} is {owner} from now on");
            let former = std::mem::replace(&mut self.slots[s].owner, owner.clone());
            self.slots[s].former.push(former);
            self.slots[s].handoff_refused = false;
            self.slots[s].down = false;
            // What was denied once is not asked for again.
            self.slots[s].durable = self.slots[s].durable.filter(|durable| !durable);
            self.input(s, |engine, now, fx| engine.page(PageEvent::Restored { owner }, now, fx));
        }
        if !shown_first {
            self.tell_page(page, PageEvent::Shown);
        }
        for what in std::mem::take(&mut self.pages[page].parked) {
            self.later(0, what);
        }
    }

    /// The document is no more.
    pub fn end(&mut self, page: usize, how: End) {
        if !self.pages[page].alive {
            return;
        }
        trace!(self, "page {page} ends: {how:?}");
        if how != End::Killed && !self.pages[page].frozen {
            self.leave_unheard(page);
        }
        for s in self.pages[page].slots.clone() {
            self.check_tickets(s);
            if how == End::Gone && !self.pages[page].frozen {
                self.trust(s);
            }
            self.account(s, how);
            if how != End::Gone {
                self.let_go(s, true);
            }
            let survives = how == End::Gone && (self.pages[page].frozen || self.rng.chance(500));
            for op in std::mem::take(&mut self.slots[s].ops) {
                if !survives && !self.ops[op].committed {
                    self.ops[op].lost = true;
                    self.met(Fault::TransactionLost);
                }
            }
            for req in std::mem::take(&mut self.slots[s].open) {
                self.reqs[req].open = false;
                let lasting = self.reqs[req].transport == Some(Transport::Keepalive);
                let cut = match how {
                    End::Killed => self.rng.chance(500),
                    _ => !lasting,
                };
                if cut && !self.reqs[req].arrived {
                    self.reqs[req].cancelled = true;
                }
                for at in 0..self.reqs[req].events.len() {
                    let n = self.reqs[req].events[at] as usize;
                    let event = &mut self.events[n];
                    event.open -= 1;
                    event.open_lasting -= u32::from(lasting);
                    event.unknown += 1;
                }
            }
        }
        if how == End::Killed {
            for s in self.pages[page].slots.clone() {
                self.slots[s].deferred.clear();
            }
        } else if self.send_deferred(page) && how == End::Crashed {
            self.met(Fault::CrashSentDeferred);
        }
        for s in self.pages[page].slots.clone() {
            self.slots[s].engine = None;
            self.slots[s].ended = self.now;
            self.slots[s].obtained.clear();
        }
        self.pages[page].alive = false;
        self.pages[page].parked.clear();
    }

    /// Something asked for at `since` has been answered: the browser has heard all that it was told before.
    pub fn heard(&mut self, s: usize, since: Millis) {
        if since >= self.slots[s].deferred_at {
            self.slots[s].unheard.clear();
        }
    }

    /// A page that is gone right after it deferred something, or took it back, may not have been heard.
    fn leave_unheard(&mut self, page: usize) {
        for s in self.pages[page].slots.clone() {
            let unheard = self.slots[s].unheard.len() as u64;
            if unheard > 0 && self.rng.chance(200) {
                let at = self.rng.below(unheard) as usize;
                let known = self.slots[s].unheard.swap_remove(at);
                trace!(self, "the browser has not heard what s{s} deferred last");
                self.met(Fault::DeferralUnheard);
                self.slots[s].deferred = known;
            }
            self.slots[s].unheard.clear();
        }
    }

    /// The browser sends what was deferred; nobody hears the answer.
    fn send_deferred(&mut self, page: usize) -> bool {
        let mut armed = std::mem::take(&mut self.pages[page].stray);
        for s in self.pages[page].slots.clone() {
            armed.append(&mut self.slots[s].deferred);
        }
        let any = !armed.is_empty();
        for Deferred { slot, url, events, bytes } in armed {
            trace!(self, "the browser sends the deferred request of s{slot}: {events:?}");
            self.launch(slot, 0, url, None, events, bytes);
        }
        any
    }

    /// `balanced`: what the page that goes now has certainly handed over to an endpoint that was well.
    fn trust(&mut self, s: usize) {
        let slot = &self.slots[s];
        if slot.config.mode != Mode::Balanced || !self.online || slot.handoff_refused {
            return;
        }
        if slot.config.storage && slot.durable != Some(true) {
            return;
        }
        // Any failure of any request makes all of it doubtful, once it is certain that it is one.
        let doubtful = slot.last_failure + DOUBT_MS + self.pages[slot.page].throttle;
        let mut trusted = Vec::new();
        for &req in &slot.open {
            let req = &self.reqs[req];
            if req.transport == Some(Transport::Keepalive)
                && slot.certain[req.url as usize][Transport::Keepalive as usize] > doubtful
            {
                trusted.extend(req.events.iter().copied());
            }
        }
        for n in trusted {
            let event = &mut self.events[n as usize];
            // Left behind once and taken over: who keeps it now goes by what it saw itself.
            event.trusted |= !(event.kept() && event.keeper != s);
        }
    }

    /// How much of what this instance has is in memory alone, as far as it knows: it does not know what
    /// others took that held it for gone.
    fn unsaved(&self, s: usize) -> usize {
        let told = |n: &u32| !self.slots[s].ops.iter().any(|op| self.ops[*op].puts.contains(n));
        let unsaved = self.slots[s].obtained.keys().filter(|n| {
            let event = &self.events[**n as usize];
            let mine = event.on_disk > 0 && (event.keeper == s || !event.contested) && told(n);
            !mine && (!event.resolved() || event.contested)
        });
        let unsaved = unsaved.map(|n| &self.events[*n as usize]);
        // `atMostOnce`: on its way off the disk.
        let claims = self.slots[s].ops.iter().flat_map(|op| &self.ops[*op].write.claims);
        let drawn = claims.filter(|claim| claim.record.is_empty()).filter_map(|claim| number(&claim.from));
        let drawn = drawn.map(|n| &self.events[n as usize]).filter(|event| event.on_disk > 0);
        unsaved.chain(drawn).map(|event| event.text.len() + 500).sum()
    }

    /// `balanced`: what counts as handed over to an endpoint that was well: requests under way, those whose
    /// promises were rejected right before the page left (one that crashes had not taken them so), and the
    /// deferred one. A page that goes into the cache is told so when it goes, for it may end there.
    fn excuse_handed(&mut self, s: usize, leaves: bool) {
        let slot = &self.slots[s];
        if slot.config.mode != Mode::Balanced {
            return;
        }
        let well = |url: Url, transport: Transport| self.now <= slot.health[url as usize][transport as usize];
        let mut handed = Vec::new();
        for &req in &slot.open {
            let req = &self.reqs[req];
            let lasting = req.transport != Some(Transport::Fetch);
            if lasting && req.transport.is_some_and(|transport| well(req.url, transport)) {
                handed.extend(req.events.iter().copied());
            }
        }
        for doubt in slot.doubts.iter().filter(|_| leaves) {
            let well = doubt.well || well(doubt.url, Transport::Keepalive);
            if well && self.now - doubt.at <= self.doubt_lasts(slot.page) {
                handed.extend(doubt.events.iter().copied());
            }
        }
        for deferred in slot.deferred.iter().filter(|deferred| well(deferred.url, Transport::Keepalive)) {
            handed.extend(deferred.events.iter().copied());
        }
        for n in handed {
            let event = &mut self.events[n as usize];
            if !event.resolved() {
                event.excuse |= excuse::HANDED_OVER;
            }
        }
    }

    /// `atMostOnce`: what is on its way off the disk, when the hand-off that would have kept it was refused.
    fn excuse_drawn(&mut self, s: usize) {
        for n in self.slots[s].obtained.keys() {
            let event = &mut self.events[*n as usize];
            if !event.resolved() {
                event.excuse |= excuse::NOWHERE;
            }
        }
    }

    /// Keeps account of what may be lost, or sent twice, by the end of this engine.
    fn account(&mut self, s: usize, how: End) {
        self.excuse_handed(s, how == End::Gone);
        self.slots[s].handoff_refused |= how == End::Gone && self.unsaved(s) > HANDOFF_BYTES;
        if self.slots[s].handoff_refused && self.slots[s].config.mode == Mode::AtMostOnce {
            self.excuse_drawn(s);
        }
        let slot = &self.slots[s];
        let Some(engine) = &slot.engine else { return };
        let (counts, notes) = (engine.counts(), engine.notes());
        self.policy_drops += counts.dropped.expired + counts.dropped.evicted + notes.records_dropped;
        let abrupt = how != End::Gone;
        let page = &self.pages[slot.page];
        let slack = STORE_MS + if page.throttle > 1_000 { 2 * page.throttle } else { page.throttle };
        let nowhere = !slot.config.storage || slot.durable == Some(false);
        let disk_trouble = slot.dying || self.now - slot.write_failed < 70_000;
        let awake = self.awake_clock(slot.page);
        for &n in slot.obtained.keys() {
            let event = &mut self.events[n as usize];
            if let Some((taker, _, at)) = event.taken {
                let recent = abrupt && (self.now - at <= slack || disk_trouble);
                // What an engine that traps was putting on disk gets there after it, and nobody is left to tell
                // of its removal should that be lost.
                let coming = slot.ops.iter().any(|op| self.ops[*op].puts.contains(&n));
                if taker == s && (event.kept() || coming) && (recent || slot.handoff_refused || nowhere) {
                    event.forgotten = true;
                }
            }
            if event.resolved() {
                continue;
            }
            if event.mode == Mode::AtMostOnce {
                let drawn = abrupt && event.ever_kept && !event.kept();
                if event.unknown + event.open > 0 || drawn {
                    event.excuse |= excuse::UNANSWERED;
                }
            }
            if event.kept() {
                continue;
            }
            if event.consent != Consent::In {
                event.excuse |= excuse::CONSENT;
            }
            if nowhere || slot.handoff_refused {
                event.excuse |= excuse::NOWHERE;
            }
            let age = match event.home == s {
                true => awake - (event.since - page.born).min(awake),
                false => 0,
            };
            if abrupt && !event.ever_kept && (age <= slack || disk_trouble || slot.durable.is_none()) {
                event.excuse |= excuse::NOT_YET;
            }
        }
    }

    // ---- the engine ------------------------------------------------------------------------------

    /// Tells the engine something and carries out what it wants, in order.
    pub fn input(&mut self, s: usize, act: impl FnOnce(&mut Engine, Now, &mut Vec<Effect>)) {
        let now = Now { wall: self.wall(), mono: self.now - self.pages[self.slots[s].page].born };
        let Some(mut engine) = self.slots[s].engine.take() else { return };
        let mut fx = std::mem::take(&mut self.spare);
        act(&mut engine, now, &mut fx);
        if !engine.counts().adds_up() {
            self.fail(Invariant::CountsAddUp, format!("s{s}: {:?}", engine.counts()));
        }
        self.slots[s].engine = Some(engine);
        self.slots[s].effects_now += fx.len();
        self.effects.extend(fx.drain(..).map(|effect| (s, effect)));
        self.spare = fx;
        if self.draining {
            return;
        }
        self.draining = true;
        while let Some((s, effect)) = self.effects.pop_front() {
            if self.violation.is_some() {
                break;
            }
            self.carry_out(s, effect);
        }
        self.effects.clear();
        self.draining = false;
        if self.violation.is_none() {
            self.check_after(s);
        }
    }

    fn carry_out(&mut self, s: usize, effect: Effect) {
        match effect {
            Effect::Send(request) => self.send(s, request),
            Effect::Defer(request) => self.defer(s, request),
            Effect::Open { owner, create } => {
                trace!(self, "s{s} opens as {owner}, creating: {create}");
                if create
                    && self.consent == Consent::Out
                    && self.pages[self.slots[s].page].consent != Consent::In
                {
                    self.fail(Invariant::ConsentGate, format!("s{s} makes an outbox"));
                }
                if !self.slots[s].config.storage {
                    self.fail(Invariant::StorageOff, format!("s{s} opens the outbox"));
                }
                if owner != self.slots[s].owner {
                    self.fail(Invariant::LiveUntouched, format!("s{s} opens as {owner}"));
                }
                let wait = match self.rng.chance(30) {
                    true => self.rng.between(500, 3_000),
                    false => self.rng.between(1, 60),
                };
                let epoch = self.slots[s].epoch;
                self.later(wait, Happening::Opened { slot: s, epoch, create });
            }
            Effect::Close => {
                trace!(self, "s{s} closes");
                self.let_go(s, false);
            }
            Effect::Write(op, write) => self.write(s, op, write),
            Effect::Survey(after) => {
                trace!(self, "s{s} surveys after {after:?}");
                self.survey(s, after);
            }
            Effect::Handoff { owner, text } => self.hand_off(s, &owner, &text),
            Effect::Remember(text) => {
                let slot = &self.slots[s];
                let memory = Memory { text, health: slot.health };
                let tab = self.pages[slot.page].tab;
                self.tabs[tab].memory.insert(slot.ep, memory);
            }
            Effect::Wake(mono) => {
                let at = self.pages[self.slots[s].page].born + mono;
                self.set_wake(s, at);
            }
            Effect::Settle { ticket, id, timestamp, fate } => self.settle(s, ticket, id, timestamp, fate),
        }
    }

    pub fn opened(&mut self, s: usize, epoch: u32, create: bool) {
        if self.slots[s].epoch != epoch || self.slots[s].engine.is_none() {
            return;
        }
        self.has_outbox |= !self.disk.is_empty() || !self.handoffs.is_empty();
        let denied = self.slots[s].denied || self.slots[s].dying;
        let durable = !denied && (create || self.has_outbox);
        self.has_outbox |= durable;
        if durable {
            self.take_name(s);
        } else {
            self.met(if denied { Fault::StorageDenied } else { Fault::NothingToPurge });
            self.give_up_name(s);
        }
        // A refusal may find none; it is asked for again when consent is given.
        let purged = !durable && self.pages[self.slots[s].page].consent == Consent::Out;
        self.slots[s].durable = (!purged).then_some(durable);
        trace!(self, "s{s} opened: {durable}");
        self.input(s, |engine, now, fx| engine.opened(durable, now, fx));
        if durable && self.slots[s].epoch == epoch {
            self.want_lease(s);
        }
    }

    fn set_wake(&mut self, s: usize, at: Millis) {
        let slot = &mut self.slots[s];
        let page = &self.pages[slot.page];
        slot.wake += 1;
        slot.wake_at = Some(at);
        let mut wait = (at - self.now).max(0);
        if page.hidden && page.throttle > 0 {
            // Timers of hidden pages fire on the second, or on the minute.
            let fires = (self.now + wait).div_euclid(page.throttle) * page.throttle + page.throttle;
            wait = fires - self.now;
        }
        let wake = slot.wake;
        if slot.ticks_now.0 == self.now {
            slot.ticks_now.1 += 1;
        } else {
            slot.ticks_now = (self.now, 0);
        }
        self.later(wait, Happening::Tick { slot: s, wake });
    }

    /// The messages in a body, each exactly as it was accepted.
    fn read_body(&self, url: Url, body: &str) -> Result<Vec<u32>, &'static str> {
        let one = |rest: &str| -> Option<u32> {
            let digits = &rest[rest.find('#')? + 1..];
            let n: u32 = digits[..digits.find('#')?].parse().ok()?;
            rest.starts_with(&self.events.get(n as usize)?.text).then_some(n)
        };
        match url {
            Url::Single => {
                let n = one(body).ok_or("is no message")?;
                let whole = self.events[n as usize].text.len() == body.len();
                whole.then(|| vec![n]).ok_or("is more than a message")
            }
            Url::Batch => {
                let mut rest = body.strip_prefix("{\"messages\":[").ok_or("is no batch")?;
                let mut found = Vec::new();
                loop {
                    let n = one(rest).ok_or("holds something that is no message")?;
                    found.push(n);
                    rest = &rest[self.events[n as usize].text.len()..];
                    match rest.strip_prefix(',') {
                        Some(more) => rest = more,
                        None if rest == "]}" => return Ok(found),
                        None => return Err("does not end well"),
                    }
                }
            }
        }
    }

    /// What holds for every body that leaves, now or later.
    fn check_body(&mut self, s: usize, url: Url, body: &str) -> Vec<u32> {
        let events = match self.read_body(url, body) {
            Ok(events) => events,
            Err(why) => {
                self.fail(Invariant::BodyIntact, format!("the body {why}"));
                return Vec::new();
            }
        };
        let config = &self.slots[s].config;
        let batched = url == Url::Batch;
        if batched != (events.len() > 1) || batched && !config.has_batch {
            self.fail(Invariant::RightUrl, format!("{} messages to {url:?}", events.len()));
            return events;
        }
        if batched && (body.len() > config.max_batch_bytes || events.len() > config.max_batch_events) {
            let detail = format!("{} messages, {} bytes", events.len(), body.len());
            self.fail(Invariant::BatchLimits, detail);
            return events;
        }
        let consent = self.pages[self.slots[s].page].consent;
        let ungiven = events.iter().find(|n| self.events[**n as usize].consent != Consent::In).copied();
        if consent != Consent::In || ungiven.is_some() {
            self.fail(Invariant::ConsentGate, format!("s{s} sends, consent is {consent:?}, {ungiven:?}"));
        }
        if let Some(n) = events.iter().find(|n| self.events[**n as usize].ep != self.slots[s].ep) {
            self.fail(Invariant::ForeignUntouched, format!("s{s} sends {n}, which is for another endpoint"));
        }
        events
    }

    fn send(&mut self, s: usize, request: Request) {
        let Request { id, url, body, transport } = request;
        let bytes = body.len();
        let events = self.check_body(s, url, &body);
        trace!(
            self,
            "s{s} sends {id} (request {}) by {transport:?} to {url:?}, {bytes} bytes: {events:?}",
            self.reqs.len()
        );
        if bytes > 1_000_000 {
            self.met(Fault::MegabyteBody);
        }
        self.check_times(s);
        self.check_attempts(s, &events, transport);
        self.check_transport(s, transport);
        if self.violation.is_some() {
            return;
        }
        let page = self.slots[s].page;
        let taken = match self.trouble.quota_taken {
            (bytes, until) if self.now < until => bytes,
            _ => 0,
        };
        let awake = self.awake_clock(page);
        let (beacons, _) = self.beacon_bytes(page);
        let used = self.pages[page].keepalive + beacons + bytes;
        if transport != Transport::Fetch && used > KEEPALIVE_BUDGET {
            self.fail(Invariant::KeepaliveBudget, format!("{used} bytes in flight"));
            return;
        }
        let over = taken + self.pages[page].keepalive_real + beacons + bytes > KEEPALIVE_BUDGET;
        match transport {
            Transport::Fetch => {
                self.launch(s, id, url, Some(transport), events, bytes);
            }
            Transport::Keepalive => {
                self.pages[page].keepalive += bytes;
                self.pages[page].keepalive_real += bytes;
                let req = self.launch(s, id, url, Some(transport), events, bytes);
                if over {
                    self.met(Fault::QuotaTaken);
                    trace!(self, "   the browser's quota is used up by others");
                    self.reqs[req].cancelled = true;
                    let wait = self.rng.between(0, 5);
                    self.later(wait, Happening::Refused { req });
                }
            }
            Transport::Beacon => {
                let refused = over || self.now < self.trouble.beacon_refused;
                if refused {
                    self.met(Fault::BeaconRefused);
                } else {
                    self.met(Fault::BeaconTaken);
                    self.pages[page].beacons.push((self.now, awake, bytes));
                    self.launch(s, id, url, Some(transport), events, bytes);
                }
                trace!(self, "s{s} beacon {id} refused: {refused}");
                let answer = if refused { Answer::BeaconRefused } else { Answer::BeaconTaken };
                self.input(s, |engine, now, fx| engine.answer(id, answer, now, fx));
            }
        }
    }

    /// Bytes of beacons so young that they certainly count, and so young that they may count.
    fn beacon_bytes(&self, page: usize) -> (usize, usize) {
        let awake = self.awake_clock(page);
        let longest = BEACON_MOST_MS + 2 * self.pages[page].throttle;
        let (mut least, mut most) = (0, 0);
        for (at, awake_at, bytes) in &self.pages[page].beacons {
            least += if self.now - at <= BEACON_LEAST_MS { *bytes } else { 0 };
            most += if awake - awake_at <= longest { *bytes } else { 0 };
        }
        (least, most)
    }

    /// Until when a failure may be the page's own end.
    pub fn doubted_until(&self) -> Millis {
        self.now + DOUBT_MS
    }

    /// How long a failure may be doubted: the timers of a hidden page are late.
    fn doubt_lasts(&self, page: usize) -> Millis {
        DOUBT_MS + 2 * self.pages[page].throttle
    }

    /// Bytes of keepalive requests that failed just now.
    fn doubted_bytes(&self, page: usize) -> usize {
        let longest = self.doubt_lasts(page);
        let doubts = self.pages[page].slots.iter().flat_map(|&s| &self.slots[s].doubts);
        doubts.filter(|doubt| self.now - doubt.at <= longest).map(|doubt| doubt.bytes).sum()
    }

    /// Nobody is in a hurry while the page is seen.
    fn check_times(&mut self, s: usize) {
        let slot = &self.slots[s];
        let page = &self.pages[slot.page];
        if page.hidden || page.left || slot.unloading {
            return;
        }
        let flying = slot.open.len();
        if slot.down && flying > 0 {
            self.fail(Invariant::OneProbe, format!("s{s} has {flying} in flight and sees failures"));
        } else if flying >= 2 {
            self.fail(Invariant::FewFlights, format!("s{s} has {flying} in flight"));
        } else if self.now < slot.not_before {
            let early = slot.not_before - self.now;
            self.fail(Invariant::RetryAfter, format!("s{s} sends {early} ms too early"));
        }
    }

    fn check_attempts(&mut self, s: usize, events: &[u32], transport: Transport) {
        let incarnation = self.slots[s].incarnation;
        let known_at = self.slots[s].surveyed.as_ref().map_or(self.now, |(at, _)| *at);
        for &n in events {
            if !self.slots[s].obtained.contains_key(&n) {
                self.obtain(s, n, known_at);
            }
            let obtained = self.slots[s].obtained[&n];
            let event = &self.events[n as usize];
            let most =
                MOST_ATTEMPTS * self.loads as u32 + ((self.now - event.accepted) / ATTEMPT_EVERY_MS) as u32;
            let told = |(by, at): (usize, Millis)| by == s || obtained > at && !event.forgotten;
            let failure = if event.attempts > most {
                Some(Invariant::NoLivelock)
            } else if event.taken.is_some_and(|(by, then, at)| {
                told((by, at)) && (by != s || then == incarnation || !event.forgotten)
            }) && !event.contested
            {
                Some(Invariant::NotAfterAnswer)
            } else if event.refused.is_some_and(|(by, at)| by == s && at >= obtained) && !event.contested {
                Some(Invariant::NotAfterRefusal)
            } else if event.mode == Mode::AtMostOnce && event.open + event.unknown > 0 && !event.contested {
                Some(Invariant::AtMostOnce)
            } else if event.trusted && event.home != s && !event.contested && event.open_lasting == 0 {
                Some(Invariant::NotAfterHandOver)
            } else if event.open_lasting > 0 && self.flies_with(s, n) && transport != Transport::Fetch {
                Some(Invariant::OneFlight)
            } else {
                None
            };
            if let Some(invariant) = failure {
                self.fail(invariant, format!("s{s} sends {n} again"));
                return;
            }
        }
    }

    /// Whether a message is in a lasting request of this very instance.
    fn flies_with(&self, s: usize, n: u32) -> bool {
        self.slots[s]
            .open
            .iter()
            .map(|&req| &self.reqs[req])
            .any(|req| req.transport == Some(Transport::Keepalive) && req.events.contains(&n))
    }

    fn check_transport(&mut self, s: usize, transport: Transport) {
        let slot = &self.slots[s];
        let page = &self.pages[slot.page];
        let leaving = page.hidden || page.left || slot.unloading;
        let beacons = match slot.config.transport {
            TransportChoice::Auto => !slot.config.has_keepalive,
            TransportChoice::Beacon => true,
            TransportChoice::Fetch => false,
        };
        let right = match transport {
            Transport::Keepalive => slot.config.has_keepalive,
            Transport::Beacon => beacons && leaving,
            Transport::Fetch => true,
        };
        if !right {
            self.fail(Invariant::RightTransport, format!("s{s} sends by {transport:?}, leaving: {leaving}"));
        }
    }

    fn defer(&mut self, s: usize, requests: Vec<(Url, String)>) {
        let page = self.slots[s].page;
        let slot = &mut self.slots[s];
        slot.deferred_at = self.now;
        slot.unheard.push(std::mem::take(&mut slot.deferred));
        if requests.is_empty() {
            trace!(self, "s{s} defers nothing");
            return;
        }
        let mut total = 0;
        for (url, body) in requests {
            let events = self.check_body(s, url, &body);
            trace!(self, "s{s} defers to {url:?}, {} bytes: {events:?}", body.len());
            total += body.len();
            self.slots[s].deferred.push(Deferred { slot: s, url, events, bytes: body.len() });
        }
        let config = &self.slots[s].config;
        if !config.has_deferred || config.mode == Mode::AtMostOnce {
            self.fail(Invariant::RightTransport, format!("s{s} defers"));
        }
        if total > DEFERRED_BUDGET {
            self.fail(Invariant::DeferredBudget, format!("{total} bytes"));
        }
        let armed = self.pages[page].slots.iter().flat_map(|&s| &self.slots[s].deferred);
        let all: usize = armed.chain(&self.pages[page].stray).map(|deferred| deferred.bytes).sum();
        let taken = self.now >= self.trouble.defer_refused && all <= 65_536;
        if !taken {
            self.met(Fault::DeferRefused);
            trace!(self, "s{s} deferring is refused");
            self.slots[s].deferred.clear();
        }
        self.input(s, |engine, now, fx| engine.deferred(taken, now, fx));
    }

    fn write(&mut self, s: usize, op: u32, write: Write) {
        trace!(
            self,
            "s{s} writes {op}: puts {:?}, deletes {:?}, claims {:?}, hand-offs {:?}",
            write.puts.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            write.deletes,
            write.claims.iter().map(|claim| (&claim.from, &claim.to, claim.record.len())).collect::<Vec<_>>(),
            write.handoffs
        );
        if !self.slots[s].config.storage {
            self.fail(Invariant::StorageOff, format!("s{s} writes"));
        }
        let consent = self.pages[self.slots[s].page].consent;
        let puts = write.puts.iter().map(|(key, _)| key);
        let kept =
            puts.chain(write.claims.iter().filter(|claim| !claim.record.is_empty()).map(|claim| &claim.to));
        for key in kept {
            let Some(n) = number(key) else { continue };
            if self.events[n as usize].consent != Consent::In || consent == Consent::Out {
                self.fail(Invariant::ConsentGate, format!("s{s} writes {key}, consent is {consent:?}"));
                return;
            }
            if key.split_once('/').map(|(owner, _)| owner) != Some(&self.slots[s].owner) {
                self.fail(Invariant::LiveUntouched, format!("s{s} writes {key} under a name not its own"));
                return;
            }
        }
        let removed = write.claims.iter().map(|claim| &claim.from).chain(&write.deletes);
        for key in removed {
            self.check_removal(s, key);
        }
        for owner in &write.handoffs {
            self.check_owner(s, owner, "the hand-off");
        }
        if self.violation.is_none() {
            self.begin(s, op, write);
        }
    }

    /// Nobody removes what is somebody else's.
    fn check_removal(&mut self, s: usize, key: &str) {
        if let Some(n) = number(key)
            && self.events[n as usize].ep != self.slots[s].ep
        {
            self.fail(Invariant::ForeignUntouched, format!("s{s} removes {key}"));
            return;
        }
        let owner = key.split_once('/').map_or("", |(owner, _)| owner);
        self.check_owner(s, owner, "a record");
        if self.has_unseen_stamp(owner)
            && let Some(n) = number(key)
        {
            self.events[n as usize].contested = true;
        }
    }

    fn check_owner(&mut self, s: usize, owner: &str, what: &str) {
        let slot = &self.slots[s];
        if owner == slot.owner || slot.former.iter().any(|name| name == owner) {
            return;
        }
        let seen = slot.surveyed.as_ref().is_some_and(|(_, live)| live.iter().any(|name| name == owner));
        let lives = self.truly_lives(owner) && !self.has_unseen_stamp(owner);
        if seen || lives && self.life.circumstances.has_locks {
            self.fail(Invariant::LiveUntouched, format!("s{s} removes {what} of {owner}, which lives"));
        }
    }

    fn hand_off(&mut self, s: usize, owner: &str, text: &str) {
        let found = match self.copies(text) {
            Ok(found) => found,
            Err(why) => {
                self.fail(Invariant::BodyIntact, why);
                return;
            }
        };
        trace!(self, "s{s} hands off {} bytes as {owner}: {found:?}", text.len());
        if !self.slots[s].config.storage && !text.is_empty() {
            self.fail(Invariant::StorageOff, format!("s{s} hands off"));
        }
        if owner != self.slots[s].owner {
            // `atMostOnce` takes a hand-off first, and puts it back when it cannot keep what was in it.
            let put_back =
                self.slots[s].config.mode == Mode::AtMostOnce && !self.handoffs.contains_key(owner);
            if !text.is_empty() && !put_back {
                self.fail(Invariant::LiveUntouched, format!("s{s} hands off as {owner}"));
            }
            self.check_owner(s, owner, "the hand-off");
            let known_at = self.slots[s].surveyed.as_ref().map_or(self.now, |(at, _)| *at);
            for n in super::world::tokens(self.handoffs.get(owner).map_or("", String::as_str)) {
                self.obtain(s, n, known_at);
            }
        }
        let consent = self.pages[self.slots[s].page].consent;
        let ungiven = found.iter().any(|n| self.events[*n as usize].consent != Consent::In);
        if ungiven || consent == Consent::Out && !found.is_empty() {
            self.fail(Invariant::ConsentGate, format!("s{s} hands off {found:?}, consent is {consent:?}"));
        }
        // A text that is no longer than the one it replaces always has room.
        let room = self.handoffs.get(owner).map_or(0, String::len);
        let kept = text.len() <= room || self.now >= self.trouble.handoff_full;
        if kept {
            self.set_handoff(owner, text);
            let page = self.slots[s].page;
            for other in self.awake().into_iter().filter(|&other| other != page) {
                let wait = self.rng.between(1, 5);
                self.later(wait, Happening::Inherits { page: other });
            }
        } else {
            self.met(Fault::HandoffRefused);
            trace!(self, "s{s} handing off is refused");
            self.slots[s].handoff_refused = true;
            if owner != self.slots[s].owner {
                // What could not be put back is in memory no more either.
                for n in &found {
                    self.events[*n as usize].excuse |= excuse::NOWHERE;
                }
            }
            // Nobody can be told of what was answered and cannot be removed either.
            for n in self.slots[s].obtained.keys() {
                self.events[*n as usize].contested = true;
            }
        }
        self.input(s, |engine, now, fx| engine.handed_off(owner, kept, now, fx));
    }

    /// The messages that stand whole in a text.
    pub fn copies(&self, text: &str) -> Result<Vec<u32>, String> {
        let found = super::world::tokens(text);
        let mut at = 0;
        for &n in &found {
            let message = &self.events[n as usize].text;
            let hash = text[at..].find('#').map_or(text.len(), |hash| at + hash);
            let start = hash.saturating_sub(message.find('#').unwrap_or(0));
            if !text.get(start..).is_some_and(|rest| rest.starts_with(message.as_str())) {
                return Err(format!("the text does not hold message {n} as it was accepted"));
            }
            at = start + message.len();
        }
        Ok(found)
    }

    // ---- promises --------------------------------------------------------------------------------

    fn settle(&mut self, s: usize, n: u32, id: Option<String>, timestamp: Option<String>, fate: Fate) {
        trace!(self, "s{s} settles {n}: {fate:?}");
        let event = &mut self.events[n as usize];
        if event.settled || event.home != s {
            self.fail(Invariant::SettledOnce, format!("s{s} settles {n} again"));
            return;
        }
        event.settled = true;
        let right = match event.has_id {
            true => id == Some(format!("e{n}")) && timestamp.as_deref() == Some(TIMESTAMP),
            false => id.is_none() && timestamp.is_none(),
        };
        if !right {
            self.fail(Invariant::FateTrue, format!("s{s} settles {n} as {id:?}, {timestamp:?}"));
        }
        self.slots[s].settles.push((n, fate));
    }

    /// What the promises said must be true once everything the engine wanted is done.
    fn check_fates(&mut self, s: usize) {
        let settles = std::mem::take(&mut self.slots[s].settles);
        let slot = &self.slots[s];
        let durable = slot.engine.as_ref().is_some_and(|engine| engine.notes().durable);
        let consent = self.pages[slot.page].consent;
        let deferred = |n: u32| slot.deferred.iter().any(|deferred| deferred.events.contains(&n));
        let wrong = settles.iter().find(|(n, fate)| {
            let event = &self.events[*n as usize];
            let right = match fate {
                Fate::Delivered => event.taken.is_some(),
                Fate::HandedOver => event.open + event.unknown > 0 || deferred(*n),
                // Kept, or sent meanwhile by a page that took this one for gone.
                Fate::Stored => !durable || event.kept() || event.contested,
                Fate::Pending => consent == Consent::Pending,
                Fate::Dropped(DropReason::Rejected, _) => event.refused.is_some(),
                Fate::Dropped(DropReason::Expired, _) => self.may_have_expired(*n),
                Fate::Dropped(DropReason::Evicted, _) => self.store_is_small(),
                // Here, whatever became of it in the hands of a page that took this one for gone.
                Fate::Dropped(DropReason::Consent, _) => consent == Consent::Out,
                Fate::Dropped(DropReason::Unanswered, _) => {
                    event.mode == Mode::AtMostOnce && event.unknown + event.open > 0
                }
                // Those do not get to the engine.
                Fate::Dropped(DropReason::Cancelled, _) => false,
            };
            !right
        });
        if let Some((n, fate)) = wrong {
            let detail = format!("s{s} says of {n}: {fate:?}");
            self.fail(Invariant::FateTrue, detail);
        }
        for (n, fate) in settles {
            match fate {
                Fate::Dropped(DropReason::Expired, _) => self.met(Fault::Expired),
                Fate::Dropped(DropReason::Evicted, _) => self.met(Fault::StoreFull),
                Fate::Dropped(DropReason::Unanswered, _) => {
                    self.events[n as usize].excuse |= excuse::UNANSWERED;
                }
                _ => {}
            }
        }
    }

    fn check_tickets(&mut self, s: usize) {
        let page = self.slots[s].page;
        let awake = self.awake_clock(page);
        let bound = SETTLE_MS + 3 * self.pages[page].throttle;
        while let Some(&(n, since)) = self.slots[s].tickets.front() {
            let took = awake - since;
            if self.events[n as usize].settled {
                self.slots[s].tickets.pop_front();
                if self.pages[page].throttle <= 1_000 {
                    self.slowest_settle = self.slowest_settle.max(took);
                }
            } else {
                if took > bound {
                    self.fail(Invariant::SettledInTime, format!("{n} of s{s} waits for {took} ms"));
                }
                break;
            }
        }
    }

    // ---- after each input ------------------------------------------------------------------------

    fn check_after(&mut self, s: usize) {
        self.check_fates(s);
        self.check_tickets(s);
        let slot = &mut self.slots[s];
        let effects = std::mem::take(&mut slot.effects_now);
        let known = slot.obtained.len();
        if effects > 100 + 10 * (known + self.ops.len().min(500)) || slot.ticks_now.1 > 20 {
            let detail = format!("s{s}: {effects} effects of one input, {} wakes at once", slot.ticks_now.1);
            self.fail(Invariant::NoLivelock, detail);
        }
        let slot = &self.slots[s];
        let page = &self.pages[slot.page];
        let (least, most) = self.beacon_bytes(slot.page);
        let (least, most) = (page.keepalive + least, page.keepalive + most + self.doubted_bytes(slot.page));
        let used = page.document.keepalive_used();
        if used < least || used > most {
            let detail = format!("s{s} counts {used} bytes in flight, there are {least} to {most}");
            self.fail(Invariant::KeepaliveAccount, detail);
            return;
        }
        let slot = &self.slots[s];
        let Some(engine) = &slot.engine else { return };
        let counts = engine.counts();
        if counts.accepted != slot.accepted {
            let detail = format!("s{s} accepted {}, {counts:?}", slot.accepted);
            self.fail(Invariant::CountsAddUp, detail);
            return;
        }
        if self.store_is_small() {
            self.check_bounds(s);
        }
    }

    fn check_bounds(&mut self, s: usize) {
        let slot = &self.slots[s];
        let Some(engine) = &slot.engine else { return };
        let counts = engine.counts();
        let bound = slot.config.max_stored_bytes;
        let mut sizes: Vec<usize> = slot
            .obtained
            .keys()
            .map(|n| &self.events[*n as usize])
            .filter(|event| event.home == s && !event.resolved())
            .map(|event| event.text.len())
            .collect();
        sizes.sort_unstable();
        let waiting = (counts.pending + counts.queued) as usize;
        let least: usize = sizes.iter().take(waiting).sum();
        let largest = self.events.iter().map(|event| event.text.len()).max().unwrap_or(0);
        if least > bound + largest {
            self.fail(Invariant::Bounded, format!("s{s} keeps {least} bytes in memory at least"));
            return;
        }
        let ep = slot.ep;
        if self.slots.iter().any(|slot| slot.ep == ep && !slot.ops.is_empty()) {
            // What is taken over is more at first than the next transaction leaves of it.
            return;
        }
        let disk: usize = self
            .events
            .iter()
            .filter(|event| event.ep == ep && event.on_disk > 0)
            .map(|event| event.text.len())
            .sum();
        // Without locks nobody takes over for a while, should the page that does so crash.
        let surveyed =
            self.slots.iter().filter(|slot| slot.ep == ep).filter_map(|slot| slot.surveyed.as_ref());
        let last = surveyed.map(|(at, _)| *at).max().unwrap_or(0);
        let owns = |slot: &&Slot| slot.ep == ep && (slot.engine.is_some() || slot.ended > last);
        let owners = self.slots.iter().filter(owns).count();
        // Beside what each page keeps there is what pages that are gone left and a transaction takes over.
        if disk > (owners + 2) * (bound + largest) {
            self.fail(Invariant::Bounded, format!("{disk} bytes on disk, {owners} pages"));
        }
    }
}
