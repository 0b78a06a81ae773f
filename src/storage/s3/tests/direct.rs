//! What clients do at the store without the service.

use std::time::SystemTime;

use aws_sdk_s3::presigning::PresigningConfig;
use reqwest::{Method, Response};
use sha2::{Digest, Sha256};

use super::scripted::{Answer, Scripted};
use super::*;
use crate::domain::digest::Sha256Digest;
use crate::storage::{Completed, MultipartUpload, Part, PutConstraints, ResponseHeaders, SignedRequest};

const HOUR: Duration = Duration::from_secs(3600);
const PART_BYTES: usize = 5 * 1024 * 1024;

async fn digest_known(storage: &S3Storage, key: &Key) -> Option<Sha256Digest> {
    storage.inspect(key).await.unwrap().and_then(|object| object.sha256)
}

fn digest(content: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(content).into())
}

/// What a client does with a signed request, with some headers of its own instead; an empty one is left out.
async fn send(method: Method, request: &SignedRequest, own: &[(&str, &str)], body: &[u8]) -> Response {
    let signed = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let kept = signed.filter(|(name, _)| !own.iter().any(|(own, _)| own == name));
    let mut builder = reqwest::Client::new().request(method, &request.url).body(body.to_vec());
    for (name, value) in kept.chain(own.iter().copied()).filter(|(_, value)| !value.is_empty()) {
        builder = builder.header(name, value);
    }
    builder.send().await.unwrap()
}

async fn put_signed(request: &SignedRequest, body: &[u8]) -> Response {
    send(Method::PUT, request, &[], body).await
}

fn all_constraints(content: &[u8]) -> PutConstraints {
    PutConstraints {
        content_type: Some("text/plain; charset=utf-8".parse().unwrap()),
        bytes: Some(content.len() as u64),
        sha256: Some(digest(content)),
    }
}

#[tokio::test]
async fn a_client_stores_what_the_url_was_signed_for() {
    let (storage, key) = (connect().await, unique_key());
    let signed = storage.presign_put(&key, HOUR, &all_constraints(b"bytes")).await.unwrap();
    let mut names: Vec<_> = signed.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-type", "x-amz-checksum-sha256"]);
    assert_eq!(put_signed(&signed, b"bytes").await.status(), 200);

    let head = storage.client.head_object().bucket(&storage.bucket).key(key.as_str()).send().await.unwrap();
    assert_eq!(head.content_type(), Some("text/plain; charset=utf-8"));
    assert_eq!(head.content_length(), Some(5));
}

#[tokio::test]
async fn a_client_cannot_store_anything_else() {
    let (storage, key) = (connect().await, unique_key());
    let signed = storage.presign_put(&key, HOUR, &all_constraints(b"bytes")).await.unwrap();
    let other_digest = digest(b"bytez").to_base64();
    for (what, own, body) in [
        ("another type", &[("content-type", "text/html")][..], &b"bytes"[..]),
        ("no type", &[("content-type", "")], b"bytes"),
        ("a longer body", &[], b"bytes and more"),
        ("a shorter body", &[], b"byte"),
        ("other bytes", &[], b"bytez"),
        ("other bytes with their digest", &[("x-amz-checksum-sha256", &other_digest)], b"bytez"),
        ("other bytes without a digest", &[("x-amz-checksum-sha256", "")], b"bytez"),
    ] {
        let refused = send(Method::PUT, &signed, own, body).await;
        assert!(refused.status().is_client_error(), "{what}: {}", refused.status());
        assert!(storage.head(&key).await.unwrap().is_none(), "{what}");
    }
    // Nor is it good for another method or another key.
    assert!(send(Method::DELETE, &signed, &[], b"").await.status().is_client_error());
    let elsewhere = SignedRequest { url: signed.url.replace(key.as_str(), unique_key().as_str()), ..signed };
    assert!(put_signed(&elsewhere, b"bytes").await.status().is_client_error());
}

#[tokio::test]
async fn a_body_of_another_length_is_refused_also_when_only_the_length_is_signed() {
    let (storage, key) = (connect().await, unique_key());
    let constraints = PutConstraints { bytes: Some(5), ..PutConstraints::default() };
    let signed = storage.presign_put(&key, HOUR, &constraints).await.unwrap();
    assert!(signed.headers.is_empty(), "{:?}", signed.headers);
    for body in [&b"longer"[..], b"four", b""] {
        assert!(put_signed(&signed, body).await.status().is_client_error());
    }
    assert!(storage.head(&key).await.unwrap().is_none());
    assert_eq!(put_signed(&signed, b"bytes").await.status(), 200);
}

#[tokio::test]
async fn what_is_not_constrained_is_up_to_the_client() {
    let (storage, key) = (connect().await, unique_key());
    let signed = storage.presign_put(&key, HOUR, &PutConstraints::default()).await.unwrap();
    assert!(signed.headers.is_empty(), "{:?}", signed.headers);
    for (content_type, body) in [("text/html", &b"any"[..]), ("image/png", b"thing")] {
        let sent = send(Method::PUT, &signed, &[("content-type", content_type)], body).await;
        assert_eq!(sent.status(), 200);
    }
    assert_eq!(storage.head(&key).await.unwrap().unwrap().bytes, 5);
}

#[tokio::test]
async fn a_signed_read_is_answered_as_signed() {
    let (storage, key) = (connect().await, unique_key());
    put(&storage, &key, b"some bytes").await.unwrap();
    let disposition = "attachment; filename=\"a & b.txt\"; filename*=UTF-8''%E2%82%AC%20rates.txt";
    let response = ResponseHeaders {
        content_type: Some("text/x-special; charset=utf-8".parse().unwrap()),
        content_disposition: Some(disposition.to_owned()),
    };
    let signed = storage.presign_get(&key, HOUR, &response).await.unwrap();
    assert!(signed.headers.is_empty(), "{:?}", signed.headers);
    let answer = send(Method::GET, &signed, &[], b"").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/x-special; charset=utf-8");
    assert_eq!(answer.headers()["content-disposition"], disposition);
    assert_eq!(answer.bytes().await.unwrap(), "some bytes");
    let answer = send(Method::GET, &signed, &[("range", "bytes=5-")], b"").await;
    assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap()), (206, "bytes".into()));

    let tampered = SignedRequest { url: signed.url.replace("attachment", "inline"), ..signed };
    assert!(send(Method::GET, &tampered, &[], b"").await.status().is_client_error());
    let plain = storage.presign_get(&key, HOUR, &ResponseHeaders::default()).await.unwrap();
    let answer = send(Method::GET, &plain, &[], b"").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
}

#[tokio::test]
async fn an_expired_url_is_refused() {
    let (storage, key) = (connect().await, unique_key());
    put(&storage, &key, b"bytes").await.unwrap();
    let past = PresigningConfig::builder().expires_in(Duration::from_secs(1));
    let past = past.start_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).build().unwrap();
    let get = presign::get(&storage, &key, &ResponseHeaders::default()).presigned(past.clone()).await.unwrap();
    let refused = send(Method::GET, &presign::signed(get), &[], b"").await;
    assert!(refused.status().is_client_error(), "{}", refused.status());
    let put = presign::put(&storage, &key, &PutConstraints::default()).presigned(past).await.unwrap();
    assert!(put_signed(&presign::signed(put), b"another").await.status().is_client_error());
    assert_eq!(storage.head(&key).await.unwrap().unwrap().bytes, 5);
}

#[tokio::test]
async fn a_url_lives_for_a_week_at_most() {
    const WEEK: Duration = Duration::from_secs(7 * 86_400);
    let (storage, key) = (connect().await, unique_key());
    let presign = async |expires| storage.presign_get(&key, expires, &ResponseHeaders::default()).await;
    assert!(presign(WEEK).await.unwrap().url.contains("X-Amz-Expires=604800"));
    let fault = presign(WEEK + Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Broken);
}

#[tokio::test]
async fn urls_are_signed_for_the_public_endpoint_and_nothing_is_sent() {
    // Nobody listens there.
    let options = S3Options {
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        public_endpoint_url: Some("https://files.example.com/s3".to_owned()),
        sse: Some(Sse::AwsKms { key_id: Some("a-key".to_owned()) }),
        ..options()
    };
    let (storage, key) = (S3Storage::connect(options).await.unwrap(), unique_key());
    let base = format!("https://files.example.com/s3/{}/{key}?", storage.bucket);
    let get = storage.presign_get(&key, HOUR, &ResponseHeaders::default()).await.unwrap();
    let put = storage.presign_put(&key, HOUR, &PutConstraints::default()).await.unwrap();
    let upload = MultipartUpload { key: key.clone(), id: "an upload".to_owned() };
    let part = storage.presign_part(&upload, "7".parse().unwrap(), HOUR).await.unwrap();
    for signed in [&get, &put, &part] {
        assert!(signed.url.starts_with(&base), "{}", signed.url);
        assert_eq!(format!("{signed:?}"), "SignedRequest(…)");
    }
    assert!(part.url.contains("partNumber=7") && part.url.contains("uploadId=an%20upload"), "{}", part.url);
    assert!(get.headers.is_empty() && part.headers.is_empty());
    let mut headers = put.headers;
    headers.sort();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        header("x-amz-server-side-encryption", "aws:kms"),
        header("x-amz-server-side-encryption-aws-kms-key-id", "a-key"),
    ];
    assert_eq!(headers, expected);
}

async fn begin(storage: &S3Storage, key: &Key) -> MultipartUpload {
    let options = PutOptions { content_type: "image/png".parse().unwrap(), ..PutOptions::default() };
    storage.create_multipart(key, &options).await.unwrap()
}

async fn upload_part(storage: &S3Storage, upload: &MultipartUpload, number: u32, content: &[u8]) -> String {
    let signed = storage.presign_part(upload, number.try_into().unwrap(), HOUR).await.unwrap();
    let answer = put_signed(&signed, content).await;
    assert_eq!(answer.status(), 200);
    unquoted(answer.headers()["etag"].to_str().unwrap())
}

#[tokio::test]
async fn parts_that_clients_have_sent_become_one_object() {
    let (storage, key) = (connect().await, unique_key());
    let upload = begin(&storage, &key).await;
    assert_eq!(storage.parts(&upload).await.unwrap(), Some(Vec::new()));
    upload_part(&storage, &upload, 1, b"replaced").await;
    let last = upload_part(&storage, &upload, 10_000, b", and the last").await;
    let first = upload_part(&storage, &upload, 1, &vec![b'x'; PART_BYTES]).await;
    let parts = storage.parts(&upload).await.unwrap().unwrap();
    let told: Vec<(u32, u64, String)> =
        parts.iter().map(|part| (part.number.into(), part.bytes, part.etag.clone())).collect();
    assert_eq!(told, [(1, PART_BYTES as u64, first), (10_000, 14, last)]);
    assert!(storage.head(&key).await.unwrap().is_none(), "not yet");

    let Completed::Done(stored) = storage.complete_multipart(&upload, &parts).await.unwrap() else { panic!() };
    let head = storage.head(&key).await.unwrap().unwrap();
    assert_eq!((head.bytes, head.etag), (PART_BYTES as u64 + 14, stored.etag));
    let end = storage.get(&key, Some(PART_BYTES as u64 - 1..head.bytes)).await.unwrap().unwrap();
    let end: Vec<Bytes> = end.try_collect().await.unwrap();
    assert_eq!(end.concat(), b"x, and the last");
    assert_eq!(digest_known(&storage, &key).await, None);

    // It is over, and again is no error.
    assert_eq!(storage.parts(&upload).await.unwrap(), None);
    assert_eq!(storage.complete_multipart(&upload, &parts).await.unwrap(), Completed::NoSuchUpload);
    storage.abort_multipart(&upload).await.unwrap();
    assert!(storage.head(&key).await.unwrap().is_some());
}

#[tokio::test]
async fn other_parts_than_those_that_have_arrived_are_refused() {
    let (storage, key) = (connect().await, unique_key());
    let upload = begin(&storage, &key).await;
    upload_part(&storage, &upload, 1, b"one").await;
    upload_part(&storage, &upload, 2, b"two").await;
    let parts = storage.parts(&upload).await.unwrap().unwrap();
    let (one, two) = (parts[0].clone(), parts[1].clone());
    let missing = Part { number: 3.try_into().unwrap(), ..one.clone() };
    let other = Part { etag: two.etag.clone(), ..one.clone() };
    for wrong in [vec![], vec![two.clone(), one.clone()], vec![one, missing], vec![other, two]] {
        assert_eq!(storage.complete_multipart(&upload, &wrong).await.unwrap(), Completed::InvalidPart);
    }
    assert!(storage.head(&key).await.unwrap().is_none());
    // The upload goes on.
    assert!(matches!(storage.complete_multipart(&upload, &parts).await.unwrap(), Completed::Done(_)));
}

#[tokio::test]
async fn an_aborted_upload_is_gone_and_may_be_aborted_again() {
    let (storage, key) = (connect().await, unique_key());
    let upload = begin(&storage, &key).await;
    upload_part(&storage, &upload, 1, b"one").await;
    let parts = storage.parts(&upload).await.unwrap().unwrap();
    let signed = storage.presign_part(&upload, 2.try_into().unwrap(), HOUR).await.unwrap();
    for _ in 0..2 {
        storage.abort_multipart(&upload).await.unwrap();
        assert!(storage.unfinished_uploads(key.as_str()).await.is_empty());
    }
    assert_eq!(storage.parts(&upload).await.unwrap(), None);
    assert_eq!(storage.complete_multipart(&upload, &parts).await.unwrap(), Completed::NoSuchUpload);
    assert!(put_signed(&signed, b"late").await.status().is_client_error());
}

#[tokio::test]
async fn the_digest_is_known_when_the_client_had_to_send_it() {
    let storage = connect().await;
    let (key, copy, plain) = (unique_key(), unique_key(), unique_key());
    assert_eq!(storage.inspect(&key).await.unwrap(), None, "nothing is there");
    let signed = storage.presign_put(&key, HOUR, &all_constraints(b"bytes")).await.unwrap();
    assert_eq!(put_signed(&signed, b"bytes").await.status(), 200);
    assert_eq!(digest_known(&storage, &key).await, Some(digest(b"bytes")));
    storage.copy(&key, &copy, &PutOptions::default()).await.unwrap();
    assert_eq!(digest_known(&storage, &copy).await, Some(digest(b"bytes")));

    let signed = storage.presign_put(&plain, HOUR, &PutConstraints::default()).await.unwrap();
    assert_eq!(put_signed(&signed, b"bytes").await.status(), 200);
    assert_eq!(digest_known(&storage, &plain).await, None);
}

#[tokio::test]
async fn a_composite_digest_is_not_that_of_the_whole() {
    const WHOLE: Answer = (200, "x-amz-checksum-sha256: +ojc6z9ilMylfAkRqJo0RoUFQrV61QMb8tpH3xZ4fz4=\r\n", "");
    const PARTS: Answer = (200, "x-amz-checksum-sha256: +ojc6z9ilMylfAkRqJo0RoUFQrV61QMb8tpH3xZ4fz4=-2\r\n", "");
    const TYPED: Answer = (
        200,
        "x-amz-checksum-sha256: +ojc6z9ilMylfAkRqJo0RoUFQrV61QMb8tpH3xZ4fz4=\r\nx-amz-checksum-type: COMPOSITE\r\n",
        "",
    );
    for (answer, is_known) in [(WHOLE, true), (PARTS, false), (TYPED, false)] {
        let server = Scripted::new([answer]).await;
        assert_eq!(digest_known(&server.storage, &unique_key()).await.is_some(), is_known, "{answer:?}");
    }
}

#[tokio::test]
async fn parts_are_read_to_the_last_page() {
    const FIRST: &str = "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>\
        <Part><PartNumber>1</PartNumber><LastModified>2026-01-31T12:00:00.000Z</LastModified><ETag>\"a\"</ETag>\
        <Size>5</Size></Part></ListPartsResult>";
    const LAST: &str = "<ListPartsResult><IsTruncated>false</IsTruncated>\
        <Part><PartNumber>2</PartNumber><LastModified>2026-01-31T12:00:01.000Z</LastModified><ETag>b</ETag>\
        <Size>6</Size></Part></ListPartsResult>";
    let mut server = Scripted::new([(200, "", FIRST), (200, "", LAST)]).await;
    let upload = MultipartUpload { key: unique_key(), id: "id".to_owned() };
    let part = |number: u32, bytes, etag: &str, stored_at: &str| Part {
        number: number.try_into().unwrap(),
        bytes,
        etag: etag.to_owned(),
        stored_at: stored_at.parse().unwrap(),
    };
    let expected = vec![part(1, 5, "a", "2026-01-31T12:00:00Z"), part(2, 6, "b", "2026-01-31T12:00:01Z")];
    assert_eq!(server.storage.parts(&upload).await.unwrap(), Some(expected));
    assert!(!server.request().await.contains("part-number-marker"));
    assert!(server.request().await.contains("part-number-marker=1"));
}

#[tokio::test]
async fn a_refusal_with_status_200_is_none_the_less_one() {
    let upload = MultipartUpload { key: unique_key(), id: "id".to_owned() };
    let stored_at = Timestamp::from_millis(0);
    let parts = [Part { number: 1.try_into().unwrap(), bytes: 1, etag: "etag".to_owned(), stored_at }];
    for (body, expected) in [
        ("<Error><Code>EntityTooSmall</Code></Error>", Some(Completed::InvalidPart)),
        ("<Error><Code>NoSuchUpload</Code></Error>", Some(Completed::NoSuchUpload)),
        ("<Error><Code>AccessDenied</Code></Error>", None),
    ] {
        let server = Scripted::new([(200, "", body)]).await;
        let completed = server.storage.complete_multipart(&upload, &parts).await;
        assert_eq!(completed.as_ref().ok(), expected.as_ref(), "{completed:?}");
    }
}
