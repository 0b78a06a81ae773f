//! Where the bytes are.

use std::path::{Path, PathBuf};

use super::parse::{self, Expected, ServiceUrl};
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};
use crate::secret::Secret;

settings! { "Bytes":
    PROVIDER = Setting::new("ARTIFACT_PROVIDER", Default::Value("filesystem"),
        "Where bytes are kept: filesystem, s3, ibm_cos, sqlite or memory \
         (vfs-filesystem, vfs-s3, vfs-sqlite and vfs-memory mean the same).");
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

/// The region that stores other than AWS accept.
const ANY_REGION: &str = "us-east-1";

/// The storage provider and what it needs.
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

/// An S3 bucket and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// The region; `None`: the AWS SDK finds it.
    pub region: Option<String>,
    /// The store; `None`: AWS.
    pub endpoint: Option<ServiceUrl>,
    /// Where clients reach the store, if elsewhere.
    pub public_endpoint: Option<ServiceUrl>,
    /// Whether the bucket is in the path.
    pub force_path_style: bool,
    /// The keys; `None`: the AWS SDK finds them.
    pub credentials: Option<S3Credentials>,
    /// Encryption at rest to ask for; `None`: as the bucket is configured.
    pub encryption: Option<S3Encryption>,
}

/// Keys of an S3 account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Credentials {
    /// The access key.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: Secret,
    /// What belongs to temporary keys.
    pub session_token: Option<Secret>,
}

/// Server-side encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3Encryption {
    /// `AES256`: keys of the store.
    Aes256,
    /// `aws:kms`: this key, or the account's default.
    Kms(Option<String>),
}

#[derive(Clone, Copy)]
enum Kind {
    Memory,
    Filesystem,
    Sqlite,
    S3,
    IbmCos,
}

#[derive(Clone, Copy, PartialEq)]
enum Algorithm {
    Aes256,
    Kms,
}

impl StorageConfig {
    /// Reads all providers' settings, so that a wrong value is found whichever is selected;
    /// contradictions count for the selected one only.
    pub(super) fn read(values: &mut Values, data_dir: &Path) -> Result<Self, Reported> {
        let kind = values.required(&PROVIDER, kind);
        let (s3, cos) = (matches!(kind, Ok(Kind::S3)), matches!(kind, Ok(Kind::IbmCos)));
        let root = values.in_data_dir(&FS_ROOT, data_dir);
        let path = values.in_data_dir(&SQLITE_PATH, data_dir);
        let s3_credentials = s3_credentials(values, s3);
        let s3_endpoint = values.optional(&ENDPOINT, store_url);
        let encryption = encryption(values, s3);
        let cos_credentials = cos_credentials(values, cos);
        let cos_endpoint = cos_endpoint(values, cos);
        let bucket = if cos {
            S3Config::read(values, cos_endpoint, cos_credentials, Ok(None))
        } else {
            S3Config::read(values, s3_endpoint, s3_credentials, encryption)
        };
        Ok(match kind? {
            Kind::Memory => Self::Memory,
            Kind::Filesystem => Self::Filesystem { root: root? },
            Kind::Sqlite => Self::Sqlite { path: path? },
            Kind::S3 => Self::S3(bucket?),
            Kind::IbmCos => Self::IbmCos(bucket?),
        })
    }
}

impl S3Config {
    /// Reads what all S3 stores have in common.
    fn read(
        values: &mut Values,
        endpoint: Result<Option<ServiceUrl>, Reported>,
        credentials: Result<Option<S3Credentials>, Reported>,
        encryption: Result<Option<S3Encryption>, Reported>,
    ) -> Result<Self, Reported> {
        let elsewhere = matches!(endpoint, Ok(Some(_)));
        let bucket = values.required(&BUCKET, bucket);
        let region = if elsewhere {
            values.or(&REGION, parse::text, ANY_REGION).map(Some)
        } else {
            values.optional(&REGION, parse::text)
        };
        let public_endpoint = values.optional(&PUBLIC_ENDPOINT, store_url);
        let path_style = values.or(&PATH_STYLE, parse::boolean, if elsewhere { "true" } else { "false" });
        Ok(Self {
            bucket: bucket?,
            region: region?,
            endpoint: endpoint?,
            public_endpoint: public_endpoint?,
            force_path_style: path_style?,
            credentials: credentials?,
            encryption: encryption?,
        })
    }
}

/// Both keys or none; half of a pair matters only when `selected`.
fn s3_credentials(values: &mut Values, selected: bool) -> Result<Option<S3Credentials>, Reported> {
    let access_key = values.optional(&ACCESS_KEY, parse::text);
    let secret_key = values.optional(&SECRET_KEY, parse::secret);
    let session_token = values.optional(&SESSION_TOKEN, parse::secret);
    let (missing, given) = match (access_key?, secret_key?, session_token?) {
        (Some(access_key_id), Some(secret_access_key), session_token) => {
            return Ok(Some(S3Credentials { access_key_id, secret_access_key, session_token }));
        }
        (Some(_), None, _) => (&SECRET_KEY, &ACCESS_KEY),
        (None, Some(_), _) => (&ACCESS_KEY, &SECRET_KEY),
        (None, None, Some(_)) => (&ACCESS_KEY, &SESSION_TOKEN),
        (None, None, None) => return Ok(None),
    };
    if selected { Err(values.reject(missing, format!("must be set too when {} is", given.name))) } else { Ok(None) }
}

fn encryption(values: &mut Values, selected: bool) -> Result<Option<S3Encryption>, Reported> {
    let algorithm = values.optional(&SSE, algorithm);
    let key = values.optional(&KMS_KEY, parse::text);
    match (algorithm?, key?) {
        (Some(Algorithm::Kms), key) => Ok(Some(S3Encryption::Kms(key))),
        (_, Some(_)) if selected => Err(values.reject(&KMS_KEY, format!("is only for {}=aws:kms", SSE.name))),
        (Some(Algorithm::Aes256), _) => Ok(Some(S3Encryption::Aes256)),
        (None, _) => Ok(None),
    }
}

fn cos_credentials(values: &mut Values, selected: bool) -> Result<Option<S3Credentials>, Reported> {
    let access_key = values.optional(&COS_ACCESS_KEY, parse::text);
    let secret_key = values.optional(&COS_SECRET_KEY, parse::secret);
    if !selected {
        return Ok(None);
    }
    let access_key_id = access_key?.ok_or_else(|| missing_for_cos(values, &COS_ACCESS_KEY));
    let secret_access_key = secret_key?.ok_or_else(|| missing_for_cos(values, &COS_SECRET_KEY));
    Ok(Some(S3Credentials {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: None,
    }))
}

fn cos_endpoint(values: &mut Values, selected: bool) -> Result<Option<ServiceUrl>, Reported> {
    match values.optional(&COS_ENDPOINT, store_url)? {
        None if selected => Err(missing_for_cos(values, &COS_ENDPOINT)),
        endpoint => Ok(endpoint),
    }
}

fn missing_for_cos(values: &mut Values, setting: &Setting) -> Reported {
    values.reject(setting, format!("must be set with {}=ibm_cos", PROVIDER.name))
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

/// S3 knows keys only; a user and password would be of no use, and end up in presigned URLs.
fn store_url(text: &str) -> Result<ServiceUrl, Expected> {
    let url = parse::http_url(text)?;
    let has_user = !url.expose().username().is_empty() || url.expose().password().is_some();
    if has_user { Err("a URL without user and password") } else { Ok(url) }
}

fn algorithm(text: &str) -> Result<Algorithm, Expected> {
    match text {
        "AES256" => Ok(Algorithm::Aes256),
        "aws:kms" => Ok(Algorithm::Kms),
        _ => Err("AES256 or aws:kms"),
    }
}

/// The rules are looser than those of AWS: other stores allow upper case and underscores.
fn bucket(text: &str) -> Result<String, Expected> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if (3..=255).contains(&text.len()) && text.chars().all(legal) {
        Ok(text.to_owned())
    } else {
        Err("a bucket name: 3 or more letters, digits, '.', '-' or '_'")
    }
}
