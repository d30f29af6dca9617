//! JSON as text, held against `serde_json`, which builds trees.

#![cfg(not(target_arch = "wasm32"))]

mod merge;
mod oracle;
mod scan;
mod values;
mod write;
