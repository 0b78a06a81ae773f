//! Counts the requests under way, keeps them below a limit, and lets none in while the service stops.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::http::error::ApiError;

/// The door for requests.
#[derive(Clone)]
pub struct Gate {
    places: Arc<Semaphore>,
    limit: u32,
    closed: CancellationToken,
}

impl Gate {
    /// A door that lets `limit` requests in at a time.
    pub fn new(limit: u32) -> Self {
        Self { places: Arc::new(Semaphore::new(limit as usize)), limit, closed: CancellationToken::new() }
    }

    /// Lets no further request in.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Waits until the last request is answered to the last byte.
    pub async fn emptied(&self) {
        let _ = self.places.acquire_many(self.limit).await;
    }

    /// How many requests are under way.
    pub fn in_flight(&self) -> usize {
        (self.limit as usize).saturating_sub(self.places.available_permits())
    }

    fn enter(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        // Asked with the place in hand: whoever waits for the last request waits for this one, too.
        if self.is_closed() {
            return Err(ApiError::Draining);
        }
        place.map_err(|_| ApiError::Overloaded)
    }
}

/// Lets a request in or answers 503. A request is under way until its last byte is sent.
pub(in crate::http) async fn enter(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.enter() {
        Ok(place) => next.run(request).await.map(|body| Body::new(Occupied { body, _place: place })),
        Err(refusal) => {
            let mut response = refusal.into_response();
            if gate.is_closed() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }
}

/// A body that holds its request's place until it is sent or dropped.
struct Occupied {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Occupied {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
