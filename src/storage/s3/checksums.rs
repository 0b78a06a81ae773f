//! What guards bytes on their way into the store. Every store of this protocol has its own idea of it.

use std::sync::Arc;

use aws_sdk_s3::config::http::HttpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::S3Storage;
use crate::domain::digest::{Sha256Digest, Sha256Hasher};
use crate::fault::Fault;

/// The checksums that the store is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksums {
    /// `x-amz-checksum-sha256`, with files that are sent in one piece.
    #[default]
    Sha256,
    /// `Content-MD5`, with everything: the oldest of them, which nearly all stores know.
    Md5,
    /// None, but for `Content-MD5` with rules for the bucket, which are refused without one.
    None,
}

impl Checksums {
    /// Whether the store knows `x-amz-checksum-sha256` and all that belongs to it.
    pub(super) fn are_sha256(self) -> bool {
        self == Self::Sha256
    }

    /// Prepares a request with rules for the bucket, for which S3 demands a checksum. Stores differ in which of
    /// them they know.
    pub(super) fn guard(self, request: &mut HttpRequest) {
        let md5 = request.body().bytes().map(|body| STANDARD.encode(Md5::digest(body)));
        if let Some(md5) = md5 {
            request.headers_mut().insert("content-md5", md5);
        }
        if !self.are_sha256() {
            let is_known_to_few =
                |name: &str| name.starts_with("x-amz-checksum-") || name == "x-amz-sdk-checksum-algorithm";
            let names: Vec<String> = request.headers().iter().map(|(name, _)| name.to_owned()).collect();
            for name in names.iter().filter(|name| is_known_to_few(name)) {
                request.headers_mut().remove(name.as_str());
            }
        }
    }
}

impl S3Storage {
    /// The SHA-256 digest to send with these bytes, if any is sent: `known`, if it is.
    pub(super) async fn sha256(
        &self,
        chunks: &Arc<[Bytes]>,
        known: Option<&Sha256Digest>,
    ) -> Result<Option<String>, Fault> {
        match (self.checksums, known) {
            (Checksums::Md5 | Checksums::None, _) => Ok(None),
            (Checksums::Sha256, Some(digest)) => Ok(Some(digest.to_base64())),
            (Checksums::Sha256, None) => self.hash(chunks, sha256).await.map(Some),
        }
    }

    /// The MD5 digest to send with these bytes, if any is sent.
    pub(super) async fn md5(&self, chunks: &Arc<[Bytes]>) -> Result<Option<String>, Fault> {
        match self.checksums {
            Checksums::Md5 => self.hash(chunks, md5).await.map(Some),
            Checksums::Sha256 | Checksums::None => Ok(None),
        }
    }

    /// Hashing a whole part takes too long for an async thread.
    async fn hash(&self, chunks: &Arc<[Bytes]>, hash: fn(&[Bytes]) -> String) -> Result<String, Fault> {
        let chunks = Arc::clone(chunks);
        let hashing = tokio::task::spawn_blocking(move || hash(&chunks));
        hashing.await.map_err(|panicked| Fault::broken(self.provider, "hashing", panicked))
    }
}

fn sha256(chunks: &[Bytes]) -> String {
    let mut hasher = Sha256Hasher::default();
    chunks.iter().for_each(|chunk| hasher.update(chunk));
    hasher.finish().to_base64()
}

fn md5(chunks: &[Bytes]) -> String {
    let mut hasher = Md5::new();
    chunks.iter().for_each(|chunk| hasher.update(chunk));
    STANDARD.encode(hasher.finalize())
}
