//! `GET` and `HEAD /v1/artifacts/{artifact_id}/content`.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::ttl::Ttl;
use crate::http::disposition::{self, Disposition};
use crate::http::error::ApiError;
use crate::http::extract::params::{Params, text};
use crate::http::extract::path::PathId;
use crate::http::extract::store::ReadStore;
use crate::http::openapi::{
    ArtifactExpired, ArtifactNotFound, Binary, PreconditionFailed, RangeNotSatisfiable, UsualErrors,
};
use crate::http::serve::Served;
use crate::policy::ArtifactStore;

/// For how long the URL of a redirection is good, in seconds.
const REDIRECT_SECONDS: u64 = 900;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(in crate::http) struct Presentation {
    /// `attachment` (default) to have browsers save the file, `inline` to have them show it.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    disposition: Option<Disposition>,
    /// `true` to be sent to a signed URL of the store, where that has one, instead of getting the bytes from here.
    #[serde(deserialize_with = "text")]
    redirect: Option<bool>,
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
        ("If-Range" = Option<String>, Header, description = "The tag of the content that `Range` is meant for, or the date of its last change; the whole is sent when it may have changed since."),
        ("If-None-Match" = Option<String>, Header, description = "With the tag of the content as it is: 304."),
        ("If-Modified-Since" = Option<String>, Header, description = "A date; when content and record have not changed since: 304."),
        ("If-Match" = Option<String>, Header, description = "Tags of the content; 412 when it has none of them."),
        ("If-Unmodified-Since" = Option<String>, Header, description = "A date; 412 when content or record changed after it."),
    ),
    responses(
        (status = 200, description = "The bytes.", content_type = "application/octet-stream", body = Binary, headers(
            ("ETag" = String, description = "The strong entity tag of the bytes."),
            ("Last-Modified" = String, description = "When content or record last changed."),
            ("Content-Digest" = String, description = "Their SHA-256 digest (RFC 9530)."),
            ("Content-Disposition" = String, description = "The name to save them under."),
            ("Accept-Ranges" = String, description = "`bytes`."),
        )),
        (status = 206, description = "The bytes of the range.", content_type = "application/octet-stream", body = Binary, headers(
            ("Content-Range" = String, description = "Which of how many bytes."),
            ("Repr-Digest" = String, description = "The SHA-256 digest of all bytes (RFC 9530)."),
        )),
        (status = 304, description = "The caller has them already."),
        (status = 307, description = "With `redirect=true`: where the store serves them, for 15 minutes.", headers(
            ("Location" = String, description = "The signed URL."),
        )),
        (status = 404, response = ArtifactNotFound),
        (status = 410, response = ArtifactExpired),
        (status = 412, response = PreconditionFailed),
        (status = 416, response = RangeNotSatisfiable),
        UsualErrors,
    )
)]
pub(in crate::http) async fn get(
    store: ReadStore,
    PathId(id): PathId<ArtifactId>,
    Params(presentation): Params<Presentation>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let artifact = store.artifact(id).await?;
    let disposition = disposition::of(&artifact, presentation.disposition.unwrap_or_default());
    // The store's URL would be for GET alone.
    if presentation.redirect.unwrap_or_default()
        && method == Method::GET
        && let Some(url) = url_in_store(&store, &artifact, &disposition).await?
    {
        let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return Ok((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, url), no_store]).into_response());
    }
    let (changed, mime) = (Some(artifact.last_change()), artifact.served_type());
    let served = Served { content: &artifact.content, changed, mime: &mime, disposition };
    served.answer(&method, &headers, async |range| store.read(&artifact, range).await).await
}

async fn url_in_store(
    store: &ArtifactStore,
    artifact: &Artifact,
    disposition: &HeaderValue,
) -> Result<Option<HeaderValue>, ApiError> {
    let life = Ttl::try_from(REDIRECT_SECONDS).unwrap_or(Ttl::MAX);
    let disposition = disposition::text(disposition);
    let request = store.presign_in_store(artifact, life, disposition).await?;
    Ok(request.and_then(|request| HeaderValue::try_from(request.url).ok()))
}
