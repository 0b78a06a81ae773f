//! Why a caller is not let in, and why keys cannot be used.

use std::borrow::Cow;

use crate::domain::Invalid;

/// Why a token is refused. The text is safe for callers: it shows nothing of tokens or keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The token is longer than any that is meant for this service.
    #[error("token is longer than {0} bytes")]
    TooLong(usize),
    /// The token is not three base64url parts with JSON in the first two.
    #[error("token is not a signed JWT")]
    Malformed,
    /// The header has `crit`: it relies on an extension, and this service has none (RFC 7515, 4.1.11).
    #[error("token needs extensions that are not supported")]
    UnsupportedExtension,
    /// The algorithm is none that a configured key allows.
    #[error("token is signed with an algorithm that is not allowed")]
    AlgorithmNotAllowed,
    /// The token's `kid` is that of no key.
    #[error("token is signed with an unknown key")]
    UnknownKey,
    /// The token has no `kid`, and several keys could have signed it.
    #[error("token does not say which key signed it")]
    KeyNotNamed,
    /// The signature is that of another key or another text.
    #[error("token has an invalid signature")]
    BadSignature,
    /// The keys cannot be fetched for now, so nothing can be said of the token.
    #[error("the keys that verify tokens are not available at the moment")]
    KeysUnavailable,
    /// `exp` is over.
    #[error("token has expired")]
    Expired,
    /// `nbf` is still to come.
    #[error("token is not valid yet")]
    NotYetValid,
    /// `iss` is none of the configured issuers.
    #[error("token is from an issuer that is not accepted")]
    IssuerNotAccepted,
    /// `aud` has none of the configured audiences.
    #[error("token is for another audience")]
    AudienceNotAccepted,
    /// A required claim is not there.
    #[error("claim `{0}` is missing")]
    ClaimMissing(Cow<'static, str>),
    /// A claim has another JSON type than it must have.
    #[error("claim `{claim}` must be {expected}")]
    ClaimType {
        /// The claim.
        claim: Cow<'static, str>,
        /// What it must be, such as "a string".
        expected: &'static str,
    },
    /// A claim is no valid id.
    #[error("claim `{claim}` {reason}")]
    ClaimInvalid {
        /// The claim.
        claim: Cow<'static, str>,
        /// What is wrong with it.
        reason: Invalid,
    },
    /// The token names neither a user nor a session.
    #[error("token names neither a user (claim `{user}`) nor a session (claim `{session}`)")]
    NoSubject {
        /// The claim with the user.
        user: String,
        /// The claim with the session.
        session: String,
    },
}

/// Why keys cannot be used: an error of the configuration. The text shows nothing of the keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct KeyError {
    /// Which keys: a file, or a kind of key.
    pub place: String,
    /// What is wrong with them.
    pub problem: String,
}

impl KeyError {
    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}
