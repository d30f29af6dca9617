//! Pure: what becomes of a message once it is accepted.
//!
//! [`Engine`] is one state machine. It is told what happens (a message accepted, an answer, time
//! passing, the page hidden, storage read) and tells in [`Effect`]s what to do. Clocks, randomness,
//! network and storage belong to whoever drives it: the browser layer, or the simulation.
//!
//! The life of a message: it waits in memory and is written to the outbox at the end of the task; it
//! flies, alone or in a batch; a 2xx ends it as delivered, a refusal as dropped; whatever else
//! happens, it waits again. When the page leaves, what fits the browser's quotas is handed over and
//! the rest stays in the outbox, where the next page of the origin finds it.

mod engine;
mod handoff;
mod record;
mod retry;
pub mod stamp;

pub use engine::Engine;
pub use handoff::Handoff;
pub use record::{Record, Unreadable};
pub use retry::retry_after;

use crate::settings::TransportChoice;
use crate::time::Millis;
use serde::Serialize;
use std::cell::Cell;
use std::rc::Rc;

/// A promise of the page that waits for its outcome.
pub type Ticket = u32;
/// A request under way.
pub type RequestId = u32;
/// A piece of work for the outbox under way.
pub type DiskOp = u32;

/// Body bytes that all keepalive requests and beacons of a document may have in flight together
/// (Fetch standard, "HTTP-network-or-cache fetch"; one sum per document in all three engines).
pub const KEEPALIVE_BUDGET: usize = 65_536;
/// Body bytes of all deferred requests: the standard allows 64 KiB per endpoint, URLs and headers
/// included.
pub const DEFERRED_BUDGET: usize = 64_000;
/// After this long without an answer a request is given up, in milliseconds.
pub const REQUEST_TIMEOUT_MS: u32 = 10_000;

/// The two clocks of a browser.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// `Date.now()`: jumps when somebody sets it.
    pub wall: Millis,
    /// `performance.now()`: only goes forward, starts anew with every page.
    pub mono: Millis,
}

/// What is sent first and dropped last. The order matters: greater is more valuable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Priority {
    /// May wait.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Goes first when not all can go.
    High,
}

/// What happens to a message whose answer nobody lived to see.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Taken as delivered where the endpoint was healthy: a 2xx for the same URL and transport in
    /// this visit (of this tab to the origin, so on an earlier page, too), nothing wrong since, online,
    /// inside the budget. Otherwise sent again.
    #[default]
    Balanced,
    /// Always sent again.
    AtLeastOnce,
    /// Never sent again.
    AtMostOnce,
}

/// Whether events may be collected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Consent {
    /// Given.
    #[default]
    In,
    /// Not known yet: events are kept in memory, nothing is stored, nothing is sent.
    Pending,
    /// Refused: what waits is purged, here and in the outbox.
    Out,
}

/// What an engine is made with. Sizes are UTF-8 bytes.
#[derive(Clone, Debug)]
pub struct Config {
    /// URL for one message. With `org_id` it says which records of the outbox are this instance's.
    pub endpoint: String,
    /// Whether there is a URL for several messages.
    pub has_batch: bool,
    /// `…@AdobeOrg`
    pub org_id: String,
    /// How messages are handed to the browser.
    pub transport: TransportChoice,
    /// Whether this browser's `fetch` knows `keepalive`.
    pub has_keepalive: bool,
    /// Whether this browser has `fetchLater`.
    pub has_deferred: bool,
    /// Whether anything may be written to disk.
    pub storage: bool,
    /// How many messages one request carries at most.
    pub max_batch_events: usize,
    /// How large a batch request is at most.
    pub max_batch_bytes: usize,
    /// How long a message waits for company, in milliseconds.
    pub max_wait: Millis,
    /// How much waits at most.
    pub max_stored_bytes: usize,
    /// How old a message gets before it is given up, in milliseconds.
    pub max_age: Millis,
    /// What happens to a message whose answer nobody saw.
    pub mode: Mode,
}

/// What the instances of a document share: the keepalive budget is one sum for all of them.
#[derive(Clone, Default, Debug)]
pub struct Document {
    keepalive_used: Rc<Cell<usize>>,
}

impl Document {
    /// Body bytes in flight that count against [`KEEPALIVE_BUDGET`].
    pub fn keepalive_used(&self) -> usize {
        self.keepalive_used.get()
    }
}

/// A message on its way in.
#[derive(Clone, Debug)]
pub struct Message {
    /// The whole message as JSON text.
    pub json: String,
    /// The promise to settle.
    pub ticket: Ticket,
    /// What the message is called in the outbox: unlike any other of the origin, without a slash.
    pub key: String,
    /// The event's `_id`; a profile record has none.
    pub id: Option<String>,
    /// The event's `timestamp`.
    pub timestamp: Option<String>,
    /// What goes first.
    pub priority: Priority,
    /// The caller says that the page is about to go away.
    pub unloading: bool,
    /// Which identities it has room for; for [`Engine::amend_pending`], and nothing to the engine.
    pub room: u8,
}

/// Which of the endpoint's URLs. Their preflights are apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Url {
    /// One message.
    Single,
    /// Several messages.
    Batch,
}

/// How a request is handed to the browser.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// `fetch` with `keepalive`: outlives the page, counts against the budget.
    Keepalive,
    /// Plain `fetch`: any size, dies with the page.
    Fetch,
    /// `navigator.sendBeacon`: outlives the page, sends credentials, shows no answer.
    Beacon,
}

/// A request to make: `POST`, `Content-Type: application/json`, no credentials (but for a beacon).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// By this the answer is matched.
    pub id: RequestId,
    /// Where to.
    pub url: Url,
    /// One message, or a batch of them.
    pub body: String,
    /// How it goes.
    pub transport: Transport,
}

/// What came of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// An HTTP answer; the body may be anything.
    Response {
        /// HTTP status.
        status: u16,
        /// Body text.
        body: &'a str,
        /// The `Retry-After` header where the page may read it; else empty.
        retry_after: &'a str,
    },
    /// No readable answer: network down, blocked, over a quota that others use too, or no CORS headers.
    Unreachable,
    /// Nothing within [`REQUEST_TIMEOUT_MS`].
    TimedOut,
    /// `sendBeacon` took it.
    BeaconTaken,
    /// `sendBeacon` refused it: it never left.
    BeaconRefused,
}

/// One transaction on the outbox: all of it or nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Write {
    /// Moves: where `from` is (still) there, it is removed and, unless empty, `record` is put at `to`.
    pub claims: Vec<Claim>,
    /// Records to put, by key; one that is there is overwritten.
    pub puts: Vec<(String, String)>,
    /// Keys to remove; none need be there.
    pub deletes: Vec<String>,
    /// Owners whose hand-offs are removed once the transaction is committed.
    pub handoffs: Vec<String>,
}

/// Takes a record over from an owner that is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The key it has.
    pub from: String,
    /// The key it gets.
    pub to: String,
    /// The text it gets; empty when it is not to be kept on disk.
    pub record: String,
}

/// What the outbox holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Survey {
    /// Up to [`SURVEY_RECORDS`] records, in the order of their keys; fewer only when there are no more.
    pub records: Vec<(String, String)>,
    /// The owners that live: their pages are open.
    pub live: Vec<String>,
    /// The hand-offs of all owners, `(owner, text)`, read at the moment of the call.
    pub handoffs: Vec<(String, String)>,
}

/// How many records a survey reads at most.
pub const SURVEY_RECORDS: usize = 500;

/// What the page does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageEvent {
    /// `visibilitychange` to hidden, or `freeze`: nothing may be heard of the page any more.
    Hidden,
    /// Another page of the origin has left something behind.
    Inherits,
    /// `visibilitychange` to visible, or `resume`.
    Shown,
    /// `pagehide`: the document goes, for good or into the back/forward cache.
    Leaving,
    /// `pageshow` of a document out of the back/forward cache. It lives under a new name.
    Restored {
        /// Random, unlike that of any other page.
        owner: String,
    },
    /// The network is gone, as far as the browser knows.
    Offline,
    /// The network is back.
    Online,
}

/// Why an accepted message was given up. The names are stable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// The endpoint refused it (4xx).
    Rejected,
    /// It was older than `maxAgeHours`.
    Expired,
    /// The outbox was full; the oldest of the lowest priority goes first.
    Evicted,
    /// Consent was refused.
    Consent,
    /// `atMostOnce`: it was sent, and no answer was seen.
    Unanswered,
    /// The page's `onBeforeEventSend` said so.
    Cancelled,
}

/// The fate of a message, as its promise tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The endpoint accepted it.
    Delivered,
    /// Given to the browser while leaving; the answer was not seen.
    HandedOver,
    /// Safe in the outbox, sent later. Where nothing can be stored: kept in memory, sent later.
    Stored,
    /// Waits for consent.
    Pending,
    /// Given up, with the server's words where there are some.
    Dropped(DropReason, String),
}

/// What the driver has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Make a request and report its answer with [`Engine::answer`].
    Send(Request),
    /// Replace the deferred requests (`fetchLater`, sent by the browser when the document is gone) by
    /// these, or by none. For these then call [`Engine::deferred`], at once: it is all or none.
    Defer(Vec<(Url, String)>),
    /// Open the outbox, hold the life's name (`owner`) so that others can tell that it lives, and only
    /// then call [`Engine::opened`]. Then ask for the lease: [`Engine::lease`] when it is gained or lost.
    Open {
        /// The name.
        owner: String,
        /// Whether to make an outbox where there is none. It is made for hand-offs, too.
        create: bool,
    },
    /// Let go of name and lease: the page leaves.
    Close,
    /// Carry out a transaction and report it with [`Engine::written`].
    Write(DiskOp, Write),
    /// Read [`SURVEY_RECORDS`] records with keys above this one (all are above the empty one) and call
    /// [`Engine::surveyed`].
    Survey(String),
    /// Store the text under the name of `owner`, synchronously; an empty text removes it. Then call [`Engine::handed_off`], at once.
    Handoff {
        /// The name.
        owner: String,
        /// The text.
        text: String,
    },
    /// Keep this text for as long as the tab lives, for [`Engine::recall`] of the pages that follow; forget
    /// it when it is empty.
    Remember(String),
    /// Call [`Engine::tick`] when `mono` is this or more. Replaces what was asked for before.
    Wake(Millis),
    /// Settle a message's promise.
    Settle {
        /// The promise.
        ticket: Ticket,
        /// The event's `_id`.
        id: Option<String>,
        /// The event's `timestamp` as it was sent.
        timestamp: Option<String>,
        /// What became of it.
        fate: Fate,
    },
}

/// How many messages, accepted by this page, are where. `accepted` is the sum of the others up to
/// `dropped`, always.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All that were ever accepted.
    pub accepted: u32,
    /// Waiting for consent.
    pub pending: u32,
    /// Waiting to be sent, in memory alone.
    pub queued: u32,
    /// Sent, not answered yet.
    pub in_flight: u32,
    /// Given to the browser while leaving.
    pub handed_over: u32,
    /// Waiting to be sent, safe in the outbox.
    pub stored: u32,
    /// Accepted by the endpoint.
    pub delivered: u32,
    /// Given up, by reason.
    pub dropped: Dropped,
}

/// How many messages were given up, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// [`DropReason::Rejected`]
    pub rejected: u32,
    /// [`DropReason::Expired`]
    pub expired: u32,
    /// [`DropReason::Evicted`]
    pub evicted: u32,
    /// [`DropReason::Consent`]
    pub consent: u32,
    /// [`DropReason::Unanswered`]
    pub unanswered: u32,
    /// [`DropReason::Cancelled`]
    pub cancelled: u32,
}

impl Dropped {
    fn count(&mut self, reason: DropReason) {
        let counter = match reason {
            DropReason::Rejected => &mut self.rejected,
            DropReason::Expired => &mut self.expired,
            DropReason::Evicted => &mut self.evicted,
            DropReason::Consent => &mut self.consent,
            DropReason::Unanswered => &mut self.unanswered,
            DropReason::Cancelled => &mut self.cancelled,
        };
        *counter += 1;
    }

    /// All of them.
    pub fn total(&self) -> u32 {
        self.rejected + self.expired + self.evicted + self.consent + self.unanswered + self.cancelled
    }
}

impl Counts {
    /// Whether the sum holds.
    pub fn adds_up(&self) -> bool {
        self.accepted
            == self.pending
                + self.queued
                + self.in_flight
                + self.handed_over
                + self.stored
                + self.delivered
                + self.dropped.total()
    }
}

/// What the engine knows beside where its own messages are.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Notes {
    /// Messages of this instance in the outbox, whoever wrote them, as far as this page knows.
    pub outbox_events: u32,
    /// Their bytes.
    pub outbox_bytes: u32,
    /// Whether the outbox outlives the page.
    pub durable: bool,
    /// Messages set aside since they fail while others pass. They wait for the next visit.
    pub parked: u32,
    /// Records of the outbox, of this or earlier pages, that were given up: unreadable ones, too old
    /// ones, and those that the bound on the outbox pushed out.
    pub records_dropped: u32,
}
