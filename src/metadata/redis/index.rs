//! Reading the index of a partition and the totals of a sandbox; `artifacts.rs` writes both.
//!
//! Members of a sorted set that have the same score are in the order of their bytes, so the index is one
//! in which all have score 0. It is read by what begins and ends a range.

use deadpool_redis::redis::Pipeline;

use super::RedisMetadata;
use super::records::redis_limit;
use crate::domain::id::{SHARDS, SandboxId};
use crate::domain::scope::{Partition, Scope};
use crate::fault::Fault;
use crate::metadata::{Entry, EntryRange, Scan, Totals};

impl RedisMetadata {
    pub(super) async fn scan_index(
        &self,
        operation: &'static str,
        partition: &Partition,
        scans: &[Scan],
    ) -> Result<Vec<Vec<Entry>>, Fault> {
        let index = self.keys.index(partition);
        let mut commands = Pipeline::with_capacity(scans.len());
        for Scan { range, descending, limit } in scans {
            let (from, to) = bounds(range);
            commands.cmd("ZRANGE").arg(&index);
            if *descending {
                commands.arg(to).arg(from).arg("BYLEX").arg("REV");
            } else {
                commands.arg(from).arg(to).arg("BYLEX");
            }
            commands.arg("LIMIT").arg(0).arg(redis_limit(*limit));
        }
        self.connector.run(operation, &commands).await
    }

    pub(super) async fn count_index(
        &self,
        operation: &'static str,
        partition: &Partition,
        ranges: &[EntryRange],
    ) -> Result<Vec<usize>, Fault> {
        let index = self.keys.index(partition);
        let mut commands = Pipeline::with_capacity(ranges.len());
        for range in ranges {
            let (from, to) = bounds(range);
            commands.cmd("ZLEXCOUNT").arg(&index).arg(from).arg(to);
        }
        self.connector.run(operation, &commands).await
    }

    /// Adds up what the shards know of a sandbox.
    pub(super) async fn add_up(&self, operation: &'static str, sandbox: &SandboxId) -> Result<Totals, Fault> {
        let mut commands = Pipeline::with_capacity(usize::from(SHARDS));
        for shard in 0..SHARDS {
            commands.cmd("HMGET").arg(self.keys.totals(shard, sandbox));
            for scope in Scope::ALL {
                commands.arg(format!("{scope}:artifacts")).arg(format!("{scope}:bytes"));
            }
        }
        let shards: Vec<Vec<Option<u64>>> = self.connector.run(operation, &commands).await?;
        let mut totals = Totals::default();
        for shard in shards {
            for (scope, sums) in Scope::ALL.into_iter().zip(shard.chunks(2)) {
                let total = totals.of_mut(scope);
                if let [artifacts, bytes] = sums {
                    total.artifacts += artifacts.unwrap_or_default();
                    total.bytes += bytes.unwrap_or_default();
                }
            }
        }
        Ok(totals)
    }
}

/// The bounds of a range as commands take them: what follows `[` belongs to it, what follows `(` does not.
fn bounds(range: &EntryRange) -> (Entry, Entry) {
    ([b"[", range.start.as_slice()].concat(), [b"(", range.end.as_slice()].concat())
}
