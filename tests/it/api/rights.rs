//! What a token lacks is said first: before the body, its coding, its type or its JSON is looked at, everywhere.

use std::future::IntoFuture as _;
use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use bytes::Bytes;
use futures::stream;
use serde_json::json;

use super::support::TestApp;

const READ: &str = "artifacts:read";
const WRITE: &str = "artifacts:write";
const ADMIN: &str = "artifacts:admin";

/// Every call and the right without which it does nothing. `{}` is an artifact of the caller's.
const CALLS: [(&str, &str, &str); 36] = [
    (WRITE, "POST", "/v1/artifacts"),
    (READ, "GET", "/v1/artifacts"),
    (READ, "POST", "/v1/artifacts/search"),
    (WRITE, "POST", "/v1/artifacts/batch"),
    (WRITE, "POST", "/v1/artifacts/batch/delete"),
    (READ, "GET", "/v1/artifacts/{}"),
    (READ, "HEAD", "/v1/artifacts/{}"),
    (WRITE, "PATCH", "/v1/artifacts/{}"),
    (WRITE, "DELETE", "/v1/artifacts/{}"),
    (READ, "GET", "/v1/artifacts/{}/content"),
    (READ, "HEAD", "/v1/artifacts/{}/content"),
    (WRITE, "PUT", "/v1/artifacts/{}/content"),
    (READ, "POST", "/v1/artifacts/{}/copy"),
    (WRITE, "POST", "/v1/artifacts/{}/copy"),
    (WRITE, "POST", "/v1/artifacts/{}/move"),
    (READ, "POST", "/v1/artifacts/{}/presign"),
    (WRITE, "POST", "/v1/uploads"),
    (WRITE, "POST", "/v1/uploads/{}/complete"),
    (WRITE, "DELETE", "/v1/uploads/{}"),
    (WRITE, "POST", "/v1/multipart"),
    (WRITE, "GET", "/v1/multipart/{}"),
    (WRITE, "DELETE", "/v1/multipart/{}"),
    (WRITE, "POST", "/v1/multipart/{}/parts"),
    (WRITE, "GET", "/v1/multipart/{}/parts/1/url"),
    (WRITE, "POST", "/v1/multipart/{}/complete"),
    (WRITE, "POST", "/v1/sessions"),
    (READ, "GET", "/v1/sessions/s1"),
    (READ, "HEAD", "/v1/sessions/s1"),
    (WRITE, "PATCH", "/v1/sessions/s1"),
    (WRITE, "DELETE", "/v1/sessions/s1"),
    (WRITE, "POST", "/v1/sessions/s1/extend"),
    (READ, "GET", "/v1/sessions/s1/artifacts"),
    (ADMIN, "GET", "/v1/admin/stats"),
    (ADMIN, "GET", "/v1/admin/check"),
    (ADMIN, "POST", "/v1/admin/cleanup"),
    (ADMIN, "POST", "/v1/admin/cleanup?unknown=1"),
];

/// A body that never comes shows that it was not waited for.
#[tokio::test]
async fn a_right_that_is_missing_is_said_before_anything_else_is_looked_at() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    for (right, method, path) in CALLS {
        let path = path.replace("{}", file.text("artifact_id"));
        let method: Method = method.parse().unwrap();
        let others = if right == READ { WRITE } else { READ };
        for (content_type, coding) in [
            ("application/json", "identity"),
            ("application/vnd.artifactd.store+json", "gzip"),
            ("multipart/form-data", "br"),
            ("no type at all", "identity"),
        ] {
            let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
            let call = alice.with_rights(others).call(method.clone(), &path).body(never);
            let call = call.header("content-type", content_type).header("content-encoding", coding);
            let call = call.header("idempotency-key", "k").into_future();
            let reply = tokio::time::timeout(Duration::from_secs(30), call).await.expect("an answer");
            if method == Method::HEAD {
                reply.expect(403);
            } else {
                reply.lacks(right);
            }
        }
    }
}

/// Nothing of the API can be called without a right that is not in this file.
#[tokio::test]
async fn every_call_of_the_api_is_among_these() {
    let document = TestApp::in_memory().await.nobody().get("/openapi.json").await.expect(200).json();
    let listed: Vec<String> = CALLS.iter().map(|(_, method, path)| format!("{method} {}", shape(path))).collect();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, call) in methods.as_object().unwrap() {
            let open = call["security"] == json!([{}]) || ["/v1/whoami", "/v1/grid/parse"].contains(&path.as_str());
            let call = format!("{} {}", method.to_uppercase(), shape(path));
            assert!(open || call.starts_with("PARAMETERS") || listed.contains(&call), "{call}");
        }
    }
}

/// A path without what differs from one call to another.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap();
    let fixed = |segment: &str| segment.starts_with('{') || ["s1", "1"].contains(&segment);
    path.split('/').map(|segment| if fixed(segment) { "{}" } else { segment }).collect::<Vec<_>>().join("/")
}
