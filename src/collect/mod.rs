//! Pure: what the page is, as XDM.
//!
//! The browser layer reads raw values ([`Reading`]); here they become XDM text, and whatever is
//! missing, negative or absurd leaves its key out.

mod context;
pub mod redact;
pub mod referrer;

pub use context::{Moment, Page, Reading, context};
