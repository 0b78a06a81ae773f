use super::*;
use crate::domain::id::{SessionId, UserId};

pub(super) async fn odd_users_are_told_apart(store: Store) {
    for name in ODD_NAMES {
        let (user, own) = (name.parse::<UserId>().unwrap(), name.parse::<SessionId>().unwrap());
        assert!(store.set_default_session(&sandbox(name), &user, None, &own).await.unwrap(), "{name}");
    }
    for name in ODD_NAMES {
        let default = store.default_session(&sandbox(name), &name.parse().unwrap()).await.unwrap();
        assert_eq!(default, Some(name.parse().unwrap()));
    }
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
