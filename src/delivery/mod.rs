//! Pure: what becomes of a message once it is accepted.
//!
//! [`Delivery`] is the seam: the rest of the core hands messages in and gets [`Effect`]s out, and
//! whoever stands behind the trait decides when, how and how often a message leaves. Time, answers
//! and the page's life come in as arguments.

mod direct;

pub use direct::Direct;

use crate::time::Millis;
use serde::Serialize;

/// A promise of the page that waits for its outcome.
pub type Ticket = u32;
/// A request under way.
pub type RequestId = u32;

/// Body bytes that all keepalive requests and beacons of a document may have in flight together
/// (Fetch standard, "HTTP-network-or-cache fetch"; one sum per document in all three engines).
pub const KEEPALIVE_BUDGET: usize = 65_536;
/// After this long without an answer a request is given up, in milliseconds.
pub const REQUEST_TIMEOUT_MS: u32 = 10_000;

/// A message on its way in.
#[derive(Debug)]
pub struct Message {
    /// The whole message as JSON text.
    pub json: String,
    /// The promise to settle.
    pub ticket: Ticket,
    /// The event's `_id`; a profile record has none.
    pub id: Option<String>,
    /// The event's `timestamp`.
    pub timestamp: Option<String>,
    /// The caller says that the page is about to go away.
    pub unloading: bool,
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
#[derive(PartialEq, Eq, Debug)]
pub struct Request {
    /// By this the answer is matched.
    pub id: RequestId,
    /// The message it carries, with which the body goes.
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
    },
    /// No readable answer: network down, blocked, or no CORS headers.
    Unreachable,
    /// Nothing within [`REQUEST_TIMEOUT_MS`].
    TimedOut,
    /// `sendBeacon` took it.
    BeaconTaken,
    /// `sendBeacon` refused it.
    BeaconRefused,
}

/// Why an accepted message was given up. The names are stable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// The endpoint refused it (4xx).
    Rejected,
    /// The endpoint could not take it (408, 429, 5xx).
    Unavailable,
    /// The network could not be reached, or the answer not be read.
    Network,
    /// The endpoint did not answer in time.
    Timeout,
    /// The browser refused the beacon.
    Refused,
}

/// The fate of a message, as its promise tells it.
#[derive(PartialEq, Eq, Debug)]
pub enum Fate {
    /// The endpoint accepted it.
    Delivered,
    /// Given to the browser while leaving; the answer was not seen.
    HandedOver,
    /// Given up, with the server's words where there are some.
    Dropped(DropReason, String),
}

/// What the browser layer has to do.
#[derive(PartialEq, Eq, Debug)]
pub enum Effect {
    /// Make a request and report its [`Answer`].
    Send(Request),
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

/// How many accepted messages are where. The first field is the sum of the others, always.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Accepted by this page load.
    pub accepted: u32,
    /// Waiting for consent, in memory.
    pub pending: u32,
    /// Waiting to be sent.
    pub queued: u32,
    /// Sent, no answer yet.
    pub in_flight: u32,
    /// Given to the browser while leaving, answer not seen.
    pub handed_over: u32,
    /// Safe on disk, sent later.
    pub stored: u32,
    /// Accepted by the endpoint.
    pub delivered: u32,
    /// Given up, by reason.
    pub dropped: Dropped,
}

/// Messages given up, by reason.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// [`DropReason::Rejected`]
    pub rejected: u32,
    /// [`DropReason::Unavailable`]
    pub unavailable: u32,
    /// [`DropReason::Network`]
    pub network: u32,
    /// [`DropReason::Timeout`]
    pub timeout: u32,
    /// [`DropReason::Refused`]
    pub refused: u32,
}

impl Dropped {
    fn count(&mut self, reason: DropReason) {
        let counter = match reason {
            DropReason::Rejected => &mut self.rejected,
            DropReason::Unavailable => &mut self.unavailable,
            DropReason::Network => &mut self.network,
            DropReason::Timeout => &mut self.timeout,
            DropReason::Refused => &mut self.refused,
        };
        *counter += 1;
    }

    /// All of them.
    pub fn total(&self) -> u32 {
        self.rejected + self.unavailable + self.network + self.timeout + self.refused
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

/// The state machine between an accepted message and its fate.
pub trait Delivery {
    /// Takes a message. From here on it is counted.
    fn accept(&mut self, message: Message, effects: &mut Vec<Effect>);
    /// Takes the answer to a request.
    fn answer(&mut self, request: RequestId, answer: Answer<'_>, now: Millis, effects: &mut Vec<Effect>);
    /// The page is leaving (hidden or unloading), or came back.
    fn leaving(&mut self, leaving: bool);
    /// Where everything is.
    fn counts(&self) -> Counts;
    /// The endpoint's clock minus the page's, in milliseconds, once an answer told it.
    fn clock_skew(&self) -> Option<Millis>;
}
