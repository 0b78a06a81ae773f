//! Records in memory: for tests and for trying the service out. They are gone when the process ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Document, Entry, EntryRange, Garbage, Kind, MetadataStore, Replaced, Scan, Totals, entries_of};
use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::Partition;
use crate::domain::time::Timestamp;
use crate::fault::Fault;

/// Records in ordered maps behind one lock. No method holds it for longer than its own page.
#[derive(Debug, Default)]
pub struct MemoryMetadata {
    state: Mutex<State>,
}

impl MemoryMetadata {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

#[derive(Debug, Default)]
struct State {
    artifacts: HashMap<ArtifactId, Artifact>,
    indexes: HashMap<Partition, BTreeSet<Entry>>,
    totals: HashMap<SandboxId, Totals>,
    documents: HashMap<DocumentKey, Document>,
    expiring_documents: BTreeMap<Kind, BTreeSet<(Timestamp, String)>>,
    expiring_artifacts: BTreeSet<(Timestamp, ArtifactId)>,
    default_sessions: HashMap<(SandboxId, UserId), SessionId>,
    garbage: BTreeMap<NoteKey, Garbage>,
}

type DocumentKey = (Kind, String);

/// The order of garbage; the rest of the note makes it unique.
type NoteKey = (Timestamp, String, String);

fn note_key(garbage: &Garbage) -> NoteKey {
    (garbage.due, garbage.key.to_string(), garbage.provider.clone())
}

/// Whether a record of version `found` may be changed by one who knows version `expected`.
fn compare(found: Option<u64>, expected: u64) -> Replaced {
    match found {
        None => Replaced::Missing,
        Some(version) if version != expected => Replaced::Stale,
        Some(_) => Replaced::Done,
    }
}

/// The entries in `range`; none when that ends before it begins.
fn entries_in<'a>(index: &'a BTreeSet<Entry>, range: &EntryRange) -> std::collections::btree_set::Range<'a, Entry> {
    index.range(range.start.clone()..range.end.clone().max(range.start.clone()))
}

impl State {
    fn put_artifact(&mut self, artifact: &Artifact) {
        self.remove_artifact(artifact.id);
        if let Some(life) = artifact.life {
            self.expiring_artifacts.insert((life.expires_at, artifact.id));
        }
        self.indexes.entry(artifact.partition.clone()).or_default().extend(entries_of(artifact));
        let total = self.totals.entry(artifact.partition.sandbox().clone()).or_default();
        let total = total.of_mut(artifact.partition.scope());
        total.artifacts += 1;
        total.bytes += artifact.content.bytes;
        self.artifacts.insert(artifact.id, artifact.clone());
    }

    fn remove_artifact(&mut self, id: ArtifactId) {
        let Some(old) = self.artifacts.remove(&id) else { return };
        if let Some(life) = old.life {
            self.expiring_artifacts.remove(&(life.expires_at, id));
        }
        if let Some(index) = self.indexes.get_mut(&old.partition) {
            for entry in entries_of(&old) {
                index.remove(&entry);
            }
            if index.is_empty() {
                self.indexes.remove(&old.partition);
            }
        }
        if let Some(totals) = self.totals.get_mut(old.partition.sandbox()) {
            let total = totals.of_mut(old.partition.scope());
            total.artifacts -= 1;
            total.bytes -= old.content.bytes;
        }
    }

    fn put_document(&mut self, document: &Document) {
        self.remove_document(document.kind, &document.name);
        let expiring = self.expiring_documents.entry(document.kind).or_default();
        expiring.insert((document.expires_at, document.name.clone()));
        self.documents.insert((document.kind, document.name.clone()), document.clone());
    }

    fn remove_document(&mut self, kind: Kind, name: &str) {
        let Some(old) = self.documents.remove(&(kind, name.to_owned())) else { return };
        if let Some(expiring) = self.expiring_documents.get_mut(&kind) {
            expiring.remove(&(old.expires_at, old.name));
        }
    }

    fn version_of(&self, kind: Kind, name: &str) -> Option<u64> {
        self.documents.get(&(kind, name.to_owned())).map(|document| document.version)
    }

    fn note(&mut self, garbage: &Garbage) {
        self.garbage.insert(note_key(garbage), garbage.clone());
    }
}

#[async_trait]
impl MetadataStore for MemoryMetadata {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn ping(&self) -> Result<(), Fault> {
        Ok(())
    }

    async fn insert_artifact(&self, artifact: &Artifact) -> Result<bool, Fault> {
        let mut state = self.state.lock();
        if state.artifacts.contains_key(&artifact.id) {
            return Ok(false);
        }
        state.put_artifact(artifact);
        Ok(true)
    }

    async fn artifact(&self, id: ArtifactId) -> Result<Option<Artifact>, Fault> {
        Ok(self.state.lock().artifacts.get(&id).cloned())
    }

    async fn artifacts(&self, ids: &[ArtifactId]) -> Result<Vec<Option<Artifact>>, Fault> {
        let state = self.state.lock();
        Ok(ids.iter().map(|id| state.artifacts.get(id).cloned()).collect())
    }

    async fn replace_artifact(
        &self,
        before: &Artifact,
        after: &Artifact,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        let mut state = self.state.lock();
        let outcome = compare(state.artifacts.get(&before.id).map(|found| found.version), before.version);
        if outcome == Replaced::Done {
            state.put_artifact(after);
            if let Some(garbage) = garbage {
                state.note(garbage);
            }
        }
        Ok(outcome)
    }

    async fn delete_artifact(&self, artifact: &Artifact, garbage: &Garbage) -> Result<Replaced, Fault> {
        let mut state = self.state.lock();
        let outcome = compare(state.artifacts.get(&artifact.id).map(|found| found.version), artifact.version);
        if outcome == Replaced::Done {
            state.remove_artifact(artifact.id);
            state.note(garbage);
        }
        Ok(outcome)
    }

    async fn scan(&self, partition: &Partition, scans: &[Scan]) -> Result<Vec<Vec<Entry>>, Fault> {
        let state = self.state.lock();
        let nothing = BTreeSet::new();
        let index = state.indexes.get(partition).unwrap_or(&nothing);
        let read = |scan: &Scan| {
            let found = entries_in(index, &scan.range);
            if scan.descending {
                found.rev().take(scan.limit).cloned().collect()
            } else {
                found.take(scan.limit).cloned().collect()
            }
        };
        Ok(scans.iter().map(read).collect())
    }

    async fn count(&self, partition: &Partition, ranges: &[EntryRange], at_most: usize) -> Result<Vec<usize>, Fault> {
        let state = self.state.lock();
        let nothing = BTreeSet::new();
        let index = state.indexes.get(partition).unwrap_or(&nothing);
        Ok(ranges.iter().map(|range| entries_in(index, range).take(at_most).count()).collect())
    }

    async fn totals(&self, sandbox: &SandboxId) -> Result<Totals, Fault> {
        Ok(self.state.lock().totals.get(sandbox).copied().unwrap_or_default())
    }

    async fn insert_document(&self, document: &Document) -> Result<bool, Fault> {
        let mut state = self.state.lock();
        if state.version_of(document.kind, &document.name).is_some() {
            return Ok(false);
        }
        state.put_document(document);
        Ok(true)
    }

    async fn document(&self, kind: Kind, name: &str) -> Result<Option<Document>, Fault> {
        Ok(self.state.lock().documents.get(&(kind, name.to_owned())).cloned())
    }

    async fn replace_document(&self, document: &Document, expected: u64) -> Result<Replaced, Fault> {
        let mut state = self.state.lock();
        let outcome = compare(state.version_of(document.kind, &document.name), expected);
        if outcome == Replaced::Done {
            state.put_document(document);
        }
        Ok(outcome)
    }

    async fn delete_document(&self, kind: Kind, name: &str, version: u64) -> Result<Replaced, Fault> {
        let mut state = self.state.lock();
        let outcome = compare(state.version_of(kind, name), version);
        if outcome == Replaced::Done {
            state.remove_document(kind, name);
        }
        Ok(outcome)
    }

    async fn expired_documents(&self, kind: Kind, now: Timestamp, limit: usize) -> Result<Vec<Document>, Fault> {
        let state = self.state.lock();
        let expiring = state.expiring_documents.get(&kind).into_iter().flatten();
        let expired = expiring.take_while(|(expires_at, _)| *expires_at <= now).take(limit);
        Ok(expired.filter_map(|(_, name)| state.documents.get(&(kind, name.clone()))).cloned().collect())
    }

    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault> {
        let state = self.state.lock();
        let expired = state.expiring_artifacts.iter().take_while(|(expires_at, _)| *expires_at <= now);
        Ok(expired.filter_map(|(_, id)| state.artifacts.get(id)).take(limit).cloned().collect())
    }

    async fn default_session(&self, sandbox: &SandboxId, user: &UserId) -> Result<Option<SessionId>, Fault> {
        Ok(self.state.lock().default_sessions.get(&(sandbox.clone(), user.clone())).cloned())
    }

    async fn set_default_session(
        &self,
        sandbox: &SandboxId,
        user: &UserId,
        expected: Option<&SessionId>,
        new: &SessionId,
    ) -> Result<bool, Fault> {
        let mut state = self.state.lock();
        let key = (sandbox.clone(), user.clone());
        if state.default_sessions.get(&key) != expected {
            return Ok(false);
        }
        state.default_sessions.insert(key, new.clone());
        Ok(true)
    }

    async fn due_garbage(&self, now: Timestamp, limit: usize) -> Result<Vec<Garbage>, Fault> {
        let state = self.state.lock();
        Ok(state.garbage.values().take_while(|note| note.due <= now).take(limit).cloned().collect())
    }

    async fn forget_garbage(&self, garbage: &Garbage) -> Result<(), Fault> {
        self.state.lock().garbage.remove(&note_key(garbage));
        Ok(())
    }
}
