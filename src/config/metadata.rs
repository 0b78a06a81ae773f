//! Where records and sessions are.

use std::path::{Path, PathBuf};

use super::parse::{self, Expected, ServiceUrl};
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};

settings! { "Records and sessions":
    PROVIDER = Setting::new("SESSION_PROVIDER", Default::Value("sqlite"),
        "Where records and sessions are kept: sqlite, redis or memory.");
    SQLITE_PATH = Setting::new("ARTIFACTD_METADATA_SQLITE_PATH", Default::InDataDir("metadata.db"),
        "Database file, with sqlite. The default is in ARTIFACTD_DATA_DIR.");
    REDIS_URL = Setting::new("SESSION_REDIS_URL", Default::Described("none; required with redis"),
        "URL of the server, with redis: redis://[user:password@]host[:port][/database], or rediss:// with TLS.").url();
    REDIS_PREFIX = Setting::new("SESSION_REDIS_PREFIX", Default::Value("artifactd"),
        "How all keys begin, with redis, so that several services can share a server.");
}

/// Checked again when it is known where the bytes are.
pub(super) const SQLITE_PATH_SETTING: Setting = SQLITE_PATH;

/// The metadata provider and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataConfig {
    /// In memory: lost when the process ends.
    Memory,
    /// A database file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A Redis server.
    Redis {
        /// The server.
        url: ServiceUrl,
        /// How all keys begin.
        prefix: String,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Memory,
    Sqlite,
    Redis,
}

impl MetadataConfig {
    pub(super) fn read(values: &mut Values, data_dir: &Path) -> Result<Self, Reported> {
        let kind = values.required(&PROVIDER, kind);
        let path = values.in_data_dir(&SQLITE_PATH, data_dir);
        let url = values.optional(&REDIS_URL, parse::redis_url);
        let prefix = values.required(&REDIS_PREFIX, prefix);
        Ok(match kind? {
            Kind::Memory => Self::Memory,
            Kind::Sqlite => Self::Sqlite { path: path? },
            Kind::Redis => {
                let missing = || values.reject(&REDIS_URL, format!("must be set with {}=redis", PROVIDER.name));
                Self::Redis { url: url?.ok_or_else(missing)?, prefix: prefix? }
            }
        })
    }
}

fn kind(text: &str) -> Result<Kind, Expected> {
    match text {
        "memory" => Ok(Kind::Memory),
        "sqlite" => Ok(Kind::Sqlite),
        "redis" => Ok(Kind::Redis),
        _ => Err("sqlite, redis or memory"),
    }
}

/// Braces are left out because in Redis Cluster they decide where a key lives.
fn prefix(text: &str) -> Result<String, Expected> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if text.len() <= 64 && text.chars().all(legal) {
        Ok(text.to_owned())
    } else {
        Err("at most 64 letters, digits, '.', '-', '_' or ':'")
    }
}
