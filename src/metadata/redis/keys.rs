//! The names of the keys, and which of them share a hash slot of a Redis Cluster.
//!
//! ```text
//! {prefix}:{07}:artifact:{id}               a record: its version, a line break, its JSON
//! {prefix}:{07}:artifacts:expiry            sorted set: id by the instant of expiry
//! {prefix}:{07}:garbage                     sorted set: note by the instant when it is due
//! {prefix}:{07}:session:{sandbox}/{id}      a record, as above
//! {prefix}:{07}:sessions:expiry             sorted set: sandbox/id by the instant of expiry
//! {prefix}:{app/users/alice}:artifacts      sorted set: the ids of a partition, all of score 0
//! {prefix}:{app/users/alice}:suspects       hash: entries without a record, since when
//! {prefix}:default-session:{sandbox}/{user} the id
//! ```
//!
//! What stands in braces decides the slot. Records are spread over a fixed number of shards by the hash
//! of their id, so that a record, its expiry and its garbage change in one script. Ids are
//! percent-encoded and therefore bring no braces of their own.

use sha2::{Digest, Sha256};

use crate::domain::id::{ArtifactId, SandboxId, UserId};
use crate::domain::scope::Partition;

/// Many enough to spread over a cluster, few enough to be asked for expired records all at once. This
/// number is part of the format: with another, records would not be found.
pub(super) const SHARDS: u8 = 64;

/// Makes the names of keys.
pub(super) struct Keys {
    prefix: String,
}

/// The keys that one record is kept under.
pub(super) struct RecordKeys {
    pub(super) record: String,
    pub(super) expiry: String,
    pub(super) garbage: String,
}

impl Keys {
    /// Keys that begin with `prefix`; `None` if that holds braces, which would decide the slots.
    pub(super) fn new(prefix: &str) -> Option<Self> {
        (!prefix.contains(['{', '}'])).then(|| Self { prefix: prefix.to_owned() })
    }

    /// Where the record of this kind and name is kept.
    pub(super) fn record(&self, kind: &str, member: &str) -> RecordKeys {
        let shard = shard_of(member);
        RecordKeys {
            record: format!("{}:{{{shard:02}}}:{kind}:{member}", self.prefix),
            expiry: self.expiry(kind, shard),
            garbage: self.garbage(shard),
        }
    }

    /// The expiry index of one shard.
    pub(super) fn expiry(&self, kind: &str, shard: u8) -> String {
        format!("{}:{{{shard:02}}}:{kind}s:expiry", self.prefix)
    }

    /// The garbage that an artifact leaves: in its own shard.
    pub(super) fn garbage_of(&self, artifact: ArtifactId) -> String {
        self.garbage(shard_of(&artifact.to_string()))
    }

    /// The garbage of one shard.
    pub(super) fn garbage(&self, shard: u8) -> String {
        format!("{}:{{{shard:02}}}:garbage", self.prefix)
    }

    /// The ids of a partition.
    pub(super) fn partition(&self, partition: &Partition) -> String {
        format!("{}:{{{partition}}}:artifacts", self.prefix)
    }

    /// Entries of a partition whose record was missing when they were met.
    pub(super) fn suspects(&self, partition: &Partition) -> String {
        format!("{}:{{{partition}}}:suspects", self.prefix)
    }

    /// The default session of a user.
    pub(super) fn default_session(&self, sandbox: &SandboxId, user: &UserId) -> String {
        format!("{}:default-session:{}/{}", self.prefix, sandbox.to_segment(), user.to_segment())
    }
}

fn shard_of(member: &str) -> u8 {
    Sha256::digest(member)[0] % SHARDS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Redis Cluster hashes: the text between the first brace and the next closing one.
    fn hash_tag(key: &str) -> &str {
        let (_, rest) = key.split_once('{').unwrap();
        let (tag, rest) = rest.split_once('}').unwrap();
        assert!(!tag.is_empty() && !rest.contains(['{', '}']), "{key}");
        tag
    }

    proptest! {
        #[test]
        fn keys_that_change_together_share_a_slot(sandbox in "\\PC{1,20}", session in "\\PC{1,20}|[{}]{1,9}") {
            let keys = Keys::new("artifactd").unwrap();
            let (sandbox, session) = (sandbox.parse().unwrap(), session.parse().unwrap());
            let partition = Partition::Session { sandbox, session };
            let (index, suspects) = (keys.partition(&partition), keys.suspects(&partition));
            prop_assert_eq!(hash_tag(&index), hash_tag(&suspects));
            prop_assert_eq!(hash_tag(&index), partition.to_string());

            let record = keys.record("session", &partition.to_string());
            prop_assert_eq!(hash_tag(&record.expiry), hash_tag(&record.record));
            prop_assert_eq!(hash_tag(&record.garbage), hash_tag(&record.record));
        }
    }

    #[test]
    fn names_and_shards_are_those_of_earlier_versions() {
        let keys = Keys::new("p").unwrap();
        let record = keys.record("artifact", "0192f0c123457abc8def0123456789ab");
        assert_eq!(record.record, "p:{11}:artifact:0192f0c123457abc8def0123456789ab");
        assert_eq!(record.expiry, "p:{11}:artifacts:expiry");
        assert_eq!(record.garbage, "p:{11}:garbage");
    }

    #[test]
    fn a_prefix_does_not_decide_slots() {
        assert!(Keys::new("{p}").is_none() && Keys::new("p}").is_none());
    }
}
