//! Uploads in parts.

use std::sync::Arc;
use std::time::Duration;

use super::parts::{CompletedPart, choose};
use super::{Completion, NewUpload};
use crate::domain::artifact::{Artifact, Content};
use crate::domain::grid::FIRST_REVISION;
use crate::domain::id::ArtifactId;
use crate::domain::part::{MAX_OBJECT_BYTES, PartNumber};
use crate::domain::time::Timestamp;
use crate::domain::ttl::Ttl;
use crate::domain::upload::{Method, State, Upload};
use crate::policy::access::Action;
use crate::policy::place::Place;
use crate::policy::presign::{Grant, Presigned};
use crate::policy::{ArtifactStore, Error, Service};
use crate::storage::{BodyError, Completed, Direct, MultipartUpload, Part, Parts, PutOptions, Storage};

const PART_REPLACED: Error = Error::UploadIncomplete(std::borrow::Cow::Borrowed(
    "a part was sent again meanwhile: ask for the parts that have arrived",
));

/// A file to be uploaded in parts.
#[derive(Debug, Clone)]
pub struct NewMultipart {
    /// The file.
    pub upload: NewUpload,
    /// The size of all parts but the last, if the caller binds itself to one.
    pub part_size: Option<u64>,
}

/// How far an upload is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The upload.
    pub upload: Upload,
    /// The parts that have arrived, by number.
    pub parts: Vec<Part>,
}

impl ArtifactStore {
    /// Prepares for a file to be sent in parts.
    pub async fn begin_multipart(&self, new: NewMultipart) -> Result<Upload, Error> {
        let NewMultipart { upload, part_size } = new;
        let method = Method::Multipart { store_id: None, part_size };
        let upload = self.draft_upload(upload, MAX_OBJECT_BYTES, method).await?;
        let service = self.service.clone();
        self.service
            .to_completion(async move {
                let storage = Arc::clone(service.storage_named(&upload.provider)?);
                let Some(direct) = storage.direct() else {
                    service.insert_upload(&upload).await?;
                    return Ok(upload);
                };
                let options = PutOptions { content_type: upload.mime().clone(), ..PutOptions::default() };
                let begun = direct.create_multipart(&(&upload.expected_key()).into(), &options).await?;
                let method = Method::Multipart { store_id: Some(begun.id.clone()), part_size };
                let upload = Upload { method, ..upload };
                if let Err(error) = service.insert_upload(&upload).await {
                    direct.abort_multipart(&begun).await?;
                    return Err(error);
                }
                Ok(upload)
            })
            .await
    }

    /// URLs for parts of an upload, good for `life` but no longer than the upload.
    pub async fn presign_parts(
        &self,
        id: ArtifactId,
        numbers: &[PartNumber],
        life: Ttl,
    ) -> Result<(Vec<Presigned>, Timestamp), Error> {
        let upload = self.own_upload(id, true).await?;
        upload.check_open()?;
        let now = self.service.clock.now();
        let expires_at = now.plus_seconds(life.as_seconds()).min(upload.expires_at);
        if expires_at <= now {
            return Err(Error::UploadNotFound);
        }
        let storage = self.service.storage_named(&upload.provider)?;
        let life = Duration::from_secs(expires_at.seconds_since(now));
        let mut presigned = Vec::with_capacity(numbers.len());
        for &number in numbers {
            presigned.push(match (storage.direct(), upload.in_store()) {
                (Some(direct), Some(in_store)) => Presigned::Store(direct.presign_part(&in_store, number, life).await?),
                _ => {
                    let sandbox = upload.partition.sandbox().clone();
                    Presigned::Service(Grant::Part { sandbox, artifact: upload.id, number })
                }
            });
        }
        Ok((presigned, expires_at))
    }

    /// How far an upload is, so that whoever sends it can go on.
    pub async fn multipart(&self, id: ArtifactId) -> Result<Progress, Error> {
        let upload = self.own_upload(id, true).await?;
        let parts = match upload.state {
            State::Open => self.service.arrived_parts(&upload).await?.unwrap_or_default(),
            State::Completed | State::Aborted => Vec::new(),
        };
        Ok(Progress { upload, parts })
    }

    /// Makes an artifact of the parts. When that has been done, it is the answer.
    pub async fn complete_multipart(
        &self,
        id: ArtifactId,
        listed: Vec<CompletedPart>,
        completion: Completion,
    ) -> Result<Artifact, Error> {
        let upload = self.own_upload(id, true).await?;
        let service = self.service.clone();
        let completed = self.service.to_completion(async move {
            match upload.state {
                State::Open => service.complete_parts(upload, &listed, completion).await,
                State::Completed => Err(Error::IdTaken),
                State::Aborted => Err(Error::UploadNotFound),
            }
        });
        match completed.await {
            // Who may complete it may write, and perhaps no more.
            Err(Error::IdTaken) => self.find(id, Action::Write).await,
            completed => completed,
        }
    }
}

impl Upload {
    /// The upload as a store with uploads of its own knows it.
    pub(super) fn in_store(&self) -> Option<MultipartUpload> {
        match &self.method {
            Method::Multipart { store_id: Some(id), .. } => {
                Some(MultipartUpload { key: (&self.expected_key()).into(), id: id.clone() })
            }
            Method::Multipart { store_id: None, .. } | Method::Single { .. } => None,
        }
    }

    fn part_size(&self) -> Option<u64> {
        match self.method {
            Method::Multipart { part_size, .. } => part_size,
            Method::Single { .. } => None,
        }
    }
}

impl Service {
    /// The parts that have arrived; `None` when the store has no such upload any more.
    async fn arrived_parts(&self, upload: &Upload) -> Result<Option<Vec<Part>>, Error> {
        let storage = self.storage_named(&upload.provider)?;
        match (storage.direct(), upload.in_store()) {
            (Some(direct), Some(in_store)) => Ok(direct.parts(&in_store).await?),
            _ => Ok(Some(Parts::new(Arc::clone(storage), upload.pending_key()).list().await?)),
        }
    }

    async fn complete_parts(
        &self,
        upload: Upload,
        listed: &[CompletedPart],
        completion: Completion,
    ) -> Result<Artifact, Error> {
        let id = upload.id;
        let draft = self.draft_of_upload(&upload, completion).await?;
        let storage = Arc::clone(self.storage_named(&upload.provider)?);
        let joined = match (storage.direct(), upload.in_store()) {
            (Some(direct), Some(in_store)) => self.join_in_store(upload, &in_store, direct, listed).await,
            _ => self.join(upload, &storage, listed).await,
        };
        match joined {
            Ok((upload, place, content)) => {
                let registered = self.insert(upload.content_typed(draft), content).await;
                if upload.in_store().is_none() {
                    place.discard_if_refused(&registered).await;
                }
                self.finish(upload, registered).await
            }
            Err(error) => Err(self.why_not_completed(id, error).await),
        }
    }

    /// Has the store join the parts. That can be done once, so who comes second, or again after a crash,
    /// finds the whole. It stays until it is registered or the upload is over.
    async fn join_in_store(
        &self,
        upload: Upload,
        in_store: &MultipartUpload,
        direct: &dyn Direct,
        listed: &[CompletedPart],
    ) -> Result<(Upload, Place, Content), Error> {
        let storage = Arc::clone(self.storage_named(&upload.provider)?);
        if let Some(arrived) = direct.parts(in_store).await? {
            let (chosen, bytes) = choose(listed, arrived, upload.part_size())?;
            self.check_size(&upload, bytes)?;
            match direct.complete_multipart(in_store, &chosen).await? {
                Completed::Done(_) | Completed::NoSuchUpload => {}
                Completed::InvalidPart => {
                    return Err(PART_REPLACED);
                }
            }
        }
        let object = storage.head(&in_store.key).await?.ok_or(Error::UploadNotFound)?;
        let place = Place { storage, key: in_store.key.clone() };
        let content = self.content_in_store(&upload, &place, direct, object).await?;
        Ok((upload, place, content))
    }

    /// Joins parts that this service has received.
    async fn join(
        &self,
        upload: Upload,
        storage: &Arc<dyn Storage>,
        listed: &[CompletedPart],
    ) -> Result<(Upload, Place, Content), Error> {
        let parts = Parts::new(Arc::clone(storage), upload.pending_key());
        let (chosen, bytes) = choose(listed, parts.list().await?, upload.part_size())?;
        self.check_size(&upload, bytes)?;
        let (upload, place) = self.claim_place(upload).await?;
        let written = place.write_from(parts.read(chosen.clone()), storage.name(), bytes, upload.mime()).await;
        if written.is_err() && parts.list().await? != chosen {
            return Err(PART_REPLACED);
        }
        let written = written?;
        if let Some(announced) = upload.sha256
            && announced != written.sha256
        {
            place.discard().await;
            return Err(BodyError::WrongDigest { actual: written.sha256 }.into());
        }
        let content = place.content(written, upload.last_revision.unwrap_or(FIRST_REVISION));
        Ok((upload, place, content))
    }
}
