//! Taking in the bytes of uploads that were sent to a URL of this service.
//!
//! There is no caller here: the URL was made for somebody who might store, and bears its own limits.

use std::sync::Arc;

use crate::clock::new_artifact_id;
use crate::domain::id::{ArtifactId, SandboxId};
use crate::domain::media_type::MediaType;
use crate::domain::part::{MAX_PART_BYTES, PartNumber};
use crate::domain::upload::{State, Upload};
use crate::policy::place::Place;
use crate::policy::{Error, Incoming, Service};
use crate::storage::{BodyError, Parts, PutOptions};

/// Bytes that have been taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Their entity tag, without quotes.
    pub etag: String,
}

/// What is known of bytes that have arrived.
struct Arrived {
    content_type: Option<MediaType>,
    utf8: bool,
}

/// Not every store takes one, so none does.
fn empty_part() -> Error {
    Error::invalid("body", "must not be empty: a part has at least one byte".to_owned())
}

impl Service {
    /// Takes in all the bytes of an upload or, with a number, those of a part. `content_type` is what they were
    /// sent as.
    pub async fn receive(
        &self,
        (sandbox, id): (&SandboxId, ArtifactId),
        number: Option<PartNumber>,
        incoming: Incoming,
        content_type: Option<MediaType>,
    ) -> Result<Received, Error> {
        let upload = self.upload(id).await?.ok_or(Error::UploadNotFound)?;
        let is_for_it = upload.partition.sandbox() == sandbox && upload.is_multipart() == number.is_some();
        if !is_for_it || upload.state != State::Open {
            return Err(Error::UploadNotFound);
        }
        let service = self.clone();
        self.to_completion(async move { service.receive_into(upload, number, incoming, content_type).await }).await
    }

    async fn receive_into(
        &self,
        upload: Upload,
        number: Option<PartNumber>,
        incoming: Incoming,
        content_type: Option<MediaType>,
    ) -> Result<Received, Error> {
        let storage = Arc::clone(self.storage_named(&upload.provider)?);
        let parts = Parts::new(Arc::clone(&storage), upload.pending_key());
        let arriving = Place { storage, key: parts.incoming(new_artifact_id(self.clock.now())) };
        let limit = if number.is_some() { MAX_PART_BYTES } else { self.limits.max_upload_bytes };
        if incoming.length.is_some_and(|length| length > limit) {
            return Err(BodyError::TooLarge { limit }.into());
        }
        if number.is_some() && incoming.length == Some(0) {
            return Err(empty_part());
        }
        let written = arriving.write(upload.mime(), incoming, limit).await?;
        if number.is_some() && written.bytes == 0 {
            arriving.discard().await;
            return Err(empty_part());
        }
        let content_length = Some(written.bytes);
        let options = PutOptions { content_type: upload.mime().clone(), content_length, ..PutOptions::default() };
        let number = number.unwrap_or(PartNumber::FIRST);
        let added = parts.add(&arriving.key, number, written.sha256, &options).await;
        let part = added?.ok_or(Error::UploadNotFound)?;
        // Nothing is known of the whole from one of several parts.
        let arrived = Arrived {
            content_type: content_type.or_else(|| upload.guess_from(&written.beginning)),
            utf8: written.utf8 && !upload.is_multipart(),
        };
        self.note_arrival(upload, arrived).await?;
        Ok(Received { etag: part.etag })
    }

    /// Looks at the upload again, which may have ended while bytes arrived: then nobody else removes them.
    async fn note_arrival(&self, upload: Upload, arrived: Arrived) -> Result<(), Error> {
        let Some(current) = self.upload(upload.id).await?.filter(|current| current.state == State::Open) else {
            self.remove_waiting(&upload).await?;
            return Err(Error::UploadNotFound);
        };
        let Arrived { content_type, utf8 } = arrived;
        let is_news = current.content_type.is_none() && content_type.is_some() && current.received_type != content_type;
        if is_news || current.received_utf8 != utf8 {
            let noted = self.change_upload(current, |upload| {
                upload.check_open()?;
                if is_news {
                    upload.received_type = content_type.clone();
                }
                upload.received_utf8 = utf8;
                Ok(())
            });
            noted.await?;
        }
        if let Some(upload) = self.self_registering(upload.partition.sandbox(), upload.id).await? {
            self.complete_by_itself(upload).await?;
        }
        Ok(())
    }
}
