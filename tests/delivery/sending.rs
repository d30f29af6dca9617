//! What is sent while the page lives, and what its answers mean.

use crate::page::*;
use serde_json::json;
use xdm_beacon::delivery::{
    Answer, Config, Document, DropReason, Fate, KEEPALIVE_BUDGET, Message, PageEvent, Priority, Transport,
    Url,
};
use xdm_beacon::settings::TransportChoice;
use xdm_beacon::time::Millis;

// ---------------------------------------------------------------------------------------------
// Budget and transport.

#[test]
fn the_budget_is_65536_bytes_to_the_byte_for_all_engines_of_a_document() {
    assert_eq!(KEEPALIVE_BUDGET, 65_536);
    let document = Document::default();
    let eager = || Config { max_wait: 0, ..config() };
    let (mut one, mut two) = (Page::of(eager(), &document), Page::of(eager(), &document));
    let send = |page: &mut Page, ticket, bytes| {
        page.accept(message(ticket, bytes));
        page.wait(0);
        page.sent()[0].1
    };
    assert_eq!(send(&mut one, 1, 65_000), Transport::Keepalive);
    assert_eq!(document.keepalive_used(), 65_000);
    assert_eq!(send(&mut two, 1, 537), Transport::Fetch, "one byte too many");
    assert_eq!(send(&mut two, 2, 536), Transport::Keepalive, "to the byte");
    assert_eq!(document.keepalive_used(), KEEPALIVE_BUDGET);
    // What goes by plain fetch takes nothing and gives nothing back.
    two.answer(1, status(200));
    assert_eq!(document.keepalive_used(), KEEPALIVE_BUDGET);
    assert_eq!(send(&mut two, 3, 65_537), Transport::Fetch);

    for answer in [status(200), status(404), status(503), status(0), Answer::TimedOut] {
        let document = Document::default();
        let mut page = Page::of(eager(), &document);
        assert_eq!(send(&mut page, 1, KEEPALIVE_BUDGET), Transport::Keepalive);
        page.answer(1, answer);
        assert_eq!(document.keepalive_used(), 0, "given back on {answer:?}");
        page.answer(1, answer);
        assert_eq!(document.keepalive_used(), 0, "and once only");
    }
    let document = Document::default();
    let mut page = Page::of(eager(), &document);
    send(&mut page, 1, 100);
    page.answer(1, Answer::Unreachable);
    assert_eq!(document.keepalive_used(), 100, "the request may go on");
    page.wait(100);
    assert_eq!(document.keepalive_used(), 0);
}

#[test]
fn the_transport_follows_the_choice_the_browser_and_whether_the_page_leaves() {
    use Transport::{Beacon, Fetch, Keepalive};
    let (auto, beacon, fetch) = (TransportChoice::Auto, TransportChoice::Beacon, TransportChoice::Fetch);
    // choice, keepalive known, leaving, small, too large (nothing: it stays in the outbox)
    let table = [
        (auto, true, false, Keepalive, Some(Fetch)),
        (auto, true, true, Keepalive, None),
        (auto, false, false, Fetch, Some(Fetch)),
        (auto, false, true, Beacon, None),
        (beacon, true, false, Keepalive, Some(Fetch)),
        (beacon, true, true, Beacon, None),
        (beacon, false, false, Fetch, Some(Fetch)),
        (beacon, false, true, Beacon, None),
        (fetch, true, false, Keepalive, Some(Fetch)),
        (fetch, true, true, Keepalive, None),
        (fetch, false, false, Fetch, Some(Fetch)),
        (fetch, false, true, Fetch, Some(Fetch)),
    ];
    for (transport, has_keepalive, leaving, small, large) in table {
        for (bytes, expected) in [(1_000, Some(small)), (65_537, large)] {
            let mut page = Page::new(Config { transport, has_keepalive, ..config() });
            page.accept(message(1, bytes));
            if leaving {
                page.page(PageEvent::Leaving);
            } else {
                page.wait(0);
            }
            let chosen = page.sent().first().map(|(_, transport, _)| *transport);
            let row = (transport, has_keepalive, leaving, bytes);
            assert_eq!(chosen, expected, "{row:?}");
            let counts = page.engine.counts();
            let place = match (leaving, expected) {
                (false, _) => counts.in_flight,
                (true, Some(_)) => counts.handed_over,
                (true, None) => counts.stored,
            };
            assert_eq!(place, 1, "{row:?} {counts:?}");
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Batches.

#[test]
fn the_first_of_a_quiet_time_goes_at_the_end_of_its_task_and_later_ones_wait() {
    let mut page = Page::new(config());
    page.accept(message(1, 100));
    assert_eq!(page.sent_tickets(), NONE, "the task goes on");
    page.accept(message(2, 100));
    page.wait(0);
    let together = (Url::Batch, Transport::Keepalive, vec![1, 2]);
    assert_eq!(page.sent(), [together]);

    page.wait(100);
    page.accept_all([3]);
    page.wait(149);
    assert_eq!(page.sent_tickets(), NONE, "it waits for company, since the last request");
    page.accept_all([4]);
    page.wait(1);
    assert_eq!(page.sent_tickets(), [[3, 4]]);

    page.answer(1, status(200));
    page.answer(2, status(200));
    page.wait(250);
    page.accept_all([5]);
    let alone = (Url::Single, Transport::Keepalive, vec![5]);
    assert_eq!(page.sent(), [alone], "the time was quiet");
}

#[test]
fn a_batch_goes_when_it_is_full_of_messages_or_bytes() {
    // 10 messages, or 20,000 bytes.
    for (bytes, count) in [(100, 10), (3_000, 7), (20_000, 1)] {
        let mut page = Page::new(config());
        page.accept_all([100]);
        page.sent();
        for ticket in 1..=count {
            assert_eq!(page.sent_tickets(), NONE, "{bytes} bytes");
            page.accept(message(ticket, bytes));
            page.wait(0);
        }
        assert_eq!(page.sent().len(), 1, "{bytes} bytes");
        assert!(page.requests.iter().all(|request| request.body.len() <= 20_000), "{bytes} bytes");
    }
}

#[test]
fn without_a_batch_url_each_goes_alone() {
    let mut page = Page::new(Config { has_batch: false, ..config() });
    page.accept_all(1..=3);
    assert_eq!(page.sent_tickets(), [[1], [2]], "two requests at a time");
    page.answer(1, status(200));
    assert_eq!(page.sent(), [(Url::Single, Transport::Keepalive, vec![3])]);
}

// ---------------------------------------------------------------------------------------------
// Answers.

#[test]
fn the_status_decides_what_becomes_of_one_message_and_of_several() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Then {
        Delivered,
        Rejected,
        /// Sent again after a while, one message first.
        Probed,
        /// Sent again at once, in halves.
        Halved,
    }
    use Then::{Delivered, Halved, Probed, Rejected};
    let mut table = Vec::new();
    table.extend([200, 201, 202, 204, 299].map(|status| (status, Delivered, Delivered)));
    table.extend([408, 429, 500, 502, 503, 504, 599].map(|status| (status, Probed, Probed)));
    table.extend([401, 403, 404, 405, 410, 501].map(|status| (status, Rejected, Rejected)));
    table.extend([400, 413, 415, 422, 300, 304, 100, 600].map(|status| (status, Rejected, Halved)));
    table.push((0, Probed, Probed));
    for (code, single, several) in table {
        for (count, then) in [(1, single), (4, several)] {
            let mut page = Page::new(config());
            page.accept_all(1..=count);
            page.commit();
            page.sent();
            page.answer(1, status(code));
            let counts = page.engine.counts();
            let fate = match then {
                Delivered => Some(Fate::Delivered),
                Rejected => dropped(DropReason::Rejected),
                Probed => Some(Fate::Stored),
                Halved => Some(Fate::Stored),
            };
            for ticket in 1..=count {
                assert_eq!(page.fate(ticket), fate, "{code} of {count}");
            }
            let expected: &[&[u64]] = if then == Halved { &[&[1, 2], &[3, 4]] } else { &[] };
            assert_eq!(page.sent_tickets(), expected, "{code} of {count}");
            let place = match then {
                Delivered => counts.delivered,
                Rejected => counts.dropped.rejected,
                Probed => counts.stored,
                Halved => counts.in_flight,
            };
            assert_eq!(place, count, "{code} of {count} {counts:?}");
            if then == Probed {
                page.wait(1_000);
                assert_eq!(page.sent_tickets().concat().len(), 1, "{code} of {count}: one finds out");
                page.answer(page.last(), status(200));
                page.wait(250);
                assert_eq!(page.sent_tickets().concat().len() as u32, count - 1);
            }
        }
    }
}

#[test]
fn a_mixed_answer_is_read_item_by_item() {
    let mut page = Page::new(config());
    page.accept_all(1..=4);
    page.commit();
    page.sent();
    let body = json!({
        "batchId": "b",
        "responses": [
            { "xactionId": "b:0" },
            { "status": 400, "message": "No", "xactionId": "b:1" },
            { "status": 503, "xactionId": "b:2" },
        ],
    })
    .to_string();
    page.answer(1, Answer::Response { status: 207, body: &body, retry_after: "" });
    assert_eq!(page.settled[&1], Fate::Delivered);
    assert_eq!(page.settled[&2], Fate::Dropped(DropReason::Rejected, String::from("No")));
    // What the endpoint could not take now, and what it does not speak of, is sent again.
    for ticket in [3, 4] {
        assert_eq!(page.settled[&ticket], Fate::Stored);
    }
    page.wait(1_000);
    page.answer(page.last(), status(200));
    page.wait(250);
    page.answer(page.last(), status(200));
    let mut again = page.sent_tickets().concat();
    again.sort_unstable();
    assert_eq!(again, [3, 4]);
    assert_eq!(page.engine.counts().delivered, 3);
    page.commit();
    assert_eq!(page.disk.len(), 0);
}

#[test]
fn retry_after_is_honoured_in_both_forms_and_rubbish_is_not() {
    // In the second form the server's clock counts, which is an hour ahead of the page's.
    let server_now = START.wall + 3_600_000;
    let body = format!("{{\"receivedTimeMs\":{server_now}}}");
    // The header; at least and at most so long: the own back-off is up to a second.
    for (header, least, most) in [
        ("2", 2_000, 2_000),
        (" 30 ", 30_000, 30_000),
        ("86400", 3_600_000, 3_600_000),
        ("99999999999999999999", 3_600_000, 3_600_000),
        // 2026-11-24T04:49:50Z is the server's now, without its 123 ms.
        ("Tue, 24 Nov 2026 04:50:00 GMT", 9_877, 9_877),
        ("Tue, 24 Nov 2026 03:50:00 GMT", 0, 1_000),
        ("0", 0, 1_000),
        ("", 0, 1_000),
        ("-5", 0, 1_000),
        ("soon", 0, 1_000),
        ("2.5", 0, 1_000),
    ] {
        for code in [503, 429] {
            let mut page = Page::new(Config { max_age: 100_000_000, ..config() });
            page.accept_all([1]);
            page.sent();
            page.answer(1, Answer::Response { status: code, body: &body, retry_after: header });
            if least > 0 {
                page.wait(least - 1);
                assert_eq!(page.sent_tickets(), NONE, "{header:?} is too early");
            }
            page.wait(most - least + 1);
            assert_eq!(page.sent_tickets(), [[1]], "{header:?}");
        }
    }
}

#[test]
fn what_a_server_asked_for_holds_whatever_comes_in_between() {
    // Two requests are out; the first is answered with half a minute's rest.
    let between: [(&str, Step); 12] = [
        ("nothing", |_| {}),
        ("the other one passes", |page| page.answer(2, status(200))),
        ("the other one fails", |page| page.answer(2, status(502))),
        ("the other one times out", |page| page.answer(2, Answer::TimedOut)),
        ("a shorter rest is asked for", |page| page.answer(2, busy("1"))),
        ("the network comes back", |page| {
            page.page(PageEvent::Offline);
            page.page(PageEvent::Online);
        }),
        ("the page asks for haste", Page::flush),
        ("more is accepted", |page| page.accept_all([9])),
        ("more is accepted, urgently", |page| {
            page.accept(Message { unloading: true, ..message(9, 100) });
        }),
        ("the page is hidden and shown", |page| {
            page.page(PageEvent::Hidden);
            page.page(PageEvent::Shown);
        }),
        ("the page leaves and comes back", |page| {
            page.page(PageEvent::Leaving);
            page.restore("back");
        }),
        ("the disk speaks", Page::commit),
    ];
    for storage in [true, false] {
        for (name, happens) in between {
            let mut page = Page::new(Config { has_batch: false, storage, ..config() });
            page.accept_all(1..=3);
            assert_eq!(page.sent_tickets(), [[1], [2]]);
            page.answer(1, busy("30"));
            page.pass(10);
            happens(&mut page);
            page.wait(29_980);
            assert_eq!(page.sent_tickets(), NONE, "{name}, storage {storage}");
            page.accept_all([10]);
            page.wait(10);
            assert_ne!(page.sent_tickets(), NONE, "{name}, storage {storage}");
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Back-off.

#[test]
fn the_wait_doubles_up_to_a_minute_and_is_drawn_between_nothing_and_that() {
    const BOUNDS: [Millis; 9] = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000];
    let mut waits = BOUNDS.map(|_| Vec::new());
    for life in 1..=100_u64 {
        let seed = life.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let config = Config { storage: false, ..config() };
        let mut page = Page::born(config, Birth { seed, ..Birth::default() });
        page.accept_all(1..=3);
        for waits in &mut waits {
            page.answer(page.last(), status(503));
            waits.push(page.wait_for_request());
        }
    }
    for (waits, bound) in waits.iter().zip(BOUNDS) {
        let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!(*most <= bound, "{most} of {bound}");
        assert!(*most > bound * 9 / 10, "{most} of {bound}");
        assert!(*least < bound / 10, "{least} of {bound}");
    }
}

#[test]
fn while_the_endpoint_is_down_one_message_asks_at_a_time_and_a_success_ends_it() {
    let mut page = Page::new(Config { storage: false, ..config() });
    page.accept_all(1..=5);
    assert_eq!(page.sent_tickets(), [[1, 2, 3, 4, 5]]);
    page.answer(1, status(503));
    for ticket in 6..=9 {
        page.wait_for_request();
        page.accept(Message { priority: Priority::High, ..message(ticket, 100) });
        page.wait(0);
        page.flush();
        page.wait(100);
        assert_eq!(page.open.len(), 1, "one at a time");
        assert_eq!(page.sent_tickets(), [[1]], "the oldest, whatever the priority");
        page.answer_next(status(503));
    }
    page.wait_for_request();
    assert_eq!(page.sent_tickets(), [[1]]);
    page.answer_next(status(200));
    assert_eq!(page.sent_tickets(), [[6, 7, 8, 9, 2, 3, 4, 5]], "all of the rest, the most valuable first");
    // As after the first failure: a second at most.
    page.answer_next(status(503));
    assert!(page.wait_for_request() <= 1_000);
}

#[test]
fn the_network_coming_back_ends_the_wait() {
    let mut page = Page::new(Config { storage: false, ..config() });
    page.accept_all([1]);
    for _ in 0..7 {
        page.answer(page.last(), status(0));
        page.wait_for_request();
    }
    page.sent();
    page.answer(page.last(), status(0));
    page.page(PageEvent::Offline);
    page.wait(600_000);
    assert_eq!(page.sent_tickets(), NONE, "there is no use in it");
    page.accept_all([2]);
    page.page(PageEvent::Online);
    assert_eq!(page.sent_tickets().len(), 1);
}

#[test]
fn a_request_is_given_up_when_the_browser_says_nothing_at_all() {
    let mut page = Page::new(Config { storage: false, ..config() });
    page.accept_all([1]);
    page.wait(14_999);
    assert_eq!(page.engine.counts().in_flight, 1);
    page.wait(1);
    assert_eq!(page.engine.counts().queued, 1);
    assert_eq!(page.document.keepalive_used(), 0);
    page.sent();
    page.wait_for_request();
    // The page was frozen: the answer may lie there already.
    page.pass(20_000);
    page.page(PageEvent::Shown);
    page.wait(0);
    assert_eq!(page.engine.counts().in_flight, 1);
    page.answer(2, status(200));
    assert_eq!(page.engine.counts().delivered, 1);
}

// ---------------------------------------------------------------------------------------------
// One message that fails while others pass.

#[test]
fn a_poisoned_message_is_halved_out_struck_and_parked_while_others_pass() {
    for answer in [status(0), Answer::TimedOut, Answer::Unreachable] {
        let mut page = Page::new(config());
        let poisoned = |ticket| {
            move |request: &_| {
                if tickets(request).contains(&ticket) { answer } else { status(200) }
            }
        };
        page.accept_all(1..=8);
        page.serve(60_000, poisoned(3));
        assert_eq!(page.engine.counts().delivered, 7, "{answer:?}");
        // Alone it may as well be the endpoint that fails. Others that pass tell.
        for ticket in 9..=11 {
            page.accept_all([ticket]);
            page.serve(120_000, poisoned(3));
        }
        let sent = page.sent_tickets();
        let (with, without): (Vec<_>, Vec<_>) = sent.into_iter().partition(|sent| sent.contains(&3));
        let sizes: Vec<usize> = with.iter().map(Vec::len).collect();
        assert!(sizes.is_sorted_by(|a, b| *b == 1 || *b <= a / 2), "{sizes:?} {answer:?}");
        let mut passed = without.concat();
        passed.sort_unstable();
        assert_eq!(passed, [1, 2, 4, 5, 6, 7, 8, 9, 10, 11], "each once, {answer:?}");
        assert_eq!(page.engine.notes().parked, 1, "{answer:?}");
        assert_eq!(page.engine.counts().delivered, 10);
        assert_eq!(page.engine.counts().stored, 1);
        assert_eq!(page.fate(3), Some(Fate::Stored));
        assert_eq!(page.keys(), ["life/m3"]);

        // From now on it is left alone, and nothing suffers from it.
        page.accept_all(12..=15);
        page.serve(600_000, poisoned(3));
        assert_eq!(page.sent_numbers(), [12, 13, 14, 15]);
        assert_eq!(page.engine.counts().delivered, 14);

        // The next page of the tab tries it again.
        page.page(PageEvent::Leaving);
        assert_eq!(page.engine.counts().stored, 1);
        let mut next = page.next();
        assert_eq!(next.engine.notes().parked, 0);
        assert_eq!(next.sent_tickets(), [[3]]);
        next.answer(1, status(200));
        next.commit();
        assert_eq!(next.keys(), [""; 0]);
    }
}

#[test]
fn several_poisoned_messages_block_nothing_and_without_a_disk_they_stay_in_memory() {
    for storage in [true, false] {
        let mut page = Page::new(Config { storage, ..config() });
        let poisoned = |request: &_| {
            if tickets(request).iter().any(|ticket| ticket % 4 == 1) { status(0) } else { status(200) }
        };
        page.accept_all(1..=16);
        page.serve(200_000, poisoned);
        assert_eq!(page.engine.counts().delivered, 12, "{:?}", page.engine.counts());
        for ticket in [18, 20, 22] {
            page.accept_all([ticket]);
            page.serve(300_000, poisoned);
        }
        assert_eq!(page.engine.counts().delivered, 15, "{:?}", page.engine.counts());
        assert_eq!(page.engine.notes().parked, 4);
        let counts = page.engine.counts();
        assert_eq!((counts.stored, counts.queued), if storage { (4, 0) } else { (0, 4) });
    }
}

#[test]
fn an_endpoint_that_is_down_parks_nothing() {
    for answer in [status(0), Answer::TimedOut, status(503)] {
        let mut page = Page::new(config());
        page.accept_all(1..=4);
        page.serve(1_800_000, |_| answer);
        assert_eq!(page.engine.notes().parked, 0, "{answer:?}");
        page.serve(61_000, |_| status(200));
        assert_eq!(page.engine.counts().delivered, 4, "{answer:?}");
    }
}

// ---------------------------------------------------------------------------------------------
// A keepalive request that the browser rejects: the page may be going, or the request has failed.

#[test]
fn a_rejected_keepalive_request_has_failed_when_the_page_outlives_it_by_50_ms() {
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.commit();
    page.answer(1, Answer::Unreachable);
    page.wait(49);
    assert_eq!(page.engine.counts().in_flight, 1);
    assert_eq!(page.fate(1), None);
    page.wait(1);
    assert_eq!(page.engine.counts().stored, 1);
    assert_eq!(page.fate(1), Some(Fate::Stored));
    // Somebody else may use the budget: for five seconds it is left alone.
    page.sent();
    page.wait_for_request();
    assert_eq!(page.sent(), [(Url::Single, Transport::Fetch, vec![1])]);
    page.answer_next(status(200));
    page.wait(5_000);
    page.accept_all([2]);
    assert_eq!(page.sent(), [(Url::Single, Transport::Keepalive, vec![2])]);
}

#[test]
fn a_rejected_plain_request_has_failed_at_once() {
    let mut page = Page::new(Config { has_keepalive: false, ..config() });
    page.accept_all([1]);
    page.commit();
    page.answer(1, Answer::Unreachable);
    assert_eq!(page.engine.counts().stored, 1);
    assert_eq!(page.fate(1), Some(Fate::Stored));
}

#[test]
fn a_rejected_keepalive_request_counts_as_handed_over_when_the_page_leaves_before() {
    // What happens; whether the message counts as handed over; what the next page sends.
    let table: [(&str, Step, bool, &[u64]); 5] = [
        (
            "rejected, then leaving",
            |page| {
                page.answer(1, Answer::Unreachable);
                page.wait(49);
                page.page(PageEvent::Leaving);
            },
            true,
            &[],
        ),
        (
            "leaving, then rejected",
            |page| {
                page.page(PageEvent::Leaving);
                page.pass(200);
                page.answer(1, Answer::Unreachable);
            },
            true,
            &[],
        ),
        (
            "hidden, rejected, leaving",
            |page| {
                page.page(PageEvent::Hidden);
                page.answer(1, Answer::Unreachable);
                page.page(PageEvent::Leaving);
            },
            true,
            &[],
        ),
        (
            "rejected, and the page goes on for long enough",
            |page| {
                page.answer(1, Answer::Unreachable);
                page.wait(50);
                page.page(PageEvent::Leaving);
            },
            false,
            &[1],
        ),
        (
            "rejected, and the page lives on without timers",
            |page| {
                page.answer(1, Answer::Unreachable);
                page.pass(50);
                page.page(PageEvent::Leaving);
            },
            false,
            &[1],
        ),
    ];
    for (name, happens, handed_over, again) in table {
        let mut page = Page::recalling(config(), ALL_WELL);
        page.accept_all([1]);
        page.commit();
        happens(&mut page);
        let counts = page.engine.counts();
        assert_eq!((counts.handed_over, counts.stored), if handed_over { (1, 0) } else { (0, 1) }, "{name}");
        assert_eq!(page.fate(1), Some(if handed_over { Fate::HandedOver } else { Fate::Stored }), "{name}");
        assert_eq!(page.document.keepalive_used(), 0, "{name}");
        assert_eq!(page.next().sent_tickets().concat(), again, "{name}");
    }
}
