//! Cursors: positions in results, sealed. They tell callers nothing, cannot be changed, and are of use for
//! the same question of the same caller only.

use serde::Serialize;

use super::error::ApiError;
use crate::metadata::Position;
use crate::policy::ArtifactStore;
use crate::signing::SigningKeys;

/// What the cursors of one caller's one question are good for.
pub(super) struct Cursors<'a> {
    keys: &'a SigningKeys,
    bound_to: Vec<u8>,
}

impl<'a> Cursors<'a> {
    /// The cursors of `question`, which has everything that decides what is found and in which order.
    pub(super) fn new(keys: &'a SigningKeys, store: &ArtifactStore, question: impl Serialize) -> Self {
        let principal = store.principal();
        let caller = (&principal.sandbox, principal.user(), principal.session(), store.named_session());
        Self { keys, bound_to: serde_json::to_vec(&(caller, question)).unwrap_or_default() }
    }

    /// The position that a cursor stands for.
    pub(super) fn open(&self, cursor: &str) -> Result<Position, ApiError> {
        let position = self.keys.open(cursor, &self.bound_to).map(Position);
        position
            .ok_or_else(|| ApiError::field("cursor", "is not one that was given for these parameters to this caller"))
    }

    /// The cursor of a position.
    pub(super) fn seal(&self, position: &Position) -> String {
        self.keys.seal(&position.0, &self.bound_to)
    }
}
