//! `GET /v1/sessions/{session_id}/artifacts`.

use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::filename::MAX_FILENAME_BYTES;
use crate::domain::id::SessionId;
use crate::http::AppState;
use crate::http::cursor::Cursors;
use crate::http::error::ApiError;
use crate::http::extract::limit::Limit;
use crate::http::extract::params::{Params, text};
use crate::http::extract::path::PathId;
use crate::http::extract::store::ReadStore;
use crate::http::openapi::{SessionNotFound, UsualErrors};
use crate::http::view::ArtifactView;
use crate::policy::DirectoryRequest;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct DirectoryQuery {
    /// What names begin with, such as `docs/`.
    #[serde(deserialize_with = "text")]
    #[param(example = "docs/")]
    prefix: Option<String>,
    /// Sums up, as `prefixes`, the names that have this behind the prefix: with `/`, what lies in deeper folders.
    #[serde(deserialize_with = "text")]
    #[param(example = "/")]
    delimiter: Option<String>,
    /// How many items and prefixes at most: 1 to 1000. Default: 100.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[serde(deserialize_with = "text")]
    cursor: Option<String>,
}

/// A page of a session's files.
#[derive(Serialize, ToSchema)]
#[schema(as = DirectoryPage)]
pub(in crate::http) struct Page {
    /// Files, by name; those without a name come first.
    items: Vec<ArtifactView>,
    /// What the names of further files begin with, up to and with the delimiter.
    prefixes: Vec<String>,
    /// What to give as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// List the session-scoped files of a session by name
#[utoipa::path(
    get,
    path = "/v1/sessions/{session_id}/artifacts",
    operation_id = "list_session_artifacts",
    tag = "sessions",
    params(("session_id" = String, Path, description = "The id, percent-encoded."), DirectoryQuery),
    responses(
        (status = 200, description = "A page.", body = Page),
        (status = 404, response = SessionNotFound),
        UsualErrors,
    )
)]
pub(in crate::http) async fn list(
    store: ReadStore,
    State(state): State<AppState>,
    PathId(id): PathId<SessionId>,
    Params(query): Params<DirectoryQuery>,
) -> Result<Answer<Page>, ApiError> {
    let DirectoryQuery { prefix, delimiter, limit, cursor } = query;
    let prefix = prefix.unwrap_or_default();
    for (field, text) in [("prefix", Some(&prefix)), ("delimiter", delimiter.as_ref())] {
        if text.is_some_and(|text| text.len() > MAX_FILENAME_BYTES) {
            return Err(ApiError::field(field, format!("must take at most {MAX_FILENAME_BYTES} bytes")));
        }
    }
    if delimiter.as_ref().is_some_and(String::is_empty) {
        return Err(ApiError::field("delimiter", "must not be empty"));
    }
    let cursors = Cursors::new(&state.signing, &store, ("directory", &id, &prefix, &delimiter));
    let after = cursor.map(|cursor| cursors.open(&cursor)).transpose()?;
    let limit = limit.unwrap_or_default().get();
    let contents = store.session_artifacts(&id, &DirectoryRequest { prefix, delimiter, after, limit }).await?;
    let next_cursor = contents.next.as_ref().map(|next| cursors.seal(next));
    let view = |artifact| ArtifactView::new(artifact, store.metadata_provider());
    Ok(Answer(Page { items: contents.items.iter().map(view).collect(), prefixes: contents.prefixes, next_cursor }))
}
