//! JSON as text: read, merged and written without building a tree.
//!
//! What a caller passes reaches us as the text that `JSON.stringify` made of it, and it leaves as
//! text too, so no value is ever turned into a Rust number, map or string on its way, except where
//! a check needs it. Every function takes any text and refuses what is not JSON; none panics.

mod merge;
mod scan;
mod write;

pub use merge::{Layer, merge, merge_layers};
pub use scan::{
    Elements, Kind, Members, boolean, elements, find, integer, is_empty, kind, members, string, unescape,
    valid,
};
pub(crate) use write::{hex_digit, push_padded};
pub use write::{push_int, push_string};

/// How deep objects and arrays may nest in what a caller passes. XDM's deepest standard path has
/// nine parts; the bound keeps recursion, and the wasm stack, small.
pub const MAX_DEPTH: usize = 32;
