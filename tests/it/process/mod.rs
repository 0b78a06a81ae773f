//! The program as its users run it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

mod abort;
mod commands;
mod deadlines;
mod drain;
mod durability;
mod expansion;
mod jwks;
mod log;
mod secrets;
mod sockets;
mod start;
mod uploads;

pub(crate) use self::support::S3;
