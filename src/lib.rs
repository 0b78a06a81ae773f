//! artifactd
pub mod auth;
pub mod clock;
pub mod config;
pub mod domain;
pub mod fault;
mod files;
pub mod metadata;
pub mod secret;
mod sqlite;
pub mod storage;
