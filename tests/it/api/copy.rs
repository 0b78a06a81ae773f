//! Copying and renaming: always within the session, for the user, or in the sandbox that a file belongs to.

use serde_json::{Value, json};

use super::support::{Client, HOUR, MINUTE, PacedCopying, Reply, Stored, TestApp, sha256, ttl};

on_every_pair! {
    a_copy_is_a_file_of_its_own,
    a_copy_has_the_content_of_the_moment,
    an_empty_file_is_copied_too,
    a_large_file_is_copied_whole,
    a_file_of_unknown_digest_is_copied,
    what_is_said_of_a_copy_may_differ,
    nobody_copies_or_renames_what_is_not_theirs,
    what_has_expired_cannot_be_copied,
    a_file_that_goes_while_it_is_copied_leaves_no_copy,
    a_file_that_was_gone_before_its_bytes_were_copied_is_not_found,
    a_renamed_file_is_the_same_file,
    of_conditional_renamings_the_stale_one_is_refused,
}

async fn copy(client: &Client, file: &Stored, wanted: Value) -> Reply {
    client.post(&format!("{}/copy", file.path)).json(wanted).await
}

async fn rename(client: &Client, file: &Stored, wanted: Value) -> Reply {
    client.post(&format!("{}/move", file.path)).json(wanted).await
}

async fn a_copy_is_a_file_of_its_own(app: TestApp) {
    let root = app.caller(json!({ "sub": "root", "sid": "s1", "scope": "artifacts:admin" }));
    for scope in ["session", "user", "sandbox"] {
        let parameters = format!("scope={scope}&filename=a.txt&summary=one&meta=%7B%22n%22%3A1%7D&ttl=600");
        let file = root.store(&parameters, "bytes").header("content-type", "text/x-own").await.stored();
        app.pass(MINUTE);
        let reply = root.post(&format!("{}/copy", file.path)).await.expect(201);
        let mut expected = file.json.clone();
        let id = reply.json()["artifact_id"].as_str().unwrap().to_owned();
        let key = file.text("key").replace(file.text("artifact_id"), &id);
        for (member, value) in [
            ("artifact_id", json!(id)),
            ("key", json!(key)),
            ("meta", json!({ "n": 1, "copied_from": file.text("artifact_id") })),
            ("stored_at", json!(app.in_seconds(0))),
            ("updated_at", json!(app.in_seconds(0))),
            ("expires_at", json!(app.in_seconds(600))),
        ] {
            expected[member] = value;
        }
        assert_eq!(reply.json(), expected);
        assert_eq!(reply.header("location"), format!("/v1/artifacts/{id}"));
        let copy = reply.stored();
        assert_eq!(root.get(&copy.path).await.json(), copy.json);
        let content = root.get(&copy.content).await.expect(200);
        assert_eq!((content.text(), content.header("content-type")), ("bytes", "text/x-own; charset=utf-8"));
        assert_eq!(app.keys().await.len(), 2);

        // Whatever becomes of the one, the other stays as it is.
        root.put(&copy.content).body("new").await.expect(200);
        assert_eq!(root.get(&file.content).await.text(), "bytes");
        root.delete(&file.path).await.expect(204);
        assert_eq!(root.get(&copy.content).await.text(), "new");
        root.delete(&copy.path).await.expect(204);
        app.pass(2 * HOUR);
        app.sweep().await;
        assert_eq!(app.keys().await, [""; 0]);
    }
}

async fn a_copy_has_the_content_of_the_moment(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "one").await;
    alice.put(&file.content).body("two").await.expect(200);
    alice.put(&file.content).body("three").await.expect(200);
    let copied = copy(&alice, &file, json!({})).await.stored();
    assert_eq!((&copied["revision"], &copied["sha256"]), (&json!(1), &json!(sha256("three"))));
    alice.put(&file.content).body("four").await.expect(200);
    alice.delete(&file.path).await.expect(204);
    app.pass(2 * HOUR);
    app.sweep().await;
    assert_eq!(alice.get(&copied.content).await.expect(200).text(), "three");
    assert_eq!(alice.put(&copied.content).body("five").await.expect(200).json()["revision"], 2);
}

async fn an_empty_file_is_copied_too(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "").await;
    let copied = copy(&alice, &file, json!({})).await.stored();
    alice.delete(&file.path).await.expect(204);
    assert_eq!((&copied["bytes"], &copied["sha256"]), (&json!(0), &json!(sha256(""))));
    assert_eq!(alice.get(&copied.content).await.expect(200).text(), "");
    assert_eq!(app.keys().await, [copied.text("key")]);
}

async fn a_large_file_is_copied_whole(app: TestApp) {
    let alice = app.user("alice");
    let bytes: Vec<u8> = (0..9 * 1024 * 1024 + 1_u32).map(|n| (n / 509 % 256) as u8).collect();
    let file = alice.stored("", bytes.clone()).await;
    let copied = copy(&alice, &file, json!({})).await.stored();
    alice.delete(&file.path).await.expect(204);
    assert!(alice.get(&copied.content).await.body == bytes);
}

/// As those are whose bytes went past the service.
async fn a_file_of_unknown_digest_is_copied(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "bytes").await;
    let before = app.metadata().artifact(file.text("artifact_id").parse().unwrap()).await.unwrap().unwrap();
    let mut record = before.clone();
    record.content.sha256 = None;
    record.content.store_etag = Some("of-the-original".to_owned());
    record.version += 1;
    let changed = app.metadata().replace_artifact(&before, &record, None).await.unwrap();
    assert_eq!(changed, artifactd::metadata::Replaced::Done);
    let copied = copy(&alice, &file, json!({})).await.stored();
    assert_eq!((&copied["bytes"], &copied["sha256"]), (&json!(5), &json!(null)));
    let stores_tags = app.storage_name() == "s3";
    assert_eq!(copied["etag"] == "r1", !stores_tags, "{}", copied["etag"]);
    assert_ne!(copied["etag"], "of-the-original");
    assert_eq!(alice.get(&copied.content).await.expect(200).text(), "bytes");
}

async fn what_is_said_of_a_copy_may_differ(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let file = alice
        .post("/v1/artifacts")
        .document(json!({
            "text": "x", "filename": "a.txt", "summary": "one", "scope": "user",
            "meta": { "kept": 1, "changed": { "a": 1, "b": 2 }, "removed": true },
        }))
        .await
        .stored();
    let wanted = json!({
        "filename": "b.txt", "summary": "two", "target_session_id": "s1",
        "meta": { "changed": { "b": 3 }, "removed": null, "copied_from": "elsewhere", "new": [] },
    });
    let copied = copy(&alice, &file, wanted).await.stored();
    assert_eq!((&copied["filename"], &copied["summary"]), (&json!("b.txt"), &json!("two")));
    let id = file.text("artifact_id");
    let meta = json!({ "kept": 1, "changed": { "a": 1, "b": 3 }, "new": [], "copied_from": id });
    assert_eq!(copied["meta"], meta);
    assert_eq!(alice.get(&file.path).await.json(), file.json);

    let again = copy(&alice, &copied, json!({ "meta": { "copied_from": null } })).await.stored();
    assert_eq!(again["meta"]["copied_from"], copied["artifact_id"], "of its own original, not of the first");
}

async fn nobody_copies_or_renames_what_is_not_theirs(app: TestApp) {
    let (alice, root) = (app.user("alice").naming("s1"), app.admin("root"));
    for (scope, owner) in [("session", &alice), ("user", &alice), ("sandbox", &root)] {
        let file = owner.stored(&format!("scope={scope}"), "x").await;
        // What is shared is a matter of rights, the rest of who owns it.
        let not_theirs = if scope == "sandbox" { "insufficient_scope" } else { "access_denied" };
        for (caller, status, code) in [
            (app.user("bob"), 403, not_theirs),
            (app.session("s2"), 403, not_theirs),
            (owner.with_rights("artifacts:read"), 403, "insufficient_scope"),
            (root.in_sandbox("elsewhere"), 404, "artifact_not_found"),
            (alice.in_sandbox("elsewhere"), 404, "artifact_not_found"),
        ] {
            copy(&caller, &file, json!({})).await.problem(status, code);
            rename(&caller, &file, json!({ "filename": "b" })).await.problem(status, code);
        }
        // A session of the same caller's, but not the file's.
        let elsewhere = owner.naming("s3");
        copy(&elsewhere, &file, json!({ "target_session_id": "s3" })).await.problem(403, "access_denied");
        rename(&elsewhere, &file, json!({ "target_session_id": "s3" })).await.problem(403, "access_denied");
        assert_eq!(owner.get(&file.path).await.expect(200).json(), file.json);
    }
    // To read in order to copy, the right to read is needed.
    let own = alice.stored("scope=user", "x").await;
    copy(&alice.with_rights("artifacts:write"), &own, json!({})).await.problem(403, "insufficient_scope");
    assert_eq!(app.keys().await.len(), 4);
}

async fn what_has_expired_cannot_be_copied(app: TestApp) {
    let alice = app.user("alice");
    for scope in ["session", "user"] {
        let file = alice.stored(&format!("scope={scope}&ttl=60"), "x").await;
        app.pass(59);
        copy(&alice, &file, json!({})).await.expect(201);
        app.pass(1);
        copy(&alice, &file, json!({})).await.problem(410, "artifact_expired");
        rename(&alice, &file, json!({ "filename": "b" })).await.problem(410, "artifact_expired");
    }
}

/// Starts to copy a new file of alice's, and has `before` and `after` happen around the copying of the bytes.
async fn copied_while(
    app: TestApp,
    before: impl AsyncFnOnce(&TestApp, &Client, &Stored),
    after: impl AsyncFnOnce(&TestApp, &Client, &Stored),
) -> (TestApp, Reply) {
    let mut paced = None;
    let app = app.with_storage(|storage| {
        let (storage, copying) = PacedCopying::around(storage);
        paced = Some(copying);
        storage
    });
    let (alice, mut paced) = (app.user("alice").naming("s1"), paced.unwrap());
    let file = alice.stored("ttl=600", "x").await;
    let copying = tokio::spawn(alice.post(&format!("{}/copy", file.path)).into_future());
    paced.meanwhile(before(&app, &alice, &file)).await;
    paced.meanwhile(after(&app, &alice, &file)).await;
    let reply = copying.await.unwrap();
    (app, reply)
}

async fn nothing(_: &TestApp, _: &Client, _: &Stored) {}

async fn a_file_that_goes_while_it_is_copied_leaves_no_copy(app: TestApp) {
    let (app, reply) = copied_while(app, nothing, async |_, alice, file| {
        alice.delete(&file.path).await.expect(204);
    })
    .await;
    reply.problem(404, "artifact_not_found");
    assert_eq!(app.keys().await, [""; 0]);

    let (app, reply) = copied_while(app, nothing, async |app, _, _| app.pass(600)).await;
    reply.problem(410, "artifact_expired");
    assert_eq!(app.keys().await.len(), 1, "that of the original, until it is swept");

    let (app, reply) = copied_while(app, nothing, async |_, alice, _| {
        alice.delete("/v1/sessions/s1").await.expect(204);
    })
    .await;
    reply.problem(404, "artifact_not_found");
    assert_eq!(app.keys().await.len(), 1, "the expired one of before");
}

async fn a_file_that_was_gone_before_its_bytes_were_copied_is_not_found(app: TestApp) {
    let deletes = async |_: &TestApp, alice: &Client, file: &Stored| {
        alice.delete(&file.path).await.expect(204);
    };
    let (app, reply) = copied_while(app, deletes, nothing).await;
    reply.problem(404, "artifact_not_found");
    assert_eq!(app.keys().await, [""; 0]);

    let replaces = async |_: &TestApp, alice: &Client, file: &Stored| {
        alice.put(&file.content).body("y").await.expect(200);
    };
    let (app, reply) = copied_while(app, replaces, nothing).await;
    let copied = reply.stored();
    assert_eq!(app.bytes_under(copied.text("key")).await.unwrap(), b"x", "as it was when the copying began");
}

async fn a_renamed_file_is_the_same_file(app: TestApp) {
    let root = app.caller(json!({ "sub": "root", "sid": "s1", "scope": "artifacts:admin" }));
    for scope in ["session", "user", "sandbox"] {
        let parameters = format!("scope={scope}&filename=a.txt&summary=one&meta=%7B%22n%22%3A1%7D");
        let file = root.stored(&parameters, "bytes").await;
        let tag = root.get(&file.path).await.header("etag").to_owned();
        app.pass(1);
        let wanted = json!({ "filename": "docs/b.md", "meta": { "m": 2 }, "target_session_id": "s1" });
        let reply = rename(&root, &file, wanted).await.expect(200);
        let mut expected = file.json.clone();
        expected["filename"] = json!("docs/b.md");
        expected["meta"] = json!({ "n": 1, "m": 2 });
        expected["updated_at"] = json!(app.in_seconds(0));
        assert_eq!(reply.json(), expected);
        assert_ne!(reply.header("etag"), tag);
        let record = root.get(&file.path).await;
        assert_eq!((record.json(), record.header("etag")), (expected, reply.header("etag")));
        let content = root.get(&file.content).await.expect(200);
        assert_eq!(content.text(), "bytes");
        assert_eq!(content.header("content-disposition"), "attachment; filename=\"b.md\"");
    }
    assert_eq!(app.keys().await.len(), 3);
}

async fn of_conditional_renamings_the_stale_one_is_refused(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user&filename=a", "x").await;
    let tag = alice.get(&file.path).await.header("etag").to_owned();
    let to = |name: &str| {
        let call = alice.post(&format!("{}/move", file.path)).json(json!({ "filename": name }));
        call.header("if-match", &tag)
    };
    to("b").await.expect(200);
    to("c").await.problem(412, "precondition_failed");
    assert_eq!(alice.get(&file.path).await.json()["filename"], "b");
    let none = alice.post(&format!("{}/move", file.path)).json(json!({ "filename": "c" }));
    none.header("if-none-match", "*").await.problem(412, "precondition_failed");
}

#[tokio::test]
async fn a_target_is_the_session_of_the_file_or_refused() {
    let app = TestApp::in_memory().await;
    let root = app.admin("root");
    for scope in ["session", "user", "sandbox"] {
        let file = root.naming("s1").stored(&format!("scope={scope}"), "x").await;
        for (target, status) in [("s1", 201), ("s2", 403), ("nobody's", 403)] {
            copy(&root.naming("s1"), &file, json!({ "target_session_id": target })).await.expect(status);
            let renamed = rename(&root.naming("s1"), &file, json!({ "target_session_id": target })).await;
            renamed.expect(if status == 201 { 200 } else { status });
        }
    }
    // Stored in no session, it has none that could be named.
    let file = root.stored("scope=user", "x").await;
    assert_eq!(file["session_id"], json!(null));
    copy(&root, &file, json!({ "target_session_id": "s1" })).await.problem(403, "access_denied");
}

#[tokio::test]
async fn a_copy_lives_as_long_as_its_original_was_to_live_or_as_is_allowed_by_now() {
    let app = TestApp::in_memory().await;
    let root = app.admin("root");
    let life = |file: &Stored| (file["ttl"].clone(), file["expires_at"].clone());
    let endless = root.stored("scope=user", "x").await;
    assert_eq!(life(&copy(&root, &endless, json!({})).await.stored()), (json!(null), json!(null)));
    let short = root.stored("scope=sandbox&ttl=600", "x").await;
    root.patch(&short.path).json(json!({ "extend_ttl": 60 })).await.expect(200);
    app.pass(5 * MINUTE);
    let copied = copy(&root, &short, json!({})).await.stored();
    assert_eq!(life(&copied), (json!(660), json!(app.in_seconds(660))));

    let alice = app.user("alice").naming("s1");
    alice.post("/v1/sessions").json(json!({ "session_id": "s1", "ttl": 1000 })).await.expect(201);
    let file = alice.stored("ttl=900", "x").await;
    app.pass(400);
    let copied = copy(&alice, &file, json!({})).await.stored();
    assert_eq!(life(&copied), (json!(600), json!(app.in_seconds(600))), "cut to the session's end");

    let app = app.with_options(|options| {
        options.auth.sandbox = endless.text("sandbox_id").parse().unwrap();
        options.limits.user_max_ttl = Some(ttl(100));
        options.limits.sandbox_max_ttl = Some(ttl(200));
    });
    let root = app.admin("root");
    for (file, allowed) in [(&endless, 100), (&short, 200)] {
        let copied = copy(&root, file, json!({})).await.stored();
        assert_eq!(life(&copied), (json!(allowed), json!(app.in_seconds(allowed))));
    }
}

#[tokio::test]
async fn what_is_said_of_a_copy_is_checked_as_everywhere() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user&filename=a.txt&meta=%7B%22n%22%3A1%7D", "x").await;
    let large = json!({ "x": "y".repeat(16 * 1024) });
    for (wanted, field) in [
        (json!({ "filename": "../b" }), "filename"),
        (json!({ "filename": "" }), "filename"),
        (json!({ "meta": [] }), "meta"),
        (json!({ "meta": large }), "meta"),
        (json!({ "target_session_id": "" }), "target_session_id"),
        (json!({ "scope": "session" }), "scope"),
        (json!({ "ttl": 60 }), "ttl"),
    ] {
        copy(&alice, &file, wanted.clone()).await.wrong_field(field);
        rename(&alice, &file, wanted).await.wrong_field(field);
    }
    copy(&alice, &file, json!({ "summary": "x".repeat(4097) })).await.wrong_field("summary");
    rename(&alice, &file, json!({ "summary": "x" })).await.wrong_field("summary");
    rename(&alice, &file, json!({})).await.wrong_field("filename");
    alice.post(&format!("{}/move", file.path)).await.wrong_field("filename");
    for path in ["copy", "move"] {
        alice.post(&format!("{}/{path}?ttl=1", file.path)).json(json!({ "filename": "b" })).await.wrong_field("ttl");
        alice.post(&format!("/v1/artifacts/x/{path}")).json(json!({ "filename": "b" })).await.wrong_field("id");
    }
    assert_eq!(app.keys().await, [file.text("key")]);
    assert_eq!(alice.get(&file.path).await.json(), file.json);

    // Metadata at its limit leaves no room for what a copy adds, but room can be made.
    let full = json!({ "x": "y".repeat(16 * 1024 - r#"{"x":""}"#.len()) });
    let file = alice.post("/v1/artifacts").document(json!({ "text": "x", "meta": full })).await.stored();
    copy(&alice, &file, json!({})).await.wrong_field("meta");
    copy(&alice, &file, json!({ "meta": { "x": null } })).await.expect(201);
}

#[tokio::test]
async fn bytes_that_the_provider_has_lost_cannot_be_copied() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    app.storage.delete(&artifactd::storage::Key::from_listing(file.text("key")).unwrap()).await.unwrap();
    copy(&alice, &file, json!({})).await.problem(500, "artifact_damaged");
    assert_eq!(app.keys().await, [""; 0]);
}
