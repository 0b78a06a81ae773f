//! Query parameters and form fields: both are lists of names and texts.

use std::collections::HashSet;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

use crate::http::error::ApiError;

/// The parameter that names a session; every call understands it.
pub(super) const SESSION_PARAMETER: &str = "session_id";

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
