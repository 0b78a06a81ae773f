//! Records in Redis, for many instances of the service side by side.
//!
//! No command with several keys and no script leaves one hash slot, so all of them are legal on Redis
//! Cluster; `keys.rs` shows the layout. A record changes together with its expiry entry and its garbage
//! in one script (`records.rs`). Only the index of its partition lies elsewhere; it never misses a
//! record (`partitions.rs`).
//!
//! How durable an answer is, the server decides: with `appendfsync always` as durable as its disk. It
//! must not evict keys (`maxmemory-policy noeviction`).

mod connector;
mod keys;
mod partitions;
mod records;
mod scripts;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::Pipeline;

use self::connector::Connector;
use self::keys::{Keys, SHARDS};
use self::records::{encode_garbage, session_member};
use super::{Garbage, MetadataStore, Replaced};
use crate::domain::Invalid;
use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::Partition;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::fault::Fault;

const NAME: &str = "redis";

/// How long the server may take to connect, and to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long an index entry may be without its record before it is removed: far longer than the
/// insertion that it may belong to can take.
const DANGLING_GRACE: Duration = Duration::from_secs(60);

/// Records in a Redis server.
pub struct RedisMetadata {
    connector: Connector,
    keys: Keys,
    dangling_grace: Duration,
}

impl RedisMetadata {
    /// Prepares for the server at `url` (`redis://` or, with TLS, `rediss://`), with keys that begin
    /// with `prefix`. Connections are made when they are needed: this succeeds while the server is down.
    pub fn connect(url: &str, prefix: &str) -> Result<Self, Fault> {
        let braces = Invalid::new("the prefix must not contain braces");
        let keys = Keys::new(prefix).ok_or_else(|| Fault::broken(NAME, "reading the prefix", braces))?;
        Ok(Self { connector: Connector::new(url, DEADLINE)?, keys, dangling_grace: DANGLING_GRACE })
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

    async fn ping(&self) -> Result<(), Fault> {
        let mut commands = Pipeline::new();
        commands.cmd("PING").ignore();
        self.connector.run("answering a ping", &commands).await
    }

    async fn insert_artifact(&self, artifact: &Artifact) -> Result<bool, Fault> {
        let entry = self.index_entry(artifact);
        self.insert("inserting an artifact", &entry, artifact).await
    }

    async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, Fault> {
        self.get("reading an artifact", id.to_string()).await
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
        self.replace("replacing an artifact", artifact, before.version, garbage).await
    }

    async fn delete_artifact(&self, artifact: &Artifact, garbage: &Garbage) -> Result<Replaced, Fault> {
        let outcome = self.delete("deleting an artifact", artifact, Some(garbage)).await?;
        if outcome == Replaced::Done {
            self.remove_index_entry(artifact).await;
        }
        Ok(outcome)
    }

    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault> {
        self.expired("finding expired artifacts", now, limit).await
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
        let ids: Vec<&str> = std::iter::once(new).chain(expected).map(SessionId::as_str).collect();
        let (nothing, script) = (Pipeline::new(), &scripts::SET_DEFAULT_SESSION);
        let changed =
            self.connector.run_script("changing a default session", &nothing, script, &[key.as_str()], &ids).await?;
        Ok(changed == 1)
    }

    async fn due_garbage(&self, now: Timestamp, limit: usize) -> Result<Vec<Garbage>, Fault> {
        const OPERATION: &str = "finding due garbage";
        let notes = self.earliest(OPERATION, (0..SHARDS).map(|shard| self.keys.garbage(shard)), now, limit).await?;
        let notes = notes.iter().map(|note| serde_json::from_str(note));
        notes.collect::<Result<_, _>>().map_err(|error| Fault::broken(NAME, OPERATION, error))
    }

    async fn forget_garbage(&self, garbage: &Garbage) -> Result<(), Fault> {
        const OPERATION: &str = "forgetting garbage";
        let mut commands = Pipeline::new();
        commands.cmd("ZREM").arg(self.keys.garbage_of(garbage.key.artifact));
        commands.arg(encode_garbage(OPERATION, garbage)?).ignore();
        self.connector.run(OPERATION, &commands).await
    }
}
