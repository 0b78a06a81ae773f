//! What needs no token, and the links that answers carry.

use serde_json::json;

use super::support::TestApp;

on_every_pair! {
    the_service_says_that_it_is_ready,
}

async fn the_service_says_that_it_is_ready(app: TestApp) {
    assert_eq!(app.nobody().get("/healthz").await.expect(200).json(), json!({ "status": "ok" }));
    let conditions = json!([
        {"name": "storage", "provider": app.storage_name(), "state": "ok"},
        {"name": "metadata", "provider": app.metadata_name(), "state": "ok"},
    ]);
    assert!(app.service.try_writing().await);
    let ready = app.nobody().get("/readyz").await.expect(200).json();
    assert_eq!(ready, json!({ "status": "ok", "conditions": conditions }));
    for path in ["/healthz", "/readyz"] {
        app.nobody().head(path).await.expect(200);
    }
    assert_eq!(app.keys().await, [""; 0], "trying to write leaves nothing behind");
}

#[tokio::test]
async fn name_and_version_are_told_to_everybody() {
    let app = TestApp::in_memory().await;
    let version = app.nobody().get("/version").await.expect(200).json();
    assert_eq!(version, json!({ "name": "artifactd", "version": env!("CARGO_PKG_VERSION") }));
}

#[tokio::test]
async fn the_documentation_is_served() {
    let app = TestApp::in_memory().await;
    let document = app.nobody().get("/openapi.json").await.expect(200).json();
    for path in ["/v1/artifacts", "/v1/artifacts/{artifact_id}/content", "/v1/sessions/{session_id}/extend", "/healthz"]
    {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let page = app.nobody().get("/docs/").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn links_begin_with_the_public_url() {
    let app = TestApp::in_memory_with(|options| options.public_url = Some("https://files.example/base")).await;
    let alice = app.user("alice");
    let reply = alice.store("", "x").await.expect(201);
    let id = reply.json()["artifact_id"].as_str().unwrap().to_owned();
    assert_eq!(reply.header("location"), format!("https://files.example/base/v1/artifacts/{id}"));
    let reply = alice.post("/v1/sessions").json(json!({ "session_id": "a/b" })).await.expect(201);
    assert_eq!(reply.header("location"), "https://files.example/base/v1/sessions/a%2Fb");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_what_callers_send() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("summary=secret", "x").await;
    alice.get(&file.path).await.expect(200);
    alice.get(&file.path).await.expect(200);
    app.user("bob").get(&file.path).await.expect(403);
    let figures = app.nobody().get("/metrics").await.expect(200);
    let counted = |status: u16, count: u16| {
        let labels = format!("method=\"GET\",route=\"/v1/artifacts/{{artifact_id}}\",status=\"{status}\"");
        format!("artifactd_http_requests_total{{{labels}}} {count}\n")
    };
    assert!(
        figures.text().contains(&counted(200, 2)) && figures.text().contains(&counted(403, 1)),
        "{}",
        figures.text()
    );
    for private in [file.text("artifact_id"), "alice", "secret", &app.sandbox] {
        assert!(!figures.text().contains(private), "{private}");
    }
}

#[tokio::test]
async fn a_key_can_be_taken_apart() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    alice.put(&file.content).body("y").await.expect(200);
    let (id, sandbox) = (file.text("artifact_id"), app.sandbox.as_str());
    let key = alice.get(&file.path).await.json()["key"].as_str().unwrap().to_owned();
    for (key, expected) in [
        (key, json!({"sandbox_id": sandbox, "scope": "user", "user_id": "alice", "artifact_id": id, "revision": 2})),
        (
            format!("grid/a%2Fb/sessions/%2E%2E/{id}"),
            json!({"sandbox_id": "a/b", "scope": "session", "session_id": "..", "artifact_id": id, "revision": 1}),
        ),
        (
            format!("grid/app/shared/{id}.13"),
            json!({"sandbox_id": "app", "scope": "sandbox", "artifact_id": id, "revision": 13}),
        ),
    ] {
        let query = key.replace('%', "%25");
        assert_eq!(alice.get(&format!("/v1/grid/parse?key={query}")).await.expect(200).json(), expected);
    }
    for query in ["", "?key=", "?key=grid", "?key=grid/app/users/alice/x", "?kee=grid"] {
        alice.get(&format!("/v1/grid/parse{query}")).await.problem(400, "invalid_request");
    }
}
