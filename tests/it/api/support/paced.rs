//! Request bodies that come in pieces.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, once};
use tokio::sync::oneshot;

/// The sender of a body that waits between its two pieces.
pub(crate) struct Paced {
    begun: oneshot::Receiver<()>,
    finish: oneshot::Sender<()>,
}

impl Paced {
    /// A body, and what decides when its second piece comes.
    pub(crate) fn body(first: &'static str, last: &'static str) -> (Body, Self) {
        let (begins, begun) = oneshot::channel();
        let (finish, finishes) = oneshot::channel();
        let first = once(async move {
            begins.send(()).unwrap();
            Ok::<_, Infallible>(Bytes::from(first))
        });
        let last = once(async move {
            finishes.await.unwrap();
            Ok(Bytes::from(last))
        });
        (Body::from_stream(first.chain(last)), Self { begun, finish })
    }

    /// Waits until the service reads the body.
    pub(crate) async fn begun(&mut self) {
        (&mut self.begun).await.unwrap();
    }

    /// Sends the second piece.
    pub(crate) fn finish(self) {
        self.finish.send(()).unwrap();
    }
}

/// A body whose sender goes away in the middle.
pub(crate) fn broken_body(beginning: impl Into<Bytes>) -> Body {
    let gone = std::io::Error::other("the sender is gone");
    Body::from_stream(stream::iter([Ok(beginning.into()), Err(gone)]))
}
