//! Storage providers around others: one that keeps to its corner, one that makes trouble.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use artifactd::domain::digest::Sha256Digest;
use artifactd::domain::part::PartNumber;
use artifactd::fault::Fault;
use artifactd::storage::{
    Body, ByteStream, Completed, Direct, Key, MultipartUpload, ObjectInfo, Part, PutConstraints, PutError, PutOptions,
    ResponseHeaders, SignedRequest, Storage, Stored,
};
use async_trait::async_trait;

/// A part of a bucket that all tests share: what a test sweeps is its own.
pub(super) struct Corner<S> {
    inner: S,
    prefix: String,
}

impl<S: Storage> Corner<S> {
    pub(super) fn new(inner: S, name: &str) -> Self {
        Self { inner, prefix: format!("{name}/") }
    }

    fn inside(&self, key: &Key) -> Key {
        Key::from_listing(&format!("{}{key}", self.prefix)).unwrap()
    }

    fn direct_inside(&self) -> &dyn Direct {
        self.inner.direct().unwrap()
    }

    fn upload_inside(&self, upload: &MultipartUpload) -> MultipartUpload {
        MultipartUpload { key: self.inside(&upload.key), id: upload.id.clone() }
    }

    fn outside(&self, mut object: ObjectInfo) -> ObjectInfo {
        object.key = Key::from_listing(object.key.as_str().strip_prefix(&self.prefix).unwrap()).unwrap();
        object
    }
}

#[async_trait]
impl<S: Storage> Storage for Corner<S> {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
        self.inner.put(&self.inside(key), body, options).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        self.inner.get(&self.inside(key), range).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        Ok(self.inner.head(&self.inside(key)).await?.map(|object| self.outside(object)))
    }

    async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
        self.inner.copy(&self.inside(from), &self.inside(to), options).await
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        self.inner.delete(&self.inside(key)).await
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        let (prefix, after) = (format!("{}{prefix}", self.prefix), after.map(|key| self.inside(key)));
        let objects = self.inner.list(&prefix, after.as_ref(), limit).await?;
        Ok(objects.into_iter().map(|object| self.outside(object)).collect())
    }

    fn direct(&self) -> Option<&dyn Direct> {
        self.inner.direct().map(|_| self as &dyn Direct)
    }
}

/// Only for what has a [`Direct`] inside.
#[async_trait]
impl<S: Storage> Direct for Corner<S> {
    async fn presign_get(
        &self,
        key: &Key,
        expires: Duration,
        response: &ResponseHeaders,
    ) -> Result<SignedRequest, Fault> {
        self.direct_inside().presign_get(&self.inside(key), expires, response).await
    }

    async fn presign_put(
        &self,
        key: &Key,
        expires: Duration,
        constraints: &PutConstraints,
    ) -> Result<SignedRequest, Fault> {
        self.direct_inside().presign_put(&self.inside(key), expires, constraints).await
    }

    async fn presign_part(
        &self,
        upload: &MultipartUpload,
        number: PartNumber,
        expires: Duration,
    ) -> Result<SignedRequest, Fault> {
        self.direct_inside().presign_part(&self.upload_inside(upload), number, expires).await
    }

    async fn create_multipart(&self, key: &Key, options: &PutOptions) -> Result<MultipartUpload, Fault> {
        let upload = self.direct_inside().create_multipart(&self.inside(key), options).await?;
        Ok(MultipartUpload { key: key.clone(), ..upload })
    }

    async fn parts(&self, upload: &MultipartUpload) -> Result<Option<Vec<Part>>, Fault> {
        self.direct_inside().parts(&self.upload_inside(upload)).await
    }

    async fn complete_multipart(&self, upload: &MultipartUpload, parts: &[Part]) -> Result<Completed, Fault> {
        self.direct_inside().complete_multipart(&self.upload_inside(upload), parts).await
    }

    async fn abort_multipart(&self, upload: &MultipartUpload) -> Result<(), Fault> {
        self.direct_inside().abort_multipart(&self.upload_inside(upload)).await
    }

    async fn checksum(&self, key: &Key) -> Result<Option<Sha256Digest>, Fault> {
        self.direct_inside().checksum(&self.inside(key)).await
    }
}

/// What a [`Troubled`] provider does when bytes are written or read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    Panic,
    Unavailable,
    Broken,
    /// Reads as if nothing were there.
    Lost,
}

/// A provider that makes trouble over bytes. All it says is `the inside`.
pub(crate) struct Troubled {
    pub(crate) inner: Arc<dyn Storage>,
    pub(crate) trouble: Trouble,
    /// Whether writing is trouble too.
    pub(crate) on_writing: bool,
}

impl Troubled {
    fn fault(&self, operation: &'static str) -> Option<Fault> {
        match self.trouble {
            Trouble::Panic => panic!("the inside"),
            Trouble::Unavailable => Some(Fault::unavailable("memory", operation, "the inside")),
            Trouble::Broken => Some(Fault::broken("memory", operation, "the inside")),
            Trouble::Lost => None,
        }
    }
}

#[async_trait]
impl Storage for Troubled {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
        if self.on_writing
            && let Some(fault) = self.fault("storing")
        {
            return Err(fault.into());
        }
        self.inner.put(key, body, options).await
    }

    async fn get(&self, _: &Key, _: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        self.fault("reading").map_or(Ok(None), Err)
    }

    async fn head(&self, _: &Key) -> Result<Option<ObjectInfo>, Fault> {
        self.fault("looking").map_or(Ok(None), Err)
    }

    async fn copy(&self, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
        self.inner.copy(from, to, options).await
    }

    async fn delete(&self, key: &Key) -> Result<(), Fault> {
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&Key>, limit: usize) -> Result<Vec<ObjectInfo>, Fault> {
        self.inner.list(prefix, after, limit).await
    }

    fn direct(&self) -> Option<&dyn Direct> {
        self.inner.direct()
    }
}
