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
    pub title: String,
    /// The `$id` of its class.
    pub class_id: String,
    pub class: Class,
    validator: Validator,
}

impl Schema {
    /// Reads a registry export.
    pub fn parse(text: &str) -> Result<Self, SchemaFault> {
        let mut json: Value = serde_json::from_str(text).map_err(SchemaFault::NotJson)?;
        let text_of = |name: &'static str| {
            json.get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or(SchemaFault::Missing(name))
        };
        let id = text_of("$id")?;
        let class_id = text_of("meta:class")?;
        if !json.get("properties").is_some_and(Value::is_object) {
            return Err(SchemaFault::Missing("properties"));
        }
        let title = text_of("title").unwrap_or_else(|_| id.clone());
        let class = class_of(&class_id, json.get("meta:extends"));
        close(&mut json);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft7)
            .should_validate_formats(true)
            .with_format("date-time", |text: &str| epoch_ms(text).is_some())
            .build(&json)
            .map_err(|error| SchemaFault::NotCompiled(clip(&error.masked().to_string())))?;
        Ok(Self {
            id,
            title,
            class_id,
            class,
            validator,
        })
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
        let schema_location = location
            .strip_suffix(keyword)
            .and_then(|rest| rest.strip_suffix('/'))
            .unwrap_or(location);
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
                let group = field_groups::group_for(&self.class_id, &pointer);
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
        let mut schemas = Self {
            by_id: HashMap::new(),
        };
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
fn class_of(class_id: &str, extends: Option<&Value>) -> Class {
    let time_series = |id: &str| {
        id == "https://ns.adobe.com/xdm/context/experienceevent"
            || id == "https://ns.adobe.com/xdm/data/time-series"
    };
    let extends_time_series = extends
        .and_then(Value::as_array)
        .is_some_and(|ids| ids.iter().filter_map(Value::as_str).any(time_series));
    if time_series(class_id) || extends_time_series {
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
        digits.iter().try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
        })
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
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400)
        + (153 * m + 2) / 5
        + day
        - 1
        - 719_468;
    Some((((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + millis)
}
