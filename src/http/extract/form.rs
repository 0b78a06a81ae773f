//! `multipart/form-data` (RFC 7578) with one file and text fields, in any order.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use multer::{Field, Multipart};

use super::super::error::ApiError;
use super::body;
use super::params::Pairs;
use crate::domain::media_type::MediaType;
use crate::policy::{ArtifactStore, Incoming, Staged};
use crate::storage::BodyError;

/// A file of at most this size waits in memory for the fields behind it; a larger one is staged.
const MAX_HELD_BYTES: usize = 1024 * 1024;
/// All text fields together.
const MAX_TEXT_BYTES: usize = 2 * 1024 * 1024;
const MAX_FIELDS: usize = 32;
/// What may stand before the first part, between two, or in the headers of one.
const MAX_UNREAD_BYTES: usize = 256 * 1024;

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
    let held = Held::default();
    let mut form = Multipart::new(Bounded { inner: body::stream(body), held: held.clone(), paused: false }, boundary);
    let mut fields = Pairs::new();
    let mut room = MAX_TEXT_BYTES;
    let mut file = None;
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        held.release();
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            if file.is_some() {
                return Err(ApiError::field("file", "must be given once"));
            }
            file = Some(read_file(field, &held, store).await?);
        } else {
            if fields.len() >= MAX_FIELDS {
                return Err(ApiError::Malformed(format!("the form has more than {MAX_FIELDS} text fields")));
            }
            let text = read_text(field, &held, &name, room).await?;
            room -= text.len();
            fields.push((name, text));
        }
    }
    let file = file.ok_or_else(|| ApiError::field("file", "is missing: send the bytes as the form's part `file`"))?;
    Ok(Form { fields, file })
}

async fn read_text(field: Field<'static>, held: &Held, name: &str, room: usize) -> Result<String, ApiError> {
    let bytes = body::collect(&mut held.watch(field), room).await.map_err(malformed)?;
    let too_large = |_| ApiError::field(name, format!("is too large: text fields take at most {MAX_TEXT_BYTES} bytes"));
    String::from_utf8(bytes.map_err(too_large)?.into()).map_err(|_| ApiError::field(name, "must be UTF-8"))
}

async fn read_file(field: Field<'static>, held: &Held, store: &ArtifactStore) -> Result<FormFile, ApiError> {
    let filename = field.file_name().filter(|name| !name.is_empty()).map(ToOwned::to_owned);
    // Not `Field::content_type`, which takes a malformed type for none.
    let mime = match field.headers().get(CONTENT_TYPE) {
        None => None,
        Some(mime) => {
            let text = mime.to_str().unwrap_or_default();
            Some(text.parse().map_err(|error| ApiError::field("file", format!("its type {error}")))?)
        }
    };
    let mut chunks = held.watch(field);
    let content = match body::collect(&mut chunks, MAX_HELD_BYTES).await.map_err(malformed)? {
        Ok(all) => FormContent::Held(all),
        Err(beginning) => {
            let rest = chunks.map_err(body_error);
            let body = futures::stream::once(async { Ok(beginning) }).chain(rest).boxed();
            FormContent::Staged(store.stage(Incoming { body, length: None, sha256: None }).await?)
        }
    };
    Ok(FormFile { filename, mime, content })
}

/// How many bytes the parser has taken in without giving anything out.
#[derive(Clone, Default)]
struct Held(Arc<AtomicUsize>);

impl Held {
    fn release(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn watch(&self, field: Field<'static>) -> impl Stream<Item = multer::Result<Bytes>> + Send + Unpin + use<> {
        let held = self.clone();
        field.inspect_ok(move |_| held.release())
    }
}

/// The body on its way to the parser, which would keep all it gets until it finds a boundary or the end
/// of a part's headers.
struct Bounded<S> {
    inner: S,
    held: Held,
    paused: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("between its parts, or in the headers of one, it has more than {MAX_UNREAD_BYTES} bytes")]
struct NotAForm;

impl<S: Stream<Item = Result<Bytes, BodyError>> + Unpin> Stream for Bounded<S> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.held.0.load(Ordering::Relaxed) > MAX_UNREAD_BYTES {
            if self.paused {
                return Poll::Ready(Some(Err(BodyError::Disconnected(NotAForm.into()))));
            }
            // The parser reads on as long as there is something: a pause makes it look at what it has.
            self.paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.paused = false;
        let item = ready!(self.inner.poll_next_unpin(context));
        if let Some(Ok(chunk)) = &item {
            self.held.0.fetch_add(chunk.len(), Ordering::Relaxed);
        }
        Poll::Ready(item)
    }
}

fn malformed(error: multer::Error) -> ApiError {
    match body_error(error) {
        BodyError::Disconnected(cause) if cause.is::<multer::Error>() || cause.is::<NotAForm>() => {
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
