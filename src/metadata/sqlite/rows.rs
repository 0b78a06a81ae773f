//! Between records and the columns of their rows.

use rusqlite::{Connection, Params, Row, ToSql};

use super::NAME;
use crate::domain::Invalid;
use crate::domain::artifact::Artifact;
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::metadata::{Document, Garbage, Kind, Replaced, Total, Totals};

pub(super) fn rows<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

/// Runs a statement and says whether it changed a row.
pub(super) fn changes(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached(sql)?.execute(params)? > 0)
}

/// Tells a stale version from a missing record after a conditional statement has (not) changed it.
pub(super) fn outcome(
    connection: &Connection,
    changed: bool,
    exists: &str,
    key: &[&dyn ToSql],
) -> rusqlite::Result<Replaced> {
    if changed {
        return Ok(Replaced::Done);
    }
    let found = connection.prepare_cached(exists)?.exists(key)?;
    Ok(if found { Replaced::Stale } else { Replaced::Missing })
}

/// The JSON of a record.
pub(super) fn encode(operation: &'static str, artifact: &Artifact) -> Result<String, Fault> {
    serde_json::to_string(artifact).map_err(|error| Fault::broken(NAME, operation, error))
}

/// A record, or why it is none. It is read on the thread of the query: that may take a while.
pub(super) type ParsedArtifact = serde_json::Result<Artifact>;

/// From `record`.
pub(super) fn artifact(row: &Row<'_>) -> rusqlite::Result<ParsedArtifact> {
    Ok(serde_json::from_str(row.get_ref(0)?.as_str()?))
}

pub(super) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// From `name`, `version`, `expires_at` and `body`.
pub(super) fn document(kind: Kind, row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document {
        kind,
        name: row.get(0)?,
        version: row.get::<_, i64>(1)?.cast_unsigned(),
        expires_at: Timestamp::from_millis(row.get(2)?),
        body: row.get(3)?,
    })
}

/// `scope`, `artifacts` and `bytes`.
pub(super) type TotalRow = (String, i64, i64);

pub(super) fn totals(rows: &[TotalRow]) -> Result<Totals, Invalid> {
    let mut totals = Totals::default();
    for (scope, artifacts, bytes) in rows {
        let total = Total { artifacts: artifacts.cast_unsigned(), bytes: bytes.cast_unsigned() };
        *totals.of_mut(scope.parse()?) = total;
    }
    Ok(totals)
}

/// `due`, `key` and `provider`.
pub(super) type NoteRow = (i64, String, String);

pub(super) fn note_row(garbage: &Garbage) -> NoteRow {
    (garbage.due.as_millis(), garbage.key.to_string(), garbage.provider.clone())
}

pub(super) fn garbage((due, key, provider): NoteRow) -> Result<Garbage, Invalid> {
    Ok(Garbage { key: key.parse()?, provider, due: Timestamp::from_millis(due) })
}
