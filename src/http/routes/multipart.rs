//! `/v1/multipart`: files that are sent in parts.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::uploads::UploadOrder;
use crate::domain::filename::Filename;
use crate::domain::id::ArtifactId;
use crate::domain::meta::MetaText;
use crate::domain::part::{MAX_PART_BYTES, MAX_PARTS, MIN_PART_BYTES, PartNumber};
use crate::domain::summary::Summary;
use crate::domain::upload::{State as UploadState, Upload};
use crate::http::AppState;
use crate::http::error::ApiError;
use crate::http::extract::json::{Json, OptionalJson};
use crate::http::extract::life::UrlLife;
use crate::http::extract::params::{None as NoParams, Params, text};
use crate::http::extract::path::{PathId, PathPart};
use crate::http::extract::store::WriteStore;
use crate::http::openapi::{
    Conflict, DigestMismatch, SessionNotFound, UploadIncomplete, UploadNotFound, UsualErrors, UsualErrorsWithBody,
};
use crate::http::presigned::Urls;
use crate::http::view::{self, ArtifactView};
use crate::policy::{ArtifactStore, CompletedPart, Completion, NewMultipart, Progress};

/// How long parts can be sent when nothing is said: a day.
const WINDOW_SECONDS: u64 = 86_400;

/// The most URLs that are handed out at a time.
const MAX_URLS: usize = 1000;

/// An upload in parts.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct MultipartTicket {
    /// The id of the upload.
    #[schema(example = "0192f0c123457abc8def0123456789ab")]
    upload_id: String,
    /// The id of the artifact that it becomes.
    #[schema(example = "0192f0c123457abc8def0123456789ab")]
    artifact_id: String,
    /// The key that the content will have, unless an attempt to complete the upload fails.
    key: String,
    /// The session in which it was begun.
    session_id: Option<String>,
    /// The least that all parts but the last have: 5 MiB.
    #[schema(example = 5242880)]
    min_part_size: u64,
    /// The most parts.
    #[schema(example = 10000)]
    max_parts: u32,
    /// When no part can be sent any more.
    #[schema(format = DateTime, example = "2026-01-02T00:00:00.000Z")]
    expires_at: String,
}

impl From<&Upload> for MultipartTicket {
    fn from(upload: &Upload) -> Self {
        Self {
            upload_id: upload.id.to_string(),
            artifact_id: upload.id.to_string(),
            key: upload.expected_key().to_string(),
            session_id: upload.session.as_ref().map(|session| session.id.to_string()),
            min_part_size: MIN_PART_BYTES,
            max_parts: MAX_PARTS,
            expires_at: upload.expires_at.to_string(),
        }
    }
}

/// Begin an upload in parts
///
/// Parts are numbered from 1 to 10 000, in the order of their bytes. They can be sent in any order, several at a
/// time, and again. All but the last have 5 MiB or more, none more than 5 GiB.
#[utoipa::path(
    post,
    path = "/v1/multipart",
    operation_id = "create_multipart",
    tag = "multipart",
    params(("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none.")),
    request_body(content = Option<UploadOrder>, content_type = "application/json"),
    responses(
        (status = 201, description = "The upload.", body = MultipartTicket, headers(
            ("Location" = String, description = "Where the upload is."),
        )),
        (status = 404, response = SessionNotFound),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn create(
    store: WriteStore,
    State(state): State<AppState>,
    _: Params<NoParams>,
    OptionalJson(order): OptionalJson<UploadOrder>,
) -> Result<Response, ApiError> {
    if order.register.is_some() {
        return Err(ApiError::field("register", "is for uploads to one URL; see /v1/uploads"));
    }
    let part_size = order.part_size;
    if part_size.is_some_and(|size| !(MIN_PART_BYTES..=MAX_PART_BYTES).contains(&size)) {
        let limits = format!("must be {MIN_PART_BYTES} to {MAX_PART_BYTES} bytes");
        return Err(ApiError::field("part_size", limits));
    }
    let upload = order.into_new(WINDOW_SECONDS, store.limits())?;
    let upload = store.begin_multipart(NewMultipart { upload, part_size }).await?;
    let location = state.location(&format!("/v1/multipart/{}", upload.id));
    let mut response = (StatusCode::CREATED, Answer(MultipartTicket::from(&upload))).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Parts to get URLs for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct PartsOrder {
    /// Their numbers; at most 1000 at a time.
    #[schema(value_type = Vec<u32>, example = json!([1, 2, 3]))]
    part_numbers: Vec<PartNumber>,
    /// Seconds for which the URLs are good, at most as long as the upload. Default: an hour.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 604800)]
    expires: Option<UrlLife>,
}

/// Where to send a part.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PartTicket {
    /// The part.
    #[schema(example = 1)]
    part_number: u32,
    /// The URL to send it to; no token is needed. The answer has an `ETag`, which completing the upload needs.
    url: String,
    /// `PUT`.
    #[schema(example = "PUT")]
    method: &'static str,
    /// The headers that have to be sent with it.
    headers: BTreeMap<String, String>,
    /// When the URL stops being good.
    #[schema(format = DateTime, example = "2026-01-01T01:00:00.000Z")]
    expires_at: String,
}

/// Where to send parts.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PartTickets {
    /// In the order asked for.
    parts: Vec<PartTicket>,
}

/// Get URLs to send parts to
#[utoipa::path(
    post,
    path = "/v1/multipart/{upload_id}/parts",
    operation_id = "presign_parts",
    tag = "multipart",
    params(("upload_id" = String, Path, description = "The id of the upload.")),
    request_body(content = PartsOrder, content_type = "application/json"),
    responses(
        (status = 200, description = "The URLs.", body = PartTickets),
        (status = 404, response = UploadNotFound),
        (status = 409, response = Conflict),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn presign(
    store: WriteStore,
    urls: Urls,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
    Json(order): Json<PartsOrder>,
) -> Result<Answer<PartTickets>, ApiError> {
    let PartsOrder { part_numbers, expires } = order;
    if !(1..=MAX_URLS).contains(&part_numbers.len()) {
        return Err(ApiError::field("part_numbers", format!("must name 1 to {MAX_URLS} parts")));
    }
    Ok(Answer(PartTickets { parts: tickets(&store, &urls, id, &part_numbers, expires).await? }))
}

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct PartQuery {
    /// Seconds for which the URL is good, at most as long as the upload. Default: an hour.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 604800)]
    expires: Option<UrlLife>,
}

/// Get a URL to send one part to
#[utoipa::path(
    get,
    path = "/v1/multipart/{upload_id}/parts/{part_number}/url",
    operation_id = "presign_part",
    tag = "multipart",
    params(
        ("upload_id" = String, Path, description = "The id of the upload."),
        ("part_number" = u32, Path, minimum = 1, maximum = 10000, description = "The part."),
        PartQuery,
    ),
    responses(
        (status = 200, description = "The URL.", body = PartTicket),
        (status = 404, response = UploadNotFound),
        (status = 409, response = Conflict),
        UsualErrors,
    )
)]
pub(in crate::http) async fn presign_one(
    store: WriteStore,
    urls: Urls,
    PathPart(id, number): PathPart,
    Params(query): Params<PartQuery>,
) -> Result<Answer<PartTicket>, ApiError> {
    let ticket = tickets(&store, &urls, id, &[number], query.expires).await?.pop();
    ticket.map(Answer).ok_or_else(|| ApiError::field("part_number", "must be given"))
}

async fn tickets(
    store: &ArtifactStore,
    urls: &Urls,
    id: ArtifactId,
    numbers: &[PartNumber],
    expires: Option<UrlLife>,
) -> Result<Vec<PartTicket>, ApiError> {
    let life = UrlLife::or(expires, UrlLife::DEFAULT_SECONDS);
    let (presigned, expires_at) = store.presign_parts(id, numbers, life).await?;
    let ticket = |(number, presigned): (&PartNumber, _)| {
        let ready = urls.ready(presigned, expires_at)?;
        Ok(PartTicket {
            part_number: (*number).into(),
            url: ready.url,
            method: "PUT",
            headers: ready.headers,
            expires_at: expires_at.to_string(),
        })
    };
    numbers.iter().zip(presigned).map(ticket).collect()
}

/// How far an upload is.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct MultipartProgress {
    #[serde(flatten)]
    upload: MultipartTicket,
    /// `open`, `completed` or `aborted`.
    #[schema(value_type = String, example = "open")]
    state: UploadState,
    /// The parts that have arrived, by number.
    parts: Vec<PartView>,
}

/// A part that has arrived.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct PartView {
    /// Its number.
    #[schema(example = 1)]
    part_number: u32,
    /// Its size.
    #[schema(example = 5242880)]
    bytes: u64,
    /// Its entity tag, without quotes.
    etag: String,
    /// When it arrived.
    #[schema(format = DateTime, example = "2026-01-01T00:00:00.000Z")]
    stored_at: String,
}

/// Tell which parts have arrived
#[utoipa::path(
    get,
    path = "/v1/multipart/{upload_id}",
    operation_id = "get_multipart",
    tag = "multipart",
    params(("upload_id" = String, Path, description = "The id of the upload.")),
    responses(
        (status = 200, description = "The upload and its parts.", body = MultipartProgress),
        (status = 404, response = UploadNotFound),
        UsualErrors,
    )
)]
pub(in crate::http) async fn get(
    store: WriteStore,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
) -> Result<Answer<MultipartProgress>, ApiError> {
    let Progress { upload, parts } = store.multipart(id).await?;
    let parts = parts.into_iter().map(|part| PartView {
        part_number: part.number.into(),
        bytes: part.bytes,
        etag: part.etag,
        stored_at: part.stored_at.to_string(),
    });
    Ok(Answer(MultipartProgress { state: upload.state, parts: parts.collect(), upload: (&upload).into() }))
}

/// What makes an artifact of the parts.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct MultipartCompletion {
    /// All parts, in order, each with the entity tag that the answer to its upload had.
    parts: Vec<PartOrder>,
    /// A new name.
    #[schema(value_type = Option<String>)]
    filename: Option<Filename>,
    /// A new summary.
    #[schema(value_type = Option<String>, example = "a film")]
    summary: Option<Summary>,
    /// Merged over the metadata (RFC 7396).
    #[schema(value_type = Option<Object>)]
    meta: Option<MetaText>,
}

/// A part, in the words of S3 or in ours. Clients send it as they have it from the store, so other members are ignored.
#[derive(Deserialize, ToSchema)]
#[serde(try_from = "PartWords")]
pub(in crate::http) struct PartOrder {
    /// Its number. `PartNumber` means the same, and goes before.
    #[schema(value_type = u32, example = 1)]
    part_number: PartNumber,
    /// Its entity tag, with quotes or without. `ETag` means the same, and goes before.
    etag: String,
}

#[derive(Deserialize)]
struct PartWords {
    #[serde(rename = "PartNumber")]
    s3_number: Option<PartNumber>,
    part_number: Option<PartNumber>,
    #[serde(rename = "ETag")]
    s3_etag: Option<String>,
    etag: Option<String>,
}

impl TryFrom<PartWords> for PartOrder {
    type Error = &'static str;

    fn try_from(words: PartWords) -> Result<Self, Self::Error> {
        let part_number = words.s3_number.or(words.part_number).ok_or("part_number is missing")?;
        let etag = words.s3_etag.or(words.etag).ok_or("etag is missing")?;
        Ok(Self { part_number, etag })
    }
}

impl From<PartOrder> for CompletedPart {
    fn from(PartOrder { part_number, etag }: PartOrder) -> Self {
        Self { number: part_number, etag: etag.trim_matches('"').to_owned() }
    }
}

/// Make an artifact of the parts
///
/// The list must have all parts that have arrived, from 1 on and without a gap. Done again, it gives the artifact.
#[utoipa::path(
    post,
    path = "/v1/multipart/{upload_id}/complete",
    operation_id = "complete_multipart",
    tag = "multipart",
    params(("upload_id" = String, Path, description = "The id of the upload.")),
    request_body(content = MultipartCompletion, content_type = "application/json"),
    responses(
        (status = 200, description = "The artifact.", body = ArtifactView),
        (status = 404, response = UploadNotFound),
        (status = 409, response = UploadIncomplete),
        (status = 422, response = DigestMismatch),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn complete(
    store: WriteStore,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
    Json(order): Json<MultipartCompletion>,
) -> Result<Response, ApiError> {
    let MultipartCompletion { parts, filename, summary, meta } = order;
    let meta = store.limits().read_meta("meta", meta.as_ref())?;
    let parts = parts.into_iter().map(CompletedPart::from).collect();
    let artifact = store.complete_multipart(id, parts, Completion { filename, summary, meta }).await?;
    Ok(view::artifact(&artifact, store.metadata_provider()).into_response())
}

/// Give up an upload in parts; its bytes go
#[utoipa::path(
    delete,
    path = "/v1/multipart/{upload_id}",
    operation_id = "delete_multipart",
    tag = "multipart",
    params(("upload_id" = String, Path, description = "The id of the upload.")),
    responses(
        (status = 204, description = "It is given up, now or before."),
        (status = 404, response = UploadNotFound),
        (status = 409, response = Conflict),
        UsualErrors,
    )
)]
pub(in crate::http) async fn delete(
    store: WriteStore,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
) -> Result<StatusCode, ApiError> {
    store.abort_upload(id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}
