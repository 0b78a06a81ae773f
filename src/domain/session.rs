//! Session records.

use serde::{Deserialize, Serialize};

use super::id::{SandboxId, SessionId, UserId};
use super::meta::Meta;
use super::time::Timestamp;
use super::ttl::Lifetime;

/// A session: an owner, a life, and whatever its user attaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The sandbox; a session id means something only within it.
    pub sandbox: SandboxId,
    /// The id.
    pub id: SessionId,
    /// The user who first used it; none while only tokens without a user have.
    pub owner: Option<UserId>,
    /// When it was first used.
    pub created_at: Timestamp,
    /// When it ends, and its artifacts with it.
    pub life: Lifetime,
    /// Free-form data of the owner.
    pub metadata: Meta,
    /// Counts the changes of this record; the token for compare-and-swap.
    pub version: u64,
}
