//! What the program does besides serving.

use std::time::{Duration, SystemTime};

use axum::http::Method;
use serde_json::json;

use super::support::{CLOSED, Client, Pair, S3, Setup, eventually, unique};

#[tokio::test]
async fn tokens_say_what_was_asked_for() {
    let setup = Setup::new();
    let server = setup.start();
    let read_write = json!(["artifacts:read", "artifacts:write"]);
    let all = json!(["artifacts:read", "artifacts:write", "artifacts:admin"]);
    for (arguments, sandbox, user, session, rights) in [
        (&["--user", "alice"][..], "default", json!("alice"), json!(null), &read_write),
        (&["--session", "s1"], "default", json!(null), json!("s1"), &read_write),
        (&["--user", "a/b", "--session", "s 2"], "default", json!("a/b"), json!("s 2"), &read_write),
        (&["--user", "bob", "--sandbox", "other"], "other", json!("bob"), json!(null), &read_write),
        (&["--user", "root", "--admin", "--ttl", "7d"], "default", json!("root"), json!(null), &all),
    ] {
        let client = Client::new(server.address, &setup.token(arguments));
        let expected = json!({"sandbox_id": sandbox, "user_id": user, "session_id": session, "rights": rights});
        assert_eq!(client.get("/v1/whoami").await.expect(200).json(), expected);
    }
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let setup = Setup::new().with("AUTH_LEEWAY_SECONDS", "0");
    let server = setup.start();
    let client = Client::new(server.address, &setup.token(&["--user", "alice", "--ttl", "1s"]));
    let refused = eventually("the token expires", async || {
        Some(client.get("/v1/whoami").await).filter(|answer| answer.status != 200)
    });
    refused.await.expect_problem(401, "unauthenticated");
}

#[test]
fn a_token_that_cannot_be_made_is_explained() {
    let setup = Setup::new();
    for (arguments, explained) in [
        (&["--user", "alice", "--ttl", "soon"][..], "--ttl"),
        (&["--user", "alice", "--ttl", "0"], "--ttl"),
        (&["--user", ""], "--user"),
        (&["--owner", "alice"], "--owner"),
        (&[], "user"),
    ] {
        let refused = setup.run(&[&["token"], arguments].concat());
        assert!(!matches!(refused.code, Some(0) | None), "{refused:?}");
        assert!(refused.stderr.contains(explained), "{refused:?}");
        assert_eq!(refused.stdout, "");
    }
    let elsewhere = Setup::new().with("AUTH_JWKS_URL", "http://127.0.0.1:9/jwks");
    let refused = elsewhere.run(&["token", "--user", "alice"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("secret"), "{refused:?}");
}

#[test]
fn check_finds_working_providers() {
    for pair in [Pair::FilesystemSqlite, Pair::SqliteSqlite, Pair::S3Redis] {
        let checked = Setup::on(pair).run(&["check"]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let ok = checked.stdout.lines().filter(|line| line.starts_with("ok ")).count();
        assert_eq!(ok, 3, "{}", checked.stdout);
    }
}

#[test]
fn check_says_which_provider_fails_and_why() {
    let s3 = S3::from_environment();
    let wrong_secret = S3 { secret_key: "f".repeat(64), ..s3.clone() };
    let no_bucket = S3 { bucket: unique("missing"), ..s3.clone() };
    let no_store = S3 { endpoint: format!("http://{CLOSED}"), ..s3 };
    for (setup, which, why) in [
        (Setup::on(Pair::S3Redis).on_redis(&format!("redis://{CLOSED}")), "metadata (redis)", "refused"),
        (Setup::new().on_s3(&wrong_secret), "storage (s3)", "AccessDenied"),
        (Setup::new().on_s3(&no_bucket), "storage (s3)", "NoSuchBucket"),
        (Setup::new().on_s3(&no_store), "storage (s3)", "refused"),
    ] {
        let checked = setup.run(&["check"]);
        assert_eq!(checked.code, Some(1), "{checked:?}");
        let failed: Vec<_> = checked.stdout.lines().filter(|line| line.starts_with("FAILED")).collect();
        assert!(matches!(failed[..], [line] if line.contains(which) && line.contains(why)), "{why}\n{checked:?}");
    }
}

#[test]
fn check_says_that_a_folder_cannot_be_used() {
    let setup = Setup::new();
    std::fs::write(setup.folder().join("file"), "in the way").unwrap();
    let checked = setup.with("ARTIFACT_FS_ROOT", "file/artifacts").run(&["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.stdout.contains("FAILED  filesystem"), "{checked:?}");
}

#[tokio::test]
async fn bucket_setup_makes_the_bucket_ready_and_says_what_it_did() {
    let s3 = S3 { bucket: unique("setup"), ..S3::from_environment() };
    let setup = Setup::new().on_s3(&s3).with("CORS_ALLOWED_ORIGINS", "https://a.example,https://b.example");
    let removed = "removed when not completed after 8 days";
    let pages = "signed URLs can be used by pages of https://a.example, https://b.example";
    for (bucket, rules) in [("created", "set"), ("was there", "was set")] {
        let done = setup.run(&["bucket", "setup"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(
            done.stdout,
            format!(
                "bucket {}\n  bucket     {bucket}\n  CORS       {rules}: {pages}\n  \
                 multipart  {rules}: {removed}\n  pending    {rules}: {removed}\n",
                s3.bucket
            )
        );
    }
    let checked = setup.run(&["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");

    let without_origins = Setup::new().on_s3(&s3).run(&["bucket", "setup"]);
    assert!(without_origins.stdout.contains("CORS       left alone"), "{without_origins:?}");
    s3.remove_bucket().await;
}

#[test]
fn bucket_setup_that_cannot_be_done_is_explained() {
    let s3 = S3::from_environment();
    let wrong_secret = S3 { bucket: unique("setup"), secret_key: "f".repeat(64), ..s3.clone() };
    let no_store = S3 { endpoint: format!("http://{CLOSED}"), ..s3 };
    for (setup, why) in [
        (Setup::new(), "there is no bucket to set up"),
        (Setup::new().with("ARTIFACT_PROVIDER", "sqlite"), "there is no bucket to set up"),
        (Setup::new().on_s3(&wrong_secret), "looking for the bucket failed"),
        (Setup::new().on_s3(&no_store), "refused"),
    ] {
        let refused = setup.run(&["bucket", "setup"]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(why), "{why}\n{refused:?}");
    }
    assert_ne!(Setup::new().run(&["bucket"]).code, Some(0));
}

#[test]
fn the_committed_openapi_document_is_that_of_the_program() {
    let printed = Setup::new().run(&["openapi"]);
    assert_eq!(printed.code, Some(0));
    let committed = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json")).unwrap();
    let same = printed.stdout == committed;
    assert!(same, "openapi/openapi.json is out of date: cargo run -- openapi > openapi/openapi.json");
}

#[test]
fn healthcheck_tells_a_ready_service_from_others() {
    let setup = Setup::new();
    let server = setup.start();
    let asking = Setup::new().with("ARTIFACTD_BIND", &server.address.to_string());
    let asked = asking.run(&["healthcheck"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    server.terminate();
    let asked = asking.run(&["healthcheck"]);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert_ne!(asked.stderr, "");
}

#[tokio::test]
async fn healthcheck_fails_while_a_provider_is_away() {
    let server = Setup::new().on_redis(&format!("redis://{CLOSED}")).start();
    let asked = Setup::new().with("ARTIFACTD_BIND", &server.address.to_string()).run(&["healthcheck"]);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert!(asked.stderr.contains("503"), "{asked:?}");
}

#[tokio::test]
async fn sweep_removes_what_has_expired() {
    for pair in [Pair::FilesystemSqlite, Pair::SqliteSqlite, Pair::S3Redis] {
        // The service itself sweeps at its start only.
        let setup = Setup::on(pair).with("SWEEP_INTERVAL_SECONDS", "86400");
        let server = setup.start();
        let client = server.client(&setup);
        let kept = client.stored("kept").await;
        let expiring = client.send(Method::POST, "/v1/artifacts?scope=user&ttl=1", "expiring");
        let expiring = expiring.await.expect(201).id();
        let swept = eventually("it is swept", async || {
            let swept = setup.run(&["sweep"]);
            assert_eq!(swept.code, Some(0), "{swept:?}");
            (!swept.stdout.contains("removed 0 expired artifacts")).then_some(swept.stdout)
        });
        assert!(swept.await.starts_with("removed 1 expired artifacts"));
        client.get(&format!("/v1/artifacts/{expiring}")).await.expect_problem(404, "artifact_not_found");
        assert_eq!(client.content(&kept).await, "kept");
    }
}

#[tokio::test]
async fn sweep_removes_orphans_when_told_to() {
    let setup = Setup::new();
    let server = setup.start();
    let client = server.client(&setup);
    let kept = client.stored("kept").await;

    // Bytes as a process leaves them that was killed before it could write the record.
    let folder = setup.data().join("artifacts/grid/default/users/alice");
    std::fs::create_dir_all(&folder).unwrap();
    let (old, young) = (folder.join("a".repeat(32)), folder.join("b".repeat(32)));
    let yesterday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for (path, changed) in [(&old, Some(yesterday)), (&young, None)] {
        std::fs::write(path, "an orphan").unwrap();
        if let Some(changed) = changed {
            std::fs::File::options().append(true).open(path).unwrap().set_modified(changed).unwrap();
        }
    }
    assert_eq!(setup.run(&["sweep"]).code, Some(0));
    assert!(old.exists(), "not without being told");

    let named = setup.run(&["sweep", "--orphans"]);
    assert!(
        named.stdout.contains(&format!("orphan grid/default/users/alice/{}\n1 of 3 objects", "a".repeat(32))),
        "{named:?}"
    );
    assert!(old.exists(), "it is named before it is removed");
    let elsewhere =
        setup.clone().with("ARTIFACTD_METADATA_SQLITE_PATH", "other.db").run(&["sweep", "--orphans", "--yes"]);
    assert_eq!(elsewhere.code, Some(1), "{elsewhere:?}");
    assert!(old.exists(), "with the wrong records nothing is removed");

    let swept = setup.run(&["sweep", "--orphans", "--yes"]);
    assert!(swept.stdout.ends_with("removed 1 orphans\n"), "{swept:?}");
    assert!(!old.exists() && young.exists(), "a young one may belong to a request under way");
    assert_eq!(client.content(&kept).await, "kept");
}

#[tokio::test]
async fn files_of_a_provider_that_is_not_configured_any_more_are_not_lost() {
    let setup = Setup::new();
    let server = setup.start();
    let id = server.client(&setup).stored("kept").await;
    let path = format!("/v1/artifacts/{id}");
    server.terminate();

    let setup = setup.with("ARTIFACT_PROVIDER", "sqlite");
    let server = setup.start();
    let client = server.client(&setup);
    client.get(&path).await.expect(200);
    client.get(&format!("{path}/content")).await.expect_problem(502, "provider_error");
    client.send(Method::DELETE, &path, "").await.expect_problem(502, "provider_error");
    server.terminate();

    let setup = setup.with("ARTIFACT_PROVIDER", "filesystem");
    let server = setup.start();
    assert_eq!(server.client(&setup).content(&id).await, "kept");
}

#[tokio::test]
async fn content_that_was_cut_in_the_store_is_no_answer_and_is_logged() {
    let setup = Setup::new();
    let server = setup.start();
    let client = server.client(&setup);
    let [small, large] = [client.stored("x".repeat(2000)).await, client.stored("x".repeat(200_000)).await];
    for id in [&small, &large] {
        let file = setup.data().join("artifacts/grid/default/users/alice").join(id);
        std::fs::File::options().write(true).open(file).unwrap().set_len(100).unwrap();
    }
    let path = |id| format!("/v1/artifacts/{id}/content");
    client.get(&path(small)).await.expect_problem(502, "provider_error");
    // This answer has begun when it is noticed.
    assert!(client.try_send(Method::GET, &path(large), "").await.is_err());
    let logged = |text: &str| text.contains("the bytes are not as many as were stored").then_some(());
    server.process.stderr.wait_for("the cause", logged).unwrap();
}

#[tokio::test]
async fn what_cannot_be_swept_does_not_keep_the_rest_from_it() {
    let setup = Setup::new().with("SWEEP_INTERVAL_SECONDS", "86400");
    let server = setup.start();
    let briefly = "/v1/artifacts?scope=user&ttl=1";
    // More than the sweeper looks at together, and the first to expire.
    for _ in 0..101 {
        server.client(&setup).send(Method::POST, briefly, "with another provider").await.expect(201);
    }
    server.terminate();

    let setup = setup.with("ARTIFACT_PROVIDER", "sqlite");
    let server = setup.start();
    let client = server.client(&setup);
    let id = client.send(Method::POST, briefly, "x").await.expect(201).id();
    let swept = eventually("it is swept", async || {
        let swept = setup.run(&["sweep"]);
        swept.stdout.starts_with("removed 1 expired artifacts").then_some(swept)
    });
    assert_eq!(swept.await.code, Some(1), "the others are still there");
    client.get(&format!("/v1/artifacts/{id}")).await.expect_problem(404, "artifact_not_found");
}
