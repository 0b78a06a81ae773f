//! `If-Match` and its like: a change that relies on what the caller has seen.

use serde_json::{Value, json};

use super::support::{Call, Client, Stored, TestApp};

on_every_pair! {
    a_change_goes_through_if_the_file_is_as_the_caller_knows_it,
    a_change_of_a_file_that_has_changed_is_refused_and_changes_nothing,
    of_two_writers_who_read_the_same_the_second_is_refused,
    a_change_may_depend_on_a_date_or_on_tags_that_are_not,
}

/// The three changes.
fn changes(client: &Client, file: &Stored) -> [Call; 3] {
    [
        client.patch(&file.path).json(json!({ "summary": "changed" })),
        client.put(&file.content).body("changed"),
        client.delete(&file.path),
    ]
}

async fn record_tag(client: &Client, file: &Stored) -> String {
    client.get(&file.path).await.expect(200).header("etag").to_owned()
}

async fn content_tag(client: &Client, file: &Stored) -> String {
    client.head(&file.content).await.expect(200).header("etag").to_owned()
}

async fn a_change_goes_through_if_the_file_is_as_the_caller_knows_it(app: TestApp) {
    let alice = app.user("alice");
    for nth in 0..3 {
        for tag in ["record", "content", "*", "list", "bare"] {
            let file = alice.stored("", "bytes").await;
            let tag = match tag {
                "record" => record_tag(&alice, &file).await,
                "content" => content_tag(&alice, &file).await,
                "list" => format!("\"other\", {}", record_tag(&alice, &file).await),
                // As it stands in the JSON.
                "bare" => file.text("etag").to_owned(),
                star => star.to_owned(),
            };
            let [patch, put, delete] = changes(&alice, &file);
            let (change, status) = [(patch, 200), (put, 200), (delete, 204)].into_iter().nth(nth).unwrap();
            change.header("if-match", tag).await.expect(status);
        }
    }
}

async fn a_change_of_a_file_that_has_changed_is_refused_and_changes_nothing(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("summary=first", "bytes").await;
    let (old_record, old_content) = (record_tag(&alice, &file).await, content_tag(&alice, &file).await);
    alice.put(&file.content).body("other bytes").await.expect(200);
    let now: Value = alice.get(&file.path).await.json();
    let keys = app.keys().await;
    for stale in [old_record, old_content, "\"made-up\"".to_owned(), format!("W/{}", record_tag(&alice, &file).await)] {
        for change in changes(&alice, &file) {
            let problem = change.header("if-match", &stale).await.problem(412, "precondition_failed");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(now["etag"].as_str().unwrap()), "the tags as they are: {detail}");
        }
    }
    for change in changes(&alice, &file) {
        change.header("if-match", "\"open").await.wrong_field("if-match");
    }
    assert_eq!(alice.get(&file.path).await.json(), now);
    assert_eq!(alice.get(&file.content).await.text(), "other bytes");
    assert_eq!(app.keys().await, keys, "no bytes came and none went");
}

async fn of_two_writers_who_read_the_same_the_second_is_refused(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("", "bytes").await;
    let seen = record_tag(&alice, &file).await;
    let first = alice.patch(&file.path).header("if-match", &seen).json(json!({ "summary": "first" }));
    let seen_by_first = first.await.expect(200).header("etag").to_owned();
    let second = alice.patch(&file.path).header("if-match", &seen).json(json!({ "summary": "second" }));
    second.await.problem(412, "precondition_failed");
    assert_eq!(alice.get(&file.path).await.json()["summary"], "first");
    // The content's tag has not changed with the record, and the tag of the answer is up to date.
    let content = content_tag(&alice, &file).await;
    for current in [seen_by_first, content] {
        let (file, call) = (&file, alice.put(&file.content).header("if-match", &current).body("new"));
        call.await.expect(200);
        alice.put(&file.content).header("if-match", &current).body("newer").await.problem(412, "precondition_failed");
        alice.put(&file.content).body("bytes").await.expect(200);
    }
}

async fn a_change_may_depend_on_a_date_or_on_tags_that_are_not(app: TestApp) {
    let alice = app.user("alice");
    for nth in 0..3 {
        let file = alice.stored("scope=user", "bytes").await;
        let read = alice.get(&file.path).await.expect(200);
        let (record, seen) = (read.header("etag").to_owned(), read.header("last-modified").to_owned());
        app.pass(1);
        let content = alice.put(&file.content).body("new bytes").await.expect(200).json();
        let content = format!("\"{}\"", content["etag"].as_str().unwrap());
        let changed = alice.get(&file.path).await.header("last-modified").to_owned();
        assert_ne!(seen, changed);
        let change = || changes(&alice, &file).into_iter().nth(nth).unwrap();
        for (name, value) in [
            ("if-unmodified-since", seen.as_str()),
            ("if-none-match", "*"),
            ("if-none-match", &content),
            ("if-none-match", &format!("W/{content}")),
        ] {
            change().header(name, value).await.problem(412, "precondition_failed");
        }
        assert_eq!(alice.get(&file.content).await.expect(200).text(), "new bytes");
        // A tag says more than a date, and what is no date says nothing.
        let current = alice.get(&file.path).await.header("etag").to_owned();
        change()
            .header("if-match", record)
            .header("if-unmodified-since", &changed)
            .await
            .problem(412, "precondition_failed");
        let change = change().header("if-none-match", "\"another\"");
        let change = match nth {
            0 => change.header("if-unmodified-since", &changed),
            1 => change.header("if-match", &current).header("if-unmodified-since", &seen),
            _ => change.header("if-unmodified-since", "yesterday"),
        };
        assert!(change.await.status.is_success());
    }
}
