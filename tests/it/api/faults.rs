//! Providers that fail: the caller learns whether to try again, and nothing of the inside.

use std::sync::Arc;

use artifactd::metadata::RedisMetadata;
use artifactd::storage::Storage;
use serde_json::json;

use super::support::{Client, Pair, Providers, Reply, Stored, TestApp, Trouble, Troubled, assert_problem};

/// A service whose storage makes trouble with a file that was stored before, and that file.
async fn troubled(trouble: Trouble, on_writing: bool) -> (TestApp, Client, Stored) {
    let providers = Providers::open(Pair::Memory).await;
    let sandbox: artifactd::domain::id::SandboxId = "same".parse().unwrap();
    let healthy = TestApp::with(providers.clone(), |options| options.auth.sandbox = sandbox.clone());
    let file = healthy.user("alice").stored("scope=user", "as it was").await;
    let providers = providers.with_storage(|inner: Arc<dyn Storage>| Troubled { inner, trouble, on_writing });
    let app = TestApp::with(providers, |options| options.auth.sandbox = sandbox);
    let alice = app.user("alice");
    (app, alice, file)
}

/// The answers to all that has to do with bytes.
async fn replies(alice: &Client, file: &Stored) -> [Reply; 3] {
    [alice.get(&file.content).await, alice.store("scope=user", "x").await, alice.put(&file.content).body("y").await]
}

#[track_caller]
fn assert_discreet(reply: &Reply) {
    let text = format!("{:?} {}", reply.headers, reply.text());
    for inside in ["the inside", "memory", "panic", "storing", "reading", "src/", "grid/"] {
        assert!(!text.contains(inside), "{text}");
    }
}

#[tokio::test]
async fn a_bug_is_answered_like_every_other_error() {
    let (app, alice, file) = troubled(Trouble::Panic, true).await;
    for reply in replies(&alice, &file).await {
        reply.problem(500, "internal");
        assert_discreet(&reply);
    }
    // The service goes on, and the file is as it was.
    assert_eq!(alice.get(&file.path).await.expect(200).json(), file.json);
    assert_eq!(app.keys().await, [file.text("key")]);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_means_try_again_later() {
    let (app, alice, file) = troubled(Trouble::Unavailable, true).await;
    for reply in replies(&alice, &file).await {
        reply.problem(503, "provider_unavailable");
        assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
        assert_discreet(&reply);
    }
    assert_eq!(alice.get(&file.path).await.expect(200).json(), file.json);
    assert_eq!(app.keys().await, [file.text("key")]);
}

#[tokio::test]
async fn a_provider_that_answers_nonsense_is_for_the_operator() {
    let (app, alice, file) = troubled(Trouble::Broken, true).await;
    for reply in replies(&alice, &file).await {
        reply.problem(502, "provider_error");
        assert_eq!(reply.header("retry-after"), "");
        assert_discreet(&reply);
    }
    assert_eq!(alice.get(&file.path).await.expect(200).json(), file.json);
    assert_eq!(app.keys().await, [file.text("key")]);
}

#[tokio::test]
async fn bytes_that_the_provider_has_lost_are_no_missing_file() {
    let (_app, alice, file) = troubled(Trouble::Lost, false).await;
    let reply = alice.get(&file.content).await;
    reply.problem(500, "artifact_damaged");
    assert_discreet(&reply);
    alice.get(&file.path).await.expect(200);
    // New bytes make it whole again, as far as the record goes.
    assert_eq!(alice.put(&file.content).body("new").await.expect(200).json()["bytes"], 3);
}

/// A port that was free a moment ago.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn without_records_there_is_no_service_and_no_leftover() {
    let url = format!("redis://user:hunter2@127.0.0.1:{}/0", closed_port());
    let metadata = RedisMetadata::connect(&url, "nowhere").unwrap();
    let providers = Providers::open(Pair::Memory).await.with_metadata(metadata);
    let app = TestApp::with(providers, |_| {});
    let alice = app.user("alice");
    let id = "0192f0c123457abc8def0123456789ab";
    for call in [
        alice.store("", "x"),
        alice.get(&format!("/v1/artifacts/{id}")),
        alice.get(&format!("/v1/artifacts/{id}/content")),
        alice.patch(&format!("/v1/artifacts/{id}")).json(json!({})),
        alice.delete(&format!("/v1/artifacts/{id}")),
        alice.get("/v1/sessions/s1"),
        alice.post("/v1/sessions"),
        app.nobody().get("/readyz"),
    ] {
        let reply = call.await;
        reply.problem(503, "provider_unavailable");
        assert!(!reply.header("retry-after").is_empty());
        // Readiness names the provider, and nothing of where it is.
        for inside in ["hunter2", "redis:", "127.0.0.1", "refused"] {
            assert!(!reply.text().contains(inside), "{}", reply.text());
        }
    }
    // What needs no record is answered.
    alice.get("/v1/whoami").await.expect(200);
    app.nobody().get("/healthz").await.expect(200);
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_request_is_under_way_until_its_answer_is_sent() {
    let app = TestApp::in_memory_with(|options| options.max_requests = 1).await;
    let alice = app.user("alice");
    let file = alice.stored("", "bytes").await;
    let reading = alice.get(&file.content).begin().await;
    let reply = alice.get("/v1/whoami").await;
    reply.problem(503, "overloaded");
    assert_eq!(reply.header("retry-after"), "1");
    app.nobody().get("/healthz").await.expect(200);
    drop(reading);
    alice.get("/v1/whoami").await.expect(200);
}

#[tokio::test]
async fn a_service_that_stops_takes_no_new_requests() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    app.nobody().get("/readyz").await.expect(200);
    app.gate.close();
    let reply = alice.store("", "x").await;
    reply.problem(503, "overloaded");
    assert_eq!((reply.header("retry-after"), reply.header("connection")), ("1", "close"));
    let ready = app.nobody().get("/readyz").await.expect(503);
    assert_problem(&ready.headers, &ready.body);
    app.nobody().get("/healthz").await.expect(200);
}
