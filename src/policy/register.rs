//! Committing the record of bytes that are in place.

use super::{Error, NewArtifact, Service};
use crate::domain::artifact::{Artifact, Content, SessionUse, UploadedVia};
use crate::domain::grid::{FIRST_REVISION, GridKey};
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::Partition;
use crate::domain::session::Session;
use crate::metadata::session_name;

/// An artifact in the making: all but its bytes.
pub(super) struct Draft {
    pub(super) id: ArtifactId,
    /// The ids that it may have got when the same request was sent before.
    pub(super) earlier_ids: Vec<ArtifactId>,
    pub(super) partition: Partition,
    /// The session that it is stored in.
    pub(super) session: Option<SessionUse>,
    /// That session, as it was, if the artifact is to end with it.
    pub(super) ends_with: Option<Session>,
    pub(super) owner: Option<UserId>,
    pub(super) new: NewArtifact,
    pub(super) via: UploadedVia,
}

impl Draft {
    pub(super) fn key(&self) -> GridKey {
        GridKey { partition: self.partition.clone(), artifact: self.id, revision: FIRST_REVISION }
    }
}

impl Service {
    /// Commits the record of bytes that are in place.
    pub(super) async fn insert(&self, draft: Draft, content: Content) -> Result<Artifact, Error> {
        let now = self.clock.now();
        let Draft { id, earlier_ids: _, partition, session, mut ends_with, owner, new, via } = draft;
        // The upload may have taken so long that the session is over, or was extended.
        if let Some(known) = ends_with.take_if(|session| session.life.is_over(now)) {
            ends_with = Some(self.still_living(&known).await?.ok_or(Error::SessionNotFound)?);
        }
        let life = self.limits.lifetime(new.scope, new.ttl, ends_with.as_ref(), now)?;
        let artifact = Artifact {
            id,
            partition,
            session,
            owner,
            description: new.description,
            last_revision: content.revision,
            content,
            stored_at: now,
            updated_at: now,
            life,
            uploaded_via: via,
            edits: 0,
            version: 1,
        };
        if !self.metadata.insert_artifact(&artifact).await? {
            return Err(Error::IdTaken);
        }
        // Who deleted the session meanwhile removed what was in it then: this file came too late for that.
        match ends_with {
            Some(session) if self.still_living(&session).await?.is_none() => {
                self.remove_any_version(artifact).await?;
                Err(Error::SessionNotFound)
            }
            _ => Ok(artifact),
        }
    }

    /// The session with this id, unless its life is over.
    pub(super) async fn live_session(&self, sandbox: &SandboxId, id: &SessionId) -> Result<Option<Session>, Error> {
        let session = self.metadata.find::<Session>(&session_name(sandbox, id)).await?;
        let now = self.clock.now();
        Ok(session.filter(|session| !session.life.is_over(now)))
    }

    /// A session as it is now, unless it has ended and, perhaps, another has taken its place.
    async fn still_living(&self, session: &Session) -> Result<Option<Session>, Error> {
        let current = self.live_session(&session.sandbox, &session.id).await?;
        Ok(current.filter(|current| current.created_at == session.created_at))
    }
}
