//! `POST /v1/artifacts/batch`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::super::file::{Attributes, File, StoreDocument, refuse_content_digest};
use super::super::store::FORM;
use super::{log, side_by_side};
use crate::domain::artifact::UploadedVia;
use crate::domain::media_type::MediaType;
use crate::domain::meta::MetaText;
use crate::domain::scope::Scope;
use crate::domain::summary::Summary;
use crate::domain::ttl::Ttl;
use crate::http::AppState;
use crate::http::budget::{Held, Share};
use crate::http::error::ApiError;
use crate::http::extract::body;
use crate::http::extract::form::{self, Form, MaxFiles};
use crate::http::extract::json;
use crate::http::extract::params::{FormParams, Params, from_pairs, text};
use crate::http::extract::store::WriteStore;
use crate::http::openapi::UsualErrorsWithBody;
use crate::http::problem::ItemProblem;
use crate::http::view::ArtifactView;
use crate::policy::{ArtifactStore, Limits};
use crate::storage::BodyError;

/// What a JSON body may take besides the bytes, which base64 makes a third larger, and escapes up to twice.
const MAX_JSON_BESIDES_BYTES: u64 = 4 * 1024 * 1024;

/// Files as a JSON document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the document; its items are read one by one")]
pub(in crate::http) struct StoreDocuments {
    /// The files: 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<StoreDocument>,
}

/// Files as a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; it is never built")]
pub(in crate::http) struct StoreForms {
    /// The bytes of each file, with their name and type; 1 to 100 parts with this name.
    #[schema(min_items = 1, max_items = 100)]
    file: Vec<String>,
    /// A few words about each.
    summary: Option<String>,
    /// `session` (default), `user` or `sandbox`.
    scope: Option<String>,
    /// Seconds to live.
    ttl: Option<u64>,
    /// Metadata of each: JSON text.
    meta: Option<String>,
}

/// What became of each file, in the order in which they came.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct StoreResults {
    results: Vec<StoreResult>,
}

/// What became of a file.
#[derive(Serialize, ToSchema)]
struct StoreResult {
    /// Its place in the request, from 0.
    #[schema(example = 0)]
    index: usize,
    /// The status that a call for this file alone would have had.
    #[schema(example = 201)]
    status: u16,
    /// The record, if it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact: Option<ArtifactView>,
    /// Why not, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ItemProblem>,
}

/// Store many files
///
/// As JSON, each with its own attributes, or as a form with many parts `file`, each with its own name and type; the
/// text fields of a form hold for all its files. A file that cannot be stored fails alone: its result says why. A call
/// with more files or bytes than allowed stores none, as does a body that breaks off.
#[utoipa::path(
    post,
    path = "/v1/artifacts/batch",
    operation_id = "store_artifacts",
    tag = "artifacts",
    params(
        FormParams,
        ("X-Session-Id" = Option<String>, Header, description = "The session to store in, if the token names none."),
    ),
    request_body(
        content(
            (StoreDocuments = "application/json", example = json!({"items": [
                {"text": "Hello, world!", "mime": "text/plain", "filename": "hello.txt", "scope": "user"},
                {"data_base64": "SGVsbG8=", "filename": "hello.bin", "meta": {"project": "demo"}}
            ]})),
            (StoreForms = "multipart/form-data"),
        ),
    ),
    responses(
        (status = 200, description = "What became of each file.", body = StoreResults),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn store(
    store: WriteStore,
    State(state): State<AppState>,
    Params(form_params): Params<FormParams>,
    request: Request,
) -> Result<Json<StoreResults>, ApiError> {
    let (parts, body) = request.into_parts();
    body::refuse_codings(&parts.headers)?;
    refuse_content_digest(&parts.headers)?;
    let mime = body::content_type(&parts.headers)?;
    let files = match mime.as_ref().map(MediaType::essence).as_deref() {
        Some(FORM) => from_form(&store, &state, &form_params, &parts.headers, body).await?,
        _ => from_json(&store, &state, &parts.headers, body).await?,
    };
    let stored = files.into_iter().enumerate().map(|(index, file)| store_one(&store, index, file));
    Ok(Json(StoreResults { results: side_by_side(stored).await }))
}

async fn store_one(store: &ArtifactStore, index: usize, file: Result<File, ApiError>) -> StoreResult {
    let stored = match file {
        Ok(file) => file.store(&store.for_item(index as u32), UploadedVia::Batch).await,
        Err(error) => Err(error),
    };
    match stored {
        Ok(artifact) => {
            let artifact = Some(ArtifactView::new(&artifact, store.metadata_provider()));
            StoreResult { index, status: StatusCode::CREATED.as_u16(), artifact, error: None }
        }
        Err(failed) => {
            log(index, &failed);
            StoreResult { index, status: failed.code().status().as_u16(), artifact: None, error: Some(failed.item()) }
        }
    }
}

/// The files of a JSON body; those that are not as they should be are errors of their own.
async fn from_json(
    store: &ArtifactStore,
    state: &AppState,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<Result<File, ApiError>>, ApiError> {
    let limits = store.limits().clone();
    let most = limits.max_batch_bytes.saturating_mul(2).saturating_add(MAX_JSON_BESIDES_BYTES);
    let text = json::read(headers, body, usize::try_from(most).unwrap_or(usize::MAX), &state.bodies).await?;
    // As large as it may be, reading it takes so long that other requests would be kept waiting.
    let files = tokio::task::spawn_blocking(move || read_items(text, &limits)).await;
    files.unwrap_or_else(|failed| Err(ApiError::Panic(failed.to_string())))
}

fn read_items(text: Held, limits: &Limits) -> Result<Vec<Result<File, ApiError>>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document<'a> {
        #[serde(borrow)]
        items: &'a RawValue,
    }
    let Held { bytes, share } = text;
    let document: Document<'_> = json::parse(&bytes)?;
    let items = json::members(document.items, "items", limits.max_batch_items)?;
    let files: Vec<_> = items.into_iter().map(|item| read_item(item, &share, limits)).collect();
    let bytes: u64 = files.iter().flatten().map(File::bytes_held).sum();
    if bytes > limits.max_batch_bytes {
        return Err(BodyError::TooLarge { limit: limits.max_batch_bytes }.into());
    }
    Ok(files)
}

fn read_item(item: &RawValue, share: &Arc<Share>, limits: &Limits) -> Result<File, ApiError> {
    let file = json::parse::<StoreDocument>(item.get().as_bytes())?.into_file(share)?;
    // What is too large anyway is not kept until its turn comes.
    limits.check_meta_text("meta", file.meta())?;
    Ok(file)
}

/// What the fields of a form say of all its files.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Common {
    #[serde(deserialize_with = "text")]
    summary: Option<Summary>,
    #[serde(deserialize_with = "text")]
    scope: Option<Scope>,
    #[serde(deserialize_with = "text")]
    ttl: Option<Ttl>,
    #[serde(deserialize_with = "text")]
    meta: Option<MetaText>,
}

/// The files of a form; those that are not as they should be are errors of their own.
async fn from_form(
    store: &ArtifactStore,
    state: &AppState,
    params: &FormParams,
    headers: &HeaderMap,
    body: Body,
) -> Result<Vec<Result<File, ApiError>>, ApiError> {
    let max = MaxFiles { count: store.limits().max_batch_items, bytes: store.limits().max_batch_bytes };
    let Form { fields, files, share: _share } = form::read(headers, body, store, max, &state.bodies).await?;
    if files.is_empty() {
        return Err(form::no_file());
    }
    let common: Common = from_pairs(params.relevant::<Common>(fields))?;
    // It is read anew for each file; whether it can be read is a matter of the form.
    store.limits().read_meta("meta", common.meta.as_ref())?;
    let files = files.into_iter().map(|file| {
        let attributes = Attributes {
            filename: file.filename?,
            summary: common.summary.clone(),
            scope: common.scope,
            ttl: common.ttl,
            meta: common.meta.clone(),
            sha256: None,
        };
        Ok(attributes.into_file(file.mime?, file.content))
    });
    Ok(files.collect())
}
