//! Names and media types as clients send them.

use axum::http::Method;
use serde_json::json;

use super::support::{Client, Form, PART, TestApp, part};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

on_every_pair! {
    text_is_served_as_utf8_if_that_is_what_it_is,
    what_nobody_names_is_known_by_its_first_bytes,
}

/// The type that a file is served with.
async fn served_type(client: &Client, content: &str) -> String {
    client.get(content).await.expect(200).header("content-type").to_owned()
}

async fn text_is_served_as_utf8_if_that_is_what_it_is(app: TestApp) {
    let alice = app.user("alice");
    let raw = |mime: &str, bytes: &[u8]| alice.store("", bytes.to_vec()).header("content-type", mime);
    for (stored, mime, served) in [
        (raw("text/plain", "grüße".as_bytes()).await, "text/plain", "text/plain; charset=utf-8"),
        (raw("text/plain", b"gr\xfc\xdfe").await, "text/plain", "text/plain"),
        (raw("text/plain;charset=latin1", b"gr").await, "text/plain;charset=latin1", "text/plain;charset=latin1"),
        (raw("application/json", b"{}").await, "application/json", "application/json"),
        (alice.post("/v1/artifacts").document(json!({ "text": "x" })).await, "text/plain", "text/plain; charset=utf-8"),
        (
            alice.post("/v1/artifacts").document(json!({ "text": "x", "mime": "text/csv" })).await,
            "text/csv",
            "text/csv; charset=utf-8",
        ),
    ] {
        let file = stored.stored();
        assert_eq!(file["mime"], mime, "the record says what the caller said");
        assert_eq!(served_type(&alice, &file.content).await, served);
    }

    let file = alice.stored("filename=a.txt", "grüße").await;
    alice.put(&file.content).body(&b"gr\xfc\xdfe"[..]).await.expect(200);
    assert_eq!(served_type(&alice, &file.content).await, "text/plain", "it is what it is now");
}

#[tokio::test]
async fn text_in_json_is_utf8_and_cannot_be_called_anything_else() {
    let alice = TestApp::in_memory().await.user("alice");
    let document = json!({ "text": "x", "mime": "text/plain; charset=iso-8859-1" });
    alice.post("/v1/artifacts").document(document).await.wrong_field("mime");
}

async fn what_nobody_names_is_known_by_its_first_bytes(app: TestApp) {
    let alice = app.user("alice");
    let large = [PNG, &vec![7; 2 * 1024 * 1024]].concat();
    for (reply, mime) in [
        (alice.store("", PNG).await, "image/png"),
        (alice.store("filename=no-ending", PNG).await, "image/png"),
        (alice.store("filename=a.gif", PNG).await, "image/gif"),
        (alice.store("", PNG).header("content-type", "application/octet-stream").await, "application/octet-stream"),
        (alice.post("/v1/artifacts").form(Form::default().raw("name=\"file\"", None, PNG)).await, "image/png"),
        (alice.post("/v1/artifacts").form(Form::default().raw("name=\"file\"", None, &large)).await, "image/png"),
        (alice.store("", "<script>").await, "application/octet-stream"),
    ] {
        assert_eq!(reply.stored()["mime"], mime);
    }
}

#[tokio::test]
async fn a_signed_upload_that_nobody_names_is_known_by_its_first_bytes() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    for (order, mime) in [(json!({}), "image/png"), (json!({ "filename": "a.gif" }), "image/gif")] {
        let ticket = alice.opened(order).await;
        app.send(Method::PUT, ticket.url(), &[], PNG).await.expect(200);
        assert_eq!(alice.complete(&ticket).await.expect(200).json()["mime"], mime);
    }
}

#[tokio::test]
async fn an_empty_media_type_is_none() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    for reply in [
        alice.store("filename=a.md", "x").header("content-type", "").await,
        alice.post("/v1/artifacts").document(json!({ "text": "x", "mime": "", "filename": "a.md" })).await,
        alice.post("/v1/artifacts").form(Form::default().file("a.md", "", "x")).await,
    ] {
        assert_eq!(reply.stored()["mime"], "text/markdown");
    }
    let file = alice.stored("filename=a.md", "x").await;
    let patched = alice.patch(&file.path).json(json!({ "mime": " ", "summary": "s" })).await.expect(200).json();
    assert_eq!(patched["mime"], "text/markdown");
    let replaced = alice.put(&file.content).header("content-type", "").body("y").await.expect(200).json();
    assert_eq!(replaced["mime"], "text/markdown");

    let ticket = alice.opened(json!({ "mime": "", "filename": "a.md" })).await;
    app.send(Method::PUT, ticket.url(), &[("content-type", "")], "x").await.expect(200);
    assert_eq!(alice.complete(&ticket).await.expect(200).json()["mime"], "text/markdown");
}

#[tokio::test]
async fn names_of_form_files_are_read_in_every_way_in_which_clients_write_them() {
    let alice = TestApp::in_memory().await.user("alice");
    for parameters in [
        "filename=\"naïve.txt\"".as_bytes(),
        b"filename=\"na\xefve.txt\"",
        b"filename=\"naive.txt\"; filename*=UTF-8''na%C3%AFve.txt",
        b"filename*=UTF-8''na%C3%AFve.txt",
        b"filename=\"=?utf-8?Q?na=C3=AFve.txt?=\"",
    ] {
        let parameters = [b"name=\"file\"; ", parameters].concat();
        let form = Form::default().raw(&parameters, None, "x");
        assert_eq!(alice.post("/v1/artifacts").form(form).await.stored()["filename"], "naïve.txt");
    }
}

#[tokio::test]
async fn a_part_that_is_encoded_for_mail_is_not_kept_in_its_coding() {
    let alice = TestApp::in_memory().await.user("alice");
    let form = |coding: &str| {
        let parameters = format!("name=\"file\"; filename=\"a.txt\"\r\nContent-Transfer-Encoding: {coding}");
        alice.post("/v1/artifacts").form(Form::default().raw(&parameters, None, "aGVsbG8="))
    };
    for coding in ["base64", "quoted-printable"] {
        form(coding).await.problem(415, "unsupported_media_type");
    }
    for coding in ["binary", "8BIT", "7bit"] {
        form(coding).await.stored();
    }
}

#[tokio::test]
async fn form_fields_that_mean_nothing_are_refused_unless_they_are_to_be_ignored() {
    let alice = TestApp::in_memory().await.user("alice");
    let form = |field: &str| Form::default().file("a.txt", "", "x").field(field, "y").field(field, "z");
    for path in ["/v1/artifacts", "/v1/artifacts/batch"] {
        let created = if path == "/v1/artifacts" { 201 } else { 200 };
        alice.post(path).form(form("owner")).await.problem(400, "invalid_request");
        alice.post(&format!("{path}?unknown_fields=ignore")).form(form("owner")).await.expect(created);
        alice.post(&format!("{path}?unknown_fields=maybe")).form(form("owner")).await.wrong_field("unknown_fields");
        // What uploaders and browsers add.
        for field in ["name", "type", "relativePath", "_charset_"] {
            alice.post(path).form(form(field)).await.expect(created);
        }
        // What is known is never ignored.
        alice.post(&format!("{path}?unknown_fields=ignore")).form(form("summary")).await.wrong_field("summary");
    }
}

#[tokio::test]
async fn parts_are_completed_in_the_words_of_s3_and_with_what_it_adds() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let upload = alice.begun(json!({ "scope": "user" })).await;
    let etag = upload.sent(&app, 1, part(1, PART)).await;
    let words = json!([{ "PartNumber": 1, "ETag": etag, "etag": "another", "Size": PART, "ChecksumSHA256": null }]);
    upload.complete_with(json!({ "parts": words })).await.expect(200);
    upload.complete_with(json!({ "parts": [{ "PartNumber": 1 }] })).await.problem(400, "invalid_request");
}

#[tokio::test]
async fn a_download_gets_no_name_that_windows_takes_for_something_else() {
    let alice = TestApp::in_memory().await.user("alice");
    for (name, field) in
        [("C:evil.txt", "attachment; filename=\"C_evil.txt\""), ("docs/aux.md", "attachment; filename=\"_aux.md\"")]
    {
        let file = alice.stored(&format!("filename={name}"), "x").await;
        assert_eq!(file["filename"], name);
        assert_eq!(alice.get(&file.content).await.header("content-disposition"), field);
    }
}
