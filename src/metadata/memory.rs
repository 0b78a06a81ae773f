//! Records in memory: for tests and for trying the service out. They are gone when the process ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Garbage, MetadataStore, Replaced};
use crate::domain::artifact::Artifact;
use crate::domain::id::{ArtifactId, SandboxId, SessionId, UserId};
use crate::domain::scope::Partition;
use crate::domain::session::Session;
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

type SessionKey = (SandboxId, SessionId);

#[derive(Debug, Default)]
struct State {
    artifacts: HashMap<ArtifactId, Artifact>,
    partitions: BTreeMap<Partition, BTreeSet<ArtifactId>>,
    expiring_artifacts: BTreeSet<(Timestamp, ArtifactId)>,
    sessions: HashMap<SessionKey, Session>,
    expiring_sessions: BTreeSet<(Timestamp, SessionKey)>,
    default_sessions: HashMap<(SandboxId, UserId), SessionId>,
    garbage: BTreeMap<NoteKey, Garbage>,
}

/// The order of garbage; the rest of the note makes it unique.
type NoteKey = (Timestamp, String, String);

fn note_key(garbage: &Garbage) -> NoteKey {
    (garbage.due, garbage.key.to_string(), garbage.provider.clone())
}

fn session_key(session: &Session) -> SessionKey {
    (session.sandbox.clone(), session.id.clone())
}

/// Whether a record of version `found` may be changed by one who knows version `expected`.
fn compare(found: Option<u64>, expected: u64) -> Replaced {
    match found {
        None => Replaced::Missing,
        Some(version) if version != expected => Replaced::Stale,
        Some(_) => Replaced::Done,
    }
}

impl State {
    fn put_artifact(&mut self, artifact: &Artifact) {
        self.remove_artifact(artifact.id);
        self.partitions.entry(artifact.partition.clone()).or_default().insert(artifact.id);
        if let Some(life) = artifact.life {
            self.expiring_artifacts.insert((life.expires_at, artifact.id));
        }
        self.artifacts.insert(artifact.id, artifact.clone());
    }

    fn remove_artifact(&mut self, id: ArtifactId) {
        let Some(old) = self.artifacts.remove(&id) else { return };
        if let Some(life) = old.life {
            self.expiring_artifacts.remove(&(life.expires_at, id));
        }
        if let Some(ids) = self.partitions.get_mut(&old.partition) {
            ids.remove(&id);
            if ids.is_empty() {
                self.partitions.remove(&old.partition);
            }
        }
    }

    fn put_session(&mut self, session: &Session) {
        let key = session_key(session);
        self.remove_session(&key);
        self.expiring_sessions.insert((session.life.expires_at, key.clone()));
        self.sessions.insert(key, session.clone());
    }

    fn remove_session(&mut self, key: &SessionKey) {
        if let Some(old) = self.sessions.remove(key) {
            self.expiring_sessions.remove(&(old.life.expires_at, key.clone()));
        }
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

    async fn replace_artifact(
        &self,
        artifact: &Artifact,
        expected: u64,
        garbage: Option<&Garbage>,
    ) -> Result<Replaced, Fault> {
        let mut state = self.state.lock();
        let outcome = compare(state.artifacts.get(&artifact.id).map(|found| found.version), expected);
        if outcome == Replaced::Done {
            state.put_artifact(artifact);
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

    async fn artifacts_in(
        &self,
        partition: &Partition,
        before: Option<ArtifactId>,
        limit: usize,
    ) -> Result<Vec<Artifact>, Fault> {
        let state = self.state.lock();
        let Some(ids) = state.partitions.get(partition) else { return Ok(Vec::new()) };
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let newest_first = ids.range((Bound::Unbounded, end)).rev();
        Ok(newest_first.filter_map(|id| state.artifacts.get(id)).take(limit).cloned().collect())
    }

    async fn expired_artifacts(&self, now: Timestamp, limit: usize) -> Result<Vec<Artifact>, Fault> {
        let state = self.state.lock();
        let expired = state.expiring_artifacts.iter().take_while(|(expires_at, _)| *expires_at <= now);
        Ok(expired.filter_map(|(_, id)| state.artifacts.get(id)).take(limit).cloned().collect())
    }

    async fn insert_session(&self, session: &Session) -> Result<bool, Fault> {
        let mut state = self.state.lock();
        if state.sessions.contains_key(&session_key(session)) {
            return Ok(false);
        }
        state.put_session(session);
        Ok(true)
    }

    async fn session(&self, sandbox: &SandboxId, id: &SessionId) -> Result<Option<Session>, Fault> {
        Ok(self.state.lock().sessions.get(&(sandbox.clone(), id.clone())).cloned())
    }

    async fn replace_session(&self, session: &Session, expected: u64) -> Result<Replaced, Fault> {
        let mut state = self.state.lock();
        let outcome = compare(state.sessions.get(&session_key(session)).map(|found| found.version), expected);
        if outcome == Replaced::Done {
            state.put_session(session);
        }
        Ok(outcome)
    }

    async fn delete_session(&self, session: &Session) -> Result<Replaced, Fault> {
        let mut state = self.state.lock();
        let key = session_key(session);
        let outcome = compare(state.sessions.get(&key).map(|found| found.version), session.version);
        if outcome == Replaced::Done {
            state.remove_session(&key);
        }
        Ok(outcome)
    }

    async fn expired_sessions(&self, now: Timestamp, limit: usize) -> Result<Vec<Session>, Fault> {
        let state = self.state.lock();
        let expired = state.expiring_sessions.iter().take_while(|(expires_at, _)| *expires_at <= now);
        Ok(expired.filter_map(|(_, key)| state.sessions.get(key)).take(limit).cloned().collect())
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
