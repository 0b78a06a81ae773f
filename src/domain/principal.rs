//! Who is calling.

use super::id::{SandboxId, SessionId, UserId};

/// What a caller may do, over and above what the scopes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// `artifacts:read`: read what the scopes allow.
    pub read: bool,
    /// `artifacts:write`: change what the scopes allow.
    pub write: bool,
    /// `artifacts:admin`: change what is shared in the sandbox; includes the other two.
    pub admin: bool,
}

impl Rights {
    /// What a token has that names no right of this service.
    pub const DEFAULT: Self = Self { read: true, write: true, admin: false };

    /// Everything.
    pub const ADMIN: Self = Self { read: true, write: true, admin: true };
}

/// An authenticated caller: a user, a session, or a user in a session, in one sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The caller's sandbox.
    pub sandbox: SandboxId,
    /// Who, and in which session.
    pub subject: Subject,
    /// What the caller may do.
    pub rights: Rights,
}

/// The identity in a token. There is no caller without a user and without a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A user who may name any of their sessions.
    User(UserId),
    /// A session without a user.
    Session(SessionId),
    /// A user who acts in this session only.
    UserInSession(UserId, SessionId),
}

impl Subject {
    /// The subject with these claims, if there is one.
    pub fn new(user: Option<UserId>, session: Option<SessionId>) -> Option<Self> {
        match (user, session) {
            (Some(user), Some(session)) => Some(Self::UserInSession(user, session)),
            (Some(user), None) => Some(Self::User(user)),
            (None, Some(session)) => Some(Self::Session(session)),
            (None, None) => None,
        }
    }
}

impl Principal {
    /// The user, if the token names one.
    pub fn user(&self) -> Option<&UserId> {
        match &self.subject {
            Subject::User(user) | Subject::UserInSession(user, _) => Some(user),
            Subject::Session(_) => None,
        }
    }

    /// The session that the token names, if any.
    pub fn session(&self) -> Option<&SessionId> {
        match &self.subject {
            Subject::Session(session) | Subject::UserInSession(_, session) => Some(session),
            Subject::User(_) => None,
        }
    }
}
