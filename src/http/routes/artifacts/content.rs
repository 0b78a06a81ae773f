//! `GET` and `HEAD /v1/artifacts/{artifact_id}/content`.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use serde::Deserialize;
use tracing::{Span, error};
use utoipa::IntoParams;

use super::super::super::conditional;
use super::super::super::disposition::{self, Disposition};
use super::super::super::error::ApiError;
use super::super::super::extract::params::{Params, text};
use super::super::super::extract::path::PathId;
use super::super::super::openapi::{ArtifactExpired, ArtifactNotFound, Binary, RangeNotSatisfiable, UsualErrors};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::range::ByteRange;
use crate::fault::Chain;
use crate::policy::ArtifactStore;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(in crate::http) struct Presentation {
    /// `attachment` (default) to have browsers save the file, `inline` to have them show it.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    disposition: Option<Disposition>,
}

/// Read the bytes of a file; with HEAD, their headers only
#[utoipa::path(
    method(get, head),
    path = "/v1/artifacts/{artifact_id}/content",
    operation_id = "get_content",
    tag = "artifacts",
    params(
        ("artifact_id" = String, Path, description = "The id."),
        Presentation,
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
        ("Range" = Option<String>, Header, description = "One range of bytes: `bytes=0-99`, `bytes=100-` or `bytes=-100`. Several are answered with the whole."),
        ("If-Range" = Option<String>, Header, description = "The tag of the content that `Range` is meant for; the whole is sent when it has changed."),
        ("If-None-Match" = Option<String>, Header, description = "With the tag of the content as it is: 304."),
    ),
    responses(
        (status = 200, description = "The bytes.", content_type = "application/octet-stream", body = Binary, headers(
            ("ETag" = String, description = "The strong entity tag of the bytes."),
            ("Content-Digest" = String, description = "Their SHA-256 digest (RFC 9530)."),
            ("Content-Disposition" = String, description = "The name to save them under."),
            ("Accept-Ranges" = String, description = "`bytes`."),
        )),
        (status = 206, description = "The bytes of the range.", content_type = "application/octet-stream", body = Binary, headers(
            ("Content-Range" = String, description = "Which of how many bytes."),
            ("Repr-Digest" = String, description = "The SHA-256 digest of all bytes (RFC 9530)."),
        )),
        (status = 304, description = "The caller has them already."),
        (status = 404, response = ArtifactNotFound),
        (status = 410, response = ArtifactExpired),
        (status = 416, response = RangeNotSatisfiable),
        UsualErrors,
    )
)]
pub(in crate::http) async fn get(
    store: ArtifactStore,
    PathId(id): PathId<ArtifactId>,
    Params(presentation): Params<Presentation>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let artifact = store.artifact(id).await?;
    let tag = artifact.content.etag();
    let described = description(&artifact, presentation.disposition.unwrap_or_default());
    if conditional::is_known(&headers, &tag)? {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        response.headers_mut().extend(described);
        return Ok(response);
    }
    // A range is a matter of GET alone (RFC 9110, section 14.2).
    let (body, range) = match method {
        Method::HEAD => (Body::empty(), None),
        _ => {
            let range = wanted_range(&headers, &tag, artifact.content.bytes)?;
            (content(&store, &artifact, range.clone()).await?, range)
        }
    };
    let mut response = body.into_response();
    response.headers_mut().extend(described);
    frame(&mut response, &artifact, range);
    Ok(response)
}

/// The headers that are the same for the whole, for a part, and for none of the bytes.
fn description(artifact: &Artifact, disposition: Disposition) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let name = artifact.description.filename.as_ref().map(|filename| filename.base_name());
    headers.insert(header::CONTENT_DISPOSITION, disposition::field(disposition, name));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    // What callers stored is not ours: no browser may take it for a page of this service.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::ETAG, conditional::quoted(&artifact.content.etag()));
    if let Ok(mime) = HeaderValue::try_from(artifact.description.mime.as_str()) {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    headers
}

fn wanted_range(headers: &HeaderMap, tag: &str, size: u64) -> Result<Option<Range<u64>>, ApiError> {
    let mut fields = headers.get_all(header::RANGE).iter();
    let field = match (fields.next(), fields.next()) {
        (Some(field), None) if conditional::range_applies(headers, tag) => field.to_str().ok(),
        _ => None,
    };
    match field.and_then(ByteRange::parse) {
        None => Ok(None),
        Some(range) => range.within(size).map(Some).ok_or(ApiError::RangeNotSatisfiable { size }),
    }
}

async fn content(store: &ArtifactStore, artifact: &Artifact, range: Option<Range<u64>>) -> Result<Body, ApiError> {
    let span = Span::current();
    let bytes = store.read(artifact, range).await?.inspect(move |chunk| {
        if let Err(fault) = chunk {
            // The answer has begun: all that is left is to cut it short, and to say why in the log.
            span.in_scope(|| error!(cause = %Chain(fault), "the content broke off"));
        }
    });
    Ok(Body::from_stream(bytes))
}

/// Status, size and digest.
fn frame(response: &mut Response, artifact: &Artifact, range: Option<Range<u64>>) {
    let size = artifact.content.bytes;
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    let digest = artifact.content.sha256.and_then(|digest| HeaderValue::try_from(digest.to_field()).ok());
    let content_range =
        range.and_then(|Range { start, end }| HeaderValue::try_from(format!("bytes {start}-{}/{size}", end - 1)).ok());
    if content_range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(digest) = digest {
        // Content-Digest is of what is sent, Repr-Digest of the whole.
        let name = if content_range.is_some() { "repr-digest" } else { "content-digest" };
        headers.insert(HeaderName::from_static(name), digest);
    }
    if let Some(content_range) = content_range {
        headers.insert(header::CONTENT_RANGE, content_range);
    }
}
