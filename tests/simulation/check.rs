//! What must hold, what a life has seen, and the sums over all lives.

use std::fmt;
use xdm_beacon::delivery::Mode;
use xdm_beacon::time::Millis;

/// Declares an enum whose variants can be listed.
macro_rules! listed {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant,)*];
        }
    };
}

listed! {
    /// By these names a failing life says what went wrong.
    Invariant {
        /// The engine panics.
        NoPanic,
        /// An accepted message is gone, and no rule or policy says so.
        NothingLost,
        /// A message is still on disk though everything is well.
        NothingStuck,
        /// `atMostOnce` sends nothing again that may have arrived.
        AtMostOnce,
        /// Nothing is sent again that the endpoint is known to have taken.
        NotAfterAnswer,
        /// Nothing is sent again that the endpoint is known to have refused for good.
        NotAfterRefusal,
        /// `balanced` does not send again what it takes as delivered.
        NotAfterHandOver,
        /// A message is in one lasting request at a time.
        OneFlight,
        /// A body is one message, or a batch of messages, each exactly as it was accepted.
        BodyIntact,
        /// One message to one URL, several to the other.
        RightUrl,
        /// Batches keep the limits in bytes and messages.
        BatchLimits,
        /// Only by transports that the page has and the settings allow.
        RightTransport,
        /// A document never has more than 65,536 bytes of keepalive bodies in flight.
        KeepaliveBudget,
        /// The engine's account of the budget agrees with the bodies in flight.
        KeepaliveAccount,
        /// A deferred request is small enough.
        DeferredBudget,
        /// The counts add up, and agree with what was accepted and answered.
        CountsAddUp,
        /// A promise settles once.
        SettledOnce,
        /// A promise settles in time.
        SettledInTime,
        /// A promise tells the truth: delivered, handed over, on disk, dropped for that reason.
        FateTrue,
        /// Without consent nothing is sent, deferred or written.
        ConsentGate,
        /// After a refusal nothing stays on disk.
        ConsentPurge,
        /// `storage: false` writes nothing.
        StorageOff,
        /// What waits is bounded.
        Bounded,
        /// No endless loops, no busy loops.
        NoLivelock,
        /// While the endpoint is down: one probe at a time.
        OneProbe,
        /// Two requests in flight at most, while the page is seen.
        FewFlights,
        /// No request before the time the endpoint asked for.
        RetryAfter,
        /// Records of newer versions, other endpoints and other organisations stay as they are.
        ForeignUntouched,
        /// Records of pages that live stay theirs.
        LiveUntouched,
        /// Unreadable records and hand-offs do not stay for ever.
        CorruptDropped,
        /// A page that leaves lets go of name and lease.
        LetsGo,
        /// When all is quiet, the notes about the outbox agree with the disk.
        NotesTrue,
    }
}

listed! {
    /// What a life may meet. Each must be met in one life of a hundred.
    Fault {
        SeveralTabs,
        Burst,
        LargeEvent,
        HugeEvent,
        MegabyteBody,
        ClickLeaves,
        Hidden,
        Shown,
        Closed,
        Navigated,
        RejectedByEnd,
        Crashed,
        CrashSentDeferred,
        DeferralUnheard,
        Killed,
        Trapped,
        TransactionLost,
        Cached,
        CachedSentDeferred,
        RestoredFromCache,
        Evicted,
        Offline,
        Unavailable,
        RetryAfterSeconds,
        RetryAfterDate,
        Status408,
        Status429,
        Status500,
        TooLarge,
        BadSingle,
        BadBatchUnreadable,
        BadBatchRefused,
        ItemRefused,
        ItemRetryable,
        ItemMissing,
        NoCors,
        Poison,
        LostBefore,
        LostAfter,
        TimedOut,
        BeaconTaken,
        BeaconRefused,
        QuotaTaken,
        DeferRefused,
        StorageDenied,
        DiskFull,
        DiskDied,
        DiskSlow,
        HandoffRefused,
        ClockForward,
        ClockBack,
        LeaseStolen,
        NoLocks,
        StampExpired,
        NewerRecord,
        CorruptRecord,
        CorruptHandoff,
        OtherEndpoint,
        ConsentPending,
        ConsentOut,
        NothingToPurge,
        TwoInstances,
        TransportBeacon,
        TransportFetch,
        NoKeepalive,
        NoDeferred,
        NoBatch,
        NoStorage,
        Profile,
        Expired,
        StoreFull,
        Balanced,
        AtLeastOnce,
        AtMostOnce,
    }
}

/// What went wrong in a life.
#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: Invariant,
    pub detail: String,
}

/// Why an accepted message may be lost.
pub mod excuse {
    /// The endpoint refused it.
    pub const REFUSED: u16 = 1;
    /// Consent was refused, or not given before the page went.
    pub const CONSENT: u16 = 2;
    /// The page went where nothing could be stored.
    pub const NOWHERE: u16 = 4;
    /// The page went abruptly before the first transaction could be committed.
    pub const NOT_YET: u16 = 8;
    /// `balanced`: handed over to an endpoint that was well.
    pub const HANDED_OVER: u16 = 16;
    /// `atMostOnce`: sent, and no answer was seen; or removed from disk to be sent.
    pub const UNANSWERED: u16 = 32;
    /// Too old.
    pub const EXPIRED: u16 = 64;
    /// The outbox was full.
    pub const EVICTED: u16 = 128;

    pub const NAMES: [&str; 8] = [
        "refused",
        "consent",
        "nowhere to store",
        "not yet on disk",
        "handed over",
        "unanswered",
        "expired",
        "evicted",
    ];
}

/// What became of the messages of one mode, in numbers of messages.
#[derive(Clone, Copy, Default, Debug)]
pub struct Fates {
    pub accepted: u64,
    pub delivered: u64,
    /// Committed more than once, and how many commits there were beyond the first.
    pub twice: u64,
    pub surplus: u64,
    /// Not delivered, but still on disk at the end: without consent, or poison.
    pub kept: u64,
    /// By the first excuse that holds, in the order of [`excuse::NAMES`].
    pub lost: [u64; 8],
}

impl Fates {
    fn add(&mut self, other: &Fates) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.twice += other.twice;
        self.surplus += other.surplus;
        self.kept += other.kept;
        for (sum, more) in self.lost.iter_mut().zip(other.lost) {
            *sum += more;
        }
    }
}

/// Sums over lives.
#[derive(Clone, Debug)]
pub struct Tally {
    pub lives: u64,
    pub loads: u64,
    pub events: u64,
    pub requests: u64,
    pub virtual_ms: Millis,
    pub met: Vec<u64>,
    pub modes: [Fates; 3],
    pub most_attempts: u32,
    pub most_happenings: u64,
    pub slowest_settle: Millis,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            lives: 0,
            loads: 0,
            events: 0,
            requests: 0,
            virtual_ms: 0,
            met: vec![0; Fault::ALL.len()],
            modes: [Fates::default(); 3],
            most_attempts: 0,
            most_happenings: 0,
            slowest_settle: 0,
        }
    }
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.lives += other.lives;
        self.loads += other.loads;
        self.events += other.events;
        self.requests += other.requests;
        self.virtual_ms += other.virtual_ms;
        for (sum, more) in self.met.iter_mut().zip(&other.met) {
            *sum += more;
        }
        for (sum, more) in self.modes.iter_mut().zip(&other.modes) {
            sum.add(more);
        }
        self.most_attempts = self.most_attempts.max(other.most_attempts);
        self.most_happenings = self.most_happenings.max(other.most_happenings);
        self.slowest_settle = self.slowest_settle.max(other.slowest_settle);
    }

    pub fn of(&mut self, mode: Mode) -> &mut Fates {
        &mut self.modes[match mode {
            Mode::Balanced => 0,
            Mode::AtLeastOnce => 1,
            Mode::AtMostOnce => 2,
        }]
    }

    /// Faults that fewer lives have met than one in a hundred.
    pub fn too_rare(&self) -> Vec<Fault> {
        let rare = |fault: &&Fault| self.met[**fault as usize] * 100 < self.lives;
        Fault::ALL.iter().filter(rare).copied().collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lives = self.lives.max(1);
        writeln!(
            out,
            "{} lives: on average {:.1} page loads, {:.1} events, {:.1} requests, {:.1} hours",
            self.lives,
            self.loads as f64 / lives as f64,
            self.events as f64 / lives as f64,
            self.requests as f64 / lives as f64,
            self.virtual_ms as f64 / lives as f64 / 3_600_000.0
        )?;
        writeln!(
            out,
            "at most: {} attempts of a message, {} happenings in a life, {} ms until a promise settles",
            self.most_attempts, self.most_happenings, self.slowest_settle
        )?;
        writeln!(out, "\nlives that met each fault, in percent:")?;
        for row in Fault::ALL.chunks(4) {
            for fault in row {
                let share = self.met[*fault as usize] as f64 * 100.0 / lives as f64;
                write!(out, "  {:<20}{share:>5.1}", format!("{fault:?}"))?;
            }
            writeln!(out)?;
        }
        writeln!(out, "\nmessages              balanced  atLeastOnce   atMostOnce")?;
        let mut row = |name: &str, value: &dyn Fn(&Fates) -> u64| {
            let [balanced, at_least, at_most] = &self.modes;
            writeln!(out, "{name:<18}{:>12} {:>12} {:>12}", value(balanced), value(at_least), value(at_most))
        };
        row("accepted", &|fates| fates.accepted)?;
        row("delivered", &|fates| fates.delivered)?;
        row("delivered twice", &|fates| fates.twice)?;
        row("surplus copies", &|fates| fates.surplus)?;
        row("kept at the end", &|fates| fates.kept)?;
        for (at, name) in excuse::NAMES.iter().enumerate() {
            row(&format!("lost: {name}"), &|fates| fates.lost[at])?;
        }
        Ok(())
    }
}
