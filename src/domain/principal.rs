//! Who is calling.

use std::fmt;

use super::id::{SandboxId, SessionId, UserId};

/// What a token may allow its bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To read what the scopes allow.
    Read,
    /// To change what the scopes allow.
    Write,
    /// To change what is shared in the sandbox, and to administer it.
    Admin,
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// The name in tokens and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "artifacts:read",
            Self::Write => "artifacts:write",
            Self::Admin => "artifacts:admin",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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

    /// Whether `right` is among them.
    pub fn has(self, right: Right) -> bool {
        match right {
            Right::Read => self.read,
            Right::Write => self.write,
            Right::Admin => self.admin,
        }
    }
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
