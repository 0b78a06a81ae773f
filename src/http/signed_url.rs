//! URLs that the service signs for itself, where a store cannot: each allows one thing until it expires, to
//! whoever has it.
//!
//! ```text
//! GET /v1/signed/grid/…?expires=…&type=…&disposition=…&signature=…
//! PUT /v1/signed/pending/{sandbox}/{artifact}?expires=…[&type=…][&length=…][&sha256=…]&signature=…
//! PUT /v1/signed/pending/{sandbox}/{artifact}/{part number}?expires=…&signature=…
//! ```
//!
//! The signature covers the method and everything before it as it is written, so nothing is read before it is
//! verified, and then only what this module would write again in the same way.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

use axum::http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::domain::id::SandboxId;
use crate::domain::time::Timestamp;
use crate::policy::Grant;
use crate::signing::SigningKeys;
use crate::storage::{Key, PutConstraints};

/// How the paths begin.
const BASE: &str = "/v1/signed/";

/// What is before the signature in the query.
const SIGNATURE: &str = "&signature=";

/// What every signed text begins with, so that keys may serve other kinds of it later.
const LABEL: &str = "artifactd URL 1";

/// RFC 3986 "unreserved" characters stay as they are.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why a URL allows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// There is no signature, or it is not that of this method, path and query: nothing else was looked at.
    #[error("the signature is missing or is not that of this method, path and query")]
    WrongSignature,
    /// It was signed here, but says nothing that this version of the service understands.
    #[error("the URL is not understood")]
    Malformed,
    /// Its time is over.
    #[error("the URL has expired")]
    Expired,
}

/// Makes and checks signed URLs.
#[derive(Debug, Clone)]
pub(super) struct UrlSigner {
    keys: Arc<SigningKeys>,
}

impl UrlSigner {
    /// A signer with these keys.
    pub(super) fn new(keys: Arc<SigningKeys>) -> Self {
        Self { keys }
    }

    /// Path and query of a URL that allows `grant` until `expires_at`, rounded down to a second.
    pub(super) fn path_and_query(&self, grant: &Grant, expires_at: Timestamp) -> String {
        let target = target(grant, expires_at.as_seconds());
        let signature = self.keys.sign(&message(&grant.method(), &target));
        target + SIGNATURE + &signature
    }

    /// What a request is allowed, by its path and query as they were sent.
    pub(super) fn check(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        now: Timestamp,
    ) -> Result<Grant, Refused> {
        // Who may read may look first.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let (query, signature) = query.and_then(|query| query.rsplit_once(SIGNATURE)).ok_or(Refused::WrongSignature)?;
        let signed = format!("{path}?{query}");
        if !self.keys.verify(&message(method, &signed), signature) {
            return Err(Refused::WrongSignature);
        }
        let (grant, expires) = parse(path, query).ok_or(Refused::Malformed)?;
        if grant.method() != method || target(&grant, expires) != signed {
            return Err(Refused::Malformed);
        }
        if now.as_seconds() < expires { Ok(grant) } else { Err(Refused::Expired) }
    }
}

impl Grant {
    fn method(&self) -> Method {
        match self {
            Self::Download { .. } => Method::GET,
            Self::Upload { .. } | Self::Part { .. } => Method::PUT,
        }
    }
}

/// What is signed.
fn message(method: &Method, target: &str) -> Vec<u8> {
    format!("{LABEL}\n{method}\n{target}").into_bytes()
}

/// Path and query before the signature.
fn target(grant: &Grant, expires: i64) -> String {
    let (key, parameters) = match grant {
        Grant::Download { key, content_type, content_disposition } => {
            let parameters = vec![("type", content_type.to_string()), ("disposition", content_disposition.clone())];
            (key.to_string(), parameters)
        }
        Grant::Upload { sandbox, artifact, constraints: PutConstraints { content_type, bytes, sha256 } } => {
            let mut parameters = Vec::new();
            parameters.extend(content_type.as_ref().map(|content_type| ("type", content_type.to_string())));
            parameters.extend(bytes.map(|bytes| ("length", bytes.to_string())));
            parameters.extend(sha256.map(|sha256| ("sha256", sha256.to_string())));
            (Key::pending(sandbox, *artifact).to_string(), parameters)
        }
        Grant::Part { sandbox, artifact, number } => {
            (format!("{}/{number}", Key::pending(sandbox, *artifact)), Vec::new())
        }
    };
    // Keys have percent signs in them, and `%2E%2E` as it is would be `..` to many clients.
    let mut target = format!("{BASE}{}?expires={expires}", key.replace('%', "%25"));
    for (name, value) in parameters {
        // Writing to a String cannot fail.
        let _ = write!(target, "&{name}={}", utf8_percent_encode(&value, ESCAPED));
    }
    target
}

/// Reads what [`target`] writes, and more.
fn parse(path: &str, query: &str) -> Option<(Grant, i64)> {
    let key = path.strip_prefix(BASE)?.replace("%25", "%");
    let grant = match key.split('/').collect::<Vec<_>>()[..] {
        ["pending", sandbox, artifact] => Grant::Upload {
            sandbox: SandboxId::from_segment(sandbox).ok()?,
            artifact: artifact.parse().ok()?,
            constraints: PutConstraints {
                content_type: parameter(query, "type"),
                bytes: parameter(query, "length"),
                sha256: parameter(query, "sha256"),
            },
        },
        ["pending", sandbox, artifact, number] => Grant::Part {
            sandbox: SandboxId::from_segment(sandbox).ok()?,
            artifact: artifact.parse().ok()?,
            number: number.parse().ok()?,
        },
        _ => Grant::Download {
            key: key.parse().ok()?,
            content_type: parameter(query, "type")?,
            content_disposition: parameter(query, "disposition")?,
        },
    };
    Some((grant, parameter(query, "expires")?))
}

/// A parameter that is there and well-formed.
fn parameter<T: FromStr>(query: &str, name: &str) -> Option<T> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    percent_decode_str(value).decode_utf8().ok()?.parse().ok()
}
