//! An end for every request, whatever it waits for.
//!
//! Those behind the service have deadlines of their own, each by itself; this one is for all of a request's steps
//! together. It begins when the body has come, and again with every piece of it, and is longer for a large one: how
//! fast bodies have to come is a matter of its own. What was begun may go on: nothing is left half done because its caller has an answer.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::timeout;

use crate::http::AppState;
use crate::http::error::ApiError;
use crate::patience::Patience;

/// What these take depends on how much is stored.
const LONG: [&str; 5] = [
    "/v1/artifacts/{artifact_id}/copy",
    "/v1/uploads/{artifact_id}/complete",
    "/v1/multipart/{upload_id}/complete",
    "/v1/sessions/{session_id}",
    "/v1/admin/cleanup",
];
const LONG_DEADLINE: Duration = Duration::from_secs(3600);
/// What is done with a body takes a second more for every so many bytes.
const BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;

/// Answers 503 when a request is not answered in time.
pub(in crate::http) async fn answer_in_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_long = route.is_some_and(|route| LONG.contains(&route));
    let limit = if is_long { LONG_DEADLINE.max(state.deadline) } else { state.deadline };
    let patience = Patience::new(limit, BYTES_PER_SECOND);
    let arrival = (!request.body().is_end_stream()).then(Arc::<Arrival>::default);
    let request = match &arrival {
        Some(arrival) => request.map(|body| Body::new(Arriving { body, arrival: Arc::clone(arrival) })),
        None => request,
    };
    let mut answering = pin!(next.run(request));
    let mut known = 0;
    loop {
        match timeout(patience.for_bytes(known), &mut answering).await {
            Ok(response) => return response,
            Err(_) if arrival.as_ref().is_some_and(|arrival| arrival.goes_on(&mut known)) => {}
            Err(_) => return ApiError::Late.into_response(),
        }
    }
}

/// How a body arrives.
#[derive(Default)]
struct Arrival {
    bytes: AtomicU64,
    /// Whether the next piece is waited for.
    is_awaited: AtomicBool,
}

impl Arrival {
    /// Whether there is more of it than the bytes that were `known`, or soon will be.
    fn goes_on(&self, known: &mut u64) -> bool {
        let before = std::mem::replace(known, self.bytes.load(Ordering::Relaxed));
        before != *known || self.is_awaited.load(Ordering::Relaxed)
    }
}

struct Arriving {
    body: Body,
    arrival: Arc<Arrival>,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.arrival.is_awaited.store(false, Ordering::Relaxed);
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.arrival.is_awaited.store(polled.is_pending(), Ordering::Relaxed);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.arrival.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
