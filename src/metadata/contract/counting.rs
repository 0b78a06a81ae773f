//! A store that counts what is read of its index and records.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::fault::Fault;
use crate::metadata::{Document, Entry, EntryRange, Kind, Scan, Totals};

pub(super) struct Counting {
    pub(super) inner: Store,
    /// Entries that scans gave.
    scanned: AtomicUsize,
    /// Entries that were counted.
    counted: AtomicUsize,
    /// Records.
    read: AtomicUsize,
    /// Gives at most so much as a count, as if the rest came only later.
    pub(super) at_most: usize,
}

/// What was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) scanned: usize,
    pub(super) counted: usize,
    pub(super) read: usize,
}

impl Counting {
    pub(super) fn new(inner: Store) -> Self {
        let [scanned, counted, read] = std::array::from_fn(|_| AtomicUsize::new(0));
        Self { inner, scanned, counted, read, at_most: usize::MAX }
    }

    /// What was read since this was asked last.
    pub(super) fn cost(&self) -> Cost {
        let take = |counter: &AtomicUsize| counter.swap(0, Ordering::Relaxed);
        Cost { scanned: take(&self.scanned), counted: take(&self.counted), read: take(&self.read) }
    }
}

#[async_trait]
impl MetadataStore for Counting {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn ping(&self) -> Result<(), Fault> {
        self.inner.ping().await
    }

    async fn insert_artifact(&self, artifact: &Artifact) -> Result<bool, Fault> {
        self.inner.insert_artifact(artifact).await
    }

    async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, Fault> {
        self.read.fetch_add(1, Ordering::Relaxed);
        self.inner.artifact(id).await
    }

    async fn artifacts(&self, ids: &[ArtifactId]) -> Result<Vec<Option<Artifact>>, Fault> {
        self.read.fetch_add(ids.len(), Ordering::Relaxed);
        self.inner.artifacts(ids).await
    }

    async fn replace_artifact(
        &self,
        before: &Artifact,
        after: &Artifact,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        self.inner.replace_artifact(before, after, garbage).await
    }

    async fn delete_artifact(&self, artifact: &Artifact, garbage: &Garbage) -> Result<Replaced, Fault> {
        self.inner.delete_artifact(artifact, garbage).await
    }

    async fn scan(&self, partition: &Partition, scans: &[Scan]) -> Result<Vec<Vec<Entry>>, Fault> {
        let found = self.inner.scan(partition, scans).await?;
        self.scanned.fetch_add(found.iter().map(Vec::len).sum(), Ordering::Relaxed);
        Ok(found)
    }

    async fn count(&self, partition: &Partition, ranges: &[EntryRange], at_most: usize) -> Result<Vec<usize>, Fault> {
        let counts = self.inner.count(partition, ranges, at_most).await?;
        self.counted.fetch_add(counts.iter().sum(), Ordering::Relaxed);
        Ok(counts.into_iter().map(|count| count.min(self.at_most)).collect())
    }

    async fn totals(&self, sandbox: &SandboxId) -> Result<Totals, Fault> {
        self.inner.totals(sandbox).await
    }

    async fn insert_document(&self, document: &Document) -> Result<bool, Fault> {
        self.inner.insert_document(document).await
    }

    async fn document(&self, kind: Kind, name: &str) -> Result<Option<Document>, Fault> {
        self.inner.document(kind, name).await
    }

    async fn replace_document(&self, document: &Document, expected: u64) -> Result<Replaced, Fault> {
        self.inner.replace_document(document, expected).await
    }

    async fn delete_document(&self, kind: Kind, name: &str, version: u64) -> Result<Replaced, Fault> {
        self.inner.delete_document(kind, name, version).await
    }

    async fn expired_documents(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<Document>, Fault> {
        self.inner.expired_documents(kind, now, limit).await
    }

    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault> {
        self.inner.expired_artifacts(now, limit).await
    }

    async fn default_session(&self, sandbox: &SandboxId, user: &UserId) -> Result<Option<SessionId>, Fault> {
        self.inner.default_session(sandbox, user).await
    }

    async fn set_default_session(
        &self,
        sandbox: &SandboxId,
        user: &UserId,
        expected: Option<&SessionId>,
        new: &SessionId,
    ) -> Result<bool, Fault> {
        self.inner.set_default_session(sandbox, user, expected, new).await
    }

    async fn due_garbage(&self, now: Timestamp, limit: usize) -> Result<Vec<Garbage>, Fault> {
        self.inner.due_garbage(now, limit).await
    }

    async fn forget_garbage(&self, garbage: &Garbage) -> Result<(), Fault> {
        self.inner.forget_garbage(garbage).await
    }
}
