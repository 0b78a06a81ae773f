use serde_json::json;

use super::*;
use crate::metadata::{Document, Kind, session_name};

const KINDS: [Kind; 3] = [Kind::Session, Kind::Upload, Kind::Answer];

pub(super) fn document(kind: Kind, name: &str) -> Document {
    Document { kind, name: name.to_owned(), version: 1, expires_at: at(60_000), body: "{}".to_owned() }
}

pub(super) async fn a_session_reads_back_to_the_last_field(store: Store) {
    let full = Session {
        owner: Some("auth0|42".parse().unwrap()),
        metadata: meta_of(json!({"theme": "dunkel", "größe": 0.1, "nothing": null})),
        version: u64::MAX,
        ..session("full")
    };
    for session in [session("bare"), full] {
        let name = session_name(&session.sandbox, &session.id);
        assert_eq!(store.find::<Session>(&name).await.unwrap(), None);
        assert!(store.insert(&session).await.unwrap());
        assert_eq!(store.find::<Session>(&name).await.unwrap(), Some(session));
    }
}

pub(super) async fn a_document_reads_back_to_the_last_character(store: Store) {
    for (kind, version, expires_at) in [(Kind::Upload, 0, at(0)), (Kind::Answer, u64::MAX, Timestamp::MAX)] {
        let body = r#"{"text": "\"\\\u0001\n 名前 😀", "numbers": [0.1, -0.0, 1e300, 18446744073709551615]}"#;
        let document = Document { version, expires_at, body: body.to_owned(), ..document(kind, "odd") };
        assert_eq!(store.document(kind, "odd").await.unwrap(), None);
        assert!(store.insert_document(&document).await.unwrap());
        assert_eq!(store.document(kind, "odd").await.unwrap(), Some(document));
    }
}

pub(super) async fn a_name_is_taken_once_in_its_kind(store: Store) {
    for kind in KINDS {
        let first = document(kind, "same");
        let second = Document { version: 9, expires_at: at(1), body: "[]".to_owned(), ..first.clone() };
        assert!(store.insert_document(&first).await.unwrap());
        assert!(!store.insert_document(&first).await.unwrap());
        assert!(!store.insert_document(&second).await.unwrap());
        assert_eq!(store.document(kind, "same").await.unwrap(), Some(first));
    }
    // What becomes of one is nothing to the others.
    let changed = Document { version: 2, ..document(Kind::Upload, "same") };
    assert_eq!(store.replace_document(&changed, 1).await.unwrap(), Replaced::Done);
    assert_eq!(store.delete_document(Kind::Answer, "same", 1).await.unwrap(), Replaced::Done);
    assert_eq!(store.document(Kind::Session, "same").await.unwrap(), Some(document(Kind::Session, "same")));
    assert_eq!(store.document(Kind::Upload, "same").await.unwrap(), Some(changed));
    assert_eq!(store.document(Kind::Answer, "same").await.unwrap(), None);
}

pub(super) async fn a_document_is_replaced_only_while_it_has_the_expected_version(store: Store) {
    for kind in KINDS {
        let first = document(kind, "chat");
        let second = Document { version: 2, body: "[2]".to_owned(), ..first.clone() };
        assert_eq!(store.replace_document(&second, 1).await.unwrap(), Replaced::Missing);
        assert_eq!(store.document(kind, "chat").await.unwrap(), None);
        store.insert_document(&first).await.unwrap();
        assert_eq!(store.replace_document(&second, 2).await.unwrap(), Replaced::Stale);
        assert_eq!(store.document(kind, "chat").await.unwrap(), Some(first));
        assert_eq!(store.replace_document(&second, 1).await.unwrap(), Replaced::Done);
        assert_eq!(store.document(kind, "chat").await.unwrap(), Some(second));
    }
}

pub(super) async fn versions_of_documents_are_compared_to_the_last_digit(store: Store) {
    for (name, version, other) in
        [("a", (1 << 53) + 1, 1 << 53), ("b", u64::MAX, u64::MAX - 1), ("c", 12, 1), ("d", 1, 12)]
    {
        let document = Document { version, ..document(Kind::Upload, name) };
        store.insert_document(&document).await.unwrap();
        assert_eq!(store.replace_document(&document, other).await.unwrap(), Replaced::Stale);
        assert_eq!(store.delete_document(Kind::Upload, name, other).await.unwrap(), Replaced::Stale);
        assert_eq!(store.replace_document(&document, version).await.unwrap(), Replaced::Done);
    }
}

pub(super) async fn a_document_is_deleted_only_in_the_version_that_is_known(store: Store) {
    let first = session("chat");
    let second = Session { version: 2, ..first.clone() };
    let name = session_name(&first.sandbox, &first.id);
    assert_eq!(store.remove(&first).await.unwrap(), Replaced::Missing);
    store.insert(&first).await.unwrap();
    assert_eq!(store.remove(&second).await.unwrap(), Replaced::Stale);
    assert_eq!(store.find(&name).await.unwrap(), Some(first.clone()));
    assert_eq!(store.remove(&first).await.unwrap(), Replaced::Done);
    assert_eq!(store.find::<Session>(&name).await.unwrap(), None);
    // Nobody has the name any more.
    assert!(store.insert(&second).await.unwrap());
}

pub(super) async fn concurrent_changes_of_a_document_are_each_applied_once(store: Store) {
    store.insert_document(&document(Kind::Upload, "a")).await.unwrap();
    let changes = (0..20).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            loop {
                let old = store.document(Kind::Upload, "a").await.unwrap().unwrap();
                let new = Document { version: old.version + 1, ..old.clone() };
                if store.replace_document(&new, old.version).await.unwrap() == Replaced::Done {
                    return;
                }
            }
        })
    });
    for change in futures::future::join_all(changes).await {
        change.unwrap();
    }
    assert_eq!(store.document(Kind::Upload, "a").await.unwrap().unwrap().version, 21);
}

pub(super) async fn odd_names_are_told_apart(store: Store) {
    for name in ODD_NAMES {
        assert!(store.insert(&session(name)).await.unwrap(), "{name}");
        assert!(store.insert(&Session { sandbox: sandbox("app2"), ..session(name) }).await.unwrap(), "{name}");
        assert!(store.insert_document(&document(Kind::Upload, name)).await.unwrap(), "{name}");
    }
    for name in ODD_NAMES {
        let expected = session(name);
        assert_eq!(store.find(&session_name(&expected.sandbox, &expected.id)).await.unwrap(), Some(expected));
        let upload = document(Kind::Upload, name);
        assert_eq!(store.document(Kind::Upload, name).await.unwrap(), Some(upload));
    }
    let sessions = store.expired::<Session>(Timestamp::MAX, 100).await.unwrap();
    assert_eq!(sessions.len(), 2 * ODD_NAMES.len());
    let uploads = store.expired_documents(Kind::Upload, Timestamp::MAX, 100).await.unwrap();
    assert_eq!(uploads.len(), ODD_NAMES.len());
}
