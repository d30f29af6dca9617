//! Support for `official_schemas.rs`: Adobe's own schemas brought into the form messages have.

pub mod agreement;
pub mod cases;
pub mod registry;
