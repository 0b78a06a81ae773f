//! What a store offers to clients themselves: signed URLs, and uploads in parts that it joins.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use super::{Key, PutOptions, Stored};
use crate::domain::digest::Sha256Digest;
use crate::domain::media_type::MediaType;
use crate::domain::part::PartNumber;
use crate::domain::time::Timestamp;
use crate::fault::Fault;

/// A store that clients can reach without the service in between.
///
/// A signed URL is good from now on for `expires`: whole seconds, at least one, at most seven days. It
/// ends sooner when the credentials that signed it do.
#[async_trait]
pub trait Direct: Send + Sync {
    /// The name of the bucket.
    fn bucket(&self) -> &str;

    /// A URL to read an object, answered with the headers in `response`.
    async fn presign_get(
        &self,
        key: &Key,
        expires: Duration,
        response: &ResponseHeaders,
    ) -> Result<SignedRequest, Fault>;

    /// A URL to write an object. The store refuses a request that does not keep to the constraints; but not
    /// every store knows digests, so what [`Direct::inspect`] does not confirm is not proven.
    async fn presign_put(
        &self,
        key: &Key,
        expires: Duration,
        constraints: &PutConstraints,
    ) -> Result<SignedRequest, Fault>;

    /// A URL to write one part of an upload.
    async fn presign_part(
        &self,
        upload: &MultipartUpload,
        number: PartNumber,
        expires: Duration,
    ) -> Result<SignedRequest, Fault>;

    /// Begins an upload in parts. Until it is completed there is nothing under its key.
    async fn create_multipart(&self, key: &Key, options: &PutOptions) -> Result<MultipartUpload, Fault>;

    /// The parts that have arrived, by number; `None`: there is no such upload (any more).
    async fn parts(&self, upload: &MultipartUpload) -> Result<Option<Vec<Part>>, Fault>;

    /// Makes the parts one object, and ends the upload.
    async fn complete_multipart(&self, upload: &MultipartUpload, parts: &[Part]) -> Result<Completed, Fault>;

    /// Ends an upload, unless that has been done, and removes its parts.
    async fn abort_multipart(&self, upload: &MultipartUpload) -> Result<(), Fault>;

    /// What the store knows of an object besides its size; `None` when there is nothing.
    async fn inspect(&self, key: &Key) -> Result<Option<Inspected>, Fault>;
}

/// What a store knows of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Its digest, if the store was told one and has checked it.
    pub sha256: Option<Sha256Digest>,
    /// The media type that it was sent with.
    pub content_type: Option<MediaType>,
}

/// An upload in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartUpload {
    /// Where the whole will be.
    pub key: Key,
    /// What the store calls the upload.
    pub id: String,
}

/// A request that its bearer may make. It is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// The URL with its signature.
    pub url: String,
    /// The headers that the client has to send as they are, names in lower case. `Host` and `Content-Length`
    /// are not among them: every client sends those by itself, and browsers let nobody set them.
    pub headers: Vec<(String, String)>,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedRequest(…)")
    }
}

/// With which headers a signed read is answered; what is `None` is answered as it was stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHeaders {
    /// `Content-Type`.
    pub content_type: Option<MediaType>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
}

/// What a signed write has to keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutConstraints {
    /// The media type.
    pub content_type: Option<MediaType>,
    /// The size.
    pub bytes: Option<u64>,
    /// The digest.
    pub sha256: Option<Sha256Digest>,
}

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub number: PartNumber,
    /// Its size.
    pub bytes: u64,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// When it arrived.
    pub stored_at: Timestamp,
}

/// How completing an upload ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completed {
    /// There is an object now.
    Done(Stored),
    /// There is no such upload: it has been aborted, or completed before. An attempt whose answer got lost
    /// may have been the one, so a look at the object tells.
    NoSuchUpload,
    /// The parts are not those that have arrived, not in order, or too small.
    InvalidPart,
}
