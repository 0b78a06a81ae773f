//! Uploads in parts outlive the program.

use serde_json::{Value, json};

use super::abort::files;
use super::support::{Client, Pair, Setup, bytes, eventually};

const PART: usize = 5 * 1024 * 1024;

/// Sends a part; gives how a completion lists it.
async fn send_part(client: &Client, upload: &str, number: usize, body: Vec<u8>) -> Value {
    let url = client.get(&format!("/v1/multipart/{upload}/parts/{number}/url")).await.expect(200).json();
    let answer = client.put_signed(url["url"].as_str().unwrap(), body).await.expect(200);
    json!({ "PartNumber": number, "ETag": answer.headers["etag"].to_str().unwrap() })
}

async fn begin(client: &Client) -> String {
    let begun = client.post("/v1/multipart", &json!({ "scope": "user" })).await.expect(201).json();
    begun["upload_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_parts_goes_on_after_the_program_was_killed() {
    let setup = Setup::on(Pair::FilesystemSqlite);
    let whole = bytes(7, PART + 17);
    let mut server = setup.start();
    let client = server.client(&setup);
    let upload = begin(&client).await;
    send_part(&client, &upload, 1, whole[..PART].to_vec()).await;
    server.process.kill();

    let mut server = setup.start();
    let client = server.client(&setup);
    let state = client.get(&format!("/v1/multipart/{upload}")).await.expect(200).json();
    assert_eq!((&state["state"], &state["parts"][0]["bytes"]), (&json!("open"), &json!(PART)));
    assert_eq!(state["parts"].as_array().unwrap().len(), 1);
    send_part(&client, &upload, 2, whole[PART..].to_vec()).await;
    server.process.kill();

    let server = setup.start();
    let client = server.client(&setup);
    let state = client.get(&format!("/v1/multipart/{upload}")).await.expect(200).json();
    let listed = state["parts"].as_array().unwrap().iter();
    let parts: Vec<Value> =
        listed.map(|part| json!({ "part_number": part["part_number"], "etag": part["etag"] })).collect();
    client.post(&format!("/v1/multipart/{upload}/complete"), &json!({ "parts": parts })).await.expect(200);
    assert!(client.content(&upload).await == whole);
    server.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_a_kill_interrupted_can_be_repeated() {
    let setup = Setup::on(Pair::FilesystemSqlite);
    let mut server = setup.start();
    let client = server.client(&setup);
    let upload = begin(&client).await;
    let (first, last) = (bytes(1, 4 * PART), bytes(2, 17));
    let parts =
        [send_part(&client, &upload, 1, first.clone()).await, send_part(&client, &upload, 2, last.clone()).await];
    let (path, order) = (format!("/v1/multipart/{upload}/complete"), json!({ "parts": parts }));

    let folder = setup.data().join("artifacts");
    let before = files(&folder);
    let completing = tokio::spawn({
        let (path, order) = (path.clone(), order.clone());
        async move { client.try_post(&path, &order).await }
    });
    eventually("the parts are joined", async || (files(&folder) != before).then_some(())).await;
    server.process.kill();
    let _ = completing.await.unwrap();

    let server = setup.start();
    let client = server.client(&setup);
    assert_eq!(client.post(&path, &order).await.expect(200).json()["bytes"], 4 * PART + 17);
    assert!(client.content(&upload).await == [first, last].concat());
    assert_eq!(files(&folder).len(), 1);
    server.terminate();
}
