//! The providers under test, and what the cases need to put and read.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt, TryStreamExt, stream};

use crate::domain::id::SandboxId;
use crate::storage::filesystem::FilesystemStorage;
use crate::storage::memory::MemoryStorage;
use crate::storage::sqlite::SqliteStorage;
use crate::storage::*;

pub(super) const KIB: usize = 1024;
pub(super) const MIB: usize = 1024 * KIB;

/// A provider under test, and a sandbox in it that no other test uses.
pub(super) struct Subject {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) sandbox: SandboxId,
    /// What is kept besides objects: temporary files, staged chunks, unfinished uploads.
    leftovers: Box<dyn Fn() -> BoxFuture<'static, Vec<String>> + Send + Sync>,
    _folder: Option<tempfile::TempDir>,
}

fn sandbox() -> SandboxId {
    format!("sandbox-{:032x}", rand::random::<u128>()).parse().unwrap()
}

pub(super) async fn memory() -> Subject {
    Subject {
        storage: Arc::new(MemoryStorage::default()),
        sandbox: sandbox(),
        leftovers: Box::new(|| Box::pin(async { Vec::new() })),
        _folder: None,
    }
}

pub(super) async fn filesystem() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let temp = folder.path().join("tmp");
    Subject {
        storage: Arc::new(FilesystemStorage::open(folder.path()).unwrap()),
        sandbox: sandbox(),
        leftovers: Box::new(move || {
            let files = crate::storage::filesystem::tests::temporary_files(&temp);
            Box::pin(async { files })
        }),
        _folder: Some(folder),
    }
}

pub(super) async fn sqlite() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let storage = Arc::new(SqliteStorage::open(&folder.path().join("storage.db")).unwrap());
    let of = Arc::clone(&storage);
    Subject {
        storage,
        sandbox: sandbox(),
        leftovers: Box::new(move || {
            let of = Arc::clone(&of);
            Box::pin(async move { of.unnamed().await.iter().map(|content| format!("{content:?}")).collect() })
        }),
        _folder: Some(folder),
    }
}

/// A part of a folder; what lies beside it has other owners, with keys that look alike.
pub(super) async fn prefixed() -> Subject {
    let beside = filesystem().await;
    let prefix = "team-a/v1".parse().unwrap();
    for key in ["grid/x/shared/a", "team-a/grid/x/shared/a", "team-a/v10/grid/x/shared/a"] {
        beside.put(&Key::from_listing(key).unwrap(), b"of another").await;
    }
    Subject { storage: Arc::new(Prefixed::new(Arc::clone(&beside.storage), &prefix)), ..beside }
}

/// A store within a deadline, which it keeps.
pub(super) async fn punctual() -> Subject {
    let inner = filesystem().await;
    Subject { storage: Arc::new(Punctual::new(Arc::clone(&inner.storage), Duration::from_secs(60))), ..inner }
}

pub(super) async fn s3() -> Subject {
    let storage = crate::storage::s3::tests::connect().await;
    let sandbox = sandbox();
    let (of, prefix) = (storage.clone(), format!("grid/{}/", sandbox.to_segment()));
    Subject {
        storage: Arc::new(storage),
        sandbox,
        leftovers: Box::new(move || {
            let (of, prefix) = (of.clone(), prefix.clone());
            Box::pin(async move { of.unfinished_uploads(&prefix).await })
        }),
        _folder: None,
    }
}

impl Subject {
    pub(super) fn key(&self, name: &str) -> Key {
        Key::from_listing(&format!("grid/{}/{name}", self.sandbox.to_segment())).unwrap()
    }

    pub(super) async fn put(&self, key: &Key, content: &[u8]) {
        let options = PutOptions { content_length: Some(content.len() as u64), ..PutOptions::default() };
        self.storage.put(key, &mut body(content), &options).await.unwrap();
    }

    pub(super) async fn try_put(&self, key: &Key, body: Body<'_>) -> Result<Stored, PutError> {
        self.storage.put(key, body, &PutOptions::default()).await
    }

    pub(super) async fn copy(&self, from: &Key, to: &Key) -> bool {
        self.storage.copy(from, to, &PutOptions::default()).await.unwrap()
    }

    pub(super) async fn delete(&self, key: &Key) {
        self.storage.delete(key).await.unwrap();
    }

    pub(super) async fn open(&self, key: &Key, range: Option<Range<u64>>) -> Option<ByteStream> {
        self.storage.get(key, range).await.unwrap()
    }

    pub(super) async fn read(&self, key: &Key) -> Option<Vec<u8>> {
        Some(read_all(self.open(key, None).await?).await)
    }

    /// The names of the objects of this sandbox whose name starts with `prefix`.
    pub(super) async fn names(&self, prefix: &str) -> Vec<String> {
        let listed = self.storage.list(&format!("{}{prefix}", self.base()), None, 1000).await.unwrap();
        self.relative(&listed)
    }

    pub(super) fn base(&self) -> String {
        format!("grid/{}/", self.sandbox.to_segment())
    }

    pub(super) fn relative(&self, listed: &[ObjectInfo]) -> Vec<String> {
        listed.iter().map(|object| object.key.as_str().strip_prefix(&self.base()).unwrap().to_owned()).collect()
    }

    /// Waits until nothing is kept besides objects: clearing up after a dropped future takes a moment.
    pub(super) async fn no_leftovers(&self) {
        let cleared = async {
            while !(self.leftovers)().await.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(30), cleared).await.is_err() {
            panic!("left behind: {:?}", (self.leftovers)().await);
        }
    }
}

/// `length` bytes that look different at every offset, and different for every `seed`.
pub(super) fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut content = Vec::with_capacity(length + 8);
    for n in 1..=length.div_ceil(8) as u64 {
        content.extend_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (seed << 32)).to_le_bytes());
    }
    content.truncate(length);
    content
}

/// A body as HTTP brings it: in chunks of odd sizes.
pub(super) fn body(content: &[u8]) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin {
    let content = Bytes::copy_from_slice(content);
    stream::unfold((content, 0), |(mut rest, count)| async move {
        let size = [1, 16 * KIB - 3, 8 * KIB, 0, 300 * KIB][count % 5].min(rest.len());
        let chunk = rest.split_to(size);
        (!(chunk.is_empty() && rest.is_empty())).then_some((Ok(chunk), (rest, count + 1)))
    })
    .boxed()
}

pub(super) async fn read_all(stream: ByteStream) -> Vec<u8> {
    stream.try_collect::<Vec<_>>().await.unwrap().concat()
}

/// Compares without printing megabytes.
pub(super) fn assert_same(read: Option<Vec<u8>>, expected: &[u8]) {
    let read = read.expect("the object is there");
    assert_eq!(read.len(), expected.len(), "the length");
    assert!(read == expected, "byte {:?} differs", read.iter().zip(expected).position(|(a, b)| a != b));
}
