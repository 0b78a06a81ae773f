//! Uploads in parts that do not make a whole, and what is left of those that nobody completes.

use artifactd::policy::sweeper::Swept;
use axum::http::Method;
use serde_json::{Value, json};

use super::support::{DAY, HOUR, Multipart, PART, Paced, Reply, TestApp, part, sha256, together};

on_every_pair! {
    what_is_wrong_with_the_list_is_said_of_the_part_and_can_be_put_right,
    a_part_that_is_too_small_is_named,
    an_announced_size_is_enforced,
    an_announced_digest_is_enforced,
    what_nobody_completes_is_swept,
    an_upload_in_parts_ends_with_its_session,
    an_upload_in_parts_is_either_completed_or_given_up,
    a_part_that_arrives_when_the_upload_is_over_is_not_kept,
    a_completion_that_a_crash_kept_from_being_noted_is_answered_the_same,
}

async fn what_is_wrong_with_the_list_is_said_of_the_part_and_can_be_put_right(app: TestApp) {
    let alice = app.user("alice");
    let (upload, other) = (alice.begun(json!({})).await, alice.begun(json!({})).await);
    let (one, two) = (upload.sent(&app, 1, part(1, PART)).await, upload.sent(&app, 2, "two").await);
    let foreign = other.sent(&app, 1, "other").await;
    let named = |problem: &Value, part: &str| {
        let text = problem["errors"][0]["message"].as_str().unwrap_or(problem["detail"].as_str().unwrap());
        assert!(part.is_empty() || text.contains(&format!("part {part} ")), "{part}: {problem}");
    };
    // A list that is none for any upload.
    for (parts, part) in [
        (&[][..], ""),
        (&[(2, &two)][..], "1"),
        (&[(1, &one), (3, &two)], "2"),
        (&[(1, &one), (1, &one)], "1"),
        (&[(1, &one), (2, &two), (2, &two)], "2"),
        (&[(2, &two), (1, &one)], "1"),
    ] {
        let reply = upload.complete(&borrowed(parts)).await;
        reply.wrong_field("parts");
        named(&reply.json(), part);
    }
    // One that is not that of what has arrived.
    for (parts, part) in [
        (&[(1, &two), (2, &two)][..], "1"),
        (&[(1, &foreign), (2, &two)], "1"),
        (&[(1, &one), (2, &foreign)], "2"),
        (&[(1, &one), (2, &two), (3, &two)], "3"),
    ] {
        let reply = upload.complete(&borrowed(parts)).await;
        named(&reply.problem(409, "upload_incomplete"), part);
    }
    let unlisted = upload.complete(&[(1, &one)]).await;
    unlisted.wrong_field("parts");
    assert!(unlisted.text().contains("must list part 2"), "{}", unlisted.text());
    upload.complete(&[(1, &one), (2, &two)]).await.expect(200);
    assert_eq!(alice.get(&upload.artifact()).await.json()["bytes"], PART + 3);
    other.complete(&[(1, &one)]).await.problem(409, "upload_incomplete");
}

fn borrowed<'a>(parts: &[(u32, &'a String)]) -> Vec<(u32, &'a str)> {
    parts.iter().map(|(number, etag)| (*number, etag.as_str())).collect()
}

async fn a_part_that_is_too_small_is_named(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({})).await;
    let (small, last) = (upload.sent(&app, 1, part(1, PART - 1)).await, upload.sent(&app, 2, "last").await);
    let reply = upload.complete(&[(1, &small), (2, &last)]).await;
    reply.wrong_field("parts");
    assert!(reply.text().contains("part 1 has 5242879"), "{}", reply.text());
    let right = upload.sent(&app, 1, part(1, PART)).await;
    upload.complete(&[(1, &right), (2, &last)]).await.expect(200);
    assert_eq!(app.keys().await.len(), 1);
}

async fn an_announced_size_is_enforced(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({ "bytes": 5 })).await;
    for bytes in ["byte", "bytes and more"] {
        let etag = upload.sent(&app, 1, bytes).await;
        upload.complete(&[(1, &etag)]).await.problem(409, "upload_incomplete");
    }
    let etag = upload.sent(&app, 1, "bytes").await;
    upload.complete(&[(1, &etag)]).await.expect(200);
    let too_large = json!({ "bytes": 5_497_558_138_881_u64 });
    alice.post("/v1/multipart").json(too_large).await.problem(413, "payload_too_large");
}

async fn an_announced_digest_is_enforced(app: TestApp) {
    let alice = app.user("alice");
    let order = json!({ "sha256": sha256("bytes"), "scope": "user" });
    let upload = alice.begun(order.clone()).await;
    let wrong = upload.sent(&app, 1, "other").await;
    for _ in 0..2 {
        upload.complete(&[(1, &wrong)]).await.problem(422, "digest_mismatch");
    }
    alice.get(&upload.artifact()).await.problem(404, "artifact_not_found");
    if app.is_direct() {
        // A store joins parts once, and only then knows the digest.
        upload.give_up().await.expect(204);
        assert_eq!(app.keys().await, [""; 0]);
    }
    let upload = if app.is_direct() { alice.begun(order).await } else { upload };
    let right = upload.sent(&app, 1, "bytes").await;
    assert_eq!(upload.complete(&[(1, &right)]).await.expect(200).json()["sha256"], sha256("bytes"));
    assert_eq!(app.keys().await.len(), 1);
}

async fn what_nobody_completes_is_swept(app: TestApp) {
    let alice = app.user("alice");
    let mut uploads = Vec::new();
    for sent in [0, 1, 3] {
        let upload = alice.begun(json!({})).await;
        for number in 1..=sent {
            upload.sent(&app, number, "bytes").await;
        }
        uploads.push(upload);
    }
    let longer = alice.begun(json!({ "expires": 3 * DAY, "scope": "user" })).await;
    let etag = longer.sent(&app, 1, "kept").await;
    app.pass(DAY + HOUR - 1);
    assert_eq!(app.sweep().await.uploads, 0);
    app.pass(1);
    assert_eq!(app.sweep().await, Swept { uploads: 3, ..Swept::default() });
    for upload in &uploads {
        upload.state().await.problem(404, "upload_not_found");
        assert!(!app.remembers(upload.id()).await);
    }
    let file = longer.complete(&[(1, &etag)]).await.expect(200).json();
    assert_eq!(app.keys().await, [file["key"].as_str().unwrap()]);
    assert_eq!(app.keys_in_parts().await, [""; 0]);
}

async fn an_upload_in_parts_ends_with_its_session(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let upload = alice.begun(json!({})).await;
    let etag = upload.sent(&app, 1, "bytes").await;
    alice.delete("/v1/sessions/s1").await.expect(204);
    upload.complete(&[(1, &etag)]).await.problem(404, "session_not_found");
    app.pass(DAY + HOUR);
    assert_eq!(app.sweep().await, Swept { uploads: 1, ..Swept::default() });
    assert_eq!(app.keys().await, [""; 0]);
    assert_eq!(app.keys_in_parts().await, [""; 0]);
}

async fn an_upload_in_parts_is_either_completed_or_given_up(app: TestApp) {
    let alice = app.user("alice");
    let mut keys = Vec::new();
    for _ in 0..5 {
        let upload = alice.begun(json!({ "scope": "user" })).await;
        let etag = upload.sent(&app, 1, "bytes").await;
        let order = json!({ "parts": [{ "part_number": 1, "etag": etag }] });
        let calls = [alice.post(&format!("{}/complete", upload.path())).json(order), alice.delete(&upload.path())];
        let [completed, given_up] = <[Reply; 2]>::try_from(together(calls).await).unwrap();
        if completed.status == 200 {
            given_up.problem(409, "conflict");
            assert_eq!(alice.get(&upload.content()).await.expect(200).text(), "bytes");
            keys.push(completed.json()["key"].as_str().unwrap().to_owned());
        } else {
            completed.problem(404, "upload_not_found");
            given_up.expect(204);
            alice.get(&upload.artifact()).await.problem(404, "artifact_not_found");
        }
    }
    keys.sort();
    assert_eq!(app.keys().await, keys);
    assert_eq!(app.keys_in_parts().await, [""; 0]);
}

async fn a_part_that_arrives_when_the_upload_is_over_is_not_kept(app: TestApp) {
    if app.is_direct() {
        return;
    }
    let alice = app.user("alice");
    for end in ["completed", "given up", "swept"] {
        let upload = alice.begun(json!({ "scope": "user" })).await;
        let etag = upload.sent(&app, 1, "bytes").await;
        let before = app.keys().await.len();
        let ticket = upload.ticket(2).await;
        let path = ticket.url().strip_prefix("http://service.test").unwrap();
        let (body, mut paced) = Paced::body("slow ", "bytes");
        let sending = tokio::spawn(app.nobody().put(path).body(body).into_future());
        paced.begun().await;
        match end {
            "completed" => drop(upload.complete(&[(1, &etag)]).await.expect(200)),
            "given up" => drop(upload.give_up().await.expect(204)),
            _ => {
                app.pass(DAY + HOUR);
                app.sweep().await;
            }
        }
        paced.finish();
        sending.await.unwrap().problem(404, "upload_not_found");
        assert_eq!(app.keys().await.len(), if end == "completed" { before } else { before - 1 }, "{end}");
    }
}

async fn a_completion_that_a_crash_kept_from_being_noted_is_answered_the_same(app: TestApp) {
    let alice = app.user("alice");
    for end in ["complete", "give up", "sweep"] {
        let upload = alice.begun(json!({ "scope": "user" })).await;
        let etag = upload.sent(&app, 1, "bytes").await;
        let file = upload.complete(&[(1, &etag)]).await.expect(200).json();
        app.rewrite_upload(upload.id(), |upload| upload["state"] = json!("open")).await;
        match end {
            // Where the parts were is known to the store alone.
            "complete" if app.is_direct() => assert_eq!(upload.complete(&[(1, &etag)]).await.expect(200).json(), file),
            "complete" => {}
            "give up" => drop(upload.give_up().await.problem(409, "conflict")),
            _ => {
                app.pass(DAY + HOUR);
                assert_eq!(app.sweep().await, Swept { uploads: 3, ..Swept::default() });
            }
        }
        assert_eq!(alice.get(&upload.artifact()).await.json(), file);
        assert_eq!(alice.get(&upload.content()).await.expect(200).text(), "bytes");
    }
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused() {
    let app = TestApp::in_memory().await;
    let alice = app.user("alice");
    let begin = |order: Value| alice.post("/v1/multipart").json(order);
    for (field, value) in [
        ("part_size", json!(PART - 1)),
        ("part_size", json!(5_368_709_121_u64)),
        ("part_size", json!(0)),
        ("part_size", json!(-1)),
        ("register", json!(true)),
        ("expires", json!(604_801)),
        ("filename", json!("../x")),
    ] {
        begin(json!({ field: value })).await.wrong_field(field);
    }
    alice.with_rights("artifacts:read").post("/v1/multipart").await.problem(403, "insufficient_scope");
    app.nobody().post("/v1/multipart").await.problem(401, "unauthenticated");
    begin(json!({ "scope": "sandbox" })).await.problem(403, "insufficient_scope");
    begin(json!({ "part_size": 5_368_709_120_u64 })).await.expect(201);
    let upload = Multipart { client: alice.clone(), json: alice.post("/v1/multipart").await.expect(201).json() };

    for number in ["0", "10001", "x", "1.5", "-1", "01", "%2B1"] {
        upload.url(number).await.wrong_field("part_number");
    }
    upload.url("1").await.expect(200);
    upload.url("10000").await.expect(200);
    alice.get(&format!("{}/parts/1/url?expires=0", upload.path())).await.wrong_field("expires");
    let urls =
        |numbers: Value| alice.post(&format!("{}/parts", upload.path())).json(json!({ "part_numbers": numbers }));
    urls(json!([])).await.wrong_field("part_numbers");
    urls((1..=1001).collect()).await.wrong_field("part_numbers");
    assert_eq!(urls((1..=1000).collect()).await.expect(200).json()["parts"].as_array().unwrap().len(), 1000);
    for number in [json!(0), json!(10_001), json!("x"), json!("1"), json!(1.5), json!(-1)] {
        urls(json!([1, number])).await.wrong_field("part_numbers[1]");
        let list = json!({ "parts": [{ "part_number": number, "etag": "x" }] });
        upload.complete_with(list).await.wrong_field("parts[0].part_number");
    }
    for order in [json!({}), json!({ "parts": [{ "part_number": 1 }] }), json!({ "parts": [1] })] {
        upload.complete_with(order).await.problem(400, "invalid_request");
    }
    alice.post(&format!("{}/complete", upload.path())).await.problem(415, "unsupported_media_type");
    alice.get("/v1/multipart/x").await.wrong_field("id");
    alice.get(&format!("/v1/multipart/{}", "0".repeat(32))).await.problem(404, "upload_not_found");
}

#[tokio::test]
async fn a_part_of_ten_thousand_can_be_listed() {
    let app = TestApp::in_memory().await;
    let upload = app.user("alice").begun(json!({})).await;
    let ticket = upload.ticket(10_000).await;
    app.send(Method::PUT, ticket.url(), &[], "x").await.expect(200);
    assert_eq!(upload.state().await.json()["parts"][0]["part_number"], 10_000);
    let etag = sha256("x");
    let all: Vec<(u32, &str)> = (1..=10_000).map(|number| (number, etag.as_str())).collect();
    let refused = upload.complete(&all).await.problem(409, "upload_incomplete");
    assert_eq!(refused["detail"], "part 1 has not arrived");
}
