//! Setting up the bucket.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, CorsConfiguration, CorsRule, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleFilter,
};
use reqwest::Method;

use super::scripted::{Answer, Scripted};
use super::*;
use crate::storage::{PutConstraints, ResponseHeaders};

const PAGE: &str = "https://app.example.com";
const MINUTE: Duration = Duration::from_secs(60);

fn setup(cors: Applied, lifecycle: Applied) -> BucketSetup {
    BucketSetup { created: false, cors, incomplete_uploads: lifecycle, pending: lifecycle }
}

/// A bucket that no other test uses, and that is not there yet.
async fn new_bucket() -> S3Storage {
    let bucket = format!("setup-{:016x}", rand::random::<u64>());
    S3Storage::connect(S3Options { bucket, ..options() }).await.unwrap()
}

async fn remove(storage: S3Storage) {
    storage.client.delete_bucket().bucket(&storage.bucket).send().await.unwrap();
}

async fn set_up(storage: &S3Storage, origins: &[&str]) -> BucketSetup {
    let origins: Vec<_> = origins.iter().map(|&origin| origin.to_owned()).collect();
    storage.set_up_bucket(&origins, None).await.unwrap()
}

async fn cors_rules(storage: &S3Storage) -> Vec<CorsRule> {
    storage.client.get_bucket_cors().bucket(&storage.bucket).send().await.unwrap().cors_rules.unwrap()
}

async fn lifecycle_rules(storage: &S3Storage) -> Vec<LifecycleRule> {
    let request = storage.client.get_bucket_lifecycle_configuration().bucket(&storage.bucket);
    request.send().await.unwrap().rules.unwrap()
}

#[tokio::test]
async fn a_missing_bucket_is_made_and_setting_it_up_again_changes_nothing() {
    let storage = new_bucket().await;
    let first = set_up(&storage, &[PAGE]).await;
    assert_eq!(first, BucketSetup { created: true, ..setup(Applied::Changed, Applied::Changed) });
    assert_eq!(set_up(&storage, &[PAGE]).await, setup(Applied::Unchanged, Applied::Unchanged));
    let key = unique_key();
    put(&storage, &key, b"bytes").await.unwrap();
    storage.delete(&key).await.unwrap();

    let rules = lifecycle_rules(&storage).await;
    let told = rules.iter().map(|rule| {
        let abort = rule.abort_incomplete_multipart_upload().and_then(|abort| abort.days_after_initiation());
        let prefix = rule.filter().and_then(|filter| filter.prefix()).unwrap_or("");
        (rule.id().unwrap(), prefix, abort, rule.expiration().and_then(|expire| expire.days()))
    });
    let expected = [
        ("artifactd-incomplete-uploads", "grid/", Some(8), None),
        ("artifactd-incomplete-pending", "pending/", Some(8), None),
        ("artifactd-pending", "pending/", None, Some(8)),
    ];
    assert!(told.eq(expected), "{rules:?}");
    remove(storage).await;
}

#[tokio::test]
async fn pages_of_the_origins_may_use_signed_urls_and_others_not() {
    let (storage, key) = (new_bucket().await, unique_key());
    set_up(&storage, &[PAGE, "http://localhost:3000"]).await;
    let put = storage.presign_put(&key, MINUTE, &PutConstraints::default()).await.unwrap();
    let get = storage.presign_get(&key, MINUTE, &ResponseHeaders::default()).await.unwrap();
    // As the browser asks; what it does not find in the answer, it keeps from the page.
    let answer = async |method: Method, url: &str, origin: &str| {
        let request = reqwest::Client::new().request(method, url).header("origin", origin);
        request.send().await.unwrap().headers().clone()
    };
    for (method, url) in [(Method::PUT, &put.url), (Method::GET, &get.url)] {
        for origin in [PAGE, "http://localhost:3000"] {
            let headers = answer(method.clone(), url, origin).await;
            assert_eq!(headers["access-control-allow-origin"], origin);
            let exposed = headers["access-control-expose-headers"].to_str().unwrap().to_lowercase();
            for header in ["etag", "x-amz-checksum-sha256", "content-length", "content-range", "content-disposition"] {
                assert!(exposed.contains(header), "{header} {exposed}");
            }
        }
        let headers = answer(method, url, "https://evil.example.com").await;
        assert!(!headers.contains_key("access-control-allow-origin"), "{headers:?}");
    }
    let [rule] = &cors_rules(&storage).await[..] else { panic!() };
    assert_eq!(
        (rule.allowed_methods(), rule.allowed_headers()),
        (&["GET", "PUT", "HEAD"].map(str::to_owned)[..], &["*".to_owned()][..])
    );
    storage.delete(&key).await.unwrap();
    remove(storage).await;
}

#[tokio::test]
async fn other_origins_replace_those_before_and_none_leave_them_alone() {
    let storage = new_bucket().await;
    let origins = async || cors_rules(&storage).await.into_iter().map(|rule| rule.allowed_origins).collect::<Vec<_>>();
    assert_eq!(set_up(&storage, &[]).await.cors, Applied::LeftAlone);
    assert_eq!(set_up(&storage, &[PAGE]).await.cors, Applied::Changed);
    assert_eq!(origins().await, [[PAGE]]);
    assert_eq!(set_up(&storage, &["*"]).await.cors, Applied::Changed);
    assert_eq!(set_up(&storage, &[]).await.cors, Applied::LeftAlone);
    assert_eq!(origins().await, [["*"]]);
    remove(storage).await;
}

#[tokio::test]
async fn rules_of_others_stay_as_they_are() {
    let storage = new_bucket().await;
    storage.client.create_bucket().bucket(&storage.bucket).send().await.unwrap();
    let theirs = CorsRule::builder().id("theirs").allowed_origins("https://other.example.com").allowed_methods("POST");
    let theirs = theirs.build().unwrap();
    let rules = CorsConfiguration::builder().cors_rules(theirs.clone()).build().unwrap();
    storage.client.put_bucket_cors().bucket(&storage.bucket).cors_configuration(rules).send().await.unwrap();
    let logs = LifecycleRule::builder()
        .filter(LifecycleRuleFilter::builder().prefix("logs/").build())
        .status(ExpirationStatus::Disabled)
        .expiration(LifecycleExpiration::builder().days(3).build())
        .build()
        .unwrap();
    let outdated = LifecycleRule::builder()
        .id("artifactd-of-an-older-version")
        .status(ExpirationStatus::Enabled)
        .expiration(LifecycleExpiration::builder().days(1).build())
        .build()
        .unwrap();
    let rules = BucketLifecycleConfiguration::builder().rules(outdated).rules(logs.clone()).build().unwrap();
    let request = storage.client.put_bucket_lifecycle_configuration().bucket(&storage.bucket);
    request.lifecycle_configuration(rules).send().await.unwrap();

    assert_eq!(set_up(&storage, &[PAGE]).await, setup(Applied::Changed, Applied::Changed));
    assert_eq!(set_up(&storage, &[PAGE]).await, setup(Applied::Unchanged, Applied::Unchanged));
    let cors = cors_rules(&storage).await;
    assert_eq!((cors.len(), &cors[0]), (2, &theirs));
    let lifecycle = lifecycle_rules(&storage).await;
    let ids: Vec<_> = lifecycle.iter().map(LifecycleRule::id).collect();
    let ours = ["artifactd-incomplete-uploads", "artifactd-incomplete-pending", "artifactd-pending"];
    assert_eq!(ids, [None, Some(ours[0]), Some(ours[1]), Some(ours[2])]);
    assert_eq!(lifecycle[0], logs);
    remove(storage).await;
}

/// Several deployments in one bucket, each below its prefix: none takes the rules of another away, and no rule of one
/// reaches what another keeps.
#[tokio::test]
async fn rules_of_other_deployments_in_the_bucket_stay_as_they_are() {
    let storage = new_bucket().await;
    let prefixes = [None, Some("one"), Some("one/two")].map(|prefix| prefix.map(|text| text.parse().unwrap()));
    for prefix in &prefixes {
        let setup = storage.set_up_bucket(&[PAGE.to_owned()], prefix.as_ref()).await.unwrap();
        assert_eq!((setup.cors, setup.pending), (Applied::Changed, Applied::Changed), "{prefix:?}");
    }
    for prefix in &prefixes {
        let again = storage.set_up_bucket(&[PAGE.to_owned()], prefix.as_ref()).await.unwrap();
        assert_eq!(again, setup(Applied::Unchanged, Applied::Unchanged), "{prefix:?}");
    }
    assert_eq!(cors_rules(&storage).await.len(), 3);
    let mut reached: Vec<String> =
        lifecycle_rules(&storage).await.into_iter().map(|rule| rule.filter.unwrap().prefix.unwrap()).collect();
    reached.sort();
    reached.dedup();
    let folders = ["grid/", "one/grid/", "one/pending/", "one/two/grid/", "one/two/pending/", "pending/"];
    assert_eq!(reached, folders);
    remove(storage).await;
}

const OK: Answer = (200, "", "");
const NO_BUCKET: Answer = (404, "", "");
const NO_CORS: Answer = (404, "", "<Error><Code>NoSuchCORSConfiguration</Code></Error>");
const NO_LIFECYCLE: Answer = (404, "", "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>");
const NOT_IMPLEMENTED: Answer = (501, "", "<Error><Code>NotImplemented</Code></Error>");
const DENIED: Answer = (403, "", "<Error><Code>AccessDenied</Code></Error>");

#[tokio::test]
async fn a_store_without_such_rules_is_no_failure() {
    let on_reading = vec![OK, NOT_IMPLEMENTED, NOT_IMPLEMENTED];
    let on_writing = vec![OK, NO_CORS, NOT_IMPLEMENTED, NO_LIFECYCLE, NOT_IMPLEMENTED];
    for answers in [on_reading, on_writing] {
        let server = Scripted::new(answers).await;
        assert_eq!(set_up(&server.storage, &[PAGE]).await, setup(Applied::NotSupported, Applied::NotSupported));
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_told_to_abort_uploads_still_removes_the_others() {
    const REFUSED: Answer = (400, "", "<Error><Code>MalformedXML</Code></Error>");
    const PENDING: Answer = (
        200,
        "",
        "<LifecycleConfiguration><Rule><ID>artifactd-pending</ID><Status>Enabled</Status>\
         <Filter><Prefix>pending/</Prefix></Filter><Expiration><Days>8</Days></Expiration></Rule></LifecycleConfiguration>",
    );
    let mut server = Scripted::new([OK, NO_LIFECYCLE, REFUSED, OK]).await;
    let partly = |pending| BucketSetup { pending, ..setup(Applied::LeftAlone, Applied::NotSupported) };
    assert_eq!(set_up(&server.storage, &[]).await, partly(Applied::Changed));
    for _ in 0..3 {
        server.request().await;
    }
    let request = server.request().await;
    assert!(request.contains("pending/") && !request.contains("AbortIncomplete"), "{request}");

    let server = Scripted::new([OK, PENDING, REFUSED]).await;
    assert_eq!(set_up(&server.storage, &[]).await, partly(Applied::Unchanged));
    let server = Scripted::new([OK, NO_LIFECYCLE, REFUSED, REFUSED]).await;
    assert_eq!(server.storage.set_up_bucket(&[], None).await.unwrap_err().operation, "setting the lifecycle rules");
}

#[tokio::test]
async fn a_refusal_is_a_fault_that_says_what_failed() {
    for (answers, operation) in [
        (vec![(403, "", "")], "looking for the bucket"),
        (vec![NO_BUCKET, DENIED], "creating the bucket"),
        (vec![OK, DENIED], "setting the CORS rules"),
        (vec![OK, NO_CORS, DENIED], "setting the CORS rules"),
        (vec![OK, NO_CORS, OK, NO_LIFECYCLE, DENIED], "setting the lifecycle rules"),
    ] {
        let server = Scripted::new(answers).await;
        let fault = server.storage.set_up_bucket(&[PAGE.to_owned()], None).await.unwrap_err();
        assert_eq!((fault.operation, fault.kind), (operation, FaultKind::Broken), "{}", Chain(&fault));
    }
}

#[tokio::test]
async fn the_store_is_told_a_region_that_is_not_its_default() {
    let mut server = Scripted::new([NO_BUCKET, OK, NO_LIFECYCLE, OK]).await;
    assert!(set_up(&server.storage, &[]).await.created);
    server.request().await;
    let request = server.request().await;
    assert!(request.contains("<LocationConstraint>garage</LocationConstraint>"), "{request}");
}
