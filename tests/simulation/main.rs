//! Whole lives of an origin, one per seed, of the shipped delivery engine: pages, tabs, disk, network
//! and endpoint are simulated, and fail in every way they can. See [`check`] for what must hold.
//!
//! `XDM_LIVES` says how many lives (10,000), `XDM_SEED` which is the first (0). It ends at the first life that
//! fails; with `XDM_KEEP_GOING=1` it lives all of them and lists what failed.

#![cfg(not(target_arch = "wasm32"))]

mod check;
mod life;
mod page;
mod server;
mod world;

use check::{Invariant, Tally, Violation};
use life::{Life, Step};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use world::World;

const THREADS: usize = 2;
/// A long run says how far it has come.
const SAY_EVERY: u64 = 10_000;
/// So many times a failing life is lived again to find a shorter one.
const SHRINKS: usize = 3_000;
/// So much of the trace is printed.
const TRACE_LINES: usize = 1_000;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

#[test]
fn lives() {
    let lives = setting("XDM_LIVES", 10_000);
    let first = setting("XDM_SEED", 0);
    let keep_going = setting("XDM_KEEP_GOING", 0) > 0;
    std::panic::set_hook(Box::new(|panic| PANIC.with(|text| *text.borrow_mut() = panic.to_string())));
    let next = AtomicU64::new(first);
    let failed = AtomicBool::new(false);
    let begun = Instant::now();
    let results: Vec<(Tally, Vec<(u64, Violation)>)> = std::thread::scope(|scope| {
        let work = || {
            let (mut tally, mut failures) = (Tally::default(), Vec::new());
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + lives || failed.load(Ordering::Relaxed) {
                    return (tally, failures);
                }
                if seed > first && (seed - first).is_multiple_of(SAY_EVERY) {
                    eprintln!("{} lives after {} s", seed - first, begun.elapsed().as_secs());
                }
                if let Some(violation) = live(&Life::from_seed(seed), Some(&mut tally)) {
                    eprintln!("XDM_SEED={seed}: {:?}", violation.invariant);
                    failures.push((seed, violation));
                    failed.store(!keep_going, Ordering::Relaxed);
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread lives on")).collect()
    });
    let took = begun.elapsed();
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for (part, failed) in results {
        tally.add(&part);
        failures.extend(failed);
    }
    failures.sort_by_key(|(seed, _)| *seed);
    let report = failures.first().map(|(seed, violation)| explain(*seed, violation.clone()));
    let _ = std::panic::take_hook();
    println!("{tally}\n{:.1} s", took.as_secs_f64());
    if let Some(report) = report {
        panic!("{}{report}", overview(&failures));
    }
    // Fewer lives say nothing about one in a hundred.
    if lives >= 2_000 {
        let rare = tally.too_rare();
        assert!(rare.is_empty(), "less than one life in a hundred meets {rare:?}");
        assert!(tally.loads >= 20 * tally.lives, "fewer than 20 page loads on average");
        assert!(tally.events >= 200 * tally.lives, "fewer than 200 events on average");
    }
}

/// How often each invariant was violated, and by which seeds.
fn overview(failures: &[(u64, Violation)]) -> String {
    let mut lines = String::from("violated:\n");
    for invariant in Invariant::ALL {
        let of: Vec<_> = failures.iter().filter(|(_, violation)| violation.invariant == *invariant).collect();
        if let Some((_, violation)) = of.first() {
            let seeds: Vec<u64> = of.iter().map(|(seed, _)| *seed).take(8).collect();
            lines.push_str(&format!(
                "  {invariant:?}: {} lives, XDM_SEED of {seeds:?}: {}\n",
                of.len(),
                violation.detail
            ));
        }
    }
    lines
}

fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => otherwise,
    }
}

/// Lives a life; what went wrong, if anything did.
fn live(life: &Life, tally: Option<&mut Tally>) -> Option<Violation> {
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(life, false);
        world.run();
        if let (None, Some(tally)) = (&world.violation, tally) {
            world.tally(tally);
        }
        world.violation
    }));
    lived.unwrap_or_else(|_| {
        let detail = PANIC.with(|text| text.borrow().clone());
        Some(Violation { invariant: Invariant::NoPanic, detail })
    })
}

/// Leaves out steps while the life still fails in the same way.
fn shrink(mut life: Life, invariant: Invariant) -> Life {
    let fails = |life: &Life| live(life, None).is_some_and(|violation| violation.invariant == invariant);
    let mut left = SHRINKS;
    let mut chunk = life.steps.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        let mut any = false;
        while at < life.steps.len() && left > 0 {
            left -= 1;
            let mut steps: Vec<Step> = life.steps.clone();
            steps.drain(at..(at + chunk).min(life.steps.len()));
            let shorter = Life { steps, ..life.clone() };
            if fails(&shorter) {
                life = shorter;
                any = true;
            } else {
                at += chunk;
            }
        }
        if !any || chunk > 1 {
            chunk /= 2;
        }
        if left == 0 {
            break;
        }
    }
    life
}

fn explain(seed: u64, violation: Violation) -> String {
    let life = Life::from_seed(seed);
    let length = life.steps.len();
    let life = shrink(life, violation.invariant);
    let mut world = World::new(&life, true);
    // A panic is one of the ways to fail; the trace up to it is what matters.
    let _ = catch_unwind(AssertUnwindSafe(|| world.run()));
    let trace = world.trace.take().unwrap_or_default();
    let shortest = live(&life, None).unwrap_or(violation);
    let mut report = format!(
        "XDM_SEED={seed} XDM_LIVES=1 fails: {:?}\n{}\n\n{:#?}\n\n{} of {length} steps are enough:\n",
        shortest.invariant,
        shortest.detail,
        life.circumstances,
        life.steps.len()
    );
    for step in &life.steps {
        report.push_str(&format!("  +{:>9} ms  tab {:>3}  {:?}\n", step.after, step.tab, step.what));
    }
    let skipped = trace.len().saturating_sub(TRACE_LINES);
    report.push_str(&format!("\nthe trace ({skipped} lines left out):\n"));
    for line in trace.iter().skip(skipped) {
        report.push_str(&line.chars().take(400).collect::<String>());
        report.push('\n');
    }
    report
}
