//! Requests that are sent again with the same `Idempotency-Key`.

use std::collections::HashSet;
use std::future::IntoFuture as _;

use artifactd::domain::artifact::UploadedVia;
use artifactd::domain::digest::Sha256Digest;
use artifactd::domain::principal::{Principal, Rights, Subject};
use artifactd::policy::{ArtifactStore, Caller, Claim, Incoming, NewArtifact};
use futures::StreamExt as _;
use serde_json::json;

use super::support::{Call, Client, DAY, Form, Paced, Reply, TestApp, broken_body, together};

on_every_pair! {
    a_store_that_is_sent_again_stores_nothing_more,
    everything_that_is_created_is_created_once,
    a_refused_request_can_be_sent_again,
    an_answer_is_kept_for_a_day,
    of_the_same_request_side_by_side_one_is_carried_out,
    what_a_crash_has_interrupted_is_not_done_twice,
}

fn with_key(call: Call, key: &str) -> Call {
    call.header("idempotency-key", key)
}

/// How many files the caller has.
async fn count(client: &Client) -> usize {
    client.get("/v1/artifacts?limit=1000").await.expect(200).json()["items"].as_array().unwrap().len()
}

/// The same answer, but for what names the request.
#[track_caller]
fn assert_replayed(first: &Reply, again: &Reply) {
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    for name in ["content-type", "location", "etag"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

async fn a_store_that_is_sent_again_stores_nothing_more(app: TestApp) {
    let alice = app.user("alice");
    let first = with_key(alice.store("scope=user&filename=a.txt", "hello"), "k1").await.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = with_key(alice.store("scope=user&filename=a.txt", "hello"), "k1").await;
    assert_replayed(&first, &again);
    assert_eq!((count(&alice).await, app.keys().await.len()), (1, 1));

    let other = with_key(alice.store("scope=user&filename=a.txt", "hello"), "k2").await.stored();
    assert_ne!(other["artifact_id"], first.json()["artifact_id"], "another key is another request");
}

async fn everything_that_is_created_is_created_once(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "hello").await;
    let form = || Form::default().field("scope", "user").file("a.txt", "text/plain", "a form");
    let requests = || {
        [
            ("document", alice.post("/v1/artifacts").document(json!({"text": "x", "scope": "user"}))),
            ("form", alice.post("/v1/artifacts").form(form())),
            ("copy", alice.post(&format!("{}/copy", file.path))),
            ("session", alice.post("/v1/sessions")),
            ("upload", alice.post("/v1/uploads").header("host", "here").json(json!({"scope": "user"}))),
            ("multipart", alice.post("/v1/multipart").json(json!({"scope": "user"}))),
        ]
    };
    for ((name, request), (_, repeated)) in requests().into_iter().zip(requests()) {
        let first = with_key(request, name).await.expect(201);
        let again = with_key(repeated, name).await;
        assert_replayed(&first, &again);
    }
    assert_eq!(count(&alice).await, 4);
}

async fn a_refused_request_can_be_sent_again(app: TestApp) {
    let alice = app.user("alice");
    let wrong = format!("scope=user&sha256={}", "0".repeat(64));
    for _ in 0..2 {
        with_key(alice.store(&wrong, "hello"), "k").await.problem(422, "digest_mismatch");
    }
    with_key(alice.store("scope=user", broken_body("hel")), "k").await.problem(400, "invalid_request");
    with_key(alice.store("scope=user", "hello"), "k").await.expect(201);
    assert_eq!(count(&alice).await, 1);
}

async fn an_answer_is_kept_for_a_day(app: TestApp) {
    let alice = app.user("alice");
    let first = with_key(alice.store("scope=user", "hello"), "k").await.expect(201);
    app.pass(DAY - 1);
    app.sweep().await;
    assert_replayed(&first, &with_key(alice.store("scope=user", "hello"), "k").await);
    app.pass(1);
    let later = with_key(alice.store("scope=user", "hello"), "k").await.stored();
    assert_ne!(later["artifact_id"], first.json()["artifact_id"]);
    app.pass(2 * DAY);
    app.sweep().await;
    with_key(alice.store("scope=user&filename=other", "other"), "k").await.expect(201);
}

async fn of_the_same_request_side_by_side_one_is_carried_out(app: TestApp) {
    let alice = app.user("alice");
    let replies = together((0..8).map(|_| with_key(alice.store("scope=user", "hello"), "k"))).await;
    let mut ids = HashSet::new();
    for reply in replies {
        match reply.status.as_u16() {
            201 => drop(ids.insert(reply.stored().text("artifact_id").to_owned())),
            _ => drop(reply.problem(409, "conflict")),
        }
    }
    assert_eq!((ids.len(), count(&alice).await), (1, 1));
}

/// The process has stored the file and ends before it can keep the answer.
async fn what_a_crash_has_interrupted_is_not_done_twice(app: TestApp) {
    let principal = Principal {
        sandbox: app.sandbox.parse().unwrap(),
        subject: Subject::User("alice".parse().unwrap()),
        rights: Rights::DEFAULT,
    };
    let store = app.service.for_caller(Caller { principal: principal.into(), named_session: None });
    let request = Sha256Digest::new([7; 32]);
    let attempt = async || -> Option<String> {
        let Ok(Claim::First(claimed)) = store.claim("k", request).await else { return None };
        let artifact = store_under(&store.following(claimed.plan().unwrap())).await;
        std::mem::forget(claimed);
        Some(artifact)
    };
    let first = attempt().await.unwrap();
    assert_eq!(attempt().await, None, "it may still be under way");
    for _ in 0..2 {
        app.pass(31);
        assert_eq!(attempt().await.as_ref(), Some(&first));
    }
    assert_eq!(app.keys().await.len(), 1);
}

async fn store_under(store: &ArtifactStore) -> String {
    let body = futures::stream::once(async { Ok(bytes::Bytes::from("hello")) }).boxed();
    let incoming = Incoming { body, length: None, sha256: None };
    store.store(NewArtifact::default(), incoming, UploadedVia::Direct).await.unwrap().id.to_string()
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_caller() {
    let app = TestApp::in_memory().await;
    let (alice, bob) = (app.user("alice"), app.user("bob"));
    with_key(alice.store("scope=user&filename=a", "hello"), "k").await.expect(201);
    for other in [
        alice.store("scope=user&filename=b", "hello"),
        alice.store("scope=user&filename=a", "hallo"),
        alice.store("scope=user&filename=a", "hello!"),
        alice.store("scope=user&filename=a", "hello").header("content-type", "text/css"),
        alice.naming("s").store("scope=user&filename=a", "hello"),
        alice.post("/v1/sessions"),
    ] {
        with_key(other, "k").await.problem(409, "conflict");
    }
    assert_eq!(count(&alice).await, 1);
    for someone in [bob.clone(), alice.in_sandbox("elsewhere"), app.user_in_session("alice", "s")] {
        let reply = with_key(someone.store("scope=user&filename=a", "hello"), "k").await.expect(201);
        assert_eq!(reply.header("idempotency-replayed"), "");
    }
    with_key(app.nobody().store("", "hello"), "k").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    for key in ["", &"x".repeat(256), "ü"] {
        with_key(alice.store("", "hello"), key).await.wrong_field("idempotency-key");
    }
    with_key(with_key(alice.store("", "hello"), "a"), "b").await.wrong_field("idempotency-key");
    assert_eq!(count(&alice).await, 0);
}

/// Who has sent all of a request and goes away can ask again for the answer.
#[tokio::test]
async fn a_request_is_carried_out_though_its_sender_goes() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let (body, mut paced) = Paced::body("hel", "lo");
    let sent = tokio::spawn(with_key(alice.store("scope=user", body), "k").into_future());
    paced.begun().await;
    with_key(alice.store("scope=user", "hello"), "k").await.problem(409, "conflict");
    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    paced.finish();
    app.service.drained().await;
    let again = with_key(alice.store("scope=user", "hello"), "k").await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), count(&alice).await), ("true", 1));
}
