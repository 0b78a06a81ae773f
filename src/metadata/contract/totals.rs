use super::artifacts::count_up;
use super::*;
use crate::domain::scope::Scope;
use crate::metadata::{Total, Totals};

pub(super) async fn totals_follow_every_change(store: Store) {
    assert_eq!(user_total(&store).await, (0, 0));
    let [first, second] = [sized(1, 5), sized(2, MAX_BYTES)];
    for artifact in [&first, &second] {
        store.insert_artifact(artifact).await.unwrap();
    }
    assert_eq!(user_total(&store).await, (2, MAX_BYTES + 5));

    for bytes in [7, 7, 0, 3] {
        let before = store.artifact(first.id).await.unwrap().unwrap();
        let after = Artifact { version: before.version + 1, ..sized(1, bytes) };
        assert_eq!(store.replace_artifact(&before, &after, None).await.unwrap(), Replaced::Done);
        assert_eq!(user_total(&store).await, (2, MAX_BYTES + bytes));
    }

    assert_eq!(store.delete_artifact(&second, &garbage_of(&second)).await.unwrap(), Replaced::Done);
    assert_eq!(user_total(&store).await, (1, 3));
    let first = store.artifact(first.id).await.unwrap().unwrap();
    assert_eq!(store.delete_artifact(&first, &garbage_of(&first)).await.unwrap(), Replaced::Done);
    assert_eq!(user_total(&store).await, (0, 0));
}

pub(super) async fn sandboxes_and_scopes_are_added_up_by_themselves(store: Store) {
    let places = |sandbox| {
        let users = ["one", "two", "three"].map(|user| of_user(sandbox, user));
        users.into_iter().chain([in_session(sandbox, "one"), in_session(sandbox, "two"), shared(sandbox)])
    };
    let mut numbers = 1..;
    for (bytes, name) in (1..).zip(ODD_NAMES) {
        for (partition, number) in places(name).zip(&mut numbers) {
            let mut artifact = artifact_in(&partition, number);
            artifact.content.bytes = bytes;
            assert!(store.insert_artifact(&artifact).await.unwrap());
        }
    }
    for (bytes, name) in (1..).zip(ODD_NAMES) {
        let total = |artifacts| Total { artifacts, bytes: artifacts * bytes };
        let expected = Totals { session: total(2), user: total(3), sandbox: total(1) };
        assert_eq!(store.totals(&sandbox(name)).await.unwrap(), expected, "{name}");
    }
    assert_eq!(store.totals(&sandbox("another")).await.unwrap(), Totals::default());
}

pub(super) async fn a_refused_change_counts_nothing(store: Store) {
    let current = sized(1, 5);
    let other = Artifact { version: 2, ..sized(1, 100) };
    let _ = store.replace_artifact(&current, &other, None).await.unwrap();
    let _ = store.delete_artifact(&current, &garbage_of(&current)).await.unwrap();
    assert_eq!(user_total(&store).await, (0, 0));

    assert!(store.insert_artifact(&current).await.unwrap());
    assert!(!store.insert_artifact(&other).await.unwrap());
    assert_eq!(store.replace_artifact(&other, &other, None).await.unwrap(), Replaced::Stale);
    assert_eq!(store.delete_artifact(&other, &garbage_of(&other)).await.unwrap(), Replaced::Stale);
    assert_eq!(user_total(&store).await, (1, 5));
}

pub(super) async fn concurrent_changes_are_all_added_up(store: Store) {
    store.insert_artifact(&artifact(1)).await.unwrap();
    let increments = (0..20).map(|_| tokio::spawn(count_up(Arc::clone(&store))));
    let insertions = (2..22).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { assert!(store.insert_artifact(&artifact(number)).await.unwrap()) })
    });
    for change in futures::future::join_all(increments.chain(insertions)).await {
        change.unwrap();
    }
    let totals = store.totals(&sandbox("app")).await.unwrap();
    assert_eq!(totals.of(Scope::Session), Total { artifacts: 21, bytes: 20 });
}

/// An artifact of a user.
fn sized(number: u8, bytes: u64) -> Artifact {
    let mut artifact = artifact_in(&of_user("app", "alice"), number);
    artifact.content.bytes = bytes;
    artifact
}

fn garbage_of(artifact: &Artifact) -> Garbage {
    Garbage { key: artifact.key(), ..garbage(1, at(0)) }
}

/// Number and bytes of what users have; there is nothing else.
async fn user_total(store: &Store) -> (u64, u64) {
    let totals = store.totals(&sandbox("app")).await.unwrap();
    assert_eq!(totals, Totals { user: totals.user, ..Totals::default() });
    (totals.user.artifacts, totals.user.bytes)
}
