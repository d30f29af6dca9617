//! Browser side (wasm32 only): reads and sends, decides nothing.
//!
//! One file per capability. Whatever the page may have broken (an overridden `fetch`, a getter that
//! throws) is called through bindings that catch: a JavaScript exception must not tear through a
//! Rust frame.

mod lifecycle;
mod network;
mod page;
mod values;

use crate::command::{Beacon, Call, Output};
use crate::delivery::{Answer, Ticket};
use gloo_timers::callback::Timeout;
use js_sys::{Date, Function};
use page::BrowserPage;
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = console)]
    fn warn(text: &str) -> Result<(), JsValue>;
}

struct Instance {
    beacon: Beacon,
    /// The page's promises that wait: ticket, resolve, reject.
    waiting: Vec<(Ticket, Function, Function)>,
    last_ticket: Ticket,
}

thread_local! {
    static INSTANCES: RefCell<Vec<Instance>> = const { RefCell::new(Vec::new()) };
}

/// Called once before anything else. `guard` wraps a callback so that no exception leaves it.
#[wasm_bindgen]
pub fn start(guard: &Function) {
    network::start(guard);
    lifecycle::start(guard);
    page::start();
}

/// Makes an instance; the answer is its handle.
#[wasm_bindgen]
pub fn create(name: &str) -> u32 {
    INSTANCES.with_borrow_mut(|instances| {
        let mut beacon = Beacon::new(name);
        beacon.leaving(lifecycle::hidden());
        instances.push(Instance { beacon, waiting: Vec::new(), last_ticket: 0 });
        instances.len() as u32 - 1
    })
}

/// Carries out a command. `options` is JSON text, empty for none; `moment` is `[ms, url, title,
/// referrer]` of a replayed call, or `undefined`.
#[wasm_bindgen]
pub fn command(
    instance: u32,
    name: &str,
    options: &str,
    moment: &JsValue,
    resolve: Function,
    reject: Function,
) {
    with_ticket(instance, resolve, reject, |beacon, ticket, out| {
        let call = Call { command: name, options, ticket, moment: page::replayed(moment) };
        beacon.call(call, &BrowserPage, out);
    });
}

/// `configure` by the attributes of a script tag: `dataset` as JSON text.
#[wasm_bindgen]
pub fn declare(instance: u32, dataset: &str, resolve: Function, reject: Function) {
    with_ticket(instance, resolve, reject, |beacon, ticket, out| {
        beacon.declared(dataset, ticket, &BrowserPage, out);
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

fn answer(instance: u32, request: u32, answer: Answer<'_>) {
    with(instance, |instance, out| instance.beacon.answer(request, answer, Date::now() as i64, out));
}

fn leaving(leaving: bool) {
    INSTANCES.with_borrow_mut(|instances| {
        for instance in instances {
            instance.beacon.leaving(leaving);
        }
    });
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
    carry_out(handle, out);
}

fn flush_timed_out(handle: u32, ticket: Ticket) {
    with(handle, |instance, out| instance.beacon.flush_timed_out(ticket, out));
}

fn carry_out(handle: u32, outputs: Vec<Output>) {
    for output in outputs {
        match output {
            Output::Send { url, request } => network::send(handle, &url, &request),
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
                Timeout::new(ms as u32, move || flush_timed_out(handle, ticket)).forget();
            }
            Output::Log(text) => {
                let _ = warn(&text);
            }
        }
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
