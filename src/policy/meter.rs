//! Watches a body pass: counts, hashes, and ends it with an error when it is not what was announced.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};

use super::utf8::Utf8Check;
use crate::domain::digest::{Sha256Digest, Sha256Hasher};
use crate::domain::media_type::BEGINNING_BYTES;
use crate::storage::BodyError;

/// What is known of a body before it comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announced {
    /// The largest size allowed.
    pub limit: u64,
    /// The size, if announced.
    pub length: Option<u64>,
    /// The digest, if announced.
    pub sha256: Option<Sha256Digest>,
}

/// What is known of a body that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    /// The size.
    pub bytes: u64,
    /// The digest.
    pub sha256: Sha256Digest,
    /// Whether it is text in UTF-8.
    pub utf8: bool,
    /// How it begins: enough to tell its media type by.
    pub beginning: Bytes,
}

/// A body that is checked while it passes. A provider that has read it to its end without an error has
/// what the caller meant to send; every other end is an error, which makes it drop what it has.
pub(super) struct Meter<S> {
    inner: S,
    announced: Announced,
    hasher: Sha256Hasher,
    bytes: u64,
    digest: Arc<OnceLock<Sha256Digest>>,
    utf8: Utf8Check,
    beginning: Vec<u8>,
}

impl<S> Meter<S> {
    pub(super) fn new(inner: S, announced: Announced) -> Self {
        Self {
            inner,
            announced,
            hasher: Sha256Hasher::default(),
            bytes: 0,
            digest: Arc::default(),
            utf8: Utf8Check::default(),
            beginning: Vec::new(),
        }
    }

    /// Where the digest is once the body was read to its end.
    pub(super) fn digest(&self) -> Arc<OnceLock<Sha256Digest>> {
        Arc::clone(&self.digest)
    }

    /// What is known of a body that was read to its end.
    pub(super) fn finish(self) -> Option<Measured> {
        self.digest.get().map(|sha256| Measured {
            bytes: self.bytes,
            sha256: *sha256,
            utf8: self.utf8.holds(),
            beginning: self.beginning.into(),
        })
    }

    fn take(&mut self, chunk: &Bytes) -> Result<(), BodyError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.announced.limit {
            return Err(BodyError::TooLarge { limit: self.announced.limit });
        }
        self.check_length(|announced, bytes| bytes <= announced)?;
        self.hasher.update(chunk);
        self.utf8.update(chunk);
        let wanted = BEGINNING_BYTES.saturating_sub(self.beginning.len()).min(chunk.len());
        self.beginning.extend_from_slice(&chunk[..wanted]);
        Ok(())
    }

    fn end(&mut self) -> Result<(), BodyError> {
        self.check_length(|announced, bytes| bytes == announced)?;
        let actual = std::mem::take(&mut self.hasher).finish();
        if self.announced.sha256.is_some_and(|announced| announced != actual) {
            return Err(BodyError::WrongDigest { actual });
        }
        // Nobody else fills it, and a body ends once.
        let _ = self.digest.set(actual);
        Ok(())
    }

    fn check_length(&self, holds: impl Fn(u64, u64) -> bool) -> Result<(), BodyError> {
        match self.announced.length {
            Some(announced) if !holds(announced, self.bytes) => Err(BodyError::WrongLength { announced }),
            _ => Ok(()),
        }
    }
}

impl<S: Stream<Item = Result<Bytes, BodyError>> + Unpin> Stream for Meter<S> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let meter = &mut *self;
        if meter.digest.get().is_some() {
            return Poll::Ready(None);
        }
        meter.inner.poll_next_unpin(context).map(|item| match item {
            Some(Ok(chunk)) => Some(meter.take(&chunk).map(|()| chunk)),
            Some(Err(error)) => Some(Err(error)),
            None => meter.end().err().map(Err),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{TryStreamExt as _, stream};

    const UNBOUNDED: Announced = Announced { limit: u64::MAX, length: None, sha256: None };

    async fn pass(chunks: &[&'static str], announced: Announced) -> Result<Option<Measured>, BodyError> {
        let body =
            stream::iter(chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect::<Vec<_>>());
        let mut meter = Meter::new(body, announced);
        while meter.try_next().await?.is_some() {}
        Ok(meter.finish())
    }

    #[tokio::test]
    async fn size_and_digest_are_those_of_the_whole() {
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".parse().unwrap();
        let hello = Measured { bytes: 5, sha256: digest, utf8: true, beginning: Bytes::from_static(b"hello") };
        assert_eq!(pass(&["he", "", "llo"], UNBOUNDED).await.unwrap().as_ref(), Some(&hello));
        let announced = Announced { length: Some(5), sha256: Some(digest), limit: 5 };
        assert_eq!(pass(&["hello"], announced).await.unwrap(), Some(hello));
    }

    #[tokio::test]
    async fn a_body_that_is_not_as_announced_ends_in_an_error() {
        let limited = Announced { limit: 4, ..UNBOUNDED };
        assert!(matches!(pass(&["he", "llo"], limited).await, Err(BodyError::TooLarge { limit: 4 })));
        for length in [4, 6] {
            let wrong = Announced { length: Some(length), ..UNBOUNDED };
            assert!(matches!(pass(&["hello"], wrong).await, Err(BodyError::WrongLength { .. })));
        }
        let other = Announced { sha256: Some(Sha256Digest::new([0; 32])), ..UNBOUNDED };
        assert!(matches!(pass(&["hello"], other).await, Err(BodyError::WrongDigest { .. })));
    }
}
