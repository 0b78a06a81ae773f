//! Whether the disk keeps up with those who wait for it on threads that serve others, too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What takes so long has waited for a disk that is slow or busy.
const SLOW: Duration = Duration::from_millis(10);
/// How long nobody waits for it then.
const CAUTION: Duration = Duration::from_secs(1);

pub(super) struct Pace {
    began: Instant,
    /// In nanoseconds after `began`.
    cautious_until: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { began: Instant::now(), cautious_until: AtomicU64::new(0) }
    }
}

impl Pace {
    pub(super) fn is_good(&self) -> bool {
        self.elapsed() >= self.cautious_until.load(Ordering::Relaxed)
    }

    /// Notes how long something took.
    pub(super) fn note(&self, took: Duration) {
        if took >= SLOW {
            self.cautious_until.store(self.elapsed() + CAUTION.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_slow_disk_twice_in_a_row() {
        let pace = Pace::default();
        pace.note(SLOW - Duration::from_nanos(1));
        assert!(pace.is_good());
        pace.note(SLOW);
        assert!(!pace.is_good());
    }

    #[test]
    fn the_disk_gets_another_chance() {
        let second_ago = Instant::now().checked_sub(CAUTION * 2).unwrap();
        let pace = Pace { began: second_ago, cautious_until: AtomicU64::new(CAUTION.as_nanos() as u64) };
        assert!(pace.is_good());
    }
}
