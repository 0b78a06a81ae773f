//! What administrators see and do.

use std::sync::Arc;

use artifactd::metadata::RedisMetadata;
use artifactd::storage::Storage;
use serde_json::{Value, json};

use super::support::{Client, DAY, HOUR, Pair, Providers, Reply, TestApp, Trouble, Troubled, store_file, together};

on_every_pair! {
    the_counts_follow_what_is_stored_replaced_and_removed,
    the_counts_are_right_after_changes_side_by_side,
    all_providers_are_tried_out,
    what_is_over_is_removed_on_demand,
}

/// Count and bytes in session, user and sandbox scope; fails unless the sums are right.
async fn counts(root: &Client) -> [(u64, u64); 3] {
    let stats = root.get("/v1/admin/stats").await.expect(200).json();
    let of = |value: &Value| (value["artifacts"].as_u64().unwrap(), value["bytes"].as_u64().unwrap());
    let scopes = stats["scopes"].as_array().unwrap();
    let names: Vec<&str> = scopes.iter().map(|scope| scope["scope"].as_str().unwrap()).collect();
    assert_eq!(names, ["session", "user", "sandbox"]);
    let counts: [(u64, u64); 3] = [0, 1, 2].map(|index| of(&scopes[index]));
    assert_eq!(of(&stats), (counts.iter().map(|one| one.0).sum(), counts.iter().map(|one| one.1).sum()));
    counts
}

async fn the_counts_follow_what_is_stored_replaced_and_removed(app: TestApp) {
    let root = app.admin("root").naming("s1");
    assert_eq!(counts(&root).await, [(0, 0), (0, 0), (0, 0)]);
    let of_session = store_file(&root, json!({ "bytes": 10, "ttl": 60 })).await;
    store_file(&root, json!({ "bytes": 5 })).await;
    let of_user = store_file(&root, json!({ "bytes": 100, "scope": "user" })).await;
    store_file(&app.user("alice"), json!({ "bytes": 20, "scope": "user" })).await;
    let shared = store_file(&root, json!({ "bytes": 1000, "scope": "sandbox" })).await;
    store_file(&root.in_sandbox("elsewhere"), json!({ "bytes": 1 , "scope": "sandbox" })).await;
    assert_eq!(counts(&root).await, [(2, 15), (2, 120), (1, 1000)]);

    root.put(&of_user.content).body("x".repeat(40)).await.expect(200);
    root.put(&shared.content).body("").await.expect(200);
    root.patch(&of_session.path).json(json!({ "summary": "x", "filename": "y" })).await.expect(200);
    assert_eq!(counts(&root).await, [(2, 15), (2, 60), (1, 0)], "replaced bytes do not count, nor do words");
    root.put(&of_user.content).header("if-match", "\"stale\"").body("xx").await.expect(412);
    root.store("scope=user&sha256=00", "x").await.expect(400);
    root.delete(&of_user.path).await.expect(204);
    root.delete(&of_user.path).await.expect(404);
    assert_eq!(counts(&root).await, [(2, 15), (1, 20), (1, 0)]);

    let copy = root.post(&format!("{}/copy", of_session.path)).await.stored();
    root.put(&copy.content).body("longer than it was").await.expect(200);
    root.post(&format!("{}/move", copy.path)).json(json!({ "filename": "moved" })).await.expect(200);
    assert_eq!(counts(&root).await, [(3, 33), (1, 20), (1, 0)]);
    let items = json!({ "items": [{ "text": "1" }, { "text": "22", "scope": "user" }, { "text": "no", "ttl": 0 }] });
    let batch = root.post("/v1/artifacts/batch").json(items).await.expect(200).json();
    assert_eq!(counts(&root).await, [(4, 34), (2, 22), (1, 0)]);
    let stored = [0, 1].map(|index| batch["results"][index]["artifact"]["artifact_id"].clone());
    let ids = json!({ "artifact_ids": [copy["artifact_id"], stored[0], stored[1], stored[1]] });
    root.post("/v1/artifacts/batch/delete").json(ids).await.expect(200);
    assert_eq!(counts(&root).await, [(2, 15), (1, 20), (1, 0)]);

    app.pass(60);
    assert_eq!(counts(&root).await, [(2, 15), (1, 20), (1, 0)], "what has expired is there until it is removed");
    app.sweep().await;
    assert_eq!(counts(&root).await, [(1, 5), (1, 20), (1, 0)]);
    root.delete("/v1/sessions/s1").await.expect(204);
    assert_eq!(counts(&root).await, [(0, 0), (1, 20), (1, 0)]);
    assert_eq!(counts(&app.admin("other").in_sandbox("nowhere")).await, [(0, 0), (0, 0), (0, 0)]);
}

async fn the_counts_are_right_after_changes_side_by_side(app: TestApp) {
    let root = app.admin("root").naming("s1");
    let files = together((0..12).map(|n| {
        let (root, scope) = (root.clone(), ["session", "user", "sandbox"][n % 3]);
        async move { store_file(&root, json!({ "bytes": n, "scope": scope })).await }
    }))
    .await;
    let calls = files.iter().enumerate().flat_map(|(n, file)| {
        [
            root.put(&file.content).body("y".repeat(50 + n)),
            root.patch(&file.path).json(json!({ "summary": "changed" })),
            if n < 6 { root.delete(&file.path) } else { root.put(&file.content).body("z".repeat(80)) },
            root.store("scope=user", "new"),
        ]
    });
    for reply in together(calls).await {
        assert!([200, 201, 204, 404, 409].contains(&reply.status.as_u16()), "{reply:?}");
    }
    let mut expected = [(0, 0); 3];
    for item in root.walk("", 1000).await {
        let index = ["session", "user", "sandbox"].iter().position(|scope| item["scope"] == *scope).unwrap();
        expected[index] = (expected[index].0 + 1, expected[index].1 + item["bytes"].as_u64().unwrap());
    }
    assert_eq!(counts(&root).await, expected);
    assert_eq!(expected.iter().map(|scope| scope.0).sum::<u64>(), 18);
}

async fn all_providers_are_tried_out(app: TestApp) {
    let root = app.admin("root");
    let stats = root.get("/v1/admin/stats").await.expect(200).json();
    assert_eq!((&stats["sandbox_id"], &stats["metadata_provider"]), (&json!(app.sandbox), &json!(app.metadata_name())));
    for scope in stats["scopes"].as_array().unwrap() {
        assert_eq!(scope["storage_provider"], app.storage_name());
        assert_eq!(scope["bucket"].is_string(), app.storage_name() == "s3", "{scope}");
    }
    let mut report = root.get("/v1/admin/check").await.expect(200).json();
    for provider in report["providers"].as_array_mut().unwrap() {
        assert!(provider["milliseconds"].take().as_f64().is_some_and(|took| took > 0.0), "{provider}");
    }
    let ok = |role: &str, name: &str| json!({ "role": role, "provider": name, "status": "ok", "milliseconds": null });
    let providers = [ok("storage", app.storage_name()), ok("metadata", app.metadata_name())];
    assert_eq!(report, json!({ "ok": true, "providers": providers }));
    // It leaves nothing behind.
    assert_eq!(app.keys().await, [""; 0]);
    assert!(app.storage.list("", None, 10).await.unwrap().is_empty());
    assert_eq!(counts(&root).await, [(0, 0); 3]);
}

async fn what_is_over_is_removed_on_demand(app: TestApp) {
    let root = app.admin("root").naming("s1");
    let cleanup = async || root.post("/v1/admin/cleanup").await.expect(200).json();
    let report = |artifacts, sessions, garbage| {
        json!({ "artifacts": artifacts, "sessions": sessions, "garbage": garbage, "uploads": 0, "abandoned": 0,
                "failures": 0 })
    };
    for scope in ["session", "user", "sandbox"] {
        root.stored(&format!("scope={scope}&ttl=60"), "x").await;
    }
    // Also what is over in other sandboxes.
    app.user("alice").in_sandbox("elsewhere").stored("scope=user&ttl=60", "x").await;
    let kept = root.stored("scope=user", "one").await;
    root.put(&kept.content).body("two").await.expect(200);
    assert_eq!(cleanup().await, report(0, 0, 0));
    app.pass(60);
    assert_eq!(cleanup().await, report(4, 0, 0));
    app.pass(HOUR);
    assert_eq!(cleanup().await, report(0, 0, 1));
    app.pass(DAY);
    assert_eq!(cleanup().await, report(0, 1, 0));
    assert_eq!(cleanup().await, report(0, 0, 0));
    assert_eq!(app.keys().await, [format!("{}.2", kept.text("key"))]);
    assert_eq!(root.get(&kept.content).await.expect(200).text(), "two");
}

#[tokio::test]
async fn only_administrators_administer() {
    let app = TestApp::in_memory().await;
    let file = app.user("alice").stored("scope=user&ttl=60", "x").await;
    app.pass(60);
    let calls = |client: &Client, query: &str| {
        [
            client.get(&format!("/v1/admin/stats{query}")),
            client.get(&format!("/v1/admin/check{query}")),
            client.post(&format!("/v1/admin/cleanup{query}")),
        ]
    };
    for client in [
        app.user("alice"),
        app.session("s1"),
        app.user_in_session("alice", "s1"),
        app.user("alice").with_rights("artifacts:read artifacts:write"),
        app.user("alice").with_rights("admin artifacts:administrator"),
    ] {
        for call in calls(&client, "") {
            let reply = call.await;
            reply.problem(403, "insufficient_scope");
            assert!(!reply.text().contains("memory"));
        }
    }
    for call in calls(&app.nobody(), "") {
        call.await.problem(401, "unauthenticated");
    }
    for call in calls(&app.admin("root"), "?verbose=1") {
        call.await.wrong_field("verbose");
    }
    assert_eq!(app.keys().await, [file.text("key")], "nothing was removed");
    for call in calls(&app.caller(json!({ "sid": "s1", "roles": ["artifacts:admin"] })), "") {
        call.await.expect(200);
    }
    app.admin("root").get("/v1/admin/cleanup").await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn each_provider_of_a_scope_is_listed() {
    let app = TestApp::with(Providers::per_scope(), |_| {});
    let root = app.admin("root");
    let stats = root.get("/v1/admin/stats").await.expect(200).json();
    let names: Vec<&Value> =
        stats["scopes"].as_array().unwrap().iter().map(|scope| &scope["storage_provider"]).collect();
    assert_eq!(names, ["memory", "filesystem", "sqlite"]);
    assert_eq!(
        statuses(&root.get("/v1/admin/check").await),
        ["storage memory ok", "storage filesystem ok", "storage sqlite ok", "metadata memory ok"]
    );
}

fn statuses(reply: &Reply) -> Vec<String> {
    let report = reply.json();
    let providers = report["providers"].as_array().unwrap();
    assert_eq!(report["ok"], providers.iter().all(|provider| provider["status"] == "ok"), "{report}");
    let words =
        |provider: &Value| ["role", "provider", "status"].map(|name| provider[name].as_str().unwrap().to_owned());
    providers.iter().map(|provider| words(provider).join(" ")).collect()
}

#[tokio::test]
async fn a_provider_in_trouble_is_told_without_a_word_of_the_inside() {
    for (trouble, on_writing, status) in [
        (Trouble::Unavailable, true, "unavailable"),
        (Trouble::Unavailable, false, "unavailable"),
        (Trouble::Broken, true, "broken"),
        (Trouble::Broken, false, "broken"),
        (Trouble::Lost, false, "broken"),
        (Trouble::Away, true, "unavailable"),
    ] {
        let providers = Providers::open(Pair::Memory).await;
        let providers = providers.with_storage(|inner: Arc<dyn Storage>| Troubled { inner, trouble, on_writing });
        let app = TestApp::with(providers, |_| {});
        let reply = app.admin("root").get("/v1/admin/check").await.expect(200);
        assert_eq!(
            statuses(&reply),
            [format!("storage memory {status}"), "metadata memory ok".to_owned()],
            "{trouble:?}"
        );
        assert_eq!(reply.json()["providers"][0]["milliseconds"], Value::Null);
        for inside in ["the inside", "storing", "reading", "checking"] {
            assert!(!reply.text().contains(inside), "{}", reply.text());
        }
        // What bytes have no part in goes on.
        assert_eq!(counts(&app.admin("root")).await, [(0, 0); 3]);
    }
}

#[tokio::test]
async fn records_that_are_away_are_told_too() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let metadata = RedisMetadata::connect(&format!("redis://user:hunter2@127.0.0.1:{port}/0"), "nowhere").unwrap();
    let app = TestApp::with(Providers::open(Pair::Memory).await.with_metadata(metadata), |_| {});
    let root = app.admin("root");
    let check = root.get("/v1/admin/check").await.expect(200);
    assert_eq!(statuses(&check), ["storage memory ok", "metadata redis unavailable"]);
    let stats = root.get("/v1/admin/stats").await;
    stats.problem(503, "provider_unavailable");
    let cleanup = root.post("/v1/admin/cleanup").await.expect(200);
    assert!(cleanup.json()["failures"].as_u64().is_some_and(|failures| failures > 0), "{}", cleanup.text());
    for reply in [check, stats, cleanup] {
        for inside in ["hunter2", "127.0.0.1", "refused"] {
            assert!(!reply.text().contains(inside), "{}", reply.text());
        }
    }
}
