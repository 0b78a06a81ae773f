//! What only S3 does. The server is that of `scripts/with-services`.

mod bucket;
mod differences;
mod direct;
mod full;
mod scripted;

use bytes::Bytes;
use futures::{TryStreamExt, stream};

use super::*;
use crate::fault::{Chain, FaultKind};

/// The S3 server that the tests run against.
pub(in crate::storage) fn options() -> S3Options {
    let variable = |name: &str| {
        let name = format!("ARTIFACTD_TEST_S3_{name}");
        std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run `scripts/with-services cargo test`"))
    };
    S3Options {
        provider: "s3",
        bucket: variable("BUCKET"),
        region: Some(variable("REGION")),
        endpoint_url: Some(variable("ENDPOINT")),
        public_endpoint_url: None,
        force_path_style: true,
        credentials: Some(AccessKey {
            id: variable("ACCESS_KEY"),
            secret: variable("SECRET_KEY").into(),
            session_token: None,
        }),
        sse: None,
        checksums: Checksums::Sha256,
        patience: Patience::new(Duration::from_secs(30), 1024 * 1024),
    }
}

pub(in crate::storage) async fn connect() -> S3Storage {
    S3Storage::connect(options()).await.unwrap()
}

impl S3Storage {
    /// The keys of unfinished uploads.
    pub(in crate::storage) async fn unfinished_uploads(&self, prefix: &str) -> Vec<String> {
        let request = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(prefix);
        let uploads = request.send().await.unwrap();
        uploads.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
    }
}

fn unique_key() -> Key {
    Key::from_listing(&format!("grid/s3-{:032x}/shared/a", rand::random::<u128>())).unwrap()
}

async fn put(storage: &S3Storage, key: &Key, content: &'static [u8]) -> Result<Stored, PutError> {
    let mut body = stream::iter([Ok(Bytes::from_static(content))]);
    storage.put(key, &mut body, &PutOptions::default()).await
}

async fn fault_of_put(options: S3Options) -> Fault {
    match put(&S3Storage::connect(options).await.unwrap(), &unique_key(), b"bytes").await {
        Err(PutError::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_unavailable() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fault = fault_of_put(S3Options { endpoint_url: Some(format!("http://127.0.0.1:{port}")), ..options() }).await;
    assert_eq!(fault.kind, FaultKind::Unavailable, "{}", Chain(&fault));
}

#[tokio::test]
async fn a_wrong_key_is_for_the_operator_and_is_not_told() {
    let key = options().credentials.unwrap();
    let wrong_secret = AccessKey { secret: "f".repeat(64).into(), ..key.clone() };
    let wrong_id = AccessKey { id: format!("GK{}", "e".repeat(24)), ..key };
    for wrong in [wrong_secret, wrong_id] {
        let options = S3Options { credentials: Some(wrong.clone()), ..options() };
        let printed = format!("{options:?}");
        let fault = fault_of_put(options).await;
        assert_eq!(fault.kind, FaultKind::Broken);
        let chain = format!("{} {fault:?} {printed}", Chain(&fault));
        assert!(chain.contains("AccessDenied"), "{chain}");
        assert!(!chain.contains(wrong.secret.expose()) && !chain.contains(&wrong.id), "{chain}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_a_fault_and_no_missing_object() {
    let storage = S3Storage::connect(S3Options { bucket: "no-such-bucket".to_owned(), ..options() }).await.unwrap();
    let fault = storage.get(&unique_key(), None).await.err().unwrap();
    assert_eq!(fault.kind, FaultKind::Broken);
    assert!(Chain(&fault).to_string().contains("NoSuchBucket"), "{}", Chain(&fault));
}

#[tokio::test]
async fn the_content_type_is_kept_and_a_copy_may_have_another() {
    let storage = connect().await;
    let (key, copy) = (unique_key(), unique_key());
    let typed = |text: &str| PutOptions { content_type: text.parse().unwrap(), ..PutOptions::default() };
    let mut body = stream::iter([Ok(Bytes::from_static(b"bytes"))]);
    storage.put(&key, &mut body, &typed("text/plain; charset=utf-8")).await.unwrap();
    storage.copy(&key, &copy, &typed("image/png")).await.unwrap();
    let content_type = async |key: &Key| {
        let head = storage.client.head_object().bucket(&storage.bucket).key(key.as_str()).send().await.unwrap();
        head.content_type.unwrap()
    };
    assert_eq!(content_type(&key).await, "text/plain; charset=utf-8");
    assert_eq!(content_type(&copy).await, "image/png");
}

#[tokio::test]
async fn a_large_object_is_copied_in_parts() {
    const PART: usize = 5 * 1024 * 1024;
    let storage = connect().await;
    let (key, copy) = (unique_key(), unique_key());
    let content: Vec<u8> = (0..2 * PART + 7).map(|n| (n / 1000 % 251) as u8).collect();
    let mut body = stream::iter([Ok(Bytes::from(content.clone()))]);
    storage.put(&key, &mut body, &PutOptions::default()).await.unwrap();
    let source = storage.head(&key).await.unwrap().unwrap();
    copy::copy_in_parts(&storage, &source, &copy, &PutOptions::default(), PART as u64).await.unwrap();
    let read: Vec<Bytes> = storage.get(&copy, None).await.unwrap().unwrap().try_collect().await.unwrap();
    assert!(read.concat() == content);

    // What has been replaced since is not mixed with what was there.
    put(&storage, &key, b"another").await.unwrap();
    let other = unique_key();
    assert!(copy::copy_in_parts(&storage, &source, &other, &PutOptions::default(), PART as u64).await.is_err());
    assert!(storage.head(&other).await.unwrap().is_none());
    assert!(storage.unfinished_uploads(other.as_str()).await.is_empty());
}

#[tokio::test]
async fn objects_of_others_in_the_bucket_are_not_listed() {
    let storage = connect().await;
    let base = unique_key();
    for name in ["a", "b b", "c//c", "d"] {
        let request = storage.client.put_object().bucket(&storage.bucket).key(format!("{base}/{name}"));
        request.send().await.unwrap();
    }
    for limit in [1, 2, 3, 1000] {
        let listed = storage.list(base.as_str(), None, limit).await.unwrap();
        let names: Vec<_> = listed.iter().map(|object| object.key.to_string()).collect();
        let expected = [format!("{base}/a"), format!("{base}/d")];
        assert_eq!(names, expected[..limit.min(2)]);
    }
}

/// Answers every request with 200 and hands on how each began.
async fn recording_server() -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (requests, received) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let requests = requests.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"the body") {
                    let mut buffer = [0; 4096];
                    let length = socket.read(&mut buffer).await.unwrap();
                    request.extend_from_slice(&buffer[..length]);
                }
                requests.send(String::from_utf8(request).unwrap().to_lowercase()).unwrap();
                socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await.unwrap();
            });
        }
    });
    (url, received)
}

#[tokio::test]
async fn a_small_body_is_sent_as_it_is_with_a_checksum_and_the_encryption_asked_for() {
    let (url, mut requests) = recording_server().await;
    let sse = Some(Sse::AwsKms { key_id: Some("a-key".to_owned()) });
    let storage = S3Storage::connect(S3Options { endpoint_url: Some(url), sse, ..options() }).await.unwrap();
    put(&storage, &unique_key(), b"the body").await.unwrap();
    let request = requests.recv().await.unwrap();
    for line in [
        "content-length: 8\r\n",
        "x-amz-content-sha256: unsigned-payload\r\n",
        "x-amz-checksum-sha256: +ojc6z9ilmylfakrqjo0roufqrv61qmb8tph3xz4fz4=\r\n",
        "x-amz-server-side-encryption: aws:kms\r\n",
        "x-amz-server-side-encryption-aws-kms-key-id: a-key\r\n",
    ] {
        assert!(request.contains(line), "{line} {request}");
    }
    for line in ["transfer-encoding", "aws-chunked", "x-amz-trailer", "crc32", "expect:"] {
        assert!(!request.contains(line), "{line} {request}");
    }
    assert!(request.ends_with("\r\n\r\nthe body"));
}
