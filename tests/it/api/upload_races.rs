//! Uploads that are completed, given up, swept and sent at the same time, and those that a crash interrupted.

use std::sync::Arc;

use artifactd::policy::sweeper::Swept;
use artifactd::storage::{Key, PutOptions};
use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::json;

use super::support::{
    Client, HOUR, Paced, PacedCopy, PacedCopying, Pair, Reply, TestApp, Ticket, Trouble, Troubled, broken_body,
    together,
};

on_every_pair! {
    of_completions_side_by_side_one_goes_through,
    an_upload_is_either_completed_or_given_up,
    what_arrives_while_the_upload_is_completed_changes_nothing,
    what_arrives_while_the_upload_is_given_up_is_not_kept,
    a_completion_that_a_crash_kept_from_being_noted_is_one,
    what_an_interrupted_completion_left_goes_with_the_next,
    what_an_interrupted_completion_left_goes_with_the_upload,
}

async fn sent(app: &TestApp, client: &Client) -> Ticket {
    let ticket = client.opened(json!({ "scope": "user" })).await;
    app.upload(&ticket, "bytes").await.expect(200);
    ticket
}

async fn of_completions_side_by_side_one_goes_through(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice).await;
    let calls = (0..8).map(|n| {
        let complete = alice.post(&format!("{}/complete", ticket.path()));
        complete.json(json!({ "summary": n.to_string() }))
    });
    let replies = together(calls).await;
    let (done, others): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!(done.len(), 1);
    for reply in others {
        reply.problem(409, "conflict");
    }
    let file = alice.get(&ticket.artifact()).await.expect(200).json();
    assert_eq!(done[0].json(), file);
    assert_eq!(alice.get(&ticket.content()).await.text(), "bytes");
    assert_eq!(app.keys().await, [file["key"].as_str().unwrap()]);
}

async fn an_upload_is_either_completed_or_given_up(app: TestApp) {
    let alice = app.user("alice");
    let mut keys = Vec::new();
    for _ in 0..5 {
        let ticket = sent(&app, &alice).await;
        let calls = [alice.post(&format!("{}/complete", ticket.path())), alice.delete(&ticket.path())];
        let [completed, given_up] = <[Reply; 2]>::try_from(together(calls).await).unwrap();
        match completed.status.as_u16() {
            200 => {
                given_up.problem(409, "conflict");
                assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "bytes");
                keys.push(completed.json()["key"].as_str().unwrap().to_owned());
            }
            _ => {
                completed.problem(404, "upload_not_found");
                given_up.expect(204);
                alice.get(&ticket.artifact()).await.problem(404, "artifact_not_found");
            }
        }
    }
    keys.sort();
    assert_eq!(app.keys().await, keys);
}

/// The answer to bytes of which the last come when `meanwhile` has happened; only where they pass the service.
async fn sent_slowly(app: &TestApp, ticket: &Ticket, meanwhile: impl Future<Output = ()>) -> Option<Reply> {
    let path = ticket.url().strip_prefix("http://service.test")?;
    let (body, mut paced) = Paced::body("slow ", "bytes");
    let sending = tokio::spawn(app.nobody().put(path).body(body).into_future());
    paced.begun().await;
    meanwhile.await;
    paced.finish();
    Some(sending.await.unwrap())
}

async fn what_arrives_while_the_upload_is_completed_changes_nothing(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice).await;
    let completing = async { drop(alice.complete(&ticket).await.expect(200)) };
    let Some(reply) = sent_slowly(&app, &ticket, completing).await else { return };
    reply.problem(404, "upload_not_found");
    assert_eq!(alice.get(&ticket.content()).await.text(), "bytes");
    assert_eq!(app.keys().await.len(), 1);
}

async fn what_arrives_while_the_upload_is_given_up_is_not_kept(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice).await;
    let giving_up = async { drop(alice.delete(&ticket.path()).await.expect(204)) };
    let Some(reply) = sent_slowly(&app, &ticket, giving_up).await else { return };
    reply.problem(404, "upload_not_found");
    assert_eq!(app.keys().await, [""; 0]);
    // Nor when the upload is over by then.
    let ticket = sent(&app, &alice).await;
    let sweeping = async {
        app.pass(2 * HOUR);
        assert_eq!(app.sweep().await.uploads, 2);
    };
    sent_slowly(&app, &ticket, sweeping).await.unwrap().problem(404, "upload_not_found");
    assert_eq!(app.keys().await, [""; 0]);
}

async fn a_completion_that_a_crash_kept_from_being_noted_is_one(app: TestApp) {
    let alice = app.user("alice");
    for end in ["complete", "give up", "sweep"] {
        let ticket = sent(&app, &alice).await;
        let (keys, file) = (app.keys().await, alice.complete(&ticket).await.expect(200).json());
        for key in keys.iter().filter(|key| key.contains(ticket.id())) {
            put(&app, key, "bytes").await;
        }
        app.rewrite_upload(ticket.id(), |upload| upload["state"] = json!("open")).await;
        match end {
            "complete" => drop(alice.complete(&ticket).await.problem(409, "conflict")),
            "give up" => drop(alice.delete(&ticket.path()).await.problem(409, "conflict")),
            _ => {
                app.pass(2 * HOUR);
                assert_eq!(app.sweep().await, Swept { uploads: 3, ..Swept::default() });
                assert!(!app.remembers(ticket.id()).await);
            }
        }
        assert_eq!(alice.get(&ticket.artifact()).await.json(), file);
        assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "bytes");
    }
    assert_eq!(app.keys().await.len(), 3);
}

async fn put(app: &TestApp, key: &str, bytes: &'static str) {
    let mut body = stream::iter([Ok(Bytes::from(bytes))]);
    app.storage.put(&Key::from_listing(key).unwrap(), &mut body, &PutOptions::default()).await.unwrap();
}

/// An attempt to complete the upload that a crash has ended before its end, and the key of its bytes.
async fn interrupted(app: &TestApp, ticket: &Ticket) -> String {
    let key = format!("grid/{}/users/alice/{}", app.sandbox, ticket.id());
    put(app, &key, "half").await;
    app.rewrite_upload(ticket.id(), |upload| upload["last_revision"] = json!(1)).await;
    key
}

async fn what_an_interrupted_completion_left_goes_with_the_next(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice).await;
    let key = interrupted(&app, &ticket).await;
    let file = alice.complete(&ticket).await.expect(200).json();
    assert_eq!((&file["revision"], &file["key"]), (&json!(2), &json!(format!("{key}.2"))));
    assert_eq!(alice.get(&ticket.content()).await.text(), "bytes");
    assert_eq!(app.keys().await, [format!("{key}.2")]);
}

async fn what_an_interrupted_completion_left_goes_with_the_upload(app: TestApp) {
    let alice = app.user("alice");
    let (given_up, swept) = (sent(&app, &alice).await, sent(&app, &alice).await);
    interrupted(&app, &given_up).await;
    alice.delete(&given_up.path()).await.expect(204);
    let key = interrupted(&app, &swept).await;
    assert_eq!(app.keys().await.len(), 2, "what waits, and {key}");
    app.pass(2 * HOUR);
    assert_eq!(app.sweep().await.uploads, 2);
    assert_eq!(app.keys().await, [""; 0]);
}

/// Another process of the service whose copying the test paces.
fn paced(app: &TestApp) -> (TestApp, PacedCopy) {
    let mut pace = None;
    let slow = app.beside(|storage| {
        let (storage, paced) = PacedCopying::around(storage);
        pace = Some(paced);
        Arc::new(storage)
    });
    (slow, pace.unwrap())
}

fn completing(app: &TestApp, ticket: &Ticket) -> tokio::task::JoinHandle<Reply> {
    tokio::spawn(app.user("alice").post(&format!("{}/complete", ticket.path())).into_future())
}

#[tokio::test]
async fn an_upload_that_is_swept_while_it_is_completed_is_not_a_file_without_bytes() {
    let app = TestApp::in_memory().await;
    for is_copied in [false, true] {
        let ticket = sent(&app, &app.user("alice")).await;
        let (slow, mut copying) = paced(&app);
        let completed = completing(&slow, &ticket);
        for after_copying in [false, true] {
            let sweeping = async {
                if after_copying == is_copied {
                    app.pass(2 * HOUR);
                    assert_eq!(app.sweep().await, Swept { uploads: 1, ..Swept::default() });
                }
            };
            copying.meanwhile(sweeping).await;
        }
        completed.await.unwrap().problem(404, "upload_not_found");
        app.user("alice").get(&ticket.artifact()).await.problem(404, "artifact_not_found");
        slow.service.drained().await;
        assert_eq!(app.keys().await, [""; 0], "{is_copied}");
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_while_it_is_completed_is_no_file() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let ticket = sent(&app, &alice).await;
    let (slow, mut copying) = paced(&app);
    let completed = completing(&slow, &ticket);
    copying.meanwhile(async {}).await;
    copying.meanwhile(async { drop(alice.delete(&ticket.path()).await.expect(204)) }).await;
    completed.await.unwrap().problem(404, "upload_not_found");
    alice.get(&ticket.artifact()).await.problem(404, "artifact_not_found");
    slow.service.drained().await;
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_completion_that_comes_too_late_leaves_replaced_content_alone() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let ticket = sent(&app, &alice).await;
    let ((first, mut copying), (second, mut copying_again)) = (paced(&app), paced(&app));
    let completed = completing(&first, &ticket);
    copying.meanwhile(async {}).await;
    let late = completing(&second, &ticket);
    copying_again.meanwhile(async {}).await;
    copying.meanwhile(async {}).await;
    completed.await.unwrap().expect(200);
    copying_again.meanwhile(async { drop(alice.put(&ticket.content()).body("new").await.expect(200)) }).await;
    late.await.unwrap().problem(409, "conflict");
    second.service.drained().await;
    assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "new");
}

#[tokio::test]
async fn a_file_that_could_not_be_registered_because_a_provider_is_away_waits_for_it() {
    let app = TestApp::new(Pair::S3Redis).await;
    let alice = app.user("alice");
    let ticket = alice.opened(json!({ "scope": "user", "register": true })).await;
    app.upload(&ticket, "bytes").await.expect(200);
    app.pass(2 * HOUR);
    let away = app.beside(|inner| Arc::new(Troubled { inner, trouble: Trouble::Away, on_writing: true }));
    away.user("alice").get(&ticket.artifact()).await.problem(503, "provider_unavailable");
    assert_eq!((away.sweep().await.uploads, away.sweep().await.uploads), (0, 0));
    assert_eq!(app.sweep().await, Swept { uploads: 1, ..Swept::default() });
    assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "bytes");
}

#[tokio::test]
async fn a_sender_who_goes_away_leaves_what_was_there() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let ticket = sent(&app, &alice).await;
    let path = ticket.url().strip_prefix("http://service.test").unwrap();
    let broken: Body = broken_body("other");
    app.nobody().put(path).body(broken).await.problem(400, "invalid_request");
    assert_eq!(app.keys().await.len(), 1);
    assert_eq!(alice.complete(&ticket).await.expect(200).json()["bytes"], 5);
}
