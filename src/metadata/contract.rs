//! The suite that every metadata provider passes: one test per case and provider.
//!
//! A case gets an empty store of its own and knows nothing of the provider behind it.

mod artifacts;
mod expiry;
mod garbage;
mod listing;
mod sessions;

use std::sync::Arc;

use serde_json::json;

use super::{Garbage, MemoryMetadata, MetadataStore, RedisMetadata, SqliteMetadata};
use crate::domain::artifact::{Artifact, Content, Description, SessionUse, UploadedVia};
use crate::domain::digest::Sha256Digest;
use crate::domain::grid::{FIRST_REVISION, Revision};
use crate::domain::id::{ArtifactId, SandboxId};
use crate::domain::meta::Meta;
use crate::domain::scope::Partition;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::ttl::{Lifetime, Ttl};

type Store = Arc<dyn MetadataStore>;

/// Makes a test of every case for every provider. A provider's line gives a store and whatever must
/// outlive it.
macro_rules! suite {
    ($($group:ident: $cases:tt)+) => {
        suite!(@provider memory, (Arc::new(MemoryMetadata::new()), ()), $($group: $cases)+);
        suite!(@provider sqlite, in_sqlite(), $($group: $cases)+);
        suite!(@provider redis, (Arc::new(redis_store()), ()), $($group: $cases)+);
    };
    (@provider $provider:ident, $open:expr, $($group:ident: [$($case:ident),+ $(,)?])+) => {
        mod $provider {
            use super::*;
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (store, _keep) = $open;
                    super::$group::$case(store).await;
                }
            )+)+
        }
    };
}

suite! {
    artifacts: [
        a_record_reads_back_to_the_last_field,
        a_record_that_was_never_written_is_not_found,
        an_id_is_taken_once,
        a_record_is_replaced_only_while_it_has_the_expected_version,
        versions_are_compared_to_the_last_digit,
        concurrent_replacements_are_each_applied_once,
        a_record_is_deleted_only_in_the_version_that_is_known,
        a_deleted_record_leaves_every_index,
        numbers_survive_exactly,
        the_provider_answers_a_ping,
    ]
    listing: [
        a_partition_is_listed_newest_first_page_by_page,
        a_page_begins_behind_its_bound_even_when_that_is_gone,
        a_replaced_record_is_listed_once_and_in_its_place,
        no_partition_shows_what_belongs_to_another,
        an_empty_page_is_empty,
    ]
    expiry: [
        the_longest_expired_artifacts_come_first,
        an_artifact_expires_at_its_last_instant_not_before,
        a_changed_life_counts_at_once,
        a_refused_replacement_changes_no_life,
        the_longest_expired_sessions_come_first,
        a_session_expires_at_its_last_instant_not_before,
        a_prolonged_session_expires_later,
    ]
    sessions: [
        a_session_reads_back_to_the_last_field,
        a_session_id_is_taken_once_in_its_sandbox,
        a_session_is_replaced_only_while_it_has_the_expected_version,
        a_session_is_deleted_only_in_the_version_that_is_known,
        concurrent_changes_of_a_session_are_each_applied_once,
        odd_ids_are_told_apart,
        a_default_session_is_changed_only_by_who_knows_it,
        of_concurrent_claims_to_be_the_default_one_wins,
    ]
    garbage: [
        due_garbage_comes_longest_due_first,
        garbage_is_noted_with_the_change_or_not_at_all,
        forgotten_garbage_is_gone_due_or_not,
        notes_of_the_same_bytes_are_forgotten_one_by_one,
    ]
}

fn in_sqlite() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.db")).unwrap();
    (Arc::new(store), folder)
}

/// A store on the real server, under a prefix of its own.
pub(super) fn redis_store() -> RedisMetadata {
    let url = std::env::var("ARTIFACTD_TEST_REDIS_URL")
        .expect("ARTIFACTD_TEST_REDIS_URL is not set: run `scripts/with-services cargo test`");
    RedisMetadata::connect(&url, &format!("test-{:016x}", rand::random::<u64>())).unwrap()
}

/// The instant `millis` after an arbitrary start.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + millis)
}

/// A life that is over at `expires_at`.
fn until(expires_at: Timestamp) -> Lifetime {
    Lifetime { ttl: Ttl::try_from(60).unwrap(), expires_at }
}

fn sandbox(name: &str) -> SandboxId {
    name.parse().unwrap()
}

fn in_session(sandbox: &str, session: &str) -> Partition {
    Partition::Session { sandbox: sandbox.parse().unwrap(), session: session.parse().unwrap() }
}

fn of_user(sandbox: &str, user: &str) -> Partition {
    Partition::User { sandbox: sandbox.parse().unwrap(), user: user.parse().unwrap() }
}

/// The partition of the artifacts that [`artifact`] makes.
pub(super) fn partition() -> Partition {
    in_session("app", "chat")
}

/// The id of the `number`th artifact; a higher number is newer.
pub(super) fn id(number: u8) -> ArtifactId {
    ArtifactId::new(at(i64::from(number)), [number; 10])
}

/// A record with the least that a record has: it never expires.
pub(super) fn artifact(number: u8) -> Artifact {
    Artifact {
        id: id(number),
        partition: partition(),
        session: None,
        owner: None,
        description: Description::default(),
        content: Content {
            revision: FIRST_REVISION,
            bytes: 0,
            sha256: None,
            store_etag: None,
            provider: "memory".to_owned(),
        },
        last_revision: FIRST_REVISION,
        stored_at: at(0),
        updated_at: at(0),
        life: None,
        uploaded_via: UploadedVia::Direct,
        edits: 0,
        version: 1,
    }
}

/// A record in which every field says something.
fn full_artifact(number: u8) -> Artifact {
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
            bytes: u64::MAX,
            sha256: Some(Sha256Digest::new([0xab; 32])),
            store_etag: Some("\"etag-7\"".to_owned()),
            provider: "s3".to_owned(),
        },
        last_revision: Revision::new(u32::MAX).unwrap(),
        updated_at: at(1),
        life: Some(until(at(60_000))),
        ..artifact(number)
    }
}

fn meta_of(value: serde_json::Value) -> Meta {
    value.try_into().unwrap()
}

/// A session of the sandbox `app`.
fn session(id: &str) -> Session {
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
pub(super) fn garbage(number: u8, due: Timestamp) -> Garbage {
    Garbage { key: artifact(number).key(), provider: "memory".to_owned(), due }
}

/// `artifact` as the next version, with `life`.
fn with_life(artifact: &Artifact, life: Option<Lifetime>) -> Artifact {
    Artifact { life, version: artifact.version + 1, ..artifact.clone() }
}

fn ids(artifacts: &[Artifact]) -> Vec<ArtifactId> {
    artifacts.iter().map(|artifact| artifact.id).collect()
}
