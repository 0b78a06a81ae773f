//! Garbage: notes in sorted sets, each in the shard of its artifact. `artifacts.rs` writes them.

use deadpool_redis::redis::Pipeline;

use super::records::pass_over;
use super::{NAME, RedisMetadata};
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::metadata::Garbage;

/// What a note looks like in its set.
pub(super) fn as_note(garbage: &Garbage) -> serde_json::Result<String> {
    serde_json::to_string(garbage)
}

impl RedisMetadata {
    pub(super) async fn find_due_garbage(
        &self,
        operation: &'static str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Garbage>, Fault> {
        let mut asked = limit;
        loop {
            let notes = self.earliest(operation, |shard| self.keys.garbage(shard), now, asked).await?;
            let read = |(shard, note): &(u8, String)| {
                let garbage = serde_json::from_str(note);
                garbage.inspect_err(|error| pass_over(&self.keys.garbage(*shard), error)).ok()
            };
            let mut garbage: Vec<Garbage> = notes.iter().filter_map(read).collect();
            if notes.len() < asked || garbage.len() >= limit {
                garbage.truncate(limit);
                return Ok(garbage);
            }
            asked = asked.saturating_mul(2);
        }
    }

    pub(super) async fn remove_garbage(&self, operation: &'static str, garbage: &Garbage) -> Result<(), Fault> {
        let note = as_note(garbage).map_err(|error| Fault::broken(NAME, operation, error))?;
        let mut commands = Pipeline::new();
        commands.cmd("ZREM").arg(self.keys.garbage(garbage.key.artifact.shard())).arg(note).ignore();
        self.connector.run(operation, &commands).await
    }
}
