//! What values are accepted and what is printed.

mod sources;
mod storage;

use super::*;
use crate::secret::Secret;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::load(environment(variables), None)
}

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// The one provider of all scopes.
fn only_storage(variables: &[(&str, &str)]) -> StorageConfig {
    let storage = load(variables).unwrap().storage;
    let [(only, _)] = storage.distinct()[..] else { panic!("{storage:?}") };
    only.clone()
}

fn errors(variables: &[(&str, &str)]) -> String {
    load(variables).expect_err(&format!("{variables:?}")).to_string()
}

#[test]
fn everything_has_a_default() {
    let config = load(&[]).unwrap();
    assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.cors, CorsOrigins::Only(vec![]));
    assert_eq!(only_storage(&[]), StorageConfig::Filesystem { root: "./data/artifacts".into() });
    assert_eq!(config.signing.secrets, []);
    assert_eq!(config.metadata, MetadataConfig::Sqlite { path: "./data/metadata.db".into() });
    assert_eq!(config.limits.max_upload_bytes, 5 << 30);
    assert_eq!((config.limits.max_batch_items, config.limits.max_batch_bytes), (100, 64 << 20));
    assert_eq!(config.limits.ttl_default_session.as_seconds(), 900);
    assert_eq!(config.limits.ttl_max_user, None);
    assert_eq!((config.auth.claim_user.as_str(), config.auth.leeway_seconds), ("sub", 30));
    assert_eq!(config.logging, LoggingConfig { format: None, filter: "info".to_owned() });
    assert!(!config.auth_is_configured());
}

#[test]
fn empty_means_unset() {
    let empty: Vec<_> = all_settings().map(|setting| (setting.name, " ")).collect();
    assert_eq!(load(&empty), load(&[]));
}

#[test]
fn paths_default_to_the_data_folder() {
    let data = ("ARTIFACTD_DATA_DIR", "/srv/artifactd");
    let path = "/srv/artifactd/artifacts.db".into();
    assert_eq!(only_storage(&[data, ("ARTIFACT_PROVIDER", "sqlite")]), StorageConfig::Sqlite { path });
    let path = "/srv/artifactd/metadata.db".into();
    assert_eq!(load(&[data]).unwrap().metadata, MetadataConfig::Sqlite { path });
    let root = "/mnt/bytes".into();
    assert_eq!(only_storage(&[data, ("ARTIFACT_FS_ROOT", "/mnt/bytes")]), StorageConfig::Filesystem { root });
}

#[test]
fn several_values_are_separated_by_commas() {
    let other = "another-secret-of-at-least-32-bytes";
    let config = load(&[
        ("AUTH_JWT_SECRET", &format!("{SECRET}, {other},")),
        ("URL_SIGNING_SECRET", &format!("{other},{SECRET}")),
        ("AUTH_ISSUER", "https://one, https://two"),
        ("CORS_ALLOWED_ORIGINS", "HTTPS://App.Example.com:443/, http://localhost:3000"),
    ])
    .unwrap();
    assert_eq!(config.auth.secrets.iter().map(Secret::expose).collect::<Vec<_>>(), [SECRET, other]);
    assert_eq!(config.signing.secrets.iter().map(Secret::expose).collect::<Vec<_>>(), [other, SECRET]);
    assert_eq!(config.auth.issuers, ["https://one", "https://two"]);
    let origins = ["https://app.example.com", "http://localhost:3000"].map(str::to_owned);
    assert_eq!(config.server.cors, CorsOrigins::Only(origins.into()));
    assert_eq!(load(&[("CORS_ALLOWED_ORIGINS", "*")]).unwrap().server.cors, CorsOrigins::Any);
}

#[test]
fn a_pem_may_be_in_one_line() {
    let config = load(&[("AUTH_JWT_PUBLIC_KEY", r"-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----")]);
    let text = config.unwrap().auth.public_key.unwrap();
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn a_wrong_value_is_reported_with_what_was_expected() {
    for (name, value, expected) in [
        ("ARTIFACTD_BIND", "localhost", "an IP address and a port"),
        ("ARTIFACTD_BIND", "127.0.0.1:99999", "an IP address and a port"),
        ("ARTIFACTD_PUBLIC_URL", "files.example.com", "a URL that starts with http:// or https://"),
        ("ARTIFACTD_PUBLIC_URL", "https://files.example.com/#top", "a URL without query"),
        ("CORS_ALLOWED_ORIGINS", "app.example.com", "* or an origin"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.com/path", "* or an origin"),
        ("SHUTDOWN_GRACE_SECONDS", "-1", "a whole number of seconds"),
        ("ARTIFACT_PROVIDER", "floppy", "filesystem, s3, ibm_cos"),
        ("ARTIFACT_PROVIDER", "vfs-ibm_cos", "filesystem, s3, ibm_cos"),
        ("ARTIFACT_PROVIDER_USER", "floppy", "filesystem, s3, ibm_cos"),
        ("ARTIFACT_BUCKET", "a/b", "a bucket name"),
        ("ARTIFACT_SANDBOX_ID", "a\u{1}b", "an id without control characters"),
        ("S3_ENDPOINT_URL", "minio:9000", "a URL that starts with"),
        ("S3_PUBLIC_ENDPOINT_URL", "http://", "a URL that starts with"),
        ("S3_FORCE_PATH_STYLE", "maybe", "true or false"),
        ("S3_SSE_ALGORITHM", "AES128", "AES256 or aws:kms"),
        ("IBM_COS_ENDPOINT", "s3.us-south", "a URL that starts with"),
        ("SESSION_PROVIDER", "mysql", "sqlite, redis or memory"),
        ("SESSION_REDIS_URL", "http://redis:6379", "redis://"),
        ("SESSION_REDIS_PREFIX", "{a}", "letters, digits"),
        ("AUTH_JWKS_URL", "file:///etc/jwks.json", "a URL that starts with"),
        ("AUTH_LEEWAY_SECONDS", "1.5", "a whole number of seconds"),
        ("AUTH_CLAIM_USER", "exp", "the name of a claim"),
        ("AUTH_CLAIM_USER", "a..b", "the name of a claim"),
        ("SESSION_TTL_SECONDS", "0", "a whole number of seconds from 1"),
        ("TTL_MAX_USER", "forever", "a whole number of seconds from 1"),
        ("TTL_MAX_SANDBOX", "99999999999999999999999", "a whole number of seconds from 1"),
        ("SWEEP_INTERVAL_SECONDS", "0", "at least 1"),
        ("MAX_UPLOAD_BYTES", "5 Gib5", "a number of bytes"),
        ("MAX_META_BYTES", "0", "a number of bytes"),
        ("MAX_BATCH_ITEMS", "0", "a whole number from 1 to 1000"),
        ("MAX_BATCH_ITEMS", "1001", "a whole number from 1 to 1000"),
        ("MAX_BATCH_BYTES", "0", "a number of bytes"),
        ("MAX_CONCURRENT_REQUESTS", "0", "a whole number from 1"),
        ("LOG_FORMAT", "xml", "human or json"),
        ("RUST_LOG", "artifactd=loud", "levels such as"),
    ] {
        let text = errors(&[(name, value)]);
        let start = format!("{name}: {value:?} is not valid: expected ");
        assert!(text.starts_with(&start) && text.contains(expected), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_wrong_secret_is_not_shown() {
    for (name, value, hidden) in [
        ("AUTH_JWT_SECRET", "hunter2", "hunter2"),
        ("AUTH_JWT_SECRET", "0123456789abcdef0123456789abcdef,hunter2", "hunter2"),
        ("URL_SIGNING_SECRET", "hunter2", "hunter2"),
        ("SESSION_REDIS_URL", "redis//user:hunter2@host", "hunter2"),
        ("SESSION_REDIS_URL", "http://user:hunter2@host", "hunter2"),
        ("S3_ENDPOINT_URL", "http://user:hunter2@host", "hunter2"),
        ("S3_PUBLIC_ENDPOINT_URL", "https://hunter2@host", "hunter2"),
        ("IBM_COS_ENDPOINT", "https://user:hunter2@host", "hunter2"),
    ] {
        let text = errors(&[(name, value)]);
        assert!(text.starts_with(&format!("{name}: the value is not valid: expected ")), "{text}");
        assert!(!text.contains(hidden), "{text}");
    }
    let text = errors(&[("AUTH_JWT_PUBLIC_KEY", "-----BEGIN PRIVATE KEY-----hunter2-----END PRIVATE KEY-----")]);
    assert!(text.contains("not a private key") && !text.contains("hunter2"), "{text}");
}

#[test]
fn contradictions_are_errors() {
    let s3 = ("ARTIFACT_PROVIDER", "s3");
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("SESSION_PROVIDER", "redis")], "SESSION_REDIS_URL: must be set with SESSION_PROVIDER=redis"),
        (&[s3, ("S3_SSE_KMS_KEY_ID", "k")], "S3_SSE_KMS_KEY_ID: is only for S3_SSE_ALGORITHM=aws:kms"),
        (
            &[s3, ("S3_SSE_KMS_KEY_ID", "k"), ("S3_SSE_ALGORITHM", "AES256")],
            "S3_SSE_KMS_KEY_ID: is only for S3_SSE_ALGORITHM=aws:kms",
        ),
        (&[s3, ("AWS_ACCESS_KEY_ID", "k")], "AWS_SECRET_ACCESS_KEY: must be set too when AWS_ACCESS_KEY_ID is"),
        (&[s3, ("AWS_SECRET_ACCESS_KEY", "k")], "AWS_ACCESS_KEY_ID: must be set too when AWS_SECRET_ACCESS_KEY is"),
        (&[s3, ("AWS_SESSION_TOKEN", "k")], "AWS_ACCESS_KEY_ID: must be set too when AWS_SESSION_TOKEN is"),
        (
            &[("TTL_DEFAULT_SESSION", "901"), ("TTL_MAX_SESSION", "900")],
            "TTL_DEFAULT_SESSION: 901 is more than TTL_MAX_SESSION (900)",
        ),
        (
            &[("CORS_ALLOWED_ORIGINS", "*,http://localhost")],
            "CORS_ALLOWED_ORIGINS: * stands for all origins and must be the only item",
        ),
    ];
    for (variables, expected) in cases {
        assert_eq!(errors(variables), *expected);
    }
}

#[test]
fn other_machines_need_a_key() {
    for bind in ["0.0.0.0:8080", "[::]:8080", "192.168.1.5:80", "[::ffff:10.0.0.1]:80"] {
        assert!(errors(&[("ARTIFACTD_BIND", bind)]).starts_with("ARTIFACTD_BIND: "), "{bind}");
        for key in [
            ("AUTH_JWT_SECRET", SECRET),
            ("AUTH_JWT_PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----"),
            ("AUTH_JWT_PUBLIC_KEY_FILE", "/etc/key.pem"),
            ("AUTH_JWKS_URL", "https://issuer/jwks.json"),
            ("AUTH_JWKS_FILE", "/etc/jwks.json"),
        ] {
            assert!(load(&[("ARTIFACTD_BIND", bind), key]).unwrap().auth_is_configured());
        }
    }
    for bind in ["127.0.0.1:0", "127.8.8.8:80", "[::1]:8080", "[::ffff:127.0.0.1]:80"] {
        assert!(load(&[("ARTIFACTD_BIND", bind)]).is_ok(), "{bind}");
    }
}

#[test]
fn all_errors_are_reported_at_once() {
    let text = errors(&[
        ("ARTIFACTD_BIND", "x"),
        ("AUTH_JWT_SECRET", "short"),
        ("AUTH_JWT_SECERT", SECRET),
        ("MAX_META_BYTES", "x"),
        ("SESSION_PROVIDER", "redis"),
        ("RUST_LOG", "artifactd=loud"),
    ]);
    let names: Vec<_> = text.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        names,
        ["AUTH_JWT_SECERT", "ARTIFACTD_BIND", "AUTH_JWT_SECRET", "SESSION_REDIS_URL", "MAX_META_BYTES", "RUST_LOG"]
    );
}

#[test]
fn what_comes_later_is_not_known_yet() {
    for name in ["RATE_LIMIT_PER_SECOND", "RATE_LIMIT_BURST"] {
        assert!(errors(&[(name, "1")]).starts_with(&format!("{name}: is not a known setting")), "{name}");
    }
    let ignored = [("SESSION_MANAGER", "local/host"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), ("HOME", "/root")];
    assert!(load(&ignored).is_ok());
}

#[test]
fn no_secret_is_printed() {
    let config = load(&[
        ("AUTH_JWT_SECRET", SECRET),
        ("URL_SIGNING_SECRET", &format!("{SECRET},{SECRET}")),
        ("ARTIFACT_PROVIDER", "s3"),
        ("AWS_ACCESS_KEY_ID", "key-id"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-aws"),
        ("AWS_SESSION_TOKEN", "hunter2-token"),
        ("IBM_COS_SECRET_KEY", "hunter2-ibm"),
        ("SESSION_PROVIDER", "redis"),
        ("SESSION_REDIS_URL", "redis://user:hunter2@redis:6379/1"),
        ("AUTH_JWKS_URL", "https://user:hunter2@issuer/jwks.json"),
    ])
    .unwrap();
    let listing: Vec<String> = config.redacted().collect();
    for line in [
        "AUTH_JWT_SECRET=***",
        "URL_SIGNING_SECRET=***",
        "AWS_ACCESS_KEY_ID=key-id",
        "AWS_SECRET_ACCESS_KEY=***",
        "IBM_COS_SECRET_KEY=***",
        "SESSION_REDIS_URL=redis://***@redis:6379/1",
        "ARTIFACT_FS_ROOT=./data/artifacts",
        "S3_FORCE_PATH_STYLE=false",
        "AUTH_ISSUER=",
    ] {
        assert!(listing.iter().any(|one| one == line), "{line} is not in {listing:#?}");
    }
    let printed = format!("{config:?} {config:#?} {listing:?}");
    assert!(!printed.contains("hunter2") && !printed.contains(SECRET), "{printed}");
}

#[test]
fn every_setting_is_read() {
    let config = load(&[]).unwrap();
    let listed: Vec<_> = config.listing.iter().map(|(name, _)| *name).collect();
    let declared: Vec<_> = all_settings().map(|setting| setting.name).collect();
    assert_eq!(listed, declared);
}
