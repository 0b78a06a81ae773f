//! `/v1/uploads`: files that are sent to a signed URL.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::artifact::Description;
use crate::domain::digest::Sha256Digest;
use crate::domain::filename::Filename;
use crate::domain::id::ArtifactId;
use crate::domain::media_type::{self, MediaType};
use crate::domain::meta::MetaText;
use crate::domain::scope::Scope;
use crate::domain::summary::Summary;
use crate::domain::ttl::Ttl;
use crate::http::error::ApiError;
use crate::http::extract::json::OptionalJson;
use crate::http::extract::life::UrlLife;
use crate::http::extract::params::{None as NoParams, Params};
use crate::http::extract::path::PathId;
use crate::http::extract::store::WriteStore;
use crate::http::openapi::{
    Conflict, DigestMismatch, SessionNotFound, UploadIncomplete, UploadNotFound, UsualErrors, UsualErrorsWithBody,
};
use crate::http::presigned::Urls;
use crate::http::view::{self, ArtifactView};
use crate::policy::{Completion, Limits, NewArtifact, NewUpload, TtlChoice};

/// A file to be uploaded.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct UploadOrder {
    /// A relative path.
    #[schema(value_type = Option<String>, example = "photo.jpg")]
    pub filename: Option<Filename>,
    /// The media type. When given, the bytes have to be sent with it. Default: as they are sent, or as the name says.
    #[serde(default, deserialize_with = "media_type::optional")]
    #[schema(value_type = Option<String>, example = "image/jpeg")]
    pub mime: Option<MediaType>,
    /// A few words.
    #[schema(value_type = Option<String>)]
    pub summary: Option<Summary>,
    /// Custom metadata.
    #[schema(value_type = Option<Object>)]
    pub meta: Option<MetaText>,
    /// `session` (default), `user` or `sandbox`.
    #[schema(value_type = Option<String>, example = "user")]
    pub scope: Option<Scope>,
    /// Seconds to live, from the completion on.
    #[schema(value_type = Option<u64>, minimum = 1)]
    pub ttl: Option<Ttl>,
    /// Seconds in which the bytes can be sent, at most seven days. Default: an hour; in parts: a day.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 604800)]
    pub expires: Option<UrlLife>,
    /// The size. When given, other sizes are refused.
    pub bytes: Option<u64>,
    /// The SHA-256 digest in hex. When given, other bytes are refused.
    #[schema(value_type = Option<String>)]
    pub sha256: Option<Sha256Digest>,
    /// With `/v1/uploads`: whether the file becomes an artifact by itself, without a call to complete it, at the
    /// latest when it is first asked for by its id. Default: false.
    pub register: Option<bool>,
    /// With `/v1/multipart`: the size of all parts but the last, if that is to be checked; 5 MiB to 5 GiB.
    #[schema(minimum = 5242880)]
    pub part_size: Option<u64>,
}

impl UploadOrder {
    pub(super) fn into_new(self, default_seconds: u64, limits: &Limits) -> Result<NewUpload, ApiError> {
        let guessed = self.mime.clone().or_else(|| self.filename.as_ref().and_then(MediaType::by_name));
        let description = Description {
            mime: guessed.unwrap_or_default(),
            filename: self.filename,
            summary: self.summary.unwrap_or_default(),
            meta: limits.read_meta("meta", self.meta.as_ref())?.unwrap_or_default(),
        };
        let ttl = self.ttl.map_or(TtlChoice::Default, TtlChoice::For);
        Ok(NewUpload {
            artifact: NewArtifact { scope: self.scope.unwrap_or_default(), ttl, description, sniff: false },
            content_type: self.mime,
            bytes: self.bytes,
            sha256: self.sha256,
            life: UrlLife::or(self.expires, default_seconds),
        })
    }
}

/// Where to send the bytes.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct UploadTicket {
    /// The id of the upload, and of the artifact that it becomes.
    #[schema(example = "0192f0c123457abc8def0123456789ab")]
    artifact_id: String,
    /// The session in which it was begun.
    session_id: Option<String>,
    /// The URL to send the bytes to; no token is needed.
    upload_url: String,
    /// `PUT`.
    #[schema(example = "PUT")]
    method: &'static str,
    /// The headers that have to be sent with the bytes.
    #[schema(example = json!({"content-type": "image/jpeg"}))]
    headers: BTreeMap<String, String>,
    /// When nothing can be sent any more.
    #[schema(format = DateTime, example = "2026-01-01T01:00:00.000Z")]
    expires_at: String,
}

/// Get a URL to upload a file to
///
/// Until the upload is completed, there is no artifact. Where the store has signed URLs of its own, the bytes go
/// there, past this service.
#[utoipa::path(
    post,
    path = "/v1/uploads",
    operation_id = "create_upload",
    tag = "uploads",
    params(("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none.")),
    request_body(content = Option<UploadOrder>, content_type = "application/json"),
    responses(
        (status = 201, description = "Where to send the bytes.", body = UploadTicket),
        (status = 404, response = SessionNotFound),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn create(
    store: WriteStore,
    urls: Urls,
    _: Params<NoParams>,
    OptionalJson(order): OptionalJson<UploadOrder>,
) -> Result<Response, ApiError> {
    if order.part_size.is_some() {
        return Err(ApiError::field("part_size", "is for uploads in parts; see /v1/multipart"));
    }
    let register = order.register.unwrap_or_default();
    let (upload, presigned) =
        store.open_upload(order.into_new(UrlLife::DEFAULT_SECONDS, store.limits())?, register).await?;
    let ready = urls.ready(presigned, upload.expires_at)?;
    let ticket = UploadTicket {
        artifact_id: upload.id.to_string(),
        session_id: upload.session.map(|session| session.id.to_string()),
        upload_url: ready.url,
        method: "PUT",
        headers: ready.headers,
        expires_at: upload.expires_at.to_string(),
    };
    Ok((StatusCode::CREATED, Answer(ticket)).into_response())
}

/// What may change when an upload is completed.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct CompletionOrder {
    /// A new name.
    #[schema(value_type = Option<String>)]
    filename: Option<Filename>,
    /// A new summary.
    #[schema(value_type = Option<String>, example = "a photo")]
    summary: Option<Summary>,
    /// Merged over the metadata (RFC 7396).
    #[schema(value_type = Option<Object>)]
    meta: Option<MetaText>,
}

/// Make an artifact of what was uploaded
///
/// Size, media type and entity tag are those of what has arrived. An upload is completed once.
#[utoipa::path(
    post,
    path = "/v1/uploads/{artifact_id}/complete",
    operation_id = "complete_upload",
    tag = "uploads",
    params(("artifact_id" = String, Path, description = "The id.")),
    request_body(content = Option<CompletionOrder>, content_type = "application/json"),
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
    OptionalJson(order): OptionalJson<CompletionOrder>,
) -> Result<Response, ApiError> {
    let CompletionOrder { filename, summary, meta } = order;
    let meta = store.limits().read_meta("meta", meta.as_ref())?;
    let artifact = store.complete_upload(id, Completion { filename, summary, meta }).await?;
    Ok(view::artifact(&artifact, store.metadata_provider()).into_response())
}

/// Give up an upload; its bytes go
#[utoipa::path(
    delete,
    path = "/v1/uploads/{artifact_id}",
    operation_id = "delete_upload",
    tag = "uploads",
    params(("artifact_id" = String, Path, description = "The id.")),
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
    store.abort_upload(id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
