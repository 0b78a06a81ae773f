//! Files that are sent in parts.

use axum::http::Method;
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::support::{DAY, HOUR, Multipart, PART, TestApp, listed, part, sha256, together};

on_every_pair! {
    a_file_comes_in_parts_several_at_a_time_and_in_any_order,
    many_parts_arrive_side_by_side,
    a_file_may_have_one_part,
    an_empty_part_is_refused,
    the_last_of_several_parts_with_a_number_counts,
    who_was_interrupted_can_go_on_where_they_stopped,
    an_upload_in_parts_is_completed_once_and_answered_the_same_again,
    completions_side_by_side_are_answered_the_same,
    an_upload_in_parts_can_be_given_up,
    until_it_is_completed_there_is_no_file,
    only_who_began_an_upload_in_parts_can_go_on_with_it,
    urls_of_parts_are_good_no_longer_than_the_upload,
    a_size_of_parts_that_was_agreed_on_is_kept_to,
}

async fn a_file_comes_in_parts_several_at_a_time_and_in_any_order(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let parts: Vec<_> = (0..4).map(|n| part(n, if n == 3 { 12_345 } else { PART + usize::from(n) })).collect();
    let whole = parts.concat();
    let digest = sha256(&whole);
    let order = json!({
        "filename": "film.mp4", "summary": "a film", "meta": { "n": 1 }, "scope": "user", "ttl": 600, "bytes": whole.len(),
        "sha256": digest,
    });
    let reply = alice.post("/v1/multipart").json(order).await.expect(201);
    let upload = Multipart { client: alice.clone(), json: reply.json() };
    assert_eq!(reply.header("location"), upload.path());
    let key = format!("grid/{}/users/alice/{}", app.sandbox, upload.id());
    let expected = json!({
        "upload_id": upload.id(), "artifact_id": upload.id(), "key": key, "session_id": "s1", "min_part_size": PART,
        "max_parts": 10_000, "expires_at": app.in_seconds(86_400),
    });
    assert_eq!(upload.json, expected);

    let numbers = json!({ "part_numbers": [4, 2, 1, 3] });
    let reply = alice.post(&format!("{}/parts", upload.path())).json(numbers).await.expect(200);
    let tickets = reply.json()["parts"].as_array().unwrap().clone();
    assert_eq!(tickets.iter().map(|ticket| &ticket["part_number"]).collect::<Vec<_>>(), [4, 2, 1, 3]);
    let sending =
        tickets.iter().map(|ticket| {
            let number = ticket["part_number"].as_u64().unwrap();
            assert_eq!((&ticket["method"], &ticket["expires_at"]), (&json!("PUT"), &json!(app.in_seconds(3600))));
            let bytes = parts[number as usize - 1].clone();
            let (app, url) = (&app, ticket["url"].as_str().unwrap());
            async move {
                (number as u32, app.send(Method::PUT, url, &[], bytes).await.expect(200).header("etag").to_owned())
            }
        });
    let mut sent = futures::future::join_all(sending).await;
    sent.sort();
    let sent: Vec<(u32, &str)> = sent.iter().map(|(number, etag)| (*number, etag.as_str())).collect();

    let file = upload.complete(&sent).await.expect(200).json();
    assert_eq!((&file["key"], &file["bytes"], &file["mime"]), (&json!(key), &json!(whole.len()), &json!("video/mp4")));
    assert_eq!((&file["uploaded_via"], &file["sha256"]), (&json!("multipart"), &json!(digest)));
    assert_eq!((&file["summary"], &file["meta"], &file["ttl"]), (&json!("a film"), &json!({ "n": 1 }), &json!(600)));
    assert_eq!(alice.get(&upload.artifact()).await.expect(200).json(), file);
    assert!(alice.get(&upload.content()).await.expect(200).body == whole);
    let range = format!("bytes={}-{}", PART - 1, PART + 1);
    let middle = alice.get(&upload.content()).header("range", range).await.expect(206);
    assert_eq!(middle.body, whole[PART - 1..=PART + 1]);
    assert_eq!(app.keys().await, [key]);
    assert_eq!(app.keys_in_parts().await, [""; 0]);
}

async fn many_parts_arrive_side_by_side(app: TestApp) {
    let upload = app.user("alice").begun(json!({})).await;
    let numbers = (1..=24).flat_map(|number| [number, number]);
    let sending = numbers.map(|number| upload.sent(&app, number, part(1, number as usize)));
    let etags: Vec<String> = futures::stream::iter(sending).buffer_unordered(8).collect().await;
    let state = upload.state().await.expect(200).json();
    let parts = state["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 24);
    for (number, part) in (1..).zip(parts) {
        assert_eq!((&part["part_number"], &part["bytes"]), (&json!(number), &json!(number)));
        assert!(etags.contains(&format!("\"{}\"", part["etag"].as_str().unwrap())), "{part}");
    }
}

async fn a_file_may_have_one_part(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({})).await;
    let etag = upload.sent(&app, 1, "x").await;
    let file = upload.complete(&[(1, &etag)]).await.expect(200).json();
    assert_eq!((&file["bytes"], &file["filename"]), (&json!(1), &json!(null)));
    assert_eq!(alice.get(&upload.content()).await.expect(200).text(), "x");
}

/// Some stores take it and others do not: so it is the same with all of them.
async fn an_empty_part_is_refused(app: TestApp) {
    let upload = app.user("alice").begun(json!({})).await;
    let ticket = upload.ticket(1).await;
    app.send(Method::PUT, ticket.url(), &ticket.headers(), "").await.expect(400);
    assert_eq!(upload.state().await.expect(200).json()["parts"], json!([]));
    let etag = upload.sent(&app, 1, "x").await;
    upload.complete(&[(1, &etag)]).await.expect(200);
}

async fn the_last_of_several_parts_with_a_number_counts(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({})).await;
    let mut etags = Vec::new();
    for bytes in ["one", "another", "one", "the last"] {
        etags.push(upload.sent(&app, 1, bytes).await);
    }
    let state = upload.state().await.expect(200).json();
    assert_eq!(state["parts"].as_array().unwrap().len(), 1);
    assert_eq!(state["parts"][0]["bytes"], 8);
    let refused = upload.complete(&[(1, &etags[1])]).await.problem(409, "upload_incomplete");
    assert!(refused["detail"].as_str().unwrap().contains("part 1 "), "{refused}");
    upload.complete(&[(1, &etags[3])]).await.expect(200);
    assert_eq!(alice.get(&upload.content()).await.text(), "the last");
    assert_eq!(app.keys().await.len(), 1);
}

async fn who_was_interrupted_can_go_on_where_they_stopped(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({ "filename": "a.bin" })).await;
    let empty = upload.state().await.expect(200).json();
    let mut expected = upload.json.clone();
    expected["state"] = json!("open");
    expected["parts"] = json!([]);
    assert_eq!(empty, expected);
    let (first, last) = (part(1, PART), part(2, 17));
    upload.sent(&app, 3, "never mind").await;
    upload.sent(&app, 1, first.clone()).await;

    let app = app.restarted();
    let upload = upload.by(app.user("alice"));
    let state = upload.state().await.expect(200).json();
    let parts = state["parts"].as_array().unwrap();
    assert_eq!((&parts[0]["part_number"], &parts[0]["bytes"]), (&json!(1), &json!(PART)));
    assert_eq!((&parts[1]["part_number"], &parts[1]["bytes"]), (&json!(3), &json!(10)));
    let members: Vec<&String> = parts[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["bytes", "etag", "part_number", "stored_at"]);
    assert_eq!(parts.len(), 2);
    let etag = parts[0]["etag"].as_str().unwrap();
    let (second, third) = (upload.sent(&app, 2, first.clone()).await, upload.sent(&app, 3, last.clone()).await);
    upload.complete(&[(1, etag), (2, &second), (3, &third)]).await.expect(200);
    let content = upload.client.get(&upload.content()).await.expect(200);
    assert!(content.body == [first.clone(), first, last].concat());
    let state = upload.state().await.expect(200).json();
    assert_eq!((&state["state"], &state["parts"]), (&json!("completed"), &json!([])));
}

async fn an_upload_in_parts_is_completed_once_and_answered_the_same_again(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({ "summary": "old", "meta": { "a": 1, "b": 2 } })).await;
    let etag = upload.sent(&app, 1, "bytes").await;
    let bare = etag.trim_matches('"');
    assert!(etag.len() == bare.len() + 2, "{etag}");
    let order = json!({
        "parts": [{ "PartNumber": 1, "ETag": etag }], "summary": "new", "filename": "new.txt", "meta": { "a": null },
    });
    let file = upload.complete_with(order).await.expect(200).json();
    assert_eq!(
        (&file["summary"], &file["filename"], &file["meta"]),
        (&json!("new"), &json!("new.txt"), &json!({ "b": 2 }))
    );
    for order in [
        json!({ "parts": [{ "part_number": 1, "etag": bare }] }),
        json!({ "parts": [{ "PartNumber": 1, "etag": "other" }], "summary": "ignored" }),
    ] {
        assert_eq!(upload.complete_with(order).await.expect(200).json(), file);
    }
    // Who may write, and no more, may ask again too.
    let writer = upload.by(alice.with_rights("artifacts:write"));
    assert_eq!(writer.complete(&[(1, bare)]).await.expect(200).json(), file);
    upload.give_up().await.problem(409, "conflict");
    upload.url(2).await.problem(409, "conflict");
    assert_eq!(app.keys().await, [file["key"].as_str().unwrap()]);

    alice.delete(&upload.artifact()).await.expect(204);
    upload.complete(&[(1, bare)]).await.problem(404, "artifact_not_found");
    assert_eq!(app.keys().await, [""; 0]);
}

async fn completions_side_by_side_are_answered_the_same(app: TestApp) {
    let alice = app.user("alice");
    for _ in 0..3 {
        let upload = alice.begun(json!({ "scope": "user" })).await;
        let etag = upload.sent(&app, 1, part(1, 300_000)).await;
        let parts = listed(&[(1, &etag)]);
        let complete = || alice.post(&format!("{}/complete", upload.path())).json(json!({ "parts": parts }));
        let replies = together((0..8).map(|_| complete())).await;
        let file = alice.get(&upload.artifact()).await.expect(200).json();
        for reply in replies {
            assert_eq!(reply.expect(200).json(), file);
        }
        assert!(alice.get(&upload.content()).await.expect(200).body == part(1, 300_000));
        assert_eq!(app.keys().await, [file["key"].as_str().unwrap()]);
        alice.delete(&upload.artifact()).await.expect(204);
    }
}

async fn an_upload_in_parts_can_be_given_up(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({})).await;
    let etag = upload.sent(&app, 2, "bytes").await;
    let late = upload.ticket(1).await;
    for _ in 0..2 {
        upload.give_up().await.expect(204);
        upload.complete(&[(1, &etag)]).await.problem(404, "upload_not_found");
        upload.url(1).await.problem(404, "upload_not_found");
    }
    let state = upload.state().await.expect(200).json();
    assert_eq!((&state["state"], &state["parts"]), (&json!("aborted"), &json!([])));
    app.send(Method::PUT, late.url(), &late.headers(), "late").await.expect(404);
    assert_eq!(app.keys().await, [""; 0]);
    assert_eq!(app.keys_in_parts().await, [""; 0]);
    app.pass(26 * HOUR);
    assert_eq!(app.sweep().await.uploads, 1);
    upload.state().await.problem(404, "upload_not_found");
}

async fn until_it_is_completed_there_is_no_file(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({})).await;
    upload.sent(&app, 1, "bytes").await;
    for call in [alice.get(&upload.artifact()), alice.get(&upload.content()), alice.delete(&upload.artifact())] {
        call.await.problem(404, "artifact_not_found");
    }
    assert_eq!(alice.get("/v1/artifacts").await.json()["items"], json!([]));
    // Nor is it an upload to one URL.
    let other = format!("/v1/uploads/{}", upload.id());
    alice.post(&format!("{other}/complete")).await.problem(404, "upload_not_found");
    alice.delete(&other).await.problem(404, "upload_not_found");
    let single = Multipart { client: alice.clone(), json: json!({ "upload_id": alice.opened(json!({})).await.id() }) };
    single.state().await.problem(404, "upload_not_found");
    single.url(1).await.problem(404, "upload_not_found");
    single.complete(&[(1, "x")]).await.problem(404, "upload_not_found");
    single.give_up().await.problem(404, "upload_not_found");
    upload.state().await.expect(200);
}

async fn only_who_began_an_upload_in_parts_can_go_on_with_it(app: TestApp) {
    let alice = app.user("alice");
    let (of_user, of_session) =
        (alice.begun(json!({ "scope": "user" })).await, alice.naming("s1").begun(json!({})).await);
    let etag = of_user.sent(&app, 1, "bytes").await;
    for (client, upload, status, code) in [
        (app.user("bob"), &of_user, 403, "access_denied"),
        (app.admin("root"), &of_user, 403, "access_denied"),
        (alice.naming("s2"), &of_session, 403, "access_denied"),
        (app.user("bob").naming("s1"), &of_session, 403, "access_denied"),
        (alice.with_rights("artifacts:read"), &of_user, 403, "insufficient_scope"),
        (alice.in_sandbox("elsewhere"), &of_user, 404, "upload_not_found"),
    ] {
        let upload = upload.by(client);
        upload.state().await.problem(status, code);
        upload.url(1).await.problem(status, code);
        upload.complete(&[(1, &etag)]).await.problem(status, code);
        upload.give_up().await.problem(status, code);
        let urls = upload.client.post(&format!("{}/parts", upload.path())).json(json!({ "part_numbers": [1] }));
        urls.await.problem(status, code);
    }
    let by_bob = |file: Value| (file["artifact_id"].clone(), file["owner_id"].clone());
    let file = of_user.complete(&[(1, &etag)]).await.expect(200).json();
    assert_eq!(by_bob(file), (json!(of_user.id()), json!("alice")));
    // Nor does anybody else learn of the file by completing it again.
    of_user.by(app.user("bob")).complete(&[(1, &etag)]).await.problem(403, "access_denied");
}

async fn urls_of_parts_are_good_no_longer_than_the_upload(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({ "expires": 100 })).await;
    assert_eq!(upload.json["expires_at"], app.in_seconds(100));
    let etag = upload.sent(&app, 1, "bytes").await;
    app.pass(40);
    for (query, seconds) in [("", 60), ("?expires=61", 60), ("?expires=604800", 60), ("?expires=30", 30)] {
        let ticket = alice.get(&format!("{}/parts/1/url{query}", upload.path())).await.expect(200).json();
        assert_eq!(ticket["expires_at"], app.in_seconds(seconds), "{query}");
        if app.is_direct() {
            assert!(ticket["url"].as_str().unwrap().contains(&format!("X-Amz-Expires={seconds}&")), "{ticket}");
        }
    }
    let many = json!({ "part_numbers": [1, 10_000], "expires": 3600 });
    let many = alice.post(&format!("{}/parts", upload.path())).json(many).await.expect(200).json();
    assert_eq!(many["parts"][1]["expires_at"], app.in_seconds(60));
    let ticket = upload.ticket(1).await;
    app.pass(60);
    upload.url(1).await.problem(404, "upload_not_found");
    if !app.is_direct() {
        app.send(Method::PUT, ticket.url(), &[], "late").await.problem(403, "access_denied");
    }
    // What has arrived may be completed for a while.
    app.pass(HOUR - 1);
    upload.complete(&[(1, &etag)]).await.expect(200);
    let other = alice.begun(json!({ "expires": DAY })).await;
    app.pass(DAY + HOUR);
    other.complete(&[(1, &etag)]).await.problem(404, "upload_not_found");
}

async fn a_size_of_parts_that_was_agreed_on_is_kept_to(app: TestApp) {
    let alice = app.user("alice");
    let upload = alice.begun(json!({ "part_size": PART })).await;
    let large = upload.sent(&app, 1, part(1, PART + 1)).await;
    let last = upload.sent(&app, 2, "last").await;
    let refused = upload.complete(&[(1, &large), (2, &last)]).await;
    refused.wrong_field("parts");
    assert!(refused.text().contains("part 1 has 5242881 bytes"), "{}", refused.text());
    let right = upload.sent(&app, 1, part(1, PART)).await;
    upload.complete(&[(1, &right), (2, &last)]).await.expect(200);

    let upload = alice.begun(json!({ "part_size": PART })).await;
    let large = upload.sent(&app, 1, part(1, PART + 1)).await;
    upload.complete(&[(1, &large)]).await.wrong_field("parts");
}
