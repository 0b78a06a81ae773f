//! How uploads end that nobody completes, and those that complete themselves.

use artifactd::policy::sweeper::Swept;
use serde_json::json;

use super::support::{Client, DAY, HOUR, MINUTE, Reply, TestApp, Ticket, together};

on_every_pair! {
    an_upload_that_is_given_up_leaves_nothing,
    a_file_is_not_given_up_with_its_upload,
    an_upload_that_nobody_completes_is_swept,
    what_is_sent_after_the_end_is_swept_a_day_later,
    a_completed_upload_is_forgotten_when_its_time_is_over,
    what_waits_for_a_long_time_is_not_taken_for_abandoned,
    an_upload_ends_with_its_session,
    a_file_lives_from_its_completion_on,
    a_file_registers_itself_when_it_is_first_asked_for,
    all_who_ask_for_a_file_at_once_get_it,
    a_file_that_nobody_asks_for_is_registered_when_its_time_is_over,
    a_file_that_registers_itself_can_be_completed,
    what_never_came_does_not_register_itself,
}

/// All that is left of uploads, in words.
async fn left(app: &TestApp, tickets: &[&Ticket]) -> Vec<String> {
    let mut left = app.keys().await;
    for ticket in tickets {
        if app.remembers(ticket.id()).await {
            left.push(format!("record {}", ticket.id()));
        }
    }
    left
}

async fn sent(app: &TestApp, client: &Client, order: serde_json::Value) -> Ticket {
    let ticket = client.opened(order).await;
    app.upload(&ticket, "bytes").await.expect(200);
    ticket
}

async fn an_upload_that_is_given_up_leaves_nothing(app: TestApp) {
    let alice = app.user("alice");
    let (with, without) = (sent(&app, &alice, json!({})).await, alice.opened(json!({ "register": true })).await);
    for ticket in [&with, &without] {
        for _ in 0..2 {
            assert_eq!(alice.delete(&ticket.path()).await.expect(204).text(), "");
            alice.complete(ticket).await.problem(404, "upload_not_found");
        }
        alice.get(&ticket.artifact()).await.problem(404, "artifact_not_found");
    }
    assert_eq!(app.keys().await, [""; 0]);
    if !app.is_direct() {
        app.upload(&with, "again").await.problem(404, "upload_not_found");
        assert_eq!(app.keys().await, [""; 0]);
    }
    app.pass(2 * HOUR);
    assert_eq!(app.sweep().await, Swept { uploads: 2, ..Swept::default() });
    assert_eq!(left(&app, &[&with, &without]).await, [""; 0]);
    alice.delete(&with.path()).await.problem(404, "upload_not_found");
    alice.delete("/v1/uploads/x").await.wrong_field("id");
}

async fn a_file_is_not_given_up_with_its_upload(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice, json!({})).await;
    alice.complete(&ticket).await.expect(200);
    for _ in 0..2 {
        alice.delete(&ticket.path()).await.problem(409, "conflict");
    }
    assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "bytes");
}

async fn an_upload_that_nobody_completes_is_swept(app: TestApp) {
    let alice = app.user("alice");
    let (with, without) = (sent(&app, &alice, json!({})).await, alice.opened(json!({})).await);
    let longer = sent(&app, &alice, json!({ "expires": DAY })).await;
    app.pass(2 * HOUR - 1);
    assert_eq!(app.sweep().await, Swept::default());
    app.pass(1);
    for ticket in [&with, &without] {
        alice.complete(ticket).await.problem(404, "upload_not_found");
        alice.delete(&ticket.path()).await.problem(404, "upload_not_found");
    }
    assert_eq!(app.sweep().await, Swept { uploads: 2, ..Swept::default() });
    alice.complete(&with).await.problem(404, "upload_not_found");
    let file = alice.complete(&longer).await.expect(200).json();
    assert_eq!(left(&app, &[&with, &without]).await, [file["key"].as_str().unwrap()]);
    assert_eq!(app.sweep().await, Swept::default());
}

async fn what_is_sent_after_the_end_is_swept_a_day_later(app: TestApp) {
    let alice = app.user("alice");
    let (completed, given_up) = (sent(&app, &alice, json!({})).await, sent(&app, &alice, json!({})).await);
    alice.complete(&completed).await.expect(200);
    alice.delete(&given_up.path()).await.expect(204);
    let before = app.keys().await;
    // The URL of a store is good for as long as it was signed for.
    for ticket in [&completed, &given_up] {
        assert_eq!(app.upload(ticket, "late").await.status, if app.is_direct() { 200 } else { 404 });
    }
    assert_eq!(app.keys().await.len(), before.len() + if app.is_direct() { 2 } else { 0 });
    alice.patch(&completed.artifact()).json(json!({ "ttl": DAY })).await.expect(200);
    app.pass(DAY - MINUTE);
    app.sweep().await;
    assert_eq!(alice.get(&completed.content()).await.expect(200).text(), "bytes");
    app.pass(2 * MINUTE);
    app.sweep().await;
    assert_eq!(left(&app, &[&completed, &given_up]).await, [""; 0]);
}

async fn a_completed_upload_is_forgotten_when_its_time_is_over(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice, json!({ "scope": "user" })).await;
    let file = alice.complete(&ticket).await.expect(200).json();
    app.pass(2 * HOUR - 1);
    alice.complete(&ticket).await.problem(409, "conflict");
    app.pass(1);
    assert_eq!(app.sweep().await, Swept { uploads: 1, ..Swept::default() });
    alice.complete(&ticket).await.problem(404, "upload_not_found");
    assert_eq!(left(&app, &[&ticket]).await, [file["key"].as_str().unwrap()]);
    assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "bytes");
}

async fn what_waits_for_a_long_time_is_not_taken_for_abandoned(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice, json!({ "scope": "user", "expires": 604_800 })).await;
    app.pass(6 * DAY);
    assert_eq!(app.sweep().await, Swept::default());
    assert_eq!(alice.complete(&ticket).await.expect(200).json()["bytes"], 5);
}

async fn an_upload_ends_with_its_session(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let (deleted, taken) = (sent(&app, &alice, json!({})).await, sent(&app, &alice, json!({})).await);
    let of_user = sent(&app, &alice, json!({ "scope": "user" })).await;
    alice.delete("/v1/sessions/s1").await.expect(204);
    for _ in 0..2 {
        alice.complete(&deleted).await.problem(404, "session_not_found");
    }
    // Another session with the name has nothing to do with it, be it the same user's.
    app.pass(1);
    alice.stored("", "x").await;
    alice.complete(&taken).await.problem(404, "session_not_found");
    alice.post("/v1/uploads").await.expect(201);
    alice.complete(&of_user).await.expect(200);

    let ending = app.user("alice").naming("s2");
    ending.post("/v1/sessions").json(json!({ "session_id": "s2", "ttl": 60 })).await.expect(201);
    let over = sent(&app, &ending, json!({})).await;
    app.pass(60);
    ending.complete(&over).await.problem(404, "session_not_found");
    alice.delete(&of_user.artifact()).await.expect(204);
    app.pass(DAY);
    app.sweep().await;
    assert_eq!(left(&app, &[&deleted, &taken, &of_user, &over]).await, [""; 0]);
}

async fn a_file_lives_from_its_completion_on(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    alice.post("/v1/sessions").json(json!({ "session_id": "s1", "ttl": 3000 })).await.expect(201);
    let default = sent(&app, &alice, json!({})).await;
    let long = sent(&app, &alice, json!({ "ttl": 2400 })).await;
    app.pass(1000);
    let file = alice.complete(&default).await.expect(200).json();
    assert_eq!((&file["stored_at"], &file["expires_at"]), (&json!(app.in_seconds(0)), &json!(app.in_seconds(900))));
    let file = alice.complete(&long).await.expect(200).json();
    assert_eq!(file["expires_at"], app.in_seconds(2000), "no longer than the session");
}

async fn a_file_registers_itself_when_it_is_first_asked_for(app: TestApp) {
    let alice = app.user("alice");
    let order = json!({ "register": true, "scope": "user", "filename": "a.txt", "summary": "mine" });
    let ticket = alice.opened(order).await;
    alice.get(&ticket.artifact()).await.problem(404, "artifact_not_found");
    app.upload(&ticket, "bytes").await.expect(200);
    let listed = async || alice.get("/v1/artifacts").await.json()["items"].as_array().unwrap().len();
    assert_eq!(
        listed().await,
        if app.is_direct() { 0 } else { 1 },
        "what comes past the service is seen when asked for"
    );
    alice.in_sandbox("elsewhere").get(&ticket.artifact()).await.problem(404, "artifact_not_found");
    assert_eq!(listed().await, if app.is_direct() { 0 } else { 1 });

    let file = alice.get(&ticket.artifact()).await.expect(200).json();
    assert_eq!(
        (&file["filename"], &file["summary"], &file["mime"]),
        (&json!("a.txt"), &json!("mine"), &json!("text/plain"))
    );
    assert_eq!((&file["uploaded_via"], &file["bytes"]), (&json!("presigned"), &json!(5)));
    assert_eq!(listed().await, 1);
    assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "bytes");
    assert_eq!(app.keys().await, [file["key"].as_str().unwrap()]);
    alice.complete(&ticket).await.problem(409, "conflict");
    alice.delete(&ticket.artifact()).await.expect(204);
    alice.get(&ticket.artifact()).await.problem(404, "artifact_not_found");
}

async fn all_who_ask_for_a_file_at_once_get_it(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice, json!({ "register": true })).await;
    let replies = together((0..8).map(|_| alice.get(&ticket.artifact()))).await;
    let files: Vec<_> = replies.into_iter().map(|reply| Reply::expect(reply, 200).json()).collect();
    assert!(files.iter().all(|file| *file == files[0]));
    assert_eq!(app.keys().await, [files[0]["key"].as_str().unwrap()]);
}

async fn a_file_that_nobody_asks_for_is_registered_when_its_time_is_over(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice, json!({ "register": true, "scope": "user" })).await;
    app.pass(2 * HOUR);
    // By several processes at a time, perhaps.
    let sweeps = (0..4).map(|_| (app.service.clone(), app.now()));
    let swept = together(sweeps.map(|(service, now)| async move { service.sweep(now).await })).await;
    assert_eq!(swept.iter().map(|swept| swept.uploads).sum::<u64>(), 1);
    let items = alice.get("/v1/artifacts").await.json()["items"].clone();
    assert_eq!((items.as_array().unwrap().len(), &items[0]["artifact_id"]), (1, &json!(ticket.id())));
    assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "bytes");
    assert_eq!(left(&app, &[&ticket]).await, [items[0]["key"].as_str().unwrap()]);
}

async fn a_file_that_registers_itself_can_be_completed(app: TestApp) {
    let alice = app.user("alice");
    let ticket = sent(&app, &alice, json!({ "register": true })).await;
    let reply = alice.complete_with(&ticket, json!({ "summary": "mine" })).await;
    if app.is_direct() {
        assert_eq!(reply.expect(200).json()["summary"], "mine");
    } else {
        reply.problem(409, "conflict");
    }
    alice.get(&ticket.artifact()).await.expect(200);
}

async fn what_never_came_does_not_register_itself(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let nothing = alice.opened(json!({ "register": true })).await;
    app.pass(2 * HOUR);
    assert_eq!(app.sweep().await, Swept { uploads: 1, ..Swept::default() });
    alice.get(&nothing.artifact()).await.problem(404, "artifact_not_found");
    assert_eq!(left(&app, &[&nothing]).await, [""; 0]);
}
