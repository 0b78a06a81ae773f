//! What the answers of S3 mean.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::S3Storage;
use super::elsewhere::Elsewhere;
use crate::fault::{Fault, FaultKind};
use crate::patience::Late;

/// What stores such as Ceph and MinIO say, with different statuses, when a disk, a bucket or an account has no room.
const FULL: &[&str] = &["InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull"];

/// S3 said no. Its message comes from the server and is left out: some name the access key in it.
#[derive(Debug, thiserror::Error)]
#[error("S3 answered {status} {code}{elsewhere}")]
struct Refused {
    status: u16,
    code: String,
    elsewhere: Elsewhere,
}

impl S3Storage {
    /// `None` when the key is not there; a missing bucket is a fault.
    pub(super) fn existing<T, E>(
        &self,
        operation: &'static str,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Option<T>, Fault>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        match result {
            Ok(output) => Ok(Some(output)),
            Err(error) if status(&error) == Some(404) && error.code() != Some("NoSuchBucket") => Ok(None),
            Err(error) => Err(self.fault(operation, error)),
        }
    }

    pub(super) fn fault<E>(&self, operation: &'static str, error: SdkError<E, HttpResponse>) -> Fault
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let kind = kind(&error);
        let source = match (&error, status(&error)) {
            (SdkError::ServiceError(refusal), Some(status)) => {
                let code = refusal.err().code().unwrap_or("without a code").to_owned();
                let elsewhere = Elsewhere::of(&error, status, &code);
                Refused { status, code, elsewhere }.into()
            }
            (SdkError::TimeoutError(_), _) => Late.into(),
            _ => error.into(),
        };
        self.fullness.noting(Fault { provider: self.provider, operation, kind, source })
    }
}

pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

fn kind<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E, HttpResponse>) -> FaultKind {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => FaultKind::Unavailable,
        SdkError::DispatchFailure(_) if lacks_credentials(error) => FaultKind::Broken,
        SdkError::DispatchFailure(_) => FaultKind::Unavailable,
        SdkError::ServiceError(refusal) => {
            if status(error) == Some(507) || refusal.err().code().is_some_and(|code| FULL.contains(&code)) {
                return FaultKind::Full;
            }
            // With 307 the name of a new bucket is not known everywhere yet.
            let busy = matches!(status(error), Some(307 | 429 | 500..));
            // Some come with another status, or with 200 when they happen late.
            let says_so = matches!(refusal.err().code(), Some("SlowDown" | "InternalError" | "RequestTimeout"));
            if busy || says_so { FaultKind::Unavailable } else { FaultKind::Broken }
        }
        _ => FaultKind::Broken,
    }
}

/// Whether there was nobody to sign the request; a source of credentials that fails may recover.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| {
        let error = error.downcast_ref::<CredentialsError>();
        matches!(error, Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)))
    })
}
