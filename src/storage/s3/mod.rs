//! Bytes in an S3 bucket: AWS and whatever speaks its protocol.
//!
//! Only what all such stores do is relied upon: no conditional writes, no checksums but those that this
//! module computes, and no server-side encryption unless configured. Requests are sent again, up to two times and
//! after a random pause, when they were late or the store asks for it: all of them may come twice.

mod body;
mod bucket;
mod checksums;
mod copy;
mod direct;
mod elsewhere;
mod error;
mod multipart;
mod presign;
mod put;
#[cfg(test)]
pub(super) mod tests;
mod upload;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{Object, ServerSideEncryption};
use futures::{StreamExt, stream};

pub use self::bucket::{ABANDONED_AFTER_DAYS, Applied, BucketSetup};
pub use self::checksums::Checksums;
use super::{Body, ByteStream, Direct, Key, ObjectInfo, PutError, PutOptions, Storage, Stored};
use crate::domain::time::Timestamp;
use crate::fault::{Fault, Fullness};
use crate::patience::Patience;
use crate::secret::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a store moves in a second by itself, when it copies.
const COPIED_BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;
/// The most objects that S3 lists at a time.
const PAGE: usize = 1000;

/// Where the bucket is and how to get in.
#[derive(Debug, Clone)]
pub struct S3Options {
    /// The provider's name in the configuration: `s3` or `ibm_cos`.
    pub provider: &'static str,
    /// The name of the bucket.
    pub bucket: String,
    /// The region that requests are signed for; without it, that of the AWS tools.
    pub region: Option<String>,
    /// The URL of the server; that of AWS when there is none.
    pub endpoint_url: Option<String>,
    /// The URL under which clients reach the server, if it is another one.
    pub public_endpoint_url: Option<String>,
    /// Whether the bucket is part of the path and not of the host name.
    pub force_path_style: bool,
    /// The access key; without it, what the AWS tools would use: environment, profile, role.
    pub credentials: Option<AccessKey>,
    /// How the server is to encrypt what it stores, unless its default will do.
    pub sse: Option<Sse>,
    /// What guards the bytes on their way into the store.
    pub checksums: Checksums,
    /// How long the store may take to answer, and a transfer stand still.
    pub patience: Patience,
}

/// An access key. It is not printed.
#[derive(Clone)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
    /// What belongs to a temporary key.
    pub session_token: Option<Secret>,
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey(…)")
    }
}

/// Server-side encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sse {
    /// With keys that S3 manages.
    Aes256,
    /// With a key in AWS KMS.
    AwsKms {
        /// The key, unless it is the account's default for S3.
        key_id: Option<String>,
    },
}

/// Keeps bytes in a bucket.
#[derive(Clone)]
pub struct S3Storage {
    provider: &'static str,
    client: Client,
    /// Signs URLs for clients, and sends nothing.
    signer: Client,
    bucket: String,
    sse: Option<Sse>,
    fullness: Arc<Fullness>,
    checksums: Checksums,
    patience: Patience,
}

impl S3Storage {
    /// Gets ready to use the bucket. Nothing is sent to it yet, so a wrong option shows with the first
    /// request.
    pub async fn connect(options: S3Options) -> Result<Self, Fault> {
        if options.bucket.is_empty() {
            return Err(Fault::broken(options.provider, "configuring", "the name of the bucket is empty"));
        }
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts(options.patience.answer(), Duration::ZERO));
        if let Some(region) = options.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(AccessKey { id, secret, session_token }) = options.credentials {
            let session_token = session_token.map(|token| token.expose().to_owned());
            let credentials = Credentials::new(id, secret.expose(), session_token, None, "configuration");
            loader = loader.credentials_provider(credentials);
        }
        let stalls = StalledStreamProtectionConfig::enabled().grace_period(options.patience.answer()).build();
        let mut config = aws_sdk_s3::config::Builder::from(&loader.load().await)
            .force_path_style(options.force_path_style)
            .stalled_stream_protection(stalls)
            // Many S3-compatible stores do not know the checksums that the SDK adds otherwise.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        // Not for all of AWS: the credentials may come from a service of AWS proper.
        if let Some(url) = options.endpoint_url {
            config = config.endpoint_url(folder(url));
        }
        let client = Client::from_conf(config.clone().build());
        let signer = match options.public_endpoint_url {
            Some(url) => Client::from_conf(config.endpoint_url(folder(url)).build()),
            None => client.clone(),
        };
        let S3Options { provider, bucket, sse, checksums, patience, .. } = options;
        Ok(Self { provider, client, signer, bucket, sse, fullness: Arc::default(), checksums, patience })
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The encryption and, with KMS, its key, as S3 has them in its requests.
    fn encryption(&self) -> (Option<ServerSideEncryption>, Option<String>) {
        match &self.sse {
            None => (None, None),
            Some(Sse::Aes256) => (Some(ServerSideEncryption::Aes256), None),
            Some(Sse::AwsKms { key_id }) => (Some(ServerSideEncryption::AwsKms), key_id.clone()),
        }
    }
}

/// The SDK puts the bucket right behind the path of the endpoint.
fn folder(mut url: String) -> String {
    if !url.ends_with('/') {
        url.push('/');
    }
    url
}

/// An operation may take `answer` and `more`. Half of the first is left for another attempt: a connection may
/// have died without a sign.
fn timeouts(answer: Duration, more: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(answer / 2))
        .operation_attempt_timeout(answer / 2 + more)
        .operation_timeout(answer + more)
        .build()
}

impl S3Storage {
    /// For a request that may take longer than others, by so much.
    fn longer_by(&self, more: Duration) -> aws_sdk_s3::config::Builder {
        aws_sdk_s3::config::Builder::new().timeout_config(timeouts(self.patience.answer(), more))
    }

    /// For a request that carries so many bytes.
    fn carrying(&self, bytes: usize) -> aws_sdk_s3::config::Builder {
        self.longer_by(self.patience.to_move(bytes as u64))
    }

    /// For a request that has the store copy so many bytes.
    fn copying(&self, bytes: u64) -> aws_sdk_s3::config::Builder {
        self.longer_by(Patience::new(Duration::ZERO, COPIED_BYTES_PER_SECOND).to_move(bytes))
    }
}

#[async_trait]
impl Storage for S3Storage {
    fn name(&self) -> &'static str {
        self.provider
    }

    fn is_full(&self) -> bool {
        self.fullness.is_full()
    }

    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
        put::put(self, key, body, options).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        // The last byte is included; an empty range cannot be said.
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let request = self.client.get_object().bucket(&self.bucket).key(key.as_str()).set_range(range);
        let Some(output) = self.existing("reading", request.send().await)? else { return Ok(None) };
        let provider = self.provider;
        let bytes = stream::try_unfold(output.body, async move |mut body| match body.try_next().await {
            Ok(bytes) => Ok(bytes.map(|bytes| (bytes, body))),
            Err(error) => Err(Fault::unavailable(provider, "reading", error)),
        });
        Ok(Some(bytes.boxed()))
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        let request = self.client.head_object().bucket(&self.bucket).key(key.as_str());
        let found = self.existing("looking up", request.send().await)?;
        Ok(found.map(|head| ObjectInfo {
            key: key.clone(),
            bytes: head.content_length.unwrap_or(0).unsigned_abs(),
            stored_at: stored_at(head.last_modified.as_ref()),
            etag: head.e_tag.as_deref().map(unquoted),
        }))
    }

    async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
        copy::copy(self, from, to, options).await
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key.as_str());
        // Some stores say that there was nothing.
        self.existing("deleting", request.send().await)?;
        self.fullness.removed();
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        let mut found = Vec::new();
        // Garage lists nothing behind a key that comes before all with the prefix.
        let mut after = after.map(|key| key.as_str().to_owned()).filter(|key| key.as_str() >= prefix);
        while found.len() < limit {
            let page = (limit - found.len()).min(PAGE);
            let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).max_keys(page as i32);
            let listed = request.set_start_after(after).send().await;
            let listed = listed.map_err(|error| self.fault("listing", error))?;
            found.extend(listed.contents().iter().filter_map(info));
            // By name and not by a token, so that a page is the same whoever asks for it.
            after = listed.contents().last().and_then(|object| object.key.clone());
            if after.is_none() || !listed.is_truncated.unwrap_or(false) {
                break;
            }
        }
        Ok(found)
    }

    fn direct(&self) -> Option<&dyn Direct> {
        Some(self)
    }
}

/// `None` for what this service did not store.
fn info(object: &Object) -> Option<ObjectInfo> {
    Some(ObjectInfo {
        key: Key::from_listing(object.key()?)?,
        bytes: object.size.unwrap_or(0).unsigned_abs(),
        stored_at: stored_at(object.last_modified.as_ref()),
        etag: object.e_tag().map(unquoted),
    })
}

/// In whole seconds: listings have more, HTTP dates do not.
fn stored_at(modified: Option<&DateTime>) -> Timestamp {
    Timestamp::from_millis(modified.map_or(0, |instant| instant.secs().saturating_mul(1000)))
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}
