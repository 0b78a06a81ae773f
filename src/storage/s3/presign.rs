//! URLs that clients use without the service. They are signed here: nothing is sent to the store.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::operation::upload_part::builders::UploadPartFluentBuilder;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};

use super::S3Storage;
use crate::domain::part::PartNumber;
use crate::fault::Fault;
use crate::storage::{Key, MultipartUpload, PutConstraints, ResponseHeaders, SignedRequest};

pub(super) fn get(s3: &S3Storage, key: &Key, response: &ResponseHeaders) -> GetObjectFluentBuilder {
    s3.signer
        .get_object()
        .bucket(&s3.bucket)
        .key(key.as_str())
        .set_response_content_type(response.content_type.as_ref().map(ToString::to_string))
        .set_response_content_disposition(response.content_disposition.clone())
}

pub(super) fn put(s3: &S3Storage, key: &Key, constraints: &PutConstraints) -> PutObjectFluentBuilder {
    let (encryption, kms_key) = s3.encryption();
    s3.signer
        .put_object()
        .bucket(&s3.bucket)
        .key(key.as_str())
        .set_content_type(constraints.content_type.as_ref().map(ToString::to_string))
        .set_content_length(constraints.bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)))
        .set_checksum_sha256(constraints.sha256.filter(|_| s3.checksums.are_sha256()).map(|digest| digest.to_base64()))
        .set_server_side_encryption(encryption)
        .set_ssekms_key_id(kms_key)
}

pub(super) fn part(s3: &S3Storage, upload: &MultipartUpload, number: PartNumber) -> UploadPartFluentBuilder {
    s3.signer.upload_part().bucket(&s3.bucket).key(upload.key.as_str()).upload_id(&upload.id).part_number(number.into())
}

pub(super) fn validity(s3: &S3Storage, expires: Duration) -> Result<PresigningConfig, Fault> {
    PresigningConfig::expires_in(expires).map_err(|error| Fault::broken(s3.provider, "signing", error))
}

pub(super) fn signed(request: PresignedRequest) -> SignedRequest {
    let headers = request.headers().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    SignedRequest {
        url: request.uri().to_owned(),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
    }
}
