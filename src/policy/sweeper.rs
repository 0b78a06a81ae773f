//! Removes what is over: expired artifacts, ended sessions, garbage, and uploads that never became files.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Error, Service};
use crate::domain::artifact::Artifact;
use crate::domain::grid::GridKey;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::upload::Upload;
use crate::fault::{Chain, Fault, FaultKind};
use crate::metadata::{Garbage, Replaced};
use crate::storage::{Key, ObjectInfo, Storage};

/// How many things of a kind are looked at together.
const PAGE: usize = 100;
/// How many such pages a sweep looks at; what is left waits for the next one.
const MAX_PAGES: usize = 100;

/// How many kept answers are forgotten together; they can be large.
const ANSWERS: usize = 10;

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
    /// Uploads that were over, with their bytes.
    pub uploads: u64,
    /// Bytes that waited for nothing any more.
    pub abandoned: u64,
    /// What could not be removed; the log says why.
    pub failures: u64,
}

/// Bytes, and what the records know of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orphans {
    /// How many objects there are.
    pub objects: u64,
    /// Those whose artifact has a record.
    pub known: u64,
    /// Those that no record points at, older than a day.
    pub orphans: u64,
}

impl Service {
    /// Removes what is over at `now`. Any number of processes may do so at the same time. What fails is
    /// logged and left for the next sweep, and hinders nothing else.
    pub async fn sweep(&self, now: Timestamp) -> Swept {
        let mut failures = 0;
        let artifacts = settle(self.sweep_artifacts(now, &mut failures).await, &mut failures);
        let sessions = settle(self.sweep_sessions(now, &mut failures).await, &mut failures);
        let garbage = settle(self.sweep_garbage(now, &mut failures).await, &mut failures);
        let uploads = settle(self.sweep_uploads(now, &mut failures).await, &mut failures);
        while settle(self.forget_answers(now, ANSWERS).await, &mut failures) == ANSWERS as u64 {}
        let mut abandoned = 0;
        for storage in self.stores.distinct() {
            abandoned += settle(self.sweep_abandoned(&**storage, now).await, &mut failures);
        }
        Swept { artifacts, sessions, garbage, uploads, abandoned, failures }
    }

    /// Sweeps every `interval` until cancelled.
    pub async fn sweep_every(self, interval: Duration, cancelled: CancellationToken) {
        loop {
            let round = async {
                tokio::time::sleep(interval).await;
                self.sweep(self.clock.now()).await
            };
            // A sweep may end anywhere, as a crash may end it: notes of garbage make up for both.
            let Some(swept) = cancelled.run_until_cancelled(round).await else { return };
            if swept != Swept::default() {
                info!(?swept, "swept");
            }
        }
    }

    /// Counts the bytes in the grid and names to `found` those that no record points at.
    pub async fn find_orphans(&self, now: Timestamp, found: impl Fn(&Key)) -> Result<Orphans, Error> {
        self.each_orphan(now, async |_, key| {
            found(key);
            Ok(())
        })
        .await
    }

    /// Removes bytes in the grid that no record points at, for the operator to call for after a crash. It
    /// looks at every object, and takes the records' word: with lost records, all bytes are orphans.
    pub async fn sweep_orphans(&self, now: Timestamp) -> Result<u64, Error> {
        Ok(self.each_orphan(now, async |storage, key| storage.delete(key).await).await?.orphans)
    }

    async fn each_orphan(
        &self,
        now: Timestamp,
        act: impl AsyncFn(&dyn Storage, &Key) -> Result<(), Fault>,
    ) -> Result<Orphans, Error> {
        let mut counted = Orphans::default();
        for storage in self.stores.distinct() {
            let mut after = None;
            while let Some(page) = next_page(&**storage, "grid/", &mut after).await? {
                for object in page {
                    // What is no key of the grid was not written by this service: it is not ours to remove.
                    let Ok(key) = object.key.as_str().parse::<GridKey>() else { continue };
                    let record = self.metadata.artifact(key.artifact).await?;
                    counted.objects += 1;
                    counted.known += u64::from(record.is_some());
                    if is_abandoned(&object, now) && self.is_orphan(&key, record.as_ref(), now).await? {
                        act(&**storage, &object.key).await?;
                        counted.orphans += 1;
                    }
                }
            }
        }
        Ok(counted)
    }

    /// Whether a record points at these bytes.
    async fn is_in_use(&self, key: &GridKey) -> Result<bool, Error> {
        let record = self.metadata.artifact(key.artifact).await?;
        Ok(record.is_some_and(|artifact| artifact.key() == *key))
    }

    /// Whether nobody needs bytes that were stored long ago, by the record of their artifact.
    async fn is_orphan(&self, key: &GridKey, record: Option<&Artifact>, now: Timestamp) -> Result<bool, Error> {
        Ok(match record {
            // The store may have joined the parts of an upload, and the record is yet to come.
            None => !self.is_awaited(key.artifact).await?,
            // What was just replaced may still be read; its note of garbage has it removed.
            Some(artifact) => {
                artifact.key() != *key && now.seconds_since(artifact.updated_at) > ABANDONED_AFTER_SECONDS
            }
        })
    }

    async fn sweep_artifacts(&self, now: Timestamp, failures: &mut u64) -> Result<u64, Error> {
        let find = |limit| self.metadata.expired_artifacts(now, limit);
        // Only this version: whoever gave it a longer life just now keeps it.
        let remove = |artifact| async { Ok(u64::from(self.remove(artifact).await? == Replaced::Done)) }.boxed();
        sweep_each(find, |artifact: &Artifact| artifact.id, |_| None, remove, failures).await
    }

    async fn sweep_sessions(&self, now: Timestamp, failures: &mut u64) -> Result<u64, Error> {
        let find = |limit| self.metadata.expired::<Session>(now, limit).boxed();
        let remove = |session| async move { self.remove_session(&session).await.map(|()| 1) }.boxed();
        let name = |session: &Session| (session.sandbox.clone(), session.id.clone());
        sweep_each(find, name, |_| None, remove, failures).await
    }

    async fn sweep_garbage(&self, now: Timestamp, failures: &mut u64) -> Result<u64, Error> {
        let find = |limit| self.metadata.due_garbage(now, limit);
        let collect = |garbage| async move { self.collect_unused(&garbage).await }.boxed();
        let name = |garbage: &Garbage| garbage.key.clone();
        sweep_each(find, name, |garbage| Some(&garbage.provider), collect, failures).await
    }

    /// Acts on a note of garbage: 1 when bytes were removed.
    async fn collect_unused(&self, garbage: &Garbage) -> Result<u64, Error> {
        if self.is_in_use(&garbage.key).await? {
            // The change that wrote the note was never committed.
            self.metadata.forget_garbage(garbage).await?;
            return Ok(0);
        }
        self.collect(garbage).await?;
        Ok(1)
    }

    async fn sweep_uploads(&self, now: Timestamp, failures: &mut u64) -> Result<u64, Error> {
        let find = |limit| self.metadata.expired::<Upload>(now, limit).boxed();
        let remove = |upload| async move { self.remove_upload(upload).await.map(u64::from) }.boxed();
        sweep_each(find, |upload: &Upload| upload.id, |upload| Some(&upload.provider), remove, failures).await
    }

    /// Removes what waits for no upload: staged by requests that broke off, or sent to a URL when it was of
    /// no use any more.
    async fn sweep_abandoned(&self, storage: &dyn Storage, now: Timestamp) -> Result<u64, Error> {
        let mut swept = 0;
        let mut after = None;
        while let Some(page) = next_page(storage, "pending/", &mut after).await? {
            for object in page.into_iter().filter(|object| is_abandoned(object, now)) {
                // What no upload of ours is called was not written by this service: it is not ours to remove.
                let Some(id) = object.key.pending_artifact() else { continue };
                if self.is_awaited(id).await? {
                    continue;
                }
                storage.delete(&object.key).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// The objects behind `after`, which is moved to the last of them; `None` at the end.
async fn next_page(
    storage: &dyn Storage,
    prefix: &str,
    after: &mut Option<Key>,
) -> Result<Option<Vec<ObjectInfo>>, Fault> {
    let page = storage.list(prefix, after.as_ref(), PAGE).await?;
    let Some(last) = page.last() else { return Ok(None) };
    *after = Some(last.key.clone());
    Ok(Some(page))
}

fn is_abandoned(object: &ObjectInfo, now: Timestamp) -> bool {
    now.seconds_since(object.stored_at) > ABANDONED_AFTER_SECONDS
}

/// Removes what `find` finds, page by page; `find` goes on finding what could not be removed. What fails
/// is passed over, unless the records are away: then all else would fail as well, as does all in a `store`
/// that is away.
async fn sweep_each<'a, T, K: Eq + Hash>(
    find: impl Fn(usize) -> BoxFuture<'a, Result<Vec<T>, Fault>>,
    name: impl Fn(&T) -> K,
    store: impl Fn(&T) -> Option<&str>,
    remove: impl Fn(T) -> BoxFuture<'a, Result<u64, Error>>,
    failures: &mut u64,
) -> Result<u64, Error> {
    let mut swept = 0;
    let mut tried = HashSet::new();
    let mut away = HashSet::new();
    for _ in 0..MAX_PAGES {
        let found = find(PAGE + tried.len()).await?;
        let fresh: Vec<T> = found.into_iter().filter(|item| tried.insert(name(item))).collect();
        if fresh.is_empty() {
            break;
        }
        for item in fresh {
            let (key, store) = (name(&item), store(&item).map(ToOwned::to_owned));
            if away.contains(&store) {
                continue;
            }
            let removed = remove(item).await;
            if matches!(&removed, Err(Error::Fault(fault)) if fault.kind == FaultKind::Unavailable) {
                if store.is_none() {
                    return removed.map(|_| swept);
                }
                away.insert(store);
            }
            if removed.is_ok() {
                tried.remove(&key);
            }
            swept += settle(removed, failures);
        }
    }
    Ok(swept)
}

/// The count, or none and one more failure, which is logged.
fn settle(count: Result<u64, Error>, failures: &mut u64) -> u64 {
    count.unwrap_or_else(|error| {
        *failures += 1;
        warn!(error = %Chain(&error), "something could not be swept; the next sweep tries again");
        0
    })
}
