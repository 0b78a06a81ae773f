//! Sessions: how they begin, whose they are, how they end.

use serde_json::{Value, json};

use super::support::{DAY, TestApp, encoded};

on_every_pair! {
    a_session_begins_when_it_is_first_used,
    a_session_can_be_created_by_call,
    a_session_without_an_id_gets_one,
    a_user_who_names_no_session_has_one_of_their_own,
    a_new_default_session_follows_one_that_has_ended,
    a_session_belongs_to_the_user_who_first_used_it,
    a_session_token_leaves_the_session_to_the_first_user_with_a_token_for_it,
    an_owner_can_read_patch_and_extend_a_session,
    deleting_a_session_removes_its_files_and_no_others,
    ids_may_have_any_printable_character,
    a_session_that_has_ended_is_not_there,
}

/// What a new session looks like.
fn fresh(app: &TestApp, id: &str, owner: Option<&str>) -> Value {
    json!({
        "session_id": id,
        "sandbox_id": app.sandbox,
        "owner_id": owner,
        "created_at": app.in_seconds(0),
        "expires_at": app.in_seconds(86_400),
        "ttl": 86_400,
        "metadata": {},
    })
}

async fn a_session_begins_when_it_is_first_used(app: TestApp) {
    let alice = app.user("alice");
    alice.get("/v1/sessions/s1").await.problem(404, "session_not_found");
    let by_header = alice.naming("s1").stored("", "x").await;
    let by_parameter = alice.stored("session_id=s1&scope=user", "x").await;
    let in_token = app.user_in_session("alice", "s1").stored("", "x").await;
    for file in [by_header, by_parameter, in_token] {
        assert_eq!(file["session_id"], "s1");
    }
    assert_eq!(alice.get("/v1/sessions/s1").await.expect(200).json(), fresh(&app, "s1", Some("alice")));
    // Reading in a session does not make one.
    alice.naming("s2").get("/v1/artifacts/0192f0c123457abc8def0123456789ab").await.problem(404, "artifact_not_found");
    alice.get("/v1/sessions/s2").await.problem(404, "session_not_found");
    // The same session may be named twice, but not two.
    alice.naming("s1").store("session_id=s1", "x").await.expect(201);
    alice.naming("s1").store("session_id=s2", "x").await.wrong_field("session_id");
}

async fn a_session_can_be_created_by_call(app: TestApp) {
    let alice = app.user("alice");
    let creation = json!({ "session_id": "workflow 42", "ttl": 60, "metadata": { "client": "demo" } });
    let reply = alice.post("/v1/sessions").json(creation.clone()).await.expect(201);
    let mut expected = fresh(&app, "workflow 42", Some("alice"));
    expected["ttl"] = json!(60);
    expected["expires_at"] = json!(app.in_seconds(60));
    expected["metadata"] = json!({ "client": "demo" });
    assert_eq!(reply.json(), expected);
    assert_eq!(reply.header("location"), "/v1/sessions/workflow%2042");
    assert_eq!(alice.get(reply.header("location")).await.expect(200).json(), expected);
    alice.post("/v1/sessions").json(creation.clone()).await.problem(409, "conflict");
    app.user("bob").post("/v1/sessions").json(creation.clone()).await.problem(409, "conflict");
    // In another sandbox it is another session.
    alice.in_sandbox("elsewhere").post("/v1/sessions").json(creation).await.expect(201);
}

async fn a_session_without_an_id_gets_one(app: TestApp) {
    let alice = app.user("alice");
    for call in [alice.post("/v1/sessions"), alice.post("/v1/sessions").json(json!({ "ttl": 5 }))] {
        let session = call.await.expect(201).json();
        assert_generated(session["session_id"].as_str().unwrap(), "alice", &app);
    }
    let in_token = app.user_in_session("alice", "s1").post("/v1/sessions").await.expect(201).json();
    assert_eq!(in_token, fresh(&app, "s1", Some("alice")));
    let by_session_token = app.session("s2").post("/v1/sessions").await.expect(201).json();
    assert_eq!(by_session_token, fresh(&app, "s2", None));
    app.session("s2").post("/v1/sessions").json(json!({ "session_id": "s3" })).await.problem(403, "access_denied");
}

/// `sess-{user}-{unix time}-{8 hex}`
#[track_caller]
fn assert_generated(id: &str, user: &str, app: &TestApp) {
    let begins = format!("sess-{user}-{}-", app.now().as_seconds());
    let tail = id.strip_prefix(&begins).unwrap_or_else(|| panic!("{id} does not begin with {begins}"));
    assert!(tail.len() == 8 && tail.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
}

async fn a_user_who_names_no_session_has_one_of_their_own(app: TestApp) {
    let alice = app.user("alice");
    let first = alice.stored("", "x").await;
    let session = first.text("session_id");
    assert_generated(session, "alice", &app);
    app.pass(60);
    let second = alice.stored("", "y").await;
    assert_eq!(second["session_id"], session);
    for file in [&first, &second] {
        alice.get(&file.path).await.expect(200);
        app.user_in_session("alice", session).get(&file.path).await.expect(200);
        alice.naming("another").get(&file.path).await.problem(403, "access_denied");
    }
    let of_bob = app.user("bob").stored("", "z").await;
    assert_generated(of_bob.text("session_id"), "bob", &app);
    // No session is needed to store in user scope, so none is made.
    let of_carol = app.user("carol").stored("scope=user", "z").await;
    assert_eq!(of_carol["session_id"], Value::Null);
}

async fn a_new_default_session_follows_one_that_has_ended(app: TestApp) {
    let alice = app.user("alice");
    let first = alice.stored("", "x").await;
    app.pass(DAY);
    let second = alice.stored("", "y").await;
    assert_ne!(first["session_id"], second["session_id"]);
    assert_generated(second.text("session_id"), "alice", &app);
    alice.get(&second.path).await.expect(200);
    // And one that was deleted.
    alice.delete(&format!("/v1/sessions/{}", second.text("session_id"))).await.expect(204);
    let third = alice.stored("", "z").await;
    assert_ne!(second["session_id"], third["session_id"]);
}

async fn a_session_belongs_to_the_user_who_first_used_it(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let file = alice.stored("", "x").await;
    let bob = app.user("bob");
    for call in [
        bob.get("/v1/sessions/s1"),
        bob.head("/v1/sessions/s1"),
        bob.patch("/v1/sessions/s1").json(json!({ "metadata": { "of": "bob" } })),
        bob.post("/v1/sessions/s1/extend"),
        bob.delete("/v1/sessions/s1"),
        bob.naming("s1").store("", "x"),
        bob.naming("s1").store("scope=user", "x"),
        app.user_in_session("bob", "s1").store("", "x"),
        app.admin("root").get("/v1/sessions/s1"),
        app.session("s2").get("/v1/sessions/s1"),
        app.user_in_session("alice", "s2").get("/v1/sessions/s1"),
        alice.with_rights("artifacts:write").get("/v1/sessions/s1"),
        alice.with_rights("artifacts:read").delete("/v1/sessions/s1"),
        alice.with_rights("artifacts:read").post("/v1/sessions"),
    ] {
        call.await.expect(403);
    }
    app.user("alice").in_sandbox("elsewhere").get("/v1/sessions/s1").await.problem(404, "session_not_found");
    assert_eq!(alice.get("/v1/sessions/s1").await.json(), fresh(&app, "s1", Some("alice")));
    alice.get(&file.path).await.expect(200);
}

async fn a_session_token_leaves_the_session_to_the_first_user_with_a_token_for_it(app: TestApp) {
    let nobody = app.session("s1");
    let file = nobody.stored("", "x").await;
    assert_eq!((&file["owner_id"], &file["session_id"]), (&Value::Null, &json!("s1")));
    assert_eq!(nobody.get("/v1/sessions/s1").await.json(), fresh(&app, "s1", None));
    // To know its name is not enough.
    app.user("mallory").naming("s1").store("", "x").await.problem(403, "access_denied");
    app.user("mallory").naming("s1").get(&file.path).await.problem(403, "access_denied");

    let alice = app.user_in_session("alice", "s1");
    alice.get(&file.path).await.expect(200);
    alice.stored("", "y").await;
    assert_eq!(nobody.get("/v1/sessions/s1").await.json()["owner_id"], "alice");
    app.user("alice").naming("s1").get(&file.path).await.expect(200);
    app.user_in_session("bob", "s1").store("", "z").await.problem(403, "access_denied");
    app.user_in_session("bob", "s1").get(&file.path).await.problem(403, "access_denied");
    nobody.get(&file.path).await.expect(200);
}

async fn an_owner_can_read_patch_and_extend_a_session(app: TestApp) {
    let alice = app.user("alice");
    let creation = json!({ "session_id": "s1", "ttl": 100, "metadata": { "a": 1, "b": { "c": 2 } } });
    alice.post("/v1/sessions").json(creation).await.expect(201);
    app.pass(10);
    let patch = json!({ "metadata": { "a": null, "b": { "d": 3 }, "e": [] } });
    let patched = alice.patch("/v1/sessions/s1").json(patch).await.expect(200).json();
    assert_eq!(patched["metadata"], json!({ "b": { "c": 2, "d": 3 }, "e": [] }));
    alice.head("/v1/sessions/s1").await.expect(200);

    let extended = alice.post("/v1/sessions/s1/extend").json(json!({ "ttl": 50 })).await.expect(200).json();
    assert_eq!((&extended["ttl"], &extended["expires_at"]), (&json!(150), &json!(app.in_seconds(140))));
    let extended = alice.post("/v1/sessions/s1/extend").await.expect(200).json();
    assert_eq!((&extended["ttl"], &extended["expires_at"]), (&json!(86_550), &json!(app.in_seconds(86_540))));
    assert_eq!(alice.get("/v1/sessions/s1").await.json(), extended);

    alice.post("/v1/sessions/s1/extend").json(json!({ "ttl": 0 })).await.wrong_field("ttl");
    alice.patch("/v1/sessions/s1").json(json!({ "ttl": 5 })).await.wrong_field("ttl");
    let large = json!({ "metadata": { "x": "y".repeat(17 * 1024) } });
    alice.patch("/v1/sessions/s1").json(large.clone()).await.wrong_field("metadata");
    alice.post("/v1/sessions").json(large).await.wrong_field("metadata");
    alice.post("/v1/sessions/s9/extend").await.problem(404, "session_not_found");
    alice.patch("/v1/sessions/s9").json(json!({ "metadata": {} })).await.problem(404, "session_not_found");
    alice.delete("/v1/sessions/s9").await.problem(404, "session_not_found");
}

async fn deleting_a_session_removes_its_files_and_no_others(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let (one, other) = (alice.stored("", "x").await, alice.stored("ttl=60", "y").await);
    let of_user = alice.stored("scope=user", "kept").await;
    let elsewhere = app.user("alice").naming("s2").stored("", "kept too").await;
    assert_eq!(of_user["session_id"], "s1");
    alice.delete("/v1/sessions/s1").await.expect(204);
    for file in [one, other] {
        alice.get(&file.path).await.problem(404, "artifact_not_found");
        alice.get(&file.content).await.problem(404, "artifact_not_found");
    }
    alice.get("/v1/sessions/s1").await.problem(404, "session_not_found");
    assert_eq!(app.user("alice").get(&of_user.content).await.expect(200).text(), "kept");
    assert_eq!(app.user("alice").naming("s2").get(&elsewhere.content).await.expect(200).text(), "kept too");
    let mut keys = vec![of_user.text("key").to_owned(), elsewhere.text("key").to_owned()];
    keys.sort();
    assert_eq!(app.keys().await, keys);
    // The name is free again, for anybody.
    app.user("bob").naming("s1").stored("", "z").await;
}

async fn ids_may_have_any_printable_character(app: TestApp) {
    let alice = app.user("alice");
    let mut files = Vec::new();
    for id in
        ["a/b", "..", ".", "../../x", "%2f", "%", "a b", "a?b#c&d=e+f", "名前", "😀", "sess|1:2;3", "CON", "\\", "~"]
    {
        let reply = alice.post("/v1/sessions").json(json!({ "session_id": id })).await.expect(201);
        assert_eq!(reply.json()["session_id"], id);
        let path = format!("/v1/sessions/{}", encoded(id));
        for path in [reply.header("location"), &path] {
            assert_eq!(alice.get(path).await.expect(200).json()["session_id"], id);
        }
        let file = alice.stored(&format!("session_id={}", encoded(id)), id.to_owned()).await;
        assert_eq!(file["session_id"], id);
        files.push((id, path, file));
    }
    for (id, path, file) in &files {
        let client = app.user_in_session("alice", id);
        assert_eq!(client.get(&file.content).await.expect(200).text(), *id);
        alice.delete(path).await.expect(204);
        client.get(&file.path).await.problem(404, "artifact_not_found");
    }
    assert_eq!(app.keys().await, [""; 0]);
}

async fn a_session_that_has_ended_is_not_there(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    alice.post("/v1/sessions").json(json!({ "session_id": "s1", "ttl": 60 })).await.expect(201);
    let file = alice.stored("", "x").await;
    app.pass(59);
    alice.get("/v1/sessions/s1").await.expect(200);
    app.pass(1);
    for call in [
        alice.get("/v1/sessions/s1"),
        alice.patch("/v1/sessions/s1").json(json!({ "metadata": {} })),
        alice.post("/v1/sessions/s1/extend"),
        alice.delete("/v1/sessions/s1"),
    ] {
        call.await.problem(404, "session_not_found");
    }
    // Whoever uses the name next begins a new session, without the old one's files.
    let bob = app.user("bob").naming("s1");
    bob.stored("", "y").await;
    assert_eq!(bob.get("/v1/sessions/s1").await.json(), fresh(&app, "s1", Some("bob")));
    assert_eq!(bob.get(&file.path).await.status, 404);
}
