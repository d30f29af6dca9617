//! Pure: the outbox: what is written, taken over from pages that are gone, and handed off to the next.

use super::*;

impl Engine {
    pub(super) fn open(&mut self, now: Now, fx: &mut Vec<Effect>) {
        let purges = self.purge != Purge::Idle;
        if self.disk == Disk::Closed && (self.consent == Consent::In || purges) {
            self.disk = Disk::Opening(now.mono);
            self.opens_to_purge = purges;
            fx.push(Effect::Open { owner: self.owner.clone(), create: !purges });
        }
    }

    /// Whether the disk takes transactions now.
    pub(super) fn may_write(&self, now: Now) -> bool {
        self.disk == Disk::Open && now.mono >= self.disk_rests_until && !self.left
    }

    pub(super) fn may_survey(&self) -> bool {
        self.lease
            && self.disk == Disk::Open
            && !self.surveying
            && !self.left
            && self.consent != Consent::Pending
    }

    /// Whether its record should be on disk and is not on its way.
    pub(super) fn unsaved(&self, item: &Item) -> bool {
        item.copy.is_none() && item.drawing.is_none() && wants_copy(item, self.config.mode, self.consent)
    }

    /// Writes down what is new.
    pub(super) fn save(&mut self, now: Now, fx: &mut Vec<Effect>) {
        if !self.may_write(now) {
            return;
        }
        self.disk_rests_until = 0;
        let mut puts = Vec::new();
        for at in 0..self.items.len() {
            let Some(item) = self.items.get(at).filter(|item| self.unsaved(item)) else { continue };
            let key = key_of(&self.owner, &item.rid);
            puts.push((key.clone(), self.record(item)));
            if let Some(item) = self.items.get_mut(at) {
                item.copy = Some(key);
            }
        }
        if !puts.is_empty() || !self.deletes.is_empty() {
            let deletes = std::mem::take(&mut self.deletes);
            self.write(Write { puts, deletes, ..Write::default() }, DiskWork::default(), now, fx);
        }
    }

    pub(super) fn record(&self, item: &Item) -> String {
        Record::write(&self.config, item.created, item.priority, item.id.as_deref(), &item.json)
    }

    /// Begins a transaction; `work` says what else hangs on it.
    pub(super) fn write(&mut self, write: Write, work: DiskWork, now: Now, fx: &mut Vec<Effect>) {
        self.last_op = self.last_op.wrapping_add(1);
        self.work.push(DiskWork {
            op: self.last_op,
            deadline: now.mono + DISK_TIMEOUT_MS,
            puts: write.puts.iter().map(|(key, _)| key.clone()).collect(),
            deletes: write.deletes.clone(),
            handoffs: write.handoffs.clone(),
            ..work
        });
        fx.push(Effect::Write(self.last_op, write));
    }

    pub(super) fn committed(&mut self, work: DiskWork, claimed: &[bool], fx: &mut Vec<Effect>) {
        let is_claimed = |claim: usize| claimed.get(claim) == Some(&true);
        for (claim, rid) in work.drawn.iter().enumerate() {
            let drawn = |item: &Item| item.drawing == Some(work.op) && item.rid == *rid;
            if is_claimed(claim) {
                for item in self.items.iter_mut().filter(|item| drawn(item)) {
                    item.drawing = None;
                    item.copy = None;
                    item.safe = false;
                }
            } else {
                // Another page has taken it.
                for item in self.take_where(drawn) {
                    self.give_up(item, fx);
                }
            }
        }
        // Put under the name that the page had before it left: the outbox has it.
        for item in self.take_where(|item| item.drawing == Some(work.op)) {
            self.give_up(item, fx);
        }
        for item in &mut self.items {
            if let Some(key) = &item.copy {
                item.safe |= work.puts.contains(key);
            }
        }
        for (claim, mut item) in work.adopted {
            let ours = claim.is_none_or(is_claimed);
            let known = self.items.iter().any(|other| other.rid == item.rid);
            // A page that left and came back has another name: what it put under the old one is an orphan.
            let stale = item.copy.as_ref().is_some_and(|key| *key != key_of(&self.owner, &item.rid));
            if !ours || known || stale {
                continue;
            }
            if let Some(at) = self.away.iter().position(|rid| *rid == item.rid) {
                self.away.swap_remove(at);
                item.own = true;
            }
            item.safe = true;
            if self.left {
                item.place = Place::Stowed;
            }
            self.bytes += item.json.len();
            self.items.push(item);
        }
        self.defer_stale = true;
        self.bound(fx);
    }

    pub(super) fn aborted(&mut self, mut work: DiskWork, fx: &mut Vec<Effect>) {
        for item in &mut self.items {
            if item.drawing == Some(work.op) && work.drawn.contains(&item.rid) {
                item.drawing = None;
            } else if item.copy.as_ref().is_some_and(|key| work.puts.contains(key)) && !item.safe {
                item.drawing = None;
                // Left behind, it may still stand in the hand-off.
                if !(item.abandoned && item.in_handoff) {
                    item.abandoned = false;
                    item.copy = None;
                }
            }
        }
        // After a refusal nothing is to be kept.
        for (owner, text) in work.taken.into_iter().filter(|_| self.consent != Consent::Out) {
            fx.push(Effect::Handoff { owner, text });
        }
        // What an adoption would have removed is looked at anew by the next survey.
        if !work.adoption {
            self.deletes.append(&mut work.deletes);
        } else if self.purge == Purge::Done {
            self.purge = Purge::Due;
        }
    }

    /// Takes over what pages that are gone left behind.
    pub(super) fn adopt(&mut self, survey: Survey, now: Now, fx: &mut Vec<Effect>) {
        let mut write = Write::default();
        let mut adopted = Vec::new();
        let mut handed: Vec<(String, String)> = Vec::new();
        let mut gone: Vec<String> = Vec::new();
        let mut taken = Vec::new();
        // What stands in hand-offs that are left alone for now, whoever has taken it over by now.
        let mut left: Vec<String> = Vec::new();
        let mut answered = self.answered.clone();
        for (owner, text) in survey.handoffs {
            if !self.is_orphan(&owner, &survey.live) {
                // A page that lives tells of records that it had to leave behind and saw answered.
                if let Ok(mut handoff) = Handoff::read(&self.config, &text) {
                    answered.append(&mut handoff.gone);
                }
                continue;
            }
            match Handoff::read(&self.config, &text) {
                Err(Unreadable::Foreign) => continue,
                Err(Unreadable::Corrupt) => self.records_dropped += 1,
                Ok(mut handoff) => {
                    // What it left behind under an earlier name and saw answered: another may keep it by now.
                    // What it was taking over itself stands in it, under its own name.
                    let moved = |rid: &str| handoff.records.iter().any(|(key, _)| rid_of(key) == rid);
                    let seen = |key: &&String| owner_of(key) != owner && !moved(rid_of(key));
                    answered.extend(handoff.gone.iter().filter(seen).cloned());
                    if self.is_in_use(&owner, &handoff) {
                        // It is being taken over already, or some of it is still in flight here.
                        gone.append(&mut handoff.gone);
                        left.extend(handoff.records.iter().map(|(key, _)| String::from(rid_of(key))));
                        continue;
                    }
                    if self.config.mode == Mode::AtMostOnce {
                        // Nobody else may find it from now on, even if the lease should be lost.
                        fx.push(Effect::Handoff { owner: owner.clone(), text: String::new() });
                        taken.push((owner.clone(), text));
                    }
                    handed.append(&mut handoff.records);
                    gone.append(&mut handoff.gone);
                }
            }
            write.handoffs.push(owner);
        }
        let on_disk = survey.records.iter().filter(|(key, _)| {
            self.is_orphan(owner_of(key), &survey.live)
                && !handed.iter().any(|(handed, _)| handed == key)
                && !left.iter().any(|rid| rid == rid_of(key))
        });
        let on_disk: Vec<(bool, String, String)> =
            on_disk.map(|(key, text)| (true, key.clone(), text.clone())).collect();
        let handed = handed.into_iter().map(|(key, text)| (false, key, text));
        // Taken over by this page before the answer was seen by the one that it comes from.
        let over = |item: &Item| answered.iter().any(|key| rid_of(key) == item.rid);
        for item in self.take_where(|item| !matches!(item.place, Place::Flying(_)) && over(item)) {
            self.deliver(item, fx);
        }
        for (on_disk, key, text) in on_disk.into_iter().chain(handed) {
            let rid = rid_of(&key);
            let record = match Record::read(&self.config, &text) {
                Err(Unreadable::Foreign) => continue,
                Err(Unreadable::Corrupt) => None,
                Ok(record) => Some(record),
            };
            let age = record.as_ref().map_or(0, |record| now.wall.saturating_sub(record.created).max(0));
            let record = record.filter(|_| age <= self.config.max_age && self.consent == Consent::In);
            // Seen to be answered, whoever keeps it under whatever name.
            let over = gone.contains(&key)
                || answered.iter().any(|key| rid_of(key) == rid)
                || self.ended.iter().flatten().any(|ended| ended == rid);
            let Some(record) = record.filter(|_| !over) else {
                self.records_dropped += u32::from(!over);
                write.deletes.push(key);
                continue;
            };
            let to = key_of(&self.owner, rid);
            // Left behind under an earlier name, and there is no word of it: now there is.
            let asked = |item: &Item| item.rid == rid && item.copy.as_ref().is_some_and(|copy| *copy != to);
            for item in self.take_where(|item| item.drawing.is_some() && asked(item)) {
                self.give_up(item, fx);
            }
            let adopted_before = self.work.iter().flat_map(|work| &work.adopted).map(|(_, item)| item);
            if self.items.iter().chain(adopted_before).any(|item| item.rid == rid) {
                // Taken from this page while it was held for gone, and nobody else keeps it from now on.
                let ours = |item: &Item| item.rid == rid && item.is_safe() && item.copy.as_ref() == Some(&to);
                if !on_disk && self.items.iter().any(ours) {
                    write.puts.push((to, text));
                }
                continue;
            }
            let mut claim = None;
            if on_disk {
                claim = Some(write.claims.len());
                write.claims.push(Claim { from: key.clone(), to: to.clone(), record: text });
            } else {
                if key != to {
                    write.deletes.push(key.clone());
                }
                write.puts.push((to.clone(), text));
            }
            let item = Item {
                rid: String::from(rid),
                ticket: None,
                id: record.id,
                timestamp: None,
                json: record.json,
                priority: record.priority,
                created: record.created,
                age,
                since: now.mono,
                own: false,
                place: Place::Waiting,
                seat: 0,
                unloading: false,
                room: 0,
                handed: false,
                trusted: false,
                failed: false,
                deferral: None,
                copy: Some(to),
                safe: false,
                in_handoff: false,
                abandoned: false,
                drawing: None,
                company: usize::MAX,
                strikes: 0,
                passed_before: 0,
            };
            adopted.push((claim, item));
        }
        // Those that say what is gone may speak of records that this survey did not reach.
        write.deletes.append(&mut gone);
        if write != Write::default() {
            self.write(write, DiskWork { adopted, adoption: true, taken, ..DiskWork::default() }, now, fx);
        }
    }

    pub(super) fn is_orphan(&self, owner: &str, live: &[String]) -> bool {
        owner != self.owner && !live.iter().any(|name| name == owner)
    }

    /// A hand-off is taken over as a whole. One that keeps what this page left behind under an earlier name
    /// has to wait until the answer is known: then all of it is an orphan, or what was answered is told.
    fn is_in_use(&self, owner: &str, handoff: &Handoff) -> bool {
        let flies = |key: &str| self.items.iter().any(|item| item.abandoned && item.rid == rid_of(key));
        self.work.iter().any(|work| work.handoffs.iter().any(|taken| taken == owner))
            || self.consent == Consent::In && handoff.records.iter().any(|(key, _)| flies(key))
    }

    /// Keeps the hand-off in step while the page is hidden or has left, and removes it otherwise.
    pub(super) fn hand_off(&mut self, fx: &mut Vec<Effect>) {
        let mut handoff = Handoff::default();
        let mut rids = Vec::new();
        // A name that is not held yet would look like that of a page that is gone.
        let leaving = self.left || self.hidden && self.named;
        let last = self.handoffs.last().map_or(&self.handoff, |(text, _)| text);
        let told = !last.is_empty() || !self.answered.is_empty();
        let stores = self.disk != Disk::Off;
        if (leaving || told) && (stores || !self.answered.is_empty()) {
            handoff.gone.extend(self.answered.iter().cloned());
            if leaving {
                for item in self.items.iter().filter(|item| item.handed && item.trusted) {
                    handoff.gone.extend(item.copy.clone());
                }
                handoff.gone.extend(self.deletes.iter().cloned());
                let work = self.work.iter().filter(|work| !work.adoption);
                handoff.gone.extend(work.flat_map(|work| work.deletes.iter().cloned()));
            }
            if self.left && self.items.iter().any(|item| item.place == Place::Stowed && item.is_safe()) {
                // Says nothing but that there is something: other pages hear of it.
                handoff.gone.push(key_of(&self.owner, ""));
            }
            if self.left {
                // Taken from a hand-off that is no more, and maybe not on disk yet.
                for work in self.work.iter().filter(|work| !work.taken.is_empty()) {
                    handoff.gone.extend(work.deletes.iter().cloned());
                    // After a refusal nothing is to be kept.
                    let kept =
                        |(claim, _): &&(Option<usize>, Item)| claim.is_none() && self.consent != Consent::Out;
                    for (_, item) in work.adopted.iter().filter(kept) {
                        handoff.records.push((key_of(&self.owner, &item.rid), self.record(item)));
                    }
                }
            }
            let mut bytes: usize = handoff.gone.iter().map(|key| key.len() + 3).sum();
            let wanted =
                |item: &Item| stores && wants_copy(item, self.config.mode, self.consent) && !item.is_safe();
            // Once in it, a record stays until it is on disk: its promise may have been settled.
            let mut ranked = self.ranked(|item| item.in_handoff && wanted(item));
            let stand = ranked.len();
            if leaving {
                ranked.append(&mut self.ranked(|item| !item.in_handoff && wanted(item)));
            }
            for (rank, at) in ranked.into_iter().enumerate() {
                let Some(item) = self.items.get(at) else { continue };
                let (key, text) = (key_of(&self.owner, &item.rid), self.record(item));
                let size = key.len() + text.len() + 4;
                if rank < stand || bytes + size <= self.handoff_limit {
                    bytes += size;
                    rids.push(item.rid.clone());
                    // Its record is to be kept after all.
                    handoff.gone.retain(|gone| *gone != key);
                    handoff.records.push((key, text));
                }
            }
        }
        let text = if handoff.is_empty() { String::new() } else { handoff.write(&self.config) };
        if text != *last && self.handoff_refused.as_ref() != Some(&text) {
            self.handoffs.push((text.clone(), rids));
            fx.push(Effect::Handoff { owner: self.owner.clone(), text });
        }
    }
}
