//! The grid: where the bytes of each revision are kept.
//!
//! ```text
//! grid/{sandbox}/sessions/{session}/{artifact}[.{revision}]
//! grid/{sandbox}/users/{user}/{artifact}[.{revision}]
//! grid/{sandbox}/shared/{artifact}[.{revision}]
//! ```

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::id::{ArtifactId, SandboxId, SessionId, UserId};
use super::scope::Partition;
use super::{Invalid, serde_as_text};

/// Counts the contents that an artifact has had, from 1.
pub type Revision = NonZeroU32;

/// The first revision of every artifact.
pub const FIRST_REVISION: Revision = NonZeroU32::MIN;

/// The key of one revision of one artifact. It prints and parses without loss: one key, one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GridKey {
    /// The folder.
    pub partition: Partition,
    /// The artifact.
    pub artifact: ArtifactId,
    /// The revision; the first has no suffix.
    pub revision: Revision,
}

impl fmt::Display for GridKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grid/{}/{}", self.partition, self.artifact)?;
        if self.revision > FIRST_REVISION {
            write!(f, ".{}", self.revision)?;
        }
        Ok(())
    }
}

impl FromStr for GridKey {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let segments: Vec<&str> = text.split('/').collect();
        let (partition, name) = match segments[..] {
            ["grid", sandbox, "sessions", session, name] => {
                let session = SessionId::from_segment(session)?;
                (Partition::Session { sandbox: SandboxId::from_segment(sandbox)?, session }, name)
            }
            ["grid", sandbox, "users", user, name] => {
                let user = UserId::from_segment(user)?;
                (Partition::User { sandbox: SandboxId::from_segment(sandbox)?, user }, name)
            }
            ["grid", sandbox, "shared", name] => {
                (Partition::Shared { sandbox: SandboxId::from_segment(sandbox)? }, name)
            }
            _ => return Err(Invalid::new("must look like grid/{sandbox}/sessions|users|shared/…/{artifact}")),
        };
        let (artifact, revision) = match name.split_once('.') {
            None => (name, FIRST_REVISION),
            Some((artifact, suffix)) => (artifact, parse_suffix(suffix)?),
        };
        Ok(Self { partition, artifact: artifact.parse()?, revision })
    }
}

fn parse_suffix(suffix: &str) -> Result<Revision, Invalid> {
    match suffix.parse::<Revision>() {
        Ok(revision) if revision > FIRST_REVISION && revision.to_string() == suffix => Ok(revision),
        _ => Err(Invalid::new("must end in a revision of 2 or more, written without sign or zeros")),
    }
}

serde_as_text!(GridKey);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "0192f0c123457abc8def0123456789ab";

    #[test]
    fn keys_look_as_documented() {
        let sandbox: SandboxId = "app".parse().unwrap();
        let key = |partition, revision| GridKey {
            partition,
            artifact: ID.parse().unwrap(),
            revision: Revision::new(revision).unwrap(),
        };
        let session = Partition::Session { sandbox: sandbox.clone(), session: "a/b".parse().unwrap() };
        let user = Partition::User { sandbox: sandbox.clone(), user: "auth0|42".parse().unwrap() };
        assert_eq!(key(session, 1).to_string(), format!("grid/app/sessions/a%2Fb/{ID}"));
        assert_eq!(key(user, 2).to_string(), format!("grid/app/users/auth0%7C42/{ID}.2"));
        assert_eq!(key(Partition::Shared { sandbox }, 13).to_string(), format!("grid/app/shared/{ID}.13"));
    }

    #[test]
    fn other_spellings_are_refused() {
        for key in [
            "",
            "grid",
            &format!("grid/app/shared/{ID}.1"),
            &format!("grid/app/shared/{ID}.02"),
            &format!("grid/app/shared/{ID}.+2"),
            &format!("grid/app/shared/{ID}."),
            &format!("grid/app/shared//{ID}"),
            &format!("grid//shared/{ID}"),
            &format!("grid/../shared/{ID}"),
            &format!("grid/app/users/%75/{ID}"),
            &format!("/grid/app/shared/{ID}"),
            &format!("grid/app/shared/{}", ID.to_uppercase()),
        ] {
            assert!(key.parse::<GridKey>().is_err(), "{key}");
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back_as_it_was(
            sandbox in "\\PC{1,20}", owner in "\\PC{1,20}", kind in 0..3, revision in 1u32.., random: [u8; 10],
        ) {
            let sandbox: SandboxId = sandbox.parse().unwrap();
            let partition = match kind {
                0 => Partition::Session { sandbox, session: owner.parse().unwrap() },
                1 => Partition::User { sandbox, user: owner.parse().unwrap() },
                _ => Partition::Shared { sandbox },
            };
            let artifact = ArtifactId::new(crate::domain::time::Timestamp::from_millis(1), random);
            let key = GridKey { partition, artifact, revision: Revision::new(revision).unwrap() };
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
