//! A part of a store as a store of its own: every key begins with a prefix that nobody above knows of.
//!
//! Records and signatures know keys without it, so what was stored stays where it is found when a folder or a bucket
//! is copied to a place with another prefix.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Body, ByteStream, Completed, Direct, Inspected, Key, MultipartUpload, ObjectInfo, Part, PutConstraints, PutError,
    PutOptions, ResponseHeaders, SignedRequest, Storage, Stored,
};
use crate::domain::part::PartNumber;
use crate::domain::prefix::KeyPrefix;
use crate::fault::Fault;

/// What is below a prefix of another store.
pub struct Prefixed {
    inner: Arc<dyn Storage>,
    /// With its `/`.
    prefix: String,
}

impl Prefixed {
    /// What is below `prefix` of `inner`.
    pub fn new(inner: Arc<dyn Storage>, prefix: &KeyPrefix) -> Self {
        Self { inner, prefix: format!("{prefix}/") }
    }

    fn inside(&self, key: &Key) -> Key {
        Key(format!("{}{key}", self.prefix))
    }

    /// `None` for what is not below the prefix: a store that lists such objects is no reason to touch them.
    fn outside(&self, object: ObjectInfo) -> Option<ObjectInfo> {
        let key = Key(object.key.as_str().strip_prefix(&self.prefix)?.to_owned());
        Some(ObjectInfo { key, ..object })
    }

    fn direct_inside(&self) -> Result<&dyn Direct, Fault> {
        self.inner.direct().ok_or_else(|| Fault::broken(self.name(), "signing", "the store has no URLs of its own"))
    }

    fn upload_inside(&self, upload: &MultipartUpload) -> MultipartUpload {
        MultipartUpload { key: self.inside(&upload.key), id: upload.id.clone() }
    }
}

#[async_trait]
impl Storage for Prefixed {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn is_full(&self) -> bool {
        self.inner.is_full()
    }

    async fn put(&self, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
        self.inner.put(&self.inside(key), body, options).await
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<ByteStream>, Fault> {
        self.inner.get(&self.inside(key), range).await
    }

    async fn head(&self, key: &Key) -> Result<Option<ObjectInfo>, Fault> {
        Ok(self.inner.head(&self.inside(key)).await?.and_then(|object| self.outside(object)))
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
        Ok(objects.into_iter().filter_map(|object| self.outside(object)).collect())
    }

    fn direct(&self) -> Option<&dyn Direct> {
        self.inner.direct().map(|_| self as &dyn Direct)
    }
}

/// Only for what has a [`Direct`] inside.
#[async_trait]
impl Direct for Prefixed {
    fn bucket(&self) -> &str {
        self.inner.direct().map_or("", Direct::bucket)
    }

    async fn presign_get(
        &self,
        key: &Key,
        expires: Duration,
        response: &ResponseHeaders,
    ) -> Result<SignedRequest, Fault> {
        self.direct_inside()?.presign_get(&self.inside(key), expires, response).await
    }

    async fn presign_put(
        &self,
        key: &Key,
        expires: Duration,
        constraints: &PutConstraints,
    ) -> Result<SignedRequest, Fault> {
        self.direct_inside()?.presign_put(&self.inside(key), expires, constraints).await
    }

    async fn presign_part(
        &self,
        upload: &MultipartUpload,
        number: PartNumber,
        expires: Duration,
    ) -> Result<SignedRequest, Fault> {
        self.direct_inside()?.presign_part(&self.upload_inside(upload), number, expires).await
    }

    async fn create_multipart(&self, key: &Key, options: &PutOptions) -> Result<MultipartUpload, Fault> {
        let upload = self.direct_inside()?.create_multipart(&self.inside(key), options).await?;
        Ok(MultipartUpload { key: key.clone(), ..upload })
    }

    async fn parts(&self, upload: &MultipartUpload) -> Result<Option<Vec<Part>>, Fault> {
        self.direct_inside()?.parts(&self.upload_inside(upload)).await
    }

    async fn complete_multipart(&self, upload: &MultipartUpload, parts: &[Part]) -> Result<Completed, Fault> {
        self.direct_inside()?.complete_multipart(&self.upload_inside(upload), parts).await
    }

    async fn abort_multipart(&self, upload: &MultipartUpload) -> Result<(), Fault> {
        self.direct_inside()?.abort_multipart(&self.upload_inside(upload)).await
    }

    async fn inspect(&self, key: &Key) -> Result<Option<Inspected>, Fault> {
        self.direct_inside()?.inspect(&self.inside(key)).await
    }
}
