//! What a readiness probe is told.

use std::time::Duration;

use super::parse;
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};

settings! { "Readiness":
    REQUIRES_WRITES = Setting::new("READINESS_REQUIRES_WRITES", Default::Value("true"),
        "Whether /readyz answers 503 when a store can be read but not written. A full store is never a reason: it has \
         to be reached to be emptied.");
    WRITE_INTERVAL = Setting::new("READINESS_WRITE_INTERVAL_SECONDS", Default::Value("30"),
        "How often it is tried whether the stores can be written.");
}

/// What a readiness probe is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessConfig {
    /// Whether the service is unready when it can only read.
    pub requires_writes: bool,
    /// How often writing is tried.
    pub write_interval: Duration,
}

impl ReadinessConfig {
    pub(super) fn read(values: &mut Values) -> Result<Self, Reported> {
        let requires_writes = values.required(&REQUIRES_WRITES, parse::boolean);
        let write_interval = values.required(&WRITE_INTERVAL, parse::interval);
        Ok(Self { requires_writes: requires_writes?, write_interval: write_interval? })
    }
}
