//! Bytes in memory: for tests, and for what may be lost with the process.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use parking_lot::RwLock;

use super::batch::Batches;
use super::{Body, ByteStream, Key, ObjectInfo, PutError, PutOptions, Storage, Stored};
use crate::clock::{Clock, SystemClock};
use crate::domain::time::Timestamp;
use crate::fault::Fault;

/// Keeps bytes for as long as it lives.
#[derive(Default)]
pub struct MemoryStorage {
    objects: RwLock<BTreeMap<Key, Object>>,
}

#[derive(Clone)]
struct Object {
    chunks: Arc<[Bytes]>,
    bytes: u64,
    stored_at: Timestamp,
}

impl Object {
    fn info(&self, key: &Key) -> ObjectInfo {
        ObjectInfo { key: key.clone(), bytes: self.bytes, stored_at: self.stored_at, etag: None }
    }

    /// The pieces of the chunks that lie in `range`, without copying.
    fn slice(&self, range: Range<u64>) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        let mut offset = 0;
        for chunk in self.chunks.iter() {
            let length = chunk.len() as u64;
            let start = range.start.clamp(offset, offset + length) - offset;
            let end = range.end.clamp(offset, offset + length) - offset;
            if start < end {
                pieces.push(chunk.slice(start as usize..end as usize));
            }
            offset += length;
        }
        pieces
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn put(&self, key: &Key, body: Body<'_>, _: &PutOptions) -> Result<Stored, PutError> {
        let batch = Batches::new(body).next(usize::MAX).await?;
        let object = Object { chunks: batch.chunks.into(), bytes: batch.bytes as u64, stored_at: SystemClock.now() };
        self.objects.write().insert(key.clone(), object);
        Ok(Stored { etag: None })
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        let Some(object) = self.objects.read().get(key).cloned() else { return Ok(None) };
        let pieces = object.slice(range.unwrap_or(0..object.bytes));
        Ok(Some(stream::iter(pieces).map(Ok).boxed()))
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        Ok(self.objects.read().get(key).map(|object| object.info(key)))
    }

    async fn copy(&self, from: &Key, to: &Key, _: &PutOptions) -> Result<bool, Fault> {
        let mut objects = self.objects.write();
        let Some(source) = objects.get(from) else { return Ok(false) };
        let copy = Object { stored_at: SystemClock.now(), ..source.clone() };
        objects.insert(to.clone(), copy);
        Ok(true)
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        self.objects.write().remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        let first = Key(prefix.to_owned());
        let start = match after {
            Some(after) if *after >= first => Bound::Excluded(after),
            _ => Bound::Included(&first),
        };
        let objects = self.objects.read();
        let matching = objects
            .range((start, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .map(|(key, object)| object.info(key));
        Ok(matching.take(limit).collect())
    }
}
