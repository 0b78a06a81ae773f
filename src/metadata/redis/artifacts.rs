//! Artifacts: records with entries in the index of their partition and a part in the totals of their
//! sandbox.

use std::collections::BTreeSet;

use super::garbage::as_note;
use super::keys::Place;
use super::records::{Beside, Change, Stored, score};
use super::{NAME, RedisMetadata};
use crate::domain::Invalid;
use crate::domain::artifact::Artifact;
use crate::fault::{Cause, Fault};
use crate::metadata::{Entry, Garbage, Replaced, entries_of};

impl RedisMetadata {
    /// Makes `after` of the record `before` of an artifact; `None`: there is none.
    pub(super) async fn change_artifact(
        &self,
        operation: &'static str,
        artifact: &Artifact,
        (before, after): (Option<&Artifact>, Option<&Artifact>),
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        if artifact.id.shard() != artifact.partition.shard() {
            let elsewhere = Invalid::new("the id of the artifact was made for another partition");
            return Err(Fault::broken(NAME, operation, elsewhere));
        }
        let broken = |error| Fault::broken(NAME, operation, error);
        let stored = after.map(to_stored).transpose().map_err(broken)?;
        let beside = self.beside(artifact, (before, after), garbage).map_err(broken)?;
        let expected = before.map(|before| before.version.to_string()).unwrap_or_default();
        let change = Change { expected: &expected, to: stored.as_ref() };
        self.change(operation, &Place::artifact(artifact.id), &change, &beside).await
    }

    fn beside(
        &self,
        artifact: &Artifact,
        (before, after): (Option<&Artifact>, Option<&Artifact>),
        garbage: Option<&Garbage>,
    ) -> Result<Beside, Cause> {
        let (shard, partition) = (artifact.id.shard(), &artifact.partition);
        let keys =
            vec![self.keys.garbage(shard), self.keys.index(partition), self.keys.totals(shard, partition.sandbox())];
        let entries = |artifact: Option<&Artifact>| artifact.map(entries_of).unwrap_or_default();
        let (old, new): (BTreeSet<Entry>, BTreeSet<Entry>) = (entries(before), entries(after));
        let leaving: Vec<Entry> = old.difference(&new).cloned().collect();
        let bytes = |artifact: Option<&Artifact>| artifact.map_or(0, |artifact| i128::from(artifact.content.bytes));
        let mut args = vec![
            garbage.map(as_note).transpose()?.unwrap_or_default().into_bytes(),
            score(garbage.map(|garbage| garbage.due)).into_bytes(),
            partition.scope().as_str().into(),
            (i8::from(after.is_some()) - i8::from(before.is_some())).to_string().into_bytes(),
            (bytes(after) - bytes(before)).to_string().into_bytes(),
            leaving.len().to_string().into_bytes(),
        ];
        args.extend(leaving);
        args.extend(new.difference(&old).cloned());
        Ok(Beside { keys, args })
    }
}

fn to_stored(artifact: &Artifact) -> Result<Stored, Cause> {
    let content = serde_json::to_string(artifact)?;
    Ok(Stored { version: artifact.version, expires_at: artifact.life.map(|life| life.expires_at), content })
}

pub(super) fn as_artifact(_: &Place, stored: Stored) -> Result<Artifact, Cause> {
    Ok(serde_json::from_str(&stored.content)?)
}
