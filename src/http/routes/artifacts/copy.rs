//! `POST /v1/artifacts/{artifact_id}/copy` and `/move`.

use axum::extract::{FromRequest as _, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::filename::Filename;
use crate::domain::id::{ArtifactId, SessionId};
use crate::domain::meta::MetaText;
use crate::domain::summary::Summary;
use crate::http::AppState;
use crate::http::conditional;
use crate::http::error::ApiError;
use crate::http::extract::json::OptionalJson;
use crate::http::extract::params::{None as NoParams, Params};
use crate::http::extract::path::PathId;
use crate::http::extract::store::{ReadStore, WriteStore};
use crate::http::openapi::{ArtifactExpired, ArtifactNotFound, Conflict, PreconditionFailed, UsualErrorsWithBody};
use crate::http::view::{self, ArtifactView};
use crate::policy::{CopyRequest, MoveRequest};

/// What differs in the copy; what is absent is as in the original.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ArtifactCopy {
    /// The name.
    #[schema(value_type = Option<String>, example = "copy of hello.txt")]
    filename: Option<Filename>,
    /// The summary.
    #[schema(value_type = Option<String>, example = "a second greeting")]
    summary: Option<Summary>,
    /// Merged over the metadata of the original (RFC 7396: null removes a member).
    #[schema(value_type = Option<Object>, example = json!({"status": "draft"}))]
    meta: Option<MetaText>,
    /// The session that the original belongs to or was stored in; with any other: 403.
    #[schema(value_type = Option<String>)]
    target_session_id: Option<SessionId>,
}

/// Copy a file
///
/// The copy is a new file in the same scope, of the same session or user. It has the content that the original has
/// now, and a life of the same length that begins now. `meta.copied_from` is the id of the original. The bytes are
/// copied by the storage provider. Needs the rights to read the original and to store beside it.
#[utoipa::path(
    post,
    path = "/v1/artifacts/{artifact_id}/copy",
    operation_id = "copy_artifact",
    tag = "artifacts",
    params(
        ("artifact_id" = String, Path, description = "The id of the original."),
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
    ),
    request_body(content = Option<ArtifactCopy>, content_type = "application/json"),
    responses(
        (status = 201, description = "The record of the copy.", body = ArtifactView, headers(
            ("Location" = String, description = "Where the record is."),
            ("ETag" = String, description = "The entity tag of the record."),
        )),
        (status = 404, response = ArtifactNotFound),
        (status = 409, response = Conflict),
        (status = 410, response = ArtifactExpired),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn copy(
    _: ReadStore,
    store: WriteStore,
    State(state): State<AppState>,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
    request: Request,
) -> Result<Response, ApiError> {
    let OptionalJson(wanted) = OptionalJson::<ArtifactCopy>::from_request(request, &state).await?;
    let ArtifactCopy { filename, summary, meta, target_session_id } = wanted;
    let meta = store.limits().read_meta("meta", meta.as_ref())?;
    let copy = CopyRequest { filename, summary, meta, target_session: target_session_id };
    let artifact = store.copy(id, copy).await?;
    Ok(view::created(&artifact, store.metadata_provider(), &state))
}

/// What to call the file. At least one member has to be given.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ArtifactMove {
    /// The new name.
    #[schema(value_type = Option<String>, example = "archive/hello.txt")]
    filename: Option<Filename>,
    /// Merged into the metadata (RFC 7396: null removes a member).
    #[schema(value_type = Option<Object>, example = json!({"archived": true}))]
    meta: Option<MetaText>,
    /// The session that the file belongs to or was stored in; with any other: 403.
    #[schema(value_type = Option<String>)]
    target_session_id: Option<SessionId>,
}

/// Rename a file
///
/// Only the record changes. The id, the scope and the session or user it belongs to stay.
#[utoipa::path(
    post,
    path = "/v1/artifacts/{artifact_id}/move",
    operation_id = "move_artifact",
    tag = "artifacts",
    params(
        ("artifact_id" = String, Path, description = "The id."),
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
        ("If-Match" = Option<String>, Header, description = "Tags of the record (the `ETag` header) or the content (`etag` in the record); 412 when neither is as it was. The content's tag protects the content only."),
        ("If-Unmodified-Since" = Option<String>, Header, description = "A date; 412 when content or record changed after it. Tags are exact, dates know whole seconds."),
    ),
    request_body(content = ArtifactMove, content_type = "application/json"),
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
pub(in crate::http) async fn rename(
    store: WriteStore,
    State(state): State<AppState>,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let OptionalJson(wanted) = OptionalJson::<ArtifactMove>::from_request(request, &state).await?;
    let expected = conditional::expectation(&headers)?;
    let ArtifactMove { filename, meta, target_session_id } = wanted;
    let meta = store.limits().read_meta("meta", meta.as_ref())?;
    let artifact =
        store.move_to(id, MoveRequest { filename, meta, target_session: target_session_id }, &expected).await?;
    Ok(view::artifact(&artifact, store.metadata_provider()).into_response())
}
