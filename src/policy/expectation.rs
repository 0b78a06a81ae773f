//! What a caller believes the current state to be.

use super::Error;
use crate::domain::artifact::Artifact;

/// The condition of a change (`If-Match`, RFC 9110, section 13.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Expectation {
    /// Any state will do.
    #[default]
    Anything,
    /// One of these entity tags, without their quotes, is that of the content or of the record.
    AnyOf(Vec<String>),
}

impl Expectation {
    /// Fails unless `artifact` is as expected.
    pub fn check(&self, artifact: &Artifact) -> Result<(), Error> {
        let Self::AnyOf(tags) = self else { return Ok(()) };
        let (content, record) = (artifact.content.etag(), artifact.record_etag());
        if tags.iter().any(|tag| *tag == content || *tag == record) {
            Ok(())
        } else {
            Err(Error::PreconditionFailed { content, record })
        }
    }
}
