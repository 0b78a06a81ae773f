//! A storage provider for each scope: sessions in memory, users in files, the sandbox in a database.

use std::sync::Arc;

use artifactd::clock::new_artifact_id;
use artifactd::domain::id::SandboxId;
use artifactd::domain::scope::Scope;
use artifactd::policy::Stores;
use artifactd::policy::sweeper::Swept;
use artifactd::storage::memory::MemoryStorage;
use artifactd::storage::{Key, PutOptions, Storage};
use bytes::Bytes;
use futures::stream;
use serde_json::json;

use super::support::{Client, DAY, Form, HOUR, MINUTE, Providers, Stored, TestApp, Trouble, Troubled, sha256};

const SCOPES: [(&str, Scope, &str); 3] =
    [("session", Scope::Session, "memory"), ("user", Scope::User, "filesystem"), ("sandbox", Scope::Sandbox, "sqlite")];

/// A service with a provider for each scope, its providers, and somebody who may do everything.
fn per_scope() -> (TestApp, Providers, Client) {
    let providers = Providers::per_scope();
    let app = TestApp::with(providers.clone(), |_| {});
    let root = app.admin("root");
    (app, providers, root)
}

/// The same records under a service that has other providers.
fn with_stores(app: &TestApp, providers: &Providers, stores: Stores) -> TestApp {
    let sandbox: SandboxId = app.sandbox.parse().unwrap();
    TestApp::with(providers.clone().with_stores(stores), |options| options.auth.sandbox = sandbox)
}

async fn assert_nothing_is_left(app: &TestApp, providers: &Providers) {
    for (_, scope, name) in SCOPES {
        assert_eq!(app.keys_in(&*providers.of(scope)).await, [""; 0], "{name}");
    }
}

#[tokio::test]
async fn bytes_are_with_the_provider_of_their_scope() {
    let (app, providers, root) = per_scope();
    for (name, scope, provider) in SCOPES {
        for content in ["bytes", ""] {
            let file = root.stored(&format!("scope={name}"), content).await;
            assert_eq!(file["storage_provider"], provider);
            assert_eq!(root.get(&file.content).await.expect(200).text(), content);
            assert_eq!(app.keys_in(&*providers.of(scope)).await, [file.text("key")], "{provider}");

            let replaced = root.put(&file.content).body("new bytes").await.expect(200).json();
            assert_eq!((&replaced["storage_provider"], &replaced["revision"]), (&json!(provider), &json!(2)));
            assert_eq!(root.get(&file.content).header("range", "bytes=4-").await.expect(206).text(), "bytes");
            let keys = [file.text("key").to_owned(), format!("{}.2", file.text("key"))];
            assert_eq!(app.keys_in(&*providers.of(scope)).await, keys, "{provider}");

            root.delete(&file.path).await.expect(204);
            app.pass(2 * HOUR);
            app.sweep().await;
            assert_nothing_is_left(&app, &providers).await;
        }
    }
}

/// What waits for the fields behind it waits with the provider of sessions.
#[tokio::test]
async fn a_large_form_file_goes_to_the_provider_of_the_scope_behind_it() {
    let (app, providers, root) = per_scope();
    let bytes: Vec<u8> = (0..3 * 1024 * 1024 + 17_u32).map(|n| (n / 251 % 256) as u8).collect();
    for (name, scope, provider) in SCOPES {
        let form = || Form::default().file("large.bin", "application/x-large", &bytes).field("scope", name);
        let file = root.post("/v1/artifacts").form(form().field("sha256", sha256(&bytes))).await.stored();
        assert_eq!((&file["storage_provider"], &file["bytes"]), (&json!(provider), &json!(bytes.len())));
        assert_eq!(file["sha256"], sha256(&bytes));
        assert!(root.get(&file.content).await.body == bytes);
        assert_eq!(app.keys_in(&*providers.of(scope)).await, [file.text("key")], "{provider}");
        root.delete(&file.path).await.expect(204);
        let wrong = form().field("sha256", sha256("other"));
        root.post("/v1/artifacts").form(wrong).await.problem(422, "digest_mismatch");
        assert_nothing_is_left(&app, &providers).await;
    }
}

#[tokio::test]
async fn a_staged_file_that_cannot_be_moved_is_the_service_s_fault() {
    let large = vec![7; 2 * 1024 * 1024];
    let form = || Form::default().file("large.bin", "a/b", &large).field("scope", "user");
    for (trouble, status, code) in [
        (Trouble::Lost, 500, "artifact_damaged"),
        (Trouble::Broken, 502, "provider_error"),
        (Trouble::Unavailable, 503, "provider_unavailable"),
        (Trouble::BreaksOff, 503, "provider_unavailable"),
    ] {
        let providers = Providers::per_scope();
        let troubled = Troubled { inner: providers.of(Scope::Session), trouble, on_writing: false };
        let stores = Stores::per_scope(Arc::new(troubled), providers.of(Scope::User), providers.of(Scope::Sandbox));
        let app = TestApp::with(providers.clone().with_stores(stores), |_| {});
        app.user("alice").post("/v1/artifacts").form(form()).await.problem(status, code);
        assert_nothing_is_left(&app, &providers).await;
    }
}

#[tokio::test]
async fn sweeping_goes_through_all_providers() {
    let (app, providers, root) = per_scope();
    for (name, scope, _) in SCOPES {
        root.stored(&format!("scope={name}&ttl=60"), "x").await;
        let key = Key::pending(&app.sandbox.parse().unwrap(), new_artifact_id(app.now()));
        put(&*providers.of(scope), &key).await;
        let orphan = format!("grid/{}/shared/{}", app.sandbox, new_artifact_id(app.now()));
        put(&*providers.of(scope), &Key::from_listing(&orphan).unwrap()).await;
    }
    app.pass(DAY + MINUTE);
    assert_eq!(app.sweep().await, Swept { artifacts: 3, sessions: 1, abandoned: 3, ..Swept::default() });
    assert_eq!(app.keys().await.len(), 3);
    assert_eq!(app.service.sweep_orphans(app.now()).await.unwrap(), 3);
    assert_nothing_is_left(&app, &providers).await;
}

async fn put(storage: &dyn Storage, key: &Key) {
    let mut body = stream::iter([Ok(Bytes::from_static(b"left behind"))]);
    storage.put(key, &mut body, &PutOptions::default()).await.unwrap();
}

#[tokio::test]
async fn orphans_are_told_from_files_that_are_elsewhere_now() {
    let (app, providers, alice) = per_scope();
    let file = alice.stored("scope=user", "x").await;
    let moved = with_stores(&app, &providers, providers_for_users_in(&providers, Scope::Sandbox));
    moved.pass(2 * DAY);
    assert_eq!(moved.service.sweep_orphans(moved.now()).await.unwrap(), 0);
    assert_eq!(moved.admin("root").get(&file.content).await.expect(200).text(), "x");
}

/// The bytes of users are with the provider of another scope from now on; files are for the sandbox.
fn providers_for_users_in(providers: &Providers, scope: Scope) -> Stores {
    Stores::per_scope(providers.of(Scope::Session), providers.of(scope), providers.of(Scope::User))
}

#[tokio::test]
async fn new_bytes_go_to_the_provider_that_the_scope_has_now() {
    let (app, providers, root) = per_scope();
    let file = root.stored("scope=user", "old").await;
    let app = with_stores(&app, &providers, providers_for_users_in(&providers, Scope::Session));
    let root = app.admin("root");
    assert_eq!(root.get(&file.content).await.expect(200).text(), "old");
    let replaced = root.put(&file.content).body("new").await.expect(200).json();
    assert_eq!(replaced["storage_provider"], "memory");
    assert_eq!(root.get(&file.content).await.expect(200).text(), "new");
    let key = format!("{}.2", file.text("key"));
    assert_eq!(app.keys_in(&*providers.of(Scope::Session)).await, [key.as_str()]);
    assert_eq!(app.keys_in(&*providers.of(Scope::User)).await, [file.text("key")], "until its readers are done");
    app.pass(HOUR);
    assert_eq!(app.sweep().await, Swept { garbage: 1, ..Swept::default() });
    assert_eq!(app.keys_in(&*providers.of(Scope::User)).await, [""; 0]);
    root.delete(&file.path).await.expect(204);
    assert_nothing_is_left(&app, &providers).await;
}

/// It needs no bytes to be moved, and the provider can do it by itself.
#[tokio::test]
async fn a_copy_stays_with_the_provider_of_its_original() {
    let (app, providers, root) = per_scope();
    for (name, _, provider) in SCOPES {
        let file = root.stored(&format!("scope={name}"), "x").await;
        let copied = root.post(&format!("{}/copy", file.path)).await.stored();
        assert_eq!(copied["storage_provider"], provider);
    }
    let file = root.stored("scope=user", "x").await;
    let app = with_stores(&app, &providers, providers_for_users_in(&providers, Scope::Session));
    let root = app.admin("root");
    let copied = root.post(&format!("{}/copy", file.path)).await.stored();
    assert_eq!(copied["storage_provider"], "filesystem");
    assert_eq!(root.get(&copied.content).await.expect(200).text(), "x");

    let app = with_stores(&app, &providers, Stores::one(providers.of(Scope::Session)));
    app.admin("root").post(&format!("{}/copy", file.path)).await.problem(502, "provider_error");
}

#[tokio::test]
async fn bytes_with_a_provider_that_is_not_configured_stay_out_of_reach_until_it_is() {
    let (app, providers, alice) = per_scope();
    let (file, other) = (alice.stored("scope=user", "kept").await, alice.stored("scope=user&ttl=60", "x").await);
    let replaced = alice.stored("scope=user", "old").await;
    let without = with_stores(&app, &providers, Stores::one(providers.of(Scope::Session)));
    let root = without.admin("root");
    assert_eq!(root.get(&file.path).await.expect(200).json(), file.json);
    root.get(&file.content).await.problem(502, "provider_error");
    root.delete(&file.path).await.problem(502, "provider_error");
    let patched = root.patch(&file.path).json(json!({ "summary": "still mine" })).await.expect(200).json();
    assert_eq!(patched["storage_provider"], "filesystem");
    assert_eq!(root.put(&replaced.content).body("new").await.expect(200).json()["storage_provider"], "memory");
    assert_eq!(root.get(&replaced.content).await.expect(200).text(), "new");
    without.pass(2 * HOUR);
    assert_eq!(without.sweep().await, Swept { failures: 2, ..Swept::default() }, "an expired file, replaced bytes");

    let again = with_stores(&app, &providers, providers.stores.clone());
    again.pass(2 * HOUR);
    assert_eq!(again.sweep().await, Swept { artifacts: 1, garbage: 1, ..Swept::default() });
    let root = again.admin("root");
    assert_eq!(root.get(&file.content).await.expect(200).text(), "kept");
    root.get(&other.path).await.problem(404, "artifact_not_found");
    assert_eq!(again.keys_in(&*providers.of(Scope::User)).await, [file.text("key")]);
}

#[tokio::test]
async fn a_provider_that_is_away_hinders_no_other() {
    let (app, providers, root) = per_scope();
    let mut files: Vec<Stored> = Vec::new();
    for (name, _, _) in SCOPES {
        let file = root.stored(&format!("scope={name}&ttl=86400"), "old").await;
        root.put(&file.content).body("new").await.expect(200);
        files.push(file);
    }
    app.pass(HOUR);
    let away = Troubled { inner: providers.of(Scope::User), trouble: Trouble::Away, on_writing: true };
    let stores = Stores::per_scope(providers.of(Scope::Session), Arc::new(away), providers.of(Scope::Sandbox));
    let without = with_stores(&app, &providers, stores);
    without.pass(HOUR);
    let root = without.admin("root");
    without.nobody().get("/readyz").await.problem(503, "provider_unavailable");
    root.get(&files[1].content).await.problem(503, "provider_unavailable");
    assert_eq!(root.get(&files[2].content).await.expect(200).text(), "new");
    // The bytes that are due and the listing of what was abandoned are out of reach.
    assert_eq!(without.sweep().await, Swept { garbage: 2, failures: 2, ..Swept::default() });

    assert_eq!(app.sweep().await, Swept { garbage: 1, ..Swept::default() });
    app.nobody().get("/readyz").await.expect(200);
}

#[tokio::test]
async fn every_provider_is_tried_out_once() {
    let (app, providers, _) = per_scope();
    let checked = async |app: &TestApp| -> Vec<(&str, &str)> {
        let checked = app.service.check().await;
        checked.into_iter().filter(|one| one.result.is_ok()).map(|one| (one.role, one.provider)).collect()
    };
    let all = [("storage", "memory"), ("storage", "filesystem"), ("storage", "sqlite"), ("metadata", "memory")];
    assert_eq!(checked(&app).await, all);
    let shared = Stores::per_scope(providers.of(Scope::User), providers.of(Scope::Sandbox), providers.of(Scope::User));
    let app = with_stores(&app, &providers, shared);
    assert_eq!(checked(&app).await, [("storage", "filesystem"), ("storage", "sqlite"), ("metadata", "memory")]);
    let app = with_stores(&app, &providers, Stores::one(Arc::new(MemoryStorage::default())));
    assert_eq!(checked(&app).await, [("storage", "memory"), ("metadata", "memory")]);
}
