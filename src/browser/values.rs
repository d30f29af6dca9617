//! Browser side: JavaScript values, read without trust and made without surprise.

use crate::command::Outcome;
use js_sys::{Error, Function, JSON, Reflect};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// A promise, or what a page has put in the place of one; also an answer, which has a text.
    pub type Thenable;
    #[wasm_bindgen(method, catch)]
    pub fn then(this: &Thenable, done: &Function, failed: &Function) -> Result<Thenable, JsValue>;
    #[wasm_bindgen(method, catch, js_name = text)]
    pub fn body(this: &Thenable) -> Result<Thenable, JsValue>;
}

/// A property, or `undefined` when there is none or asking for it throws.
pub fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or(JsValue::UNDEFINED)
}

/// A string property; anything else is empty.
pub fn text(object: &JsValue, key: &str) -> String {
    get(object, key).as_string().unwrap_or_default()
}

/// A number property; anything else is NaN.
pub fn number(object: &JsValue, key: &str) -> f64 {
    get(object, key).as_f64().unwrap_or(f64::NAN)
}

/// Sets a property of an object of our own.
pub fn set(object: &JsValue, key: &str, value: &JsValue) {
    let _ = Reflect::set(object, &key.into(), value);
}

/// What a promise resolves to: a plain object.
pub fn outcome(outcome: Outcome) -> JsValue {
    let value: JsValue = outcome.serialize(&Serializer::json_compatible()).unwrap_or(JsValue::UNDEFINED);
    let (key, json) = match &outcome {
        Outcome::Library(library) => ("configuration", &library.configuration),
        Outcome::Identities(identities) => ("identityMap", &identities.identity_map),
        _ => return value,
    };
    set(&value, key, &JSON::parse(json).unwrap_or(JsValue::UNDEFINED));
    value
}

/// What a promise rejects with: an `Error` that has a `code`.
pub fn error(code: &str, message: &str) -> JsValue {
    let error = Error::new(message).into();
    set(&error, "code", &code.into());
    error
}
