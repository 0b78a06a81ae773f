//! Memory for bodies that are held whole: a budget that all requests share, so that many large bodies at
//! once are refused before they exhaust the machine.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::storage::BodyError;

/// What all bodies may take together unless told otherwise.
pub(super) const DEFAULT_BYTES: usize = 256 * 1024 * 1024;

/// The budget is counted in units of so many bytes.
const UNIT: usize = 1024;

/// The budget.
#[derive(Clone)]
pub(super) struct Budget {
    units: Arc<Semaphore>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self { units: Arc::new(Semaphore::new(bytes / UNIT)), bytes }
    }

    /// The most that one body can take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A share that covers nothing yet but, at no charge, the first `free` bytes.
    pub(super) fn share(&self, free: usize) -> Share {
        Share { units: Arc::clone(&self.units), free, taken: None }
    }
}

/// What one body has taken of the budget; given back when this is dropped.
pub(super) struct Share {
    units: Arc<Semaphore>,
    free: usize,
    taken: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Makes this cover `bytes` bytes in all; `false` when the budget does not have them.
    #[must_use]
    pub(super) fn cover(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_sub(self.free).div_ceil(UNIT);
        let missing = wanted.saturating_sub(self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 {
            return true;
        }
        let more = u32::try_from(missing).ok().and_then(|n| Arc::clone(&self.units).try_acquire_many_owned(n).ok());
        let Some(more) = more else { return false };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        true
    }
}

/// Bytes in memory, and the share that covers them.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) share: Arc<Share>,
}

impl Held {
    /// The bytes on their way into the store. The share is held until the stream is dropped, and no longer: a
    /// store in memory keeps the bytes.
    pub(super) fn into_body(self) -> BoxStream<'static, Result<Bytes, BodyError>> {
        let Self { bytes, share } = self;
        let next = |(bytes, share): (Option<Bytes>, _)| async move { Some((Ok(bytes?), (None, share))) };
        stream::unfold((Some(bytes), share), next).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt as _;

    #[tokio::test]
    async fn what_is_taken_is_there_again_when_the_bytes_have_arrived() {
        let budget = Budget::new(10 * UNIT);
        let (mut one, mut other) = (budget.share(0), budget.share(0));
        assert!(one.cover(1) && one.cover(6 * UNIT) && one.cover(6 * UNIT));
        assert!(other.cover(4 * UNIT) && !other.cover(4 * UNIT + 1));
        let mut body = Held { bytes: Bytes::from_static(b"bytes"), share: Arc::new(one) }.into_body();
        let bytes = body.try_next().await.unwrap();
        assert!(!other.cover(5 * UNIT), "they are still on their way");
        drop(body);
        assert!(other.cover(10 * UNIT) && !other.cover(11 * UNIT));
        assert_eq!(bytes.as_deref(), Some(&b"bytes"[..]));
    }

    #[test]
    fn small_bodies_are_free() {
        let budget = Budget::new(UNIT);
        let mut shares: Vec<Share> = (0..100).map(|_| budget.share(100)).collect();
        assert!(shares.iter_mut().all(|share| share.cover(100)));
        assert!(shares[0].cover(101) && !shares[1].cover(101));
    }
}
