//! What signed URLs are not good for: anything but what they were signed for.

use axum::body::Body;
use axum::http::Method;
use serde_json::json;

use super::support::{HOUR, TestApp, Ticket, digest_field, sha256};

on_every_pair! {
    a_url_is_good_for_its_method_only,
    what_is_sent_has_to_be_what_the_url_was_signed_for,
    who_has_to_send_a_digest_cannot_send_other_bytes,
}

async fn a_url_is_good_for_its_method_only(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "as it was").await;
    let reply = alice.post(&format!("{}/presign", file.path)).await.expect(200).json();
    let reading = reply["url"].as_str().unwrap();
    for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
        let reply = app.send(method.clone(), reading, &[], "changed").await;
        assert!(reply.status.is_client_error(), "{method} {}", reply.status);
    }
    assert_eq!(app.fetch(reading).await.expect(200).text(), "as it was");

    let ticket = alice.opened(json!({})).await;
    app.upload(&ticket, "secret").await.expect(200);
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::PATCH] {
        let reply = app.send(method.clone(), ticket.url(), &[], "").await;
        assert!(reply.status.is_client_error(), "{method} {}", reply.status);
        assert!(!reply.text().contains("secret"));
    }
    if !app.is_direct() {
        app.send(Method::PUT, reading, &[], "x").await.problem(403, "access_denied");
        app.fetch(ticket.url()).await.problem(403, "access_denied");
        app.send(Method::DELETE, ticket.url(), &[], "").await.problem(405, "method_not_allowed");
    }
    alice.complete(&ticket).await.expect(200);
    assert_eq!(alice.get(&ticket.content()).await.text(), "secret");
}

async fn what_is_sent_has_to_be_what_the_url_was_signed_for(app: TestApp) {
    let alice = app.user("alice");
    let ticket = alice.opened(json!({ "mime": "text/plain", "bytes": 5 })).await;
    assert_eq!(ticket.json["headers"]["content-type"], "text/plain");
    for (headers, body) in [
        (&[("content-type", "text/html")][..], "bytes"),
        (&[], "bytes"),
        (&[("content-type", "text/plain")], "byte"),
        (&[("content-type", "text/plain")], "bytes and more"),
        (&[("content-type", "text/plain")], ""),
    ] {
        let reply = app.send(Method::PUT, ticket.url(), headers, body).await;
        assert!(reply.status.is_client_error(), "{headers:?} {body}: {}", reply.status);
        if !app.is_direct() {
            reply.problem(403, "access_denied");
        }
    }
    assert_nothing_arrived(&app, &ticket).await;
    app.upload(&ticket, "bytes").await.expect(200);
    let file = alice.complete(&ticket).await.expect(200).json();
    assert_eq!((&file["mime"], &file["bytes"]), (&json!("text/plain"), &json!(5)));
}

async fn who_has_to_send_a_digest_cannot_send_other_bytes(app: TestApp) {
    let alice = app.user("alice");
    let ticket = alice.opened(json!({ "sha256": sha256("bytes") })).await;
    let reply = app.upload(&ticket, "other").await;
    assert!(reply.status.is_client_error(), "{}", reply.status);
    if !app.is_direct() {
        reply.problem(422, "digest_mismatch");
        let other = digest_field("other");
        let reply = app.send(Method::PUT, ticket.url(), &[("content-digest", &other)], "other").await;
        reply.wrong_field("content-digest");
    }
    assert_nothing_arrived(&app, &ticket).await;
    app.upload(&ticket, "bytes").await.expect(200);
    let file = alice.complete(&ticket).await.expect(200).json();
    assert_eq!(file["sha256"], sha256("bytes"), "it is proven, wherever the bytes are");
}

async fn assert_nothing_arrived(app: &TestApp, ticket: &Ticket) {
    assert_eq!(app.keys().await, [""; 0]);
    app.user("alice").complete(ticket).await.problem(409, "upload_incomplete");
}

#[tokio::test]
async fn a_body_of_unknown_length_is_measured_as_it_comes() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let ticket = alice.opened(json!({ "bytes": 5 })).await;
    let path = ticket.url().strip_prefix("http://service.test").unwrap();
    for body in ["byte", "bytes and more", ""] {
        let chunks = futures::stream::iter(body.split_inclusive(' ').map(Ok::<_, std::io::Error>));
        let chunks = Body::from_stream(futures::StreamExt::map(chunks, |chunk| chunk.map(str::to_owned)));
        app.nobody().put(path).body(chunks).await.problem(400, "invalid_request");
    }
    assert_nothing_arrived(&app, &ticket).await;
}

#[tokio::test]
async fn what_is_sent_in_a_coding_is_refused() {
    let app = TestApp::in_memory().await;
    let ticket = app.user("alice").opened(json!({})).await;
    let reply = app.send(Method::PUT, ticket.url(), &[("content-encoding", "gzip")], "bytes").await;
    reply.problem(415, "unsupported_media_type");
    assert_nothing_arrived(&app, &ticket).await;
}

#[tokio::test]
async fn no_character_of_a_url_can_be_changed() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice").naming("s%1");
    let file = alice.store("filename=a%20b.txt", "secret").await.stored();
    let reply = alice.post(&format!("{}/presign", file.path)).await.expect(200).json();
    let ticket = alice.opened(json!({ "mime": "a/b", "bytes": 1, "sha256": sha256("x") })).await;
    let multipart = alice.post("/v1/multipart").await.expect(201).json();
    let part = format!("/v1/multipart/{}/parts/1/url", multipart["upload_id"].as_str().unwrap());
    let part = alice.get(&part).await.expect(200).json();
    for (method, url) in [
        (Method::GET, reply["url"].as_str().unwrap()),
        (Method::PUT, ticket.url()),
        (Method::PUT, part["url"].as_str().unwrap()),
    ] {
        let url = url.strip_prefix("http://service.test").unwrap();
        let signed = url.find("/signed/").unwrap() + "/signed/".len();
        for position in 1..url.len() {
            let other = if &url[position..=position] == "a" { "b" } else { "a" };
            let changed = format!("{}{other}{}", &url[..position], &url[position + 1..]);
            let reply = app.nobody().call(method.clone(), &changed).header("content-type", "a/b").body("x").await;
            if position < signed {
                // Another path: what is there wants a token.
                assert!([401, 404].contains(&reply.status.as_u16()), "{changed}: {}", reply.status);
            } else {
                reply.problem(403, "access_denied");
            }
        }
        for changed in [format!("{url}a"), url[..url.len() - 1].to_owned(), url.replace("/v1/signed/", "/v1/signed//")]
        {
            app.nobody().call(method.clone(), &changed).body("x").await.problem(403, "access_denied");
        }
    }
    assert_eq!(app.keys().await, [file.text("key")]);
}

#[tokio::test]
async fn a_url_that_has_expired_is_of_no_use() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let ticket = alice.opened(json!({ "expires": HOUR })).await;
    assert_eq!(ticket.json["expires_at"], app.in_seconds(3600));
    app.pass(HOUR - 1);
    app.upload(&ticket, "in time").await.expect(200);
    app.pass(1);
    app.upload(&ticket, "too late").await.problem(403, "access_denied");
    // What came in time may be completed for a while.
    app.pass(HOUR - 1);
    alice.complete(&ticket).await.expect(200);
    assert_eq!(alice.get(&ticket.content()).await.expect(200).text(), "in time");
}
