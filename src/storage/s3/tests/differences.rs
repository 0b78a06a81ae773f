//! How stores differ from S3, as their own documents and their users say. The table is in `docs/operations.md`.

use super::scripted::{Answer, Scripted};
use super::*;
use crate::storage::{Direct as _, PutConstraints};

const OK: Answer = (200, "", "");
const STORED: Answer = (200, "ETag: \"etag\"\r\n", "");
const BEGUN: Answer =
    (200, "", "<InitiateMultipartUploadResult><UploadId>an upload</UploadId></InitiateMultipartUploadResult>");
const JOINED: Answer =
    (200, "", "<CompleteMultipartUploadResult><ETag>\"etag\"</ETag></CompleteMultipartUploadResult>");
const NO_LIFECYCLE: Answer = (404, "", "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>");
const NO_CORS: Answer = (404, "", "<Error><Code>NoSuchCORSConfiguration</Code></Error>");
const MIB: usize = 1024 * 1024;

/// A server with these answers, as a store with these settings.
async fn server(checksums: Checksums, answers: impl IntoIterator<Item = Answer>) -> Scripted {
    Scripted::with(S3Options { checksums, ..options() }, answers).await
}

/// What Backblaze B2 refuses, with 400 `InvalidArgument`.
fn assert_no_checksum_headers(request: &str) {
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    for name in ["x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer", "aws-chunked"] {
        assert!(!head.contains(name), "{head}");
    }
}

#[tokio::test]
async fn a_store_without_the_checksums_of_s3_is_sent_none() {
    for (checksums, md5) in [(Checksums::Md5, true), (Checksums::None, false)] {
        let mut server = server(checksums, [STORED, OK, BEGUN, STORED, STORED, JOINED]).await;
        put(&server.storage, &unique_key(), b"the body").await.unwrap();
        let request = server.request().await;
        assert_no_checksum_headers(&request);
        assert_eq!(request.contains("content-md5: mgyxyyx8yjxsbbsweqkeea=="), md5, "{request}");

        server.storage.inspect(&unique_key()).await.unwrap();
        assert_no_checksum_headers(&server.request().await);

        let mut body = stream::iter([Ok(Bytes::from(vec![7; 8 * MIB + 1]))]);
        server.storage.put(&unique_key(), &mut body, &PutOptions::default()).await.unwrap();
        for _ in 0..4 {
            let request = server.request().await;
            assert_no_checksum_headers(&request);
            assert_eq!(request.contains("content-md5"), md5 && request.contains("partnumber="), "{request:.500}");
        }
        // A digest that the store cannot check is proven by reading.
        let constraints =
            PutConstraints { sha256: Some(crate::domain::digest::Sha256Digest::new([7; 32])), ..Default::default() };
        let signed = server.storage.presign_put(&unique_key(), Duration::from_secs(60), &constraints).await.unwrap();
        assert!(signed.headers.is_empty() && !signed.url.contains("checksum"), "{}", signed.url);
    }
}

#[tokio::test]
async fn rules_for_the_bucket_come_with_the_digest_that_every_store_knows() {
    for checksums in [Checksums::Sha256, Checksums::Md5, Checksums::None] {
        let mut server = server(checksums, [OK, NO_CORS, OK, NO_LIFECYCLE, OK]).await;
        server.storage.set_up_bucket(&["https://app.example.com".to_owned()], None).await.unwrap();
        for number in 0..5 {
            let request = server.request().await;
            if checksums != Checksums::Sha256 {
                assert_no_checksum_headers(&request);
            }
            assert_eq!(request.contains("content-md5: "), matches!(number, 2 | 4), "{request}");
        }
    }
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named() {
    const MOVED: &str =
        "<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint></Error>";
    const MALFORMED: &str = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
    const REGION: &str = "x-amz-bucket-region: eu-west-1\r\n";
    const LOCATION: &str = "Location: https://b.s3.eu-west-1.amazonaws.com/key?X-Amz-Signature=secret\r\n";
    for (answer, kind, names) in [
        ((301, REGION, MOVED), FaultKind::Broken, &["the region eu-west-1", "at b.s3.eu-west-1.amazonaws.com"][..]),
        ((301, REGION, ""), FaultKind::Broken, &["the region eu-west-1"]),
        ((400, "", MALFORMED), FaultKind::Broken, &["the region eu-west-1"]),
        ((307, LOCATION, ""), FaultKind::Unavailable, &["at b.s3.eu-west-1.amazonaws.com"]),
        ((301, "x-amz-bucket-region: a b\"\r\n", ""), FaultKind::Broken, &[]),
    ] {
        let server = Scripted::new([answer]).await;
        let fault = server.storage.delete(&unique_key()).await.unwrap_err();
        let text = Chain(&fault).to_string();
        assert_eq!(fault.kind, kind, "{text}");
        assert!(names.iter().all(|name| text.contains(name)) && !text.contains("secret"), "{text}");
        assert!(!names.is_empty() || !text.contains("region"), "{text}");
    }
}

#[tokio::test]
async fn the_bucket_is_in_the_path_or_in_the_host() {
    for (force_path_style, base) in
        [(true, "https://store.example.com/s3/a-bucket/"), (false, "https://a-bucket.store.example.com/s3/")]
    {
        let endpoint_url = Some("https://store.example.com/s3".to_owned());
        let bucket = "a-bucket".to_owned();
        let storage =
            S3Storage::connect(S3Options { endpoint_url, force_path_style, bucket, ..options() }).await.unwrap();
        let signed =
            storage.presign_put(&unique_key(), Duration::from_secs(60), &PutConstraints::default()).await.unwrap();
        assert!(signed.url.starts_with(base), "{}", signed.url);
    }
}

/// Cloudflare R2 joins no others, however long it turns out to be.
#[tokio::test]
async fn all_parts_but_the_last_have_the_same_size() {
    let mut server = Scripted::new([BEGUN, STORED, STORED, STORED, JOINED]).await;
    let chunks = [5 * MIB, 8 * MIB, 4 * MIB].map(|length| Ok(Bytes::from(vec![7; length])));
    server.storage.put(&unique_key(), &mut stream::iter(chunks), &PutOptions::default()).await.unwrap();
    server.request().await;
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let request = server.request().await;
        let field = |start: &str| request.split_once(start).unwrap().1.split(['&', '\r', ' ']).next().unwrap();
        sizes.push((field("partnumber=").to_owned(), field("content-length: ").to_owned()));
    }
    sizes.sort();
    let size = |number: usize, bytes: usize| (number.to_string(), bytes.to_string());
    assert_eq!(sizes, [size(1, 8 * MIB), size(2, 8 * MIB), size(3, MIB)]);
}

#[tokio::test]
async fn a_server_that_never_answers_is_late() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let patience = Patience::new(Duration::from_millis(300), 1024 * 1024);
    let storage = S3Storage::connect(S3Options { endpoint_url: Some(url), patience, ..options() }).await.unwrap();
    let begun = std::time::Instant::now();
    let Err(PutError::Fault(fault)) = put(&storage, &unique_key(), b"bytes").await else { panic!() };
    assert!(fault.source.is::<crate::patience::Late>(), "{}", Chain(&fault));
    let faults = [
        storage.get(&unique_key(), None).await.err(),
        storage.head(&unique_key()).await.err(),
        storage.delete(&unique_key()).await.err(),
        storage.list("grid/", None, 1).await.err(),
        storage.copy(&unique_key(), &unique_key(), &PutOptions::default()).await.err(),
    ];
    for fault in faults {
        assert_eq!(fault.unwrap().kind, FaultKind::Unavailable);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
