//! Changing files: bytes replaced, records patched, files deleted.

use serde_json::{Value, json};

use super::support::{Stored, TestApp, sha256};

on_every_pair! {
    replacing_gives_a_new_revision_of_the_same_file,
    a_replacement_may_bring_type_name_and_summary,
    a_patch_merges_meta,
    a_patch_may_replace_meta,
    a_patch_changes_what_it_names_and_nothing_else,
    a_life_can_be_set_extended_and_made_endless,
    a_deleted_file_is_gone_with_its_bytes,
    a_range_of_a_replaced_file_is_of_the_new_bytes,
}

async fn replacing_gives_a_new_revision_of_the_same_file(app: TestApp) {
    let alice = app.user("alice");
    for scope in ["session", "user"] {
        let before = alice.store(&format!("scope={scope}&filename=a.txt&summary=first"), "one").await.stored();
        app.pass(10);
        let reply = alice.put(&before.content).body("number two").await.expect(200);
        let after = reply.json();
        let mut expected = before.json.clone();
        expected["key"] = json!(format!("{}.2", before.text("key")));
        expected["bytes"] = json!(10);
        expected["sha256"] = json!(sha256("number two"));
        expected["etag"] = json!(sha256("number two"));
        expected["revision"] = json!(2);
        expected["updated_at"] = json!(app.in_seconds(0));
        assert_eq!(after, expected);
        assert_eq!(alice.get(&before.path).await.json(), after);
        assert_eq!(alice.get(&before.content).await.text(), "number two");
        assert_eq!(app.bytes_under(after["key"].as_str().unwrap()).await.unwrap(), b"number two");
    }
}

async fn a_replacement_may_bring_type_name_and_summary(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.store("filename=a.txt&summary=old", "x").header("content-type", "text/plain").await.stored();
    let path = format!("{}?filename=b.csv&summary=new&sha256={}", file.content, sha256("1,2"));
    let reply = alice.put(&path).header("content-type", "text/csv").body("1,2").await.expect(200).json();
    assert_eq!(
        (&reply["mime"], &reply["filename"], &reply["summary"]),
        (&json!("text/csv"), &json!("b.csv"), &json!("new"))
    );
    let content = alice.get(&file.content).await;
    assert_eq!(content.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(content.header("content-disposition"), "attachment; filename=\"b.csv\"");
}

async fn a_patch_merges_meta(app: TestApp) {
    let alice = app.user("alice");
    let document = json!({
        "text": "x", "meta": { "kept": 1, "changed": 1, "removed": 1, "inner": { "a": 1, "b": 2 }, "list": [1, 2] },
    });
    let file = alice.post("/v1/artifacts").document(document).await.stored();
    let patch = json!({
        "meta": { "changed": "two", "removed": null, "inner": { "b": null, "c": 3 }, "list": [3], "new": { "x": null } },
    });
    let expected = json!({ "kept": 1, "changed": "two", "inner": { "a": 1, "c": 3 }, "list": [3], "new": {} });
    assert_eq!(alice.patch(&file.path).json(patch.clone()).await.expect(200).json()["meta"], expected);
    // A merge patch may be sent under its own media type (RFC 7396), and twice.
    let again = alice.patch(&file.path).header("content-type", "application/merge-patch+json").body(patch.to_string());
    assert_eq!(again.await.expect(200).json()["meta"], expected);
    assert_eq!(alice.get(&file.path).await.json()["meta"], expected);
}

async fn a_patch_may_replace_meta(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.post("/v1/artifacts").document(json!({ "text": "x", "meta": { "a": 1 } })).await.stored();
    let patch = json!({ "meta": { "b": null }, "merge": false });
    assert_eq!(alice.patch(&file.path).json(patch).await.expect(200).json()["meta"], json!({ "b": null }));
    assert_eq!(alice.get(&file.path).await.json()["meta"], json!({ "b": null }));
    alice.patch(&file.path).json(json!({ "merge": false })).await.wrong_field("merge");
}

async fn a_patch_changes_what_it_names_and_nothing_else(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("filename=a.txt&summary=s&scope=user", "bytes").await;
    let tag = alice.get(&file.path).await.header("etag").to_owned();
    app.pass(5);
    let patch = json!({ "summary": "", "filename": "dir/b.md", "mime": "text/markdown" });
    let reply = alice.patch(&file.path).json(patch).await.expect(200);
    let mut expected = file.json.clone();
    expected["summary"] = json!("");
    expected["filename"] = json!("dir/b.md");
    expected["mime"] = json!("text/markdown");
    expected["updated_at"] = json!(app.in_seconds(0));
    assert_eq!(reply.json(), expected);
    assert_ne!(reply.header("etag"), tag, "the record has another tag");
    assert_eq!(alice.get(&file.path).await.header("etag"), reply.header("etag"));

    let unnamed = alice.patch(&file.path).json(json!({ "filename": null })).await.expect(200).json();
    assert_eq!(unnamed["filename"], Value::Null);
    let content = alice.get(&file.content).await;
    assert_eq!((content.text(), content.header("content-disposition")), ("bytes", "attachment"));
    assert_eq!(content.header("content-type"), "text/markdown; charset=utf-8");
}

async fn a_life_can_be_set_extended_and_made_endless(app: TestApp) {
    let alice = app.user("alice");
    let life = async |file: &Stored, patch: Value| {
        let artifact = alice.patch(&file.path).json(patch).await.expect(200).json();
        (artifact["ttl"].as_u64(), artifact["expires_at"].as_str().map(str::to_owned))
    };
    let file = alice.stored("scope=user&ttl=100", "x").await;
    app.pass(40);
    assert_eq!(life(&file, json!({ "extend_ttl": 50 })).await, (Some(150), Some(app.in_seconds(110))));
    assert_eq!(life(&file, json!({ "ttl": 30 })).await, (Some(30), Some(app.in_seconds(30))));
    assert_eq!(life(&file, json!({ "ttl": null })).await, (None, None));
    alice.patch(&file.path).json(json!({ "extend_ttl": 50 })).await.wrong_field("extend_ttl");
    alice.patch(&file.path).json(json!({ "ttl": 1, "extend_ttl": 1 })).await.wrong_field("extend_ttl");

    let file = alice.stored("ttl=100", "x").await;
    alice.patch(&file.path).json(json!({ "ttl": null })).await.wrong_field("ttl");
    alice.patch(&file.path).json(json!({ "ttl": 86_401 })).await.wrong_field("ttl");
    alice.patch(&file.path).json(json!({ "extend_ttl": 86_400 })).await.wrong_field("extend_ttl");
    assert_eq!(life(&file, json!({ "extend_ttl": 50 })).await, (Some(150), Some(app.in_seconds(150))));
}

async fn a_deleted_file_is_gone_with_its_bytes(app: TestApp) {
    let alice = app.user("alice");
    let (file, other) = (alice.stored("", "x").await, alice.stored("", "y").await);
    let reply = alice.delete(&file.path).await.expect(204);
    assert!(reply.body.is_empty());
    for call in [alice.get(&file.path), alice.get(&file.content), alice.delete(&file.path)] {
        call.await.problem(404, "artifact_not_found");
    }
    alice.patch(&file.path).json(json!({ "summary": "x" })).await.problem(404, "artifact_not_found");
    alice.put(&file.content).body("x").await.problem(404, "artifact_not_found");
    assert_eq!(app.keys().await, [other.text("key")]);
}

async fn a_range_of_a_replaced_file_is_of_the_new_bytes(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("", "0123456789").await;
    alice.put(&file.content).body("abcdefghijklmnop").await.expect(200);
    let part = alice.get(&file.content).header("range", "bytes=-3").await.expect(206);
    assert_eq!((part.text(), part.header("content-range")), ("nop", "bytes 13-15/16"));
}
