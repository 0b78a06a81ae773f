//! Reading bytes: ranges, digests, names, conditions.

use super::support::{Client, Reply, Stored, TestApp, digest_field, encoded, sha256};

on_every_pair! {
    one_range_is_answered_with_a_part,
    a_range_without_a_byte_cannot_be_satisfied,
    what_is_not_one_well_formed_range_gives_the_whole,
    a_range_is_sent_only_if_the_content_is_still_the_same,
}

const TEXT: &str = "0123456789";

async fn a_file(app: &TestApp) -> (Client, Stored) {
    let alice = app.user("alice");
    let file = alice.stored("", TEXT).await;
    (alice, file)
}

async fn range(client: &Client, file: &Stored, range: &str) -> Reply {
    client.get(&file.content).header("range", range).await
}

async fn one_range_is_answered_with_a_part(app: TestApp) {
    let (alice, file) = a_file(&app).await;
    for (field, part, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-5", "2345", "bytes 2-5/10"),
        ("bytes=2-99", "23456789", "bytes 2-9/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=0-", TEXT, "bytes 0-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-99", TEXT, "bytes 0-9/10"),
    ] {
        let reply = range(&alice, &file, field).await.expect(206);
        assert_eq!((reply.text(), reply.header("content-range")), (part, content_range), "{field}");
        assert_eq!(reply.header("content-length"), part.len().to_string());
        assert_eq!(reply.header("etag"), format!("\"{}\"", sha256(TEXT)));
        assert_eq!(reply.header("repr-digest"), digest_field(TEXT), "the digest of the whole");
        assert_eq!(reply.header("content-digest"), "", "the digest of the part is not known");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");

        // RFC 9110 has ranges for GET alone: HEAD tells of the whole.
        let head = alice.head(&file.content).header("range", field).await.expect(200);
        assert_eq!((head.text(), head.header("content-range")), ("", ""));
        assert_eq!(head.header("content-length"), TEXT.len().to_string());
    }
}

async fn a_range_without_a_byte_cannot_be_satisfied(app: TestApp) {
    let (alice, file) = a_file(&app).await;
    for field in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
        let reply = range(&alice, &file, field).await;
        reply.problem(416, "range_not_satisfiable");
        assert_eq!(reply.header("content-range"), "bytes */10", "{field}");
    }
    let empty = alice.stored("", "").await;
    for field in ["bytes=0-", "bytes=-0"] {
        let reply = range(&alice, &empty, field).await;
        reply.problem(416, "range_not_satisfiable");
        assert_eq!(reply.header("content-range"), "bytes */0");
    }
    // The last five of no bytes are all of them.
    let reply = range(&alice, &empty, "bytes=-5").await.expect(200);
    assert_eq!((reply.text(), reply.header("content-length"), reply.header("content-range")), ("", "0", ""));
}

async fn what_is_not_one_well_formed_range_gives_the_whole(app: TestApp) {
    let (alice, file) = a_file(&app).await;
    for field in ["bytes=0-1,4-5", "bytes=5-2", "bytes=a-b", "bytes=-", "bytes", "lines=1-2", "bytes=+1-2", ""] {
        let reply = range(&alice, &file, field).await.expect(200);
        assert_eq!((reply.text(), reply.header("content-range")), (TEXT, ""), "{field}");
    }
    let twice = alice.get(&file.content).header("range", "bytes=0-1").header("range", "bytes=2-3").await;
    assert_eq!(twice.expect(200).text(), TEXT);
}

async fn a_range_is_sent_only_if_the_content_is_still_the_same(app: TestApp) {
    let (alice, file) = a_file(&app).await;
    let old = format!("\"{}\"", sha256(TEXT));
    let part =
        async |if_range: &str| alice.get(&file.content).header("range", "bytes=0-1").header("if-range", if_range).await;
    assert_eq!(part(&old).await.expect(206).text(), "01");
    for other in ["\"other\"", &format!("W/{old}"), "Wed, 21 Oct 2026 07:28:00 GMT"] {
        assert_eq!(part(other).await.expect(200).text(), TEXT, "{other}");
    }
    alice.put(&file.content).body("abcdefghij").await.expect(200);
    assert_eq!(part(&old).await.expect(200).text(), "abcdefghij");
}

#[tokio::test]
async fn known_content_is_not_sent_again() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    let tag = format!("\"{}\"", sha256(TEXT));
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let reply = alice.get(&file.content).header("if-none-match", &known).await.expect(304);
        assert_eq!((reply.text(), reply.header("etag")), ("", tag.as_str()), "{known}");
        // RFC 9110, section 13.2.2: this condition comes before Range.
        let part = alice.get(&file.content).header("if-none-match", &known).header("range", "bytes=0-1");
        part.await.expect(304);
        alice.head(&file.content).header("if-none-match", &known).await.expect(304);
    }
    assert_eq!(alice.get(&file.content).header("if-none-match", "\"other\"").await.expect(200).text(), TEXT);
    for malformed in ["\"open", "\"a\" \"b\"", ""] {
        let reply = alice.get(&file.content).header("if-none-match", malformed).await;
        reply.wrong_field("if-none-match");
    }
}

#[tokio::test]
async fn a_known_record_is_not_sent_again() {
    let app = TestApp::in_memory().await;
    let (alice, file) = a_file(&app).await;
    let tag = alice.get(&file.path).await.header("etag").to_owned();
    let reply = alice.get(&file.path).header("if-none-match", &tag).await.expect(304);
    assert_eq!((reply.text(), reply.header("etag")), ("", tag.as_str()));
    alice.patch(&file.path).json(serde_json::json!({ "summary": "new" })).await.expect(200);
    alice.get(&file.path).header("if-none-match", &tag).await.expect(200);
}

#[tokio::test]
async fn the_name_to_save_under_survives_in_any_script() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    for (name, disposition) in [
        ("a b.txt", "attachment; filename=\"a b.txt\""),
        ("dir/inner.txt", "attachment; filename=\"inner.txt\""),
        ("naïve.txt", "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt"),
        ("報告.pdf", "attachment; filename=\"__.pdf\"; filename*=UTF-8''%E5%A0%B1%E5%91%8A.pdf"),
        ("😀.png", "attachment; filename=\"_.png\"; filename*=UTF-8''%F0%9F%98%80.png"),
        ("a\"b.txt", "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("50%.txt", "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"),
        ("a;b'.txt", "attachment; filename=\"a;b'.txt\""),
    ] {
        let file = alice.stored(&format!("filename={}", encoded(name)), "x").await;
        assert_eq!(file.text("filename"), name);
        assert_eq!(alice.get(&file.content).await.header("content-disposition"), disposition);
        let inline = alice.get(&format!("{}?disposition=inline", file.content)).await.expect(200);
        assert_eq!(inline.header("content-disposition"), disposition.replacen("attachment", "inline", 1));
    }
    let file = alice.stored("", "x").await;
    alice.get(&format!("{}?disposition=page", file.content)).await.wrong_field("disposition");
}

#[tokio::test]
async fn no_browser_takes_a_file_for_a_page_of_the_service() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let file = alice.store("", "<script>alert(1)</script>").header("content-type", "text/html").await.stored();
    let reply = alice.get(&format!("{}?disposition=inline", file.content)).await.expect(200);
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("content-security-policy"), "sandbox; default-src 'none'");
    assert!(reply.header("cache-control").contains("private"));
}
