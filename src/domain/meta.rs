//! Custom metadata: a JSON object that the caller attaches.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Invalid;

/// How deep objects and arrays may nest, the outermost object counting as one.
pub const MAX_META_DEPTH: usize = 32;

/// The longest text that is read at all, in bytes.
pub const MAX_META_TEXT_BYTES: usize = 1024 * 1024;

/// A JSON object of bounded depth. Its size is bounded by the service's own limit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Meta(Map<String, Value>);

impl Meta {
    /// The members.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The size of the compact JSON text, in bytes.
    pub fn encoded_len(&self) -> usize {
        serde_json::to_vec(&self.0).map_or(usize::MAX, |text| text.len())
    }

    /// This object with one member set.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// This object changed by `patch` as RFC 7396 (JSON Merge Patch) says: members are set, `null`
    /// removes, objects merge.
    pub fn merged_with(mut self, patch: Self) -> Self {
        merge(&mut self.0, patch.0);
        self
    }
}

fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(&key);
            }
            Value::Object(members) => {
                let slot = target.entry(key).or_insert(Value::Null);
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(nested) = slot {
                    merge(nested, members);
                }
            }
            other => {
                target.insert(key, other);
            }
        }
    }
}

impl TryFrom<Value> for Meta {
    type Error = Invalid;

    fn try_from(value: Value) -> Result<Self, Invalid> {
        if depth(&value) > MAX_META_DEPTH {
            return Err(format!("must nest at most {MAX_META_DEPTH} levels deep").into());
        }
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(Invalid::new("must be a JSON object")),
        }
    }
}

/// From JSON text of at most [`MAX_META_TEXT_BYTES`].
impl std::str::FromStr for Meta {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Looked at first: as values, text can take a hundred times its size.
        if text.len() > MAX_META_TEXT_BYTES {
            return Err(format!("must take at most {MAX_META_TEXT_BYTES} bytes as JSON").into());
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| Invalid::from(format!("must be JSON: {error}")))?;
        value.try_into()
    }
}

/// Levels of nesting. The recursion is bounded: the JSON parser refuses more than 128 levels.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn meta(value: Value) -> Meta {
        value.try_into().unwrap()
    }

    #[test]
    fn merging_follows_rfc_7396() {
        let before = meta(json!({"a": 1, "b": {"x": 1, "y": 2}, "c": [1]}));
        let patch = meta(json!({"a": null, "b": {"y": null, "z": {"n": null, "m": 3}}, "c": [2], "d": "new"}));
        let after = json!({"b": {"x": 1, "z": {"m": 3}}, "c": [2], "d": "new"});
        assert_eq!(before.merged_with(patch), meta(after));
    }

    #[test]
    fn only_objects_of_bounded_depth_are_taken() {
        for value in [json!(null), json!([]), json!("x"), json!(1)] {
            assert!(Meta::try_from(value).is_err());
        }
        let nested = |levels| (1..levels).fold(json!({}), |inner, _| json!({"a": inner}));
        assert!(Meta::try_from(nested(MAX_META_DEPTH)).is_ok());
        assert!(Meta::try_from(nested(MAX_META_DEPTH + 1)).is_err());
    }
}
