//! How long a signed URL is to be good.

use serde::Deserialize;

use crate::domain::Invalid;
use crate::domain::ttl::Ttl;
use crate::policy::MAX_PRESIGNED_SECONDS;

/// Seconds: at least one, at most seven days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub(in crate::http) struct UrlLife(Ttl);

impl UrlLife {
    /// What holds when nothing is said: an hour.
    pub(in crate::http) const DEFAULT_SECONDS: u64 = 3600;

    pub(in crate::http) fn get(self) -> Ttl {
        self.0
    }

    /// `life`, or `seconds` when it is not given.
    pub(in crate::http) fn or(life: Option<Self>, seconds: u64) -> Ttl {
        life.map_or_else(|| Ttl::try_from(seconds).unwrap_or(Ttl::MAX), Self::get)
    }
}

impl TryFrom<u64> for UrlLife {
    type Error = Invalid;

    fn try_from(seconds: u64) -> Result<Self, Invalid> {
        match Ttl::try_from(seconds) {
            Ok(ttl) if seconds <= MAX_PRESIGNED_SECONDS => Ok(Self(ttl)),
            _ => Err(Invalid::from(format!("must be 1 to {MAX_PRESIGNED_SECONDS} seconds"))),
        }
    }
}

/// From decimal digits.
impl std::str::FromStr for UrlLife {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::try_from(text.parse::<Ttl>()?.as_seconds())
    }
}
