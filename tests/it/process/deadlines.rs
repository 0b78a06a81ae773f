//! What hangs behind the service costs no request more than a deadline.

use std::time::{Duration, Instant};

use axum::http::Method;
use futures::future::join_all;
use serde_json::json;

use super::support::{Answer, Client, PrivateRedis, Proxy, S3, Setup, bytes, eventually};

/// So much of it is the machine's.
const SLACK: Duration = Duration::from_secs(4);
/// More than what is kept in memory.
const LARGE: usize = 64 * 1024;

async fn timed(request: impl Future<Output = Answer>) -> (Answer, Duration) {
    let begun = Instant::now();
    (request.await, begun.elapsed())
}

/// Sends all at once, and expects 503 to each within `limit`.
async fn all_fail_within(limit: Duration, client: &Client, requests: &[(Method, &str, &str)]) {
    let answers = requests.iter().map(async |(method, path, body)| {
        let answered = timed(client.send(method.clone(), path, (*body).to_owned())).await;
        (method, path, answered)
    });
    for (method, path, (answer, took)) in join_all(answers).await {
        assert!(took < limit, "{method} {path} took {took:?}");
        assert_eq!(answer.status, 503, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.expect_problem(503, "provider_unavailable").headers.contains_key("retry-after"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs() {
    let redis = PrivateRedis::start();
    let setup = Setup::new().on_redis(&redis.url()).with("DEADLINE_RECORDS_SECONDS", "2");
    let server = setup.start();
    let client = server.client(&setup);
    let id = client.stored("as it was").await;
    let (record, content) = (format!("/v1/artifacts/{id}"), format!("/v1/artifacts/{id}/content"));

    redis.signal("STOP");
    let requests = [
        (Method::GET, record.as_str(), ""),
        (Method::GET, &content, ""),
        (Method::GET, "/v1/artifacts", ""),
        (Method::POST, "/v1/artifacts?scope=user", "another"),
        (Method::PUT, &content, "another"),
        (Method::DELETE, &record, ""),
    ];
    all_fail_within(Duration::from_secs(2) + SLACK, &client, &requests).await;
    // Also those that come when it is known.
    all_fail_within(Duration::from_secs(2) + SLACK, &client, &requests[..2]).await;
    client.get("/healthz").await.expect(200);

    redis.signal("CONT");
    eventually("it answers again", async || Some(client.get(&record).await).filter(|answer| answer.status == 200))
        .await;
    client.stored("and takes more").await;
    server.terminate();
}

/// A service whose bucket is behind a proxy, and a client that may do all.
fn on_s3_behind(proxy: &Proxy, seconds: &str) -> Setup {
    let s3 = S3::from_environment();
    Setup::new()
        .on_s3(&S3 { endpoint: proxy.url(), ..s3 })
        .with("DEADLINE_STORE_SECONDS", seconds)
        .with("SWEEP_INTERVAL_SECONDS", "1")
}

fn proxy() -> Proxy {
    Proxy::to(S3::from_environment().endpoint.strip_prefix("http://").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs() {
    let proxy = proxy();
    let setup = on_s3_behind(&proxy, "2");
    let server = setup.start();
    let client = Client::new(server.address, &setup.token(&["--user", "alice", "--admin"]));
    let (id, deleted) = (client.stored(bytes(1, LARGE)).await, client.stored(bytes(2, LARGE)).await);
    let content = format!("/v1/artifacts/{id}/content");

    proxy.hang();
    let requests = [
        (Method::GET, content.as_str(), ""),
        (Method::POST, "/v1/artifacts?scope=user", "small"),
        (Method::PUT, &content, "small"),
    ];
    // The deadline, and the patience to clear up behind it.
    all_fail_within(Duration::from_secs(4) + SLACK, &client, &requests).await;
    let (answer, took) = timed(client.get("/v1/admin/check")).await;
    assert_eq!(answer.expect(200).json()["providers"][0]["status"], "unavailable");
    assert!(took < Duration::from_secs(2) + SLACK, "{took:?}");
    client.get("/readyz").await.expect(503);
    client.get("/healthz").await.expect(200);
    client.get(&format!("/v1/artifacts/{id}")).await.expect(200);

    // The caller's part is done at once, the rest when the store is back.
    let (answer, took) = timed(client.send(Method::DELETE, &format!("/v1/artifacts/{deleted}"), "")).await;
    answer.expect(204);
    assert!(took < Duration::from_secs(2) + SLACK, "{took:?}");
    let ids: Vec<String> = (0..100).map(|n| format!("{n:032x}")).chain([id.clone()]).collect();
    let (answer, took) = timed(client.post("/v1/artifacts/batch/delete", &json!({ "artifact_ids": ids }))).await;
    assert_eq!(answer.expect(200).json()["results"][100]["status"], 204);
    assert!(took < Duration::from_secs(2) + SLACK, "{took:?}");

    proxy.go_on();
    let left = async || S3::from_environment().contents(setup.value("ARTIFACT_SANDBOX_ID")).await;
    let gone = async || left().await.iter().all(|key| !key.contains(&id) && !key.contains(&deleted)).then_some(());
    eventually("what was deleted is gone", gone).await;
    client.stored("as before").await;
    let metrics = client.get("/metrics").await.expect(200);
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let late = metrics.lines().any(|line| {
        line.starts_with("artifactd_provider_faults_total{") && line.contains("\"s3\"") && line.contains("\"late\"")
    });
    assert!(late, "{metrics}");
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_goes_on_as_long_as_bytes_move() {
    let proxy = proxy();
    let setup = on_s3_behind(&proxy, "1").with("DEADLINE_STORE_BYTES_PER_SECOND", "128KiB");
    let server = setup.start();
    let client = server.client(&setup);
    client.stored("the connection is there").await;

    proxy.crawl(512 * 1024);
    let body = bytes(3, 1024 * 1024);
    let (answer, took) = timed(client.store(body.clone())).await;
    let id = answer.expect(201).id();
    assert!(took > Duration::from_secs(1), "{took:?}");
    let (answer, took) = timed(client.get(&format!("/v1/artifacts/{id}/content"))).await;
    assert!(answer.expect(200).body == body);
    assert!(took > Duration::from_secs(1), "{took:?}");
    server.terminate();
}
