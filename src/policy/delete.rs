//! Removing: the record first, then the bytes.

use tracing::warn;

use super::access::Action;
use super::{ArtifactStore, Error, Expectation, Service};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::time::Timestamp;
use crate::fault::Chain;
use crate::metadata::{Garbage, Replaced};
use crate::storage::Key;

impl ArtifactStore {
    /// Deletes an artifact that is as expected.
    pub async fn delete(&self, id: ArtifactId, expected: &Expectation) -> Result<(), Error> {
        loop {
            let artifact = self.find(id, Action::Write).await?;
            expected.check(&artifact)?;
            let service = self.service.clone();
            match self.service.to_completion(async move { service.remove(artifact).await }).await? {
                Replaced::Done => return Ok(()),
                Replaced::Stale => {}
                Replaced::Missing => return Err(Error::ArtifactNotFound),
            }
        }
    }
}

impl Artifact {
    /// A note that the bytes this record points at are of no use from `due` on.
    pub(super) fn garbage(&self, due: Timestamp) -> Garbage {
        Garbage { key: self.key(), provider: self.content.provider.clone(), due }
    }
}

impl Service {
    /// Removes a record that is still in this version, and then its bytes. The note of garbage that
    /// goes with the record makes up for a crash or a fault in between, and for a store that is late.
    pub(super) async fn remove(&self, artifact: Artifact) -> Result<Replaced, Error> {
        let storage = self.storage_named(&artifact.content.provider)?;
        let garbage = artifact.garbage(self.clock.now());
        let removed = self.metadata.delete_artifact(&artifact, &garbage).await?;
        if removed == Replaced::Done {
            let collected = match self.removals.remove(&**storage, &Key::from(&garbage.key)).await {
                Ok(()) => self.metadata.forget_garbage(&garbage).await,
                Err(fault) => Err(fault),
            };
            if let Err(fault) = collected {
                warn!(key = %garbage.key, error = %Chain(&fault), "bytes of a deleted artifact remain for the sweeper");
            }
        }
        Ok(removed)
    }

    /// Removes a record whatever becomes of it meanwhile, and its bytes.
    pub(super) async fn remove_any_version(&self, artifact: Artifact) -> Result<(), Error> {
        let id = artifact.id;
        let mut current = Some(artifact);
        while let Some(artifact) = current {
            current = match self.remove(artifact).await? {
                Replaced::Stale => self.metadata.artifact(id).await?,
                Replaced::Done | Replaced::Missing => None,
            };
        }
        Ok(())
    }

    /// Removes the bytes that a note of garbage names, and the note.
    pub(super) async fn collect(&self, garbage: &Garbage) -> Result<(), Error> {
        self.storage_named(&garbage.provider)?.delete(&Key::from(&garbage.key)).await?;
        Ok(self.metadata.forget_garbage(garbage).await?)
    }
}
