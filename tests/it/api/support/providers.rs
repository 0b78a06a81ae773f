//! The pairs of providers, opened for one test, and one for each scope.

use std::sync::Arc;
use std::time::Duration;

use artifactd::domain::scope::Scope;
use artifactd::metadata::{MemoryMetadata, MetadataStore, RedisMetadata, SqliteMetadata};
use artifactd::patience::Patience;
use artifactd::policy::Stores;
use artifactd::storage::filesystem::FilesystemStorage;
use artifactd::storage::memory::MemoryStorage;
use artifactd::storage::s3::{AccessKey, Checksums, S3Options, S3Storage};
use artifactd::storage::sqlite::SqliteStorage;
use artifactd::storage::{Prefixed, Storage};
use tempfile::TempDir;

use crate::process::S3;

/// Where bytes and where records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    Memory,
    FilesystemSqlite,
    Sqlite,
    S3Redis,
}

/// Providers that no other test uses.
#[derive(Clone)]
pub(crate) struct Providers {
    pub(crate) stores: Stores,
    pub(crate) metadata: Arc<dyn MetadataStore>,
    /// The part of the bucket, if there is one.
    corner: Option<String>,
    _folder: Option<Arc<TempDir>>,
}

impl Providers {
    pub(crate) async fn open(pair: Pair) -> Self {
        match pair {
            Pair::Memory => Self {
                stores: Stores::one(Arc::new(MemoryStorage::default())),
                metadata: Arc::new(MemoryMetadata::new()),
                corner: None,
                _folder: None,
            },
            Pair::FilesystemSqlite => {
                let folder = tempfile::tempdir().unwrap();
                Self {
                    stores: Stores::one(filesystem(&folder)),
                    metadata: Arc::new(SqliteMetadata::open(&folder.path().join("metadata.db")).unwrap()),
                    corner: None,
                    _folder: Some(Arc::new(folder)),
                }
            }
            Pair::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                Self {
                    stores: Stores::one(sqlite(&folder)),
                    metadata: Arc::new(SqliteMetadata::open(&folder.path().join("metadata.db")).unwrap()),
                    corner: None,
                    _folder: Some(Arc::new(folder)),
                }
            }
            Pair::S3Redis => {
                let name = format!("api-{:032x}", rand::random::<u128>());
                let bucket = S3Storage::connect(s3_options()).await.unwrap();
                Self {
                    stores: Stores::one(Arc::new(Prefixed::new(Arc::new(bucket), &name.parse().unwrap()))),
                    metadata: Arc::new(RedisMetadata::connect(&variable("REDIS_URL"), &name).unwrap()),
                    corner: Some(name),
                    _folder: None,
                }
            }
        }
    }

    /// Bytes of sessions in memory, of users in files, of the sandbox in a database.
    pub(crate) fn per_scope() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            stores: Stores::per_scope(Arc::new(MemoryStorage::default()), filesystem(&folder), sqlite(&folder)),
            metadata: Arc::new(MemoryMetadata::new()),
            corner: None,
            _folder: Some(Arc::new(folder)),
        }
    }

    /// These providers with another storage for all scopes, made from that of sessions.
    pub(crate) fn with_storage<S: Storage>(self, change: impl FnOnce(Arc<dyn Storage>) -> S) -> Self {
        let storage = change(self.of(Scope::Session));
        self.with_stores(Stores::one(Arc::new(storage)))
    }

    /// These providers with other storage.
    pub(crate) fn with_stores(mut self, stores: Stores) -> Self {
        self.stores = stores;
        self
    }

    /// The storage of a scope.
    pub(crate) fn of(&self, scope: Scope) -> Arc<dyn Storage> {
        Arc::clone(self.stores.for_scope(scope))
    }

    /// The keys of uploads in parts that the store itself has.
    pub(crate) async fn keys_in_parts(&self) -> Vec<String> {
        match &self.corner {
            Some(corner) => S3::from_environment().keys_in_parts(&format!("{corner}/")).await,
            None => Vec::new(),
        }
    }

    /// These providers with other metadata.
    pub(crate) fn with_metadata(mut self, metadata: impl MetadataStore) -> Self {
        self.metadata = Arc::new(metadata);
        self
    }
}

fn filesystem(folder: &TempDir) -> Arc<dyn Storage> {
    Arc::new(FilesystemStorage::open(folder.path().join("artifacts")).unwrap())
}

fn sqlite(folder: &TempDir) -> Arc<dyn Storage> {
    Arc::new(SqliteStorage::open(&folder.path().join("artifacts.db")).unwrap())
}

fn s3_options() -> S3Options {
    S3Options {
        provider: "s3",
        bucket: variable("S3_BUCKET"),
        region: Some(variable("S3_REGION")),
        endpoint_url: Some(variable("S3_ENDPOINT")),
        public_endpoint_url: None,
        force_path_style: true,
        credentials: Some(AccessKey {
            id: variable("S3_ACCESS_KEY"),
            secret: variable("S3_SECRET_KEY").into(),
            session_token: None,
        }),
        sse: None,
        checksums: Checksums::Sha256,
        patience: Patience::new(Duration::from_secs(30), 1024 * 1024),
    }
}

fn variable(name: &str) -> String {
    let name = format!("ARTIFACTD_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run `scripts/with-services cargo test`"))
}
