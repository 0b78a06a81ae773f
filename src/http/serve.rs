//! Answers that carry stored bytes: headers, conditions, ranges.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use tracing::{Span, error};

use super::conditional::{Read, Validators};
use super::error::ApiError;
use crate::domain::artifact::{Content, LastChange};
use crate::domain::media_type::MediaType;
use crate::domain::range::{ByteRange, Within};
use crate::fault::Chain;
use crate::policy;
use crate::storage::ByteStream;

/// Bytes as they are to be served.
pub(super) struct Served<'a> {
    /// What is known of them.
    pub content: &'a Content,
    /// When they or what is known of them last changed, if that is known.
    pub changed: Option<LastChange>,
    /// As what.
    pub mime: &'a MediaType,
    /// How they are to be presented.
    pub disposition: HeaderValue,
}

impl Served<'_> {
    /// The answer to a GET or HEAD request with these headers. `read` opens the bytes or a part of them.
    pub(super) async fn answer(
        self,
        method: &Method,
        headers: &HeaderMap,
        read: impl AsyncFnOnce(Option<Range<u64>>) -> Result<ByteStream, policy::Error>,
    ) -> Result<Response, ApiError> {
        let validators = Validators::new(self.content.etag(), self.changed);
        if validators.decide(headers)? == Read::Known {
            let mut response = StatusCode::NOT_MODIFIED.into_response();
            response.headers_mut().extend(self.description(&validators));
            return Ok(response);
        }
        // A range is a matter of GET alone (RFC 9110, section 14.2).
        let (body, range) = match *method {
            Method::HEAD => (Body::empty(), None),
            _ => {
                let range = wanted_range(headers, &validators, self.content.bytes)?;
                (body(read(range.clone()).await?), range)
            }
        };
        let mut response = body.into_response();
        response.headers_mut().extend(self.description(&validators));
        self.frame(&mut response, range);
        Ok(response)
    }

    /// The headers that are the same for the whole, for a part, and for none of the bytes.
    fn description(&self, validators: &Validators) -> HeaderMap {
        let mut headers = HeaderMap::new();
        validators.write_to(&mut headers);
        headers.insert(header::CONTENT_DISPOSITION, self.disposition.clone());
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        // What callers stored is not ours: no browser may take it for a page of this service.
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
        if let Ok(mime) = HeaderValue::try_from(self.mime.as_str()) {
            headers.insert(header::CONTENT_TYPE, mime);
        }
        headers
    }

    /// Status, size and digest.
    fn frame(&self, response: &mut Response, range: Option<Range<u64>>) {
        let size = self.content.bytes;
        let length = range.as_ref().map_or(size, |range| range.end - range.start);
        let digest = self.content.sha256.and_then(|digest| HeaderValue::try_from(digest.to_field()).ok());
        let content_range = range
            .and_then(|Range { start, end }| HeaderValue::try_from(format!("bytes {start}-{}/{size}", end - 1)).ok());
        if content_range.is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(digest) = digest {
            // Content-Digest is of what is sent, Repr-Digest of the whole.
            let name = if content_range.is_some() { "repr-digest" } else { "content-digest" };
            headers.insert(HeaderName::from_static(name), digest);
        }
        if let Some(content_range) = content_range {
            headers.insert(header::CONTENT_RANGE, content_range);
        }
    }
}

fn wanted_range(headers: &HeaderMap, validators: &Validators, size: u64) -> Result<Option<Range<u64>>, ApiError> {
    let mut fields = headers.get_all(header::RANGE).iter();
    let field = match (fields.next(), fields.next()) {
        (Some(field), None) if validators.range_applies(headers) => field.to_str().ok(),
        _ => None,
    };
    match field.and_then(ByteRange::parse).map(|range| range.within(size)) {
        None | Some(Within::Whole) => Ok(None),
        Some(Within::Part(range)) => Ok(Some(range)),
        Some(Within::Nothing) => Err(ApiError::RangeNotSatisfiable { size }),
    }
}

fn body(bytes: ByteStream) -> Body {
    let span = Span::current();
    Body::from_stream(bytes.inspect(move |chunk| {
        if let Err(fault) = chunk {
            // The answer has begun: all that is left is to cut it short, and to say why in the log.
            span.in_scope(|| error!(cause = %Chain(fault), "the content broke off"));
        }
    }))
}
