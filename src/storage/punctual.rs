//! A store that answers in time or fails, for those that would wait for a disk as long as it takes.
//!
//! What a disk that hangs was asked to do stays with it, in a thread and with its memory, until it answers. So once
//! it has let many wait in vain, one at a time may try it, and the others fail at once.

use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, future, stream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};

use super::{Body, BodyError, ByteStream, Direct, Key, ObjectInfo, PutError, PutOptions, Storage, Stored};
use crate::fault::Fault;
use crate::patience::{Late, Patience};

/// What a disk moves in a second, however busy it is.
const DISK_BYTES_PER_SECOND: u64 = 16 * 1024 * 1024;
/// After so many late answers in a row, the store is taken for hung.
const HUNG_AFTER: u32 = 16;

/// A store with a deadline.
pub struct Punctual {
    storage: Arc<dyn Storage>,
    patience: Patience,
    late_in_a_row: AtomicU32,
    trial: Semaphore,
}

/// The store has let others wait in vain, and one of them still tries.
#[derive(Debug, thiserror::Error)]
#[error("the store hangs")]
struct Hung;

impl Punctual {
    /// `storage`, which is to answer within `deadline`.
    pub fn new(storage: Arc<dyn Storage>, deadline: Duration) -> Self {
        let patience = Patience::new(deadline, DISK_BYTES_PER_SECOND);
        Self { storage, patience, late_in_a_row: AtomicU32::new(0), trial: Semaphore::new(1) }
    }

    async fn in_time<T>(
        &self,
        operation: &'static str,
        limit: Duration,
        doing: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let _trial = self.begin(operation)?;
        match timeout(limit, doing).await {
            Ok(result) => {
                self.answered();
                result
            }
            Err(_) => Err(self.late(operation)),
        }
    }

    /// Fails when the store hangs and somebody else tries it.
    fn begin(&self, operation: &'static str) -> Result<Option<SemaphorePermit<'_>>, Fault> {
        if self.late_in_a_row.load(Ordering::Relaxed) < HUNG_AFTER {
            return Ok(None);
        }
        let trial = self.trial.try_acquire();
        trial.map(Some).map_err(|_| Fault::unavailable(self.name(), operation, Hung))
    }

    fn answered(&self) {
        if self.late_in_a_row.load(Ordering::Relaxed) > 0 {
            self.late_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    fn late(&self, operation: &'static str) -> Fault {
        self.late_in_a_row.fetch_add(1, Ordering::Relaxed);
        Fault::unavailable(self.name(), operation, Late)
    }
}

#[async_trait]
impl Storage for Punctual {
    fn name(&self) -> &'static str {
        self.storage.name()
    }

    fn is_full(&self) -> bool {
        self.storage.is_full()
    }

    /// The time in which the store waits for the body does not count.
    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
        const OPERATION: &str = "writing";
        let _trial = self.begin(OPERATION)?;
        let passed = Passed::default();
        let mut body = Watched { body, passed: &passed };
        let mut putting = pin!(self.storage.put(key, &mut body, options));
        let mut seen = 0;
        let mut end = pin!(sleep(self.patience.answer()));
        let outcome = future::poll_fn(|context| {
            if let Poll::Ready(result) = putting.as_mut().poll(context) {
                return Poll::Ready(Ok(result));
            }
            let steps = passed.steps.load(Ordering::Relaxed);
            if seen != steps {
                seen = steps;
                let limit = self.patience.for_bytes(passed.bytes.load(Ordering::Relaxed));
                end.as_mut().reset(Instant::now() + limit);
            }
            if passed.is_awaited.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
            end.as_mut().poll(context).map(|()| Err(Late))
        });
        match outcome.await {
            Ok(result) => {
                self.answered();
                result
            }
            Err(Late) => Err(self.late(OPERATION).into()),
        }
    }

    /// Each piece of the bytes has the time of an answer.
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        const OPERATION: &str = "reading";
        let limit = self.patience.answer();
        let found = self.in_time(OPERATION, limit, self.storage.get(key, range)).await?;
        let provider = self.name();
        Ok(found.map(|bytes| {
            let pieces = stream::unfold(Some(bytes), move |bytes| async move {
                let mut bytes = bytes?;
                match timeout(limit, bytes.next()).await {
                    Ok(piece) => piece.map(|piece| (piece, Some(bytes))),
                    Err(_) => Some((Err(Fault::unavailable(provider, OPERATION, Late)), None)),
                }
            });
            pieces.boxed()
        }))
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        self.in_time("looking up", self.patience.answer(), self.storage.head(key)).await
    }

    async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
        let limit = self.patience.for_bytes(options.content_length.unwrap_or(0));
        self.in_time("copying", limit, self.storage.copy(from, to, options)).await
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        self.in_time("deleting", self.patience.answer(), self.storage.delete(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        self.in_time("listing", self.patience.answer(), self.storage.list(prefix, after, limit)).await
    }

    fn direct(&self) -> Option<&dyn Direct> {
        self.storage.direct()
    }
}

/// How a body passes.
#[derive(Default)]
struct Passed {
    bytes: AtomicU64,
    /// Grows with everything that the sender has to say.
    steps: AtomicU64,
    /// Whether it is the sender who is waited for.
    is_awaited: AtomicBool,
}

struct Watched<'a, 'b> {
    body: Body<'a>,
    passed: &'b Passed,
}

impl Stream for Watched<'_, '_> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.body.poll_next_unpin(context);
        self.passed.is_awaited.store(polled.is_pending(), Ordering::Relaxed);
        if let Poll::Ready(item) = &polled {
            let bytes = if let Some(Ok(chunk)) = item { chunk.len() as u64 } else { 0 };
            self.passed.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.passed.steps.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use futures::future::pending;

    use super::*;
    use crate::storage::memory::MemoryStorage;

    const DEADLINE: Duration = Duration::from_millis(50);

    /// Takes bodies and answers no more from then on.
    #[derive(Default)]
    struct Hanging {
        memory: MemoryStorage,
        hangs: AtomicBool,
    }

    impl Hanging {
        async fn hang(&self) {
            if self.hangs.load(Ordering::Relaxed) {
                pending::<()>().await;
            }
        }
    }

    #[async_trait]
    impl Storage for Hanging {
        fn name(&self) -> &'static str {
            "memory"
        }

        async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
            let stored = self.memory.put(key, body, options).await;
            self.hang().await;
            stored
        }

        async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
            let found = self.memory.get(key, range).await?;
            Ok(found.map(|bytes| match self.hangs.load(Ordering::Relaxed) {
                true => bytes.chain(stream::pending()).boxed(),
                false => bytes,
            }))
        }

        async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
            self.hang().await;
            self.memory.head(key).await
        }

        async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
            self.hang().await;
            self.memory.copy(from, to, options).await
        }

        async fn delete(&self, key: &Key) -> Result<(), Fault> {
            self.hang().await;
            self.memory.delete(key).await
        }

        async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
            self.hang().await;
            self.memory.list(prefix, after, limit).await
        }
    }

    fn key() -> Key {
        Key::from_listing("grid/app/shared/file").unwrap()
    }

    fn store() -> (Arc<Hanging>, Punctual) {
        let hanging = Arc::new(Hanging::default());
        (Arc::clone(&hanging), Punctual::new(hanging, DEADLINE))
    }

    fn is_late(fault: &Fault) -> bool {
        fault.source.is::<Late>()
    }

    #[tokio::test]
    async fn whatever_hangs_ends_with_the_deadline() {
        let (hanging, store) = store();
        hanging.hangs.store(true, Ordering::Relaxed);
        let mut body = stream::iter([Ok(Bytes::from_static(b"bytes"))]);
        let PutError::Fault(put) = store.put(&key(), &mut body, &PutOptions::default()).await.unwrap_err() else {
            panic!()
        };
        let faults = [
            put,
            store.head(&key()).await.unwrap_err(),
            store.copy(&key(), &key(), &PutOptions::default()).await.unwrap_err(),
            store.delete(&key()).await.unwrap_err(),
            store.list("grid/", None, 1).await.unwrap_err(),
        ];
        assert!(faults.iter().all(is_late), "{faults:?}");

        let pieces: Vec<_> = store.get(&key(), None).await.unwrap().unwrap().collect().await;
        let [.., Err(fault)] = &pieces[..] else { panic!("{pieces:?}") };
        assert!(is_late(fault));
    }

    #[tokio::test]
    async fn a_body_may_come_as_slowly_as_it_likes() {
        let (_, store) = store();
        let mut body = stream::iter(0..3)
            .then(async |_| {
                sleep(DEADLINE * 2).await;
                Ok(Bytes::from_static(b"0123456789"))
            })
            .boxed();
        store.put(&key(), &mut body, &PutOptions::default()).await.unwrap();
        assert_eq!(store.head(&key()).await.unwrap().unwrap().bytes, 30);
    }

    #[tokio::test]
    async fn a_store_that_hangs_is_tried_by_one_at_a_time_until_it_answers() {
        let (hanging, store) = store();
        hanging.hangs.store(true, Ordering::Relaxed);
        let late = future::join_all((0..HUNG_AFTER).map(async |_| store.head(&key()).await.unwrap_err())).await;
        assert!(late.iter().all(is_late));

        let (begun, key) = (Instant::now(), key());
        let (tried, refused) = tokio::join!(store.head(&key), store.head(&key));
        assert!(is_late(&tried.unwrap_err()) && refused.unwrap_err().source.is::<Hung>());
        assert!(begun.elapsed() >= DEADLINE);

        hanging.hangs.store(false, Ordering::Relaxed);
        assert_eq!(store.head(&key).await.unwrap(), None);
        let (one, other) = tokio::join!(store.head(&key), store.head(&key));
        assert_eq!((one.unwrap(), other.unwrap()), (None, None));
    }
}
