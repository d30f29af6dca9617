//! XDM: paths, mappings, identities, entities, envelopes and answers.

#![cfg(not(target_arch = "wasm32"))]

mod entity;
mod envelope;
mod identity_map;
mod legacy;
mod mapping;
#[path = "../json/oracle.rs"]
mod oracle;
mod path;
mod response;
#[path = "../json/values.rs"]
mod values;
