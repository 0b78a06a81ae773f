//! What a caller believes the current state to be.

use super::Error;
use crate::domain::artifact::Artifact;
use crate::domain::time::Timestamp;

/// The conditions of a change (RFC 9110, section 13). By default, any state will do.
///
/// Entity tags are without their quotes; each may be that of the content or that of the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expectation {
    /// `If-Match`: one of these is a current tag.
    pub any_of: Option<Vec<String>>,
    /// `If-None-Match`: none of these is.
    pub none_of: Option<Tags>,
    /// `If-Unmodified-Since`: neither content nor record changed after this second. What `any_of` says is exact
    /// and takes its place.
    pub unmodified_since: Option<Timestamp>,
}

/// Some entity tags, or all there can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// Every tag: `*`.
    Any,
    /// These.
    List(Vec<String>),
}

impl Expectation {
    /// Fails unless `artifact` is as expected.
    pub fn check(&self, artifact: &Artifact) -> Result<(), Error> {
        if *self == Self::default() {
            return Ok(());
        }
        let (content, record) = (artifact.content.etag(), artifact.record_etag());
        let is_current = |tags: &[String]| tags.iter().any(|tag| *tag == content || *tag == record);
        let is_as_known = match (&self.any_of, self.unmodified_since) {
            (Some(tags), _) => is_current(tags),
            (None, Some(second)) => artifact.updated_at.as_seconds() <= second.as_seconds(),
            (None, None) => true,
        };
        let is_excluded = match &self.none_of {
            Some(Tags::Any) => true,
            Some(Tags::List(tags)) => is_current(tags),
            None => false,
        };
        if is_as_known && !is_excluded { Ok(()) } else { Err(Error::PreconditionFailed { content, record }) }
    }
}
