//! What clients can do to a real socket, and several processes to one folder.

use std::process::Command;

use axum::http::Method;

use super::support::{Client, Pair, Server, Setup, Wire, bytes, eventually};

const LIMIT: usize = 1024 * 1024;

fn limited() -> Setup {
    Setup::new().with("MAX_UPLOAD_BYTES", &LIMIT.to_string())
}

fn post<'a>(authorization: &'a str, framing: (&'a str, &'a str)) -> [(&'a str, &'a str); 2] {
    [("Authorization", authorization), framing]
}

#[tokio::test]
async fn a_client_that_sends_too_much_learns_so() {
    let setup = limited();
    let server = setup.start();
    let authorization = format!("Bearer {}", setup.token(&["--user", "alice"]));
    // Far more than the buffers between the two hold.
    let body = bytes(1, 12 * LIMIT);

    let mut announced = Wire::connect(server.address);
    let length = body.len().to_string();
    announced.head("POST /v1/artifacts?scope=user", &post(&authorization, ("Content-Length", &length)));
    announced.send(&body);
    announced.answer().expect_problem(413, "payload_too_large");

    let mut chunked = Wire::connect(server.address);
    chunked.head("POST /v1/artifacts?scope=user", &post(&authorization, ("Transfer-Encoding", "chunked")));
    body.chunks(LIMIT).for_each(|chunk| chunked.chunk(chunk));
    chunked.chunk(b"");
    chunked.answer().expect_problem(413, "payload_too_large");
}

#[tokio::test]
async fn curl_shows_its_user_why_a_file_is_too_large() {
    let setup = limited();
    let server = setup.start();
    let token = setup.token(&["--user", "alice"]);
    let file = setup.folder().join("large");
    std::fs::write(&file, bytes(1, 40 * LIMIT)).unwrap();
    // With the size announced curl asks first; the empty `Expect` makes it send at once.
    for framing in ["Content-Type: application/octet-stream", "Transfer-Encoding: chunked", "Expect:"] {
        let ran = Command::new("curl")
            .args(["-sS", "--noproxy", "*", "-T"])
            .arg(&file)
            .args(["-X", "POST", "-H", framing, "-H", &format!("Authorization: Bearer {token}")])
            .args(["-w", " %{http_code}", &format!("http://{}/v1/artifacts?scope=user", server.address)])
            .output()
            .unwrap();
        let shown = String::from_utf8(ran.stdout).unwrap();
        assert!(shown.contains("payload_too_large") && shown.ends_with(" 413"), "{framing}: {shown} {:?}", ran.stderr);
    }
}

#[tokio::test]
async fn a_client_that_is_one_too_many_learns_so_while_it_sends() {
    let setup = Setup::new().with("MAX_CONCURRENT_REQUESTS", "1");
    let server = setup.start();
    let authorization = format!("Bearer {}", setup.token(&["--user", "alice"]));
    let mut first = Wire::connect(server.address);
    first.head(
        "POST /v1/artifacts?scope=user",
        &[("Expect", "100-continue"), ("Content-Length", "5"), ("Authorization", &authorization)],
    );
    assert_eq!(first.answer_head().0, 100);

    let body = bytes(1, 8 * LIMIT);
    let mut second = Wire::connect(server.address);
    let length = body.len().to_string();
    second.head("POST /v1/artifacts?scope=user", &post(&authorization, ("Content-Length", &length)));
    second.send(&body);
    second.answer().expect_problem(503, "overloaded");

    first.send(b"first");
    first.answer().expect(201);
}

#[tokio::test]
async fn what_is_not_http_harms_nobody() {
    let setup = Setup::new();
    let server = setup.start();
    let client = server.client(&setup);
    let long = format!("GET /healthz HTTP/1.1\r\nHost: artifactd\r\nX-Long: {}\r\n\r\n", "x".repeat(1024 * 1024));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: artifactd\r\n{}\r\n", "X-Many: x\r\n".repeat(1000));
    for (request, status) in [
        (&b"this is not HTTP\r\n\r\n"[..], 400),
        (b"GET /healthz HTTP/9.9\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: artifactd\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /v1/artifacts HTTP/1.1\r\nHost: artifactd\r\nContent-Length: -1\r\n\r\n", 400),
        (long.as_bytes(), 431),
        (many.as_bytes(), 431),
    ] {
        let mut wire = Wire::connect(server.address);
        // The server may hang up in the middle of it.
        let _ = wire.try_send(request);
        if request.len() < 1024 {
            assert_eq!(wire.answer_head().0, status, "{}", String::from_utf8_lossy(request));
        }
        client.get("/healthz").await.expect(200);
    }

    // TLS, bytes of no meaning, and heads that never end.
    let garbage = bytes(7, 100_000);
    let mut open = Vec::new();
    for beginning in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &garbage, b"GET / HTTP/1.1\r\nHost"] {
        for _ in 0..50 {
            let mut wire = Wire::connect(server.address);
            let _ = wire.try_send(beginning);
            open.push(wire);
        }
    }
    let id = client.stored("still here").await;
    assert_eq!(client.content(&id).await, "still here");
    client.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_understood() {
    let server = Setup::new().start();
    let mut wire = Wire::connect(server.address);
    for byte in b"GET /version HTTP/1.1\r\nHost: artifactd\r\n\r\nGET /healthz HTTP/1.1\r\nHost: artifactd\r\n\r\n" {
        wire.send(&[*byte]);
    }
    assert_eq!(wire.answer().expect(200).json()["name"], "artifactd");
    assert_eq!(wire.answer().expect(200).json()["status"], "ok");
}

/// Two processes with the same data.
async fn two_processes_share_what_they_store(pair: Pair) {
    let setup = Setup::on(pair);
    let servers = [setup.start(), setup.start()];
    let token = setup.token(&["--user", "alice"]);
    let [one, other] = servers.each_ref().map(|server: &Server| Client::new(server.address, &token));

    let storing = (0..40).map(|seed| {
        let client = if seed % 2 == 0 { one.clone() } else { other.clone() };
        async move { (seed, client.stored(bytes(seed, 50_000)).await) }
    });
    for (seed, id) in futures::future::join_all(storing).await {
        let (here, there) = if seed % 2 == 0 { (&one, &other) } else { (&other, &one) };
        assert_eq!(there.content(&id).await, bytes(seed, 50_000));
        let path = format!("/v1/artifacts/{id}/content");
        there.send(Method::PUT, &path, "replaced there").await.expect(200);
        assert_eq!(here.content(&id).await, "replaced there");
        there.send(Method::DELETE, &format!("/v1/artifacts/{id}"), "").await.expect(204);
        here.get(&path).await.expect_problem(404, "artifact_not_found");
    }

    let id = one.stored("outlives one of them").await;
    let [first, _second] = servers;
    first.terminate();
    assert_eq!(other.content(&id).await, "outlives one of them");
    eventually("the other is ready", async || (other.get("/readyz").await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn two_processes_share_filesystem_and_sqlite() {
    two_processes_share_what_they_store(Pair::FilesystemSqlite).await;
}

#[tokio::test]
async fn two_processes_share_sqlite_and_sqlite() {
    two_processes_share_what_they_store(Pair::SqliteSqlite).await;
}

#[tokio::test]
async fn two_processes_share_s3_and_redis() {
    // The generated secret is in the data folder that both have.
    two_processes_share_what_they_store(Pair::S3Redis).await;
}
