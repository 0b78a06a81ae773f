//! `PUT /v1/artifacts/{artifact_id}/content`.

use axum::extract::Request;
use axum::http::header::CONTENT_RANGE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::store::{FORM, JSON_STORE};
use crate::domain::digest::Sha256Digest;
use crate::domain::filename::Filename;
use crate::domain::id::ArtifactId;
use crate::domain::media_type::MediaType;
use crate::domain::summary::Summary;
use crate::http::conditional;
use crate::http::error::ApiError;
use crate::http::extract::body;
use crate::http::extract::params::{Params, text};
use crate::http::extract::path::PathId;
use crate::http::extract::store::WriteStore;
use crate::http::openapi::{
    ArtifactExpired, ArtifactNotFound, Binary, Conflict, DigestMismatch, PreconditionFailed, UsualErrorsWithBody,
};
use crate::http::view::{self, ArtifactView};
use crate::policy::{Incoming, Replacement};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct Attributes {
    /// A new name.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "hello.txt")]
    filename: Option<Filename>,
    /// A new summary.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    summary: Option<Summary>,
    /// The SHA-256 digest of the bytes in hex. When they have another, the content stays as it is.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    sha256: Option<Sha256Digest>,
}

/// Replace the bytes of a file
///
/// The id stays, `revision` grows. Readers of the old bytes read them to their end. Without `Content-Type` the
/// media type stays. Without `If-Match` the last replacement to begin wins.
#[utoipa::path(
    put,
    path = "/v1/artifacts/{artifact_id}/content",
    operation_id = "replace_content",
    tag = "artifacts",
    params(
        ("artifact_id" = String, Path, description = "The id."),
        Attributes,
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
        ("If-Match" = Option<String>, Header, description = "Tags of the content or the record; 412 when neither is as it was. The content's tag protects the content only."),
        ("If-Unmodified-Since" = Option<String>, Header, description = "A date; 412 when content or record changed after it. Tags are exact, dates know whole seconds."),
        ("Content-Digest" = Option<String>, Header, description = "The digest of the bytes (RFC 9530, `sha-256=:…:`)."),
    ),
    request_body(content = Binary, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "The record as it is now.", body = ArtifactView, headers(
            ("ETag" = String, description = "The entity tag of the record."),
        )),
        (status = 404, response = ArtifactNotFound),
        (status = 409, response = Conflict),
        (status = 410, response = ArtifactExpired),
        (status = 412, response = PreconditionFailed),
        (status = 422, response = DigestMismatch),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn put(
    store: WriteStore,
    PathId(id): PathId<ArtifactId>,
    Params(attributes): Params<Attributes>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    body::refuse_codings(&parts.headers)?;
    if parts.headers.contains_key(CONTENT_RANGE) {
        return Err(ApiError::field("content-range", "cannot be given: content is replaced as a whole"));
    }
    let mime = body::content_type(&parts.headers)?;
    if matches!(mime.as_ref().map(MediaType::essence).as_deref(), Some(FORM | JSON_STORE)) {
        return Err(ApiError::UnsupportedMediaType("send the new bytes as they are, with their own media type"));
    }
    let incoming = Incoming {
        length: body::content_length(&parts.headers),
        sha256: body::announced_digest(&parts.headers, attributes.sha256)?,
        body: body::stream(body),
    };
    let replacement = Replacement { mime, filename: attributes.filename, summary: attributes.summary };
    let expected = conditional::expectation(&parts.headers)?;
    let artifact = store.replace(id, replacement, incoming, expected).await?;
    Ok(view::artifact(&artifact, store.metadata_provider()).into_response())
}
