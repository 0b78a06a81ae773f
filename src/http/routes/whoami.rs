//! `GET /v1/whoami`.

use std::sync::Arc;

use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::principal::Right;
use crate::http::extract::params::{None, Params};
use crate::http::openapi::{InvalidRequest, ServiceUnavailable, Unauthenticated};
use crate::policy::Caller;

/// What a token was understood as.
#[derive(Serialize, ToSchema)]
#[schema(as = Caller)]
pub(super) struct Whoami {
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
        (status = 200, description = "What the token was understood as.", body = Whoami),
        (status = 400, response = InvalidRequest),
        (status = 401, response = Unauthenticated),
        (status = 503, response = ServiceUnavailable),
    )
)]
pub(super) async fn whoami(Extension(caller): Extension<Arc<Caller>>, _: Params<None>) -> Json<Whoami> {
    let principal = &caller.principal;
    let rights = Right::ALL.into_iter().filter(|right| principal.rights.has(*right));
    Json(Whoami {
        sandbox_id: principal.sandbox.to_string(),
        user_id: principal.user().map(ToString::to_string),
        session_id: principal.session().map(ToString::to_string),
        rights: rights.map(Right::as_str).collect(),
    })
}
