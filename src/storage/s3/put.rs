//! Bytes on their way into the bucket: small bodies in one request, others part by part.

use std::sync::Arc;

use bytes::Bytes;

use super::body::request_body;
use super::upload::Upload;
use super::{S3Storage, unquoted};
use crate::domain::part;
use crate::fault::Fault;
use crate::storage::batch::{Batch, Batches};
use crate::storage::{Body, Key, PutError, PutOptions, Stored};

const MIB: u64 = 1024 * 1024;
/// The size of a part, as long as nothing speaks for larger ones.
const PART_BYTES: u64 = 8 * MIB;
const MAX_PARTS: u64 = part::MAX_PARTS as u64;
/// What one upload keeps in memory: the part being collected and those being sent. Larger parts than
/// [`PART_BYTES`] go one at a time, so of those there are two.
const IN_FLIGHT_BYTES: u64 = 24 * MIB;

pub(super) async fn put(s3: &S3Storage, key: &Key, body: Body<'_>, options: &PutOptions) -> Result<Stored, PutError> {
    let mut batches = Batches::new(body);
    let first = batches.next(part_bytes(1, options.content_length)).await?;
    if first.last {
        return Ok(put_object(s3, key, first, options).await?);
    }
    let mut upload = Upload::begin(s3, key, options).await?;
    let stored = match send_parts(&mut upload, first, &mut batches, options.content_length).await {
        Ok(()) => upload.complete().await.map_err(PutError::from),
        Err(error) => Err(error),
    };
    if stored.is_err() {
        upload.abort().await;
    }
    stored
}

async fn send_parts(
    upload: &mut Upload,
    mut batch: Batch,
    batches: &mut Batches<'_>,
    length: Option<u64>,
) -> Result<(), PutError> {
    loop {
        let size = part_bytes(upload.next_part(), length);
        let parallel = (IN_FLIGHT_BYTES / size as u64).saturating_sub(1).max(1) as usize;
        upload.wait_for_fewer_than(parallel).await?;
        let last = batch.last;
        upload.send(batch);
        if last {
            return Ok(());
        }
        batch = batches.next(part_bytes(upload.next_part(), length)).await?;
    }
}

/// The size of a part, such that the largest object (5 TiB) has few enough of them.
///
/// With a known length all parts are of one size, which some stores demand. Otherwise the size doubles
/// every thousand parts: it stays as it is for the first 8 GB, and memory use grows slowly beyond.
fn part_bytes(number: u64, length: Option<u64>) -> usize {
    let size = match length {
        Some(length) => PART_BYTES.max(length.div_ceil(MAX_PARTS).next_multiple_of(MIB)),
        None => PART_BYTES << (number.saturating_sub(1) / 1000).min(9),
    };
    size as usize
}

async fn put_object(s3: &S3Storage, key: &Key, batch: Batch, options: &PutOptions) -> Result<Stored, Fault> {
    let (bytes, chunks): (_, Arc<[Bytes]>) = (batch.bytes, batch.chunks.into());
    let (encryption, kms_key) = s3.encryption();
    let request = s3
        .client
        .put_object()
        .bucket(&s3.bucket)
        .key(key.as_str())
        .content_type(options.content_type.as_str())
        .content_length(bytes as i64)
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(kms_key)
        .set_checksum_sha256(s3.sha256(&chunks, options.sha256.get()).await?)
        .set_content_md5(s3.md5(&chunks).await?)
        .body(request_body(chunks))
        .customize()
        // The checksum protects the bytes, so signing them too would only hash them once more.
        .disable_payload_signing()
        .config_override(s3.carrying(bytes));
    let output = request.send().await.map_err(|error| s3.fault("writing", error))?;
    Ok(Stored { etag: output.e_tag.as_deref().map(unquoted) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::part::MAX_OBJECT_BYTES;

    #[test]
    fn the_largest_object_fits_whether_or_not_its_length_is_known() {
        for length in [None, Some(MAX_OBJECT_BYTES)] {
            let capacity: u64 = (1..=MAX_PARTS).map(|number| part_bytes(number, length) as u64).sum();
            assert!(capacity >= MAX_OBJECT_BYTES, "{capacity}");
        }
    }

    #[test]
    fn parts_of_ordinary_objects_are_small_and_equal() {
        for length in [Some(0), Some(9 * MIB), Some(70 * 1024 * MIB), None] {
            assert!((1..=1000).all(|number| part_bytes(number, length) as u64 == PART_BYTES));
        }
        assert_eq!(part_bytes(1, Some(100 * 1024 * MIB)), part_bytes(MAX_PARTS, Some(100 * 1024 * MIB)));
    }
}
