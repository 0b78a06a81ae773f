//! Storing and deleting many files at once: each succeeds or fails by itself.

use std::collections::HashSet;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};

use super::support::{
    Call, Client, Form, Pair, Providers, Reply, Stored, TestApp, Trouble, Troubled, broken_body, sha256,
};

on_every_pair! {
    many_files_are_stored_at_once,
    a_bad_item_fails_alone,
    a_batch_is_as_large_as_is_allowed_and_no_larger,
    a_form_may_have_many_files,
    a_large_file_of_a_form_goes_to_the_store_while_it_comes,
    a_bad_file_of_a_form_fails_alone,
    a_body_that_breaks_off_stores_nothing,
    many_files_are_deleted_at_once,
    what_cannot_be_deleted_fails_alone,
    of_the_same_ids_the_first_is_deleted,
}

fn batch(client: &Client, items: Value) -> Call {
    client.post("/v1/artifacts/batch").json(json!({ "items": items }))
}

fn form(client: &Client, form: Form) -> Call {
    client.post("/v1/artifacts/batch").form(form)
}

fn delete(client: &Client, ids: Value) -> Call {
    client.post("/v1/artifacts/batch/delete").json(json!({ "artifact_ids": ids }))
}

/// The results of a call, which must be in order.
#[track_caller]
fn results(reply: Reply) -> Vec<Value> {
    let answer = reply.expect(200).json();
    let results = answer["results"].as_array().unwrap().clone();
    assert_eq!(answer, json!({ "results": results }));
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], index, "{result}");
    }
    results
}

/// The files that a call stored, all of them.
#[track_caller]
fn stored(reply: Reply) -> Vec<Stored> {
    let files = results(reply).into_iter().map(|result| {
        assert_eq!(result["status"], 201, "{result}");
        assert_eq!(result["error"], Value::Null);
        Stored::new(result["artifact"].clone())
    });
    files.collect()
}

fn statuses(results: &[Value]) -> Vec<u64> {
    results.iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

async fn many_files_are_stored_at_once(app: TestApp) {
    let root = app.caller(json!({ "sub": "root", "sid": "s1", "scope": "artifacts:admin" }));
    let items = json!([
        { "text": "grüße", "filename": "a.md", "summary": "one", "meta": { "n": 1 } },
        { "data_base64": "AP/+", "mime": "image/x-raw", "scope": "user", "sha256": sha256([0, 0xff, 0xfe]) },
        { "text": "", "scope": "sandbox", "ttl": 60 },
    ]);
    let files = stored(batch(&root, items).await);
    let expected = [
        ("session", json!("a.md"), "text/markdown", "one", json!({ "n": 1 }), json!(900), "grüße".as_bytes()),
        ("user", json!(null), "image/x-raw", "", json!({}), json!(null), &[0, 0xff, 0xfe]),
        ("sandbox", json!(null), "text/plain", "", json!({}), json!(60), b""),
    ];
    for (file, (scope, filename, mime, summary, meta, ttl, content)) in files.iter().zip(expected) {
        assert_eq!((&file["scope"], &file["filename"], &file["mime"]), (&json!(scope), &filename, &json!(mime)));
        assert_eq!((&file["summary"], &file["meta"], &file["ttl"]), (&json!(summary), &meta, &ttl));
        assert_eq!((&file["sha256"], &file["bytes"]), (&json!(sha256(content)), &json!(content.len())));
        assert_eq!((&file["uploaded_via"], &file["session_id"]), (&json!("batch"), &json!("s1")));
        assert_eq!(root.get(&file.path).await.json(), file.json);
        assert_eq!(root.get(&file.content).await.body, content);
    }
    assert_eq!(app.keys().await.len(), 3);
}

async fn a_bad_item_fails_alone(app: TestApp) {
    let alice = app.user("alice");
    let items = json!([
        { "text": "good", "scope": "user" },
        { "text": "x", "scope": "user", "sumary": "a typo" },
        { "data_base64": "no base64!" },
        { "text": "x", "sha256": sha256("other") },
        { "text": "x", "scope": "sandbox" },
        { "text": "x", "data_base64": "eA==" },
        { "text": "x", "ttl": 0 },
        { "text": "x", "ttl": 86_401 },
        { "text": "x", "filename": "../x" },
        { "text": "x", "meta": { "x": "y".repeat(16 * 1024) } },
        {},
        5,
        ["x"],
        null,
        { "text": "also good", "scope": "user" },
    ]);
    let results = results(batch(&alice, items).await);
    let invalid = |field: &str| (400, "invalid_request", Some(field.to_owned()));
    let expected = [
        (201, "", None),
        invalid("sumary"),
        invalid("data_base64"),
        (422, "digest_mismatch", None),
        (403, "insufficient_scope", None),
        invalid("data_base64"),
        invalid("ttl"),
        invalid("ttl"),
        invalid("filename"),
        invalid("meta"),
        invalid("data_base64"),
        (400, "invalid_request", None),
        (400, "invalid_request", None),
        (400, "invalid_request", None),
        (201, "", None),
    ];
    assert_eq!(statuses(&results), expected.each_ref().map(|(status, ..)| *status));
    for (result, (status, code, field)) in results.iter().zip(expected).filter(|(_, expected)| expected.0 != 201) {
        assert_eq!((&result["error"]["code"], result.get("artifact")), (&json!(code), None), "{status} {result}");
        assert_eq!(result["error"]["errors"][0]["field"].as_str().map(ToOwned::to_owned), field, "{result}");
        let error = result["error"].as_object().unwrap();
        let members: Vec<&str> = error.keys().map(String::as_str).filter(|name| *name != "errors").collect();
        assert_eq!(members, ["code", "detail", "title"]);
    }
    // They were stored at the same time, so either may have the smaller id.
    let good: HashSet<String> = [0, 14].map(|at| results[at]["artifact"]["key"].as_str().unwrap().to_owned()).into();
    assert_eq!(HashSet::from_iter(app.keys().await), good);
}

async fn a_batch_is_as_large_as_is_allowed_and_no_larger(app: TestApp) {
    let alice = app.user("alice");
    let items = |count: usize| json!((0..count).map(|n| json!({ "text": n.to_string() })).collect::<Vec<_>>());
    let too_many = batch(&alice, items(101)).await;
    too_many.wrong_field("items");
    assert!(too_many.text().contains("at most 100"), "{}", too_many.text());
    batch(&alice, items(0)).await.wrong_field("items");
    assert_eq!(app.keys().await, [""; 0]);

    assert_eq!(stored(batch(&alice, items(1)).await).len(), 1);
    let files = stored(batch(&alice, items(100)).await);
    for (index, file) in files.iter().enumerate() {
        assert_eq!(file["session_id"], files[0]["session_id"]);
        assert_eq!(alice.get(&file.content).await.text(), index.to_string());
    }
    assert_eq!(app.keys().await.len(), 101);
}

async fn a_form_may_have_many_files(app: TestApp) {
    let alice = app.user("alice");
    let parts = Form::default()
        .field("summary", "of all")
        .file("a.txt", "text/x-own", "one")
        .field("scope", "user")
        .file("b.png", "image/png", [0x89, b'P', b'N', b'G', b'\r', b'\n', 0, 0xff])
        .file("", "text/plain", "")
        .field("meta", r#"{"n":1}"#)
        .field("ttl", "60");
    let files = stored(form(&alice, parts).await);
    let expected: [(Value, &str, &[u8]); 3] = [
        (json!("a.txt"), "text/x-own", b"one"),
        (json!("b.png"), "image/png", &[0x89, b'P', b'N', b'G', b'\r', b'\n', 0, 0xff]),
        (json!(null), "text/plain", b""),
    ];
    assert_eq!(files.len(), 3);
    for (file, (filename, mime, content)) in files.iter().zip(expected) {
        assert_eq!((&file["filename"], &file["mime"]), (&filename, &json!(mime)));
        assert_eq!((&file["summary"], &file["scope"]), (&json!("of all"), &json!("user")));
        assert_eq!((&file["meta"], &file["ttl"]), (&json!({ "n": 1 }), &json!(60)));
        assert_eq!(file["uploaded_via"], "batch");
        assert_eq!(alice.get(&file.content).await.body, content);
    }
    assert_eq!(app.keys().await.len(), 3);
}

/// More than a mebibyte does not wait in memory.
async fn a_large_file_of_a_form_goes_to_the_store_while_it_comes(app: TestApp) {
    let alice = app.user("alice");
    let bytes = |seed: u32| (0..3 * 1024 * 1024 + seed).map(|n| (n / 251 % 256) as u8).collect::<Vec<_>>();
    let parts = (1..4).fold(Form::default(), |form, n| {
        form.file(&format!("large{n}"), "a/b", bytes(n)).file(&format!("small{n}"), "a/b", n.to_string())
    });
    let files = stored(form(&alice, parts.field("scope", "user")).await);
    let sizes: Vec<u64> = files.iter().map(|file| file["bytes"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [3_145_729, 1, 3_145_730, 1, 3_145_731, 1]);
    for (file, n) in files.iter().step_by(2).zip(1..) {
        assert_eq!(file["uploaded_via"], "batch");
        assert!(alice.get(&file.content).await.body == bytes(n));
    }
    assert_eq!(app.keys().await.len(), 6, "nothing stays staged");
}

async fn a_bad_file_of_a_form_fails_alone(app: TestApp) {
    let alice = app.user("alice");
    let large = vec![7; 2 * 1024 * 1024];
    let parts = Form::default()
        .file("good.txt", "text/plain", "x")
        .file("../bad.txt", "text/plain", "x")
        .file("bad.bin", "no type", &large)
        .file("good.bin", "a/b", &large);
    let results = results(form(&alice, parts).await);
    assert_eq!(statuses(&results), [201, 400, 400, 201]);
    assert_eq!(results[1]["error"]["errors"][0]["field"], "filename");
    assert_eq!(results[2]["error"]["errors"][0]["field"], "file");
    assert_eq!(app.keys().await.len(), 2);
}

async fn a_body_that_breaks_off_stores_nothing(app: TestApp) {
    let alice = app.user("alice");
    let parts = Form::default().file("a", "a/b", "x").file("b", "a/b", vec![7; 2 * 1024 * 1024]).file("c", "a/b", "y");
    let whole = parts.finish();
    for end in [10, 200, 2 * 1024 * 1024, whole.len() - 1] {
        let call = alice.post("/v1/artifacts/batch").header("content-type", "multipart/form-data; boundary=frontier");
        call.body(broken_body(whole[..end].to_vec())).await.problem(400, "invalid_request");
    }
    let items = json!({ "items": [{ "text": "x" }, { "text": "y" }] }).to_string();
    for end in [0, 5, items.len() - 1, items.len()] {
        let call = alice.post("/v1/artifacts/batch").header("content-type", "application/json");
        call.body(broken_body(items[..end].to_owned())).await.problem(400, "invalid_request");
    }
    assert_eq!(app.keys().await, [""; 0]);
}

async fn many_files_are_deleted_at_once(app: TestApp) {
    let alice = app.user("alice");
    let items = (0..100).map(|n| json!({ "text": n.to_string(), "scope": "user" })).collect::<Vec<_>>();
    let mut files = stored(batch(&alice, json!(items)).await);
    let kept = files.pop().unwrap();
    let ids: Vec<&str> = files.iter().map(|file| file.text("artifact_id")).collect();
    let results = results(delete(&alice, json!(ids)).await);
    for (result, id) in results.iter().zip(&ids) {
        assert_eq!(result, &json!({ "index": result["index"], "artifact_id": id, "status": 204 }));
    }
    assert_eq!(results.len(), 99);
    alice.get(&files[0].path).await.problem(404, "artifact_not_found");
    assert_eq!(app.keys().await, [kept.text("key")]);
}

async fn what_cannot_be_deleted_fails_alone(app: TestApp) {
    let (alice, root) = (app.user("alice"), app.admin("root"));
    let own = alice.stored("scope=user", "x").await;
    let expired = alice.stored("scope=user&ttl=60", "x").await;
    app.pass(60);
    let bobs = app.user("bob").stored("scope=user", "x").await;
    let shared = root.stored("scope=sandbox", "x").await;
    let elsewhere = alice.in_sandbox("elsewhere").stored("scope=user", "x").await;
    let long = "x".repeat(1000);
    let ids = json!([
        bobs["artifact_id"],
        "no id",
        own["artifact_id"],
        expired["artifact_id"],
        shared["artifact_id"],
        elsewhere["artifact_id"],
        "0192f0c123457abc8def0123456789ab",
        long,
        5,
        null,
        "",
    ]);
    let results = results(delete(&alice, ids).await);
    assert_eq!(statuses(&results), [403, 400, 204, 410, 403, 404, 404, 400, 400, 400, 400]);
    let codes: Vec<Option<&str>> = results.iter().map(|result| result["error"]["code"].as_str()).collect();
    let (denied, missing, invalid) = (Some("access_denied"), Some("artifact_not_found"), Some("invalid_request"));
    let (expired, no_admin) = (Some("artifact_expired"), Some("insufficient_scope"));
    let expected = [denied, invalid, None, expired, no_admin, missing, missing, invalid, invalid, invalid, invalid];
    assert_eq!(codes, expected);
    assert_eq!(results[1]["error"]["errors"][0]["field"], "artifact_id");
    assert_eq!((&results[1]["artifact_id"], &results[8]["artifact_id"]), (&json!("no id"), &json!(null)));
    assert!(results[7]["artifact_id"].as_str().unwrap().len() < 300, "an answer quotes the beginning only");
    assert_eq!(app.keys().await.len(), 4);
}

async fn of_the_same_ids_the_first_is_deleted(app: TestApp) {
    let alice = app.user("alice");
    for _ in 0..3 {
        let (one, other) = (alice.stored("scope=user", "x").await, alice.stored("scope=user", "y").await);
        let (one, other) = (&one["artifact_id"], &other["artifact_id"]);
        let results = results(delete(&alice, json!([one, one, other, one, other])).await);
        assert_eq!(statuses(&results), [204, 404, 204, 404, 404]);
    }
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_batch_that_is_sent_again_is_stored_once() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let items = json!([{ "text": "one" }, { "text": "two", "scope": "user" }, { "text": "x", "ttl": 0 }]);
    let parts = || Form::default().file("a", "a/b", "x").file("b", "a/b", vec![7; 2 * 1024 * 1024]);
    let keyed = |call: Call, key| call.header("idempotency-key", key);
    let first = keyed(batch(&alice, items.clone()), "k1").await.expect(200);
    assert_eq!(keyed(batch(&alice, items), "k1").await.expect(200).body, first.body);
    assert_eq!(statuses(&results(first)), [201, 201, 400]);
    let first = keyed(form(&alice, parts()), "k2").await;
    assert_eq!(keyed(form(&alice, parts()), "k2").await.expect(200).body, first.body);
    assert_eq!(stored(first).len(), 2);
    assert_eq!(app.keys().await.len(), 4);
}

#[tokio::test]
async fn one_call_deletes_up_to_a_thousand_files() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let ids = |count: usize| json!((0..count).map(|n| format!("{n:032x}")).collect::<Vec<_>>());
    delete(&alice, ids(0)).await.wrong_field("artifact_ids");
    delete(&alice, ids(1001)).await.wrong_field("artifact_ids");
    let results = results(delete(&alice, ids(1000)).await);
    assert_eq!(statuses(&results), [404; 1000]);
}

#[tokio::test]
async fn a_batch_has_a_limit_of_bytes() {
    let app = TestApp::in_memory_with(|options| {
        options.limits.max_batch_bytes = 3 * 1024 * 1024;
        options.limits.max_upload_bytes = 5 * 1024 * 1024 / 2;
    })
    .await;
    let alice = app.user("alice");
    let text = |bytes: usize| json!({ "text": "x".repeat(bytes) });
    let mib = 1024 * 1024;
    for items in [json!([text(2 * mib), text(mib + 1)]), json!([text(10 * mib)])] {
        batch(&alice, items).await.problem(413, "payload_too_large");
    }
    let files = |sizes: &[usize]| {
        let parts = sizes.iter().fold(Form::default(), |form, size| form.file("a", "a/b", vec![7; *size]));
        form(&alice, parts)
    };
    for sizes in [&[2 * mib, mib + 1][..], &[mib, mib, mib, 1], &[10 * mib]] {
        files(sizes).await.problem(413, "payload_too_large");
    }
    assert_eq!(app.keys().await, [""; 0]);

    assert_eq!(stored(batch(&alice, json!([text(2 * mib), text(mib)])).await).len(), 2);
    assert_eq!(stored(files(&[2 * mib, mib]).await).len(), 2);
    // What alone is larger than a file may be fails alone.
    assert_eq!(statuses(&results(batch(&alice, json!([text(5 * mib / 2 + 1), text(1)])).await)), [413, 201]);
    assert_eq!(app.keys().await.len(), 5);
}

#[tokio::test]
async fn a_form_has_at_most_as_many_files_as_a_batch() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let parts = |count: usize| (0..count).fold(Form::default(), |form, n| form.file(&n.to_string(), "a/b", "x"));
    form(&alice, parts(0)).await.wrong_field("file");
    let too_many = form(&alice, parts(101).field("scope", "user")).await;
    too_many.wrong_field("file");
    assert!(too_many.text().contains("at most 100"), "{}", too_many.text());
    assert_eq!(app.keys().await, [""; 0]);
    assert_eq!(stored(form(&alice, parts(100)).await).len(), 100);
}

#[tokio::test]
async fn the_fields_of_a_form_hold_for_all_its_files() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let parts = || Form::default().file("a", "a/b", "x").file("b", "a/b", vec![7; 2 * 1024 * 1024]);
    for (field, text) in [
        ("ttl", "0"),
        ("scope", "global"),
        ("meta", "[]"),
        ("filename", "one for two"),
        ("sha256", &sha256("x")),
        ("sumary", "a typo"),
    ] {
        form(&alice, parts().field(field, text)).await.wrong_field(field);
    }
    form(&alice, parts().field("ttl", "60").field("ttl", "60")).await.wrong_field("ttl");
    let forbidden = results(form(&alice, parts().field("scope", "sandbox")).await);
    assert_eq!(statuses(&forbidden), [403, 403]);
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn what_is_no_batch_is_refused_as_a_whole() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let deep = format!("{{\"items\":[{}", "[".repeat(1_000_000));
    let empty = format!("{{\"items\":[{}0]}}", "0,".repeat(1_000_000));
    for path in ["/v1/artifacts/batch", "/v1/artifacts/batch/delete"] {
        let (name, good) = match path {
            "/v1/artifacts/batch" => ("items", json!([{ "text": "x" }])),
            _ => ("artifact_ids", json!([file["artifact_id"]])),
        };
        for body in ["", "{", "null", "[]", "{}", "{} {}", "[[]]", &deep.replace("items", name)] {
            let call = alice.post(path).header("content-type", "application/json").body(body.to_owned());
            call.await.problem(400, "invalid_request");
        }
        for wrong in [json!({}), json!("x"), json!(null), json!(1)] {
            alice.post(path).json(json!({ name: wrong })).await.wrong_field(name);
        }
        let too_many = alice.post(path).header("content-type", "application/json");
        too_many.body(empty.replace("items", name)).await.wrong_field(name);
        alice.post(path).json(json!({ name: good, "scope": "user" })).await.problem(400, "invalid_request");
        alice.post(&format!("{path}?scope=user")).json(json!({ name: good })).await.wrong_field("scope");
        let typed = alice.post(path).header("content-type", "text/plain").body(json!({ name: good }).to_string());
        typed.await.problem(415, "unsupported_media_type");
        alice.get(path).await.problem(405, "method_not_allowed");
    }
    // Deep below, it is the item's own problem.
    let nested = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let results = results(batch(&alice, json!([{ "text": "x", "meta": nested }, { "text": "y" }])).await);
    assert_eq!(statuses(&results), [400, 201]);
    batch(&alice, json!([{ "text": "x" }])).header("content-digest", "sha-256=:x:").await.wrong_field("content-digest");
    let coded = batch(&alice, json!([{ "text": "x" }])).header("content-encoding", "gzip").await;
    coded.problem(415, "unsupported_media_type");
    assert_eq!(app.keys().await.len(), 2);
}

#[tokio::test]
async fn who_may_not_write_stores_and_deletes_nothing() {
    let app = TestApp::in_memory().await;
    let reader = app.user("alice").with_rights("artifacts:read");
    for path in ["/v1/artifacts/batch", "/v1/artifacts/batch/delete"] {
        for content_type in ["application/json", "multipart/form-data; boundary=x"] {
            // A body that never comes shows that it was not waited for.
            let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
            let call = reader.post(path).header("content-type", content_type).body(never);
            let reply = tokio::time::timeout(Duration::from_secs(30), call.into_future()).await;
            reply.expect("an answer").problem(403, "insufficient_scope");
        }
    }
}

#[tokio::test]
async fn a_provider_that_fails_is_told_for_each_file() {
    let providers = Providers::open(Pair::Memory).await;
    let trouble = |inner| Troubled { inner, trouble: Trouble::Unavailable, on_writing: true };
    let app = TestApp::with(providers.with_storage(trouble), |_| {});
    let results = results(batch(&app.user("alice"), json!([{ "text": "x" }, { "text": "x", "ttl": 0 }])).await);
    assert_eq!(statuses(&results), [503, 400]);
    assert_eq!(results[0]["error"]["code"], "provider_unavailable");
    assert!(!results[0].to_string().contains("inside,") && !results[0].to_string().contains("memory"));
    assert_eq!(app.keys().await, [""; 0]);
}
