//! Browser side (wasm32 only): reads and sends, decides nothing.
//!
//! One file per capability. Whatever the page may have broken (an overridden `fetch`, a getter that
//! throws) is called through bindings that catch: a JavaScript exception must not tear through a
//! Rust frame.

mod cookies;
mod lifecycle;
mod locks;
mod network;
mod page;
mod storage;
mod timers;
mod values;

use crate::command::{Beacon, Birth, Call, Output, Verdict};
use crate::delivery::stamp::RENEW_EVERY_MS;
use crate::delivery::{Answer, DiskOp, Document, Effect, Engine, PageEvent, Survey, Ticket};
use js_sys::Function;
use page::{BrowserPage, clocks};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = console)]
    fn warn(text: &str) -> Result<(), JsValue>;
}

struct Instance {
    beacon: Beacon,
    /// Shows an event to the page's `onBeforeEventSend`: [`ask`].
    show: Function,
    /// The page's promises that wait: ticket, resolve, reject.
    waiting: Vec<(Ticket, Function, Function)>,
    last_ticket: Ticket,
    /// The timer that wakes the engine.
    alarm: JsValue,
}

thread_local! {
    static QUEUE: RefCell<VecDeque<(u32, Output)>> = const { RefCell::new(VecDeque::new()) };
    static BUSY: Cell<bool> = const { Cell::new(false) };
    static DOCUMENT: Document = Document::default();
    static INSTANCES: RefCell<Vec<Instance>> = const { RefCell::new(Vec::new()) };
}

/// Called once before anything else. `guard` wraps a callback so that no exception leaves it; `memory`
/// is an object that outlives the engine.
#[wasm_bindgen]
pub fn start(guard: &Function, memory: JsValue) {
    timers::begin(guard);
    network::start(guard);
    storage::start(guard, memory);
    locks::start(guard);
    lifecycle::start(guard);
    page::start(guard);
}

/// Makes an instance; the answer is its handle. `owner` is a random name for the page's life; `restarts`
/// says how many engines of that owner have trapped. `show` is given an event as JSON text and gives back
/// what the page's `onBeforeEventSend` made of it: JSON text, `false` to cancel, `true` without a verdict; it
/// throws a text.
#[wasm_bindgen]
pub fn create(name: &str, owner: &str, restarts: u32, show: Function) -> u32 {
    let birth = Birth {
        name: String::from(name),
        document: DOCUMENT.with(Document::clone),
        owner: String::from(owner),
        hidden: lifecycle::hidden(),
        online: !lifecycle::offline(),
        restarts,
    };
    INSTANCES.with_borrow_mut(|instances| {
        let beacon = Beacon::new(birth);
        instances.push(Instance {
            beacon,
            show,
            waiting: Vec::new(),
            last_ticket: 0,
            alarm: JsValue::UNDEFINED,
        });
        instances.len() as u32 - 1
    })
}

/// Carries out a command. `options` is JSON text, empty for none; `moment` is `[ms, url, title,
/// referrer]` of the call, `entropy` sixteen random bytes.
#[wasm_bindgen]
pub fn command(
    instance: u32,
    name: &str,
    options: &str,
    moment: &JsValue,
    entropy: &[u8],
    resolve: Function,
    reject: Function,
) {
    let (moment, entropy) = (page::moment(moment), entropy.try_into().unwrap_or_default());
    with_ticket(instance, resolve, reject, |beacon, ticket, out| {
        beacon.call(Call { command: name, options, ticket, moment, entropy }, &BrowserPage, out);
    });
}

/// Takes what a module has seen, `kind` and JSON text; the rest as for [`command`]. Gives back what the module
/// has to bring along the next time.
#[wasm_bindgen]
pub fn capture(
    instance: u32,
    kind: &str,
    text: &str,
    moment: &JsValue,
    entropy: &[u8],
    resolve: Function,
    reject: Function,
) -> String {
    let (moment, entropy) = (page::moment(moment), entropy.try_into().unwrap_or_default());
    let mut answer = String::new();
    with_ticket(instance, resolve, reject, |beacon, ticket, out| {
        let call = Call { command: kind, options: text, ticket, moment, entropy };
        answer = beacon.capture(call, &BrowserPage, out);
    });
    answer
}

/// `configure` by the attributes of a script tag: `dataset` as JSON text; `moment` is that of the tag.
#[wasm_bindgen]
pub fn declare(instance: u32, dataset: &str, moment: &JsValue, resolve: Function, reject: Function) {
    let moment = page::moment(moment);
    with_ticket(instance, resolve, reject, |beacon, ticket, out| {
        let call = Call { command: "", options: "", ticket, moment, entropy: [0; 16] };
        beacon.declared(dataset, call, &BrowserPage, out);
    });
}

fn with_ticket(
    instance: u32,
    resolve: Function,
    reject: Function,
    act: impl FnOnce(&mut Beacon, Ticket, &mut Vec<Output>),
) {
    with(instance, |instance, out| {
        instance.last_ticket = instance.last_ticket.wrapping_add(1);
        let ticket = instance.last_ticket;
        instance.waiting.push((ticket, resolve, reject));
        act(&mut instance.beacon, ticket, out);
    });
}

/// The modules of the loader that an instance is to be watched by, once it is configured.
#[wasm_bindgen]
pub fn tracking(instance: u32) -> String {
    INSTANCES.with_borrow(|instances| {
        instances.get(instance as usize).map(|instance| instance.beacon.tracking()).unwrap_or_default()
    })
}

/// Tells an instance's engine something.
fn tell(handle: u32, tell: impl FnOnce(&mut Engine, &mut Vec<Effect>)) {
    with(handle, |instance, out| instance.beacon.deliver(out, tell));
}

fn answer(handle: u32, request: u32, answer: Answer<'_>) {
    tell(handle, |engine, effects| engine.answer(request, answer, clocks(), effects));
}

/// The page's life has its name: now others can tell that it lives.
fn named(handle: u32) {
    storage::open(handle);
}

fn opened(handle: u32, durable: bool) {
    tell(handle, |engine, effects| engine.opened(durable, clocks(), effects));
    if durable {
        locks::lead(handle);
    }
}

fn lease(handle: u32, held: bool) {
    tell(handle, |engine, effects| engine.lease(held, clocks(), effects));
}

fn written(handle: u32, op: DiskOp, done: Option<Vec<bool>>) {
    tell(handle, |engine, effects| engine.written(op, done, clocks(), effects));
}

fn surveyed(handle: u32, survey: Survey) {
    tell(handle, |engine, effects| engine.surveyed(survey, clocks(), effects));
}

fn page_event(event: &PageEvent) {
    for_each(|instance, out| instance.beacon.page(event.clone(), &BrowserPage, out));
}

/// Somebody has decided about consent, in this page or another.
fn decided(key: &str, record: &str) {
    for_each(|instance, out| instance.beacon.decided(key, record, &BrowserPage, out));
}

fn for_each(act: impl Fn(&mut Instance, &mut Vec<Output>)) {
    let count = INSTANCES.with_borrow(Vec::len) as u32;
    for handle in 0..count {
        with(handle, &act);
    }
}

/// Runs `act` on an instance, and then, with nothing borrowed, does what it asked for: the page's
/// own code may run in there and call us again.
fn with(handle: u32, act: impl FnOnce(&mut Instance, &mut Vec<Output>)) {
    let mut out = Vec::new();
    INSTANCES.with_borrow_mut(|instances| {
        if let Some(instance) = instances.get_mut(handle as usize) {
            act(instance, &mut out);
        }
    });
    carry_out(handle, judged(handle, out));
}

/// Lets the page decide on the events among the outputs, at once, whatever else waits to be carried out.
fn judged(handle: u32, outputs: Vec<Output>) -> Vec<Output> {
    let mut rest = Vec::with_capacity(outputs.len());
    for output in outputs {
        match output {
            Output::BeforeSend(ticket, json) => {
                let verdict = ask(handle, &json);
                INSTANCES.with_borrow_mut(|instances| {
                    if let Some(instance) = instances.get_mut(handle as usize) {
                        instance.beacon.judged(ticket, verdict, &BrowserPage, &mut rest);
                    }
                });
            }
            other => rest.push(other),
        }
    }
    rest
}

fn ask(handle: u32, json: &str) -> Verdict {
    let show = INSTANCES.with_borrow(|instances| Some(instances.get(handle as usize)?.show.clone()));
    match show.unwrap_or_default().call1(&JsValue::UNDEFINED, &json.into()) {
        Err(words) => Verdict::Failed(words.as_string().unwrap_or_default()),
        Ok(verdict) => match verdict.as_string() {
            Some(json) => Verdict::Send(json),
            None if verdict.is_falsy() => Verdict::Cancel,
            None => Verdict::Undecided,
        },
    }
}

fn flush_timed_out(handle: u32, ticket: Ticket) {
    with(handle, |instance, out| instance.beacon.flush_timed_out(ticket, out));
}

/// Carries outputs out in their order. Some have an answer at once (a beacon, a hand-off, a `fetch` that
/// throws), which makes more of them: those come after what is already there.
fn carry_out(handle: u32, outputs: Vec<Output>) {
    let busy = QUEUE.with_borrow_mut(|queue| {
        queue.extend(outputs.into_iter().map(|output| (handle, output)));
        BUSY.replace(true)
    });
    if busy {
        return;
    }
    while let Some((handle, output)) = QUEUE.with_borrow_mut(VecDeque::pop_front) {
        match output {
            Output::Send { url, request } => network::send(handle, &url, &request),
            Output::Defer(requests) => {
                let taken = network::defer(handle, &requests);
                if !requests.is_empty() {
                    tell(handle, |engine, effects| engine.deferred(taken, clocks(), effects));
                }
            }
            Output::Open { owner, lease, create } => {
                storage::allow(create);
                locks::hold(handle, owner, lease);
            }
            Output::Close => locks::release(handle),
            Output::Write(op, write) => storage::write(handle, op, write),
            Output::Survey(after) => storage::survey(handle, &after),
            Output::Handoff { owner, text } => {
                let kept = storage::set_handoff(&owner, &text);
                tell(handle, |engine, effects| engine.handed_off(&owner, kept, clocks(), effects));
            }
            Output::Remember(name, text) => storage::remember(&name, &text),
            Output::Decided { key, record, on_disk } => {
                storage::set_consent(&key, record, on_disk);
                decided(&key, record);
            }
            Output::Wake(when) => wake(handle, when),
            Output::AskHints => page::ask_hints(),
            // Those were taken out: `judged`.
            Output::BeforeSend(..) => {}
            Output::Resolve(ticket, outcome) => {
                if let Some((resolve, _)) = take(handle, ticket) {
                    let _ = resolve.call1(&JsValue::UNDEFINED, &values::outcome(outcome));
                }
            }
            Output::Reject(ticket, code, message) => {
                if let Some((_, reject)) = take(handle, ticket) {
                    let _ = reject.call1(&JsValue::UNDEFINED, &values::error(code, &message));
                }
            }
            Output::FlushTimer(ticket, ms) => {
                timers::start(ms as u32, handle, ticket);
            }
            Output::Log(text) => {
                let _ = warn(&text);
            }
        }
    }
    BUSY.set(false);
}

fn wake(handle: u32, when: i64) {
    let wait = when.saturating_sub(clocks().mono).clamp(0, i64::from(i32::MAX)) as u32;
    let alarm = timers::start(wait, handle, timers::TICK);
    INSTANCES.with_borrow_mut(|instances| {
        if let Some(instance) = instances.get_mut(handle as usize) {
            timers::stop(&std::mem::replace(&mut instance.alarm, alarm));
        }
    });
}

/// A timer has run out.
fn due(handle: u32, what: u32) {
    match what {
        timers::TICK => tell(handle, |engine, effects| engine.tick(clocks(), effects)),
        timers::RENEW => locks::renew(handle, RENEW_EVERY_MS),
        timers::JUDGE => locks::judge(handle),
        ticket => flush_timed_out(handle, ticket),
    }
}

fn take(handle: u32, ticket: Ticket) -> Option<(Function, Function)> {
    INSTANCES.with_borrow_mut(|instances| {
        let waiting = &mut instances.get_mut(handle as usize)?.waiting;
        let at = waiting.iter().position(|(waiting, ..)| *waiting == ticket)?;
        let (_, resolve, reject) = waiting.swap_remove(at);
        Some((resolve, reject))
    })
}
