//! Giving uploads up, and removing what is left of them.

use std::num::NonZeroU32;
use std::sync::Arc;

use tracing::warn;

use super::{COMPLETED, Completion};
use crate::domain::grid::FIRST_REVISION;
use crate::domain::id::ArtifactId;
use crate::domain::upload::{State, Upload};
use crate::fault::Chain;
use crate::metadata::Replaced;
use crate::policy::{Error, Service};
use crate::storage::Parts;

impl Service {
    /// Whether there is an upload that can be completed.
    pub(in crate::policy) async fn is_awaited(&self, id: ArtifactId) -> Result<bool, Error> {
        let upload = self.metadata.find::<Upload>(&id.to_string()).await?;
        Ok(upload.is_some_and(|upload| upload.state == State::Open))
    }

    /// Gives an upload up and removes its bytes. An attempt to complete it that is under way comes to nothing.
    pub(super) async fn give_up(&self, upload: Upload) -> Result<(), Error> {
        let over = self.end(upload).await?;
        if over.state == State::Completed {
            return Err(COMPLETED);
        }
        self.remove_bytes(&over).await
    }

    /// Removes an upload whose time is over; `false` when it changed meanwhile. What was to be an artifact by
    /// itself, and is there, becomes one.
    pub(in crate::policy) async fn remove_upload(&self, upload: Upload) -> Result<bool, Error> {
        if upload.state != State::Open {
            self.remove_bytes(&upload).await?;
            return Ok(self.metadata.remove(&upload).await? == Replaced::Done);
        }
        if upload.registers_itself() {
            match self.complete_single(upload.clone(), Completion::default()).await {
                Ok(_) | Err(Error::UploadIncomplete(_)) => {}
                // The bytes stay until it is known what becomes of them.
                Err(error) if error.may_pass() => return Err(error),
                Err(error) => {
                    warn!(error = %Chain(&error), upload = %upload.id, "what has arrived could not be registered");
                }
            }
        }
        match self.end(upload).await {
            Err(error) if error.may_pass() => return Err(error),
            _ => {}
        }
        Ok(false)
    }

    /// Ends an upload: it has become an artifact, though nobody could note that any more, or never will.
    async fn end(&self, upload: Upload) -> Result<Upload, Error> {
        let artifact = self.metadata.artifact(upload.id).await?;
        self.settle(upload, if artifact.is_some() { State::Completed } else { State::Aborted }).await
    }

    /// Removes the bytes of an upload that is over, but for those of its artifact.
    async fn remove_bytes(&self, upload: &Upload) -> Result<(), Error> {
        self.remove_waiting(upload).await?;
        if self.metadata.artifact(upload.id).await?.is_none() {
            let last = upload.last_revision.unwrap_or(FIRST_REVISION);
            self.remove_attempts(upload, last.saturating_add(1)).await?;
        }
        Ok(())
    }

    /// Removes the bytes that wait for an upload to be completed.
    pub(super) async fn remove_waiting(&self, upload: &Upload) -> Result<(), Error> {
        let storage = self.storage_named(&upload.provider)?;
        if let (Some(direct), Some(in_store)) = (storage.direct(), upload.in_store()) {
            return Ok(direct.abort_multipart(&in_store).await?);
        }
        Ok(Parts::new(Arc::clone(storage), upload.pending_key()).remove().await?)
    }

    /// Removes the bytes of attempts to complete an upload that came to nothing: those that claimed revisions
    /// before `end`.
    pub(super) async fn remove_attempts(&self, upload: &Upload, end: NonZeroU32) -> Result<(), Error> {
        let storage = self.storage_named(&upload.provider)?;
        for revision in (1..end.get()).filter_map(NonZeroU32::new) {
            storage.delete(&(&upload.key_of(revision)).into()).await?;
        }
        Ok(())
    }
}
