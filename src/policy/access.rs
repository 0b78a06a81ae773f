//! Who may touch what: one decision, [`decide`], that looks at nothing but what it is given.
//!
//! | scope | read | write, delete |
//! |---|---|---|
//! | session | the owning session | the owning session |
//! | user | the owning user, from any session | the owning user |
//! | sandbox | anyone in the sandbox | administrators |
//!
//! Over that, a token without `artifacts:read` reads nothing and one without `artifacts:write` changes
//! nothing. Another sandbox does not exist.
//!
//! What a decision needs to know – the session that a file belongs to, the one that the caller acts in – is
//! looked up by the rest of this module, and asked for once.

use super::{ArtifactStore, Error};
use crate::domain::artifact::{Artifact, SessionUse};
use crate::domain::id::{ArtifactId, SessionId};
use crate::domain::principal::{Principal, Right, Subject};
use crate::domain::scope::{Partition, Scope};
use crate::domain::session::Session;
use crate::domain::upload::Upload;
use crate::metadata::session_name;

/// What a caller wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Read,
    Write,
    Administer,
}

/// What it is to be done to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Resource<'a> {
    /// Whatever of the caller's sandbox the right alone opens.
    Sandbox,
    /// What the caller has in a scope, or stores there.
    Scope(Scope),
    /// A file, or what is to be one.
    Stored {
        partition: &'a Partition,
        /// The session that it belongs to, in session scope, unless that has ended.
        session: Option<&'a Session>,
        /// The session that the caller acts in, in session scope.
        acting: Option<&'a SessionId>,
    },
    /// An upload that is under way.
    Upload {
        upload: &'a Upload,
        /// The session that the caller acts in, where it matters ([`Upload::is_of_session`]).
        acting: Option<&'a SessionId>,
    },
    /// Whatever session has this id.
    SessionId(&'a SessionId),
    /// A session.
    Session(&'a Session),
    /// A session as the place that a file is to be brought to.
    Target { artifact: &'a Artifact, session: &'a SessionId },
    /// The place of a copy.
    Beside { original: &'a Partition, copy: &'a Partition },
}

/// Why a caller may not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The token lacks a right.
    #[error("the token does not include the right {0}")]
    MissingRight(Right),
    /// It is shared, and the caller no administrator.
    #[error("only {} may change what is shared in the sandbox", Right::Admin)]
    Shared,
    /// It is in another sandbox: for the caller it does not exist.
    #[error("it is in another sandbox")]
    OtherSandbox,
    /// It belongs to another user.
    #[error("the artifact belongs to another user")]
    OtherUser,
    /// It belongs to another session.
    #[error("the artifact belongs to another session")]
    OtherSession,
    /// The upload was begun by somebody else.
    #[error("the upload belongs to another user or session")]
    OtherUpload,
    /// The session is that of somebody else.
    #[error("the session is not the caller's")]
    NotYourSession,
    /// The token is for one session, and another is named.
    #[error("the token is for another session")]
    OneSessionOnly,
    /// The token names no user.
    #[error("user scope needs a token with a user")]
    NoUser,
    /// Artifacts never leave the session they belong to.
    #[error("the target is another session than the artifact's own: artifacts never leave theirs")]
    OtherTarget,
    /// The caller acts elsewhere by now than where the original is.
    #[error("the caller acts in another session by now")]
    ElsewhereByNow,
}

impl Denied {
    /// The right that would change it, if one would.
    pub fn missing_right(self) -> Option<Right> {
        match self {
            Self::MissingRight(right) => Some(right),
            Self::Shared => Some(Right::Admin),
            Self::OtherSandbox
            | Self::OtherUser
            | Self::OtherSession
            | Self::OtherUpload
            | Self::NotYourSession
            | Self::OneSessionOnly
            | Self::NoUser
            | Self::OtherTarget
            | Self::ElsewhereByNow => None,
        }
    }
}

/// Whether `principal` may do `action` to `resource`.
pub(super) fn decide(principal: &Principal, action: Action, resource: &Resource<'_>) -> Result<(), Denied> {
    let right = action.right();
    check(principal.rights.has(right), Denied::MissingRight(right))?;
    match *resource {
        Resource::Sandbox => Ok(()),
        Resource::Scope(Scope::Session) => Ok(()),
        Resource::Scope(Scope::User) => check(principal.user().is_some(), Denied::NoUser),
        Resource::Scope(Scope::Sandbox) => decide_shared(principal, action),
        Resource::Stored { partition, session, acting } => {
            check(*partition.sandbox() == principal.sandbox, Denied::OtherSandbox)?;
            match partition {
                Partition::Session { session: id, .. } => {
                    check(acting == Some(id), Denied::OtherSession)?;
                    session.map_or(Ok(()), |session| decide_session(principal, session))
                }
                Partition::User { user, .. } => check(principal.user() == Some(user), Denied::OtherUser),
                Partition::Shared { .. } => decide_shared(principal, action),
            }
        }
        Resource::Upload { upload, acting } => {
            check(*upload.partition.sandbox() == principal.sandbox, Denied::OtherSandbox)?;
            decide(principal, action, &Resource::Scope(upload.partition.scope()))?;
            check(upload.owner.as_ref() == principal.user(), Denied::OtherUpload)?;
            let begun_in = upload.session.as_ref().map(|session| &session.id);
            check(!upload.is_of_session() || begun_in == acting, Denied::OtherUpload)
        }
        Resource::SessionId(id) => {
            check(principal.session().is_none_or(|claimed| claimed == id), Denied::OneSessionOnly)
        }
        Resource::Session(session) => decide_session(principal, session),
        Resource::Target { artifact, session } => {
            let own = match &artifact.partition {
                Partition::Session { session, .. } => Some(session),
                // In other scopes: the session that it was stored in.
                Partition::User { .. } | Partition::Shared { .. } => artifact.session.as_ref().map(|used| &used.id),
            };
            check(own == Some(session), Denied::OtherTarget)
        }
        Resource::Beside { original, copy } => check(original == copy, Denied::ElsewhereByNow),
    }
}

fn decide_shared(principal: &Principal, action: Action) -> Result<(), Denied> {
    check(action == Action::Read || principal.rights.has(Right::Admin), Denied::Shared)
}

/// A session is the caller's when the token names it and no other user owns it, or when the token's user owns it.
fn decide_session(principal: &Principal, session: &Session) -> Result<(), Denied> {
    let is_theirs = match &principal.subject {
        Subject::Session(claimed) => *claimed == session.id,
        Subject::UserInSession(user, claimed) => {
            *claimed == session.id && session.owner.as_ref().is_none_or(|owner| owner == user)
        }
        Subject::User(user) => session.owner.as_ref() == Some(user),
    };
    check(is_theirs, Denied::NotYourSession)
}

fn check(holds: bool, otherwise: Denied) -> Result<(), Denied> {
    if holds { Ok(()) } else { Err(otherwise) }
}

impl Action {
    /// The right without which nothing of the kind can be done.
    fn right(self) -> Right {
        match self {
            Self::Read => Right::Read,
            Self::Write => Right::Write,
            Self::Administer => Right::Admin,
        }
    }
}

impl Upload {
    /// Whether it belongs to the session that it was begun in: in session scope, and where no user began it.
    pub(super) fn is_of_session(&self) -> bool {
        self.owner.is_none() || self.partition.scope() == Scope::Session
    }
}

impl ArtifactStore {
    /// Fails unless the caller's token has this right: for what cannot be decided in full before more is read.
    pub fn check_right(&self, right: Right) -> Result<(), Error> {
        let action = match right {
            Right::Read => Action::Read,
            Right::Write => Action::Write,
            Right::Admin => Action::Administer,
        };
        self.decide(action, &Resource::Sandbox)
    }

    pub(super) fn decide(&self, action: Action, resource: &Resource<'_>) -> Result<(), Error> {
        Ok(decide(self.principal(), action, resource)?)
    }

    /// The artifact, if it is there, alive, and the caller may do `action` to it.
    pub(super) async fn find(&self, id: ArtifactId, action: Action) -> Result<Artifact, Error> {
        self.decide(action, &Resource::Sandbox)?;
        let artifact = match self.service.metadata.artifact(id).await? {
            Some(artifact) => {
                self.check_stored(action, &artifact.partition, artifact.session.as_ref()).await?;
                artifact
            }
            None => self.find_arrived(id, action).await?,
        };
        // Last, so that only those who may know of the artifact learn that it has expired.
        if artifact.is_expired(self.service.clock.now()) {
            return Err(Error::ArtifactExpired);
        }
        Ok(artifact)
    }

    /// The artifact that an upload becomes by itself when one who may asks for it. For all others there is none.
    async fn find_arrived(&self, id: ArtifactId, action: Action) -> Result<Artifact, Error> {
        let upload = self.service.self_registering(self.sandbox(), id).await?.ok_or(Error::ArtifactNotFound)?;
        match self.check_stored(action, &upload.partition, upload.session.as_ref()).await {
            Err(Error::Denied(_)) => Err(Error::ArtifactNotFound),
            checked => checked,
        }?;
        self.service.complete_by_itself(upload).await?.ok_or(Error::ArtifactNotFound)
    }

    /// Fails unless the caller may do `action` to what belongs there, and its session, if it needs one, lives.
    async fn check_stored(
        &self,
        action: Action,
        partition: &Partition,
        stored_in: Option<&SessionUse>,
    ) -> Result<(), Error> {
        if partition.sandbox() != self.sandbox() {
            return Err(Error::ArtifactNotFound);
        }
        self.check_named_session(action).await?;
        let Partition::Session { session: id, .. } = partition else {
            return self.decide(action, &Resource::Stored { partition, session: None, acting: None });
        };
        let acting = self.acting_session().await?;
        let session = match acting.as_ref() == Some(id) {
            true => self.service.metadata.find::<Session>(&session_name(self.sandbox(), id)).await?,
            false => None,
        };
        // What belongs to a session that was deleted is gone with it, even before it is removed.
        let session = session.filter(|session| stored_in == Some(&session.into()));
        self.decide(action, &Resource::Stored { partition, session: session.as_ref(), acting: acting.as_ref() })?;
        let session = session.ok_or(Error::ArtifactNotFound)?;
        if session.life.is_over(self.service.clock.now()) { Err(Error::ArtifactExpired) } else { Ok(()) }
    }

    /// Fails when the caller names a session that exists and is not theirs.
    pub(super) async fn check_named_session(&self, action: Action) -> Result<(), Error> {
        let Some(named) = &self.caller.named_session else { return Ok(()) };
        self.decide(action, &Resource::SessionId(named))?;
        match self.live_session(named).await? {
            Some(session) => self.decide(action, &Resource::Session(&session)),
            None => Ok(()),
        }
    }
}
