//! `POST /v1/artifacts/batch/delete`.

use std::collections::HashSet;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{log, side_by_side};
use crate::domain::id::ArtifactId;
use crate::http::AppState;
use crate::http::error::{ApiError, shortened};
use crate::http::extract::json::{self, MAX_JSON_BYTES};
use crate::http::extract::params::{None as NoParams, Params};
use crate::http::extract::store::WriteStore;
use crate::http::openapi::UsualErrorsWithBody;
use crate::http::problem::ItemProblem;
use crate::policy::{ArtifactStore, Expectation};

/// The most files that one call deletes.
const MAX_IDS: usize = 1000;

/// The files to delete.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the document; its ids are read one by one")]
pub(in crate::http) struct Deletion {
    /// Their ids: 1 to 1000.
    #[schema(min_items = 1, max_items = 1000, example = json!(["0192f0c123457abc8def0123456789ab"]))]
    artifact_ids: Vec<String>,
}

/// What became of each file, in the order of the ids.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct DeleteResults {
    results: Vec<DeleteResult>,
}

/// What became of a file.
#[derive(Serialize, ToSchema)]
struct DeleteResult {
    /// The place of the id in the request, from 0.
    #[schema(example = 0)]
    index: usize,
    /// The id, as it was sent; null: what was sent is no text.
    #[schema(example = "0192f0c123457abc8def0123456789ab")]
    artifact_id: Option<String>,
    /// The status that a call for this file alone would have had.
    #[schema(example = 204)]
    status: u16,
    /// Why it was not deleted, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ItemProblem>,
}

/// Delete many files
///
/// A file that cannot be deleted fails alone: its result says why. Of an id that is given twice, the second one is not
/// found any more.
#[utoipa::path(
    post,
    path = "/v1/artifacts/batch/delete",
    operation_id = "delete_artifacts",
    tag = "artifacts",
    params(
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
    ),
    request_body(content = Deletion, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of each file.", body = DeleteResults),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn delete(
    store: WriteStore,
    State(state): State<AppState>,
    _: Params<NoParams>,
    request: Request,
) -> Result<Json<DeleteResults>, ApiError> {
    let (parts, body) = request.into_parts();
    let text = json::read(&parts.headers, body, MAX_JSON_BYTES, &state.bodies).await?;
    let ids = read_ids(&text.bytes)?;
    let mut known = HashSet::new();
    let (firsts, others): (Vec<_>, Vec<_>) = ids.into_iter().enumerate().partition(|(_, id)| known.insert(id.clone()));
    let delete = |(index, id)| delete_one(&store, index, id);
    let mut results = side_by_side(firsts.into_iter().map(delete)).await;
    // Behind the others, so that of the same ids it is the first that deletes.
    results.extend(side_by_side(others.into_iter().map(delete)).await);
    results.sort_unstable_by_key(|result| result.index);
    Ok(Json(DeleteResults { results }))
}

/// The ids as they were sent; what is no text is none.
fn read_ids(text: &[u8]) -> Result<Vec<Option<String>>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document<'a> {
        #[serde(borrow)]
        artifact_ids: &'a RawValue,
    }
    let document: Document<'_> = json::parse(text)?;
    let ids = json::members(document.artifact_ids, "artifact_ids", MAX_IDS)?;
    Ok(ids.into_iter().map(|id| serde_json::from_str(id.get()).ok()).collect())
}

async fn delete_one(store: &ArtifactStore, index: usize, id: Option<String>) -> DeleteResult {
    let (status, error) = match try_delete(store, id.as_deref()).await {
        Ok(()) => (StatusCode::NO_CONTENT, None),
        Err(failed) => {
            log(index, &failed);
            (failed.code().status(), Some(failed.item()))
        }
    };
    DeleteResult { index, artifact_id: id.map(shortened), status: status.as_u16(), error }
}

async fn try_delete(store: &ArtifactStore, id: Option<&str>) -> Result<(), ApiError> {
    let id: ArtifactId = id.unwrap_or_default().parse().map_err(|error| ApiError::field("artifact_id", error))?;
    Ok(store.delete(id, &Expectation::default()).await?)
}
