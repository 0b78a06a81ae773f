//! Searching: what is found, and in which order.

use serde_json::{Value, json};

use super::support::{Client, TestApp, many_members, names_of, store_file};

on_every_pair! {
    what_is_found_is_as_every_filter_says,
    metadata_is_found_by_path_and_value,
    words_are_found_in_name_and_summary_in_any_script,
    a_search_has_the_order_asked_for,
    a_file_is_found_by_what_it_is_now,
    a_file_can_be_found_by_very_much,
}

async fn what_is_found_is_as_every_filter_says(app: TestApp) {
    let alice = app.user("alice");
    let mut times = Vec::new();
    for (filename, mime, bytes, scope, session) in [
        ("docs/a.pdf", "application/pdf", 10, "user", "s1"),
        ("docs/b.md", "Text/Markdown; charset=utf-8", 20, "user", "s2"),
        ("img/c.png", "image/png", 30, "session", "s1"),
        ("img/d.svg", "image/svg+xml", 30, "session", "s1"),
        ("Docs.txt", "text/plain", 0, "user", "s1"),
    ] {
        let description = json!({ "filename": filename, "mime": mime, "bytes": bytes, "scope": scope });
        let file = store_file(&alice.naming(session), description).await;
        times.push(file.text("stored_at").to_owned());
        app.pass(10);
    }
    let alice = alice.naming("s1");
    let all = ["Docs.txt", "docs/a.pdf", "docs/b.md", "img/c.png", "img/d.svg"];
    let at = |index: usize| json!(times[index]);
    for (question, expected) in [
        (json!({}), &all[..]),
        (json!({ "scope": "user" }), &["Docs.txt", "docs/a.pdf", "docs/b.md"]),
        (json!({ "scope": "session" }), &["img/c.png", "img/d.svg"]),
        (json!({ "scope": "sandbox" }), &[]),
        (json!({ "session_id": "s1" }), &["Docs.txt", "docs/a.pdf", "img/c.png", "img/d.svg"]),
        (json!({ "session_id": "s1", "scope": "user" }), &["Docs.txt", "docs/a.pdf"]),
        (json!({ "mime_prefix": "image/" }), &["img/c.png", "img/d.svg"]),
        (json!({ "mime_prefix": "image/png" }), &["img/c.png"]),
        (json!({ "mime_prefix": "TEXT/M" }), &["docs/b.md"]),
        (json!({ "mime_prefix": "video/" }), &[]),
        (json!({ "filename_prefix": "docs/" }), &["docs/a.pdf", "docs/b.md"]),
        (json!({ "filename_prefix": "docs/b.md" }), &["docs/b.md"]),
        (json!({ "filename_prefix": "" }), &all),
        (json!({ "filename_prefix": "\0" }), &[]),
        (json!({ "filename_prefix": "ocs" }), &[]),
        (json!({ "stored_after": at(0) }), &["Docs.txt", "docs/b.md", "img/c.png", "img/d.svg"]),
        (json!({ "stored_before": at(1) }), &["docs/a.pdf"]),
        (json!({ "stored_after": at(1), "stored_before": at(4) }), &["img/c.png", "img/d.svg"]),
        (json!({ "stored_after": at(2), "stored_before": at(3) }), &[]),
        (json!({ "stored_after": at(3), "stored_before": at(2) }), &[]),
        (json!({ "min_bytes": 20 }), &["docs/b.md", "img/c.png", "img/d.svg"]),
        (json!({ "max_bytes": 20 }), &["Docs.txt", "docs/a.pdf", "docs/b.md"]),
        (json!({ "min_bytes": 10, "max_bytes": 20 }), &["docs/a.pdf", "docs/b.md"]),
        (json!({ "min_bytes": 20, "max_bytes": 10 }), &[]),
        (json!({ "max_bytes": 0 }), &["Docs.txt"]),
        (json!({ "max_bytes": u64::MAX }), &all),
        (json!({ "min_bytes": u64::MAX }), &[]),
        (json!({ "mime_prefix": "image/", "min_bytes": 30, "filename_prefix": "img/d" }), &["img/d.svg"]),
        (json!({ "mime_prefix": "image/", "stored_after": at(2), "q": "img" }), &["img/d.svg"]),
        (json!({ "mime_prefix": "image/", "scope": "user" }), &[]),
    ] {
        for order in ["-stored_at", "stored_at", "filename", "-bytes"] {
            let mut question = question.clone();
            question["order"] = json!(order);
            assert_eq!(alice.found(&question).await, expected, "{question}");
        }
    }
}

async fn metadata_is_found_by_path_and_value(app: TestApp) {
    let alice = app.user("alice");
    for (filename, meta) in [
        ("a", json!({ "project": "demo", "size": { "width": 1920, "ratio": 1.5 }, "final": true })),
        ("b", json!({ "project": "demo", "size": { "width": 640 }, "final": "true", "list": ["demo", 1920] })),
        (
            "c",
            json!({ "project": "Demo", "none": null, "empty": "", "count": "1920", "deep": { "list": [{ "x": 1 }] } }),
        ),
        (
            "d",
            json!({ "size.width": 1920, "": { "": "nameless" }, "ключ": "значение", "a b&c=d": "+%", "big": u64::MAX }),
        ),
        ("e", json!({})),
    ] {
        let mime = if filename < "c" { "text/plain" } else { "image/png" };
        store_file(&alice, json!({ "filename": filename, "mime": mime, "scope": "user", "meta": meta })).await;
    }
    for (meta, expected) in [
        (json!({ "project": "demo" }), &["a", "b"][..]),
        (json!({ "project": "demo", "final": true }), &["a", "b"]),
        (json!({ "project": "demo", "final": false }), &[]),
        (json!({ "size": { "width": 1920 } }), &["a", "d"]),
        (json!({ "size.width": 1920 }), &["a", "d"]),
        (json!({ "size": { "width": 1920, "ratio": 1.5 }, "final": true }), &["a"]),
        (json!({ "size": { "width": "640" } }), &["b"]),
        (json!({ "count": 1920 }), &["c"]),
        (json!({ "big": u64::MAX }), &["d"]),
        (json!({ "size.width": "1920.0" }), &[]),
        (json!({ "size": "1920" }), &[]),
        (json!({ "width": 1920 }), &[]),
        (json!({ "list": "demo" }), &["b"]),
        (json!({ "list": 1920 }), &["b"]),
        (json!({ "list.0": "demo" }), &[]),
        (json!({ "deep.list": "1" }), &[]),
        (json!({ "deep.list.x": 1 }), &[]),
        (json!({ "none": "null" }), &[]),
        (json!({ "missing": "" }), &[]),
        (json!({ "empty": "" }), &["c"]),
        (json!({ "": { "": "nameless" } }), &["d"]),
        (json!({ "ключ": "значение" }), &["d"]),
        (json!({ "a b&c=d": "+%" }), &["d"]),
        (json!({}), &["a", "b", "c", "d", "e"]),
    ] {
        for order in ["stored_at", "-filename"] {
            let question = json!({ "meta": meta, "order": order });
            assert_eq!(alice.found(&question).await, expected, "{question}");
            let of_type = json!({ "meta": meta, "order": order, "mime_prefix": "text/" });
            let expected: Vec<&str> = expected.iter().copied().filter(|name| *name < "c").collect();
            assert_eq!(alice.found(&of_type).await, expected, "{of_type}");
        }
    }
    // A parameter may be repeated; no file has two values in one place.
    let twice = alice.get("/v1/artifacts?meta.project=demo&meta.project=demo&meta.final=true&order=filename").await;
    assert_eq!(twice.expect(200).names(), ["a", "b"]);
    assert_eq!(alice.get("/v1/artifacts?meta.project=demo&meta.project=Demo").await.expect(200).names(), [""; 0]);
}

async fn words_are_found_in_name_and_summary_in_any_script(app: TestApp) {
    let alice = app.user("alice");
    for (filename, summary) in [
        ("reports/Q4_final-v2.PDF", "Quarterly report: it's Ann's!"),
        ("Straße.txt", "ΟΔΟΣ и Привет, Ünïcode"),
        ("四半期報告書.pdf", "รายงานประจำปี 한국어 हिन्दी عربي"),
        ("smile.txt", "😀 ﬁnal ＦＵＬＬ"),
    ] {
        store_file(&alice, json!({ "filename": filename, "summary": summary, "scope": "user" })).await;
    }
    let [report, street, kanji, smile] = ["reports/Q4_final-v2.PDF", "Straße.txt", "四半期報告書.pdf", "smile.txt"];
    for (q, expected) in [
        ("quarterly", &[report][..]),
        ("QUARTERLY report", &[report]),
        ("report quarterly", &[report]),
        ("q4 v2 ann", &[report]),
        ("reports/q4", &[report]),
        ("it's", &[report]),
        ("quarterly missing", &[]),
        ("quarter", &[]),
        ("final", &[report, smile]),
        ("full ﬁnal", &[smile]),
        ("pdf", &[report, kanji]),
        ("pdf quarterly", &[report]),
        ("STRASSE", &[street]),
        ("straße οδος", &[street]),
        ("ПРИВЕТ", &[street]),
        ("u\u{308}ni\u{308}code", &[street]),
        ("報告", &[kanji]),
        ("งาน", &[kanji]),
        ("한국어 عربي", &[kanji]),
        ("हिन्दी", &[kanji]),
        ("txt", &[street, smile]),
    ] {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        for order in ["-stored_at", "bytes"] {
            assert_eq!(alice.found(&json!({ "q": q, "order": order })).await, expected, "{q}");
        }
    }
}

/// Several files of each size and name, some without a name, in three places.
async fn store_many(app: &TestApp) -> Client {
    let root = app.admin("root").naming("s1");
    for (scope, filename, bytes) in [
        ("user", Some("b"), 2),
        ("session", None, 1),
        ("sandbox", Some("a"), 2),
        ("user", None, 2),
        ("session", Some("a/b"), 0),
        ("sandbox", Some("a"), 1),
        ("user", Some("É"), 10),
        ("session", Some("a"), 2),
        ("sandbox", Some("Z"), 300),
    ] {
        store_file(&root, json!({ "filename": filename, "bytes": bytes, "scope": scope })).await;
        // Some are stored in the same millisecond.
        if bytes != 2 {
            app.pass(1);
        }
    }
    root
}

async fn a_search_has_the_order_asked_for(app: TestApp) {
    let root = store_many(&app).await;
    let everything = root.walk("", 1000).await;
    assert_eq!(everything.len(), 9);
    type Key = fn(&Value) -> (u64, String);
    let keys: [(&str, Key); 3] = [
        ("stored_at", |item| (0, item["stored_at"].as_str().unwrap().to_owned())),
        ("filename", |item| (0, item["filename"].as_str().unwrap_or_default().to_owned())),
        ("bytes", |item| (item["bytes"].as_u64().unwrap(), String::new())),
    ];
    for (order, key) in keys {
        let mut expected = everything.clone();
        // What is equal comes in the order of the ids.
        expected.sort_by_key(|item| (key(item), item["artifact_id"].as_str().unwrap().to_owned()));
        for limit in [1, 2, 4, 9, 100] {
            let ascending = root.walk(&format!("order={order}"), limit).await;
            assert_eq!(ascending, expected, "{order} by {limit}");
            let mut descending = root.walk(&format!("order=-{order}"), limit).await;
            descending.reverse();
            assert_eq!(descending, expected, "-{order} by {limit}");
        }
    }
    assert_eq!(root.walk("", 5).await, root.walk("order=-stored_at", 5).await, "the default");
    let names = names_of(&root.walk("order=filename&scope=user", 2).await);
    assert_eq!(names, ["-", "b", "É"], "those without a name come first");
}

async fn a_file_is_found_by_what_it_is_now(app: TestApp) {
    let alice = app.user("alice");
    let file = store_file(
        &alice,
        json!({ "filename": "old.txt", "mime": "text/plain", "summary": "first", "scope": "user",
                "meta": { "state": "draft", "kept": 1 }, "bytes": 5, "ttl": 1000 }),
    )
    .await;
    let old = [
        json!({ "filename_prefix": "old" }),
        json!({ "mime_prefix": "text/" }),
        json!({ "q": "first" }),
        json!({ "q": "old" }),
        json!({ "meta": { "state": "draft" } }),
        json!({ "max_bytes": 5 }),
    ];
    for question in &old {
        assert_eq!(alice.found(question).await, ["old.txt"], "{question}");
    }
    app.pass(10);
    let patch =
        json!({ "filename": "new.png", "mime": "image/png", "summary": "second", "meta": { "state": "final" } });
    alice.patch(&file.path).json(patch).await.expect(200);
    alice.put(&file.content).body("x".repeat(50)).await.expect(200);
    for question in &old {
        assert_eq!(alice.found(question).await, [""; 0], "{question}");
    }
    let new = [
        json!({ "filename_prefix": "new" }),
        json!({ "mime_prefix": "image/" }),
        json!({ "q": "second png" }),
        json!({ "meta": { "state": "final", "kept": 1 } }),
        json!({ "min_bytes": 50, "max_bytes": 50 }),
        // It was stored when it was first stored.
        json!({ "stored_before": app.in_seconds(0) }),
    ];
    for question in &new {
        let reply = alice.ask(question).await.expect(200);
        assert_eq!(reply.items(), [alice.get(&file.path).await.json()], "{question}");
    }
    // Expired, it is gone at once; so is one that is deleted.
    app.pass(989);
    assert_eq!(alice.found(&json!({})).await, ["new.png"]);
    app.pass(1);
    let other = alice.stored("scope=user&filename=other", "x").await;
    for question in new.iter().chain(&old) {
        assert!(!alice.found(question).await.contains(&"new.png".to_owned()), "{question}");
    }
    assert_eq!(alice.found(&json!({})).await, ["other"]);
    alice.delete(&other.path).await.expect(204);
    assert_eq!(alice.found(&json!({})).await, [""; 0]);
}

/// As much metadata and as many words as a file may have.
async fn a_file_can_be_found_by_very_much(app: TestApp) {
    let alice = app.user("alice");
    let summary: String = (0..1360).map(|n| char::from_u32(0x4e00 + n).unwrap()).collect();
    let meta = many_members(1500);
    let file = store_file(&alice, json!({ "filename": "a", "scope": "user", "summary": summary, "meta": meta })).await;
    let (first, last) = (json!({ "q": "一" }), json!({ "q": summary.chars().last().unwrap(), "meta": { "0": 0 } }));
    for question in [&first, &last] {
        assert_eq!(alice.found(question).await, ["a"]);
    }
    let patch = json!({ "summary": "一", "meta": { "new": 1 }, "merge": false });
    alice.patch(&file.path).json(patch).await.expect(200);
    assert_eq!(alice.found(&first).await, ["a"]);
    assert_eq!(alice.found(&last).await, [""; 0]);
    assert_eq!(alice.found(&json!({ "meta": { "new": 1 } })).await, ["a"]);
    alice.delete(&file.path).await.expect(204);
    assert_eq!(alice.found(&first).await, [""; 0]);
}
