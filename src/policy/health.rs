//! How the providers do, for readiness probes and figures: whether each answers, and whether it takes what is new.
//!
//! That it answers is asked whenever somebody wants to know. That it can be written is tried at an interval, and a
//! provider that has just refused something for lack of room says so by itself.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::join_all;
use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Service;
use super::check::PROBE;
use crate::clock::new_artifact_id;
use crate::domain::Invalid;
use crate::domain::id::SandboxId;
use crate::fault::{Chain, Fault, FaultKind};
use crate::patience::within;
use crate::storage::{Key, PutError, PutOptions, Storage};

/// How long a provider may take to answer, and to be written.
const PATIENCE: Duration = Duration::from_secs(3);
/// How soon it is tried again when it could not be written.
const RETRY: Duration = Duration::from_secs(5);
/// Whose leftovers, if a process ends in the middle of trying, the sweeper removes after a day.
const SANDBOX: &str = "artifactd-check";

/// Something that has to hold for requests to be served, and whether it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Condition {
    /// Of what: `storage` or `metadata`.
    pub name: &'static str,
    /// The provider's name.
    pub provider: &'static str,
    /// How it is.
    pub state: State,
}

/// How something is that requests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// As it should be.
    Ok,
    /// It has no room: nothing can be stored, but read and removed.
    Full,
    /// It answers, and cannot be written.
    ReadOnly,
    /// It does not answer.
    Unavailable,
    /// It answers, and not as it should.
    Broken,
}

impl State {
    const ALL: [Self; 5] = [Self::Ok, Self::Full, Self::ReadOnly, Self::Unavailable, Self::Broken];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Unavailable => "unavailable",
            Self::Broken => "broken",
        }
    }

    /// Whether requests can be served like that. What is full has to be reached to be emptied.
    pub fn serves(self, requires_writes: bool) -> bool {
        match self {
            Self::Ok | Self::Full => true,
            Self::ReadOnly => !requires_writes,
            Self::Unavailable | Self::Broken => false,
        }
    }

    fn of_silence(fault: &Fault) -> Self {
        match fault.kind {
            FaultKind::Unavailable => Self::Unavailable,
            FaultKind::Full => Self::Full,
            FaultKind::Broken | FaultKind::Damaged => Self::Broken,
        }
    }

    /// Of a provider that answers and could not be written.
    fn of_refusal(fault: &Fault) -> Self {
        if fault.kind == FaultKind::Full { Self::Full } else { Self::ReadOnly }
    }
}

/// What is known of the providers.
#[derive(Default)]
pub(super) struct Health {
    known: Mutex<HashMap<Of, Known>>,
    states: Family<Label, Gauge>,
}

/// A provider in one of its roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Of {
    name: &'static str,
    provider: &'static str,
}

#[derive(Clone, Copy)]
struct Known {
    answering: State,
    writing: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    name: &'static str,
    provider: &'static str,
    state: &'static str,
}

const STORAGE: &str = "storage";
const METADATA: &str = "metadata";

impl Health {
    pub(super) fn register(&self, registry: &mut Registry) {
        let about = "How each provider is: 1 for the state that it is in, 0 for all others";
        registry.register("provider_state", about, self.states.clone());
    }

    /// Notes something about a provider.
    fn note(&self, of: Of, change: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock();
        change(known.entry(of).or_insert(Known { answering: State::Ok, writing: State::Ok }));
    }

    /// Says how a provider is, with what it says of itself.
    fn condition(&self, of: Of, is_full: bool) -> Condition {
        let known = self.known.lock().get(&of).copied();
        let state = match known {
            Some(Known { answering, .. }) if answering != State::Ok => answering,
            Some(Known { writing: State::ReadOnly, .. }) => State::ReadOnly,
            _ if is_full => State::Full,
            Some(Known { writing, .. }) => writing,
            None => State::Ok,
        };
        for each in State::ALL {
            let label = Label { name: of.name, provider: of.provider, state: each.as_str() };
            self.states.get_or_create(&label).set(i64::from(each == state));
        }
        Condition { name: of.name, provider: of.provider, state }
    }
}

impl Service {
    /// Asks all providers for an answer and says how each is.
    pub async fn conditions(&self) -> Vec<Condition> {
        let stores = self.stores.distinct().into_iter().map(|storage| async move {
            // A listing, unlike a look at one key, tells a missing bucket from an empty one.
            let answer = within(PATIENCE, (storage.name(), "answering"), storage.list("check/", None, 1)).await;
            self.note_answer(Of { name: STORAGE, provider: storage.name() }, answer.map(drop));
        });
        let metadata = async {
            let answer = within(PATIENCE, (self.metadata.name(), "answering"), self.metadata.ping()).await;
            self.note_answer(Of { name: METADATA, provider: self.metadata.name() }, answer);
        };
        tokio::join!(join_all(stores), metadata);
        self.known_conditions()
    }

    /// How each provider is as far as is known without asking. Brings the figures up to date.
    pub fn known_conditions(&self) -> Vec<Condition> {
        let stores = self.stores.distinct().into_iter();
        let stores = stores.map(|storage| (Of { name: STORAGE, provider: storage.name() }, storage.is_full()));
        let metadata = (Of { name: METADATA, provider: self.metadata.name() }, self.metadata.is_full());
        stores.chain([metadata]).map(|(of, is_full)| self.health.condition(of, is_full)).collect()
    }

    /// Tries every `interval` whether the providers can be written, until cancelled.
    pub async fn try_writing_every(self, interval: Duration, cancelled: CancellationToken) {
        loop {
            let round = async {
                let all_can = self.try_writing().await;
                tokio::time::sleep(if all_can { interval } else { interval.min(RETRY) }).await;
            };
            let Some(()) = cancelled.run_until_cancelled(round).await else { return };
        }
    }

    /// Tries whether the providers can be written; `false` if one cannot.
    pub async fn try_writing(&self) -> bool {
        let stores = self.stores.distinct().into_iter().map(|storage| async move {
            let written = within(PATIENCE, (storage.name(), "being tried"), self.write_to(&**storage)).await;
            self.note_writing(Of { name: STORAGE, provider: storage.name() }, written)
        });
        let metadata = async {
            let written = within(PATIENCE, (self.metadata.name(), "being tried"), self.check_metadata()).await;
            self.note_writing(Of { name: METADATA, provider: self.metadata.name() }, written)
        };
        let (stores, metadata) = tokio::join!(join_all(stores), metadata);
        metadata && stores.into_iter().all(|can| can)
    }

    async fn write_to(&self, storage: &dyn Storage) -> Result<(), Fault> {
        let unusable = |error: Invalid| Fault::broken(storage.name(), "being tried", error);
        let sandbox: SandboxId = SANDBOX.parse().map_err(unusable)?;
        let key = Key::pending(&sandbox, new_artifact_id(self.clock.now()));
        let mut body = futures::stream::once(async { Ok(Bytes::from_static(PROBE)) }).boxed();
        let options = PutOptions { content_length: Some(PROBE.len() as u64), ..PutOptions::default() };
        match storage.put(&key, &mut body, &options).await {
            Ok(_) => storage.delete(&key).await,
            Err(PutError::Fault(fault)) => {
                let _ = storage.delete(&key).await;
                Err(fault)
            }
            Err(PutError::Body(error)) => Err(Fault::broken(storage.name(), "being tried", error)),
        }
    }

    fn note_answer(&self, of: Of, answer: Result<(), Fault>) {
        let state = answer.as_ref().map_or_else(State::of_silence, |()| State::Ok);
        if let Err(fault) = &answer {
            warn!(cause = %Chain(fault), "a provider does not answer as it should");
        }
        self.health.note(of, |known| known.answering = state);
    }

    fn note_writing(&self, of: Of, written: Result<(), Fault>) -> bool {
        let state = written.as_ref().map_or_else(State::of_refusal, |()| State::Ok);
        let mut before = State::Ok;
        self.health.note(of, |known| before = std::mem::replace(&mut known.writing, state));
        let Of { name, provider } = of;
        match &written {
            Err(fault) => warn!(name, provider, state = state.as_str(), cause = %Chain(fault), "cannot be written"),
            Ok(()) if before != State::Ok => info!(name, provider, "can be written again"),
            Ok(()) => {}
        }
        state == State::Ok
    }
}
