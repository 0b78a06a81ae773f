//! What a caller sends is bounded before it is read: as values, JSON takes up to a hundred times the memory of its text.

use axum::http::Method;
use futures::future::join_all;

use super::support::{Server, Setup};

/// What the process may have taken at the most, in KiB: one of these requests took gigabytes.
const MOST_KIB: u64 = 512 * 1024;

/// The most memory that the process has taken so far, in KiB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// An object of so many small ones, of eight bytes each.
fn many(objects: usize) -> String {
    format!("{{\"x\":[{}]}}", vec!["{\"a\":0}"; objects].join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_would_take_gigabytes_is_refused_as_text() {
    let setup = Setup::new();
    let server = setup.start();
    let client = server.client(&setup);
    let id = client.stored("bytes").await;
    let meta = many(130_000);

    let file = "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\r\n".repeat(100);
    let field = format!("--cut\r\nContent-Disposition: form-data; name=\"meta\"\r\n\r\n{meta}\r\n--cut--\r\n");
    let form = [file, field].concat();
    let batch =
        format!("{{\"items\":[{}]}}", vec![format!("{{\"text\":\"\",\"meta\":{}}}", many(70_000)); 100].join(","));
    let patch = format!("{{\"meta\":{meta}}}");
    let session = format!("{{\"metadata\":{meta}}}");
    let (record, copy) = (format!("/v1/artifacts/{id}"), format!("/v1/artifacts/{id}/copy"));
    let bodies = [
        (Method::POST, "/v1/artifacts/batch", "multipart/form-data; boundary=cut", &form),
        (Method::POST, "/v1/artifacts/batch", "application/json", &batch),
        (Method::PATCH, record.as_str(), "application/json", &patch),
        (Method::POST, copy.as_str(), "application/json", &patch),
        (Method::POST, "/v1/uploads", "application/json", &patch),
        (Method::POST, "/v1/multipart", "application/json", &patch),
        (Method::POST, "/v1/sessions", "application/json", &session),
    ];
    let calls = bodies.iter().flat_map(|body| std::iter::repeat_n(body, 4)).map(async |(method, path, kind, body)| {
        let answer = client.send_as(method.clone(), path, kind, (*body).clone()).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let is_refused = matches!(answer.status, 400 | 503) || text.matches("\"status\":400").count() == 100;
        assert!(is_refused, "{path} {kind}: {} {}", answer.status, &text[..text.len().min(300)]);
    });
    join_all(calls).await;
    assert!(peak(&server) < MOST_KIB, "{} KiB", peak(&server));
    assert_eq!(client.content(&id).await, "bytes");
    server.terminate();
}
