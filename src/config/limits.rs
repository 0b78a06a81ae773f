//! How long things live and how large they may be.

use std::time::Duration;

use super::parse::{self, Expected};
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};
use crate::domain::meta::MAX_META_TEXT_BYTES;
use crate::domain::ttl::Ttl;

settings! { "Lifetimes and limits":
    SESSION_TTL = Setting::new("SESSION_TTL_SECONDS", Default::Value("86400"),
        "Life of a session.");
    TTL_DEFAULT_SESSION = Setting::new("TTL_DEFAULT_SESSION", Default::Value("900"),
        "Life of a session's artifact that asks for none, in seconds.");
    TTL_MAX_SESSION = Setting::new("TTL_MAX_SESSION", Default::Value("86400"),
        "Longest life of a session's artifact, in seconds.");
    TTL_MAX_USER = Setting::new("TTL_MAX_USER", Default::Described("no limit"),
        "Longest life of a user's artifact, in seconds.");
    TTL_MAX_SANDBOX = Setting::new("TTL_MAX_SANDBOX", Default::Described("no limit"),
        "Longest life of a sandbox's artifact, in seconds.");
    SWEEP_INTERVAL = Setting::new("SWEEP_INTERVAL_SECONDS", Default::Value("60"),
        "How often what has expired is removed.");
    MAX_UPLOAD = Setting::new("MAX_UPLOAD_BYTES", Default::Value("5GiB"),
        "Largest body of an upload through the service.");
    MAX_META = Setting::new("MAX_META_BYTES", Default::Value("16KiB"),
        "Largest meta of an artifact, as JSON; at most 1MiB.");
    MAX_BATCH_ITEMS = Setting::new("MAX_BATCH_ITEMS", Default::Value("100"),
        "Most artifacts that one request stores; at most 1000.");
    MAX_BATCH = Setting::new("MAX_BATCH_BYTES", Default::Value("64MiB"),
        "Most bytes that the artifacts of such a request take together.");
    MAX_REQUESTS = Setting::new("MAX_CONCURRENT_REQUESTS", Default::Value("1024"),
        "Requests served at the same time; more are answered with 503.");
}

/// Lifetimes and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// The life of a session.
    pub session_ttl: Ttl,
    /// The life of a session's artifact that asks for none.
    pub ttl_default_session: Ttl,
    /// The longest life of a session's artifact.
    pub ttl_max_session: Ttl,
    /// The longest life of a user's artifact; `None`: no limit.
    pub ttl_max_user: Option<Ttl>,
    /// The longest life of a sandbox's artifact; `None`: no limit.
    pub ttl_max_sandbox: Option<Ttl>,
    /// How often what has expired is removed.
    pub sweep_interval: Duration,
    /// The largest body of an upload.
    pub max_upload_bytes: u64,
    /// The largest `meta`, as JSON.
    pub max_meta_bytes: u64,
    /// How many artifacts one request may store.
    pub max_batch_items: u32,
    /// How many bytes they may take together.
    pub max_batch_bytes: u64,
    /// How many requests are served at the same time.
    pub max_concurrent_requests: u32,
}

impl LimitsConfig {
    pub(super) fn read(values: &mut Values) -> Result<Self, Reported> {
        let session_ttl = values.required(&SESSION_TTL, parse::ttl);
        let default_session = values.required(&TTL_DEFAULT_SESSION, parse::ttl);
        let max_session = values.required(&TTL_MAX_SESSION, parse::ttl);
        let max_user = values.optional(&TTL_MAX_USER, parse::ttl);
        let max_sandbox = values.optional(&TTL_MAX_SANDBOX, parse::ttl);
        let sweep_interval = values.required(&SWEEP_INTERVAL, parse::interval);
        let max_upload = values.required(&MAX_UPLOAD, parse::bytes);
        let max_meta = values.required(&MAX_META, parse::bytes);
        if matches!(max_meta, Ok(max) if max > MAX_META_TEXT_BYTES as u64) {
            return Err(values.reject(&MAX_META, "must be at most 1MiB"));
        }
        let max_batch_items = values.required(&MAX_BATCH_ITEMS, batch_items);
        let max_batch = values.required(&MAX_BATCH, parse::bytes);
        let max_requests = values.required(&MAX_REQUESTS, parse::count);
        if let (Ok(default), Ok(max)) = (default_session, max_session)
            && default > max
        {
            let (default, max) = (default.as_seconds(), max.as_seconds());
            let name = TTL_MAX_SESSION.name;
            return Err(values.reject(&TTL_DEFAULT_SESSION, format!("{default} is more than {name} ({max})")));
        }
        Ok(Self {
            session_ttl: session_ttl?,
            ttl_default_session: default_session?,
            ttl_max_session: max_session?,
            ttl_max_user: max_user?,
            ttl_max_sandbox: max_sandbox?,
            sweep_interval: sweep_interval?,
            max_upload_bytes: max_upload?,
            max_meta_bytes: max_meta?,
            max_batch_items: max_batch_items?,
            max_batch_bytes: max_batch?,
            max_concurrent_requests: max_requests?,
        })
    }
}

fn batch_items(text: &str) -> Result<u32, Expected> {
    parse::count(text).ok().filter(|n| *n <= 1000).ok_or("a whole number from 1 to 1000")
}
