//! Contents, chunk by chunk: the statements.

use std::ops::Range;

use bytes::Bytes;
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, Error, OptionalExtension, Result, Row};

use crate::domain::time::Timestamp;
use crate::storage::Key;

/// The size of all chunks of a content but the last.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;
/// How long a content without an object is kept since it was last written or read: longer than any
/// pause that a transfer survives.
pub(super) const LEASE_MILLIS: i64 = 60 * 60 * 1000;
/// How many chunks are removed at a time: more than a write brings, few enough not to be noticed.
const CHUNKS_PER_STEP: u32 = 16;

/// Names a content; random, so that it is known before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentId(i64);

impl ContentId {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }
}

impl ToSql for ContentId {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

/// A size; SQLite has no unsigned numbers.
pub(super) fn size(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get(column).map(i64::unsigned_abs)
}

/// The content that an object names, and its size.
pub(super) fn named(connection: &Connection, key: &Key) -> Result<Option<(ContentId, u64)>> {
    let mut statement = connection.prepare_cached("SELECT content, bytes FROM objects WHERE key = ?1")?;
    statement.query_row([key.as_str()], |row| Ok((ContentId(row.get(0)?), size(row, 1)?))).optional()
}

/// Writes chunks at `offset`, a multiple of [`CHUNK_BYTES`], of a content that no object names.
pub(super) fn append(
    connection: &Connection,
    content: ContentId,
    offset: u64,
    pieces: &[Bytes],
    now: Timestamp,
) -> Result<()> {
    if offset == 0 {
        let mut statement = connection.prepare_cached("INSERT INTO leases (content, until) VALUES (?1, ?2)")?;
        statement.execute((content, now.as_millis() + LEASE_MILLIS))?;
    } else if renew(connection, content, now)? == 0 {
        // The lease has ended, and some chunks may be gone.
        return Err(Error::StatementChangedRows(0));
    }
    let mut statement = connection.prepare_cached("INSERT INTO chunks (content, number, data) VALUES (?1, ?2, ?3)")?;
    let mut number = number_at(offset);
    for_each_chunk(pieces, |chunk| {
        statement.execute((content, number, chunk))?;
        number += 1;
        Ok(())
    })
}

/// The number of the chunk with the byte at `offset`.
fn number_at(offset: u64) -> i64 {
    (offset / CHUNK_BYTES as u64).cast_signed()
}

/// Joins pieces to chunks; what is large enough already is not copied.
fn for_each_chunk(pieces: &[Bytes], mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut joined = Vec::new();
    for piece in pieces {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(CHUNK_BYTES - joined.len()));
            rest = tail;
            if head.len() == CHUNK_BYTES {
                write(head)?;
                continue;
            }
            joined.extend_from_slice(head);
            if joined.len() == CHUNK_BYTES {
                write(&joined)?;
                joined.clear();
            }
        }
    }
    if joined.is_empty() { Ok(()) } else { write(&joined) }
}

/// Extends the lease of a content; 0 when it has none.
pub(super) fn renew(connection: &Connection, content: ContentId, now: Timestamp) -> Result<usize> {
    let mut statement = connection.prepare_cached("UPDATE leases SET until = ?2 WHERE content = ?1")?;
    statement.execute((content, now.as_millis() + LEASE_MILLIS))
}

/// Lets an object name a content, in place of what it may name.
pub(super) fn name(connection: &Connection, content: ContentId, key: &Key, bytes: u64, now: Timestamp) -> Result<()> {
    unname(connection, key, now)?;
    let mut statement =
        connection.prepare_cached("INSERT INTO objects (key, content, bytes, stored_at) VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute((key.as_str(), content, bytes.cast_signed(), now.as_millis()))?;
    connection.prepare_cached("DELETE FROM leases WHERE content = ?1")?.execute([content])?;
    Ok(())
}

/// Removes an object; its content, unless it has other names, stays for those who read it.
pub(super) fn unname(connection: &Connection, key: &Key, now: Timestamp) -> Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM objects WHERE key = ?1 RETURNING content")?;
    let content: Option<i64> = statement.query_row([key.as_str()], |row| row.get(0)).optional()?;
    let Some(content) = content else { return Ok(()) };
    let mut statement = connection.prepare_cached(
        "INSERT INTO leases (content, until)
         SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM objects WHERE content = ?1)",
    )?;
    statement.execute((content, now.as_millis() + LEASE_MILLIS))?;
    Ok(())
}

/// Consecutive bytes of a content.
pub(super) struct Piece {
    pub(super) chunks: Vec<Bytes>,
    /// When the content may be removed, if no object names it.
    pub(super) lease: Option<i64>,
}

/// Reads `range` of a content.
pub(super) fn read(connection: &Connection, content: ContentId, range: &Range<u64>) -> Result<Piece> {
    let mut chunks = Vec::new();
    let mut position = range.start;
    let mut statement = connection.prepare_cached(
        "SELECT data FROM chunks WHERE content = ?1 AND number >= ?2 AND number < ?3 ORDER BY number",
    )?;
    let mut rows = statement.query((content, number_at(range.start), number_at(range.end + CHUNK_BYTES as u64 - 1)))?;
    while let Some(row) = rows.next()? {
        let data = row.get_ref(0)?.as_blob()?;
        let from = (position % CHUNK_BYTES as u64) as usize;
        let to = data.len().min(from + (range.end - position) as usize);
        let wanted = data.get(from..to).unwrap_or_default();
        chunks.push(Bytes::copy_from_slice(wanted));
        position += wanted.len() as u64;
    }
    if position < range.end {
        // The lease has ended: nobody read for too long.
        return Err(Error::QueryReturnedNoRows);
    }
    let mut statement = connection.prepare_cached("SELECT until FROM leases WHERE content = ?1")?;
    let lease = statement.query_row([content], |row| row.get(0)).optional()?;
    Ok(Piece { chunks, lease })
}

/// Removes some of what is past its lease.
pub(super) fn collect(connection: &Connection, now: Timestamp) -> Result<()> {
    let mut statement = connection.prepare_cached("SELECT content FROM leases WHERE until <= ?1 LIMIT 1")?;
    let content = statement.query_row([now.as_millis()], |row| row.get(0)).optional()?;
    content.map_or(Ok(()), |content| remove_some(connection, ContentId(content)).map(drop))
}

/// Removes some of a content unless an object names it; `true` when there is more.
pub(super) fn discard(connection: &Connection, content: ContentId) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM leases WHERE content = ?1")?;
    if statement.exists([content])? { remove_some(connection, content) } else { Ok(false) }
}

fn remove_some(connection: &Connection, content: ContentId) -> Result<bool> {
    let mut statement = connection
        .prepare_cached("DELETE FROM chunks WHERE id IN (SELECT id FROM chunks WHERE content = ?1 LIMIT ?2)")?;
    if statement.execute((content, CHUNKS_PER_STEP))? == CHUNKS_PER_STEP as usize {
        return Ok(true);
    }
    connection.prepare_cached("DELETE FROM leases WHERE content = ?1")?.execute([content])?;
    Ok(false)
}
