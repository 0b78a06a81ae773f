//! Storage providers: where the bytes are.
//!
//! A provider is dumb: it gets explicit keys and options and does what it is told. It knows neither
//! callers nor records. Every provider passes the same suite of cases (`contract.rs`).

mod batch;
#[cfg(test)]
mod contract;
mod direct;
mod exactly;
pub mod filesystem;
mod key;
pub mod memory;
mod parts;
mod prefixed;
mod punctual;
pub mod s3;
pub mod sqlite;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;

pub use self::direct::{
    Completed, Direct, Inspected, MultipartUpload, Part, PutConstraints, ResponseHeaders, SignedRequest,
};
pub use self::exactly::exactly;
pub use self::key::Key;
pub use self::parts::Parts;
pub use self::prefixed::Prefixed;
pub use self::punctual::Punctual;
use crate::domain::digest::Sha256Digest;
use crate::domain::media_type::MediaType;
use crate::domain::time::Timestamp;
use crate::fault::{Cause, Fault};

/// A place for bytes under keys.
///
/// What holds for every provider:
/// - Bytes become visible under their key whole or not at all, and when [`Storage::put`] has answered
///   they survive a crash of the process (`memory` excepted).
/// - A body that ends in an error, or a dropped future, leaves nothing behind, neither under the key
///   nor elsewhere.
/// - Memory use does not grow with the size of a body.
/// - Bytes that are being read stay readable as they were, whole, while their key is written again.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The name in the configuration.
    fn name(&self) -> &'static str;

    /// Whether the provider has just refused something for lack of room, and nothing was removed since.
    fn is_full(&self) -> bool {
        false
    }

    /// Stores `body` under `key`, in place of what may be there.
    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError>;

    /// Opens the bytes under `key`, or those of `range`; `None` when there is nothing.
    ///
    /// The caller knows the size: `range`, when given, is not empty and lies within it.
    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault>;

    /// What is known of the bytes under `key`; `None` when there is nothing.
    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault>;

    /// Copies bytes from one key to another without passing them through the caller; `false` when
    /// there is nothing to copy. The source stays.
    async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault>;

    /// Removes the bytes under `key`, if there are any. What is under longer keys stays.
    async fn delete(&self, key: &Key) -> Result<(), Fault>;

    /// At most `limit` objects whose key starts with `prefix`, in the order of their keys, beginning
    /// behind `after`.
    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault>;

    /// What the store offers to clients themselves, if it does: signed URLs and uploads in parts.
    fn direct(&self) -> Option<&dyn Direct> {
        None
    }
}

/// Bytes on their way in. The provider reads them to their end unless it fails.
pub type Body<'a> = &'a mut (dyn Stream<Item = Result<Bytes, BodyError>> + Send + Unpin);

/// Bytes on their way out.
pub type ByteStream = BoxStream<'static, Result<Bytes, Fault>>;

/// What to know and keep about bytes besides the bytes.
#[derive(Debug, Clone, Default)]
pub struct PutOptions {
    /// The media type, for stores that serve objects themselves.
    pub content_type: MediaType,
    /// The size, if the caller has said it. The body is as long as this or ends in an error.
    pub content_length: Option<u64>,
    /// Where their digest is found once the body has ended, if it computes that by the way.
    pub sha256: Arc<OnceLock<Sha256Digest>>,
}

/// What a provider knows of bytes that it has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The provider's own entity tag, without quotes, where it has one.
    pub etag: Option<String>,
}

/// An object, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its name.
    pub key: Key,
    /// Its size.
    pub bytes: u64,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// The provider's own entity tag, without quotes, where it has one.
    pub etag: Option<String>,
}

/// Why bytes were not stored.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The body ended in an error.
    #[error("the body broke off")]
    Body(#[from] BodyError),
    /// The provider failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Why a body ended before its end. Providers pass it through as it is.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The sender went away, or sent what is no valid body.
    #[error("the request body broke off")]
    Disconnected(#[source] Cause),
    /// The sender sent nothing for too long.
    #[error("the request body stalled")]
    Stalled,
    /// More bytes than allowed.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// How many are allowed.
        limit: u64,
    },
    /// Fewer or more bytes than announced.
    #[error("the body has another length than announced")]
    WrongLength {
        /// How many were announced.
        announced: u64,
    },
    /// The bytes have another digest than announced.
    #[error("the body has another SHA-256 digest than announced")]
    WrongDigest {
        /// What they have.
        actual: Sha256Digest,
    },
}
