//! Browser side: the outbox in IndexedDB, and hand-offs in localStorage.
//!
//! As with the network, one callback serves all requests: each step is that callback with numbers
//! bound to it.

use super::values::{Thenable, get, set, text};
use crate::delivery::{Claim, DiskOp, SURVEY_RECORDS, Survey, Write};
use js_sys::{Array, Function, Object, global};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

const DATABASE: &str = "xdm-beacon";
const STORE: &str = "outbox";
const MEMORY: &str = "xdm-beacon.memory.";
const HANDOFF: &str = "xdm-beacon.handoff.";

#[wasm_bindgen]
extern "C" {
    type Target;
    #[wasm_bindgen(catch, js_namespace = indexedDB, js_name = open)]
    fn open_database(name: &str, version: u32) -> Result<Target, JsValue>;
    #[wasm_bindgen(catch, js_namespace = indexedDB)]
    fn databases() -> Result<Thenable, JsValue>;
    #[wasm_bindgen(method, setter, js_name = onsuccess)]
    fn on_success(this: &Target, then: &Function);
    #[wasm_bindgen(method, setter, js_name = onerror)]
    fn on_error(this: &Target, then: &Function);
    #[wasm_bindgen(method, setter, js_name = onblocked)]
    fn on_blocked(this: &Target, then: &Function);
    #[wasm_bindgen(method, setter, js_name = onupgradeneeded)]
    fn on_upgrade(this: &Target, then: &Function);
    #[wasm_bindgen(method, setter, js_name = onversionchange)]
    fn on_version_change(this: &Target, then: &Function);
    #[wasm_bindgen(method, setter, js_name = onclose)]
    fn on_close(this: &Target, then: &Function);
    #[wasm_bindgen(method, setter, js_name = oncomplete)]
    fn on_complete(this: &Target, then: &Function);
    #[wasm_bindgen(method, setter, js_name = onabort)]
    fn on_abort(this: &Target, then: &Function);

    #[wasm_bindgen(method, catch, js_name = createObjectStore)]
    fn create_store(this: &Target, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn close(this: &Target) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn transaction(this: &Target, store: &str, mode: &str, options: &JsValue) -> Result<Target, JsValue>;
    #[wasm_bindgen(method, catch, js_name = objectStore)]
    fn store(this: &Target, name: &str) -> Result<Target, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn commit(this: &Target) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn abort(this: &Target) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn put(this: &Target, value: &str, key: &str) -> Result<Target, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn delete(this: &Target, key: &str) -> Result<Target, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getKey)]
    fn get_key(this: &Target, key: &str) -> Result<Target, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getAllKeys)]
    fn get_all_keys(this: &Target, range: &JsValue, count: u32) -> Result<Target, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getAll)]
    fn get_all(this: &Target, range: &JsValue, count: u32) -> Result<Target, JsValue>;
    #[wasm_bindgen(catch, js_namespace = IDBKeyRange, js_name = lowerBound)]
    fn above(key: &str, open: bool) -> Result<JsValue, JsValue>;

    type Storage;
    #[wasm_bindgen(method, catch, js_name = setItem)]
    fn set_item(this: &Storage, key: &str, value: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = removeItem)]
    fn remove_item(this: &Storage, key: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = getItem)]
    fn get_item(this: &Storage, key: &str) -> Result<Option<String>, JsValue>;
}

/// Steps that the callback is told.
const UPGRADE: u32 = 0;
const OPENED: u32 = 1;
const FAILED: u32 = 2;
const CLOSED: u32 = 3;
const COMMITTED: u32 = 4;
const ABORTED: u32 = 5;
const FOUND: u32 = 6;
const READ: u32 = 7;
const LISTED: u32 = 8;

/// A transaction under way.
struct Work {
    instance: u32,
    op: DiskOp,
    store: Target,
    claims: Vec<Claim>,
    claimed: Vec<bool>,
    handoffs: Vec<String>,
}

/// A survey under way: the requests for keys and values.
struct Reading {
    instance: u32,
    keys: Target,
    values: Target,
}

#[derive(Default)]
struct State {
    /// `(step, number, value)`
    callback: Option<Function>,
    /// What is kept here outlives the engine, and stands in for a disk that is denied.
    memory: JsValue,
    /// Some instance needs the database; without, none is made.
    create: bool,
    /// It was not made.
    aborted: bool,
    database: Option<Target>,
    opening: bool,
    /// Instances that wait for the database.
    waiting: Vec<u32>,
    work: Vec<(u32, Work)>,
    readings: Vec<(u32, Reading)>,
    last: u32,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

pub fn start(guard: &Function, memory: JsValue) {
    let callback: Closure<dyn Fn(u32, u32, JsValue)> = Closure::new(step);
    let callback = guard.call1(&JsValue::UNDEFINED, &callback.into_js_value());
    STATE.with_borrow_mut(|state| {
        state.memory = memory;
        state.callback = callback.ok().map(JsCast::unchecked_into);
    });
}

/// From now on the database may be made where there is none.
pub fn allow(create: bool) {
    STATE.with_borrow_mut(|state| state.create |= create);
}

fn bound(at: u32, number: u32) -> Function {
    STATE.with_borrow(|state| match &state.callback {
        Some(callback) => callback.bind2(&JsValue::UNDEFINED, &at.into(), &number.into()).unchecked_into(),
        None => JsValue::UNDEFINED.unchecked_into(),
    })
}

/// Opens the database, once for all instances, and tells `instance` whether there is one.
pub fn open(instance: u32) {
    let (open, opening) = STATE.with_borrow_mut(|state| {
        state.waiting.push(instance);
        (state.database.is_some(), std::mem::replace(&mut state.opening, true))
    });
    if open {
        opened(true);
    } else if !opening {
        let listed = || databases()?.then(&bound(LISTED, 0), &bound(FAILED, 0));
        // Older browsers cannot tell which there are.
        if may_create() || listed().is_err() {
            reopen();
        }
    }
}

/// A page that was left before it had a database has left a hand-off, which is taken over by way of one.
fn may_create() -> bool {
    STATE.with_borrow(|state| state.create) || storage_keys().iter().any(|key| is_handoff(key))
}

fn reopen() {
    match open_database(DATABASE, 1) {
        Ok(request) => {
            request.on_upgrade(&bound(UPGRADE, 0));
            request.on_success(&bound(OPENED, 0));
            request.on_error(&bound(FAILED, 0));
            request.on_blocked(&bound(FAILED, 0));
        }
        Err(_) => opened(false),
    }
}

fn opened(durable: bool) {
    let waiting = STATE.with_borrow_mut(|state| {
        state.opening = false;
        std::mem::take(&mut state.waiting)
    });
    for instance in waiting {
        super::opened(instance, durable);
    }
}

/// The request that an event tells of.
fn request_of(event: &JsValue) -> JsValue {
    get(event, "target")
}

fn step(at: u32, number: u32, event: JsValue) {
    match at {
        LISTED => {
            let is_ours = |database: JsValue| text(&database, "name") == DATABASE;
            let there = event.dyn_ref::<Array>().is_some_and(|list| list.iter().any(is_ours));
            if there || may_create() { reopen() } else { opened(false) }
        }
        UPGRADE => {
            let request = request_of(&event);
            if may_create() {
                let _ = get(&request, "result").unchecked_into::<Target>().create_store(STORE);
            } else {
                // There is none, and so nothing to purge. This way there will be none either.
                STATE.with_borrow_mut(|state| state.aborted = true);
                let _ = get(&request, "transaction").unchecked_into::<Target>().abort();
            }
        }
        OPENED => {
            let database = get(&request_of(&event), "result").unchecked_into::<Target>();
            database.on_version_change(&bound(CLOSED, 0));
            database.on_close(&bound(CLOSED, 0));
            STATE.with_borrow_mut(|state| state.database = Some(database));
            opened(true);
        }
        FAILED => {
            let aborted = STATE.with_borrow_mut(|state| std::mem::take(&mut state.aborted));
            // Somebody may have come to need it meanwhile.
            if aborted && may_create() { reopen() } else { opened(false) }
        }
        CLOSED => {
            // Somebody deletes the database or brings a newer version: not to be held up by us.
            let database = STATE.with_borrow_mut(|state| state.database.take());
            if let Some(database) = database {
                let _ = database.close();
            }
        }
        FOUND => found(number, &get(&request_of(&event), "result")),
        READ => super::locks::ask_who_lives(number),
        _ => ended(number, at == COMMITTED),
    }
}

/// A transaction on the store, or `None` where there is no database (any more).
fn transaction(mode: &str) -> Option<(Target, Target)> {
    let begun = STATE.with_borrow(|state| {
        let options = Object::new().into();
        // The disk's own cache is safe enough, and waiting for the platter costs a phone milliseconds.
        super::values::set(&options, "durability", &"relaxed".into());
        let transaction = state.database.as_ref()?.transaction(STORE, mode, &options).ok()?;
        let store = transaction.store(STORE).ok()?;
        Some((transaction, store))
    });
    if begun.is_none() {
        let again = STATE.with_borrow_mut(|state| {
            state.database = None;
            !std::mem::replace(&mut state.opening, true)
        });
        if again {
            reopen();
        }
    }
    begun
}

/// Carries out a transaction.
pub fn write(instance: u32, op: DiskOp, write: Write) {
    let number = next();
    if begin(instance, op, write, number).is_none() {
        STATE.with_borrow_mut(|state| state.work.retain(|(work, _)| *work != number));
        super::written(instance, op, None);
    }
}

fn begin(instance: u32, op: DiskOp, write: Write, number: u32) -> Option<()> {
    let (transaction, store) = transaction("readwrite")?;
    transaction.on_complete(&bound(COMMITTED, number));
    transaction.on_abort(&bound(ABORTED, number));
    for (key, record) in &write.puts {
        store.put(record, key).ok()?;
    }
    for key in &write.deletes {
        store.delete(key).ok()?;
    }
    for claim in &write.claims {
        store.get_key(&claim.from).ok()?.on_success(&bound(FOUND, number));
    }
    let claims = write.claims;
    if claims.is_empty() {
        // Need not wait for the event loop to see that nothing more comes. Older browsers lack it.
        let _ = transaction.commit();
    }
    let work = Work { instance, op, store, claims, claimed: Vec::new(), handoffs: write.handoffs };
    STATE.with_borrow_mut(|state| state.work.push((number, work)));
    Some(())
}

/// Whether the record of the next claim is there. Requests are answered in their order.
fn found(number: u32, key: &JsValue) {
    STATE.with_borrow_mut(|state| {
        let Some((_, work)) = state.work.iter_mut().find(|(work, _)| *work == number) else { return };
        let there = !key.is_undefined();
        if let Some(claim) = work.claims.get(work.claimed.len()).filter(|_| there) {
            let _ = work.store.delete(&claim.from);
            if !claim.record.is_empty() {
                let _ = work.store.put(&claim.record, &claim.to);
            }
        }
        work.claimed.push(there);
    });
}

fn ended(number: u32, committed: bool) {
    let work = STATE.with_borrow_mut(|state| {
        let at = state.work.iter().position(|(work, _)| *work == number)?;
        Some(state.work.swap_remove(at).1)
    });
    let Some(work) = work else { return };
    if committed {
        for owner in &work.handoffs {
            set_handoff(owner, "");
        }
    }
    super::written(work.instance, work.op, committed.then_some(work.claimed));
}

fn next() -> u32 {
    STATE.with_borrow_mut(|state| {
        state.last = state.last.wrapping_add(1);
        state.last
    })
}

/// Reads the outbox: records first, and then who lives, for who came since has none among them.
pub fn survey(instance: u32, after: &str) {
    let number = next();
    let reading = (|| {
        let (transaction, store) = transaction("readonly")?;
        let range = if after.is_empty() { JsValue::UNDEFINED } else { above(after, true).ok()? };
        let keys = store.get_all_keys(&range, SURVEY_RECORDS as u32).ok()?;
        let values = store.get_all(&range, SURVEY_RECORDS as u32).ok()?;
        transaction.on_complete(&bound(READ, number));
        Some(Reading { instance, keys, values })
    })();
    match reading {
        Some(reading) => STATE.with_borrow_mut(|state| state.readings.push((number, reading))),
        None => super::surveyed(instance, Survey::default()),
    }
}

/// The survey's second half.
pub fn survived(number: u32, live: Vec<String>) {
    let reading = STATE.with_borrow_mut(|state| {
        let at = state.readings.iter().position(|(reading, _)| *reading == number)?;
        Some(state.readings.swap_remove(at).1)
    });
    let Some(reading) = reading else { return };
    let list = |request: &Target| Array::from(&get(request, "result"));
    let (keys, values) = (list(&reading.keys), list(&reading.values));
    let mut survey = Survey { live, ..Survey::default() };
    for at in 0..keys.length() {
        if let Some(key) = keys.get(at).as_string() {
            // What is no text is no record of ours either, and as corrupt as can be.
            survey.records.push((key, values.get(at).as_string().unwrap_or_default()));
        }
    }
    for key in storage_keys() {
        if let Some(owner) = key.strip_prefix(HANDOFF) {
            survey.handoffs.push((String::from(owner), get_text(&key)));
        }
    }
    super::surveyed(reading.instance, survey);
}

/// Whether this is where a hand-off is.
pub fn is_handoff(key: &str) -> bool {
    key.starts_with(HANDOFF)
}

/// Stores or removes a hand-off; whether that was possible.
pub fn set_handoff(owner: &str, text: &str) -> bool {
    set_text(&prefixed(HANDOFF, owner), text)
}

/// What the tab remembers for as long as it lives; nothing if the text is empty.
pub fn remember(name: &str, text: &str) {
    put(&session_storage(), &prefixed(MEMORY, name), text);
}

pub fn recall(name: &str) -> String {
    session_storage().get_item(&prefixed(MEMORY, name)).ok().flatten().unwrap_or_default()
}

/// Keeps a decision about consent for as long as the page lives, and on disk.
pub fn set_consent(key: &str, record: &str, on_disk: bool) {
    STATE.with_borrow(|state| set(&state.memory, key, &record.into()));
    if on_disk && !set_text(key, record) {
        // Better none than one that says otherwise; and there may be room now.
        set_text(key, "");
        set_text(key, record);
    }
}

pub fn consent(key: &str, on_disk: bool) -> String {
    let kept = if on_disk { get_text(key) } else { String::new() };
    if kept.is_empty() { STATE.with_borrow(|state| text(&state.memory, key)) } else { kept }
}

fn session_storage() -> Storage {
    get(&global(), "sessionStorage").unchecked_into()
}

fn local_storage() -> Storage {
    get(&global(), "localStorage").unchecked_into()
}

pub fn prefixed(prefix: &str, name: &str) -> String {
    let mut whole = String::from(prefix);
    whole.push_str(name);
    whole
}

pub fn set_text(key: &str, text: &str) -> bool {
    put(&local_storage(), key, text)
}

fn put(storage: &Storage, key: &str, text: &str) -> bool {
    let done = if text.is_empty() { storage.remove_item(key) } else { storage.set_item(key, text) };
    done.is_ok()
}

pub fn get_text(key: &str) -> String {
    local_storage().get_item(key).ok().flatten().unwrap_or_default()
}

pub fn storage_keys() -> Vec<String> {
    match Object::try_from(&local_storage()) {
        Some(storage) => Object::keys(storage).iter().filter_map(|key| key.as_string()).collect(),
        None => Vec::new(),
    }
}
