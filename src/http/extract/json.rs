//! JSON bodies. Unknown members are refused, and errors name the member.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize as _;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::value::RawValue;

use super::super::error::ApiError;
use super::body;
use crate::domain::meta::Meta;

/// Enough for every JSON body but that of a store, and so much more than `meta` may take that too
/// large a `meta` is answered as such.
const MAX_JSON_BYTES: usize = 2 * 1024 * 1024;

/// A JSON body.
pub(in crate::http) struct Json<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let essence = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = essence.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" && !essence.ends_with("+json") {
            return Err(ApiError::UnsupportedMediaType("send JSON with the header `Content-Type: application/json`"));
        }
        parse(body, MAX_JSON_BYTES).await.map(Self)
    }
}

/// Metadata in a body: its size is looked at before its values are built.
pub(in crate::http) fn meta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Meta>, D::Error> {
    match Option::<Box<RawValue>>::deserialize(deserializer)? {
        Some(text) => text.get().parse().map(Some).map_err(D::Error::custom),
        None => Ok(None),
    }
}

/// A JSON body that may be left out.
pub(in crate::http) struct OptionalJson<T>(pub T);

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        use http_body::Body as _;
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Json::from_request(request, state).await.map(|Json(value)| Self(value))
    }
}

/// Reads a JSON body of at most `limit` bytes.
pub(in crate::http) async fn parse<T: DeserializeOwned>(body: Body, limit: usize) -> Result<T, ApiError> {
    let text = body::whole(body, limit).await?;
    if text.trim_ascii_start().first() != Some(&b'{') {
        // An array would be taken for the members in their order.
        return Err(ApiError::Malformed("the body must be a JSON object".to_owned()));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(&text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() && path != "." {
            ApiError::field(path, error)
        } else {
            ApiError::Malformed(format!("the body is not the JSON that is expected here: {error}"))
        }
    })?;
    deserializer.end().map_err(|error| ApiError::Malformed(format!("the body is not one JSON value: {error}")))?;
    Ok(value)
}
