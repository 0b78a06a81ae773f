//! Who is calling: from a JSON Web Token to a [`Principal`].
//!
//! A token is taken apart (`jwt`), verified with a configured key (`keys`, `jwks`) and only then
//! read (`claims`); one that comes again is remembered (`verified`). The algorithms that are allowed follow from the configured keys, never from the
//! token. Errors know nothing of HTTP; [`AuthError::KeysUnavailable`] is the one that is not the
//! caller's fault.

mod claims;
mod error;
mod fetch;
mod jwks;
mod jwt;
mod keys;
mod mint;
#[cfg(test)]
mod tests;
mod verified;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::AlgorithmFamily;
use url::Url;

pub use claims::ClaimNames;
pub use error::{AuthError, KeyError};
pub use mint::{MintError, TokenRequest, mint};

use crate::clock::Clock;
use crate::domain::id::SandboxId;
use crate::domain::principal::Principal;
use crate::fault::Chain;
use crate::secret::Secret;
use fetch::Source;
use jwks::KeySet;
use jwt::{MAX_TOKEN_BYTES, Token};
use keys::VerifyingKey;
use verified::{Proof, Verified, VerifiedTokens};

/// How tokens are verified and read.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// Where keys come from, at least one. The first secret signs what [`mint()`] makes.
    pub keys: Vec<KeySource>,
    /// Accepted values of `iss`; not checked when empty.
    pub issuers: Vec<String>,
    /// Accepted values of `aud`; not checked when empty.
    pub audiences: Vec<String>,
    /// How the claims are named.
    pub claims: ClaimNames,
    /// The sandbox of tokens that name none.
    pub sandbox: SandboxId,
    /// By how many seconds the clocks of issuers may differ from ours.
    pub leeway_seconds: u32,
}

/// Where keys come from.
#[derive(Clone)]
pub enum KeySource {
    /// A shared secret of at least 32 bytes: HS256, HS384, HS512.
    Secret(Secret),
    /// PEM text with public keys or certificates.
    Pem(String),
    /// A file with such text.
    PemFile(PathBuf),
    /// A URL that serves a JSON Web Key Set, fetched when first needed.
    JwksUrl(Url),
    /// A file with a JSON Web Key Set, read again when its keys may have changed.
    JwksFile(PathBuf),
}

/// Shows files only: all else may hold a secret.
impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(secret) => f.debug_tuple("Secret").field(secret).finish(),
            Self::Pem(_) => f.write_str("Pem(..)"),
            Self::PemFile(path) => f.debug_tuple("PemFile").field(path).finish(),
            Self::JwksUrl(url) => f.debug_tuple("JwksUrl").field(&url.host_str()).finish(),
            Self::JwksFile(path) => f.debug_tuple("JwksFile").field(path).finish(),
        }
    }
}

/// Turns tokens into principals.
pub struct Authenticator {
    options: AuthOptions,
    clock: Arc<dyn Clock>,
    keys: Vec<VerifyingKey>,
    sets: Vec<Arc<KeySet>>,
    verified: VerifiedTokens,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Authenticator {
    /// Reads the keys that are here already: files are read now, URLs when first needed.
    pub fn new(options: AuthOptions, clock: Arc<dyn Clock>) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        let mut sets = Vec::new();
        for source in &options.keys {
            match source {
                KeySource::Secret(secret) => {
                    keys.push(VerifyingKey::from_secret(secret).map_err(|problem| KeyError::new("secret", problem))?);
                }
                KeySource::Pem(text) => {
                    keys.extend(VerifyingKey::from_pem(text).map_err(|problem| KeyError::new("PEM text", problem))?);
                }
                KeySource::PemFile(path) => {
                    let failed = |problem| KeyError::new(path.to_string_lossy(), problem);
                    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
                    keys.extend(VerifyingKey::from_pem(&text).map_err(failed)?);
                }
                KeySource::JwksUrl(url) => sets.push(KeySet::lazy(Source::url(url.clone())?, Arc::clone(&clock))),
                KeySource::JwksFile(path) => {
                    let failed = |error| KeyError::new(path.to_string_lossy(), Chain(&error).to_string());
                    let keys = fetch::read_file(path).map_err(failed)?;
                    sets.push(KeySet::with_keys(Source::File(path.clone()), keys, Arc::clone(&clock)));
                }
            }
        }
        if options.keys.is_empty() {
            return Err(KeyError::new("keys", "there is none to verify tokens with"));
        }
        Ok(Self { options, clock, keys, sets, verified: VerifiedTokens::default() })
    }

    /// Who the bearer of `token` is.
    pub async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::TooLong(MAX_TOKEN_BYTES));
        }
        let digest = verified::digest(token);
        let verified = match self.verified_before(&digest).await {
            Some(verified) => verified,
            None => {
                let verified = self.read(token).await?;
                self.verified.remember(digest, Arc::clone(&verified));
                verified
            }
        };
        verified.validity.check(self.options.leeway_seconds, self.clock.now())?;
        Ok(Arc::clone(&verified.principal))
    }

    /// What is remembered of a token, as long as the keys that verified it are those in use.
    async fn verified_before(&self, digest: &verified::Digest) -> Option<Arc<Verified>> {
        let verified = self.verified.recall(digest)?;
        let holds = match &verified.proof {
            Proof::ConfiguredKeys => true,
            Proof::KeySet { set, keys } => self.sets.get(*set)?.uses(keys).await,
        };
        holds.then_some(verified)
    }

    /// Verifies a token and reads what it says, now or at another time.
    async fn read(&self, token: &str) -> Result<Arc<Verified>, AuthError> {
        let token = Token::parse(token)?;
        let proof = self.verify(&token).await?;
        let claims = token.claims()?;
        // First of all: what a token says that is over concerns nobody.
        let validity = claims::Validity::read(&claims)?;
        validity.check(self.options.leeway_seconds, self.clock.now())?;
        let principal = Arc::new(claims::principal(&claims, &self.options)?);
        Ok(Arc::new(Verified { principal, validity, proof }))
    }

    /// Checks the signature with every key that may have made it.
    async fn verify(&self, token: &Token<'_>) -> Result<Proof, AuthError> {
        if self.keys.iter().any(|key| key.has_signed(token)) {
            return Ok(Proof::ConfiguredKeys);
        }
        let tried = self.keys.iter().any(|key| key.allows(token.algorithm));
        let mut refusal = if tried { AuthError::BadSignature } else { AuthError::AlgorithmNotAllowed };
        // No set has secrets, so such a token need not cause a fetch.
        if token.algorithm.family() == AlgorithmFamily::Hmac {
            return Err(refusal);
        }
        for (number, set) in self.sets.iter().enumerate() {
            match set.verify(token).await {
                Ok(keys) => return Ok(Proof::KeySet { set: number, keys }),
                Err(AuthError::AlgorithmNotAllowed) => {}
                // While keys are missing, nothing certain can be said against the token.
                Err(_) if refusal == AuthError::KeysUnavailable => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}
