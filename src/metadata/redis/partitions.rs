//! The index of a partition: the ids of its artifacts, newest first.
//!
//! A record and the index of its partition may lie on different servers of a cluster, so they do not
//! change in one step. The order of the steps keeps the index complete: an entry is there before its
//! record, and goes after it. Hence there can be entries without a record, for a moment or, after a
//! crash, for good. A listing passes over them and has them removed.
//!
//! It must not remove the entry of an insertion that is under way. How old an id is says nothing about
//! that, because the id is made before the upload begins. So the first listing that misses a record
//! makes its entry a suspect, an insertion clears that suspicion first of all, and only who finds the
//! record still missing after [`super::DANGLING_GRACE`] removes the entry. To fool this, an insertion
//! would have to take longer than that between two commands that it sends in one go.

use deadpool_redis::redis::Pipeline;

use super::records::redis_limit;
use super::{RedisMetadata, scripts};
use crate::domain::artifact::Artifact;
use crate::domain::id::ArtifactId;
use crate::domain::scope::Partition;
use crate::fault::{Chain, Fault};

impl RedisMetadata {
    /// The commands that put an artifact into the index of its partition.
    pub(super) fn index_entry(&self, artifact: &Artifact) -> Pipeline {
        let id = artifact.id.to_string();
        let mut commands = Pipeline::with_capacity(2);
        commands.cmd("HDEL").arg(self.keys.suspects(&artifact.partition)).arg(&id).ignore();
        commands.cmd("ZADD").arg(self.keys.partition(&artifact.partition)).arg(0).arg(&id).ignore();
        commands
    }

    /// Takes an artifact that was deleted out of the index. The deletion has been done whether or not
    /// this succeeds.
    pub(super) async fn remove_index_entry(&self, artifact: &Artifact) {
        let mut commands = Pipeline::new();
        commands.cmd("ZREM").arg(self.keys.partition(&artifact.partition)).arg(artifact.id.to_string()).ignore();
        if let Err(fault) = self.connector.run::<()>("removing an index entry", &commands).await {
            tracing::warn!(error = %Chain(&fault), "an index entry is left for a listing to remove");
        }
    }

    /// At most `limit` artifacts of a partition, newest first, those before `before`.
    pub(super) async fn list(
        &self,
        partition: &Partition,
        before: Option<ArtifactId>,
        limit: usize,
    ) -> Result<Vec<Artifact>, Fault> {
        const OPERATION: &str = "listing artifacts";
        let index = self.keys.partition(partition);
        let mut bound = before.map_or_else(|| "+".to_owned(), |id| format!("({id}"));
        let mut listed = Vec::new();
        while listed.len() < limit {
            let mut commands = Pipeline::new();
            let range = commands.cmd("ZREVRANGEBYLEX").arg(&index).arg(&bound).arg("-");
            range.arg("LIMIT").arg(0).arg(redis_limit(limit));
            let (ids,): (Vec<String>,) = self.connector.run(OPERATION, &commands).await?;
            let Some(last) = ids.last() else { break };
            bound = format!("({last}");

            let mut dangling = Vec::new();
            for (id, record) in ids.iter().zip(self.get_all::<Artifact>(OPERATION, &ids).await?) {
                // An id that was refused because another partition has it leaves an entry, too.
                match record.filter(|record| record.partition == *partition) {
                    Some(record) => listed.push(record),
                    None => dangling.push(id.as_str()),
                }
            }
            if !dangling.is_empty() {
                self.drop_dangling(partition, &dangling).await?;
            }
            if ids.len() < limit {
                break;
            }
        }
        listed.truncate(limit);
        Ok(listed)
    }

    async fn drop_dangling(&self, partition: &Partition, ids: &[&str]) -> Result<(), Fault> {
        let keys = [self.keys.partition(partition), self.keys.suspects(partition)];
        let grace = self.dangling_grace.as_secs().to_string();
        let args: Vec<&str> = std::iter::once(grace.as_str()).chain(ids.iter().copied()).collect();
        let keys = keys.each_ref().map(String::as_str);
        let script = &scripts::DROP_DANGLING;
        self.connector.run_script("removing index entries", &Pipeline::new(), script, &keys, &args).await.map(drop)
    }
}
