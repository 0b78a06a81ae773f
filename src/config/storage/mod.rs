//! Where the bytes are: the provider of each scope.

mod s3;

use std::path::{Path, PathBuf};

pub use s3::{S3Checksums, S3Config, S3Credentials, S3Encryption};

use super::parse::Expected;
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};
use crate::domain::prefix::KeyPrefix;
use crate::domain::scope::Scope;

settings! { "Bytes":
    PROVIDER = Setting::new("ARTIFACT_PROVIDER", Default::Value("filesystem"),
        "Where bytes are kept: filesystem, s3, ibm_cos, sqlite or memory \
         (vfs-filesystem, vfs-s3, vfs-sqlite and vfs-memory mean the same).");
    PROVIDER_SESSION = Setting::new("ARTIFACT_PROVIDER_SESSION", Default::Described("ARTIFACT_PROVIDER"),
        "Where bytes of the scope session are kept. Scopes with the same provider share its settings.");
    PROVIDER_USER = Setting::new("ARTIFACT_PROVIDER_USER", Default::Described("ARTIFACT_PROVIDER"),
        "Where bytes of the scope user are kept.");
    PROVIDER_SANDBOX = Setting::new("ARTIFACT_PROVIDER_SANDBOX", Default::Described("ARTIFACT_PROVIDER"),
        "Where bytes of the scope sandbox are kept.");
    PREFIX = Setting::new("ARTIFACT_PREFIX", Default::Described("none"),
        "How all keys begin, so that several services can share a bucket, a folder or a database: a name, or several \
         joined by '/'.");
    BUCKET = Setting::new("ARTIFACT_BUCKET", Default::Value("artifacts"),
        "Bucket, with s3 and ibm_cos.");
    FS_ROOT = Setting::new("ARTIFACT_FS_ROOT", Default::InDataDir("artifacts"),
        "Folder, with filesystem. The default is in ARTIFACTD_DATA_DIR.");
    SQLITE_PATH = Setting::new("ARTIFACT_SQLITE_PATH", Default::InDataDir("artifacts.db"),
        "Database file, with sqlite. The default is in ARTIFACTD_DATA_DIR.");
    ACCESS_KEY = Setting::new("AWS_ACCESS_KEY_ID", Default::Described("where the AWS SDK looks for credentials"),
        "Access key, with s3.");
    SECRET_KEY = Setting::new("AWS_SECRET_ACCESS_KEY", Default::Described("as for AWS_ACCESS_KEY_ID"),
        "Secret key, with s3.").secret();
    SESSION_TOKEN = Setting::new("AWS_SESSION_TOKEN", Default::Described("none"),
        "Token that belongs to temporary keys, with s3.").secret();
    REGION = Setting::new("AWS_REGION",
        Default::Described("us-east-1 with an endpoint URL, else the AWS SDK looks for it"),
        "Region, with s3 and ibm_cos.");
    ENDPOINT = Setting::new("S3_ENDPOINT_URL", Default::Described("AWS"),
        "URL of an S3-compatible store, with s3.").url();
    PUBLIC_ENDPOINT = Setting::new("S3_PUBLIC_ENDPOINT_URL",
        Default::Described("the endpoint that the service itself uses"),
        "URL under which clients reach the store, for presigned URLs.").url();
    PATH_STYLE = Setting::new("S3_FORCE_PATH_STYLE", Default::Described("true with an endpoint URL, else false"),
        "Whether the bucket is in the path and not in the host name.");
    CHECKSUMS = Setting::new("S3_CHECKSUMS", Default::Value("sha256"),
        "What guards bytes on their way, with s3 and ibm_cos: sha256, md5 or none. Not every store knows all of them; \
         artifactd check says which ones do.");
    SSE = Setting::new("S3_SSE_ALGORITHM", Default::Described("as the bucket is configured"),
        "Encryption at rest to ask for, with s3: AES256 or aws:kms.");
    KMS_KEY = Setting::new("S3_SSE_KMS_KEY_ID", Default::Described("the account's default key"),
        "Key for S3_SSE_ALGORITHM=aws:kms.");
    COS_ACCESS_KEY = Setting::new("IBM_COS_ACCESS_KEY", Default::Described("none; required with ibm_cos"),
        "HMAC access key, with ibm_cos.");
    COS_SECRET_KEY = Setting::new("IBM_COS_SECRET_KEY", Default::Described("none; required with ibm_cos"),
        "HMAC secret key, with ibm_cos.").secret();
    COS_ENDPOINT = Setting::new("IBM_COS_ENDPOINT", Default::Described("none; required with ibm_cos"),
        "URL of the endpoint, with ibm_cos, such as https://s3.us-south.cloud-object-storage.appdomain.cloud.").url();
}

/// The storage provider of each scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageConfigs {
    /// Of sessions.
    pub session: StorageConfig,
    /// Of users.
    pub user: StorageConfig,
    /// Of what all in a sandbox share.
    pub sandbox: StorageConfig,
    /// What all keys begin with.
    pub prefix: Option<KeyPrefix>,
}

/// A storage provider and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageConfig {
    /// In memory: lost when the process ends.
    Memory,
    /// Files.
    Filesystem {
        /// The folder.
        root: PathBuf,
    },
    /// A database file.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// AWS S3 or a compatible store.
    S3(S3Config),
    /// IBM Cloud Object Storage, through its S3 interface.
    IbmCos(S3Config),
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Memory,
    Filesystem,
    Sqlite,
    S3,
    IbmCos,
}

/// What a scope has, and the setting that says so.
#[derive(Clone, Copy)]
struct Choice {
    kind: Kind,
    by: &'static Setting,
}

impl StorageConfigs {
    /// Reads all providers' settings, so that a wrong value is found whichever is selected;
    /// contradictions count for those that are selected only.
    pub(super) fn read(values: &mut Values, data_dir: &Path) -> Result<Self, Reported> {
        let default = values.required(&PROVIDER, kind).map(|kind| Choice { kind, by: &PROVIDER });
        let choices = [&PROVIDER_SESSION, &PROVIDER_USER, &PROVIDER_SANDBOX]
            .map(|by| values.optional(by, kind).and_then(|own| own.map_or(default, |kind| Ok(Choice { kind, by }))));
        let prefix = values.optional(&PREFIX, prefix);
        let selected_by = |kind| choices.iter().flatten().find(|choice| choice.kind == kind).map(|choice| choice.by);
        let root = values.in_data_dir(&FS_ROOT, data_dir);
        let path = values.in_data_dir(&SQLITE_PATH, data_dir);
        let (s3, cos) = s3::read(values, selected_by(Kind::S3).is_some(), selected_by(Kind::IbmCos));
        let [session, user, sandbox] = choices.map(|choice| {
            Ok(match choice?.kind {
                Kind::Memory => StorageConfig::Memory,
                Kind::Filesystem => StorageConfig::Filesystem { root: root.clone()? },
                Kind::Sqlite => StorageConfig::Sqlite { path: path.clone()? },
                Kind::S3 => StorageConfig::S3(s3.clone()?),
                Kind::IbmCos => StorageConfig::IbmCos(cos.clone()?),
            })
        });
        Ok(Self { session: session?, user: user?, sandbox: sandbox?, prefix: prefix? })
    }

    /// The provider of `scope`.
    pub fn of(&self, scope: Scope) -> &StorageConfig {
        match scope {
            Scope::Session => &self.session,
            Scope::User => &self.user,
            Scope::Sandbox => &self.sandbox,
        }
    }

    /// Each provider once, with its scopes.
    pub fn distinct(&self) -> Vec<(&StorageConfig, Vec<Scope>)> {
        let mut found: Vec<(&StorageConfig, Vec<Scope>)> = Vec::new();
        for scope in Scope::ALL {
            let config = self.of(scope);
            match found.iter_mut().find(|(known, _)| *known == config) {
                Some((_, scopes)) => scopes.push(scope),
                None => found.push((config, vec![scope])),
            }
        }
        found
    }
}

fn prefix(text: &str) -> Result<KeyPrefix, Expected> {
    text.parse().map_err(|_| {
        "names of letters, digits, '-', '_', '.' or '~' joined by '/', at most 200 in all, and none of them grid, \
         pending, check, tmp or artifactd.json"
    })
}

fn kind(text: &str) -> Result<Kind, Expected> {
    match text.strip_prefix("vfs-").unwrap_or(text) {
        "memory" => Ok(Kind::Memory),
        "filesystem" => Ok(Kind::Filesystem),
        "s3" => Ok(Kind::S3),
        "sqlite" => Ok(Kind::Sqlite),
        "ibm_cos" if text == "ibm_cos" => Ok(Kind::IbmCos),
        _ => Err("filesystem, s3, ibm_cos, sqlite, memory, vfs-filesystem, vfs-s3, vfs-sqlite or vfs-memory"),
    }
}
