//! Cursors: they lead through all pages, and are of no use for anything else.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::support::{Client, Options, Pair, Providers, SIGNING_SECRET, TestApp, names_of, store_file, together};

on_every_pair! {
    what_stays_is_met_exactly_once_while_others_come_go_and_change,
}

/// Six files in each scope.
async fn filled(app: &TestApp) -> Client {
    let root = app.admin("root").naming("s1");
    for name in 0..6 {
        for scope in ["session", "user", "sandbox"] {
            root.stored(&format!("scope={scope}&filename={name}"), "x").await;
        }
    }
    root
}

/// The cursor of the first page at this path.
async fn cursor(client: &Client, path: &str) -> String {
    client.get(path).await.expect(200).cursor().unwrap()
}

#[tokio::test]
async fn a_cursor_is_of_use_for_the_same_question_of_the_same_caller_only() {
    let app = TestApp::in_memory().await;
    let root = filled(&app).await;
    let question = "q=1&scope=user&order=filename&meta.a=b&mime_prefix=text/";
    for name in ["1.x", "1.y"] {
        store_file(&root, json!({ "filename": name, "scope": "user", "mime": "text/plain", "meta": { "a": "b" } }))
            .await;
    }
    let valid = cursor(&root, &format!("/v1/artifacts?limit=1&{question}")).await;
    let with = |question: &str| format!("/v1/artifacts?{question}&cursor={valid}");
    assert_eq!(root.get(&with(question)).await.expect(200).names(), ["1.y"]);
    // The order of the parameters, and how they are spelled, make no difference; nor does the way to ask.
    let reordered = "scope=user&meta.a=b&mime_prefix=TEXT%2F&q=1&order=filename";
    assert_eq!(root.get(&with(reordered)).await.expect(200).names(), ["1.y"]);
    let body = json!({ "q": "1", "scope": "user", "order": "filename", "meta": { "a": "b" }, "mime_prefix": "text/",
                       "cursor": valid, "limit": 5 });
    assert_eq!(root.post("/v1/artifacts/search").json(body).await.expect(200).names(), ["1.y"]);

    for other in [
        "",
        "q=2&scope=user&order=filename&meta.a=b&mime_prefix=text/",
        "q=1&scope=session&order=filename&meta.a=b&mime_prefix=text/",
        "q=1&order=filename&meta.a=b&mime_prefix=text/",
        "q=1&scope=user&order=-filename&meta.a=b&mime_prefix=text/",
        "q=1&scope=user&order=bytes&meta.a=b&mime_prefix=text/",
        "q=1&scope=user&meta.a=b&mime_prefix=text/",
        "q=1&scope=user&order=filename&meta.a=c&mime_prefix=text/",
        "q=1&scope=user&order=filename&meta.b=a&mime_prefix=text/",
        "q=1&scope=user&order=filename&mime_prefix=text/",
        "q=1&scope=user&order=filename&meta.a=b",
        "q=1&scope=user&order=filename&meta.a=b&mime_prefix=text/&min_bytes=0",
        "q=1&scope=user&order=filename&meta.a=b&mime_prefix=text/&filename_prefix=",
        "q=1&scope=user&order=filename&meta.a=b&mime_prefix=text/&stored_after=2020-01-01T00:00:00Z",
    ] {
        root.get(&with(other)).await.wrong_field("cursor");
    }
    for other in [
        app.admin("alice").naming("s1"),
        app.admin("root"),
        app.admin("root").naming("s2"),
        app.user_in_session("root", "s1"),
        app.session("s1"),
        root.in_sandbox("elsewhere"),
    ] {
        let reply = other.get(&format!("/v1/artifacts?cursor={}", cursor(&root, "/v1/artifacts?limit=1").await)).await;
        reply.wrong_field("cursor");
    }
    let (alice, bob) = (app.user("alice"), app.user("bob"));
    for client in [&alice, &alice, &bob] {
        client.stored("scope=user", "x").await;
    }
    let of_alice = cursor(&alice, "/v1/artifacts?scope=user&limit=1").await;
    bob.get(&format!("/v1/artifacts?scope=user&cursor={of_alice}")).await.wrong_field("cursor");
    alice.get(&format!("/v1/artifacts?scope=user&cursor={of_alice}")).await.expect(200);

    let listing = "/v1/sessions/s1/artifacts";
    let of_session = cursor(&root, &format!("{listing}?limit=2")).await;
    root.get(&format!("{listing}?cursor={valid}")).await.wrong_field("cursor");
    root.get(&format!("/v1/artifacts?cursor={of_session}")).await.wrong_field("cursor");
    root.get(&format!("/v1/artifacts?order=filename&scope=session&cursor={of_session}")).await.wrong_field("cursor");
    root.get(&format!("{listing}?cursor={of_session}&prefix=1")).await.wrong_field("cursor");
    root.get(&format!("{listing}?cursor={of_session}&delimiter=/")).await.wrong_field("cursor");
    root.stored("session_id=s1", "x").await;
    app.admin("root").naming("s2").stored("", "x").await;
    root.get(&format!("/v1/sessions/s2/artifacts?cursor={of_session}")).await.wrong_field("cursor");
    assert_eq!(root.get(&format!("{listing}?cursor={of_session}")).await.expect(200).items().len(), 4);
}

#[tokio::test]
async fn what_is_no_cursor_is_refused() {
    let app = TestApp::in_memory().await;
    let root = filled(&app).await;
    let mut refused = vec![
        String::new(),
        "x".to_owned(),
        "null".to_owned(),
        "0".repeat(64),
        "A".repeat(8192),
        "A".repeat(50_000),
        "*".repeat(60),
        "%00".to_owned(),
        "%F0%9F%98%80".to_owned(),
    ];
    let valid = cursor(&root, "/v1/artifacts?limit=1").await;
    refused.extend((0..valid.len()).map(|length| valid[..length].to_owned()));
    refused.extend(["=", "A", "AA", "%0A", "%20"].map(|more| format!("{valid}{more}")));
    refused.push(format!("{valid}{valid}"));
    for position in 0..valid.len() {
        let mut changed = valid.clone().into_bytes();
        changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
        refused.push(String::from_utf8(changed).unwrap());
    }
    for cursor in &refused {
        root.get(&format!("/v1/artifacts?cursor={cursor}")).await.wrong_field("cursor");
    }
    for cursor in refused.iter().filter(|cursor| !cursor.contains('%')).step_by(10) {
        root.post("/v1/artifacts/search").json(json!({ "cursor": cursor })).await.wrong_field("cursor");
        root.get(&format!("/v1/sessions/s1/artifacts?cursor={cursor}")).await.wrong_field("cursor");
    }
    for cursor in [json!(1), json!(true), json!([]), json!({ "a": 1 })] {
        root.post("/v1/artifacts/search").json(json!({ "cursor": cursor })).await.wrong_field("cursor");
    }
    root.get(&format!("/v1/artifacts?cursor={valid}")).await.expect(200);
}

#[tokio::test]
async fn the_limit_may_change_from_page_to_page() {
    let app = TestApp::in_memory().await;
    let root = filled(&app).await;
    let expected = names_of(&root.walk("order=filename", 1000).await);
    let mut names = Vec::new();
    let mut cursor = String::new();
    for limit in [1, 4, 2, 7, 1000] {
        let page = root.get(&format!("/v1/artifacts?order=filename&limit={limit}{cursor}")).await.expect(200);
        names.extend(page.names());
        cursor = page.cursor().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
    }
    assert_eq!((names, &*cursor), (expected, ""));
}

#[tokio::test]
async fn cursors_outlive_the_secret_that_made_them_for_as_long_as_it_is_listed() {
    const NEW_SECRET: &str = "a newer secret of the tests, 32 bytes or more";
    let providers = Providers::open(Pair::Memory).await;
    let with_secrets = |secrets: Vec<&'static str>| {
        let choose = |options: &mut Options| {
            options.signing_secrets = secrets;
            options.auth.sandbox = "same".parse().unwrap();
        };
        TestApp::with(providers.clone(), choose)
    };
    let [before, during, after] =
        [vec![SIGNING_SECRET], vec![NEW_SECRET, SIGNING_SECRET], vec![NEW_SECRET]].map(with_secrets);
    let old = cursor(&filled(&before).await, "/v1/artifacts?limit=1").await;
    let at = |cursor: &str| format!("/v1/artifacts?cursor={cursor}");
    let root = |app: &TestApp| app.admin("root").naming("s1");
    let expected = root(&before).get(&at(&old)).await.expect(200).items();
    assert_eq!(expected.len(), 17);
    assert_eq!(root(&during).get(&at(&old)).await.expect(200).items(), expected);
    root(&after).get(&at(&old)).await.wrong_field("cursor");
    let new = cursor(&root(&during), "/v1/artifacts?limit=1").await;
    assert_eq!(root(&after).get(&at(&new)).await.expect(200).items(), expected);
    root(&before).get(&at(&new)).await.wrong_field("cursor");
}

/// The one who asks learns no more from a cursor than from the items before it.
#[tokio::test]
async fn cursors_tell_nothing() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let name = "a-name-to-be-found-nowhere";
    for n in 0..3 {
        alice.stored(&format!("scope=user&filename={name}{n}"), "x").await;
    }
    let path = "/v1/artifacts?limit=1&order=filename";
    let (one, other) = (cursor(&alice, path).await, cursor(&alice, path).await);
    assert_ne!(one, other, "the same position has another cursor each time");
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&one).unwrap();
    assert!(!bytes.windows(6).any(|window| name.as_bytes().windows(6).any(|part| part == window)));
    // Files of others make no difference to its size.
    for n in 0..20 {
        app.user("bob").stored(&format!("scope=user&filename={}", "long".repeat(n + 1)), "x").await;
    }
    assert_eq!(cursor(&alice, path).await.len(), one.len());
}

async fn what_stays_is_met_exactly_once_while_others_come_go_and_change(app: TestApp) {
    let root = app.admin("root").naming("s1");
    let description = |n: usize, kind: &str| {
        let scope = ["session", "user", "sandbox"][n % 3];
        let mime = ["text/plain", "text/csv", "text/html"][n % 2];
        json!({ "filename": format!("{}/{n}", n % 5), "bytes": n % 4, "mime": mime, "scope": scope,
                "summary": kind, "meta": { "kind": kind } })
    };
    let store = |n: usize, kind: &'static str| {
        let (root, description) = (root.clone(), description(n, kind));
        async move { store_file(&root, description).await }
    };
    let stays = together((0..24).map(|n| store(n, "stays"))).await;
    let goes = together((24..33).map(|n| store(n, "goes"))).await;

    let walks = [
        ("", 5),
        ("order=stored_at", 3),
        ("order=filename", 4),
        ("order=-bytes&min_bytes=0", 7),
        ("mime_prefix=text/&meta.kind=stays", 3),
        ("order=-filename&q=stays", 2),
    ];
    let is_over = Arc::new(AtomicBool::new(false));
    let expected: Arc<HashSet<String>> =
        Arc::new(stays.iter().map(|file| file.text("artifact_id").to_owned()).collect());
    let walkers = walks.map(|(parameters, limit)| {
        let (root, is_over, expected) = (root.clone(), Arc::clone(&is_over), Arc::clone(&expected));
        tokio::spawn(async move {
            let mut is_last = false;
            while !is_last {
                // Once more at the end, when all is quiet.
                is_last = is_over.load(Ordering::SeqCst);
                let met = root.walk(parameters, limit).await;
                let ids = met.iter().map(|item| item["artifact_id"].as_str().unwrap().to_owned());
                let ids: HashSet<String> = ids.collect();
                assert_eq!(ids.len(), met.len(), "{parameters}: some were met twice");
                let missed: Vec<&String> = expected.difference(&ids).collect();
                assert!(missed.is_empty(), "{parameters}: {missed:?} were missed");
            }
        })
    });
    let (comes, leaves, changes) = (root.clone(), root.clone(), root.clone());
    let paths: Vec<(String, String)> = stays.iter().map(|file| (file.path.clone(), file.content.clone())).collect();
    let writers = [
        tokio::spawn(async move {
            for n in 33..45 {
                store_file(&comes, description(n, "comes")).await;
            }
        }),
        tokio::spawn(async move {
            for file in goes {
                leaves.delete(&file.path).await.expect(204);
            }
        }),
        tokio::spawn(async move {
            for (n, (path, content)) in paths.iter().enumerate() {
                let patch = json!({ "summary": "stays as it were", "meta": { "n": n } });
                changes.patch(path).json(patch).await.expect(200);
                changes.put(content).body("y".repeat(n % 4)).await.expect(200);
            }
        }),
    ];
    let written = futures::future::join_all(writers).await;
    is_over.store(true, Ordering::SeqCst);
    written.into_iter().for_each(Result::unwrap);
    for walker in walkers {
        walker.await.unwrap();
    }
}
