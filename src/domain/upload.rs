//! Uploads that are under way: files whose bytes go past the service, or come in parts.

use serde::{Deserialize, Serialize};

use super::artifact::{Description, SessionUse};
use super::digest::Sha256Digest;
use super::grid::{FIRST_REVISION, GridKey, Revision};
use super::id::{ArtifactId, UserId};
use super::media_type::MediaType;
use super::scope::Partition;
use super::time::Timestamp;
use super::ttl::TtlChoice;

/// How long after its end an upload can still be completed: what was sent before may arrive later.
pub const GRACE_SECONDS: u64 = 3600;

/// A file in the making. It exists for nobody but who makes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// The id of the upload, and of the artifact that it becomes.
    pub id: ArtifactId,
    /// What the artifact will belong to.
    pub partition: Partition,
    /// The session in which it was begun.
    pub session: Option<SessionUse>,
    /// The user who began it.
    pub owner: Option<UserId>,
    /// What the caller said about the file. Its media type is a guess, to be used if nobody knows better.
    pub description: Description,
    /// How long the artifact will live, from its completion on.
    pub ttl: TtlChoice,
    /// The media type that the bytes have to be sent with.
    pub content_type: Option<MediaType>,
    /// The media type that they were sent with.
    pub received_type: Option<MediaType>,
    /// Whether they were text in UTF-8, if they passed through this service.
    #[serde(default)]
    pub received_utf8: bool,
    /// How many bytes there have to be.
    pub bytes: Option<u64>,
    /// The digest that they have to have.
    pub sha256: Option<Sha256Digest>,
    /// The storage provider that takes them.
    pub provider: String,
    /// How they come.
    pub method: Method,
    /// When nothing can be sent any more.
    pub expires_at: Timestamp,
    /// The highest revision that an attempt to complete it has claimed; no two write to the same key.
    pub last_revision: Option<Revision>,
    /// What has become of it.
    pub state: State,
    /// Counts the changes of this record; the token for compare-and-swap.
    pub version: u64,
}

/// How the bytes of an upload come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// All at once.
    Single {
        /// Whether it is completed as soon as the bytes are there.
        register: bool,
    },
    /// In parts.
    Multipart {
        /// What a store with uploads of its own calls it.
        store_id: Option<String>,
        /// The size of all parts but the last.
        part_size: Option<u64>,
    },
}

/// What has become of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits for bytes, or to be completed.
    Open,
    /// It is an artifact now.
    Completed,
    /// It was given up.
    Aborted,
}

impl Upload {
    /// The key of a revision of the artifact that it becomes.
    pub fn key_of(&self, revision: Revision) -> GridKey {
        GridKey { partition: self.partition.clone(), artifact: self.id, revision }
    }

    /// The key that the artifact will have, unless an attempt to complete the upload fails.
    pub fn expected_key(&self) -> GridKey {
        self.key_of(FIRST_REVISION)
    }

    /// When it can no longer be completed.
    pub fn ends_at(&self) -> Timestamp {
        self.expires_at.plus_seconds(GRACE_SECONDS)
    }

    /// The media type that bytes speak for which begin so, if nothing else tells what they are.
    pub fn guess_from(&self, beginning: &[u8]) -> Option<MediaType> {
        let is_unknown = self.description.mime == MediaType::default();
        is_unknown.then(|| MediaType::by_beginning(beginning)).flatten()
    }

    /// The media type of the artifact. What clients send when they know nothing counts as nothing.
    pub fn mime(&self) -> &MediaType {
        const UNKNOWN: [&str; 3] =
            ["application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded"];
        let told = self.received_type.as_ref().filter(|mime| !UNKNOWN.contains(&mime.essence().as_str()));
        self.content_type.as_ref().or(told).unwrap_or(&self.description.mime)
    }
}
