//! Browser side: cookies, and what the Visitor service knows.

use super::values::{get, set, text};
use js_sys::{Array, global};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// An instance of the Visitor service.
    type Visitor;
    #[wasm_bindgen(method, catch, js_name = getMarketingCloudVisitorID)]
    fn id(this: &Visitor) -> Result<JsValue, JsValue>;
}

/// `document.cookie`; empty where asking for it throws, as in a sandboxed frame.
pub fn read() -> String {
    text(&get(&global(), "document"), "cookie")
}

/// Writes one cookie; nothing happens where that throws.
pub fn write(cookie: &str) {
    set(&get(&global(), "document"), "cookie", &cookie.into());
}

/// What the Visitor instance of an organisation has, if the page has made one. All of them are in this list;
/// `Visitor.getInstance` would make one where there is none, and that one an id.
pub fn visitor_ecid(org: &str) -> String {
    let list = get(&global(), "s_c_il");
    if !Array::is_array(&list) {
        return String::new();
    }
    for one in Array::from(&list).iter() {
        if text(&one, "_c") == "Visitor" && text(&one, "marketingCloudOrgID") == org {
            let visitor: Visitor = one.unchecked_into();
            return visitor.id().ok().and_then(|id| id.as_string()).unwrap_or_default();
        }
    }
    String::new()
}
