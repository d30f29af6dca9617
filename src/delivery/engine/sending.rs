//! Pure: what is sent while the page lives, and what its answers mean.

use super::*;

impl Engine {
    pub(super) fn may_send(&self) -> bool {
        self.consent == Consent::In && self.online
    }

    pub(super) fn sendable(&self, item: &Item) -> bool {
        item.place == Place::Waiting
            && item.drawing.is_none()
            && (self.config.mode != Mode::AtMostOnce || item.copy.is_none())
    }

    /// Items in the order in which they are to be sent.
    pub(super) fn ranked(&self, wanted: impl Fn(&Item) -> bool) -> Vec<usize> {
        let mut ranked = Vec::new();
        for priority in [Priority::High, Priority::Normal, Priority::Low] {
            for (at, item) in self.items.iter().enumerate() {
                if item.priority == priority && wanted(item) {
                    ranked.push(at);
                }
            }
        }
        ranked
    }

    /// Takes from the front of `ranked` what goes into one request of at most `max_bytes`. What does
    /// not fit is passed over with `skip`, else ends the request. `None` when not even one fits.
    pub(super) fn pack(
        &self,
        ranked: &mut Vec<usize>,
        max_count: usize,
        max_bytes: usize,
        skip: bool,
    ) -> Option<Vec<usize>> {
        let mut packed: Vec<usize> = Vec::new();
        let (mut company, mut bytes) = (max_count.max(1), batch_bytes([].into_iter()));
        let mut full = false;
        ranked.retain(|&at| {
            let Some(item) = self.items.get(at) else { return false };
            let size = item.json.len();
            let first = packed.is_empty();
            let fits = if first {
                size <= max_bytes
            } else {
                packed.len() < company.min(item.company)
                    && bytes + size < max_bytes.min(self.config.max_batch_bytes)
            };
            if full || !fits {
                full = full || !skip;
                return true;
            }
            company = company.min(item.company);
            bytes += size + usize::from(!first);
            packed.push(at);
            false
        });
        (!packed.is_empty()).then_some(packed)
    }

    pub(super) fn body(&self, packed: &[usize]) -> (Url, String) {
        let texts: Vec<&str> =
            packed.iter().filter_map(|&at| self.items.get(at)).map(|item| item.json.as_str()).collect();
        let body = match texts.as_slice() {
            [text] => String::from(*text),
            texts => batch(texts),
        };
        (url(packed), body)
    }

    pub(super) fn batch_events(&self) -> usize {
        if self.config.has_batch { self.config.max_batch_events } else { 1 }
    }

    pub(super) fn send(
        &mut self,
        packed: &[usize],
        transport: Transport,
        now: Now,
        fx: &mut Vec<Effect>,
    ) -> RequestId {
        // What is sent now must not be sent by the browser a second time.
        let deferred = |&at: &usize| self.items.get(at).is_some_and(|item| item.deferral.is_some());
        if packed.iter().any(deferred) {
            self.disarm(fx);
        }
        let (url, body) = self.body(packed);
        self.last_request = self.last_request.wrapping_add(1);
        let id = self.last_request;
        let bytes = if transport == Transport::Fetch { 0 } else { body.len() };
        self.document.keepalive_used.set(self.document.keepalive_used() + bytes);
        let deadline = now.mono + FLIGHT_TIMEOUT_MS;
        self.flights.push(Flight {
            request: id,
            url,
            transport,
            bytes,
            sent: now.mono,
            deadline,
            doubted: false,
        });
        for (seat, &at) in packed.iter().enumerate() {
            if let Some(item) = self.items.get_mut(at) {
                item.place = Place::Flying(id);
                item.seat = seat;
            }
        }
        fx.push(Effect::Send(Request { id, url, body, transport }));
        id
    }

    pub(super) fn give_back(&mut self, bytes: usize) {
        self.document.keepalive_used.set(self.document.keepalive_used().saturating_sub(bytes));
    }

    pub(super) fn keepalive_left(&self) -> usize {
        KEEPALIVE_BUDGET.saturating_sub(self.document.keepalive_used())
    }

    /// When a message has waited long enough for company.
    pub(super) fn wait_over(&self) -> Millis {
        match self.last_dispatch {
            Some(last) if !self.urgent => last + self.config.max_wait,
            _ => 0,
        }
    }

    /// When what waits may go.
    pub(super) fn due(&self, now: Now) -> Millis {
        let mut waiting = self.items.iter().filter(|item| self.sendable(item));
        let wait = self.wait_over();
        if wait <= now.mono {
            return now.mono;
        }
        let (mut count, mut bytes) = (0, 0);
        let full = waiting.any(|item| {
            count += 1;
            bytes += item.json.len();
            // What was tried, or comes from an earlier page, has waited long enough.
            item.failed || !item.own || count >= self.batch_events() || bytes >= self.config.max_batch_bytes
        });
        if full { now.mono } else { wait }
    }

    /// Sends what is due while the page lives.
    pub(super) fn dispatch(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if !self.may_send() || self.left || now.mono < self.not_before {
            return;
        }
        if self.config.mode == Mode::AtMostOnce {
            self.draw(now, fx);
        }
        if self.due(now) > now.mono {
            return;
        }
        let mut ranked = self.ranked(|item| self.sendable(item));
        // What the browser would send itself can wait longest.
        self.deferred_last(&mut ranked);
        if self.backoff.failing() {
            // In turn, whatever the priority: one that always fails must not be the only one to ask.
            ranked.sort_unstable();
        }
        loop {
            if !self.has_free_flight() {
                break;
            }
            let Some(packed) = self.pack_next(&mut ranked) else { break };
            let bytes = self.body_bytes(&packed);
            let keepalive = self.config.has_keepalive
                && now.mono >= self.keepalive_rests_until
                && bytes <= self.keepalive_left();
            self.send(&packed, if keepalive { Transport::Keepalive } else { Transport::Fetch }, now, fx);
            self.last_dispatch = Some(now.mono);
        }
        if ranked.is_empty() {
            self.urgent = false;
        }
    }

    /// Takes from the front of `ranked` what goes into the next request.
    fn pack_next(&self, ranked: &mut Vec<usize>) -> Option<Vec<usize>> {
        // While the endpoint is down one message finds out whether it still is.
        let count = if self.backoff.failing() { 1 } else { self.batch_events() };
        let largest = ranked.first().and_then(|&at| self.items.get(at)).map_or(0, |item| item.json.len());
        self.pack(ranked, count, self.config.max_batch_bytes.max(largest), false)
    }

    pub(super) fn deferred_last(&self, ranked: &mut [usize]) {
        ranked.sort_by_key(|&at| self.items.get(at).is_some_and(|item| item.deferral.is_some()));
    }

    pub(super) fn body_bytes(&self, packed: &[usize]) -> usize {
        let sizes: Vec<usize> =
            packed.iter().filter_map(|&at| self.items.get(at)).map(|item| item.json.len()).collect();
        match sizes.as_slice() {
            [size] => *size,
            sizes => batch_bytes(sizes.iter().copied()),
        }
    }

    /// `atMostOnce`: removes from disk what is to be sent next, and no more: the rest would have to be put
    /// back. That is a claim: should another page have taken the record, it is not ours to send any more.
    pub(super) fn draw(&mut self, now: Now, fx: &mut Vec<Effect>) {
        let busy = self.items.iter().any(|item| self.sendable(item) || item.drawing.is_some());
        if busy || !self.may_write(now) || !self.has_free_flight() || now.mono < self.wait_over() {
            return;
        }
        let mut ranked = self.ranked(|item| item.place == Place::Waiting && item.safe);
        let mut next = Vec::new();
        for _ in 0..self.free_flights() {
            next.extend(self.pack_next(&mut ranked).into_iter().flatten());
        }
        let op = self.last_op.wrapping_add(1);
        let (mut claims, mut drawn) = (Vec::new(), Vec::new());
        for at in next {
            let Some(item) = self.items.get_mut(at) else { continue };
            let Some(key) = &item.copy else { continue };
            claims.push(Claim { from: key.clone(), to: String::new(), record: String::new() });
            drawn.push(item.rid.clone());
            item.drawing = Some(op);
        }
        if !claims.is_empty() {
            self.write(
                Write { claims, ..Write::default() },
                DiskWork { drawn, ..DiskWork::default() },
                now,
                fx,
            );
        }
    }

    pub(super) fn has_free_flight(&self) -> bool {
        self.free_flights() > 0
    }

    fn free_flights(&self) -> usize {
        let flights = self.flights.iter().filter(|flight| flight.transport != Transport::Beacon).count();
        let most = if self.backoff.failing() { 1 } else { MAX_FLIGHTS };
        most.saturating_sub(flights)
    }

    pub(super) fn judge(&mut self, flight: &Flight, answer: Answer<'_>, now: Now, fx: &mut Vec<Effect>) {
        let flying = Place::Flying(flight.request);
        let count = self.items.iter().filter(|item| item.place == flying).count();
        match answer {
            Answer::Response { status: 0, .. } | Answer::Unreachable | Answer::TimedOut => {
                if answer == Answer::Unreachable && flight.transport == Transport::Keepalive {
                    self.keepalive_rests_until = now.mono + KEEPALIVE_REST_MS;
                }
                self.fail(now, None, fx);
                self.unanswered(flying, count, fx);
            }
            Answer::BeaconTaken => {
                // No answer will ever come.
                for item in self.items.iter_mut().filter(|item| item.place == flying) {
                    item.place = Place::Given;
                    item.handed = true;
                    settle(item, Fate::HandedOver, fx);
                }
            }
            Answer::BeaconRefused => {
                for item in self.items.iter_mut().filter(|item| item.place == flying) {
                    item.back_to_waiting();
                    item.company = count / 2;
                }
                if !self.beacons_are_out() {
                    self.leave(now, fx);
                }
            }
            Answer::Response { status, body, retry_after: header } => {
                if let Some(received) = response::received_time(body) {
                    self.skew = Some(received.saturating_sub(now.wall));
                }
                match status {
                    200..=299 => self.accepted(flight, status, body, count, now, fx),
                    408 | 429 | 500 | 502..=599 => {
                        let server_now = now.wall.saturating_add(self.skew.unwrap_or(0));
                        self.fail(now, retry_after(header, server_now), fx);
                        if status == 500 {
                            // Of the service that may be its own fault, or the message's (a schema it does
                            // not know).
                            self.suspect(flying, count, fx);
                        } else {
                            self.come_back(flying, fx, |_| {});
                        }
                    }
                    // The endpoint is well; the request was not. Whatever is wrong with all of it is
                    // wrong with each, but for what a single message can be the cause of.
                    401 | 403 | 404 | 405 | 410 | 501 => self.refuse(flying, status, body, fx),
                    _ if count > 1 => {
                        self.come_back(flying, fx, |item| item.company = count / 2);
                    }
                    _ => self.refuse(flying, status, body, fx),
                }
            }
        }
        if self.left && !self.beacons_are_out() {
            self.leave(now, fx);
        }
    }

    /// Beacons whose answers come before this task ends: until then there is no use in another pass.
    pub(super) fn beacons_are_out(&self) -> bool {
        self.flights.iter().any(|flight| flight.transport == Transport::Beacon)
    }

    pub(super) fn accepted(
        &mut self,
        flight: &Flight,
        status: u16,
        body: &str,
        count: usize,
        now: Now,
        fx: &mut Vec<Effect>,
    ) {
        self.backoff.succeed();
        if !self.told_to_wait || now.mono >= self.not_before {
            self.not_before = now.mono;
            self.told_to_wait = false;
        }
        self.passed += 1;
        if !self.healthy.contains(&(flight.url, flight.transport)) {
            self.healthy.push((flight.url, flight.transport));
            self.remember(now, fx);
        }
        let mut answers = match flight.url {
            Url::Single => vec![ItemAnswer::Accepted; count],
            Url::Batch => response::batch(status, body, count),
        }
        .into_iter();
        let mut again = Vec::new();
        let mut answered = self.take_where(|item| item.place == Place::Flying(flight.request));
        answered.sort_by_key(|item| item.seat);
        for item in answered {
            match answers.next().unwrap_or(ItemAnswer::Unknown) {
                ItemAnswer::Accepted => self.deliver(item, fx),
                ItemAnswer::Rejected { status: 500, .. } => again.push((item, 1)),
                ItemAnswer::Rejected { status: 408 | 429 | 501..=599, .. } => again.push((item, usize::MAX)),
                ItemAnswer::Rejected { text, .. } => self.drop_item(item, DropReason::Rejected, text, fx),
                ItemAnswer::Unknown if self.config.mode == Mode::AtMostOnce => {
                    self.drop_item(item, DropReason::Unanswered, String::new(), fx);
                }
                ItemAnswer::Unknown => again.push((item, (count / 2).max(1))),
            }
        }
        if !again.is_empty() {
            self.fail(now, None, fx);
            for (mut item, company) in again.into_iter().rev() {
                item.company = item.company.min(company);
                self.bytes += item.json.len();
                self.items.insert(0, item);
            }
            self.come_back(Place::Flying(flight.request), fx, |_| {});
        }
    }

    /// Nobody knows whether the endpoint has what was in this request.
    pub(super) fn unanswered(&mut self, flying: Place, count: usize, fx: &mut Vec<Effect>) {
        if self.config.mode == Mode::AtMostOnce {
            self.drop_where(|item| item.place == flying, DropReason::Unanswered, fx);
            return;
        }
        self.suspect(flying, count, fx);
    }

    /// One of these may be what the request failed for: they go in halves, down to one. One that fails
    /// alone lets others find out whether the endpoint is there; if they pass, again and again, it is parked.
    pub(super) fn suspect(&mut self, flying: Place, count: usize, fx: &mut Vec<Effect>) {
        let alone = (count == 1).then(|| self.items.iter().position(|item| item.place == flying)).flatten();
        let passed = self.passed;
        self.come_back(flying, fx, |item| {
            item.company = (count / 2).max(1);
            if count == 1 {
                item.strikes += u8::from(passed > item.passed_before && item.failed);
                item.passed_before = passed;
            }
            if item.strikes >= MAX_STRIKES {
                item.place = Place::Parked;
            }
        });
        if let Some(at) = alone.filter(|at| *at < self.items.len()) {
            let item = self.items.remove(at);
            self.items.push(item);
        }
    }

    /// What was in this request waits again.
    pub(super) fn come_back(
        &mut self,
        flying: Place,
        fx: &mut Vec<Effect>,
        mut change: impl FnMut(&mut Item),
    ) {
        let kept = |item: &Item| item.abandoned && (item.safe || item.in_handoff);
        for item in self.take_where(|item| item.place == flying && kept(item)) {
            self.give_up(item, fx);
        }
        for item in self.items.iter_mut().filter(|item| item.place == flying) {
            if std::mem::take(&mut item.abandoned) {
                item.drawing = writing(&self.work, item);
            }
            item.back_to_waiting();
            change(item);
            item.failed = true;
        }
        self.defer_stale = true;
    }

    pub(super) fn refuse(&mut self, flying: Place, status: u16, body: &str, fx: &mut Vec<Effect>) {
        let text = response::single(status, body).text;
        for item in self.take_where(|item| item.place == flying) {
            self.drop_item(item, DropReason::Rejected, text.clone(), fx);
        }
    }

    pub(super) fn fail(&mut self, now: Now, asked: Option<Millis>, fx: &mut Vec<Effect>) {
        if !self.healthy.is_empty() {
            self.healthy.clear();
            self.remember(now, fx);
        }
        // So none of what is under way is certain to arrive.
        self.items.iter_mut().for_each(Item::distrust);
        let wait = self.backoff.fail();
        // What the server asked for holds, whatever comes in between.
        let told = if self.told_to_wait { self.not_before } else { 0 };
        self.told_to_wait = asked.is_some() || told > now.mono;
        self.not_before = told.max(now.mono + wait.max(asked.unwrap_or(0)));
    }
}
