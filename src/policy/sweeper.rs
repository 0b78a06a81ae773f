//! Removes what is over: expired artifacts, ended sessions, garbage, and uploads that never became files.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Error, Service};
use crate::domain::grid::GridKey;
use crate::domain::time::Timestamp;
use crate::fault::Chain;
use crate::metadata::{Garbage, Replaced};
use crate::storage::{Key, ObjectInfo};

/// How many things of a kind are looked at together.
const PAGE: usize = 100;
/// How many such pages a sweep looks at; what is left waits for the next one.
const MAX_PAGES: usize = 100;

/// After this long, bytes belong to no request that is still under way.
const ABANDONED_AFTER_SECONDS: u64 = 86_400;

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Expired artifacts, with their bytes.
    pub artifacts: u64,
    /// Ended sessions.
    pub sessions: u64,
    /// Bytes that were noted as garbage.
    pub garbage: u64,
    /// Staged bytes of requests that broke off.
    pub abandoned: u64,
    /// What could not be removed; the log says why.
    pub failures: u64,
}

impl Service {
    /// Removes what is over at `now`. Any number of processes may do so at the same time. What fails is
    /// logged and left for the next sweep, and hinders nothing else.
    pub async fn sweep(&self, now: Timestamp) -> Swept {
        let mut swept = Swept::default();
        let mut failures = 0;
        swept.artifacts = settle(self.sweep_artifacts(now, &mut failures).await, &mut failures);
        swept.sessions = settle(self.sweep_sessions(now, &mut failures).await, &mut failures);
        swept.garbage = settle(self.sweep_garbage(now, &mut failures).await, &mut failures);
        swept.abandoned = settle(self.sweep_abandoned(now).await, &mut failures);
        Swept { failures, ..swept }
    }

    /// Sweeps every `interval` until cancelled.
    pub async fn sweep_every(self, interval: Duration, cancelled: CancellationToken) {
        while cancelled.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
            let swept = self.sweep(self.clock.now()).await;
            if swept != Swept::default() {
                info!(?swept, "swept");
            }
        }
    }

    /// Removes bytes in the grid that no record points at, for the operator to call for after a crash. It
    /// looks at every object, and takes the records' word: with lost records, all bytes are orphans.
    pub async fn sweep_orphans(&self, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        let mut after = None;
        loop {
            let page = self.storage.list("grid/", after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(swept) };
            after = Some(last.key.clone());
            for object in page {
                if is_abandoned(&object, now) && !self.is_in_use(&object.key).await? {
                    self.storage.delete(&object.key).await?;
                    swept += 1;
                }
            }
        }
    }

    async fn is_in_use(&self, key: &Key) -> Result<bool, Error> {
        // What is no key of the grid was not written by this service: it is not ours to remove.
        let Ok(key) = key.as_str().parse::<GridKey>() else { return Ok(true) };
        let record = self.metadata.artifact(key.artifact).await?;
        Ok(record.is_some_and(|artifact| artifact.key() == key))
    }

    async fn sweep_artifacts(&self, now: Timestamp, failures: &mut u64) -> Result<u64, Error> {
        let mut swept = 0;
        for _ in 0..MAX_PAGES {
            let expired = self.metadata.expired_artifacts(now, PAGE).await?;
            if expired.is_empty() {
                break;
            }
            for artifact in expired {
                // Only this version: whoever gave it a longer life just now keeps it.
                let removed = self.remove(artifact).await.map(|replaced| u64::from(replaced == Replaced::Done));
                swept += settle(removed, failures);
            }
        }
        Ok(swept)
    }

    async fn sweep_sessions(&self, now: Timestamp, failures: &mut u64) -> Result<u64, Error> {
        let mut swept = 0;
        for _ in 0..MAX_PAGES {
            let ended = self.metadata.expired_sessions(now, PAGE).await?;
            if ended.is_empty() {
                break;
            }
            for session in ended {
                swept += settle(self.remove_session(&session).await.map(|()| 1), failures);
            }
        }
        Ok(swept)
    }

    async fn sweep_garbage(&self, now: Timestamp, failures: &mut u64) -> Result<u64, Error> {
        let mut swept = 0;
        for _ in 0..MAX_PAGES {
            let due = self.metadata.due_garbage(now, PAGE).await?;
            if due.is_empty() {
                break;
            }
            for garbage in due {
                swept += settle(self.collect_unused(&garbage).await, failures);
            }
        }
        Ok(swept)
    }

    /// Acts on a note of garbage: 1 when bytes were removed.
    async fn collect_unused(&self, garbage: &Garbage) -> Result<u64, Error> {
        if self.is_in_use(&Key::from(&garbage.key)).await? {
            // The change that wrote the note was never committed.
            self.metadata.forget_garbage(garbage).await?;
            return Ok(0);
        }
        self.collect(garbage).await?;
        Ok(1)
    }

    async fn sweep_abandoned(&self, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        let mut after = None;
        loop {
            let page = self.storage.list("pending/", after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(swept) };
            after = Some(last.key.clone());
            for object in page.into_iter().filter(|object| is_abandoned(object, now)) {
                self.storage.delete(&object.key).await?;
                swept += 1;
            }
        }
    }
}

fn is_abandoned(object: &ObjectInfo, now: Timestamp) -> bool {
    now.seconds_since(object.stored_at) > ABANDONED_AFTER_SECONDS
}

/// The count, or none and one more failure, which is logged.
fn settle(count: Result<u64, Error>, failures: &mut u64) -> u64 {
    count.unwrap_or_else(|error| {
        *failures += 1;
        warn!(error = %Chain(&error), "something could not be swept; the next sweep tries again");
        0
    })
}
