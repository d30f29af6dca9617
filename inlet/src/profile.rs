//! What Profile makes of an entity: which identities it names, whether it is too large, and how
//! the attributes of several records become one. Pure; the graph itself lives in the store.

use serde_json::{Map, Value};

use crate::schemas::{Class, Violation};

/// Profile drops larger ExperienceEvents, in bytes of compact JSON ("10 KB").
const MAX_EVENT_BYTES: usize = 10_000;
/// Profile drops larger records, in bytes of compact JSON ("100 KB").
const MAX_RECORD_BYTES: usize = 100_000;

/// One identity: a namespace code and a value in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub namespace: String,
    pub id: String,
}

/// What Profile takes from an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    pub class: Class,
    /// At least one; the primary one first, where there is one.
    pub identities: Vec<Identity>,
}

/// The outcome of an entity in a dataset that is enabled for Profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Taken(Contribution),
    /// Too large: it stays in the lake alone.
    DroppedForSize,
    /// It names nobody.
    Nobody,
}

/// What Profile does with a valid entity.
pub fn outcome(class: Class, entity: &Value) -> Outcome {
    let most = match class {
        Class::Event => MAX_EVENT_BYTES,
        Class::Record => MAX_RECORD_BYTES,
    };
    if compact_bytes(entity) > most {
        return Outcome::DroppedForSize;
    }
    let identities = identities(entity);
    if identities.is_empty() {
        return Outcome::Nobody;
    }
    Outcome::Taken(Contribution { class, identities })
}

/// Rules of Profile-enabled datasets that no schema states.
pub fn violations(class: Class, entity: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let primaries = items(entity).filter(|(_, item)| is_primary(item)).count();
    if primaries > 1 {
        found.push(Violation::beside_schema(
            "/identityMap",
            "identityMap",
            &format!("{primaries} identities are primary: leave `primary` true on one at most"),
        ));
    }
    if class == Class::Record && identities(entity).is_empty() {
        found.push(Violation::beside_schema(
            "",
            "identityMap",
            "a record of a dataset enabled for Profile needs an identity: add an identityMap \
             entry with an id",
        ));
    }
    found
}

/// Every identity of the entity's `identityMap`, each once, the primary one first.
fn identities(entity: &Value) -> Vec<Identity> {
    let mut found: Vec<Identity> = Vec::new();
    for (namespace, item) in items(entity) {
        let Some(id) = item.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()) else {
            continue;
        };
        let identity = Identity { namespace: namespace.to_owned(), id: id.to_owned() };
        if found.contains(&identity) {
            continue;
        }
        if is_primary(item) {
            found.insert(0, identity);
        } else {
            found.push(identity);
        }
    }
    found
}

fn items(entity: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let map = entity.get("identityMap").and_then(Value::as_object);
    map.into_iter().flatten().flat_map(|(namespace, items)| {
        let items = items.as_array();
        items.into_iter().flatten().map(move |item| (namespace.as_str(), item))
    })
}

fn is_primary(item: &Value) -> bool {
    item.get("primary") == Some(&Value::Bool(true))
}

/// Merges a record into what is known: objects key by key, everything else whole, the later wins.
/// The `identityMap` is left out, it lives in the graph.
pub fn merge_record(known: &mut Map<String, Value>, record: Map<String, Value>) {
    for (key, value) in record {
        if key != "identityMap" {
            merge_key(known, key, value);
        }
    }
}

fn merge_key(known: &mut Map<String, Value>, key: String, value: Value) {
    match (known.get_mut(&key), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            for (key, value) in new {
                merge_key(old, key, value);
            }
        }
        (_, value) => {
            known.insert(key, value);
        }
    }
}

/// Size without white space, the same however the sender laid the JSON out.
fn compact_bytes(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is not an object"),
        }
    }

    #[test]
    fn later_records_win_key_by_key() {
        let mut known =
            object(json!({"person": {"name": {"firstName": "A", "lastName": "B"}}, "tags": [1, 2]}));
        let later = json!({"person": {"name": {"firstName": "C"}}, "tags": [3], "identityMap": {"ECID": []}});
        merge_record(&mut known, object(later));
        let expected = json!({"person": {"name": {"firstName": "C", "lastName": "B"}}, "tags": [3]});
        assert_eq!(Value::Object(known), expected);
    }

    #[test]
    fn an_object_replaces_a_scalar_and_the_reverse() {
        let mut known = object(json!({"a": 1, "b": {"c": 1}}));
        merge_record(&mut known, object(json!({"a": {"x": 1}, "b": 2})));
        assert_eq!(Value::Object(known), json!({"a": {"x": 1}, "b": 2}));
    }

    #[test]
    fn identities_are_read_once_with_the_primary_first() {
        let entity = json!({"identityMap": {
            "ECID": [{"id": "1"}, {"id": "1"}, {"id": ""}, {"noid": true}],
            "Email": [{"id": "a@example.com", "primary": true}],
            "broken": "text",
        }});
        let Outcome::Taken(taken) = outcome(Class::Event, &entity) else {
            panic!("not taken");
        };
        let read: Vec<_> = taken.identities.iter().map(|i| (i.namespace.as_str(), i.id.as_str())).collect();
        assert_eq!(read, [("Email", "a@example.com"), ("ECID", "1")]);
    }

    #[test]
    fn the_size_limits_are_exact() {
        let sized = |bytes: usize| {
            let frame = json!({"identityMap": {"ECID": [{"id": "1"}]}, "x": ""});
            let pad = bytes - compact_bytes(&frame);
            json!({"identityMap": {"ECID": [{"id": "1"}]}, "x": "x".repeat(pad)})
        };
        for (class, most) in [(Class::Event, 10_000), (Class::Record, 100_000)] {
            assert!(matches!(outcome(class, &sized(most)), Outcome::Taken(_)));
            assert_eq!(outcome(class, &sized(most + 1)), Outcome::DroppedForSize);
        }
    }

    #[test]
    fn profile_rules() {
        let two = json!({"identityMap": {"A": [{"id": "1", "primary": true}], "B": [{"id": "2", "primary": true}]}});
        assert_eq!(violations(Class::Event, &two).len(), 1);
        assert_eq!(violations(Class::Record, &json!({})).len(), 1);
        assert_eq!(violations(Class::Event, &json!({})), []);
        assert_eq!(outcome(Class::Event, &json!({})), Outcome::Nobody);
    }
}
