//! From the claims of a verified token to a [`Principal`].

use serde_json::Value;

use super::AuthOptions;
use super::error::AuthError;
use super::jwt::Claims;
use crate::domain::Invalid;
use crate::domain::principal::{Principal, Right, Rights, Subject};
use crate::domain::time::Timestamp;

pub(super) const EXPIRES: &str = "exp";
pub(super) const NOT_BEFORE: &str = "nbf";
pub(super) const ISSUED: &str = "iat";
pub(super) const ISSUER: &str = "iss";
pub(super) const AUDIENCE: &str = "aud";
pub(super) const SCOPE: &str = "scope";
const ROLES: &str = "roles";

const DEFAULT_SESSION: &str = "sid";
const FALLBACK_SESSION: &str = "session_id";

/// How the claims that say who is calling are named. A dot reaches into an object, unless a claim has
/// exactly this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The claim with the user's id.
    pub user: String,
    /// The claim with the session's id. With the default name, `session_id` is read too.
    pub session: String,
    /// The claim with the sandbox's id.
    pub sandbox: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { user: "sub".to_owned(), session: DEFAULT_SESSION.to_owned(), sandbox: "sandbox".to_owned() }
    }
}

/// When a token holds, in seconds since 1970. JWT times may have fractions (RFC 7519, 2).
pub(super) struct Validity {
    not_before: Option<f64>,
    expires: f64,
}

impl Validity {
    pub(super) fn read(claims: &Claims) -> Result<Self, AuthError> {
        let expires = number(claims, EXPIRES)?.ok_or(AuthError::ClaimMissing(EXPIRES.into()))?;
        Ok(Self { not_before: number(claims, NOT_BEFORE)?, expires })
    }

    /// Fails unless the token holds at `now`, as clocks go.
    pub(super) fn check(&self, leeway_seconds: u32, now: Timestamp) -> Result<(), AuthError> {
        let now = now.as_millis() as f64 / 1000.0;
        let leeway = f64::from(leeway_seconds);
        if now >= self.expires + leeway {
            return Err(AuthError::Expired);
        }
        match self.not_before {
            Some(start) if now + leeway < start => Err(AuthError::NotYetValid),
            _ => Ok(()),
        }
    }
}

/// Who the claims say is calling.
pub(super) fn principal(claims: &Claims, options: &AuthOptions) -> Result<Principal, AuthError> {
    check_issuer(claims, &options.issuers)?;
    check_audience(claims, &options.audiences)?;
    let names = &options.claims;
    let user = id(claims, &names.user)?;
    let session = match id(claims, &names.session)? {
        None if names.session == DEFAULT_SESSION => id(claims, FALLBACK_SESSION)?,
        session => session,
    };
    let no_subject = || AuthError::NoSubject { user: names.user.clone(), session: names.session.clone() };
    Ok(Principal {
        subject: Subject::new(user, session).ok_or_else(no_subject)?,
        sandbox: id(claims, &names.sandbox)?.unwrap_or_else(|| options.sandbox.clone()),
        rights: rights(claims)?,
    })
}

fn check_issuer(claims: &Claims, accepted: &[String]) -> Result<(), AuthError> {
    if accepted.is_empty() {
        return Ok(());
    }
    let issuer = string(claims, ISSUER)?.ok_or(AuthError::ClaimMissing(ISSUER.into()))?;
    if accepted.iter().any(|one| one == issuer) { Ok(()) } else { Err(AuthError::IssuerNotAccepted) }
}

fn check_audience(claims: &Claims, accepted: &[String]) -> Result<(), AuthError> {
    if accepted.is_empty() {
        return Ok(());
    }
    let wrong_type = || wrong_type(AUDIENCE, "a string or an array of strings");
    let audiences = match find(claims, AUDIENCE).ok_or(AuthError::ClaimMissing(AUDIENCE.into()))? {
        Value::String(one) => vec![one.as_str()],
        several => strings(several).ok_or_else(wrong_type)?,
    };
    let meant = audiences.iter().any(|audience| accepted.iter().any(|one| one == audience));
    if meant { Ok(()) } else { Err(AuthError::AudienceNotAccepted) }
}

/// What `scope` and `roles` allow together.
fn rights(claims: &Claims) -> Result<Rights, AuthError> {
    let mut names: Vec<&str> = string(claims, SCOPE)?.unwrap_or_default().split_whitespace().collect();
    if let Some(roles) = find(claims, ROLES) {
        names.extend(strings(roles).ok_or_else(|| wrong_type(ROLES, "an array of strings"))?);
    }
    let has = |right: Right| names.contains(&right.as_str());
    Ok(match (has(Right::Read), has(Right::Write), has(Right::Admin)) {
        (_, _, true) => Rights::ADMIN,
        (false, false, false) => Rights::DEFAULT,
        (read, write, admin) => Rights { read, write, admin },
    })
}

/// The id in a claim, if the claim is there.
fn id<T: std::str::FromStr<Err = Invalid>>(claims: &Claims, name: &str) -> Result<Option<T>, AuthError> {
    let invalid = |reason| AuthError::ClaimInvalid { claim: name.to_owned().into(), reason };
    string(claims, name)?.map(|text| text.parse().map_err(invalid)).transpose()
}

fn string<'a>(claims: &'a Claims, name: &str) -> Result<Option<&'a str>, AuthError> {
    find(claims, name).map(|value| value.as_str().ok_or_else(|| wrong_type(name, "a string"))).transpose()
}

fn number(claims: &Claims, name: &str) -> Result<Option<f64>, AuthError> {
    find(claims, name).map(|value| value.as_f64().ok_or_else(|| wrong_type(name, "a number"))).transpose()
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn wrong_type(name: &str, expected: &'static str) -> AuthError {
    AuthError::ClaimType { claim: name.to_owned().into(), expected }
}

/// The claim with this name, else the one that the name's dots lead to. A claim that is null is not there.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    let nested = || {
        let mut steps = name.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.as_object()?.get(step))
    };
    claims.get(name).or_else(nested).filter(|value| !value.is_null())
}
