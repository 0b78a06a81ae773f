//! How long files live. Time passes when the test says so.

use serde_json::{Value, json};

use super::support::{Call, Client, HOUR, Stored, TestApp, ttl};

on_every_pair! {
    a_file_that_has_expired_is_gone_at_once,
    a_longer_life_in_time_keeps_a_file,
}

fn life(file: &Stored) -> (&Value, &Value) {
    (&file["ttl"], &file["expires_at"])
}

async fn a_file_that_has_expired_is_gone_at_once(app: TestApp) {
    let alice = app.user("alice");
    let admin = app.admin("root");
    let files = [
        (alice.stored("ttl=60", "x").await, alice.clone(), 403),
        (alice.stored("ttl=60&scope=user", "x").await, alice.clone(), 403),
        (admin.stored("ttl=60&scope=sandbox", "x").await, admin.clone(), 410),
    ];
    app.pass(59);
    for (file, owner, _) in &files {
        owner.get(&file.content).await.expect(200);
    }
    app.pass(1);
    for (file, owner, to_others) in &files {
        for call in every_call(owner, file) {
            call.await.problem(410, "artifact_expired");
        }
        owner.head(&file.path).await.expect(410);
        owner.head(&file.content).await.expect(410);
        // Nobody else learns that it was there.
        app.user("bob").get(&file.path).await.expect(*to_others);
        for call in every_call(&app.user("alice").in_sandbox("elsewhere"), file) {
            call.await.problem(404, "artifact_not_found");
        }
    }
}

fn every_call(client: &Client, file: &Stored) -> [Call; 5] {
    [
        client.get(&file.path),
        client.get(&file.content),
        client.patch(&file.path).json(json!({ "ttl": 60 })),
        client.put(&file.content).body("x"),
        client.delete(&file.path),
    ]
}

async fn a_longer_life_in_time_keeps_a_file(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("ttl=60", "x").await;
    app.pass(59);
    alice.patch(&file.path).json(json!({ "extend_ttl": 60 })).await.expect(200);
    app.pass(2);
    assert_eq!(app.sweep().await.artifacts, 0);
    assert_eq!(alice.get(&file.content).await.expect(200).text(), "x");
}

#[tokio::test]
async fn a_file_lives_as_long_as_its_scope_says_unless_told_otherwise() {
    let app = TestApp::in_memory().await;
    let root = app.admin("root");
    for (parameters, seconds) in [
        ("", Some(900)),
        ("scope=session", Some(900)),
        ("scope=session&ttl=1", Some(1)),
        ("scope=session&ttl=86400", Some(86_400)),
        ("scope=user", None),
        ("scope=user&ttl=31536000", Some(31_536_000)),
        ("scope=sandbox", None),
        ("scope=sandbox&ttl=5", Some(5)),
    ] {
        let file = root.stored(parameters, "x").await;
        let expected = (json!(seconds), json!(seconds.map(|seconds| app.in_seconds(seconds))));
        assert_eq!(life(&file), (&expected.0, &expected.1), "{parameters}");
    }
    root.store("ttl=86401", "x").await.wrong_field("ttl");
    root.post("/v1/artifacts").document(json!({ "text": "x", "ttl": 86_401 })).await.wrong_field("ttl");
    assert_eq!(app.keys().await.len(), 8);
}

#[tokio::test]
async fn a_file_of_a_session_ends_with_it() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice").naming("s1");
    alice.post("/v1/sessions").json(json!({ "session_id": "s1", "ttl": 600 })).await.expect(201);
    app.pass(100);
    let (short, default, long) =
        (alice.stored("ttl=60", "x").await, alice.stored("", "x").await, alice.stored("ttl=86400", "x").await);
    assert_eq!(life(&short), (&json!(60), &json!(app.in_seconds(60))));
    for file in [&default, &long] {
        assert_eq!(life(file), (&json!(500), &json!(app.in_seconds(500))), "cut to the session's end");
    }
    let user = alice.stored("scope=user&ttl=1000", "x").await;
    assert_eq!(life(&user), (&json!(1000), &json!(app.in_seconds(1000))), "other scopes are not");
    // A longer session lets its files live longer, but does not make them.
    alice.post("/v1/sessions/s1/extend").json(json!({ "ttl": HOUR })).await.expect(200);
    assert_eq!(alice.get(&default.path).await.json(), default.json);
    let extended = alice.patch(&default.path).json(json!({ "extend_ttl": 60 })).await.expect(200).json();
    assert_eq!(extended["expires_at"], json!(app.in_seconds(560)));
}

#[tokio::test]
async fn an_operator_may_limit_every_scope() {
    let app = TestApp::in_memory_with(|options| {
        options.limits.session_default_ttl = ttl(10);
        options.limits.user_max_ttl = Some(ttl(100));
        options.limits.sandbox_max_ttl = Some(ttl(200));
        options.limits.session_life = ttl(50);
    })
    .await;
    let root = app.admin("root");
    for (scope, default, max) in [("session", 10, 86_400), ("user", 100, 100), ("sandbox", 200, 200)] {
        let file = root.stored(&format!("scope={scope}"), "x").await;
        assert_eq!(file["ttl"], default);
        root.store(&format!("scope={scope}&ttl={}", max + 1), "x").await.wrong_field("ttl");
        root.patch(&file.path).json(json!({ "ttl": null })).await.wrong_field("ttl");
        root.patch(&file.path).json(json!({ "ttl": max + 1 })).await.wrong_field("ttl");
        root.patch(&file.path).json(json!({ "extend_ttl": max })).await.wrong_field("extend_ttl");
    }
    assert_eq!(root.post("/v1/sessions").await.json()["ttl"], 50);
}
