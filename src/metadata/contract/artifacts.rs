use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::*;

pub(super) async fn a_record_reads_back_to_the_last_field(store: Store) {
    for artifact in [artifact(1), full_artifact(2)] {
        assert!(store.insert_artifact(&artifact).await.unwrap());
        assert_eq!(store.artifact(artifact.id).await.unwrap(), Some(artifact));
    }
}

pub(super) async fn a_record_that_was_never_written_is_not_found(store: Store) {
    assert_eq!(store.artifact(id(1)).await.unwrap(), None);
}

pub(super) async fn records_are_read_together_in_the_order_asked_for(store: Store) {
    let elsewhere = artifact_in(&of_user("app", "alice"), 4);
    for artifact in [&artifact(1), &full_artifact(2), &elsewhere] {
        store.insert_artifact(artifact).await.unwrap();
    }
    let found = store.artifacts(&[elsewhere.id, id(2), id(3), id(1), id(2)]).await.unwrap();
    let expected = [Some(elsewhere), Some(full_artifact(2)), None, Some(artifact(1)), Some(full_artifact(2))];
    assert_eq!(found, expected);
    assert_eq!(store.artifacts(&[]).await.unwrap(), []);
}

pub(super) async fn an_id_is_taken_once(store: Store) {
    let first = artifact(1);
    // An id tells its shard, so only a partition of the same shard can bring it a second time.
    let mut others = (0..).map(|number| of_user("app", &format!("user-{number}")));
    let other = others.find(|other| other.shard() == partition().shard()).unwrap();
    let elsewhere = Artifact { partition: other, ..full_artifact(1) };
    assert!(store.insert_artifact(&first).await.unwrap());
    assert!(!store.insert_artifact(&first).await.unwrap());
    assert!(!store.insert_artifact(&elsewhere).await.unwrap());
    assert_eq!(store.artifact(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(listed(&store, &first.partition).await, [first]);
    assert_eq!(listed(&store, &elsewhere.partition).await, []);
    assert_eq!(store.expired_artifacts(Timestamp::MAX, 10).await.unwrap(), []);
}

pub(super) async fn a_record_is_replaced_only_while_it_has_the_expected_version(store: Store) {
    let first = artifact(1);
    let second = Artifact { version: 2, ..full_artifact(1) };
    let third = with_life(&second, None);
    assert_eq!(store.replace_artifact(&first, &second, None).await.unwrap(), Replaced::Missing);
    assert_eq!(store.artifact(first.id).await.unwrap(), None);

    store.insert_artifact(&first).await.unwrap();
    assert_eq!(store.replace_artifact(&second, &third, None).await.unwrap(), Replaced::Stale);
    assert_eq!(store.artifact(first.id).await.unwrap(), Some(first.clone()));

    assert_eq!(store.replace_artifact(&first, &second, None).await.unwrap(), Replaced::Done);
    assert_eq!(store.replace_artifact(&first, &second, None).await.unwrap(), Replaced::Stale);
    assert_eq!(store.artifact(first.id).await.unwrap(), Some(second));
}

/// 2^53 + 1 is the first integer that a double cannot hold, and 1 a prefix of 12.
pub(super) async fn versions_are_compared_to_the_last_digit(store: Store) {
    for (number, version, other) in [(1, (1 << 53) + 1, 1 << 53), (2, u64::MAX, u64::MAX - 1), (3, 12, 1), (4, 1, 12)] {
        let artifact = Artifact { version, ..artifact(number) };
        let unknown = Artifact { version: other, ..artifact.clone() };
        store.insert_artifact(&artifact).await.unwrap();
        assert_eq!(store.replace_artifact(&unknown, &artifact, None).await.unwrap(), Replaced::Stale);
        assert_eq!(store.delete_artifact(&unknown, &garbage(number, at(0))).await.unwrap(), Replaced::Stale);
        assert_eq!(store.replace_artifact(&artifact, &artifact, None).await.unwrap(), Replaced::Done);
    }
}

pub(super) async fn concurrent_replacements_are_each_applied_once(store: Store) {
    store.insert_artifact(&artifact(1)).await.unwrap();
    let increments = (0..50).map(|_| tokio::spawn(count_up(Arc::clone(&store))));
    for increment in futures::future::join_all(increments).await {
        increment.unwrap();
    }
    let counted = store.artifact(id(1)).await.unwrap().unwrap();
    assert_eq!((counted.version, counted.content.bytes), (51, 50));
}

pub(super) async fn nobody_sees_a_change_and_then_what_was_before(store: Store) {
    const CHANGES: u64 = 100;
    store.insert_artifact(&artifact(1)).await.unwrap();
    let done = Arc::new(AtomicU64::new(0));
    let readers = (0..4).map(|_| {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen = 0;
            while seen < CHANGES {
                let answered = done.load(Ordering::SeqCst);
                let alone = store.artifact(id(1)).await.unwrap().unwrap().content.bytes;
                let among = store.artifacts(&[id(1)]).await.unwrap().remove(0).unwrap().content.bytes;
                assert!(answered.max(seen) <= alone && alone <= among, "{answered} and {seen}, {alone}, {among}");
                seen = among;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for number in 1..=CHANGES {
        count_up(Arc::clone(&store)).await;
        done.store(number, Ordering::SeqCst);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

/// Adds one to the size in the record, however often another comes first.
pub(super) async fn count_up(store: Store) {
    loop {
        let old = store.artifact(id(1)).await.unwrap().unwrap();
        let mut new = Artifact { version: old.version + 1, ..old.clone() };
        new.content.bytes += 1;
        if store.replace_artifact(&old, &new, None).await.unwrap() == Replaced::Done {
            return;
        }
    }
}

pub(super) async fn a_record_is_deleted_only_in_the_version_that_is_known(store: Store) {
    let first = artifact(1);
    let note = garbage(1, at(5));
    assert_eq!(store.delete_artifact(&first, &note).await.unwrap(), Replaced::Missing);

    store.insert_artifact(&first).await.unwrap();
    let second = with_life(&first, None);
    assert_eq!(store.delete_artifact(&second, &note).await.unwrap(), Replaced::Stale);
    assert_eq!(store.artifact(first.id).await.unwrap(), Some(first.clone()));

    assert_eq!(store.delete_artifact(&first, &note).await.unwrap(), Replaced::Done);
    assert_eq!(store.artifact(first.id).await.unwrap(), None);
    assert_eq!(store.delete_artifact(&first, &note).await.unwrap(), Replaced::Missing);
}

pub(super) async fn a_deleted_record_leaves_every_index(store: Store) {
    let (gone, kept) = (full_artifact(1), full_artifact(2));
    for artifact in [&gone, &kept] {
        store.insert_artifact(artifact).await.unwrap();
    }
    assert_eq!(store.delete_artifact(&gone, &garbage(1, at(5))).await.unwrap(), Replaced::Done);
    assert_eq!(listed(&store, &partition()).await, std::slice::from_ref(&kept));
    assert_eq!(store.expired_artifacts(Timestamp::MAX, 10).await.unwrap(), [kept]);
    assert_eq!(store.due_garbage(at(5), 10).await.unwrap(), [garbage(1, at(5))]);
}

pub(super) async fn numbers_survive_exactly(store: Store) {
    let meta = json!({
        "floats": [1e300, -0.0, 0.1, 5e-324, f64::MAX, 2.225_073_858_507_201e-308, 123_456_789.123_456_79, 31.245_270_191_439_438],
        "integers": [1_u64 << 63, u64::MAX, i64::MIN, 0, (1_u64 << 53) + 1],
        "nested": {"null": null, "list": [null, {"null": null, "empty": {}}]},
    });
    let mut artifact = artifact(1);
    artifact.description.meta = meta_of(meta.clone());
    store.insert_artifact(&artifact).await.unwrap();
    let found = store.artifact(artifact.id).await.unwrap().unwrap();
    // The text tells -0.0 from 0.0 and 1 from 1.0, which the values do not.
    assert_eq!(json!(found.description.meta).to_string(), meta.to_string());
}

pub(super) async fn the_provider_answers_a_ping(store: Store) {
    store.ping().await.unwrap();
}
