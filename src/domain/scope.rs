//! The three scopes and the places they give.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Invalid;
use super::id::{ArtifactId, SHARDS, SandboxId, SessionId, UserId};

/// How long an artifact lives and who may touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Ephemeral; for its session only.
    #[default]
    Session,
    /// Persistent; for its owner, from any session.
    User,
    /// Shared; for everyone in the sandbox to read, for administrators to write.
    Sandbox,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Session, Self::User, Self::Sandbox];

    /// The name in requests and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::User => "user",
            Self::Sandbox => "sandbox",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(Invalid::new("must be session, user or sandbox"))
    }
}

/// What an artifact belongs to: one session, one user, or all of a sandbox. Records are indexed and
/// keys are grouped by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "scope")]
pub enum Partition {
    /// The ephemeral artifacts of a session.
    Session {
        /// The sandbox of the session.
        sandbox: SandboxId,
        /// The session.
        session: SessionId,
    },
    /// The persistent artifacts of a user.
    User {
        /// The sandbox of the user.
        sandbox: SandboxId,
        /// The user.
        user: UserId,
    },
    /// What everyone in the sandbox may read.
    #[serde(rename = "sandbox")]
    Shared {
        /// The sandbox.
        sandbox: SandboxId,
    },
}

impl Partition {
    /// The scope of everything in this partition.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Session { .. } => Scope::Session,
            Self::User { .. } => Scope::User,
            Self::Shared { .. } => Scope::Sandbox,
        }
    }

    /// The sandbox around this partition.
    pub fn sandbox(&self) -> &SandboxId {
        match self {
            Self::Session { sandbox, .. } | Self::User { sandbox, .. } | Self::Shared { sandbox } => sandbox,
        }
    }

    /// The shard of all records of this partition.
    pub fn shard(&self) -> u8 {
        Sha256::digest(self.to_string())[0] % SHARDS
    }

    /// `id` as that of an artifact of this partition: it carries the shard, so that whoever knows the
    /// id alone finds the record where the index of its partition is.
    pub fn adopt(&self, id: ArtifactId) -> ArtifactId {
        id.in_shard(self.shard())
    }
}

/// `{sandbox}/sessions/{session}`, `{sandbox}/users/{user}` or `{sandbox}/shared`, percent-encoded:
/// the folder of the partition in the grid.
impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sandbox = self.sandbox().to_segment();
        match self {
            Self::Session { session, .. } => write!(f, "{sandbox}/sessions/{}", session.to_segment()),
            Self::User { user, .. } => write!(f, "{sandbox}/users/{}", user.to_segment()),
            Self::Shared { .. } => write!(f, "{sandbox}/shared"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn the_id_of_an_artifact_tells_the_shard_of_its_partition() {
        let sandbox: SandboxId = "app".parse().unwrap();
        let partitions = ["alice", "bob", "carol"]
            .map(|user| Partition::User { sandbox: sandbox.clone(), user: user.parse().unwrap() })
            .into_iter()
            .chain([Partition::Shared { sandbox: sandbox.clone() }]);
        for partition in partitions {
            for random in [[0; 10], [0xff; 10]] {
                let id = partition.adopt(ArtifactId::new(Timestamp::from_millis(1_000), random));
                assert_eq!(id.shard(), partition.shard());
                assert!(id > ArtifactId::new(Timestamp::from_millis(999), [0xff; 10]), "the time stays");
            }
        }
    }
}
