//! What the sweeper removes, and what it leaves alone. What is gone is looked for in the storage itself.

use artifactd::clock::new_artifact_id;
use artifactd::policy::sweeper::Swept;
use artifactd::storage::{Key, PutOptions};
use axum::body::to_bytes;
use bytes::Bytes;
use futures::stream;
use serde_json::json;

use super::support::{DAY, HOUR, MINUTE, TestApp, together};

on_every_pair! {
    expired_files_go_with_their_bytes,
    more_files_than_a_page_expire_at_once,
    an_ended_session_goes_with_its_files,
    replaced_bytes_go_an_hour_later,
    bytes_that_never_became_a_file_go_after_a_day,
    who_reads_replaced_bytes_reads_them_to_their_end,
    sweeping_twice_at_the_same_time_does_no_harm,
}

async fn expired_files_go_with_their_bytes(app: TestApp) {
    let root = app.admin("root");
    let mut expiring = Vec::new();
    for scope in ["session", "user", "sandbox"] {
        expiring.push(root.stored(&format!("scope={scope}&ttl=60"), "x").await);
    }
    let endless = root.stored("scope=user", "kept").await;
    app.pass(59);
    assert_eq!(app.sweep().await, Swept::default());
    assert_eq!(app.keys().await.len(), 4);
    app.pass(1);
    assert_eq!(app.sweep().await, Swept { artifacts: 3, ..Swept::default() });
    assert_eq!(app.keys().await, [endless.text("key")]);
    for file in expiring {
        root.get(&file.path).await.problem(404, "artifact_not_found");
    }
    assert_eq!(root.get(&endless.content).await.expect(200).text(), "kept");
    assert_eq!(app.sweep().await, Swept::default());
}

async fn more_files_than_a_page_expire_at_once(app: TestApp) {
    let alice = app.user("alice");
    together((0..101).map(|n| alice.store("scope=user&ttl=60", n.to_string()))).await;
    app.pass(MINUTE);
    assert_eq!(app.sweep().await, Swept { artifacts: 101, ..Swept::default() });
    assert_eq!(app.keys().await, [""; 0]);
}

async fn an_ended_session_goes_with_its_files(app: TestApp) {
    let alice = app.user("alice").naming("s1");
    let file = alice.stored("ttl=86400", "x").await;
    let of_user = alice.stored("scope=user", "kept").await;
    app.pass(DAY - 1);
    assert_eq!(app.sweep().await, Swept::default());
    app.pass(1);
    assert_eq!(app.sweep().await, Swept { artifacts: 1, sessions: 1, ..Swept::default() });
    alice.get(&file.path).await.problem(404, "artifact_not_found");
    assert_eq!(alice.get(&of_user.content).await.expect(200).text(), "kept");
    assert_eq!(app.keys().await, [of_user.text("key")]);
    assert_eq!(app.sweep().await, Swept::default());
}

async fn replaced_bytes_go_an_hour_later(app: TestApp) {
    let alice = app.user("alice");
    let file = alice.stored("scope=user", "one").await;
    let key = file.text("key").to_owned();
    alice.put(&file.content).body("two").await.expect(200);
    app.pass(HOUR - 1);
    assert_eq!(app.sweep().await, Swept::default());
    assert_eq!(app.keys().await, [key.clone(), format!("{key}.2")]);
    app.pass(1);
    assert_eq!(app.sweep().await, Swept { garbage: 1, ..Swept::default() });
    assert_eq!(app.keys().await, [format!("{key}.2")]);
    assert_eq!(alice.get(&file.content).await.expect(200).text(), "two");

    // A file that is deleted takes its older bytes along, at the latest when they are due.
    alice.put(&file.content).body("three").await.expect(200);
    alice.delete(&file.path).await.expect(204);
    app.pass(HOUR);
    app.sweep().await;
    assert_eq!(app.keys().await, [""; 0]);
}

async fn bytes_that_never_became_a_file_go_after_a_day(app: TestApp) {
    // As a crash in the middle of a large form leaves them.
    let key = Key::pending(&app.sandbox.parse().unwrap(), new_artifact_id(app.now()));
    let mut body = stream::iter([Ok(Bytes::from_static(b"staged"))]);
    app.storage.put(&key, &mut body, &PutOptions::default()).await.unwrap();
    app.pass(DAY - MINUTE);
    assert_eq!(app.sweep().await, Swept::default());
    assert_eq!(app.keys().await, [key.as_str()]);
    app.pass(2 * MINUTE);
    assert_eq!(app.sweep().await, Swept { abandoned: 1, ..Swept::default() });
    assert_eq!(app.keys().await, [""; 0]);
}

async fn who_reads_replaced_bytes_reads_them_to_their_end(app: TestApp) {
    let alice = app.user("alice");
    let bytes = Bytes::from((0..5 * 1024 * 1024_u32).map(|n| (n / 199 % 256) as u8).collect::<Vec<_>>());
    let file = alice.stored("scope=user", bytes.clone()).await;
    let reading = alice.get(&file.content).begin().await;
    assert_eq!(reading.status(), 200);
    alice.put(&file.content).body("new").await.expect(200);
    app.pass(30 * MINUTE);
    app.sweep().await;
    assert!(to_bytes(reading.into_body(), usize::MAX).await.unwrap() == bytes);
    assert_eq!(alice.get(&file.content).await.text(), "new");
}

async fn sweeping_twice_at_the_same_time_does_no_harm(app: TestApp) {
    let alice = app.user("alice");
    together((0..20).map(|n| alice.store("scope=user&ttl=60", n.to_string()))).await;
    let kept = alice.stored("scope=user", "kept").await;
    alice.put(&kept.content).body("replaced").await.expect(200);
    app.pass(2 * HOUR);
    let sweeps = (0..4).map(|_| (app.service.clone(), app.now()));
    let swept = together(sweeps.map(|(service, now)| async move { service.sweep(now).await })).await;
    assert_eq!(swept.iter().map(|swept| swept.artifacts).sum::<u64>(), 20);
    assert_eq!(app.keys().await, [format!("{}.2", kept.text("key"))]);
    assert_eq!(alice.get(&kept.content).await.expect(200).text(), "replaced");
    alice.patch(&kept.path).json(json!({ "summary": "still here" })).await.expect(200);
}
