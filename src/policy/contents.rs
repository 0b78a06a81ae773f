//! Small contents that were read a moment ago, in memory: to ask a disk or a bucket again takes longer than all else that
//! a request for one does.
//!
//! Bytes under a key of the grid never change, so what is kept is never out of date. Whoever asks for it has found the
//! record first: nobody gets to what was deleted, though it stays until others take its place.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::Error;
use super::place::Place;
use crate::storage::{ByteStream, Key, exactly};

/// The largest content that is kept.
const MAX_BYTES: u64 = 16 * 1024;
/// What all that are kept may take.
const TOTAL_BYTES: u64 = 16 * 1024 * 1024;
/// What one takes beside its bytes: the key, the place in the cache.
const OVERHEAD: u64 = 256;

/// A cache from the keys of the grid to bytes.
pub(super) struct Contents(Cache<Key, Bytes, ByBytes>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Bytes> for ByBytes {
    fn weight(&self, _: &Key, bytes: &Bytes) -> u64 {
        OVERHEAD + bytes.len() as u64
    }
}

impl Default for Contents {
    fn default() -> Self {
        Self(Cache::with_weighter(4096, TOTAL_BYTES, ByBytes))
    }
}

impl Contents {
    /// The `size` bytes at a place of the grid, or those of `range`; `None` when there are none.
    pub(super) async fn read(
        &self,
        place: &Place,
        size: u64,
        range: Option<Range<u64>>,
    ) -> Result<Option<ByteStream>, Error> {
        if size == 0 {
            return Ok(Some(stream::empty().boxed()));
        }
        if size > MAX_BYTES {
            let length = range.as_ref().map_or(size, |range| range.end - range.start);
            let bytes = place.storage.get(&place.key, range).await?;
            return Ok(bytes.map(|bytes| exactly(length, bytes, place.storage.name())));
        }
        let Some(whole) = self.small(place, size).await? else { return Ok(None) };
        let bytes = match range {
            Some(range) => whole.slice(range.start as usize..range.end as usize),
            None => whole,
        };
        Ok(Some(stream::iter([Ok(bytes)]).boxed()))
    }

    async fn small(&self, place: &Place, size: u64) -> Result<Option<Bytes>, Error> {
        if let Some(kept) = self.0.get(&place.key).filter(|kept| kept.len() as u64 == size) {
            return Ok(Some(kept));
        }
        let Some(stored) = place.storage.get(&place.key, None).await? else { return Ok(None) };
        // Into a buffer of its own: a chunk may be part of a larger one.
        let mut whole = BytesMut::with_capacity(size as usize);
        let mut chunks = exactly(size, stored, place.storage.name());
        while let Some(chunk) = chunks.try_next().await? {
            whole.extend_from_slice(&chunk);
        }
        let whole = whole.freeze();
        self.0.insert(place.key.clone(), whole.clone());
        Ok(Some(whole))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::storage::memory::MemoryStorage;
    use crate::storage::{PutOptions, Storage as _};

    async fn place(content: &'static [u8]) -> Place {
        let storage = Arc::new(MemoryStorage::default());
        let key = Key::from_listing("grid/app/shared/file").unwrap();
        let mut body = stream::iter([Ok(Bytes::from_static(content))]);
        storage.put(&key, &mut body, &PutOptions::default()).await.unwrap();
        Place { storage, key }
    }

    async fn read(contents: &Contents, place: &Place, size: u64, range: Option<Range<u64>>) -> Option<Vec<u8>> {
        let chunks = contents.read(place, size, range).await.unwrap()?;
        Some(chunks.try_collect::<Vec<Bytes>>().await.unwrap().concat())
    }

    #[tokio::test]
    async fn small_content_is_asked_for_once() {
        let (contents, place) = (Contents::default(), place(b"0123456789").await);
        assert_eq!(read(&contents, &place, 10, Some(2..5)).await.unwrap(), b"234");
        place.storage.delete(&place.key).await.unwrap();
        assert_eq!(read(&contents, &place, 10, Some(9..10)).await.unwrap(), b"9");
        assert_eq!(read(&contents, &place, 10, None).await.unwrap(), b"0123456789");
    }

    #[tokio::test]
    async fn large_content_is_not_kept() {
        const LARGE: &[u8] = &[b'x'; MAX_BYTES as usize + 1];
        let (contents, place) = (Contents::default(), place(LARGE).await);
        assert_eq!(read(&contents, &place, MAX_BYTES + 1, None).await.unwrap(), LARGE);
        place.storage.delete(&place.key).await.unwrap();
        assert_eq!(read(&contents, &place, MAX_BYTES + 1, None).await, None);
    }

    #[tokio::test]
    async fn content_of_another_size_than_recorded_is_neither_given_nor_kept() {
        let (contents, place) = (Contents::default(), place(b"cut").await);
        for _ in 0..2 {
            assert!(contents.read(&place, 10, None).await.is_err());
        }
    }
}
