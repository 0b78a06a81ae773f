//! `multipart/form-data` (RFC 7578) with files and text fields, in any order.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use multer::{Field, Multipart};

use super::body::{self, Collected};
use super::params::Pairs;
use super::part;
use crate::domain::Invalid;
use crate::domain::filename::Filename;
use crate::domain::media_type::MediaType;
use crate::http::budget::{self, Budget, Share};
use crate::http::error::ApiError;
use crate::policy::{ArtifactStore, Incoming, Staged};
use crate::storage::BodyError;

/// A file of at most this size waits in memory for the fields behind it; a larger one is staged.
const MAX_HELD_BYTES: usize = 1024 * 1024;
/// All text fields together, with their names.
const MAX_TEXT_BYTES: usize = 2 * 1024 * 1024;
const MAX_FIELDS: usize = 32;
/// What may stand before the first part, between two, or in the headers of one.
const MAX_UNREAD_BYTES: usize = 256 * 1024;

/// What a form may have.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct MaxFiles {
    /// How many files.
    pub count: usize,
    /// How many bytes they may take together.
    pub bytes: u64,
}

/// A form that has been read.
pub(in crate::http) struct Form {
    /// The text fields.
    pub fields: Pairs,
    /// The files.
    pub files: Vec<FormFile>,
    /// What the text fields take of the budget.
    pub share: Share,
}

/// A file of a form.
pub(in crate::http) struct FormFile {
    /// The name that it was sent under.
    pub filename: Result<Option<Filename>, ApiError>,
    /// The type that it was sent with.
    pub mime: Result<Option<MediaType>, ApiError>,
    /// Its bytes.
    pub content: FormContent,
}

/// Where the bytes of a file are while the rest of the form is read.
pub(in crate::http) enum FormContent {
    /// In memory.
    Held(budget::Held),
    /// With the storage provider.
    Staged(Staged),
}

/// Reads a form; a large file goes straight to the storage provider.
pub(in crate::http) async fn read(
    headers: &HeaderMap,
    body: Body,
    store: &ArtifactStore,
    max: MaxFiles,
    budget: &Budget,
) -> Result<Form, ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(content_type).map_err(|error| refusal(body_error(error)))?;
    let held = Held::default();
    let mut form = Multipart::new(Bounded { inner: body::stream(body), held: held.clone(), paused: false }, boundary);
    let mut texts = Texts { fields: Pairs::new(), bytes: 0, share: budget.share(body::FREE_BYTES) };
    let mut files = Vec::new();
    let room = Room { left: Arc::new(AtomicU64::new(max.bytes)), limit: max.bytes };
    while let Some(field) = form.next_field().await.map_err(|error| refusal(body_error(error)))? {
        held.release();
        part::refuse_transfer_encoding(field.headers())?;
        match field.name() {
            Some("file") if files.len() == max.count => return Err(too_many_files(max.count)),
            Some("file") => files.push(read_file(field, &held, &room, store, budget).await?),
            _ => texts.read(field, &held).await?,
        }
    }
    Ok(Form { fields: texts.fields, files, share: texts.share })
}

/// Why a form without a file is refused.
pub(in crate::http) fn no_file() -> ApiError {
    ApiError::field("file", "is missing: send the bytes as the form's part `file`")
}

fn too_many_files(max: usize) -> ApiError {
    match max {
        1 => ApiError::field("file", "must be given once"),
        _ => ApiError::field("file", format!("must be given at most {max} times")),
    }
}

/// The text fields that have been read.
struct Texts {
    fields: Pairs,
    bytes: usize,
    share: Share,
}

impl Texts {
    async fn read(&mut self, field: Field<'static>, held: &Held) -> Result<(), ApiError> {
        let name = field.name().unwrap_or_default().to_owned();
        if self.fields.len() >= MAX_FIELDS {
            return Err(ApiError::Malformed(format!("the form has more than {MAX_FIELDS} text fields")));
        }
        self.bytes += name.len();
        let limit = MAX_TEXT_BYTES.saturating_sub(self.bytes);
        let cover = |bytes| self.share.cover(self.bytes + bytes);
        let bytes = match body::collect(&mut held.watch(field), limit, cover).await {
            Ok(Collected::Whole(bytes)) => bytes,
            Ok(Collected::TooLarge(_)) => {
                let problem = format!("is too large: text fields take at most {MAX_TEXT_BYTES} bytes");
                return Err(ApiError::field(name, problem));
            }
            Ok(Collected::NoRoom(_)) => return Err(ApiError::NoRoom),
            Err(error) => return Err(refusal(error)),
        };
        self.bytes += bytes.len();
        let text = String::from_utf8(bytes.into()).map_err(|_| ApiError::field(&name, "must be UTF-8"))?;
        self.fields.push((name, text));
        Ok(())
    }
}

async fn read_file(
    field: Field<'static>,
    held: &Held,
    room: &Room,
    store: &ArtifactStore,
    budget: &Budget,
) -> Result<FormFile, ApiError> {
    // Neither name nor type as the parser reads them: it loses the ones that it does not understand.
    let filename = part::filename(field.headers()).map(|name| name.parse()).transpose();
    let filename = filename.map_err(|error| ApiError::field("filename", error));
    let mime = match field.headers().get(CONTENT_TYPE).map(|mime| mime.to_str()) {
        None => Ok(None),
        Some(Ok(mime)) => MediaType::given(mime),
        Some(Err(_)) => Err(Invalid::new("must be ASCII")),
    };
    let mime = mime.map_err(|error| ApiError::field("file", format!("its type {error}")));
    let mut chunks = room.watch(held.watch(field));
    let mut share = budget.share(0);
    let collected = body::collect(&mut chunks, MAX_HELD_BYTES, |bytes| share.cover(bytes)).await;
    let content = match collected.map_err(refusal)? {
        Collected::Whole(bytes) => FormContent::Held(budget::Held { bytes, share: Arc::new(share) }),
        Collected::TooLarge(beginning) | Collected::NoRoom(beginning) => {
            let body = futures::stream::once(async { Ok(beginning) }).chain(chunks).boxed();
            FormContent::Staged(store.stage(Incoming { body, length: None, sha256: None }).await?)
        }
    };
    Ok(FormFile { filename, mime, content })
}

/// How many bytes the files of a form may still take.
struct Room {
    left: Arc<AtomicU64>,
    limit: u64,
}

impl Room {
    fn watch<S: Stream<Item = Result<Bytes, BodyError>> + Send + Unpin>(
        &self,
        chunks: S,
    ) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin + use<S> {
        let (left, limit) = (Arc::clone(&self.left), self.limit);
        chunks.map(move |chunk| {
            let chunk = chunk?;
            let take = |left: u64| left.checked_sub(chunk.len() as u64);
            match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
                Ok(_) => Ok(chunk),
                Err(_) => Err(BodyError::TooLarge { limit }),
            }
        })
    }
}

/// How many bytes the parser has taken in without giving anything out.
#[derive(Clone, Default)]
struct Held(Arc<AtomicUsize>);

impl Held {
    fn release(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn watch(&self, field: Field<'static>) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin + use<> {
        let held = self.clone();
        field.inspect_ok(move |_| held.release()).map_err(body_error)
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

fn refusal(error: BodyError) -> ApiError {
    match error {
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
