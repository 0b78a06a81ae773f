//! The bucket as clients see it.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};

use super::{S3Storage, multipart, presign};
use crate::domain::digest::Sha256Digest;
use crate::domain::part::PartNumber;
use crate::fault::Fault;
use crate::storage::{
    Completed, Direct, Inspected, Key, MultipartUpload, Part, PutConstraints, PutOptions, ResponseHeaders,
    SignedRequest,
};

#[async_trait]
impl Direct for S3Storage {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn presign_get(
        &self,
        key: &Key,
        expires: Duration,
        response: &ResponseHeaders,
    ) -> Result<SignedRequest, Fault> {
        let signing = presign::get(self, key, response).presigned(presign::validity(self, expires)?);
        signing.await.map(presign::signed).map_err(|error| self.fault("signing", error))
    }

    async fn presign_put(
        &self,
        key: &Key,
        expires: Duration,
        constraints: &PutConstraints,
    ) -> Result<SignedRequest, Fault> {
        let signing = presign::put(self, key, constraints).presigned(presign::validity(self, expires)?);
        signing.await.map(presign::signed).map_err(|error| self.fault("signing", error))
    }

    async fn presign_part(
        &self,
        upload: &MultipartUpload,
        number: PartNumber,
        expires: Duration,
    ) -> Result<SignedRequest, Fault> {
        let signing = presign::part(self, upload, number).presigned(presign::validity(self, expires)?);
        signing.await.map(presign::signed).map_err(|error| self.fault("signing", error))
    }

    async fn create_multipart(&self, key: &Key, options: &PutOptions) -> Result<MultipartUpload, Fault> {
        multipart::create(self, key, options).await
    }

    async fn parts(&self, upload: &MultipartUpload) -> Result<Option<Vec<Part>>, Fault> {
        multipart::parts(self, upload).await
    }

    async fn complete_multipart(&self, upload: &MultipartUpload, parts: &[Part]) -> Result<Completed, Fault> {
        multipart::complete(self, upload, parts).await
    }

    async fn abort_multipart(&self, upload: &MultipartUpload) -> Result<(), Fault> {
        multipart::abort(self, upload).await
    }

    async fn inspect(&self, key: &Key) -> Result<Option<Inspected>, Fault> {
        let mode = self.checksums.are_sha256().then_some(ChecksumMode::Enabled);
        let request = self.client.head_object().bucket(&self.bucket).key(key.as_str()).set_checksum_mode(mode);
        let found = self.existing("looking up", request.send().await)?;
        Ok(found.map(|head| {
            // A composite one is a digest of the digests of parts.
            let is_whole = head.checksum_type() != Some(&ChecksumType::Composite);
            let sha256 = head.checksum_sha256().filter(|_| is_whole).and_then(Sha256Digest::from_base64);
            Inspected { sha256, content_type: head.content_type().and_then(|mime| mime.parse().ok()) }
        }))
    }
}
