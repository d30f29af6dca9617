//! Browser side: the page goes and comes.
//!
//! `pagehide` and `pageshow` are dispatched on `window`, `visibilitychange`, `freeze` and `resume` on
//! `document`. A hidden page may never be heard of again (a phone's browser swept away), so hidden counts
//! as leaving.

use super::values::{get, text};
use super::{locks, storage};
use crate::delivery::PageEvent;
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

/// Whether the browser believes that it has no network.
pub fn offline() -> bool {
    get(&get(&global(), "navigator"), "onLine") == JsValue::FALSE
}

/// Listens for as long as the page lives.
pub fn start(guard: &Function) {
    let listener: Closure<dyn FnMut(JsValue)> = Closure::new(|event: JsValue| {
        let event = match text(&event, "type").as_str() {
            "pagehide" => PageEvent::Leaving,
            // The first one of a page tells nothing new.
            "pageshow" if get(&event, "persisted").is_truthy() => {
                PageEvent::Restored { owner: super::page::random_name() }
            }
            // Another page has changed the origin's storage.
            "storage" if storage::is_handoff(&text(&event, "key")) => PageEvent::Inherits,
            "storage" => {
                let key = text(&event, "key");
                locks::answer(&key, &text(&event, "oldValue"));
                super::decided(&key, &text(&event, "newValue"));
                return;
            }
            "online" => PageEvent::Online,
            "offline" => PageEvent::Offline,
            "freeze" => PageEvent::Hidden,
            _ if hidden() => PageEvent::Hidden,
            _ => PageEvent::Shown,
        };
        super::page_event(&event);
    });
    let Ok(guarded) = guard.call1(&JsValue::UNDEFINED, &listener.into_js_value()) else { return };
    let guarded = guarded.unchecked_into();
    for name in ["pagehide", "pageshow", "online", "offline", "storage"] {
        let _ = listen_on_window(name, &guarded);
    }
    for name in ["visibilitychange", "freeze", "resume"] {
        let _ = listen_on_document(name, &guarded);
    }
}
