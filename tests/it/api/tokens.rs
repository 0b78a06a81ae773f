//! Tokens that are refused, each with 401 and a challenge.

use artifactd::auth::KeySource;
use artifactd::clock::Clock as _;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::support::{Client, HOUR, Pair, Reply, SECRET, TestApp};

const WITHOUT_TOKEN: &str = "Bearer realm=\"artifactd\"";
const WITH_BAD_TOKEN: &str = "Bearer realm=\"artifactd\", error=\"invalid_token\"";

#[track_caller]
fn assert_refused(reply: &Reply, challenge: &str) {
    reply.problem(401, "unauthenticated");
    assert_eq!(reply.header("www-authenticate"), challenge);
}

async fn with_token(app: &TestApp, token: &str) -> Reply {
    app.nobody().get("/v1/whoami").header("authorization", format!("Bearer {token}")).await
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with this header and these claims, signed by `sign`.
fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let signature = base64url(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn hs256(secret: &str) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    move |text| aws_lc_rs::hmac::sign(&key, text).as_ref().to_vec()
}

/// A key pair for ES256.
struct EcKey(EcdsaKeyPair);

impl EcKey {
    fn generate() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn sign(&self) -> impl FnOnce(&[u8]) -> Vec<u8> {
        |text| self.0.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
    }

    fn public_pem(&self) -> String {
        let der = self.0.public_key().as_der().unwrap();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
    }

    fn jwk(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": base64url(&point[1..33]), "y": base64url(&point[33..]) })
    }
}

async fn app_with_keys(keys: Vec<KeySource>) -> TestApp {
    TestApp::in_memory_with(|options| options.auth.keys.extend(keys)).await
}

#[tokio::test]
async fn every_call_needs_a_token() {
    let app = TestApp::in_memory().await;
    let file = app.user("alice").stored("", "x").await;
    let nobody = app.nobody();
    for call in [
        nobody.post("/v1/artifacts").body("x"),
        nobody.get(&file.path),
        nobody.get(&file.content),
        nobody.patch(&file.path).json(json!({})),
        nobody.put(&file.content).body("x"),
        nobody.delete(&file.path),
        nobody.post("/v1/sessions"),
        nobody.get("/v1/sessions/s1"),
        nobody.patch("/v1/sessions/s1").json(json!({ "metadata": {} })),
        nobody.delete("/v1/sessions/s1"),
        nobody.post("/v1/sessions/s1/extend"),
        nobody.get("/v1/whoami"),
    ] {
        assert_refused(&call.await, WITHOUT_TOKEN);
    }
    nobody.head(&file.path).await.expect(401);
    nobody.head(&file.content).await.expect(401);
}

#[tokio::test]
async fn the_token_comes_once_and_as_a_bearer_token() {
    let app = TestApp::in_memory().await;
    let good = token(&json!({ "alg": "HS256" }), &json!({ "sub": "alice", "exp": i64::MAX }), hs256(SECRET));
    for field in ["Basic YWxpY2U6c2VjcmV0", "Token abc", "Bearer", "", &good, "Bearer\u{e9} x"] {
        assert_refused(&app.nobody().get("/v1/whoami").header("authorization", field).await, WITHOUT_TOKEN);
    }
    let field = format!("Bearer {good}");
    let twice = app.nobody().get("/v1/whoami").header("authorization", &field).header("authorization", &field);
    assert_refused(&twice.await, WITHOUT_TOKEN);
    for field in [field, format!("bearer {good}"), format!("BEARER  {good}")] {
        app.nobody().get("/v1/whoami").header("authorization", field).await.expect(200);
    }
    // Nor may it be in the URL, where logs would show it.
    assert_refused(&app.nobody().get(&format!("/v1/whoami?access_token={good}")).await, WITHOUT_TOKEN);
}

#[tokio::test]
async fn tokens_that_are_none_or_forged_are_refused() {
    let key = EcKey::generate();
    let app = app_with_keys(vec![KeySource::Pem(key.public_pem())]).await;
    let claims = json!({ "sub": "alice", "exp": app.now().as_seconds() + 60 });
    let (hs, es) = (json!({ "alg": "HS256", "typ": "JWT" }), json!({ "alg": "ES256" }));
    with_token(&app, &token(&hs, &claims, hs256(SECRET))).await.expect(200);
    with_token(&app, &token(&es, &claims, key.sign())).await.expect(200);

    let unsigned = |_: &[u8]| Vec::new();
    let pem = key.public_pem();
    let good = token(&hs, &claims, hs256(SECRET));
    let (payload, other_payload) = (base64url(claims.to_string()), base64url(r#"{"sub":"root","exp":9999999999}"#));
    for forged in [
        String::new(),
        "x".to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        "x".repeat(100_000),
        good[..good.len() - 2].to_owned(),
        format!("{good}.{good}"),
        good.replace(&payload, &other_payload),
        token(&json!({ "alg": "none" }), &claims, unsigned),
        token(&json!({ "alg": "None" }), &claims, unsigned),
        token(&json!({ "alg": "none" }), &claims, hs256(SECRET)),
        token(&json!({}), &claims, hs256(SECRET)),
        token(&hs, &claims, unsigned),
        token(&hs, &claims, hs256("another secret of the tests, long enough")),
        // The public key is known to everybody: it is no secret.
        token(&hs, &claims, hs256(&pem)),
        token(&hs, &claims, hs256(pem.trim_end())),
        token(&es, &claims, EcKey::generate().sign()),
        token(&json!({ "alg": "RS256" }), &claims, key.sign()),
        token(&json!({ "alg": "HS256", "crit": ["exp"] }), &claims, hs256(SECRET)),
        token(&hs, &json!("claims"), hs256(SECRET)),
    ] {
        assert_refused(&with_token(&app, &forged).await, WITH_BAD_TOKEN);
    }
}

#[tokio::test]
async fn a_key_that_is_not_in_the_set_signs_nothing() {
    let (known, unknown) = (EcKey::generate(), EcKey::generate());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, json!({ "keys": [known.jwk("one")] }).to_string()).unwrap();
    let app = app_with_keys(vec![KeySource::JwksFile(path)]).await;
    let claims = json!({ "sub": "alice", "exp": app.now().as_seconds() + 60 });
    let header = |kid: &str| json!({ "alg": "ES256", "kid": kid });
    with_token(&app, &token(&header("one"), &claims, known.sign())).await.expect(200);
    for forged in [
        token(&header("two"), &claims, known.sign()),
        token(&header("two"), &claims, unknown.sign()),
        token(&header("one"), &claims, unknown.sign()),
        token(&header("../../etc/passwd"), &claims, unknown.sign()),
        // A key that the token brings along is the caller's word.
        token(&json!({ "alg": "ES256", "kid": "two", "jwk": unknown.jwk("two") }), &claims, unknown.sign()),
    ] {
        assert_refused(&with_token(&app, &forged).await, WITH_BAD_TOKEN);
    }
}

#[tokio::test]
async fn a_token_is_valid_between_two_instants() {
    let app = TestApp::in_memory_with(|options| options.auth.leeway_seconds = 30).await;
    let now = app.clock.now().as_seconds();
    let alice = app.caller(json!({ "sub": "alice", "nbf": now + 90, "exp": now + 200 }));
    assert_refused(&alice.get("/v1/whoami").await, WITH_BAD_TOKEN);
    app.pass(61);
    alice.get("/v1/whoami").await.expect(200);
    app.pass(160);
    alice.get("/v1/whoami").await.expect(200);
    app.pass(10);
    assert_refused(&alice.get("/v1/whoami").await, WITH_BAD_TOKEN);

    // The request is refused before anything is done.
    app.pass(HOUR);
    assert_refused(&alice.store("", "x").await, WITH_BAD_TOKEN);
    assert_eq!(app.keys().await, [""; 0]);
}

#[tokio::test]
async fn a_token_without_an_end_is_refused() {
    let app = TestApp::in_memory().await;
    let header = json!({ "alg": "HS256" });
    for claims in [
        json!({ "sub": "alice" }),
        json!({ "sub": "alice", "exp": "9999999999" }),
        json!({ "sub": "alice", "exp": null }),
        json!({ "sub": "alice", "exp": 0 }),
        json!({ "sub": "alice", "exp": -1 }),
    ] {
        assert_refused(&with_token(&app, &token(&header, &claims, hs256(SECRET))).await, WITH_BAD_TOKEN);
    }
}

#[tokio::test]
async fn issuer_and_audience_are_checked_when_configured() {
    let app = TestApp::in_memory_with(|options| {
        options.auth.issuers = vec!["https://id.example".to_owned(), "https://id2.example".to_owned()];
        options.auth.audiences = vec!["artifacts".to_owned()];
    })
    .await;
    for (issuer, audience, welcome) in [
        (json!("https://id.example"), json!("artifacts"), true),
        (json!("https://id2.example"), json!(["other", "artifacts"]), true),
        (json!("https://id.example/"), json!("artifacts"), false),
        (json!("https://evil.example"), json!("artifacts"), false),
        (json!(null), json!("artifacts"), false),
        (json!("https://id.example"), json!("other"), false),
        (json!("https://id.example"), json!([]), false),
        (json!("https://id.example"), json!(null), false),
    ] {
        let claims = json!({ "sub": "alice", "iss": issuer, "aud": audience });
        let reply = app.caller(claims.clone()).get("/v1/whoami").await;
        if welcome { drop(reply.expect(200)) } else { assert_refused(&reply, WITH_BAD_TOKEN) }
    }
}

#[tokio::test]
async fn a_token_must_say_for_whom_it_is() {
    let app = TestApp::in_memory().await;
    for claims in [
        json!({}),
        json!({ "sandbox": "somewhere" }),
        json!({ "sub": "" }),
        json!({ "sub": 42 }),
        json!({ "sub": ["alice"] }),
        json!({ "sub": "alice", "sid": "" }),
        json!({ "sub": "alice", "sid": 1 }),
        json!({ "sub": "alice", "sandbox": "" }),
        json!({ "sub": "alice", "scope": 1 }),
        json!({ "sub": "alice", "roles": "artifacts:admin" }),
        json!({ "sub": "a\0b" }),
        json!({ "sub": "a\nb" }),
        json!({ "sub": "x".repeat(1000) }),
        json!({ "sid": "a\0b" }),
        json!({ "sid": "x".repeat(1000) }),
        json!({ "sub": "alice", "sandbox": "x".repeat(1000) }),
    ] {
        assert_refused(&app.caller(claims).get("/v1/whoami").await, WITH_BAD_TOKEN);
    }
}

/// Users and sandboxes have the ids that others give them. None leads out of its place.
#[tokio::test]
async fn odd_ids_of_users_and_sandboxes_keep_to_themselves() {
    let app = TestApp::new(Pair::FilesystemSqlite).await;
    let ids = ["a/b", "..", ".", "../../etc", "%2f", "%2e%2e", "名前", "😀", "auth0|42", "a b", "A", "a", "CON"];
    let callers: Vec<Client> = ids.iter().map(|id| app.user(id).in_sandbox(&format!("{}{id}", app.sandbox))).collect();
    for (id, caller) in ids.iter().zip(&callers) {
        assert_eq!(caller.get("/v1/whoami").await.json()["user_id"], *id);
        for scope in ["session", "user"] {
            let file = caller.stored(&format!("scope={scope}"), id.to_string()).await;
            assert_eq!(file["owner_id"], *id);
            assert!(!file.text("key").split('/').any(|segment| matches!(segment, "" | "." | "..")), "{}", file["key"]);
            assert_eq!(caller.get(&file.content).await.expect(200).text(), *id);
            for other in callers.iter().zip(&ids).filter(|(_, other)| *other != id).map(|(other, _)| other) {
                other.get(&file.path).await.problem(404, "artifact_not_found");
            }
        }
    }
    assert_eq!(app.keys().await.len(), 2 * ids.len());
    // In one sandbox, users whose ids look alike are still two.
    let file = app.user("a").stored("scope=user", "x").await;
    for other in ["A", "a ", "%61"] {
        app.user(other).get(&file.path).await.problem(403, "access_denied");
    }
}
