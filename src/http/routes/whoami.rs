//! `GET /v1/whoami`.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::ApiError;
use crate::http::extract::params::{None, Params};
use crate::http::openapi::{InvalidRequest, ServiceUnavailable, Unauthenticated};
use crate::policy::ArtifactStore;

/// What a token was understood as.
#[derive(Serialize, ToSchema)]
pub(super) struct Caller {
    /// The sandbox (tenant).
    #[schema(example = "default")]
    sandbox_id: String,
    /// The user.
    #[schema(example = "alice")]
    user_id: Option<String>,
    /// The session that the token names; null: the caller may use any session of theirs.
    #[schema(example = json!(null))]
    session_id: Option<String>,
    /// The rights.
    #[schema(example = json!(["artifacts:read", "artifacts:write"]))]
    rights: Vec<&'static str>,
}

/// Tell who the token says you are
#[utoipa::path(
    get,
    path = "/v1/whoami",
    tag = "caller",
    responses(
        (status = 200, description = "What the token was understood as.", body = Caller),
        (status = 400, response = InvalidRequest),
        (status = 401, response = Unauthenticated),
        (status = 503, response = ServiceUnavailable),
    )
)]
pub(super) async fn whoami(store: ArtifactStore, _: Params<None>) -> Result<Json<Caller>, ApiError> {
    let principal = store.principal();
    let rights = [
        ("artifacts:read", principal.rights.read),
        ("artifacts:write", principal.rights.write),
        ("artifacts:admin", principal.rights.admin),
    ];
    Ok(Json(Caller {
        sandbox_id: principal.sandbox.to_string(),
        user_id: principal.user().map(ToString::to_string),
        session_id: principal.session().map(ToString::to_string),
        rights: rights.into_iter().filter_map(|(name, held)| held.then_some(name)).collect(),
    }))
}
