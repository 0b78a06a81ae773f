//! Bodies of requests to the store.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A body that can be sent again and whose chunks are sent as they came: the SDK's own in-memory body
/// takes one piece only, so they would have to be copied together.
pub(super) fn request_body(chunks: Arc<[Bytes]>) -> ByteStream {
    let body = move || SdkBody::from_body_1_x(Chunks { left: total(&chunks), chunks: Arc::clone(&chunks), next: 0 });
    ByteStream::new(SdkBody::retryable(body))
}

fn total(chunks: &[Bytes]) -> u64 {
    chunks.iter().map(|chunk| chunk.len() as u64).sum()
}

struct Chunks {
    chunks: Arc<[Bytes]>,
    next: usize,
    left: u64,
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(chunk) = self.chunks.get(self.next).cloned() else { return Poll::Ready(None) };
        self.next += 1;
        self.left -= chunk.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.chunks.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
