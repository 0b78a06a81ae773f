//! Nothing that is secret is ever printed, logged or shown to other users of the machine.

use axum::http::Method;

use super::support::{CLOSED, Client, Ended, Pair, PrivateRedis, S3, Server, Setup, unique};

/// All that the service and its libraries have to say.
const LOUD: &str = "trace";

/// A token that the service has no key for: `{"alg":"EdDSA","kid":"k"}.{"sub":"a","exp":4102444800}`.
const FOREIGN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJzdWIiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.AAAA";

/// Settings with a recognisable secret in each that can hold one.
fn with_secrets(setup: Setup) -> (Setup, Vec<String>) {
    let mut secrets = Vec::new();
    let mut secret = |what: &str| {
        let secret = unique(what);
        secrets.push(secret.clone());
        secret
    };
    let settings = [
        ("AUTH_JWT_SECRET", format!("{},{}", secret("jwt-one"), secret("jwt-two"))),
        ("URL_SIGNING_SECRET", format!("{},{}", secret("url-one"), secret("url-two"))),
        (
            "AUTH_JWKS_URL",
            format!("http://jwks:{}@{CLOSED}/jwks?key={}", secret("jwks-password"), secret("jwks-query")),
        ),
        ("AWS_SECRET_ACCESS_KEY", secret("aws-key")),
        ("AWS_SESSION_TOKEN", secret("aws-token")),
        ("S3_ENDPOINT_URL", format!("http://{CLOSED}")),
        ("IBM_COS_SECRET_KEY", secret("cos-key")),
        ("SESSION_REDIS_URL", format!("redis://redis:{}@{CLOSED}/0", secret("redis-password"))),
        ("AWS_ACCESS_KEY_ID", "GK0123456789".to_owned()),
        ("RUST_LOG", LOUD.to_owned()),
    ];
    let setup = settings.iter().fold(setup, |setup, (name, value)| setup.with(name, value));
    (setup, secrets)
}

/// Asks for what works and for what does not.
async fn drive(server: &Server, token: &str) {
    let client = Client::new(server.address, token);
    client.get("/v1/whoami").await.expect(200);
    client.get("/readyz").await;
    client.store("some content").await;
    client.get("/v1/artifacts/0192f0c123457abc8def0123456789ab").await;
    client.get(&format!("/v1/whoami?token={token}")).await.expect(400);
    client.get(&format!("/{token}")).await.expect(404);
    client.send(Method::POST, "/v1/sessions", format!("{{\"{token}\": 1}}")).await;
    // This one asks for a key of the issuer.
    Client::new(server.address, FOREIGN).get("/v1/whoami").await;
    // A token whose signature is spoilt tells as much as a good one but for the last part.
    let spoilt = Client::new(server.address, &format!("{token}A"));
    spoilt.get("/v1/whoami").await.expect(401);
}

#[track_caller]
fn assert_silent(what: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        if let Some(at) = text.find(secret.as_str()) {
            let line = text[..at].rfind('\n').map_or(0, |start| start + 1);
            panic!("{what} shows a secret: {}", text[line..].lines().next().unwrap_or_default());
        }
    }
}

#[track_caller]
fn assert_ended_silent(what: &str, ended: &Ended, secrets: &[String]) {
    assert_silent(what, &ended.stdout, secrets);
    assert_silent(what, &ended.stderr, secrets);
}

/// Runs the service and the commands, and looks at all that they print.
async fn nothing_secret_is_shown(setup: &Setup, mut secrets: Vec<String>) {
    for command in ["check", "sweep", "healthcheck"] {
        assert_ended_silent(command, &setup.run(&[command]), &secrets);
    }
    let made = setup.run(&["token", "--user", "alice"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_ended_silent("token", &made, &secrets);
    let token = made.stdout.trim_end();
    secrets.extend([token.to_owned(), FOREIGN.to_owned()]);

    let server = setup.start();
    drive(&server, token).await;
    for file in ["cmdline", "comm", "status"] {
        let shown = std::fs::read_to_string(format!("/proc/{}/{file}", server.process.id())).unwrap();
        assert_silent(file, &shown, &secrets);
    }
    server.process.signal("TERM");
    let ended = server.process.wait();
    // Otherwise silence proves nothing.
    assert!(ended.stderr.contains("answered"), "nothing is logged");
    assert_ended_silent("serve", &ended, &secrets);
}

#[tokio::test]
async fn no_secret_is_shown_while_everything_fails() {
    let setup = Setup::new().with("ARTIFACT_PROVIDER", "s3").with("SESSION_PROVIDER", "redis");
    let (setup, secrets) = with_secrets(setup);
    for format in ["human", "json"] {
        let setup = setup.clone().with("LOG_FORMAT", format);
        nothing_secret_is_shown(&setup, secrets.clone()).await;
    }
}

#[tokio::test]
async fn no_secret_is_shown_while_everything_works() {
    let (redis, s3) = (PrivateRedis::start(), S3::from_environment());
    let key = unique("jwt");
    let setup = Setup::new().on_s3(&s3).on_redis(&redis.url());
    let setup = setup.with("AUTH_JWT_SECRET", &key).with("RUST_LOG", LOUD);
    let checked = setup.run(&["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    nothing_secret_is_shown(&setup, vec![key, s3.secret_key, redis.password().to_owned()]).await;
}

#[tokio::test]
async fn the_generated_secret_is_not_shown() {
    let setup = Setup::on(Pair::FilesystemSqlite).with("RUST_LOG", LOUD);
    drop(setup.start());
    let secret = std::fs::read_to_string(setup.data().join("jwt-secret")).unwrap();
    nothing_secret_is_shown(&setup, vec![secret]).await;
}

#[test]
fn a_setting_that_is_wrong_does_not_show_its_secret() {
    let (setup, secrets) = with_secrets(Setup::new());
    let typo = secrets[0].as_str();
    for (name, value) in [
        ("AUTH_JWT_PUBLIC_KEY", typo.to_owned()),
        ("SESSION_REDIS_URL", format!("redis//user:{typo}@localhost")),
        ("SESSION_REDIS_URL", format!("redis://user:{typo}@localhost:port/0")),
        ("S3_ENDPOINT_URL", format!("http://user:{typo}@localhost")),
        ("S3_PUBLIC_ENDPOINT_URL", format!("http://user:{typo}@localhost")),
        ("IBM_COS_ENDPOINT", format!("ftp://user:{typo}@localhost")),
        ("AUTH_JWT_SECERT", typo.to_owned()),
        ("ARTIFACTD_BIND", "somewhere".to_owned()),
    ] {
        let refused = setup.clone().with(name, &value).run(&[]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(name), "{refused:?}");
        assert_ended_silent(name, &refused, &secrets);
    }
}
