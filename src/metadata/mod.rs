//! Metadata providers: where the records are.
//!
//! A provider is dumb: it gets explicit records, instants and versions and does what it is told. It
//! never asks for the time and never decides whether something is allowed or expired. Every provider
//! passes the same suite of cases (`contract.rs`).

#[cfg(test)]
mod contract;
mod memory;
mod redis;
mod sqlite;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::Partition;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::fault::Fault;

pub use self::memory::MemoryMetadata;
pub use self::redis::RedisMetadata;
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

    /// Asks the provider for an answer, without changing anything.
    async fn ping(&self) -> Result<(), Fault>;

    /// Creates a record; `false` when its id is taken.
    async fn insert_artifact(&self, artifact: &Artifact) -> Result<bool, Fault>;

    /// The record with this id, expired or not.
    async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, Fault>;

    /// Puts `artifact` in place of the record with its id, if that still has version `expected`. The
    /// partition and `stored_at` are those of the record. With the change, `garbage` is noted.
    async fn replace_artifact(
        &self,
        artifact: &Artifact,
        expected: u64,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault>;

    /// Removes the record with the id of `artifact` if it still has its version, and notes `garbage`.
    async fn delete_artifact(&self, artifact: &Artifact, garbage: &Garbage) -> Result<Replaced, Fault>;

    /// At most `limit` records of a partition, newest first (by descending id), those before `before`.
    async fn artifacts_in(
        &self,
        partition: &Partition,
        before: Option<ArtifactId>,
        limit: usize,
    ) -> Result<Vec<Artifact>, Fault>;

    /// At most `limit` records whose life was over at `now`, the longest expired first.
    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault>;

    /// Creates a session; `false` when its id is taken in its sandbox.
    async fn insert_session(&self, session: &Session) -> Result<bool, Fault>;

    /// The session with this id, expired or not.
    async fn session(&self, sandbox: &SandboxId, id: &SessionId) -> Result<Option<Session>, Fault>;

    /// Puts `session` in place of the record with its id, if that still has version `expected`.
    async fn replace_session(&self, session: &Session, expected: u64) -> Result<Replaced, Fault>;

    /// Removes the session with the id of `session` if it still has its version.
    async fn delete_session(&self, session: &Session) -> Result<Replaced, Fault>;

    /// At most `limit` sessions whose life was over at `now`, the longest expired first.
    async fn expired_sessions(&self, now: Timestamp, limit: usize) -> Result<Vec<Session>, Fault>;

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
