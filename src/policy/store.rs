//! Storing: bytes first, then the record.

use std::sync::Arc;

use super::access::{Action, Denied, Resource};
use super::place::{Incoming, Place, Written};
use super::register::Draft;
use super::{ArtifactStore, Error, Service, TtlChoice};
use crate::clock::new_artifact_id;
use crate::domain::artifact::{Artifact, Description, SessionUse, UploadedVia};
use crate::domain::digest::Sha256Digest;
use crate::domain::grid::FIRST_REVISION;
use crate::domain::media_type::MediaType;
use crate::domain::scope::{Partition, Scope};
use crate::storage::{BodyError, Key};

/// What a caller says of a file to be stored.
#[derive(Debug, Clone, Default)]
pub struct NewArtifact {
    /// Who may touch it and how long it lives.
    pub scope: Scope,
    /// How long it lives, if not as long as its scope gives by itself.
    pub ttl: TtlChoice,
    /// What it is.
    pub description: Description,
    /// Whether nobody has said what it is, nor does its name: then the first bytes decide, if they are of a known kind.
    pub sniff: bool,
}

/// Bytes that have arrived before it is known what they are. They are removed when this is dropped.
pub struct Staged {
    service: Service,
    place: Place,
    written: Written,
}

impl ArtifactStore {
    /// Stores a file that has come `via` one way or another.
    pub async fn store(&self, new: NewArtifact, incoming: Incoming, via: UploadedVia) -> Result<Artifact, Error> {
        let draft = self.draft(new, via).await?;
        if let Some(artifact) = self.made_before(&draft).await? {
            return Ok(artifact);
        }
        self.check_length(&incoming)?;
        let store = self.clone();
        self.service
            .to_completion(async move {
                let place = store.service.place_for(&draft.key());
                let written = place.write(&draft.new.description.mime, incoming, store.max_bytes()).await?;
                store.register(draft, &place, written).await
            })
            .await
    }

    /// Takes in bytes of which nothing is known yet; [`ArtifactStore::store_staged`] makes a file of them.
    /// They wait with the provider that they most likely stay with: that of the default scope.
    pub async fn stage(&self, incoming: Incoming) -> Result<Staged, Error> {
        self.decide(Action::Write, &Resource::Sandbox)?;
        self.check_length(&incoming)?;
        let key = Key::pending(&self.caller.principal.sandbox, new_artifact_id(self.service.clock.now()));
        let place = Place { storage: Arc::clone(self.service.stores.for_scope(Scope::default())), key };
        let store = self.clone();
        self.service
            .to_completion(async move {
                let written = place.write(&MediaType::default(), incoming, store.max_bytes()).await?;
                Ok(Staged { service: store.service.clone(), place, written })
            })
            .await
    }

    /// Stores staged bytes as a file, if they have the digest announced. The provider copies them; they
    /// pass through here again only if the file's scope has another one.
    pub async fn store_staged(
        &self,
        new: NewArtifact,
        staged: Staged,
        sha256: Option<Sha256Digest>,
        via: UploadedVia,
    ) -> Result<Artifact, Error> {
        let actual = staged.written.sha256;
        if sha256.is_some_and(|announced| announced != actual) {
            return Err(BodyError::WrongDigest { actual }.into());
        }
        let draft = self.draft(new, via).await?;
        if let Some(artifact) = self.made_before(&draft).await? {
            return Ok(artifact);
        }
        let store = self.clone();
        self.service
            .to_completion(async move {
                let place = store.service.place_for(&draft.key());
                let mime = &draft.new.description.mime;
                let written = place.copy_from(&staged.place, &staged.written, mime).await?;
                store.register(draft, &place, written).await
            })
            .await
    }

    /// Checks all that can be checked before the first byte.
    pub(super) async fn draft(&self, new: NewArtifact, via: UploadedVia) -> Result<Draft, Error> {
        self.decide(Action::Write, &Resource::Scope(new.scope))?;
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
            // Neither can be: the one was asked for just now, the other was decided.
            (Scope::Session, None, _) | (Scope::User, _, None) => return Err(Denied::NoUser.into()),
        };
        let (id, earlier_ids) = match &self.plan {
            Some(plan) => plan.ids(&partition),
            None => (partition.adopt(new_artifact_id(now)), Vec::new()),
        };
        Ok(Draft {
            id,
            earlier_ids,
            partition,
            session: session.as_ref().map(SessionUse::from),
            ends_with: session.filter(|_| new.scope == Scope::Session),
            owner: principal.user().cloned(),
            new,
            via,
        })
    }

    /// Fails at once when more is announced than allowed.
    pub(super) fn check_length(&self, incoming: &Incoming) -> Result<(), Error> {
        let limit = self.max_bytes();
        match incoming.length {
            Some(length) if length > limit => Err(BodyError::TooLarge { limit }.into()),
            _ => Ok(()),
        }
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.service.limits.max_upload_bytes
    }

    /// Commits the record of bytes that are in place.
    async fn register(&self, mut draft: Draft, place: &Place, written: Written) -> Result<Artifact, Error> {
        if draft.new.sniff
            && let Some(mime) = MediaType::by_beginning(&written.beginning)
        {
            draft.new.description.mime = mime;
        }
        let result = self.service.insert(draft, place.content(written, FIRST_REVISION)).await;
        place.discard_if_refused(&result).await;
        result
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let place = self.place.clone();
        self.service.tasks.spawn(async move { place.discard().await });
    }
}
