//! Every way in which a request can fail, and the answer to each.

use std::sync::Arc;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::metrics::ProviderFault;
use super::problem::{Code, FieldError, ItemProblem, Problem};
use super::readiness::ConditionView;
use super::signed_url::Refused;
use crate::auth::AuthError;
use crate::domain::principal::Right;
use crate::fault::{Chain, FaultKind};
use crate::policy;
use crate::storage::BodyError;

/// How much of a name or value an answer quotes.
const MAX_QUOTED_CHARS: usize = 200;

/// Why a request was not answered as hoped.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// A rule or a provider said no.
    #[error(transparent)]
    Policy(#[from] policy::Error),
    /// The request has no token.
    #[error("a token is needed: send the header `Authorization: Bearer <JWT>`")]
    NoToken,
    /// The `Authorization` field is not what it must be.
    #[error("the header `Authorization` must be given once and be `Bearer <JWT>`")]
    WrongScheme,
    /// The token is not accepted.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Fields, parameters or headers are malformed.
    #[error("the request is not valid")]
    Invalid(Vec<FieldError>),
    /// The request is malformed as a whole.
    #[error("{0}")]
    Malformed(String),
    /// A signed URL allows nothing.
    #[error(transparent)]
    SignedUrl(#[from] Refused),
    /// What was sent to a signed URL is not what it was signed for.
    #[error("the URL was signed for another {0}")]
    NotAsSigned(&'static str),
    /// There is nothing at this path.
    #[error("there is nothing at this path")]
    NoRoute,
    /// The path has other methods.
    #[error("this method is not allowed here")]
    NoMethod,
    /// The body has a type that is not accepted here.
    #[error("{0}")]
    UnsupportedMediaType(&'static str),
    /// A body that is held in memory is too large.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The largest allowed.
        limit: usize,
    },
    /// What is to be read is not in the state that the caller expects.
    #[error("a condition of the request does not hold: the current entity tag is \"{tag}\"")]
    NotAsExpected {
        /// The tag as it is.
        tag: String,
    },
    /// No byte lies in the range.
    #[error("the range lies outside the content of {size} bytes")]
    RangeNotSatisfiable {
        /// The size of the content.
        size: u64,
    },
    /// There is no memory for the body now.
    #[error("too much is being received at the same time")]
    NoRoom,
    /// As many requests as allowed are under way.
    #[error("too many requests are under way")]
    Overloaded,
    /// The service takes no new requests.
    #[error("the service is shutting down")]
    Draining,
    /// Not all that requests need is as it should be; the log has the cause.
    #[error("a provider does not do what it should")]
    NotReady(Vec<ConditionView>),
    /// The request took all its time.
    #[error("the answer took too long; what was asked for may be done all the same")]
    Late,
    /// A bug.
    #[error("a handler panicked: {0}")]
    Panic(String),
}

impl ApiError {
    /// One wrong field, parameter or header.
    pub(super) fn field(field: impl Into<String>, message: impl ToString) -> Self {
        let (field, message) = (shortened(field.into()), shortened(message.to_string()));
        Self::Invalid(vec![FieldError { field, message }])
    }

    /// The kind of problem.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Policy(error) => policy_code(error),
            Self::NotReady(_) | Self::Auth(AuthError::KeysUnavailable) => Code::ProviderUnavailable,
            Self::NoToken | Self::WrongScheme | Self::Auth(_) => Code::Unauthenticated,
            Self::SignedUrl(_) | Self::NotAsSigned(_) => Code::AccessDenied,
            Self::Invalid(_) | Self::Malformed(_) => Code::InvalidRequest,
            Self::NoRoute => Code::NotFound,
            Self::NoMethod => Code::MethodNotAllowed,
            Self::UnsupportedMediaType(_) => Code::UnsupportedMediaType,
            Self::TooLarge { .. } => Code::PayloadTooLarge,
            Self::NotAsExpected { .. } => Code::PreconditionFailed,
            Self::RangeNotSatisfiable { .. } => Code::RangeNotSatisfiable,
            Self::NoRoom | Self::Overloaded | Self::Late | Self::Draining => Code::Overloaded,
            Self::Panic(_) => Code::Internal,
        }
    }

    /// What the caller is told: all of it when the caller can act on it, nothing of the inside else.
    fn detail(&self) -> String {
        shortened(match self.code() {
            Code::ProviderUnavailable => "a provider behind the service cannot be reached; try again later".to_owned(),
            Code::ProviderError => "a provider behind the service failed".to_owned(),
            Code::InsufficientStorage => "the store is full; reading and deleting still work".to_owned(),
            Code::ArtifactDamaged => "the stored bytes are damaged or missing; trying again does not help".to_owned(),
            Code::Internal => "something went wrong inside the service".to_owned(),
            _ => match self {
                Self::Policy(policy::Error::Body(BodyError::WrongDigest { actual })) => {
                    format!("the body has the SHA-256 digest {actual}, not the one announced")
                }
                error => error.to_string(),
            },
        })
    }

    /// What is told of it as the error of one item of many.
    pub(super) fn item(&self) -> ItemProblem {
        ItemProblem::new(self.code(), self.detail(), self.field_errors())
    }

    fn field_errors(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(errors) => errors.clone(),
            Self::Policy(policy::Error::Invalid { field, reason }) => {
                vec![FieldError { field: (*field).to_owned(), message: reason.to_string() }]
            }
            _ => Vec::new(),
        }
    }
}

fn policy_code(error: &policy::Error) -> Code {
    match error {
        policy::Error::ArtifactNotFound => Code::ArtifactNotFound,
        policy::Error::ArtifactExpired => Code::ArtifactExpired,
        policy::Error::SessionNotFound => Code::SessionNotFound,
        policy::Error::Denied(denied) if denied.missing_right().is_some() => Code::InsufficientScope,
        policy::Error::Denied(_) => Code::AccessDenied,
        policy::Error::Invalid { .. } => Code::InvalidRequest,
        policy::Error::PreconditionFailed { .. } => Code::PreconditionFailed,
        policy::Error::Conflict(_) | policy::Error::IdTaken => Code::Conflict,
        policy::Error::UploadNotFound => Code::UploadNotFound,
        policy::Error::UploadIncomplete(_) => Code::UploadIncomplete,
        policy::Error::Body(BodyError::Disconnected(_) | BodyError::WrongLength { .. }) => Code::InvalidRequest,
        policy::Error::Body(BodyError::Stalled) => Code::RequestTimeout,
        policy::Error::Body(BodyError::TooLarge { .. }) => Code::PayloadTooLarge,
        policy::Error::Body(BodyError::WrongDigest { .. }) => Code::DigestMismatch,
        policy::Error::Fault(fault) => match fault.kind {
            FaultKind::Unavailable => Code::ProviderUnavailable,
            FaultKind::Broken => Code::ProviderError,
            FaultKind::Full => Code::InsufficientStorage,
            FaultKind::Damaged => Code::ArtifactDamaged,
        },
        policy::Error::OtherProvider { .. } => Code::ProviderError,
        policy::Error::ContentMissing { .. } => Code::ArtifactDamaged,
        policy::Error::Interrupted => Code::Overloaded,
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        Self::Policy(error.into())
    }
}

/// `text`, or its beginning: it may quote what the caller sent, however long that was.
pub(super) fn shortened(text: String) -> String {
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The cause of an error answer, for the access log: the whole chain when an operator has to look; else
/// the code alone, as the texts may quote what the caller sent.
#[derive(Clone)]
pub(super) struct LoggedCause(pub Arc<str>);

impl LoggedCause {
    fn of(error: &ApiError) -> Self {
        if error.code().status().is_server_error() {
            return Self(Chain(error).to_string().into());
        }
        Self(error.code().to_string().into())
    }
}

/// RFC 6750, section 3.1: which scope the token would need.
fn insufficient_scope(missing: Right) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("Bearer realm=\"artifactd\", error=\"insufficient_scope\", scope=\"{missing}\"")).ok()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut problem = Problem::new(self.code(), self.detail(), self.field_errors());
        if let Self::NotReady(conditions) = &self {
            problem.conditions.clone_from(conditions);
        }
        let mut response = problem.into_response();
        let headers = response.headers_mut();
        match &self {
            // RFC 6750, section 3.1: a request without a token gets no error code.
            Self::NoToken | Self::WrongScheme => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"artifactd\""));
            }
            Self::Auth(_) if self.code() == Code::Unauthenticated => {
                let challenge = "Bearer realm=\"artifactd\", error=\"invalid_token\"";
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            Self::Policy(policy::Error::Denied(denied)) => {
                if let Some(challenge) = denied.missing_right().and_then(insufficient_scope) {
                    headers.insert(header::WWW_AUTHENTICATE, challenge);
                }
            }
            Self::RangeNotSatisfiable { size } => {
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{size}")) {
                    headers.insert(header::CONTENT_RANGE, value);
                }
            }
            _ => {}
        }
        response.extensions_mut().insert(LoggedCause::of(&self));
        if let Self::Policy(policy::Error::Fault(fault)) = &self {
            response.extensions_mut().insert(ProviderFault::from(fault));
        }
        response
    }
}
