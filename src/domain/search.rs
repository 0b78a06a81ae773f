//! What to search for, and in which order.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use super::artifact::Artifact;
use super::id::SessionId;
use super::meta::Meta;
use super::time::Timestamp;
use super::words::words;
use super::{Invalid, serde_as_text};

/// What an artifact must be like; all that is given must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Filter {
    /// Stored in this session.
    pub session: Option<SessionId>,
    /// The media type, without parameters and in lower case, starts with this.
    pub mime_prefix: Option<MimePrefix>,
    /// The name starts with this.
    pub filename_prefix: Option<String>,
    /// The metadata has these values at these paths.
    pub meta: Vec<MetaTerm>,
    /// These words ([`words`]) are in the name or the summary.
    pub words: BTreeSet<String>,
    /// Stored later than this.
    pub stored_after: Option<Timestamp>,
    /// Stored earlier than this.
    pub stored_before: Option<Timestamp>,
    /// At least so large.
    pub min_bytes: Option<u64>,
    /// At most so large.
    pub max_bytes: Option<u64>,
}

impl Filter {
    /// Whether `artifact` is as wanted.
    pub fn matches(&self, artifact: &Artifact) -> bool {
        let description = &artifact.description;
        let name = description.filename.as_ref().map_or("", |name| name.as_str());
        let is_in_session =
            |session: &SessionId| artifact.session.as_ref().is_some_and(|stored_in| stored_in.id == *session);
        self.session.as_ref().is_none_or(is_in_session)
            && self.mime_prefix.as_ref().is_none_or(|prefix| description.mime.essence().starts_with(prefix.as_str()))
            && self.filename_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
            && self.stored_after.is_none_or(|after| artifact.stored_at > after)
            && self.stored_before.is_none_or(|before| artifact.stored_at < before)
            && self.min_bytes.is_none_or(|min| artifact.content.bytes >= min)
            && self.max_bytes.is_none_or(|max| artifact.content.bytes <= max)
            && (self.meta.is_empty() || are_in(&self.meta, &description.meta))
            && (self.words.is_empty() || self.words.is_subset(&words_of(artifact)))
    }
}

/// The words that an artifact is found by.
pub fn words_of(artifact: &Artifact) -> BTreeSet<String> {
    let mut found = words(artifact.description.summary.as_str());
    if let Some(name) = &artifact.description.filename {
        found.append(&mut words(name.as_str()));
    }
    found
}

/// The beginning of a media type, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MimePrefix(String);

impl MimePrefix {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MimePrefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic() && b != b';') {
            return Err(Invalid::new("must be the beginning of a media type such as image/ or application/pdf"));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// How many values of its metadata an artifact is found by: each takes two entries of the index.
pub const MAX_INDEXED_TERMS: usize = 64;

/// The longest value that an artifact is found by, with its path, in bytes.
pub const MAX_INDEXED_TERM_BYTES: usize = 128;

/// A path into metadata and the value there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MetaTerm {
    /// The names of the members on the way, joined by dots.
    pub path: String,
    /// A text as it is; a number or a boolean as its JSON text, 100.0 as 100.
    pub value: String,
}

impl MetaTerm {
    /// The value at the end of `path`, unless that is null, an array or an object, which are equal to
    /// no text.
    pub fn new(path: impl Into<String>, value: &Value) -> Option<Self> {
        Some(Self { path: path.into(), value: text_of(value)? })
    }

    fn bytes(&self) -> usize {
        self.path.len() + self.value.len()
    }
}

/// Whether metadata is found by all of these.
fn are_in(wanted: &[MetaTerm], meta: &Meta) -> bool {
    let found_by: BTreeSet<MetaTerm> = terms_of(meta).collect();
    wanted.iter().all(|term| found_by.contains(term))
}

/// Numbers that are equal have one text: that of the integer, if they are one.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_f64() {
            // Below 2^53 a double has all digits of an integer.
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 => {
                format!("{}", float as i64)
            }
            _ => number.to_string(),
        }),
        Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// All that metadata can be found by: its texts, numbers and booleans, those in lists included; the first
/// [`MAX_INDEXED_TERMS`] of them, and none of more than [`MAX_INDEXED_TERM_BYTES`].
pub fn terms_of(meta: &Meta) -> impl Iterator<Item = MetaTerm> {
    let mut terms = BTreeSet::new();
    for (name, value) in meta.as_map() {
        collect_terms(name.clone(), value, &mut terms);
    }
    terms.into_iter()
}

/// The recursion is bounded by the depth of metadata.
fn collect_terms(path: String, value: &Value, terms: &mut BTreeSet<MetaTerm>) {
    if path.len() > MAX_INDEXED_TERM_BYTES || terms.len() >= MAX_INDEXED_TERMS {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                collect_terms(format!("{path}.{name}"), value, terms);
            }
        }
        Value::Array(items) => {
            for item in items.iter().filter(|item| !item.is_object() && !item.is_array()) {
                collect_terms(path.clone(), item, terms);
            }
        }
        value => {
            // Who asks in a URL may write a number as it was sent, 100.0, or as its equal, 100.
            let as_sent = value.is_number().then(|| MetaTerm { path: path.clone(), value: value.to_string() });
            let found_by = as_sent.into_iter().chain(MetaTerm::new(path, value));
            terms.extend(found_by.filter(|term| term.bytes() <= MAX_INDEXED_TERM_BYTES));
        }
    }
}

/// The order of what is found. What is equal in it comes in the order of the ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// What is compared.
    pub by: SortKey,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// What an order compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When it was stored.
    StoredAt,
    /// The name, by the bytes of its UTF-8; those without come before all others.
    Filename,
    /// The size.
    Bytes,
}

impl Default for Order {
    fn default() -> Self {
        Self { by: SortKey::StoredAt, descending: true }
    }
}

impl FromStr for Order {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let by = match name {
            "stored_at" => SortKey::StoredAt,
            "filename" => SortKey::Filename,
            "bytes" => SortKey::Bytes,
            _ => return Err(Invalid::new("must be stored_at, filename or bytes, with a - before it to descend")),
        };
        Ok(Self { by, descending })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.by {
            SortKey::StoredAt => "stored_at",
            SortKey::Filename => "filename",
            SortKey::Bytes => "bytes",
        };
        write!(f, "{}{name}", if self.descending { "-" } else { "" })
    }
}

serde_as_text!(Order);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    impl MetaTerm {
        fn is_in(&self, meta: &Meta) -> bool {
            are_in(std::slice::from_ref(self), meta)
        }
    }

    fn terms(value: Value) -> Vec<(String, String)> {
        let meta: Meta = value.try_into().unwrap();
        terms_of(&meta).map(|term| (term.path, term.value)).collect()
    }

    #[test]
    fn metadata_is_found_by_its_texts_numbers_and_booleans() {
        let meta = json!({"quarter": "Q4", "size": {"width": 1920, "ratio": 1.5}, "final": true});
        let expected = [("final", "true"), ("quarter", "Q4"), ("size.ratio", "1.5"), ("size.width", "1920")];
        assert_eq!(terms(meta), expected.map(|(path, value)| (path.to_owned(), value.to_owned())));
    }

    #[test]
    fn nulls_objects_and_lists_in_lists_are_equal_to_no_text() {
        assert_eq!(terms(json!({"a": null, "b": [[1], {"x": 1}, null], "c": {}, "d": {"e": [null]}})), []);
        assert_eq!(MetaTerm::new("a", &json!(null)), None);
    }

    #[test]
    fn metadata_holds_what_it_is_found_by() {
        let long = "x".repeat(MAX_INDEXED_TERM_BYTES);
        let value = json!({"a.b": 1, "a": {"b": 2, "": {"": true}}, "": "y", "list": [{"a": 1}], &long: {"z": 1}});
        let meta: Meta = value.try_into().unwrap();
        let terms: Vec<MetaTerm> = terms_of(&meta).collect();
        assert_eq!(terms.len(), 4, "{terms:?}");
        for mut term in terms {
            assert!(term.is_in(&meta), "{term:?}");
            term.value.push('0');
            assert!(!term.is_in(&meta), "{term:?}");
        }
        for path in ["a", "b", "a.", ".a.b", "a.b.", "list.a", "list.0.a"] {
            assert!(!MetaTerm::new(path, &json!(1)).unwrap().is_in(&meta), "{path}");
        }
    }

    #[test]
    fn a_list_is_found_by_what_it_contains_and_numbers_by_what_they_are_worth() {
        let meta: Meta = json!({"tags": ["x", 7, true], "price": 100.0, "big": 1e300}).try_into().unwrap();
        let is_found = |path: &str, value: Value| MetaTerm::new(path, &value).unwrap().is_in(&meta);
        for (path, value) in [("tags", json!("x")), ("tags", json!(7)), ("tags", json!(7.0)), ("price", json!(100))] {
            assert!(is_found(path, value.clone()), "{path} {value}");
        }
        assert!(is_found("price", json!("100.0")) && is_found("big", json!(1e300)) && !is_found("tags", json!("y")));
    }

    #[test]
    fn an_artifact_is_found_by_a_bounded_number_of_values() {
        let many: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("k{n}"), json!("v"))).collect();
        assert_eq!(terms(Value::Object(many)).len(), MAX_INDEXED_TERMS);
        assert_eq!(terms(json!({"k": (0..1000).collect::<Vec<_>>()})).len(), MAX_INDEXED_TERMS);
        let fits = MAX_INDEXED_TERM_BYTES - 1;
        assert_eq!(terms(json!({"k": "v".repeat(fits), "l": "v".repeat(fits + 1)})).len(), 1);
    }

    #[test]
    fn orders_print_as_they_are_written() {
        for text in ["stored_at", "-stored_at", "filename", "-filename", "bytes", "-bytes"] {
            assert_eq!(text.parse::<Order>().unwrap().to_string(), text);
        }
        for text in ["", "-", "--bytes", "size", "+bytes", "Bytes"] {
            assert!(text.parse::<Order>().is_err(), "{text}");
        }
    }
}
