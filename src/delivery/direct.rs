//! Pure: each message goes out at once, in a request of its own.
//!
//! While the page lives: keepalive `fetch` inside the [`KEEPALIVE_BUDGET`], plain `fetch` above it.
//! While it leaves: the same, or `sendBeacon` where the site chose it or the browser has no
//! keepalive. A message handed over while leaving settles at once, for nobody may be left to hear
//! the answer; if the page does live to see it, the count moves on.

use super::{
    Answer, Counts, Delivery, DropReason, Effect, Fate, KEEPALIVE_BUDGET, Message, Request, RequestId,
    Ticket, Transport,
};
use crate::settings::TransportChoice;
use crate::time::Millis;
use crate::xdm::response;

struct Flight {
    request: RequestId,
    /// What it takes of the keepalive budget.
    bytes: usize,
    /// The promise to settle; none once it was settled as handed over.
    ticket: Option<Ticket>,
    id: Option<String>,
    timestamp: Option<String>,
}

/// Sends each message at once.
pub struct Direct {
    choice: TransportChoice,
    has_keepalive: bool,
    leaving: bool,
    last_request: RequestId,
    flights: Vec<Flight>,
    budget_used: usize,
    counts: Counts,
    clock_skew: Option<Millis>,
}

impl Direct {
    /// `has_keepalive`: whether this browser's `fetch` knows `keepalive`.
    pub fn new(choice: TransportChoice, has_keepalive: bool) -> Direct {
        Direct {
            choice,
            has_keepalive,
            leaving: false,
            last_request: 0,
            flights: Vec::new(),
            budget_used: 0,
            counts: Counts::default(),
            clock_skew: None,
        }
    }

    fn transport(&self, bytes: usize, leaving: bool) -> Transport {
        let fits = self.budget_used + bytes <= KEEPALIVE_BUDGET;
        let beacon = match self.choice {
            TransportChoice::Auto => !self.has_keepalive,
            TransportChoice::Beacon => true,
            TransportChoice::Fetch => false,
        };
        match (fits, leaving && beacon, self.has_keepalive) {
            (true, true, _) => Transport::Beacon,
            (true, false, true) => Transport::Keepalive,
            _ => Transport::Fetch,
        }
    }

    fn judge(&mut self, answer: Answer<'_>, now: Millis) -> Fate {
        match answer {
            Answer::BeaconTaken => Fate::HandedOver,
            Answer::BeaconRefused => Fate::Dropped(DropReason::Refused, String::new()),
            Answer::Unreachable => Fate::Dropped(DropReason::Network, String::new()),
            Answer::TimedOut => Fate::Dropped(DropReason::Timeout, String::new()),
            Answer::Response { status, body } => {
                let told = response::single(status, body);
                if let Some(received) = told.received_time {
                    self.clock_skew = Some(received.saturating_sub(now));
                }
                match status {
                    200..=299 if told.accepted => Fate::Delivered,
                    408 | 429 | 500..=599 => Fate::Dropped(DropReason::Unavailable, told.text),
                    _ => Fate::Dropped(DropReason::Rejected, told.text),
                }
            }
        }
    }
}

impl Delivery for Direct {
    fn accept(&mut self, message: Message, effects: &mut Vec<Effect>) {
        let leaving = self.leaving || message.unloading;
        let bytes = message.json.len();
        let transport = self.transport(bytes, leaving);
        self.counts.accepted += 1;
        self.last_request = self.last_request.wrapping_add(1);
        let mut flight = Flight {
            request: self.last_request,
            bytes: if transport == Transport::Fetch { 0 } else { bytes },
            ticket: Some(message.ticket),
            id: message.id,
            timestamp: message.timestamp,
        };
        self.budget_used += flight.bytes;
        effects.push(Effect::Send(Request { id: flight.request, body: message.json, transport }));
        // A beacon settles when the browser says whether it took it.
        if leaving && transport == Transport::Keepalive {
            self.counts.handed_over += 1;
            effects.extend(settle(&mut flight, Fate::HandedOver));
        } else {
            self.counts.in_flight += 1;
        }
        self.flights.push(flight);
    }

    fn answer(&mut self, request: RequestId, answer: Answer<'_>, now: Millis, effects: &mut Vec<Effect>) {
        let Some(at) = self.flights.iter().position(|flight| flight.request == request) else {
            return;
        };
        let mut flight = self.flights.swap_remove(at);
        // Nobody can tell when a beacon's bytes come back: they stay taken.
        if answer != Answer::BeaconTaken {
            self.budget_used -= flight.bytes;
        }
        if flight.ticket.is_some() {
            self.counts.in_flight -= 1;
        } else {
            self.counts.handed_over -= 1;
        }
        let fate = self.judge(answer, now);
        match &fate {
            Fate::Delivered => self.counts.delivered += 1,
            Fate::HandedOver => self.counts.handed_over += 1,
            Fate::Dropped(reason, _) => self.counts.dropped.count(*reason),
        }
        effects.extend(settle(&mut flight, fate));
    }

    fn leaving(&mut self, leaving: bool) {
        self.leaving = leaving;
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn clock_skew(&self) -> Option<Millis> {
        self.clock_skew
    }
}

fn settle(flight: &mut Flight, fate: Fate) -> Option<Effect> {
    Some(Effect::Settle {
        ticket: flight.ticket.take()?,
        id: flight.id.take(),
        timestamp: flight.timestamp.take(),
        fate,
    })
}
