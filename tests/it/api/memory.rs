//! Bodies that are held in memory have a budget that all requests share.

use serde_json::json;

use super::support::{Form, Paced, TestApp};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn when_the_memory_for_bodies_is_taken_large_ones_are_refused_for_a_moment() {
    let app = TestApp::in_memory_with(|options| options.body_memory = 2 * MIB).await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let document = |bytes: usize| json!({ "text": "x".repeat(bytes) });
    let (body, mut paced) = Paced::body(format!("{{\"text\": \"{}", "x".repeat(3 * MIB / 2)).leak(), "last\"}");
    let slow = alice.post("/v1/artifacts").header("content-type", "application/vnd.artifactd.store+json");
    let slow = tokio::spawn(slow.body(body).into_future());
    paced.begun().await;
    let large = [
        alice.post("/v1/artifacts").document(document(MIB)),
        alice.post("/v1/artifacts/batch").json(json!({ "items": [document(MIB)] })),
        alice.patch(&file.path).json(json!({ "summary": "x".repeat(MIB) })),
        alice.post("/v1/artifacts").form(Form::default().file("a", "a/b", "x").field("summary", "x".repeat(MIB))),
    ];
    for call in large {
        let reply = call.await;
        reply.problem(503, "overloaded");
        assert!(reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    }
    // Small ones, and what is streamed, go on.
    alice.patch(&file.path).json(json!({ "summary": "still here" })).await.expect(200);
    alice.post("/v1/artifacts").document(document(1000)).await.expect(201);
    alice.stored("", vec![7; 5 * MIB]).await;
    let form = Form::default().file("a", "a/b", vec![7; MIB]).file("b", "a/b", vec![7; MIB / 2]);
    alice.post("/v1/artifacts/batch").form(form).await.expect(200);

    paced.finish();
    slow.await.unwrap().expect(201);
    alice.post("/v1/artifacts").document(document(MIB)).await.expect(201);
}

#[tokio::test]
async fn what_is_only_announced_keeps_nobody_out() {
    let app = TestApp::in_memory_with(|options| options.body_memory = 2 * MIB).await;
    let alice = app.user("alice");
    let (body, mut paced) = Paced::body("{\"text\": \"first", "last\"}");
    let idle = alice.post("/v1/artifacts").header("content-type", "application/vnd.artifactd.store+json");
    let idle = tokio::spawn(idle.header("content-length", (2 * MIB).to_string()).body(body).into_future());
    paced.begun().await;
    alice.post("/v1/artifacts").document(json!({ "text": "x".repeat(MIB) })).await.expect(201);
    paced.finish();
    idle.await.unwrap().expect(201);
}

#[tokio::test]
async fn what_was_taken_is_given_back_whatever_becomes_of_the_request() {
    let app = TestApp::in_memory_with(|options| options.body_memory = 2 * MIB).await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    for _ in 0..5 {
        let text = "x".repeat(3 * MIB / 2);
        alice.post("/v1/artifacts").document(json!({ "text": text })).await.expect(201);
        alice.post("/v1/artifacts").document(json!({ "text": text, "ttl": 0 })).await.expect(400);
        alice.post("/v1/artifacts").document(json!({ "text": text, "scope": "sandbox" })).await.expect(403);
        let items = json!({ "items": [{ "text": text }, { "text": "x" }] });
        alice.post("/v1/artifacts/batch").json(items).await.expect(200);
        alice.patch(&file.path).json(json!({ "summary": text })).await.expect(400);
        let form = Form::default().file("a", "a/b", vec![7; MIB]).file("b", "a/b", vec![7; MIB]);
        alice.post("/v1/artifacts/batch").form(form).await.expect(200);
    }
}

#[tokio::test]
async fn a_body_that_never_fits_is_too_large() {
    let app = TestApp::in_memory_with(|options| options.body_memory = MIB).await;
    let alice = app.user("alice");
    let text = "x".repeat(3 * MIB / 2);
    alice.post("/v1/artifacts").document(json!({ "text": text })).await.problem(413, "payload_too_large");
    let items = json!({ "items": [{ "text": text }] });
    alice.post("/v1/artifacts/batch").json(items).await.problem(413, "payload_too_large");
}
