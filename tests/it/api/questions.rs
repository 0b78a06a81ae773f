//! Searching: how questions are put, and answers divided into pages.

use serde_json::{Value, json};

use super::support::{Reply, TestApp, encoded, many_members, store_file};

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
    // A file may have such a path; it is only not found by it, nor by a value that is as long.
    let meta = json!({ &*long: 1, "short": { &long[..121]: 1 }, "text": &long[..125], "shorter": 1 });
    let file = store_file(&alice, json!({ "filename": "a", "meta": meta })).await;
    assert_eq!(file["meta"], meta, "all of it is kept");
    assert_eq!(alice.found(&json!({ "meta": { "shorter": 1 } })).await, ["a"]);
    assert_eq!(alice.found(&json!({ "meta": { "short": { &long[..121]: 1 } } })).await, ["a"]);
    assert_eq!(alice.found(&json!({ "meta": { "text": &long[..125] } })).await, [""; 0]);
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
