//! Changing records and replacing bytes.

use super::access::Action;
use super::place::Incoming;
use super::{ArtifactStore, Error, Expectation, TtlChoice};
use crate::domain::artifact::{Artifact, Description};
use crate::domain::filename::Filename;
use crate::domain::id::ArtifactId;
use crate::domain::media_type::MediaType;
use crate::domain::meta::Meta;
use crate::domain::scope::Partition;
use crate::domain::session::Session;
use crate::domain::summary::Summary;
use crate::domain::time::Timestamp;
use crate::domain::ttl::{Lifetime, Ttl};
use crate::metadata::{Garbage, Replaced};

/// How long the bytes of a replaced revision stay, so that whoever reads them can finish.
const REPLACED_CONTENT_GRACE_SECONDS: u64 = 3600;

const OVERTAKEN: Error =
    Error::Conflict(std::borrow::Cow::Borrowed("a later replacement of the content was completed first"));

/// What to change in a record; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The media type.
    pub mime: Option<MediaType>,
    /// The name.
    pub filename: FilenameChange,
    /// The summary.
    pub summary: Option<Summary>,
    /// The metadata.
    pub meta: MetaChange,
    /// The life.
    pub ttl: TtlChange,
}

/// What to do with the name.
#[derive(Debug, Clone, Default)]
pub enum FilenameChange {
    /// Nothing.
    #[default]
    Keep,
    /// Set it.
    Set(Filename),
    /// Have none.
    Remove,
}

/// What to do with the metadata.
#[derive(Debug, Clone, Default)]
pub enum MetaChange {
    /// Nothing.
    #[default]
    Keep,
    /// Merge this into it (RFC 7396).
    Merge(Meta),
    /// Put this in its place.
    Replace(Meta),
}

/// What to do with the life.
#[derive(Debug, Clone, Copy, Default)]
pub enum TtlChange {
    /// Nothing.
    #[default]
    Keep,
    /// Set it, from now.
    Set(TtlChoice),
    /// Move its end.
    Extend(Ttl),
}

/// New bytes for an artifact, and what may change with them.
#[derive(Debug, Clone, Default)]
pub struct Replacement {
    /// The media type, if it changes.
    pub mime: Option<MediaType>,
    /// The name, if it changes.
    pub filename: Option<Filename>,
    /// The summary, if it changes.
    pub summary: Option<Summary>,
}

impl Changes {
    pub(super) fn apply_to(&self, description: &mut Description) {
        if let Some(mime) = &self.mime {
            description.mime = mime.clone();
        }
        match &self.filename {
            FilenameChange::Keep => {}
            FilenameChange::Set(filename) => description.filename = Some(filename.clone()),
            FilenameChange::Remove => description.filename = None,
        }
        if let Some(summary) = &self.summary {
            description.summary = summary.clone();
        }
        match &self.meta {
            MetaChange::Keep => {}
            MetaChange::Merge(patch) => {
                description.meta = std::mem::take(&mut description.meta).merged_with(patch.clone());
            }
            MetaChange::Replace(meta) => description.meta = meta.clone(),
        }
    }
}

impl ArtifactStore {
    /// Changes the record of an artifact that is as expected.
    pub async fn update(&self, id: ArtifactId, changes: Changes, expected: &Expectation) -> Result<Artifact, Error> {
        let session = match changes.ttl {
            TtlChange::Keep => None,
            TtlChange::Set(_) | TtlChange::Extend(_) => self.session_around(id).await?,
        };
        self.change(id, None, |artifact, now| {
            expected.check(artifact)?;
            artifact.life = self.changed_life(artifact, changes.ttl, session.as_ref(), now)?;
            changes.apply_to(&mut artifact.description);
            self.service.limits.check_meta("meta", &artifact.description.meta)
        })
        .await
    }

    /// Replaces the bytes of an artifact that is as expected, both before and after they have come.
    pub async fn replace(
        &self,
        id: ArtifactId,
        replacement: Replacement,
        incoming: Incoming,
        expected: Expectation,
    ) -> Result<Artifact, Error> {
        self.check_length(&incoming)?;
        let claimed = self.claim_revision(id, &expected).await?;
        let store = self.clone();
        self.service
            .to_completion(async move { store.replace_claimed(claimed, replacement, incoming, expected).await })
            .await
    }

    async fn replace_claimed(
        &self,
        claimed: Artifact,
        replacement: Replacement,
        incoming: Incoming,
        expected: Expectation,
    ) -> Result<Artifact, Error> {
        let revision = claimed.last_revision;
        let place = self.service.place_for(&claimed.key_of(revision));
        let mime = replacement.mime.as_ref().unwrap_or(&claimed.description.mime);
        let content = place.content(place.write(mime, incoming, self.max_bytes()).await?, revision);
        let changes = Changes::from(replacement);
        let result = self
            .change(claimed.id, Some(REPLACED_CONTENT_GRACE_SECONDS), |artifact, _| {
                expected.check(artifact)?;
                if artifact.content.revision > revision {
                    return Err(OVERTAKEN);
                }
                artifact.content = content.clone();
                changes.apply_to(&mut artifact.description);
                Ok(())
            })
            .await;
        place.discard_if_refused(&result).await;
        result
    }

    /// Reserves the next revision, so that replacements that run side by side write to different keys.
    /// A replacement that breaks off leaves a gap in the numbers.
    async fn claim_revision(&self, id: ArtifactId, expected: &Expectation) -> Result<Artifact, Error> {
        loop {
            let before = self.find(id, Action::Write).await?;
            expected.check(&before)?;
            let last_claim = self.service.last_claim(&before).await?.unwrap_or(before.last_revision);
            let last_revision = before.last_revision.max(last_claim).saturating_add(1);
            let after = Artifact { last_revision, version: before.version + 1, ..before.clone() };
            if self.swap(&before, &after, None).await? {
                return Ok(after);
            }
        }
    }

    /// Applies `change` to an artifact, again if another change comes between. With `discard_after`,
    /// the bytes it had before are noted as garbage after so many seconds.
    pub(super) async fn change(
        &self,
        id: ArtifactId,
        discard_after: Option<u64>,
        change: impl Fn(&mut Artifact, Timestamp) -> Result<(), Error>,
    ) -> Result<Artifact, Error> {
        loop {
            let before = self.find(id, Action::Write).await?;
            let now = self.service.clock.now();
            let mut after = before.clone();
            change(&mut after, now)?;
            after.version += 1;
            after.edits += 1;
            after.updated_at = now;
            let garbage = discard_after.map(|seconds| before.garbage(now.plus_seconds(seconds)));
            if self.swap(&before, &after, garbage.as_ref()).await? {
                return Ok(after);
            }
        }
    }

    /// `false` when the record is no longer as it was `before`.
    async fn swap(&self, before: &Artifact, after: &Artifact, garbage: Option<&Garbage>) -> Result<bool, Error> {
        match self.service.metadata.replace_artifact(before, after, garbage).await? {
            Replaced::Done => Ok(true),
            Replaced::Stale => Ok(false),
            Replaced::Missing => Err(Error::ArtifactNotFound),
        }
    }

    /// The session that bounds the life of an artifact, if its scope is session.
    async fn session_around(&self, id: ArtifactId) -> Result<Option<Session>, Error> {
        match self.find(id, Action::Write).await?.partition {
            Partition::Session { session, .. } => {
                Ok(Some(self.live_session(&session).await?.ok_or(Error::SessionNotFound)?))
            }
            Partition::User { .. } | Partition::Shared { .. } => Ok(None),
        }
    }

    fn changed_life(
        &self,
        artifact: &Artifact,
        change: TtlChange,
        session: Option<&Session>,
        now: Timestamp,
    ) -> Result<Option<Lifetime>, Error> {
        let scope = artifact.partition.scope();
        match (change, artifact.life) {
            (TtlChange::Keep, life) => Ok(life),
            (TtlChange::Set(choice), _) => self.service.limits.lifetime(scope, choice, session, now),
            (TtlChange::Extend(_), None) => {
                Err(Error::invalid("extend_ttl", "cannot be applied: the artifact never expires".to_owned()))
            }
            (TtlChange::Extend(by), Some(life)) => {
                self.service.limits.extended(scope, life, by, session, now).map(Some)
            }
        }
    }
}

impl From<Replacement> for Changes {
    fn from(replacement: Replacement) -> Self {
        let Replacement { mime, filename, summary } = replacement;
        let filename = filename.map_or(FilenameChange::Keep, FilenameChange::Set);
        Self { mime, filename, summary, ..Self::default() }
    }
}
