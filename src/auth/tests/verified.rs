//! Tokens that come again.

use super::*;

#[tokio::test]
async fn a_token_that_was_accepted_is_refused_when_it_is_over() {
    let clock = clock();
    let key = TestKey::secret(SECRET);
    let auth = Authenticator::new(options(vec![secret(SECRET)]), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let token = key.sign(&json!({ "sub": "alice", "nbf": NOW, "exp": NOW + 60 }));
    let alice = auth.authenticate(&token).await.unwrap();
    assert_eq!(auth.authenticate(&token).await.unwrap(), alice);
    clock.advance_seconds(90);
    assert_eq!(auth.authenticate(&token).await, Err(AuthError::Expired));
    // The clock is set right.
    clock.advance_seconds(-90);
    assert_eq!(auth.authenticate(&token).await.unwrap(), alice);
    clock.advance_seconds(-31);
    assert_eq!(auth.authenticate(&token).await, Err(AuthError::NotYetValid));
}

#[tokio::test]
async fn a_token_vouches_for_no_other() {
    let auth = authenticator(vec![secret(SECRET)]);
    let token = TestKey::secret(SECRET).sign(&alice());
    assert!(auth.authenticate(&token).await.is_ok());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(json!({ "sub": "bob", "exp": NOW + 60 }).to_string());
    let forged = [format!("{header}.{claims}.{signature}"), format!("{signed}."), format!("{signed}.{signature}A")];
    for token in forged {
        assert_eq!(auth.authenticate(&token).await, Err(AuthError::BadSignature));
    }
}

#[tokio::test]
async fn a_token_is_refused_when_its_key_has_left_the_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let (kept, withdrawn) = (TestKey::p256(), TestKey::p256());
    let publish = |keys: &[Value]| std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    publish(&[kept.jwk("kept"), withdrawn.jwk("withdrawn")]);
    let clock = clock();
    let sources = vec![KeySource::JwksFile(path.clone())];
    let auth = Authenticator::new(options(sources), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let token = |key: &TestKey, kid| key.sign_as(key.algorithm, Some(kid), &json!({ "sub": "a", "exp": NOW + 3_600 }));
    let (good, bad) = (token(&kept, "kept"), token(&withdrawn, "withdrawn"));
    for token in [&good, &bad] {
        assert!(auth.authenticate(token).await.is_ok());
    }
    publish(&[kept.jwk("kept")]);
    // The keys that are known are used for five minutes.
    assert!(auth.authenticate(&bad).await.is_ok());
    clock.advance_seconds(300);
    assert_eq!(auth.authenticate(&bad).await, Err(AuthError::UnknownKey));
    assert!(auth.authenticate(&good).await.is_ok());
}
