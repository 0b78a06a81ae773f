//! Removes what is over: expired artifacts, ended sessions, garbage, and uploads that never became files.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Error, Service};
use crate::domain::time::Timestamp;
use crate::fault::Chain;
use crate::metadata::Replaced;

/// How many things of a kind are looked at together.
const PAGE: usize = 100;

/// After this long, staged bytes belong to no request that is still under way.
const ABANDONED_AFTER_SECONDS: u64 = 86_400;

/// What a sweep has removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Expired artifacts, with their bytes.
    pub artifacts: u64,
    /// Ended sessions.
    pub sessions: u64,
    /// Bytes that no record pointed at any more.
    pub garbage: u64,
    /// Staged bytes of requests that broke off.
    pub abandoned: u64,
}

impl Service {
    /// Removes everything that is over at `now`. Any number of processes may do so at the same time.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, Error> {
        Ok(Swept {
            artifacts: self.sweep_artifacts(now).await?,
            sessions: self.sweep_sessions(now).await?,
            garbage: self.sweep_garbage(now).await?,
            abandoned: self.sweep_abandoned(now).await?,
        })
    }

    /// Sweeps every `interval` until cancelled.
    pub async fn sweep_every(self, interval: Duration, cancelled: CancellationToken) {
        while cancelled.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
            match self.sweep(self.clock.now()).await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => info!(?swept, "swept"),
                Err(error) => warn!(error = %Chain(&error), "a sweep broke off; the next one goes on"),
            }
        }
    }

    async fn sweep_artifacts(&self, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        loop {
            let expired = self.metadata.expired_artifacts(now, PAGE).await?;
            let mut progress = false;
            for artifact in expired {
                // Only this version: whoever gave it a longer life just now keeps it.
                if self.remove(artifact).await? == Replaced::Done {
                    swept += 1;
                    progress = true;
                }
            }
            if !progress {
                return Ok(swept);
            }
        }
    }

    async fn sweep_sessions(&self, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        loop {
            let ended = self.metadata.expired_sessions(now, PAGE).await?;
            if ended.is_empty() {
                return Ok(swept);
            }
            for session in ended {
                self.remove_session(&session).await?;
                swept += 1;
            }
        }
    }

    async fn sweep_garbage(&self, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        loop {
            let due = self.metadata.due_garbage(now, PAGE).await?;
            if due.is_empty() {
                return Ok(swept);
            }
            for garbage in due {
                let record = self.metadata.artifact(garbage.key.artifact).await?;
                if record.is_some_and(|artifact| artifact.key() == garbage.key) {
                    // The change that wrote the note was never committed: the bytes are in use.
                    self.metadata.forget_garbage(&garbage).await?;
                } else {
                    self.collect(&garbage).await?;
                    swept += 1;
                }
            }
        }
    }

    async fn sweep_abandoned(&self, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        let mut after = None;
        loop {
            let page = self.storage.list("pending/", after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(swept) };
            after = Some(last.key.clone());
            for object in page {
                if now.seconds_since(object.stored_at) > ABANDONED_AFTER_SECONDS {
                    self.storage.delete(&object.key).await?;
                    swept += 1;
                }
            }
        }
    }
}
