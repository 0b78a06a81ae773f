//! Custom metadata: a JSON object that the caller attaches.

mod read;

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Invalid;

/// How deep objects and arrays may nest, the outermost object counting as one.
pub const MAX_META_DEPTH: usize = 32;

/// The longest text that is read at all, in bytes.
pub const MAX_META_TEXT_BYTES: usize = 1024 * 1024;

/// How many values it may have in all: each takes up to some hundred bytes of memory, however short its text.
pub const MAX_META_ELEMENTS: usize = 10_000;

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

/// Metadata as a caller has sent it: JSON text that nobody has read yet. As values it takes up to a hundred times as much
/// memory, so its size is looked at first, and clones share the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaText(Arc<str>);

impl MetaText {
    /// The metadata that this is the text of, if it takes at most `max_bytes`.
    pub fn read(&self, max_bytes: usize) -> Result<Meta, Invalid> {
        self.check(max_bytes)?;
        read::read(&self.0).map(Meta)
    }

    /// Fails when it takes more than `max_bytes`.
    pub fn check(&self, max_bytes: usize) -> Result<(), Invalid> {
        let (bytes, max) = (self.0.len(), max_bytes.min(MAX_META_TEXT_BYTES));
        if bytes <= max {
            return Ok(());
        }
        Err(format!("must take at most {max} bytes as JSON, not {bytes}").into())
    }
}

/// From any text: whether it is JSON shows when it is read.
impl std::str::FromStr for MetaText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

/// From the JSON value as it stands in the text around it.
impl<'de> Deserialize<'de> for MetaText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(text.get().into()))
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
