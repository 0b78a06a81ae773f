//! Files that are sent to a signed URL.

use axum::http::Method;
use serde_json::{Value, json};

use super::support::{TestApp, Ticket, sha256};

on_every_pair! {
    what_was_sent_to_the_url_becomes_a_file,
    until_it_is_completed_the_file_is_there_for_nobody,
    completing_may_change_what_is_said_of_the_file,
    the_type_is_as_announced_or_as_sent_or_as_the_name_says,
    nothing_can_be_completed_before_it_has_arrived,
    an_upload_is_completed_once,
    the_last_bytes_sent_count,
    a_url_changes_nothing_once_the_upload_is_completed,
    an_empty_file_can_be_uploaded,
    what_is_refused_at_completion_can_be_put_right,
    only_who_began_an_upload_can_go_on_with_it,
    an_upload_for_the_sandbox_is_for_administrators,
    what_is_too_large_does_not_become_a_file,
}

async fn what_was_sent_to_the_url_becomes_a_file(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let order = json!({
        "filename": "dir/a.txt", "mime": "text/x-test; a=b", "summary": "a file", "meta": { "n": 1 }, "scope": "user",
        "ttl": 600, "expires": 60, "bytes": 5, "sha256": sha256("bytes"),
    });
    let ticket = alice.opened(order).await;
    let members: Vec<&String> = ticket.json.as_object().unwrap().keys().collect();
    assert_eq!(members, ["artifact_id", "expires_at", "headers", "method", "session_id", "upload_url"]);
    assert_eq!((&ticket.json["method"], &ticket.json["session_id"]), (&json!("PUT"), &json!("s1")));
    assert_eq!(ticket.json["expires_at"], app.in_seconds(60));
    let sent = app.upload(&ticket, "bytes").await.expect(200);
    assert!(sent.header("etag").starts_with('"'));

    app.pass(10);
    let reply = alice.complete(&ticket).await.expect(200);
    let file = reply.json();
    let expected = json!({
        "artifact_id": ticket.id(), "sandbox_id": app.sandbox, "scope": "user", "session_id": "s1", "owner_id": "alice",
        "key": format!("grid/{}/users/alice/{}", app.sandbox, ticket.id()), "filename": "dir/a.txt",
        "mime": "text/x-test; a=b", "summary": "a file", "meta": { "n": 1 }, "bytes": 5, "sha256": sha256("bytes"),
        "etag": sha256("bytes"), "revision": 1, "stored_at": app.in_seconds(0), "updated_at": app.in_seconds(0),
        "ttl": 600, "expires_at": app.in_seconds(600), "storage_provider": app.storage_name(),
        "metadata_provider": app.metadata_name(), "uploaded_via": "presigned",
    });
    assert_eq!(file, expected);
    assert_eq!(alice.get(&ticket.artifact()).await.expect(200).json(), file);
    assert_eq!(reply.header("etag"), alice.get(&ticket.artifact()).await.header("etag"));
    let content = alice.get(&ticket.content()).await.expect(200);
    assert_eq!((content.text(), content.header("content-type")), ("bytes", served(&app, "text/x-test; a=b").as_str()));
    assert_eq!(alice.get("/v1/artifacts").await.json()["items"], json!([file]));
    assert_eq!(app.keys().await, [file["key"].as_str().unwrap()], "nothing is left of the upload");

    // It is a file like any other.
    let replaced = alice.put(&ticket.content()).body("new").await.expect(200).json();
    assert_eq!((&replaced["revision"], &replaced["uploaded_via"]), (&json!(2), &json!("presigned")));
    alice.delete(&ticket.artifact()).await.expect(204);
    alice.get(&ticket.artifact()).await.problem(404, "artifact_not_found");
}

async fn until_it_is_completed_the_file_is_there_for_nobody(app: TestApp) {
    let alice = app.user("alice");
    let ticket = alice.opened(json!({ "filename": "a.txt" })).await;
    for sent in [false, true] {
        if sent {
            app.upload(&ticket, "bytes").await.expect(200);
        }
        let artifact = ticket.artifact();
        for call in [
            alice.get(&artifact),
            alice.head(&artifact),
            alice.patch(&artifact).json(json!({ "summary": "mine" })),
            alice.delete(&artifact),
            alice.get(&ticket.content()),
            alice.get(&format!("{}?redirect=true", ticket.content())),
            alice.put(&ticket.content()).body("x"),
            alice.post(&format!("{artifact}/presign")),
            alice.post(&format!("{artifact}/copy")),
        ] {
            call.await.expect(404);
        }
        assert_eq!(alice.get("/v1/artifacts").await.expect(200).json()["items"], json!([]));
        let listed = alice.get(&format!("/v1/sessions/{}/artifacts", ticket.json["session_id"].as_str().unwrap()));
        assert_eq!(listed.await.expect(200).json()["items"], json!([]));
    }
    alice.complete(&ticket).await.expect(200);
    assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "bytes");
}

async fn completing_may_change_what_is_said_of_the_file(app: TestApp) {
    let alice = app.user("alice");
    let meta = json!({ "a": 1, "b": { "c": 2, "d": 3 } });
    let ticket = alice.opened(json!({ "filename": "old.txt", "summary": "old", "meta": meta })).await;
    app.upload(&ticket, "bytes").await.expect(200);
    let changes = json!({
        "filename": "new.html", "summary": "new", "meta": { "a": null, "b": { "c": 4 }, "e": [5] },
    });
    let file = alice.complete_with(&ticket, changes).await.expect(200).json();
    assert_eq!((&file["filename"], &file["summary"]), (&json!("new.html"), &json!("new")));
    assert_eq!(file["meta"], json!({ "b": { "c": 4, "d": 3 }, "e": [5] }));

    let ticket = alice.opened(json!({ "filename": "old.txt", "summary": "old", "meta": meta })).await;
    app.upload(&ticket, "bytes").await.expect(200);
    let file = alice.complete_with(&ticket, json!({ "summary": null })).await.expect(200).json();
    assert_eq!((&file["filename"], &file["summary"], &file["meta"]), (&json!("old.txt"), &json!("old"), &meta));
}

async fn the_type_is_as_announced_or_as_sent_or_as_the_name_says(app: TestApp) {
    let alice = app.user("alice");
    let (text, form) = (Some("text/x-sent"), Some("application/x-www-form-urlencoded"));
    for (order, sent, mime) in [
        (json!({ "mime": "a/b", "filename": "x.png" }), Some("a/b"), "a/b"),
        (json!({ "mime": "application/x-www-form-urlencoded" }), form, "application/x-www-form-urlencoded"),
        (json!({ "mime": "application/octet-stream", "filename": "x.png" }), None, "application/octet-stream"),
        (json!({ "filename": "x.png" }), text, "text/x-sent"),
        (json!({ "filename": "x.png" }), None, "image/png"),
        (json!({ "filename": "x.png" }), form, "image/png"),
        (json!({ "filename": "x.png" }), Some("application/octet-stream"), "image/png"),
        (json!({ "filename": "nothing" }), text, "text/x-sent"),
        (json!({}), None, "application/octet-stream"),
    ] {
        let ticket = alice.opened(order.clone()).await;
        let announced = ticket.headers();
        let headers: Vec<_> = sent.map(|sent| ("content-type", sent)).into_iter().collect();
        let headers = if announced.is_empty() { headers } else { announced };
        app.send(Method::PUT, ticket.url(), &headers, "bytes").await.expect(200);
        let file = alice.complete(&ticket).await.expect(200).json();
        assert_eq!(file["mime"], mime, "{order} {sent:?}");
        assert_eq!(alice.get(&ticket.content()).await.header("content-type"), served(&app, mime));
    }
}

/// How text in UTF-8 is served: what has passed through the service is known to be that.
fn served(app: &TestApp, mime: &str) -> String {
    let is_known = mime.starts_with("text/") && !app.is_direct();
    if is_known { format!("{mime}; charset=utf-8") } else { mime.to_owned() }
}

async fn nothing_can_be_completed_before_it_has_arrived(app: TestApp) {
    let alice = app.user("alice");
    let ticket = alice.opened(json!({})).await;
    for _ in 0..2 {
        alice.complete(&ticket).await.problem(409, "upload_incomplete");
    }
    assert_eq!(app.keys().await, [""; 0]);
    app.upload(&ticket, "bytes").await.expect(200);
    assert_eq!(alice.complete(&ticket).await.expect(200).json()["revision"], 1);
}

async fn an_upload_is_completed_once(app: TestApp) {
    let alice = app.user("alice");
    let ticket = alice.opened(json!({})).await;
    app.upload(&ticket, "bytes").await.expect(200);
    let file = alice.complete(&ticket).await.expect(200).json();
    for _ in 0..2 {
        alice.complete_with(&ticket, json!({ "summary": "again" })).await.problem(409, "conflict");
    }
    assert_eq!(alice.get(&ticket.artifact()).await.json(), file);
    alice.delete(&ticket.artifact()).await.expect(204);
    alice.complete(&ticket).await.problem(409, "conflict");
    alice.get(&ticket.artifact()).await.problem(404, "artifact_not_found");
    assert_eq!(app.keys().await, [""; 0]);
}

async fn the_last_bytes_sent_count(app: TestApp) {
    let alice = app.user("alice");
    let ticket = alice.opened(json!({})).await;
    for bytes in ["one", "another", "one", "the last"] {
        app.upload(&ticket, bytes).await.expect(200);
    }
    let file = alice.complete(&ticket).await.expect(200).json();
    assert_eq!(file["bytes"], 8);
    assert_eq!(alice.get(&ticket.content()).await.text(), "the last");
    assert_eq!(app.keys().await, [file["key"].as_str().unwrap()]);
}

async fn a_url_changes_nothing_once_the_upload_is_completed(app: TestApp) {
    let alice = app.user("alice");
    let ticket = alice.opened(json!({})).await;
    app.upload(&ticket, "bytes").await.expect(200);
    let file = alice.complete(&ticket).await.expect(200).json();
    let reply = app.upload(&ticket, "changed").await;
    if !app.is_direct() {
        reply.problem(404, "upload_not_found");
        assert_eq!(app.keys().await, [file["key"].as_str().unwrap()]);
    }
    assert_eq!(alice.get(&ticket.artifact()).await.json(), file);
    assert_eq!(alice.get(&ticket.content()).await.text(), "bytes");
}

async fn an_empty_file_can_be_uploaded(app: TestApp) {
    let alice = app.user("alice");
    for order in [json!({}), json!({ "bytes": 0, "sha256": sha256("") })] {
        let ticket = alice.opened(order).await;
        app.upload(&ticket, "").await.expect(200);
        assert_eq!(alice.complete(&ticket).await.expect(200).json()["bytes"], 0);
        assert_eq!(alice.get(&ticket.content()).await.expect(200).body, "");
    }
}

async fn what_is_refused_at_completion_can_be_put_right(app: TestApp) {
    let alice = app.user("alice");
    let ticket = alice.opened(json!({ "meta": { "a": "x".repeat(9000) } })).await;
    app.upload(&ticket, "bytes").await.expect(200);
    let before = app.keys().await;
    alice.complete_with(&ticket, json!({ "meta": { "b": "y".repeat(9000) } })).await.wrong_field("meta");
    alice.complete_with(&ticket, json!({ "filename": "../x" })).await.wrong_field("filename");
    alice.complete_with(&ticket, json!({ "mime": "a/b" })).await.problem(400, "invalid_request");
    alice.complete_with(&ticket, json!([])).await.problem(400, "invalid_request");
    assert_eq!(app.keys().await, before);
    let file = alice.complete_with(&ticket, json!({ "meta": { "a": 1 } })).await.expect(200).json();
    assert_eq!(file["meta"], json!({ "a": 1 }));
}

async fn only_who_began_an_upload_can_go_on_with_it(app: TestApp) {
    let alice = app.user("alice");
    let of_user = alice.opened(json!({ "scope": "user" })).await;
    let of_session = alice.naming("s1").opened(json!({})).await;
    let of_nobody = app.session("s2").opened(json!({})).await;
    let root = app.admin("root");
    root.naming("bob's").stored("", "x").await;
    for (client, ticket, status, code) in [
        (app.user("bob"), &of_user, 403, "access_denied"),
        (root, &of_user, 403, "access_denied"),
        (app.session("s1"), &of_session, 403, "access_denied"),
        (alice.naming("s2"), &of_session, 403, "access_denied"),
        (app.user("bob").naming("s1"), &of_session, 403, "access_denied"),
        (alice.naming("bob's"), &of_user, 403, "access_denied"),
        (app.user_in_session("alice", "s1").naming("s3"), &of_user, 403, "access_denied"),
        (app.session("s3"), &of_nobody, 403, "access_denied"),
        (app.user_in_session("bob", "s2"), &of_nobody, 403, "access_denied"),
        (alice.with_rights("artifacts:read"), &of_user, 403, "insufficient_scope"),
        (alice.in_sandbox("elsewhere"), &of_user, 404, "upload_not_found"),
    ] {
        client.complete(ticket).await.problem(status, code);
        client.delete(&ticket.path()).await.problem(status, code);
    }
    alice.complete(&Ticket { json: json!({ "artifact_id": "0".repeat(32) }) }).await.problem(404, "upload_not_found");
    app.nobody().complete(&of_user).await.problem(401, "unauthenticated");

    for (client, ticket) in [
        (app.user_in_session("alice", "s9").with_rights("artifacts:write"), of_user),
        (app.user_in_session("alice", "s1"), of_session),
        (app.session("s2"), of_nobody),
    ] {
        app.upload(&ticket, "bytes").await.expect(200);
        client.complete(&ticket).await.expect(200);
    }
}

async fn an_upload_for_the_sandbox_is_for_administrators(app: TestApp) {
    let alice = app.user("alice");
    let order = json!({ "scope": "sandbox" });
    alice.post("/v1/uploads").json(order.clone()).await.problem(403, "insufficient_scope");
    let ticket = app.admin("alice").opened(order).await;
    app.upload(&ticket, "shared").await.expect(200);
    alice.complete(&ticket).await.problem(403, "insufficient_scope");
    alice.delete(&ticket.path()).await.problem(403, "insufficient_scope");
    app.admin("alice").complete(&ticket).await.expect(200);
    assert_eq!(app.user("bob").get(&ticket.content()).await.expect(200).text(), "shared");
}

async fn what_is_too_large_does_not_become_a_file(app: TestApp) {
    let app = app.with_options(|options| options.limits.max_upload_bytes = 10);
    let alice = app.user("alice");
    let announced = |bytes: u64| json!({ "bytes": bytes });
    alice.post("/v1/uploads").json(announced(11)).await.problem(413, "payload_too_large");
    alice.opened(announced(10)).await;
    let ticket = alice.opened(json!({})).await;
    let reply = app.upload(&ticket, "0123456789+").await;
    if app.is_direct() {
        reply.expect(200);
        for _ in 0..2 {
            alice.complete(&ticket).await.problem(413, "payload_too_large");
        }
    } else {
        reply.problem(413, "payload_too_large");
        let path = ticket.url().strip_prefix("http://service.test").unwrap();
        app.nobody().put(path).body("0123456789+").await.problem(413, "payload_too_large");
        assert_eq!(app.keys().await, [""; 0]);
    }
    app.upload(&ticket, "0123456789").await.expect(200);
    let file = alice.complete(&ticket).await.expect(200).json();
    assert_eq!(file["bytes"], 10);
    assert_eq!(app.keys().await, [file["key"].as_str().unwrap()]);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let open = |order: Value| alice.post("/v1/uploads").json(order);
    for (field, value) in [
        ("filename", json!("../x")),
        ("mime", json!("text")),
        ("meta", json!([])),
        ("meta", json!({ "a": "x".repeat(17 * 1024) })),
        ("ttl", json!(0)),
        ("ttl", json!(86_401)),
        ("expires", json!(0)),
        ("expires", json!(604_801)),
        ("expires", json!(1.5)),
        ("bytes", json!(-1)),
        ("sha256", json!("abc")),
        ("part_size", json!(5_242_880)),
    ] {
        open(json!({ field: value })).await.wrong_field(field);
    }
    open(json!({ "scope": "world" })).await.problem(400, "invalid_request");
    open(json!({ "name": "x" })).await.problem(400, "invalid_request");
    alice.post("/v1/uploads?filename=x").await.wrong_field("filename");
    for path in ["/v1/uploads/x/complete", "/v1/uploads/1/complete"] {
        alice.post(path).await.wrong_field("id");
    }
    alice.with_rights("artifacts:read").post("/v1/uploads").await.problem(403, "insufficient_scope");
    app.session("s1").post("/v1/uploads").json(json!({ "scope": "user" })).await.problem(403, "access_denied");
    app.nobody().post("/v1/uploads").await.problem(401, "unauthenticated");

    // Nothing needs to be said.
    let ticket = alice.post("/v1/uploads").await.expect(201).json();
    assert_eq!((&ticket["headers"], &ticket["expires_at"]), (&json!({}), &json!(app.in_seconds(3600))));
}
