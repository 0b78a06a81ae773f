//! Ids in paths.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::super::error::ApiError;

/// The one id in a path, such as `/v1/artifacts/{artifact_id}`.
pub(in crate::http) struct PathId<T>(pub T);

impl<S, T> FromRequestParts<S> for PathId<T>
where
    S: Send + Sync,
    T: FromStr<Err: std::fmt::Display>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let not_text = |_| ApiError::field("id", "must be percent-encoded UTF-8");
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(not_text)?;
        text.parse().map(Self).map_err(|error| ApiError::field("id", error))
    }
}
