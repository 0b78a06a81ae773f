//! Cuts a body into batches that a provider writes in one go.

use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::{Body, BodyError};

/// Chunks below this are copied together: each would cost more to keep than it holds, and a sender
/// decides how small its chunks are.
const SMALL_BYTES: usize = 4 * 1024;
/// How much of such chunks goes into one piece.
const PIECE_BYTES: usize = 64 * 1024;

/// A body, batch by batch.
pub(super) struct Batches<'a> {
    body: Body<'a>,
    /// What was read beyond the last batch; never empty.
    ahead: Option<Bytes>,
}

/// Consecutive bytes of a body.
#[derive(Default)]
pub(super) struct Batch {
    /// The bytes, in order.
    pub(super) chunks: Vec<Bytes>,
    /// How many there are.
    pub(super) bytes: usize,
    /// Whether the body ends with them.
    pub(super) last: bool,
    small: BytesMut,
}

impl<'a> Batches<'a> {
    pub(super) fn new(body: Body<'a>) -> Self {
        Self { body, ahead: None }
    }

    /// The next batch: exactly `size` bytes, except the last, which may be shorter or empty. Not to be
    /// called behind the last.
    pub(super) async fn next(&mut self, size: usize) -> Result<Batch, BodyError> {
        let mut batch = Batch::default();
        loop {
            let mut chunk = match self.ahead.take() {
                Some(chunk) => chunk,
                None => match self.body.next().await.transpose()? {
                    Some(chunk) if chunk.is_empty() => continue,
                    Some(chunk) => chunk,
                    None => {
                        batch.last = true;
                        break;
                    }
                },
            };
            // A full batch is the last only if nothing follows: hence the look at one chunk more.
            if batch.bytes == size {
                self.ahead = Some(chunk);
                break;
            }
            if chunk.len() > size - batch.bytes {
                self.ahead = Some(chunk.split_off(size - batch.bytes));
            }
            batch.push(chunk);
        }
        batch.close_piece();
        Ok(batch)
    }
}

impl Batch {
    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        if chunk.len() < SMALL_BYTES {
            self.small.extend_from_slice(&chunk);
            if self.small.len() >= PIECE_BYTES {
                self.close_piece();
            }
        } else {
            self.close_piece();
            self.chunks.push(chunk);
        }
    }

    fn close_piece(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push(self.small.split().freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn cut(chunks: &[usize], size: usize) -> Vec<(usize, bool)> {
        let chunks: Vec<_> = chunks.iter().map(|&length| Ok(Bytes::from(vec![7; length]))).collect();
        let mut body = stream::iter(chunks);
        let mut batches = Batches::new(&mut body);
        let mut cut = Vec::new();
        loop {
            let batch = batches.next(size).await.unwrap();
            assert_eq!(batch.chunks.iter().map(Bytes::len).sum::<usize>(), batch.bytes);
            cut.push((batch.bytes, batch.last));
            if batch.last {
                return cut;
            }
        }
    }

    #[tokio::test]
    async fn all_batches_but_the_last_have_the_size_asked_for() {
        assert_eq!(cut(&[], 10).await, [(0, true)]);
        assert_eq!(cut(&[10], 10).await, [(10, true)]);
        assert_eq!(cut(&[4, 0, 6, 0], 10).await, [(10, true)]);
        assert_eq!(cut(&[10, 1], 10).await, [(10, false), (1, true)]);
        assert_eq!(cut(&[25, 3], 10).await, [(10, false), (10, false), (8, true)]);
        assert_eq!(cut(&[9_000, 100, 9_000], 9_050).await, [(9_050, false), (9_050, true)]);
    }

    #[tokio::test]
    async fn the_number_of_pieces_does_not_depend_on_how_small_the_chunks_are() {
        let mut body = stream::iter((0..200_000).map(|_| Ok(Bytes::from_static(b"x"))));
        let batch = Batches::new(&mut body).next(1 << 20).await.unwrap();
        assert_eq!(batch.bytes, 200_000);
        assert!(batch.chunks.len() <= 4, "{}", batch.chunks.len());
    }

    #[tokio::test]
    async fn bytes_keep_their_order() {
        let lengths = [1, 5_000, 3, 3, 70_000, 4_095, 4_096, 1];
        let whole: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|n| (n % 251) as u8).collect();
        let mut rest = Bytes::from(whole.clone());
        let mut body = stream::iter(lengths.map(|length| Ok(rest.split_to(length))));
        let mut batches = Batches::new(&mut body);
        let mut read = Vec::new();
        loop {
            let batch = batches.next(6_000).await.unwrap();
            read.extend(batch.chunks.concat());
            if batch.last {
                break;
            }
        }
        assert!(read == whole);
    }
}
