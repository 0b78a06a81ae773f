//! Documents: kept as records, with a name that anybody may have chosen.

use super::keys::Place;
use super::records::{Beside, Change, Stored};
use super::{NAME, RedisMetadata};
use crate::domain::Invalid;
use crate::domain::time::Timestamp;
use crate::fault::{Cause, Fault};
use crate::metadata::{Document, Kind, Replaced};

impl RedisMetadata {
    pub(super) async fn read_document(
        &self,
        operation: &'static str,
        kind: Kind,
        name: &str,
    ) -> Result<Option<Document>, Fault> {
        let stored = self.get(operation, &Place::document(kind, name)).await?;
        let document = stored.map(|stored| as_document(kind, name, stored)).transpose();
        document.map_err(|error| Fault::broken(NAME, operation, error))
    }

    /// Puts `document` in place of the one in the version `expected`; empty: where there is none.
    pub(super) async fn put_document(
        &self,
        operation: &'static str,
        document: &Document,
        expected: &str,
    ) -> Result<Replaced, Fault> {
        let Document { kind, name, version, expires_at, body } = document;
        let stored = Stored { version: *version, expires_at: Some(*expires_at), content: body.clone() };
        let change = Change { expected, to: Some(&stored) };
        self.change(operation, &Place::document(*kind, name), &change, &Beside::default()).await
    }

    pub(super) async fn remove_document(
        &self,
        operation: &'static str,
        kind: Kind,
        name: &str,
        version: u64,
    ) -> Result<Replaced, Fault> {
        let change = Change { expected: &version.to_string(), to: None };
        self.change(operation, &Place::document(kind, name), &change, &Beside::default()).await
    }

    pub(super) async fn find_expired_documents(
        &self,
        operation: &'static str,
        kind: Kind,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Document>, Fault> {
        let read = |place: &Place, stored| as_document(kind, &place.name, stored);
        self.expired(operation, kind.as_str(), now, limit, read).await
    }
}

fn as_document(kind: Kind, name: &str, stored: Stored) -> Result<Document, Cause> {
    let Stored { version, expires_at, content: body } = stored;
    let expires_at = expires_at.ok_or(Invalid::new("a document has no end"))?;
    Ok(Document { kind, name: name.to_owned(), version, expires_at, body })
}
