//! Completing uploads whose bytes came at once.

use std::sync::Arc;

use super::{COMPLETED, Completion, Upload};
use crate::domain::artifact::{Artifact, Content};
use crate::domain::grid::FIRST_REVISION;
use crate::domain::id::ArtifactId;
use crate::domain::upload::{Method, State};
use crate::fault::Chain;
use crate::policy::place::Place;
use crate::policy::{ArtifactStore, Error, Service};
use crate::storage::{BodyError, Direct, ObjectInfo, Parts, PutOptions, Storage};

const NOTHING_THERE: Error = Error::UploadIncomplete(std::borrow::Cow::Borrowed("no bytes have arrived"));

impl ArtifactStore {
    /// Makes an artifact of what has arrived. That can be done once.
    pub async fn complete_upload(&self, id: ArtifactId, completion: Completion) -> Result<Artifact, Error> {
        let upload = self.own_upload(id, false).await?;
        let service = self.service.clone();
        self.service.to_completion(async move { service.complete_single(upload, completion).await }).await
    }
}

impl Service {
    /// The artifact that an upload becomes by itself, if it does and its bytes are there.
    pub(in crate::policy) async fn complete_by_itself(&self, id: ArtifactId) -> Result<Option<Artifact>, Error> {
        let Some(upload) = self.upload(id).await? else { return Ok(None) };
        if upload.state != State::Open || upload.method != (Method::Single { register: true }) {
            return Ok(None);
        }
        let service = self.clone();
        let completed = self.to_completion(async move { service.complete_single(upload, Completion::default()).await });
        match completed.await {
            Ok(artifact) => Ok(Some(artifact)),
            Err(Error::Fault(fault)) => Err(fault.into()),
            // Not there yet, or not as announced: it is not an artifact.
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn complete_single(&self, upload: Upload, completion: Completion) -> Result<Artifact, Error> {
        match upload.state {
            State::Open => {}
            State::Completed => return Err(COMPLETED),
            State::Aborted => return Err(Error::UploadNotFound),
        }
        let draft = self.draft_of_upload(&upload, completion).await?;
        let storage = Arc::clone(self.storage_named(&upload.provider)?);
        let (upload, place, content) = match storage.direct() {
            Some(direct) => self.take_from_store(upload, &storage, direct).await?,
            None => self.take_received(upload, &storage).await?,
        };
        let registered = self.insert(upload.content_typed(draft), content).await;
        place.discard_if_refused(&registered).await;
        match registered {
            // Another attempt was faster.
            Err(Error::IdTaken) => Err(COMPLETED),
            Err(error) => Err(error),
            Ok(artifact) => {
                self.finish(upload).await;
                Ok(artifact)
            }
        }
    }

    /// Marks an upload as completed and removes what is left of it. The artifact is there already, so what
    /// fails is left to the sweeper.
    pub(super) async fn finish(&self, upload: Upload) {
        let finished = match self.settle(upload, State::Completed).await {
            Ok(Some(upload)) => self.remove_upload_bytes(&upload).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = finished {
            tracing::warn!(error = %Chain(&error), "the remains of a completed upload are left to the sweeper");
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
        let options = PutOptions { content_type: upload.mime().clone(), content_length: Some(waiting.bytes) };
        if !storage.copy(&pending, &place.key, &options).await? {
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
        let options = PutOptions { content_type: upload.mime().clone(), content_length: Some(part.bytes) };
        if !storage.copy(&parts.key_of(&part)?, &place.key, &options).await? {
            return Err(NOTHING_THERE);
        }
        let content = Content {
            revision: upload.last_revision.unwrap_or(FIRST_REVISION),
            bytes: part.bytes,
            sha256: part.etag.parse().ok(),
            store_etag: None,
            provider: upload.provider.clone(),
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
