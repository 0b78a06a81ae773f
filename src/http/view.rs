//! Records as callers see them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::AppState;
use super::conditional::Validators;
use crate::domain::artifact::{Artifact, UploadedVia};
use crate::domain::scope::Scope;
use crate::domain::session::Session;

/// A stored file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Artifact)]
pub(super) struct ArtifactView {
    /// The id: a UUIDv7 in 32 hex digits. It stays the same when the content is replaced.
    #[schema(example = "0192f0c123457abc8def0123456789ab")]
    pub artifact_id: String,
    /// The sandbox (tenant).
    #[schema(example = "default")]
    pub sandbox_id: String,
    /// `session`, `user` or `sandbox`.
    #[schema(value_type = String, example = "user")]
    pub scope: Scope,
    /// The session that it belongs to or was stored in.
    #[schema(example = "sess-alice-1767225600-1f2e3d4c")]
    pub session_id: Option<String>,
    /// The user who stored it.
    #[schema(example = "alice")]
    pub owner_id: Option<String>,
    /// The key of the current content in the grid.
    #[schema(example = "grid/default/users/alice/0192f0c123457abc8def0123456789ab")]
    pub key: String,
    /// The media type.
    #[schema(example = "text/plain")]
    pub mime: String,
    /// A few words.
    #[schema(example = "a greeting")]
    pub summary: String,
    /// A relative path.
    #[schema(example = "docs/hello.txt")]
    pub filename: Option<String>,
    /// Custom metadata.
    #[schema(example = json!({"project": "demo"}))]
    pub meta: Map<String, Value>,
    /// The size of the content.
    #[schema(example = 13)]
    pub bytes: u64,
    /// The SHA-256 digest of the content, in hex.
    #[schema(example = "315f5bdb76d078c43b8ac0064e4a0164612b1fce77c869345bfc94c75894edd3")]
    pub sha256: Option<String>,
    /// The opaque part of the content's entity tag.
    #[schema(example = "315f5bdb76d078c43b8ac0064e4a0164612b1fce77c869345bfc94c75894edd3")]
    pub etag: String,
    /// Grows with every replacement of the content, from 1. Replacements that broke off leave gaps.
    #[schema(example = 1)]
    pub revision: u32,
    /// When it was first stored.
    #[schema(format = DateTime, example = "2026-01-01T00:00:00.000Z")]
    pub stored_at: String,
    /// When content or record last changed.
    #[schema(format = DateTime, example = "2026-01-01T00:00:00.000Z")]
    pub updated_at: String,
    /// The life it was last given, in seconds; null: until it is deleted.
    #[schema(example = 900)]
    pub ttl: Option<u64>,
    /// When it expires.
    #[schema(format = DateTime, example = "2026-01-01T00:15:00.000Z")]
    pub expires_at: Option<String>,
    /// The provider that holds the bytes.
    #[schema(example = "filesystem")]
    pub storage_provider: String,
    /// The provider that holds the record.
    #[schema(example = "sqlite")]
    pub metadata_provider: &'static str,
    /// How the bytes came.
    #[schema(value_type = String, example = "direct")]
    pub uploaded_via: UploadedVia,
}

impl ArtifactView {
    pub(super) fn new(artifact: &Artifact, metadata_provider: &'static str) -> Self {
        Self {
            artifact_id: artifact.id.to_string(),
            sandbox_id: artifact.partition.sandbox().to_string(),
            scope: artifact.partition.scope(),
            session_id: artifact.session.as_ref().map(|session| session.id.to_string()),
            owner_id: artifact.owner.as_ref().map(ToString::to_string),
            key: artifact.key().to_string(),
            mime: artifact.description.mime.to_string(),
            summary: artifact.description.summary.to_string(),
            filename: artifact.description.filename.as_ref().map(ToString::to_string),
            meta: artifact.description.meta.as_map().clone(),
            bytes: artifact.content.bytes,
            sha256: artifact.content.sha256.map(|digest| digest.to_string()),
            etag: artifact.content.etag(),
            revision: artifact.content.revision.get(),
            stored_at: artifact.stored_at.to_string(),
            updated_at: artifact.updated_at.to_string(),
            ttl: artifact.life.map(|life| life.ttl.as_seconds()),
            expires_at: artifact.life.map(|life| life.expires_at.to_string()),
            storage_provider: artifact.content.provider.clone(),
            metadata_provider,
            uploaded_via: artifact.uploaded_via,
        }
    }
}

/// A record with its entity tag and date.
pub(super) fn artifact(artifact: &Artifact, metadata_provider: &'static str) -> Response {
    let mut response = json(&ArtifactView::new(artifact, metadata_provider));
    Validators::of_record(artifact).write_to(response.headers_mut());
    response
}

/// What `axum::Json` does, with a third fewer instructions for a record: that one writes token by token into `BytesMut`.
fn json(view: &impl Serialize) -> Response {
    match serde_json::to_vec(view) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A record that is new, with its entity tag and where it is.
pub(super) fn created(new: &Artifact, metadata_provider: &'static str, state: &AppState) -> Response {
    let mut response = artifact(new, metadata_provider);
    *response.status_mut() = StatusCode::CREATED;
    if let Some(location) = state.location(&format!("/v1/artifacts/{}", new.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    /// The id.
    #[schema(example = "sess-alice-1767225600-1f2e3d4c")]
    pub session_id: String,
    /// The sandbox (tenant).
    #[schema(example = "default")]
    pub sandbox_id: String,
    /// The user it belongs to; null while only tokens without a user have used it.
    #[schema(example = "alice")]
    pub owner_id: Option<String>,
    /// When it began.
    #[schema(format = DateTime, example = "2026-01-01T00:00:00.000Z")]
    pub created_at: String,
    /// When it ends, and its artifacts with it.
    #[schema(format = DateTime, example = "2026-01-02T00:00:00.000Z")]
    pub expires_at: String,
    /// The life it was given in all, in seconds.
    #[schema(example = 86400)]
    pub ttl: u64,
    /// What its owner attached.
    #[schema(example = json!({"client": "demo"}))]
    pub metadata: Map<String, Value>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            session_id: session.id.to_string(),
            sandbox_id: session.sandbox.to_string(),
            owner_id: session.owner.map(|owner| owner.to_string()),
            created_at: session.created_at.to_string(),
            expires_at: session.life.expires_at.to_string(),
            ttl: session.life.ttl.as_seconds(),
            metadata: session.metadata.as_map().clone(),
        }
    }
}
