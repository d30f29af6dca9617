//! JSON as text, held against `serde_json`, which builds trees.

mod merge;
mod oracle;
mod scan;
mod values;
mod write;
