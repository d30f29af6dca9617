//! Browser side: clock, randomness and what the page says of itself.

use super::values::{Thenable, get, number, text};
use super::{cookies, storage};
use crate::collect::{Moment, Page, Reading};
use crate::delivery::Now;
use crate::id::uuid_v4;
use crate::time::Millis;
use gloo_timers::callback::Timeout;
use js_sys::{Array, Date, Function, Intl, JSON, Math, Object, Reflect, global};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

/// `Intl` takes up to 30 ms when first asked for the zone: not before the page had its time.
const ASK_INTL_AFTER_MS: u32 = 2_000;

thread_local! {
    static TIME_ZONE: RefCell<String> = const { RefCell::new(String::new()) };
    static HINTS: RefCell<String> = const { RefCell::new(String::new()) };
    /// Takes the client hints. Gone once they were asked for.
    static TAKE_HINTS: RefCell<Option<Function>> = const { RefCell::new(None) };
}

#[wasm_bindgen]
extern "C" {
    /// Microseconds where `Temporal` exists; throws where it does not.
    #[wasm_bindgen(catch, js_namespace = ["Temporal", "Now"], js_name = timeZoneId)]
    fn temporal_time_zone() -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = performance, js_name = now)]
    fn monotonic() -> Result<f64, JsValue>;

    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn random_values(bytes: &mut [u8]) -> Result<JsValue, JsValue>;

    /// Chromium alone, on secure pages.
    #[wasm_bindgen(catch, js_namespace = ["navigator", "userAgentData"], js_name = getHighEntropyValues)]
    fn client_hints(names: &Array) -> Result<Thenable, JsValue>;

    type RegExp;
    #[wasm_bindgen(catch, constructor)]
    fn new(pattern: &str, flags: &str) -> Result<RegExp, JsValue>;

    #[wasm_bindgen(js_name = String)]
    type Text;
    #[wasm_bindgen(catch, method, js_class = "String", js_name = replace)]
    fn replace(this: &Text, pattern: &RegExp, with: &str) -> Result<String, JsValue>;
}

/// Finds out the time zone's name: at once where that is cheap, else later.
pub fn start(guard: &Function) {
    let take: Closure<dyn FnMut(JsValue)> = Closure::new(|hints: JsValue| {
        HINTS.set(JSON::stringify(&hints).ok().and_then(|text| text.as_string()).unwrap_or_default());
    });
    if let Ok(take) = guard.call1(&JsValue::UNDEFINED, &take.into_js_value()) {
        TAKE_HINTS.set(Some(take.unchecked_into()));
    }
    match temporal_time_zone() {
        Ok(zone) => TIME_ZONE.set(zone.as_string().unwrap_or_default()),
        Err(_) => {
            Timeout::new(ASK_INTL_AFTER_MS, || {
                let format = Intl::DateTimeFormat::new(&Array::new(), &Object::new());
                TIME_ZONE.set(text(&format.resolved_options(), "timeZone"));
            })
            .forget();
        }
    }
}

/// Asks for the client hints, once for all instances. A browser that has none, or will not tell, says nothing.
pub fn ask_hints() {
    if let Some(take) = TAKE_HINTS.take() {
        let names = ["architecture", "bitness", "model", "platformVersion", "wow64"];
        if let Ok(promise) = client_hints(&names.into_iter().map(JsValue::from).collect()) {
            let _ = promise.then(&take, &take);
        }
    }
}

/// The moment of a call: `[ms, url, title, referrer]`.
pub fn moment(moment: &JsValue) -> Moment {
    Moment {
        now: number(moment, "0") as Millis,
        url: text(moment, "1"),
        title: text(moment, "2"),
        referrer: text(moment, "3"),
    }
}

/// The page this runs in.
pub struct BrowserPage;

impl Page for BrowserPage {
    fn clocks(&self) -> Now {
        clocks()
    }

    fn reading(&self, at: Millis) -> Reading {
        let global = global();
        let (screen, navigator) = (get(&global, "screen"), get(&global, "navigator"));
        let root = get(&get(&global, "document"), "documentElement");
        Reading {
            screen_width: number(&screen, "width"),
            screen_height: number(&screen, "height"),
            orientation: text(&get(&screen, "orientation"), "type"),
            color_depth: number(&screen, "colorDepth"),
            viewport_width: number(&root, "clientWidth"),
            viewport_height: number(&root, "clientHeight"),
            language: text(&navigator, "language"),
            timezone_offset: Date::new(&JsValue::from_f64(at as f64)).get_timezone_offset(),
            time_zone: TIME_ZONE.with_borrow(String::clone),
            connection: text(&get(&navigator, "connection"), "type"),
            hints: HINTS.with_borrow(String::clone),
        }
    }

    fn entropy(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        if random_values(&mut bytes).is_err() {
            for byte in &mut bytes {
                *byte = (Math::random() * 256.0) as u8;
            }
        }
        bytes
    }

    fn has_keepalive(&self) -> bool {
        let prototype = get(&get(&global(), "Request"), "prototype");
        Reflect::has(&prototype, &"keepalive".into()).unwrap_or(false)
    }

    fn recall(&self, name: &str) -> String {
        storage::recall(name)
    }

    fn has_deferred(&self) -> bool {
        get(&global(), "fetchLater").is_function()
    }

    fn consent(&self, key: &str, on_disk: bool) -> String {
        storage::consent(key, on_disk)
    }

    fn wishes_privacy(&self) -> bool {
        get(&get(&global(), "navigator"), "globalPrivacyControl") == JsValue::TRUE
    }

    fn url(&self) -> String {
        text(&get(&global(), "location"), "href")
    }

    fn cookies(&self) -> String {
        cookies::read()
    }

    fn set_cookie(&self, cookie: &str) {
        cookies::write(cookie);
    }

    fn stored(&self, key: &str) -> String {
        storage::get_text(key)
    }

    fn store(&self, key: &str, text: &str) {
        storage::set_text(key, text);
    }

    fn visitor_ecid(&self, org: &str) -> String {
        cookies::visitor_ecid(org)
    }

    fn replace(&self, text: &str, pattern: &str, with: &str) -> Option<String> {
        let text: Text = JsValue::from(text).unchecked_into();
        text.replace(&RegExp::new(pattern, "gi").ok()?, with).ok()
    }
}

/// `Date.now()` and `performance.now()`.
pub fn clocks() -> Now {
    Now { wall: Date::now() as Millis, mono: monotonic().unwrap_or(0.0) as Millis }
}

/// A name that no other page has.
pub fn random_name() -> String {
    let mut name = uuid_v4(BrowserPage.entropy());
    name.retain(|letter| letter != '-');
    name
}
