//! What only the database does: leases, and what becomes of content that no object names.

use futures::TryStreamExt;

use super::*;

const FAR_PAST: i64 = 1;

fn open() -> (SqliteStorage, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (SqliteStorage::open(&folder.path().join("storage.db")).unwrap(), folder)
}

fn key(name: &str) -> Key {
    Key::from_listing(&format!("grid/app/shared/{name}")).unwrap()
}

impl SqliteStorage {
    /// The contents that no object names, with the ends of their leases and the number of their chunks.
    pub(in crate::storage) async fn unnamed(&self) -> Vec<(i64, i64, i64)> {
        let unnamed = self.database.read("testing", |connection| {
            let sql = "SELECT content, until, (SELECT count(*) FROM chunks WHERE chunks.content = leases.content)
                       FROM leases";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        });
        unnamed.await.unwrap()
    }

    async fn chunks(&self) -> i64 {
        let count = |connection: &rusqlite::Connection| {
            connection.query_row("SELECT count(*) FROM chunks", [], |row| row.get(0))
        };
        self.database.read("testing", count).await.unwrap()
    }

    /// Lets all leases end at `until`.
    async fn end_leases(&self, until: i64) {
        let end = move |connection: &rusqlite::Connection| connection.execute("UPDATE leases SET until = ?1", [until]);
        self.database.write("testing", end).await.unwrap();
    }

    async fn put_chunks(&self, key: &Key, count: usize) {
        let mut body = stream::iter((0..count).map(|n| Ok(Bytes::from(vec![n as u8; CHUNK_BYTES]))));
        self.put(key, &mut body, &PutOptions::default()).await.unwrap();
    }
}

async fn batch(chunks: usize) -> Batch {
    let mut body = stream::iter((0..chunks).map(|_| Ok(Bytes::from(vec![1; CHUNK_BYTES]))));
    Batches::new(&mut body).next(usize::MAX).await.unwrap()
}

#[tokio::test]
async fn what_a_killed_process_was_writing_is_removed_when_its_lease_has_ended() {
    let (storage, folder) = open();
    let mut writing = Writing::new(&storage.database);
    writing.append(batch(40).await).await.unwrap();
    std::mem::forget(writing);

    let other = SqliteStorage::open(&folder.path().join("storage.db")).unwrap();
    other.put_chunks(&key("a"), 1).await;
    assert_eq!(other.chunks().await, 41, "a living process may be writing");
    other.end_leases(FAR_PAST).await;
    for _ in 0..3 {
        other.put_chunks(&key("a"), 0).await;
    }
    assert!(other.unnamed().await.iter().all(|&(_, until, _)| until > FAR_PAST));
    assert_eq!(other.chunks().await, 1);
}

#[tokio::test]
async fn an_upload_whose_lease_has_ended_fails() {
    let (storage, _folder) = open();
    let mut writing = Writing::new(&storage.database);
    writing.append(batch(1).await).await.unwrap();
    storage.end_leases(FAR_PAST).await;
    storage.delete(&key("other")).await.unwrap();
    assert!(writing.publish(batch(1).await, &key("a")).await.is_err());
    assert!(storage.head(&key("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn replaced_and_deleted_content_is_removed_when_nobody_reads_it() {
    let (storage, _folder) = open();
    storage.put_chunks(&key("a"), 3).await;
    storage.put_chunks(&key("a"), 2).await;
    storage.delete(&key("a")).await.unwrap();
    assert_eq!(storage.chunks().await, 5);
    storage.end_leases(FAR_PAST).await;
    for _ in 0..2 {
        storage.delete(&key("a")).await.unwrap();
    }
    assert_eq!((storage.chunks().await, storage.unnamed().await), (0, vec![]));
}

#[tokio::test]
async fn a_reader_renews_the_lease_of_what_it_reads() {
    let (storage, _folder) = open();
    storage.put_chunks(&key("a"), 20).await;
    let mut reader = storage.get(&key("a"), None).await.unwrap().unwrap();
    storage.delete(&key("a")).await.unwrap();
    let soon = SystemClock.now().as_millis() + LEASE_MILLIS / 3;
    storage.end_leases(soon).await;
    let mut read = 0;
    while let Some(chunk) = reader.try_next().await.unwrap() {
        read += chunk.len();
    }
    assert_eq!(read, 20 * CHUNK_BYTES);
    assert!(storage.unnamed().await.iter().all(|&(_, until, _)| until > soon));
}

#[tokio::test]
async fn what_was_removed_while_being_read_is_an_error_and_no_early_end() {
    let (storage, _folder) = open();
    storage.put_chunks(&key("a"), 20).await;
    let reader = storage.get(&key("a"), None).await.unwrap().unwrap();
    storage.delete(&key("a")).await.unwrap();
    storage.end_leases(FAR_PAST).await;
    for _ in 0..2 {
        storage.delete(&key("a")).await.unwrap();
    }
    assert!(reader.try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test]
async fn content_with_another_name_is_not_removed() {
    let (storage, _folder) = open();
    storage.put_chunks(&key("a"), 2).await;
    storage.copy(&key("a"), &key("b"), &PutOptions::default()).await.unwrap();
    storage.delete(&key("a")).await.unwrap();
    storage.end_leases(FAR_PAST).await;
    storage.delete(&key("a")).await.unwrap();
    assert_eq!((storage.chunks().await, storage.unnamed().await), (2, vec![]));
}

#[tokio::test]
async fn a_copy_onto_itself_changes_nothing() {
    let (storage, _folder) = open();
    storage.put_chunks(&key("a"), 2).await;
    assert!(storage.copy(&key("a"), &key("a"), &PutOptions::default()).await.unwrap());
    assert_eq!((storage.chunks().await, storage.unnamed().await), (2, vec![]));
}

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let (storage, folder) = open();
    storage.put_chunks(&key("a"), 5).await;
    drop(storage);
    let storage = SqliteStorage::open(&folder.path().join("storage.db")).unwrap();
    let read: Vec<Bytes> = storage.get(&key("a"), None).await.unwrap().unwrap().try_collect().await.unwrap();
    let expected: Vec<u8> = (0..5).flat_map(|n| vec![n; CHUNK_BYTES]).collect();
    assert!(read.concat() == expected);
}
