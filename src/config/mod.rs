//! The configuration: read once at start, checked as a whole, typed from then on.
//!
//! Values come from the environment, from `.env` and from a TOML file, the first winning. Each section
//! of settings has a file of its own with names, defaults and checks. All errors are found in one run,
//! and nothing here ever prints a secret.

mod auth;
mod deadlines;
mod error;
mod limits;
mod logging;
mod metadata;
mod parse;
mod readiness;
mod server;
mod setting;
mod signing;
mod source;
mod storage;
#[cfg(test)]
mod tests;
mod unknown;
mod values;

use std::ffi::OsString;
use std::path::Path;

pub use auth::AuthConfig;
pub use deadlines::DeadlinesConfig;
pub use error::{ConfigError, ConfigErrors};
pub use limits::LimitsConfig;
pub use logging::{LogFormat, LoggingConfig};
pub use metadata::MetadataConfig;
pub use parse::ServiceUrl;
pub use readiness::ReadinessConfig;
pub use server::{CorsOrigins, ServerConfig};
pub use setting::{Default, Section, Setting, Visibility};
pub use signing::SigningConfig;
pub use storage::{S3Checksums, S3Config, S3Credentials, S3Encryption, StorageConfig, StorageConfigs};

use server::CONFIG_FILE_SETTING as CONFIG_FILE;
use values::{Reported, Values};

/// Every setting there is, by section.
pub const SECTIONS: [Section; 9] = [
    server::SECTION,
    auth::SECTION,
    signing::SECTION,
    storage::SECTION,
    metadata::SECTION,
    limits::SECTION,
    deadlines::SECTION,
    readiness::SECTION,
    logging::SECTION,
];

fn all_settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// The whole configuration. Its `Debug` form shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the server listens and what browsers may do.
    pub server: ServerConfig,
    /// Who may call.
    pub auth: AuthConfig,
    /// What the service signs with.
    pub signing: SigningConfig,
    /// Where the bytes of each scope are.
    pub storage: StorageConfigs,
    /// Where records and sessions are.
    pub metadata: MetadataConfig,
    /// How long things live and how large they may be.
    pub limits: LimitsConfig,
    /// How long others may take.
    pub deadlines: DeadlinesConfig,
    /// What a readiness probe is told.
    pub readiness: ReadinessConfig,
    /// What is logged and how.
    pub logging: LoggingConfig,
    listing: Vec<(&'static str, String)>,
}

impl Config {
    /// Reads the configuration from `environment`, the `.env` file at `dotenv` (which need not exist)
    /// and the TOML file that `ARTIFACTD_CONFIG` names in either.
    pub fn load(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        dotenv: Option<&Path>,
    ) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let Some(given) = source::collect(environment, dotenv, &mut errors) else {
            return Err(ConfigErrors(errors));
        };
        let mut values = Values::new(given, errors);
        let config = Self::read(&mut values);
        let (mut listing, errors) = values.finish();
        match config {
            Ok(config) if errors.is_empty() => {
                let listing = all_settings().filter_map(|setting| listing.remove_entry(setting.name)).collect();
                Ok(Self { listing, ..config })
            }
            _ => Err(ConfigErrors(errors)),
        }
    }

    fn read(values: &mut Values) -> Result<Self, Reported> {
        let server = ServerConfig::read(values);
        let auth = AuthConfig::read(values);
        // With a wrong data folder the sections below still have their own errors to report.
        let data_dir = server.as_ref().map(|server| server.data_dir.clone()).unwrap_or_default();
        let signing = SigningConfig::read(values);
        let storage = StorageConfigs::read(values, &data_dir);
        let metadata = MetadataConfig::read(values, &data_dir);
        let limits = LimitsConfig::read(values);
        let deadlines = DeadlinesConfig::read(values);
        let readiness = ReadinessConfig::read(values);
        let logging = LoggingConfig::read(values);
        let (server, auth) = (server?, auth?);
        if !server.is_loopback() && !auth.is_configured() {
            let problem = format!(
                "{} can be reached from other machines, so a key for tokens is needed: set AUTH_JWT_SECRET, \
                 AUTH_JWT_PUBLIC_KEY, AUTH_JWT_PUBLIC_KEY_FILE, AUTH_JWKS_URL or AUTH_JWKS_FILE",
                server.bind
            );
            return Err(values.reject(&server::BIND_SETTING, problem));
        }
        let (storage, metadata) = (storage?, metadata?);
        if let MetadataConfig::Sqlite { path } = &metadata {
            let in_same_file = StorageConfig::Sqlite { path: path.clone() };
            if storage.distinct().iter().any(|(provider, _)| **provider == in_same_file) {
                let problem = "must be another file than ARTIFACT_SQLITE_PATH";
                return Err(values.reject(&metadata::SQLITE_PATH_SETTING, problem));
            }
        }
        let (signing, limits, deadlines) = (signing?, limits?, deadlines?);
        let (readiness, logging) = (readiness?, logging?);
        let listing = Vec::new();
        Ok(Self { server, auth, signing, storage, metadata, limits, deadlines, readiness, logging, listing })
    }

    /// Whether there is a key to verify tokens with. If not, the server listens on loopback only.
    pub fn auth_is_configured(&self) -> bool {
        self.auth.is_configured()
    }

    /// What holds, as `NAME=value` lines in the order of [`SECTIONS`]; secrets print as `***`.
    pub fn redacted(&self) -> impl Iterator<Item = String> + '_ {
        self.listing.iter().map(|(name, value)| format!("{name}={}", value.replace('\n', "\\n")))
    }
}

/// The text of `.env.example`.
pub fn env_example() -> String {
    setting::env_example(&SECTIONS)
}
