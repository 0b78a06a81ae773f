//! Who a request comes from: asked once, before anything else of it is looked at, and known from then on to all that
//! follows – idempotency, limits, the access log, handlers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::{Span, record_all};

use crate::domain::id::{SessionId, UserId};
use crate::http::AppState;
use crate::http::error::ApiError;
use crate::http::extract::params::{SESSION_PARAMETER, query_pairs};
use crate::policy::Caller;

/// The header that names a session.
const SESSION_HEADER: &str = "x-session-id";

/// Puts the [`Caller`] into the request's extensions, or answers why there is none.
pub(in crate::http) async fn authenticate(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match caller(&state, &parts).await {
        Ok(caller) => {
            parts.extensions.insert(Arc::new(caller));
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => error.into_response(),
    }
}

async fn caller(state: &AppState, parts: &Parts) -> Result<Caller, ApiError> {
    let principal = state.authenticator.authenticate(bearer_token(&parts.headers)?).await?;
    let named = named_session(parts);
    let session = named.as_ref().ok().and_then(Option::as_ref).or(principal.session());
    record_all!(
        Span::current(),
        sandbox = principal.sandbox.as_str(),
        user = principal.user().map(UserId::as_str),
        session = session.map(SessionId::as_str)
    );
    Ok(Caller { principal, named_session: named? })
}

fn bearer_token(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(ApiError::NoToken),
        (Some(value), None) => value.to_str().map_err(|_| ApiError::WrongScheme)?,
        (Some(_), Some(_)) => return Err(ApiError::WrongScheme),
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(ApiError::WrongScheme),
    }
}

fn named_session(parts: &Parts) -> Result<Option<SessionId>, ApiError> {
    let mut named: Option<SessionId> = None;
    let header = parts.headers.get_all(SESSION_HEADER).iter().map(|value| (SESSION_HEADER, value.to_str().ok()));
    let query = query_pairs(parts.uri.query().unwrap_or_default())?;
    let query = query.iter().filter(|(name, _)| name == SESSION_PARAMETER);
    let query = query.map(|(_, value)| (SESSION_PARAMETER, Some(value.as_str())));
    for (field, text) in header.chain(query) {
        let text = text.ok_or_else(|| ApiError::field(field, "must be ASCII; use the parameter for other ids"))?;
        let id = text.parse().map_err(|error| ApiError::field(field, error))?;
        if named.as_ref().is_some_and(|named| *named != id) {
            return Err(ApiError::field(field, "names another session than the rest of the request"));
        }
        named = Some(id);
    }
    Ok(named)
}
