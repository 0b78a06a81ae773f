use aws_lc_rs::signature::ECDSA_P521_SHA512_FIXED_SIGNING;

use super::*;

#[tokio::test]
async fn every_type_of_key_verifies_its_own_algorithms() {
    use Algorithm::*;
    let (p256, p384, ed) = (TestKey::p256(), TestKey::p384(), TestKey::ed25519());
    let hmac = TestKey::secret(SECRET);
    let pem = |key: &TestKey| KeySource::Pem(key.public_pem.clone());
    let cases = [
        (&hmac, secret(SECRET), &[HS256, HS384, HS512][..]),
        (&*RSA, pem(&RSA), &[RS256, RS384, RS512, PS256, PS384, PS512]),
        (&p256, pem(&p256), &[ES256]),
        (&p384, pem(&p384), &[ES384]),
        (&ed, pem(&ed), &[EdDSA]),
    ];
    let all = [HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA];
    for (key, source, allowed) in cases {
        let auth = authenticator(vec![source]);
        for algorithm in allowed {
            let token = key.sign_as(*algorithm, None, &alice());
            assert!(auth.authenticate(&token).await.is_ok(), "{algorithm:?}");
            let named = key.sign_as(*algorithm, Some("any"), &alice());
            assert!(auth.authenticate(&named).await.is_ok(), "{algorithm:?}: a configured key has no name");
        }
        for algorithm in all.iter().filter(|algorithm| !allowed.contains(algorithm)) {
            let token = raw(&json!({ "alg": algorithm }), &alice(), "c2lnbmF0dXJl");
            assert_eq!(auth.authenticate(&token).await, Err(AuthError::AlgorithmNotAllowed), "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn several_keys_are_accepted_at_once() {
    let (old, new) = ("the old secret of at least 32 bytes!", "the new secret of at least 32 bytes!");
    let (one, other) = (TestKey::p256(), TestKey::p256());
    let pems = format!("a comment\r\n{}\r\n{}", one.public_pem, RSA.public_pem.replace('\n', "\r\n"));
    let auth = authenticator(vec![secret(new), secret(old), KeySource::Pem(pems)]);
    for key in [&TestKey::secret(old), &TestKey::secret(new), &one, &*RSA] {
        assert!(auth.authenticate(&key.sign(&alice())).await.is_ok(), "{:?}", key.algorithm);
    }
    assert_eq!(auth.authenticate(&other.sign(&alice())).await, Err(AuthError::BadSignature));
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let auth = authenticator(vec![secret(SECRET), KeySource::Pem(RSA.public_pem.clone())]);
    let good = TestKey::secret(SECRET).sign(&alice());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other_claims = URL_SAFE_NO_PAD.encode(json!({ "sub": "mallory", "exp": NOW + 60 }).to_string());
    let hs256 = json!({ "alg": "HS256" });
    // The public key is known to all: as an HMAC secret it must be worth nothing.
    let confused = TestKey::secret(&RSA.public_pem).sign(&alice());
    let trimmed = TestKey::secret(RSA.public_pem.trim_end()).sign(&alice());
    let another = TestKey::secret("another secret, which is long enough too").sign(&alice());
    let critical = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    for (token, expected) in [
        (raw(&json!({ "alg": "none" }), &alice(), ""), AuthError::AlgorithmNotAllowed),
        (raw(&json!({ "alg": "None" }), &alice(), ""), AuthError::AlgorithmNotAllowed),
        (raw(&json!({ "alg": "hs256" }), &alice(), ""), AuthError::AlgorithmNotAllowed),
        (raw(&json!({ "alg": "ES256K" }), &alice(), ""), AuthError::AlgorithmNotAllowed),
        (raw(&json!({ "alg": "ES256" }), &alice(), signature), AuthError::AlgorithmNotAllowed),
        (raw(&json!({ "alg": "RS256" }), &alice(), signature), AuthError::BadSignature),
        (raw(&hs256, &alice(), ""), AuthError::BadSignature),
        (raw(&hs256, &alice(), "not base64!"), AuthError::BadSignature),
        (raw(&critical, &alice(), signature), AuthError::UnsupportedExtension),
        (confused, AuthError::BadSignature),
        (trimmed, AuthError::BadSignature),
        (another, AuthError::BadSignature),
        (format!("{header}.{other_claims}.{signature}"), AuthError::BadSignature),
        (format!("{signed}."), AuthError::BadSignature),
        (format!("{signed}.{}", &signature[1..]), AuthError::BadSignature),
        (format!("{signed}.{signature}="), AuthError::BadSignature),
        (signed.to_owned(), AuthError::Malformed),
        (format!("{good}.x"), AuthError::BadSignature),
        (raw(&json!({ "typ": "JWT" }), &alice(), signature), AuthError::Malformed),
        (raw(&json!({ "alg": 1 }), &alice(), signature), AuthError::Malformed),
        (raw(&json!(["HS256"]), &alice(), signature), AuthError::Malformed),
        (String::new(), AuthError::Malformed),
        ("a.b.c".to_owned(), AuthError::Malformed),
        ("..".to_owned(), AuthError::Malformed),
        (format!(" {good}"), AuthError::Malformed),
        (format!("{good} "), AuthError::BadSignature),
    ] {
        assert_eq!(auth.authenticate(&token).await, Err(expected), "{token}");
    }
    assert!(auth.authenticate(&good).await.is_ok());
}

#[tokio::test]
async fn a_key_in_the_header_is_not_believed() {
    let mallory = TestKey::p256();
    let header = json!({ "alg": "ES256", "jwk": mallory.jwk("m"), "jku": "http://mallory.example/jwks" });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&alice()));
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &mallory.private, Algorithm::ES256).unwrap();
    let auth = authenticator(vec![KeySource::Pem(TestKey::p256().public_pem)]);
    assert_eq!(auth.authenticate(&format!("{signed}.{signature}")).await, Err(AuthError::BadSignature));
}

#[tokio::test]
async fn a_very_long_token_is_not_looked_at() {
    let auth = authenticator(vec![secret(SECRET)]);
    let token = |length: usize| {
        let claims = json!({ "sub": "alice", "exp": NOW + 60, "padding": "x".repeat(length) });
        TestKey::secret(SECRET).sign(&claims)
    };
    assert!(auth.authenticate(&token(12_000)).await.is_ok());
    let refusal = auth.authenticate(&token(13_000)).await.unwrap_err();
    assert_eq!(refusal.to_string(), "token is longer than 16384 bytes");
}

#[tokio::test]
async fn a_certificate_is_as_good_as_its_key() {
    let auth = authenticator(vec![KeySource::Pem(include_str!("../testdata/certificate.pem").to_owned())]);
    let token = include_str!("../testdata/certificate.jwt").trim();
    assert!(auth.authenticate(token).await.is_ok());
    assert_eq!(auth.authenticate(&RSA.sign(&alice())).await, Err(AuthError::BadSignature));
}

#[tokio::test]
async fn keys_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.pem");
    std::fs::write(&path, &RSA.public_pem).unwrap();
    let auth = authenticator(vec![KeySource::PemFile(path)]);
    assert!(auth.authenticate(&RSA.sign(&alice())).await.is_ok());
}

#[test]
fn keys_that_cannot_be_used_are_errors_that_do_not_show_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let p521 = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
    let kind = "a PEM block is no RSA key of 2048 bits or more, EC key (P-256, P-384) or Ed25519 key";
    for (sources, expected) in [
        (vec![], "keys: there is none to verify tokens with"),
        (vec![secret("hunter2")], "secret: must have at least 32 bytes"),
        (vec![KeySource::Pem("hunter2".into())], "PEM text: there is no PEM block"),
        (vec![KeySource::Pem("-----BEGIN PUBLIC KEY-----\nhunter2".into())], "PEM text: a PEM block has no end"),
        (
            vec![KeySource::Pem(pem("PRIVATE KEY", private.as_ref()))],
            "PEM text: a PEM block is neither a public key nor a certificate",
        ),
        (vec![KeySource::Pem(pem("PUBLIC KEY", b"hunter2"))], &format!("PEM text: {kind}")),
        (vec![KeySource::Pem(public_pem(p521.public_key()))], &format!("PEM text: {kind}")),
        (vec![KeySource::PemFile(file("a.pem", "hunter2"))], "a.pem: there is no PEM block"),
        (vec![KeySource::PemFile("/none.pem".into())], "/none.pem: No such file or directory (os error 2)"),
        (vec![KeySource::JwksFile(file("a.json", "hunter2"))], "a.json: it is not a JSON Web Key Set"),
        (
            vec![KeySource::JwksFile("/none.json".into())],
            "/none.json: the file cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        let error = Authenticator::new(options(sources), clock()).unwrap_err().to_string();
        assert!(error.ends_with(expected) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let url = "https://user:hunter2@issuer.example/jwks?token=hunter2".parse().unwrap();
    let sources = vec![secret("hunter2 and more, to have enough bytes"), KeySource::JwksUrl(url)];
    let auth = authenticator(sources);
    let printed = format!(
        "{auth:?} {:#?} {}",
        auth.options,
        Source::url("http://u:hunter2@h/p?hunter2".parse().unwrap()).unwrap()
    );
    assert!(!printed.contains("hunter2"), "{printed}");
}
