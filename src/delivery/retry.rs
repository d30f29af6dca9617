//! Pure: when to try again.

use crate::time::{Millis, parse_http_date};

/// The first wait is up to this long; each failure doubles it.
const FIRST_MS: u64 = 1_000;
/// No wait of our own is longer.
const LONGEST_MS: u64 = 60_000;
/// A server that asks for more than this is asked again after this long.
const LONGEST_ASKED_MS: Millis = 3_600_000;

/// Exponential back-off with full jitter: somewhere between nothing and the bound, so that pages that
/// failed together do not come back together.
pub struct Backoff {
    failures: u32,
    random: u64,
}

impl Backoff {
    /// `seed`: any number.
    pub fn new(seed: u64) -> Backoff {
        Backoff { failures: 0, random: seed | 1 }
    }

    /// Whether the last attempt failed.
    pub fn failing(&self) -> bool {
        self.failures > 0
    }

    /// An attempt succeeded.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// An attempt failed; how long to wait, in milliseconds.
    pub fn fail(&mut self) -> Millis {
        let bound = LONGEST_MS.min(FIRST_MS << self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        // Xorshift (Marsaglia): even enough for spreading.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 11) % (bound + 1)) as Millis
    }
}

/// The wait that a `Retry-After` header asks for, in milliseconds: whole seconds or an HTTP date, which
/// is held against the server's clock. Nothing for anything else; an hour at most.
pub fn retry_after(header: &str, server_now: Millis) -> Option<Millis> {
    let header = header.trim();
    let wait = if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds ask for too long anyway.
        header.parse::<u32>().map_or(LONGEST_ASKED_MS, |seconds| Millis::from(seconds) * 1000)
    } else {
        parse_http_date(header)?.saturating_sub(server_now)
    };
    Some(wait.clamp(0, LONGEST_ASKED_MS))
}
