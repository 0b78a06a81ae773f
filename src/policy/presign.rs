//! URLs that let their bearer read or write one thing for a while, without a token.
//!
//! A store that clients can reach signs them itself. Where there is none, this service does, and the URL
//! leads back to it: what it allows is a [`Grant`].

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::access::Action;
use super::place::Place;
use super::{ArtifactStore, Error, Service};
use crate::domain::artifact::{Artifact, Content, LastChange};
use crate::domain::grid::GridKey;
use crate::domain::id::{ArtifactId, SandboxId};
use crate::domain::media_type::MediaType;
use crate::domain::part::PartNumber;
use crate::domain::time::Timestamp;
use crate::domain::ttl::Ttl;
use crate::storage::{ByteStream, Key, PutConstraints, ResponseHeaders, SignedRequest};

/// The longest that a signed URL is good for, in seconds: a week, as with S3.
pub const MAX_PRESIGNED_SECONDS: u64 = 7 * 86_400;

/// What a URL is made of.
#[derive(Debug, Clone)]
pub enum Presigned {
    /// A request to the store itself.
    Store(SignedRequest),
    /// A request to this service, to be signed by it.
    Service(Grant),
}

/// What the bearer of a URL may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Read the bytes of one revision.
    Download {
        /// Which.
        key: GridKey,
        /// What they are served as.
        content_type: MediaType,
        /// How they are presented.
        content_disposition: String,
    },
    /// Send the bytes of an upload.
    Upload {
        /// The sandbox of the upload.
        sandbox: SandboxId,
        /// The upload.
        artifact: ArtifactId,
        /// What the bytes have to be.
        constraints: PutConstraints,
    },
    /// Send a part of an upload.
    Part {
        /// The sandbox of the upload.
        sandbox: SandboxId,
        /// The upload.
        artifact: ArtifactId,
        /// The part.
        number: PartNumber,
    },
}

impl ArtifactStore {
    /// A URL for the content of an artifact as it is now, good for `life` but no longer than the artifact.
    /// `disposition` says how it is to be presented.
    pub async fn presign(
        &self,
        id: ArtifactId,
        life: Ttl,
        disposition: impl FnOnce(&Artifact) -> String,
    ) -> Result<(Presigned, Timestamp), Error> {
        let artifact = self.find(id, Action::Read).await?;
        self.presign_content(&artifact, life, disposition(&artifact)).await
    }

    /// As [`ArtifactStore::presign`], for an artifact that was just read; `None` where the store has no URLs of
    /// its own.
    pub async fn presign_in_store(
        &self,
        artifact: &Artifact,
        life: Ttl,
        disposition: String,
    ) -> Result<Option<SignedRequest>, Error> {
        match self.presign_content(artifact, life, disposition).await?.0 {
            Presigned::Store(request) => Ok(Some(request)),
            Presigned::Service(_) => Ok(None),
        }
    }

    async fn presign_content(
        &self,
        artifact: &Artifact,
        life: Ttl,
        content_disposition: String,
    ) -> Result<(Presigned, Timestamp), Error> {
        let now = self.service.clock.now();
        let wanted = now.plus_seconds(life.as_seconds());
        let expires_at = artifact.life.map_or(wanted, |life| wanted.min(life.expires_at));
        let content_type = artifact.served_type().into_owned();
        let presigned = match self.service.storage_named(&artifact.content.provider)?.direct() {
            Some(direct) => {
                let response = ResponseHeaders {
                    content_type: Some(content_type),
                    content_disposition: Some(content_disposition),
                };
                let life = Duration::from_secs(expires_at.seconds_since(now));
                Presigned::Store(direct.presign_get(&Key::from(&artifact.key()), life, &response).await?)
            }
            None => Presigned::Service(Grant::Download { key: artifact.key(), content_type, content_disposition }),
        };
        Ok((presigned, expires_at))
    }
}

impl Service {
    /// What a URL of this service leads to: the bytes of one revision, for as long as the artifact lives.
    /// Those that were replaced stay a while for those who have their URL.
    pub async fn signed_content(&self, key: &GridKey) -> Result<SignedContent, Error> {
        let artifact = self.metadata.artifact(key.artifact).await?;
        let artifact = artifact.filter(|artifact| artifact.partition == key.partition);
        let artifact = artifact.ok_or(Error::ArtifactNotFound)?;
        if artifact.is_expired(self.clock.now()) {
            return Err(Error::ArtifactExpired);
        }
        let place = Place { storage: Arc::clone(self.storage_named(&artifact.content.provider)?), key: key.into() };
        let service = self.clone();
        if artifact.key() == *key {
            let changed = Some(artifact.last_change());
            return Ok(SignedContent { service, place, content: artifact.content, changed });
        }
        let object = place.storage.head(&place.key).await?.ok_or(Error::ArtifactNotFound)?;
        let content = Content {
            revision: key.revision,
            bytes: object.bytes,
            sha256: None,
            store_etag: object.etag,
            provider: artifact.content.provider,
            utf8: false,
        };
        Ok(SignedContent { service, place, content, changed: None })
    }
}

/// Bytes that a URL leads to.
pub struct SignedContent {
    service: Service,
    place: Place,
    content: Content,
    changed: Option<LastChange>,
}

impl SignedContent {
    /// What is known of them.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// When they or what is known of them last changed, if that is known.
    pub fn last_change(&self) -> Option<LastChange> {
        self.changed
    }

    /// The bytes, or those of `range`, which lies within them.
    pub async fn read(&self, range: Option<Range<u64>>) -> Result<ByteStream, Error> {
        self.service.contents.read(&self.place, self.content.bytes, range).await?.ok_or(Error::ArtifactNotFound)
    }
}
