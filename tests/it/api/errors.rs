//! Errors look the same, wherever in the service they come from.

use axum::http::Method;
use serde_json::{Value, json};

use super::support::{Call, Client, Stored, TestApp, encoded};

async fn a_file(app: &TestApp) -> (Client, Stored) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "as it was").await;
    (alice, file)
}

#[tokio::test]
async fn a_problem_has_every_member_of_the_contract() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let reply =
        alice.get("/v1/artifacts/0192f0c123457abc8def0123456789ab").header("x-request-id", "my-request.1").await;
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.header("x-request-id"), "my-request.1");
    assert_eq!(
        reply.json(),
        json!({
            "type": "urn:artifactd:problem:artifact_not_found",
            "title": "Artifact not found",
            "status": 404,
            "detail": "there is no such artifact",
            "code": "artifact_not_found",
            "request_id": "my-request.1",
        })
    );
    let reply = alice.store("ttl=0", "x").header("x-request-id", "my-request.2").await;
    assert_eq!(
        reply.json(),
        json!({
            "type": "urn:artifactd:problem:invalid_request",
            "title": "Invalid request",
            "status": 400,
            "detail": "the request is not valid",
            "code": "invalid_request",
            "request_id": "my-request.2",
            "errors": [{ "field": "ttl", "message": "must be at least 1 second" }],
        })
    );
}

#[tokio::test]
async fn a_request_has_a_name_of_its_own_unless_the_caller_gives_a_plain_one() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let (one, other) = (alice.get("/v1/whoami").await, alice.get("/nowhere").await);
    other.problem(404, "not_found");
    assert!(one.header("x-request-id").len() == 32 && one.header("x-request-id") != other.header("x-request-id"));
    for odd in ["", "a b", "<script>", "a\"b", "naïve", &"x".repeat(65)] {
        let reply = alice.get("/nowhere").header("x-request-id", odd).await;
        reply.problem(404, "not_found");
        assert_ne!(reply.headers["x-request-id"].as_bytes(), odd.as_bytes());
    }
}

#[tokio::test]
async fn unknown_routes_are_problems() {
    let app = TestApp::in_memory().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/artifacts",
        "/v1/artifact",
        "/v1/artifacts/",
        "/v1//artifacts",
        "/V1/artifacts",
        "/v1/artifacts/../sessions",
        "/v1/artifacts/a/b",
        "/%00",
        "/%ff",
        "/v1/sessions/a/b/c",
    ] {
        for client in [app.user("alice"), app.nobody()] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let reply = client.call(method, path).await;
                assert_eq!(reply.problem(404, "not_found")["errors"], Value::Null, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn wrong_methods_are_problems_that_name_the_right_ones() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    for (method, path, allowed) in [
        (Method::PUT, "/v1/artifacts", "GET,HEAD,POST"),
        (Method::DELETE, "/v1/artifacts", "GET,HEAD,POST"),
        (Method::POST, &*file.path, "DELETE,GET,HEAD,PATCH"),
        (Method::PUT, &file.path, "DELETE,GET,HEAD,PATCH"),
        (Method::DELETE, &file.content, "GET,HEAD,PUT"),
        (Method::GET, &format!("{}/copy", file.path), "POST"),
        (Method::PUT, &format!("{}/move", file.path), "POST"),
        (Method::PATCH, &file.content, "GET,HEAD,PUT"),
        (Method::DELETE, "/v1/whoami", "GET,HEAD"),
        (Method::PUT, "/v1/sessions/s1", "DELETE,GET,HEAD,PATCH"),
        (Method::GET, "/v1/sessions/s1/extend", "POST"),
        (Method::POST, "/healthz", "GET,HEAD"),
        (Method::TRACE, "/v1/artifacts", "GET,HEAD,POST"),
        (Method::from_bytes(b"BREW").unwrap(), "/v1/artifacts", "GET,HEAD,POST"),
    ] {
        let reply = alice.call(method.clone(), path).await;
        reply.problem(405, "method_not_allowed");
        let mut allow: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
        allow.sort_unstable();
        assert_eq!(allow.join(","), allowed, "{method} {path}");
    }
}

/// Every call with a JSON body.
fn json_calls(alice: &Client, file: &Stored) -> [Call; 6] {
    [
        alice.patch(&file.path),
        alice.post(&format!("{}/copy", file.path)),
        alice.post(&format!("{}/move", file.path)),
        alice.post("/v1/sessions"),
        alice.patch("/v1/sessions/s1"),
        alice.post("/v1/sessions/s1/extend"),
    ]
}

#[tokio::test]
async fn what_is_not_the_json_expected_is_a_problem() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 11] = [
        b"{",
        b"null",
        b"[]",
        b"\"text\"",
        b"{} {}",
        b"{\"summary\": \"\xff\"}",
        b"\xef\xbb\xbf{}",
        b"{'a': 1}",
        b"{\"a\": NaN}",
        b"{\"ttl\": 1, \"ttl\": 2}",
        deep.as_bytes(),
    ];
    for body in bodies {
        for call in json_calls(&alice, &file) {
            let reply = call.header("content-type", "application/json").body(body.to_vec()).await;
            reply.problem(400, "invalid_request");
        }
        let reply = alice.post("/v1/artifacts").header("content-type", "application/vnd.artifactd.store+json");
        reply.body(body.to_vec()).await.problem(400, "invalid_request");
    }
    let empty = alice.patch(&file.path).header("content-type", "application/json");
    empty.await.problem(400, "invalid_request");
    assert_eq!(alice.get(&file.path).await.json(), file.json);
}

#[tokio::test]
async fn unknown_members_are_refused_by_name() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    for call in json_calls(&alice, &file) {
        call.json(json!({ "sumary": "a typo" })).await.wrong_field("sumary");
    }
    let document = json!({ "text": "x", "sumary": "a typo" });
    alice.post("/v1/artifacts").document(document).await.wrong_field("sumary");
    alice.patch(&file.path).json(json!({ "summary": 1 })).await.wrong_field("summary");
    alice.patch(&file.path).json(json!({ "merge": "yes", "meta": {} })).await.wrong_field("merge");
}

/// Every call, with one more query parameter.
fn all_calls(alice: &Client, file: &Stored, parameter: &str) -> [Call; 14] {
    let with = |path: &str| format!("{path}?{parameter}");
    [
        alice.post(&with("/v1/artifacts")).body("x"),
        alice.get(&with(&file.path)),
        alice.patch(&with(&file.path)).json(json!({})),
        alice.delete(&with(&file.path)),
        alice.post(&with(&format!("{}/copy", file.path))),
        alice.post(&with(&format!("{}/move", file.path))),
        alice.get(&with(&file.content)),
        alice.put(&with(&file.content)).body("x"),
        alice.get(&with("/v1/whoami")),
        alice.post(&with("/v1/sessions")),
        alice.get(&with("/v1/sessions/s1")),
        alice.patch(&with("/v1/sessions/s1")).json(json!({ "metadata": {} })),
        alice.delete(&with("/v1/sessions/s1")),
        alice.post(&with("/v1/sessions/s1/extend")),
    ]
}

#[tokio::test]
async fn unknown_parameters_are_refused_by_name() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    for (parameter, name) in
        [("filenam=a.txt", "filenam"), ("tt%6C%21=1", "ttl!"), ("flag", "flag"), ("a=1&%F0%9F%98%80=2", "a")]
    {
        for call in all_calls(&alice, &file, parameter) {
            call.await.wrong_field(name);
        }
    }
    for parameter in ["a=%ff", "%ff=a", "session_id=%c3%28"] {
        for call in all_calls(&alice, &file, parameter) {
            call.await.problem(400, "invalid_request");
        }
    }
    assert_eq!(alice.get(&file.path).await.json(), file.json);
    assert_eq!(app.keys().await, [file.text("key")]);
}

#[tokio::test]
async fn a_parameter_is_given_once() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    for (parameters, name) in
        [("ttl=60&ttl=60", "ttl"), ("summary=a&scope=user&summary=b", "summary"), ("meta={}&%6Deta={}", "meta")]
    {
        let parameters = parameters.replace('{', "%7B").replace('}', "%7D");
        alice.store(&parameters, "x").await.wrong_field(name);
    }
    let twice = alice.put(&format!("{}?filename=a&filename=a", file.content)).body("x").await;
    twice.wrong_field("filename");
    let twice = alice.get(&format!("{}?disposition=inline&disposition=inline", file.content)).await;
    twice.wrong_field("disposition");
}

#[tokio::test]
async fn a_query_may_be_spelled_in_every_usual_way() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    for (parameters, summary) in [
        ("summary=a+b", "a b"),
        ("summary=a%20b", "a b"),
        ("summary=a%2Bb", "a+b"),
        ("&summary=x&", "x"),
        ("summary=a=b", "a=b"),
        ("summary=", ""),
        ("summary", ""),
        ("summary=50%", "50%"),
        (&format!("summary={}", encoded("grüße 😀")), "grüße 😀"),
    ] {
        assert_eq!(alice.stored(parameters, "x").await["summary"], summary, "{parameters}");
    }
}

#[tokio::test]
async fn json_is_sent_as_json() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json"), Some("")] {
        for call in json_calls(&alice, &file) {
            let call = call.body("{\"metadata\": {}}");
            let call = match content_type {
                Some(content_type) => call.header("content-type", content_type),
                None => call,
            };
            call.await.problem(415, "unsupported_media_type");
        }
    }
    for content_type in ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"] {
        alice.patch(&file.path).header("content-type", content_type).body("{}").await.expect(200);
    }
}

#[tokio::test]
async fn json_has_its_limit() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    let large = json!({ "summary": "x".repeat(2 * 1024 * 1024) });
    for call in json_calls(&alice, &file) {
        call.json(large.clone()).await.problem(413, "payload_too_large");
    }
    let larger = alice.post("/v1/artifacts").header("content-type", "application/vnd.artifactd.store+json");
    larger.body(" ".repeat(16 * 1024 * 1024 + 1)).await.problem(413, "payload_too_large");
    assert_eq!(app.keys().await, [file.text("key")]);
}

#[tokio::test]
async fn an_answer_quotes_only_the_beginning_of_what_was_sent() {
    let app = TestApp::in_memory().await;
    let long = "Q".repeat(1_000_000);
    for reply in [
        app.user("alice").post("/v1/sessions").json(json!({ &*long: 1 })).await,
        app.user("alice").post("/v1/artifacts").document(json!({ "text": "x", "scope": long })).await,
    ] {
        reply.problem(400, "invalid_request");
        assert!(reply.body.len() < 2_000, "{} bytes", reply.body.len());
    }
}

#[tokio::test]
async fn a_json_body_is_an_object() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    alice
        .patch(&file.path)
        .json(json!(["a summary", null, null, null, null, null, null]))
        .await
        .problem(400, "invalid_request");
    alice.post("/v1/sessions").json(json!(["s1", null, null])).await.problem(400, "invalid_request");
    assert_eq!(alice.get(&file.path).await.json(), file.json);
}

#[tokio::test]
async fn what_would_be_misunderstood_is_refused() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "as it was").await;
    for (name, value, status, code) in [
        ("content-range", "bytes 0-0/9", 400, "invalid_request"),
        ("if-none-match", "*", 412, "precondition_failed"),
        ("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT", 412, "precondition_failed"),
        ("transfer-encoding", "gzip, chunked", 415, "unsupported_media_type"),
    ] {
        alice.put(&file.content).header(name, value).body("x").await.problem(status, code);
    }
    alice.delete(&file.path).header("if-none-match", "*").await.problem(412, "precondition_failed");
    assert_eq!(alice.get(&file.content).await.text(), "as it was");
}
