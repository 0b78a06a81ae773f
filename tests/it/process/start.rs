//! The first start with no settings at all, and those that follow.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use axum::http::Method;

use super::support::{Client, Server, Setup};

#[tokio::test]
async fn the_banner_leads_to_a_first_file() {
    let setup = Setup::new();
    let server = setup.start();
    let found = |text: &str| text.contains("scope=user'\n").then(|| text.to_owned());
    let banner = server.process.stdout.wait_for("the command", found).unwrap();
    assert!(banner.contains(&format!("documentation  http://{}/docs\n", server.address)), "{banner}");
    assert!(banner.contains("bytes          filesystem: ./data/artifacts\n"), "{banner}");
    assert!(banner.contains("records        sqlite: ./data/metadata.db\n"), "{banner}");

    // The command as a person copies it.
    let command = &banner[banner.find("curl ").unwrap()..];
    let ran = Command::new("sh").args(["-c", &format!("{}  -sS --fail-with-body", command.trim_end())]).output();
    let ran = ran.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let artifact: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&artifact["filename"], &artifact["mime"]), (&"hello.txt".into(), &"text/plain".into()));

    let token = command.split("Bearer ").nth(1).unwrap().split('\'').next().unwrap();
    let client = Client::new(server.address, token);
    assert_eq!(client.content(artifact["artifact_id"].as_str().unwrap()).await, "Hello, world!");
    let docs = client.get("/docs/").await.expect(200);
    assert!(docs.headers["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn each_scope_is_kept_where_the_settings_say() {
    let setup = Setup::new().with("ARTIFACT_PROVIDER_SESSION", "memory").with("ARTIFACT_PROVIDER_USER", "sqlite");
    let server = setup.start();
    let last = |text: &str| text.contains("records  ").then(|| text.to_owned());
    let banner = server.process.stdout.wait_for("the providers", last).unwrap();
    let shown = "bytes          memory: lost when the service stops (session)\n                 \
                 sqlite: ./data/artifacts.db (user)\n                 filesystem: ./data/artifacts (sandbox)\n";
    assert!(banner.contains(shown), "{banner}");

    scopes_are_kept_by(&setup, &server, ["memory", "sqlite", "filesystem"]).await;
    let checked = setup.run(&["check"]);
    for provider in ["memory", "sqlite", "filesystem"] {
        assert!(checked.stdout.contains(&format!("ok      storage ({provider})")), "{checked:?}");
    }
}

#[tokio::test]
async fn scopes_with_the_same_provider_share_it() {
    let [memory, files] = ["memory", "filesystem"];
    for (other, providers) in [
        ("ARTIFACT_PROVIDER_SESSION", [files, memory, memory]),
        ("ARTIFACT_PROVIDER_USER", [memory, files, memory]),
        ("ARTIFACT_PROVIDER_SANDBOX", [memory, memory, files]),
    ] {
        let setup = Setup::new().with("ARTIFACT_PROVIDER", memory).with(other, files);
        scopes_are_kept_by(&setup, &setup.start(), providers).await;
    }
}

/// Stores and reads in each scope: session, user and sandbox.
async fn scopes_are_kept_by(setup: &Setup, server: &Server, providers: [&str; 3]) {
    let client = Client::new(server.address, &setup.token(&["--user", "alice", "--admin"]));
    for (scope, provider) in ["session", "user", "sandbox"].into_iter().zip(providers) {
        let stored = client.send(Method::POST, &format!("/v1/artifacts?scope={scope}"), scope).await.expect(201);
        assert_eq!(stored.json()["storage_provider"], provider);
        assert_eq!(client.content(&stored.id()).await, scope);
    }
}

#[tokio::test]
async fn everything_kept_is_for_its_owner_only() {
    let setup = Setup::new();
    let server = setup.start();
    server.client(&setup).stored("something").await;

    let (mut folders, mut files) = (0, 0);
    visit(&setup.data(), &mut |path| {
        let metadata = path.metadata().unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        let (expected, count) = if metadata.is_dir() { (0o700, &mut folders) } else { (0o600, &mut files) };
        assert_eq!(mode, expected, "{} has mode {mode:o}", path.display());
        *count += 1;
    });
    assert!(folders > 1 && files > 2, "{folders} folders and {files} files");
}

fn visit(path: &Path, look: &mut impl FnMut(&Path)) {
    look(path);
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| visit(&entry.unwrap().path(), look));
    }
}

#[tokio::test]
async fn secret_and_files_outlive_the_process() {
    let setup = Setup::new();
    let mut server = setup.start();
    let token = setup.token(&["--user", "alice", "--ttl", "1d"]);
    let secret = std::fs::read(setup.data().join("jwt-secret")).unwrap();
    let id = Client::new(server.address, &token).stored("kept").await;
    for end in ["TERM", "KILL"] {
        if end == "KILL" {
            server.process.kill();
        } else {
            server.terminate();
        }
        server = setup.start();
        let client = Client::new(server.address, &token);
        assert_eq!(client.content(&id).await, "kept", "after SIG{end}");
    }
    assert_eq!(std::fs::read(setup.data().join("jwt-secret")).unwrap(), secret);
}

#[tokio::test]
async fn processes_that_start_together_agree_on_the_secret() {
    let setup = Setup::new();
    let started: Vec<_> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..4).map(|_| scope.spawn(|| setup.start())).collect();
        starting.into_iter().map(|server| server.join().unwrap()).collect()
    });
    let token = setup.token(&["--user", "alice"]);
    for server in &started {
        Client::new(server.address, &token).get("/v1/whoami").await.expect(200);
    }
}

#[tokio::test]
async fn an_address_that_others_can_reach_needs_a_key() {
    let open = || Setup::new().with("ARTIFACTD_BIND", "0.0.0.0:0");
    let refused = open().run(&[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("ARTIFACTD_BIND") && refused.stderr.contains("AUTH_JWT_SECRET"), "{refused:?}");
    assert!(!refused.stdout.contains("listens"), "{refused:?}");

    let secret = "a secret of the tests with 32 bytes or more";
    let setup = open().with("AUTH_JWT_SECRET", secret);
    let server = setup.start();
    // What is configured is not shown, and nothing is generated.
    assert!(!server.process.stdout.text().contains("Bearer"));
    assert!(!setup.data().join("jwt-secret").exists());
    server.client(&setup).get("/v1/whoami").await.expect(200);
}

#[test]
fn an_address_in_use_is_named() {
    let setup = Setup::new();
    let server = setup.start();
    let address = server.address.to_string();
    let refused = Setup::new().with("ARTIFACTD_BIND", &address).run(&[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains(&address) && refused.stderr.contains("in use"), "{refused:?}");
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let wrong = [
        ("ARTIFACTD_BIND", "localhost", "an IP address and a port"),
        ("ARTIFACT_PROVIDER", "s4", "filesystem, s3, ibm_cos, sqlite, memory"),
        ("SESSION_PROVIDER", "mysql", "sqlite, redis or memory"),
        ("SESSION_REDIS_URL", "http://localhost", "redis:// or rediss://"),
        ("MAX_UPLOAD_BYTES", "many", "a number of bytes"),
        ("AUTH_JWT_SECRET", "too-short", "at least 32 bytes"),
        ("TTL_MAX_USER", "-1", "a whole number of seconds"),
        ("RUST_LOG", "artifactd=loud", "levels such as info"),
        ("ARTIFACTD_BNID", "127.0.0.1:0", "did you mean ARTIFACTD_BIND?"),
    ];
    let setup = wrong.into_iter().fold(Setup::new(), |setup, (name, value, _)| setup.with(name, value));
    for arguments in [&[][..], &["check"], &["token"], &["sweep"]] {
        let refused = setup.run(arguments);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        for (name, _, expected) in wrong {
            let said = refused.stderr.lines().any(|line| line.starts_with(name) && line.contains(expected));
            assert!(said, "{name}: {expected}\n{}", refused.stderr);
        }
        assert!(!refused.stderr.contains("too-short"), "{refused:?}");
    }
    assert!(!setup.data().exists());
}

#[test]
fn contradictions_name_what_is_missing() {
    for (settings, missing) in [
        (&[("SESSION_PROVIDER", "redis")][..], "SESSION_REDIS_URL"),
        (&[("ARTIFACT_PROVIDER", "s3"), ("AWS_ACCESS_KEY_ID", "key")], "AWS_SECRET_ACCESS_KEY"),
        (&[("ARTIFACT_PROVIDER", "ibm_cos")], "IBM_COS_ENDPOINT"),
        (&[("TTL_DEFAULT_SESSION", "100"), ("TTL_MAX_SESSION", "10")], "TTL_MAX_SESSION"),
        (&[("ARTIFACTD_CONFIG", "missing.toml")], "missing.toml"),
        (&[("AUTH_JWT_PUBLIC_KEY_FILE", "missing.pem")], "missing.pem"),
    ] {
        let refused = settings.iter().fold(Setup::new(), |setup, (name, value)| setup.with(name, value)).run(&[]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(missing), "{missing}\n{refused:?}");
    }
}

#[tokio::test]
async fn settings_come_from_files_too() {
    let setup = Setup::new().with("ARTIFACTD_CONFIG", "settings.toml");
    std::fs::write(setup.folder().join("settings.toml"), "artifact_sandbox_id = \"toml\"\nmax_upload_bytes = 3\n")
        .unwrap();
    std::fs::write(setup.folder().join(".env"), "ARTIFACT_SANDBOX_ID=dotenv\n").unwrap();
    let server = setup.start();
    let client = server.client(&setup);
    assert_eq!(client.get("/v1/whoami").await.expect(200).json()["sandbox_id"], "dotenv");
    client.store("four").await.expect_problem(413, "payload_too_large");
}
