use serde_json::json;

use super::*;
use crate::domain::id::{SessionId, UserId};
use crate::metadata::Replaced;

pub(super) async fn a_session_reads_back_to_the_last_field(store: Store) {
    let full = Session {
        owner: Some("auth0|42".parse().unwrap()),
        metadata: meta_of(json!({"theme": "dunkel", "größe": 0.1, "nothing": null})),
        version: u64::MAX,
        ..session("full")
    };
    for session in [session("bare"), full] {
        assert_eq!(store.session(&session.sandbox, &session.id).await.unwrap(), None);
        assert!(store.insert_session(&session).await.unwrap());
        assert_eq!(store.session(&session.sandbox, &session.id).await.unwrap(), Some(session));
    }
}

pub(super) async fn a_session_id_is_taken_once_in_its_sandbox(store: Store) {
    let first = session("chat");
    let second = Session { life: until(at(1)), version: 9, ..first.clone() };
    let elsewhere = Session { sandbox: sandbox("app2"), ..first.clone() };
    assert!(store.insert_session(&first).await.unwrap());
    assert!(!store.insert_session(&second).await.unwrap());
    assert!(store.insert_session(&elsewhere).await.unwrap());
    for session in [first, elsewhere] {
        assert_eq!(store.session(&session.sandbox, &session.id).await.unwrap(), Some(session));
    }
    assert_eq!(store.expired_sessions(at(1), 10).await.unwrap(), []);
}

pub(super) async fn a_session_is_replaced_only_while_it_has_the_expected_version(store: Store) {
    let first = session("chat");
    let second = Session { owner: Some("alice".parse().unwrap()), version: 2, ..first.clone() };
    assert_eq!(store.replace_session(&second, 1).await.unwrap(), Replaced::Missing);
    store.insert_session(&first).await.unwrap();
    assert_eq!(store.replace_session(&second, 2).await.unwrap(), Replaced::Stale);
    assert_eq!(store.session(&first.sandbox, &first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.replace_session(&second, 1).await.unwrap(), Replaced::Done);
    assert_eq!(store.session(&first.sandbox, &first.id).await.unwrap(), Some(second));
}

pub(super) async fn a_session_is_deleted_only_in_the_version_that_is_known(store: Store) {
    let first = session("chat");
    let second = Session { version: 2, ..first.clone() };
    assert_eq!(store.delete_session(&first).await.unwrap(), Replaced::Missing);
    store.insert_session(&first).await.unwrap();
    assert_eq!(store.delete_session(&second).await.unwrap(), Replaced::Stale);
    assert_eq!(store.delete_session(&first).await.unwrap(), Replaced::Done);
    assert_eq!(store.session(&first.sandbox, &first.id).await.unwrap(), None);
}

pub(super) async fn concurrent_changes_of_a_session_are_each_applied_once(store: Store) {
    store.insert_session(&session("chat")).await.unwrap();
    let changes = (0..20).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            loop {
                let old = store.session(&sandbox("app"), &"chat".parse().unwrap()).await.unwrap().unwrap();
                let new = Session { version: old.version + 1, ..old.clone() };
                if store.replace_session(&new, old.version).await.unwrap() == Replaced::Done {
                    return;
                }
            }
        })
    });
    for change in futures::future::join_all(changes).await {
        change.unwrap();
    }
    let changed = store.session(&sandbox("app"), &"chat".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(changed.version, 21);
}

pub(super) async fn odd_ids_are_told_apart(store: Store) {
    let names =
        ["a", "A", "a ", " a", "a/b", "a%2Fb", "..", ".", "{a}", "a*", "?", "'", "\"", "ä", "a\u{308}", "名前😀"];
    for name in names {
        assert!(store.insert_session(&session(name)).await.unwrap(), "{name}");
        let (user, own) = (name.parse::<UserId>().unwrap(), name.parse::<SessionId>().unwrap());
        assert!(store.set_default_session(&sandbox(name), &user, None, &own).await.unwrap(), "{name}");
    }
    for name in names {
        let expected = session(name);
        assert_eq!(store.session(&expected.sandbox, &expected.id).await.unwrap(), Some(expected));
        let default = store.default_session(&sandbox(name), &name.parse().unwrap()).await.unwrap();
        assert_eq!(default, Some(name.parse().unwrap()));
    }
    assert_eq!(store.expired_sessions(Timestamp::MAX, 100).await.unwrap().len(), names.len());
}

pub(super) async fn a_default_session_is_changed_only_by_who_knows_it(store: Store) {
    let (app, alice) = (sandbox("app"), "alice".parse::<UserId>().unwrap());
    let [first, second] = ["one", "two"].map(|id| id.parse::<SessionId>().unwrap());
    let set = async |expected, new| store.set_default_session(&app, &alice, expected, new).await.unwrap();
    let current = async || store.default_session(&app, &alice).await.unwrap();

    assert_eq!(current().await, None);
    assert!(!set(Some(&first), &second).await);
    assert_eq!(current().await, None);
    assert!(set(None, &first).await);
    assert!(!set(None, &second).await);
    assert!(!set(Some(&second), &second).await);
    assert_eq!(current().await, Some(first.clone()));
    assert!(set(Some(&first), &second).await);
    assert_eq!(current().await, Some(second));
    assert_eq!(store.default_session(&sandbox("app2"), &alice).await.unwrap(), None);
    assert_eq!(store.default_session(&app, &"alice2".parse().unwrap()).await.unwrap(), None);
}

pub(super) async fn of_concurrent_claims_to_be_the_default_one_wins(store: Store) {
    let claims = (0..20).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let own: SessionId = format!("claim-{number}").parse().unwrap();
            let won = store.set_default_session(&sandbox("app"), &"alice".parse().unwrap(), None, &own).await.unwrap();
            won.then_some(own)
        })
    });
    let winners: Vec<_> =
        futures::future::join_all(claims).await.into_iter().filter_map(|claim| claim.unwrap()).collect();
    let default = store.default_session(&sandbox("app"), &"alice".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(winners, [default]);
}
