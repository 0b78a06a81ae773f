//! Reads on, for a while, what a refused client still sends.
//!
//! A server that answers in the middle of a request body and closes the connection makes the client's
//! kernel throw the answer away (RFC 9112, section 9.6). So that the client learns why it was refused,
//! some of the rest is read behind the answer. A client that waits for `100 Continue` and has not got it
//! sends nothing, and is not asked to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::oneshot;

const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(2);

/// Reads the rest of the body of a request that was refused before its end.
pub(in crate::http) async fn linger(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (sender, mut receiver) = oneshot::channel();
    let sending = !request.headers().contains_key(EXPECT);
    let request = request.map(|body| Body::new(Returned { body, sending, sender: Some(sender) }));
    let response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if refused && let Ok(rest) = receiver.try_recv() {
        // Beside the answer: a client that listens while it sends can stop at once.
        tokio::spawn(tokio::time::timeout(MAX_TIME, read(rest)));
    }
    response
}

async fn read(body: Body) {
    let mut chunks = body.into_data_stream();
    let mut bytes = 0;
    while bytes < MAX_BYTES
        && let Some(Ok(chunk)) = chunks.next().await
    {
        bytes += chunk.len();
    }
}

/// A body that is handed back when its reader drops it.
struct Returned {
    body: Body,
    /// Whether the client sends the body: reading it is what asks for it.
    sending: bool,
    sender: Option<oneshot::Sender<Body>>,
}

impl Drop for Returned {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take()
            && self.sending
            && !self.body.is_end_stream()
        {
            // Without a receiver the request was answered already, and nobody waits.
            let _ = sender.send(std::mem::take(&mut self.body));
        }
    }
}

impl http_body::Body for Returned {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.sending = true;
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
