//! `/v1/sessions`.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::id::SessionId;
use crate::domain::meta::MetaText;
use crate::domain::ttl::Ttl;
use crate::http::AppState;
use crate::http::error::ApiError;
use crate::http::extract::json::{Json, OptionalJson};
use crate::http::extract::params::{None as NoParams, Params};
use crate::http::extract::path::PathId;
use crate::http::extract::store::{ReadStore, WriteStore};
use crate::http::openapi::{Conflict, SessionNotFound, UsualErrors, UsualErrorsWithBody};
use crate::http::view::SessionView;
use crate::policy::NewSession;

/// A session to create.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionCreation {
    /// The id; without, one is generated.
    #[schema(value_type = Option<String>, example = "workflow-42")]
    session_id: Option<SessionId>,
    /// Seconds to live. Default: 86400.
    #[schema(value_type = Option<u64>, minimum = 1, example = 3600)]
    ttl: Option<Ttl>,
    /// Anything to attach.
    #[schema(value_type = Option<Object>, example = json!({"client": "demo"}))]
    metadata: Option<MetaText>,
}

/// Create a session
#[utoipa::path(
    post,
    path = "/v1/sessions",
    operation_id = "create_session",
    tag = "sessions",
    request_body(content = Option<SessionCreation>, content_type = "application/json"),
    responses(
        (status = 201, description = "Created.", body = SessionView, headers(
            ("Location" = String, description = "Where the session is."),
        )),
        (status = 409, response = Conflict),
        UsualErrorsWithBody,
    )
)]
pub(super) async fn create(
    store: WriteStore,
    State(state): State<AppState>,
    _: Params<NoParams>,
    OptionalJson(creation): OptionalJson<SessionCreation>,
) -> Result<Response, ApiError> {
    let SessionCreation { session_id, ttl, metadata } = creation;
    let metadata = store.limits().read_meta("metadata", metadata.as_ref())?.unwrap_or_default();
    let new = NewSession { id: session_id, ttl, metadata };
    let session = store.create_session(new).await?;
    let location = state.location(&format!("/v1/sessions/{}", session.id.to_segment()));
    let mut response = (StatusCode::CREATED, Answer(SessionView::from(session))).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Read a session
#[utoipa::path(
    method(get, head),
    path = "/v1/sessions/{session_id}",
    operation_id = "get_session",
    tag = "sessions",
    params(("session_id" = String, Path, description = "The id, percent-encoded.")),
    responses(
        (status = 200, description = "The session.", body = SessionView),
        (status = 404, response = SessionNotFound),
        UsualErrors,
    )
)]
pub(super) async fn get(
    store: ReadStore,
    PathId(id): PathId<SessionId>,
    _: Params<NoParams>,
) -> Result<Answer<SessionView>, ApiError> {
    Ok(Answer(store.session(&id).await?.into()))
}

/// What to change in a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionPatch {
    /// Merged into the metadata (RFC 7396: null removes a member).
    #[schema(value_type = Object, example = json!({"client": "demo 2"}))]
    metadata: Option<MetaText>,
}

/// Merge metadata into a session
#[utoipa::path(
    patch,
    path = "/v1/sessions/{session_id}",
    operation_id = "patch_session",
    tag = "sessions",
    params(("session_id" = String, Path, description = "The id, percent-encoded.")),
    request_body(content = SessionPatch, content_type = "application/json"),
    responses(
        (status = 200, description = "The session as it is now.", body = SessionView),
        (status = 404, response = SessionNotFound),
        UsualErrorsWithBody,
    )
)]
pub(super) async fn patch(
    store: WriteStore,
    PathId(id): PathId<SessionId>,
    _: Params<NoParams>,
    Json(patch): Json<SessionPatch>,
) -> Result<Answer<SessionView>, ApiError> {
    let metadata = store.limits().read_meta("metadata", patch.metadata.as_ref())?;
    let metadata = metadata.ok_or_else(|| ApiError::field("metadata", "is missing"))?;
    Ok(Answer(store.patch_session(&id, metadata).await?.into()))
}

/// Delete a session and its session-scoped files
#[utoipa::path(
    delete,
    path = "/v1/sessions/{session_id}",
    operation_id = "delete_session",
    tag = "sessions",
    params(("session_id" = String, Path, description = "The id, percent-encoded.")),
    responses(
        (status = 204, description = "It is gone, and its session-scoped files with it."),
        (status = 404, response = SessionNotFound),
        UsualErrors,
    )
)]
pub(super) async fn delete(
    store: WriteStore,
    PathId(id): PathId<SessionId>,
    _: Params<NoParams>,
) -> Result<StatusCode, ApiError> {
    store.delete_session(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// By how much to extend a session.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionExtension {
    /// Seconds to add. Default: the life of a new session, 86400.
    #[schema(value_type = Option<u64>, minimum = 1, example = 3600)]
    ttl: Option<Ttl>,
}

/// Move the end of a session. Its files keep their own lives
#[utoipa::path(
    post,
    path = "/v1/sessions/{session_id}/extend",
    operation_id = "extend_session",
    tag = "sessions",
    params(("session_id" = String, Path, description = "The id, percent-encoded.")),
    request_body(content = Option<SessionExtension>, content_type = "application/json"),
    responses(
        (status = 200, description = "The session as it is now.", body = SessionView),
        (status = 404, response = SessionNotFound),
        UsualErrorsWithBody,
    )
)]
pub(super) async fn extend(
    store: WriteStore,
    PathId(id): PathId<SessionId>,
    _: Params<NoParams>,
    OptionalJson(extension): OptionalJson<SessionExtension>,
) -> Result<Answer<SessionView>, ApiError> {
    Ok(Answer(store.extend_session(&id, extension.ttl).await?.into()))
}
