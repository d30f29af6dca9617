//! Browser side: a page holds its name while it lives, and one page holds the lease.
//!
//! By Web Locks, which the browser lets go of when a page ends in whatever way; without them by stamps in
//! localStorage. All is let go of at `pagehide`, for a lock that is held keeps a page out of the
//! back/forward cache.

use super::storage::{get_text, prefixed, set_text, storage_keys, survived};
use super::timers;
use super::values::{Thenable, get, set, text};
use crate::delivery::stamp::{RENEW_EVERY_MS, holder, stamp};
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
    let locks = get(&get(&global(), "navigator"), "locks");
    locks.is_object().then(|| locks.unchecked_into())
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
    };
    let name = prefixed(LIVE, &held.owner);
    STATE.with_borrow_mut(|state| {
        state.held.retain(|held| held.instance != instance);
        state.held.push(held);
    });
    if !ask(instance, &name, LIVES) {
        change(instance, |held| held.stamped = true);
        renew(instance);
        super::named(instance);
    }
}

/// Asks for the lease, once the outbox is open.
pub fn lead(instance: u32) {
    let name = STATE.with_borrow(|state| {
        state.held.iter().find(|held| held.instance == instance).map(|held| prefixed(LEASE, &held.lease))
    });
    if name.is_some_and(|name| !ask(instance, &name, LEADS)) {
        renew(instance);
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
    let wall = Date::now() as i64;
    let keys = storage_keys();
    let stamps = keys.iter().filter(|key| key.starts_with(LIVE));
    let live = stamps.filter_map(|key| holder(&get_text(key), wall).map(String::from)).collect();
    survived(number, live);
}

/// Without locks: renews the stamps, again and again, and takes the lease where nobody has it.
pub fn renew(instance: u32) {
    let wall = Date::now() as i64;
    let news = change(instance, |held| {
        if !held.stamped {
            return None;
        }
        set_text(&prefixed(LIVE, &held.owner), &stamp(&held.owner, wall));
        let lease = prefixed(LEASE, &held.lease);
        let text = get_text(&lease);
        let led = held.leads;
        held.leads = holder(&text, wall).is_none_or(|holder| holder == held.owner);
        if held.leads {
            set_text(&lease, &stamp(&held.owner, wall));
        }
        (led != held.leads).then_some(held.leads)
    });
    if news.is_some() {
        timers::start(RENEW_EVERY_MS as u32, instance, timers::RENEW);
    }
    if let Some(leads) = news.flatten() {
        super::lease(instance, leads);
    }
}
