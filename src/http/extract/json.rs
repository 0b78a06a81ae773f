//! JSON bodies. Unknown members are refused, and errors name the member.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::body;
use crate::http::AppState;
use crate::http::budget::{Budget, Held};
use crate::http::error::ApiError;

/// Enough for every JSON body but that of a store, and so much more than `meta` may take that too
/// large a `meta` is answered as such.
pub(in crate::http) const MAX_JSON_BYTES: usize = 2 * 1024 * 1024;

/// A JSON body of at most so many bytes.
pub(in crate::http) struct Json<T, const MAX_BYTES: usize = MAX_JSON_BYTES>(pub T);

impl<T: DeserializeOwned, const MAX_BYTES: usize> FromRequest<AppState> for Json<T, MAX_BYTES> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let text = read(&parts.headers, body, MAX_BYTES, &state.bodies).await?;
        parse(&text.bytes).map(Self)
    }
}

/// The text of a JSON body of at most `limit` bytes.
pub(in crate::http) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    budget: &Budget,
) -> Result<Held, ApiError> {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = essence.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/json" && !essence.ends_with("+json") {
        return Err(ApiError::UnsupportedMediaType("send JSON with the header `Content-Type: application/json`"));
    }
    body::whole(headers, body, limit, budget).await
}

/// A JSON body that may be left out.
pub(in crate::http) struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        use http_body::Body as _;
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        <Json<T>>::from_request(request, state).await.map(|Json(value)| Self(value))
    }
}

/// Reads a JSON object.
pub(in crate::http) fn parse<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, ApiError> {
    if text.trim_ascii_start().first() != Some(&b'{') {
        // An array would be taken for the members in their order.
        return Err(ApiError::Malformed("a JSON object is expected".to_owned()));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() && path != "." {
            ApiError::field(path, error)
        } else {
            ApiError::Malformed(format!("the JSON is not what is expected here: {error}"))
        }
    })?;
    deserializer.end().map_err(|error| ApiError::Malformed(format!("the body is not one JSON value: {error}")))?;
    Ok(value)
}

/// The members of an array that has one to `max` of them, each to be read by itself.
pub(in crate::http) fn members<'a>(
    array: &'a RawValue,
    field: &'static str,
    max: usize,
) -> Result<Vec<&'a RawValue>, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_str(array.get());
    let (members, count) = deserializer.deserialize_seq(Members(max)).map_err(|error| ApiError::field(field, error))?;
    match count {
        0 => Err(ApiError::field(field, "must have at least one member")),
        _ if count > max => Err(ApiError::field(field, format!("must have at most {max} members, not {count}"))),
        _ => Ok(members),
    }
}

/// Keeps so many members of an array and counts all: even the places of endless empty ones would fill memory.
struct Members(usize);

impl<'de> Visitor<'de> for Members {
    type Value = (Vec<&'de RawValue>, usize);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while members.len() < self.0
            && let Some(member) = array.next_element()?
        {
            members.push(member);
        }
        let mut count = members.len();
        while array.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((members, count))
    }
}
