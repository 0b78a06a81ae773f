use super::*;
use crate::metadata::Replaced;

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
        assert_eq!(store.replace_artifact(&next, current.version, None).await.unwrap(), Replaced::Done);
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
        let refused = with_life(&current, life);
        assert_eq!(store.replace_artifact(&refused, 4, None).await.unwrap(), Replaced::Stale);
        assert_eq!(store.expired_artifacts(at(199), 10).await.unwrap(), []);
        assert_eq!(store.expired_artifacts(at(200), 10).await.unwrap(), std::slice::from_ref(&current));
    }
}

pub(super) async fn the_longest_expired_sessions_come_first(store: Store) {
    for (id, expires_at) in [("a", 300), ("b", 100), ("c", 500), ("d", 200)] {
        let session = Session { life: until(at(expires_at)), ..session(id) };
        store.insert_session(&session).await.unwrap();
    }
    let expired = async |now, limit| -> Vec<String> {
        let sessions = store.expired_sessions(now, limit).await.unwrap();
        sessions.iter().map(|session| session.id.to_string()).collect()
    };
    assert_eq!(expired(at(300), 10).await, ["b", "d", "a"]);
    assert_eq!(expired(at(300), 2).await, ["b", "d"]);
    assert_eq!(expired(Timestamp::MAX, 10).await, ["b", "d", "a", "c"]);
}

pub(super) async fn a_session_expires_at_its_last_instant_not_before(store: Store) {
    let session = Session { life: until(at(100)), ..session("a") };
    store.insert_session(&session).await.unwrap();
    assert_eq!(store.expired_sessions(at(99), 10).await.unwrap(), []);
    assert_eq!(store.expired_sessions(at(100), 10).await.unwrap(), std::slice::from_ref(&session));
    assert_eq!(store.delete_session(&session).await.unwrap(), Replaced::Done);
    assert_eq!(store.expired_sessions(at(100), 10).await.unwrap(), []);
}

pub(super) async fn a_prolonged_session_expires_later(store: Store) {
    let first = Session { life: until(at(100)), ..session("a") };
    store.insert_session(&first).await.unwrap();
    let prolonged = Session { life: until(at(200)), version: 2, ..first.clone() };
    assert_eq!(store.replace_session(&prolonged, 1).await.unwrap(), Replaced::Done);
    assert_eq!(store.expired_sessions(at(199), 10).await.unwrap(), []);
    assert_eq!(store.expired_sessions(at(200), 10).await.unwrap(), [prolonged]);
}
