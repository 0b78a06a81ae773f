//! `GET`, `PATCH` and `DELETE /v1/artifacts/{artifact_id}`.

use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::domain::filename::Filename;
use crate::domain::id::ArtifactId;
use crate::domain::media_type::{self, MediaType};
use crate::domain::meta::MetaText;
use crate::domain::summary::Summary;
use crate::domain::ttl::Ttl;
use crate::http::AppState;
use crate::http::conditional::{self, Read, Validators};
use crate::http::error::ApiError;
use crate::http::extract::json::Json;
use crate::http::extract::params::{None as NoParams, Params};
use crate::http::extract::path::PathId;
use crate::http::extract::store::{ReadStore, WriteStore};
use crate::http::openapi::{ArtifactExpired, ArtifactNotFound, PreconditionFailed, UsualErrors, UsualErrorsWithBody};
use crate::http::view::{self, ArtifactView};
use crate::policy::{Changes, FilenameChange, Limits, MetaChange, TtlChange, TtlChoice};

/// Read the record of a file; with HEAD, tell whether it is there
#[utoipa::path(
    method(get, head),
    path = "/v1/artifacts/{artifact_id}",
    operation_id = "get_artifact",
    tag = "artifacts",
    params(
        ("artifact_id" = String, Path, description = "The id."),
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
        ("If-None-Match" = Option<String>, Header, description = "With the tag of the record as it is: 304."),
        ("If-Modified-Since" = Option<String>, Header, description = "A date; when content and record have not changed since: 304."),
        ("If-Match" = Option<String>, Header, description = "Tags of the record; 412 when it has none of them."),
        ("If-Unmodified-Since" = Option<String>, Header, description = "A date; 412 when content or record changed after it."),
    ),
    responses(
        (status = 200, description = "The record.", body = ArtifactView, headers(
            ("ETag" = String, description = "The entity tag of the record."),
            ("Last-Modified" = String, description = "When content or record last changed."),
        )),
        (status = 304, description = "The caller has it already."),
        (status = 404, response = ArtifactNotFound),
        (status = 410, response = ArtifactExpired),
        (status = 412, response = PreconditionFailed),
        UsualErrors,
    )
)]
pub(in crate::http) async fn get(
    store: ReadStore,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let artifact = store.artifact(id).await?;
    let validators = Validators::of_record(&artifact);
    if validators.decide(&headers)? == Read::Known {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        validators.write_to(response.headers_mut());
        return Ok(response);
    }
    Ok(view::artifact(&artifact, store.metadata_provider()).into_response())
}

/// What to change; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ArtifactPatch {
    /// The summary.
    #[schema(value_type = Option<String>, example = "a new summary")]
    summary: Option<Summary>,
    /// The name; null removes it.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, example = "new.txt")]
    filename: Option<Option<Filename>>,
    /// The media type.
    #[serde(default, deserialize_with = "media_type::optional")]
    #[schema(value_type = Option<String>, example = "text/markdown")]
    mime: Option<MediaType>,
    /// Merged into the metadata (RFC 7396: null removes a member), or put in its place when `merge` is false.
    #[schema(value_type = Option<Object>, example = json!({"status": "final", "draft": null}))]
    meta: Option<MetaText>,
    /// Whether `meta` is merged. Default: true.
    merge: Option<bool>,
    /// Seconds to live from now; null: until it is deleted.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>, minimum = 1, example = 3600)]
    ttl: Option<Option<Ttl>>,
    /// Seconds to add to the life. Not together with `ttl`.
    #[schema(value_type = Option<u64>, minimum = 1)]
    extend_ttl: Option<Ttl>,
}

/// Tells a member that is null from one that is absent.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ArtifactPatch {
    fn into_changes(self, limits: &Limits) -> Result<Changes, ApiError> {
        let ttl = match (self.ttl, self.extend_ttl) {
            (None, None) => TtlChange::Keep,
            (Some(None), None) => TtlChange::Set(TtlChoice::Never),
            (Some(Some(ttl)), None) => TtlChange::Set(TtlChoice::For(ttl)),
            (None, Some(by)) => TtlChange::Extend(by),
            (Some(_), Some(_)) => return Err(ApiError::field("extend_ttl", "cannot be given together with ttl")),
        };
        let meta = match (limits.read_meta("meta", self.meta.as_ref())?, self.merge) {
            (None, None) => MetaChange::Keep,
            (None, Some(_)) => return Err(ApiError::field("merge", "needs meta")),
            (Some(meta), None | Some(true)) => MetaChange::Merge(meta),
            (Some(meta), Some(false)) => MetaChange::Replace(meta),
        };
        let filename = match self.filename {
            None => FilenameChange::Keep,
            Some(None) => FilenameChange::Remove,
            Some(Some(filename)) => FilenameChange::Set(filename),
        };
        Ok(Changes { mime: self.mime, filename, summary: self.summary, meta, ttl })
    }
}

/// Change the record of a file
#[utoipa::path(
    patch,
    path = "/v1/artifacts/{artifact_id}",
    operation_id = "patch_artifact",
    tag = "artifacts",
    params(
        ("artifact_id" = String, Path, description = "The id."),
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
        ("If-Match" = Option<String>, Header, description = "Tags of the record (the `ETag` header) or the content (`etag` in the record); 412 when neither is as it was. The content's tag protects the content only."),
        ("If-Unmodified-Since" = Option<String>, Header, description = "A date; 412 when content or record changed after it. Tags are exact, dates know whole seconds."),
    ),
    request_body(content = ArtifactPatch, content_type = "application/json"),
    responses(
        (status = 200, description = "The record as it is now.", body = ArtifactView, headers(
            ("ETag" = String, description = "The entity tag of the record."),
        )),
        (status = 404, response = ArtifactNotFound),
        (status = 410, response = ArtifactExpired),
        (status = 412, response = PreconditionFailed),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn patch(
    store: WriteStore,
    State(state): State<AppState>,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let Json(patch) = Json::<ArtifactPatch>::from_request(request, &state).await?;
    let expected = conditional::expectation(&headers)?;
    let artifact = store.update(id, patch.into_changes(store.limits())?, &expected).await?;
    Ok(view::artifact(&artifact, store.metadata_provider()).into_response())
}

/// Delete a file
#[utoipa::path(
    delete,
    path = "/v1/artifacts/{artifact_id}",
    operation_id = "delete_artifact",
    tag = "artifacts",
    params(
        ("artifact_id" = String, Path, description = "The id."),
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
        ("If-Match" = Option<String>, Header, description = "Tags of the record (the `ETag` header) or the content (`etag` in the record); 412 when neither is as it was. The content's tag protects the content only."),
        ("If-Unmodified-Since" = Option<String>, Header, description = "A date; 412 when content or record changed after it. Tags are exact, dates know whole seconds."),
    ),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, response = ArtifactNotFound),
        (status = 410, response = ArtifactExpired),
        (status = 412, response = PreconditionFailed),
        UsualErrors,
    )
)]
pub(in crate::http) async fn delete(
    store: WriteStore,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    store.delete(id, &conditional::expectation(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
