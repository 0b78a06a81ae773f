//! Records under versions: what artifacts and documents have in common.
//!
//! A record's value is a line with its version and its end, then its content: scripts compare the version
//! without reading the rest. It shares a hash slot with all that changes with it, so each change is one
//! atomic script. No key has a time to live of Redis' own: bytes must be deleted before their record is.

use deadpool_redis::redis::Pipeline;

use super::keys::Place;
use super::{NAME, RedisMetadata, scripts};
use crate::domain::Invalid;
use crate::domain::id::SHARDS;
use crate::domain::time::Timestamp;
use crate::fault::{Cause, Fault};
use crate::metadata::Replaced;

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) version: u64,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) content: String,
}

impl Stored {
    fn to_value(&self) -> String {
        format!("{} {}\n{}", self.version, score(self.expires_at), self.content)
    }

    fn read(value: Vec<u8>) -> Result<Self, Cause> {
        let mut content = String::from_utf8(value)?;
        let (line, _) = content.split_once('\n').ok_or(Invalid::new("a record has no first line"))?;
        let (version, expires_at) = line.split_once(' ').ok_or(Invalid::new("a record has no version"))?;
        let (version, start) = (version.parse()?, line.len() + 1);
        let expires_at =
            (!expires_at.is_empty()).then(|| expires_at.parse().map(Timestamp::from_millis)).transpose()?;
        content.drain(..start);
        Ok(Self { version, expires_at, content })
    }
}

/// A change of a record.
pub(super) struct Change<'a> {
    /// The version that it must have; empty when it must not be there.
    pub(super) expected: &'a str,
    /// What it becomes; `None`: it is removed.
    pub(super) to: Option<&'a Stored>,
}

/// No record has this version.
const NO_VERSION: &str = "-";

/// What changes together with the record of an artifact; the script says what stands where.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) keys: Vec<String>,
    pub(super) args: Vec<Vec<u8>>,
}

/// What an entry of an expiry index leads to.
enum Ended<T> {
    /// What has ended, as it should have.
    Yes(T),
    /// What has not.
    No(Stored),
}

impl RedisMetadata {
    /// The record at this place.
    pub(super) async fn get(&self, operation: &'static str, place: &Place) -> Result<Option<Stored>, Fault> {
        let mut commands = Pipeline::new();
        commands.cmd("GET").arg(self.keys.record(place));
        let (value,): (Option<Vec<u8>>,) = self.connector.run(operation, &commands).await?;
        value.map(Stored::read).transpose().map_err(|error| Fault::broken(NAME, operation, error))
    }

    /// What `read` makes of the records at these places, in their order. Of many records, one that cannot
    /// be read is passed over, as if it were missing.
    pub(super) async fn get_all<T>(
        &self,
        operation: &'static str,
        places: &[Place],
        read: impl Fn(&Place, Stored) -> Result<T, Cause>,
    ) -> Result<Vec<Option<T>>, Fault> {
        let mut by_shard: Vec<(usize, &Place)> = places.iter().enumerate().collect();
        by_shard.sort_by_key(|(_, place)| place.shard);
        let mut commands = Pipeline::new();
        for shard in by_shard.chunk_by(|(_, a), (_, b)| a.shard == b.shard) {
            commands.cmd("MGET").arg(shard.iter().map(|(_, place)| self.keys.record(place)).collect::<Vec<_>>());
        }
        let values: Vec<Vec<Option<Vec<u8>>>> = self.connector.run(operation, &commands).await?;
        let read = |place: &Place, value| {
            let record = Stored::read(value).and_then(|stored| read(place, stored));
            record.inspect_err(|error| pass_over(&self.keys.record(place), error)).ok()
        };
        let values = by_shard.into_iter().zip(values.into_iter().flatten());
        let mut records: Vec<(usize, Option<T>)> =
            values.map(|((index, place), value)| (index, value.and_then(|value| read(place, value)))).collect();
        records.sort_unstable_by_key(|(index, _)| *index);
        Ok(records.into_iter().map(|(_, record)| record).collect())
    }

    /// Changes a record, its expiry entry and what is `beside` them.
    pub(super) async fn change(
        &self,
        operation: &'static str,
        place: &Place,
        change: &Change<'_>,
        beside: &Beside,
    ) -> Result<Replaced, Fault> {
        let (record, expiry) = (self.keys.record(place), self.keys.expiry(place.shard, place.kind));
        let mut keys = vec![record.as_str(), expiry.as_str()];
        keys.extend(beside.keys.iter().map(String::as_str));
        let value = change.to.map(Stored::to_value).unwrap_or_default();
        let expires_at = score(change.to.and_then(|stored| stored.expires_at));
        let mut args = [change.expected, &value, &place.name, &expires_at].map(str::as_bytes).to_vec();
        args.extend(beside.args.iter().map(Vec::as_slice));
        match self.connector.run_script(operation, &scripts::CHANGE, &keys, &args).await? {
            1 => Ok(Replaced::Done),
            0 => Ok(Replaced::Stale),
            _ => Ok(Replaced::Missing),
        }
    }

    /// What `read` makes of at most `limit` records of a kind whose life was over at `now`, the longest
    /// expired first.
    ///
    /// An entry never decides alone. It changes in the same step as its record, but a restored backup
    /// or an eviction can part them; what does not fit its record is put right here.
    pub(super) async fn expired<T>(
        &self,
        operation: &'static str,
        kind: &'static str,
        now: Timestamp,
        limit: usize,
        read: impl Fn(&Place, Stored) -> Result<T, Cause>,
    ) -> Result<Vec<T>, Fault> {
        let read = |place: &Place, stored: Stored| {
            let is_over = stored.expires_at.is_some_and(|expires_at| expires_at <= now);
            if is_over { read(place, stored).map(Ended::Yes) } else { Ok(Ended::No(stored)) }
        };
        let mut asked = limit;
        loop {
            let earliest = self.earliest(operation, |shard| self.keys.expiry(shard, kind), now, asked).await?;
            let are_all = earliest.len() < asked;
            let places: Vec<Place> = earliest.into_iter().map(|(shard, name)| Place { shard, kind, name }).collect();
            let mut expired = Vec::with_capacity(places.len());
            for (place, record) in places.iter().zip(self.get_all(operation, &places, read).await?) {
                match record {
                    Some(Ended::Yes(record)) => expired.push(record),
                    Some(Ended::No(stored)) => self.mend(operation, place, Some(&stored)).await?,
                    None => self.mend(operation, place, None).await?,
                }
            }
            if are_all || expired.len() >= limit {
                expired.truncate(limit);
                return Ok(expired);
            }
            // What was passed over must not hide what comes behind it.
            asked = asked.saturating_mul(2);
        }
    }

    /// Makes an expiry entry fit the record that was found, if that is still as it was.
    async fn mend(&self, operation: &'static str, place: &Place, found: Option<&Stored>) -> Result<(), Fault> {
        let version = found.map_or(NO_VERSION.to_owned(), |stored| stored.version.to_string());
        let change = Change { expected: &version, to: found };
        self.change(operation, place, &change, &Beside::default()).await.map(drop)
    }

    /// At most `limit` members of the sorted sets `index` of all shards, those with a score of at most
    /// `until`, lowest first; each with its shard.
    pub(super) async fn earliest(
        &self,
        operation: &'static str,
        index: impl Fn(u8) -> String,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(u8, String)>, Fault> {
        let mut commands = Pipeline::with_capacity(usize::from(SHARDS));
        for shard in 0..SHARDS {
            let range = commands.cmd("ZRANGE").arg(index(shard)).arg("-inf").arg(until.as_millis()).arg("BYSCORE");
            range.arg("LIMIT").arg(0).arg(redis_limit(limit)).arg("WITHSCORES");
        }
        let found: Vec<Vec<(String, f64)>> = self.connector.run(operation, &commands).await?;
        let in_shard =
            |(shard, found): (u8, Vec<_>)| found.into_iter().map(move |(member, score)| (score, member, shard));
        let mut found: Vec<(f64, String, u8)> = (0..SHARDS).zip(found).flat_map(in_shard).collect();
        found.sort_unstable_by(|(early, a, _), (late, b, _)| early.total_cmp(late).then_with(|| a.cmp(b)));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, member, shard)| (shard, member)).collect())
    }
}

/// The score of an instant, and for none the empty text that scripts take for it.
pub(super) fn score(instant: Option<Timestamp>) -> String {
    instant.map(|instant| instant.as_millis().to_string()).unwrap_or_default()
}

pub(super) fn redis_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Tells the operator of what is left out.
pub(super) fn pass_over(key: &str, error: &dyn std::fmt::Display) {
    tracing::warn!(key, %error, "what is kept under this key cannot be read and is passed over");
}
