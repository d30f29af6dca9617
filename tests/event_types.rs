//! The standard values of `eventType`: what Rust has, what TypeScript has, and what the official schema has.

#![cfg(not(target_arch = "wasm32"))]

use serde_json::Value;
use std::collections::BTreeSet;
use std::env;
use std::fs::read_to_string;
use std::path::PathBuf;
use xdm_beacon::xdm::event_types::{self, ALL};

/// Where the official schemas are; `None` where they are not at hand.
fn official() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/xdm-schemas");
    let folder = env::var_os("XDM_SCHEMAS").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[test]
fn there_are_88_each_once() {
    assert_eq!(ALL.len(), 88);
    assert_eq!(ALL.iter().collect::<BTreeSet<_>>().len(), 88);
    assert_eq!(event_types::WEB_PAGE_VIEWS, "web.webpagedetails.pageViews");
    assert_eq!(event_types::WEB_LINK_CLICKS, "web.webinteraction.linkClicks");
    assert_eq!(event_types::WEB_FORM_FILLED_OUT, "web.formFilledOut");
}

#[test]
fn typescript_has_the_same() {
    let types = include_str!("../www/sdk/index.d.ts");
    let (_, union) = types.split_once("export type EventType =\n").expect("the union is there");
    let (union, _) = union.split_once(';').expect("it ends");
    let typed: Vec<&str> =
        union.lines().map(|line| line.trim().trim_start_matches("| ").trim_matches('"')).collect();
    assert_eq!(typed.len(), ALL.len());
    assert_eq!(BTreeSet::from_iter(typed), ALL.iter().copied().collect());
}

#[test]
fn the_official_schema_has_the_same() {
    let Some(folder) = official() else { return };
    let path = folder.join("components/behaviors/time-series.schema.json");
    let text = read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
    let listed = schema
        .pointer("/definitions/time-series/properties/xdm:eventType/meta:enum")
        .and_then(Value::as_object)
        .expect("the schema lists event types");
    let listed: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(listed, ALL.iter().copied().collect());
}
