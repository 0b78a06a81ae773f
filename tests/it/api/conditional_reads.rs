//! Reads that depend on the state, with tokens and with signed URLs.

use serde_json::json;

use super::support::{Call, Client, Stored, TestApp, sha256};

/// Long before every test.
const LONG_AGO: &str = "Thu, 01 Jan 2015 00:00:00 GMT";

/// Whoever has its URL may read the content, too.
async fn signed(client: &Client, file: &Stored) -> String {
    let reply = client.post(&format!("{}/presign", file.path)).await.expect(200).json();
    reply["url"].as_str().unwrap().trim_start_matches("http://service.test").to_owned()
}

/// All ways to read: the record and the content, and that through a signed URL; each with GET and HEAD.
async fn reads(app: &TestApp, client: &Client, file: &Stored) -> Vec<Box<dyn Fn() -> Call>> {
    let (record, content, url) = (file.path.clone(), file.content.clone(), signed(client, file).await);
    let (one, two, three, four) = (client.clone(), client.clone(), client.clone(), client.clone());
    let (record_head, content_head, url_head) = (record.clone(), content.clone(), url.clone());
    let (nobody, nobody_else) = (app.nobody(), app.nobody());
    vec![
        Box::new(move || one.get(&record)),
        Box::new(move || two.head(&record_head)),
        Box::new(move || three.get(&content)),
        Box::new(move || four.head(&content_head)),
        Box::new(move || nobody.get(&url)),
        Box::new(move || nobody_else.head(&url_head)),
    ]
}

#[tokio::test]
async fn who_expects_another_state_gets_nothing_of_this_one() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "first bytes").await;
    app.pass(2);
    for read in reads(&app, &alice, &file).await {
        let tag = read().await.expect(200).header("etag").to_owned();
        for (name, value) in
            [("if-match", "\"another\""), ("if-match", &format!("W/{tag}")), ("if-unmodified-since", LONG_AGO)]
        {
            // With a range, a part of another revision would be taken for a part of this one.
            read().header(name, value).header("range", "bytes=2-4").await.expect(412);
            read().header(name, value).header("if-none-match", &tag).await.expect(412);
        }
        for (name, value) in [
            ("if-match", tag.as_str()),
            ("if-match", "*"),
            ("if-match", &format!("\"another\", {tag}")),
            ("if-unmodified-since", &http_date(&app)),
            ("if-unmodified-since", "yesterday"),
        ] {
            read().header(name, value).await.expect(200);
        }
        read().header("if-match", &tag).header("if-unmodified-since", LONG_AGO).await.expect(200);
        read().header("if-match", "\"open").await.expect(400);
    }
    let problem = alice.get(&file.content).header("if-match", "\"another\"").await;
    let problem = problem.problem(412, "precondition_failed");
    assert!(problem["detail"].as_str().unwrap().contains(&sha256("first bytes")), "the tag as it is: {problem}");
}

#[tokio::test]
async fn parts_of_two_revisions_never_come_together() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "first bytes").await;
    let head = alice.head(&file.content).await.expect(200);
    let (tag, date) = (head.header("etag").to_owned(), head.header("last-modified").to_owned());
    let part = |name: &str, value: &str| alice.get(&file.content).header("range", "bytes=0-4").header(name, value);
    for (name, value) in [("if-match", &tag), ("if-unmodified-since", &date), ("if-range", &tag), ("if-range", &date)] {
        assert_eq!(part(name, value).await.expect(206).text(), "first");
    }
    app.pass(1);
    alice.put(&file.content).body("other bytes").await.expect(200);
    part("if-match", &tag).await.problem(412, "precondition_failed");
    part("if-unmodified-since", &date).await.problem(412, "precondition_failed");
    for value in [&tag, &date] {
        assert_eq!(part("if-range", value).await.expect(200).text(), "other bytes");
    }
}

#[tokio::test]
async fn a_second_that_saw_two_states_lets_no_part_through() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "first bytes").await;
    let date = alice.head(&file.content).await.expect(200).header("last-modified").to_owned();
    alice.put(&file.content).body("other bytes").await.expect(200);
    assert_eq!(alice.head(&file.content).await.header("last-modified"), date, "by a clock of seconds");
    let part = alice.get(&file.content).header("range", "bytes=0-4").header("if-range", &date);
    assert_eq!(part.await.expect(200).text(), "other bytes");
}

#[tokio::test]
async fn what_has_not_changed_since_is_not_sent_again() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "bytes").await;
    let stored = http_date(&app);
    app.pass(10);
    for read in reads(&app, &alice, &file).await {
        let whole = read().await.expect(200);
        assert_eq!(whole.header("last-modified"), stored);
        let since = |date: &str| read().header("if-modified-since", date);
        let reply = since(&stored).await.expect(304);
        assert_eq!((reply.text(), reply.header("etag")), ("", whole.header("etag")));
        assert_eq!(reply.header("last-modified"), stored);
        since(&http_date(&app)).await.expect(304);
        since(LONG_AGO).await.expect(200);
        since("yesterday").await.expect(200);
        // A tag says more than a date.
        since(&stored).header("if-none-match", "\"another\"").await.expect(200);
        since(LONG_AGO).header("if-none-match", whole.header("etag")).await.expect(304);
    }
    alice.patch(&file.path).json(json!({ "summary": "new" })).await.expect(200);
    let changed = http_date(&app);
    for read in reads(&app, &alice, &file).await {
        assert_eq!(read().header("if-modified-since", &stored).await.expect(200).header("last-modified"), changed);
    }
}

/// The time by the service's clock.
fn http_date(app: &TestApp) -> String {
    let since = std::time::Duration::from_secs(app.now().as_seconds().unsigned_abs());
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
}
