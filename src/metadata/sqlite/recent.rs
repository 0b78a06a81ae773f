//! What was read a moment ago, in memory: to find it again and decode it takes longer than all else that a request for a
//! record does.
//!
//! What [`Recent`] gives is what the database would give. Of the changes of this process it is told: a value goes out
//! before a change is committed, and its place stays empty until the change is done. Other processes end the epoch.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::sqlite::Epoch;

/// What a value takes beside its text: the structure around it, the key, the place in the cache.
const OVERHEAD: u64 = 512;

/// A cache from keys to values.
pub(super) struct Recent<K, V> {
    values: Cache<K, Kept<V>, ByBytes>,
    changes: Arc<Mutex<Changes<K>>>,
}

struct Kept<V> {
    value: Arc<V>,
    epoch: Epoch,
    bytes: u64,
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), ..*self }
    }
}

#[derive(Clone)]
struct ByBytes;

impl<K, V> Weighter<K, Kept<V>> for ByBytes {
    fn weight(&self, _: &K, kept: &Kept<V>) -> u64 {
        OVERHEAD + kept.bytes
    }
}

struct Changes<K> {
    /// Changes of each key that may be committed at any time.
    under_way: HashMap<K, usize>,
    /// How many have ended, of all keys.
    ended: u64,
}

/// A moment in an epoch: how many changes had ended.
#[derive(Clone, Copy)]
struct Moment {
    epoch: Epoch,
    ended: u64,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    /// A cache that takes about so much memory when it is full.
    pub(super) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / OVERHEAD).unwrap_or(usize::MAX);
        let changes = Changes { under_way: HashMap::new(), ended: 0 };
        Self { values: Cache::with_weighter(items, bytes, ByBytes), changes: Arc::new(Mutex::new(changes)) }
    }

    /// The value of a key: the one that was kept in this epoch, or what `read` finds, which is then kept. `read` says how
    /// many bytes it takes, too. Without an epoch, nothing is kept.
    pub(super) async fn find<Q, E>(
        &self,
        epoch: Option<Epoch>,
        key: &Q,
        read: impl Future<Output = Result<Option<(V, usize)>, E>>,
    ) -> Result<Option<V>, E>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
        V: Clone,
    {
        let Some(epoch) = epoch else { return Ok(read.await?.map(|(value, _)| value)) };
        if let Some(value) = self.get(key, epoch) {
            return Ok(Some(V::clone(&value)));
        }
        let moment = self.moment(epoch);
        let Some((value, bytes)) = read.await? else { return Ok(None) };
        self.keep(moment, key.to_owned(), value.clone(), bytes);
        Ok(Some(value))
    }

    fn get<Q>(&self, key: &Q, epoch: Epoch) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.values.get(key).filter(|kept| kept.epoch == epoch).map(|kept| kept.value)
    }

    /// To be asked for before a value is read that may be kept.
    fn moment(&self, epoch: Epoch) -> Moment {
        Moment { epoch, ended: self.changes.lock().ended }
    }

    /// Keeps a value that was read after `moment` and takes about so many bytes, unless it may have changed since.
    fn keep(&self, moment: Moment, key: K, value: V, bytes: usize) {
        let changes = self.changes.lock();
        if changes.ended == moment.ended && !changes.under_way.contains_key(&key) {
            self.values.insert(key, Kept { value: Arc::new(value), epoch: moment.epoch, bytes: bytes as u64 });
        }
    }

    /// Forgets a value that is going to change. The change has to be dropped after it was committed or given up.
    pub(super) fn change(&self, key: K) -> Change<K> {
        *self.changes.lock().under_way.entry(key.clone()).or_default() += 1;
        self.values.remove(&key);
        Change { key, changes: Arc::clone(&self.changes) }
    }
}

/// A change under way.
#[must_use]
pub(super) struct Change<K: Eq + Hash> {
    key: K,
    changes: Arc<Mutex<Changes<K>>>,
}

impl<K: Eq + Hash> Drop for Change<K> {
    fn drop(&mut self) {
        let mut changes = self.changes.lock();
        changes.ended += 1;
        if let Some(count) = changes.under_way.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                changes.under_way.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "key";
    const ROOM: u64 = 1 << 20;
    const NOW: Epoch = Epoch::of_number(1);

    fn recent() -> Recent<&'static str, u32> {
        Recent::new(ROOM)
    }

    fn read(recent: &Recent<&'static str, u32>, value: u32) {
        recent.keep(recent.moment(NOW), KEY, value, 4);
    }

    #[test]
    fn a_value_is_kept_until_it_is_changed() {
        let recent = recent();
        assert_eq!(recent.get(KEY, NOW), None);
        read(&recent, 1);
        assert_eq!(recent.get(KEY, NOW).as_deref(), Some(&1));
        drop(recent.change(KEY));
        assert_eq!(recent.get(KEY, NOW), None);
    }

    #[test]
    fn a_value_of_another_epoch_is_none() {
        let recent = recent();
        read(&recent, 1);
        assert_eq!(recent.get(KEY, Epoch::of_number(2)), None);
    }

    #[test]
    fn nothing_is_kept_while_it_changes() {
        let recent = recent();
        let [one, other] = [recent.change(KEY), recent.change(KEY)];
        read(&recent, 1);
        drop(one);
        read(&recent, 1);
        assert_eq!(recent.get(KEY, NOW), None);
        drop(other);
        read(&recent, 2);
        assert_eq!(recent.get(KEY, NOW).as_deref(), Some(&2));
    }

    #[test]
    fn a_value_that_was_read_before_a_change_is_not_kept_after_it() {
        let recent = recent();
        let before = recent.moment(NOW);
        drop(recent.change(KEY));
        recent.keep(before, KEY, 1, 4);
        assert_eq!(recent.get(KEY, NOW), None);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let recent: Recent<u32, u32> = Recent::new(ROOM);
        for key in 0..1_000 {
            recent.keep(recent.moment(NOW), key, key, 10_000);
        }
        let kept = (0..1_000).filter(|key| recent.get(key, NOW).is_some()).count() as u64;
        assert!(kept > 0 && kept <= ROOM / 10_000, "{kept}");
    }
}
