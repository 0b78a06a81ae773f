//! Values that are refused, and odd ones that are not.

use serde_json::{Value, json};

use super::support::{Client, Form, Reply, TestApp, encoded};

/// Stores with one parameter, in each of the three ways to give it. `text` is how a query or a form
/// spells the JSON value.
async fn store_with(client: &Client, name: &str, text: &str, value: &Value) -> Vec<Reply> {
    let form = Form::default().field(name, text).file("", "text/plain", "x");
    let document = json!({ "text": "x", name: value });
    let mut replies =
        vec![client.post("/v1/artifacts").form(form).await, client.post("/v1/artifacts").document(document).await];
    // No server takes a longer URL.
    let query = format!("{name}={}", encoded(text));
    if query.len() < 60_000 {
        replies.push(client.store(&query, "x").await);
    }
    replies
}

async fn assert_refused(app: &TestApp, name: &str, text: &str, value: &Value) {
    for reply in store_with(&app.user("alice"), name, text, value).await {
        reply.wrong_field(name);
    }
    assert_eq!(app.keys().await, [""; 0], "{name}={text}");
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }))
}

#[tokio::test]
async fn names_that_could_leave_a_folder_or_a_header_are_refused() {
    let app = TestApp::in_memory().await;
    let long = "x".repeat(2000);
    for name in [
        "",
        "..",
        ".",
        "../x",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "a/",
        "..\\x",
        "a\r\nX-Evil: 1",
        "a\0b",
        "a\u{7f}",
        &long,
    ] {
        assert_refused(&app, "filename", name, &json!(name)).await;
    }
    let alice = app.user("alice");
    let file = alice.stored("scope=user&filename=kept.txt", "x").await;
    for name in ["", "../x", "a\r\nb", &long] {
        alice.patch(&file.path).json(json!({ "filename": name })).await.wrong_field("filename");
        let put = alice.put(&format!("{}?filename={}", file.content, encoded(name))).body("y");
        put.await.wrong_field("filename");
    }
    // The name that a form gives its file is a name like any other.
    for name in ["../../etc/passwd", "/etc/passwd", &long] {
        let form = Form::default().file(name, "text/plain", "x");
        alice.post("/v1/artifacts").form(form).await.wrong_field("filename");
    }
    assert_eq!(alice.get(&file.path).await.json(), file.json);
    assert_eq!(alice.get(&file.content).await.text(), "x");
}

#[tokio::test]
async fn names_in_any_script_are_kept_as_they_are() {
    let app = TestApp::in_memory().await;
    for name in [
        "it's \"quoted\".txt",
        "😀🏳️‍🌈.png",
        "報告.pdf",
        "..a",
        "a..b",
        ".env",
        "a b+c&d=e%2f.txt",
        "<x>.html",
        &"x".repeat(1024),
    ] {
        for reply in store_with(&app.user("alice"), "filename", name, &json!(name)).await {
            assert_eq!(reply.stored()["filename"], name);
        }
    }
}

#[tokio::test]
async fn meta_is_an_object_of_bounded_depth_and_size() {
    let app = TestApp::in_memory().await;
    let large = json!({ "x": "y".repeat(1024 * 1024) });
    for meta in [json!([]), json!("text"), json!(1), json!(true), nested(33), nested(100), large] {
        assert_refused(&app, "meta", &meta.to_string(), &meta).await;
    }
    let alice = app.user("alice");
    for text in ["", "{", "{}{}", "null", "{'a':1}", "{\"a\":NaN}", &"[".repeat(19_000), "\u{0}"] {
        let query = alice.store(&format!("meta={}", encoded(text)), "x").await;
        query.wrong_field("meta");
    }
    // The limit is one of bytes: it is reached exactly, and not exceeded by a patch.
    let full = json!({ "x": "y".repeat(16 * 1024 - r#"{"x":""}"#.len()) });
    for reply in store_with(&alice, "meta", &full.to_string(), &full).await {
        let file = reply.stored();
        assert_eq!(file["meta"], full);
        alice.patch(&file.path).json(json!({ "meta": { "z": 1 } })).await.wrong_field("meta");
        alice.patch(&file.path).json(json!({ "meta": nested(33), "merge": false })).await.wrong_field("meta");
        assert_eq!(alice.get(&file.path).await.json(), file.json);
    }
    for reply in store_with(&alice, "meta", &nested(32).to_string(), &nested(32)).await {
        assert_eq!(reply.stored()["meta"], nested(32));
    }
}

#[tokio::test]
async fn numbers_in_meta_come_back_as_they_were() {
    let app = TestApp::in_memory().await;
    let meta = json!({
        "max": u64::MAX, "min": i64::MIN, "float": 0.1, "tiny": 5e-324, "large": 1.797_693_134_862_315_7e308,
        "text": "\u{0}\u{1f600}\"\\", "": "empty name", "null": [null, true, []],
    });
    for reply in store_with(&app.user("alice"), "meta", &meta.to_string(), &meta).await {
        let file = reply.stored();
        assert_eq!(file["meta"], meta);
        assert_eq!(app.user("alice").get(&file.path).await.json()["meta"], meta);
    }
}

#[tokio::test]
async fn a_life_is_a_whole_number_of_seconds() {
    let app = TestApp::in_memory().await;
    for (text, value) in [
        ("0", json!(0)),
        ("-1", json!(-1)),
        ("1.5", json!(1.5)),
        ("60.0", json!(60.0)),
        ("1e30", json!(1e30)),
        ("99999999999999999999", json!(1e20)),
        ("18446744073709551615", json!(u64::MAX)),
        ("", json!("")),
        ("abc", json!("60")),
        ("+60", json!([60])),
        (" 60", json!({})),
        ("0x10", json!(true)),
    ] {
        assert_refused(&app, "ttl", text, &value).await;
    }
    let alice = app.user("alice");
    let file = alice.stored("scope=user&ttl=60", "x").await;
    for value in [json!(0), json!(-1), json!(1.5), json!(1e30), json!("60"), json!(u64::MAX)] {
        alice.patch(&file.path).json(json!({ "ttl": value })).await.wrong_field("ttl");
        alice.patch(&file.path).json(json!({ "extend_ttl": value })).await.wrong_field("extend_ttl");
        alice.post("/v1/sessions").json(json!({ "ttl": value })).await.wrong_field("ttl");
        let session = alice.stored("", "x").await["session_id"].clone();
        let extend = alice.post(&format!("/v1/sessions/{}/extend", session.as_str().unwrap()));
        extend.json(json!({ "ttl": value })).await.wrong_field("ttl");
    }
    assert_eq!(alice.get(&file.path).await.json(), file.json);
}

#[tokio::test]
async fn there_are_three_scopes() {
    let app = TestApp::in_memory().await;
    for scope in ["", "global", "Session", "user ", "sessions"] {
        assert_refused(&app, "scope", scope, &json!(scope)).await;
    }
    for reply in store_with(&app.user("alice"), "scope", "sandbox", &json!("sandbox")).await {
        reply.problem(403, "insufficient_scope");
    }
    for reply in store_with(&app.session("s1"), "scope", "user", &json!("user")).await {
        reply.problem(403, "access_denied");
    }
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn summaries_and_types_have_their_limits() {
    let app = TestApp::in_memory().await;
    for summary in ["x".repeat(4097), "a\0b".to_owned()] {
        assert_refused(&app, "summary", &summary, &json!(summary)).await;
    }
    let alice = app.user("alice");
    let text = "two\nlines ".repeat(400);
    for reply in store_with(&alice, "summary", &text, &json!(text)).await {
        assert_eq!(reply.stored()["summary"], text);
    }
    for mime in ["text", "text/", "/plain", "te xt/plain", "text/plän", &format!("text/{}", "x".repeat(300))] {
        alice.post("/v1/artifacts").document(json!({ "text": "x", "mime": mime })).await.wrong_field("mime");
        let raw = alice.store("", "x").header("content-type", mime.as_bytes()).await;
        raw.wrong_field("content-type");
    }
    let typed = alice.store("", "x").header("content-type", "Text/Plain; Charset=UTF-8").await.stored();
    assert_eq!(typed["mime"], "Text/Plain; Charset=UTF-8");
    let untyped = alice.store("filename=a.svg", "x").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(untyped.await.stored()["mime"], "image/svg+xml");
}

#[tokio::test]
async fn what_is_no_id_is_no_missing_file() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let uuid = "0192f0c1-2345-7abc-8def-0123456789ab";
    let upper = "0192F0C123457ABC8DEF0123456789AB";
    for id in ["x", "..%2f..%2fetc", "%00", "%20", uuid, upper, "%2e%2e", &"0".repeat(1000), "名前", "*"] {
        let path = format!("/v1/artifacts/{id}").replace("名前", &encoded("名前"));
        for call in [
            alice.get(&path),
            alice.get(&format!("{path}/content")),
            alice.patch(&path).json(json!({})),
            alice.put(&format!("{path}/content")).body("x"),
            alice.delete(&path),
        ] {
            call.await.wrong_field("id");
        }
    }
    alice.get("/v1/artifacts/0192f0c123457abc8def0123456789ab").await.problem(404, "artifact_not_found");
    alice.get("/v1/artifacts/%ff").await.wrong_field("id");
}

#[tokio::test]
async fn sessions_are_named_by_valid_ids_only() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let long = "x".repeat(1000);
    for id in ["", "a\0b", "a\nb", "\u{85}", &long] {
        let parameter = alice.store(&format!("session_id={}", encoded(id)), "x").await;
        parameter.wrong_field("session_id");
        alice.post("/v1/sessions").json(json!({ "session_id": id })).await.wrong_field("session_id");
        if !id.is_empty() {
            alice.get(&format!("/v1/sessions/{}", encoded(id))).await.wrong_field("id");
        }
    }
    for field in ["", &long, "名前"] {
        alice.store("", "x").header("x-session-id", field).await.wrong_field("x-session-id");
    }
    let twice = alice.store("", "x").header("x-session-id", "s1").header("x-session-id", "s2").await;
    twice.wrong_field("x-session-id");
    alice.get("/v1/sessions/%ff").await.wrong_field("id");
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_form_has_one_file_and_known_fields() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = || Form::default().file("a.txt", "text/plain", "x");
    for (form, field) in [
        (Form::default().field("scope", "user"), "file"),
        (Form::default(), "file"),
        (file().file("b.txt", "text/plain", "y"), "file"),
        (file().field("mime", "text/html"), "mime"),
        (file().field("scope", "user").field("scope", "user"), "scope"),
        (file().field("summary", [0xff]), "summary"),
        (Form::default().file("a.txt", "no type", "x"), "file"),
    ] {
        alice.post("/v1/artifacts").form(form).await.wrong_field(field);
    }
    let both = alice.post("/v1/artifacts?scope=user").form(file().field("scope", "user")).await;
    both.wrong_field("scope");
    let many = (0..40).fold(file(), |form, n| form.field(&format!("field{n}"), "x"));
    alice.post("/v1/artifacts").form(many).await.problem(400, "invalid_request");
    for (content_type, body) in [
        ("multipart/form-data", "x"),
        ("multipart/form-data; boundary=", "x"),
        ("multipart/form-data; boundary=b", ""),
        ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nno end"),
        ("multipart/form-data; boundary=b", "--other\r\n\r\n--other--\r\n"),
    ] {
        let reply = alice.post("/v1/artifacts").header("content-type", content_type).body(body).await;
        reply.problem(400, "invalid_request");
    }
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_json_document_holds_its_bytes_once() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    for document in [
        json!({}),
        json!({ "filename": "a.txt" }),
        json!({ "text": "x", "data_base64": "eA==" }),
        json!({ "data_base64": "no base64!" }),
        json!({ "data_base64": "eA" }),
    ] {
        alice.post("/v1/artifacts").document(document).await.wrong_field("data_base64");
    }
    alice.post("/v1/artifacts").document(json!({ "text": 1 })).await.wrong_field("text");
    alice.post("/v1/artifacts?filename=a").document(json!({ "text": "x" })).await.wrong_field("filename");
    assert_eq!(app.keys().await, [""; 0]);
}
