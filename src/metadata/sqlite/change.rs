//! What changes with an artifact beside its record: index entries and totals.

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::{changes, queries};
use crate::domain::artifact::Artifact;
use crate::domain::scope::Partition;
use crate::metadata::{Entry, entries_of};

/// The difference between a record before and after a change. It is made before the writer is asked, whose
/// time is everybody's.
pub(super) struct Difference {
    index: i64,
    added: Vec<Entry>,
    removed: Vec<Entry>,
    sandbox: String,
    scope: &'static str,
    artifacts: i64,
    bytes: i64,
}

impl Difference {
    /// That a new record makes.
    pub(super) fn inserting(after: &Artifact) -> Self {
        Self::between(&after.partition, None, Some(after))
    }

    /// That a change makes.
    pub(super) fn replacing(before: &Artifact, after: &Artifact) -> Self {
        Self::between(&after.partition, Some(before), Some(after))
    }

    /// That a removal makes.
    pub(super) fn deleting(before: &Artifact) -> Self {
        Self::between(&before.partition, Some(before), None)
    }

    fn between(partition: &Partition, before: Option<&Artifact>, after: Option<&Artifact>) -> Self {
        let [old, new] = [before, after].map(|artifact| artifact.map(entries_of).unwrap_or_default());
        let number = |artifact: Option<&Artifact>| i64::from(artifact.is_some());
        let bytes = |artifact: Option<&Artifact>| artifact.map_or(0, |artifact| artifact.content.bytes.cast_signed());
        Self {
            index: index_of(partition),
            added: new.difference(&old).cloned().collect(),
            removed: old.difference(&new).cloned().collect(),
            sandbox: partition.sandbox().to_string(),
            scope: partition.scope().as_str(),
            artifacts: number(after) - number(before),
            bytes: bytes(after).wrapping_sub(bytes(before)),
        }
    }

    /// Writes it.
    pub(super) fn apply(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (sql, entries) in [(queries::DELETE_ENTRY, &self.removed), (queries::INSERT_ENTRY, &self.added)] {
            let mut statement = connection.prepare_cached(sql)?;
            for entry in entries {
                statement.execute(params![self.index, entry])?;
            }
        }
        if (self.artifacts, self.bytes) != (0, 0) {
            let row = params![self.sandbox, self.scope, self.artifacts, self.bytes];
            changes(connection, queries::ADD_TO_TOTAL, row)?;
        }
        Ok(())
    }
}

/// The number of a partition's index: the beginning of a hash.
pub(super) fn index_of(partition: &Partition) -> i64 {
    let digest: [u8; 32] = Sha256::digest(partition.to_string()).into();
    i64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
}
