//! Where values come from, and the documented defaults.

use std::fs;

use super::*;

#[test]
fn the_environment_wins_over_dotenv_and_dotenv_over_toml() {
    let folder = tempfile::tempdir().unwrap();
    let toml = folder.path().join("artifactd.toml");
    let dotenv = folder.path().join(".env");
    let text = format!(
        "auth_jwt_secret = [\"{SECRET},with,commas\"]\nauth_leeway_seconds = 1\nartifact_bucket = 'toml'\n\
         s3_force_path_style = true\nsession_ttl_seconds = 60\nauth_issuer = ['https://a', 'https://b']\n"
    );
    fs::write(&toml, text).unwrap();
    let text = format!(
        "\u{feff}# a comment\nARTIFACTD_CONFIG='{}'\nAUTH_LEEWAY_SECONDS=2\nexport SESSION_TTL_SECONDS=\"120\" # two minutes\n\
         ARTIFACT_BUCKET=\nUNRELATED=1\nARTIFACT_PROVIDER=s3\n",
        toml.display()
    );
    fs::write(&dotenv, text).unwrap();
    let variables = environment(&[("AUTH_LEEWAY_SECONDS", "3"), ("SESSION_TTL_SECONDS", "")]);
    let config = Config::load(variables, Some(&dotenv)).unwrap();
    assert_eq!(config.auth.leeway_seconds, 3);
    assert_eq!(config.limits.session_ttl.as_seconds(), 120);
    assert_eq!(config.auth.secrets[0].expose(), format!("{SECRET},with,commas"));
    assert_eq!(config.auth.issuers, ["https://a", "https://b"]);
    let StorageConfig::S3(storage) = config.storage.session else { panic!() };
    assert_eq!((storage.bucket.as_str(), storage.force_path_style), ("toml", true));
}

#[test]
fn files_that_cannot_be_used_are_errors_that_show_no_content() {
    let folder = tempfile::tempdir().unwrap();
    let toml = folder.path().join("artifactd.toml");
    let named = [("ARTIFACTD_CONFIG", toml.to_str().unwrap())];
    assert!(errors(&named).contains("cannot be read"));
    for (text, expected) in [
        ("auth_jwt_secret = hunter2\n", "is not valid TOML: TOML parse error at line 1, column 19"),
        ("artifactd_bnid = 'x'\n", "artifactd_bnid: is not a known setting; did you mean artifactd_bind?"),
        ("rate_limit_burst = 5\n", "rate_limit_burst: is not a known setting"),
        ("[auth]\njwt_secret = 'x'\n", "auth: is not a known setting"),
        ("artifact_bucket = ['a', 'b']\n", "ARTIFACT_BUCKET: expected one value, not a list"),
        ("artifact_bucket = { a = 1 }\n", "ARTIFACT_BUCKET: expected text, a number"),
        ("auth_issuer = [['a']]\n", "AUTH_ISSUER: expected text, a number"),
    ] {
        fs::write(&toml, text).unwrap();
        let found = errors(&named);
        assert!(found.contains(expected) && !found.contains("hunter2"), "{found}");
    }
    let dotenv = folder.path().join(".env");
    for text in ["LOG_FORMAT=json\nhunter2\n", "LOG_FORMAT=json\nAUTH_JWT_SECRET=\"hunter2\n"] {
        fs::write(&dotenv, text).unwrap();
        let found = Config::load([], Some(&dotenv)).unwrap_err().to_string();
        assert!(
            found.contains("the entry after LOG_FORMAT is not of the form") && !found.contains("hunter2"),
            "{found}"
        );
    }
    assert!(Config::load([], Some(&folder.path().join("missing"))).is_ok());
}

#[cfg(unix)]
#[test]
fn values_are_utf_8() {
    use std::os::unix::ffi::OsStringExt;
    let broken = OsString::from_vec(vec![0xff]);
    let ours = Config::load([("ARTIFACT_BUCKET".into(), broken.clone())], None).unwrap_err();
    assert_eq!(ours.to_string(), "ARTIFACT_BUCKET: the value is not valid UTF-8");
    assert!(Config::load([("OTHER".into(), broken.clone()), (broken.clone(), broken)], None).is_ok());
}

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example");

#[test]
fn the_example_is_up_to_date() {
    let file = fs::read_to_string(EXAMPLE).unwrap_or_default();
    assert!(file == env_example(), "write it anew: cargo run -- env > .env.example");
}

#[test]
fn the_example_documents_what_holds() {
    let uncommented: String = env_example()
        .lines()
        .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '-'])))
        .map(|line| format!("{}\n", line))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let dotenv = folder.path().join(".env");
    fs::write(&dotenv, uncommented).unwrap();
    assert_eq!(Config::load([], Some(&dotenv)).unwrap(), load(&[]).unwrap());
}
