//! Whoever reads what the program prints, or does not: requests are answered.

use std::fs::File;
use std::io::pipe;
use std::net::SocketAddr;
use std::process::Stdio;

use futures::StreamExt as _;
use serde_json::Value;

use super::support::{Client, Server, Setup, Wire, eventually};

/// The value of a figure without labels.
async fn figure(client: &Client, name: &str) -> u64 {
    let text = String::from_utf8(client.get("/metrics").await.expect(200).body.to_vec()).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

/// Stores and reads so often, some at a time.
async fn requests_are_answered(client: &Client, count: usize) {
    let requests = futures::stream::iter(0..count).map(async |n| {
        let id = client.stored(format!("content {n}")).await;
        assert_eq!(client.content(&id).await, format!("content {n}"));
    });
    requests.buffer_unordered(8).for_each(async |()| ()).await;
}

async fn lines_are_lost_and_requests_are_not(client: &Client, server: Server, count: usize) {
    requests_are_answered(client, count).await;
    let lost = async || (figure(client, "artifactd_log_lines_dropped_total").await > 0).then_some(());
    eventually("lost lines are counted", lost).await;
    server.terminate();
}

#[tokio::test]
async fn a_log_that_nobody_reads_any_more_is_lost_alone() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let setup = Setup::new();
    let server = setup.start_logging_to(writer.into());
    lines_are_lost_and_requests_are_not(&server.client(&setup), server, 50).await;
}

#[tokio::test]
async fn a_log_on_a_full_disk_is_lost_alone() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let setup = Setup::new();
    let server = setup.start_logging_to(full.into());
    lines_are_lost_and_requests_are_not(&server.client(&setup), server, 50).await;
}

#[tokio::test]
async fn a_log_that_waits_for_its_reader_keeps_nobody_waiting() {
    let (_reader, writer) = pipe().unwrap();
    let setup = Setup::new();
    let server = setup.start_logging_to(writer.into());
    // Long lines fill sooner all that lies between the program and its reader.
    let client = Client::new(server.address, &setup.token(&["--user", &"a".repeat(255)]));
    lines_are_lost_and_requests_are_not(&client, server, 1000).await;
}

#[tokio::test]
async fn a_second_signal_ends_it_although_nobody_reads_its_log() {
    let (_reader, writer) = pipe().unwrap();
    let setup = Setup::new().with("SHUTDOWN_GRACE_SECONDS", "3600");
    let server = setup.start_logging_to(writer.into());
    let client = Client::new(server.address, &setup.token(&["--user", &"a".repeat(255)]));
    // More than the pipe holds.
    requests_are_answered(&client, 100).await;
    let mut running = Wire::connect(server.address);
    let authorization = format!("Bearer {}", setup.token(&["--user", "alice"]));
    running.head("POST /v1/artifacts?scope=user", &[("Authorization", &authorization), ("Content-Length", "5")]);
    running.send(b"be");
    let runs = async || (figure(&client, "artifactd_http_requests_in_flight").await > 0).then_some(());
    eventually("the upload runs", runs).await;
    server.process.signal("TERM");
    let stops = async || (client.get("/readyz").await.status == 503).then_some(());
    eventually("it stops", stops).await;
    server.process.signal("TERM");
    assert_eq!(server.process.wait().code, Some(130));
}

#[tokio::test]
async fn it_serves_although_nobody_sees_where() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let setup = Setup::new();
    let process = setup.spawn_printing_to(&[], writer.into(), Stdio::piped());
    let address = process.stderr.wait_for("the address", |log| {
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let listening = lines.into_iter().find(|line| line["message"] == "listening")?;
        listening["address"].as_str()?.parse::<SocketAddr>().ok()
    });
    let client = Client::new(address.unwrap(), &setup.token(&["--user", "alice"]));
    requests_are_answered(&client, 5).await;
    process.signal("TERM");
    let ended = process.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[tokio::test]
async fn an_answer_that_cannot_be_printed_is_a_failure_without_a_panic() {
    for arguments in [&["env"][..], &["openapi"], &["token", "--user", "alice"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = Setup::new().spawn_printing_to(arguments, full.into(), Stdio::piped()).wait();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{arguments:?}");
    }
}
