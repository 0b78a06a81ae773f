//! Uploads whose bytes do not come with the request that stores the file: to a signed URL, at once
//! ([`single`]) or in parts ([`multipart`]).
//!
//! An upload is a document of its own until it is completed. Its bytes wait under `pending/`, or as parts in
//! the store, where a URL that is still good cannot change what was registered. To complete it is to bring
//! the bytes to a key of the grid that no other attempt writes to, and then to insert the record: of several
//! attempts one can do that, and the others take their bytes away again.

mod multipart;
mod parts;
mod receive;
mod remove;
mod single;

use std::sync::Arc;
use std::time::Duration;

pub use self::multipart::{NewMultipart, Progress};
pub use self::parts::CompletedPart;
pub use self::receive::Received;

use super::access::{Action, Resource};
use super::place::Place;
use super::presign::{Grant, Presigned};
use super::register::Draft;
use super::{ArtifactStore, Error, NewArtifact, Service};
use crate::domain::artifact::{Artifact, UploadedVia};
use crate::domain::digest::Sha256Digest;
use crate::domain::filename::Filename;
use crate::domain::grid::{FIRST_REVISION, Revision};
use crate::domain::id::ArtifactId;
use crate::domain::media_type::MediaType;
use crate::domain::meta::Meta;
use crate::domain::scope::Partition;
use crate::domain::summary::Summary;
use crate::domain::time::Timestamp;
use crate::domain::ttl::Ttl;
use crate::domain::upload::{Method, State, Upload};
use crate::metadata::{Documented, Kind, Replaced};
use crate::storage::{BodyError, Key, PutConstraints};

const COMPLETED: Error = Error::Conflict(std::borrow::Cow::Borrowed("the upload has been completed"));

/// A file to be uploaded.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// What is said of it. The media type is used if nothing better is known when it is completed.
    pub artifact: NewArtifact,
    /// The media type that the bytes have to be sent with, if it matters.
    pub content_type: Option<MediaType>,
    /// How many bytes there have to be, if announced.
    pub bytes: Option<u64>,
    /// Their digest, if announced.
    pub sha256: Option<Sha256Digest>,
    /// How long they can be sent.
    pub life: Ttl,
}

/// What may change when an upload is completed.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// The name.
    pub filename: Option<Filename>,
    /// The summary.
    pub summary: Option<Summary>,
    /// The metadata; merged over what was said before (RFC 7396).
    pub meta: Option<Meta>,
}

impl Documented for Upload {
    const KIND: Kind = Kind::Upload;

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires_at(&self) -> Timestamp {
        self.ends_at()
    }
}

impl ArtifactStore {
    /// Prepares for a file to be sent to a signed URL. With `register` it becomes an artifact by itself.
    pub async fn open_upload(&self, new: NewUpload, register: bool) -> Result<(Upload, Presigned), Error> {
        let limit = self.service.limits.max_upload_bytes;
        let upload = self.draft_upload(new, limit, Method::Single { register }).await?;
        let presigned = self.service.presign_upload(&upload, self.service.clock.now()).await?;
        self.service.insert_upload(&upload).await?;
        Ok((upload, presigned))
    }

    /// Gives an upload up, one in parts or not. That can be done again.
    pub async fn abort_upload(&self, id: ArtifactId, is_multipart: bool) -> Result<(), Error> {
        let upload = self.own_upload(id, is_multipart).await?;
        let service = self.service.clone();
        self.service.to_completion(async move { service.give_up(upload).await }).await
    }

    async fn draft_upload(&self, new: NewUpload, limit: u64, method: Method) -> Result<Upload, Error> {
        let NewUpload { artifact, content_type, bytes, sha256, life } = new;
        if bytes.is_some_and(|bytes| bytes > limit) {
            return Err(BodyError::TooLarge { limit }.into());
        }
        let Draft { id, partition, session, owner, new, .. } = self.draft(artifact, method.via()).await?;
        let provider = self.service.stores.for_scope(new.scope).name().to_owned();
        Ok(Upload {
            id,
            partition,
            session,
            owner,
            description: new.description,
            ttl: new.ttl,
            content_type,
            received_type: None,
            received_utf8: false,
            bytes,
            sha256,
            provider,
            method,
            expires_at: self.service.clock.now().plus_seconds(life.as_seconds()),
            last_revision: None,
            state: State::Open,
            version: 1,
        })
    }

    /// An upload that the caller has begun.
    async fn own_upload(&self, id: ArtifactId, is_multipart: bool) -> Result<Upload, Error> {
        self.decide(Action::Write, &Resource::Sandbox)?;
        let upload = self.service.upload(id).await?.ok_or(Error::UploadNotFound)?;
        if upload.partition.sandbox() != self.sandbox() || is_multipart != upload.is_multipart() {
            return Err(Error::UploadNotFound);
        }
        self.check_named_session(Action::Write).await?;
        let acting = if upload.is_of_session() { self.acting_session().await? } else { None };
        self.decide(Action::Write, &Resource::Upload { upload: &upload, acting: acting.as_ref() })?;
        Ok(upload)
    }
}

impl Upload {
    fn is_multipart(&self) -> bool {
        matches!(self.method, Method::Multipart { .. })
    }

    fn registers_itself(&self) -> bool {
        self.method == Method::Single { register: true }
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.state {
            State::Open => Ok(()),
            State::Completed => Err(COMPLETED),
            State::Aborted => Err(Error::UploadNotFound),
        }
    }

    /// Where the bytes wait.
    fn pending_key(&self) -> Key {
        Key::pending(self.partition.sandbox(), self.id)
    }

    /// The upload with the media type that is known by now.
    fn content_typed(&self, draft: Draft) -> Draft {
        let mut draft = draft;
        draft.new.description.mime = self.mime().clone();
        draft
    }
}

impl Method {
    fn via(&self) -> UploadedVia {
        match self {
            Self::Single { .. } => UploadedVia::Presigned,
            Self::Multipart { .. } => UploadedVia::Multipart,
        }
    }
}

impl Service {
    /// An upload that can still be completed, or has been.
    async fn upload(&self, id: ArtifactId) -> Result<Option<Upload>, Error> {
        let upload = self.metadata.find::<Upload>(&id.to_string()).await?;
        let now = self.clock.now();
        Ok(upload.filter(|upload| now < upload.ends_at()))
    }

    async fn insert_upload(&self, upload: &Upload) -> Result<(), Error> {
        if self.metadata.insert(upload).await? {
            return Ok(());
        }
        Err(Error::Conflict(format!("the id {} is taken", upload.id).into()))
    }

    /// A URL for the bytes of an upload that come at once.
    async fn presign_upload(&self, upload: &Upload, now: Timestamp) -> Result<Presigned, Error> {
        let constraints =
            PutConstraints { content_type: upload.content_type.clone(), bytes: upload.bytes, sha256: upload.sha256 };
        match self.storage_named(&upload.provider)?.direct() {
            Some(direct) => {
                let life = Duration::from_secs(upload.expires_at.seconds_since(now));
                Ok(Presigned::Store(direct.presign_put(&upload.pending_key(), life, &constraints).await?))
            }
            None => Ok(Presigned::Service(Grant::Upload {
                sandbox: upload.partition.sandbox().clone(),
                artifact: upload.id,
                constraints,
            })),
        }
    }

    /// Applies a change to an upload, again if another comes between.
    async fn change_upload(
        &self,
        mut upload: Upload,
        change: impl Fn(&mut Upload) -> Result<(), Error>,
    ) -> Result<Upload, Error> {
        loop {
            let version = upload.version;
            change(&mut upload)?;
            upload.version += 1;
            match self.metadata.replace(&upload, version).await? {
                Replaced::Done => return Ok(upload),
                // Its time may be over by now: whoever began in time may finish.
                Replaced::Stale => {
                    upload = self.metadata.find(&upload.id.to_string()).await?.ok_or(Error::UploadNotFound)?;
                }
                Replaced::Missing => return Err(Error::UploadNotFound),
            }
        }
    }

    /// Puts an upload into its last state, unless it is in the other one.
    async fn settle(&self, upload: Upload, state: State) -> Result<Upload, Error> {
        let settled = self.change_upload(upload, |upload| {
            if upload.state != state {
                upload.check_open()?;
            }
            upload.state = state;
            Ok(())
        });
        settled.await
    }

    /// Reserves a revision for an attempt to complete an upload, and the place for its bytes.
    async fn claim_place(&self, upload: Upload) -> Result<(Upload, Place), Error> {
        let claimed = self.change_upload(upload, |upload| {
            upload.check_open()?;
            upload.last_revision = Some(upload.last_revision.map_or(FIRST_REVISION, |last| last.saturating_add(1)));
            Ok(())
        });
        let upload = claimed.await?;
        // An artifact that is there gives the revisions itself. It leaves out those that were claimed before,
        // and none is used that was claimed later.
        if self.metadata.artifact(upload.id).await?.is_some() {
            return Err(Error::IdTaken);
        }
        let key = upload.key_of(upload.last_revision.unwrap_or(FIRST_REVISION));
        let storage = Arc::clone(self.storage_named(&upload.provider)?);
        Ok((upload, Place { storage, key: (&key).into() }))
    }

    /// The highest revision that attempts to complete the upload of an artifact have claimed.
    pub(super) async fn last_claim(&self, artifact: &Artifact) -> Result<Option<Revision>, Error> {
        match artifact.uploaded_via {
            UploadedVia::Direct | UploadedVia::Batch => Ok(None),
            UploadedVia::Presigned | UploadedVia::Multipart => {
                let upload = self.metadata.find::<Upload>(&artifact.id.to_string()).await?;
                Ok(upload.and_then(|upload| upload.last_revision))
            }
        }
    }

    /// What an upload is to become. All that can be refused is refused now, before bytes move.
    async fn draft_of_upload(&self, upload: &Upload, completion: Completion) -> Result<Draft, Error> {
        let mut description = upload.description.clone();
        if let Some(filename) = completion.filename {
            description.filename = Some(filename);
        }
        if let Some(summary) = completion.summary {
            description.summary = summary;
        }
        if let Some(meta) = completion.meta {
            description.meta = description.meta.merged_with(meta);
            self.limits.check_meta("meta", &description.meta)?;
        }
        let ends_with = match (&upload.partition, &upload.session) {
            (Partition::Session { sandbox, session }, Some(begun_in)) => {
                let session = self.live_session(sandbox, session).await?;
                let same = session.filter(|session| session.created_at == begun_in.began);
                Some(same.ok_or(Error::SessionNotFound)?)
            }
            _ => None,
        };
        Ok(Draft {
            id: upload.id,
            earlier_ids: Vec::new(),
            partition: upload.partition.clone(),
            session: upload.session.clone(),
            ends_with,
            owner: upload.owner.clone(),
            new: NewArtifact { scope: upload.partition.scope(), ttl: upload.ttl, description, sniff: false },
            via: upload.method.via(),
        })
    }
}
