//! The outbox: what is written and when it counts, what a broken disk changes, what is given up, and what
//! is taken over from pages that are gone.

use crate::page::*;
use std::collections::BTreeMap;
use xdm_beacon::delivery::{
    Answer, Claim, Config, Consent, DropReason, Fate, Handoff, Message, Mode, Notes, PageEvent, Priority,
    Record, SURVEY_RECORDS,
};
use xdm_beacon::time::Millis;

const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;

// ---------------------------------------------------------------------------------------------
// The promise `stored`.

#[test]
fn a_record_is_put_at_the_end_of_the_task_and_removed_when_it_is_answered() {
    let mut page = Page::new(config());
    page.accept(message(1, 100));
    page.accept(message(2, 100));
    assert_eq!(page.writes, []);
    page.wait(0);
    let [(_, write)] = &page.writes[..] else { panic!("{:?}", page.writes) };
    let keys: Vec<&str> = write.puts.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["life/m1", "life/m2"], "one transaction for all");
    let read = Record::read(&page.config, &write.puts[0].1).unwrap();
    assert_eq!(read.json, message(1, 100).json);
    assert_eq!((read.created, read.id.as_deref()), (START.wall, Some("id-1")));
    page.commit();
    assert_eq!(page.engine.notes().outbox_events, 2);
    assert_eq!(page.engine.notes().outbox_bytes, 200);

    page.answer(1, status(200));
    page.commit();
    assert_eq!(page.disk, BTreeMap::new());
    assert_eq!(page.engine.counts().delivered, 2);
    assert_eq!(page.engine.notes().outbox_events, 0);
}

#[test]
fn a_promise_is_settled_as_stored_when_the_record_is_committed_and_there_is_a_reason() {
    let reasons: [(&str, Step); 4] = [
        ("an attempt failed", |page| page.answer(1, status(503))),
        ("two seconds have passed", |page| page.wait(2_000)),
        ("an attempt timed out", |page| page.answer(1, Answer::TimedOut)),
        ("an attempt failed, by the network", |page| page.answer(1, status(0))),
    ];
    for (name, reason) in reasons {
        for first in ["reason", "disk"] {
            let mut page = Page::new(config());
            page.accept_all([1]);
            if first == "disk" {
                page.commit();
                assert_eq!(page.fate(1), None, "it may yet be delivered");
                reason(&mut page);
            } else {
                reason(&mut page);
                assert_eq!(page.fate(1), None, "{name}: only what is committed is stored");
                assert_eq!(page.engine.counts().stored, 0);
                page.commit();
            }
            assert_eq!(page.fate(1), Some(Fate::Stored), "{name}, first the {first}");
        }
    }
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.commit();
    page.wait(1_999);
    assert_eq!(page.fate(1), None);
    page.answer(1, status(200));
    assert_eq!(page.fate(1), Some(Fate::Delivered));
}

#[test]
fn at_leaving_what_was_not_sent_is_stored_when_it_is_on_disk_or_in_the_hand_off() {
    for event in [PageEvent::Hidden, PageEvent::Leaving] {
        for (committed, quota, stored) in
            [(true, 5_000_000, true), (false, 5_000_000, true), (true, 0, true), (false, 0, false)]
        {
            let mut page = Page::new(config());
            page.handoff_quota = quota;
            page.page(PageEvent::Offline);
            page.accept_all([1]);
            if committed {
                page.commit();
            }
            assert_eq!(page.fate(1), None);
            page.page(event.clone());
            let row = (&event, committed, quota);
            assert_eq!(page.fate(1), stored.then_some(Fate::Stored), "{row:?}");
            let counts = page.engine.counts();
            assert_eq!((counts.stored, counts.queued), if stored { (1, 0) } else { (0, 1) }, "{row:?}");
            // The answer of the disk may still be heard.
            page.commit();
            assert_eq!(page.fate(1), Some(Fate::Stored), "{row:?}");
        }
    }
}

// ---------------------------------------------------------------------------------------------
// A disk that fails.

#[test]
fn an_aborted_transaction_is_tried_again_after_half_a_minute() {
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.answer(1, status(503));
    assert_eq!(page.fate(1), None);
    page.abort();
    // For the time being memory is all there is, and the status says so.
    assert_eq!(page.fate(1), Some(Fate::Stored));
    assert_eq!(page.engine.counts().queued, 1);
    assert!(!page.engine.notes().durable);
    page.page(PageEvent::Offline);
    page.accept_all([2]);
    page.wait(29_999);
    assert_eq!(page.writes, [], "it is left in peace");
    page.wait(1);
    page.commit();
    assert_eq!(page.keys(), ["life/m1", "life/m2"]);
    assert!(page.engine.notes().durable);
    assert_eq!(page.engine.counts().stored, 2);
}

#[test]
fn what_an_aborted_transaction_was_to_remove_is_removed_later() {
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.commit();
    page.answer(1, status(200));
    page.abort();
    assert_eq!(page.keys(), ["life/m1"]);
    page.wait(29_999);
    assert_eq!(page.writes, []);
    // The next thing that is written takes it along.
    page.accept_all([2]);
    page.wait(1);
    page.commit();
    assert_eq!(page.keys(), ["life/m2"]);
}

#[test]
fn what_an_aborted_transaction_was_to_remove_is_in_the_hand_off() {
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.commit();
    page.answer(1, status(200));
    page.abort();
    page.page(PageEvent::Leaving);
    assert_eq!(page.handoff(OWNER).1, ["life/m1"]);
    let mut next = page.next();
    next.commit();
    assert_eq!(next.sent_tickets(), NONE);
    assert_eq!(next.keys(), [""; 0]);
}

#[test]
fn a_transaction_that_is_committed_ends_the_rest_of_the_disk() {
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.abort();
    assert!(!page.engine.notes().durable);
    page.disk.insert(String::from("gone/m2"), record(&page.config, 2, page.now.wall));
    page.lease(true);
    page.survey(&[]);
    page.commit();
    assert!(page.engine.notes().durable);
    page.answer_next(status(200));
    page.answer_next(status(200));
    page.commit();
    assert_eq!(page.keys(), [""; 0]);
}

#[test]
fn a_disk_that_does_not_answer_gets_no_more_and_holds_nothing_up() {
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.answer(1, status(503));
    page.wait(9_999);
    assert_eq!(page.fate(1), None);
    assert!(page.engine.notes().durable);
    page.serve_endpoint(1);
    assert_eq!(page.engine.counts().delivered, 1, "{:?}", page.engine.counts());

    let mut page = Page::new(config());
    page.accept_all([1]);
    page.answer(1, busy("100"));
    page.wait(10_000);
    assert!(!page.engine.notes().durable);
    assert_eq!(page.fate(1), Some(Fate::Stored), "in memory");
    page.accept_all([2]);
    page.wait(MINUTE);
    assert_eq!(page.writes.len(), 1, "no more is given to it");
    // Late, but not never.
    page.commit();
    page.commit();
    assert!(page.engine.notes().durable);
    assert_eq!(page.keys(), ["life/m1", "life/m2"]);
}

#[test]
fn an_outbox_that_opens_late_is_used_and_one_that_never_does_holds_nothing_up() {
    let mut page = Page::born(config(), Birth::default());
    page.accept_all([1]);
    assert_eq!(page.sent_tickets(), [[1]]);
    page.answer(1, busy("100"));
    page.wait(9_999);
    assert_eq!(page.fate(1), None);
    page.wait(1);
    assert_eq!(page.fate(1), Some(Fate::Stored), "in memory");
    assert!(!page.engine.notes().durable);
    assert_eq!(page.writes, []);
    page.answer_open(true);
    page.wait(0);
    page.commit();
    assert_eq!(page.keys(), ["life/m1"]);
    assert!(page.engine.notes().durable);
}

#[test]
fn without_a_disk_memory_is_all_there_is() {
    for asked in [true, false] {
        let mut page = Page::born(Config { storage: asked, ..config() }, Birth::default());
        assert_eq!(page.opened.len(), usize::from(asked));
        if asked {
            page.answer_open(false);
        }
        assert!(!page.engine.notes().durable);
        page.accept_all([1]);
        page.wait(1_999);
        assert_eq!(page.fate(1), None);
        page.wait(1);
        assert_eq!(page.fate(1), Some(Fate::Stored));
        assert_eq!(page.engine.counts().in_flight, 1);
        page.answer(1, status(503));
        assert_eq!(page.engine.counts().queued, 1);
        page.wait_for_request();
        page.answer(2, status(200));
        assert_eq!(page.engine.counts().delivered, 1);
        page.page(PageEvent::Offline);
        page.accept_all([2]);
        page.page(PageEvent::Leaving);
        assert_eq!(page.engine.counts().queued, 1);
        assert!(page.handoffs.is_empty());
        assert_eq!(page.closed, 0);
        assert_eq!(page.writes, []);
    }
}

// ---------------------------------------------------------------------------------------------
// Bounds.

#[test]
fn the_bound_evicts_the_oldest_of_the_lowest_priority() {
    let mut page = Page::new(Config { max_stored_bytes: 300, ..config() });
    page.page(PageEvent::Offline);
    for (ticket, priority) in [
        (1, Priority::High),
        (2, Priority::Normal),
        (3, Priority::Low),
        (4, Priority::Low),
        (5, Priority::Normal),
        (6, Priority::Normal),
    ] {
        page.accept(Message { priority, ..message(ticket, 100) });
        page.wait(0);
        page.commit();
    }
    page.commit();
    let evicted = dropped(DropReason::Evicted).unwrap();
    let expected = BTreeMap::from([2, 3, 4].map(|ticket| (ticket, evicted.clone())));
    assert_eq!(page.settled, expected);
    assert_eq!(page.keys(), ["life/m1", "life/m5", "life/m6"]);
    assert_eq!(page.engine.counts().dropped.evicted, 3);
    let Notes { outbox_events, outbox_bytes, .. } = page.engine.notes();
    assert_eq!((outbox_events, outbox_bytes), (3, 300));
    // One that is larger than all there is room for goes itself, and takes the others along.
    page.accept(Message { priority: Priority::High, ..message(7, 301) });
    page.wait(0);
    assert_eq!(page.fate(7), dropped(DropReason::Evicted));
}

#[test]
fn what_flies_is_not_evicted() {
    let mut page = Page::new(Config { max_stored_bytes: 300, ..config() });
    page.accept_all([1, 2]);
    page.accept(Message { priority: Priority::High, ..message(3, 200) });
    page.wait(0);
    assert_eq!(page.fate(3), dropped(DropReason::Evicted));
    page.answer(1, status(200));
    assert_eq!(page.engine.counts().delivered, 2);
}

#[test]
fn what_is_taken_over_is_bounded_too() {
    let mut page = Page::new(Config { max_stored_bytes: 300, ..config() });
    page.page(PageEvent::Offline);
    page.accept_all([1]);
    page.commit();
    for ticket in 2..=5 {
        page.disk.insert(format!("gone/m{ticket}"), record(&page.config, ticket, page.now.wall));
    }
    page.lead(&[]);
    page.commit();
    assert_eq!(page.disk.len(), 3);
    assert_eq!(page.engine.notes().outbox_bytes, 300);
    assert_eq!(page.engine.notes().records_dropped + page.engine.counts().dropped.evicted, 2);
}

#[test]
fn own_messages_expire_by_the_clock_that_only_goes_forward() {
    // How the wall clock jumps meanwhile.
    for jump in [0, -10 * 24 * HOUR, 10 * 24 * HOUR] {
        let mut page = Page::new(config());
        page.page(PageEvent::Offline);
        page.accept_all([1]);
        page.commit();
        page.now.wall += jump;
        page.wait(HOUR);
        page.accept_all([2]);
        assert_eq!(page.fate(1), Some(Fate::Stored), "{jump}");
        assert_eq!(page.engine.counts().stored, 1, "{jump}");
        page.wait(1);
        page.accept_all([3]);
        assert_eq!(page.engine.counts().dropped.expired, 1, "{jump}");
        page.commit();
        assert_eq!(page.keys(), ["life/m2", "life/m3"], "{jump}");
    }
}

#[test]
fn what_expires_without_a_disk_tells_its_promise() {
    let mut page = Page::new(config());
    page.page(PageEvent::Offline);
    page.accept_all([1]);
    // The disk is busy for as long as that.
    page.pass(HOUR + 1);
    page.wait(0);
    assert_eq!(page.fate(1), dropped(DropReason::Expired));
}

#[test]
fn what_flies_does_not_expire() {
    let mut page = Page::new(Config { max_age: 1_000, ..config() });
    page.accept_all([1]);
    page.commit();
    page.wait(1_001);
    page.answer(1, status(200));
    assert_eq!(page.fate(1), Some(Fate::Delivered));
}

#[test]
fn what_is_taken_over_expires_by_the_age_of_its_record() {
    let mut page = Page::new(config());
    page.page(PageEvent::Offline);
    let wall = page.now.wall;
    // One is too old, one is not yet, and one is of the future: somebody has set the clock.
    for (ticket, created) in [(1, wall - HOUR - 1), (2, wall - HOUR), (3, wall + HOUR)] {
        page.disk.insert(format!("gone/m{ticket}"), record(&page.config, ticket, created));
    }
    page.lead(&[]);
    assert_eq!(page.keys(), ["life/m2", "life/m3"]);
    assert_eq!(page.engine.notes().records_dropped, 1);
    page.wait(1);
    page.accept_all([4]);
    page.commit();
    assert_eq!(page.keys(), ["life/m3", "life/m4"]);
    assert_eq!(page.engine.notes().records_dropped, 2);
    assert_eq!(page.engine.counts().dropped.expired, 0, "it was not accepted by this page");
    // A record keeps its age, whoever has it.
    let record = Record::read(&page.config, &page.disk["life/m3"]).unwrap();
    assert_eq!(record.created, wall + HOUR);
}

// ---------------------------------------------------------------------------------------------
// Consent.

#[test]
fn while_consent_is_pending_nothing_is_stored_or_sent_and_then_all_of_it() {
    let mut page = Page::born(
        Config { has_deferred: true, ..config() },
        Birth { consent: Consent::Pending, ..Birth::default() },
    );
    page.accept_all([1, 2]);
    assert_eq!(page.fate(1), Some(Fate::Pending));
    assert_eq!(page.engine.counts().pending, 2);
    page.page(PageEvent::Hidden);
    page.accept(Message { unloading: true, ..message(3, 100) });
    page.flush();
    page.page(PageEvent::Shown);
    page.wait(MINUTE);
    assert_eq!(page.opened, [""; 0]);
    assert_eq!(page.sent_tickets(), NONE);
    assert_eq!(page.deferrals(), [[[0; 0]; 0]; 0]);
    assert!(page.handoffs.is_empty());
    page.consent(Consent::In);
    page.wait(0);
    assert_eq!(page.opened, [OWNER]);
    assert_eq!(page.sent_tickets(), [[1, 2, 3]]);
    page.answer_open(true);
    page.wait(0);
    page.commit();
    assert_eq!(page.disk.len(), 3);
    page.answer(1, status(200));
    page.commit();
    assert_eq!(page.engine.counts().delivered, 3);
    assert_eq!(page.fate(1), Some(Fate::Pending), "a promise is settled once");
    assert_eq!(page.keys(), [""; 0]);
}

#[test]
fn what_waits_for_consent_goes_with_the_page() {
    let mut page = Page::born(config(), Birth { consent: Consent::Pending, ..Birth::default() });
    page.accept_all([1]);
    page.page(PageEvent::Leaving);
    assert!(page.handoffs.is_empty());
    assert_eq!(page.sent_tickets(), NONE);
    assert_eq!(page.engine.counts().pending, 1);
}

#[test]
fn consent_in_question_stops_what_waits_until_it_is_given_again() {
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.answer(1, status(503));
    page.commit();
    page.sent();
    page.consent(Consent::Pending);
    page.accept_all([2]);
    page.wait(MINUTE);
    page.commit();
    assert_eq!(page.sent_tickets(), NONE);
    assert_eq!(page.keys(), ["life/m1"], "of before; nothing of since");
    let counts = page.engine.counts();
    assert_eq!((counts.stored, counts.pending), (1, 1));
    page.consent(Consent::In);
    page.wait(0);
    page.answer_next(status(200));
    page.wait(250);
    assert_eq!(page.sent_tickets(), [[1], [2]]);
}

#[test]
fn consent_refused_purges_what_waits_here_and_in_the_outbox() {
    let mut page = Page::new(Config { has_batch: false, ..config() });
    page.accept_all(1..=4);
    page.commit();
    page.disk.insert(String::from("gone/m10"), record(&page.config, 10, page.now.wall));
    page.disk.insert(String::from("alive/m11"), record(&page.config, 11, page.now.wall));
    let other = Config { org_id: String::from("1@AdobeOrg"), ..config() };
    page.disk.insert(String::from("gone/m12"), record(&other, 12, page.now.wall));
    let handoff = Handoff {
        records: vec![(String::from("gone/m13"), record(&page.config, 13, page.now.wall))],
        gone: Vec::new(),
    };
    page.handoffs.insert(String::from("gone"), handoff.write(&page.config));
    assert_eq!(page.sent_tickets(), [[1], [2]]);

    page.consent(Consent::Out);
    for ticket in [3, 4] {
        assert_eq!(page.fate(ticket), dropped(DropReason::Consent), "{ticket}");
    }
    page.accept_all([5]);
    assert_eq!(page.fate(5), dropped(DropReason::Consent));
    // What flies cannot be called back. It is heard of.
    page.answer(1, status(200));
    page.answer(2, status(200));
    page.lead(&["alive"]);
    page.commit();
    assert_eq!(page.keys(), ["alive/m11", "gone/m12"], "others' is theirs");
    assert!(page.handoffs.is_empty());
    assert_eq!(page.sent_tickets(), NONE);
    let counts = page.engine.counts();
    assert_eq!((counts.delivered, counts.dropped.consent), (2, 3));
    assert_eq!(page.engine.notes().records_dropped, 2);

    // Given again, what comes from now on is collected.
    page.consent(Consent::In);
    page.wait(250);
    page.accept_all([6]);
    assert_eq!(page.sent_tickets(), [[6]]);
}

#[test]
fn what_comes_back_from_a_request_after_consent_was_refused_is_purged_too() {
    let table = [
        status(503),
        busy("30"),
        status(0),
        status(413),
        Answer::TimedOut,
        Answer::Unreachable,
        Answer::Response { status: 207, body: "{\"responses\":[]}", retry_after: "" },
    ];
    for answer in table {
        let mut page = Page::new(config());
        page.accept_all([1, 2]);
        page.commit();
        page.consent(Consent::Out);
        assert_eq!(page.engine.counts().in_flight, 2);
        page.answer(1, answer);
        page.wait(50);
        page.commit();
        for ticket in [1, 2] {
            assert_eq!(page.fate(ticket), dropped(DropReason::Consent), "{answer:?}");
        }
        assert_eq!(page.keys(), [""; 0], "{answer:?}");
        page.serve(MINUTE, |_| status(200));
        assert_eq!(page.sent_tickets(), [[1, 2]], "{answer:?}");
    }
}

#[test]
fn consent_refused_while_the_record_is_on_its_way_to_disk_removes_it_from_there() {
    let mut page = Page::new(config());
    page.page(PageEvent::Offline);
    page.accept_all([1]);
    page.consent(Consent::Out);
    page.wait(0);
    page.commit();
    page.commit();
    assert_eq!(page.keys(), [""; 0]);
    assert_eq!(page.fate(1), dropped(DropReason::Consent));
    // Or from the hand-off.
    let mut page = Page::new(config());
    page.page(PageEvent::Offline);
    page.page(PageEvent::Hidden);
    page.accept(message(1, 100));
    assert_eq!(page.handoff(OWNER).0, ["life/m1"]);
    page.consent(Consent::Out);
    assert_eq!(page.handoff(OWNER).0, [""; 0]);
}

#[test]
fn consent_refused_while_a_hand_off_is_taken_over_hands_nothing_off() {
    let mut page = Page::new(Config { mode: Mode::AtMostOnce, ..config() });
    page.plant("gone", &[("gone/m1", 1)], &[]);
    page.lease(true);
    page.survey(&[]);
    assert!(page.handoffs.is_empty());
    page.consent(Consent::Out);
    page.page(PageEvent::Leaving);
    assert_eq!(page.handoff(OWNER).0, [""; 0]);
}

#[test]
fn consent_refused_from_the_beginning_still_purges_the_outbox() {
    let mut page = Page::born(config(), Birth { consent: Consent::Out, ..Birth::default() });
    assert_eq!(page.opened, [OWNER]);
    page.answer_open(true);
    page.disk.insert(String::from("gone/m10"), record(&page.config, 10, page.now.wall));
    page.lead(&[]);
    assert_eq!(page.keys(), [""; 0]);
    assert_eq!(page.sent_tickets(), NONE);
}

#[test]
fn a_purge_is_over_when_all_was_looked_through_and_removed() {
    let mut page = Page::new(config());
    assert!(!page.engine.purged(), "nobody has refused");
    page.disk.insert(String::from("gone/m10"), record(&page.config, 10, page.now.wall));
    page.consent(Consent::Out);
    page.wait(0);
    assert!(!page.engine.purged(), "what others left was not looked for");
    page.lease(true);
    page.survey(&[]);
    assert!(!page.engine.purged(), "it is not removed yet");
    page.abort();
    page.wait(0);
    assert!(!page.engine.purged(), "it could not be removed");
    page.wait(MINUTE);
    page.survey(&[]);
    page.commit();
    assert!(page.engine.purged());
    assert_eq!(page.keys(), [""; 0]);
    page.consent(Consent::In);
    assert!(!page.engine.purged());

    // What flies may have to be told of yet.
    let mut page = Page::new(config());
    page.accept_all([1]);
    page.commit();
    page.consent(Consent::Out);
    page.lead(&[]);
    assert_eq!(page.keys(), ["life/m1"]);
    assert!(!page.engine.purged());
    page.answer(1, status(200));
    page.commit();
    assert_eq!(page.keys(), [""; 0]);
    assert!(page.engine.purged());

    // Where nothing is stored there is nothing to purge.
    let mut page = Page::new(Config { storage: false, ..config() });
    page.consent(Consent::Out);
    assert!(page.engine.purged());
}

#[test]
fn what_nobody_has_decided_opens_nothing_and_a_refusal_makes_nothing() {
    for withheld in [Consent::Pending, Consent::Out] {
        let mut page = Page::born(config(), Birth { withheld, ..Birth::default() });
        page.accept_all([1]);
        page.page(PageEvent::Hidden);
        page.page(PageEvent::Leaving);
        page.page(PageEvent::Restored { owner: String::from("again") });
        page.wait(MINUTE);
        assert_eq!(page.opened, [""; 0], "{withheld:?}");
        let fate = if withheld == Consent::Out { dropped(DropReason::Consent) } else { Some(Fate::Pending) };
        assert_eq!(page.fate(1), fate);

        page.consent(Consent::Out);
        assert_eq!((page.opened.len(), page.creates), (1, false), "{withheld:?}");
        assert!(!page.engine.purged());
        let closed = page.closed;
        page.answer_open(false);
        assert_eq!(page.closed, closed + 1, "the name is let go of");
        assert!(page.engine.purged());
        assert_eq!(page.opened.len(), 1);

        page.consent(Consent::In);
        assert_eq!((page.opened.len(), page.creates), (2, true), "{withheld:?}");
        page.answer_open(true);
        page.accept_all([2]);
        page.commit();
        assert_eq!(page.keys(), ["again/m2"], "{withheld:?}");
        assert_eq!(page.sent_tickets(), [[2]], "{withheld:?}");
    }
}

#[test]
fn consent_given_while_a_refusal_still_looks_for_an_outbox_opens_one() {
    let mut page = Page::born(config(), Birth { withheld: Consent::Pending, ..Birth::default() });
    page.consent(Consent::Out);
    page.consent(Consent::In);
    assert_eq!((page.opened.len(), page.creates), (1, false));
    page.answer_open(false);
    assert_eq!((page.opened.len(), page.creates), (2, true));
    page.answer_open(false);
    // Denied, this time.
    assert_eq!(page.opened.len(), 2);
    page.accept_all([1]);
    assert_eq!(page.sent_tickets(), [[1]]);
}

#[test]
fn what_an_endpoint_is_known_for_is_forgotten_with_a_refusal() {
    let mut page = Page::new(config());
    page.accept_all([1, 2]);
    page.answer(1, status(200));
    assert_ne!(page.remembered, "");
    page.accept_all([3]);
    page.consent(Consent::Out);
    assert_eq!(page.remembered, "");
    page.answer(2, status(200));
    assert_eq!(page.remembered, "", "an answer that comes later is not remembered");
}

#[test]
fn while_consent_is_pending_nobody_looks_at_what_others_left() {
    let mut page = Page::new(config());
    page.disk.insert(String::from("gone/m10"), record(&page.config, 10, page.now.wall));
    page.consent(Consent::Pending);
    page.lead(&[]);
    page.wait(10 * MINUTE);
    assert_eq!(page.surveys, [""; 0]);
    assert_eq!(page.keys(), ["gone/m10"]);
    page.consent(Consent::In);
    page.wait(0);
    page.survey(&[]);
    page.commit();
    assert_eq!(page.sent_tickets(), [[10]]);
}

// ---------------------------------------------------------------------------------------------
// Taking over what pages that are gone left behind.

#[test]
fn orphans_are_claimed_and_sent_and_what_is_not_ours_is_left_alone() {
    let mut page = Page::new(config());
    let wall = page.now.wall;
    let ours = page.config.clone();
    let newer = record(&ours, 4, wall).replace("\"v\":1", "\"v\":2");
    let elsewhere = Config { endpoint: String::from("https://b.example/"), ..config() };
    let nobody = Config { org_id: String::from("1@AdobeOrg"), ..config() };
    let untouched = BTreeMap::from([
        (String::from("alive/m2"), record(&ours, 2, wall)),
        (String::from("gone/m4"), newer),
        (String::from("gone/m5"), record(&elsewhere, 5, wall)),
        (String::from("gone/m6"), record(&nobody, 6, wall)),
    ]);
    page.disk.extend(untouched.clone());
    page.disk.insert(String::from("gone/m1"), record(&ours, 1, wall));
    page.disk
        .insert(String::from("gone/m7"), record(&ours, 7, wall).replace("\"created\":", "\"created\":x"));
    page.disk.insert(String::from("gone/m8"), String::new());
    page.disk.insert(String::from("void"), String::from("{}"));
    page.lease(true);
    assert_eq!(page.surveys, [""]);
    page.survey(&["alive"]);
    let [(_, write)] = &page.writes[..] else { panic!("{:?}", page.writes) };
    let claim =
        Claim { from: String::from("gone/m1"), to: String::from("life/m1"), record: record(&ours, 1, wall) };
    assert_eq!(write.claims, [claim]);
    assert_eq!(page.sent_tickets(), NONE, "it is not ours yet");
    assert_eq!(page.engine.notes().records_dropped, 3, "unreadable for good");
    page.commit();
    assert_eq!(page.sent_tickets(), [[1]]);
    page.answer(1, status(200));
    page.commit();
    assert_eq!(page.disk, untouched);
    assert_eq!(page.engine.counts().accepted, 0, "this page has accepted nothing");
}

#[test]
fn what_another_page_claimed_first_is_not_sent() {
    let mut page = Page::new(config());
    for ticket in [1, 2] {
        page.disk.insert(format!("gone/m{ticket}"), record(&page.config, ticket, page.now.wall));
    }
    page.lease(true);
    page.survey(&[]);
    page.disk.remove("gone/m1");
    page.commit();
    assert_eq!(page.sent_tickets(), [[2]]);
    assert_eq!(page.engine.notes().outbox_events, 1);
}

#[test]
fn what_others_took_from_a_page_that_lives_is_put_back_with_their_hand_off() {
    let mut page = Page::new(config());
    page.page(PageEvent::Offline);
    page.accept_all([1]);
    page.commit();
    // The other held this page for gone.
    page.disk.clear();
    page.plant("other", &[("other/m1", 1)], &[]);
    page.lead(&[]);
    assert_eq!(page.keys(), ["life/m1"]);
    assert!(page.handoffs.is_empty());
}

#[test]
fn a_survey_that_ends_without_the_lease_takes_nothing() {
    let mut page = Page::new(config());
    page.disk.insert(String::from("gone/m1"), record(&page.config, 1, page.now.wall));
    page.lease(true);
    page.lease(false);
    page.survey(&[]);
    assert_eq!(page.writes, []);
    page.wait(10 * MINUTE);
    assert_eq!(page.surveys, [""; 0]);
    page.lease(true);
    page.page(PageEvent::Leaving);
    page.survey(&[]);
    assert_eq!(page.writes, []);
}

#[test]
fn orphans_are_looked_for_every_minute_and_half_a_second_after_a_page_says_that_it_leaves_some() {
    let mut page = Page::new(config());
    page.lead(&[]);
    page.wait(MINUTE - 1);
    assert_eq!(page.surveys, [""; 0]);
    page.wait(1);
    assert_eq!(page.surveys, [""]);
    page.wait(10 * MINUTE);
    assert_eq!(page.surveys, [""], "one at a time");
    page.survey(&[]);
    page.wait(0);
    page.survey(&[]);
    page.page(PageEvent::Inherits);
    page.wait(499);
    assert_eq!(page.surveys, [""; 0]);
    page.wait(1);
    assert_eq!(page.surveys, [""]);
    // Who has no lease leaves it to who has.
    let mut page = Page::new(config());
    page.page(PageEvent::Inherits);
    page.wait(10 * MINUTE);
    assert_eq!(page.surveys, [""; 0]);
}

#[test]
fn a_full_survey_is_continued_above_its_last_record() {
    // How many there are, and above which keys it asks.
    let full = SURVEY_RECORDS;
    for (records, pages) in [(0, 1), (full - 1, 1), (full, 2), (full + 1, 2), (2 * full + 1, 3)] {
        let config = Config { max_batch_events: 1_000, max_batch_bytes: 1_000_000, ..config() };
        let mut page = Page::new(config);
        page.page(PageEvent::Offline);
        for ticket in 0..records {
            let text = record(&page.config, ticket as u32, page.now.wall);
            page.disk.insert(format!("gone/m{ticket}"), text);
        }
        page.lease(true);
        let mut asked = Vec::new();
        while let Some(above) = page.surveys.first() {
            asked.push(above.clone());
            page.survey(&[]);
        }
        assert_eq!(asked.len(), pages, "{records}");
        assert!(asked.is_sorted(), "{asked:?}");
        page.commit();
        assert!(page.keys().iter().all(|key| key.starts_with("life/")));
        assert_eq!(page.engine.notes().outbox_events as usize, records);
        assert_eq!(page.engine.notes().records_dropped, 0);
    }
}

#[test]
fn after_a_trap_a_new_engine_takes_over_under_a_name_of_its_own() {
    let mut page = Page::new(config());
    page.page(PageEvent::Offline);
    page.accept_all([1]);
    page.commit();
    page.accept(message(2, 100));
    page.page(PageEvent::Hidden);
    assert_eq!(page.handoff(OWNER).0, ["life/m2"]);
    // It traps.
    let (disk, handoffs) = (page.disk, page.handoffs);
    for (restarted, sent) in [(true, &[1, 2][..]), (false, &[])] {
        let mut page = Page::opened(config(), Birth { restarted, ..Birth::default() });
        assert_eq!(page.opened[0] != OWNER, restarted);
        page.disk.clone_from(&disk);
        page.handoffs.clone_from(&handoffs);
        page.lead(&[]);
        assert_eq!(page.sent_numbers(), sent);
        page.serve(1_000, |_| status(200));
        assert_eq!(page.disk.is_empty(), restarted);
        assert_eq!(page.handoffs.is_empty(), restarted);
    }
}

#[test]
fn a_hand_off_is_merged_with_the_disk_and_its_tombstones_hold() {
    // In it: one that is on disk as well, one that is not; two that are gone, of which one is on disk.
    let merge = |live: &[&str]| {
        let mut page = Page::new(config());
        let wall = page.now.wall;
        let record = |ticket| record(&config(), ticket, wall);
        let key = |ticket: u32| format!("gone/m{ticket}");
        page.disk.extend([1, 3, 5].map(|ticket| (key(ticket), record(ticket))));
        let handoff = Handoff {
            records: [1, 2].map(|ticket| (key(ticket), record(ticket))).into(),
            gone: [3, 4].map(key).into(),
        };
        page.handoffs.insert(String::from("gone"), handoff.write(&page.config));
        page.lead(live);
        page
    };
    let mut page = merge(&[]);
    assert_eq!(page.keys(), ["life/m1", "life/m2", "life/m5"]);
    assert!(page.handoffs.is_empty(), "once it is committed");
    assert_eq!(page.sent_numbers(), [1, 2, 5]);
    assert_eq!(page.engine.notes().records_dropped, 0);

    let page = merge(&["gone"]);
    assert_eq!(page.keys(), ["gone/m1", "gone/m3", "gone/m5"], "it lives");
    assert_eq!(page.handoffs.len(), 1);
}

#[test]
fn a_hand_off_stays_until_what_is_in_it_is_committed() {
    for mode in [Mode::Balanced, Mode::AtMostOnce] {
        let mut page = Page::new(Config { mode, ..config() });
        let handoff = Handoff {
            records: vec![(String::from("gone/m1"), record(&page.config, 1, page.now.wall))],
            gone: Vec::new(),
        };
        page.handoffs.insert(String::from("gone"), handoff.write(&page.config));
        page.lease(true);
        page.survey(&[]);
        page.abort();
        assert_eq!(page.sent_tickets(), NONE, "{mode:?}");
        assert_eq!(page.handoff("gone").0, ["gone/m1"], "{mode:?}");
        page.wait(MINUTE);
        page.survey(&[]);
        page.serve(1_000, |_| status(200));
        assert_eq!(page.sent_tickets(), [[1]], "{mode:?}");
        assert_eq!(page.keys(), [""; 0], "{mode:?}");
        assert!(page.handoffs.is_empty(), "{mode:?}");
    }
}

#[test]
fn a_hand_off_that_cannot_be_read_is_dropped_and_counted_unless_it_is_anothers() {
    let newer = "{\"v\":2}";
    let other = Handoff::default().write(&Config { org_id: String::from("1@AdobeOrg"), ..config() });
    for (text, stays) in
        [("", false), ("{", false), ("{\"v\":1}", false), (newer, true), (other.as_str(), true)]
    {
        let mut page = Page::new(config());
        page.handoffs.insert(String::from("gone"), String::from(text));
        page.lead(&[]);
        assert_eq!(page.handoffs.len(), usize::from(stays), "{text}");
        assert_eq!(page.engine.notes().records_dropped, u32::from(!stays), "{text}");
    }
    // Readable, but for one record in it.
    let mut page = Page::new(config());
    let handoff = Handoff {
        records: vec![
            (String::from("gone/m1"), String::from("{}")),
            (String::from("gone/m2"), record(&page.config, 2, page.now.wall)),
        ],
        gone: Vec::new(),
    };
    page.handoffs.insert(String::from("gone"), handoff.write(&page.config));
    page.lead(&[]);
    assert_eq!(page.engine.notes().records_dropped, 1);
    assert_eq!(page.sent_tickets(), [[2]]);
}
