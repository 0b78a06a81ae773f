use axum::http::Uri;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::domain::digest::Sha256Digest;
use crate::domain::grid::{GridKey, Revision};
use crate::domain::id::ArtifactId;
use crate::domain::media_type::MediaType;
use crate::domain::part::PartNumber;
use crate::domain::scope::Partition;
use crate::secret::Secret;

const EXPIRES: i64 = 1_800_000_000;
const ID: &str = "0192f0c123457abc8def0123456789ab";
const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn signer() -> UrlSigner {
    UrlSigner::new(Arc::new(SigningKeys::new(&Secret::from("a".repeat(32)), &[])))
}

fn check(method: &Method, url: &str, now: Timestamp) -> Result<Grant, Refused> {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    signer().check(method, path, query, now)
}

fn download(key: &str) -> Grant {
    Grant::Download {
        key: key.parse().unwrap(),
        content_type: "text/plain; charset=utf-8".parse().unwrap(),
        content_disposition: "attachment; filename=\"a b&c.txt\"".to_owned(),
    }
}

fn upload(constraints: PutConstraints) -> Grant {
    Grant::Upload { sandbox: "a/b".parse().unwrap(), artifact: ID.parse().unwrap(), constraints }
}

fn part(number: u32) -> Grant {
    let number = PartNumber::try_from(number).unwrap();
    Grant::Part { sandbox: "demo".parse().unwrap(), artifact: ID.parse().unwrap(), number }
}

#[test]
fn urls_look_as_documented() {
    let all = PutConstraints {
        content_type: Some("image/svg+xml".parse().unwrap()),
        bytes: Some(13),
        sha256: Some(SHA256.parse().unwrap()),
    };
    for (grant, expected) in [
        (
            download(&format!("grid/demo/users/auth0%7C42/{ID}.2")),
            format!(
                "/v1/signed/grid/demo/users/auth0%257C42/{ID}.2?expires={EXPIRES}&type=text%2Fplain%3B%20charset%3Dutf-8\
                 &disposition=attachment%3B%20filename%3D%22a%20b%26c.txt%22"
            ),
        ),
        (upload(PutConstraints::default()), format!("/v1/signed/pending/a%252Fb/{ID}?expires={EXPIRES}")),
        (
            upload(all),
            format!(
                "/v1/signed/pending/a%252Fb/{ID}?expires={EXPIRES}&type=image%2Fsvg%2Bxml&length=13&sha256={SHA256}"
            ),
        ),
        (part(10_000), format!("/v1/signed/pending/demo/{ID}/10000?expires={EXPIRES}")),
    ] {
        let url = signer().path_and_query(&grant, at(EXPIRES));
        let (unsigned, signature) = url.rsplit_once("&signature=").unwrap();
        assert_eq!((unsigned, signature.len()), (expected.as_str(), 43));
    }
}

#[test]
fn a_url_is_good_until_it_expires() {
    // Rounded down, so that it never lives longer than what it is for.
    let expires_at = Timestamp::from_millis(EXPIRES * 1000 + 999);
    let url = signer().path_and_query(&part(1), expires_at);
    let check = |millis| check(&Method::PUT, &url, Timestamp::from_millis(millis));
    assert_eq!(check(0), Ok(part(1)));
    assert_eq!(check(EXPIRES * 1000 - 1), Ok(part(1)));
    assert_eq!(check(EXPIRES * 1000), Err(Refused::Expired));
    assert_eq!(check(EXPIRES * 1000 + 1), Err(Refused::Expired));
}

#[test]
fn a_url_is_for_one_method() {
    let key = format!("grid/demo/shared/{ID}");
    for (grant, allowed) in [
        (download(&key), &[Method::GET, Method::HEAD][..]),
        (upload(PutConstraints::default()), &[Method::PUT]),
        (part(1), &[Method::PUT]),
    ] {
        let url = signer().path_and_query(&grant, at(EXPIRES));
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            let expected = if allowed.contains(&method) { Ok(grant.clone()) } else { Err(Refused::WrongSignature) };
            assert_eq!(check(&method, &url, at(0)), expected, "{method} {url}");
        }
    }
}

/// Whoever has no signature learns nothing, neither of the URL's time nor of what would be understood.
#[test]
fn without_a_signature_all_is_refused_alike() {
    let good = signer().path_and_query(&part(1), at(EXPIRES));
    let (unsigned, signature) = good.rsplit_once("&signature=").unwrap();
    for url in [
        "/v1/signed/",
        "/v1/signed/?",
        "/v1/signed/?&signature=",
        "/v1/signed/nothing?expires=1&signature=x",
        unsigned,
        &format!("{unsigned}&signature="),
        &format!("{unsigned}&signature={signature}="),
        &format!("{unsigned}&signature={signature}&"),
        &format!("{unsigned}&signature={signature}&x=y"),
        &format!("{unsigned}&signature={signature}&signature={signature}"),
        &format!("{unsigned}&x=y&signature={signature}"),
        &format!("{unsigned}&Signature={signature}"),
        &good.replacen("expires=1", "expires=2", 1),
        &good.replacen("/v1/", "//v1/", 1),
        &good.replacen("/pending/", "/%70ending/", 1),
        &good.replacen("?expires", "?&expires", 1),
    ] {
        for now in [0, EXPIRES] {
            assert_eq!(check(&Method::PUT, url, at(now)), Err(Refused::WrongSignature), "{url}");
        }
    }
    let others = UrlSigner::new(Arc::new(SigningKeys::new(&Secret::from("b".repeat(32)), &[])));
    let url = others.path_and_query(&part(1), at(EXPIRES));
    assert_eq!(check(&Method::PUT, &url, at(0)), Err(Refused::WrongSignature));
}

#[test]
fn what_is_signed_but_not_written_here_is_refused() {
    let good = format!("/v1/signed/pending/demo/{ID}?expires={EXPIRES}&type=text%2Fplain&length=1&sha256={SHA256}");
    let key = format!("grid/demo/shared/{ID}");
    let read = format!("/v1/signed/{key}?expires={EXPIRES}&type=a%2Fb&disposition=inline");
    let sign = |method: Method, target: &str| {
        let signature = signer().keys.sign(&message(&method, target));
        check(&method, &format!("{target}&signature={signature}"), at(0))
    };
    assert!(sign(Method::PUT, &good).is_ok() && sign(Method::GET, &read).is_ok());
    for (method, target) in [
        (Method::GET, good.clone()),
        (Method::PUT, read.clone()),
        (Method::POST, good.clone()),
        (Method::PUT, good.replace("/v1/", "/v2/")),
        (Method::PUT, good.replace("/pending/", "/pending//")),
        (Method::PUT, good.replace("/pending/", "/check/")),
        (Method::PUT, good.replace("demo", "%64emo")),
        (Method::PUT, good.replace("demo", "a%2Fb")),
        (Method::PUT, good.replace(ID, &ID.to_uppercase())),
        (Method::PUT, good.replace(ID, &format!("{ID}/0"))),
        (Method::PUT, good.replace(ID, &format!("{ID}/1"))),
        (Method::PUT, good.replace(ID, &format!("{ID}/1/1"))),
        (Method::PUT, good.replace("expires=", "expires=+")),
        (Method::PUT, good.replace("expires=", "expires=0")),
        (Method::PUT, good.replace("expires=", "until=")),
        (Method::PUT, good.replace("%2F", "%2f")),
        (Method::PUT, good.replace("%2F", "/")),
        (Method::PUT, good.replace("length=1", "length=x")),
        (Method::PUT, good.replace("length=1", "length=1&length=2")),
        (Method::PUT, good.replace("length=1", "size=1")),
        (Method::PUT, good.replace("&length=1", "") + "&length=1"),
        (Method::PUT, good.replace(SHA256, &SHA256.to_uppercase())),
        (Method::GET, read.replace("&type=a%2Fb", "")),
        (Method::GET, read.replace("&disposition=inline", "")),
        (Method::GET, read.replace(&key, &format!("{key}.1"))),
        (Method::GET, read.replace("inline", "%FF")),
    ] {
        assert_eq!(sign(method, &target), Err(Refused::Malformed), "{target}");
    }
}

prop_compose! {
    fn media_type()(text in "[a-z]{1,8}/[a-z0-9.+-]{1,8}(; ?[a-z]{1,5}=\"?[ -~]{0,8}[!-~])?") -> MediaType {
        text.parse().unwrap()
    }
}

prop_compose! {
    fn grid_key()(
        sandbox in "\\PC{1,20}", owner in "\\PC{1,20}|\\.{1,3}", kind in 0..3, revision in 1u32.., random: [u8; 10],
    ) -> GridKey {
        let sandbox: SandboxId = sandbox.parse().unwrap();
        let partition = match kind {
            0 => Partition::Session { sandbox, session: owner.parse().unwrap() },
            1 => Partition::User { sandbox, user: owner.parse().unwrap() },
            _ => Partition::Shared { sandbox },
        };
        GridKey { partition, artifact: ArtifactId::new(at(1), random), revision: Revision::new(revision).unwrap() }
    }
}

prop_compose! {
    fn constraints()(
        content_type in prop::option::of(media_type()), bytes: Option<u64>, sha256: Option<[u8; 32]>,
    ) -> PutConstraints {
        PutConstraints { content_type, bytes, sha256: sha256.map(Sha256Digest::new) }
    }
}

fn grant() -> impl Strategy<Value = Grant> {
    let place = ("\\PC{1,20}|\\.{1,3}", any::<[u8; 10]>())
        .prop_map(|(sandbox, random)| (sandbox.parse::<SandboxId>().unwrap(), ArtifactId::new(at(1), random)));
    prop_oneof![
        (grid_key(), media_type(), any::<String>()).prop_map(|(key, content_type, content_disposition)| {
            Grant::Download { key, content_type, content_disposition }
        }),
        (place.clone(), constraints()).prop_map(|((sandbox, artifact), constraints)| Grant::Upload {
            sandbox,
            artifact,
            constraints
        }),
        (place, 1..=10_000u32).prop_map(|((sandbox, artifact), number)| {
            Grant::Part { sandbox, artifact, number: PartNumber::try_from(number).unwrap() }
        }),
    ]
}

proptest! {
    #[test]
    fn every_grant_reads_back_as_it_was(grant in grant(), expires in 1..=Timestamp::MAX.as_seconds()) {
        let url = signer().path_and_query(&grant, at(expires));
        prop_assert_eq!(check(&grant.method(), &url, at(expires - 1)), Ok(grant.clone()));
        prop_assert_eq!(check(&grant.method(), &url, at(expires)), Err(Refused::Expired));
    }

    #[test]
    fn clients_send_urls_as_they_are(grant in grant()) {
        let url = signer().path_and_query(&grant, at(EXPIRES));
        let browser = url::Url::parse(&format!("https://files.example.com{url}")).unwrap();
        prop_assert_eq!(format!("{}?{}", browser.path(), browser.query().unwrap()), url.clone());
        let server: Uri = url.parse().unwrap();
        prop_assert_eq!(format!("{}?{}", server.path(), server.query().unwrap()), url);
    }

    #[test]
    fn every_change_is_refused(grant in grant(), index: Index, new in "[ -~]|é", also_head: bool) {
        let url = signer().path_and_query(&grant, at(EXPIRES));
        let at_byte = index.index(url.len());
        let changed = format!("{}{new}{}", &url[..at_byte], &url[at_byte + 1..]);
        prop_assume!(changed != url);
        let method = if also_head && grant.method() == Method::GET { Method::HEAD } else { grant.method() };
        prop_assert_eq!(check(&method, &changed, at(0)), Err(Refused::WrongSignature));
        for shorter in [&url[..at_byte], &url[at_byte + 1..]] {
            prop_assert_eq!(check(&method, shorter, at(0)), Err(Refused::WrongSignature));
        }
    }

    #[test]
    fn any_request_is_refused_without_a_panic(path: String, query: Option<String>) {
        prop_assert_eq!(signer().check(&Method::GET, &path, query.as_deref(), at(0)), Err(Refused::WrongSignature));
    }
}
