//! Completing uploads whose bytes came at once.

use std::sync::Arc;

use tracing::warn;

use super::{COMPLETED, Completion, Upload};
use crate::domain::artifact::{Artifact, Content};
use crate::domain::grid::FIRST_REVISION;
use crate::domain::id::{ArtifactId, SandboxId};
use crate::domain::upload::State;
use crate::fault::Chain;
use crate::policy::place::Place;
use crate::policy::{ArtifactStore, Error, Service};
use crate::storage::{BodyError, Direct, ObjectInfo, Parts, Storage};

const NOTHING_THERE: Error = Error::UploadIncomplete(std::borrow::Cow::Borrowed("no bytes have arrived"));
const REPLACED: Error = Error::UploadIncomplete(std::borrow::Cow::Borrowed("other bytes have arrived meanwhile"));

impl ArtifactStore {
    /// Makes an artifact of what has arrived. That can be done once.
    pub async fn complete_upload(&self, id: ArtifactId, completion: Completion) -> Result<Artifact, Error> {
        let upload = self.own_upload(id, false).await?;
        let service = self.service.clone();
        self.service.to_completion(async move { service.complete_single(upload, completion).await }).await
    }
}

impl Service {
    /// The upload in this sandbox that becomes an artifact by itself.
    pub(in crate::policy) async fn self_registering(
        &self,
        sandbox: &SandboxId,
        id: ArtifactId,
    ) -> Result<Option<Upload>, Error> {
        let upload = self.metadata.find::<Upload>(&id.to_string()).await?;
        Ok(upload.filter(|upload| upload.registers_itself() && upload.partition.sandbox() == sandbox))
    }

    /// The artifact that such an upload becomes, if its bytes are there.
    pub(in crate::policy) async fn complete_by_itself(&self, upload: Upload) -> Result<Option<Artifact>, Error> {
        let (service, id) = (self.clone(), upload.id);
        let completed = self.to_completion(async move { service.complete_single(upload, Completion::default()).await });
        match completed.await {
            Ok(artifact) => Ok(Some(artifact)),
            Err(error) if error.may_pass() => Err(error),
            // Completed by others in this moment; or not there yet, or not as announced.
            Err(_) => Ok(self.metadata.artifact(id).await?),
        }
    }

    pub(super) async fn complete_single(&self, upload: Upload, completion: Completion) -> Result<Artifact, Error> {
        upload.check_open()?;
        let id = upload.id;
        let draft = self.draft_of_upload(&upload, completion).await?;
        let storage = Arc::clone(self.storage_named(&upload.provider)?);
        let taken = match storage.direct() {
            Some(direct) => self.take_from_store(upload, &storage, direct).await,
            None => self.take_received(upload, &storage).await,
        };
        let completed = match taken {
            Ok((upload, place, content)) => {
                let registered = self.insert(upload.content_typed(draft), content).await;
                place.discard_if_refused(&registered).await;
                self.finish(upload, registered).await
            }
            Err(error) => Err(self.why_not_completed(id, error).await),
        };
        match completed {
            // Another attempt was faster.
            Err(Error::IdTaken) => Err(COMPLETED),
            completed => completed,
        }
    }

    /// Why an attempt failed to which `error` happened: another may have been faster, or the upload given up,
    /// and the bytes taken away.
    pub(super) async fn why_not_completed(&self, id: ArtifactId, error: Error) -> Error {
        match self.metadata.find::<Upload>(&id.to_string()).await.map(|upload| upload.map(|upload| upload.state)) {
            Ok(Some(State::Completed)) => Error::IdTaken,
            Ok(Some(State::Aborted) | None) => Error::UploadNotFound,
            Ok(Some(State::Open)) | Err(_) => error,
        }
    }

    /// Marks an upload as completed when its artifact is there, by this attempt or by another, and removes what
    /// is left of it.
    pub(super) async fn finish(&self, upload: Upload, registered: Result<Artifact, Error>) -> Result<Artifact, Error> {
        if !matches!(registered, Ok(_) | Err(Error::IdTaken)) {
            return registered;
        }
        let finished = match self.settle(upload, State::Completed).await {
            // Given up meanwhile, and with it the bytes.
            Err(Error::UploadNotFound) => {
                if let Ok(artifact) = registered {
                    self.remove_any_version(artifact).await?;
                }
                return Err(Error::UploadNotFound);
            }
            Ok(upload) => self.remove_remains(&upload, registered.as_ref().ok()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = finished {
            warn!(error = %Chain(&error), "the remains of a completed upload are left to the sweeper");
        }
        registered
    }

    /// Removes what an upload has left that became `artifact`, if that is known.
    async fn remove_remains(&self, upload: &Upload, artifact: Option<&Artifact>) -> Result<(), Error> {
        self.remove_waiting(upload).await?;
        match artifact {
            // Later attempts may be under way; they see for themselves that they come too late.
            Some(artifact) => self.remove_attempts(upload, artifact.content.revision).await,
            None => Ok(()),
        }
    }

    /// Copies what a client has sent to the store itself.
    async fn take_from_store(
        &self,
        upload: Upload,
        storage: &Arc<dyn Storage>,
        direct: &dyn Direct,
    ) -> Result<(Upload, Place, Content), Error> {
        let pending = upload.pending_key();
        let waiting = storage.head(&pending).await?.ok_or(NOTHING_THERE)?;
        self.check_size(&upload, waiting.bytes)?;
        let (mut upload, place) = self.claim_place(upload).await?;
        upload.received_type = direct.inspect(&pending).await?.and_then(|inspected| inspected.content_type);
        if !place.copy_within(&pending, waiting.bytes, upload.mime()).await? {
            return Err(NOTHING_THERE);
        }
        let taken = async {
            // What is there now, nobody else can change.
            let copied = storage.head(&place.key).await?.ok_or(NOTHING_THERE)?;
            self.check_size(&upload, copied.bytes)?;
            self.content_in_store(&upload, &place, direct, copied).await
        };
        match taken.await {
            Ok(content) => Ok((upload, place, content)),
            Err(error) => {
                place.discard().await;
                Err(error)
            }
        }
    }

    /// What a record says of bytes that went past this service. A digest that was announced is proven, by the
    /// store or, if that does not know it, by reading all of them.
    pub(super) async fn content_in_store(
        &self,
        upload: &Upload,
        place: &Place,
        direct: &dyn Direct,
        object: ObjectInfo,
    ) -> Result<Content, Error> {
        let mut sha256 = direct.inspect(&place.key).await?.and_then(|inspected| inspected.sha256);
        if sha256.is_none() && upload.sha256.is_some() {
            sha256 = Some(place.digest(object.bytes).await?);
        }
        match (upload.sha256, sha256) {
            (Some(announced), Some(actual)) if announced != actual => Err(BodyError::WrongDigest { actual }.into()),
            _ => Ok(Content {
                revision: upload.last_revision.unwrap_or(FIRST_REVISION),
                bytes: object.bytes,
                sha256,
                store_etag: object.etag,
                provider: upload.provider.clone(),
                utf8: false,
            }),
        }
    }

    /// Copies what this service has received for an upload.
    async fn take_received(
        &self,
        upload: Upload,
        storage: &Arc<dyn Storage>,
    ) -> Result<(Upload, Place, Content), Error> {
        let parts = Parts::new(Arc::clone(storage), upload.pending_key());
        let part = parts.list().await?.into_iter().next().ok_or(NOTHING_THERE)?;
        self.check_size(&upload, part.bytes)?;
        let (upload, place) = self.claim_place(upload).await?;
        if !place.copy_within(&parts.key_of(&part)?, part.bytes, upload.mime()).await? {
            return Err(REPLACED);
        }
        let content = Content {
            revision: upload.last_revision.unwrap_or(FIRST_REVISION),
            bytes: part.bytes,
            sha256: part.etag.parse().ok(),
            store_etag: None,
            provider: upload.provider.clone(),
            utf8: upload.received_utf8,
        };
        Ok((upload, place, content))
    }

    pub(super) fn check_size(&self, upload: &Upload, bytes: u64) -> Result<(), Error> {
        let limit = self.limits.max_upload_bytes;
        match upload.bytes {
            Some(announced) if announced != bytes => {
                let problem = format!("{bytes} bytes have arrived, not the {announced} that were announced");
                Err(Error::UploadIncomplete(problem.into()))
            }
            _ if bytes > limit && !upload.is_multipart() => Err(BodyError::TooLarge { limit }.into()),
            _ => Ok(()),
        }
    }
}
