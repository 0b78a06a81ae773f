//! URLs to read content without a token.

use axum::http::Method;
use serde_json::{Value, json};

use super::support::{Client, Reply, Stored, TestApp, digest_field, encoded};

on_every_pair! {
    whoever_has_the_url_reads_the_content,
    a_url_leads_to_a_part_of_the_content_too,
    an_empty_file_has_a_url,
    a_url_is_good_for_as_long_as_asked_for_and_no_longer_than_the_file,
    a_url_stays_with_the_content_that_it_was_made_for,
    a_url_of_a_deleted_file_leads_nowhere,
    a_url_of_a_file_that_is_over_leads_nowhere,
    who_wants_to_be_redirected_is_sent_to_the_store_if_there_is_one_to_be_sent_to,
}

async fn presign(client: &Client, file: &Stored, order: Value) -> Reply {
    client.post(&format!("{}/presign", file.path)).json(order).await
}

async fn url(client: &Client, file: &Stored) -> String {
    let reply = client.post(&format!("{}/presign", file.path)).await.expect(200);
    reply.json()["url"].as_str().unwrap().to_owned()
}

async fn whoever_has_the_url_reads_the_content(app: TestApp) {
    let alice = app.user("alice");
    for (name, disposition) in [
        ("a b.txt", "attachment; filename=\"a b.txt\""),
        ("報告.pdf", "attachment; filename=\"__.pdf\"; filename*=UTF-8''%E5%A0%B1%E5%91%8A.pdf"),
        ("50%&\"a\".txt", "attachment; filename=\"50_&_a_.txt\"; filename*=UTF-8''50%25&%22a%22.txt"),
    ] {
        let file = alice.store(&format!("filename={}", encoded(name)), "bytes");
        let file = file.header("content-type", "text/x-test; charset=utf-8").await.stored();
        let reply = app.fetch(&url(&alice, &file).await).await.expect(200);
        assert_eq!(reply.text(), "bytes");
        assert_eq!(reply.header("content-type"), "text/x-test; charset=utf-8");
        assert_eq!(reply.header("content-disposition"), disposition);
        assert_eq!(reply.header("content-length"), "5");
    }
    // What belongs to all, and what has a strange place, has URLs that work as well.
    let shared = app.admin("root").stored("scope=sandbox", "shared").await;
    assert_eq!(app.fetch(&url(&app.user("bob"), &shared).await).await.expect(200).text(), "shared");
    let strange = app.user("a/b c%2F..\u{e9}").naming("..").stored("", "strange").await;
    assert_eq!(
        app.fetch(&url(&app.user("a/b c%2F..\u{e9}").naming(".."), &strange).await).await.expect(200).text(),
        "strange"
    );
}

async fn a_url_leads_to_a_part_of_the_content_too(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("", "0123456789").await;
    let url = url(&alice, &file).await;
    let part = app.send(Method::GET, &url, &[("range", "bytes=2-5")], "").await.expect(206);
    assert_eq!((part.text(), part.header("content-range")), ("2345", "bytes 2-5/10"));
    app.send(Method::GET, &url, &[("range", "bytes=10-")], "").await.expect(416);
    let tag = app.fetch(&url).await.header("etag").to_owned();
    app.send(Method::GET, &url, &[("if-none-match", &tag)], "").await.expect(304);
    if !app.is_direct() {
        let reply = app.fetch(&url).await;
        assert_eq!(reply.header("etag"), format!("\"{}\"", file.text("sha256")));
        assert_eq!(reply.header("content-digest"), digest_field("0123456789"));
        let head = app.send(Method::HEAD, &url, &[], "").await.expect(200);
        assert_eq!((head.text(), head.header("content-length")), ("", "10"));
        // No browser takes a file for a page of the service.
        assert_eq!(reply.header("content-security-policy"), "sandbox; default-src 'none'");
    }
}

async fn an_empty_file_has_a_url(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("", "").await;
    assert_eq!(app.fetch(&url(&alice, &file).await).await.expect(200).body, "");
}

async fn a_url_is_good_for_as_long_as_asked_for_and_no_longer_than_the_file(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    for (order, seconds) in [
        (json!({}), 3600),
        (json!({ "expires": null, "duration": null }), 3600),
        (json!({ "expires": 1 }), 1),
        (json!({ "expires": 604_800 }), 604_800),
        (json!({ "duration": "short" }), 900),
        (json!({ "duration": "medium" }), 3600),
        (json!({ "duration": "long" }), 86_400),
    ] {
        let reply = presign(&alice, &file, order.clone()).await.expect(200).json();
        assert_eq!(reply["expires_at"], app.in_seconds(seconds), "{order}");
        assert_eq!(reply["method"], "GET");
        let members: Vec<&String> = reply.as_object().unwrap().keys().collect();
        assert_eq!(members, ["expires_at", "method", "url"]);
    }
    let brief = alice.stored("ttl=60", "x").await;
    app.pass(20);
    for order in [json!({}), json!({ "duration": "long" })] {
        let reply = presign(&alice, &brief, order).await.expect(200).json();
        assert_eq!(reply["expires_at"], app.in_seconds(40));
    }
    let reply = presign(&alice, &brief, json!({ "expires": 10 })).await.expect(200).json();
    assert_eq!(reply["expires_at"], app.in_seconds(10));
    if app.is_direct() {
        assert!(reply["url"].as_str().unwrap().contains("X-Amz-Expires=10&"), "{reply}");
    } else {
        let url = reply["url"].as_str().unwrap();
        app.pass(8);
        app.fetch(url).await.expect(200);
        app.pass(2);
        app.fetch(url).await.problem(403, "access_denied");
    }
}

async fn a_url_stays_with_the_content_that_it_was_made_for(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.store("scope=user&filename=one.txt", "one").await.stored();
    let old = url(&alice, &file).await;
    alice.put(&format!("{}?filename=two.html", file.content)).body("two!").await.expect(200);
    let reply = app.fetch(&old).await.expect(200);
    assert_eq!((reply.text(), reply.header("content-type")), ("one", "text/plain; charset=utf-8"));
    assert_eq!(reply.header("content-disposition"), "attachment; filename=\"one.txt\"");
    let part = app.send(Method::GET, &old, &[("range", "bytes=1-")], "").await.expect(206);
    assert_eq!((part.text(), part.header("content-range")), ("ne", "bytes 1-2/3"));
    assert_eq!(app.fetch(&url(&alice, &file).await).await.expect(200).text(), "two!");
    // Replaced content goes with its last reader.
    app.pass(3601);
    app.sweep().await;
    app.fetch(&old).await.expect(if app.is_direct() { 404 } else { 403 });
}

async fn a_url_of_a_deleted_file_leads_nowhere(app: TestApp) {
    let alice = app.user("alice");
    for session in ["s1", "s2"] {
        let alice = alice.naming(session);
        let file = alice.stored("", "x").await;
        let url = url(&alice, &file).await;
        match session {
            "s1" => alice.delete(&file.path).await.expect(204),
            _ => alice.delete(&format!("/v1/sessions/{session}")).await.expect(204),
        };
        let reply = app.fetch(&url).await.expect(404);
        if !app.is_direct() {
            reply.problem(404, "artifact_not_found");
        }
    }
}

async fn a_url_of_a_file_that_is_over_leads_nowhere(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "x").await;
    let url = url(&alice, &file).await;
    alice.patch(&file.path).json(json!({ "ttl": 60 })).await.expect(200);
    app.pass(60);
    if !app.is_direct() {
        app.fetch(&url).await.problem(410, "artifact_expired");
    }
    app.sweep().await;
    app.fetch(&url).await.expect(404);
}

async fn who_wants_to_be_redirected_is_sent_to_the_store_if_there_is_one_to_be_sent_to(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored(&format!("filename={}", encoded("é.txt")), "bytes").await;
    let redirected = async |query: &str| alice.get(&format!("{}?redirect=true{query}", file.content)).await;
    if app.is_direct() {
        let reply = redirected("").await.expect(307);
        assert_eq!((reply.text(), reply.header("cache-control")), ("", "no-store"));
        let content = app.fetch(reply.header("location")).await.expect(200);
        assert_eq!((content.text(), content.header("content-type")), ("bytes", "text/plain; charset=utf-8"));
        let inline = redirected("&disposition=inline").await;
        let content = app.fetch(inline.header("location")).await.expect(200);
        assert_eq!(content.header("content-disposition"), "inline; filename=\"_.txt\"; filename*=UTF-8''%C3%A9.txt");
    } else {
        assert_eq!(redirected("").await.expect(200).text(), "bytes");
    }
    // What the store signs for GET is of no use for HEAD.
    let head = alice.head(&format!("{}?redirect=true", file.content)).await.expect(200);
    assert_eq!(head.header("content-length"), "5");
    assert_eq!(alice.get(&format!("{}?redirect=false", file.content)).await.expect(200).text(), "bytes");
    alice.get(&format!("{}?redirect=maybe", file.content)).await.wrong_field("redirect");
    app.user("bob").get(&format!("{}?redirect=true", file.content)).await.problem(403, "access_denied");
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("", "x").await;
    for expires in [json!(0), json!(-1), json!(604_801), json!(1.5), json!("x"), json!("60"), json!([60])] {
        presign(&alice, &file, json!({ "expires": expires })).await.wrong_field("expires");
    }
    for duration in ["forever", "Short", ""] {
        presign(&alice, &file, json!({ "duration": duration })).await.wrong_field("duration");
    }
    presign(&alice, &file, json!({ "duration": 900 })).await.problem(400, "invalid_request");
    presign(&alice, &file, json!({ "expires": 60, "duration": "short" })).await.wrong_field("duration");
    presign(&alice, &file, json!({ "method": "PUT" })).await.problem(400, "invalid_request");
    alice.post(&format!("{}/presign?expires=60", file.path)).await.wrong_field("expires");
    let bare = alice.post(&format!("{}/presign", file.path)).header("content-type", "text/plain").body("{}");
    bare.await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn who_may_not_read_gets_no_url() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let (file, brief) = (alice.stored("scope=user", "x").await, alice.stored("scope=user&ttl=60", "x").await);
    let of_session = alice.naming("s1").stored("", "x").await;
    for (client, file) in [
        (app.user("bob"), &file),
        (app.admin("root"), &file),
        (alice.with_rights("artifacts:write"), &file),
        (alice.naming("s2"), &of_session),
        (app.user("bob").naming("s1"), &of_session),
    ] {
        presign(&client, file, json!({})).await.denied();
    }
    presign(&alice.in_sandbox("elsewhere"), &file, json!({})).await.problem(404, "artifact_not_found");
    alice.post(&format!("/v1/artifacts/{}/presign", "0".repeat(32))).await.problem(404, "artifact_not_found");
    alice.post("/v1/artifacts/x/presign").await.wrong_field("id");
    app.nobody().post(&format!("{}/presign", file.path)).await.problem(401, "unauthenticated");
    app.pass(60);
    presign(&alice, &brief, json!({})).await.problem(410, "artifact_expired");
    presign(&alice.with_rights("artifacts:read"), &file, json!({})).await.expect(200);
}

#[tokio::test]
async fn urls_begin_where_the_service_is_reached() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("", "x").await;
    let presign = || alice.post(&format!("{}/presign", file.path));
    let begins = |reply: Reply, base: &str| {
        let reply = reply.expect(200).json();
        assert!(reply["url"].as_str().unwrap().starts_with(&format!("{base}/v1/signed/grid/")), "{base}: {reply}");
    };
    begins(presign().await, "http://service.test");
    begins(presign().header("x-forwarded-proto", "https").await, "https://service.test");
    begins(presign().header("x-forwarded-proto", "gopher").await, "http://service.test");
    begins(presign().replacing_header("host", "[::1]:8080").await, "http://[::1]:8080");
    presign().replacing_header("host", "no host").await.wrong_field("host");

    let app = app.with_options(|options| options.public_url = Some("https://files.example/base"));
    let alice = app.user("alice");
    let file = alice.stored("", "x").await;
    let presign = || alice.post(&format!("{}/presign", file.path));
    let reply = presign().replacing_header("host", "elsewhere").header("x-forwarded-proto", "http").await;
    let url = reply.json()["url"].as_str().unwrap().to_owned();
    begins(reply, "https://files.example/base");
    assert_eq!(app.fetch(&url).await.expect(200).text(), "x");
}
