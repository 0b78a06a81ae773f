//! Who may touch what.
//!
//! | scope | read | write, delete |
//! |---|---|---|
//! | session | the owning session | the owning session |
//! | user | the owning user, from any session | the owning user |
//! | sandbox | anyone in the sandbox | administrators |
//!
//! Over that, a token without `artifacts:read` reads nothing and one without `artifacts:write` changes
//! nothing. Another sandbox does not exist.

use super::{ArtifactStore, Error};
use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SessionId};
use crate::domain::principal::Subject;
use crate::domain::scope::{Partition, Scope};
use crate::domain::session::Session;
use crate::metadata::session_name;

/// What a caller wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Read,
    Write,
}

const NEEDS_READ: Error = Error::AccessDenied("the token does not include the right artifacts:read");
const NEEDS_WRITE: Error = Error::AccessDenied("the token does not include the right artifacts:write");
const NEEDS_ADMIN: Error = Error::AccessDenied("only artifacts:admin may change what is shared in the sandbox");
const OTHER_SESSION: Error = Error::AccessDenied("the artifact belongs to another session");
const OTHER_USER: Error = Error::AccessDenied("the artifact belongs to another user");
const NOT_YOUR_SESSION: Error = Error::AccessDenied("the session is not the caller's");
const ONE_SESSION_ONLY: Error = Error::AccessDenied("the token is for another session");

impl ArtifactStore {
    /// The artifact, if it is there, alive, and the caller may do `action` to it.
    pub(super) async fn find(&self, id: ArtifactId, action: Action) -> Result<Artifact, Error> {
        self.check_right(action)?;
        let artifact = match self.service.metadata.artifact(id).await? {
            Some(artifact) => artifact,
            None => self.service.complete_by_itself(self.sandbox(), id).await?.ok_or(Error::ArtifactNotFound)?,
        };
        if *artifact.partition.sandbox() != self.caller.principal.sandbox {
            return Err(Error::ArtifactNotFound);
        }
        self.check_named_session().await?;
        self.check_access(&artifact, action).await?;
        // Last, so that only those who may know of the artifact learn that it has expired.
        if artifact.is_expired(self.service.clock.now()) {
            return Err(Error::ArtifactExpired);
        }
        Ok(artifact)
    }

    async fn check_access(&self, artifact: &Artifact, action: Action) -> Result<(), Error> {
        match &artifact.partition {
            Partition::Session { session, .. } => self.check_session_scope(artifact, session).await,
            Partition::User { user, .. } if self.caller.principal.user() == Some(user) => Ok(()),
            Partition::User { .. } => Err(OTHER_USER),
            Partition::Shared { .. } => self.check_shared(action),
        }
    }

    async fn check_session_scope(&self, artifact: &Artifact, session: &SessionId) -> Result<(), Error> {
        if self.acting_session().await?.as_ref() != Some(session) {
            return Err(OTHER_SESSION);
        }
        let session =
            self.service.metadata.find::<Session>(&session_name(&self.caller.principal.sandbox, session)).await?;
        // What belongs to a session that was deleted is gone with it, even before it is removed.
        let session = session.filter(|session| artifact.session == Some(session.into()));
        let session = session.ok_or(Error::ArtifactNotFound)?;
        self.check_session(&session)?;
        if session.life.is_over(self.service.clock.now()) { Err(Error::ArtifactExpired) } else { Ok(()) }
    }

    /// Fails unless the caller may store into `scope` at all.
    pub(super) fn check_storing(&self, scope: Scope) -> Result<(), Error> {
        self.check_right(Action::Write)?;
        match scope {
            Scope::Session => Ok(()),
            Scope::User if self.caller.principal.user().is_some() => Ok(()),
            Scope::User => Err(Error::AccessDenied("user scope needs a token with a user")),
            Scope::Sandbox => self.check_shared(Action::Write),
        }
    }

    /// Fails unless the caller may write at all: for what cannot be checked in full before it is read.
    pub fn check_may_write(&self) -> Result<(), Error> {
        self.check_right(Action::Write)
    }

    pub(super) fn check_right(&self, action: Action) -> Result<(), Error> {
        let rights = self.caller.principal.rights;
        match action {
            Action::Read if !rights.read => Err(NEEDS_READ),
            Action::Write if !rights.write => Err(NEEDS_WRITE),
            Action::Read | Action::Write => Ok(()),
        }
    }

    fn check_shared(&self, action: Action) -> Result<(), Error> {
        match action {
            Action::Write if !self.caller.principal.rights.admin => Err(NEEDS_ADMIN),
            Action::Read | Action::Write => Ok(()),
        }
    }

    /// Fails when the caller names a session that exists and is not theirs.
    pub(super) async fn check_named_session(&self) -> Result<(), Error> {
        let Some(named) = &self.caller.named_session else { return Ok(()) };
        self.check_may_name(named)?;
        match self.live_session(named).await? {
            Some(session) => self.check_session(&session),
            None => Ok(()),
        }
    }

    /// Fails when the caller's token is for one session and this is another.
    pub(super) fn check_may_name(&self, id: &SessionId) -> Result<(), Error> {
        match self.caller.principal.session() {
            Some(claimed) if claimed != id => Err(ONE_SESSION_ONLY),
            _ => Ok(()),
        }
    }

    /// Fails unless `session` is the caller's: named by the token and not owned by another user, or
    /// owned by the token's user.
    pub(super) fn check_session(&self, session: &Session) -> Result<(), Error> {
        let allowed = match &self.caller.principal.subject {
            Subject::Session(claimed) => *claimed == session.id,
            Subject::UserInSession(user, claimed) => {
                *claimed == session.id && session.owner.as_ref().is_none_or(|owner| owner == user)
            }
            Subject::User(user) => session.owner.as_ref() == Some(user),
        };
        if allowed { Ok(()) } else { Err(NOT_YOUR_SESSION) }
    }
}
