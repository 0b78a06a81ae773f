//! The names of objects.
//!
//! ```text
//! grid/…                                                   what is stored (see `domain::grid`)
//! pending/{sandbox}/{artifact}                             an upload that is not complete
//! pending/{sandbox}/{artifact}/incoming/{id}               a part of one, while it arrives
//! pending/{sandbox}/{artifact}/parts/{number}.{sha256}     a part that has arrived
//! check/{id}                                               where a provider is tried out
//! ```

use std::fmt;

use crate::domain::digest::Sha256Digest;
use crate::domain::grid::GridKey;
use crate::domain::id::{ArtifactId, SandboxId};
use crate::domain::part::PartNumber;

/// The name of an object: segments of unreserved characters, `%` and `.`, joined by `/`. No segment is
/// empty, `.` or `..`, and none is longer than a file name may be, so a key is also a relative path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(super) String);

impl Key {
    /// Where the bytes of an upload wait that is not complete.
    pub fn pending(sandbox: &SandboxId, artifact: ArtifactId) -> Self {
        Self(format!("pending/{}/{artifact}", sandbox.to_segment()))
    }

    /// Where a part of the upload at this key waits while it arrives.
    pub fn incoming(&self, id: ArtifactId) -> Self {
        Self(format!("{self}/incoming/{id}"))
    }

    /// Where a part of the upload at this key is when it has arrived. The names sort as the numbers do.
    pub fn part(&self, number: PartNumber, sha256: Sha256Digest) -> Self {
        Self(format!("{self}/parts/{number:05}.{sha256}"))
    }

    /// Whose upload waits here, or a part of it; `None` when the key is not below `pending/`.
    pub fn pending_artifact(&self) -> Option<ArtifactId> {
        let segments: Vec<&str> = self.0.split('/').collect();
        let (sandbox, artifact) = match segments[..] {
            ["pending", sandbox, artifact] => (sandbox, artifact),
            ["pending", sandbox, artifact, "incoming", id] if id.parse::<ArtifactId>().is_ok() => (sandbox, artifact),
            ["pending", sandbox, artifact, "parts", name] if part_of_name(name).is_some() => (sandbox, artifact),
            _ => return None,
        };
        SandboxId::from_segment(sandbox).ok()?;
        artifact.parse().ok()
    }

    /// The number and the digest of the part of an upload that is here; `None` when this is no such place.
    pub fn as_part(&self) -> Option<(PartNumber, Sha256Digest)> {
        self.pending_artifact()?;
        let (_, name) = self.0.rsplit_once("/parts/")?;
        part_of_name(name)
    }

    /// Where a provider is tried out.
    pub fn check(id: ArtifactId) -> Self {
        Self(format!("check/{id}"))
    }

    /// A key that a provider listed; `None` for what this service never wrote.
    pub fn from_listing(text: &str) -> Option<Self> {
        let well_formed = text.split('/').all(|segment| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~%".contains(&b))
        });
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the name of a part says, if it is spelt as [`Key::part`] spells it.
fn part_of_name(name: &str) -> Option<(PartNumber, Sha256Digest)> {
    let (digits, sha256) = name.split_once('.')?;
    let (number, sha256) = (digits.parse::<u32>().ok()?.try_into().ok()?, sha256.parse().ok()?);
    (format!("{number:05}.{sha256}") == name).then_some((number, sha256))
}

impl From<&GridKey> for Key {
    fn from(key: &GridKey) -> Self {
        Self(key.to_string())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0192f0c123457abc8def0123456789ab";

    #[test]
    fn every_key_of_an_upload_names_its_artifact() {
        let artifact: ArtifactId = ID.parse().unwrap();
        let other: ArtifactId = "f".repeat(32).parse().unwrap();
        for sandbox in ["app", "a/b", "..", "%2F", "é"] {
            let place = Key::pending(&sandbox.parse().unwrap(), artifact);
            let part = place.part("7".parse().unwrap(), Sha256Digest::new([0xab; 32]));
            assert!(part.as_str().ends_with(&format!("/parts/00007.{}", "ab".repeat(32))), "{part}");
            for key in [&place, &place.incoming(other), &part] {
                assert_eq!(Key::from_listing(key.as_str()).as_ref(), Some(key));
                assert_eq!(key.pending_artifact(), Some(artifact), "{key}");
            }
        }
    }

    #[test]
    fn other_keys_name_no_upload() {
        for text in [
            format!("grid/app/shared/{ID}"),
            format!("check/{ID}"),
            "pending/app".to_owned(),
            format!("pending/app/{}", ID.to_uppercase()),
            format!("pending/%61/{ID}"),
            format!("pending/app/{ID}/parts"),
            format!("pending/app/{ID}/elsewhere/x"),
            format!("pending/app/{ID}/parts/x/y"),
            format!("pending/app/{ID}/parts/notes.txt"),
            format!("pending/app/{ID}/parts/7.{}", "ab".repeat(32)),
            format!("pending/app/{ID}/parts/00007.{}", "AB".repeat(32)),
            format!("pending/app/{ID}/parts/00000.{}", "ab".repeat(32)),
            format!("pending/app/{ID}/incoming/notes.txt"),
            format!("pending/reports/{}", "2026-11-25"),
        ] {
            assert_eq!(Key::from_listing(&text).unwrap().pending_artifact(), None, "{text}");
        }
    }
}
