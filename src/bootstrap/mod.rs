//! From the configuration to a service that can run: keys, providers, rules.

mod secret_file;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use prometheus_client::registry::Registry;

use crate::auth::{AuthOptions, Authenticator, ClaimNames, KeyError, KeySource};
use crate::clock::SystemClock;
use crate::config::{
    AuthConfig, Config, CorsOrigins, DeadlinesConfig, MetadataConfig, S3Checksums, S3Config, S3Encryption,
    StorageConfig, StorageConfigs,
};
use crate::fault::Fault;
use crate::http::{AllowedOrigins, AppState, Gate};
use crate::metadata::{MemoryMetadata, MetadataStore, RedisMetadata, SqliteMetadata};
use crate::patience::Patience;
use crate::policy::{Limits, Service, Stores};
use crate::signing::SigningKeys;
use crate::storage::filesystem::FilesystemStorage;
use crate::storage::memory::MemoryStorage;
use crate::storage::s3::{AccessKey, Checksums, S3Options, S3Storage, Sse};
use crate::storage::sqlite::SqliteStorage;
use crate::storage::{Prefixed, Punctual, Storage};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The keys of tokens are of no use.
    #[error("the keys of tokens cannot be used")]
    Keys(#[from] KeyError),
    /// A generated secret can be neither read nor written.
    #[error("the generated secret in {path} cannot be used")]
    SecretFile {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A provider cannot be opened.
    #[error(transparent)]
    Provider(#[from] Fault),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system refuses what every program needs.
    #[error("the process cannot be set up")]
    System(#[from] std::io::Error),
}

/// The options of authentication. Without configured keys, a secret is generated once and kept in the
/// data folder; the configuration allows that on loopback only.
pub fn auth_options(config: &Config) -> Result<AuthOptions, StartError> {
    let AuthConfig { secrets, public_key, public_key_file, jwks_url, jwks_file, .. } = &config.auth;
    let mut keys: Vec<KeySource> = secrets.iter().cloned().map(KeySource::Secret).collect();
    keys.extend(public_key.clone().map(KeySource::Pem));
    keys.extend(public_key_file.clone().map(KeySource::PemFile));
    keys.extend(jwks_url.as_ref().map(|url| KeySource::JwksUrl(url.expose().clone())));
    keys.extend(jwks_file.clone().map(KeySource::JwksFile));
    if keys.is_empty() {
        keys.push(KeySource::Secret(secret_file::read_or_generate(&config.server.data_dir, secret_file::TOKENS)?));
    }
    Ok(AuthOptions {
        keys,
        issuers: config.auth.issuers.clone(),
        audiences: config.auth.audiences.clone(),
        claims: ClaimNames {
            user: config.auth.claim_user.clone(),
            session: config.auth.claim_session.clone(),
            sandbox: config.auth.claim_sandbox.clone(),
        },
        sandbox: config.auth.sandbox.clone(),
        leeway_seconds: config.auth.leeway_seconds,
    })
}

/// The keys of signed URLs and cursors. Without configured secrets, one is generated once and kept in the
/// data folder.
pub fn signing_keys(config: &Config) -> Result<SigningKeys, StartError> {
    match config.signing.secrets.as_slice() {
        [current, others @ ..] => Ok(SigningKeys::new(current, others)),
        [] => {
            let generated = secret_file::read_or_generate(&config.server.data_dir, secret_file::URLS)?;
            Ok(SigningKeys::new(&generated, &[]))
        }
    }
}

/// The rules over the configured providers.
pub async fn service(config: &Config) -> Result<Service, StartError> {
    let stores = stores(&config.storage, &config.deadlines).await?;
    let metadata = metadata(&config.metadata, &config.deadlines)?;
    Ok(Service::new(metadata, stores, Arc::new(SystemClock), limits(config)))
}

/// What verifies tokens.
pub fn authenticator(auth: AuthOptions) -> Result<Authenticator, StartError> {
    Ok(Authenticator::new(auth, Arc::new(SystemClock))?)
}

/// The whole service, and the door through which its requests come. Its figures stand beside those that `figures` adds.
pub fn router(
    config: &Config,
    service: Service,
    auth: AuthOptions,
    figures: impl FnOnce(&mut Registry),
) -> Result<(Router, Gate), StartError> {
    let gate = Gate::new(config.limits.max_concurrent_requests);
    let public_url = config.server.public_url.as_ref().map(|url| url.expose().as_str().trim_end_matches('/'));
    let signing = signing_keys(config)?;
    let state = AppState::new(service, authenticator(auth)?, signing, gate.clone(), public_url)
        .with_figures(figures)
        .with_writes_required(config.readiness.requires_writes)
        .with_deadline(config.deadlines.request);
    let origins = match &config.server.cors {
        CorsOrigins::Any => AllowedOrigins::Any,
        CorsOrigins::Only(origins) if origins.is_empty() => AllowedOrigins::None,
        CorsOrigins::Only(origins) => {
            AllowedOrigins::List(origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect())
        }
    };
    Ok((crate::http::router(state, origins), gate))
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        session_default_ttl: limits.ttl_default_session,
        session_max_ttl: limits.ttl_max_session,
        user_max_ttl: limits.ttl_max_user,
        sandbox_max_ttl: limits.ttl_max_sandbox,
        session_life: limits.session_ttl,
        max_upload_bytes: limits.max_upload_bytes,
        max_meta_bytes: usize::try_from(limits.max_meta_bytes).unwrap_or(usize::MAX),
        max_batch_items: usize::try_from(limits.max_batch_items).unwrap_or(usize::MAX),
        max_batch_bytes: limits.max_batch_bytes,
    }
}

/// The storage providers. One that several scopes have is opened once.
async fn stores(config: &StorageConfigs, deadlines: &DeadlinesConfig) -> Result<Stores, Fault> {
    let open = async |provider| match (storage(provider, deadlines).await?, &config.prefix) {
        (storage, None) => Ok::<_, Fault>(storage),
        (storage, Some(prefix)) => Ok(Arc::new(Prefixed::new(storage, prefix)) as Arc<dyn Storage>),
    };
    let session = open(&config.session).await?;
    let user = if config.user == config.session { Arc::clone(&session) } else { open(&config.user).await? };
    let sandbox = match &config.sandbox {
        sandbox if *sandbox == config.session => Arc::clone(&session),
        sandbox if *sandbox == config.user => Arc::clone(&user),
        sandbox => open(sandbox).await?,
    };
    Ok(Stores::per_scope(session, user, sandbox))
}

async fn storage(config: &StorageConfig, deadlines: &DeadlinesConfig) -> Result<Arc<dyn Storage>, Fault> {
    let punctual = |storage: Arc<dyn Storage>| Arc::new(Punctual::new(storage, deadlines.store));
    Ok(match config {
        StorageConfig::Memory => Arc::new(MemoryStorage::default()),
        StorageConfig::Filesystem { root } => punctual(Arc::new(FilesystemStorage::open(root)?)),
        StorageConfig::Sqlite { path } => punctual(Arc::new(SqliteStorage::open(path)?)),
        StorageConfig::S3(config) => Arc::new(S3Storage::connect(s3_options("s3", config, deadlines)).await?),
        StorageConfig::IbmCos(config) => Arc::new(S3Storage::connect(s3_options("ibm_cos", config, deadlines)).await?),
    })
}

/// The buckets that bytes are kept in, if any.
pub async fn buckets(config: &Config) -> Result<Vec<S3Storage>, StartError> {
    let mut buckets = Vec::new();
    let deadlines = &config.deadlines;
    for (config, _) in config.storage.distinct() {
        let options = match config {
            StorageConfig::S3(config) => s3_options("s3", config, deadlines),
            StorageConfig::IbmCos(config) => s3_options("ibm_cos", config, deadlines),
            StorageConfig::Memory | StorageConfig::Filesystem { .. } | StorageConfig::Sqlite { .. } => continue,
        };
        buckets.push(S3Storage::connect(options).await?);
    }
    Ok(buckets)
}

fn metadata(config: &MetadataConfig, deadlines: &DeadlinesConfig) -> Result<Arc<dyn MetadataStore>, Fault> {
    Ok(match config {
        MetadataConfig::Memory => Arc::new(MemoryMetadata::new()),
        MetadataConfig::Sqlite { path } => Arc::new(SqliteMetadata::open(path)?.within(deadlines.records)),
        MetadataConfig::Redis { url, prefix } => {
            Arc::new(RedisMetadata::connect_within(url.expose().as_str(), prefix, deadlines.records)?)
        }
    })
}

fn s3_options(provider: &'static str, config: &S3Config, deadlines: &DeadlinesConfig) -> S3Options {
    S3Options {
        provider,
        bucket: config.bucket.clone(),
        region: config.region.clone(),
        endpoint_url: config.endpoint.as_ref().map(|url| url.expose().to_string()),
        public_endpoint_url: config.public_endpoint.as_ref().map(|url| url.expose().to_string()),
        force_path_style: config.force_path_style,
        credentials: config.credentials.as_ref().map(|credentials| AccessKey {
            id: credentials.access_key_id.clone(),
            secret: credentials.secret_access_key.clone(),
            session_token: credentials.session_token.clone(),
        }),
        sse: config.encryption.as_ref().map(|encryption| match encryption {
            S3Encryption::Aes256 => Sse::Aes256,
            S3Encryption::Kms(key_id) => Sse::AwsKms { key_id: key_id.clone() },
        }),
        checksums: match config.checksums {
            S3Checksums::Sha256 => Checksums::Sha256,
            S3Checksums::Md5 => Checksums::Md5,
            S3Checksums::None => Checksums::None,
        },
        patience: Patience::new(deadlines.store, deadlines.store_bytes_per_second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(data: &std::path::Path, secrets: &str) -> Config {
        let variables = [("ARTIFACTD_DATA_DIR", data.as_os_str()), ("URL_SIGNING_SECRET", secrets.as_ref())];
        Config::load(variables.map(|(name, value)| (name.into(), value.into())), None).unwrap()
    }

    #[test]
    fn generated_signing_keys_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "");
        let signature = signing_keys(&config).unwrap().sign(b"message");
        assert!(signing_keys(&config).unwrap().verify(b"message", &signature));
    }

    #[test]
    fn configured_signing_secrets_are_rotated_and_need_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = ("o".repeat(32), "n".repeat(32));
        let keys = |secrets: &str| signing_keys(&config(folder.path(), secrets)).unwrap();
        let signature = keys(&old).sign(b"message");
        assert!(keys(&format!("{new},{old}")).verify(b"message", &signature));
        assert!(!keys(&new).verify(b"message", &signature));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
