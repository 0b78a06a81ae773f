//! Documents: records that have a name, a version and an end, whatever is in them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{MetadataStore, Replaced};
use crate::domain::id::{SandboxId, SessionId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::fault::Fault;

/// The kinds of documents. Names are unique within a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Sessions.
    Session,
    /// Uploads that are under way.
    Upload,
    /// Answers kept for requests that are sent again.
    Answer,
}

impl Kind {
    /// The word for it in tables and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Upload => "upload",
            Self::Answer => "answer",
        }
    }
}

/// A document as providers keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub name: String,
    /// Counts its changes; the token for compare-and-swap.
    pub version: u64,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its content, as JSON.
    pub body: String,
}

/// What is kept as a document.
pub trait Documented: Serialize + DeserializeOwned + Send + Sync {
    /// The kind of all of them.
    const KIND: Kind;

    /// The name of this one.
    fn name(&self) -> String;
    /// Its version.
    fn version(&self) -> u64;
    /// When it ends.
    fn expires_at(&self) -> Timestamp;
}

/// Documents as what they are.
impl dyn MetadataStore {
    /// Creates a document; `false` when its name is taken.
    pub async fn insert<D: Documented>(&self, document: &D) -> Result<bool, Fault> {
        self.insert_document(&self.encode(document)?).await
    }

    /// The document with this name, expired or not.
    pub async fn find<D: Documented>(&self, name: &str) -> Result<Option<D>, Fault> {
        self.document(D::KIND, name).await?.map(|document| self.decode(&document)).transpose()
    }

    /// Puts `document` in place of the one with its name, if that still has version `expected`.
    pub async fn replace<D: Documented>(&self, document: &D, expected: u64) -> Result<Replaced, Fault> {
        self.replace_document(&self.encode(document)?, expected).await
    }

    /// Removes the document with the name of `document` if it still has its version.
    pub async fn remove<D: Documented>(&self, document: &D) -> Result<Replaced, Fault> {
        self.delete_document(D::KIND, &document.name(), document.version()).await
    }

    /// At most `limit` documents whose life was over at `now`, the longest expired first.
    pub async fn expired<D: Documented>(&self, now: Timestamp, limit: usize) -> Result<Vec<D>, Fault> {
        self.expired_documents(D::KIND, now, limit).await?.iter().map(|document| self.decode(document)).collect()
    }

    fn encode<D: Documented>(&self, document: &D) -> Result<Document, Fault> {
        let body = serde_json::to_string(document)
            .map_err(|error| Fault::broken(self.name(), "encoding a document", error))?;
        Ok(Document {
            kind: D::KIND,
            name: document.name(),
            version: document.version(),
            expires_at: document.expires_at(),
            body,
        })
    }

    fn decode<D: Documented>(&self, document: &Document) -> Result<D, Fault> {
        serde_json::from_str(&document.body).map_err(|error| Fault::broken(self.name(), "reading a document", error))
    }
}

impl Documented for Session {
    const KIND: Kind = Kind::Session;

    fn name(&self) -> String {
        session_name(&self.sandbox, &self.id)
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires_at(&self) -> Timestamp {
        self.life.expires_at
    }
}

/// The name of a session's document.
pub fn session_name(sandbox: &SandboxId, id: &SessionId) -> String {
    format!("{}/{}", sandbox.to_segment(), id.to_segment())
}
