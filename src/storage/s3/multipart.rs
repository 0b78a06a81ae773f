//! Uploads in parts, request by request.

use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::complete_multipart_upload::{CompleteMultipartUploadError, CompleteMultipartUploadOutput};
use aws_sdk_s3::types::{self, CompletedMultipartUpload, CompletedPart};

use super::{S3Storage, stored_at, unquoted};
use crate::domain::part::{MAX_PARTS, PartNumber};
use crate::fault::Fault;
use crate::storage::{Completed, Key, MultipartUpload, Part, PutOptions, Stored};

/// What the store may take for each part when it joins them: AWS needs minutes for thousands.
const JOINING_A_PART: Duration = Duration::from_millis(100);

pub(super) async fn create(s3: &S3Storage, key: &Key, options: &PutOptions) -> Result<MultipartUpload, Fault> {
    let (encryption, kms_key) = s3.encryption();
    let request = s3
        .client
        .create_multipart_upload()
        .bucket(&s3.bucket)
        .key(key.as_str())
        .content_type(options.content_type.as_str())
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(kms_key);
    let output = request.send().await.map_err(|error| s3.fault("beginning an upload", error))?;
    match output.upload_id {
        Some(id) => Ok(MultipartUpload { key: key.clone(), id }),
        None => Err(Fault::broken(s3.provider, "beginning an upload", "the answer names no upload")),
    }
}

pub(super) async fn join(
    s3: &S3Storage,
    upload: &MultipartUpload,
    parts: Vec<CompletedPart>,
) -> Result<CompleteMultipartUploadOutput, SdkError<CompleteMultipartUploadError, HttpResponse>> {
    let more = JOINING_A_PART.saturating_mul(u32::try_from(parts.len()).unwrap_or(u32::MAX));
    let request = s3
        .client
        .complete_multipart_upload()
        .bucket(&s3.bucket)
        .key(upload.key.as_str())
        .upload_id(&upload.id)
        .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
    request.customize().config_override(s3.longer_by(more)).send().await
}

pub(super) async fn complete(s3: &S3Storage, upload: &MultipartUpload, parts: &[Part]) -> Result<Completed, Fault> {
    if parts.is_empty() {
        // To S3 that is malformed XML.
        return Ok(Completed::InvalidPart);
    }
    let parts = parts.iter().map(|part| {
        let etag = format!("\"{}\"", part.etag);
        CompletedPart::builder().part_number(part.number.into()).e_tag(etag).build()
    });
    match join(s3, upload, parts.collect()).await {
        Ok(output) => Ok(Completed::Done(Stored { etag: output.e_tag.as_deref().map(unquoted) })),
        // The code counts and not the status: what goes wrong late comes with 200.
        Err(error) => match error.code() {
            Some("NoSuchUpload") => Ok(Completed::NoSuchUpload),
            Some("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall") => Ok(Completed::InvalidPart),
            _ => Err(s3.fault("completing an upload", error)),
        },
    }
}

/// Ends an upload that may have ended already, and removes its parts.
pub(super) async fn abort(s3: &S3Storage, upload: &MultipartUpload) -> Result<(), Fault> {
    let MultipartUpload { key, id } = upload;
    let request = s3.client.abort_multipart_upload().bucket(&s3.bucket).key(key.as_str()).upload_id(id);
    s3.existing("aborting an upload", request.send().await).map(drop)
}

/// `None` when there is no such upload.
pub(super) async fn parts(s3: &S3Storage, upload: &MultipartUpload) -> Result<Option<Vec<Part>>, Fault> {
    let mut parts: Vec<Part> = Vec::new();
    let mut marker = None;
    while parts.len() < MAX_PARTS as usize {
        let request = s3.client.list_parts().bucket(&s3.bucket).key(upload.key.as_str()).upload_id(&upload.id);
        let listed = request.set_part_number_marker(marker).send().await;
        let Some(page) = s3.existing("listing parts", listed)? else { return Ok(None) };
        for listed in page.parts() {
            parts.push(part(s3, listed)?);
        }
        marker = page.next_part_number_marker;
        if page.parts.is_none_or(|parts| parts.is_empty()) || !page.is_truncated.unwrap_or(false) {
            break;
        }
    }
    Ok(Some(parts))
}

fn part(s3: &S3Storage, listed: &types::Part) -> Result<Part, Fault> {
    let number = listed.part_number().and_then(|number| u32::try_from(number).ok()?.try_into().ok());
    let number: Option<PartNumber> = number;
    let (Some(number), Some(etag)) = (number, listed.e_tag()) else {
        return Err(Fault::broken(s3.provider, "listing parts", "a part has no number or no entity tag"));
    };
    Ok(Part {
        number,
        bytes: listed.size.unwrap_or(0).unsigned_abs(),
        etag: unquoted(etag),
        stored_at: stored_at(listed.last_modified()),
    })
}
