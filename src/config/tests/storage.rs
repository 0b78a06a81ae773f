//! Where the bytes are.

use super::*;
use crate::domain::scope::Scope;

const IBM_COS: [(&str, &str); 3] = [
    ("IBM_COS_ACCESS_KEY", "key"),
    ("IBM_COS_SECRET_KEY", "secret"),
    ("IBM_COS_ENDPOINT", "https://s3.eu-de.cloud-object-storage.appdomain.cloud"),
];

#[test]
fn providers_have_two_names() {
    for (one, other) in
        [("memory", "vfs-memory"), ("filesystem", "vfs-filesystem"), ("s3", "vfs-s3"), ("sqlite", "vfs-sqlite")]
    {
        assert_eq!(only_storage(&[("ARTIFACT_PROVIDER", one)]), only_storage(&[("ARTIFACT_PROVIDER", other)]));
    }
}

#[test]
fn each_scope_may_have_a_provider_of_its_own() {
    let scopes = |variables: &[(&str, &str)]| {
        let storage = load(variables).unwrap().storage;
        storage.distinct().into_iter().map(|(config, scopes)| (config.clone(), scopes)).collect::<Vec<_>>()
    };
    let files = StorageConfig::Filesystem { root: "./data/artifacts".into() };
    let database = StorageConfig::Sqlite { path: "./data/artifacts.db".into() };
    assert_eq!(scopes(&[]), [(files.clone(), Scope::ALL.to_vec())]);
    assert_eq!(
        scopes(&[("ARTIFACT_PROVIDER_USER", "vfs-sqlite")]),
        [(files.clone(), vec![Scope::Session, Scope::Sandbox]), (database.clone(), vec![Scope::User])]
    );
    let three = [
        ("ARTIFACT_PROVIDER_SESSION", "memory"),
        ("ARTIFACT_PROVIDER_USER", "sqlite"),
        ("ARTIFACT_PROVIDER_SANDBOX", "filesystem"),
    ];
    assert_eq!(
        scopes(&three),
        [(StorageConfig::Memory, vec![Scope::Session]), (database, vec![Scope::User]), (files, vec![Scope::Sandbox])]
    );
}

#[test]
fn s3_and_ibm_cos_can_be_used_side_by_side() {
    let both = [&[("ARTIFACT_PROVIDER", "s3"), ("ARTIFACT_PROVIDER_USER", "ibm_cos")], &IBM_COS[..]].concat();
    let storage = load(&both).unwrap().storage;
    let (StorageConfig::S3(s3), StorageConfig::IbmCos(cos)) = (&storage.session, &storage.user) else {
        panic!("{storage:?}")
    };
    assert_eq!((&s3.endpoint, &s3.credentials), (&None, &None));
    assert_eq!((&cos.bucket, cos.credentials.as_ref().unwrap().access_key_id.as_str()), (&s3.bucket, "key"));
    assert_eq!(cos.endpoint.as_ref().unwrap().to_string(), format!("{}/", IBM_COS[2].1));
}

fn s3(variables: &[(&str, &str)]) -> S3Config {
    let mut all = vec![("ARTIFACT_PROVIDER", "s3")];
    all.extend(variables);
    match only_storage(&all) {
        StorageConfig::S3(config) => config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn path_style_and_region_depend_on_the_endpoint() {
    let endpoint = ("S3_ENDPOINT_URL", "http://minio:9000");
    let config = s3(&[]);
    assert_eq!((config.force_path_style, config.region, config.credentials), (false, None, None));
    let config = s3(&[endpoint, ("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")]);
    assert_eq!((config.force_path_style, config.region.as_deref()), (true, Some("us-east-1")));
    assert_eq!(config.credentials.unwrap().secret_access_key.expose(), "secret");
    let config = s3(&[endpoint, ("S3_FORCE_PATH_STYLE", "no"), ("AWS_REGION", "eu-central-1")]);
    assert_eq!((config.force_path_style, config.region.as_deref()), (false, Some("eu-central-1")));
}

#[test]
fn encryption_of_s3() {
    let kms = ("S3_SSE_ALGORITHM", "aws:kms");
    assert_eq!(s3(&[("S3_SSE_ALGORITHM", "AES256")]).encryption, Some(S3Encryption::Aes256));
    assert_eq!(s3(&[kms]).encryption, Some(S3Encryption::Kms(None)));
    assert_eq!(s3(&[kms, ("S3_SSE_KMS_KEY_ID", "k")]).encryption, Some(S3Encryption::Kms(Some("k".to_owned()))));
}

#[test]
fn a_prefix_holds_for_every_provider() {
    let config = load(&[("ARTIFACT_PREFIX", "team-a/v1/")]).unwrap();
    assert_eq!(config.storage.prefix.unwrap().as_str(), "team-a/v1");
    assert_eq!(load(&[]).unwrap().storage.prefix, None);
    assert!(
        errors(&[("ARTIFACT_PREFIX", "grid")]).starts_with("ARTIFACT_PREFIX: \"grid\" is not valid: expected names")
    );
}

#[test]
fn ibm_cos_is_s3_with_its_own_names() {
    let selected = [("ARTIFACT_PROVIDER", "ibm_cos"), ("S3_ENDPOINT_URL", "http://ignored:9000")];
    let storage = only_storage(&[&selected, &IBM_COS[..]].concat());
    let StorageConfig::IbmCos(config) = storage else { panic!("{storage:?}") };
    assert_eq!(config.endpoint.unwrap().expose().host_str(), Some("s3.eu-de.cloud-object-storage.appdomain.cloud"));
    assert_eq!(config.credentials.unwrap().access_key_id, "key");
}

#[test]
fn each_selected_provider_must_have_what_it_needs() {
    for by in ["ARTIFACT_PROVIDER", "ARTIFACT_PROVIDER_SESSION", "ARTIFACT_PROVIDER_USER", "ARTIFACT_PROVIDER_SANDBOX"]
    {
        let missing = IBM_COS.map(|(name, _)| format!("{name}: must be set with {by}=ibm_cos"));
        assert_eq!(errors(&[(by, "ibm_cos")]), missing.join("\n"));
        assert_eq!(
            errors(&[(by, "s3"), ("AWS_ACCESS_KEY_ID", "k")]),
            "AWS_SECRET_ACCESS_KEY: must be set too when AWS_ACCESS_KEY_ID is"
        );
        let same_file = [("ARTIFACT_SQLITE_PATH", "a.db"), ("ARTIFACTD_METADATA_SQLITE_PATH", "a.db")];
        assert!(load(&same_file).is_ok());
        assert_eq!(
            errors(&[&[(by, "sqlite")], &same_file[..]].concat()),
            "ARTIFACTD_METADATA_SQLITE_PATH: must be another file than ARTIFACT_SQLITE_PATH"
        );
    }
    let both =
        [("ARTIFACT_PROVIDER", "s3"), ("ARTIFACT_PROVIDER_USER", "ibm_cos"), ("S3_PUBLIC_ENDPOINT_URL", "http://a")];
    assert_eq!(
        errors(&[&both, &IBM_COS[..]].concat()),
        "S3_PUBLIC_ENDPOINT_URL: cannot be the URL of two stores, s3 and ibm_cos (ARTIFACT_PROVIDER_USER)"
    );
}

#[test]
fn settings_of_providers_that_are_not_selected_do_not_matter() {
    let config = load(&[
        ("AWS_ACCESS_KEY_ID", "half a pair"),
        ("S3_SSE_KMS_KEY_ID", "key"),
        ("IBM_COS_SECRET_KEY", "half a pair"),
        ("SESSION_REDIS_URL", "redis://localhost"),
        ("ARTIFACT_SQLITE_PATH", "/tmp/x.db"),
    ]);
    assert_eq!(config.unwrap().storage, load(&[]).unwrap().storage);
    // Nor does the default when every scope has its own.
    let own = [
        ("ARTIFACT_PROVIDER", "ibm_cos"),
        ("ARTIFACT_PROVIDER_SESSION", "memory"),
        ("ARTIFACT_PROVIDER_USER", "memory"),
        ("ARTIFACT_PROVIDER_SANDBOX", "memory"),
    ];
    assert_eq!(only_storage(&own), StorageConfig::Memory);
}
