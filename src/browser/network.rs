//! Browser side: makes requests and reports what came of them.
//!
//! One callback serves all requests: each step of each request is that callback with the request's
//! numbers bound to it, so nothing is kept per request and nothing can leak.

use super::values::{Thenable, get, set, text};
use crate::delivery::{Answer, REQUEST_TIMEOUT_MS, Request, Transport};
use js_sys::{Array, Function, Object};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, BlobPropertyBag};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &JsValue) -> Result<Thenable, JsValue>;
    /// Takes the message off the page's hands; false when the browser would not.
    #[wasm_bindgen(catch, js_namespace = navigator, js_name = sendBeacon)]
    fn send_beacon(url: &str, body: &Blob) -> Result<bool, JsValue>;
    /// Absent in browsers of before 2022: there a request lasts as long as the browser lets it.
    #[wasm_bindgen(catch, js_namespace = AbortSignal, js_name = timeout)]
    fn abort_after(ms: u32) -> Result<JsValue, JsValue>;

    /// Throws where there is no such thing, and over its quota.
    #[wasm_bindgen(catch, js_name = fetchLater)]
    fn fetch_later(url: &str, init: &JsValue) -> Result<JsValue, JsValue>;

    type AbortController;
    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<AbortController, JsValue>;
    #[wasm_bindgen(method)]
    fn abort(this: &AbortController);

    type Headers;
    #[wasm_bindgen(method, catch, js_name = get)]
    fn header(this: &Headers, name: &str) -> Result<Option<String>, JsValue>;
}

/// What the callback is told beside the value: the HTTP status of a body that was read, or one of these.
const RESPONDED: i32 = -1;
const FAILED: i32 = -2;

struct Network {
    /// `(instance, request, step, value)`
    settled: Function,
    /// What every `fetch` is given; body, keepalive and signal are set for each.
    init: JsValue,
    /// `Retry-After` of answers whose body is being read, by instance and request.
    retry_after: Vec<(u32, u32, String)>,
    /// What takes back the deferred requests of an instance.
    deferred: Vec<(u32, AbortController)>,
}

thread_local! {
    static NETWORK: RefCell<Option<Network>> = const { RefCell::new(None) };
}

pub fn start(guard: &Function) {
    // `Fn`, since one answer may come while another is being taken (a page may replace `fetch`).
    let settled: Closure<dyn Fn(u32, u32, i32, JsValue)> = Closure::new(settle);
    let Ok(settled) = guard.call1(&JsValue::UNDEFINED, &settled.into_js_value()) else { return };
    let headers = Object::new().into();
    set(&headers, "Content-Type", &"application/json".into());
    let init = Object::new().into();
    set(&init, "method", &"POST".into());
    set(&init, "credentials", &"omit".into());
    // Followed, a redirect can turn the POST into a GET, whose 200 would pass for an acceptance.
    set(&init, "redirect", &"error".into());
    set(&init, "headers", &headers);
    let settled = settled.unchecked_into();
    NETWORK.set(Some(Network { settled, init, retry_after: Vec::new(), deferred: Vec::new() }));
}

pub fn send(instance: u32, url: &str, request: &Request) {
    if request.transport == Transport::Beacon {
        let taken = json_blob(&request.body).and_then(|blob| send_beacon(url, &blob)).unwrap_or(false);
        let answer = if taken { Answer::BeaconTaken } else { Answer::BeaconRefused };
        super::answer(instance, request.id, answer);
    } else if post(instance, url, request).is_err() {
        super::answer(instance, request.id, Answer::Unreachable);
    }
}

/// Replaces the deferred requests of an instance; whether the browser took all of them.
pub fn defer(instance: u32, requests: &[(String, String)]) -> bool {
    disarm(instance);
    let taken = requests.iter().all(|(url, body)| defer_one(instance, url, body).is_some());
    if !taken {
        disarm(instance);
    }
    taken
}

fn defer_one(instance: u32, url: &str, body: &str) -> Option<()> {
    NETWORK.with_borrow_mut(|network| {
        let (network, controller) = (network.as_mut()?, AbortController::new().ok()?);
        set(&network.init, "body", &body.into());
        set(&network.init, "keepalive", &JsValue::FALSE);
        set(&network.init, "signal", &get(&controller, "signal"));
        fetch_later(url, &network.init).ok()?;
        network.deferred.push((instance, controller));
        Some(())
    })
}

/// Takes back the deferred requests of an instance.
fn disarm(instance: u32) {
    NETWORK.with_borrow_mut(|network| {
        let Some(network) = network else { return };
        network.deferred.retain(|(deferred, controller)| {
            if *deferred == instance {
                controller.abort();
            }
            *deferred != instance
        });
    });
}

fn json_blob(body: &str) -> Result<Blob, JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type("application/json");
    Blob::new_with_str_sequence_and_options(&Array::of1(&body.into()), &options)
}

fn post(instance: u32, url: &str, request: &Request) -> Result<(), JsValue> {
    // `fetch` reads its options before it returns, so one object serves every request.
    let init = NETWORK.with_borrow(|network| network.as_ref().map(|network| network.init.clone()));
    let init = init.ok_or(JsValue::UNDEFINED)?;
    set(&init, "body", &request.body.as_str().into());
    set(&init, "keepalive", &(request.transport == Transport::Keepalive).into());
    set(&init, "signal", &abort_after(REQUEST_TIMEOUT_MS).unwrap_or(JsValue::UNDEFINED));
    let promise = fetch(url, &init)?;
    promise.then(&step(instance, request.id, RESPONDED)?, &step(instance, request.id, FAILED)?)?;
    Ok(())
}

/// The callback for one step of one request.
fn step(instance: u32, request: u32, step: i32) -> Result<Function, JsValue> {
    NETWORK.with_borrow(|network| {
        let network = network.as_ref().ok_or(JsValue::UNDEFINED)?;
        let bound =
            network.settled.bind3(&JsValue::UNDEFINED, &instance.into(), &request.into(), &step.into());
        Ok(bound.unchecked_into())
    })
}

fn settle(instance: u32, request: u32, at: i32, value: JsValue) {
    let answer = match at {
        RESPONDED => {
            let status = get(&value, "status").as_f64().unwrap_or(0.0) as i32;
            let headers = get(&value, "headers").unchecked_into::<Headers>();
            if let Ok(Some(header)) = headers.header("Retry-After") {
                NETWORK.with_borrow_mut(|network| {
                    if let Some(network) = network {
                        network.retry_after.push((instance, request, header));
                    }
                });
            }
            let reading = value.unchecked_into::<Thenable>().body();
            let waiting = reading.and_then(|body| {
                body.then(&step(instance, request, status)?, &step(instance, request, FAILED)?)
            });
            if waiting.is_ok() {
                return;
            }
            Answer::Unreachable
        }
        FAILED if text(&value, "name") == "TimeoutError" => Answer::TimedOut,
        FAILED => Answer::Unreachable,
        status => {
            let body = value.as_string().unwrap_or_default();
            let header = NETWORK.with_borrow_mut(|network| {
                let waiting = &mut network.as_mut()?.retry_after;
                let at = waiting.iter().position(|(of, number, _)| (*of, *number) == (instance, request))?;
                Some(waiting.swap_remove(at).2)
            });
            let retry_after = &header.unwrap_or_default();
            let status = status as u16;
            super::answer(instance, request, Answer::Response { status, body: &body, retry_after });
            return;
        }
    };
    super::answer(instance, request, answer);
}
