//! Requests side by side.

use std::collections::HashSet;

use artifactd::domain::principal::{Principal, Rights, Subject};
use artifactd::policy::{self, Caller};
use serde_json::{Map, Value, json};

use super::support::{Call, HOUR, Paced, Reply, Stored, TestApp, sha256, together};

on_every_pair! {
    no_patch_is_lost,
    of_replacements_side_by_side_one_is_what_is_read,
    the_first_requests_of_a_user_share_a_session,
    the_first_use_of_a_session_decides_whose_it_is,
    a_session_is_created_once,
    of_conditional_changes_side_by_side_one_goes_through,
    a_file_that_is_deleted_while_it_is_replaced_leaves_no_bytes,
    a_file_stored_while_its_session_is_deleted_leaves_no_bytes,
    a_file_whose_session_is_deleted_while_it_comes_in_is_not_kept,
    a_file_whose_session_ends_while_it_comes_in_is_not_kept,
    a_replacement_of_a_file_that_goes_meanwhile_leaves_no_bytes,
    the_replacement_that_began_last_wins,
    a_file_that_is_deleted_before_its_bytes_are_opened_is_not_found,
}

async fn no_patch_is_lost(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let patches = (0..20).map(|n| {
        let member = Map::from_iter([(format!("member{n}"), json!(n))]);
        alice.patch(&file.path).json(json!({ "meta": member }))
    });
    for reply in together(patches).await {
        reply.expect(200);
    }
    let expected: Map<String, Value> = (0..20).map(|n| (format!("member{n}"), json!(n))).collect();
    assert_eq!(alice.get(&file.path).await.json()["meta"], Value::Object(expected));
}

async fn of_replacements_side_by_side_one_is_what_is_read(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let bodies: Vec<String> = (0..10).map(|n| n.to_string().repeat(20_000 + n)).collect();
    let replacements = bodies.iter().map(|body| alice.put(&file.content).body(body.clone()));
    let replies = together(replacements).await;
    let mut revisions = HashSet::new();
    for reply in &replies {
        match reply.status.as_u16() {
            200 => assert!(revisions.insert(reply.json()["revision"].as_u64().unwrap()), "each has its own revision"),
            _ => drop(reply.problem(409, "conflict")),
        }
    }
    let record = alice.get(&file.path).await.json();
    let content = alice.get(&file.content).await;
    assert_eq!(record["sha256"], sha256(&content.body));
    assert_eq!(record["bytes"], content.body.len());
    assert_eq!(record["revision"].as_u64(), revisions.iter().max().copied(), "the last revision wins");
    assert!(bodies.iter().any(|body| body.as_bytes() == content.body));
    app.pass(2 * HOUR);
    app.sweep().await;
    assert_eq!(app.keys().await, [record["key"].as_str().unwrap()], "the bytes of the others go");
}

async fn the_first_requests_of_a_user_share_a_session(app: TestApp) {
    let alice = app.user("alice");
    let replies = together((0..10).map(|n| alice.store("", n.to_string()))).await;
    let files: Vec<Stored> = replies.into_iter().map(Reply::stored).collect();
    let sessions: HashSet<&str> = files.iter().map(|file| file.text("session_id")).collect();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    for file in &files {
        alice.get(&file.path).await.expect(200);
    }
}

async fn the_first_use_of_a_session_decides_whose_it_is(app: TestApp) {
    let users: Vec<String> = (0..8).map(|n| format!("user{n}")).collect();
    let stores = users.iter().map(|user| app.user(user).naming("s1").store("", user.clone()));
    let replies = together(stores).await;
    let won: Vec<&String> =
        users.iter().zip(&replies).filter(|(_, reply)| reply.status == 201).map(|one| one.0).collect();
    let [winner] = won[..] else { panic!("one user and no other has the session: {won:?}") };
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        reply.problem(403, "access_denied");
    }
    assert_eq!(app.user(winner).get("/v1/sessions/s1").await.json()["owner_id"], **winner);
    assert_eq!(app.keys().await.len(), 1);
}

async fn a_session_is_created_once(app: TestApp) {
    let alice = app.user("alice");
    let calls = (0..8).map(|_| alice.post("/v1/sessions").json(json!({ "session_id": "s1" })));
    let mut statuses: Vec<u16> = together(calls).await.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

async fn of_conditional_changes_side_by_side_one_goes_through(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let tag = alice.get(&file.path).await.header("etag").to_owned();
    let patches = (0..8).map(|n| {
        let patch = alice.patch(&file.path).header("if-match", &tag);
        patch.json(json!({ "summary": n.to_string() }))
    });
    let mut statuses: Vec<u16> = together(patches).await.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);

    let tag = alice.get(&file.content).await.header("etag").to_owned();
    let puts = (0..8).map(|n| alice.put(&file.content).header("if-match", &tag).body(n.to_string()));
    let replies = together(puts).await;
    let done = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(done, 1, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
}

async fn a_file_that_is_deleted_while_it_is_replaced_leaves_no_bytes(app: TestApp) {
    let alice = app.user("alice");
    for _ in 0..5 {
        let file = alice.stored("scope=user", "x").await;
        let replace = alice.put(&file.content).body("y".repeat(100_000));
        let [replaced, deleted] = both(replace, alice.delete(&file.path)).await;
        deleted.expect(204);
        assert!([200, 404].contains(&replaced.status.as_u16()), "{replaced:?}");
        alice.get(&file.path).await.problem(404, "artifact_not_found");
    }
    app.pass(2 * HOUR);
    app.sweep().await;
    assert_eq!(app.keys().await, [""; 0]);
}

async fn a_file_stored_while_its_session_is_deleted_leaves_no_bytes(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    for _ in 0..5 {
        alice.stored("", "x").await;
        let store = alice.store("", "y".repeat(100_000));
        let [stored, deleted] = both(store, alice.delete("/v1/sessions/s1")).await;
        deleted.expect(204);
        assert!([201, 404].contains(&stored.status.as_u16()), "{stored:?}");
    }
    app.pass(48 * HOUR);
    app.sweep().await;
    assert_eq!(app.keys().await, [""; 0]);
}

async fn both(one: Call, other: Call) -> [Reply; 2] {
    together([one, other]).await.try_into().unwrap()
}

async fn a_file_whose_session_is_deleted_while_it_comes_in_is_not_kept(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let (body, mut paced) = Paced::body("first", "last");
    let upload = tokio::spawn(alice.store("", body).into_future());
    paced.begun().await;
    alice.delete("/v1/sessions/s1").await.expect(204);
    paced.finish();
    upload.await.unwrap().problem(404, "session_not_found");
    assert_eq!(app.keys().await, [""; 0]);
}

async fn a_file_whose_session_ends_while_it_comes_in_is_not_kept(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let (body, mut paced) = Paced::body("first", "last");
    let upload = tokio::spawn(alice.store("", body).into_future());
    paced.begun().await;
    app.pass(25 * HOUR);
    paced.finish();
    upload.await.unwrap().problem(404, "session_not_found");
    assert_eq!(app.keys().await, [""; 0]);
}

async fn a_replacement_of_a_file_that_goes_meanwhile_leaves_no_bytes(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let (body, mut paced) = Paced::body("first", "last");
    let replacement = tokio::spawn(alice.put(&file.content).body(body).into_future());
    paced.begun().await;
    assert_eq!(alice.get(&file.content).await.expect(200).text(), "x", "until it is whole nobody sees it");
    alice.delete(&file.path).await.expect(204);
    paced.finish();
    replacement.await.unwrap().problem(404, "artifact_not_found");
    assert_eq!(app.keys().await, [""; 0]);
}

async fn the_replacement_that_began_last_wins(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let (body, mut paced) = Paced::body("slow ", "one");
    let slow = tokio::spawn(alice.put(&file.content).body(body).into_future());
    paced.begun().await;
    alice.put(&file.content).body("fast one").await.expect(200);
    paced.finish();
    slow.await.unwrap().problem(409, "conflict");
    assert_eq!(alice.get(&file.content).await.text(), "fast one");
    app.pass(2 * HOUR);
    app.sweep().await;
    assert_eq!(app.keys().await, [format!("{}.3", file.text("key"))]);
}

async fn a_file_that_is_deleted_before_its_bytes_are_opened_is_not_found(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let user = Subject::User("alice".parse().unwrap());
    let principal = Principal { sandbox: app.sandbox.parse().unwrap(), subject: user, rights: Rights::DEFAULT };
    let store = app.service.for_caller(Caller { principal: principal.into(), named_session: None });
    let record = store.artifact(file.text("artifact_id").parse().unwrap()).await.unwrap();
    alice.delete(&file.path).await.expect(204);
    let error = store.read(&record, None).await.err();
    assert!(matches!(error, Some(policy::Error::ArtifactNotFound)), "{error:?}");
}
