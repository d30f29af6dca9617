//! The delivery engine, driven by hand, and the texts that it keeps.

#![cfg(not(target_arch = "wasm32"))]

mod leaving;
mod outbox;
mod page;
mod sending;
mod texts;
