//! Metadata providers: where the records are.
//!
//! A provider is dumb: it gets explicit records, instants and versions and does what it is told. It
//! never asks for the time and never decides whether something is allowed or expired. Every provider
//! passes the same suite of cases (`contract.rs`).

#[cfg(test)]
mod contract;
mod directory;
mod document;
mod index;
mod memory;
mod redis;
mod search;
mod sqlite;

use async_trait::async_trait;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::{Partition, Scope};
use crate::domain::time::Timestamp;
use crate::fault::Fault;

pub use self::directory::{Contents, Directory};
pub use self::document::{Document, Documented, Kind, session_name};
pub use self::index::{Entry, EntryRange, entries_of};
pub use self::memory::MemoryMetadata;
pub use self::redis::RedisMetadata;
pub use self::search::{Found, MAX_CANDIDATES, Position, Search};
pub use self::sqlite::SqliteMetadata;

/// A place for the records of artifacts and sessions.
///
/// What holds for every provider:
/// - A method that has answered has done its work durably (`memory` excepted), the index entries
///   included: a record is never found by its id and missed by a listing.
/// - Methods on one record are linearisable. Of two `replace_…` calls with the same `expected`
///   version, one is applied.
/// - `delete_…` of what is not there is no error.
/// - The id of a deleted record is not used again.
/// - Garbage that is noted with the change of a record has a key of the same artifact.
#[async_trait]
pub trait MetadataStore: Send + Sync + 'static {
    /// The name in the configuration.
    fn name(&self) -> &'static str;

    /// Adds the provider's own figures, if it has any, to those that a monitoring system reads.
    fn register(&self, _: &mut Registry) {}

    /// Whether the provider has just refused something for lack of room, and nothing was removed since.
    fn is_full(&self) -> bool {
        false
    }

    /// Asks the provider for an answer, without changing anything.
    async fn ping(&self) -> Result<(), Fault>;

    /// Creates a record; `false` when its id is taken.
    async fn insert_artifact(&self, artifact: &Artifact) -> Result<bool, Fault>;

    /// The record with this id, expired or not.
    async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, Fault>;

    /// The records with these ids, in their order.
    async fn artifacts(&self, ids: &[ArtifactId]) -> Result<Vec<Option<Artifact>>, Fault>;

    /// Puts `after` in place of the record `before`, if that is still there in its version. Id, partition
    /// and `stored_at` are the same in both. With the change, `garbage` is noted.
    async fn replace_artifact(
        &self,
        before: &Artifact,
        after: &Artifact,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault>;

    /// Removes the record with the id of `artifact` if it still has its version, and notes `garbage`.
    async fn delete_artifact(&self, artifact: &Artifact, garbage: &Garbage) -> Result<Replaced, Fault>;

    /// The entries in parts of a partition's index ([`entries_of`] all its artifacts), one list for each part. A range
    /// that ends before it begins is empty.
    async fn scan(&self, partition: &Partition, scans: &[Scan]) -> Result<Vec<Vec<Entry>>, Fault>;

    /// How many entries are in each of these ranges of a partition's index; at `at_most`, the counting stops.
    async fn count(&self, partition: &Partition, ranges: &[EntryRange], at_most: usize) -> Result<Vec<usize>, Fault>;

    /// How much there is in each scope of a sandbox, expired or not.
    async fn totals(&self, sandbox: &SandboxId) -> Result<Totals, Fault>;

    /// Creates a document; `false` when its name is taken.
    async fn insert_document(&self, document: &Document) -> Result<bool, Fault>;

    /// The document with this name, expired or not.
    async fn document(&self, kind: Kind, name: &str) -> Result<Option<Document>, Fault>;

    /// Puts `document` in place of the one with its name, if that still has version `expected`.
    async fn replace_document(&self, document: &Document, expected: u64) -> Result<Replaced, Fault>;

    /// Removes a document if it still has this version.
    async fn delete_document(&self, kind: Kind, name: &str, version: u64) -> Result<Replaced, Fault>;

    /// At most `limit` documents of a kind whose life was over at `now`, the longest expired first.
    async fn expired_documents(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<Document>, Fault>;

    /// At most `limit` records whose life was over at `now`, the longest expired first.
    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault>;

    /// The session that a user works in who names none.
    async fn default_session(&self, sandbox: &SandboxId, user: &UserId) -> Result<Option<SessionId>, Fault>;

    /// Makes `new` the default session of a user if it was `expected` so far; `false` when it was another.
    async fn set_default_session(
        &self,
        sandbox: &SandboxId,
        user: &UserId,
        expected: Option<&SessionId>,
        new: &SessionId,
    ) -> Result<bool, Fault>;

    /// At most `limit` notes of garbage that is due at `now`, the longest due first.
    async fn due_garbage(&self, now: Timestamp, limit: usize) -> Result<Vec<Garbage>, Fault>;

    /// Forgets this note, due or not. Another note of the same bytes, due at another instant, stays.
    async fn forget_garbage(&self, garbage: &Garbage) -> Result<(), Fault>;
}

/// A part of an index to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Which.
    pub range: EntryRange,
    /// Whether to begin at its end.
    pub descending: bool,
    /// How many entries at most.
    pub limit: usize,
}

/// How much there is in each scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Of sessions.
    pub session: Total,
    /// Of users.
    pub user: Total,
    /// Shared in the sandbox.
    pub sandbox: Total,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Total {
    /// Artifacts.
    pub artifacts: u64,
    /// Their sizes, added up; replaced content not counted.
    pub bytes: u64,
}

impl Totals {
    /// How much there is in `scope`.
    pub fn of(&self, scope: Scope) -> Total {
        match scope {
            Scope::Session => self.session,
            Scope::User => self.user,
            Scope::Sandbox => self.sandbox,
        }
    }

    /// How much there is in `scope`, to be changed.
    pub(crate) fn of_mut(&mut self, scope: Scope) -> &mut Total {
        match scope {
            Scope::Session => &mut self.session,
            Scope::User => &mut self.user,
            Scope::Sandbox => &mut self.sandbox,
        }
    }
}

/// What became of a conditional change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Replaced {
    /// It was applied.
    Done,
    /// The record has another version.
    Stale,
    /// There is no such record.
    Missing,
}

/// A note that bytes may be of no use from an instant on. It is a hint, not an order: whoever acts on
/// it asks the record first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Garbage {
    /// Where the bytes are.
    pub key: crate::domain::grid::GridKey,
    /// The storage provider that holds them.
    pub provider: String,
    /// Not before this instant.
    pub due: Timestamp,
}
