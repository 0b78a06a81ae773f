//! Copies within the bucket, made by the server.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::types::{CompletedPart, MetadataDirective};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::S3Storage;
use super::upload::{Target, Upload};
use crate::fault::Fault;
use crate::storage::{Key, ObjectInfo, PutOptions, Storage};

/// The largest object that S3 copies in one request.
const MAX_COPY_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// What is copied per request otherwise.
const PART_BYTES: u64 = 1024 * 1024 * 1024;
/// How many such requests run at a time.
const PARALLEL: usize = 4;

/// The source of a copy is part of a URL, and the `%` of a key part of its name.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

pub(super) async fn copy(s3: &S3Storage, from: &Key, to: &Key, options: &PutOptions) -> Result<bool, Fault> {
    let Some(source) = s3.head(from).await? else { return Ok(false) };
    if source.bytes > MAX_COPY_BYTES {
        return copy_in_parts(s3, &source, to, options, PART_BYTES).await.map(|()| true);
    }
    let (encryption, kms_key) = s3.encryption();
    let request = s3
        .client
        .copy_object()
        .bucket(&s3.bucket)
        .key(to.as_str())
        .copy_source(path(s3, from))
        .metadata_directive(MetadataDirective::Replace)
        .content_type(options.content_type.as_str())
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(kms_key)
        .customize()
        .config_override(s3.copying(source.bytes));
    Ok(s3.existing("copying", request.send().await)?.is_some())
}

pub(super) async fn copy_in_parts(
    s3: &S3Storage,
    source: &ObjectInfo,
    to: &Key,
    options: &PutOptions,
    part_bytes: u64,
) -> Result<(), Fault> {
    let mut upload = Upload::begin(s3, to, options).await?;
    let source = Arc::new(Source { path: path(s3, &source.key), bytes: source.bytes, etag: source.etag.clone() });
    let copied = copy_parts(&mut upload, source, part_bytes).await;
    if copied.is_err() {
        upload.abort().await;
    }
    copied
}

/// What is copied: these very bytes, whatever is under the key by now.
struct Source {
    path: String,
    bytes: u64,
    etag: Option<String>,
}

async fn copy_parts(upload: &mut Upload, source: Arc<Source>, part_bytes: u64) -> Result<(), Fault> {
    let mut start = 0;
    while start < source.bytes {
        let end = source.bytes.min(start + part_bytes);
        let source = Arc::clone(&source);
        upload.wait_for_fewer_than(PARALLEL).await?;
        upload.start(move |target, number| copy_part(target, number, source, start..end));
        start = end;
    }
    upload.complete().await.map(drop)
}

async fn copy_part(
    target: Target,
    number: i32,
    source: Arc<Source>,
    range: Range<u64>,
) -> Result<CompletedPart, Fault> {
    let Target { s3, upload } = &target;
    let request = s3
        .client
        .upload_part_copy()
        .bucket(&s3.bucket)
        .key(upload.key.as_str())
        .upload_id(&upload.id)
        .part_number(number)
        .copy_source(&source.path)
        .set_copy_source_if_match(source.etag.as_ref().map(|etag| format!("\"{etag}\"")))
        .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1))
        .customize()
        .config_override(s3.copying(range.end - range.start));
    let output = request.send().await.map_err(|error| s3.fault("copying", error))?;
    let etag = output.copy_part_result.and_then(|part| part.e_tag);
    Ok(CompletedPart::builder().part_number(number).set_e_tag(etag).build())
}

fn path(s3: &S3Storage, key: &Key) -> String {
    format!("{}/{}", s3.bucket, utf8_percent_encode(key.as_str(), ESCAPED))
}
