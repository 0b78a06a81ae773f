//! Storing files: three bodies, three scopes.

use serde_json::json;

use super::support::{Form, TestApp, digest_field, sha256};

on_every_pair! {
    raw_bytes_are_stored_in_every_scope,
    a_stored_file_reads_back_as_it_was_sent,
    a_form_may_have_its_fields_before_and_after_the_file,
    a_large_form_file_waits_for_the_fields_behind_it,
    a_json_document_may_hold_base64_or_text,
    an_empty_file_is_a_file,
    a_large_file_is_stored_whole,
}

async fn raw_bytes_are_stored_in_every_scope(app: TestApp) {
    let root = app.caller(json!({ "sub": "root", "sid": "s1", "scope": "artifacts:admin" }));
    let sandbox = app.sandbox.as_str();
    for (scope, place, ttl) in [
        ("session", "sessions/s1", json!(900)),
        ("user", "users/root", json!(null)),
        ("sandbox", "shared", json!(null)),
    ] {
        let meta = "meta=%7B%22n%22%3A1%7D";
        let parameters = format!("scope={scope}&filename=docs/hello.txt&summary=a+greeting&{meta}");
        let reply = root.store(&parameters, "Hello, world!").header("content-type", "text/plain").await.expect(201);
        let artifact = reply.json();
        let id = artifact["artifact_id"].as_str().unwrap();
        assert_eq!(
            artifact,
            json!({
                "artifact_id": id,
                "sandbox_id": sandbox,
                "scope": scope,
                "session_id": "s1",
                "owner_id": "root",
                "key": format!("grid/{sandbox}/{place}/{id}"),
                "mime": "text/plain",
                "summary": "a greeting",
                "filename": "docs/hello.txt",
                "meta": { "n": 1 },
                "bytes": 13,
                "sha256": sha256("Hello, world!"),
                "etag": sha256("Hello, world!"),
                "revision": 1,
                "stored_at": app.in_seconds(0),
                "updated_at": app.in_seconds(0),
                "ttl": ttl,
                "expires_at": ttl.as_u64().map(|seconds| app.in_seconds(seconds)),
                "storage_provider": app.storage_name(),
                "metadata_provider": app.metadata_name(),
                "uploaded_via": "direct",
            })
        );
        assert_eq!(reply.header("location"), format!("/v1/artifacts/{id}"));
        let record = root.get(&format!("/v1/artifacts/{id}")).await.expect(200);
        assert_eq!(record.json(), artifact);
        assert_eq!(record.header("etag"), reply.header("etag"));
        assert!(reply.header("etag").starts_with('"') && reply.header("etag").ends_with('"'));
        assert_eq!(app.bytes_under(artifact["key"].as_str().unwrap()).await.unwrap(), b"Hello, world!");
    }
    assert_eq!(app.keys().await.len(), 3);
}

async fn a_stored_file_reads_back_as_it_was_sent(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.store("filename=a.json", "{}").header("content-type", "application/json").await.stored();
    let whole = alice.get(&file.content).await.expect(200);
    assert_eq!(whole.text(), "{}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("content-length", "2"),
        ("content-disposition", "attachment; filename=\"a.json\""),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("etag", &format!("\"{}\"", sha256("{}"))),
        ("content-digest", &digest_field("{}")),
    ] {
        assert_eq!(whole.header(name), value, "{name}");
    }

    let head = alice.head(&file.content).await.expect(200);
    assert!(head.body.is_empty());
    for (name, value) in &whole.headers {
        assert!(name == "x-request-id" || head.headers.get(name) == Some(value), "{name}");
    }
    let record = alice.head(&file.path).await.expect(200);
    assert_eq!(record.header("etag"), alice.get(&file.path).await.header("etag"));
}

async fn a_form_may_have_its_fields_before_and_after_the_file(app: TestApp) {
    let alice = app.user("alice");
    let form = Form::default()
        .field("summary", "before")
        .field("scope", "user")
        .file("photo.png", "image/png", [0x89, b'P', b'N', b'G', b'\r', b'\n', 0, 0xff])
        .field("meta", r#"{"after":true}"#)
        .field("ttl", "60");
    let file = alice.post("/v1/artifacts").form(form).await.stored();
    assert_eq!(
        (&file["summary"], &file["scope"], &file["filename"], &file["mime"], &file["meta"], &file["ttl"]),
        (
            &json!("before"),
            &json!("user"),
            &json!("photo.png"),
            &json!("image/png"),
            &json!({ "after": true }),
            &json!(60)
        ),
    );
    assert_eq!(alice.get(&file.content).await.body[..], [0x89, b'P', b'N', b'G', b'\r', b'\n', 0, 0xff]);
    assert_eq!(app.keys().await, [file.text("key")]);

    let form = Form::default().file("a.txt", "text/plain", "x").field("filename", "b.txt");
    let renamed = alice.post("/v1/artifacts?scope=user").form(form).await.stored();
    assert_eq!((&renamed["filename"], &renamed["scope"]), (&json!("b.txt"), &json!("user")));
}

/// More than a mebibyte does not wait in memory: it is staged with the storage provider.
async fn a_large_form_file_waits_for_the_fields_behind_it(app: TestApp) {
    let alice = app.user("alice");
    let bytes: Vec<u8> = (0..3 * 1024 * 1024 + 17_u32).map(|n| (n / 251 % 256) as u8).collect();
    let form = Form::default()
        .file("large.bin", "application/x-large", &bytes)
        .field("sha256", sha256(&bytes))
        .field("scope", "user");
    let file = alice.post("/v1/artifacts").form(form).await.stored();
    assert_eq!((&file["scope"], &file["bytes"]), (&json!("user"), &json!(bytes.len())));
    assert_eq!((&file["mime"], &file["sha256"]), (&json!("application/x-large"), &json!(sha256(&bytes))));
    assert!(alice.get(&file.content).await.body == bytes);
    assert_eq!(app.keys().await, [file.text("key")], "nothing stays staged");
}

async fn a_json_document_may_hold_base64_or_text(app: TestApp) {
    let alice = app.user("alice");
    let encoded = json!({
        "data_base64": "AP/+", "mime": "image/x-raw", "filename": "a.raw", "summary": "three bytes",
        "meta": { "a": [1, 2] }, "scope": "user", "ttl": 120, "sha256": sha256([0, 0xff, 0xfe]),
    });
    let file = alice.post("/v1/artifacts").document(encoded).await.stored();
    assert_eq!(
        (&file["mime"], &file["filename"], &file["summary"], &file["meta"], &file["scope"], &file["ttl"]),
        (
            &json!("image/x-raw"),
            &json!("a.raw"),
            &json!("three bytes"),
            &json!({ "a": [1, 2] }),
            &json!("user"),
            &json!(120)
        ),
    );
    assert_eq!(alice.get(&file.content).await.body[..], [0, 0xff, 0xfe]);

    let text = json!({ "text": "grüße", "filename": "a.md" });
    let file = alice.post("/v1/artifacts").document(text).await.stored();
    assert_eq!(
        (&file["scope"], &file["mime"], &file["bytes"]),
        (&json!("session"), &json!("text/markdown"), &json!(7))
    );
    assert_eq!(alice.get(&file.content).await.text(), "grüße");
}

async fn an_empty_file_is_a_file(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("", "").await;
    assert_eq!((&file["bytes"], &file["sha256"]), (&json!(0), &json!(sha256(""))));
    let reply = alice.get(&file.content).await.expect(200);
    assert_eq!((reply.text(), reply.header("content-length")), ("", "0"));
    assert_eq!((&file["mime"], &file["filename"]), (&json!("application/octet-stream"), &json!(null)));
}

/// Larger than every buffer on the way, and than a part of a multipart upload to S3.
async fn a_large_file_is_stored_whole(app: TestApp) {
    let alice = app.user("alice");
    let bytes: Vec<u8> = (0..9 * 1024 * 1024 + 1_u32).map(|n| (n / 509 % 256) as u8).collect();
    let file = alice.stored(&format!("sha256={}", sha256(&bytes)), bytes.clone()).await;
    assert_eq!(file["bytes"], json!(bytes.len()));
    assert!(alice.get(&file.content).await.body == bytes);
    assert_eq!(app.keys().await, [file.text("key")]);
}
