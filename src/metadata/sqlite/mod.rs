//! Records in a SQLite file: the embedded default.
//!
//! The JSON of a record is the truth; a few columns repeat what is looked for. A record, its index entries
//! and its part of the totals change in one transaction.

mod change;
mod queries;
mod recent;
mod rows;
#[cfg(test)]
mod tests;
mod upgrade;

use std::hash::Hash;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use self::change::{Difference, index_of};
use self::recent::{Change, Recent};
use self::rows::{
    NoteRow, ParsedArtifact, TotalRow, artifact, changes, document, encode, garbage, note_row, outcome, rows,
    sql_limit, totals,
};
use super::{Document, Entry, EntryRange, Garbage, Kind, MetadataStore, Replaced, Scan, Totals};
use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::Partition;
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::sqlite::{Database, Migration};

const NAME: &str = "sqlite";
const MIGRATIONS: &[Migration] = &[
    Migration::new(include_str!("../../../migrations/metadata/0001_records.sql")),
    Migration::new(include_str!("../../../migrations/metadata/0002_index.sql")).then(upgrade::fill_index),
];

/// How much memory records and sessions that were read a moment ago may take.
const RECENT_ARTIFACTS: u64 = 16 * 1024 * 1024;
const RECENT_SESSIONS: u64 = 4 * 1024 * 1024;

/// Records in a SQLite file.
pub struct SqliteMetadata {
    database: Database,
    artifacts: Recent<ArtifactId, Artifact>,
    /// By the names of their documents.
    sessions: Recent<String, Document>,
}

impl SqliteMetadata {
    /// Opens the file, creating it and its folder when missing. This blocks: it is for the start.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let database = Database::open(NAME, path, MIGRATIONS)?;
        Ok(Self { database, artifacts: Recent::new(RECENT_ARTIFACTS), sessions: Recent::new(RECENT_SESSIONS) })
    }

    /// The same, which answers within `deadline` or not at all.
    pub fn within(self, deadline: Duration) -> Self {
        Self { database: self.database.within(deadline), ..self }
    }

    /// Runs a job that changes what may be kept in memory.
    async fn change<K, F>(&self, operation: &'static str, change: Change<K>, job: F) -> Result<Replaced, Fault>
    where
        K: Eq + Hash + Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<Replaced> + Send + 'static,
    {
        // The job takes it along: it is done even if nobody waits for it any more.
        let job = move |connection: &Connection| Ok((job(connection)?, change));
        let (replaced, _done) = self.database.write(operation, job).await?;
        Ok(replaced)
    }

    /// Runs one statement and says whether it changed a row.
    async fn changes<P>(&self, operation: &'static str, sql: &'static str, params: P) -> Result<bool, Fault>
    where
        P: Params + Send + 'static,
    {
        self.database.write(operation, move |connection| changes(connection, sql, params)).await
    }
}

/// A record with the length of its JSON.
fn find_artifact(connection: &Connection, id: ArtifactId) -> rusqlite::Result<Option<(ParsedArtifact, usize)>> {
    let with_length = |row: &Row<'_>| Ok((artifact(row)?, row.get_ref(0)?.as_str()?.len()));
    connection.prepare_cached(queries::ARTIFACT)?.query_row([id.as_bytes()], with_length).optional()
}

#[async_trait]
impl MetadataStore for SqliteMetadata {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_full(&self) -> bool {
        self.database.is_full()
    }

    async fn ping(&self) -> Result<(), Fault> {
        let job = |connection: &Connection| rows(connection, queries::PING, [], |_| Ok(()));
        self.database.read("answering a ping", job).await.map(drop)
    }

    async fn insert_artifact(&self, artifact: &Artifact) -> Result<bool, Fault> {
        const OPERATION: &str = "inserting an artifact";
        let id = *artifact.id.as_bytes();
        let version = artifact.version.cast_signed();
        let expires_at = artifact.life.map(|life| life.expires_at.as_millis());
        let record = encode(OPERATION, artifact)?;
        let difference = Difference::inserting(artifact);
        let job = move |connection: &Connection| {
            let row = params![id, version, expires_at, record];
            let inserted = changes(connection, queries::INSERT_ARTIFACT, row)?;
            if inserted {
                difference.apply(connection)?;
            }
            Ok(inserted)
        };
        self.database.write(OPERATION, job).await
    }

    async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, Fault> {
        const OPERATION: &str = "reading an artifact";
        let read = async {
            let job = move |connection: &Connection| find_artifact(connection, id);
            let Some((parsed, bytes)) = self.database.look_up(OPERATION, job).await? else { return Ok(None) };
            let artifact = parsed.map_err(|error| Fault::broken(NAME, OPERATION, error))?;
            Ok(Some((artifact, bytes)))
        };
        self.artifacts.find(self.database.epoch(), &id, read).await
    }

    async fn artifacts(&self, ids: &[ArtifactId]) -> Result<Vec<Option<Artifact>>, Fault> {
        const OPERATION: &str = "reading artifacts";
        let ids = ids.to_vec();
        let job = move |connection: &Connection| {
            let find = |id| Ok(find_artifact(connection, id)?.map(|(parsed, _)| parsed));
            ids.into_iter().map(find).collect::<rusqlite::Result<Vec<_>>>()
        };
        let records: Vec<Option<ParsedArtifact>> = self.database.read(OPERATION, job).await?;
        let records: Result<_, _> = records.into_iter().map(Option::transpose).collect();
        records.map_err(|error| Fault::broken(NAME, OPERATION, error))
    }

    async fn replace_artifact(
        &self,
        before: &Artifact,
        after: &Artifact,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        const OPERATION: &str = "replacing an artifact";
        let change = self.artifacts.change(before.id);
        let id = *before.id.as_bytes();
        let [expected, version] = [before, after].map(|artifact| artifact.version.cast_signed());
        let expires_at = after.life.map(|life| life.expires_at.as_millis());
        let record = encode(OPERATION, after)?;
        let difference = Difference::replacing(before, after);
        let note = garbage.map(note_row);
        let job = move |connection: &Connection| {
            let row = params![id, expected, version, expires_at, record];
            let changed = changes(connection, queries::REPLACE_ARTIFACT, row)?;
            if changed {
                difference.apply(connection)?;
                if let Some(note) = note {
                    changes(connection, queries::NOTE_GARBAGE, note)?;
                }
            }
            outcome(connection, changed, queries::ARTIFACT_EXISTS, &[&id])
        };
        self.change(OPERATION, change, job).await
    }

    async fn delete_artifact(&self, artifact: &Artifact, garbage: &Garbage) -> Result<Replaced, Fault> {
        let change = self.artifacts.change(artifact.id);
        let id = *artifact.id.as_bytes();
        let version = artifact.version.cast_signed();
        let difference = Difference::deleting(artifact);
        let note = note_row(garbage);
        let job = move |connection: &Connection| {
            let changed = changes(connection, queries::DELETE_ARTIFACT, params![id, version])?;
            if changed {
                difference.apply(connection)?;
                changes(connection, queries::NOTE_GARBAGE, note)?;
            }
            outcome(connection, changed, queries::ARTIFACT_EXISTS, &[&id])
        };
        self.change("deleting an artifact", change, job).await
    }

    async fn scan(&self, partition: &Partition, scans: &[Scan]) -> Result<Vec<Vec<Entry>>, Fault> {
        let (index, scans) = (index_of(partition), scans.to_vec());
        let job = move |connection: &Connection| {
            let read = |Scan { range, descending, limit }: Scan| {
                let sql = if descending { queries::SCAN_DESCENDING } else { queries::SCAN };
                let params = params![index, range.start, range.end, sql_limit(limit)];
                rows(connection, sql, params, |row| row.get(0))
            };
            scans.into_iter().map(read).collect()
        };
        self.database.read("scanning the index", job).await
    }

    async fn count(&self, partition: &Partition, ranges: &[EntryRange], at_most: usize) -> Result<Vec<usize>, Fault> {
        let (index, ranges) = (index_of(partition), ranges.to_vec());
        let job = move |connection: &Connection| {
            let count = |range: EntryRange| {
                let params = params![index, range.start, range.end, sql_limit(at_most)];
                Ok(rows(connection, queries::COUNT, params, |_| Ok(()))?.len())
            };
            ranges.into_iter().map(count).collect()
        };
        self.database.read("counting in the index", job).await
    }

    async fn totals(&self, sandbox: &SandboxId) -> Result<Totals, Fault> {
        const OPERATION: &str = "reading totals";
        let sandbox = sandbox.to_string();
        let job = move |connection: &Connection| rows(connection, queries::TOTALS, [sandbox], |row| row.try_into());
        let found: Vec<TotalRow> = self.database.read(OPERATION, job).await?;
        totals(&found).map_err(|error| Fault::broken(NAME, OPERATION, error))
    }

    async fn insert_document(&self, document: &Document) -> Result<bool, Fault> {
        let Document { kind, name, version, expires_at, body } = document.clone();
        let row = (kind.as_str(), name, version.cast_signed(), expires_at.as_millis(), body);
        self.changes("inserting a document", queries::INSERT_DOCUMENT, row).await
    }

    async fn document(&self, kind: Kind, name: &str) -> Result<Option<Document>, Fault> {
        // Others are read once, and some are large.
        let epoch = if kind == Kind::Session { self.database.epoch() } else { None };
        let read = async {
            let key = (kind.as_str(), name.to_owned());
            let job = move |connection: &Connection| {
                let mut statement = connection.prepare_cached(queries::DOCUMENT)?;
                statement.query_row(key, |row| document(kind, row)).optional()
            };
            let found = self.database.look_up("reading a document", job).await?;
            Ok(found.map(|document| {
                let bytes = document.body.len();
                (document, bytes)
            }))
        };
        self.sessions.find(epoch, name, read).await
    }

    async fn replace_document(&self, document: &Document, expected: u64) -> Result<Replaced, Fault> {
        let change = self.sessions.change(document.name.clone());
        let Document { kind, name, version, expires_at, body } = document.clone();
        let job = move |connection: &Connection| {
            let (kind, expected, version) = (kind.as_str(), expected.cast_signed(), version.cast_signed());
            let row = params![kind, name, expected, version, expires_at.as_millis(), body];
            let changed = changes(connection, queries::REPLACE_DOCUMENT, row)?;
            outcome(connection, changed, queries::DOCUMENT_EXISTS, &[&kind, &name])
        };
        self.change("replacing a document", change, job).await
    }

    async fn delete_document(&self, kind: Kind, name: &str, version: u64) -> Result<Replaced, Fault> {
        let change = self.sessions.change(name.to_owned());
        let (kind, name) = (kind.as_str(), name.to_owned());
        let job = move |connection: &Connection| {
            let row = params![kind, name, version.cast_signed()];
            let changed = changes(connection, queries::DELETE_DOCUMENT, row)?;
            outcome(connection, changed, queries::DOCUMENT_EXISTS, &[&kind, &name])
        };
        self.change("deleting a document", change, job).await
    }

    async fn expired_documents(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<Document>, Fault> {
        let params = (kind.as_str(), now.as_millis(), sql_limit(limit));
        let job = move |connection: &Connection| {
            rows(connection, queries::EXPIRED_DOCUMENTS, params, |row| document(kind, row))
        };
        self.database.read("finding expired documents", job).await
    }

    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault> {
        const OPERATION: &str = "finding expired artifacts";
        let params = (now.as_millis(), sql_limit(limit));
        let job = move |connection: &Connection| rows(connection, queries::EXPIRED_ARTIFACTS, params, artifact);
        let records: Vec<ParsedArtifact> = self.database.read(OPERATION, job).await?;
        let records: Result<_, _> = records.into_iter().collect();
        records.map_err(|error| Fault::broken(NAME, OPERATION, error))
    }

    async fn default_session(&self, sandbox: &SandboxId, user: &UserId) -> Result<Option<SessionId>, Fault> {
        const OPERATION: &str = "reading a default session";
        let key = [sandbox.to_string(), user.to_string()];
        let job = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(queries::DEFAULT_SESSION)?;
            statement.query_row(key, |row| row.get::<_, String>(0)).optional()
        };
        let session = self.database.look_up(OPERATION, job).await?;
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
        let notes: Result<_, _> = notes.into_iter().map(garbage).collect();
        notes.map_err(|error| Fault::broken(NAME, OPERATION, error))
    }

    async fn forget_garbage(&self, garbage: &Garbage) -> Result<(), Fault> {
        self.changes("forgetting garbage", queries::FORGET_GARBAGE, note_row(garbage)).await.map(drop)
    }
}
