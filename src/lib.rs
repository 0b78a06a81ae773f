#![doc = include_str!("../docs/architecture.md")]

pub mod auth;
pub mod bootstrap;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod fault;
mod files;
pub mod http;
pub mod lifecycle;
pub mod metadata;
pub mod patience;
pub mod policy;
pub mod secret;
pub mod server;
pub mod signing;
mod sqlite;
pub mod storage;
pub mod telemetry;
