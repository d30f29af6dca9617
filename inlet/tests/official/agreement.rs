//! Holds a schema of ours against the official composition, path by path.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use super::registry::CONSTRAINTS;

/// One thing that two schemas say differently.
#[derive(Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Property names joined by dots, `[]` for the items of an array, `{}` for the values of a map.
    pub path: String,
    /// The keyword, or one of the words below.
    pub about: String,
    /// What ours says and what the official one says.
    pub detail: String,
}

/// Ours has a path the official schema does not have.
pub const NO_SUCH_PATH: &str = "no such path";
/// The official schema has a path ours does not have.
pub const NOT_CARRIED: &str = "not carried";
/// Ours takes names it does not list, or lists none where the official schema does.
pub const OPEN: &str = "open";

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.path, self.about, self.detail)
    }
}

/// Everything that `ours` and `official` say differently. `tenant` is a top-level property of our own;
/// `same_pattern(ours, official)` decides on two patterns with different text.
pub fn disagreements(
    ours: &Value,
    official: &Value,
    tenant: &str,
    same_pattern: &dyn Fn(&str, &str) -> bool,
) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let (mut ours, official) = (ours.clone(), object(official));
    if let Some(Value::Object(properties)) = ours.get_mut("properties") {
        properties.remove(tenant);
    }
    let mut comparison = Comparison { same_pattern, found: &mut found };
    comparison.schema("", object(&ours), official);
    found
}

struct Comparison<'a> {
    same_pattern: &'a dyn Fn(&str, &str) -> bool,
    found: &'a mut Vec<Disagreement>,
}

impl Comparison<'_> {
    fn report(&mut self, path: &str, about: &str, ours: Option<&Value>, official: Option<&Value>) {
        let say = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
        self.found.push(Disagreement {
            path: path.to_string(),
            about: about.to_string(),
            detail: format!("ours {}, official {}", say(ours), say(official)),
        });
    }

    fn schema(&mut self, path: &str, ours: &Map<String, Value>, official: &Map<String, Value>) {
        for keyword in ours.keys() {
            if !is_compared(keyword) && !is_annotation(keyword) {
                self.report(path, keyword, ours.get(keyword), None);
            }
        }
        for keyword in CONSTRAINTS {
            self.constraint(path, keyword, ours.get(*keyword), official.get(*keyword));
        }
        let (required, official_required) = (names(ours), names(official));
        if required != official_required {
            self.report(path, "required", ours.get("required"), official.get("required"));
        }
        // A default is a wish, so ours need not carry it, but may not wish for something else.
        if let Some(default) = ours.get("default")
            && official.get("default") != Some(default)
        {
            self.report(path, "default", Some(default), official.get("default"));
        }
        // The values of an open list. Beside an enum it holds nothing but labels.
        if !official.contains_key("enum") && keys(ours.get("meta:enum")) != keys(official.get("meta:enum")) {
            let (ours, official) = (ours.get("meta:enum"), official.get("meta:enum"));
            self.report(path, "meta:enum", ours, official);
        }
        self.properties(path, ours, official);
        self.inner(format!("{path}[]"), "items", ours, official);
        self.map_values(path, ours, official);
    }

    fn constraint(&mut self, path: &str, keyword: &str, ours: Option<&Value>, official: Option<&Value>) {
        let agree = match (keyword, ours, official) {
            ("enum", Some(ours), Some(official)) => values(ours) == values(official),
            ("pattern", Some(Value::String(ours)), Some(Value::String(official))) => {
                ours == official || (self.same_pattern)(ours, official)
            }
            _ => ours == official,
        };
        if !agree {
            self.report(path, keyword, ours, official);
        }
    }

    fn properties(&mut self, path: &str, ours: &Map<String, Value>, official: &Map<String, Value>) {
        let none = Map::new();
        let (ours, official) =
            (ours.get("properties").map_or(&none, object), official.get("properties").map_or(&none, object));
        for (name, property) in ours {
            let path = below(path, name);
            match official.get(name) {
                Some(official) => self.schema(&path, object(property), object(official)),
                None => self.report(&path, NO_SUCH_PATH, property.get("type"), None),
            }
        }
        for (name, property) in official {
            if !ours.contains_key(name) {
                self.report(&below(path, name), NOT_CARRIED, None, Some(&property["type"]));
            }
        }
    }

    fn inner(
        &mut self,
        path: String,
        keyword: &str,
        ours: &Map<String, Value>,
        official: &Map<String, Value>,
    ) {
        match (ours.get(keyword), official.get(keyword)) {
            (Some(ours), Some(official)) => self.schema(&path, object(ours), object(official)),
            (None, None) => {}
            (ours, official) => self.report(&path, keyword, ours, official),
        }
    }

    fn map_values(&mut self, path: &str, ours: &Map<String, Value>, official: &Map<String, Value>) {
        let keyword = "additionalProperties";
        match (ours.get(keyword), official.get(keyword)) {
            (Some(Value::Object(_)), Some(Value::Object(_))) => {
                self.inner(format!("{path}{{}}"), keyword, ours, official);
            }
            (ours, official) if ours == official => {}
            (ours, official) => self.report(path, OPEN, ours, official),
        }
    }
}

fn is_compared(keyword: &str) -> bool {
    CONSTRAINTS.contains(&keyword)
        || matches!(keyword, "required" | "default" | "properties" | "items" | "additionalProperties")
}

fn is_annotation(keyword: &str) -> bool {
    matches!(keyword, "$id" | "$schema" | "version" | "title" | "description") || keyword.starts_with("meta:")
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

fn object(schema: &Value) -> &Map<String, Value> {
    schema.as_object().expect("a schema is an object")
}

fn values(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(Value::to_string).collect()
}

fn names(schema: &Map<String, Value>) -> BTreeSet<String> {
    schema.get("required").map(values).unwrap_or_default()
}

fn keys(object: Option<&Value>) -> BTreeSet<String> {
    let object = object.and_then(Value::as_object).into_iter();
    object.flat_map(Map::keys).cloned().collect()
}
