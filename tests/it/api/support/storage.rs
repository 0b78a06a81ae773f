//! Storage providers around others: one that keeps to its corner, one that makes trouble.

use std::ops::Range;
use std::sync::Arc;

use artifactd::fault::Fault;
use artifactd::storage::{Body, ByteStream, Key, ObjectInfo, PutError, PutOptions, Storage, Stored};
use async_trait::async_trait;

/// A part of a bucket that all tests share: what a test sweeps is its own.
pub(super) struct Corner<S> {
    inner: S,
    prefix: String,
}

impl<S: Storage> Corner<S> {
    pub(super) fn new(inner: S, name: &str) -> Self {
        Self { inner, prefix: format!("{name}/") }
    }

    fn inside(&self, key: &Key) -> Key {
        Key::from_listing(&format!("{}{key}", self.prefix)).unwrap()
    }

    fn outside(&self, mut object: ObjectInfo) -> ObjectInfo {
        object.key = Key::from_listing(object.key.as_str().strip_prefix(&self.prefix).unwrap()).unwrap();
        object
    }
}

#[async_trait]
impl<S: Storage> Storage for Corner<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
        self.inner.put(&self.inside(key), body, options).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        self.inner.get(&self.inside(key), range).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        Ok(self.inner.head(&self.inside(key)).await?.map(|object| self.outside(object)))
    }

    async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
        self.inner.copy(&self.inside(from), &self.inside(to), options).await
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        self.inner.delete(&self.inside(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        let (prefix, after) = (format!("{}{prefix}", self.prefix), after.map(|key| self.inside(key)));
        let objects = self.inner.list(&prefix, after.as_ref(), limit).await?;
        Ok(objects.into_iter().map(|object| self.outside(object)).collect())
    }
}

/// What a [`Troubled`] provider does when bytes are written or read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    Panic,
    Unavailable,
    Broken,
    /// Reads as if nothing were there.
    Lost,
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
            Trouble::Lost => None,
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

    async fn get(&self, _: &Key, _: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        self.fault("reading").map_or(Ok(None), Err)
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
