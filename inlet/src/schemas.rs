//! The schemas an entity is judged by.
//!
//! A schema is a file in the form the platform's registry exports: the full XED form
//! (`Accept: application/vnd.adobe.xed-full+json;version=1`), names unprefixed, with `$id`,
//! `meta:class`, `title`, `properties` and `required`. The registry leaves its exports open where
//! the service that uses them is closed (an unknown key is an error), so [`Schema::parse`] closes
//! them. Two schemas are compiled in; every `*.json` of the folders given at the start is added,
//! and one of the same `$id` replaces the one before it. Files are read once, at the start.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ValidationError, Validator};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::field_groups;

const SHIPPED: [&str; 2] = [
    include_str!("../schemas/web-experienceevent.schema.json"),
    include_str!("../schemas/profile-record.schema.json"),
];

/// How much of a value or a key a message repeats, in characters.
const QUOTED: usize = 100;

/// The four spellings of a timestamp the service takes, in its own words.
const DATE_TIMES: &str = "[yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,9}Z, \
     yyyy-MM-dd'T'HH:mm:ss[+-]HH:mm, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,9}[+-]HH:mm]";

/// What a schema describes: things that happen (time series) or things that are (records).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Event,
    Record,
}

/// One way in which an entity departs from its schema.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// JSON pointer into `xdmEntity`; for an extraneous key, to that key.
    pub pointer: String,
    /// The schema's keyword, or `identityMap` and `envelope` for rules beside the schema.
    pub keyword: String,
    /// In the platform's words where they are known.
    pub message: String,
    /// The standard field group that would bring an extraneous field into the schema.
    #[serde(rename = "fieldGroup", skip_serializing_if = "Option::is_none")]
    pub field_group: Option<&'static str>,
    /// JSON pointer into the schema, to the object that holds `keyword`.
    #[serde(skip)]
    pub schema_location: String,
}

impl Violation {
    /// A violation of a rule that is not in the schema.
    pub fn beside_schema(pointer: &str, keyword: &str, message: &str) -> Self {
        Self {
            pointer: pointer.to_owned(),
            keyword: keyword.to_owned(),
            message: message.to_owned(),
            field_group: None,
            schema_location: String::new(),
        }
    }
}

/// Why a file is not a schema.
#[derive(Debug)]
pub enum SchemaFault {
    Unreadable(std::io::Error),
    NotJson(serde_json::Error),
    Missing(&'static str),
    NotCompiled(String),
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::NotJson(error) => write!(f, "is not JSON: {error}"),
            Self::Missing(name) => write!(
                f,
                "has no {name}: export the schema from the schema registry with \
                 Accept: application/vnd.adobe.xed-full+json;version=1"
            ),
            Self::NotCompiled(reason) => write!(
                f,
                "is not a complete JSON Schema ({reason}): export the full form, with \
                 Accept: application/vnd.adobe.xed-full+json;version=1"
            ),
        }
    }
}

/// A compiled, closed schema.
pub struct Schema {
    pub id: String,
    /// The `$id` of its class.
    pub class_id: String,
    pub class: Class,
    /// The `$id`s of what it is made of.
    extends: Vec<String>,
    validator: Validator,
}

impl Schema {
    /// Reads a registry export.
    pub fn parse(text: &str) -> Result<Self, SchemaFault> {
        let mut json: Value = serde_json::from_str(text).map_err(SchemaFault::NotJson)?;
        let text_of = |name: &'static str| {
            json.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(SchemaFault::Missing(name))
        };
        let id = text_of("$id")?;
        let class_id = text_of("meta:class")?;
        if !json.get("properties").is_some_and(Value::is_object) {
            return Err(SchemaFault::Missing("properties"));
        }
        let extends: Vec<String> = json
            .get("meta:extends")
            .and_then(Value::as_array)
            .map(|ids| ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        let class = class_of(&class_id, &extends);
        close(&mut json);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft7)
            .should_validate_formats(true)
            .with_format("date-time", |text: &str| epoch_ms(text).is_some())
            .build(&json)
            .map_err(|error| SchemaFault::NotCompiled(clip(&error.masked().to_string())))?;
        Ok(Self { id, class_id, class, extends, validator })
    }

    /// The first `at_most` violations of an entity; none means that it is valid.
    pub fn violations(&self, entity: &Value, at_most: usize) -> Vec<Violation> {
        if self.validator.is_valid(entity) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for error in self.validator.iter_errors(entity) {
            self.describe(&error, &mut found);
            if found.len() >= at_most {
                found.truncate(at_most);
                break;
            }
        }
        found
    }

    fn describe(&self, error: &ValidationError<'_>, found: &mut Vec<Violation>) {
        let keyword = error.kind().keyword();
        let pointer = error.instance_path().as_str();
        let location = error.schema_path().as_str();
        let schema_location =
            location.strip_suffix(keyword).and_then(|rest| rest.strip_suffix('/')).unwrap_or(location);
        let mut push = |pointer: String, message: String, field_group| {
            found.push(Violation {
                pointer,
                keyword: keyword.to_owned(),
                message,
                field_group,
                schema_location: schema_location.to_owned(),
            });
        };
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            for key in unexpected {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                // A key of a group that the schema has already is misspelt, not missing.
                let group = field_groups::group_for(&self.class_id, &pointer)
                    .filter(|group| !self.extends.iter().any(|id| id == group.id));
                let message = format!("extraneous key [{}] is not permitted", clip(key));
                push(pointer, message, group.map(|group| group.title));
            }
        } else {
            push(pointer.to_owned(), clip_long(&words(error)), None);
        }
    }
}

/// Every schema known to this inlet, by `$id`.
pub struct Schemas {
    by_id: HashMap<String, Arc<Schema>>,
}

impl Schemas {
    /// The two schemas that ship with the inlet.
    pub fn shipped() -> Result<Self, SchemaFault> {
        let mut schemas = Self { by_id: HashMap::new() };
        for text in SHIPPED {
            schemas.add(Schema::parse(text)?);
        }
        Ok(schemas)
    }

    /// Adds every `*.json` of a folder; returns the files that are no schema, with the reason.
    pub fn add_folder(&mut self, folder: &Path) -> Result<Vec<(PathBuf, SchemaFault)>, SchemaFault> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(SchemaFault::Unreadable)? {
            let path = entry.map_err(SchemaFault::Unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
        files.sort();
        let mut faults = Vec::new();
        for path in files {
            let parsed = fs::read_to_string(&path)
                .map_err(SchemaFault::Unreadable)
                .and_then(|text| Schema::parse(text.trim_start_matches('\u{feff}')));
            match parsed {
                Ok(schema) => self.add(schema),
                Err(fault) => faults.push((path, fault)),
            }
        }
        Ok(faults)
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Schema>> {
        self.by_id.get(id)
    }

    fn add(&mut self, schema: Schema) {
        self.by_id.insert(schema.id.clone(), Arc::new(schema));
    }
}

/// A class of a tenant's own says by what it extends how it behaves.
fn class_of(class_id: &str, extends: &[String]) -> Class {
    let time_series = |id: &str| {
        id == "https://ns.adobe.com/xdm/context/experienceevent"
            || id == "https://ns.adobe.com/xdm/data/time-series"
    };
    if time_series(class_id) || extends.iter().any(|id| time_series(id)) {
        Class::Event
    } else {
        Class::Record
    }
}

/// Closes every object that lists its properties and says nothing of others. Maps (an
/// `additionalProperties` of their own) and objects without a list stay as they are.
fn close(schema: &mut Value) {
    let Value::Object(schema) = schema else {
        return;
    };
    for keyword in ["properties", "patternProperties", "definitions", "$defs"] {
        if let Some(Value::Object(members)) = schema.get_mut(keyword) {
            members.values_mut().for_each(close);
        }
    }
    for keyword in ["items", "additionalItems", "additionalProperties", "contains"] {
        if let Some(member) = schema.get_mut(keyword) {
            match member {
                Value::Array(members) => members.iter_mut().for_each(close),
                member => close(member),
            }
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        if let Some(Value::Array(members)) = schema.get_mut(keyword) {
            // A member of a composition sees the keys of its siblings too, so only the whole
            // can be closed: what lies inside the members is, the members are not.
            for member in members {
                let open = member.get("additionalProperties").is_none();
                close(member);
                if let (true, Value::Object(member)) = (open, member) {
                    member.remove("additionalProperties");
                }
            }
        }
    }
    if schema.contains_key("additionalProperties") || !schema.contains_key("properties") {
        return;
    }
    let mut composed = Vec::new();
    composed_names(schema, &mut composed);
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for name in composed {
            properties.entry(name).or_insert(Value::Bool(true));
        }
        if !properties.is_empty() {
            schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
    }
}

fn composed_names(schema: &Map<String, Value>, names: &mut Vec<String>) {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let members = schema.get(keyword).and_then(Value::as_array);
        for member in members.into_iter().flatten().filter_map(Value::as_object) {
            if let Some(Value::Object(properties)) = member.get("properties") {
                names.extend(properties.keys().cloned());
            }
            composed_names(member, names);
        }
    }
}

/// The platform's wording of what the validator found.
fn words(error: &ValidationError<'_>) -> String {
    let found = error.instance();
    match error.kind() {
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(one) => type_name(&one.to_string()).to_owned(),
                TypeKind::Multiple(many) => many
                    .iter()
                    .map(|one| type_name(&one.to_string()).to_owned())
                    .collect::<Vec<_>>()
                    .join(" or "),
            };
            format!("expected type: {expected}, found: {}", type_found(found))
        }
        ValidationErrorKind::Required { property } => {
            format!("required key [{}] not found", text_of(property))
        }
        ValidationErrorKind::Enum { .. } => {
            format!("{} is not a valid enum value", text_of(found))
        }
        ValidationErrorKind::Constant { .. } => {
            format!("{} is not the one value permitted", text_of(found))
        }
        ValidationErrorKind::Format { format } if format == "date-time" => {
            format!("[{}] is not a valid date-time. Expected {DATE_TIMES}", text_of(found))
        }
        ValidationErrorKind::Format { format } => {
            format!("[{}] is not a valid {format}", text_of(found))
        }
        ValidationErrorKind::Pattern { pattern } => {
            format!("string [{}] does not match pattern {pattern}", text_of(found))
        }
        ValidationErrorKind::Minimum { limit } => {
            format!("{} is not greater or equal to {limit}", text_of(found))
        }
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            format!("{} is not greater than {limit}", text_of(found))
        }
        ValidationErrorKind::Maximum { limit } => {
            format!("{} is not less or equal to {limit}", text_of(found))
        }
        ValidationErrorKind::ExclusiveMaximum { limit } => {
            format!("{} is not less than {limit}", text_of(found))
        }
        ValidationErrorKind::MinLength { limit } => {
            format!("expected minLength: {limit}, actual: {}", length_of(found))
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("expected maxLength: {limit}, actual: {}", length_of(found))
        }
        ValidationErrorKind::MinItems { limit } => {
            format!("expected minimum item count: {limit}, found: {}", length_of(found))
        }
        ValidationErrorKind::MaxItems { limit } => {
            format!("expected maximum item count: {limit}, found: {}", length_of(found))
        }
        ValidationErrorKind::UniqueItems => "array items are not unique".to_owned(),
        _ => error.masked().to_string(),
    }
}

fn type_name(name: &str) -> &str {
    match name {
        "string" => "String",
        "integer" => "Integer",
        "number" => "Number",
        "boolean" => "Boolean",
        "object" => "JSONObject",
        "array" => "JSONArray",
        "null" => "Null",
        other => other,
    }
}

fn type_found(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Double",
        Value::Number(_) => "Long",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => clip(text),
        Value::Object(_) | Value::Array(_) => type_found(value).to_owned(),
        scalar => scalar.to_string(),
    }
}

fn length_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        _ => 0,
    }
}

fn clip(text: &str) -> String {
    shorten(text, QUOTED)
}

fn clip_long(text: &str) -> String {
    shorten(text, QUOTED * 5)
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Epoch milliseconds of `yyyy-MM-ddTHH:mm:ss[.1-9 digits](Z|±HH:mm)`, the only spellings the
/// service takes; `None` for anything else, dates that do not exist included.
pub fn epoch_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits
            .iter()
            .try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if bytes.get(at) != Some(&mark) {
            return None;
        }
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // RFC 3339 knows the leap second; which minutes had one is not looked up.
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    let mut millis = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let digits = bytes.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        let kept = digits.min(3);
        millis = number(at, at + kept)? * [1, 100, 10, 1].get(kept).copied()?;
        at += digits;
    }
    let offset = match bytes.get(at..)? {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = hours * 60 + minutes;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    // Days since 1970 in the proleptic Gregorian calendar, years starting in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
        - 1
        - 719_468;
    Some((((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn export() -> Value {
        json!({
            "$id": "https://ns.adobe.com/tenant/schemas/0f1e",
            "$schema": "http://json-schema.org/draft-06/schema#",
            "meta:class": "https://ns.adobe.com/xdm/context/experienceevent",
            "meta:extends": ["https://ns.adobe.com/xdm/context/experienceevent", "https://ns.adobe.com/xdm/data/time-series"],
            "title": "Tenant events",
            "type": "object",
            "required": ["_id", "timestamp"],
            "properties": {
                "_id": {"type": "string", "format": "uri-reference", "meta:xdmType": "string"},
                "timestamp": {"type": "string", "format": "date-time", "meta:xdmType": "date-time"},
                "eventType": {"type": "string", "meta:enum": {"a.b": "A"}},
                "kind": {"type": "string", "enum": ["exit", "other"]},
                "share": {"type": "number", "minimum": 0, "maximum": 1},
                "tags": {"type": "array", "maxItems": 2, "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                "identityMap": {"type": "object", "additionalProperties": {"type": "array", "items": {
                    "type": "object", "properties": {"id": {"type": "string"}, "primary": {"type": "boolean"}}}}},
                "_tenant": {"type": "object", "properties": {"shade": {"type": "string", "pattern": "^[a-z]+$"}}},
                "free": {"type": "object"},
            },
        })
    }

    fn found(entity: &Value) -> Vec<(String, String, String)> {
        let schema = Schema::parse(&export().to_string()).unwrap();
        let violations = schema.violations(entity, 50);
        violations.into_iter().map(|v| (v.pointer, v.keyword, v.message)).collect()
    }

    fn event(changes: Value) -> Value {
        let mut event = json!({"_id": "1", "timestamp": "2026-01-01T00:00:00Z"});
        for (key, value) in changes.as_object().unwrap() {
            event[key] = value.clone();
        }
        event
    }

    #[test]
    fn the_shipped_schemas_are_read() {
        let schemas = Schemas::shipped().unwrap();
        let class = |id: &str| schemas.get(id).map(|schema| schema.class);
        assert_eq!(class("https://ns.adobe.com/xdmbeacon/schemas/web-experienceevent"), Some(Class::Event));
        assert_eq!(class("https://ns.adobe.com/xdmbeacon/schemas/profile-record"), Some(Class::Record));
    }

    #[test]
    fn an_open_export_is_closed_at_every_depth_but_maps() {
        let cases = [
            (json!({"typo": 1}), "/typo"),
            (json!({"_tenant": {"typo": 1}}), "/_tenant/typo"),
            (json!({"tags": [{"name": "a"}, {"nam/e~": "a"}]}), "/tags/1/nam~1e~0"),
            (json!({"identityMap": {"ECID": [{"id": "1", "typo": 1}]}}), "/identityMap/ECID/0/typo"),
        ];
        for (changes, pointer) in cases {
            let violations = found(&event(changes));
            assert_eq!(violations.len(), 1, "{pointer}: {violations:?}");
            assert_eq!((&*violations[0].0, &*violations[0].1), (pointer, "additionalProperties"));
        }
        for changes in
            [json!({}), json!({"free": {"any": 1}}), json!({"identityMap": {"Any": [{"id": "1"}]}})]
        {
            assert_eq!(found(&event(changes)), []);
        }
    }

    #[test]
    fn violations_speak_the_platforms_words() {
        let cases = [
            (json!({"typo": 1}), "extraneous key [typo] is not permitted"),
            (json!({"_id": 5}), "expected type: String, found: Long"),
            (json!({"eventType": null}), "expected type: String, found: Null"),
            (json!({"eventType": 1.5}), "expected type: String, found: Double"),
            (json!({"tags": {}}), "expected type: JSONArray, found: JSONObject"),
            (json!({"free": [true]}), "expected type: JSONObject, found: JSONArray"),
            (json!({"share": true}), "expected type: Number, found: Boolean"),
            (json!({"share": 2}), "2 is not less or equal to 1"),
            (json!({"share": -0.5}), "-0.5 is not greater or equal to 0"),
            (json!({"kind": "click"}), "click is not a valid enum value"),
            (json!({"_tenant": {"shade": "Red"}}), "string [Red] does not match pattern ^[a-z]+$"),
            (json!({"tags": [{}, {}, {}]}), "expected maximum item count: 2, found: 3"),
            (json!({"_id": "a b"}), "[a b] is not a valid uri-reference"),
        ];
        for (changes, message) in cases {
            let violations = found(&event(changes));
            assert_eq!(violations.len(), 1, "{message}: {violations:?}");
            assert_eq!(violations[0].2, message);
        }
        assert_eq!(found(&json!({"_id": "1"}))[0].2, "required key [timestamp] not found");
        let message = &found(&event(json!({"timestamp": "yesterday"})))[0].2;
        assert!(
            message.starts_with("[yesterday] is not a valid date-time. Expected [yyyy-MM-dd'T'HH:mm:ssZ, ")
        );
    }

    #[test]
    fn a_missing_field_names_its_group_unless_the_schema_has_it() {
        let entity = event(json!({"web": {}}));
        let mut export = export();
        let group = |export: &Value| {
            Schema::parse(&export.to_string()).unwrap().violations(&entity, 1)[0].field_group
        };
        assert_eq!(group(&export), Some("Web Details"));
        export["meta:extends"] = json!(["https://ns.adobe.com/xdm/context/experienceevent-web"]);
        assert_eq!(group(&export), None);
    }

    #[test]
    fn long_values_are_not_repeated_whole() {
        let long = "x".repeat(100_000);
        let violations = found(&event(json!({"kind": long.clone(), long: 1})));
        assert_eq!(violations.len(), 2);
        assert!(violations.iter().all(|(_, _, message)| message.len() < 600));
    }

    #[test]
    fn composed_objects_are_closed_as_a_whole() {
        let mut export = export();
        export["properties"]["both"] = json!({
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "allOf": [{"properties": {"b": {"type": "object", "properties": {"c": {"type": "string"}}}}}],
        });
        let schema = Schema::parse(&export.to_string()).unwrap();
        let pointers = |both: Value| -> Vec<String> {
            schema.violations(&event(json!({"both": both})), 9).into_iter().map(|v| v.pointer).collect()
        };
        assert_eq!(pointers(json!({"a": "1", "b": {"c": "2"}})), [""; 0]);
        assert_eq!(pointers(json!({"d": 1})), ["/both/d"]);
        assert_eq!(pointers(json!({"b": {"d": 1}})), ["/both/b/d"]);
    }

    #[test]
    fn a_file_that_is_no_schema_says_why() {
        let without = |name: &str| {
            let mut export = export();
            export.as_object_mut().unwrap().remove(name);
            export.to_string()
        };
        let mut short = export();
        short["properties"]["web"] = json!({"$ref": "https://ns.adobe.com/xdm/context/webinfo"});
        let cases = [
            ("{".to_owned(), "is not JSON: "),
            ("[]".to_owned(), "has no $id: export the schema"),
            (without("$id"), "has no $id: export the schema"),
            (without("meta:class"), "has no meta:class: export the schema"),
            (without("properties"), "has no properties: export the schema"),
            (short.to_string(), "is not a complete JSON Schema ("),
        ];
        for (text, reason) in cases {
            let fault = Schema::parse(&text).err().expect(reason).to_string();
            assert!(fault.starts_with(reason), "{fault}");
        }
    }

    #[test]
    fn a_class_of_ones_own_behaves_as_what_it_extends() {
        let mut export = export();
        export["meta:class"] = json!("https://ns.adobe.com/tenant/classes/1");
        assert_eq!(Schema::parse(&export.to_string()).unwrap().class, Class::Event);
        export["meta:extends"] = json!(["https://ns.adobe.com/xdm/data/record"]);
        assert_eq!(Schema::parse(&export.to_string()).unwrap().class, Class::Record);
    }

    #[test]
    fn timestamps() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-11-24T04:00:00Z", Some(1_795_492_800_000)),
            ("2026-11-24T04:00:00.5Z", Some(1_795_492_800_500)),
            ("2026-11-24T04:00:00.123456789+02:00", Some(1_795_485_600_123)),
            ("2026-11-24T04:00:00-23:59", Some(1_795_492_800_000 + 86_340_000)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
            ("1900-02-28T23:59:60Z", Some(-2_203_891_200_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-01-32T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:60:00Z", None),
            ("2026-01-01T00:00:61Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01T00:00:00z", None),
            ("2026-01-01t00:00:00Z", None),
            ("2026-01-01 00:00:00Z", None),
            ("2026-01-01T00:00Z", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00.1234567890Z", None),
            ("2026-01-01T00:00:00+02", None),
            ("2026-01-01T00:00:00+0200", None),
            ("2026-01-01T00:00:00+24:00", None),
            ("2026-01-01T00:00:00ZZ", None),
            ("+026-01-01T00:00:00Z", None),
            ("2026-01-01T00:00:00é", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(epoch_ms(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn consecutive_days_are_a_day_apart(day in 0_i64..1_000_000) {
            // An independent calendar: count the days year by year from 1970.
            let (mut year, mut rest) = (1970, day % 80_000);
            let leap = |year: i64| i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
            while rest >= 365 + leap(year) {
                rest -= 365 + leap(year);
                year += 1;
            }
            let lengths = [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let mut month = 0;
            while rest >= lengths[month] {
                rest -= lengths[month];
                month += 1;
            }
            let text = format!("{year:04}-{:02}-{:02}T00:00:00Z", month + 1, rest + 1);
            prop_assert_eq!(epoch_ms(&text), Some(day % 80_000 * 86_400_000));
        }

        #[test]
        fn any_text_may_be_a_timestamp_or_a_schema(text in ".{0,40}") {
            let _ = epoch_ms(&text);
            prop_assert!(Schema::parse(&text).is_err());
        }
    }
}
