//! The records of the suite.

use serde_json::json;

use super::*;
use crate::domain::artifact::{Content, Description, SessionUse, UploadedVia};
use crate::domain::digest::Sha256Digest;
use crate::domain::grid::{FIRST_REVISION, Revision};
use crate::domain::id::{ArtifactId, SandboxId};
use crate::domain::meta::Meta;
use crate::domain::search::{Filter, Order};
use crate::domain::ttl::{Lifetime, Ttl};
use crate::metadata::Search;

/// The largest size that an artifact can have.
pub(super) const MAX_BYTES: u64 = 5 << 40;

/// What partitions, users and sessions can be called, all different.
pub(super) const ODD_NAMES: [&str; 19] = [
    "a",
    "A",
    "a ",
    " a",
    "a/b",
    "a%2Fb",
    "..",
    ".",
    "{a}",
    "}{",
    "a*",
    "?",
    "'; --",
    "\"",
    "auth0|42",
    "ä",
    "a\u{308}",
    "名前 😀",
    "sessions",
];

/// The instant `millis` after an arbitrary start.
pub(in crate::metadata) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

/// A life that is over at `expires_at`.
pub(super) fn until(expires_at: Timestamp) -> Lifetime {
    Lifetime { ttl: Ttl::try_from(60).unwrap(), expires_at }
}

pub(super) fn sandbox(name: &str) -> SandboxId {
    name.parse().unwrap()
}

pub(super) fn in_session(sandbox: &str, session: &str) -> Partition {
    Partition::Session { sandbox: sandbox.parse().unwrap(), session: session.parse().unwrap() }
}

pub(super) fn of_user(sandbox: &str, user: &str) -> Partition {
    Partition::User { sandbox: sandbox.parse().unwrap(), user: user.parse().unwrap() }
}

pub(super) fn shared(sandbox: &str) -> Partition {
    Partition::Shared { sandbox: sandbox.parse().unwrap() }
}

/// The partition of the artifacts that [`artifact`] makes.
pub(in crate::metadata) fn partition() -> Partition {
    in_session("app", "chat")
}

/// The id of the `number`th artifact; a higher number is newer.
pub(in crate::metadata) fn id(number: u8) -> ArtifactId {
    id_in(&partition(), number)
}

pub(super) fn id_in(partition: &Partition, number: u8) -> ArtifactId {
    partition.adopt(ArtifactId::new(at(i64::from(number)), [number; 10]))
}

/// A record with the least that a record has: it never expires.
pub(in crate::metadata) fn artifact(number: u8) -> Artifact {
    artifact_in(&partition(), number)
}

pub(super) fn artifact_in(partition: &Partition, number: u8) -> Artifact {
    Artifact {
        id: id_in(partition, number),
        partition: partition.clone(),
        session: None,
        owner: None,
        description: Description::default(),
        content: Content {
            revision: FIRST_REVISION,
            bytes: 0,
            sha256: None,
            store_etag: None,
            provider: "memory".to_owned(),
            utf8: false,
        },
        last_revision: FIRST_REVISION,
        stored_at: at(i64::from(number)),
        updated_at: at(i64::from(number)),
        life: None,
        uploaded_via: UploadedVia::Direct,
        edits: 0,
        version: 1,
    }
}

/// A record in which every field says something.
pub(super) fn full_artifact(number: u8) -> Artifact {
    let meta = json!({"tags": ["a", null, {"b": null}], "größe": "名前", "quote": "\"\\\u{1}\n", "n": -7});
    Artifact {
        session: Some(SessionUse { id: "chat".parse().unwrap(), began: at(0) }),
        owner: Some("auth0|42".parse().unwrap()),
        description: Description {
            mime: "text/plain; charset=utf-8".parse().unwrap(),
            filename: Some("docs/報告 😀.txt".parse().unwrap()),
            summary: "two\nlines".parse().unwrap(),
            meta: meta_of(meta),
        },
        content: Content {
            revision: Revision::new(3).unwrap(),
            bytes: MAX_BYTES,
            sha256: Some(Sha256Digest::new([0xab; 32])),
            store_etag: Some("\"etag-7\"".to_owned()),
            provider: "s3".to_owned(),
            utf8: true,
        },
        last_revision: Revision::new(u32::MAX).unwrap(),
        updated_at: at(1_000),
        life: Some(until(at(60_000))),
        ..artifact(number)
    }
}

pub(super) fn meta_of(value: serde_json::Value) -> Meta {
    value.try_into().unwrap()
}

/// A session of the sandbox `app`.
pub(in crate::metadata) fn session(id: &str) -> Session {
    Session {
        sandbox: sandbox("app"),
        id: id.parse().unwrap(),
        owner: None,
        created_at: at(0),
        life: until(at(60_000)),
        metadata: Meta::default(),
        version: 1,
    }
}

/// A note that the first bytes of an artifact are of no use from `due` on.
pub(in crate::metadata) fn garbage(number: u8, due: Timestamp) -> Garbage {
    Garbage { key: artifact(number).key(), provider: "memory".to_owned(), due }
}

/// `artifact` as the next version, with `life`.
pub(super) fn with_life(artifact: &Artifact, life: Option<Lifetime>) -> Artifact {
    Artifact { life, version: artifact.version + 1, ..artifact.clone() }
}

pub(super) fn ids(artifacts: &[Artifact]) -> Vec<ArtifactId> {
    artifacts.iter().map(|artifact| artifact.id).collect()
}

/// The first hundred artifacts that a search for anything finds in a partition, newest first.
pub(super) async fn listed(store: &Store, partition: &Partition) -> Vec<Artifact> {
    let all = Search {
        partitions: std::slice::from_ref(partition),
        filter: &Filter::default(),
        order: Order::default(),
        after: None,
        limit: 100,
        visible: &|_| true,
    };
    store.search(&all).await.unwrap().items
}
