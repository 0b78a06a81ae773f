//! Bytes in a SQLite database: one file to back up, with everything in it.
//!
//! An object names a content, and a content is a number of chunks. A body is written chunk by chunk
//! under a content that no object names yet; a small transaction then names it. When an object is
//! replaced or deleted its content stays for those who read it.
//!
//! A content without an object is leased: writers renew the lease with every batch, readers when it
//! runs out. Content past its lease is removed in small steps by the writes that follow, which are what
//! needs the room. This holds for several processes on one file, and for one that was killed.

mod contents;
#[cfg(test)]
pub(super) mod tests;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use rusqlite::{OptionalExtension, Row};

use self::contents::{CHUNK_BYTES, ContentId, LEASE_MILLIS, Piece};
use super::batch::{Batch, Batches};
use super::{Body, ByteStream, Key, ObjectInfo, PutError, PutOptions, Storage, Stored};
use crate::clock::{Clock, SystemClock};
use crate::domain::time::Timestamp;
use crate::fault::{Chain, Fault};
use crate::sqlite::{Database, Migration};

const NAME: &str = "sqlite";
const MIGRATIONS: &[Migration] = &[Migration::new(include_str!("../../../migrations/storage/0001_objects.sql"))];
/// What is written or read at a time.
const BATCH_BYTES: usize = 4 * CHUNK_BYTES;

/// Keeps bytes in a database file.
pub struct SqliteStorage {
    database: Arc<Database>,
}

impl SqliteStorage {
    /// Opens the file, creating it when missing.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        Ok(Self { database: Arc::new(Database::open(NAME, path, MIGRATIONS)?) })
    }
}

#[async_trait]
impl Storage for SqliteStorage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_full(&self) -> bool {
        self.database.is_full()
    }

    /// When the last of the body has been handed to the database, dropping the future no longer stops it.
    async fn put(&self, key: &Key, body: Body<'_>, _: &PutOptions) -> Result<Stored, PutError> {
        let mut batches = Batches::new(body);
        let mut batch = batches.next(BATCH_BYTES).await?;
        let mut writing = Writing::new(&self.database);
        while !batch.last {
            // The database takes one batch while the network brings the next.
            let (written, next) = tokio::join!(writing.append(batch), batches.next(BATCH_BYTES));
            batch = match (written, next) {
                (Ok(()), Ok(next)) => next,
                (written, next) => {
                    writing.discard().await;
                    written?;
                    next?
                }
            };
        }
        writing.publish(batch, key).await?;
        Ok(Stored { etag: None })
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        let (key, database) = (key.clone(), Arc::clone(&self.database));
        let opened = self.database.read("reading", move |connection| {
            let Some((content, bytes)) = contents::named(connection, &key)? else { return Ok(None) };
            let range = range.unwrap_or(0..bytes);
            let first = range.start..range.end.min(range.start + BATCH_BYTES as u64);
            let piece = contents::read(connection, content, &first)?;
            Ok(Some((piece, Reader { database, content, left: first.end..range.end })))
        });
        let Some((first, reader)) = opened.await? else { return Ok(None) };
        let rest = stream::try_unfold(reader, Reader::next).map_ok(|chunks| stream::iter(chunks).map(Ok)).try_flatten();
        Ok(Some(stream::iter(first.chunks).map(Ok).chain(rest).boxed()))
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        let key = key.clone();
        let found = self.database.read("looking up", move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT key, bytes, stored_at FROM objects WHERE key = ?1")?;
            statement.query_row([key.as_str()], info).optional()
        });
        Ok(found.await?.flatten())
    }

    async fn copy(&self, from: &Key, to: &Key, _: &PutOptions) -> Result<bool, Fault> {
        let (from, to) = (from.clone(), to.clone());
        let copied = self.database.write("copying", move |connection| {
            let now = SystemClock.now();
            let Some((content, bytes)) = contents::named(connection, &from)? else { return Ok(false) };
            contents::name(connection, content, &to, bytes, now)?;
            Ok(true)
        });
        copied.await
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        let key = key.clone();
        let deleted = self.database.write("deleting", move |connection| {
            let now = SystemClock.now();
            contents::unname(connection, &key, now)?;
            contents::collect(connection, now)
        });
        deleted.await
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        // Above all characters of a key.
        let end = format!("{prefix}\u{7f}");
        let (prefix, after) = (prefix.to_owned(), after.map_or(String::new(), |key| key.as_str().to_owned()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let listed = self.database.read("listing", move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key, bytes, stored_at FROM objects WHERE key >= ?1 AND key < ?2 AND key > ?3 ORDER BY key LIMIT ?4",
            )?;
            let objects = statement.query_map((prefix, end, after, limit), info)?;
            objects.filter_map(Result::transpose).collect()
        });
        listed.await
    }
}

/// From `key`, `bytes` and `stored_at`; `None` for what this service did not store.
fn info(row: &Row<'_>) -> rusqlite::Result<Option<ObjectInfo>> {
    let (bytes, stored_at) = (contents::size(row, 1)?, Timestamp::from_millis(row.get(2)?));
    let key = Key::from_listing(row.get_ref(0)?.as_str()?);
    Ok(key.map(|key| ObjectInfo { key, bytes, stored_at, etag: None }))
}

/// A content being written. When dropped before it is published, it is removed in the background.
struct Writing {
    database: Arc<Database>,
    content: ContentId,
    bytes: u64,
    is_over: bool,
}

impl Writing {
    fn new(database: &Arc<Database>) -> Self {
        // Nothing is in the database yet.
        Self { database: Arc::clone(database), content: ContentId::random(), bytes: 0, is_over: true }
    }

    async fn append(&mut self, batch: Batch) -> Result<(), Fault> {
        let (content, offset) = (self.content, self.bytes);
        self.bytes += batch.bytes as u64;
        self.is_over = false;
        let written = self.database.write("writing", move |connection| {
            let now = SystemClock.now();
            contents::append(connection, content, offset, &batch.chunks, now)?;
            contents::collect(connection, now)
        });
        written.await
    }

    async fn publish(mut self, batch: Batch, key: &Key) -> Result<(), Fault> {
        let (content, offset, key) = (self.content, self.bytes, key.clone());
        let published = self.database.write("writing", move |connection| {
            let now = SystemClock.now();
            contents::append(connection, content, offset, &batch.chunks, now)?;
            contents::name(connection, content, &key, offset + batch.bytes as u64, now)?;
            contents::collect(connection, now)
        });
        published.await?;
        self.is_over = true;
        Ok(())
    }

    async fn discard(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            discard(Arc::clone(&self.database), self.content).await;
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Without a runtime the end of the lease has to do.
        if !self.is_over
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(discard(Arc::clone(&self.database), self.content));
        }
    }
}

/// Removes a content unless an object names it by now. The writer takes jobs in their order, so what
/// was still being written then comes before this.
async fn discard(database: Arc<Database>, content: ContentId) {
    loop {
        match database.write("discarding", move |connection| contents::discard(connection, content)).await {
            Ok(true) => {}
            Ok(false) => return,
            // There is an error already; this one costs nothing but room until the lease ends.
            Err(fault) => return tracing::warn!(error = %Chain(&fault), "chunks of an upload stay for now"),
        }
    }
}

/// A content being read.
struct Reader {
    database: Arc<Database>,
    content: ContentId,
    left: Range<u64>,
}

impl Reader {
    async fn next(self) -> Result<Option<(Vec<Bytes>, Self)>, Fault> {
        let Self { database, content, left } = self;
        if left.is_empty() {
            return Ok(None);
        }
        let range = left.start..left.end.min(left.start + BATCH_BYTES as u64);
        let left = range.end..left.end;
        let read = database.read("reading", move |connection| contents::read(connection, content, &range));
        let Piece { chunks, lease } = read.await?;
        let now = SystemClock.now();
        if lease.is_some_and(|until| until - now.as_millis() < LEASE_MILLIS / 2) {
            database.write("reading", move |connection| contents::renew(connection, content, now)).await?;
        }
        Ok(Some((chunks, Self { database, content, left })))
    }
}
