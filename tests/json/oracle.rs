//! Merging and pruning by way of trees.

use serde_json::{Map, Value};

/// What is left of the layers, or the path of an empty element.
pub fn oracle(layers: &[Value]) -> Result<Option<Value>, String> {
    let mut all = Map::new();
    for layer in layers {
        lay_over(&mut all, layer.as_object().unwrap());
    }
    prune(Value::Object(all))
}

fn lay_over(below: &mut Map<String, Value>, above: &Map<String, Value>) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => lay_over(below, above),
            (Some(below), above) => *below = above.clone(),
            (None, above) => drop(below.insert(key.clone(), above.clone())),
        }
    }
}

/// What is left of a value, or the path of an empty element.
pub fn prune(value: Value) -> Result<Option<Value>, String> {
    let under = |part: &str, path: String| match path.as_str() {
        "" => String::from(part),
        _ if part.is_empty() || path.starts_with('[') => format!("{part}{path}"),
        _ => format!("{part}.{path}"),
    };
    Ok(match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then_some(Value::String(text)),
        Value::Object(members) => {
            let mut left = Map::new();
            for (key, value) in members {
                if let Some(value) = prune(value).map_err(|path| under(&key, path))? {
                    left.insert(key, value);
                }
            }
            (!left.is_empty()).then_some(Value::Object(left))
        }
        Value::Array(elements) => {
            let mut left = Vec::new();
            for (index, element) in elements.into_iter().enumerate() {
                let part = format!("[{index}]");
                match prune(element).map_err(|path| under(&part, path))? {
                    Some(element) => left.push(element),
                    None => return Err(part),
                }
            }
            (!left.is_empty()).then_some(Value::Array(left))
        }
        scalar => Some(scalar),
    })
}

/// Takes out what would be an empty element, so that most cases reach the end.
pub fn without_empty_elements(value: &Value) -> Value {
    match value {
        Value::Array(elements) => elements
            .iter()
            .map(without_empty_elements)
            .filter(|element| matches!(prune(element.clone()), Ok(Some(_))))
            .collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), without_empty_elements(value)))
            .collect::<Map<_, _>>()
            .into(),
        scalar => scalar.clone(),
    }
}
