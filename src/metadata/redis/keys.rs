//! The names of the keys, and which of them share a hash slot of a Redis Cluster.
//!
//! ```text
//! {prefix}:{07}:artifact:{id}               a record: its version, its end, a line break, its JSON
//! {prefix}:{07}:artifacts:expiry            sorted set: id by the instant of expiry
//! {prefix}:{07}:garbage                     sorted set: note by the instant when it is due
//! {prefix}:{07}:index:{app/users/alice}     sorted set: the entries of a partition, all of score 0
//! {prefix}:{07}:totals:{sandbox}            hash: number and bytes of the artifacts of each scope
//! {prefix}:{31}:session:{name}              a document, kept as a record: so, too, uploads and answers
//! {prefix}:{31}:sessions:expiry             sorted set: name by the instant of expiry
//! {prefix}:default-session:{sandbox}/{user} the id
//! ```
//!
//! What stands in the first braces of a key decides its slot: here, the number of a shard. All that is
//! kept of an artifact is in the shard of its partition, which its id tells; a document is in the shard
//! that its kind and name give. So whatever changes together is in one slot. Only the numbers stand in
//! real braces; names of documents may bring some, which come too late to mean anything.

use sha2::{Digest as _, Sha256};

use crate::domain::id::{ArtifactId, SHARDS, SandboxId, UserId};
use crate::domain::scope::Partition;
use crate::metadata::Kind;

/// The word for artifacts in the names of keys.
pub(super) const ARTIFACT: &str = "artifact";

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) shard: u8,
    /// [`ARTIFACT`], or the word for a kind of documents.
    pub(super) kind: &'static str,
    /// Which of its kind.
    pub(super) name: String,
}

impl Place {
    pub(super) fn artifact(id: ArtifactId) -> Self {
        Self { shard: id.shard(), kind: ARTIFACT, name: id.to_string() }
    }

    pub(super) fn document(kind: Kind, name: &str) -> Self {
        let kind = kind.as_str();
        let shard = Sha256::digest(format!("{kind}:{name}"))[0] % SHARDS;
        Self { shard, kind, name: name.to_owned() }
    }
}

/// Makes the names of keys.
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys that begin with `prefix`; `None` if that holds braces, which would decide the slots.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        (!prefix.contains(['{', '}'])).then(|| Self { prefix: prefix.to_owned() })
    }

    #[cfg(test)]
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A record.
    pub(super) fn record(&self, place: &Place) -> String {
        self.in_shard(place.shard, &format!("{}:{}", place.kind, place.name))
    }

    /// The expiry index of the records of a kind in one shard.
    pub(super) fn expiry(&self, shard: u8, kind: &str) -> String {
        self.in_shard(shard, &format!("{kind}s:expiry"))
    }

    /// The garbage that the artifacts of one shard leave.
    pub(super) fn garbage(&self, shard: u8) -> String {
        self.in_shard(shard, "garbage")
    }

    /// The index of a partition.
    pub(super) fn index(&self, partition: &Partition) -> String {
        self.in_shard(partition.shard(), &format!("index:{partition}"))
    }

    /// How much of a sandbox is in one shard.
    pub(super) fn totals(&self, shard: u8, sandbox: &SandboxId) -> String {
        self.in_shard(shard, &format!("totals:{}", sandbox.to_segment()))
    }

    /// The default session of a user.
    pub(super) fn default_session(&self, sandbox: &SandboxId, user: &UserId) -> String {
        format!("{}:default-session:{}/{}", self.prefix, sandbox.to_segment(), user.to_segment())
    }

    fn in_shard(&self, shard: u8, rest: &str) -> String {
        format!("{}:{{{shard:02}}}:{rest}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::Timestamp;

    /// What Redis Cluster hashes: the text between the first brace and the next closing one.
    fn hash_tag(key: &str) -> &str {
        let (_, rest) = key.split_once('{').unwrap();
        rest.split_once('}').unwrap().0
    }

    proptest! {
        #[test]
        fn all_that_is_kept_of_an_artifact_shares_a_slot(
            sandbox in "\\PC{1,20}", session in "\\PC{1,20}|[{}]{1,9}", random: [u8; 10]
        ) {
            let keys = Keys::new("artifactd").unwrap();
            let (sandbox, session) = (sandbox.parse::<SandboxId>().unwrap(), session.parse().unwrap());
            let partition = Partition::Session { sandbox: sandbox.clone(), session };
            let id = partition.adopt(ArtifactId::new(Timestamp::from_millis(1), random));
            let place = Place::artifact(id);
            let shard = partition.shard();
            for key in [
                keys.record(&place),
                keys.expiry(place.shard, place.kind),
                keys.garbage(place.shard),
                keys.index(&partition),
                keys.totals(place.shard, &sandbox),
            ] {
                prop_assert_eq!(hash_tag(&key), format!("{shard:02}"), "{}", key);
            }
        }

        #[test]
        fn a_document_shares_a_slot_with_its_expiry(name in ".{0,20}|[{}]{1,9}") {
            let keys = Keys::new("artifactd").unwrap();
            for kind in [Kind::Session, Kind::Upload, Kind::Answer] {
                let place = Place::document(kind, &name);
                let (record, expiry) = (keys.record(&place), keys.expiry(place.shard, place.kind));
                prop_assert_eq!(hash_tag(&record), hash_tag(&expiry));
                prop_assert!(place.shard < SHARDS && record.ends_with(&name));
            }
        }
    }

    #[test]
    fn names_and_shards_are_those_of_earlier_versions() {
        let keys = Keys::new("p").unwrap();
        let sandbox: SandboxId = "app".parse().unwrap();
        let partition = Partition::User { sandbox: sandbox.clone(), user: "al{ice".parse().unwrap() };
        let id = partition.adopt("0192f0c123457abc8def0123456789ab".parse().unwrap());
        let (artifact, session) = (Place::artifact(id), Place::document(Kind::Session, "app/{chat}"));
        assert_eq!(keys.record(&artifact), "p:{53}:artifact:0192f0c123457abc8def0123456789b5");
        assert_eq!(keys.expiry(artifact.shard, artifact.kind), "p:{53}:artifacts:expiry");
        assert_eq!(keys.garbage(artifact.shard), "p:{53}:garbage");
        assert_eq!(keys.index(&partition), "p:{53}:index:app/users/al%7Bice");
        assert_eq!(keys.totals(artifact.shard, &sandbox), "p:{53}:totals:app");
        assert_eq!(keys.record(&session), "p:{49}:session:app/{chat}");
        assert_eq!(keys.expiry(session.shard, session.kind), "p:{49}:sessions:expiry");
    }

    #[test]
    fn a_prefix_does_not_decide_slots() {
        assert!(Keys::new("{p}").is_none() && Keys::new("p}").is_none());
    }
}
