//! `GET /v1/grid/parse`.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::grid::GridKey;
use crate::domain::scope::{Partition, Scope};
use crate::http::error::ApiError;
use crate::http::extract::params::{Params, text};
use crate::http::openapi::UsualErrors;

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Question {
    /// A key as records have it.
    #[serde(deserialize_with = "text")]
    #[param(value_type = String, required = true, example = "grid/default/users/alice/0192f0c123457abc8def0123456789ab.2")]
    key: Option<GridKey>,
}

/// What a key says.
#[derive(Serialize, ToSchema)]
pub(super) struct ParsedKey {
    /// The sandbox (tenant).
    #[schema(example = "default")]
    sandbox_id: String,
    /// `session`, `user` or `sandbox`.
    #[schema(value_type = String, example = "user")]
    scope: Scope,
    /// The session, in session scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(null))]
    session_id: Option<String>,
    /// The user, in user scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "alice")]
    user_id: Option<String>,
    /// The artifact.
    #[schema(example = "0192f0c123457abc8def0123456789ab")]
    artifact_id: String,
    /// Which of its contents.
    #[schema(example = 2)]
    revision: u32,
}

impl From<GridKey> for ParsedKey {
    fn from(key: GridKey) -> Self {
        let (session_id, user_id) = match &key.partition {
            Partition::Session { session, .. } => (Some(session.to_string()), None),
            Partition::User { user, .. } => (None, Some(user.to_string())),
            Partition::Shared { .. } => (None, None),
        };
        Self {
            sandbox_id: key.partition.sandbox().to_string(),
            scope: key.partition.scope(),
            session_id,
            user_id,
            artifact_id: key.artifact.to_string(),
            revision: key.revision.get(),
        }
    }
}

/// Take a key of the grid apart. Nothing is looked up
#[utoipa::path(
    get,
    path = "/v1/grid/parse",
    operation_id = "parse_grid_key",
    tag = "artifacts",
    params(Question),
    responses((status = 200, description = "What the key says.", body = ParsedKey), UsualErrors)
)]
pub(super) async fn parse(Params(question): Params<Question>) -> Result<Json<ParsedKey>, ApiError> {
    let key = question.key.ok_or_else(|| ApiError::field("key", "is missing"))?;
    Ok(Json(key.into()))
}
