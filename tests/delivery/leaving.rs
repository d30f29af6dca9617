//! The page hides, leaves and comes back; the deferred request; what each mode makes of answers that
//! nobody saw.

use crate::page::*;
use xdm_beacon::delivery::{
    Answer, Claim, Config, Consent, DropReason, Fate, Handoff, Message, Mode, PageEvent, Priority, Transport,
    Url,
};
use xdm_beacon::settings::TransportChoice;

const MINUTE: i64 = 60_000;
/// What the tab remembers when one message by keepalive is known to be well, and nothing else.
const SINGLE_WELL: &str = "1795492190123 1";

// ---------------------------------------------------------------------------------------------
// What goes and what stays.

#[test]
fn the_most_valuable_is_handed_over_and_the_rest_is_in_the_hand_off_or_on_disk() {
    for saved in [false, true] {
        let mut page = Page::new(Config { max_batch_bytes: 90_000, ..config() });
        // From here on they wait for company.
        page.accept_all([9]);
        page.sent();
        for (ticket, priority) in [
            (1, Priority::Low),
            (2, Priority::Normal),
            (3, Priority::Normal),
            (4, Priority::High),
            (5, Priority::Low),
        ] {
            page.accept(Message { priority, ..message(ticket, 16_000) });
        }
        if saved {
            page.wait(0);
            page.commit();
        }
        assert_eq!(page.sent_tickets(), NONE);
        page.page(PageEvent::Leaving);
        // 65,536 bytes, less the 100 of the one that flies.
        assert_eq!(page.sent(), [(Url::Batch, Transport::Keepalive, vec![4, 2, 3, 1])]);
        for ticket in 1..=4 {
            assert_eq!(page.fate(ticket), Some(Fate::HandedOver), "{ticket}");
        }
        assert_eq!(page.fate(5), Some(Fate::Stored));
        // Nothing was ever heard of the endpoint, so all of it is kept.
        let all = ["life/m1", "life/m2", "life/m3", "life/m4", "life/m5"];
        if saved {
            assert_eq!(page.handoff(OWNER).0, [""; 0]);
            assert_eq!(page.keys()[..5], all);
        } else {
            assert_eq!(page.handoff(OWNER).0[..5], all);
        }
        // That something is on disk alone is said by a key that no record has.
        let gone = page.handoff(OWNER).1;
        assert_eq!(gone, if saved { vec!["life/"] } else { vec![] });
        let counts = page.engine.counts();
        assert_eq!((counts.handed_over, counts.stored), (5, 1));
        assert_eq!(page.closed, 1);
    }
}

#[test]
fn what_does_not_fit_is_passed_over_for_what_does() {
    let mut page = Page::new(Config { max_batch_bytes: 70_000, ..config() });
    page.accept(Message { priority: Priority::High, ..message(1, 70_000) });
    page.accept(message(2, 50_000));
    page.accept(message(3, 40_000));
    page.accept(message(4, 10_000));
    page.page(PageEvent::Leaving);
    assert_eq!(page.sent_tickets(), [[2, 4]]);
    assert_eq!(page.engine.counts().stored, 2);
}

#[test]
fn what_will_not_fit_the_hand_off_and_is_not_on_disk_is_not_called_stored() {
    let mut page = Page::new(config());
    page.handoff_quota = 600;
    page.page(PageEvent::Offline);
    page.accept_all([1]);
    page.commit();
    page.accept(message(2, 200));
    page.accept(Message { priority: Priority::High, ..message(3, 200) });
    page.page(PageEvent::Leaving);
    // The quota is found by halving; what is valuable comes first.
    assert_eq!(page.handoff(OWNER).0, ["life/m3"]);
    let counts = page.engine.counts();
    assert_eq!((counts.stored, counts.queued), (2, 1));
    assert_eq!(page.fate(2), None);
    assert_eq!(page.fate(3), Some(Fate::Stored));
}

#[test]
fn what_stands_in_the_hand_off_stays_there_when_more_would_not_fit() {
    let mut page = Page::new(config());
    page.page(PageEvent::Offline);
    page.page(PageEvent::Hidden);
    page.accept(message(1, 100));
    page.accept(message(2, 100));
    assert_eq!(page.handoff(OWNER).0, ["life/m1", "life/m2"]);
    page.handoff_quota = page.handoffs[OWNER].len();
    page.accept(Message { priority: Priority::High, ..message(3, 10_000) });
    assert_eq!(page.handoff(OWNER).0, ["life/m1", "life/m2"], "they were called stored");
    assert_eq!((page.engine.counts().stored, page.engine.counts().queued), (2, 1));
    page.page(PageEvent::Shown);
    assert_eq!(page.handoff(OWNER).0, ["life/m1", "life/m2"], "until they are on disk");
    page.wait(0);
    page.commit();
    assert_eq!(page.handoffs.len(), 0);
    assert_eq!(page.keys(), ["life/m1", "life/m2", "life/m3"]);
}

#[test]
fn a_few_go_one_by_one_where_that_url_alone_is_known_to_be_well() {
    let both = "1795492190123 5";
    // What is known; how many messages; how many requests.
    for (known, messages, requests) in
        [("", 3, 1), (SINGLE_WELL, 3, 3), (SINGLE_WELL, 20, 20), (SINGLE_WELL, 21, 3), (both, 3, 1)]
    {
        let mut page = Page::recalling(config(), known);
        for ticket in 1..=messages {
            page.accept(message(ticket, 100));
        }
        page.page(PageEvent::Leaving);
        assert_eq!(page.sent().len(), requests, "{known} {messages}");
        assert_eq!(page.engine.counts().handed_over, messages);
    }
}

#[test]
fn while_the_endpoint_is_down_what_can_be_stored_is_stored() {
    // Whether there is a disk, what the server said, and whether anything is tried at leaving.
    for (storage, answer, tried) in [
        (true, status(503), false),
        (true, busy("30"), false),
        (false, status(503), true),
        (false, busy("30"), false),
    ] {
        let mut page = Page::new(Config { storage, ..config() });
        page.accept_all([1, 2]);
        page.sent();
        page.answer(1, answer);
        page.page(PageEvent::Leaving);
        assert_eq!(page.sent().len(), usize::from(tried), "{storage} {answer:?}");
        let counts = page.engine.counts();
        let expected = if tried {
            (2, 0, 0)
        } else if storage {
            (0, 2, 0)
        } else {
            (0, 0, 2)
        };
        assert_eq!((counts.handed_over, counts.stored, counts.queued), expected, "{storage} {answer:?}");
    }
}

// ---------------------------------------------------------------------------------------------
// A page that is hidden lives on.

#[test]
fn what_a_hidden_page_accepts_goes_at_once_and_its_answers_are_heard() {
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.commit();
    page.accept(message(2, 100));
    page.page(PageEvent::Hidden);
    assert_eq!(page.sent_tickets(), [[1], [2]]);
    page.accept(message(3, 100));
    assert_eq!(page.sent_tickets(), [[3]], "within its task");
    for ticket in 1..=3 {
        assert_eq!(page.fate(ticket), Some(Fate::HandedOver));
    }
    assert_eq!(page.engine.counts().handed_over, 3);
    // It may never be heard of again, and not all of it is on disk.
    assert_eq!(page.handoff(OWNER).0, ["life/m2", "life/m3"]);
    for request in 1..=3 {
        page.answer(request, status(200));
    }
    assert_eq!(page.engine.counts().delivered, 3);
    page.commit();
    assert_eq!(page.keys(), [""; 0]);
    page.page(PageEvent::Shown);
    assert!(page.handoffs.is_empty(), "{:?}", page.handoffs);
    // In company again.
    page.accept_all([4]);
    assert_eq!(page.sent_tickets(), NONE);
    page.wait(250);
    assert_eq!(page.sent_tickets(), [[4]]);
}

#[test]
fn a_page_that_begins_hidden_waits_for_nothing_either() {
    let mut page = Page::opened(config(), Birth { hidden: true, ..Birth::default() });
    page.accept(message(1, 100));
    page.accept(message(2, 100));
    assert_eq!(page.sent_tickets(), [[1], [2]]);
}

#[test]
fn an_urgent_message_of_a_page_that_is_seen_goes_at_once_and_alone() {
    let mut page = Page::new(config());
    page.accept(message(1, 100));
    page.accept(Message { unloading: true, ..message(2, 100) });
    assert_eq!(page.sent_tickets(), [[2]]);
    assert_eq!(page.fate(2), Some(Fate::HandedOver));
    page.wait(0);
    page.commit();
    page.answer(1, status(200));
    assert_eq!(page.engine.counts().delivered, 1);
}

// ---------------------------------------------------------------------------------------------
// Beacons.

fn beacons() -> Config {
    Config { transport: TransportChoice::Beacon, ..config() }
}

#[test]
fn a_refused_beacon_is_halved_down_to_one_message_and_that_is_stored() {
    let mut page = Page::new(beacons());
    for ticket in 1..=4 {
        page.accept(message(ticket, 100));
    }
    page.page(PageEvent::Leaving);
    assert_eq!(page.sent(), [(Url::Batch, Transport::Beacon, vec![1, 2, 3, 4])]);
    assert_eq!(page.fate(1), None, "until the browser has said whether it took it");
    page.answer(1, Answer::BeaconRefused);
    assert_eq!(page.sent_tickets(), [[1, 2], [3, 4]]);
    page.answer(2, Answer::BeaconTaken);
    assert_eq!(page.sent_tickets(), NONE, "another is being asked about");
    page.answer(3, Answer::BeaconRefused);
    assert_eq!(page.sent_tickets(), [[3], [4]]);
    page.answer(4, Answer::BeaconRefused);
    page.answer(5, Answer::BeaconTaken);
    assert_eq!(page.sent_tickets(), NONE, "it never ends otherwise");
    for (ticket, fate) in
        [(1, Fate::HandedOver), (2, Fate::HandedOver), (3, Fate::Stored), (4, Fate::HandedOver)]
    {
        assert_eq!(page.fate(ticket), Some(fate), "{ticket}");
    }
    let counts = page.engine.counts();
    assert_eq!((counts.handed_over, counts.stored), (3, 1));
    // No beacon was ever seen to be answered.
    assert_eq!(page.handoff(OWNER).0, ["life/m1", "life/m2", "life/m3", "life/m4"]);
    let taken = [2, 5].map(|id| page.requests[id - 1].body.len());
    assert_eq!(page.document.keepalive_used(), taken.iter().sum::<usize>());
}

#[test]
fn the_bytes_of_a_taken_beacon_come_back_after_ten_seconds_and_those_of_a_refused_one_at_once() {
    let mut page = Page::new(beacons());
    page.page(PageEvent::Hidden);
    page.accept(message(1, 60_000));
    assert_eq!(page.document.keepalive_used(), 60_000);
    page.answer(1, Answer::BeaconTaken);
    assert_eq!(page.engine.counts().handed_over, 1);
    page.wait(9_999);
    page.accept(message(2, 6_000));
    assert_eq!(page.sent_tickets(), [[1]], "no room");
    page.wait(0);
    // As long as the page lives, what does not fit goes by plain fetch.
    assert_eq!(page.sent(), [(Url::Single, Transport::Fetch, vec![2])]);
    assert_eq!(page.document.keepalive_used(), 60_000);
    page.wait(1);
    assert_eq!(page.document.keepalive_used(), 0);
    page.accept(message(3, 6_000));
    assert_eq!(page.sent(), [(Url::Single, Transport::Beacon, vec![3])]);
    page.answer_next(status(200));
    page.answer_next(Answer::BeaconRefused);
    assert_eq!(page.document.keepalive_used(), 0);
}

#[test]
fn what_a_beacon_took_is_sent_again_by_the_next_page_but_not_by_this_one() {
    for (mode, again) in [(Mode::Balanced, 1), (Mode::AtLeastOnce, 1), (Mode::AtMostOnce, 0)] {
        let mut page = Page::recalling(Config { mode, ..beacons() }, ALL_WELL);
        page.page(PageEvent::Hidden);
        page.accept(message(1, 100));
        page.answer(1, Answer::BeaconTaken);
        page.wait(0);
        page.commit();
        page.page(PageEvent::Shown);
        page.wait(MINUTE);
        page.commit();
        assert_eq!(page.sent_tickets(), [[1]], "{mode:?}");
        assert_eq!(page.engine.counts().handed_over, 1, "{mode:?}");
        page.page(PageEvent::Leaving);
        assert_eq!(page.next().sent().len(), again, "{mode:?}");
    }
}

// ---------------------------------------------------------------------------------------------
// The deferred request.

/// A page that keeps messages waiting for ten seconds.
fn deferring() -> Page {
    let mut page = Page::new(Config { has_deferred: true, max_wait: 10_000, ..config() });
    page.accept_all([100]);
    page.answer(1, status(200));
    page.commit();
    page.sent();
    page
}

#[test]
fn the_deferred_request_holds_what_waits_and_is_replaced_once_a_second_at_most() {
    let mut page = deferring();
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0], "nothing waits");
    page.accept_all([1, 2]);
    assert_eq!(page.deferrals(), [[[1, 2]]], "at once");
    page.wait(400);
    page.accept_all([3]);
    page.wait(400);
    page.accept_all([4]);
    page.commit();
    page.wait(199);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0], "a second has not passed");
    page.wait(1);
    assert_eq!(page.deferrals(), [[[1, 2, 3, 4]]]);
    page.wait(3_000);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0], "nothing is new");
    // What is sent by the page is not sent by the browser, too: [`Page`] sees to the order.
    page.flush();
    assert_eq!(page.sent_tickets(), [[1, 2, 3, 4]]);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]]);
    page.wait(1_000);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0]);
}

#[test]
fn the_deferred_request_is_disarmed_when_nothing_may_be_sent() {
    for consent in [Consent::Pending, Consent::Out] {
        let mut page = deferring();
        page.accept_all([1]);
        assert_eq!(page.deferrals(), [[[1]]]);
        page.consent(consent);
        assert_eq!(page.deferrals(), [[[0; 0]; 0]], "{consent:?}");
        page.wait(60_000);
        assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0], "{consent:?}");
    }
    let mut page = deferring();
    page.accept_all([1]);
    page.flush();
    page.accept_all([2]);
    page.wait(1_000);
    assert_eq!(page.deferrals().last(), Some(&vec![vec![2]]));
    // A server that wants to be left alone is not asked by the browser either.
    page.answer_next(busy("30"));
    page.wait(1_000);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]]);
    page.accept_all([3]);
    page.page(PageEvent::Hidden);
    page.page(PageEvent::Leaving);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0]);
}

#[test]
fn there_is_no_deferred_request_where_each_may_be_sent_once_only() {
    let mut page = Page::new(Config { has_deferred: true, mode: Mode::AtMostOnce, ..config() });
    page.accept_all([1, 2]);
    page.accept_all([3]);
    page.accept(message(4, 64_900));
    page.page(PageEvent::Leaving);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0]);
}

/// Five messages of 30,000 bytes, of which the keepalive budget takes two.
fn leaving_with_150_kb(recalled: &str, deferred_quota: usize) -> Page {
    let config = Config { has_deferred: true, max_batch_bytes: 70_000, ..config() };
    let mut page = Page::recalling(config, recalled);
    page.deferred_quota = deferred_quota;
    for ticket in 1..=5 {
        page.accept(message(ticket, 30_000));
    }
    page.page(PageEvent::Leaving);
    page
}

#[test]
fn at_leaving_the_deferred_request_takes_what_the_budget_has_no_room_for_and_is_final() {
    // Of what is deferred at the last moment the browser may not hear any more.
    for (recalled, again) in [("", &[1, 2, 3, 4, 5][..]), (ALL_WELL, &[3, 4, 5])] {
        let mut page = leaving_with_150_kb(recalled, 64_000);
        assert_eq!(page.sent_tickets(), [[1, 2]]);
        assert_eq!(page.deferrals(), [[[3, 4]]]);
        for ticket in 1..=4 {
            assert_eq!(page.fate(ticket), Some(Fate::HandedOver), "{ticket}");
        }
        assert_eq!(page.fate(5), Some(Fate::Stored));
        let counts = page.engine.counts();
        assert_eq!((counts.handed_over, counts.stored), (4, 1));
        let mut next = page.next();
        next.serve(1_000, |_| status(200));
        assert_eq!(next.sent_numbers(), again, "{recalled:?}");
    }
}

#[test]
fn an_answer_that_a_page_hears_after_it_left_makes_room_for_what_was_stored() {
    let mut page = leaving_with_150_kb(ALL_WELL, 64_000);
    page.sent();
    page.deferrals();
    page.answer(1, status(200));
    assert_eq!(page.sent(), [(Url::Single, Transport::Keepalive, vec![5])]);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0], "that is final");
    let counts = page.engine.counts();
    assert_eq!((counts.delivered, counts.handed_over), (2, 3));
    assert_eq!(page.next().sent_tickets(), [[3, 4]]);
}

/// Ten messages of 20,000 bytes: 4 to 6 went without keepalive, 7 to 9 are deferred, 10 waits. The browser has
/// the deferred request for certain once the transaction that came later is committed.
fn deferring_60_kb(commit: bool) -> Page {
    let config = Config { has_deferred: true, max_batch_bytes: 70_000, max_batch_events: 3, ..config() };
    let mut page = Page::recalling(config, ALL_WELL);
    for ticket in 1..=7 {
        page.accept(message(ticket, 20_000));
    }
    page.wait(0);
    assert_eq!(page.sent_tickets(), [[1, 2, 3], [4, 5, 6]]);
    assert_eq!(page.deferrals(), [[[7]]]);
    for ticket in 8..=9 {
        page.accept(message(ticket, 20_000));
    }
    page.wait(1_000);
    assert_eq!(page.deferrals(), [[[7, 8, 9]]]);
    page.accept(message(10, 20_000));
    page.wait(0);
    if commit {
        page.commit();
    }
    page
}

#[test]
fn at_leaving_what_the_browser_surely_has_stays_with_it() {
    let mut page = deferring_60_kb(true);
    page.page(PageEvent::Leaving);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0]);
    for ticket in 7..=9 {
        assert_eq!(page.fate(ticket), Some(Fate::HandedOver), "{ticket}");
    }
    assert_eq!(page.fate(10), Some(Fate::Stored));
    let mut next = page.next();
    next.serve(1_000, |_| status(200));
    assert_eq!(next.sent_numbers(), [4, 5, 6, 10]);
}

#[test]
fn at_leaving_what_the_browser_may_not_have_heard_of_is_kept() {
    let mut page = deferring_60_kb(false);
    page.page(PageEvent::Leaving);
    let mut next = page.next();
    next.serve(1_000, |_| status(200));
    assert_eq!(next.sent_numbers(), [4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn what_the_browser_would_send_is_sent_last() {
    let mut page = Page::new(Config { has_deferred: true, max_batch_events: 1, ..config() });
    for ticket in 1..=2 {
        page.accept(message(ticket, 100));
    }
    page.wait(0);
    page.sent();
    page.accept_all([3, 4]);
    assert_eq!(page.deferrals().last(), Some(&vec![vec![3], vec![4]]));
    page.accept_all([5]);
    page.answer(1, status(200));
    assert_eq!(page.sent_tickets(), [[5]]);
    page.answer(2, status(200));
    assert_eq!(page.sent_tickets(), [[3]]);
}

#[test]
fn a_refused_deferred_request_is_halved() {
    // Its quota, and what it holds in the end.
    for (quota, held) in [(40_000, vec![3]), (20_000, vec![])] {
        let mut page = leaving_with_150_kb("", quota);
        let asked: Vec<_> = page.deferrals().into_iter().filter(|asked| !asked.is_empty()).collect();
        assert_eq!(asked, [[vec![3, 4]], [vec![3]]], "{quota}");
        for ticket in 3..=5 {
            let fate = if held.contains(&u64::from(ticket)) { Fate::HandedOver } else { Fate::Stored };
            assert_eq!(page.fate(ticket), Some(fate), "{ticket} of {quota}");
        }
    }
}

#[test]
fn several_deferred_requests_share_one_quota() {
    let mut page = Page::new(Config { has_deferred: true, ..config() });
    page.accept(message(1, 65_000));
    page.wait(0);
    for ticket in 2..=5 {
        page.accept(message(ticket, 19_000));
    }
    page.page(PageEvent::Leaving);
    assert_eq!(page.sent_tickets(), [[1]]);
    // 64,000 bytes, of which each more takes its address, too.
    assert_eq!(page.deferrals(), [[[2], [3], [4]]]);
    assert_eq!(page.engine.counts().handed_over, 4);
}

// ---------------------------------------------------------------------------------------------
// Modes: what becomes of a message whose answer nobody saw.

#[test]
fn the_mode_and_what_is_known_of_the_endpoint_decide_what_the_next_page_sends_again() {
    let batch_well = "1795492190123 4";
    // Mode, what is known, and what the next page sends of one that was handed over.
    let table = [
        (Mode::Balanced, "", true),
        (Mode::Balanced, SINGLE_WELL, false),
        (Mode::Balanced, batch_well, true),
        (Mode::AtLeastOnce, "", true),
        (Mode::AtLeastOnce, ALL_WELL, true),
        (Mode::AtMostOnce, "", false),
        (Mode::AtMostOnce, ALL_WELL, false),
    ];
    for (mode, known, again) in table {
        // Sent while the page lived, or while it left; its record on disk, on its way, or not begun; a
        // transaction of a page that leaves may or may not be carried out.
        for (sent_before, saved, carried_out) in
            [(true, true, true), (true, false, true), (true, false, false), (false, false, false)]
        {
            let mut page = Page::recalling(Config { mode, ..config() }, known);
            page.accept(message(1, 100));
            if sent_before {
                page.wait(0);
            }
            if saved {
                page.commit();
            }
            page.page(PageEvent::Leaving);
            let row = (mode, known, sent_before, saved, carried_out);
            assert_eq!(page.sent_tickets(), [[1]], "{row:?}");
            assert_eq!(page.fate(1), Some(Fate::HandedOver), "{row:?}");
            for (_, write) in std::mem::take(&mut page.writes) {
                if carried_out {
                    page.commit_unheard(write);
                }
            }
            let mut next = page.next();
            assert_eq!(next.sent().len(), usize::from(again), "{row:?}");
            assert_eq!(next.keys().len(), usize::from(again), "{row:?}");
            assert!(next.handoffs.is_empty(), "{row:?}");
            // What is over is no loss.
            assert_eq!(next.engine.notes().records_dropped, 0, "{row:?}");
        }
    }
}

#[test]
fn what_is_known_of_the_endpoint_is_remembered_for_half_an_hour() {
    let learn = || {
        let mut page = Page::new(config());
        page.accept_all([1]);
        page.answer(1, status(200));
        page
    };
    // What happens next; how many milliseconds later the next page begins; whether it trusts.
    let table: [(&str, Step, i64, bool); 9] = [
        ("nothing", |_| {}, 0, true),
        ("nothing for long", |_| {}, 30 * MINUTE, true),
        ("nothing for too long", |_| {}, 30 * MINUTE + 1, false),
        ("the clock is set back", |_| {}, -1, false),
        ("another passes", |page| page.answer_one(status(200)), 0, true),
        ("the server is down", |page| page.answer_one(status(503)), 0, false),
        ("the network is gone", |page| page.answer_one(status(0)), 0, false),
        ("nothing is heard", |page| page.answer_one(Answer::TimedOut), 0, false),
        ("one is refused: the endpoint is well", |page| page.answer_one(status(400)), 0, true),
    ];
    for (name, happens, later, trusts) in table {
        let mut page = learn();
        happens(&mut page);
        let mut now = page.now;
        now.wall += later;
        let recalled = page.remembered.clone();
        let mut next = Page::opened(config(), Birth { recalled, now, ..Birth::default() });
        next.accept_all([1]);
        next.page(PageEvent::Leaving);
        assert_eq!(next.next().sent().is_empty(), trusts, "{name}");
    }
    for rubbish in
        ["", " ", "15", "x 15", "1795492190123 ", "1795492190123 x", "1795492190123 15 1", "1e9 15"]
    {
        let mut page = Page::recalling(config(), rubbish);
        page.accept_all([1]);
        page.page(PageEvent::Leaving);
        assert_eq!(page.next().sent().len(), 1, "{rubbish:?}");
    }
    // Where nothing is to be stored, this is not either.
    let mut page = Page::new(Config { storage: false, ..config() });
    page.accept_all([1]);
    page.answer(1, status(200));
    assert_eq!(page.remembered, "");
}

#[test]
fn nothing_is_trusted_that_flies_while_the_network_is_gone() {
    let mut page = Page::recalling(config(), ALL_WELL);
    page.accept_all([1]);
    page.commit();
    page.page(PageEvent::Offline);
    page.page(PageEvent::Leaving);
    assert_eq!(page.next().sent_tickets(), [[1]]);
}

#[test]
fn nothing_that_flies_is_trusted_any_more_once_something_fails() {
    for answer in [status(503), Answer::TimedOut, Answer::Unreachable] {
        let mut page = Page::recalling(config(), ALL_WELL);
        page.accept_all([1]);
        page.commit();
        page.page(PageEvent::Hidden);
        assert_eq!(page.handoff(OWNER).1, ["life/m1"]);
        page.accept(message(2, 100));
        assert_eq!(page.sent_tickets(), [[1], [2]]);
        page.answer(2, answer);
        page.wait(50);
        let kept = ["life/m1", "life/m2"].map(String::from).to_vec();
        assert_eq!(page.handoff(OWNER), (kept, vec![]), "{answer:?}");
        // The page crashes.
        assert_eq!(page.next().sent_numbers(), [1, 2], "{answer:?}");
    }
}

#[test]
fn what_was_called_delivered_and_failed_is_kept_anew() {
    let mut page = Page::recalling(config(), ALL_WELL);
    page.accept_all([1]);
    page.commit();
    page.page(PageEvent::Hidden);
    // Another page holds this one for gone, and believes its hand-off.
    page.disk.clear();
    page.handoffs.clear();
    page.answer(1, Answer::TimedOut);
    page.page(PageEvent::Leaving);
    assert_eq!(page.next().sent_numbers(), [1]);
}

#[test]
fn a_promise_that_the_browser_has_rejected_is_trusted_only_if_the_page_leaves() {
    let mut page = Page::recalling(config(), ALL_WELL);
    page.accept_all([1]);
    page.commit();
    page.page(PageEvent::Hidden);
    assert_eq!(page.handoff(OWNER).1, ["life/m1"]);
    page.answer(1, Answer::Unreachable);
    assert_eq!(page.handoff(OWNER), (vec![String::from("life/m1")], vec![]));
    page.page(PageEvent::Hidden);
    assert_eq!(page.handoff(OWNER).1, [""; 0]);
    page.page(PageEvent::Leaving);
    assert_eq!(page.handoff(OWNER), (vec![], vec![String::from("life/m1")]));
}

#[test]
fn what_the_hand_off_of_a_hidden_page_has_no_room_for_is_written_at_once() {
    for (quota, writes) in [(5_000_000, 0), (100, 1)] {
        let mut page = Page::new(config());
        page.page(PageEvent::Offline);
        page.page(PageEvent::Hidden);
        page.handoff_quota = quota;
        page.accept(message(1, 100));
        assert_eq!(page.writes.len(), writes);
    }
}

#[test]
fn a_plain_request_that_flies_at_leaving_dies_with_the_page_and_is_sent_again() {
    for (mode, handed_over, again) in
        [(Mode::Balanced, 0, 1), (Mode::AtLeastOnce, 0, 1), (Mode::AtMostOnce, 1, 0)]
    {
        let mut page = Page::recalling(Config { mode, ..config() }, ALL_WELL);
        page.accept(message(1, 66_000));
        page.wait(0);
        page.page(PageEvent::Leaving);
        assert_eq!(page.engine.counts().handed_over, handed_over, "{mode:?}");
        assert_eq!(page.next().sent().len(), again, "{mode:?}");
    }
}

// ---------------------------------------------------------------------------------------------
// At most once: never on disk while it may be sent. [`Page`] checks that at every request.

fn at_most_once() -> Config {
    Config { mode: Mode::AtMostOnce, ..config() }
}

#[test]
fn at_most_once_goes_to_disk_when_it_cannot_be_sent_and_is_drawn_before_it_is() {
    let mut page = Page::new(at_most_once());
    page.page(PageEvent::Offline);
    page.accept_all(1..=3);
    page.commit();
    assert_eq!(page.keys(), ["life/m1", "life/m2", "life/m3"]);
    page.wait(2_000);
    assert_eq!(page.engine.counts().stored, 3);
    page.page(PageEvent::Online);
    page.wait(0);
    assert_eq!(page.sent_tickets(), NONE, "the disk has not let go of them");
    assert_eq!(page.engine.counts().queued, 3);
    let [(_, write)] = &page.writes[..] else { panic!("{:?}", page.writes) };
    let claim = |ticket| Claim { from: format!("life/m{ticket}"), to: String::new(), record: String::new() };
    assert_eq!(write.claims, [claim(1), claim(2), claim(3)]);
    page.commit();
    assert_eq!(page.sent_tickets(), [[1, 2, 3]]);
    assert_eq!(page.keys(), [""; 0]);
    page.answer(1, status(200));
    assert_eq!(page.engine.counts().delivered, 3);
    page.wait(MINUTE);
    assert_eq!(page.writes, []);
}

#[test]
fn at_most_once_comes_back_from_a_server_that_did_not_take_it_and_from_nothing_else() {
    let unanswered = dropped(DropReason::Unanswered);
    for (answer, fate) in [
        (status(503), Some(Fate::Stored)),
        (busy("1"), Some(Fate::Stored)),
        (status(0), unanswered.clone()),
        (Answer::TimedOut, unanswered.clone()),
        (Answer::Unreachable, unanswered),
        (status(200), Some(Fate::Delivered)),
    ] {
        let mut page = Page::new(at_most_once());
        page.accept_all([1, 2]);
        assert_eq!(page.sent_tickets(), [[1, 2]]);
        assert_eq!(page.writes, [], "it flies");
        page.answer(1, answer);
        page.wait(50);
        page.commit();
        assert_eq!(page.fate(1), fate, "{answer:?}");
        let stored = fate == Some(Fate::Stored);
        assert_eq!(page.keys().len(), if stored { 2 } else { 0 }, "{answer:?}");
        page.serve(5_000, |_| status(200));
        let again: &[u64] = if stored { &[1, 2] } else { &[] };
        assert_eq!(page.sent_numbers(), again, "{answer:?}");
    }
}

#[test]
fn at_most_once_gives_up_what_another_page_has_drawn() {
    let mut page = Page::new(at_most_once());
    page.page(PageEvent::Offline);
    page.accept_all([1, 2]);
    page.commit();
    page.page(PageEvent::Online);
    page.wait(0);
    page.disk.remove("life/m1");
    page.commit();
    assert_eq!(page.sent_tickets(), [[2]]);
    assert_eq!(page.fate(1), Some(Fate::Stored));
    assert_eq!(page.engine.counts().stored, 1, "it is in another's hands");
    page.serve(MINUTE, |_| status(200));
    assert_eq!(page.sent_tickets(), NONE);
}

#[test]
fn at_most_once_keeps_what_could_not_be_drawn_and_tries_half_a_minute_later() {
    let mut page = Page::new(at_most_once());
    page.page(PageEvent::Offline);
    page.accept_all([1]);
    page.commit();
    page.page(PageEvent::Online);
    page.wait(0);
    page.abort();
    page.wait(29_999);
    assert_eq!(page.sent_tickets(), NONE);
    assert_eq!(page.writes, []);
    page.wait(1);
    page.commit();
    assert_eq!(page.sent_tickets(), [[1]]);
}

#[test]
fn at_most_once_leaves_on_disk_what_is_there_when_the_page_leaves() {
    let mut page = Page::new(at_most_once());
    page.page(PageEvent::Offline);
    page.accept_all([1]);
    page.commit();
    page.accept(message(2, 100));
    page.page(PageEvent::Online);
    page.page(PageEvent::Leaving);
    assert_eq!(page.sent_tickets(), [[2]]);
    assert_eq!(page.engine.counts().stored, 1);
    let mut next = page.next();
    next.commit();
    assert_eq!(next.sent_tickets(), [[1]]);
    assert_eq!(next.keys(), [""; 0]);
}

// ---------------------------------------------------------------------------------------------
// Out of the back/forward cache.

fn back_from_cache(config: Config, known: &str) -> Page {
    let mut page = Page::recalling(config, known);
    page.accept_all([1]);
    page.commit();
    page.page(PageEvent::Leaving);
    assert_eq!(page.sent_tickets(), [[1]]);
    page.pass(5_000);
    page.restore("again");
    assert_eq!(page.opened, [OWNER, "again"]);
    page
}

#[test]
fn a_restored_page_lives_under_a_new_name_and_sends_nothing_twice() {
    for (known, on_disk) in [("", 1), (ALL_WELL, 0)] {
        let mut page = back_from_cache(config(), known);
        page.wait(1_000);
        page.commit();
        // It holds the lease, and finds what it has left behind while the answer is out.
        page.lead(&[]);
        assert_eq!(page.sent_tickets(), NONE);
        page.answer(1, status(200));
        page.commit();
        assert_eq!(page.keys(), [""; 0], "seen late, and remembered");
        assert_eq!(page.engine.counts().delivered, 1);
        page.accept_all([2]);
        assert_eq!(page.sent_tickets(), [[2]]);
        page.commit();
        assert_eq!(page.keys(), ["again/m2"]);
        // Nobody else sends it either, whatever of it they find.
        page.page(PageEvent::Leaving);
        page.handoffs.remove(OWNER);
        if on_disk == 1 {
            page.disk.insert(String::from("life/m1"), record(&page.config, 1, START.wall));
        }
        let mut next = page.next();
        next.serve(1_000, |_| status(200));
        assert!(!next.sent_numbers().contains(&1), "{known:?}");
        assert_eq!(next.keys(), [""; 0]);
    }
}

#[test]
fn an_answer_seen_late_keeps_pages_that_live_from_sending_what_was_left_behind() {
    let mut page = back_from_cache(config(), "");
    page.answer(1, status(200));
    // Its transaction is not committed. Another page looks at the outbox.
    assert_eq!(page.keys(), ["life/m1"]);
    assert_eq!(page.handoff("again").1, ["life/m1"]);
    let mut other = Page::opened(config(), Birth { owner: "other", now: page.now, ..Birth::default() });
    other.disk.clone_from(&page.disk);
    other.handoffs.clone_from(&page.handoffs);
    other.lead(&["again"]);
    assert_eq!(other.sent_tickets(), NONE);
    assert_eq!(other.keys(), [""; 0]);
    assert_eq!(other.engine.notes().records_dropped, 0);
    assert!(other.handoffs.contains_key("again"), "it lives");
}

#[test]
fn what_fails_after_the_page_came_back_belongs_to_whoever_finds_it() {
    let mut page = back_from_cache(config(), "");
    page.answer(1, status(503));
    page.wait(MINUTE);
    assert_eq!(page.sent_tickets(), NONE);
    assert_eq!(page.engine.counts().stored, 1);
    // It is the one that finds it.
    page.lead(&[]);
    assert_eq!(page.keys(), ["again/m1"]);
    assert_eq!(page.sent_tickets(), [[1]]);
    page.answer(2, status(200));
    assert_eq!(page.engine.counts().delivered, 1);
    page.commit();
    assert_eq!(page.keys(), [""; 0]);
}

#[test]
fn what_a_page_stowed_away_is_sent_once_after_it_came_back() {
    // On disk; in the hand-off; in a transaction that is committed, or aborted, while the page was away,
    // and in no hand-off.
    #[derive(PartialEq, Debug)]
    enum Left {
        OnDisk,
        InHandoff,
        Committed,
        Aborted,
        Nowhere,
    }
    for left in [Left::OnDisk, Left::InHandoff, Left::Committed, Left::Aborted, Left::Nowhere] {
        let mut page = Page::new(config());
        page.page(PageEvent::Offline);
        page.accept(message(1, 100));
        if matches!(left, Left::Committed | Left::Aborted | Left::Nowhere) {
            page.handoff_quota = 0;
        }
        if left != Left::Nowhere {
            page.wait(0);
        }
        if left == Left::OnDisk {
            page.commit();
        }
        page.page(PageEvent::Leaving);
        page.pass(5_000);
        page.page(PageEvent::Online);
        page.restore("again");
        match left {
            Left::Committed => page.commit(),
            Left::Aborted => page.abort(),
            _ => {}
        }
        page.wait(0);
        let own = matches!(left, Left::Aborted | Left::Nowhere);
        assert_eq!(page.sent().len(), usize::from(own), "{left:?}");
        assert_eq!(page.engine.counts().stored, u32::from(!own), "{left:?}");
        page.lead(&[]);
        page.serve(MINUTE, |_| status(200));
        let sent = page.requests.iter().flat_map(tickets).collect::<Vec<_>>();
        assert_eq!(sent, [1], "{left:?}");
        assert_eq!(page.engine.counts().delivered, 1, "{left:?} {:?}", page.engine.counts());
        assert_eq!(page.keys(), [""; 0], "{left:?}");
    }
}

#[test]
fn what_the_browser_took_is_handed_over_for_good_when_the_page_comes_back() {
    let mut page = leaving_with_150_kb(ALL_WELL, 64_000);
    page.sent();
    page.pass(1_000);
    page.restore("again");
    page.wait(0);
    page.serve(MINUTE, |_| status(200));
    assert_eq!(page.sent_tickets(), NONE);
    let counts = page.engine.counts();
    assert_eq!((counts.delivered, counts.handed_over, counts.stored), (2, 2, 1));
}

#[test]
fn what_was_being_taken_over_when_the_page_left_is_an_orphan_under_its_old_name() {
    let mut page = Page::new(config());
    page.disk.insert(String::from("gone/m1"), record(&page.config, 1, START.wall));
    page.lease(true);
    page.survey(&[]);
    page.page(PageEvent::Leaving);
    page.restore("again");
    page.commit();
    assert_eq!(page.keys(), ["life/m1"]);
    page.wait(MINUTE);
    assert_eq!(page.sent_tickets(), NONE, "anybody may find it now");
    page.lead(&[]);
    page.serve(1_000, |_| status(200));
    assert_eq!(page.sent_tickets(), [[1]]);
    assert_eq!(page.keys(), [""; 0]);
}

#[test]
fn what_flies_when_the_page_comes_back_keeps_the_hand_off_that_keeps_it() {
    for (name, answer, again) in [("answered", status(200), 0), ("failed", status(503), 1)] {
        let mut page = Page::new(config());
        page.accept_all([1]);
        page.abort();
        page.page(PageEvent::Leaving);
        assert_eq!(page.handoff(OWNER).0, ["life/m1"]);
        page.pass(5_000);
        page.restore("again");
        assert_eq!(page.sent_tickets(), [[1]]);
        // It finds what it has left behind. Before anything of that is committed the answer comes.
        page.lease(true);
        page.survey(&[]);
        page.answer(1, answer);
        page.serve(MINUTE, |_| status(200));
        page.survey(&[]);
        page.serve(1_000, |_| status(200));
        assert_eq!(page.sent_tickets().len(), again, "{name}");
        assert_eq!(page.engine.counts().delivered, 1, "{name}");
        assert_eq!(page.keys(), [""; 0], "{name}");
        assert_eq!(page.handoff(OWNER).0, [""; 0], "{name}");
    }
}

#[test]
fn what_others_took_over_while_it_flies_is_left_alone_until_the_answer_is_known() {
    // The hand-off that keeps it still stands: the other has put it on disk, and was gone then. Or the other
    // handed it off in turn.
    for on_disk in [true, false] {
        for (answer, again) in [(status(200), false), (status(503), true)] {
            let mut page = back_from_cache(config(), "");
            let kept = std::mem::take(&mut page.disk).remove("life/m1").expect("it was left on disk");
            if on_disk {
                page.plant(OWNER, &[("life/m1", 1)], &[]);
                page.disk.insert(String::from("other/m1"), kept);
            } else {
                page.plant("other", &[("other/m1", 1)], &[]);
            }
            page.lead(&[]);
            assert_eq!((page.handoffs.len(), page.sent_tickets()), (1, vec![]), "{on_disk} {answer:?}");
            page.answer(1, answer);
            page.serve(MINUTE, |_| status(200));
            page.survey(&[]);
            page.serve(1_000, |_| status(200));
            assert_eq!(page.sent_tickets().len(), usize::from(again), "{on_disk} {answer:?}");
            assert_eq!(page.engine.counts().delivered, 1, "{on_disk} {answer:?}");
            page.page(PageEvent::Leaving);
            let mut next = page.next();
            assert_eq!(next.sent_tickets(), NONE, "{on_disk} {answer:?}");
            assert_eq!(next.keys(), [""; 0], "{on_disk} {answer:?}");
        }
    }
}

#[test]
fn what_others_took_over_before_its_transaction_was_heard_of_is_found_under_their_name() {
    let mut page = Page::new(config());
    page.page(PageEvent::Offline);
    page.handoff_quota = 0;
    page.accept_all([1]);
    page.page(PageEvent::Leaving);
    let (op, _) = page.writes.remove(0);
    page.pass(5_000);
    page.restore("again");
    page.plant("other", &[("other/m1", 1)], &[]);
    page.lease(true);
    page.survey(&[]);
    page.tell(|engine, now, fx| engine.written(op, Some(vec![]), now, fx));
    page.commit();
    assert_eq!(page.keys(), ["again/m1"]);
    assert!(page.handoffs.is_empty());
}

#[test]
fn what_a_page_that_came_back_saw_answered_is_not_sent_under_any_name() {
    // The page that took it over was gone before its transaction was committed; or it lives, and waits.
    let mut page = Page::new(config());
    page.disk.insert(String::from("other/m1"), record(&page.config, 1, page.now.wall));
    page.plant("again", &[], &["life/m1"]);
    page.lead(&[]);
    assert_eq!((page.sent_tickets(), page.keys()), (vec![], vec![]));

    for live in [&["again"][..], &[]] {
        let mut page = Page::new(config());
        page.page(PageEvent::Offline);
        page.disk.insert(String::from("away/m1"), record(&page.config, 1, page.now.wall));
        page.lead(&[]);
        assert_eq!(page.keys(), ["life/m1"]);
        page.plant("again", &[], &["away/m1"]);
        page.wait(MINUTE);
        page.survey(live);
        page.commit();
        page.page(PageEvent::Online);
        assert_eq!((page.sent_tickets(), page.keys()), (vec![], vec![]), "{live:?}");
    }

    // What it only moves is not gone.
    let mut page = Page::new(config());
    page.plant("again", &[("again/m1", 1)], &["away/m1"]);
    page.lead(&[]);
    assert_eq!(page.sent_tickets(), [[1]]);
}

#[test]
fn an_answer_that_is_seen_by_a_page_that_came_back_twice_is_told_of_the_record_that_there_is() {
    let mut page = back_from_cache(config(), "");
    page.page(PageEvent::Leaving);
    page.pass(1_000);
    page.restore("third");
    page.answer(1, status(200));
    page.page(PageEvent::Leaving);
    assert_eq!(page.keys(), ["life/m1"], "no transaction is committed");
    let gone = page.handoff("third").1;
    assert!(gone.iter().all(|key| key == "life/m1"), "{gone:?}");
    let mut next = page.next();
    assert_eq!(next.sent_tickets(), NONE);
    assert_eq!(next.keys(), [""; 0]);
}

#[test]
fn what_a_beacon_took_and_no_outbox_keeps_is_kept_by_the_page_that_comes_back() {
    for (put, commit) in [(false, false), (true, false), (true, true)] {
        let mut page = Page::new(Config { mode: Mode::AtLeastOnce, ..beacons() });
        page.handoff_quota = 0;
        page.page(if put { PageEvent::Hidden } else { PageEvent::Leaving });
        page.accept(message(1, 100));
        page.tell(|engine, now, fx| engine.answer(1, Answer::BeaconTaken, now, fx));
        assert_eq!(page.fate(1), Some(Fate::HandedOver));
        assert_eq!(page.writes.len(), usize::from(put));
        page.page(PageEvent::Leaving);
        page.pass(5_000);
        page.restore("again");
        match (put, commit) {
            (true, true) => page.commit(),
            (true, false) => page.abort(),
            _ => {}
        }
        page.serve(MINUTE, |_| status(200));
        let owner = if commit { OWNER } else { "again" };
        assert_eq!(page.keys(), [format!("{owner}/m1")], "{put} {commit}");
        let counts = page.engine.counts();
        assert_eq!(counts.handed_over + counts.stored, 1);
        page.page(PageEvent::Leaving);
        let mut next = page.next();
        next.serve(1_000, |_| status(200));
        assert_eq!(next.sent_numbers(), [1], "{put} {commit}");
    }
}

#[test]
fn what_flies_while_the_page_is_away_is_delivered_once_whatever_the_disk_does() {
    for case in 0..16 {
        let [handoff, committed, disk_first, failed] = [1, 2, 4, 8].map(|bit| case & bit != 0);
        let case =
            format!("hand-off {handoff}, committed {committed}, disk first {disk_first}, failed {failed}");
        let mut page = Page::new(config());
        page.accept_all([1]);
        page.handoff_quota = if handoff { 5_000_000 } else { 0 };
        page.page(PageEvent::Leaving);
        page.pass(5_000);
        page.restore("again");
        // Only now it hears of the transaction that was under way, and of the request.
        let disk = |page: &mut Page| if committed { page.commit() } else { page.abort() };
        if disk_first {
            disk(&mut page);
        }
        page.answer(1, status(if failed { 503 } else { 200 }));
        if !disk_first {
            disk(&mut page);
        }
        for _ in 0..3 {
            page.lead(&[]);
            page.serve(MINUTE, |_| status(200));
        }
        assert_eq!(page.sent_numbers().len(), if failed { 2 } else { 1 }, "{case}");
        assert_eq!(page.engine.counts().delivered, 1, "{case}");
        assert_eq!(page.keys(), [""; 0], "{case}");
        assert_eq!(page.handoff(OWNER).0, [""; 0], "{case}");
    }
}

#[test]
fn what_was_answered_is_told_where_the_outbox_cannot_be_opened_any_more() {
    let mut page = Page::born(config(), Birth::default());
    page.accept_all([1]);
    page.page(PageEvent::Leaving);
    assert_eq!(page.handoff(OWNER).0, ["life/m1"]);
    page.page(PageEvent::Restored { owner: String::from("again") });
    page.answer(1, status(200));
    page.answer_open(false);
    page.page(PageEvent::Leaving);
    let mut next = page.next();
    assert_eq!(next.sent_tickets(), NONE);
    assert!(next.handoffs.is_empty());
}

#[test]
fn at_most_once_leaves_what_it_was_taking_over_to_one_hand_off_only() {
    let mut page = Page::new(at_most_once());
    let left = Handoff {
        records: vec![(String::from("gone/m1"), record(&page.config, 1, page.now.wall))],
        gone: Vec::new(),
    };
    page.handoffs.insert(String::from("gone"), left.write(&page.config));
    page.lease(true);
    page.survey(&[]);
    page.page(PageEvent::Leaving);
    // Another page takes it from there and sends it.
    assert_eq!(page.handoff(OWNER).0, ["life/m1"]);
    page.handoffs.clear();
    page.restore("again");
    page.page(PageEvent::Leaving);
    assert!(page.handoffs.is_empty());
    page.restore("third");
    page.abort();
    assert!(page.handoffs.is_empty());
}

#[test]
fn at_most_once_takes_off_the_disk_no_more_than_it_sends() {
    let mut page = Page::new(Config { max_batch_events: 2, ..at_most_once() });
    page.page(PageEvent::Offline);
    page.accept_all(1..=3);
    page.accept(message(4, 30_000));
    page.accept(message(5, 30_000));
    page.wait(0);
    page.commit();
    page.page(PageEvent::Online);
    page.wait(0);
    for sent in [[[1, 2].as_slice(), &[3]], [&[4], &[5]]] {
        page.commit();
        assert_eq!(page.sent_tickets(), sent);
        assert_eq!(page.writes, [], "nothing is put back");
        page.answer_next(status(200));
        page.answer_next(status(200));
        page.wait(250);
    }
    assert_eq!(page.keys(), [""; 0]);
}
