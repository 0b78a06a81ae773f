//! Bytes and where they are: written, copied and discarded, whatever records say of them.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use tracing::warn;

use super::meter::{Announced, Measured, Meter};
use super::{Error, Service, removal};
use crate::domain::artifact::{Artifact, Content};
use crate::domain::digest::{Sha256Digest, Sha256Hasher};
use crate::domain::grid::{GridKey, Revision};
use crate::domain::media_type::MediaType;
use crate::fault::{Chain, Fault, FaultKind};
use crate::storage::{BodyError, ByteStream, Key, PutError, PutOptions, Storage, exactly};

/// Bytes on their way from a caller.
pub struct Incoming {
    /// The bytes.
    pub body: BoxStream<'static, Result<Bytes, BodyError>>,
    /// How many, if announced.
    pub length: Option<u64>,
    /// Their digest, if announced.
    pub sha256: Option<Sha256Digest>,
}

/// A key with a provider.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) key: Key,
}

/// What is known of bytes that have been written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) sha256: Sha256Digest,
    pub(super) store_etag: Option<String>,
    /// Whether they are text in UTF-8.
    pub(super) utf8: bool,
    /// How they begin: enough to tell their media type by.
    pub(super) beginning: Bytes,
}

impl Service {
    /// Where the bytes of a new revision go: to the provider that its scope has now.
    pub(super) fn place_for(&self, key: &GridKey) -> Place {
        let storage = self.stores.for_scope(key.partition.scope());
        Place { storage: Arc::clone(storage), key: key.into() }
    }

    /// Where the bytes of a record are.
    pub(super) fn place_of(&self, artifact: &Artifact) -> Result<Place, Error> {
        let storage = self.storage_named(&artifact.content.provider)?;
        Ok(Place { storage: Arc::clone(storage), key: Key::from(&artifact.key()) })
    }
}

impl Place {
    /// Writes a body of at most `limit` bytes; when it fails, nothing is there.
    pub(super) async fn write(&self, mime: &MediaType, incoming: Incoming, limit: u64) -> Result<Written, Error> {
        let announced = Announced { limit, length: incoming.length, sha256: incoming.sha256 };
        let mut meter = Meter::new(incoming.body, announced);
        let (content_type, content_length) = (mime.clone(), incoming.length);
        let options = PutOptions { content_type, content_length, sha256: meter.digest() };
        let stored = match self.storage.put(&self.key, &mut meter, &options).await {
            Ok(stored) => stored,
            Err(error) => {
                // After a fault the provider may have stored what it could not say it had.
                if matches!(error, PutError::Fault(_)) {
                    self.discard().await;
                }
                return Err(error.into());
            }
        };
        let Some(Measured { bytes, sha256, utf8, beginning }) = meter.finish() else {
            self.discard().await;
            return Err(Fault::broken(self.storage.name(), "storing", "the body was not read to its end").into());
        };
        Ok(Written { bytes, sha256, store_etag: stored.etag, utf8, beginning })
    }

    /// Copies what was written at `source` to here: the provider does it, if it is the same.
    pub(super) async fn copy_from(&self, source: &Self, written: &Written, mime: &MediaType) -> Result<Written, Error> {
        if self.storage.name() != source.storage.name() {
            return self.fetch_from(source, written, mime).await;
        }
        match self.copy_within(&source.key, written.bytes, mime).await? {
            true => Ok(Written { store_etag: None, ..written.clone() }),
            false => Err(source.missing()),
        }
    }

    /// Has the provider copy the bytes under `source`, which is a key of its own; `false` when there are none.
    pub(super) async fn copy_within(&self, source: &Key, bytes: u64, mime: &MediaType) -> Result<bool, Error> {
        let options = PutOptions { content_type: mime.clone(), content_length: Some(bytes), ..PutOptions::default() };
        let copied = self.storage.copy(source, &self.key, &options).await;
        if copied.is_err() {
            // As after writing: the provider may have done what it could not say it had.
            self.discard().await;
        }
        Ok(copied?)
    }

    async fn fetch_from(&self, source: &Self, written: &Written, mime: &MediaType) -> Result<Written, Error> {
        let stored = source.storage.get(&source.key, None).await?.ok_or_else(|| source.missing())?;
        let copied = self.write_from(stored, source.storage.name(), written.bytes, mime).await?;
        if copied.sha256 != written.sha256 {
            self.discard().await;
            return Err(
                Fault::broken(source.storage.name(), "reading", "the bytes are not those that were stored").into()
            );
        }
        Ok(copied)
    }

    /// Writes `bytes` bytes that come from a provider, `source`.
    pub(super) async fn write_from(
        &self,
        stored: ByteStream,
        source: &'static str,
        bytes: u64,
        mime: &MediaType,
    ) -> Result<Written, Error> {
        let body = exactly(bytes, stored, source).map_err(|fault| BodyError::Disconnected(fault.into())).boxed();
        match self.write(mime, Incoming { body, length: Some(bytes), sha256: None }, bytes).await {
            // No caller sends this body: what is wrong with it is the source's fault.
            Err(Error::Body(BodyError::Disconnected(cause))) => Err(match cause.downcast::<Fault>() {
                Ok(fault) => *fault,
                Err(cause) => Fault::broken(source, "reading", cause),
            }
            .into()),
            Err(Error::Body(error)) => Err(Fault::broken(source, "reading", error).into()),
            result => result,
        }
    }

    /// The digest of the `bytes` bytes here, for which all of them are read.
    pub(super) async fn digest(&self, bytes: u64) -> Result<Sha256Digest, Error> {
        let stored = self.storage.get(&self.key, None).await?.ok_or_else(|| self.missing())?;
        let mut stored = exactly(bytes, stored, self.storage.name());
        let mut hasher = Sha256Hasher::default();
        while let Some(chunk) = stored.try_next().await? {
            hasher.update(&chunk);
        }
        Ok(hasher.finish())
    }

    /// What a record says of bytes that were written here.
    pub(super) fn content(&self, written: Written, revision: Revision) -> Content {
        let Written { bytes, sha256, store_etag, utf8, beginning: _ } = written;
        let provider = self.storage.name().to_owned();
        Content { revision, bytes, sha256: Some(sha256), store_etag, provider, utf8 }
    }

    /// Removes bytes whose record was certainly not committed. A fault does not tell, unless there was no room: bytes
    /// without a record do less harm than a record without bytes.
    pub(super) async fn discard_if_refused(&self, committed: &Result<Artifact, Error>) {
        let is_certain = |error: &Error| !matches!(error, Error::Fault(fault) if fault.kind != FaultKind::Full);
        if committed.as_ref().is_err_and(is_certain) {
            self.discard().await;
        }
    }

    /// Removes bytes that no record points at. A failure is only logged: the caller has an answer, and waits for it.
    pub(super) async fn discard(&self) {
        if let Err(fault) = removal::remove(&*self.storage, &self.key).await {
            warn!(key = %self.key, error = %Chain(&fault), "bytes without a record were left behind");
        }
    }

    pub(super) fn missing(&self) -> Error {
        Error::ContentMissing { key: self.key.to_string() }
    }
}
