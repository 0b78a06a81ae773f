//! Storage providers around others: one that makes trouble, one that waits.

use std::ops::Range;
use std::sync::Arc;

use artifactd::fault::Fault;
use artifactd::storage::{Body, ByteStream, Direct, Key, ObjectInfo, PutError, PutOptions, Storage, Stored};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use tokio::sync::{Mutex, oneshot};

/// What a [`Troubled`] provider does when bytes are written or read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    Panic,
    Unavailable,
    Broken,
    /// Reads as if nothing were there.
    Lost,
    /// Ends before the end when it reads.
    BreaksOff,
    /// Does nothing at all, not only with bytes.
    Away,
}

/// A provider that makes trouble over bytes. All it says is `the inside`.
pub(crate) struct Troubled {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) trouble: Trouble,
    /// Whether writing is trouble too.
    pub(crate) on_writing: bool,
}

impl Troubled {
    fn fault(&self, operation: &'static str) -> Option<Fault> {
        match self.trouble {
            Trouble::Panic => panic!("the inside"),
            Trouble::Unavailable | Trouble::Away => Some(Fault::unavailable("memory", operation, "the inside")),
            Trouble::Broken => Some(Fault::broken("memory", operation, "the inside")),
            Trouble::Lost | Trouble::BreaksOff => None,
        }
    }

    fn unless_away(&self, operation: &'static str) -> Result<(), Fault> {
        match self.trouble {
            Trouble::Away => self.fault(operation).map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Storage for Troubled {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
        if self.on_writing
            && let Some(fault) = self.fault("storing")
        {
            return Err(fault.into());
        }
        self.inner.put(key, body, options).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        match (self.trouble, self.fault("reading")) {
            (Trouble::BreaksOff, _) => {
                let end = Fault::unavailable("memory", "reading", "the inside");
                let bytes = self.inner.get(key, range).await?;
                Ok(bytes.map(|bytes| bytes.take(1).chain(stream::iter([Err(end)])).boxed()))
            }
            (_, fault) => fault.map_or(Ok(None), Err),
        }
    }

    async fn head(&self, _: &Key) -> Result<Option<ObjectInfo>, Fault> {
        self.fault("looking").map_or(Ok(None), Err)
    }

    async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
        self.unless_away("copying")?;
        self.inner.copy(from, to, options).await
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        self.unless_away("deleting")?;
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        self.unless_away("listing")?;
        self.inner.list(prefix, after, limit).await
    }
}

/// A provider that waits before and after it copies for the first time.
pub(crate) struct PacedCopying {
    inner: Arc<dyn Storage>,
    steps: Mutex<Option<[Step; 2]>>,
}

/// Tells that it is reached, and learns when to go on.
type Step = (oneshot::Sender<()>, oneshot::Receiver<()>);

/// What decides when the copying goes on: once before and once after the bytes are copied.
pub(crate) struct PacedCopy(std::vec::IntoIter<(oneshot::Receiver<()>, oneshot::Sender<()>)>);

impl PacedCopying {
    pub(crate) fn around(inner: Arc<dyn Storage>) -> (Self, PacedCopy) {
        let step = || {
            let ((reaches, reached), (lets_go, let_go)) = (oneshot::channel(), oneshot::channel());
            ((reaches, let_go), (reached, lets_go))
        };
        let ((before, go), (after, end)) = (step(), step());
        let steps = Mutex::new(Some([before, after]));
        (Self { inner, steps }, PacedCopy(vec![go, end].into_iter()))
    }
}

impl PacedCopy {
    /// Waits until the copying is at its next step, has `meanwhile` happen, and lets it go on.
    pub(crate) async fn meanwhile(&mut self, meanwhile: impl Future<Output = ()>) {
        let (reached, lets_go) = self.0.next().unwrap();
        reached.await.unwrap();
        meanwhile.await;
        lets_go.send(()).unwrap();
    }
}

#[async_trait]
impl Storage for PacedCopying {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
        self.inner.put(key, body, options).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        self.inner.get(key, range).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        self.inner.head(key).await
    }

    async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
        let Some([(reaches, let_go), (ends, let_end)]) = self.steps.lock().await.take() else {
            return self.inner.copy(from, to, options).await;
        };
        reaches.send(()).unwrap();
        let_go.await.unwrap();
        let copied = self.inner.copy(from, to, options).await;
        ends.send(()).unwrap();
        let_end.await.unwrap();
        copied
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        self.inner.list(prefix, after, limit).await
    }

    fn direct(&self) -> Option<&dyn Direct> {
        self.inner.direct()
    }
}
