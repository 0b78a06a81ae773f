//! `multipart/form-data` (RFC 7578) with one file and text fields, in any order.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use multer::{Field, Multipart};

use super::super::error::ApiError;
use super::body;
use super::params::Pairs;
use crate::domain::media_type::MediaType;
use crate::policy::{ArtifactStore, Incoming, Staged};
use crate::storage::BodyError;

/// A file of at most this size waits in memory for the fields behind it; a larger one is staged.
const MAX_HELD_BYTES: usize = 1024 * 1024;
/// The largest text field.
const MAX_TEXT_BYTES: usize = 2 * 1024 * 1024;
const MAX_FIELDS: usize = 32;

/// A form that has been read.
pub(in crate::http) struct Form {
    /// The text fields.
    pub fields: Pairs,
    /// The file.
    pub file: FormFile,
}

/// The file of a form.
pub(in crate::http) struct FormFile {
    /// The name that it was sent under.
    pub filename: Option<String>,
    /// The type that it was sent with.
    pub mime: Option<MediaType>,
    /// Its bytes.
    pub content: FormContent,
}

/// Where the bytes of the file are while the rest of the form is read.
pub(in crate::http) enum FormContent {
    /// In memory.
    Held(Bytes),
    /// With the storage provider.
    Staged(Staged),
}

/// Reads a form; a large file goes straight to the storage provider.
pub(in crate::http) async fn read(headers: &HeaderMap, body: Body, store: &ArtifactStore) -> Result<Form, ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let mut form = Multipart::new(body::stream(body), boundary);
    let mut fields = Pairs::new();
    let mut file = None;
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            if file.is_some() {
                return Err(ApiError::field("file", "must be given once"));
            }
            file = Some(read_file(field, store).await?);
        } else {
            if fields.len() >= MAX_FIELDS {
                return Err(ApiError::Malformed(format!("the form has more than {MAX_FIELDS} text fields")));
            }
            let text = read_text(field, &name).await?;
            fields.push((name, text));
        }
    }
    let file = file.ok_or_else(|| ApiError::field("file", "is missing: send the bytes as the form's part `file`"))?;
    Ok(Form { fields, file })
}

async fn read_text(mut field: Field<'static>, name: &str) -> Result<String, ApiError> {
    let bytes = body::collect(&mut field, MAX_TEXT_BYTES).await.map_err(malformed)?;
    let bytes = bytes.map_err(|_| ApiError::field(name, format!("must take at most {MAX_TEXT_BYTES} bytes")))?;
    String::from_utf8(bytes.into()).map_err(|_| ApiError::field(name, "must be UTF-8"))
}

async fn read_file(mut field: Field<'static>, store: &ArtifactStore) -> Result<FormFile, ApiError> {
    let filename = field.file_name().filter(|name| !name.is_empty()).map(ToOwned::to_owned);
    // Not `Field::content_type`, which takes a malformed type for none.
    let mime = match field.headers().get(CONTENT_TYPE) {
        None => None,
        Some(mime) => {
            let text = mime.to_str().unwrap_or_default();
            Some(text.parse().map_err(|error| ApiError::field("file", format!("its type {error}")))?)
        }
    };
    let content = match body::collect(&mut field, MAX_HELD_BYTES).await.map_err(malformed)? {
        Ok(all) => FormContent::Held(all),
        Err(beginning) => {
            let rest = field.map_err(body_error);
            let body = futures::stream::once(async { Ok(beginning) }).chain(rest).boxed();
            FormContent::Staged(store.stage(Incoming { body, length: None, sha256: None }).await?)
        }
    };
    Ok(FormFile { filename, mime, content })
}

fn malformed(error: multer::Error) -> ApiError {
    match body_error(error) {
        BodyError::Disconnected(cause) if cause.is::<multer::Error>() => {
            ApiError::Malformed(format!("the form cannot be read: {cause}"))
        }
        error => error.into(),
    }
}

/// Unpacks the error of the body from that of the form.
fn body_error(error: multer::Error) -> BodyError {
    match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<BodyError>() {
            Ok(error) => *error,
            Err(cause) => BodyError::Disconnected(cause),
        },
        error => BodyError::Disconnected(error.into()),
    }
}
