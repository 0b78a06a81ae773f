//! Records under versions: what artifacts and sessions have in common.
//!
//! A record's value is its version, a line break and its JSON: scripts compare the version without
//! reading the rest. The record, its expiry entry and the garbage that its change leaves share a hash
//! slot, so each change is one atomic script. No key has a time to live of Redis' own: bytes must be
//! deleted before their record is.

use deadpool_redis::redis::Pipeline;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::keys::SHARDS;
use super::{NAME, RedisMetadata, scripts};
use crate::domain::Invalid;
use crate::domain::artifact::Artifact;
use crate::domain::id::{SandboxId, SessionId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::metadata::{Garbage, Replaced};

/// What is kept under a version and may expire.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// The word for it in the names of keys.
    const KIND: &'static str;

    /// Its name among its kind, free of braces.
    fn member(&self) -> String;
    fn version(&self) -> u64;
    fn expires_at(&self) -> Option<Timestamp>;
}

impl Record for Artifact {
    const KIND: &'static str = "artifact";

    fn member(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.life.map(|life| life.expires_at)
    }
}

impl Record for Session {
    const KIND: &'static str = "session";

    fn member(&self) -> String {
        session_member(&self.sandbox, &self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.life.expires_at)
    }
}

pub(super) fn session_member(sandbox: &SandboxId, id: &SessionId) -> String {
    format!("{}/{}", sandbox.to_segment(), id.to_segment())
}

impl RedisMetadata {
    /// Creates a record in the same go as the commands `before` it; `false` when there is one.
    pub(super) async fn insert<R: Record>(
        &self,
        operation: &'static str,
        before: &Pipeline,
        record: &R,
    ) -> Result<bool, Fault> {
        let member = record.member();
        let keys = self.keys.record(R::KIND, &member);
        let keys = [keys.record.as_str(), &keys.expiry];
        let args = [encode(operation, record)?, member, score(record.expires_at())];
        let args = args.each_ref().map(String::as_str);
        Ok(self.connector.run_script(operation, before, &scripts::INSERT, &keys, &args).await? == 1)
    }

    /// The record of this name.
    pub(super) async fn get<R: Record>(&self, operation: &'static str, member: String) -> Result<Option<R>, Fault> {
        Ok(self.get_all(operation, &[member]).await?.pop().flatten())
    }

    /// The records of these names, in their order. They lie in many slots, so each is asked for by
    /// itself, all in one go.
    pub(super) async fn get_all<R: Record>(
        &self,
        operation: &'static str,
        members: &[String],
    ) -> Result<Vec<Option<R>>, Fault> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = Pipeline::with_capacity(members.len());
        for member in members {
            commands.cmd("GET").arg(self.keys.record(R::KIND, member).record);
        }
        let values: Vec<Option<String>> = self.connector.run(operation, &commands).await?;
        values.into_iter().map(|value| value.map(|value| decode(operation, &value)).transpose()).collect()
    }

    /// Puts `record` in place of the one with its name if that still has version `expected`.
    pub(super) async fn replace<R: Record>(
        &self,
        operation: &'static str,
        record: &R,
        expected: u64,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        let value = encode(operation, record)?;
        let change =
            Change { expected: &expected.to_string(), value: &value, expires_at: record.expires_at(), garbage };
        self.change::<R>(operation, &record.member(), change).await
    }

    /// Removes the record with the name of `record` if it still has its version.
    pub(super) async fn delete<R: Record>(
        &self,
        operation: &'static str,
        record: &R,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        let change = Change { expected: &record.version().to_string(), value: "", expires_at: None, garbage };
        self.change::<R>(operation, &record.member(), change).await
    }

    async fn change<R: Record>(
        &self,
        operation: &'static str,
        member: &str,
        change: Change<'_>,
    ) -> Result<Replaced, Fault> {
        let keys = self.keys.record(R::KIND, member);
        let keys = [keys.record.as_str(), &keys.expiry, &keys.garbage];
        let note = change.garbage.map(|garbage| encode_garbage(operation, garbage)).transpose()?;
        let args = [
            change.expected,
            change.value,
            member,
            &score(change.expires_at),
            &note.unwrap_or_default(),
            &score(change.garbage.map(|garbage| garbage.due)),
        ];
        match self.connector.run_script(operation, &Pipeline::new(), &scripts::CHANGE, &keys, &args).await? {
            1 => Ok(Replaced::Done),
            0 => Ok(Replaced::Stale),
            _ => Ok(Replaced::Missing),
        }
    }

    /// At most `limit` records whose life was over at `now`, the longest expired first. There may be
    /// more than are given when entries had to be repaired.
    ///
    /// An entry never decides alone. It changes in the same step as its record, but a restored backup
    /// or an eviction can part them; what does not fit its record is put right here.
    pub(super) async fn expired<R: Record>(
        &self,
        operation: &'static str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<R>, Fault> {
        let indexes = (0..SHARDS).map(|shard| self.keys.expiry(R::KIND, shard));
        let members = self.earliest(operation, indexes, now, limit).await?;
        let records = self.get_all::<R>(operation, &members).await?;
        let mut expired = Vec::with_capacity(records.len());
        for (member, record) in members.iter().zip(records) {
            match record {
                Some(record) if record.expires_at().is_some_and(|expires_at| expires_at <= now) => expired.push(record),
                Some(record) => {
                    let _ = self.replace(operation, &record, record.version(), None).await?;
                }
                None => {
                    // No record has an empty version: this removes the entry, and nothing but the entry.
                    let nothing = Change { expected: "", value: "", expires_at: None, garbage: None };
                    let _ = self.change::<R>(operation, member, nothing).await?;
                }
            }
        }
        Ok(expired)
    }

    /// At most `limit` members of the sorted sets with a score of at most `until`, lowest first.
    pub(super) async fn earliest(
        &self,
        operation: &'static str,
        indexes: impl Iterator<Item = String>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<String>, Fault> {
        let mut commands = Pipeline::with_capacity(usize::from(SHARDS));
        for index in indexes {
            let range = commands.cmd("ZRANGEBYSCORE").arg(index).arg("-inf").arg(until.as_millis());
            range.arg("WITHSCORES").arg("LIMIT").arg(0).arg(redis_limit(limit));
        }
        let found: Vec<Vec<(String, f64)>> = self.connector.run(operation, &commands).await?;
        let mut found: Vec<(String, f64)> = found.into_iter().flatten().collect();
        found.sort_unstable_by(|(a, early), (b, late)| early.total_cmp(late).then_with(|| a.cmp(b)));
        found.truncate(limit);
        Ok(found.into_iter().map(|(member, _)| member).collect())
    }
}

/// What becomes of a record.
struct Change<'a> {
    expected: &'a str,
    /// Empty: it is removed.
    value: &'a str,
    expires_at: Option<Timestamp>,
    garbage: Option<&'a Garbage>,
}

/// The score of an instant, and for none the empty text that scripts take for it.
fn score(instant: Option<Timestamp>) -> String {
    instant.map(|instant| instant.as_millis().to_string()).unwrap_or_default()
}

pub(super) fn redis_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn encode<R: Record>(operation: &'static str, record: &R) -> Result<String, Fault> {
    let json = serde_json::to_string(record).map_err(|error| Fault::broken(NAME, operation, error))?;
    Ok(format!("{}\n{json}", record.version()))
}

fn decode<R: Record>(operation: &'static str, value: &str) -> Result<R, Fault> {
    let Some((_, json)) = value.split_once('\n') else {
        return Err(Fault::broken(NAME, operation, Invalid::new("a record has no version")));
    };
    serde_json::from_str(json).map_err(|error| Fault::broken(NAME, operation, error))
}

pub(super) fn encode_garbage(operation: &'static str, garbage: &Garbage) -> Result<String, Fault> {
    serde_json::to_string(garbage).map_err(|error| Fault::broken(NAME, operation, error))
}
