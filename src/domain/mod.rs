//! The words of the service, as plain types without I/O.
//!
//! Everything a caller sends is parsed into one of these at the edge, once. A value that exists is
//! valid: no other layer checks it again. This module imports nothing of the crate.

pub mod artifact;
pub mod digest;
pub mod filename;
pub mod grid;
pub mod id;
pub mod media_type;
pub mod meta;
pub mod part;
pub mod prefix;
pub mod principal;
pub mod range;
pub mod scope;
pub mod search;
pub mod session;
pub mod summary;
pub mod time;
pub mod ttl;
pub mod upload;
pub mod words;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Visitor};

/// Why a text is not a valid value of a domain type.
///
/// The message completes the sentence "the value …" and is safe to show to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub std::borrow::Cow<'static, str>);

impl Invalid {
    /// An error with a fixed message.
    pub const fn new(message: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(message))
    }
}

impl From<String> for Invalid {
    fn from(message: String) -> Self {
        Self(message.into())
    }
}

/// Derives text serialisation from `FromStr` and `Display`, so that a stored or received value goes
/// through the same parser as every other.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::domain::TextVisitor::default())
            }
        }
    };
}
pub(crate) use serde_as_text;

/// Parses a text where it is: most values are not kept as texts.
struct TextVisitor<T>(PhantomData<T>);

impl<T> Default for TextVisitor<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
