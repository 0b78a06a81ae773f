//! Records in a SQLite file: the embedded default.
//!
//! The JSON of a record is the truth; a few columns repeat what is looked for. A record and its index
//! entries change in one transaction.

mod queries;
#[cfg(test)]
mod tests;

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Params, Row, ToSql, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Garbage, MetadataStore, Replaced};
use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::Partition;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::sqlite::Database;

const NAME: &str = "sqlite";
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/metadata/0001_records.sql")];

/// Records in a SQLite file.
pub struct SqliteMetadata {
    database: Database,
}

impl SqliteMetadata {
    /// Opens the file, creating it and its folder when missing. This blocks: it is for the start.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        Ok(Self { database: Database::open(NAME, path, MIGRATIONS)? })
    }

    /// Runs a query whose rows are records.
    async fn records<T, P>(&self, operation: &'static str, sql: &'static str, params: P) -> Result<Vec<T>, Fault>
    where
        T: DeserializeOwned,
        P: Params + Send + 'static,
    {
        let job = move |connection: &Connection| rows(connection, sql, params, |row| row.get::<_, String>(0));
        let texts = self.database.read(operation, job).await?;
        texts.iter().map(|text| decode(operation, text)).collect()
    }

    /// Runs a query that finds one record at most.
    async fn record<T, P>(&self, operation: &'static str, sql: &'static str, params: P) -> Result<Option<T>, Fault>
    where
        T: DeserializeOwned,
        P: Params + Send + 'static,
    {
        Ok(self.records(operation, sql, params).await?.pop())
    }

    /// Runs one statement and says whether it changed a row.
    async fn changes<P>(&self, operation: &'static str, sql: &'static str, params: P) -> Result<bool, Fault>
    where
        P: Params + Send + 'static,
    {
        self.database.write(operation, move |connection| changes(connection, sql, params)).await
    }
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

fn changes(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached(sql)?.execute(params)? > 0)
}

/// Tells a stale version from a missing record after a conditional statement has (not) changed it.
fn outcome(connection: &Connection, changed: bool, exists: &str, key: &[&dyn ToSql]) -> rusqlite::Result<Replaced> {
    if changed {
        return Ok(Replaced::Done);
    }
    let found = connection.prepare_cached(exists)?.exists(key)?;
    Ok(if found { Replaced::Stale } else { Replaced::Missing })
}

fn note_garbage(connection: &Connection, note: &NoteRow) -> rusqlite::Result<bool> {
    changes(connection, queries::NOTE_GARBAGE, params![note.0, note.1, note.2])
}

fn encode(operation: &'static str, record: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(record).map_err(|error| Fault::broken(NAME, operation, error))
}

fn decode<T: DeserializeOwned>(operation: &'static str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::broken(NAME, operation, error))
}

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The columns of a note of garbage.
type NoteRow = (i64, String, String);

fn note_row(garbage: &Garbage) -> NoteRow {
    (garbage.due.as_millis(), garbage.key.to_string(), garbage.provider.clone())
}

#[async_trait]
impl MetadataStore for SqliteMetadata {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn ping(&self) -> Result<(), Fault> {
        let job = |connection: &Connection| rows(connection, queries::PING, [], |_| Ok(()));
        self.database.read("answering a ping", job).await.map(drop)
    }

    async fn insert_artifact(&self, artifact: &Artifact) -> Result<bool, Fault> {
        const OPERATION: &str = "inserting an artifact";
        let row = (
            *artifact.id.as_bytes(),
            artifact.partition.to_string(),
            artifact.version.cast_signed(),
            artifact.life.map(|life| life.expires_at.as_millis()),
            encode(OPERATION, artifact)?,
        );
        self.changes(OPERATION, queries::INSERT_ARTIFACT, row).await
    }

    async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, Fault> {
        self.record("reading an artifact", queries::ARTIFACT, [*id.as_bytes()]).await
    }

    async fn artifacts(&self, ids: &[ArtifactId]) -> Result<Vec<Option<Artifact>>, Fault> {
        let _ = ids;
        Err(Fault::broken(NAME, "reading artifacts", "not yet"))
    }

    async fn replace_artifact(
        &self,
        before: &Artifact,
        artifact: &Artifact,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        const OPERATION: &str = "replacing an artifact";
        let expected = before.version;
        let id = *artifact.id.as_bytes();
        let version = artifact.version.cast_signed();
        let expires_at = artifact.life.map(|life| life.expires_at.as_millis());
        let record = encode(OPERATION, artifact)?;
        let note = garbage.map(note_row);
        let job = move |connection: &Connection| {
            let row = params![id, expected.cast_signed(), version, expires_at, record];
            let changed = changes(connection, queries::REPLACE_ARTIFACT, row)?;
            if let Some(note) = note.filter(|_| changed) {
                note_garbage(connection, &note)?;
            }
            outcome(connection, changed, queries::ARTIFACT_EXISTS, &[&id])
        };
        self.database.write(OPERATION, job).await
    }

    async fn delete_artifact(&self, artifact: &Artifact, garbage: &Garbage) -> Result<Replaced, Fault> {
        let id = *artifact.id.as_bytes();
        let version = artifact.version.cast_signed();
        let note = note_row(garbage);
        let job = move |connection: &Connection| {
            let changed = changes(connection, queries::DELETE_ARTIFACT, params![id, version])?;
            if changed {
                note_garbage(connection, &note)?;
            }
            outcome(connection, changed, queries::ARTIFACT_EXISTS, &[&id])
        };
        self.database.write("deleting an artifact", job).await
    }

    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault> {
        let params = (now.as_millis(), sql_limit(limit));
        self.records("finding expired artifacts", queries::EXPIRED_ARTIFACTS, params).await
    }

    async fn default_session(&self, sandbox: &SandboxId, user: &UserId) -> Result<Option<SessionId>, Fault> {
        const OPERATION: &str = "reading a default session";
        let key = [sandbox.to_string(), user.to_string()];
        let job = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(queries::DEFAULT_SESSION)?;
            statement.query_row(key, |row| row.get::<_, String>(0)).optional()
        };
        let session = self.database.read(OPERATION, job).await?;
        session.map(|id| id.parse()).transpose().map_err(|error| Fault::broken(NAME, OPERATION, error))
    }

    async fn set_default_session(
        &self,
        sandbox: &SandboxId,
        user: &UserId,
        expected: Option<&SessionId>,
        new: &SessionId,
    ) -> Result<bool, Fault> {
        const OPERATION: &str = "changing a default session";
        let (sandbox, user, new) = (sandbox.to_string(), user.to_string(), new.to_string());
        match expected {
            None => self.changes(OPERATION, queries::CLAIM_DEFAULT_SESSION, (sandbox, user, new)).await,
            Some(expected) => {
                let row = (sandbox, user, new, expected.to_string());
                self.changes(OPERATION, queries::REPLACE_DEFAULT_SESSION, row).await
            }
        }
    }

    async fn due_garbage(&self, now: Timestamp, limit: usize) -> Result<Vec<Garbage>, Fault> {
        const OPERATION: &str = "finding due garbage";
        let params = (now.as_millis(), sql_limit(limit));
        let job = move |connection: &Connection| rows(connection, queries::DUE_GARBAGE, params, |row| row.try_into());
        let notes: Vec<NoteRow> = self.database.read(OPERATION, job).await?;
        let garbage = notes.into_iter().map(|(due, key, provider)| {
            let key = key.parse().map_err(|error: crate::domain::Invalid| Fault::broken(NAME, OPERATION, error))?;
            Ok(Garbage { key, provider, due: Timestamp::from_millis(due) })
        });
        garbage.collect()
    }

    async fn forget_garbage(&self, garbage: &Garbage) -> Result<(), Fault> {
        self.changes("forgetting garbage", queries::FORGET_GARBAGE, note_row(garbage)).await.map(drop)
    }
}
