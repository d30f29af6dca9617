//! The Experience Data Model on the wire: what an event or a profile record is made of, how it is
//! wrapped for the streaming API, and what the answers say.

pub mod entity;
pub mod envelope;
pub mod event_types;
pub mod identity_map;
pub mod limits;
pub mod mapping;
pub mod path;
pub mod response;
