//! Query parameters and form fields: both are lists of names and texts.

use std::cell::Cell;
use std::collections::HashSet;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use crate::http::error::ApiError;

/// The parameter that names a session; every call understands it.
pub(in crate::http) const SESSION_PARAMETER: &str = "session_id";

/// Names and texts, in the order in which they came.
pub(in crate::http) type Pairs = Vec<(String, String)>;

/// Reads `T` from the query. Unknown and repeated parameters are refused.
pub(in crate::http) struct Params<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        from_pairs(own_pairs(parts)?).map(Self)
    }
}

/// The parameters of a call that has none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct None {}

/// The parameters of the call itself: all but the session.
pub(in crate::http) fn own_pairs(parts: &Parts) -> Result<Pairs, ApiError> {
    let mut pairs = query_pairs(parts.uri.query().unwrap_or_default())?;
    pairs.retain(|(name, _)| name != SESSION_PARAMETER);
    Ok(pairs)
}

/// The names and texts of `a=1&b=2`.
pub(in crate::http) fn query_pairs(query: &str) -> Result<Pairs, ApiError> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned())
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decode(name)?, decode(value)?))
    });
    let pairs: Result<Pairs, std::str::Utf8Error> = pairs.collect();
    pairs.map_err(|_| ApiError::Malformed("the query is not percent-encoded UTF-8".to_owned()))
}

/// Reads `T` from names and texts, each name at most once. Its fields read themselves with [`text`].
pub(in crate::http) fn from_pairs<T: DeserializeOwned>(pairs: Pairs) -> Result<T, ApiError> {
    let mut names = HashSet::new();
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !names.insert(name)) {
        return Err(ApiError::field(name, "must be given once"));
    }
    let deserializer = MapDeserializer::<_, serde::de::value::Error>::new(pairs.into_iter());
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| ApiError::field(error.path().to_string(), error.into_inner()))
}

/// Form fields that widely used uploaders and browsers add by themselves; they mean nothing here.
/// Uppy: <https://uppy.io/docs/uppy/#metafields>; `_charset_`: RFC 7578, section 4.6.
const ADDED_BY_CLIENTS: [&str; 4] = ["name", "type", "relativePath", "_charset_"];

/// What becomes of the fields of a form that mean nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum UnknownFields {
    /// The form is refused, so that a typo is noticed.
    #[default]
    Refuse,
    /// They are passed over.
    Ignore,
}

/// The parameters of a call that takes a form.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct FormParams {
    /// With a form: what becomes of fields that mean nothing here. Those that uploaders add by themselves (`name`,
    /// `type`, `relativePath`) are always ignored.
    #[param(inline)]
    pub unknown_fields: UnknownFields,
}

impl FormParams {
    /// Takes these parameters out of those of a call that has others.
    pub(in crate::http) fn take_from(parameters: &mut Pairs) -> Result<Self, ApiError> {
        from_pairs(parameters.extract_if(.., |(name, _)| name == "unknown_fields").collect())
    }

    /// The fields of a form that are to be read as a `T`.
    pub(in crate::http) fn relevant<T: DeserializeOwned>(&self, mut fields: Pairs) -> Pairs {
        let known = members::<T>();
        fields.retain(|(name, _)| {
            let name = name.as_str();
            let is_ignored = self.unknown_fields == UnknownFields::Ignore || ADDED_BY_CLIENTS.contains(&name);
            known.contains(&name) || !is_ignored
        });
        fields
    }
}

/// The names of the members of a struct.
fn members<T: DeserializeOwned>() -> &'static [&'static str] {
    /// Is asked for a struct, notes which, and gives none.
    struct Asked<'a>(&'a Cell<&'static [&'static str]>);

    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("there is nothing"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            self.0.set(fields);
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let names = Cell::new(&[][..]);
    // Always an error: only the question matters.
    let _ = T::deserialize(Asked(&names));
    names.get()
}

/// Reads an optional field from its text.
pub(in crate::http) fn text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// Reads an optional field from its text or, where the text comes as JSON, from a number.
pub(in crate::http) fn scalar<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    let text = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err(D::Error::custom("must be a text or a number")),
    };
    text.parse().map(Some).map_err(D::Error::custom)
}
