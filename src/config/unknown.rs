//! Finds settings that are misspelt, so that a typo never passes silently.

use super::error::ConfigError;
use super::{CONFIG_FILE, all_settings};

/// How names begin that are this service's alone.
const OURS: [&str; 7] =
    ["ARTIFACTD_", "ARTIFACT_", "URL_SIGNING_", "MAX_BATCH_", "DEADLINE_", "RATE_LIMIT_PER_SECOND", "RATE_LIMIT_BURST"];

/// How names begin that other programs use, too: only what looks like a setting of ours is meant for us.
const SHARED: [&str; 12] = [
    "SESSION_",
    "AUTH_",
    "TTL_",
    "IBM_COS_",
    "S3_",
    "MAX_UPLOAD_",
    "MAX_META_",
    "MAX_CONCURRENT_",
    "SWEEP_",
    "SHUTDOWN_",
    "CORS_",
    "LOG_",
];

/// What looks like a setting of ours but is one of Auth.js.
const FOREIGN: &str = "AUTH_URL";

/// What the tests of this service set for themselves.
const TESTS: &str = "ARTIFACTD_TEST_";

/// How much a name must look like a setting (Jaro-Winkler, at most 1) to be taken for it.
const SIMILAR: f64 = 0.85;
/// How much it must do so when other programs have such names.
const VERY_SIMILAR: f64 = 0.9;

/// The error for a variable that is not a setting, if it must be meant for this service.
pub(super) fn variable(name: &str, value: &str) -> Option<ConfigError> {
    let begins_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let ours = begins_with(&OURS) && !name.starts_with(TESTS);
    let nearly_ours = begins_with(&SHARED) && nearest(name).is_some_and(|(similarity, _)| similarity >= VERY_SIMILAR);
    ((ours || nearly_ours) && name != FOREIGN && !is_service_link(name, value))
        .then(|| error(name, |name| name.to_owned()))
}

/// The error for a key of the TOML file that is not a setting.
pub(super) fn toml_key(key: &str) -> Option<ConfigError> {
    let known = all_settings().any(|setting| setting.key() == key && setting.name != CONFIG_FILE.name);
    (!known).then(|| error(key, str::to_ascii_lowercase))
}

/// Whether Kubernetes set the variable: it describes every service of a namespace to every pod, so a
/// service named `artifactd` yields `ARTIFACTD_SERVICE_HOST`, `ARTIFACTD_PORT_8080_TCP` and more.
fn is_service_link(name: &str, value: &str) -> bool {
    let port = name.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    let port_url = name.ends_with("_PORT") && value.contains("://");
    name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || port || port_url
}

/// The setting that `name` looks like most, and how much.
fn nearest(name: &str) -> Option<(f64, &'static str)> {
    let name = name.to_ascii_uppercase();
    let similarities = all_settings().map(|setting| (strsim::jaro_winkler(setting.name, &name), setting.name));
    similarities.max_by(|(one, _), (other, _)| one.total_cmp(other))
}

fn error(name: &str, spell: impl Fn(&str) -> String) -> ConfigError {
    let problem = match nearest(name).filter(|(similarity, _)| *similarity >= SIMILAR) {
        Some((_, known)) => format!("is not a known setting; did you mean {}?", spell(known)),
        None => "is not a known setting".to_owned(),
    };
    ConfigError::new(name, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_and_future_settings_are_refused() {
        for (name, suggestion) in [
            ("ARTIFACTD_BNID", Some("ARTIFACTD_BIND")),
            ("ARTIFACT_PROVDER", Some("ARTIFACT_PROVIDER")),
            ("AUTH_JWT_SECERT", Some("AUTH_JWT_SECRET")),
            ("AUTH_AUDIENCES", Some("AUTH_AUDIENCE")),
            ("SESSION_TTL", Some("SESSION_TTL_SECONDS")),
            ("SESSION_REDIS_URI", Some("SESSION_REDIS_URL")),
            ("S3_ENDPOINT", Some("S3_ENDPOINT_URL")),
            ("MAX_UPLOAD_SIZE", Some("MAX_UPLOAD_BYTES")),
            ("CORS_ALLOW_ORIGINS", Some("CORS_ALLOWED_ORIGINS")),
            ("TTL_DEFAULT", Some("TTL_DEFAULT_SESSION")),
            ("ARTIFACT_PROVIDER_SESSIONS", Some("ARTIFACT_PROVIDER_SESSION")),
            ("URL_SIGNING_SECRETS", Some("URL_SIGNING_SECRET")),
            ("MAX_BATCH_BYTE", Some("MAX_BATCH_BYTES")),
            ("RATE_LIMIT_PER_SECOND", None),
        ] {
            let problem = variable(name, "x").expect(name).problem;
            match suggestion {
                Some(known) => assert_eq!(problem, format!("is not a known setting; did you mean {known}?")),
                None => assert_eq!(problem, "is not a known setting"),
            }
        }
    }

    #[test]
    fn what_belongs_to_others_is_left_alone() {
        for (name, value) in [
            ("PATH", "/bin"),
            ("AWS_PROFILE", "dev"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
            ("SESSION_SECRET", "x"),
            ("AUTH_SECRET", "x"),
            ("AUTH_URL", "http://app"),
            ("S3_BUCKET", "x"),
            ("S3_ACCESS_KEY", "x"),
            ("LOG_LEVEL", "debug"),
            ("ARTIFACTD_TEST_S3_BUCKET", "x"),
            ("SESSION_MANAGER", "local/host:@/tmp/.ICE-unix/1,unix/host:/tmp/.ICE-unix/1"),
            ("SSH_AUTH_SOCK", "/tmp/agent"),
            ("ARTIFACTD_SERVICE_HOST", "10.0.0.1"),
            ("ARTIFACTD_SERVICE_PORT", "8080"),
            ("ARTIFACTD_SERVICE_PORT_HTTP", "8080"),
            ("ARTIFACTD_PORT", "tcp://10.0.0.1:8080"),
            ("ARTIFACTD_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("ARTIFACTD_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ] {
            assert_eq!(variable(name, value), None, "{name}");
        }
        assert!(variable("ARTIFACTD_PORT", "8080").is_some());
    }

    #[test]
    fn keys_of_the_file_are_settings_in_lower_case() {
        assert_eq!(toml_key("artifactd_bind"), None);
        for (key, known) in [
            ("ARTIFACTD_BIND", Some("artifactd_bind")),
            ("artifactd_bnid", Some("artifactd_bind")),
            ("rate_limit_per_second", None),
            ("otel_exporter_otlp_endpoint", None),
        ] {
            let problem = toml_key(key).expect(key).problem;
            assert_eq!(problem.rsplit_once("mean ").map(|(_, rest)| rest.trim_end_matches('?')), known, "{key}");
        }
        assert!(toml_key("artifactd_config").is_some(), "the file cannot name itself");
    }
}
