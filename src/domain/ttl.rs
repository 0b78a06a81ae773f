//! Lifetimes.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::time::Timestamp;

/// A time to live: whole seconds, at least one, at most 100 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Ttl(u64);

impl Ttl {
    /// 100 years of 365 days.
    pub const MAX: Self = Self(100 * 365 * 86_400);

    /// The number of seconds.
    pub fn as_seconds(self) -> u64 {
        self.0
    }

    /// This and `other` together, at most [`Ttl::MAX`].
    pub fn plus(self, other: Self) -> Self {
        Self((self.0 + other.0).min(Self::MAX.0))
    }
}

impl TryFrom<u64> for Ttl {
    type Error = Invalid;

    fn try_from(seconds: u64) -> Result<Self, Invalid> {
        match seconds {
            0 => Err(Invalid::new("must be at least 1 second")),
            _ if seconds > Self::MAX.0 => Err(format!("must be at most {} seconds", Self::MAX.0).into()),
            _ => Ok(Self(seconds)),
        }
    }
}

/// From decimal digits.
impl std::str::FromStr for Ttl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let seconds = if digits { text.parse().unwrap_or(u64::MAX) } else { return Err(NOT_WHOLE) };
        Self::try_from(seconds)
    }
}

const NOT_WHOLE: Invalid = Invalid::new("must be a whole number of seconds");

impl From<Ttl> for u64 {
    fn from(ttl: Ttl) -> Self {
        ttl.0
    }
}

/// The life that a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TtlChoice {
    /// What the scope gives by itself.
    #[default]
    Default,
    /// This long, from now.
    For(Ttl),
    /// Until it is deleted.
    Never,
}

/// A life that ends: how long it was set to be, and when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// The time to live, as it was last set.
    pub ttl: Ttl,
    /// The first instant at which it is over.
    pub expires_at: Timestamp,
}

impl Lifetime {
    /// A life of `ttl` that begins now.
    pub fn starting(now: Timestamp, ttl: Ttl) -> Self {
        Self { ttl, expires_at: now.plus_seconds(ttl.0) }
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_over_at_its_last_instant_not_before() {
        let life = Lifetime::starting(Timestamp::from_millis(500), Ttl::try_from(2).unwrap());
        assert!(!life.is_over(Timestamp::from_millis(2_499)));
        assert!(life.is_over(Timestamp::from_millis(2_500)));
    }

    #[test]
    fn zero_and_centuries_are_refused() {
        assert!(Ttl::try_from(0).is_err());
        assert!(Ttl::try_from(u64::MAX).is_err());
    }
}
