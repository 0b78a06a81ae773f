use super::*;

pub(super) async fn due_garbage_comes_longest_due_first(store: Store) {
    for (number, due) in [(1, 300), (2, 100), (3, 500), (4, 200), (5, 400)] {
        note(&store, &garbage(number, at(due))).await;
    }
    let [first, second, third] = [(2, 100), (4, 200), (1, 300)].map(|(number, due)| garbage(number, at(due)));
    assert_eq!(store.due_garbage(at(99), 10).await.unwrap(), []);
    assert_eq!(store.due_garbage(at(300), 10).await.unwrap(), [first.clone(), second.clone(), third]);
    assert_eq!(store.due_garbage(at(300), 2).await.unwrap(), [first, second]);
    assert_eq!(store.due_garbage(Timestamp::MAX, 10).await.unwrap().len(), 5);
}

pub(super) async fn garbage_is_noted_with_the_change_or_not_at_all(store: Store) {
    let current = Artifact { version: 5, ..artifact(1) };
    let next = with_life(&current, None);
    let note = garbage(1, at(100));
    assert_eq!(store.replace_artifact(&current, &next, Some(&note)).await.unwrap(), Replaced::Missing);
    assert_eq!(store.delete_artifact(&current, &note).await.unwrap(), Replaced::Missing);
    store.insert_artifact(&current).await.unwrap();
    assert_eq!(store.replace_artifact(&next, &next, Some(&note)).await.unwrap(), Replaced::Stale);
    assert_eq!(store.delete_artifact(&next, &note).await.unwrap(), Replaced::Stale);
    assert_eq!(store.due_garbage(Timestamp::MAX, 10).await.unwrap(), []);

    assert_eq!(store.replace_artifact(&current, &next, Some(&note)).await.unwrap(), Replaced::Done);
    assert_eq!(store.due_garbage(Timestamp::MAX, 10).await.unwrap(), [note]);
}

pub(super) async fn forgotten_garbage_is_gone_due_or_not(store: Store) {
    let notes = [garbage(1, at(100)), garbage(2, at(200))];
    for garbage in &notes {
        note(&store, garbage).await;
    }
    assert_eq!(store.due_garbage(at(100), 10).await.unwrap(), notes[..1]);
    for garbage in &notes {
        store.forget_garbage(garbage).await.unwrap();
        // Forgetting twice is no error.
        store.forget_garbage(garbage).await.unwrap();
    }
    assert_eq!(store.due_garbage(Timestamp::MAX, 10).await.unwrap(), []);
}

/// Who has acted on an old note must not take a newer one with it.
pub(super) async fn notes_of_the_same_bytes_are_forgotten_one_by_one(store: Store) {
    let (early, late) = (garbage(1, at(100)), garbage(1, at(200)));
    let elsewhere = Garbage { provider: "s3".to_owned(), ..garbage(1, at(300)) };
    let mut current = artifact(1);
    store.insert_artifact(&current).await.unwrap();
    for garbage in [&early, &late, &late, &elsewhere] {
        let next = with_life(&current, None);
        assert_eq!(store.replace_artifact(&current, &next, Some(garbage)).await.unwrap(), Replaced::Done);
        current = next;
    }
    assert_eq!(store.due_garbage(at(300), 10).await.unwrap(), [early.clone(), late.clone(), elsewhere.clone()]);
    store.forget_garbage(&early).await.unwrap();
    assert_eq!(store.due_garbage(at(300), 10).await.unwrap(), [late, elsewhere]);
}

/// Notes garbage the one way there is: with a change of its artifact.
async fn note(store: &Store, garbage: &Garbage) {
    let artifact = Artifact { id: garbage.key.artifact, ..artifact(1) };
    assert!(store.insert_artifact(&artifact).await.unwrap());
    assert_eq!(store.delete_artifact(&artifact, garbage).await.unwrap(), Replaced::Done);
}
