//! Browser side: the page goes and comes.
//!
//! `pagehide` and `pageshow` are dispatched on `window`, `visibilitychange` on `document`. A hidden
//! page may never be heard of again (a phone's browser swept away), so hidden counts as leaving.

use super::values::{get, text};
use js_sys::{Function, global};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_name = addEventListener)]
    fn listen_on_window(name: &str, listener: &Function) -> Result<(), JsValue>;
    #[wasm_bindgen(catch, js_namespace = document, js_name = addEventListener)]
    fn listen_on_document(name: &str, listener: &Function) -> Result<(), JsValue>;
}

/// Whether the document is hidden.
pub fn hidden() -> bool {
    text(&get(&global(), "document"), "visibilityState") == "hidden"
}

/// Listens for as long as the page lives.
pub fn start(guard: &Function) {
    let listener: Closure<dyn FnMut(JsValue)> = Closure::new(|event: JsValue| {
        super::leaving(text(&event, "type") == "pagehide" || hidden());
    });
    if let Ok(guarded) = guard.call1(&JsValue::UNDEFINED, &listener.into_js_value()) {
        let guarded = guarded.unchecked_into();
        let _ = listen_on_window("pagehide", &guarded);
        let _ = listen_on_window("pageshow", &guarded);
        let _ = listen_on_document("visibilitychange", &guarded);
    }
}
