//! The browser layer through its real boundary, in a real page.

#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Function, JSON, Promise, Reflect};
use serde_json::{Value, json};
use std::cell::Cell;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use xdm_beacon::browser;

wasm_bindgen_test_configure!(run_in_browser);

/// No browser connects to this port: the request fails without leaving the machine.
const UNREACHABLE: &str = "http://127.0.0.1:9/collection/x";

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
    /** A `fetch` that notes its request and answers as the page of the test wants it. */
    export const answering = (source) => {
      const answer = new Function("url", "init", source);
      return (url, init) => {
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
    fn answering(source: &str) -> JsValue;
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
        Replaced::with("fetch", &answering(source))
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        let _ = self.0.call0(&JsValue::UNDEFINED);
    }
}

const ANSWER_200: &str = "return Promise.resolve(new Response('{}', { status: 200 }))";

/// A new instance; the browser layer is started with the first.
fn instance() -> u32 {
    thread_local!(static STARTED: Cell<bool> = const { Cell::new(false) });
    if !STARTED.replace(true) {
        GUARD.with(browser::start);
    }
    take_faults();
    take_told();
    browser::create("xdmBeacon")
}

fn configuration() -> Value {
    json!({
        "endpoint": UNREACHABLE,
        "orgId": "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
        "datasetId": "65f1a2b3c4d5e6f708192a3b",
        "schema": { "id": "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent" },
    })
}

async fn configured(changes: Value) -> u32 {
    let instance = instance();
    let mut options = configuration();
    options.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    assert_eq!(call(instance, "configure", options).await, Ok(json!({})));
    instance
}

fn promise(instance: u32, command: &str, options: &str, moment: &JsValue) -> Promise {
    Promise::new(&mut |resolve, reject| {
        browser::command(instance, command, options, moment, resolve, reject);
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
    settled(promise(instance, command, &options.to_string(), &JsValue::UNDEFINED)).await
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
    let _fetch = Replaced::fetch(ANSWER_200);
    let profile = json!({ "datasetId": "p", "schema": { "id": "s" } });
    let instance = configured(json!({ "profile": profile })).await;
    let keys = |value: Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();

    let event = call(instance, "sendEvent", json!({ "xdm": { "_id": "a" } })).await.unwrap();
    assert_eq!(keys(event.clone()), ["id", "timestamp", "status"]);
    assert_eq!((&event["id"], &event["status"]), (&json!("a"), &json!("delivered")));
    let record = call(instance, "sendProfile", json!({ "xdm": { "a": 1 } })).await;
    assert_eq!(record, Ok(json!({ "status": "delivered" })));
    assert_eq!(call(instance, "flush", json!({})).await, Ok(json!({ "delivered": 0, "stored": 0 })));
    assert_eq!(call(instance, "setDebug", json!({ "enabled": false })).await, Ok(json!({})));
    assert_eq!(
        call(instance, "getStatus", json!({})).await,
        Ok(json!({
            "accepted": 2, "pending": 0, "queued": 0, "inFlight": 0, "handedOver": 0, "stored": 0, "delivered": 2,
            "dropped": { "rejected": 0, "unavailable": 0, "network": 0, "timeout": 0, "refused": 0 },
            "timestampsCorrected": 0,
            "outbox": { "events": 0, "bytes": 0, "durable": false },
        }))
    );
    let mut configuration = configuration();
    configuration["profile"] = profile;
    assert_eq!(
        call(instance, "getLibraryInfo", json!({})).await,
        Ok(json!({
            "name": "xdm-beacon",
            "version": env!("CARGO_PKG_VERSION"),
            "commands":
                ["configure", "sendEvent", "sendProfile", "flush", "getStatus", "setDebug", "getLibraryInfo"],
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
            configuration(),
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
    // The second request is answered at once, the first when the page says so.
    let _fetch = Replaced::fetch(
        "const first = init.body.includes('\"_id\":\"first\"');
         const answer = new Response('{}', { status: first ? 200 : 503 });
         return first ? new Promise((done) => { window.release = () => done(answer); }) : Promise.resolve(answer);",
    );
    let (one, two) = (configured(json!({})).await, configured(json!({})).await);
    let start = |instance, id: &str| {
        promise(instance, "sendEvent", &json!({ "xdm": { "_id": id } }).to_string(), &JsValue::UNDEFINED)
    };
    let (first, second, other) = (start(one, "first"), start(one, "second"), start(two, "other"));
    let outcome = settled(second).await.unwrap();
    assert_eq!((&outcome["id"], &outcome["reason"]), (&json!("second"), &json!("unavailable")));
    assert_eq!(settled(other).await.unwrap()["id"], "other");
    evaluate("window.release()").unwrap();
    let outcome = settled(first).await.unwrap();
    assert_eq!((&outcome["id"], &outcome["status"]), (&json!("first"), &json!("delivered")));
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn an_unreachable_endpoint_drops_the_event_for_the_network() {
    let instance = configured(json!({})).await;
    assert_eq!(send(instance).await, json!({ "status": "dropped", "reason": "network" }));
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_request_is_what_the_streaming_api_wants_and_nothing_more() {
    let _fetch = Replaced::fetch(ANSWER_200);
    let instance = configured(json!({ "context": [] })).await;
    send(instance).await;
    let mut request = requests().remove(0);
    let body = request.as_object_mut().unwrap().remove("body").unwrap();
    assert!(body.as_str().unwrap().starts_with("{\"header\":{\"schemaRef\":"));
    assert_eq!(
        request,
        json!({
            "url": UNREACHABLE,
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
    let network = || json!({ "status": "dropped", "reason": "network" });
    let rejected = || json!({ "status": "dropped", "reason": "rejected" });
    let delivered = || json!({ "status": "delivered" });
    let instance = configured(json!({})).await;
    for (source, expected) in [
        ("throw new Error('blocked')", network()),
        ("throw undefined", network()),
        ("throw null", network()),
        ("return undefined", network()),
        ("return null", network()),
        ("return 42", network()),
        ("return 'rubbish'", network()),
        ("return {}", network()),
        ("return { then: 5 }", network()),
        ("return { get then() { throw new Error('no') } }", network()),
        ("return { then() { throw new Error('no') } }", network()),
        ("return Promise.reject(new TypeError('Failed to fetch'))", network()),
        ("return Promise.reject()", network()),
        ("return Promise.reject({ get name() { throw new Error('no') } })", network()),
        ("return Promise.resolve()", network()),
        ("return Promise.resolve(null)", network()),
        ("return Promise.resolve('rubbish')", network()),
        ("return Promise.resolve({})", network()),
        ("return Promise.resolve({ status: 200 })", network()),
        ("return Promise.resolve({ status: 200, text: 'rubbish' })", network()),
        ("return Promise.resolve({ status: 200, text() { throw new Error('no') } })", network()),
        ("return Promise.resolve({ status: 200, text: () => Promise.reject() })", network()),
        ("return Promise.resolve({ status: 200, text: () => undefined })", network()),
        ("return Promise.resolve(Response.error())", rejected()),
        ("return Promise.resolve({ text: () => Promise.resolve('') })", rejected()),
        ("return Promise.resolve({ status: '200', text: () => Promise.resolve('') })", rejected()),
        ("return Promise.resolve({ status: NaN, text: () => Promise.resolve('') })", rejected()),
        (
            "return Promise.resolve({ get status() { throw new Error('no') }, text: () => Promise.resolve('') })",
            rejected(),
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
        ("return { then(done, failed) { failed(new Error('no')); } }", network()),
        // One that calls back twice.
        ("return { then(done, failed) { failed(); failed(); done({}); } }", network()),
        (
            "return Promise.reject(new DOMException('too late', 'TimeoutError'))",
            json!({ "status": "dropped", "reason": "timeout" }),
        ),
    ] {
        let _fetch = Replaced::fetch(source);
        assert_eq!(send(instance).await, expected, "{source}");
        assert_quiet().await;
    }
    let missing = Replaced::with("fetch", &JsValue::UNDEFINED);
    assert_eq!(send(instance).await, network());
    drop(missing);

    // It is as good as new.
    let _fetch = Replaced::fetch(ANSWER_200);
    assert_eq!(send(instance).await, delivered());
    let status = call(instance, "getStatus", json!({})).await.unwrap();
    assert_eq!(status["inFlight"], 0);
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_fetch_that_sends_an_event_itself_is_served() {
    let instance = configured(json!({})).await;
    let inner = Closure::once_into_js(move || {
        promise(instance, "sendEvent", "{\"xdm\":{\"_id\":\"inner\"}}", &JsValue::UNDEFINED)
    });
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
    let instance = configured(json!({ "delivery": { "transport": "beacon" } })).await;
    let leave = async || {
        let mut outcome = call(instance, "sendEvent", json!({ "documentUnloading": true })).await.unwrap();
        outcome.as_object_mut().unwrap().retain(|key, _| key != "id" && key != "timestamp");
        outcome
    };
    // The browser's own: it takes what it can hold.
    assert_eq!(leave().await, json!({ "status": "handedOver" }));
    for (source, status) in [
        ("(url, body) => { window.beacon = [url, body]; return true; }", json!({ "status": "handedOver" })),
        ("() => false", json!({ "status": "dropped", "reason": "refused" })),
        ("() => undefined", json!({ "status": "dropped", "reason": "refused" })),
        ("() => { throw new Error('no') }", json!({ "status": "dropped", "reason": "refused" })),
        ("undefined", json!({ "status": "dropped", "reason": "refused" })),
    ] {
        let _beacon = Replaced::with("navigator.sendBeacon", &evaluate(source).unwrap());
        assert_eq!(leave().await, status, "{source}");
    }
    assert_eq!(
        in_page("[beacon[0], beacon[1].type, beacon[1] instanceof Blob]"),
        json!([UNREACHABLE, "application/json", true])
    );
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn ids_are_random_uuids_also_without_crypto() {
    let _fetch = Replaced::fetch(ANSWER_200);
    let instance = configured(json!({ "context": [] })).await;
    let mut ids = Vec::new();
    for broken in [false, true] {
        let throws = evaluate("() => { throw new Error('no entropy') }").unwrap();
        let _crypto = broken.then(|| Replaced::with("crypto.getRandomValues", &throws));
        for _ in 0..50 {
            let outcome = call(instance, "sendEvent", json!({})).await.unwrap();
            ids.push(String::from(outcome["id"].as_str().unwrap()));
        }
    }
    let pattern =
        js_sys::RegExp::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", "");
    for id in &ids {
        assert!(pattern.test(id), "{id}");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn an_event_tells_what_the_page_is() {
    let _fetch = Replaced::fetch(ANSWER_200);
    let _title = Replaced::with("document.title", &"Mugs \u{1f375} \"blue\"".into());
    let instance = configured(json!({})).await;
    // The zone's name may be asked for late.
    a_while(2_500).await;
    let before = in_page("Date.now()").as_i64().unwrap();
    send(instance).await;
    let after = in_page("Date.now()").as_i64().unwrap();
    let entity = sent_entity();

    let time = xdm_beacon::time::parse_rfc3339(entity["timestamp"].as_str().unwrap()).unwrap();
    assert!((before..=after).contains(&time));
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
    assert_eq!(xdm_beacon::time::parse_rfc3339(local), Some(time));
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_replay_speaks_of_its_moment_and_rubbish_of_the_present() {
    let _fetch = Replaced::fetch(ANSWER_200);
    let instance = configured(json!({ "context": ["web"] })).await;
    let moment =
        Array::of4(&946_684_800_000_f64.into(), &"https://a.example/".into(), &"Then".into(), &"".into());
    settled(promise(instance, "sendEvent", "", &moment)).await.unwrap();
    let entity = sent_entity();
    assert_eq!(entity["timestamp"], "2000-01-01T00:00:00.000Z");
    assert_eq!(entity["web"], json!({ "webPageDetails": { "URL": "https://a.example/", "name": "Then" } }));

    for rubbish in ["undefined", "null", "5", "'now'", "[]", "['now']", "{}", "() => 5", "Symbol()"] {
        let moment = evaluate(rubbish).unwrap();
        settled(promise(instance, "sendEvent", "", &moment)).await.unwrap();
        assert_eq!(sent_entity()["web"]["webPageDetails"]["URL"], in_page("location.href"), "{rubbish}");
    }
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn flush_gives_up_when_its_time_is_over() {
    let _fetch = Replaced::fetch("return new Promise(() => {})");
    let instance = configured(json!({})).await;
    let _never = promise(instance, "sendEvent", "", &JsValue::UNDEFINED);
    let flushed = call(instance, "flush", json!({ "timeout": 30 })).await;
    assert_eq!(flushed, Ok(json!({ "delivered": 0, "stored": 0 })));
    let status = call(instance, "getStatus", json!({})).await.unwrap();
    assert_eq!(status["inFlight"], 1);
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn a_page_that_leaves_hands_over_and_one_that_is_back_waits() {
    let _fetch = Replaced::fetch(ANSWER_200);
    let instance = configured(json!({})).await;
    let delivered = json!({ "status": "delivered" });
    let handed_over = json!({ "status": "handedOver" });
    assert_eq!(send(instance).await, delivered);

    evaluate("window.dispatchEvent(new Event('pagehide'))").unwrap();
    assert_eq!(send(instance).await, handed_over);
    evaluate("window.dispatchEvent(new Event('pageshow'))").unwrap();
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
async fn a_script_tag_configures_its_instance() {
    let declare = |instance, dataset: Value| {
        settled(Promise::new(&mut |resolve, reject| {
            browser::declare(instance, &dataset.to_string(), resolve, reject);
        }))
    };
    let tag = instance();
    let refused = (String::from("missing"), String::from("xdmBeacon: 'endpoint' is required"));
    assert_eq!(declare(tag, json!({ "name": "xdmBeacon" })).await, Err(refused));
    let dataset = json!({
        "endpoint": UNREACHABLE,
        "orgId": "0A1B2C3D4E5F60718293A4B5@AdobeOrg",
        "datasetId": "65f1a2b3c4d5e6f708192a3b",
        "schemaId": "https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent",
    });
    assert_eq!(declare(tag, dataset).await, Ok(json!({})));
    let library = call(tag, "getLibraryInfo", json!({})).await.unwrap();
    assert_eq!(library["configuration"], configuration());
    assert_quiet().await;
}

#[wasm_bindgen_test]
async fn the_console_is_spoken_to_in_debug_alone() {
    let instance = configured(json!({})).await;
    call(instance, "sendEvent", json!({ "type": 5 })).await.unwrap_err();
    send(instance).await;
    assert_quiet().await;
    call(instance, "setDebug", json!({ "enabled": true })).await.unwrap();
    call(instance, "sendEvent", json!({ "type": 5 })).await.unwrap_err();
    assert_eq!(take_told(), "warn: xdmBeacon: 'type' must be a string");
}
