use super::documents::document;
use super::*;
use crate::metadata::{Document, Kind};

pub(super) async fn the_longest_expired_artifacts_come_first(store: Store) {
    for (number, expires_at) in [(1, 300), (2, 100), (3, 500), (4, 200), (5, 400)] {
        let artifact = Artifact { life: Some(until(at(expires_at))), ..artifact(number) };
        store.insert_artifact(&artifact).await.unwrap();
    }
    store.insert_artifact(&artifact(6)).await.unwrap();
    let expired = async |now, limit| ids(&store.expired_artifacts(now, limit).await.unwrap());
    assert_eq!(expired(at(400), 10).await, [id(2), id(4), id(1), id(5)]);
    assert_eq!(expired(at(400), 2).await, [id(2), id(4)]);
    assert_eq!(expired(at(400), 0).await, []);
    assert_eq!(expired(Timestamp::MAX, 10).await, [id(2), id(4), id(1), id(5), id(3)]);
}

pub(super) async fn an_artifact_expires_at_its_last_instant_not_before(store: Store) {
    let artifact = Artifact { life: Some(until(at(100))), ..artifact(1) };
    store.insert_artifact(&artifact).await.unwrap();
    assert_eq!(store.expired_artifacts(at(99), 10).await.unwrap(), []);
    assert_eq!(store.expired_artifacts(at(100), 10).await.unwrap(), [artifact]);
}

pub(super) async fn a_changed_life_counts_at_once(store: Store) {
    let mut current = artifact(1);
    store.insert_artifact(&current).await.unwrap();
    let lives = [Some(200), Some(300), Some(100), Some(100), None, None, Some(400)];
    for expires_at in lives.map(|millis| millis.map(at)) {
        let next = with_life(&current, expires_at.map(until));
        assert_eq!(store.replace_artifact(&current, &next, None).await.unwrap(), Replaced::Done);
        current = next;

        let in_time = expires_at.map_or(Timestamp::MAX, |instant| Timestamp::from_millis(instant.as_millis() - 1));
        assert_eq!(store.expired_artifacts(in_time, 10).await.unwrap(), []);
        let expected = if expires_at.is_some() { vec![current.clone()] } else { vec![] };
        assert_eq!(store.expired_artifacts(expires_at.unwrap_or(Timestamp::MAX), 10).await.unwrap(), expected);
    }
}

pub(super) async fn a_refused_replacement_changes_no_life(store: Store) {
    let current = Artifact { life: Some(until(at(200))), version: 5, ..artifact(1) };
    store.insert_artifact(&current).await.unwrap();
    for life in [Some(until(at(100))), Some(until(at(300))), None] {
        let outdated = Artifact { version: 4, ..current.clone() };
        let refused = with_life(&outdated, life);
        assert_eq!(store.replace_artifact(&outdated, &refused, None).await.unwrap(), Replaced::Stale);
        assert_eq!(store.expired_artifacts(at(199), 10).await.unwrap(), []);
        assert_eq!(store.expired_artifacts(at(200), 10).await.unwrap(), std::slice::from_ref(&current));
    }
}

pub(super) async fn the_longest_expired_documents_of_a_kind_come_first(store: Store) {
    for (name, expires_at) in [("a", 300), ("b", 100), ("c", 500), ("d", 200)] {
        let upload = Document { expires_at: at(expires_at), ..document(Kind::Upload, name) };
        let answer = Document { expires_at: at(1), ..document(Kind::Answer, name) };
        assert!(store.insert_document(&upload).await.unwrap());
        assert!(store.insert_document(&answer).await.unwrap());
    }
    let expired = async |now, limit| -> Vec<String> {
        let uploads = store.expired_documents(Kind::Upload, now, limit).await.unwrap();
        uploads.into_iter().map(|upload| upload.name).collect()
    };
    assert_eq!(expired(at(300), 10).await, ["b", "d", "a"]);
    assert_eq!(expired(at(300), 2).await, ["b", "d"]);
    assert_eq!(expired(at(300), 0).await, [""; 0]);
    assert_eq!(expired(Timestamp::MAX, 10).await, ["b", "d", "a", "c"]);
    assert_eq!(store.expired_documents(Kind::Session, Timestamp::MAX, 10).await.unwrap(), []);
}

pub(super) async fn a_document_expires_at_its_last_instant_not_before(store: Store) {
    let session = Session { life: until(at(100)), ..session("a") };
    store.insert(&session).await.unwrap();
    assert_eq!(store.expired::<Session>(at(99), 10).await.unwrap(), []);
    assert_eq!(store.expired::<Session>(at(100), 10).await.unwrap(), std::slice::from_ref(&session));
    assert_eq!(store.remove(&session).await.unwrap(), Replaced::Done);
    assert_eq!(store.expired::<Session>(at(100), 10).await.unwrap(), []);
}

pub(super) async fn a_prolonged_document_expires_later(store: Store) {
    let first = Session { life: until(at(100)), ..session("a") };
    store.insert(&first).await.unwrap();
    let prolonged = Session { life: until(at(200)), version: 2, ..first };
    assert_eq!(store.replace(&prolonged, 1).await.unwrap(), Replaced::Done);
    assert_eq!(store.expired::<Session>(at(199), 10).await.unwrap(), []);
    assert_eq!(store.expired::<Session>(at(200), 10).await.unwrap(), [prolonged]);
}

pub(super) async fn a_refused_change_of_a_document_changes_no_life(store: Store) {
    let current = Document { expires_at: at(200), version: 5, ..document(Kind::Upload, "a") };
    store.insert_document(&current).await.unwrap();
    for expires_at in [at(100), at(300)] {
        let refused = Document { expires_at, ..current.clone() };
        assert!(!store.insert_document(&refused).await.unwrap());
        assert_eq!(store.replace_document(&refused, 4).await.unwrap(), Replaced::Stale);
        assert_eq!(store.delete_document(Kind::Upload, "a", 4).await.unwrap(), Replaced::Stale);
        assert_eq!(store.expired_documents(Kind::Upload, at(199), 10).await.unwrap(), []);
        let expired = store.expired_documents(Kind::Upload, at(200), 10).await.unwrap();
        assert_eq!(expired, std::slice::from_ref(&current));
    }
}
