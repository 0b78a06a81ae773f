//! How long others may take.

use std::time::Duration;

use super::parse;
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};

settings! { "Deadlines":
    RECORDS = Setting::new("DEADLINE_RECORDS_SECONDS", Default::Value("10"),
        "How long the records may take to answer; then callers get 503.");
    STORE = Setting::new("DEADLINE_STORE_SECONDS", Default::Value("30"),
        "How long a store of bytes may take to answer, and a transfer stand still; then callers get 503.");
    STORE_RATE = Setting::new("DEADLINE_STORE_BYTES_PER_SECOND", Default::Value("256KiB"),
        "For every so many bytes that a request to S3 carries, it may take a second longer.");
    REQUEST = Setting::new("DEADLINE_REQUEST_SECONDS", Default::Value("120"),
        "How long a request may take, once its body has come, until its answer begins; then it gets 503. \
         What joins, copies or cleans up may take an hour.");
}

/// How long others may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlinesConfig {
    /// The records to answer.
    pub records: Duration,
    /// A store to answer.
    pub store: Duration,
    /// How many bytes a store is given one second more for.
    pub store_bytes_per_second: u64,
    /// A request from the end of its body to its answer.
    pub request: Duration,
}

impl DeadlinesConfig {
    pub(super) fn read(values: &mut Values) -> Result<Self, Reported> {
        let records = values.required(&RECORDS, parse::interval);
        let store = values.required(&STORE, parse::interval);
        let store_rate = values.required(&STORE_RATE, parse::bytes);
        let request = values.required(&REQUEST, parse::interval);
        Ok(Self { records: records?, store: store?, store_bytes_per_second: store_rate?, request: request? })
    }
}
