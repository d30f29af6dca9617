//! Pure: the page hides, leaves and comes back; the deferred request.

use super::*;

impl Engine {
    /// One synchronous pass over what waits: hands over what the browser's quotas can carry, the most
    /// valuable first, and leaves the rest to the outbox. A page that is merely hidden lives on.
    pub(super) fn leave(&mut self, now: Now, fx: &mut Vec<Effect>) {
        let all = self.hidden || self.left;
        let due = |flight: &Flight| flight.doubted && now.mono >= flight.deadline;
        while let Some(at) = self.flights.iter().position(due) {
            let flight = self.flights.swap_remove(at);
            self.give_back(flight.bytes);
            self.judge(&flight, Answer::Unreachable, now, fx);
        }
        if self.left {
            // What an earlier pass could not place gets another chance.
            for item in self.items.iter_mut().filter(|item| item.place == Place::Stowed) {
                item.place = Place::Waiting;
            }
        }
        // While the endpoint is down, what can be stored is safer stored.
        let waits = now.mono < self.not_before;
        let down = waits && self.told_to_wait || (waits || self.backoff.failing()) && self.disk != Disk::Off;
        let may_send = self.may_send() && !down;
        if may_send {
            if self.left {
                self.keep_deferred(fx);
            }
            self.hand_over(all, now, fx);
        }
        if all {
            self.defer_rest(may_send, now, fx);
            self.trust();
        }
        if self.left {
            self.give_doubted();
            if !self.items.iter().any(|item| item.place == Place::Deferred) {
                self.disarm(fx);
            }
        }
        for item in self.items.iter_mut().filter(|item| item.handed) {
            let beacon = |flight: &&Flight| {
                flight.transport == Transport::Beacon && Place::Flying(flight.request) == item.place
            };
            // Beacons and the deferred request settle when the browser says whether it took them.
            let deferred = item.place == Place::Deferred;
            if !deferred && !self.flights.iter().any(|flight| beacon(&flight)) {
                settle(item, Fate::HandedOver, fx);
            }
        }
        if self.left && self.disk != Disk::Off {
            for item in &mut self.items {
                if matches!(item.place, Place::Waiting | Place::Parked) {
                    item.place = Place::Stowed;
                }
            }
        }
    }

    /// A page that leaves and has more than the keepalive budget takes leaves what the browser has already
    /// where it is, unless much more would fit there: what is changed at the last moment the browser may
    /// not hear of.
    fn keep_deferred(&mut self, fx: &mut Vec<Effect>) {
        let (mut all, mut others) = (0, 0);
        for item in self.items.iter().filter(|item| self.sendable(item)) {
            all += item.json.len();
            others += if item.deferral.is_none() { item.json.len() } else { 0 };
        }
        let budget = self.keepalive_left();
        if all > budget && (others <= budget || self.deferred_is_full()) {
            self.give_to_deferred(true, fx);
        }
    }

    /// So full that it is not worth replacing.
    fn deferred_is_full(&self) -> bool {
        self.deferred_bytes > self.defer_limit - self.defer_limit / 8
    }

    /// What is deferred is the browser's, and what it surely has counts as handed over. `kept`: it took
    /// it before.
    fn give_to_deferred(&mut self, kept: bool, fx: &mut Vec<Effect>) {
        let balanced = self.config.mode == Mode::Balanced;
        for item in &mut self.items {
            let Some(deferral) = item.deferral.filter(|_| item.place == Place::Waiting) else { continue };
            item.place = Place::Deferred;
            item.handed = true;
            let healthy = self.healthy.contains(&(deferral.url, Transport::Keepalive));
            item.trusted = balanced && healthy && deferral.sure;
            if kept {
                settle(item, Fate::HandedOver, fx);
            }
        }
    }

    /// Something that was asked for at `since` has been answered: what was deferred before has reached
    /// the browser, too.
    pub(super) fn heard(&mut self, since: Millis) {
        if self.armed && since + DEFER_EVERY_MS >= self.deferred_at {
            for deferral in self.items.iter_mut().filter_map(|item| item.deferral.as_mut()) {
                deferral.sure = true;
            }
        }
    }

    /// Hands over by requests that outlive the page.
    pub(super) fn hand_over(&mut self, all: bool, now: Now, fx: &mut Vec<Effect>) {
        let beacon = match self.config.transport {
            TransportChoice::Auto => !self.config.has_keepalive,
            TransportChoice::Beacon => true,
            TransportChoice::Fetch => false,
        };
        let transport = match (beacon, self.config.has_keepalive) {
            (true, _) => Transport::Beacon,
            (false, true) => Transport::Keepalive,
            (false, false) => Transport::Fetch,
        };
        let mut ranked = self.ranked(|item| {
            let refused = transport == Transport::Beacon && item.company == 0;
            self.sendable(item) && (all || item.unloading) && !refused
        });
        self.deferred_last(&mut ranked);
        let known = |url| self.healthy.contains(&(url, transport));
        let cold = known(Url::Single) && !known(Url::Batch);
        let count = if cold && ranked.len() <= FEW { 1 } else { self.batch_events() };
        let sizes = ranked.iter().filter_map(|&at| self.items.get(at)).map(|item| item.json.len());
        let largest = sizes.max().unwrap_or(0).max(self.config.max_batch_bytes);
        loop {
            let room = match transport {
                Transport::Fetch => largest,
                _ => self.keepalive_left().min(largest),
            };
            let Some(packed) = self.pack(&mut ranked, count, room, true) else { break };
            let request = self.send(&packed, transport, now, fx);
            self.last_dispatch = Some(now.mono);
            for item in self.items.iter_mut().filter(|item| item.place == Place::Flying(request)) {
                item.handed = true;
            }
        }
    }

    /// Puts as much as it can hold of what still waits into the deferred request. When the page left
    /// that is final, and what it holds is given.
    pub(super) fn defer_rest(&mut self, may_send: bool, now: Now, fx: &mut Vec<Effect>) {
        if !self.may_defer() || !may_send {
            return;
        }
        let fresh = self.ranked(|item| self.sendable(item));
        let given = self.items.iter().any(|item| item.place == Place::Deferred);
        // A page that is merely hidden keeps it in step at a bounded rate, as any other.
        if fresh.is_empty() || self.deferred_is_full() && (given || !self.left) {
            return;
        }
        // What it holds already stays in it.
        let mut ranked = self.ranked(|item| item.place == Place::Deferred);
        ranked.extend(fresh);
        self.arm(ranked, now, fx);
        if self.left {
            self.give_to_deferred(false, fx);
        }
    }

    /// Settles what is to be thought of each request that the page may not see the answer of.
    pub(super) fn trust(&mut self) {
        for item in &mut self.items {
            let Place::Flying(request) = item.place else { continue };
            let Some(flight) = self.flights.iter().find(|flight| flight.request == request) else { continue };
            let lasting = flight.transport != Transport::Fetch;
            item.handed |= lasting || self.config.mode == Mode::AtMostOnce;
            item.trusted = self.config.mode == Mode::Balanced
                && lasting
                && (self.left || !flight.doubted)
                && self.online
                && self.healthy.contains(&(flight.url, flight.transport));
        }
    }

    /// The page is gone, and with it the promises of requests that go on.
    pub(super) fn give_doubted(&mut self) {
        let mut flights = std::mem::take(&mut self.flights);
        flights.retain(|flight| {
            if flight.doubted {
                self.give_back(flight.bytes);
                for item in &mut self.items {
                    if item.place == Place::Flying(flight.request) {
                        item.place = Place::Given;
                    }
                }
            }
            !flight.doubted
        });
        self.flights = flights;
    }

    pub(super) fn shown(&mut self, now: Now) {
        if !self.left {
            self.hidden = false;
            // It may have been frozen, and the answers may be waiting.
            for flight in self.flights.iter_mut().filter(|flight| !flight.doubted) {
                flight.deadline = now.mono + FLIGHT_TIMEOUT_MS;
            }
            self.handoff_limit = MAX_HANDOFF_BYTES;
            self.handoff_refused = None;
            for item in &mut self.items {
                item.company = item.company.max(1);
            }
        }
    }

    /// Out of the back/forward cache. What the old name left in the outbox belongs to whoever finds it.
    pub(super) fn restored(&mut self, owner: String, now: Now, fx: &mut Vec<Effect>) {
        let old = std::mem::replace(&mut self.owner, owner);
        self.left = false;
        self.named = false;
        if !self.handoff.is_empty() {
            // What it was taking over stands there, and may be another's by now.
            for work in &mut self.work {
                work.taken.clear();
            }
        }
        self.handoff.clear();
        self.handoffs.clear();
        // The browser has sent it when the page went into the cache.
        self.take_back();
        self.shown(now);
        let left_behind = |item: &Item| item.is_safe() || item.in_handoff;
        for item in self.items.iter_mut().filter(|item| item.place == Place::Deferred) {
            item.place = Place::Given;
        }
        // What no outbox keeps is kept by this page until one does, where it is to be.
        for item in self.take_where(|item| item.place == Place::Given && left_behind(item)) {
            self.done.handed_over += u32::from(item.own);
        }
        for item in self.take_where(|item| !matches!(item.place, Place::Flying(_)) && left_behind(item)) {
            self.give_up(item, fx);
        }
        for item in &mut self.items {
            let writing = writing(&self.work, item);
            let flies = matches!(item.place, Place::Flying(_));
            if flies && !item.trusted && (item.abandoned || left_behind(item) || writing.is_some()) {
                if !item.abandoned {
                    item.abandoned = true;
                    item.copy = Some(key_of(&old, &item.rid));
                }
                continue;
            }
            item.abandoned = false;
            if item.place == Place::Stowed {
                item.place = Place::Waiting;
            }
            if item.drawing.is_some() {
                // Whether its record could be removed will be told yet.
                continue;
            }
            if writing.is_some() && !flies {
                item.drawing = writing;
                continue;
            }
            item.copy = None;
            item.safe = false;
            item.in_handoff = false;
        }
        // What was to be removed stands in the hand-off.
        self.deletes.clear();
        self.disk_rests_until = 0;
        if self.disk != Disk::Off {
            self.disk = Disk::Closed;
            self.open(now, fx);
        }
    }

    /// The outbox owns it now.
    pub(super) fn give_up(&mut self, mut item: Item, fx: &mut Vec<Effect>) {
        settle(&mut item, Fate::Stored, fx);
        if item.own {
            self.away.push(item.rid);
        }
    }

    pub(super) fn may_defer(&self) -> bool {
        self.config.has_deferred && self.config.mode != Mode::AtMostOnce && self.defer_limit > 0
    }

    /// Keeps the deferred request in step with what waits, at a bounded rate: should the page crash,
    /// the browser sends it.
    pub(super) fn defer(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if !self.defer_stale || now.mono < self.deferred_at || self.left || !self.may_defer() {
            return;
        }
        self.defer_stale = false;
        let mut ranked = Vec::new();
        if self.may_send() && now.mono >= self.not_before {
            ranked = self.ranked(|item| self.sendable(item));
        }
        if !self.arm(ranked, now, fx) {
            self.disarm(fx);
        }
    }

    /// Arms as many requests as the quota has room for, in place of those before; whether there is any.
    pub(super) fn arm(&mut self, mut ranked: Vec<usize>, now: Now, fx: &mut Vec<Effect>) -> bool {
        let (mut left, mut requests, mut all) = (self.defer_limit, Vec::new(), Vec::new());
        while let Some(packed) = self.pack(&mut ranked, self.batch_events(), left, true) {
            let (url, body) = self.body(&packed);
            left = left.saturating_sub(body.len() + DEFERRED_OVERHEAD);
            requests.push((url, body));
            for at in packed {
                let before = self.items.get(at).and_then(|item| item.deferral);
                all.push((at, Deferral { url, sure: before.is_some_and(|before| before.sure) }));
            }
        }
        let any = !requests.is_empty();
        if any {
            self.take_back();
            for (at, deferral) in all {
                if let Some(item) = self.items.get_mut(at) {
                    item.deferral = Some(deferral);
                }
            }
            self.armed = true;
            self.defer_stale = false;
            self.deferred_bytes = self.defer_limit - left;
            self.deferred_at = now.mono + DEFER_EVERY_MS;
            fx.push(Effect::Defer(requests));
        }
        any
    }

    pub(super) fn disarm(&mut self, fx: &mut Vec<Effect>) {
        if self.armed {
            self.take_back();
            fx.push(Effect::Defer(Vec::new()));
        }
    }

    /// Nothing is deferred any more.
    pub(super) fn take_back(&mut self) {
        self.armed = false;
        self.defer_stale = true;
        self.deferred_bytes = 0;
        for item in &mut self.items {
            item.deferral = None;
        }
    }
}
