//! S3 buckets: of AWS, of compatible stores and of IBM.

use super::super::parse::{self, Expected, ServiceUrl};
use super::super::setting::Setting;
use super::super::values::{Reported, Values};
use super::{
    ACCESS_KEY, BUCKET, CHECKSUMS, COS_ACCESS_KEY, COS_ENDPOINT, COS_SECRET_KEY, ENDPOINT, KMS_KEY, PATH_STYLE,
    PUBLIC_ENDPOINT, REGION, SECRET_KEY, SESSION_TOKEN, SSE,
};
use crate::secret::Secret;

/// The region that stores other than AWS accept.
const ANY_REGION: &str = "us-east-1";

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
    /// What guards bytes on their way.
    pub checksums: S3Checksums,
}

/// Checksums that are sent along with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Checksums {
    /// `x-amz-checksum-sha256`.
    Sha256,
    /// `Content-MD5`.
    Md5,
    /// None.
    None,
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

#[derive(Clone, Copy, PartialEq)]
enum Algorithm {
    Aes256,
    Kms,
}

/// The buckets of S3, which may be selected, and of IBM COS, with the setting that selects it, if any does.
pub(super) fn read(
    values: &mut Values,
    s3: bool,
    cos: Option<&Setting>,
) -> (Result<S3Config, Reported>, Result<S3Config, Reported>) {
    let credentials = s3_credentials(values, s3);
    let endpoint = values.optional(&ENDPOINT, store_url);
    let encryption = encryption(values, s3);
    let cos_credentials = cos_credentials(values, cos);
    let cos_endpoint = cos_endpoint(values, cos);
    // With both, S3_FORCE_PATH_STYLE and AWS_REGION are as S3 needs them; IBM COS takes either.
    let elsewhere = if cos.is_some() && !s3 { &cos_endpoint } else { &endpoint };
    let common = S3Config::read_common(values, matches!(elsewhere, Ok(Some(_))));
    if let (true, Some(by), Ok(Some(_))) = (s3, cos, common.as_ref().map(|common| &common.public_endpoint)) {
        let problem = format!("cannot be the URL of two stores, s3 and ibm_cos ({})", by.name);
        let reported = values.reject(&PUBLIC_ENDPOINT, problem);
        return (Err(reported), Err(reported));
    }
    let s3 = S3Config::with(common.clone(), endpoint, credentials, encryption);
    (s3, S3Config::with(common, cos_endpoint, cos_credentials, Ok(None)))
}

impl S3Config {
    /// Reads what all S3 stores have in common.
    fn read_common(values: &mut Values, elsewhere: bool) -> Result<Self, Reported> {
        let bucket = values.required(&BUCKET, bucket);
        let region = if elsewhere {
            values.or(&REGION, parse::text, ANY_REGION).map(Some)
        } else {
            values.optional(&REGION, parse::text)
        };
        let public_endpoint = values.optional(&PUBLIC_ENDPOINT, store_url);
        let path_style = values.or(&PATH_STYLE, parse::boolean, if elsewhere { "true" } else { "false" });
        let checksums = values.required(&CHECKSUMS, checksums);
        Ok(Self {
            bucket: bucket?,
            region: region?,
            endpoint: None,
            public_endpoint: public_endpoint?,
            force_path_style: path_style?,
            credentials: None,
            encryption: None,
            checksums: checksums?,
        })
    }

    /// What is in common, with what is a store's own.
    fn with(
        common: Result<Self, Reported>,
        endpoint: Result<Option<ServiceUrl>, Reported>,
        credentials: Result<Option<S3Credentials>, Reported>,
        encryption: Result<Option<S3Encryption>, Reported>,
    ) -> Result<Self, Reported> {
        Ok(Self { endpoint: endpoint?, credentials: credentials?, encryption: encryption?, ..common? })
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

fn cos_credentials(values: &mut Values, selected_by: Option<&Setting>) -> Result<Option<S3Credentials>, Reported> {
    let access_key = values.optional(&COS_ACCESS_KEY, parse::text);
    let secret_key = values.optional(&COS_SECRET_KEY, parse::secret);
    let Some(by) = selected_by else { return Ok(None) };
    let access_key_id = access_key?.ok_or_else(|| missing_for_cos(values, &COS_ACCESS_KEY, by));
    let secret_access_key = secret_key?.ok_or_else(|| missing_for_cos(values, &COS_SECRET_KEY, by));
    Ok(Some(S3Credentials {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: None,
    }))
}

fn cos_endpoint(values: &mut Values, selected_by: Option<&Setting>) -> Result<Option<ServiceUrl>, Reported> {
    match (values.optional(&COS_ENDPOINT, store_url)?, selected_by) {
        (None, Some(by)) => Err(missing_for_cos(values, &COS_ENDPOINT, by)),
        (endpoint, _) => Ok(endpoint),
    }
}

fn missing_for_cos(values: &mut Values, setting: &Setting, by: &Setting) -> Reported {
    values.reject(setting, format!("must be set with {}=ibm_cos", by.name))
}

/// S3 knows keys only; a user and password would be of no use, and end up in presigned URLs.
fn store_url(text: &str) -> Result<ServiceUrl, Expected> {
    let url = parse::http_url(text)?;
    let has_user = !url.expose().username().is_empty() || url.expose().password().is_some();
    if has_user { Err("a URL without user and password") } else { Ok(url) }
}

fn checksums(text: &str) -> Result<S3Checksums, Expected> {
    match text {
        "sha256" => Ok(S3Checksums::Sha256),
        "md5" => Ok(S3Checksums::Md5),
        "none" => Ok(S3Checksums::None),
        _ => Err("sha256, md5 or none"),
    }
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
