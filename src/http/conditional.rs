//! Conditions of requests: entity tags, dates, and which of them counts (RFC 9110, sections 8.8 and 13).
//!
//! Tags are exact. A date knows whole seconds only: it lets a part of the content through just when that second saw
//! one state (section 8.8.2.2).

mod tags;
#[cfg(test)]
mod tests;

use std::time::{Duration, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use self::tags::Tags;
use super::error::ApiError;
use crate::domain::artifact::{Artifact, LastChange};
use crate::domain::time::Timestamp;
use crate::policy::{self, Expectation};

/// `"tag"`, for an `ETag` field.
pub(super) fn quoted(tag: &str) -> HeaderValue {
    HeaderValue::try_from(format!("\"{tag}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What tells one state of a resource from all others.
#[derive(Debug, Clone)]
pub(super) struct Validators {
    tag: String,
    changed: Option<LastChange>,
}

/// What a conditional read comes to. When the state is not the expected one, that is an error instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// The caller is to get it.
    Wanted,
    /// The caller has it (304).
    Known,
}

impl Validators {
    /// Those of bytes with this tag that last changed then, if that is known.
    pub(super) fn new(tag: String, changed: Option<LastChange>) -> Self {
        Self { tag, changed }
    }

    /// Those of a record.
    pub(super) fn of_record(artifact: &Artifact) -> Self {
        Self::new(artifact.record_etag(), Some(artifact.last_change()))
    }

    /// `ETag` and `Last-Modified`.
    pub(super) fn write_to(&self, headers: &mut HeaderMap) {
        headers.insert(header::ETAG, quoted(&self.tag));
        let date = self.changed.and_then(|change| HeaderValue::try_from(http_date(change.at)).ok());
        if let Some(date) = date {
            headers.insert(header::LAST_MODIFIED, date);
        }
    }

    /// Decides about a GET or HEAD request, in the order of section 13.2.2.
    pub(super) fn decide(&self, headers: &HeaderMap) -> Result<Read, ApiError> {
        let is_as_known = match Tags::read(headers, &header::IF_MATCH)? {
            Some(tags) => tags.match_strongly(&self.tag),
            None => self.changed_after(headers, &header::IF_UNMODIFIED_SINCE) != Some(true),
        };
        if !is_as_known {
            return Err(ApiError::NotAsExpected { tag: self.tag.clone() });
        }
        let is_known = match Tags::read(headers, &header::IF_NONE_MATCH)? {
            Some(tags) => tags.match_weakly(&self.tag),
            None => self.changed_after(headers, &header::IF_MODIFIED_SINCE) == Some(false),
        };
        Ok(if is_known { Read::Known } else { Read::Wanted })
    }

    /// Whether `If-Range` lets a range be sent: it is absent, or names this state and no other.
    pub(super) fn range_applies(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::IF_RANGE) else { return true };
        let Ok(text) = value.to_str() else { return false };
        match (parse_date(text), self.changed) {
            (Some(date), Some(change)) => change.is_alone_in_its_second && date == change.at.as_seconds(),
            (Some(_), None) => false,
            (None, _) => text.trim() == format!("\"{}\"", self.tag),
        }
    }

    /// Whether the last change came after the second that a field names; `None` when either is not known.
    fn changed_after(&self, headers: &HeaderMap, name: &HeaderName) -> Option<bool> {
        Some(self.changed?.at.as_seconds() > date(headers, name)?)
    }
}

/// What the conditions of a change expect of the artifact.
pub(super) fn expectation(headers: &HeaderMap) -> Result<Expectation, ApiError> {
    let any_of = match Tags::read(headers, &header::IF_MATCH)? {
        Some(Tags::List(tags)) => Some(tags.into_iter().filter(|tag| !tag.weak).map(|tag| tag.opaque).collect()),
        // Whatever is changed is there.
        Some(Tags::Any) | None => None,
    };
    let none_of = Tags::read(headers, &header::IF_NONE_MATCH)?.map(|tags| match tags {
        Tags::Any => policy::Tags::Any,
        Tags::List(tags) => policy::Tags::List(tags.into_iter().map(|tag| tag.opaque).collect()),
    });
    let without_tags = !headers.contains_key(header::IF_MATCH);
    let since = date(headers, &header::IF_UNMODIFIED_SINCE).filter(|_| without_tags);
    let unmodified_since = since.map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
    Ok(Expectation { any_of, none_of, unmodified_since })
}

/// The second that a field names. One that is given twice or is no date counts as absent, as the RFC has it.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => parse_date(value.to_str().ok()?),
        _ => None,
    }
}

/// Reads a date in one of the three forms of section 5.6.7.
fn parse_date(text: &str) -> Option<i64> {
    let instant = httpdate::parse_http_date(text.trim()).ok()?;
    i64::try_from(instant.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

fn http_date(instant: Timestamp) -> String {
    // No timestamp lies before the epoch or after the year 9999, where this could not be written.
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(instant.as_seconds().unsigned_abs()))
}
