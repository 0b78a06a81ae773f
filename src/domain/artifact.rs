//! Artifact records: what is known of a stored file.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::digest::Sha256Digest;
use super::filename::Filename;
use super::grid::{GridKey, Revision};
use super::id::{ArtifactId, SessionId, UserId};
use super::media_type::MediaType;
use super::meta::Meta;
use super::scope::Partition;
use super::session::Session;
use super::summary::Summary;
use super::time::Timestamp;
use super::ttl::Lifetime;

/// A stored file: its record. The bytes lie under [`Artifact::key`] in the storage provider.
///
/// This is also the form that metadata providers keep, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Flat")]
pub struct Artifact {
    /// The id; stays the same for life.
    pub id: ArtifactId,
    /// What it belongs to; stays the same for life.
    pub partition: Partition,
    /// The session in which it was stored.
    pub session: Option<SessionUse>,
    /// The user who stored it.
    pub owner: Option<UserId>,
    /// What the caller said about it.
    #[serde(flatten)]
    pub description: Description,
    /// The bytes it has now.
    pub content: Content,
    /// The highest revision that a replacement has claimed, whether or not it was completed. No two
    /// replacements ever write to the same key.
    pub last_revision: Revision,
    /// When it was first stored.
    pub stored_at: Timestamp,
    /// When record or content last changed.
    pub updated_at: Timestamp,
    /// When it expires; without, never.
    pub life: Option<Lifetime>,
    /// How the bytes came.
    pub uploaded_via: UploadedVia,
    /// Counts the changes that a caller can see.
    pub edits: u64,
    /// Counts all changes of this record; the token for compare-and-swap.
    pub version: u64,
}

/// [`Artifact`] as it is in JSON. To be read with `flatten`, everything would be copied first.
#[derive(Deserialize)]
struct Flat {
    id: ArtifactId,
    partition: Partition,
    session: Option<SessionUse>,
    owner: Option<UserId>,
    mime: MediaType,
    filename: Option<Filename>,
    summary: Summary,
    meta: Meta,
    content: Content,
    last_revision: Revision,
    stored_at: Timestamp,
    updated_at: Timestamp,
    life: Option<Lifetime>,
    uploaded_via: UploadedVia,
    edits: u64,
    version: u64,
}

impl From<Flat> for Artifact {
    fn from(flat: Flat) -> Self {
        let Flat { id, partition, session, owner, mime, filename, summary, meta, content, last_revision, .. } = flat;
        let Flat { stored_at, updated_at, life, uploaded_via, edits, version, .. } = flat;
        let description = Description { mime, filename, summary, meta };
        Self {
            id,
            partition,
            session,
            owner,
            description,
            content,
            last_revision,
            stored_at,
            updated_at,
            life,
            uploaded_via,
            edits,
            version,
        }
    }
}

/// A session, told from an earlier or later one with the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUse {
    /// The id.
    pub id: SessionId,
    /// When it began.
    pub began: Timestamp,
}

impl From<&Session> for SessionUse {
    fn from(session: &Session) -> Self {
        Self { id: session.id.clone(), began: session.created_at }
    }
}

/// The part of a record that the caller writes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Description {
    /// The media type of the content.
    pub mime: MediaType,
    /// The name to save it under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<Filename>,
    /// A few words.
    pub summary: Summary,
    /// Anything else.
    pub meta: Meta,
}

/// One revision of an artifact's bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Which one.
    pub revision: Revision,
    /// The size.
    pub bytes: u64,
    /// The digest; absent for bytes that went past this service to the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256Digest>,
    /// The store's own entity tag; takes the place of an absent digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_etag: Option<String>,
    /// The name of the storage provider that holds them.
    pub provider: String,
    /// Whether they are text in UTF-8, as far as is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub utf8: bool,
}

impl Content {
    /// The opaque part of the strong entity tag of these bytes.
    pub fn etag(&self) -> String {
        match (&self.sha256, &self.store_etag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(etag)) => etag.clone(),
            (None, None) => format!("r{}", self.revision),
        }
    }
}

/// When something last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChange {
    /// When.
    pub at: Timestamp,
    /// Whether it is certain that no other state came about within the same second: only then the second alone
    /// tells this state from others.
    pub is_alone_in_its_second: bool,
}

/// How the bytes of an artifact arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadedVia {
    /// In the body of a request to this service.
    Direct,
    /// In a request that stored several.
    Batch,
    /// To a signed URL.
    Presigned,
    /// To signed URLs, in parts.
    Multipart,
}

impl Artifact {
    /// The media type to serve the content with.
    pub fn served_type(&self) -> Cow<'_, MediaType> {
        let mime = &self.description.mime;
        if self.content.utf8 { mime.of_utf8() } else { Cow::Borrowed(mime) }
    }

    /// The key of the current revision.
    pub fn key(&self) -> GridKey {
        self.key_of(self.content.revision)
    }

    /// The key of any revision.
    pub fn key_of(&self, revision: Revision) -> GridKey {
        GridKey { partition: self.partition.clone(), artifact: self.id, revision }
    }

    /// The opaque part of the entity tag of this record, which differs after every visible change.
    pub fn record_etag(&self) -> String {
        format!("{}-{}", self.id, self.edits)
    }

    /// When content or record last changed.
    pub fn last_change(&self) -> LastChange {
        let at = self.updated_at;
        let is_alone_in_its_second = match self.edits {
            0 => true,
            1 => at.as_seconds() != self.stored_at.as_seconds(),
            // Nobody notes when the others were.
            _ => false,
        };
        LastChange { at, is_alone_in_its_second }
    }

    /// Whether its life is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.life.is_some_and(|life| life.is_over(now))
    }
}
