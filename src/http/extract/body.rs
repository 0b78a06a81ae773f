//! Request bodies: as streams with a guard against stalling, or whole within a limit.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};

use crate::domain::digest::Sha256Digest;
use crate::domain::media_type::MediaType;
use crate::http::budget::{Budget, Held};
use crate::http::error::ApiError;
use crate::storage::BodyError;

/// A body of at most this size is not counted: the number of requests under way bounds them.
pub(super) const FREE_BYTES: usize = 64 * 1024;

/// A sender that is silent for so long has given up.
const STALLED_AFTER: Duration = Duration::from_secs(60);

/// The body as a stream that ends in an error when the sender is gone or silent for too long.
pub(in crate::http) fn stream(body: Body) -> BoxStream<'static, Result<Bytes, BodyError>> {
    let chunks = body.into_data_stream();
    futures::stream::unfold(chunks, |mut chunks| async {
        let item = match tokio::time::timeout(STALLED_AFTER, chunks.next()).await {
            Ok(item) => item?.map_err(|error| BodyError::Disconnected(error.into())),
            Err(_) => Err(BodyError::Stalled),
        };
        Some((item, chunks))
    })
    .boxed()
}

/// All of a body that has at most `limit` bytes. They are taken from the budget as they come: what is only
/// announced keeps nobody else out.
pub(in crate::http) async fn whole(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    budget: &Budget,
) -> Result<Held, ApiError> {
    let limit = limit.min(budget.bytes());
    let mut share = budget.share(FREE_BYTES);
    if content_length(headers).is_some_and(|announced| announced > limit as u64) {
        return Err(ApiError::TooLarge { limit });
    }
    match collect(&mut stream(body), limit, |bytes| share.cover(bytes)).await? {
        Collected::Whole(bytes) => Ok(Held { bytes, share: Arc::new(share) }),
        Collected::TooLarge(_) => Err(ApiError::TooLarge { limit }),
        Collected::NoRoom(_) => Err(ApiError::NoRoom),
    }
}

/// What was read into memory.
pub(super) enum Collected {
    /// Everything.
    Whole(Bytes),
    /// The beginning of more than allowed.
    TooLarge(Bytes),
    /// The beginning of more than the budget has.
    NoRoom(Bytes),
}

/// Reads until the end, or until more than `limit` bytes have come, or so many that `cover` says no.
pub(super) async fn collect<E>(
    chunks: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    limit: usize,
    mut cover: impl FnMut(usize) -> bool,
) -> Result<Collected, E> {
    let mut collected = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await? {
        collected.extend_from_slice(&chunk);
        if collected.len() > limit {
            return Ok(Collected::TooLarge(collected.freeze()));
        }
        if !cover(collected.len()) {
            return Ok(Collected::NoRoom(collected.freeze()));
        }
    }
    Ok(Collected::Whole(collected.freeze()))
}

/// The size announced by `Content-Length`.
pub(in crate::http) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The type announced by `Content-Type`. `application/x-www-form-urlencoded` counts as none: it is what
/// curl says of any data when told nothing.
pub(in crate::http) fn content_type(headers: &HeaderMap) -> Result<Option<MediaType>, ApiError> {
    let sent = content_type_as_sent(headers)?;
    Ok(sent.filter(|mime| mime.essence() != "application/x-www-form-urlencoded"))
}

/// The value of `Content-Type`.
pub(in crate::http) fn content_type_as_sent(headers: &HeaderMap) -> Result<Option<MediaType>, ApiError> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let malformed = |_| ApiError::field("content-type", "must be a media type such as text/plain");
    let text = value.to_str().map_err(|_| malformed(()))?;
    MediaType::given(text).map_err(|_| malformed(()))
}

/// The digest that the caller announced, as a parameter or as `Content-Digest`.
pub(in crate::http) fn announced_digest(
    headers: &HeaderMap,
    parameter: Option<Sha256Digest>,
) -> Result<Option<Sha256Digest>, ApiError> {
    let mut announced = parameter;
    for value in headers.get_all("content-digest") {
        let text = value.to_str().unwrap_or_default();
        let field = Sha256Digest::from_field(text).map_err(|error| ApiError::field("content-digest", error))?;
        match (announced, field) {
            (Some(one), Some(other)) if one != other => {
                return Err(ApiError::field("content-digest", "differs from the other digest in the request"));
            }
            (_, Some(digest)) => announced = Some(digest),
            (_, None) => {}
        }
    }
    Ok(announced)
}

/// Bytes are kept as they come: a coding would be lost on the way.
pub(in crate::http) fn refuse_codings(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut transfer = headers.get_all(TRANSFER_ENCODING).iter();
    if !transfer.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(ApiError::UnsupportedMediaType("no Transfer-Encoding but chunked is supported"));
    }
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(ApiError::UnsupportedMediaType("Content-Encoding is not supported; send the bytes as they are"))
}
