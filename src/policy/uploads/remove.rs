//! Removing what is left of uploads.

use std::num::NonZeroU32;
use std::sync::Arc;

use tracing::warn;

use super::Completion;
use crate::domain::grid::FIRST_REVISION;
use crate::domain::id::ArtifactId;
use crate::domain::upload::{Method, State, Upload};
use crate::fault::Chain;
use crate::policy::{Error, Service};
use crate::storage::Parts;

impl Service {
    /// Whether there is an upload that can be completed.
    pub(in crate::policy) async fn is_awaited(&self, id: ArtifactId) -> Result<bool, Error> {
        let upload = self.metadata.find::<Upload>(&id.to_string()).await?;
        Ok(upload.is_some_and(|upload| upload.state == State::Open))
    }

    /// Removes the bytes that wait for an upload to be completed.
    pub(super) async fn remove_upload_bytes(&self, upload: &Upload) -> Result<(), Error> {
        let storage = self.storage_named(&upload.provider)?;
        if let (Some(direct), Some(in_store)) = (storage.direct(), upload.in_store()) {
            return Ok(direct.abort_multipart(&in_store).await?);
        }
        Ok(Parts::new(Arc::clone(storage), upload.pending_key()).remove().await?)
    }

    /// Removes an upload that is over. What was to be an artifact by itself, and is there, becomes one.
    pub(in crate::policy) async fn remove_upload(&self, upload: &Upload) -> Result<(), Error> {
        if upload.state == State::Open && upload.method == (Method::Single { register: true }) {
            match self.complete_single(upload.clone(), Completion::default()).await {
                Ok(_) | Err(Error::UploadIncomplete(_)) => {}
                Err(error) => {
                    warn!(error = %Chain(&error), upload = %upload.id, "what has arrived could not be registered");
                }
            }
        }
        self.remove_upload_bytes(upload).await?;
        // Attempts to complete it that a crash has ended. With an artifact there, its revisions are its own.
        if self.metadata.artifact(upload.id).await?.is_none() {
            let storage = self.storage_named(&upload.provider)?;
            for revision in 1..=upload.last_revision.unwrap_or(FIRST_REVISION).get() {
                let Some(revision) = NonZeroU32::new(revision) else { continue };
                storage.delete(&(&upload.key_of(revision)).into()).await?;
            }
        }
        let _ = self.metadata.remove(upload).await?;
        Ok(())
    }
}
