//! `Idempotency-Key`: a POST that is sent again with the key of the first gets the answer of the first, and
//! nothing is done twice (draft-ietf-httpapi-idempotency-key-header).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;

use super::request_id;
use crate::domain::digest::{Sha256Digest, Sha256Hasher};
use crate::http::AppState;
use crate::http::error::ApiError;
use crate::http::extract::body;
use crate::policy::{ArtifactStore, BodyPrint, Caller, Claim, Claimed, SavedAnswer};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const MAX_KEY_BYTES: usize = 255;
/// The header fields of an answer that are kept.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];

/// Answers a POST that was answered before; carries out every other request.
pub(in crate::http) async fn replay(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    // In a box, as few requests have a key and all others would have to make room for what this takes.
    Box::pin(once(state, request, next)).await.unwrap_or_else(|error| error.into_response())
}

async fn once(state: AppState, request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let caller = parts.extensions.get::<Arc<Caller>>().ok_or(ApiError::NoToken)?;
    let store = state.service.for_caller(Arc::clone(caller));
    match store.claim(key(&parts)?, print(&parts)).await? {
        Claim::Repeat(answer) => {
            check_body(body, &answer).await?;
            Ok(repeated(answer))
        }
        Claim::First(claimed) => first(claimed, parts, body, next).await,
    }
}

fn key(parts: &Parts) -> Result<&str, ApiError> {
    let mut values = parts.headers.get_all(HEADER).iter();
    let key = match (values.next(), values.next()) {
        (Some(key), None) => key.to_str().ok().filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len())),
        _ => None,
    };
    key.ok_or_else(|| ApiError::field(HEADER.as_str(), "must be given once and be 1 to 255 ASCII characters"))
}

/// What a request looks like, but for its body.
fn print(parts: &Parts) -> Sha256Digest {
    let mut hasher = Sha256Hasher::default();
    let header = |name: HeaderName| parts.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    // The rest of the type may differ each time: the boundary of a form does.
    let essence = header(CONTENT_TYPE).split(|byte| *byte == b';').next().unwrap_or_default();
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let session = HeaderName::from_static("x-session-id");
    for part in [target.as_bytes(), essence, header(session)] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finish()
}

async fn first(claimed: Claimed, parts: Parts, body: Body, next: Next) -> Result<Response, ApiError> {
    let is_form = parts.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"multipart/"));
    let print = Arc::new(Mutex::new(None));
    let body = Body::new(Watched { body, hasher: Sha256Hasher::default(), bytes: 0, print: Arc::clone(&print) });
    let mut request = Request::from_parts(parts, body);
    if let Some(plan) = claimed.plan() {
        request.extensions_mut().insert(plan);
    }
    let answered = request_id::scope(request_id::current(), async move {
        let response = next.run(request).await;
        if !response.status().is_success() {
            return (response, None);
        }
        let (parts, body) = response.into_parts();
        let Ok(body) = body.collect().await else {
            return (StatusCode::INTERNAL_SERVER_ERROR.into_response(), None);
        };
        let body = body.to_bytes();
        let request_body = print.lock().take().filter(|_| !is_form);
        let saved = saved(parts.status, &parts.headers, &body, request_body);
        (Response::from_parts(parts, Body::from(body)), saved)
    });
    Ok(claimed.carry_out(answered).await?)
}

fn saved(
    status: StatusCode,
    headers: &axum::http::HeaderMap,
    body: &Bytes,
    request_body: Option<BodyPrint>,
) -> Option<SavedAnswer> {
    let kept = KEPT.iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    });
    let body = std::str::from_utf8(body).ok()?.to_owned();
    Some(SavedAnswer { status: status.as_u16(), headers: kept.collect(), body, request_body })
}

fn repeated(answer: SavedAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// Reads the body of a repeated request, for as long as it may be that of the first.
async fn check_body(body: Body, answer: &SavedAnswer) -> Result<(), ApiError> {
    let Some(first) = answer.request_body else { return Ok(()) };
    let (mut chunks, mut hasher, mut bytes) = (body::stream(body), Sha256Hasher::default(), 0);
    while bytes <= first.bytes
        && let Some(chunk) = chunks.next().await
    {
        let chunk = chunk?;
        bytes += chunk.len() as u64;
        hasher.update(&chunk);
    }
    Ok(ArtifactStore::check_repeated(answer, BodyPrint { bytes, sha256: hasher.finish() })?)
}

/// A body that tells size and digest when it was read to its end.
struct Watched {
    body: Body,
    hasher: Sha256Hasher,
    bytes: u64,
    print: Arc<Mutex<Option<BodyPrint>>>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.bytes += data.len() as u64;
            self.hasher.update(data);
        }
        if frame.is_none() || (matches!(frame, Some(Ok(_))) && self.body.is_end_stream()) {
            let sha256 = self.hasher.clone().finish();
            *self.print.lock() = Some(BodyPrint { bytes: self.bytes, sha256 });
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
