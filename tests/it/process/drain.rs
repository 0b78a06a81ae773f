//! The end of the program: running requests finish, new ones are told why not.

use super::support::{Answer, Client, Pair, Server, Setup, Wire, bytes, eventually, sha256};

/// Begins an upload, and returns when the service waits for its bytes.
fn begin_upload(server: &Server, token: &str) -> Wire {
    let mut upload = Wire::connect(server.address);
    let authorization = format!("Bearer {token}");
    upload.head(
        "POST /v1/artifacts?scope=user",
        &[("Authorization", &authorization), ("Transfer-Encoding", "chunked"), ("Expect", "100-continue")],
    );
    assert_eq!(upload.answer_head().0, 100);
    upload
}

/// Sends the signal, and returns when the service takes no more requests.
async fn stop(server: &Server, client: &Client, signal: &str) -> Answer {
    server.stop(signal);
    eventually("not ready", async || Some(client.get("/readyz").await).filter(|answer| answer.status != 200)).await
}

async fn an_upload_outlives_the_signal(signal: &str) {
    let setup = Setup::new();
    let server = setup.start();
    let token = setup.token(&["--user", "alice"]);
    let client = Client::new(server.address, &token);
    let mut upload = begin_upload(&server, &token);
    upload.chunk(b"begun, ");

    stop(&server, &client, signal).await.expect_problem(503, "overloaded");
    client.get("/healthz").await.expect(200);
    let refused = client.store("too late").await.expect_problem(503, "overloaded");
    assert_eq!(refused.headers["connection"], "close");
    assert!(refused.headers.contains_key("retry-after"));

    upload.chunk(b"ended");
    upload.chunk(b"");
    let id = upload.answer().expect(201).id();
    let ended = server.process.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let server = setup.start();
    assert_eq!(server.client(&setup).content(&id).await, "begun, ended");
}

#[tokio::test]
async fn an_upload_outlives_sigterm() {
    an_upload_outlives_the_signal("TERM").await;
}

#[tokio::test]
async fn an_upload_outlives_sigint() {
    an_upload_outlives_the_signal("INT").await;
}

async fn a_download_outlives_the_signal(pair: Pair) {
    // More than the buffers between the two hold.
    let content = bytes(1, 32 * 1024 * 1024);
    let setup = Setup::on(pair);
    let server = setup.start();
    let token = setup.token(&["--user", "alice"]);
    let client = Client::new(server.address, &token);
    let id = client.stored(content.clone()).await;
    let mut download = Wire::connect(server.address);
    download.head(&format!("GET /v1/artifacts/{id}/content"), &[("Authorization", &format!("Bearer {token}"))]);
    assert_eq!(download.answer_head().0, 200);
    let beginning = download.read(1000);

    stop(&server, &client, "TERM").await;

    let rest = download.read(content.len() - beginning.len());
    assert_eq!(sha256(&[beginning, rest].concat()), sha256(&content));
    let ended = server.process.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_download_outlives_sigterm_on_filesystem() {
    a_download_outlives_the_signal(Pair::FilesystemSqlite).await;
}

#[tokio::test]
async fn a_download_outlives_sigterm_on_sqlite() {
    a_download_outlives_the_signal(Pair::SqliteSqlite).await;
}

#[tokio::test]
async fn a_download_outlives_sigterm_on_s3() {
    a_download_outlives_the_signal(Pair::S3Redis).await;
}

#[tokio::test]
async fn a_refused_client_that_goes_on_sending_learns_why() {
    let setup = Setup::new();
    let server = setup.start();
    let token = setup.token(&["--user", "alice"]);
    let client = Client::new(server.address, &token);
    let _running = begin_upload(&server, &token);
    stop(&server, &client, "TERM").await;

    let body = bytes(1, 8 * 1024 * 1024);
    let mut late = Wire::connect(server.address);
    let (authorization, length) = (format!("Bearer {token}"), body.len().to_string());
    late.head("POST /v1/artifacts?scope=user", &[("Authorization", &authorization), ("Content-Length", &length)]);
    late.send(&body);
    late.answer().expect_problem(503, "overloaded");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    // So long that the test would give up first.
    let setup = Setup::new().with("SHUTDOWN_GRACE_SECONDS", "3600");
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let server = setup.start();
        let _running = begin_upload(&server, &setup.token(&["--user", "alice"]));
        server.stop(first);
        server.process.signal(second);
        let ended = server.process.wait();
        assert_eq!(ended.code, Some(130), "{ended:?}");
    }
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_short() {
    let setup = Setup::new().with("SHUTDOWN_GRACE_SECONDS", "1");
    let server = setup.start();
    let mut running = begin_upload(&server, &setup.token(&["--user", "alice"]));
    running.chunk(b"begun and never ended");
    server.stop("TERM");
    let ended = server.process.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("cut short"), "{}", ended.stderr);
}

#[tokio::test]
async fn connections_without_a_request_do_not_keep_it() {
    let setup = Setup::new().with("SHUTDOWN_GRACE_SECONDS", "3600");
    let server = setup.start();
    let _silent = Wire::connect(server.address);
    let mut idle = Wire::connect(server.address);
    idle.head("GET /healthz", &[]);
    idle.answer().expect(200);
    let mut slow = Wire::connect(server.address);
    slow.send(b"GET /healthz HTTP/1.1\r\nHost: ");
    server.terminate();
}
