//! Instants with millisecond precision.

use std::fmt;
use std::str::FromStr;

use super::{Invalid, serde_as_text};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// Prints as RFC 3339 in UTC with exactly three fractional digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest instant: 9999-01-01T00:00:00.000Z, so that every instant prints with a four-digit year.
    pub const MAX: Self = Self(253_370_764_800_000);

    /// From milliseconds since the epoch; what lies outside the printable years is moved to their edge.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, Self::MAX.0))
    }

    /// Milliseconds since the epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub fn as_seconds(self) -> i64 {
        self.0 / 1000
    }

    /// This instant moved by `seconds` into the future, at most to [`Timestamp::MAX`].
    pub fn plus_seconds(self, seconds: u64) -> Self {
        let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Whole seconds from `earlier` to this instant, rounded up; 0 when `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0 - earlier.0).unwrap_or(0).div_ceil(1000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let instant: jiff::Timestamp =
            text.parse().map_err(|_| Invalid::new("must be an RFC 3339 time such as 2026-01-31T12:00:00Z"))?;
        Ok(Self::from_millis(instant.as_millisecond()))
    }
}

serde_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_utc_with_three_fractional_digits() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_767_225_600_120).to_string(), "2026-01-01T00:00:00.120Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-01-01T00:00:00.000Z");
    }

    #[test]
    fn parses_what_it_prints() {
        let instant = Timestamp::from_millis(1_767_225_600_120);
        assert_eq!(instant.to_string().parse(), Ok(instant));
    }

    #[test]
    fn never_leaves_the_printable_years() {
        assert_eq!(Timestamp::from_millis(5).plus_seconds(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(-1), Timestamp::from_millis(0));
    }
}
