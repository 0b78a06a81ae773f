//! Ids in paths.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::domain::id::ArtifactId;
use crate::domain::part::PartNumber;
use crate::http::error::ApiError;

/// The one id in a path, such as `/v1/artifacts/{artifact_id}`.
pub(in crate::http) struct PathId<T>(pub T);

impl<S, T> FromRequestParts<S> for PathId<T>
where
    S: Send + Sync,
    T: FromStr<Err: std::fmt::Display>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| not_text("id"))?;
        text.parse().map(Self).map_err(|error| ApiError::field("id", error))
    }
}

/// The id of an upload and the number of a part of it: `/v1/multipart/{upload_id}/parts/{part_number}/url`.
pub(in crate::http) struct PathPart(pub ArtifactId, pub PartNumber);

impl<S: Send + Sync> FromRequestParts<S> for PathPart {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let texts = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((id, number)) = texts.map_err(|_| not_text("id"))?;
        let id = id.parse().map_err(|error| ApiError::field("id", error))?;
        Ok(Self(id, number.parse().map_err(|error| ApiError::field("part_number", error))?))
    }
}

fn not_text(field: &str) -> ApiError {
    ApiError::field(field, "must be percent-encoded UTF-8")
}
