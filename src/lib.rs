//! artifactd
pub mod clock;
pub mod domain;
pub mod fault;
mod files;
pub mod metadata;
pub mod policy;
mod sqlite;
pub mod storage;
