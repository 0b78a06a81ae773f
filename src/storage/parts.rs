//! Uploads in parts, for stores that have none of their own.
//!
//! The parts are objects below the place of their upload (see [`Key`]). There is no other record of them:
//! the name of a part says its number and digest, the listing its size.
//!
//! Of several parts with one number the newest counts. A part removes those that were there before it came,
//! and never one that comes at the same time: of parts that cross each other one stays.

use std::sync::Arc;

use futures::future::ready;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::{ByteStream, Key, ObjectInfo, Part, PutOptions, Storage, exactly};
use crate::domain::digest::Sha256Digest;
use crate::domain::id::ArtifactId;
use crate::domain::part::PartNumber;
use crate::fault::Fault;

/// How many objects are listed at a time.
const PAGE: usize = 1000;
/// How many objects are removed at a time.
const PARALLEL: usize = 16;
/// How often a part is put in its place while others replace it.
const ATTEMPTS: usize = 10;

/// The parts of one upload.
#[derive(Clone)]
pub struct Parts {
    storage: Arc<dyn Storage>,
    place: Key,
}

impl Parts {
    /// The parts of the upload at `place`, which is a pending key.
    pub fn new(storage: Arc<dyn Storage>, place: Key) -> Self {
        Self { storage, place }
    }

    /// Where a part is to be put while it arrives.
    pub fn incoming(&self, id: ArtifactId) -> Key {
        self.place.incoming(id)
    }

    /// Makes what has arrived under `incoming` the part with this number; `None` when nothing is there. When
    /// this fails, the bytes may still be under `incoming`, or be the part already.
    pub async fn add(
        &self,
        incoming: &Key,
        number: PartNumber,
        sha256: Sha256Digest,
        options: &PutOptions,
    ) -> Result<Option<Part>, Fault> {
        let key = self.place.part(number, sha256);
        for _ in 0..ATTEMPTS {
            let before: Vec<ObjectInfo> = self.objects(&format!("parts/{number:05}.")).try_collect().await?;
            if !self.storage.copy(incoming, &key, options).await? {
                return Ok(None);
            }
            for replaced in before.iter().filter(|object| object.key != key && self.part(object).is_some()) {
                self.storage.delete(&replaced.key).await?;
            }
            // One with the same digest may have been there before, and been removed as such by another part
            // that saw it and not this one: then this one would be lost.
            if let Some(object) = self.storage.head(&key).await? {
                self.storage.delete(incoming).await?;
                return Ok(self.part(&object));
            }
        }
        Err(Fault::unavailable(self.storage.name(), "adding a part", "others go on replacing it"))
    }

    /// The parts that have arrived, by number.
    pub async fn list(&self) -> Result<Vec<Part>, Fault> {
        let mut parts: Vec<Part> = Vec::new();
        let mut objects = std::pin::pin!(self.objects("parts/"));
        while let Some(object) = objects.try_next().await? {
            let Some(part) = self.part(&object) else { continue };
            match parts.last_mut() {
                // In the listing, those with one number follow each other, by digest.
                Some(last) if last.number == part.number && last.stored_at > part.stored_at => {}
                Some(last) if last.number == part.number => *last = part,
                _ => parts.push(part),
            }
        }
        Ok(parts)
    }

    /// Where the bytes of a part are that was listed.
    pub fn key_of(&self, part: &Part) -> Result<Key, Fault> {
        let sha256 = part.etag.parse().map_err(|invalid| Fault::broken(self.storage.name(), "reading", invalid))?;
        Ok(self.place.part(part.number, sha256))
    }

    /// The bytes of these parts, one after the other. One that has been replaced since is an error.
    pub fn read(&self, parts: Vec<Part>) -> ByteStream {
        let of = self.clone();
        stream::iter(parts)
            .then(move |part| {
                let of = of.clone();
                async move { of.open(&part).await }
            })
            .try_flatten()
            .boxed()
    }

    /// Removes the parts, what is arriving, and what is at the place itself. What others keep there stays.
    pub async fn remove(&self) -> Result<(), Fault> {
        // First what is arriving: then nothing becomes a part that the second listing does not show.
        for folder in ["incoming/", ""] {
            let objects = self.objects(folder);
            let ours = objects.try_filter(|object| ready(object.key.pending_artifact().is_some()));
            let remove = |object: ObjectInfo| async move { self.storage.delete(&object.key).await };
            ours.try_for_each_concurrent(PARALLEL, remove).await?;
        }
        self.storage.delete(&self.place).await
    }

    async fn open(&self, part: &Part) -> Result<ByteStream, Fault> {
        let provider = self.storage.name();
        match self.storage.get(&self.key_of(part)?, None).await? {
            Some(bytes) => Ok(exactly(part.bytes, bytes, provider)),
            None => Err(Fault::unavailable(provider, "reading", "a part has been replaced or removed")),
        }
    }

    /// The part that an object is; `None` for what no part is called.
    fn part(&self, object: &ObjectInfo) -> Option<Part> {
        let (number, sha256) = object.key.as_part()?;
        let (bytes, etag) = (object.bytes, sha256.to_string());
        Some(Part { number, bytes, etag, stored_at: object.stored_at })
    }

    /// All objects below the place whose name there starts with `prefix`.
    fn objects(&self, prefix: &str) -> impl Stream<Item = Result<ObjectInfo, Fault>> + Send {
        let prefix = format!("{}/{prefix}", self.place);
        stream::try_unfold((prefix, None::<Key>), async |(prefix, after)| {
            let page = self.storage.list(&prefix, after.as_ref(), PAGE).await?;
            let last = page.last().map(|object| object.key.clone());
            Ok(last.map(|last| (stream::iter(page).map(Ok), (prefix, Some(last)))))
        })
        .try_flatten()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::storage::memory::MemoryStorage;
    use crate::storage::{Body, PutError, Stored};

    /// A store that lets others go first, so that what runs side by side crosses in every way.
    #[derive(Default)]
    struct Slow(MemoryStorage);

    async fn pause() {
        for _ in 0..rand::random::<u8>() % 4 {
            tokio::task::yield_now().await;
        }
    }

    #[async_trait::async_trait]
    impl Storage for Slow {
        fn name(&self) -> &'static str {
            self.0.name()
        }

        async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
            self.0.put(key, body, options).await
        }

        async fn get(&self, key: &Key, range: Option<std::ops::Range<u64>>) -> Result<Option<ByteStream>, Fault> {
            self.0.get(key, range).await
        }

        async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
            pause().await;
            self.0.head(key).await
        }

        async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
            pause().await;
            self.0.copy(from, to, options).await
        }

        async fn delete(&self, key: &Key) -> Result<(), Fault> {
            pause().await;
            self.0.delete(key).await
        }

        async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
            let listed = self.0.list(prefix, after, limit).await;
            pause().await;
            listed
        }
    }

    fn new_parts() -> Parts {
        let artifact = format!("{:032x}", rand::random::<u128>()).parse().unwrap();
        Parts::new(Arc::new(Slow::default()), Key::pending(&"app".parse().unwrap(), artifact))
    }

    async fn add(parts: &Parts, number: u32, seed: u8) -> Result<Option<Part>, Fault> {
        let incoming = parts.incoming(format!("{:032x}", rand::random::<u128>()).parse().unwrap());
        let mut body = stream::iter([Ok(bytes::Bytes::from(vec![seed]))]);
        parts.storage.put(&incoming, &mut body, &PutOptions::default()).await.unwrap();
        let sha256 = Sha256Digest::new([seed; 32]);
        parts.add(&incoming, number.try_into().unwrap(), sha256, &PutOptions::default()).await
    }

    #[tokio::test]
    async fn no_crossing_of_parts_with_one_number_loses_all_of_them() {
        for _ in 0..2_000 {
            let parts = new_parts();
            add(&parts, 7, 1).await.unwrap();
            join_all([2, 1, 2, 3].map(async |seed| add(&parts, 7, seed).await.unwrap().unwrap())).await;
            assert_eq!(parts.list().await.unwrap().len(), 1);
            let last = add(&parts, 7, 1).await.unwrap().unwrap();
            assert_eq!(parts.list().await.unwrap(), [last]);
        }
    }

    #[tokio::test]
    async fn what_others_keep_at_the_place_stays() {
        let parts = new_parts();
        add(&parts, 7, 1).await.unwrap();
        let theirs = ["incoming/notes.txt", "parts/00007.txt", "parts/7.of-another", "readme"];
        for name in theirs {
            let key = Key::from_listing(&format!("{}/{name}", parts.place)).unwrap();
            let mut body = stream::iter([Ok(bytes::Bytes::from_static(b"theirs"))]);
            parts.storage.put(&key, &mut body, &PutOptions::default()).await.unwrap();
        }
        add(&parts, 7, 2).await.unwrap();
        parts.remove().await.unwrap();
        let left = parts.storage.list("", None, 100).await.unwrap();
        let names: Vec<&str> =
            left.iter().map(|object| &object.key.as_str()[parts.place.as_str().len() + 1..]).collect();
        assert_eq!(names, theirs);
    }

    #[tokio::test]
    async fn all_parts_are_listed_and_removed_however_many_there_are() {
        let parts = new_parts();
        let numbers: Vec<u32> = (1..=10_000).rev().step_by(3).collect();
        for &number in &numbers {
            add(&parts, number, 1).await.unwrap();
        }
        let listed: Vec<u32> = parts.list().await.unwrap().into_iter().map(|part| part.number.into()).collect();
        assert!(listed.iter().eq(numbers.iter().rev()));
        parts.remove().await.unwrap();
        assert_eq!(parts.list().await.unwrap(), []);
    }
}
