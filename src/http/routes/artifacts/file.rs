//! A file on its way from a request into the store: what is said of it, and its bytes.

use std::sync::Arc;

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::domain::artifact::{Artifact, Description, UploadedVia};
use crate::domain::digest::Sha256Digest;
use crate::domain::filename::Filename;
use crate::domain::media_type::{self, MediaType};
use crate::domain::meta::MetaText;
use crate::domain::scope::Scope;
use crate::domain::summary::Summary;
use crate::domain::ttl::Ttl;
use crate::http::budget::{Held, Share};
use crate::http::error::ApiError;
use crate::http::extract::form::FormContent;
use crate::http::extract::params::text;
use crate::policy::{ArtifactStore, Incoming, Limits, NewArtifact, TtlChoice};

/// What to know of a file besides its bytes: query parameters or form fields.
#[derive(Debug, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct Attributes {
    /// A relative path of at most 1024 bytes, without `..` and control characters.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "hello.txt")]
    pub(super) filename: Option<Filename>,
    /// A few words; at most 4096 bytes.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "a greeting")]
    pub(super) summary: Option<Summary>,
    /// `session` (default), `user` or `sandbox`.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "user")]
    pub(super) scope: Option<Scope>,
    /// Seconds to live. Default: 900 in session scope, for ever in the others.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u64>, minimum = 1)]
    pub(super) ttl: Option<Ttl>,
    /// A JSON object of at most 16 KiB, at most 32 levels deep.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = r#"{"project":"demo"}"#)]
    pub(super) meta: Option<MetaText>,
    /// The SHA-256 digest of the bytes in hex. When they have another, nothing is kept.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    pub(super) sha256: Option<Sha256Digest>,
}

impl Attributes {
    /// What is said of a file, and the digest that it is to have.
    pub(super) fn into_new(
        self,
        mime: Option<MediaType>,
        limits: &Limits,
    ) -> Result<(NewArtifact, Option<Sha256Digest>), ApiError> {
        let mime = mime.or_else(|| self.filename.as_ref().and_then(MediaType::by_name));
        let sniff = mime.is_none();
        let mime = mime.unwrap_or_default();
        let description = Description {
            mime,
            filename: self.filename,
            summary: self.summary.unwrap_or_default(),
            meta: limits.read_meta("meta", self.meta.as_ref())?.unwrap_or_default(),
        };
        let ttl = self.ttl.map_or(TtlChoice::Default, TtlChoice::For);
        Ok((NewArtifact { scope: self.scope.unwrap_or_default(), ttl, description, sniff }, self.sha256))
    }

    /// The file that these and `content` make.
    pub(super) fn into_file(self, mime: Option<MediaType>, content: FormContent) -> File {
        File { attributes: self, mime, content }
    }
}

/// A file as a JSON document.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct StoreDocument {
    /// The bytes in base64; either this or `text`.
    #[schema(example = "SGVsbG8sIHdvcmxkIQ==")]
    data_base64: Option<String>,
    /// The bytes as text; either this or `data_base64`.
    text: Option<String>,
    /// The media type. Default: as the name says; else `text/plain` with `text`; else as the first bytes say.
    #[serde(default, deserialize_with = "media_type::optional")]
    #[schema(value_type = Option<String>, example = "text/plain")]
    mime: Option<MediaType>,
    /// As the query parameter.
    #[schema(value_type = Option<String>, example = "hello.txt")]
    filename: Option<Filename>,
    /// As the query parameter.
    #[schema(value_type = Option<String>)]
    summary: Option<Summary>,
    /// As the query parameter.
    #[schema(value_type = Option<String>, example = "user")]
    scope: Option<Scope>,
    /// As the query parameter.
    #[schema(value_type = Option<u64>, minimum = 1)]
    ttl: Option<Ttl>,
    /// As the query parameter, but an object.
    #[schema(value_type = Option<Object>)]
    meta: Option<MetaText>,
    /// As the query parameter.
    #[schema(value_type = Option<String>)]
    sha256: Option<Sha256Digest>,
}

impl StoreDocument {
    /// The file that it describes. Its bytes are no more than those of the document, whose `share` they take over.
    pub(super) fn into_file(mut self, share: &Arc<Share>) -> Result<File, ApiError> {
        if self.text.is_some() {
            self.mime = Some(self.type_of_text()?);
        }
        let bytes = match (self.data_base64, self.text) {
            (Some(encoded), None) => BASE64
                .decode(encoded)
                .map_err(|error| ApiError::field("data_base64", format!("must be base64: {error}")))?
                .into(),
            (None, Some(text)) => text.into(),
            _ => return Err(ApiError::field("data_base64", "either this or text must be given")),
        };
        let Self { mime, filename, summary, scope, ttl, meta, sha256, .. } = self;
        let attributes = Attributes { filename, summary, scope, ttl, meta, sha256 };
        Ok(attributes.into_file(mime, FormContent::Held(Held { bytes, share: Arc::clone(share) })))
    }

    /// JSON is UTF-8, and so is the text in it.
    fn type_of_text(&self) -> Result<MediaType, ApiError> {
        let mime = self.mime.clone().or_else(|| self.filename.as_ref().and_then(MediaType::by_name));
        let mime = mime.unwrap_or_else(MediaType::plain_text);
        match mime.charset().as_deref() {
            None | Some("utf-8" | "utf8" | "us-ascii") => Ok(mime),
            Some(_) => Err(ApiError::field("mime", "must not name a charset but utf-8 with text; use data_base64")),
        }
    }
}

/// A file that has been read: what is said of it, and its bytes. Its metadata stays text until it is stored, so that
/// those of many files are not in memory as values at the same time.
pub(super) struct File {
    attributes: Attributes,
    mime: Option<MediaType>,
    content: FormContent,
}

impl File {
    /// Its metadata, unread.
    pub(super) fn meta(&self) -> Option<&MetaText> {
        self.attributes.meta.as_ref()
    }

    /// How many of its bytes are in memory.
    pub(super) fn bytes_held(&self) -> u64 {
        match &self.content {
            FormContent::Held(held) => held.bytes.len() as u64,
            FormContent::Staged(_) => 0,
        }
    }

    pub(super) async fn store(self, store: &ArtifactStore, via: UploadedVia) -> Result<Artifact, ApiError> {
        let Self { attributes, mime, content } = self;
        let (new, sha256) = attributes.into_new(mime, store.limits())?;
        Ok(match content {
            FormContent::Held(held) => {
                let length = Some(held.bytes.len() as u64);
                store.store(new, Incoming { body: held.into_body(), length, sha256 }, via).await?
            }
            FormContent::Staged(staged) => store.store_staged(new, staged, sha256, via).await?,
        })
    }
}

/// The digest of the request's body is not that of the bytes inside it: checking nothing would be a
/// promise broken in silence.
pub(super) fn refuse_content_digest(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key("content-digest") {
        return Err(ApiError::field("content-digest", "is checked for raw bytes only; give sha256 here"));
    }
    Ok(())
}
