//! Reading records and bytes.

use std::ops::Range;

use futures::StreamExt as _;

use super::access::Action;
use super::{ArtifactStore, Error};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::storage::{ByteStream, Key};

impl ArtifactStore {
    /// The record of an artifact.
    pub async fn artifact(&self, id: ArtifactId) -> Result<Artifact, Error> {
        self.find(id, Action::Read).await
    }

    /// The bytes of the revision that `artifact` describes, or those of `range`, which lies within them.
    pub async fn read(&self, artifact: &Artifact, range: Option<Range<u64>>) -> Result<ByteStream, Error> {
        if artifact.content.bytes == 0 {
            return Ok(futures::stream::empty().boxed());
        }
        let key = Key::from(&artifact.key());
        let storage = self.service.storage_named(&artifact.content.provider)?;
        match storage.get(&key, range).await? {
            Some(bytes) => Ok(bytes),
            None => {
                // Deleted in this moment? Then that is the answer.
                self.find(artifact.id, Action::Read).await?;
                Err(Error::ContentMissing { key: key.to_string() })
            }
        }
    }
}
