//! Bodies that are too large, broken, or not what was announced: nothing of them is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde_json::json;

use super::support::{Call, Client, Form, Reply, Stored, TestApp, broken_body, digest_field, sha256};

const LIMIT: usize = 3 * 1024 * 1024;

on_every_pair! {
    bytes_with_another_digest_than_announced_are_not_kept,
    bytes_with_the_digest_announced_are_kept,
    a_body_that_breaks_off_is_not_kept,
    a_body_of_another_length_than_announced_is_not_kept,
    a_staged_file_of_a_form_that_is_refused_is_not_kept,
    a_body_over_the_limit_is_not_kept,
}

/// A file that must be there, unharmed, after all that is refused.
async fn a_file(alice: &Client) -> Stored {
    alice.stored("scope=user", "as it was").await
}

async fn assert_unharmed(app: &TestApp, alice: &Client, file: &Stored) {
    assert_eq!(app.keys().await, [file.text("key")]);
    assert_eq!(alice.get(&file.path).await.json(), file.json);
    assert_eq!(alice.get(&file.content).await.text(), "as it was");
}

async fn bytes_with_another_digest_than_announced_are_not_kept(app: TestApp) {
    let alice = app.user("alice");
    let file = a_file(&alice).await;
    let (other, field) = (sha256("other"), digest_field("other"));
    let parameter = format!("sha256={other}");
    let large = vec![7; 2 * 1024 * 1024];
    for call in [
        alice.store(&parameter, "bytes"),
        alice.store("", "bytes").header("content-digest", &field),
        alice.post("/v1/artifacts").document(json!({ "text": "bytes", "sha256": other })),
        alice.post("/v1/artifacts").form(Form::default().field("sha256", &other).file("a", "a/b", "bytes")),
        alice.post("/v1/artifacts").form(Form::default().file("a", "a/b", &large).field("sha256", &other)),
        alice.store(&parameter, vec![7; 9 * 1024 * 1024]),
        alice.put(&file.content).header("content-digest", &field).body("bytes"),
        alice.put(&format!("{}?{parameter}", file.content)).body("bytes"),
    ] {
        call.await.problem(422, "digest_mismatch");
    }
    assert_unharmed(&app, &alice, &file).await;
}

async fn bytes_with_the_digest_announced_are_kept(app: TestApp) {
    let alice = app.user("alice");
    let (hex, field) = (sha256("bytes"), digest_field("bytes"));
    for call in [
        alice.store(&format!("sha256={}", hex.to_uppercase()), "bytes"),
        alice.store("", "bytes").header("content-digest", &field),
        alice.store(&format!("sha256={hex}"), "bytes").header("content-digest", &field),
        alice.store("", "bytes").header("content-digest", format!("sha-512=:AAAA:, {field}")),
        // An algorithm that is not known says nothing.
        alice.store("", "bytes").header("content-digest", "sha-512=:AAAA:"),
    ] {
        assert_eq!(call.await.stored()["sha256"], hex);
    }
}

async fn a_body_that_breaks_off_is_not_kept(app: TestApp) {
    let alice = app.user("alice");
    let file = a_file(&alice).await;
    for beginning in [vec![], vec![7; 100], vec![7; 6 * 1024 * 1024]] {
        alice.store("", broken_body(beginning.clone())).await.problem(400, "invalid_request");
        alice.put(&file.content).body(broken_body(beginning.clone())).await.problem(400, "invalid_request");
        let mut form = b"--frontier\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n".to_vec();
        form.extend(beginning);
        let form = alice
            .post("/v1/artifacts")
            .header("content-type", "multipart/form-data; boundary=frontier")
            .body(broken_body(form));
        form.await.problem(400, "invalid_request");
    }
    let json = alice.patch(&file.path).header("content-type", "application/json").body(broken_body("{"));
    json.await.problem(400, "invalid_request");
    assert_unharmed(&app, &alice, &file).await;
}

async fn a_body_of_another_length_than_announced_is_not_kept(app: TestApp) {
    let alice = app.user("alice");
    let file = a_file(&alice).await;
    for announced in ["4", "6", "100000000"] {
        for call in [alice.store("", pieces("bytes")), alice.put(&file.content).body(pieces("bytes"))] {
            call.header("content-length", announced).await.problem(400, "invalid_request");
        }
    }
    assert_unharmed(&app, &alice, &file).await;
}

/// A body whose length the service cannot know.
fn pieces(bytes: impl Into<Bytes>) -> Body {
    let bytes: Bytes = bytes.into();
    let pieces: Vec<Bytes> =
        (0..bytes.len()).step_by(64 * 1024).map(|at| bytes.slice(at..bytes.len().min(at + 64 * 1024))).collect();
    Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))
}

async fn a_staged_file_of_a_form_that_is_refused_is_not_kept(app: TestApp) {
    let alice = app.user("alice");
    let file = a_file(&alice).await;
    let large = || Form::default().file("large.bin", "application/x-large", vec![7; 2 * 1024 * 1024]);
    for (form, status) in [
        (large().field("ttl", "0"), 400),
        (large().field("unknown", "x"), 400),
        (large().field("filename", "../x"), 400),
        (large().field("scope", "sandbox"), 403),
        (large().file("second.bin", "a/b", "x"), 400),
        (large().file("second.bin", "a/b", vec![7; 2 * 1024 * 1024]), 400),
    ] {
        alice.post("/v1/artifacts").form(form).await.expect(status);
    }
    alice.with_rights("artifacts:read").post("/v1/artifacts").form(large()).await.problem(403, "insufficient_scope");
    assert_unharmed(&app, &alice, &file).await;
}

async fn a_body_over_the_limit_is_not_kept(app: TestApp) {
    let app = app.with_options(|options| options.limits.max_upload_bytes = LIMIT as u64);
    let alice = app.user("alice");
    let file = a_file(&alice).await;
    let bytes = vec![7; LIMIT + 1];
    for call in [
        alice.store("", bytes.clone()),
        alice.store("", pieces(bytes.clone())),
        alice.store("", bytes.clone()).header("content-length", (LIMIT + 1).to_string()),
        alice.post("/v1/artifacts").form(Form::default().file("a", "a/b", &bytes)),
        alice.put(&file.content).body(bytes.clone()),
        alice.put(&file.content).body(bytes.clone()).header("content-length", (LIMIT + 1).to_string()),
    ] {
        call.await.problem(413, "payload_too_large");
    }
    assert_unharmed(&app, &alice, &file).await;
    let full = alice.stored("", bytes[1..].to_vec()).await;
    assert_eq!(full["bytes"], LIMIT);
    alice.put(&file.content).body(bytes[1..].to_vec()).await.expect(200);
    let form = Form::default().file("a", "a/b", &bytes[1..]);
    assert_eq!(alice.post("/v1/artifacts").form(form).await.stored()["bytes"], LIMIT);
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_sent() {
    let app = TestApp::in_memory_with(|options| options.limits.max_upload_bytes = 10).await;
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let call = app.user("alice").store("", never).header("content-length", "11");
    let reply = tokio::time::timeout(std::time::Duration::from_secs(30), call.into_future());
    reply.await.expect("the answer does not wait for the body").problem(413, "payload_too_large");
}

#[tokio::test]
async fn digests_that_are_none_are_refused() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let long = "a".repeat(65);
    for digest in ["", "abc", &"g".repeat(64), &long] {
        alice.store(&format!("sha256={digest}"), "x").await.wrong_field("sha256");
        alice.post("/v1/artifacts").document(json!({ "text": "x", "sha256": digest })).await.wrong_field("sha256");
    }
    for field in ["", "sha-256", "sha-256=abc", "sha-256=:abc:", "sha-256=:AAAA:", "sha-256=::"] {
        alice.store("", "x").header("content-digest", field).await.wrong_field("content-digest");
    }
    let two = alice.store(&format!("sha256={}", sha256("x")), "x").header("content-digest", digest_field("y"));
    two.await.wrong_field("content-digest");
    // It would be of the form, not of the file: better refused than not checked.
    let form = alice.post("/v1/artifacts").form(Form::default().file("a", "a/b", "x"));
    form.header("content-digest", digest_field("x")).await.wrong_field("content-digest");
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn coded_bodies_are_refused() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("", "x").await;
    let coded = |call: Call| call.header("content-encoding", "gzip");
    for call in [coded(alice.store("", "x")), coded(alice.put(&file.content).body("y"))] {
        call.await.problem(415, "unsupported_media_type");
    }
    alice.store("", "x").header("content-encoding", "identity").await.expect(201);
    alice.store("", "x").header("content-encoding", "identity").header("content-encoding", "gzip").await.expect(415);
    assert_eq!(app.keys().await.len(), 2);
}

#[tokio::test]
async fn new_bytes_come_as_they_are() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "as it was").await;
    let form: Reply = alice.put(&file.content).form(Form::default().file("a", "a/b", "x")).await;
    form.problem(415, "unsupported_media_type");
    alice.put(&file.content).document(json!({ "text": "x" })).await.problem(415, "unsupported_media_type");
    assert_unharmed(&app, &alice, &file).await;
}

#[tokio::test]
async fn a_form_that_never_comes_to_its_parts_is_refused_before_it_fills_the_memory() {
    let app = TestApp::in_memory().await;
    for beginning in ["", "--frontier\r\n", "--frontier\r\nContent-Disposition: form-data; name=\"file\"; x="] {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let endless = stream::repeat_with(move || {
            counter.fetch_add(1024, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1024]))
        });
        let body = stream::iter([Ok(Bytes::from(beginning))]).chain(endless);
        let form = app
            .user("alice")
            .post("/v1/artifacts")
            .header("content-type", "multipart/form-data; boundary=frontier")
            .body(Body::from_stream(body));
        form.await.problem(400, "invalid_request");
        assert!(taken.load(Ordering::Relaxed) < 1024 * 1024, "it was read on and on");
    }
}

#[tokio::test]
async fn a_form_may_come_in_pieces_of_any_size() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let content = vec![7; 3 * 1024 * 1024 / 2];
    for piece in [1021, 64 * 1024, content.len()] {
        let form = Form::default().field("scope", "user").file("a", "a/b", &content).finish();
        let pieces: Vec<_> =
            form.chunks(piece).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect();
        let call = alice
            .post("/v1/artifacts")
            .header("content-type", "multipart/form-data; boundary=frontier")
            .body(Body::from_stream(stream::iter(pieces)));
        assert_eq!(call.await.stored()["sha256"], sha256(&content), "in pieces of {piece}");
    }
}
