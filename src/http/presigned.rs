//! Signed URLs as callers get them: those of a store as it made them, those of this service signed and made
//! absolute.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};

use super::AppState;
use super::error::ApiError;
use super::signed_url::UrlSigner;
use crate::domain::time::Timestamp;
use crate::policy::{Grant, Presigned};

/// Makes URLs for the request at hand.
pub(super) struct Urls {
    signer: UrlSigner,
    /// The beginning of the service's own URLs, if it is known.
    base: Option<String>,
}

/// A request that whoever has it may make.
pub(super) struct Ready {
    /// The URL.
    pub url: String,
    /// The headers to send with it.
    pub headers: BTreeMap<String, String>,
}

impl FromRequestParts<AppState> for Urls {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let configured = state.public_url.as_deref().map(str::to_owned);
        Ok(Self { signer: state.signer.clone(), base: configured.or_else(|| requested_base(parts)) })
    }
}

impl Urls {
    /// What `presigned` allows until `expires_at`, as a request to be made.
    pub(super) fn ready(&self, presigned: Presigned, expires_at: Timestamp) -> Result<Ready, ApiError> {
        match presigned {
            Presigned::Store(request) => Ok(Ready { url: request.url, headers: request.headers.into_iter().collect() }),
            Presigned::Service(grant) => {
                let base =
                    self.base.as_ref().ok_or_else(|| ApiError::field("host", "must be given to be part of a URL"))?;
                let url = format!("{base}{}", self.signer.path_and_query(&grant, expires_at));
                Ok(Ready { url, headers: headers_of(&grant) })
            }
        }
    }
}

/// What has to be sent along, as the bytes are refused otherwise.
fn headers_of(grant: &Grant) -> BTreeMap<String, String> {
    match grant {
        Grant::Upload { constraints, .. } => {
            let content_type = constraints.content_type.as_ref();
            content_type.map(|mime| ("content-type".to_owned(), mime.to_string())).into_iter().collect()
        }
        Grant::Download { .. } | Grant::Part { .. } => BTreeMap::new(),
    }
}

/// Where the request was sent to. Nobody but the caller gets a URL with it.
fn requested_base(parts: &Parts) -> Option<String> {
    let host = parts.uri.authority().map(Authority::as_str).or_else(|| text(&parts.headers, &header::HOST))?;
    // Without a user name: a URL would lead elsewhere than it seems to.
    let host: Authority = host.parse().ok().filter(|_| !host.contains('@'))?;
    let scheme = match text(&parts.headers, "x-forwarded-proto") {
        Some("https") => "https",
        _ => "http",
    };
    Some(format!("{scheme}://{host}"))
}

fn text<K: header::AsHeaderName>(headers: &HeaderMap, name: K) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
