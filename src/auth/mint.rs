//! Signs tokens for development and for the command line.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value};

use super::claims::{AUDIENCE, EXPIRES, ISSUED, ISSUER, SCOPE};
use super::jwt::Claims;
use super::{AuthOptions, KeySource};
use crate::domain::id::{SandboxId, SessionId, UserId};
use crate::domain::principal::Right;
use crate::domain::time::Timestamp;
use crate::domain::ttl::Ttl;

/// What a token is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// The user, if any.
    pub user: Option<UserId>,
    /// The session, if any.
    pub session: Option<SessionId>,
    /// The sandbox; `None`: that of tokens without one.
    pub sandbox: Option<SandboxId>,
    /// Whether the token allows administration.
    pub admin: bool,
    /// How long it is valid.
    pub ttl: Ttl,
    /// `iss`; `None`: the first accepted issuer, if issuers are checked.
    pub issuer: Option<String>,
    /// `aud`; `None`: the first accepted audience, if audiences are checked.
    pub audience: Option<String>,
}

/// Why no token was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// There is no secret to sign with.
    #[error("there is no secret to sign tokens with")]
    NoSecret,
    /// The token would name nobody.
    #[error("a token needs a user, a session or both")]
    NoSubject,
    /// The names of the claims contradict each other, such as `sub` and `sub.session`.
    #[error("two claims of the token have the same name, or one is inside the other")]
    ClaimNames,
    /// The signature could not be made.
    #[error("the token cannot be signed")]
    Signature,
}

/// Signs a token with the first secret in `options` (HS256), as those options read it.
pub fn mint(options: &AuthOptions, request: &TokenRequest, now: Timestamp) -> Result<String, MintError> {
    let secret = options.keys.iter().find_map(|key| match key {
        KeySource::Secret(secret) => Some(secret),
        _ => None,
    });
    let secret = secret.ok_or(MintError::NoSecret)?;
    if request.user.is_none() && request.session.is_none() {
        return Err(MintError::NoSubject);
    }
    let names = &options.claims;
    let issuer = request.issuer.as_ref().or(options.issuers.first());
    let audience = request.audience.as_ref().or(options.audiences.first());
    let mut claims = Claims::new();
    insert(&mut claims, ISSUED, now.as_seconds())?;
    insert(&mut claims, EXPIRES, now.plus_seconds(request.ttl.as_seconds()).as_seconds())?;
    let texts = [
        (ISSUER, issuer.map(String::as_str)),
        (AUDIENCE, audience.map(String::as_str)),
        (SCOPE, request.admin.then_some(Right::Admin.as_str())),
        (&names.user, request.user.as_ref().map(UserId::as_str)),
        (&names.session, request.session.as_ref().map(SessionId::as_str)),
        (&names.sandbox, request.sandbox.as_ref().map(SandboxId::as_str)),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            insert(&mut claims, name, text)?;
        }
    }
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).map_err(|_| MintError::Signature)
}

/// Puts a value where the dots in `name` lead to.
fn insert(claims: &mut Claims, name: &str, value: impl Into<Value>) -> Result<(), MintError> {
    let mut object = claims;
    let mut name = name;
    while let Some((step, rest)) = name.split_once('.') {
        let inner = object.entry(step).or_insert_with(|| Value::Object(Map::new()));
        object = inner.as_object_mut().ok_or(MintError::ClaimNames)?;
        name = rest;
    }
    match object.insert(name.to_owned(), value.into()) {
        None => Ok(()),
        Some(_) => Err(MintError::ClaimNames),
    }
}
