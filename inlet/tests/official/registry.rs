//! Adobe's schema files, and the one closed schema that a class and some field groups make of them.
//!
//! The files describe XDM as Adobe publishes it: properties are called `xdm:timestamp` and `@id`, the parts
//! are tied by `allOf` and `$ref`, and everything is open. A message carries `timestamp` and `_id`, and the
//! platform is closed. So the parts are merged, renamed and closed before anything is held against them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// Allows prefixed names alone, so it would refuse every message. It is the one reference not followed.
const CONTEXT: &str = "https://ns.adobe.com/xdm/common/extensible#/definitions/@context";

/// What a value must be; kept as it stands.
pub const CONSTRAINTS: &[&str] = &[
    "type",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
];

/// Says nothing about what is valid.
const ANNOTATIONS: &[&str] =
    &["$id", "$schema", "title", "description", "examples", "definitions", "auditable"];

/// Every official schema by its `$id`.
pub struct Registry {
    schemas: BTreeMap<String, Value>,
}

impl Registry {
    /// The folder that `XDM_SCHEMAS` names, else the one beside the repository. Where there is none, says so and
    /// gives nothing: the project carries none of these files, so a clone on its own goes without them.
    pub fn open() -> Option<Self> {
        let named = env::var_os("XDM_SCHEMAS").map(PathBuf::from);
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/xdm-schemas");
        let explicit = named.is_some();
        let folder = named.unwrap_or(beside);
        if !folder.is_dir() {
            assert!(
                !explicit,
                "XDM_SCHEMAS names {}, which is no folder; name a checkout of github.com/adobe/xdm",
                folder.display()
            );
            println!(
                "skipped: no official schemas at {}; set XDM_SCHEMAS to a checkout of github.com/adobe/xdm",
                folder.display()
            );
            return None;
        }
        let mut schemas = BTreeMap::new();
        read_folder(&folder, &mut schemas);
        assert!(!schemas.is_empty(), "{} holds no *.schema.json with an $id", folder.display());
        Some(Self { schemas })
    }

    pub fn knows(&self, id: &str) -> bool {
        self.schemas.contains_key(id)
    }

    /// The title of one schema, as the schema editor shows it.
    pub fn title(&self, id: &str) -> &str {
        self.schema(id)["title"].as_str().unwrap_or("").trim()
    }

    /// One flat, closed draft-07 schema with wire names, of a class and field groups given by `$id`.
    pub fn compose<S: AsRef<str>>(&self, ids: &[S]) -> Value {
        let mut whole = Map::new();
        for id in ids {
            let id = id.as_ref();
            let part = self.flatten(self.schema(id), id, &[id.to_string()]);
            merge(&mut whole, part, id);
        }
        whole.insert("type".into(), json!("object"));
        close(&mut whole);
        whole.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
        Value::Object(whole)
    }

    fn schema(&self, id: &str) -> &Value {
        self.schemas.get(id).unwrap_or_else(|| panic!("no official schema has the $id {id}"))
    }

    /// `home` is the `$id` that `#/definitions/…` refers to; `trail` the references being followed.
    fn flatten(&self, schema: &Value, home: &str, trail: &[String]) -> Map<String, Value> {
        let schema = schema.as_object().unwrap_or_else(|| panic!("a schema in {home} is no object"));
        let mut flat = Map::new();
        for (keyword, value) in schema {
            match keyword.as_str() {
                "$ref" => {
                    if let Some(part) = self.follow(value, home, trail) {
                        merge(&mut flat, part, home);
                    }
                }
                "allOf" => {
                    for part in value.as_array().into_iter().flatten() {
                        merge(&mut flat, self.flatten(part, home, trail), home);
                    }
                }
                "properties" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        let value = Value::Object(self.flatten(value, home, trail));
                        merge(&mut flat, nest(&wire_name(name), value), home);
                    }
                }
                "required" => {
                    for name in value.as_array().into_iter().flatten() {
                        let path = wire_name(name.as_str().expect("a required name is a string"));
                        merge(&mut flat, require(&path), home);
                    }
                }
                "items" => {
                    let items = self.flatten(value, home, trail);
                    flat.insert(keyword.clone(), Value::Object(items));
                }
                "additionalProperties" => {
                    let values = self.flatten(value, home, trail);
                    flat.insert(keyword.clone(), Value::Object(values));
                }
                // The consents file has this property beside `properties` by mistake; it stands in the right place too.
                "xdm:metadata" => {}
                // Names with `://`, which on the wire are nested under `_vendor` and so never match.
                "patternProperties" => {}
                "default" | "meta:status" | "meta:enum" => {
                    flat.insert(keyword.clone(), value.clone());
                }
                other if CONSTRAINTS.contains(&other) => {
                    flat.insert(keyword.clone(), value.clone());
                }
                other if ANNOTATIONS.contains(&other) || other.starts_with("meta:") => {}
                other => panic!("{home} uses {other}, which this composition does not know"),
            }
        }
        flat
    }

    fn follow(&self, reference: &Value, home: &str, trail: &[String]) -> Option<Map<String, Value>> {
        let reference = reference.as_str().expect("a $ref is a string");
        if reference == CONTEXT {
            return None;
        }
        let (id, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let id = if id.is_empty() { home } else { id };
        let key = format!("{id}#{fragment}");
        if trail.contains(&key) {
            // A schema within itself is left open there.
            return Some(Map::from_iter([("type".to_string(), json!("object"))]));
        }
        let target = self
            .schema(id)
            .pointer(fragment)
            .unwrap_or_else(|| panic!("{home} refers to {reference}, which is not there"));
        let trail = [trail, &[key]].concat();
        Some(self.flatten(target, id, &trail))
    }
}

fn read_folder(folder: &Path, schemas: &mut BTreeMap<String, Value>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            // In a full checkout these hold translations, old versions and the site.
            if !matches!(name.as_str(), ".git" | "docs" | "__localization__" | "archived" | "node_modules") {
                read_folder(&path, schemas);
            }
        } else if name.ends_with(".schema.json") {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
            let schema: Value = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{} is no JSON: {error}", path.display()));
            if let Some(id) = schema["$id"].as_str() {
                schemas.insert(id.to_string(), schema);
            }
        }
    }
}

/// Where a published property name stands on the wire: `xdm:web` in `web`, `@id` in `_id`, `dc:language` in
/// `_dc.language`, `https://ns.adobe.com/experience/mcid` in `_experience.mcid`.
fn wire_name(name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix('@') {
        return vec![format!("_{name}")];
    }
    if let Some((_, path)) = name.split_once("://ns.adobe.com/") {
        let path = path.strip_prefix("xdm/").unwrap_or(path);
        return format!("_{path}").split('/').map(String::from).collect();
    }
    match name.split_once(':') {
        Some(("xdm", name)) => vec![name.to_string()],
        Some((prefix, name)) => vec![format!("_{prefix}"), name.to_string()],
        None => vec![name.to_string()],
    }
}

/// An object schema with `value` at `path`.
fn nest(path: &[String], value: Value) -> Map<String, Value> {
    let (name, rest) = path.split_first().expect("a name has a segment");
    let value = if rest.is_empty() { value } else { Value::Object(nest(rest, value)) };
    object_with("properties", json!({ name: value }))
}

/// An object schema that requires the last segment of `path` of the object that holds it.
fn require(path: &[String]) -> Map<String, Value> {
    let (name, holder) = path.split_last().expect("a name has a segment");
    let required = object_with("required", json!([name]));
    if holder.is_empty() { required } else { nest(holder, Value::Object(required)) }
}

fn object_with(keyword: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([("type".to_string(), json!("object")), (keyword.to_string(), value)])
}

/// Adds what `part` says to `whole`. Parts that contradict each other stop the test: no order would be right.
fn merge(whole: &mut Map<String, Value>, part: Map<String, Value>, home: &str) {
    for (keyword, value) in part {
        let Some(present) = whole.get_mut(&keyword) else {
            whole.insert(keyword, value);
            continue;
        };
        match (keyword.as_str(), present, value) {
            ("properties", Value::Object(present), Value::Object(value)) => {
                for (name, value) in value {
                    match (present.get_mut(&name), value) {
                        (Some(Value::Object(present)), Value::Object(value)) => {
                            merge(present, value, home);
                        }
                        (_, value) => {
                            present.insert(name, value);
                        }
                    }
                }
            }
            ("required", Value::Array(present), Value::Array(value)) => {
                for name in value {
                    if !present.contains(&name) {
                        present.push(name);
                    }
                }
            }
            ("items" | "additionalProperties", Value::Object(present), Value::Object(value)) => {
                merge(present, value, home);
            }
            // What stands beside a reference is about this use of the type, so the first word counts.
            ("default" | "meta:status" | "meta:enum", _, _) => {}
            (_, present, value) => {
                assert_eq!(*present, value, "{home} says two things about {keyword}");
            }
        }
    }
}

/// Refuses unknown names in every object that lists its own, as the platform does. A map lists none.
fn close(schema: &mut Map<String, Value>) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            if let Value::Object(property) = property {
                close(property);
            }
        }
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = schema.get_mut(keyword) {
            close(inner);
        }
    }
}

#[test]
fn published_names_become_wire_names() {
    for (published, wire) in [
        ("xdm:timestamp", "timestamp"),
        ("@id", "_id"),
        ("dc:language", "_dc.language"),
        ("https://ns.adobe.com/experience/mcid", "_experience.mcid"),
        ("https://ns.adobe.com/xdm/channels", "_channels"),
        ("direct-mail", "direct-mail"),
    ] {
        assert_eq!(wire_name(published).join("."), wire);
    }
}
