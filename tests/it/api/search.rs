//! Searching: what is found, in which order, and for whom.

use artifactd::domain::time::Timestamp;
use artifactd::metadata::Replaced;
use serde_json::{Value, json};

use super::support::{Client, DAY, Pair, Providers, Reply, TestApp, encoded, names_of, store_file};

on_every_pair! {
    what_is_found_is_as_every_filter_says,
    metadata_is_found_by_path_and_value,
    words_are_found_in_name_and_summary_in_any_script,
    a_search_has_the_order_asked_for,
    a_file_is_found_by_what_it_is_now,
    a_file_can_be_found_by_very_much,
    everybody_finds_what_they_may_read_and_nothing_else,
    a_session_does_not_find_the_files_of_an_earlier_one,
    an_ended_default_session_that_another_user_took_over_is_nobodys_business,
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
        (json!({ "list": "demo" }), &[]),
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
    let (first, last) =
        (json!({ "q": "一" }), json!({ "q": summary.chars().last().unwrap(), "meta": { "1499": 1499 } }));
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

/// Who asks, what for, and what is found; 403 is for questions that are not theirs to ask.
const TABLE: &str = "
alice                      |                            | default, alice s1, alice s2, shared
alice                      | scope=session              | default
alice                      | scope=user                 | alice s1, alice s2
alice                      | scope=sandbox              | shared
alice                      | session_id=s1              | s1, alice s1
alice                      | session_id=s2              | s2, alice s2
alice                      | session_id=s2&scope=user   | alice s2
alice                      | session_id=r               | 403
alice                      | session_id=b               | 403
alice                      | session_id=b&scope=user    | 403
alice                      | session_id=nobody's        |
alice                      | session_id=missing         |
alice naming s1            |                            | s1, alice s1, alice s2, shared
alice naming s1            | scope=session              | s1
alice naming missing       |                            | alice s1, alice s2, shared
alice naming b             |                            | 403
alice naming b             | scope=sandbox              | 403
alice with a token for s1  |                            | s1, alice s1, alice s2, shared
alice with a token for s1  | session_id=s1&scope=session | s1
alice with a token for s1  | session_id=s2              | 403
alice, token s1, naming s2 |                            | 403
alice, token s1, naming s2 | scope=sandbox              | 403
alice with write only      |                            | 403
alice with read only       |                            | default, alice s1, alice s2, shared
a token for s1             |                            | s1, shared
a token for s1             | scope=session              | s1
a token for s1             | scope=user                 | 403
a token for s1             | session_id=s2              | 403
a token for missing        |                            | shared
bob                        |                            | bob, shared
bob                        | session_id=b               | b, bob
bob                        | session_id=s1              | 403
bob with a token for s1    |                            | 403
carol                      |                            | shared
carol                      | scope=session              |
an administrator           |                            | shared
an administrator           | session_id=s1              | 403
an administrator           | session_id=r               | r, shared
alice elsewhere            |                            | elsewhere
alice elsewhere            | session_id=s1              | elsewhere s1
alice elsewhere            | session_id=b               |
dave elsewhere             |                            |
";

fn caller(app: &TestApp, name: &str) -> Client {
    let alice = app.user("alice");
    match name {
        "alice" => alice,
        "alice naming s1" => alice.naming("s1"),
        "alice naming missing" => alice.naming("missing"),
        "alice naming b" => alice.naming("b"),
        "alice with a token for s1" => app.user_in_session("alice", "s1"),
        "alice, token s1, naming s2" => app.user_in_session("alice", "s1").naming("s2"),
        "alice with write only" => alice.with_rights("artifacts:write"),
        "alice with read only" => alice.with_rights("artifacts:read"),
        "a token for s1" => app.session("s1"),
        "a token for missing" => app.session("missing"),
        "bob" => app.user("bob"),
        "bob with a token for s1" => app.user_in_session("bob", "s1"),
        "carol" => app.user("carol"),
        "an administrator" => app.admin("root"),
        "alice elsewhere" => alice.in_sandbox(&elsewhere(app)),
        "dave elsewhere" => app.user("dave").in_sandbox(&elsewhere(app)),
        unknown => panic!("{unknown}"),
    }
}

fn elsewhere(app: &TestApp) -> String {
    format!("not {}", app.sandbox)
}

async fn everybody_finds_what_they_may_read_and_nothing_else(app: TestApp) {
    let (alice, bob) = (app.user("alice"), app.user("bob"));
    let away = alice.in_sandbox(&elsewhere(&app));
    for (client, scope, name) in [
        (alice.clone(), "session", "default"),
        (alice.naming("s1"), "session", "s1"),
        (alice.naming("s2"), "session", "s2"),
        (alice.naming("s1"), "user", "alice s1"),
        (alice.naming("s2"), "user", "alice s2"),
        (bob.naming("b"), "session", "b"),
        (bob.naming("b"), "user", "bob"),
        (app.admin("root").naming("r"), "session", "r"),
        (app.admin("root").naming("r"), "sandbox", "shared"),
        (app.session("a session token's"), "session", "nobody's"),
        (away.naming("s1"), "session", "elsewhere s1"),
        (away.clone(), "user", "elsewhere"),
    ] {
        store_file(&client, json!({ "filename": name, "summary": "to be found", "scope": scope })).await;
    }
    for line in TABLE.trim().lines() {
        let [name, parameters, expected] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let client = caller(&app, name);
        for filter in [json!({}), json!({ "q": "found" })] {
            let mut question = filter;
            for (name, value) in parameters.split('&').filter_map(|pair| pair.split_once('=')) {
                question[name] = json!(value);
            }
            if expected == "403" {
                client.ask(&question).await.problem(403, "access_denied");
                continue;
            }
            let mut expected: Vec<&str> = expected.split(", ").filter(|name| !name.is_empty()).collect();
            expected.sort_unstable();
            assert_eq!(client.found(&question).await, expected, "{line}");
        }
    }
    app.nobody().get("/v1/artifacts").await.problem(401, "unauthenticated");
    app.nobody().post("/v1/artifacts/search").json(json!({})).await.problem(401, "unauthenticated");
    // To search does not begin a session.
    alice.get("/v1/sessions/missing").await.problem(404, "session_not_found");
}

async fn a_session_does_not_find_the_files_of_an_earlier_one(app: TestApp) {
    let alice = app.user("alice");
    alice.naming("s1").stored("filename=first", "x").await;
    alice.naming("s1").stored("filename=kept&scope=user", "x").await;
    alice.delete("/v1/sessions/s1").await.expect(204);
    assert_eq!(alice.naming("s1").found(&json!({ "scope": "session" })).await, [""; 0]);
    assert_eq!(alice.found(&json!({ "session_id": "s1" })).await, ["kept"]);

    let bob = app.user("bob").naming("s1");
    bob.stored("filename=second", "x").await;
    assert_eq!(bob.found(&json!({})).await, ["second"]);
    alice.ask(&json!({ "session_id": "s1" })).await.problem(403, "access_denied");
    // It ends by itself: what it leaves until it is swept is found by nobody.
    app.pass(DAY);
    assert_eq!(bob.found(&json!({})).await, [""; 0]);
    alice.naming("s1").stored("filename=third", "x").await;
    assert_eq!(alice.naming("s1").found(&json!({ "scope": "session" })).await, ["third"]);
}

async fn an_ended_default_session_that_another_user_took_over_is_nobodys_business(app: TestApp) {
    let alice = app.user("alice");
    let session = alice.stored("filename=a", "x").await.text("session_id").to_owned();
    alice.stored("filename=kept&scope=user", "x").await;
    app.pass(DAY);
    app.user("bob").naming(&session).stored("filename=b", "x").await;
    assert_eq!(alice.found(&json!({})).await, ["kept"]);
    assert_eq!(alice.found(&json!({ "scope": "session" })).await, [""; 0]);
    alice.naming(&session).ask(&json!({})).await.problem(403, "access_denied");
}

/// As a crash in the middle of ending a session may leave it.
#[tokio::test]
async fn what_an_earlier_session_left_behind_is_found_by_nobody() {
    let providers = Providers::open(Pair::Memory).await;
    let app = TestApp::with(providers.clone(), |_| {});
    let alice = app.user("alice").naming("s1");
    let file = alice.stored("filename=left", "x").await;
    alice.stored("filename=new", "x").await;
    let before = providers.metadata.artifact(file.text("artifact_id").parse().unwrap()).await.unwrap().unwrap();
    let mut after = before.clone();
    after.session.as_mut().unwrap().began = Timestamp::from_millis(0);
    after.version += 1;
    assert_eq!(providers.metadata.replace_artifact(&before, &after, None).await.unwrap(), Replaced::Done);
    assert_eq!(alice.found(&json!({})).await, ["new"]);
    assert_eq!(alice.get("/v1/sessions/s1/artifacts").await.expect(200).names(), ["new"]);
    alice.get(&file.path).await.problem(404, "artifact_not_found");
}

#[tokio::test]
async fn each_page_links_to_the_next() {
    for (public_url, query) in [
        (None, "order=filename&limit=2&q=%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82"),
        (Some("https://files.example/base"), "limit=2&&mime_prefix=application/&order=filename&meta.a%26b=c%2Bd+e"),
        (None, "limit=3&order=filename&q=привет&session_id=naïve%20session&"),
    ] {
        let app = TestApp::in_memory_with(|options| options.public_url = public_url).await;
        let alice = app.user("alice");
        let session = format!("session_id={}", encoded("naïve session"));
        for name in 0..7 {
            let meta = encoded(json!({ "a&b": "c+d e" }).to_string());
            alice.stored(&format!("{session}&scope=user&filename={name}&summary=Привет&meta={meta}"), "x").await;
        }
        let mut names = Vec::new();
        let mut next = Some(format!("/v1/artifacts?{query}"));
        while let Some(path) = next {
            let reply = alice.get(&path).await.expect(200);
            names.extend(reply.names());
            next = next_page(&reply, public_url.unwrap_or_default());
            assert_eq!(next.is_some(), reply.cursor().is_some());
        }
        assert_eq!(names, ["0", "1", "2", "3", "4", "5", "6"], "{query}");
        // However the cursor is spelled, the next one takes its place.
        let first = alice.get("/v1/artifacts?limit=2&order=filename").await;
        let spelled = format!("/v1/artifacts?limit=2&%63ursor={}&order=filename", first.cursor().unwrap());
        let third = next_page(&alice.get(&spelled).await.expect(200), public_url.unwrap_or_default()).unwrap();
        assert_eq!(alice.get(&third).await.expect(200).names(), ["4", "5"]);
    }
}

/// Where `Link` says that the next page is.
fn next_page(reply: &Reply, base: &str) -> Option<String> {
    let link = reply.headers.get("link")?.to_str().unwrap();
    let url = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    Some(url.strip_prefix(base).unwrap().to_owned())
}

#[tokio::test]
async fn a_page_has_as_many_items_as_asked_for() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    for name in 0..101 {
        alice.stored(&format!("scope=user&filename={name}"), "x").await;
    }
    for (question, expected) in [
        (json!({}), 100),
        (json!({ "limit": 1 }), 1),
        (json!({ "limit": 100 }), 100),
        (json!({ "limit": 101 }), 101),
        (json!({ "limit": 1000 }), 101),
        (json!({ "limit": "7" }), 7),
    ] {
        let reply = alice.ask(&question).await.expect(200);
        assert_eq!(reply.items().len(), expected, "{question}");
        assert_eq!(reply.cursor().is_some(), expected < 101, "{question}");
        assert_eq!(reply.header("link").is_empty(), expected == 101, "{question}");
    }
    let item = &alice.get("/v1/artifacts?limit=1").await.items()[0];
    let record = alice.get(&format!("/v1/artifacts/{}", item["artifact_id"].as_str().unwrap())).await;
    assert_eq!(*item, record.json(), "an item is a whole record");
}

#[tokio::test]
async fn a_page_of_much_metadata_ends_early() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice").naming("s1");
    let meta = json!({ "x": "y".repeat(16_000) });
    let item = |n: usize| json!({ "text": "x", "filename": format!("a/{n:03}"), "meta": meta });
    for items in [0..70, 70..140] {
        let items: Vec<Value> = items.map(item).collect();
        alice.post("/v1/artifacts/batch").json(json!({ "items": items })).await.expect(200);
    }
    let expected: Vec<String> = (0..140).map(|n| format!("a/{n:03}")).collect();
    for (path, query) in [
        ("/v1/artifacts", "order=filename"),
        ("/v1/artifacts", "order=filename&max_bytes=1&q=a"),
        ("/v1/sessions/s1/artifacts", "prefix=a/&delimiter=/"),
        ("/v1/sessions/s1/artifacts", ""),
    ] {
        let pages = alice.pages(path, query, 1000).await;
        assert_eq!(pages.iter().flat_map(Reply::names).collect::<Vec<_>>(), expected, "{path}?{query}");
        for page in &pages {
            assert!(page.body.len() < 3 * 1024 * 1024, "{path}?{query}: {} bytes", page.body.len());
        }
        assert!(pages.len() > 1);
    }
}

#[tokio::test]
async fn what_is_no_question_is_refused_by_name() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    alice.stored("scope=user", "x").await;
    let words = |count: usize| (0..count).map(|n| format!("w{n} ")).collect::<String>();
    for (name, value) in [
        ("limit", json!(0)),
        ("limit", json!(-1)),
        ("limit", json!(1.5)),
        ("limit", json!(1001)),
        ("limit", json!(1_000_000_000)),
        ("limit", json!("99999999999999999999999")),
        ("limit", json!("x")),
        ("limit", json!("+5")),
        ("limit", json!("")),
        ("order", json!("size")),
        ("order", json!("--bytes")),
        ("order", json!("")),
        ("scope", json!("all")),
        ("scope", json!("")),
        ("session_id", json!("")),
        ("session_id", json!("a\nb")),
        ("session_id", json!("x".repeat(256))),
        ("mime_prefix", json!("")),
        ("mime_prefix", json!("image /")),
        ("mime_prefix", json!("text/plain; charset=utf-8")),
        ("mime_prefix", json!("text/plän")),
        ("filename_prefix", json!("x".repeat(1025))),
        ("q", json!("")),
        ("q", json!(" \u{2014} …!")),
        ("q", json!("😀")),
        ("q", json!(words(21))),
        ("q", json!("x".repeat(1025))),
        ("stored_after", json!("yesterday")),
        ("stored_after", json!("2026-01-31")),
        ("stored_after", json!("2026-01-31T12:00:00")),
        ("stored_before", json!("2026-13-01T00:00:00Z")),
        ("stored_before", json!("2026-01-31T12:00:00 02:00")),
        ("stored_before", json!(1_767_225_600)),
        ("stored_before", json!("")),
        ("min_bytes", json!(-1)),
        ("min_bytes", json!(1.5)),
        ("min_bytes", json!("1k")),
        ("max_bytes", json!("99999999999999999999999")),
        ("max_bytes", json!("")),
        ("max_bytes", json!("+5")),
        ("meta", many_members(21)),
        ("meta.k", json!("in a member of its own")),
        ("sumary", json!("x")),
        ("order_by", json!("bytes")),
        ("Limit", json!(5)),
    ] {
        let mut question = json!({});
        question[name] = value;
        if name == "meta.k" {
            alice.post("/v1/artifacts/search").json(question).await.wrong_field(name);
        } else {
            let reply = alice.ask(&question).await;
            assert_eq!(reply.status, 400, "{question}");
            reply.wrong_field(name);
        }
    }
    for (question, count) in [
        (json!({ "meta": many_members(20) }), 0),
        (json!({ "q": words(20) }), 0),
        (json!({ "q": "w1 ".repeat(340) }), 0),
        (json!({ "q": 2026 }), 0),
        (json!({ "session_id": "x".repeat(255) }), 0),
        (json!({ "filename_prefix": "x".repeat(1024) }), 0),
        (json!({ "stored_after": "2026-01-31T12:00:00.123456+02:00" }), 1),
        (json!({ "stored_after": "1969-01-01T00:00:00Z", "stored_before": "9998-12-31T23:59:59Z" }), 1),
    ] {
        assert_eq!(alice.ask(&question).await.expect(200).items().len(), count, "{question}");
    }
}

/// An object with so many short members.
fn many_members(count: usize) -> Value {
    Value::Object((0..count).map(|n| (n.to_string(), json!(n))).collect())
}

#[tokio::test]
async fn values_of_metadata_are_texts_numbers_and_booleans() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let search = alice.post("/v1/artifacts/search");
    for (meta, field) in [
        (json!({ "a": null }), "meta.a"),
        (json!({ "a": [] }), "meta.a"),
        (json!({ "a": ["x"] }), "meta.a"),
        (json!({ "a": {} }), "meta.a"),
        (json!({ "a": { "b": { "c": null } } }), "meta.a.b.c"),
        (json!({ "a": { "b": [1] } }), "meta.a.b"),
        (json!("a=b"), "meta"),
        (json!([]), "meta"),
        (json!(null), "meta"),
    ] {
        alice.post("/v1/artifacts/search").json(json!({ "meta": meta })).await.wrong_field(field);
    }
    search.json(json!({ "meta": {} })).await.expect(200);
    alice.get("/v1/artifacts?meta=a").await.wrong_field("meta");
    // What cannot be looked for without reading ever so much is refused at once.
    let long = "x".repeat(1025);
    alice.get(&format!("/v1/artifacts?meta.{long}=1")).await.problem(400, "invalid_request");
    for meta in [
        json!({ &*long: 1 }),
        json!({ &long[..600]: { &long[..600]: 1 } }),
        json!({ "x".repeat(30_000): many_members(3_000) }),
        (0..120).fold(json!(1), |inner, _| json!({ "x".repeat(500): inner })),
    ] {
        let problem = alice.post("/v1/artifacts/search").json(json!({ "meta": meta })).await;
        let problem = problem.problem(400, "invalid_request");
        let field = problem["errors"][0]["field"].as_str().unwrap();
        assert!(field.starts_with("meta.x") && field.len() < 1000, "{problem}");
    }
    let too_long = json!({ "meta": { "x".repeat(64 * 1024): 1 } });
    alice.post("/v1/artifacts/search").json(too_long).await.problem(413, "payload_too_large");
    // A file may have such a path; it is only not found by it.
    let meta = json!({ &*long: 1, "short": { &long[..1018]: 1 }, "shorter": 1 });
    store_file(&alice, json!({ "filename": "a", "meta": meta })).await;
    assert_eq!(alice.found(&json!({ "meta": { "shorter": 1 } })).await, ["a"]);
    assert_eq!(alice.found(&json!({ "meta": { "short": { &long[..1018]: 1 } } })).await, ["a"]);
}

#[tokio::test]
async fn a_question_is_an_object_with_each_member_once() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let search = || alice.post("/v1/artifacts/search");
    let json = |body: &str| search().header("content-type", "application/json").body(body.to_owned());
    for body in ["", "null", "[]", "[\"session\"]", "\"q\"", "1", "{", "{} {}", r#"{"q": "a", "q": "b"}"#] {
        json(body).await.problem(400, "invalid_request");
    }
    json(r#"{"meta": {"a": 1}, "meta": {"b": 1}}"#).await.problem(400, "invalid_request");
    json("{}").await.expect(200);
    search().header("content-type", "text/plain").body("{}").await.problem(415, "unsupported_media_type");
    search().json(json!({ "q": { "word": "a" } })).await.wrong_field("q");
    search().json(json!({ "q": ["a"] })).await.wrong_field("q");
    search().json(json!({ "limit": true })).await.wrong_field("limit");
    alice.post("/v1/artifacts/search?limit=5").json(json!({})).await.wrong_field("limit");
    alice.post("/v1/artifacts/search?q=a").json(json!({})).await.wrong_field("q");

    for name in ["scope=user", "q=a", "limit=5", "order=bytes", "session_id=s1", "cursor=x", "stored_after=x"] {
        alice.get(&format!("/v1/artifacts?{name}&{name}")).await.problem(400, "invalid_request");
    }
    alice.get("/v1/artifacts?q=a&%71=b").await.wrong_field("q");
    alice.get("/v1/artifacts?q=%ff").await.problem(400, "invalid_request");
    // The session of the request may be named in the query, too, and is the one searched.
    alice.post("/v1/artifacts?session_id=s1&filename=a").body("x").await.expect(201);
    assert_eq!(alice.post("/v1/artifacts/search?session_id=s1").json(json!({})).await.expect(200).names(), ["a"]);
    let other = alice.naming("s2").get("/v1/artifacts?session_id=s1").await;
    other.wrong_field("session_id");
}
