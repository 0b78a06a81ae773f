//! What can stand between a caller and what they asked for.

use std::borrow::Cow;

use super::Denied;
use crate::domain::Invalid;
use crate::fault::Fault;
use crate::storage::{BodyError, PutError};

/// Why an operation was not carried out. Nothing has changed when it is returned, unless it is a
/// [`Fault`]: then a provider may have done what it could not answer any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such artifact in the caller's sandbox.
    #[error("there is no such artifact")]
    ArtifactNotFound,
    /// The artifact's life is over.
    #[error("the artifact has expired")]
    ArtifactExpired,
    /// No such session in the caller's sandbox, or its life is over.
    #[error("there is no such session")]
    SessionNotFound,
    /// No such upload in the caller's sandbox, or its life is over.
    #[error("there is no such upload")]
    UploadNotFound,
    /// The upload cannot be completed with what has arrived.
    #[error("{0}")]
    UploadIncomplete(Cow<'static, str>),
    /// Another artifact has the id.
    #[error("the id is taken")]
    IdTaken,
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A value breaks a rule.
    #[error("{field} {reason}")]
    Invalid {
        /// Which one, as callers know it.
        field: &'static str,
        /// What is wrong with it.
        reason: Invalid,
    },
    /// The caller's expectation of the current state is not met.
    #[error(
        "a condition of the request does not hold: the current entity tags are \"{content}\" (content) and \"{record}\" \
         (record)"
    )]
    PreconditionFailed {
        /// The tag of the content as it is.
        content: String,
        /// The tag of the record as it is.
        record: String,
    },
    /// What was asked for collides with something that is there.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// The body was not received as it should have been.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A provider failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The bytes are with a provider that is not configured any more.
    #[error("the bytes are with the storage provider {provider}, which is not configured")]
    OtherProvider {
        /// That provider's name.
        provider: String,
    },
    /// The record points at bytes that the storage provider does not have.
    #[error("the storage provider has no bytes under {key}")]
    ContentMissing {
        /// Where they should be.
        key: String,
    },
    /// The service stops before it could finish.
    #[error("the service is shutting down")]
    Interrupted,
}

impl Error {
    /// Whether the same may succeed later, without anybody doing something else.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Fault(_) | Self::OtherProvider { .. } | Self::ContentMissing { .. } | Self::Interrupted => true,
            Self::ArtifactNotFound
            | Self::ArtifactExpired
            | Self::SessionNotFound
            | Self::UploadNotFound
            | Self::UploadIncomplete(_)
            | Self::IdTaken
            | Self::Denied(_)
            | Self::Invalid { .. }
            | Self::PreconditionFailed { .. }
            | Self::Conflict(_)
            | Self::Body(_) => false,
        }
    }

    pub(super) fn invalid(field: &'static str, reason: impl Into<Invalid>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }
}

impl From<PutError> for Error {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Body(error) => Self::Body(error),
            PutError::Fault(fault) => Self::Fault(fault),
        }
    }
}
