//! Reading records and bytes.

use std::ops::Range;

use futures::StreamExt as _;

use super::access::Action;
use super::place::Place;
use super::{ArtifactStore, Error};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::storage::{ByteStream, exactly};

impl ArtifactStore {
    /// The record of an artifact.
    pub async fn artifact(&self, id: ArtifactId) -> Result<Artifact, Error> {
        self.find(id, Action::Read).await
    }

    /// The bytes of the revision that `artifact` describes, or those of `range`, which lies within them.
    pub async fn read(&self, artifact: &Artifact, range: Option<Range<u64>>) -> Result<ByteStream, Error> {
        let place = self.service.place_of(artifact)?;
        if let Some(bytes) = place.read(artifact.content.bytes, range).await? {
            return Ok(bytes);
        }
        // Deleted in this moment? Then that is the answer.
        self.find(artifact.id, Action::Read).await?;
        Err(place.missing())
    }
}

impl Place {
    /// The `size` bytes here, or those of `range`; `None` when there are none.
    pub(super) async fn read(&self, size: u64, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Error> {
        if size == 0 {
            return Ok(Some(futures::stream::empty().boxed()));
        }
        let length = range.as_ref().map_or(size, |range| range.end - range.start);
        let bytes = self.storage.get(&self.key, range).await?;
        Ok(bytes.map(|bytes| exactly(length, bytes, self.storage.name())))
    }
}
