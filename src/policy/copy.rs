//! Copying and renaming. Both stay where the artifact is: its scope, and the session or user it belongs to.

use super::access::{Action, Resource};
use super::place::Place;
use super::register::Draft;
use super::{ArtifactStore, Changes, Error, Expectation, FilenameChange, MetaChange, NewArtifact};
use crate::domain::artifact::{Artifact, Content, Description};
use crate::domain::filename::Filename;
use crate::domain::grid::FIRST_REVISION;
use crate::domain::id::{ArtifactId, SessionId};
use crate::domain::meta::Meta;
use crate::domain::summary::Summary;
use crate::storage::Key;

/// The member of a copy's metadata that names the artifact it was made from.
const COPIED_FROM: &str = "copied_from";

/// What differs in a copy; what is absent is as in the original.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// The name.
    pub filename: Option<Filename>,
    /// The summary.
    pub summary: Option<Summary>,
    /// Merged over the metadata of the original (RFC 7396).
    pub meta: Option<Meta>,
    /// The artifact's own session; any other is refused.
    pub target_session: Option<SessionId>,
}

/// What to call an artifact.
#[derive(Debug, Clone, Default)]
pub struct MoveRequest {
    /// The name.
    pub filename: Option<Filename>,
    /// Merged over the metadata (RFC 7396).
    pub meta: Option<Meta>,
    /// The artifact's own session; any other is refused.
    pub target_session: Option<SessionId>,
}

impl ArtifactStore {
    /// Makes a new artifact of the content that another one has now, with a life that begins now. The
    /// storage provider copies the bytes.
    pub async fn copy(&self, id: ArtifactId, request: CopyRequest) -> Result<Artifact, Error> {
        let source = self.find_to_copy(id).await?;
        self.check_target(&source, request.target_session.as_ref())?;
        let draft = self.draft_of_copy(&source, request).await?;
        if let Some(artifact) = self.made_before(&draft).await? {
            return Ok(artifact);
        }
        let store = self.clone();
        self.service.to_completion(async move { store.copy_to(draft, &source).await }).await
    }

    /// Renames an artifact that is as expected: its record changes, its bytes stay where they are.
    pub async fn move_to(
        &self,
        id: ArtifactId,
        request: MoveRequest,
        expected: &Expectation,
    ) -> Result<Artifact, Error> {
        let MoveRequest { filename, meta, target_session } = request;
        if filename.is_none() && meta.is_none() && target_session.is_none() {
            return Err(Error::invalid("filename", "or meta must be given".to_owned()));
        }
        let changes = Changes {
            filename: filename.map_or(FilenameChange::Keep, FilenameChange::Set),
            meta: meta.map_or(MetaChange::Keep, MetaChange::Merge),
            ..Changes::default()
        };
        self.change(id, None, |artifact, _| {
            self.check_target(artifact, target_session.as_ref())?;
            expected.check(artifact)?;
            changes.apply_to(&mut artifact.description);
            self.service.limits.check_meta("meta", &artifact.description.meta)
        })
        .await
    }

    /// An artifact that the caller may read, and beside which they may store.
    async fn find_to_copy(&self, id: ArtifactId) -> Result<Artifact, Error> {
        self.decide(Action::Read, &Resource::Sandbox)?;
        self.find(id, Action::Write).await
    }

    async fn draft_of_copy(&self, source: &Artifact, request: CopyRequest) -> Result<Draft, Error> {
        let scope = source.partition.scope();
        let original = source.description.clone();
        let meta = original.meta.merged_with(request.meta.unwrap_or_default());
        let description = Description {
            mime: original.mime,
            filename: request.filename.or(original.filename),
            summary: request.summary.unwrap_or(original.summary),
            meta: meta.with(COPIED_FROM, source.id.to_string()),
        };
        let ttl = self.service.limits.renewed(scope, source.life);
        let new = NewArtifact { scope, ttl, description, sniff: false };
        let draft = self.draft(new, source.uploaded_via).await?;
        // A user's default session may have ended since the original was found.
        let beside = Resource::Beside { original: &source.partition, copy: &draft.partition };
        self.decide(Action::Write, &beside).map(|()| draft)
    }

    async fn copy_to(&self, draft: Draft, source: &Artifact) -> Result<Artifact, Error> {
        let from = self.service.place_of(source)?;
        let place = Place { storage: from.storage.clone(), key: Key::from(&draft.key()) };
        if !place.copy_within(&from.key, source.content.bytes, &draft.new.description.mime).await? {
            // Deleted in this moment? Then that is the answer.
            self.find_to_copy(source.id).await?;
            return Err(from.missing());
        }
        let content = match self.content_of_copy(&place, source).await {
            Ok(content) => content,
            Err(error) => {
                place.discard().await;
                return Err(error);
            }
        };
        let result = self.service.insert(draft, content).await;
        place.discard_if_refused(&result).await;
        result
    }

    /// What is known of the copied bytes, if their original is still there.
    async fn content_of_copy(&self, place: &Place, source: &Artifact) -> Result<Content, Error> {
        self.find_to_copy(source.id).await?;
        let content = Content { revision: FIRST_REVISION, store_etag: None, ..source.content.clone() };
        if content.sha256.is_some() {
            return Ok(content);
        }
        let object = place.storage.head(&place.key).await?.ok_or_else(|| place.missing())?;
        Ok(Content { bytes: object.bytes, store_etag: object.etag, ..content })
    }

    /// Fails when a target is named that is not the artifact's own session.
    fn check_target(&self, artifact: &Artifact, target: Option<&SessionId>) -> Result<(), Error> {
        let target = target.map(|session| Resource::Target { artifact, session });
        target.map_or(Ok(()), |target| self.decide(Action::Write, &target))
    }
}
