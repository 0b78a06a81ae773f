//! How long others may take: a deadline for their answer, and more for the bytes that have to move until then.

use std::time::Duration;

use crate::fault::Fault;

/// How long somebody may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    answer: Duration,
    bytes_per_second: u64,
}

impl Patience {
    /// So long for an answer, and a second more for every so many bytes that it takes to be moved.
    pub const fn new(answer: Duration, bytes_per_second: u64) -> Self {
        Self { answer, bytes_per_second }
    }

    /// The time for an answer for which nothing large has to be moved.
    pub fn answer(&self) -> Duration {
        self.answer
    }

    /// The time to move so many bytes.
    pub fn to_move(&self, bytes: u64) -> Duration {
        let rate = self.bytes_per_second.max(1);
        Duration::from_secs(bytes / rate) + Duration::from_millis((bytes % rate).saturating_mul(1000) / rate)
    }

    /// The time for an answer for which so many bytes have to be moved.
    pub fn for_bytes(&self, bytes: u64) -> Duration {
        self.answer.saturating_add(self.to_move(bytes))
    }
}

/// Somebody did not answer in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no answer in time")]
pub struct Late;

/// What `doing` comes to, or a fault when it takes longer than `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    (provider, operation): (&'static str, &'static str),
    doing: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let outcome = tokio::time::timeout(limit, doing).await;
    outcome.unwrap_or_else(|_| Err(Fault::unavailable(provider, operation, Late)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_the_bytes() {
        let patience = Patience::new(Duration::from_secs(30), 1000);
        assert_eq!(patience.for_bytes(0), Duration::from_secs(30));
        assert_eq!(patience.for_bytes(2500), Duration::from_millis(32_500));
        assert!(patience.for_bytes(u64::MAX) > Duration::from_secs(u64::MAX / 1000));
        assert_eq!(Patience::new(Duration::ZERO, 0).for_bytes(7), Duration::from_secs(7));
    }
}
