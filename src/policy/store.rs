//! Storing: bytes first, then the record.

use futures::stream::BoxStream;
use tracing::warn;

use super::access::Action;
use super::meter::{Announced, Meter};
use super::{ArtifactStore, Error, Service, TtlChoice};
use crate::clock::new_artifact_id;
use crate::domain::artifact::{Artifact, Content, Description, SessionUse, UploadedVia};
use crate::domain::digest::Sha256Digest;
use crate::domain::grid::{FIRST_REVISION, GridKey, Revision};
use crate::domain::id::ArtifactId;
use crate::domain::media_type::MediaType;
use crate::domain::scope::{Partition, Scope};
use crate::domain::session::Session;
use crate::fault::Fault;
use crate::storage::{BodyError, Key, PutError, PutOptions};

/// What a caller says of a file to be stored.
#[derive(Debug, Clone, Default)]
pub struct NewArtifact {
    /// Who may touch it and how long it lives.
    pub scope: Scope,
    /// How long it lives, if not as long as its scope gives by itself.
    pub ttl: TtlChoice,
    /// What it is.
    pub description: Description,
}

/// Bytes on their way from a caller.
pub struct Incoming {
    /// The bytes.
    pub body: BoxStream<'static, Result<bytes::Bytes, BodyError>>,
    /// How many, if announced.
    pub length: Option<u64>,
    /// Their digest, if announced.
    pub sha256: Option<Sha256Digest>,
}

/// Bytes that have arrived before it is known what they are. They are removed when this is dropped.
pub struct Staged {
    service: Service,
    key: Key,
    written: Written,
}

/// What is known of bytes that have been stored.
#[derive(Debug, Clone)]
pub(super) struct Written {
    bytes: u64,
    sha256: Sha256Digest,
    store_etag: Option<String>,
}

/// An artifact in the making: all but its bytes.
struct Draft {
    id: ArtifactId,
    partition: Partition,
    session: Option<Session>,
    new: NewArtifact,
}

impl Draft {
    fn key(&self) -> GridKey {
        GridKey { partition: self.partition.clone(), artifact: self.id, revision: FIRST_REVISION }
    }
}

impl ArtifactStore {
    /// Stores a file.
    pub async fn store(&self, new: NewArtifact, incoming: Incoming) -> Result<Artifact, Error> {
        let draft = self.draft(new).await?;
        self.check_length(&incoming)?;
        let store = self.clone();
        self.service
            .to_completion(async move {
                let key = Key::from(&draft.key());
                let written = store.write(&key, &draft.new.description.mime, incoming).await?;
                store.register(draft, written).await
            })
            .await
    }

    /// Takes in bytes of which nothing is known yet; [`ArtifactStore::store_staged`] makes a file of them.
    pub async fn stage(&self, incoming: Incoming) -> Result<Staged, Error> {
        self.check_right(Action::Write)?;
        self.check_length(&incoming)?;
        let key = Key::pending(&self.caller.principal.sandbox, new_artifact_id(self.service.clock.now()));
        let store = self.clone();
        self.service
            .to_completion(async move {
                let written = store.write(&key, &MediaType::default(), incoming).await?;
                Ok(Staged { service: store.service.clone(), key, written })
            })
            .await
    }

    /// Stores staged bytes as a file, if they have the digest announced. The provider copies them; they
    /// do not pass through here again.
    pub async fn store_staged(
        &self,
        new: NewArtifact,
        staged: Staged,
        sha256: Option<Sha256Digest>,
    ) -> Result<Artifact, Error> {
        let actual = staged.written.sha256;
        if sha256.is_some_and(|announced| announced != actual) {
            return Err(BodyError::WrongDigest { actual }.into());
        }
        let draft = self.draft(new).await?;
        let store = self.clone();
        self.service
            .to_completion(async move {
                let key = Key::from(&draft.key());
                let options = PutOptions {
                    content_type: draft.new.description.mime.clone(),
                    content_length: Some(staged.written.bytes),
                };
                if !store.service.storage.copy(&staged.key, &key, &options).await? {
                    return Err(Error::ContentMissing { key: staged.key.to_string() });
                }
                store.register(draft, staged.written.clone()).await
            })
            .await
    }

    /// Checks all that can be checked before the first byte.
    async fn draft(&self, new: NewArtifact) -> Result<Draft, Error> {
        self.check_storing(new.scope)?;
        let limits = &self.service.limits;
        limits.check_meta("meta", &new.description.meta)?;
        let now = self.service.clock.now();
        limits.lifetime(new.scope, new.ttl, None, now)?;
        let session = self.session_for_storing(new.scope == Scope::Session).await?;
        let principal = &self.caller.principal;
        let sandbox = principal.sandbox.clone();
        let partition = match (new.scope, &session, principal.user()) {
            (Scope::Session, Some(session), _) => Partition::Session { sandbox, session: session.id.clone() },
            (Scope::User, _, Some(user)) => Partition::User { sandbox, user: user.clone() },
            (Scope::Sandbox, _, _) => Partition::Shared { sandbox },
            (Scope::Session, None, _) | (Scope::User, _, None) => {
                return Err(Error::AccessDenied("the token has neither the user nor the session that the scope needs"));
            }
        };
        Ok(Draft { id: partition.adopt(new_artifact_id(now)), partition, session, new })
    }

    /// Fails at once when more is announced than allowed.
    pub(super) fn check_length(&self, incoming: &Incoming) -> Result<(), Error> {
        let limit = self.service.limits.max_upload_bytes;
        match incoming.length {
            Some(length) if length > limit => Err(BodyError::TooLarge { limit }.into()),
            _ => Ok(()),
        }
    }

    /// Writes a body under `key`; when it fails, nothing is there.
    pub(super) async fn write(&self, key: &Key, mime: &MediaType, incoming: Incoming) -> Result<Written, Error> {
        let limit = self.service.limits.max_upload_bytes;
        let announced = Announced { limit, length: incoming.length, sha256: incoming.sha256 };
        let options = PutOptions { content_type: mime.clone(), content_length: incoming.length };
        let mut meter = Meter::new(incoming.body, announced);
        let stored = match self.service.storage.put(key, &mut meter, &options).await {
            Ok(stored) => stored,
            Err(error) => {
                // After a fault the provider may have stored what it could not say it had.
                if matches!(error, PutError::Fault(_)) {
                    self.service.discard(key).await;
                }
                return Err(error.into());
            }
        };
        let Some((bytes, sha256)) = meter.finish() else {
            self.service.discard(key).await;
            let provider = self.service.storage.name();
            return Err(Fault::broken(provider, "storing", "the body was not read to its end").into());
        };
        Ok(Written { bytes, sha256, store_etag: stored.etag })
    }

    /// Commits the record of bytes that are in place.
    async fn register(&self, draft: Draft, written: Written) -> Result<Artifact, Error> {
        let key = Key::from(&draft.key());
        let result = self.insert(draft, written).await;
        self.service.discard_if_refused(&key, &result).await;
        result
    }

    async fn insert(&self, draft: Draft, written: Written) -> Result<Artifact, Error> {
        let now = self.service.clock.now();
        let Draft { id, partition, mut session, new } = draft;
        // The upload may have taken so long that the session is over, or was extended.
        if new.scope == Scope::Session
            && let Some(known) = session.take_if(|session| session.life.is_over(now))
        {
            session = Some(self.still_living(&known).await?.ok_or(Error::SessionNotFound)?);
        }
        let life = self.service.limits.lifetime(new.scope, new.ttl, session.as_ref(), now)?;
        let artifact = Artifact {
            id,
            partition,
            session: session.as_ref().map(SessionUse::from),
            owner: self.caller.principal.user().cloned(),
            description: new.description,
            content: self.content(written, FIRST_REVISION),
            last_revision: FIRST_REVISION,
            stored_at: now,
            updated_at: now,
            life,
            uploaded_via: UploadedVia::Direct,
            edits: 0,
            version: 1,
        };
        if !self.service.metadata.insert_artifact(&artifact).await? {
            return Err(Error::Conflict(format!("the id {id} is taken").into()));
        }
        // Who deleted the session meanwhile removed what was in it then: this file came too late for that.
        match session {
            Some(session) if new.scope == Scope::Session && self.still_living(&session).await?.is_none() => {
                self.service.remove_any_version(artifact).await?;
                Err(Error::SessionNotFound)
            }
            _ => Ok(artifact),
        }
    }

    /// A session as it is now, unless it has ended and, perhaps, another has taken its place.
    async fn still_living(&self, session: &Session) -> Result<Option<Session>, Error> {
        let current = self.live_session(&session.id).await?;
        Ok(current.filter(|current| current.created_at == session.created_at))
    }

    pub(super) fn content(&self, written: Written, revision: Revision) -> Content {
        Content {
            revision,
            bytes: written.bytes,
            sha256: Some(written.sha256),
            store_etag: written.store_etag,
            provider: self.service.storage.name().to_owned(),
        }
    }
}

impl Service {
    /// Removes bytes whose record was certainly not committed. A fault does not tell: bytes without a
    /// record do less harm than a record without bytes.
    pub(super) async fn discard_if_refused(&self, key: &Key, committed: &Result<Artifact, Error>) {
        if committed.as_ref().is_err_and(|error| !matches!(error, Error::Fault(_))) {
            self.discard(key).await;
        }
    }

    /// Removes bytes that no record points at. A failure is only logged: the caller has an answer.
    pub(super) async fn discard(&self, key: &Key) {
        if let Err(fault) = self.storage.delete(key).await {
            warn!(%key, error = %crate::fault::Chain(&fault), "bytes without a record were left behind");
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let (service, key) = (self.service.clone(), self.key.clone());
        self.service.tasks.spawn(async move { service.discard(&key).await });
    }
}
