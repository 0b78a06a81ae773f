//! Removing bytes that nobody needs any more, while a caller waits for their answer: with little patience.
//!
//! What a store does not remove at once is left to the sweeper, and so, for a while, is everything else in it:
//! of many files that are deleted, not each has to find out by itself that the store does not answer.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::fault::Fault;
use crate::patience::{Late, within};
use crate::storage::{Key, Storage};

const DELETING: &str = "deleting";
/// How long a caller waits for bytes to be removed.
const PATIENCE: Duration = Duration::from_secs(2);
/// For how long a store that was late is left alone.
const PAUSE: Duration = Duration::from_secs(10);

/// The stores that were late.
#[derive(Default)]
pub(super) struct Removals(Mutex<Vec<(&'static str, Instant)>>);

impl Removals {
    /// Removes the bytes under a key, unless the store is late, or has just been.
    pub(super) async fn remove(&self, storage: &dyn Storage, key: &Key) -> Result<(), Fault> {
        let provider = storage.name();
        if self.was_late(provider) {
            return Err(Fault::unavailable(provider, DELETING, Late));
        }
        remove(storage, key).await.inspect_err(|fault| {
            if fault.source.is::<Late>() {
                self.note(provider);
            }
        })
    }

    fn was_late(&self, provider: &'static str) -> bool {
        let mut late = self.0.lock();
        late.retain(|(_, since)| since.elapsed() < PAUSE);
        late.iter().any(|(name, _)| *name == provider)
    }

    fn note(&self, provider: &'static str) {
        self.0.lock().push((provider, Instant::now()));
    }
}

/// Removes the bytes under a key, unless the store takes longer than a caller waits for that.
pub(super) async fn remove(storage: &dyn Storage, key: &Key) -> Result<(), Fault> {
    within(PATIENCE, (storage.name(), DELETING), storage.delete(key)).await
}
