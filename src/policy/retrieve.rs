//! Reading records and bytes.

use std::ops::Range;

use super::access::Action;
use super::{ArtifactStore, Error};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::storage::ByteStream;

impl ArtifactStore {
    /// The record of an artifact.
    pub async fn artifact(&self, id: ArtifactId) -> Result<Artifact, Error> {
        self.find(id, Action::Read).await
    }

    /// The bytes of the revision that `artifact` describes, or those of `range`, which lies within them.
    pub async fn read(&self, artifact: &Artifact, range: Option<Range<u64>>) -> Result<ByteStream, Error> {
        let place = self.service.place_of(artifact)?;
        if let Some(bytes) = self.service.contents.read(&place, artifact.content.bytes, range).await? {
            return Ok(bytes);
        }
        // Deleted in this moment? Then that is the answer.
        self.find(artifact.id, Action::Read).await?;
        Err(place.missing())
    }
}
