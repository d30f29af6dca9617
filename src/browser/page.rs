//! Browser side: clock, randomness and what the page says of itself.

use super::values::{get, number, text};
use crate::collect::{Moment, Page, Reading};
use crate::time::Millis;
use gloo_timers::callback::Timeout;
use js_sys::{Array, Date, Intl, Math, Object, Reflect, global};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

/// `Intl` takes up to 30 ms when first asked for the zone: not before the page had its time.
const ASK_INTL_AFTER_MS: u32 = 2_000;

thread_local! {
    static TIME_ZONE: RefCell<String> = const { RefCell::new(String::new()) };
}

#[wasm_bindgen]
extern "C" {
    /// Microseconds where `Temporal` exists; throws where it does not.
    #[wasm_bindgen(catch, js_namespace = ["Temporal", "Now"], js_name = timeZoneId)]
    fn temporal_time_zone() -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn random_values(bytes: &mut [u8]) -> Result<JsValue, JsValue>;
}

/// Finds out the time zone's name: at once where that is cheap, else later.
pub fn start() {
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

/// The moment that the base code noted: `[ms, url, title, referrer]`.
pub fn replayed(moment: &JsValue) -> Option<Moment> {
    Some(Moment {
        now: get(moment, "0").as_f64()? as Millis,
        url: text(moment, "1"),
        title: text(moment, "2"),
        referrer: text(moment, "3"),
    })
}

/// The page this runs in.
pub struct BrowserPage;

impl Page for BrowserPage {
    fn now(&self) -> Millis {
        Date::now() as Millis
    }

    fn moment(&self) -> Moment {
        let global = global();
        let document = get(&global, "document");
        Moment {
            now: self.now(),
            url: text(&get(&global, "location"), "href"),
            title: text(&document, "title"),
            referrer: text(&document, "referrer"),
        }
    }

    fn reading(&self, at: Millis) -> Reading {
        let global = global();
        let screen = get(&global, "screen");
        let root = get(&get(&global, "document"), "documentElement");
        Reading {
            screen_width: number(&screen, "width"),
            screen_height: number(&screen, "height"),
            orientation: text(&get(&screen, "orientation"), "type"),
            color_depth: number(&screen, "colorDepth"),
            viewport_width: number(&root, "clientWidth"),
            viewport_height: number(&root, "clientHeight"),
            language: text(&get(&global, "navigator"), "language"),
            timezone_offset: Date::new(&JsValue::from_f64(at as f64)).get_timezone_offset(),
            time_zone: TIME_ZONE.with_borrow(String::clone),
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
}
