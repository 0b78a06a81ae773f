//! artifactd
pub mod auth;
pub mod clock;
pub mod config;
pub mod domain;
pub mod fault;
mod files;
pub mod http;
pub mod metadata;
pub mod policy;
pub mod secret;
mod sqlite;
pub mod storage;
