//! A JSON Web Token as it arrives: taken apart, and nothing of it believed yet.
//!
//! Whether it is signed is the business of [`super::keys`]; what its claims mean, that of
//! [`super::claims`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::error::AuthError;

/// The longest token that is looked at.
pub(super) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// A token whose header has been read. Its claims must not be used before a key has verified it.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// Header and payload: what the signature is of.
    pub(super) signed: &'a str,
    pub(super) signature: &'a str,
    payload: &'a str,
}

/// What matters of the header. Keys or URLs in it (`jwk`, `jku`, `x5c`, …) are the caller's word and
/// are not looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, AuthError> {
        let (signed, signature) = text.rsplit_once('.').ok_or(AuthError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(AuthError::Malformed)?;
        let header: Header = decode(header)?;
        if header.crit.is_some() {
            return Err(AuthError::UnsupportedExtension);
        }
        // `none` is no algorithm either.
        let algorithm = header.alg.parse().map_err(|_| AuthError::AlgorithmNotAllowed)?;
        Ok(Self { algorithm, kid: header.kid, signed, payload, signature })
    }

    /// What the token says.
    pub(super) fn claims(&self) -> Result<Claims, AuthError> {
        decode(self.payload)
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, AuthError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| AuthError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| AuthError::Malformed)
}
