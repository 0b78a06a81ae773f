//! Records in Redis, for many instances of the service side by side.
//!
//! No command with several keys and no script leaves one hash slot, so all of them are legal on Redis
//! Cluster; `keys.rs` shows the layout. A record changes in one script (`records.rs`), together with the
//! entry that finds it when it has expired and, if it is an artifact's, the index of its partition, the
//! totals of its sandbox and its garbage (`artifacts.rs`). So nothing can be found by one way and missed
//! by another.
//!
//! How durable an answer is, the server decides: with `appendfsync always` as durable as its disk. It
//! must not evict keys (`maxmemory-policy noeviction`), and be Redis 6.2 or newer (`ZRANGE … BYLEX`).

mod artifacts;
mod connector;
mod documents;
mod garbage;
mod index;
mod keys;
mod records;
mod scripts;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::Pipeline;

use self::artifacts::as_artifact;
use self::connector::Connector;
use self::keys::{ARTIFACT, Keys, Place};
use super::{Document, Entry, EntryRange, Garbage, Kind, MetadataStore, Replaced, Scan, Totals};
use crate::domain::Invalid;
use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::Partition;
use crate::domain::time::Timestamp;
use crate::fault::Fault;

const NAME: &str = "redis";

/// How long an operation may take, unless another time is given.
const DEADLINE: Duration = Duration::from_secs(10);

/// Records in a Redis server.
pub struct RedisMetadata {
    connector: Connector,
    keys: Keys,
}

impl RedisMetadata {
    /// Prepares for the server at `url` (`redis://` or, with TLS, `rediss://`), with keys that begin
    /// with `prefix`. Connections are made when they are needed: this succeeds while the server is down.
    pub fn connect(url: &str, prefix: &str) -> Result<Self, Fault> {
        Self::connect_within(url, prefix, DEADLINE)
    }

    /// The same, where every operation has an outcome within `deadline`.
    pub fn connect_within(url: &str, prefix: &str, deadline: Duration) -> Result<Self, Fault> {
        let braces = Invalid::new("the prefix must not contain braces");
        let keys = Keys::new(prefix).ok_or_else(|| Fault::broken(NAME, "reading the prefix", braces))?;
        Ok(Self { connector: Connector::new(url, deadline)?, keys })
    }
}

/// Says nothing of the server: its URL may hold a password.
impl fmt::Debug for RedisMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisMetadata").finish_non_exhaustive()
    }
}

#[async_trait]
impl MetadataStore for RedisMetadata {
    fn name(&self) -> &'static str {
        NAME
    }

    fn is_full(&self) -> bool {
        self.connector.fullness().is_full()
    }

    async fn ping(&self) -> Result<(), Fault> {
        let mut commands = Pipeline::new();
        commands.cmd("PING").ignore();
        self.connector.run("answering a ping", &commands).await
    }

    async fn insert_artifact(&self, artifact: &Artifact) -> Result<bool, Fault> {
        let change = (None, Some(artifact));
        let outcome = self.change_artifact("inserting an artifact", artifact, change, None).await?;
        Ok(outcome == Replaced::Done)
    }

    async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, Fault> {
        const OPERATION: &str = "reading an artifact";
        let place = Place::artifact(id);
        let stored = self.get(OPERATION, &place).await?;
        let artifact = stored.map(|stored| as_artifact(&place, stored)).transpose();
        artifact.map_err(|error| Fault::broken(NAME, OPERATION, error))
    }

    async fn artifacts(&self, ids: &[ArtifactId]) -> Result<Vec<Option<Artifact>>, Fault> {
        let places: Vec<Place> = ids.iter().copied().map(Place::artifact).collect();
        self.get_all("reading artifacts", &places, as_artifact).await
    }

    async fn replace_artifact(
        &self,
        before: &Artifact,
        after: &Artifact,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        let change = (Some(before), Some(after));
        self.change_artifact("replacing an artifact", before, change, garbage).await
    }

    async fn delete_artifact(&self, artifact: &Artifact, garbage: &Garbage) -> Result<Replaced, Fault> {
        let change = (Some(artifact), None);
        self.change_artifact("deleting an artifact", artifact, change, Some(garbage)).await
    }

    async fn scan(&self, partition: &Partition, scans: &[Scan]) -> Result<Vec<Vec<Entry>>, Fault> {
        self.scan_index("reading an index", partition, scans).await
    }

    async fn count(&self, partition: &Partition, ranges: &[EntryRange], at_most: usize) -> Result<Vec<usize>, Fault> {
        let counts = self.count_index("counting in an index", partition, ranges).await?;
        Ok(counts.into_iter().map(|count| count.min(at_most)).collect())
    }

    async fn totals(&self, sandbox: &SandboxId) -> Result<Totals, Fault> {
        self.add_up("adding up a sandbox", sandbox).await
    }

    async fn insert_document(&self, document: &Document) -> Result<bool, Fault> {
        Ok(self.put_document("inserting a document", document, "").await? == Replaced::Done)
    }

    async fn document(&self, kind: Kind, name: &str) -> Result<Option<Document>, Fault> {
        self.read_document("reading a document", kind, name).await
    }

    async fn replace_document(&self, document: &Document, expected: u64) -> Result<Replaced, Fault> {
        self.put_document("replacing a document", document, &expected.to_string()).await
    }

    async fn delete_document(&self, kind: Kind, name: &str, version: u64) -> Result<Replaced, Fault> {
        self.remove_document("deleting a document", kind, name, version).await
    }

    async fn expired_documents(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<Document>, Fault> {
        self.find_expired_documents("finding expired documents", kind, now, limit).await
    }

    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault> {
        self.expired("finding expired artifacts", ARTIFACT, now, limit, as_artifact).await
    }

    async fn default_session(&self, sandbox: &SandboxId, user: &UserId) -> Result<Option<SessionId>, Fault> {
        const OPERATION: &str = "reading a default session";
        let mut commands = Pipeline::new();
        commands.cmd("GET").arg(self.keys.default_session(sandbox, user));
        let (session,): (Option<String>,) = self.connector.run(OPERATION, &commands).await?;
        session.map(|id| id.parse()).transpose().map_err(|error| Fault::broken(NAME, OPERATION, error))
    }

    async fn set_default_session(
        &self,
        sandbox: &SandboxId,
        user: &UserId,
        expected: Option<&SessionId>,
        new: &SessionId,
    ) -> Result<bool, Fault> {
        let key = self.keys.default_session(sandbox, user);
        let ids: Vec<&[u8]> = std::iter::once(new).chain(expected).map(|id| id.as_str().as_bytes()).collect();
        let script = &scripts::SET_DEFAULT_SESSION;
        Ok(self.connector.run_script("changing a default session", script, &[&key], &ids).await? == 1)
    }

    async fn due_garbage(&self, now: Timestamp, limit: usize) -> Result<Vec<Garbage>, Fault> {
        self.find_due_garbage("finding due garbage", now, limit).await
    }

    async fn forget_garbage(&self, garbage: &Garbage) -> Result<(), Fault> {
        self.remove_garbage("forgetting garbage", garbage).await
    }
}
