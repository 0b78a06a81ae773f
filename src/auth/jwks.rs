//! A JSON Web Key Set behind a URL or in a file, kept in memory.
//!
//! Keys are fetched when first needed and again when they are no longer fresh or when a token names a
//! key that is not among them. While the source cannot be read, the old keys serve on, up to a limit.
//! At most one fetch runs at a time.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::error::AuthError;
use super::fetch::Source;
use super::jwt::Token;
use super::keys::{VerifyingKey, verify_with_set};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::fault::Chain;

/// How long keys are used without looking for newer ones, in seconds.
const FRESH_SECONDS: u64 = 5 * 60;

/// How long keys are used while newer ones cannot be had, in seconds.
const USABLE_SECONDS: u64 = 24 * 60 * 60;

/// The time between two fetches for unknown keys, and between tries while old keys serve, in seconds.
const COOL_DOWN_SECONDS: u64 = 30;

/// The time between tries while there are no keys at all, in seconds.
const RETRY_SECONDS: u64 = 5;

/// The keys of one source.
pub(super) struct KeySet {
    source: Source,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held during a fetch.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    fetched: Option<Fetched>,
    /// How often keys have been fetched: tells a waiting caller that somebody else did it.
    generation: u64,
    /// When a fetch that failed may be tried again.
    retry_at: Option<Timestamp>,
    /// When an unknown key may lead to a fetch again.
    next_for_unknown: Option<Timestamp>,
}

struct Fetched {
    keys: Arc<[VerifyingKey]>,
    at: Timestamp,
}

impl State {
    /// The keys that are younger than `seconds`.
    fn keys(&self, now: Timestamp, seconds: u64) -> Option<Arc<[VerifyingKey]>> {
        self.fetched.as_ref().filter(|fetched| now.seconds_since(fetched.at) < seconds).map(|one| Arc::clone(&one.keys))
    }

    fn may_try(&self, now: Timestamp) -> bool {
        self.retry_at.is_none_or(|at| now >= at)
    }

    /// Forgets all times when they lie ahead: the clock was wrong then and has been set right.
    fn distrust_the_future(&mut self, now: Timestamp) {
        let latest = now.plus_seconds(COOL_DOWN_SECONDS);
        if self.fetched.as_ref().is_some_and(|fetched| fetched.at > latest) {
            self.fetched = None;
        }
        self.retry_at = self.retry_at.filter(|at| *at <= latest);
        self.next_for_unknown = self.next_for_unknown.filter(|at| *at <= latest);
    }

    fn store(&mut self, keys: Vec<VerifyingKey>, now: Timestamp) {
        self.fetched = Some(Fetched { keys: keys.into(), at: now });
        self.generation += 1;
        self.retry_at = None;
    }
}

impl KeySet {
    /// Keys that are fetched when they are first needed.
    pub(super) fn lazy(source: Source, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { source, clock, state: Mutex::default(), fetching: Arc::default() })
    }

    /// Keys that were fetched just now.
    pub(super) fn with_keys(source: Source, keys: Vec<VerifyingKey>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let set = Self::lazy(source, clock);
        set.state.lock().store(keys, set.clock.now());
        set
    }

    /// Checks that a key of this set signed `token`. Returns the keys that were in use.
    pub(super) async fn verify(self: &Arc<Self>, token: &Token<'_>) -> Result<Arc<[VerifyingKey]>, AuthError> {
        let generation = self.state.lock().generation;
        let keys = self.keys().await.ok_or(AuthError::KeysUnavailable)?;
        match verify_with_set(&keys, token) {
            Err(AuthError::UnknownKey) => {
                let newer = self.keys_newer_than(generation).await.ok_or(AuthError::UnknownKey)?;
                verify_with_set(&newer, token).map(|()| newer)
            }
            outcome => outcome.map(|()| keys),
        }
    }

    /// Whether these are the keys to use now: none have been fetched since, and they are not too old.
    pub(super) async fn uses(self: &Arc<Self>, keys: &Arc<[VerifyingKey]>) -> bool {
        self.keys().await.is_some_and(|current| Arc::ptr_eq(&current, keys))
    }

    /// The keys to use now, fetched if need be; `None` if there are none.
    async fn keys(self: &Arc<Self>) -> Option<Arc<[VerifyingKey]>> {
        let now = self.clock.now();
        let (fresh, usable, may_try) = {
            let mut state = self.state.lock();
            state.distrust_the_future(now);
            (state.keys(now, FRESH_SECONDS), state.keys(now, USABLE_SECONDS), state.may_try(now))
        };
        if fresh.is_some() || (usable.is_some() && !may_try) {
            return fresh.or(usable);
        }
        let fetching = Arc::clone(&self.fetching);
        let guard = match &usable {
            // Whoever comes while another fetches takes the old keys and goes on.
            Some(_) => fetching.try_lock_owned().ok(),
            None => Some(fetching.lock_owned().await),
        };
        let Some(guard) = guard else { return usable };
        let due = {
            let state = self.state.lock();
            state.keys(now, FRESH_SECONDS).is_none() && state.may_try(now)
        };
        if due {
            self.fetch(guard).await;
        }
        self.state.lock().keys(now, USABLE_SECONDS)
    }

    /// Keys that were fetched after `generation`, if need be now; `None` if it is too early for that.
    async fn keys_newer_than(self: &Arc<Self>, generation: u64) -> Option<Arc<[VerifyingKey]>> {
        let guard = Arc::clone(&self.fetching).lock_owned().await;
        let now = self.clock.now();
        let due = {
            let mut state = self.state.lock();
            let due = state.generation == generation;
            if due && state.next_for_unknown.is_some_and(|at| now < at) {
                return None;
            }
            if due {
                state.next_for_unknown = Some(now.plus_seconds(COOL_DOWN_SECONDS));
            }
            due
        };
        if due {
            self.fetch(guard).await;
        }
        let state = self.state.lock();
        if state.generation == generation { None } else { state.keys(now, USABLE_SECONDS) }
    }

    /// Fetches the keys. The fetch goes on when the caller that waits for it goes away, so that nobody
    /// can keep others from getting keys by hanging up.
    async fn fetch(self: &Arc<Self>, guard: OwnedMutexGuard<()>) {
        let set = Arc::clone(self);
        let task = tokio::spawn(async move {
            let now = set.clock.now();
            let outcome = set.source.fetch().await;
            let mut state = set.state.lock();
            match outcome {
                Ok(keys) => state.store(keys, now),
                Err(error) => {
                    let usable = state.keys(now, USABLE_SECONDS).is_some();
                    let wait = if usable { COOL_DOWN_SECONDS } else { RETRY_SECONDS };
                    state.retry_at = Some(now.plus_seconds(wait));
                    tracing::warn!(source = %set.source, usable, error = %Chain(&error), "cannot fetch signing keys");
                }
            }
            drop(state);
            drop(guard);
        });
        // It fails only if the runtime is shutting down.
        let _ = task.await;
    }
}
