//! Direct delivery: which transport, what becomes of a message, and that the books are right.

#![cfg(not(target_arch = "wasm32"))]

mod support;

use proptest::prelude::*;
use std::collections::BTreeMap;
use support::RUBBISH;
use xdm_beacon::delivery::{
    Answer, Counts, Delivery, Direct, DropReason, Effect, Fate, KEEPALIVE_BUDGET, Message, RequestId, Ticket,
    Transport,
};
use xdm_beacon::settings::TransportChoice;

const NOW: i64 = 1_795_492_190_123;
const OK: Answer<'static> = Answer::Response { status: 200, body: "{}" };

fn auto() -> Direct {
    Direct::new(TransportChoice::Auto, true)
}

fn message(ticket: Ticket, bytes: usize) -> Message {
    Message {
        json: "x".repeat(bytes),
        ticket,
        id: Some(format!("id-{ticket}")),
        timestamp: Some(format!("time-{ticket}")),
        unloading: false,
    }
}

/// Accepts a message; the answer is its request, how it goes, and its fate if it settles at once.
fn accept(direct: &mut Direct, message: Message) -> (RequestId, Transport, Option<Fate>) {
    let (ticket, json) = (message.ticket, message.json.clone());
    let mut effects = Vec::new();
    direct.accept(message, &mut effects);
    assert!(direct.counts().adds_up());
    let mut effects = effects.into_iter();
    let Some(Effect::Send(request)) = effects.next() else { panic!("a message is sent first") };
    assert_eq!(request.body, json);
    let fate = effects.next().map(|effect| fate_of(ticket, effect));
    assert_eq!(effects.next(), None);
    (request.id, request.transport, fate)
}

fn answer(direct: &mut Direct, request: RequestId, answer: Answer<'_>) -> Vec<Effect> {
    let mut effects = Vec::new();
    direct.answer(request, answer, NOW, &mut effects);
    assert!(direct.counts().adds_up());
    effects
}

/// The fate that an effect tells of a message made by [`message`].
fn fate_of(ticket: Ticket, effect: Effect) -> Fate {
    let Effect::Settle { ticket: settled, id, timestamp, fate } = effect else {
        panic!("{effect:?} settles nothing");
    };
    assert_eq!(settled, ticket);
    assert_eq!(id, Some(format!("id-{ticket}")));
    assert_eq!(timestamp, Some(format!("time-{ticket}")));
    fate
}

/// What becomes of one message that is answered so.
fn fate(given: Answer<'_>) -> (Fate, Counts) {
    let mut direct = auto();
    let (request, _, early) = accept(&mut direct, message(7, 100));
    assert_eq!(early, None);
    let mut effects = answer(&mut direct, request, given);
    let fate = fate_of(7, effects.remove(0));
    assert_eq!(effects, []);
    (fate, direct.counts())
}

#[test]
fn the_budget_is_65536_bytes_to_the_byte() {
    assert_eq!(KEEPALIVE_BUDGET, 65_536);
    for (bytes, transport) in
        [(1, Transport::Keepalive), (65_536, Transport::Keepalive), (65_537, Transport::Fetch)]
    {
        assert_eq!(accept(&mut auto(), message(1, bytes)).1, transport, "{bytes} bytes");
    }

    let mut direct = auto();
    for (ticket, bytes, transport) in [
        (1, 65_000, Transport::Keepalive),
        (2, 537, Transport::Fetch),
        (3, 536, Transport::Keepalive),
        (4, 1, Transport::Fetch),
        (5, 70_000, Transport::Fetch),
    ] {
        assert_eq!(accept(&mut direct, message(ticket, bytes)).1, transport, "{bytes} bytes");
    }
}

#[test]
fn every_answer_gives_the_budget_back_but_a_beacon_that_was_taken() {
    let kinds = [
        OK,
        Answer::Response { status: 400, body: "" },
        Answer::Response { status: 503, body: "<html>" },
        Answer::Response { status: 0, body: "" },
        Answer::Unreachable,
        Answer::TimedOut,
        Answer::BeaconRefused,
    ];
    for leaving in [false, true] {
        for kind in kinds {
            let mut direct = auto();
            direct.leaving(leaving);
            let (first, _, _) = accept(&mut direct, message(1, KEEPALIVE_BUDGET));
            assert_eq!(accept(&mut direct, message(2, 1)).1, Transport::Fetch, "the budget is used up");
            answer(&mut direct, first, kind);
            let (third, transport, _) = accept(&mut direct, message(3, KEEPALIVE_BUDGET));
            assert_eq!(transport, Transport::Keepalive, "given back on {kind:?}");
            // A second answer to the first request gives nothing back.
            assert_eq!(answer(&mut direct, first, kind), []);
            assert_eq!(accept(&mut direct, message(4, 1)).1, Transport::Fetch);
            answer(&mut direct, third, kind);
        }
    }

    let mut direct = Direct::new(TransportChoice::Beacon, true);
    direct.leaving(true);
    let (first, transport, _) = accept(&mut direct, message(1, 60_000));
    assert_eq!(transport, Transport::Beacon);
    answer(&mut direct, first, Answer::BeaconTaken);
    assert_eq!(accept(&mut direct, message(2, 6_000)).1, Transport::Fetch);
    assert_eq!(accept(&mut direct, message(3, 5_536)).1, Transport::Beacon);
}

#[test]
fn what_goes_by_plain_fetch_takes_nothing_of_the_budget() {
    let mut direct = auto();
    for ticket in 1..4 {
        assert_eq!(accept(&mut direct, message(ticket, 70_000)).1, Transport::Fetch);
    }
    let (request, transport, _) = accept(&mut direct, message(4, KEEPALIVE_BUDGET));
    assert_eq!(transport, Transport::Keepalive);
    answer(&mut direct, request, OK);
    answer(&mut direct, 1, OK);
    // The large answer gave nothing back that it had not taken.
    assert_eq!(accept(&mut direct, message(5, KEEPALIVE_BUDGET)).1, Transport::Keepalive);
    assert_eq!(accept(&mut direct, message(6, 1)).1, Transport::Fetch);
}

#[test]
fn the_transport_follows_the_choice_the_browser_and_whether_the_page_leaves() {
    use Transport::{Beacon, Fetch, Keepalive};
    let (auto, beacon, fetch) = (TransportChoice::Auto, TransportChoice::Beacon, TransportChoice::Fetch);
    // choice, keepalive known, leaving, small, too large
    let table = [
        (auto, true, false, Keepalive, Fetch),
        (auto, true, true, Keepalive, Fetch),
        (auto, false, false, Fetch, Fetch),
        (auto, false, true, Beacon, Fetch),
        (beacon, true, false, Keepalive, Fetch),
        (beacon, true, true, Beacon, Fetch),
        (beacon, false, false, Fetch, Fetch),
        (beacon, false, true, Beacon, Fetch),
        (fetch, true, false, Keepalive, Fetch),
        (fetch, true, true, Keepalive, Fetch),
        (fetch, false, false, Fetch, Fetch),
        (fetch, false, true, Fetch, Fetch),
    ];
    for (choice, keepalive, leaving, small, large) in table {
        for unloading in [false, true] {
            if unloading && !leaving {
                continue;
            }
            for (bytes, transport) in [(1_000, small), (65_537, large)] {
                let mut direct = Direct::new(choice, keepalive);
                // The page says that it leaves, or the caller says so for one message.
                direct.leaving(leaving && !unloading);
                let message = Message { unloading, ..message(1, bytes) };
                let (_, chosen, fate) = accept(&mut direct, message);
                let row = (choice, keepalive, leaving, unloading, bytes);
                assert_eq!(chosen, transport, "{row:?}");
                // Handed over for good: a keepalive request of a page that leaves.
                let settled = leaving && transport == Keepalive;
                assert_eq!(fate, settled.then_some(Fate::HandedOver), "{row:?}");
                assert_eq!(direct.counts().handed_over, u32::from(settled), "{row:?}");
                assert_eq!(direct.counts().in_flight, u32::from(!settled), "{row:?}");
            }
        }
    }
}

#[test]
fn a_page_that_comes_back_waits_for_answers_again() {
    let mut direct = auto();
    direct.leaving(true);
    assert_eq!(accept(&mut direct, message(1, 10)).2, Some(Fate::HandedOver));
    direct.leaving(false);
    assert_eq!(accept(&mut direct, message(2, 10)).2, None);
    // One message that unloads does not make the page leave.
    let unloading = Message { unloading: true, ..message(3, 10) };
    assert_eq!(accept(&mut direct, unloading).2, Some(Fate::HandedOver));
    assert_eq!(accept(&mut direct, message(4, 10)).2, None);
}

#[test]
fn an_answer_after_the_page_left_moves_the_count_and_settles_nothing() {
    for (given, delivered, dropped) in [
        (OK, 1, 0),
        (Answer::Response { status: 500, body: "" }, 0, 1),
        (Answer::Unreachable, 0, 1),
        (Answer::TimedOut, 0, 1),
    ] {
        let mut direct = auto();
        direct.leaving(true);
        let (request, _, _) = accept(&mut direct, message(1, 10));
        assert_eq!(direct.counts().handed_over, 1);
        direct.leaving(false);
        assert_eq!(answer(&mut direct, request, given), []);
        let counts = direct.counts();
        assert_eq!((counts.handed_over, counts.in_flight), (0, 0));
        assert_eq!((counts.delivered, counts.dropped.total()), (delivered, dropped), "{given:?}");
    }
}

#[test]
fn a_beacon_settles_with_the_browsers_word() {
    for (given, fate) in [
        (Answer::BeaconTaken, Fate::HandedOver),
        (Answer::BeaconRefused, Fate::Dropped(DropReason::Refused, String::new())),
    ] {
        let mut direct = Direct::new(TransportChoice::Beacon, true);
        direct.leaving(true);
        let (request, transport, early) = accept(&mut direct, message(1, 10));
        assert_eq!((transport, early), (Transport::Beacon, None));
        let mut effects = answer(&mut direct, request, given);
        assert_eq!(fate_of(1, effects.remove(0)), fate);
        let counts = direct.counts();
        assert_eq!(counts.in_flight, 0);
        assert_eq!(counts.handed_over + counts.dropped.refused, 1);
        assert_eq!(counts.handed_over, u32::from(given == Answer::BeaconTaken));
    }
}

#[test]
fn the_status_decides_the_fate() {
    use DropReason::{Rejected, Unavailable};
    for status in [200, 201, 202, 204, 207, 299] {
        let (fate, counts) = fate(Answer::Response { status, body: "" });
        assert_eq!(fate, Fate::Delivered, "{status}");
        assert_eq!(counts, Counts { accepted: 1, delivered: 1, ..Counts::default() });
    }
    for (reason, statuses) in [
        (Unavailable, &[408, 429, 500, 501, 502, 503, 504, 599][..]),
        (Rejected, &[300, 301, 302, 304, 400, 401, 403, 404, 405, 409, 413, 415, 422, 428, 430, 499][..]),
        // No status that HTTP has.
        (Rejected, &[0, 1, 100, 199, 600, 65_535][..]),
    ] {
        for &status in statuses {
            let (fate, counts) = fate(Answer::Response { status, body: "" });
            assert_eq!(fate, Fate::Dropped(reason, String::new()), "{status}");
            let dropped = &counts.dropped;
            let count = if reason == Rejected { dropped.rejected } else { dropped.unavailable };
            assert_eq!((counts.accepted, count, dropped.total()), (1, 1, 1), "{status}");
        }
    }
}

#[test]
fn without_an_answer_the_reason_says_what_happened() {
    let (network, counts) = fate(Answer::Unreachable);
    assert_eq!(network, Fate::Dropped(DropReason::Network, String::new()));
    assert_eq!((counts.dropped.network, counts.dropped.total()), (1, 1));
    let (timeout, counts) = fate(Answer::TimedOut);
    assert_eq!(timeout, Fate::Dropped(DropReason::Timeout, String::new()));
    assert_eq!((counts.dropped.timeout, counts.dropped.total()), (1, 1));
}

#[test]
fn the_body_decides_nothing_and_lends_its_words() {
    for body in RUBBISH {
        assert_eq!(fate(Answer::Response { status: 200, body }).0, Fate::Delivered, "{body:?}");
        let refused = fate(Answer::Response { status: 400, body }).0;
        assert_eq!(refused, Fate::Dropped(DropReason::Rejected, String::new()), "{body:?}");
    }
    let long = "\u{e4}".repeat(1_000);
    for (body, words) in [
        (r#"{"title":"Bad request"}"#, "Bad request"),
        (r#"{"message":"Validation failed","title":"no"}"#, "Validation failed"),
        (r#"{"report":{"message":"[XDM] no such schema"}}"#, "[XDM] no such schema"),
        (&format!(r#"{{"title":"{long}"}}"#), &long[..600]),
    ] {
        for (status, reason) in [(400, DropReason::Rejected), (503, DropReason::Unavailable)] {
            let fate = fate(Answer::Response { status, body }).0;
            assert_eq!(fate, Fate::Dropped(reason, String::from(words)));
        }
    }
}

#[test]
fn answers_to_nothing_are_passed_over() {
    let mut direct = auto();
    assert_eq!(answer(&mut direct, 0, OK), []);
    assert_eq!(answer(&mut direct, 1, OK), []);
    let (request, _, _) = accept(&mut direct, message(1, 10));
    assert_eq!(answer(&mut direct, request.wrapping_add(1), OK), []);
    assert_eq!(answer(&mut direct, request, OK).len(), 1);
    let counts = direct.counts();
    for late in [OK, Answer::Unreachable, Answer::TimedOut, Answer::BeaconTaken, Answer::BeaconRefused] {
        assert_eq!(answer(&mut direct, request, late), []);
    }
    assert_eq!(direct.counts(), counts);
}

#[test]
fn the_clock_is_the_one_that_the_last_answer_told() {
    let mut direct = auto();
    assert_eq!(direct.clock_skew(), None);
    for (status, body, skew) in [
        (200, "{}", None),
        (200, r#"{"receivedTimeMs":"soon"}"#, None),
        (200, r#"{"receivedTimeMs":1795492195123}"#, Some(5_000)),
        (503, "<html>", Some(5_000)),
        (400, r#"{"receivedTimeMs":1795492185123}"#, Some(-5_000)),
        // As text, as one of the platform's answers has it.
        (200, r#"{"receivedTimeMs":"1795492190123"}"#, Some(0)),
    ] {
        let (request, _, _) = accept(&mut direct, message(1, 10));
        answer(&mut direct, request, Answer::Response { status, body });
        assert_eq!(direct.clock_skew(), skew, "{status} {body}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Accept {
        bytes: usize,
        unloading: bool,
    },
    /// Answers the request that is so far into the list of all ever made, or a little beyond it.
    Answer {
        which: prop::sample::Index,
        how: usize,
    },
    Leaving(bool),
}

const ANSWERS: [Answer<'static>; 9] = [
    OK,
    Answer::Response { status: 207, body: "[" },
    Answer::Response { status: 404, body: "" },
    Answer::Response { status: 429, body: r#"{"receivedTimeMs":1}"# },
    Answer::Response { status: 0, body: "\u{0}" },
    Answer::Unreachable,
    Answer::TimedOut,
    Answer::BeaconTaken,
    Answer::BeaconRefused,
];

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop_oneof![0..3_000_usize, 20_000..40_000_usize, 65_530..65_540_usize];
    prop_oneof![
        4 => (bytes, any::<bool>()).prop_map(|(bytes, unloading)| Step::Accept { bytes, unloading }),
        4 => (any::<prop::sample::Index>(), 0..ANSWERS.len())
            .prop_map(|(which, how)| Step::Answer { which, how }),
        1 => any::<bool>().prop_map(Step::Leaving),
    ]
}

fn choice() -> impl Strategy<Value = TransportChoice> {
    prop::sample::select(vec![TransportChoice::Auto, TransportChoice::Beacon, TransportChoice::Fetch])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens in whatever order: the counts add up, the budget holds, and each promise
    /// settles once, at its request's first answer at the latest.
    #[test]
    fn the_books_are_right_after_every_step(
        steps in prop::collection::vec(step(), 1..80),
        choice in choice(),
        has_keepalive in any::<bool>(),
    ) {
        let mut direct = Direct::new(choice, has_keepalive);
        // Bytes that the browser still holds for the page, by request.
        let mut held: BTreeMap<RequestId, usize> = BTreeMap::new();
        // Tickets by request: all ever made, and of those the ones without an answer.
        let mut requests: Vec<(RequestId, Ticket)> = Vec::new();
        let mut open: BTreeMap<RequestId, Ticket> = BTreeMap::new();
        let mut settled: BTreeMap<Ticket, u32> = BTreeMap::new();
        let mut tickets = 0;
        for step in steps {
            let mut effects = Vec::new();
            let mut answered = None;
            match step {
                Step::Accept { bytes, unloading } => {
                    tickets += 1;
                    direct.accept(Message { unloading, ..message(tickets, bytes) }, &mut effects);
                }
                Step::Answer { which, how } => {
                    let at = which.index(requests.len() + 1);
                    let (request, given) = (requests.get(at).map_or(9_999, |(id, _)| *id), ANSWERS[how]);
                    direct.answer(request, given, NOW, &mut effects);
                    answered = open.remove(&request);
                    if answered.is_some() && given != Answer::BeaconTaken {
                        held.remove(&request);
                    }
                }
                Step::Leaving(leaving) => direct.leaving(leaving),
            }
            for effect in effects {
                match effect {
                    Effect::Send(request) => {
                        prop_assert!(requests.iter().all(|(id, _)| *id != request.id));
                        requests.push((request.id, tickets));
                        open.insert(request.id, tickets);
                        if request.transport != Transport::Fetch {
                            held.insert(request.id, request.body.len());
                        }
                        prop_assert!(has_keepalive || request.transport != Transport::Keepalive);
                        prop_assert!(choice != TransportChoice::Fetch || request.transport != Transport::Beacon);
                    }
                    Effect::Settle { ticket, .. } => *settled.entry(ticket).or_default() += 1,
                }
            }
            let counts = direct.counts();
            prop_assert!(counts.adds_up(), "{counts:?}");
            prop_assert_eq!(counts.accepted, tickets);
            prop_assert!(held.values().sum::<usize>() <= KEEPALIVE_BUDGET);
            prop_assert!(settled.values().all(|times| *times == 1));
            if let Some(ticket) = answered {
                prop_assert!(settled.contains_key(&ticket));
            }
            // Who has not settled waits for an answer, and only those are in flight.
            let waiting = (1..=tickets).filter(|ticket| !settled.contains_key(ticket)).collect::<Vec<_>>();
            prop_assert!(waiting.iter().all(|ticket| open.values().any(|open| open == ticket)));
            prop_assert_eq!(counts.in_flight as usize, waiting.len());
        }
    }
}
