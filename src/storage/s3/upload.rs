//! A multipart upload that is either completed or aborted, whatever becomes of its future.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::types::CompletedPart;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::body::request_body;
use super::{S3Storage, multipart, unquoted};
use crate::fault::{Chain, Fault};
use crate::storage::batch::Batch;
use crate::storage::{Key, MultipartUpload, PutOptions, Stored};

/// How long the caller waits for parts to be removed.
const ABORTING: Duration = Duration::from_secs(2);

/// An upload in progress. When dropped before it is completed, it is aborted in the background.
pub(super) struct Upload {
    target: Target,
    sending: JoinSet<Result<CompletedPart, Fault>>,
    sent: Vec<CompletedPart>,
    next_part: u64,
    is_over: bool,
}

/// What names the upload in requests.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) s3: S3Storage,
    pub(super) upload: MultipartUpload,
}

impl Upload {
    pub(super) async fn begin(s3: &S3Storage, key: &Key, options: &PutOptions) -> Result<Self, Fault> {
        let (s3, key, options, provider) = (s3.clone(), key.clone(), options.clone(), s3.provider);
        // In a task, so that an upload whose id nobody waits for any more becomes known all the same,
        // and is aborted as the result of the task is dropped.
        let created = tokio::spawn(async move {
            let target = Target { upload: multipart::create(&s3, &key, &options).await?, s3 };
            Ok(Self { target, sending: JoinSet::new(), sent: Vec::new(), next_part: 1, is_over: false })
        });
        created.await.map_err(|error| panicked(provider, error))?
    }

    /// The number that the next part will have.
    pub(super) fn next_part(&self) -> u64 {
        self.next_part
    }

    /// Waits until fewer than `limit` parts are on their way, or one of them has failed.
    pub(super) async fn wait_for_fewer_than(&mut self, limit: usize) -> Result<(), Fault> {
        while self.sending.len() >= limit {
            let Some(part) = self.sending.join_next().await else { break };
            self.sent.push(part.map_err(|error| panicked(self.target.s3.provider, error))??);
        }
        Ok(())
    }

    /// Begins to send the next part.
    pub(super) fn send(&mut self, batch: Batch) {
        self.start(move |target, number| target.upload_part(number, batch));
    }

    /// Begins whatever makes the next part.
    pub(super) fn start<F>(&mut self, make: impl FnOnce(Target, i32) -> F)
    where
        F: Future<Output = Result<CompletedPart, Fault>> + Send + 'static,
    {
        // S3 refuses numbers above 10,000.
        let number = i32::try_from(self.next_part).unwrap_or(i32::MAX);
        self.next_part += 1;
        self.sending.spawn(make(self.target.clone(), number));
    }

    /// Makes the parts one object.
    pub(super) async fn complete(&mut self) -> Result<Stored, Fault> {
        self.wait_for_fewer_than(1).await?;
        let mut parts = std::mem::take(&mut self.sent);
        parts.sort_by_key(|part| part.part_number);
        let Target { s3, upload } = &self.target;
        let joined = multipart::join(s3, upload, parts).await;
        let output = joined.map_err(|error| s3.fault("completing an upload", error))?;
        self.is_over = true;
        Ok(Stored { etag: output.e_tag.as_deref().map(unquoted) })
    }

    /// Removes all parts, if need be in the background. What goes wrong is only logged: there is an error
    /// already, and a lifecycle rule of the bucket removes what stays.
    pub(super) async fn abort(&mut self) {
        if let Some(aborting) = self.start_aborting() {
            let _ = tokio::time::timeout(ABORTING, aborting).await;
        }
    }

    fn start_aborting(&mut self) -> Option<JoinHandle<()>> {
        if std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        let target = self.target.clone();
        let mut sending = std::mem::take(&mut self.sending);
        Some(Handle::try_current().ok()?.spawn(async move {
            // A part that arrives behind the abort would stay.
            sending.shutdown().await;
            target.abort().await;
        }))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        drop(self.start_aborting());
    }
}

impl Target {
    async fn upload_part(self, number: i32, batch: Batch) -> Result<CompletedPart, Fault> {
        let Self { s3, upload } = &self;
        let (bytes, chunks): (_, Arc<[Bytes]>) = (batch.bytes, batch.chunks.into());
        let request = s3
            .client
            .upload_part()
            .bucket(&s3.bucket)
            .key(upload.key.as_str())
            .upload_id(&upload.id)
            .part_number(number)
            .content_length(bytes as i64)
            .set_content_md5(s3.md5(&chunks).await?)
            .body(request_body(chunks))
            .customize()
            // No other checksum either: not all stores take one for a part. TLS protects it on its way.
            .disable_payload_signing()
            .config_override(s3.carrying(bytes));
        let output = request.send().await.map_err(|error| s3.fault("writing", error))?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(output.e_tag).build())
    }

    async fn abort(self) {
        let Self { s3, upload } = &self;
        if let Err(fault) = multipart::abort(s3, upload).await {
            tracing::warn!(key = %upload.key, error = %Chain(&fault), "parts of an upload stay in the bucket");
        }
    }
}

fn panicked(provider: &'static str, error: JoinError) -> Fault {
    Fault::broken(provider, "uploading", error)
}
