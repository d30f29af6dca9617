//! Browser side: timers whose faults do not reach the page.
//!
//! One guarded callback serves all, with the instance and what to do bound to it.

use js_sys::Function;
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = setTimeout)]
    fn set_timeout(then: &Function, ms: u32) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue) -> Result<(), JsValue>;
}

/// What is due; anything else is the ticket of a `flush`.
pub const TICK: u32 = 0;
pub const RENEW: u32 = u32::MAX;
/// With the number of a survey in place of an instance.
pub const JUDGE: u32 = u32::MAX - 1;

thread_local! {
    static CALLBACK: RefCell<Option<Function>> = const { RefCell::new(None) };
}

pub fn begin(guard: &Function) {
    let callback: Closure<dyn Fn(u32, u32)> = Closure::new(super::due);
    if let Ok(callback) = guard.call1(&JsValue::UNDEFINED, &callback.into_js_value()) {
        CALLBACK.set(Some(callback.unchecked_into()));
    }
}

/// Starts one; the answer stops it.
pub fn start(ms: u32, instance: u32, what: u32) -> JsValue {
    CALLBACK.with_borrow(|callback| {
        let Some(callback) = callback else { return JsValue::UNDEFINED };
        let then = callback.bind2(&JsValue::UNDEFINED, &instance.into(), &what.into());
        set_timeout(&then.unchecked_into(), ms).unwrap_or(JsValue::UNDEFINED)
    })
}

pub fn stop(timer: &JsValue) {
    let _ = clear_timeout(timer);
}
