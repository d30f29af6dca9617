//! What happens in a life: a seed gives its circumstances and a list of steps. Steps stand alone, so
//! that a failing life can be shrunk by leaving some out.

use xdm_beacon::delivery::{Consent, Mode};
use xdm_beacon::settings::TransportChoice;
use xdm_beacon::time::Millis;

/// Splitmix64 (Steele, Lea and Flood): small, and any seed will do.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// `least` to `most`, both included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        least + (self.next() % (most - least + 1) as u64) as i64
    }

    /// True in so many of a thousand cases.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// Short waits are as likely as long ones: even over the orders of magnitude.
    pub fn spread(&mut self, least: Millis, most: Millis) -> Millis {
        let (mut low, mut high) = (least.max(1), least.max(1) * 4);
        while high < most && self.below(2) == 0 {
            low = high;
            high *= 4;
        }
        self.between(low, high.min(most.max(low)))
    }
}

/// What is the same all through a life.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// One or two endpoints, each with the mode of its instances.
    pub modes: Vec<Mode>,
    pub transport: TransportChoice,
    pub has_keepalive: bool,
    pub has_deferred: bool,
    pub has_batch: bool,
    pub has_locks: bool,
    pub storage: bool,
    pub max_batch_events: usize,
    pub max_batch_bytes: usize,
    pub max_wait: Millis,
    pub max_stored_bytes: usize,
    pub max_age: Millis,
    /// One way, in milliseconds.
    pub latency: Millis,
    /// What the server does with a batch that has a bad message in it.
    pub bad_batch: BadBatch,
    /// Whether pages start without knowing whether they may collect.
    pub consent: Consent,
    /// In a thousand: how many events are bad, and how many are poison.
    pub bad: u64,
    pub poison: u64,
    /// In a thousand: how many pages are denied storage.
    pub denied: u64,
}

/// What the server does with a batch that has a bad message in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadBatch {
    /// 207, its item refused.
    Item,
    /// An error without CORS headers.
    Unreadable,
    /// 400 for all of it.
    Whole,
}

#[derive(Clone, Debug)]
pub struct Step {
    /// Milliseconds since the step before it.
    pub after: Millis,
    /// All that is random in it.
    pub salt: u64,
    /// Which of the open tabs.
    pub tab: u8,
    pub what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    Small,
    Large,
    Huge,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryAfter {
    No,
    Seconds(u32),
    Date(u32),
    /// Sent, but the page may not read it.
    Hidden,
}

/// What is wrong with the endpoint for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ill {
    Status(u16, RetryAfter),
    /// Errors without CORS headers.
    NoCors,
    /// In a thousand requests.
    LosesBefore(u64),
    LosesAfter(u64),
    Slow(u64),
    /// In a thousand items of a batch.
    Mixture {
        refused: u64,
        retryable: u64,
        missing: u64,
    },
    /// Bodies above this are too large.
    Small(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    Open,
    Events {
        count: u32,
        size: Size,
    },
    /// A click is sent, and the page goes away by it.
    ClickAndLeave,
    Hide,
    Show,
    Close,
    Navigate,
    /// Navigates, and the page before waits in the back/forward cache.
    NavigateCached,
    Back,
    Evict,
    Crash,
    Kill,
    Trap,
    Offline {
        silent: bool,
    },
    Online,
    Endpoint {
        ill: Ill,
        lasts: Millis,
    },
    DiskFull {
        lasts: Millis,
    },
    DiskDies,
    DiskSlow {
        lasts: Millis,
    },
    HandoffFull {
        lasts: Millis,
    },
    QuotaTaken {
        bytes: usize,
        lasts: Millis,
    },
    DeferRefused {
        lasts: Millis,
    },
    BeaconRefused {
        lasts: Millis,
    },
    WallJump {
        by: Millis,
    },
    StealLease,
    StampExpires {
        lasts: Millis,
    },
    PlantNewer,
    PlantCorrupt,
    PlantHandoff,
    Consent(Consent),
    /// The visitor's choice is forgotten: the next pages ask again.
    ForgetConsent,
    Flush,
    Wait,
}

#[derive(Clone, Debug)]
pub struct Life {
    pub seed: u64,
    pub circumstances: Circumstances,
    pub steps: Vec<Step>,
}

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

impl Life {
    pub fn from_seed(seed: u64) -> Life {
        let mut rng = Rng::new(seed ^ 0x5851_f42d_4c95_7f2d);
        let circumstances = circumstances(&mut rng);
        // Some lives are calm, most are troubled by some kinds of fault and not by others.
        let troubles: Vec<bool> = (0..8).map(|_| rng.chance(550)).collect();
        let length = rng.between(70, 170);
        let mut steps = Vec::new();
        while steps.len() < length as usize {
            let busy = matches!(steps.last(), Some(Step { what: What::Events { count: 5.., .. }, .. }));
            let what = match busy && troubles[0] && rng.chance(80) {
                true => Some(What::Crash),
                false => step(&mut rng, &troubles, &circumstances),
            };
            if let Some(what) = what {
                // Right after a burst there is something to be lost.
                let after = match what {
                    What::Crash | What::Kill | What::NavigateCached if busy => rng.between(0, 200),
                    What::Wait => rng.spread(MINUTE, 30 * HOUR),
                    _ if rng.chance(600) => rng.between(0, SECOND),
                    _ if rng.chance(800) => rng.between(SECOND, 15 * SECOND),
                    _ => rng.between(15 * SECOND, 2 * MINUTE),
                };
                steps.push(Step { after, salt: rng.next(), tab: rng.below(256) as u8, what });
            }
        }
        Life { seed, circumstances, steps }
    }
}

fn circumstances(rng: &mut Rng) -> Circumstances {
    let mode = |rng: &mut Rng| {
        rng.pick(&[Mode::Balanced, Mode::Balanced, Mode::AtLeastOnce, Mode::AtLeastOnce, Mode::AtMostOnce])
    };
    let mut modes = vec![mode(rng)];
    if rng.chance(300) {
        modes.push(mode(rng));
    }
    let small_store = rng.chance(80);
    Circumstances {
        modes,
        transport: rng.pick(&[
            TransportChoice::Auto,
            TransportChoice::Auto,
            TransportChoice::Auto,
            TransportChoice::Auto,
            TransportChoice::Beacon,
            TransportChoice::Fetch,
        ]),
        has_keepalive: rng.chance(900),
        has_deferred: rng.chance(700),
        has_batch: rng.chance(900),
        has_locks: rng.chance(850),
        storage: rng.chance(960),
        max_batch_events: rng.pick(&[2, 10, 25, 50, 50, 100]),
        max_batch_bytes: rng.pick(&[16_000, 50_000, 60_000, 500_000, 2_000_000, 2_000_000]),
        max_wait: rng.pick(&[0, 200, 1000, 1000, 5000]),
        max_stored_bytes: if small_store { rng.pick(&[20_000, 60_000, 200_000]) } else { 5_000_000 },
        max_age: rng.pick(&[HOUR, DAY, 7 * DAY, 7 * DAY]),
        latency: rng.pick(&[3, 20, 80, 150, 400]),
        bad_batch: rng.pick(&[BadBatch::Item, BadBatch::Item, BadBatch::Unreadable, BadBatch::Whole]),
        consent: if rng.chance(120) { Consent::Pending } else { Consent::In },
        bad: if rng.chance(250) { 15 } else { 0 },
        poison: if rng.chance(150) { 8 } else { 0 },
        denied: if rng.chance(250) { 100 } else { 0 },
    }
}

/// One step, or none where a fault came up that does not trouble this life.
fn step(rng: &mut Rng, troubles: &[bool], circumstances: &Circumstances) -> Option<What> {
    let while_ = |rng: &mut Rng| rng.spread(SECOND, 5 * MINUTE);
    let weights: [(u64, u64); 31] = [
        (260, 0),
        (45, 1),
        (7, 2),
        (14, 3),
        (7, 4),
        (60, 5),
        (120, 6),
        (50, 7),
        (40, 8),
        (35, 9),
        (45, 10),
        (45, 11),
        (45, 12),
        (10, 13),
        (40, 14),
        (7, 15),
        (5, 16),
        (14, 17),
        (25, 18),
        (100, 19),
        (14, 20),
        (5, 21),
        (8, 22),
        (10, 23),
        (16, 24),
        (10, 25),
        (10, 26),
        (12, 27),
        (12, 28),
        (18, 29),
        (40, 30),
    ];
    let total: u64 = weights.iter().map(|(weight, _)| weight).sum();
    let mut at = rng.below(total);
    let mut chosen = 0;
    for (weight, kind) in weights {
        if at < weight {
            chosen = kind;
            break;
        }
        at -= weight;
    }
    let troubled = |kind: usize, what: What| troubles[kind].then_some(what);
    match chosen {
        0 => Some(What::Events { count: rng.between(1, 3) as u32, size: Size::Small }),
        1 => Some(What::Events { count: rng.between(5, 20) as u32, size: Size::Small }),
        2 => Some(What::Events { count: rng.between(60, 200) as u32, size: Size::Small }),
        3 => Some(What::Events { count: rng.between(1, 3) as u32, size: Size::Large }),
        4 => {
            let count = if rng.chance(200) { rng.between(14, 18) } else { rng.between(1, 2) };
            Some(What::Events { count: count as u32, size: Size::Huge })
        }
        5 => Some(What::Open),
        6 => Some(What::Navigate),
        7 => Some(What::ClickAndLeave),
        8 => Some(What::Close),
        9 => Some(What::Hide),
        10 => Some(What::Show),
        11 => Some(What::NavigateCached),
        12 => Some(What::Back),
        13 => Some(What::Evict),
        14 => troubled(0, What::Crash),
        15 => troubled(0, What::Kill),
        16 => troubled(0, What::Trap),
        17 => troubled(1, What::Offline { silent: rng.chance(300) }),
        18 => troubled(1, What::Online),
        19 => troubles[2].then(|| What::Endpoint { ill: ill(rng), lasts: while_(rng) }),
        20 => troubled(3, What::DiskFull { lasts: while_(rng) }),
        21 => troubled(3, What::DiskDies),
        22 => troubled(3, What::DiskSlow { lasts: while_(rng) }),
        23 => troubled(3, What::HandoffFull { lasts: while_(rng) }),
        24 => {
            let bytes = rng.pick(&[65_536, 60_000, 40_000, 10_000]);
            troubled(4, What::QuotaTaken { bytes, lasts: while_(rng) })
        }
        25 => troubled(4, What::DeferRefused { lasts: while_(rng) }),
        26 => troubled(4, What::BeaconRefused { lasts: while_(rng) }),
        27 => {
            let by = rng.pick(&[-DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY, 10 * DAY]);
            troubled(5, What::WallJump { by })
        }
        28 => match circumstances.has_locks {
            true => troubled(5, What::StealLease),
            false => troubled(5, What::StampExpires { lasts: rng.between(5 * SECOND, 2 * MINUTE) }),
        },
        29 => troubled(6, rng.pick(&[What::PlantNewer, What::PlantCorrupt, What::PlantHandoff])),
        _ => match rng.below(4) {
            0 if troubles[7] || circumstances.consent == Consent::Pending => Some(rng.pick(&[
                What::Consent(Consent::In),
                What::Consent(Consent::In),
                What::Consent(Consent::In),
                What::Consent(Consent::In),
                What::Consent(Consent::Out),
                What::ForgetConsent,
            ])),
            0 => None,
            1 => Some(What::Wait),
            _ => Some(What::Flush),
        },
    }
}

fn ill(rng: &mut Rng) -> Ill {
    let seconds = rng.between(1, 60) as u32;
    let retry_after = rng.pick(&[
        RetryAfter::No,
        RetryAfter::No,
        RetryAfter::Seconds(seconds),
        RetryAfter::Date(seconds),
        RetryAfter::Hidden,
    ]);
    match rng.below(14) {
        0..=2 => Ill::Status(503, retry_after),
        3 => Ill::Status(429, retry_after),
        4 => Ill::Status(408, RetryAfter::No),
        5 => Ill::Status(500, RetryAfter::No),
        6 => Ill::NoCors,
        7 => Ill::LosesBefore(rng.pick(&[1000, 500, 200])),
        8 | 9 => Ill::LosesAfter(rng.pick(&[1000, 500, 200])),
        10 => Ill::Slow(rng.pick(&[1000, 300])),
        11 | 12 => Ill::Mixture {
            refused: rng.pick(&[0, 50, 300]),
            retryable: rng.pick(&[0, 100, 500]),
            missing: rng.pick(&[0, 100, 500]),
        },
        _ => Ill::Small(rng.pick(&[5_000, 20_000, 100_000])),
    }
}
