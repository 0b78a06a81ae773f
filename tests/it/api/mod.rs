//! The service in this process: requests go straight into its router.
//!
//! A case whose outcome depends on where bytes and records are runs on every pair of providers
//! (`on_every_pair!`); what is decided before any provider is asked runs on the memory pair alone. Every
//! case has its own providers, its own sandbox and its own clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop where it is, helpers included"
)]

#[macro_use]
mod support;

mod access;
mod admin;
mod batch;
mod bodies;
mod conditional_reads;
mod conditions;
mod content;
mod copy;
mod cursors;
mod directory;
mod errors;
mod faults;
mod grid;
mod idempotency;
mod input;
mod lifetimes;
mod memory;
mod multipart;
mod multipart_limits;
mod names;
mod operation;
mod presign;
mod questions;
mod races;
mod record;
mod rights;
mod search;
mod searchers;
mod sessions;
mod signed_urls;
mod store;
mod stores;
mod sweeping;
mod tokens;
mod upload_ends;
mod upload_races;
mod uploads;
