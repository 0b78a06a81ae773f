//! `POST /v1/artifacts/{artifact_id}/presign`.

use axum::Json as Answer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::id::ArtifactId;
use crate::http::disposition::{self, Disposition};
use crate::http::error::ApiError;
use crate::http::extract::json::OptionalJson;
use crate::http::extract::life::UrlLife;
use crate::http::extract::params::{None as NoParams, Params};
use crate::http::extract::path::PathId;
use crate::http::extract::store::ReadStore;
use crate::http::openapi::{ArtifactExpired, ArtifactNotFound, UsualErrorsWithBody};
use crate::http::presigned::Urls;

/// How long a URL is to be good: `expires` or `duration`, not both. Default: an hour.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct PresignOrder {
    /// Seconds, at most seven days.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 604800, example = 3600)]
    expires: Option<UrlLife>,
    /// `short` (15 minutes), `medium` (an hour) or `long` (a day).
    #[schema(value_type = Option<String>, example = json!(null))]
    duration: Option<Duration>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Duration {
    Short,
    Medium,
    Long,
}

impl Duration {
    fn seconds(self) -> u64 {
        match self {
            Self::Short => 900,
            Self::Medium => 3600,
            Self::Long => 86_400,
        }
    }
}

/// A URL that anybody who has it may read the content with.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SignedDownload {
    /// The URL.
    url: String,
    /// `GET`.
    #[schema(example = "GET")]
    method: &'static str,
    /// When it stops being good: as asked for, or when the file expires.
    #[schema(format = DateTime, example = "2026-01-01T01:00:00.000Z")]
    expires_at: String,
}

/// Make a URL to download a file without a token
///
/// It is for the content as it is now, and saves it under the file's name. Where the store has signed URLs of its
/// own, it leads there, else here.
#[utoipa::path(
    post,
    path = "/v1/artifacts/{artifact_id}/presign",
    operation_id = "presign_download",
    tag = "artifacts",
    params(
        ("artifact_id" = String, Path, description = "The id."),
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
    ),
    request_body(content = Option<PresignOrder>, content_type = "application/json"),
    responses(
        (status = 200, description = "The URL.", body = SignedDownload),
        (status = 404, response = ArtifactNotFound),
        (status = 410, response = ArtifactExpired),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn post(
    store: ReadStore,
    urls: Urls,
    PathId(id): PathId<ArtifactId>,
    _: Params<NoParams>,
    OptionalJson(order): OptionalJson<PresignOrder>,
) -> Result<Answer<SignedDownload>, ApiError> {
    let PresignOrder { expires, duration } = order;
    if expires.is_some() && duration.is_some() {
        return Err(ApiError::field("duration", "cannot be given together with expires"));
    }
    let life = UrlLife::or(expires, duration.map_or(UrlLife::DEFAULT_SECONDS, Duration::seconds));
    let attachment = |artifact: &_| disposition::text(&disposition::of(artifact, Disposition::Attachment));
    let (presigned, expires_at) = store.presign(id, life, attachment).await?;
    let url = urls.ready(presigned, expires_at)?.url;
    Ok(Answer(SignedDownload { url, method: "GET", expires_at: expires_at.to_string() }))
}
