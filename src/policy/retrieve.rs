//! Reading records and bytes.

use std::ops::Range;

use futures::{StreamExt as _, TryStreamExt as _};

use super::access::Action;
use super::{ArtifactStore, Error};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::fault::Fault;
use crate::storage::ByteStream;

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
        let place = self.service.place_of(artifact)?;
        let length = range.as_ref().map_or(artifact.content.bytes, |range| range.end - range.start);
        match place.storage.get(&place.key, range).await? {
            Some(bytes) => Ok(exactly(length, bytes, place.storage.name())),
            None => {
                // Deleted in this moment? Then that is the answer.
                self.find(artifact.id, Action::Read).await?;
                Err(place.missing())
            }
        }
    }
}

/// `bytes`, with an error where they are fewer or more than `length`: the store was tampered with.
pub(super) fn exactly(length: u64, bytes: ByteStream, provider: &'static str) -> ByteStream {
    let wrong = move || Fault::broken(provider, "reading", "the bytes are not as many as were stored");
    futures::stream::try_unfold((bytes, length), move |(mut bytes, left)| async move {
        match bytes.try_next().await? {
            Some(chunk) => {
                let left = left.checked_sub(chunk.len() as u64).ok_or_else(wrong)?;
                Ok(Some((chunk, (bytes, left))))
            }
            None if left == 0 => Ok(None),
            None => Err(wrong()),
        }
    })
    .boxed()
}
