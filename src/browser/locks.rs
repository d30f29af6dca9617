//! Browser side: a page holds its name while it lives, and one page holds the lease.
//!
//! By Web Locks, which the browser lets go of when a page ends in whatever way; without them by stamps in
//! localStorage. All is let go of at `pagehide`, for a lock that is held keeps a page out of the
//! back/forward cache. Firefox has decided about that by then, so there it is stamps.

use super::storage::{get_text, prefixed, set_text, storage_keys, survived};
use super::timers;
use super::values::{Thenable, get, set, text};
use crate::delivery::stamp::{ANSWER_MS, RENEW_EVERY_MS, holder, stamp};
use js_sys::{Array, Date, Function, Object, Promise, global};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

const LIVE: &str = "xdm-beacon.live.";
const LEASE: &str = "xdm-beacon.lease.";

#[wasm_bindgen]
extern "C" {
    type LockManager;
    #[wasm_bindgen(method, catch)]
    fn request(
        this: &LockManager,
        name: &str,
        options: &JsValue,
        then: &Function,
    ) -> Result<Thenable, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn query(this: &LockManager) -> Result<Thenable, JsValue>;

    type AbortController;
    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<AbortController, JsValue>;
    #[wasm_bindgen(method)]
    fn abort(this: &AbortController);
}

/// What one instance holds.
struct Held {
    instance: u32,
    owner: String,
    lease: String,
    /// Ends requests that still wait, and lets go of what was granted.
    waiting: Option<AbortController>,
    release: Vec<Function>,
    /// Without locks there are stamps, to be renewed.
    stamped: bool,
    leads: bool,
    /// The timer of the next renewal.
    timer: JsValue,
}

/// Steps that the callback is told.
const LIVES: u32 = 0;
const LEADS: u32 = 1;
const QUERIED: u32 = 2;
const NOTHING: u32 = 3;

#[derive(Default)]
struct State {
    /// `(step, number, value)`; a granted lock is held until the promise it gives back is settled.
    callback: Option<Function>,
    held: Vec<Held>,
    /// When whoever has a stamp was asked to renew it, by the wall clock.
    asked: i64,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

pub fn start(guard: &Function) {
    let callback: Closure<dyn Fn(u32, u32, JsValue) -> JsValue> = Closure::new(step);
    if let Ok(callback) = guard.call1(&JsValue::UNDEFINED, &callback.into_js_value()) {
        STATE.with_borrow_mut(|state| state.callback = Some(callback.unchecked_into()));
    }
}

fn bound(at: u32, number: u32) -> Function {
    STATE.with_borrow(|state| match &state.callback {
        Some(callback) => callback.bind2(&JsValue::UNDEFINED, &at.into(), &number.into()).unchecked_into(),
        None => JsValue::UNDEFINED.unchecked_into(),
    })
}

fn manager() -> Option<LockManager> {
    let navigator = get(&global(), "navigator");
    let locks = get(&navigator, "locks");
    // All others are only "like Gecko".
    let is_gecko = text(&navigator, "userAgent").contains(" Gecko/");
    (locks.is_object() && !is_gecko).then(|| locks.unchecked_into())
}

/// Holds the name; then [`super::named`] is called; then asks for the lease.
pub fn hold(instance: u32, owner: String, lease: String) {
    let held = Held {
        instance,
        owner,
        lease,
        waiting: AbortController::new().ok(),
        release: Vec::new(),
        stamped: false,
        leads: false,
        timer: JsValue::UNDEFINED,
    };
    let name = prefixed(LIVE, &held.owner);
    STATE.with_borrow_mut(|state| {
        state.held.retain(|held| held.instance != instance);
        state.held.push(held);
    });
    if !ask(instance, &name, LIVES) {
        change(instance, |held| held.stamped = true);
        // A dead page may have left a lease: soon it is known.
        renew(instance, ANSWER_MS);
        super::named(instance);
    }
}

/// Asks for the lease, once the outbox is open.
pub fn lead(instance: u32) {
    let name = STATE.with_borrow(|state| {
        state.held.iter().find(|held| held.instance == instance).map(|held| prefixed(LEASE, &held.lease))
    });
    if let Some(name) = name {
        ask(instance, &name, LEADS);
    }
}

fn ask(instance: u32, name: &str, at: u32) -> bool {
    let options: JsValue = Object::new().into();
    change(instance, |held| {
        if let Some(waiting) = &held.waiting {
            set(&options, "signal", &get(waiting, "signal"));
        }
    });
    let Some(locks) = manager() else { return false };
    match locks.request(name, &options, &bound(at, instance)) {
        Ok(promise) => {
            // An aborted request rejects: nobody needs to know.
            let nothing = bound(NOTHING, instance);
            let _ = promise.then(&nothing, &nothing);
            true
        }
        Err(_) => false,
    }
}

/// Lets go of everything.
pub fn release(instance: u32) {
    let held = STATE.with_borrow_mut(|state| {
        let at = state.held.iter().position(|held| held.instance == instance)?;
        Some(state.held.swap_remove(at))
    });
    let Some(held) = held else { return };
    if let Some(waiting) = &held.waiting {
        waiting.abort();
    }
    for release in &held.release {
        let _ = release.call0(&JsValue::UNDEFINED);
    }
    timers::stop(&held.timer);
    if held.stamped {
        set_text(&prefixed(LIVE, &held.owner), "");
        if held.leads {
            set_text(&prefixed(LEASE, &held.lease), "");
        }
    }
}

fn step(at: u32, number: u32, value: JsValue) -> JsValue {
    match at {
        NOTHING => JsValue::UNDEFINED,
        QUERIED => {
            let mut live = Vec::new();
            for lock in Array::from(&get(&value, "held")).iter() {
                live.extend(text(&lock, "name").strip_prefix(LIVE).map(String::from));
            }
            survived(number, live);
            JsValue::UNDEFINED
        }
        _ => {
            let mut release = None;
            let promise = Promise::new(&mut |resolve, _| release = Some(resolve));
            let name = text(&value, "name");
            let kept = change(number, |held| {
                let ours =
                    if at == LIVES { prefixed(LIVE, &held.owner) } else { prefixed(LEASE, &held.lease) };
                if name == ours {
                    held.release.extend(release);
                }
                name == ours
            });
            // Granted to a life that is over: let go at once.
            if kept != Some(true) {
                return JsValue::UNDEFINED;
            }
            if at == LIVES {
                super::named(number);
            } else {
                super::lease(number, true);
            }
            promise.into()
        }
    }
}

fn change<T>(instance: u32, act: impl FnOnce(&mut Held) -> T) -> Option<T> {
    STATE.with_borrow_mut(|state| state.held.iter_mut().find(|held| held.instance == instance).map(act))
}

/// Finds out who lives and goes on with the survey.
pub fn ask_who_lives(number: u32) {
    if let Some(locks) = manager() {
        let done = bound(QUERIED, number);
        if locks.query().and_then(|query| query.then(&done, &done)).is_ok() {
            return;
        }
    }
    // Whoever is gone may have left a stamp, so it takes an answer, if there was none of late.
    let ago = now().saturating_sub(STATE.with_borrow(|state| state.asked));
    let is_known = (ANSWER_MS..RENEW_EVERY_MS).contains(&ago) || stamps().iter().all(|key| is_ours(key));
    if !is_known && STATE.with_borrow_mut(call_out) {
        timers::start(ANSWER_MS as u32, number, timers::JUDGE);
    } else {
        judge(number);
    }
}

/// Goes on with the survey: whose stamp does not hold is dead.
pub fn judge(number: u32) {
    let asked = STATE.with_borrow(|state| state.asked);
    let mut live = Vec::new();
    for key in stamps() {
        match holder(&get_text(&key), now(), asked) {
            Some(owner) => live.push(String::from(owner)),
            None => {
                set_text(&key, "");
            }
        }
    }
    survived(number, live);
}

fn stamps() -> Vec<String> {
    storage_keys().into_iter().filter(|key| key.starts_with(LIVE)).collect()
}

fn is_ours(key: &str) -> bool {
    let is_name = |held: &Held| key.strip_prefix(LIVE) == Some(&held.owner);
    STATE.with_borrow(|state| state.held.iter().any(is_name))
}

/// Asks whoever has a stamp to renew it: by the look of it, a page has come.
fn call_out(state: &mut State) -> bool {
    let Some(held) = state.held.iter().find(|held| held.stamped) else { return false };
    set_text(&prefixed(LIVE, &held.owner), "");
    put_stamps(held);
    state.asked = now();
    true
}

/// A text in storage has changed that was `before`. If it is the stamp of a page that has come, it is answered.
pub fn answer(key: &str, before: &str) {
    if key.starts_with(LIVE) && before.is_empty() {
        STATE.with_borrow(|state| state.held.iter().for_each(put_stamps));
    }
}

fn put_stamps(held: &Held) {
    if held.stamped {
        let stamp = stamp(&held.owner, now());
        set_text(&prefixed(LIVE, &held.owner), &stamp);
        if held.leads {
            set_text(&prefixed(LEASE, &held.lease), &stamp);
        }
    }
}

/// Without locks: takes the lease where nobody has it, renews the stamps, and does both again after `wait`
/// milliseconds.
pub fn renew(instance: u32, wait: i64) {
    let news = STATE.with_borrow_mut(|state| {
        let held = state.held.iter_mut().find(|held| held.instance == instance)?;
        let lease = get_text(&prefixed(LEASE, &held.lease));
        let leads = holder(&lease, now(), state.asked).is_none_or(|holder| holder == held.owner);
        let led = std::mem::replace(&mut held.leads, leads);
        timers::stop(&held.timer);
        held.timer = timers::start(wait as u32, instance, timers::RENEW);
        put_stamps(held);
        // By the next time it is known whether the one that leads still lives.
        if !leads {
            call_out(state);
        }
        (led != leads).then_some(leads)
    });
    if let Some(leads) = news {
        super::lease(instance, leads);
    }
}

fn now() -> i64 {
    Date::now() as i64
}
