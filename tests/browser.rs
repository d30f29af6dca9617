//! The browser layer through its real boundary, in a real page.
//!
//! All tests share the page, and the instances of one live on while the next ones run: what could not be
//! sent is tried again. So each instance has an endpoint of its own, and a `fetch` that a test puts in
//! answers for the endpoints of this test alone.

#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Function, JSON, Promise, Reflect, Uint8Array};
use serde_json::{Value, json};
use std::cell::Cell;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use xdm_beacon::browser;

wasm_bindgen_test_configure!(run_in_browser);

/// No browser connects to this port: the request fails without leaving the machine.
const UNREACHABLE: &str = "http://127.0.0.1:9/collection/";
/// How often a condition is looked at before the test gives up, and how long to wait between.
const LOOKS: u32 = 1_000;
const LOOK_EVERY_MS: u32 = 10;

#[wasm_bindgen(inline_js = r#"
    const faults = [];
    const note = (fault) => faults.push(String(fault));
    window.addEventListener("error", (event) => note(event.message));
    window.addEventListener("unhandledrejection", (event) => note(event.reason));
    /** What should not have happened until now: errors, unhandled rejections, exceptions in callbacks. */
    export const takeFaults = () => faults.splice(0).join("\n");

    export const guard = (callback) => (...args) => {
      try {
        callback(...args);
      } catch (error) {
        note(error);
      }
    };

    /** Sets object[key] for a while; the answer puts it back. */
    export const replace = (path, value) => {
      const keys = path.split(".");
      const key = keys.pop();
      const object = keys.reduce((object, key) => object[key], window);
      const before = Object.getOwnPropertyDescriptor(object, key);
      Object.defineProperty(object, key, { value, configurable: true, writable: true });
      return () => {
        delete object[key];
        if (before) Object.defineProperty(object, key, before);
      };
    };

    /** What the page's console was told. */
    export const told = [];
    for (const level of ["debug", "log", "info", "warn", "error"]) {
      const original = console[level];
      console[level] = (...args) => {
        told.push(level + ": " + args.join(" "));
        original.apply(console, args);
      };
    }
    export const takeTold = () => told.splice(0).join("\n");

    /** The requests that `answering` was given. */
    const requests = [];
    export const takeRequests = () => JSON.stringify(requests.splice(0));
    /**
     * A `fetch` that notes its request and answers as the page of the test wants it. Endpoints with a number
     * below `first` belong to earlier tests and are out of reach.
     */
    export const answering = (source, first) => {
      const answer = new Function("url", "init", source);
      return (url, init) => {
        if (Number(url.split("/").pop()) < first) return Promise.reject(new TypeError("out of reach"));
        const { signal, ...rest } = init;
        requests.push({ url, ...rest, signal: signal instanceof AbortSignal });
        return answer(url, init);
      };
    };
    export const evaluate = (source) => new Function(`return (${source});`)();

    /** As JSON; throws unless it is plain: objects and arrays of data, and nothing undefined in them. */
    export const plain = (value) => {
      const check = (value) => {
        if (typeof value !== "object" || value === null) {
          if (!["string", "number", "boolean"].includes(typeof value) && value !== null) throw new Error(typeof value);
          return;
        }
        const prototype = Object.getPrototypeOf(value);
        if (prototype !== Object.prototype && prototype !== Array.prototype) throw new Error("not plain");
        for (const key of Reflect.ownKeys(value)) if (key !== "length") check(value[key]);
      };
      check(value);
      return JSON.stringify(value);
    };
    export const isError = (value) => value instanceof Error && Object.getPrototypeOf(value) === Error.prototype;
"#)]
extern "C" {
    #[wasm_bindgen(js_name = takeFaults)]
    fn take_faults() -> String;
    #[wasm_bindgen(js_name = takeTold)]
    fn take_told() -> String;
    #[wasm_bindgen(js_name = takeRequests)]
    fn take_requests() -> String;
    #[wasm_bindgen(thread_local_v2, js_name = guard)]
    static GUARD: Function;
    fn replace(path: &str, value: &JsValue) -> Function;
    fn answering(source: &str, first: u32) -> JsValue;
    #[wasm_bindgen(catch)]
    fn evaluate(source: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    fn plain(value: &JsValue) -> Result<String, JsValue>;
    #[wasm_bindgen(js_name = isError)]
    fn is_error(value: &JsValue) -> bool;
}

/// Something of the page is another for as long as this lives.
struct Replaced(Function);

impl Replaced {
    fn with(path: &str, value: &JsValue) -> Replaced {
        Replaced(replace(path, value))
    }

    /// `fetch` does what this body of a function says.
    fn fetch(source: &str) -> Replaced {
        take_requests();
        Replaced::with("fetch", &answering(source, FIRST.get()))
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        let _ = self.0.call0(&JsValue::UNDEFINED);
    }
}

const ANSWER_200: &str = "return Promise.resolve(new Response('{}', { status: 200 }))";

thread_local! {
    static STARTED: Cell<bool> = const { Cell::new(false) };
    /// How many instances there are, and how many there were when the test began.
    static INSTANCES: Cell<u32> = const { Cell::new(0) };
    static FIRST: Cell<u32> = const { Cell::new(0) };
}

/// Every test starts so.
fn begin() {
    if !STARTED.replace(true) {
        GUARD.with(|guard| browser::start(guard, js_sys::Object::new().into()));
    }
    FIRST.set(INSTANCES.get());
    take_faults();
    take_told();
}

/// The endpoint of an instance.
fn endpoint(instance: u32) -> String {
    format!("{UNREACHABLE}{instance}")
}

/// A new instance, on a page that lives under this name of its own.
fn instance() -> u32 {
    let number = INSTANCES.get();
    INSTANCES.set(number + 1);
    assert_eq!(browser::create("xdmBeacon", &format!("life{number}"), 0, Function::default()), number);
    number
}

fn configuration(instance: u32) -> Value {
    json!({
        "endpoint": endpoint(instance),
        "orgId": "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
        "datasetId": "65f1a2b3c4d5e6f708192a3b",
        "schema": { "id": "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent" },
    })
}

async fn configured(changes: Value) -> u32 {
    let instance = instance();
    let mut options = configuration(instance);
    options.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    assert_eq!(call(instance, "configure", options).await, Ok(json!({})));
    instance
}

/// As the loader calls a command: at this moment of this page, with random bytes.
fn promise(instance: u32, command: &str, options: &str) -> Promise {
    let moment = "[Date.now(), location.href, document.title, document.referrer]";
    let entropy = Uint8Array::new(&evaluate("crypto.getRandomValues(new Uint8Array(16))").unwrap());
    promise_at(instance, command, options, &evaluate(moment).unwrap(), &entropy.to_vec())
}

fn promise_at(instance: u32, command: &str, options: &str, moment: &JsValue, entropy: &[u8]) -> Promise {
    Promise::new(&mut |resolve, reject| {
        browser::command(instance, command, options, moment, entropy, resolve, reject);
    })
}

/// What a promise came to: a plain object as JSON, or an `Error`'s code and message.
async fn settled(promise: Promise) -> Result<Value, (String, String)> {
    match JsFuture::from(promise).await {
        Ok(value) => {
            let text = plain(&value).expect("it resolves to plain data");
            Ok(serde_json::from_str(&text).unwrap())
        }
        Err(error) => {
            assert!(is_error(&error), "it rejects with an Error");
            let text = |key: &str| Reflect::get(&error, &key.into()).unwrap().as_string().unwrap();
            Err((text("code"), text("message")))
        }
    }
}

async fn call(instance: u32, command: &str, options: Value) -> Result<Value, (String, String)> {
    settled(promise(instance, command, &options.to_string())).await
}

/// Sends an empty event; the answer is its outcome without `id` and `timestamp`, which must be there.
async fn send(instance: u32) -> Value {
    let mut outcome = call(instance, "sendEvent", json!({})).await.expect("sendEvent resolves");
    let members = outcome.as_object_mut().unwrap();
    assert!(members.remove("id").is_some_and(|id| id.is_string()));
    assert!(members.remove("timestamp").is_some_and(|timestamp| timestamp.is_string()));
    outcome
}

/// The requests that went to the replaced `fetch`.
fn requests() -> Vec<Value> {
    serde_json::from_str(&take_requests()).unwrap()
}

/// The entity of the one request that went to the replaced `fetch`.
fn sent_entity() -> Value {
    let requests = requests();
    assert_eq!(requests.len(), 1);
    let message: Value = serde_json::from_str(requests[0]["body"].as_str().unwrap()).unwrap();
    message["body"]["xdmEntity"].clone()
}

fn in_page(expression: &str) -> Value {
    let value = evaluate(expression).expect("the page can tell");
    serde_json::from_str(&String::from(JSON::stringify(&value).unwrap())).unwrap()
}

/// The status of an instance once it is so.
async fn status_with(instance: u32, so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..LOOKS {
        let status = call(instance, "getStatus", json!({})).await.expect("getStatus resolves");
        if so(&status) {
            return status;
        }
        a_while(LOOK_EVERY_MS).await;
    }
    panic!("it never comes to that: {:?}", call(instance, "getStatus", json!({})).await);
}

/// Time and microtasks enough for whatever would go wrong later to go wrong.
async fn a_while(ms: u32) {
    let promise = evaluate(&format!("new Promise((done) => setTimeout(done, {ms}))")).unwrap();
    JsFuture::from(promise.unchecked_into::<Promise>()).await.unwrap();
}

/// Nothing reached the page: no error, no unhandled rejection, no word in the console.
async fn assert_quiet() {
    a_while(0).await;
    assert_eq!(take_faults(), "");
    assert_eq!(take_told(), "");
}

#[wasm_bindgen_test]
async fn every_command_resolves_to_a_plain_object_with_the_documented_keys() {
    begin();
    let _fetch = Replaced::fetch(ANSWER_200);
    let profile = json!({ "datasetId": "p", "schema": { "id": "s" } });
    // A decision is kept for all of the origin: under a key of this test.
    let consent = json!({ "storageKey": "every-command" });
    let instance = configured(json!({ "profile": profile, "consent": consent })).await;
    let keys = |value: Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();

    let event = call(instance, "sendEvent", json!({ "xdm": { "_id": "a" } })).await.unwrap();
    assert_eq!(keys(event.clone()), ["id", "timestamp", "status"]);
    assert_eq!((&event["id"], &event["status"]), (&json!("a"), &json!("delivered")));
    let record = call(instance, "sendProfile", json!({ "xdm": { "a": 1 } })).await;
    assert_eq!(record, Ok(json!({ "status": "delivered" })));
    assert_eq!(call(instance, "flush", json!({})).await, Ok(json!({ "delivered": 0, "stored": 0 })));
    assert_eq!(call(instance, "setDebug", json!({ "enabled": false })).await, Ok(json!({})));
    let yes = json!({ "consent": [{ "standard": "Adobe", "version": "1.0", "value": { "general": "in" } }] });
    assert_eq!(call(instance, "setConsent", yes).await, Ok(json!({ "collect": "in" })));
    assert_eq!(call(instance, "getIdentity", json!({})).await, Ok(json!({ "identityMap": {} })));
    let url = json!({ "url": "/a?b#c" });
    assert_eq!(call(instance, "appendIdentityToUrl", url.clone()).await, Ok(url));
    // The browser takes its time to open the outbox.
    assert_eq!(
        status_with(instance, |status| status["outbox"]["durable"] == true).await,
        json!({
            "accepted": 2, "consent": "in", "pending": 0, "queued": 0, "inFlight": 0, "handedOver": 0, "stored": 0, "delivered": 2,
            "dropped": { "rejected": 0, "expired": 0, "evicted": 0, "consent": 0, "unanswered": 0, "cancelled": 0 },
            "timestampsCorrected": 0,
            "redacted": 0,
            "engineRestarts": 0,
            "parked": 0,
            "outbox": { "events": 0, "bytes": 0, "durable": true, "dropped": 0 },
        })
    );
    let mut configuration = configuration(instance);
    configuration["profile"] = profile;
    configuration["consent"] = consent;
    assert_eq!(
        call(instance, "getLibraryInfo", json!({})).await,
        Ok(json!({
            "name": "xdm-beacon",
            "version": env!("CARGO_PKG_VERSION"),
            "commands": [
                "configure", "sendEvent", "sendProfile", "setConsent", "getIdentity", "appendIdentityToUrl", "flush",
                "getStatus", "setDebug", "getLibraryInfo",
            ],
            "engine": "wasm",
            "configuration": configuration,
        }))
    );

    drop(_fetch);
    let _fetch =
        Replaced::fetch("return Promise.resolve(new Response('{\"title\":\"No\"}', { status: 400 }))");
    let dropped = json!({ "status": "dropped", "reason": "rejected", "detail": "No" });
    assert_eq!(send(instance).await, dropped);
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn refusals_are_errors_with_code_and_message() {
    begin();
    let bare = instance();
    let error = |code: &str, message: &str| Err((String::from(code), String::from(message)));
    for (command, options, code, message) in [
        (
            "sendEvent",
            json!({}),
            "not-configured",
            "xdmBeacon: 'sendEvent' must be configured first: call 'configure' before",
        ),
        ("configure", json!({}), "missing", "xdmBeacon: 'endpoint' is required"),
        ("configure", json!(5), "not-an-object", "xdmBeacon: 'options' must be an object"),
    ] {
        assert_eq!(call(bare, command, options).await, error(code, message));
    }
    let ready = configured(json!({})).await;
    for (command, options, code, message) in [
        (
            "configure",
            configuration(ready),
            "configured-twice",
            "xdmBeacon: 'configure' may only be configured once: remove the second call",
        ),
        ("sendEvent", json!({ "type": 5 }), "not-a-string", "xdmBeacon: 'type' must be a string"),
        (
            "sendEvent",
            json!({ "xdm": { "identityMap": { "CRM": [{ "id": 5 }] } } }),
            "not-a-string",
            "xdmBeacon: 'xdm.identityMap.CRM[0].id' must be a string",
        ),
    ] {
        assert_eq!(call(ready, command, options).await, error(code, message));
    }
    let (code, _) = call(ready, "sendevent", json!({})).await.unwrap_err();
    assert_eq!(code, "unknown-command");
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn promises_in_flight_settle_with_their_own_outcome() {
    begin();
    // The first request is answered when the page says so, the others at once.
    let _fetch = Replaced::fetch(
        "const first = init.body.includes('\"_id\":\"first\"');
         const answer = new Response('{}', { status: first ? 200 : 503 });
         return first ? new Promise((done) => { window.release = () => done(answer); }) : Promise.resolve(answer);",
    );
    let prompt = json!({ "delivery": { "maxWaitMs": 0 } });
    let (one, two) = (configured(prompt.clone()).await, configured(prompt).await);
    let start =
        |instance, id: &str| promise(instance, "sendEvent", &json!({ "xdm": { "_id": id } }).to_string());
    let first = start(one, "first");
    status_with(one, |status| status["inFlight"] == 1).await;
    let (second, other) = (start(one, "second"), start(two, "other"));
    let outcome = settled(second).await.unwrap();
    assert_eq!((&outcome["id"], &outcome["status"]), (&json!("second"), &json!("stored")));
    assert_eq!(settled(other).await.unwrap()["id"], "other");
    evaluate("window.release()").unwrap();
    let outcome = settled(first).await.unwrap();
    assert_eq!((&outcome["id"], &outcome["status"]), (&json!("first"), &json!("delivered")));
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn events_for_an_unreachable_endpoint_are_stored_and_sent_when_it_is_back() {
    begin();
    for storage in [true, false] {
        let instance = configured(json!({ "delivery": { "storage": storage } })).await;
        status_with(instance, |status| status["outbox"]["durable"] == storage).await;
        assert_eq!(send(instance).await, json!({ "status": "stored" }));
        let status = status_with(instance, |status| status["inFlight"] == 0).await;
        let (place, other) = if storage { ("stored", "queued") } else { ("queued", "stored") };
        assert_eq!((&status[place], &status[other]), (&json!(1), &json!(0)));
        assert_eq!(status["outbox"]["events"], u32::from(storage));
        let _fetch = Replaced::fetch(ANSWER_200);
        status_with(instance, |status| status["delivered"] == 1 && status["outbox"]["events"] == 0).await;
    }
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn events_of_one_task_go_together() {
    begin();
    let _fetch = Replaced::fetch(ANSWER_200);
    let instance = configured(json!({})).await;
    let promises: Vec<Promise> = (0..3).map(|_| promise(instance, "sendEvent", "")).collect();
    for promise in promises {
        assert_eq!(settled(promise).await.unwrap()["status"], "delivered");
    }
    let requests = requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0]["url"], format!("{UNREACHABLE}batch/{instance}"));
    let body: Value = serde_json::from_str(requests[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_request_is_what_the_streaming_api_wants_and_nothing_more() {
    begin();
    let _fetch = Replaced::fetch(ANSWER_200);
    let instance = configured(json!({ "context": [] })).await;
    send(instance).await;
    let mut request = requests().remove(0);
    let body = request.as_object_mut().unwrap().remove("body").unwrap();
    assert!(body.as_str().unwrap().starts_with("{\"header\":{\"schemaRef\":"));
    assert_eq!(
        request,
        json!({
            "url": endpoint(instance),
            "method": "POST",
            "credentials": "omit",
            "redirect": "error",
            "headers": { "Content-Type": "application/json" },
            "keepalive": true,
            "signal": true,
        })
    );
    let large = json!({ "xdm": { "a": "\u{e4}".repeat(40_000) } });
    call(instance, "sendEvent", large.clone()).await.unwrap();
    let request = requests().remove(0);
    assert_eq!(request["keepalive"], false);
    let message: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
    assert_eq!(message["body"]["xdmEntity"]["a"], large["xdm"]["a"]);
}

#[wasm_bindgen_test]
async fn whatever_the_pages_fetch_does_the_event_settles() {
    let stored = || json!({ "status": "stored" });
    let delivered = || json!({ "status": "delivered" });
    let mut waiting = Vec::new();
    for (source, expected) in [
        ("throw new Error('blocked')", stored()),
        ("throw undefined", stored()),
        ("throw null", stored()),
        ("return undefined", stored()),
        ("return null", stored()),
        ("return 42", stored()),
        ("return 'rubbish'", stored()),
        ("return {}", stored()),
        ("return { then: 5 }", stored()),
        ("return { get then() { throw new Error('no') } }", stored()),
        ("return { then() { throw new Error('no') } }", stored()),
        ("return Promise.reject(new TypeError('Failed to fetch'))", stored()),
        ("return Promise.reject()", stored()),
        ("return Promise.reject({ get name() { throw new Error('no') } })", stored()),
        ("return Promise.resolve()", stored()),
        ("return Promise.resolve(null)", stored()),
        ("return Promise.resolve('rubbish')", stored()),
        ("return Promise.resolve({})", stored()),
        ("return Promise.resolve({ status: 200 })", stored()),
        ("return Promise.resolve({ status: 200, text: 'rubbish' })", stored()),
        ("return Promise.resolve({ status: 200, text() { throw new Error('no') } })", stored()),
        ("return Promise.resolve({ status: 200, text: () => Promise.reject() })", stored()),
        ("return Promise.resolve({ status: 200, text: () => undefined })", stored()),
        ("return Promise.resolve(Response.error())", stored()),
        ("return Promise.resolve({ text: () => Promise.resolve('') })", stored()),
        ("return Promise.resolve({ status: '200', text: () => Promise.resolve('') })", stored()),
        ("return Promise.resolve({ status: NaN, text: () => Promise.resolve('') })", stored()),
        (
            "return Promise.resolve({ get status() { throw new Error('no') }, text: () => Promise.resolve('') })",
            stored(),
        ),
        ("return Promise.resolve({ status: 200, text: () => Promise.resolve(5) })", delivered()),
        ("return Promise.resolve(new Response('<html>'))", delivered()),
        ("return Promise.resolve(new Response(null, { status: 204 }))", delivered()),
        ("return Promise.resolve(new Response('\\ud800', { status: 207 }))", delivered()),
        // A thenable that calls back before it returns.
        ("return { then(done) { done({ status: 200, text: () => Promise.resolve('{}') }); } }", delivered()),
        (
            "const now = (value) => ({ then(done) { done(value); } });
             return now({ status: 200, text: () => now('{}') });",
            delivered(),
        ),
        ("return { then(done, failed) { failed(new Error('no')); } }", stored()),
        // One that calls back twice.
        ("return { then(done, failed) { failed(); failed(); done({}); } }", stored()),
        ("return Promise.reject(new DOMException('too late', 'TimeoutError'))", stored()),
        (
            "return Promise.resolve(new Response('', { status: 404 }))",
            json!({ "status": "dropped", "reason": "rejected" }),
        ),
        (
            "return Promise.resolve(new Response('', { status: 429, headers: { 'Retry-After': '0' } }))",
            stored(),
        ),
        // Headers that are none.
        (
            "return Promise.resolve({ status: 503, headers: { get() { throw new Error('no') } }, text: () => Promise.resolve('') })",
            stored(),
        ),
        (
            "return Promise.resolve({ status: 503, headers: 'rubbish', text: () => Promise.resolve('') })",
            stored(),
        ),
    ] {
        begin();
        let instance = configured(json!({})).await;
        let fetch = Replaced::fetch(source);
        assert_eq!(send(instance).await, expected, "{source}");
        drop(fetch);
        assert_quiet().await;
        if expected == stored() {
            waiting.push(instance);
        }
    }
    let instance = configured(json!({})).await;
    let missing = Replaced::with("fetch", &JsValue::UNDEFINED);
    assert_eq!(send(instance).await, stored());
    drop(missing);
    waiting.push(instance);

    // As soon as the page's `fetch` works and something says so, everything arrives.
    FIRST.set(0);
    let _fetch = Replaced::fetch(ANSWER_200);
    evaluate("window.dispatchEvent(new Event('online'))").unwrap();
    for instance in waiting {
        let status = status_with(instance, |status| status["delivered"] == 1).await;
        assert_eq!((&status["accepted"], &status["inFlight"]), (&json!(1), &json!(0)));
    }
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_fetch_that_sends_an_event_itself_is_served() {
    begin();
    let instance = configured(json!({})).await;
    let inner =
        Closure::once_into_js(move || promise(instance, "sendEvent", "{\"xdm\":{\"_id\":\"inner\"}}"));
    let _inner = Replaced::with("sendInner", &inner);
    let _fetch = Replaced::fetch(
        "if (!window.inner) { window.inner = true; window.inner = sendInner(); }
         return Promise.resolve(new Response('{}'));",
    );
    assert_eq!(send(instance).await, json!({ "status": "delivered" }));
    let inner = settled(evaluate("window.inner").unwrap().unchecked_into()).await.unwrap();
    assert_eq!((&inner["id"], &inner["status"]), (&json!("inner"), &json!("delivered")));
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_beacon_is_handed_over_or_refused() {
    begin();
    let leave = async || {
        let instance = configured(json!({ "delivery": { "transport": "beacon" } })).await;
        let mut outcome = call(instance, "sendEvent", json!({ "documentUnloading": true })).await.unwrap();
        outcome.as_object_mut().unwrap().retain(|key, _| key != "id" && key != "timestamp");
        (instance, outcome)
    };
    // The browser's own: it takes what it can hold.
    assert_eq!(leave().await.1, json!({ "status": "handedOver" }));
    let taken = "(url, body) => { window.beacon = [url, body]; return true; }";
    {
        let _beacon = Replaced::with("navigator.sendBeacon", &evaluate(taken).unwrap());
        let (instance, outcome) = leave().await;
        assert_eq!(outcome, json!({ "status": "handedOver" }));
        assert_eq!(
            in_page("[beacon[0], beacon[1].type, beacon[1] instanceof Blob]"),
            json!([endpoint(instance), "application/json", true])
        );
    }
    // What it refuses goes by `fetch`.
    let _fetch = Replaced::fetch(ANSWER_200);
    for source in ["() => false", "() => undefined", "() => { throw new Error('no') }", "undefined"] {
        let _beacon = Replaced::with("navigator.sendBeacon", &evaluate(source).unwrap());
        assert_eq!(leave().await.1, json!({ "status": "delivered" }), "{source}");
        assert_eq!(requests().len(), 1);
    }
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn ids_are_made_of_the_callers_random_bytes() {
    begin();
    let _fetch = Replaced::fetch(ANSWER_200);
    let moment = evaluate("[Date.now(), '', '', '']").unwrap();
    let instance = instance();
    let mut options = configuration(instance);
    options["context"] = json!([]);
    // The engine's own randomness is for its back-off: it does without.
    let throws = evaluate("() => { throw new Error('no entropy') }").unwrap();
    let crypto = Replaced::with("crypto.getRandomValues", &throws);
    let configured = promise_at(instance, "configure", &options.to_string(), &moment, &[]);
    assert_eq!(settled(configured).await, Ok(json!({})));
    drop(crypto);
    for (entropy, id) in [
        ([0xff; 16], "ffffffff-ffff-4fff-bfff-ffffffffffff"),
        (*b"0123456789abcdef", "30313233-3435-4637-b839-616263646566"),
    ] {
        let outcome = settled(promise_at(instance, "sendEvent", "", &moment, &entropy)).await.unwrap();
        assert_eq!(outcome["id"], id);
    }
    let pattern =
        js_sys::RegExp::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", "");
    // Bytes of a wrong number harm nothing.
    for bytes in [&[][..], &[1; 15], &[1; 17]] {
        let outcome = settled(promise_at(instance, "sendEvent", "", &moment, bytes)).await.unwrap();
        assert!(pattern.test(outcome["id"].as_str().unwrap()));
    }
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn an_event_tells_what_the_page_is() {
    begin();
    let _fetch = Replaced::fetch(ANSWER_200);
    let _title = Replaced::with("document.title", &"Mugs \u{1f375} \"blue\"".into());
    let instance = configured(json!({})).await;
    let mut entity = Value::Null;
    // The zone's name may be asked for late.
    for _ in 0..LOOKS {
        let before = in_page("Date.now()").as_i64().unwrap();
        send(instance).await;
        let after = in_page("Date.now()").as_i64().unwrap();
        entity = sent_entity();
        let time = xdm_beacon::time::parse_rfc3339(entity["timestamp"].as_str().unwrap()).unwrap();
        assert!((before..=after).contains(&time));
        if entity["placeContext"].get("ianaTimezone").is_some() {
            break;
        }
    }
    for (pointer, expression) in [
        ("/web/webPageDetails/URL", "location.href"),
        ("/web/webPageDetails/name", "document.title"),
        ("/device/screenHeight", "screen.height"),
        ("/device/screenWidth", "screen.width"),
        ("/device/screenOrientation", "screen.orientation.type.split('-')[0]"),
        ("/environment/type", "'browser'"),
        ("/environment/colorDepth", "screen.colorDepth"),
        ("/environment/browserDetails/viewportHeight", "document.documentElement.clientHeight"),
        ("/environment/browserDetails/viewportWidth", "document.documentElement.clientWidth"),
        ("/environment/_dc/language", "navigator.language"),
        ("/placeContext/localTimezoneOffset", "new Date().getTimezoneOffset()"),
        ("/placeContext/ianaTimezone", "Intl.DateTimeFormat().resolvedOptions().timeZone"),
        ("/implementationDetails/environment", "'browser'"),
    ] {
        let expected = in_page(expression);
        // A length of 0 and an empty text leave no key; an offset of 0 is one.
        let nothing = expected == json!("") || expected == json!(0) && !pointer.ends_with("Offset");
        assert_eq!(entity.pointer(pointer), (!nothing).then_some(&expected), "{pointer}");
    }
    let local = entity["placeContext"]["localTime"].as_str().unwrap();
    let time = entity["timestamp"].as_str().unwrap();
    assert_eq!(xdm_beacon::time::parse_rfc3339(local), xdm_beacon::time::parse_rfc3339(time));
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_replay_speaks_of_its_moment_and_rubbish_of_none() {
    begin();
    let _fetch = Replaced::fetch(ANSWER_200);
    let instance = configured(json!({ "context": ["web"] })).await;
    let moment =
        Array::of4(&946_684_800_000_f64.into(), &"https://a.example/".into(), &"Then".into(), &"".into());
    settled(promise_at(instance, "sendEvent", "", &moment, &[1; 16])).await.unwrap();
    let entity = sent_entity();
    assert_eq!(entity["timestamp"], "2000-01-01T00:00:00.000Z");
    assert_eq!(
        entity["web"],
        json!({
            "webPageDetails": { "URL": "https://a.example/", "name": "Then" },
            "webReferrer": { "type": "typed_bookmarked" },
        })
    );

    for (number, rubbish) in
        ["undefined", "null", "5", "'now'", "[]", "['now']", "{}", "() => 5", "Symbol()"].iter().enumerate()
    {
        let moment = evaluate(rubbish).unwrap();
        let entropy = [number as u8 + 2; 16];
        settled(promise_at(instance, "sendEvent", "", &moment, &entropy)).await.unwrap();
        assert_eq!(sent_entity().get("web"), None, "{rubbish}");
    }
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn flush_gives_up_when_its_time_is_over() {
    begin();
    let _fetch = Replaced::fetch("return new Promise(() => {})");
    let instance = configured(json!({})).await;
    let _late = promise(instance, "sendEvent", "");
    status_with(instance, |status| status["inFlight"] == 1).await;
    let flushed = call(instance, "flush", json!({ "timeout": 30 })).await;
    assert_eq!(flushed, Ok(json!({ "delivered": 0, "stored": 0 })));
    let status = call(instance, "getStatus", json!({})).await.unwrap();
    assert_eq!(status["inFlight"], 1);
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_page_that_leaves_hands_over_and_one_that_is_back_waits() {
    begin();
    let _fetch = Replaced::fetch(ANSWER_200);
    let instance = configured(json!({})).await;
    let delivered = json!({ "status": "delivered" });
    let handed_over = json!({ "status": "handedOver" });
    assert_eq!(send(instance).await, delivered);

    // The first one of a page is no return.
    evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow'))").unwrap();
    assert_eq!(send(instance).await, delivered);

    evaluate("window.dispatchEvent(new Event('pagehide'))").unwrap();
    assert_eq!(send(instance).await, handed_over);
    evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))").unwrap();
    assert_eq!(send(instance).await, delivered);

    let hidden = Replaced::with("document.visibilityState", &"hidden".into());
    evaluate("document.dispatchEvent(new Event('visibilitychange'))").unwrap();
    assert_eq!(send(instance).await, handed_over);
    // An instance that is made on a hidden page knows it.
    let late = configured(json!({})).await;
    assert_eq!(send(late).await, handed_over);
    drop(hidden);
    evaluate("document.dispatchEvent(new Event('visibilitychange'))").unwrap();
    assert_eq!(send(instance).await, delivered);
    assert_eq!(send(late).await, delivered);
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_page_that_has_broken_cookies_storage_and_texts_is_survived() {
    begin();
    let _fetch = Replaced::fetch(ANSWER_200);
    let throws = evaluate("() => { throw new Error('broken') }").unwrap();
    let options = json!({
        "privacy": { "patterns": ["secret"] },
        "identity": { "firstParty": { "namespace": "Shop" } },
    });
    let identity = call(configured(options.clone()).await, "getIdentity", json!({})).await.unwrap();
    assert_eq!(identity["identityMap"]["Shop"][0]["id"].as_str().map(str::len), Some(36));
    let cookies = "Object.defineProperty(document, 'cookie', { get() { throw 1 }, set() { throw 2 }, configurable: true })";
    evaluate(cookies).unwrap();
    let _visitors =
        Replaced::with("s_c_il", &evaluate("[{ get _c() { throw 3 } }, null, Symbol()]").unwrap());
    let _storage = Replaced::with("Storage.prototype.getItem", &throws);
    let instance = configured(options).await;
    let _texts = Replaced::with("String.prototype.replace", &throws);
    assert_eq!(call(instance, "getIdentity", json!({})).await, Ok(json!({ "identityMap": {} })));
    assert_eq!(send(instance).await["status"], "delivered");
    let _patterns = Replaced::with("RegExp", &throws);
    assert_eq!(send(instance).await["status"], "delivered");
    evaluate("delete document.cookie").unwrap();
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_script_tag_configures_its_instance() {
    begin();
    let declare = |instance, dataset: Value| {
        settled(Promise::new(&mut |resolve, reject| {
            browser::declare(instance, &dataset.to_string(), &Array::new(), resolve, reject);
        }))
    };
    let tag = instance();
    let refused = (String::from("missing"), String::from("xdmBeacon: 'endpoint' is required"));
    assert_eq!(declare(tag, json!({ "name": "xdmBeacon" })).await, Err(refused));
    let dataset = json!({
        "endpoint": endpoint(tag),
        "orgId": "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
        "datasetId": "65f1a2b3c4d5e6f708192a3b",
        "schemaId": "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent",
    });
    assert_eq!(declare(tag, dataset).await, Ok(json!({})));
    let library = call(tag, "getLibraryInfo", json!({})).await.unwrap();
    assert_eq!(library["configuration"], configuration(tag));
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn the_console_is_spoken_to_in_debug_alone() {
    begin();
    let instance = configured(json!({})).await;
    call(instance, "sendEvent", json!({ "type": 5 })).await.unwrap_err();
    send(instance).await;
    assert_quiet().await;
    call(instance, "setDebug", json!({ "enabled": true })).await.unwrap();
    call(instance, "sendEvent", json!({ "type": 5 })).await.unwrap_err();
    assert_eq!(take_told(), "warn: xdmBeacon: 'type' must be a string");
}
