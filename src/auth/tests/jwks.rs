use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::join_all;
use parking_lot::Mutex;

use super::*;

/// A server of key sets that counts its requests and answers as it is told.
struct Issuer {
    url: Url,
    state: Arc<Served>,
}

struct Served {
    answer: Mutex<Answer>,
    requests: AtomicUsize,
}

#[derive(Clone)]
enum Answer {
    Keys(Vec<Value>),
    Text(String),
    Status(StatusCode),
    Redirect(String),
}

impl Issuer {
    async fn start(answer: Answer) -> Self {
        let state = Arc::new(Served { answer: Mutex::new(answer), requests: AtomicUsize::new(0) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().route("/jwks.json", get(answer_request)).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    async fn with_keys(keys: &[Value]) -> Self {
        Self::start(Answer::Keys(keys.to_vec())).await
    }

    fn answer(&self, answer: Answer) {
        *self.state.answer.lock() = answer;
    }

    fn publish(&self, keys: &[Value]) {
        self.answer(Answer::Keys(keys.to_vec()));
    }

    fn fail(&self) {
        self.answer(Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    }

    fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    fn source(&self) -> KeySource {
        KeySource::JwksUrl(self.url.clone())
    }
}

async fn answer_request(State(served): State<Arc<Served>>) -> Response {
    served.requests.fetch_add(1, Ordering::SeqCst);
    match served.answer.lock().clone() {
        Answer::Keys(keys) => json!({ "keys": keys }).to_string().into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Status(status) => status.into_response(),
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
    }
}

fn with_clock(sources: Vec<KeySource>) -> (Authenticator, Arc<ManualClock>) {
    let clock = clock();
    (Authenticator::new(options(sources), Arc::clone(&clock) as Arc<dyn Clock>).unwrap(), clock)
}

/// A token with this `kid` that does not expire during a test.
fn lasting(key: &TestKey, kid: &str) -> String {
    key.sign_as(key.algorithm, Some(kid), &json!({ "sub": "alice", "exp": NOW + 1_000_000 }))
}

#[tokio::test]
async fn keys_are_fetched_once_when_first_needed() {
    let key = TestKey::p256();
    let issuer = Issuer::with_keys(&[key.jwk("a")]).await;
    let auth = authenticator(vec![issuer.source()]);
    assert_eq!(issuer.requests(), 0);
    let token = key.sign_with_kid("a");
    for outcome in join_all((0..50).map(|_| auth.authenticate(&token))).await {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn keys_are_used_for_five_minutes_and_then_looked_for_again() {
    let (old, new) = (TestKey::p256(), TestKey::ed25519());
    let issuer = Issuer::with_keys(&[old.jwk("old")]).await;
    let (auth, clock) = with_clock(vec![issuer.source()]);
    let token = lasting(&old, "old");
    assert!(auth.authenticate(&token).await.is_ok());
    issuer.publish(&[new.jwk("new")]);
    clock.advance_seconds(299);
    assert!(auth.authenticate(&token).await.is_ok());
    assert_eq!(issuer.requests(), 1);
    clock.advance_seconds(1);
    assert!(auth.authenticate(&lasting(&new, "new")).await.is_ok());
    assert_eq!(auth.authenticate(&token).await, Err(AuthError::UnknownKey), "a withdrawn key");
    assert_eq!(issuer.requests(), 3);
}

#[tokio::test]
async fn a_new_key_is_found_at_once_but_unknown_ones_are_looked_for_only_so_often() {
    let (old, new, third) = (TestKey::p256(), TestKey::p256(), TestKey::p256());
    let issuer = Issuer::with_keys(&[old.jwk("old")]).await;
    let (auth, clock) = with_clock(vec![issuer.source()]);
    assert!(auth.authenticate(&lasting(&old, "old")).await.is_ok());

    issuer.publish(&[old.jwk("old"), new.jwk("new")]);
    assert!(auth.authenticate(&lasting(&new, "new")).await.is_ok());
    assert!(auth.authenticate(&lasting(&old, "old")).await.is_ok());
    assert_eq!(issuer.requests(), 2);

    issuer.publish(&[third.jwk("third")]);
    for seconds in [0, 29] {
        clock.advance_seconds(seconds);
        assert_eq!(auth.authenticate(&lasting(&third, "third")).await, Err(AuthError::UnknownKey));
    }
    assert_eq!(issuer.requests(), 2);
    clock.advance_seconds(1);
    assert!(auth.authenticate(&lasting(&third, "third")).await.is_ok());
    assert_eq!(issuer.requests(), 3);
}

#[tokio::test]
async fn many_unknown_keys_at_once_lead_to_one_request() {
    let key = TestKey::p256();
    let issuer = Issuer::with_keys(&[key.jwk("a")]).await;
    let (auth, clock) = with_clock(vec![issuer.source()]);
    let tokens: Vec<_> = (0..50).map(|kid| lasting(&key, &format!("unknown-{kid}"))).collect();
    for (before, after) in [("nothing", 1), ("the first fetch", 2), ("a fetch for unknown keys", 2)] {
        for outcome in join_all(tokens.iter().map(|token| auth.authenticate(token))).await {
            assert_eq!(outcome, Err(AuthError::UnknownKey));
        }
        assert_eq!(issuer.requests(), after, "after {before}");
    }
    clock.advance_seconds(30);
    issuer.fail();
    for outcome in join_all(tokens.iter().map(|token| auth.authenticate(token))).await {
        assert_eq!(outcome, Err(AuthError::UnknownKey));
    }
    assert_eq!(issuer.requests(), 3);
    assert!(auth.authenticate(&lasting(&key, "a")).await.is_ok());
}

#[tokio::test]
async fn old_keys_serve_for_a_day_while_the_issuer_is_down() {
    let key = TestKey::p256();
    let issuer = Issuer::with_keys(&[key.jwk("a")]).await;
    let (auth, clock) = with_clock(vec![issuer.source()]);
    let token = lasting(&key, "a");
    assert!(auth.authenticate(&token).await.is_ok());
    issuer.fail();
    clock.advance_seconds(300);
    // Tries again after 30 seconds, not before.
    for (seconds, requests) in [(0, 2), (0, 2), (29, 2), (1, 3)] {
        clock.advance_seconds(seconds);
        assert!(auth.authenticate(&token).await.is_ok());
        assert_eq!(issuer.requests(), requests);
    }
    clock.advance_seconds(24 * 60 * 60 - 331);
    assert!(auth.authenticate(&token).await.is_ok());
    clock.advance_seconds(1);
    assert_eq!(auth.authenticate(&token).await, Err(AuthError::KeysUnavailable));
    issuer.publish(&[key.jwk("a")]);
    clock.advance_seconds(30);
    assert!(auth.authenticate(&token).await.is_ok());
}

#[tokio::test]
async fn without_any_keys_the_token_is_not_to_blame() {
    let key = TestKey::p256();
    let issuer = Issuer::start(Answer::Status(StatusCode::NOT_FOUND)).await;
    let (auth, clock) = with_clock(vec![issuer.source()]);
    let token = lasting(&key, "a");
    for outcome in join_all((0..50).map(|_| auth.authenticate(&token))).await {
        assert_eq!(outcome, Err(AuthError::KeysUnavailable));
    }
    assert_eq!(issuer.requests(), 1);
    issuer.publish(&[key.jwk("a")]);
    clock.advance_seconds(5);
    assert!(auth.authenticate(&token).await.is_ok());
}

#[tokio::test]
async fn answers_that_are_of_no_use() {
    let key = TestKey::p256();
    let padded = |length: usize| {
        let set = json!({ "keys": [key.jwk("a")], "padding": "" }).to_string();
        let padding = "x".repeat(length - set.len());
        Answer::Text(set.replace("\"padding\":\"\"", &format!("\"padding\":\"{padding}\"")))
    };
    for (answer, usable) in [
        (padded(1024 * 1024), true),
        (padded(1024 * 1024 + 1), false),
        (Answer::Text("<html>".into()), false),
        (Answer::Text("{}".into()), false),
        (Answer::Text("[]".into()), false),
        (Answer::Status(StatusCode::NO_CONTENT), false),
        (Answer::Redirect("https://127.0.0.1:1/jwks.json".into()), false),
        (Answer::Redirect("ftp://127.0.0.1/jwks.json".into()), false),
        (Answer::Redirect("/jwks.json".into()), false),
    ] {
        let issuer = Issuer::start(answer).await;
        let outcome = authenticator(vec![issuer.source()]).authenticate(&key.sign_with_kid("a")).await;
        assert_eq!(outcome.err(), (!usable).then_some(AuthError::KeysUnavailable));
    }
    let issuer = Issuer::with_keys(&[key.jwk("a")]).await;
    let elsewhere = Issuer::start(Answer::Redirect(issuer.url.to_string())).await;
    assert!(authenticator(vec![elsewhere.source()]).authenticate(&key.sign_with_kid("a")).await.is_ok());
}

#[tokio::test]
async fn the_token_selects_the_key() {
    let (one, two, ed) = (TestKey::p256(), TestKey::p256(), TestKey::ed25519());
    let unnamed = |key: &TestKey| key.sign(&alice());
    let cases = [
        (vec![one.jwk("1"), two.jwk("2")], one.sign_with_kid("1"), Ok(())),
        (vec![one.jwk("1"), two.jwk("2")], one.sign_with_kid("2"), Err(AuthError::BadSignature)),
        (vec![one.jwk("1"), two.jwk("2")], one.sign_with_kid("3"), Err(AuthError::UnknownKey)),
        (vec![one.jwk("1"), two.jwk("2")], unnamed(&one), Err(AuthError::KeyNotNamed)),
        (vec![one.jwk("1"), ed.jwk("2")], unnamed(&one), Ok(())),
        (vec![one.jwk("1"), ed.jwk("1")], ed.sign_with_kid("1"), Ok(())),
        (vec![one.jwk("1")], ed.sign_with_kid("1"), Err(AuthError::AlgorithmNotAllowed)),
        (vec![one.jwk("1")], unnamed(&ed), Err(AuthError::AlgorithmNotAllowed)),
        // A set without any key is a mistake of the issuer, not of the caller.
        (vec![], unnamed(&one), Err(AuthError::KeysUnavailable)),
    ];
    for (keys, token, expected) in cases {
        let issuer = Issuer::with_keys(&keys).await;
        let outcome = authenticator(vec![issuer.source()]).authenticate(&token).await;
        assert_eq!(outcome.map(drop), expected);
        assert_eq!(issuer.requests(), 1);
    }
}

#[tokio::test]
async fn keys_that_are_for_something_else_are_passed_over() {
    let key = TestKey::p256();
    let rsa = |algorithm| RSA.sign_as(algorithm, Some("a"), &alice());
    let jwk = |key: &TestKey, extra: Value| {
        let mut jwk = key.jwk("a");
        jwk.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        jwk
    };
    let oct = json!({ "kty": "oct", "kid": "a", "k": URL_SAFE_NO_PAD.encode(SECRET) });
    let hmac = TestKey::secret(SECRET).sign_with_kid("a");
    let other = TestKey::ed25519();
    let cases = [
        (jwk(&key, json!({ "use": "sig", "key_ops": ["verify"], "alg": "ES256" })), key.sign_with_kid("a"), Ok(())),
        (jwk(&key, json!({ "use": "enc" })), key.sign_with_kid("a"), Err(AuthError::UnknownKey)),
        (jwk(&key, json!({ "key_ops": ["encrypt"] })), key.sign_with_kid("a"), Err(AuthError::UnknownKey)),
        (jwk(&key, json!({ "alg": "ES384" })), key.sign_with_kid("a"), Err(AuthError::UnknownKey)),
        (jwk(&key, json!({ "alg": "HS256" })), key.sign_with_kid("a"), Err(AuthError::UnknownKey)),
        (jwk(&key, json!({ "crv": "P-521" })), key.sign_with_kid("a"), Err(AuthError::UnknownKey)),
        (jwk(&key, json!({ "x": "AAAA" })), key.sign_with_kid("a"), Err(AuthError::UnknownKey)),
        (jwk(&RSA, json!({ "n": "AQAB" })), rsa(Algorithm::RS256), Err(AuthError::UnknownKey)),
        (jwk(&RSA, json!({ "alg": "PS256" })), rsa(Algorithm::PS256), Ok(())),
        (jwk(&RSA, json!({ "alg": "PS256" })), rsa(Algorithm::RS256), Err(AuthError::AlgorithmNotAllowed)),
        (jwk(&RSA, json!({})), rsa(Algorithm::RS512), Ok(())),
        (oct, hmac, Err(AuthError::AlgorithmNotAllowed)),
    ];
    for (jwk, token, expected) in cases {
        // What cannot be understood does not spoil the rest of the set.
        let strange = [json!(null), json!({ "kty": "AKP" }), json!({ "kty": "EC", "crv": 1 }), json!({ "use": 1 })];
        let keys: Vec<_> = strange.into_iter().chain([jwk.clone(), other.jwk("other")]).collect();
        let issuer = Issuer::with_keys(&keys).await;
        let outcome = authenticator(vec![issuer.source()]).authenticate(&token).await;
        assert_eq!(outcome.map(drop), expected, "{jwk}");
    }
}

#[tokio::test]
async fn secrets_and_sets_work_side_by_side() {
    let (one, two) = (TestKey::p256(), TestKey::ed25519());
    let (first, second) = (Issuer::with_keys(&[one.jwk("1")]).await, Issuer::with_keys(&[two.jwk("2")]).await);
    let auth = authenticator(vec![secret(SECRET), first.source(), second.source()]);
    for token in [TestKey::secret(SECRET).sign(&alice()), TestKey::secret(SECRET).sign_with_kid("x")] {
        assert!(auth.authenticate(&token).await.is_ok());
    }
    let wrong = TestKey::secret("another secret, which is long enough too").sign(&alice());
    assert_eq!(auth.authenticate(&wrong).await, Err(AuthError::BadSignature));
    assert_eq!((first.requests(), second.requests()), (0, 0), "no set has secrets");
    assert!(auth.authenticate(&one.sign_with_kid("1")).await.is_ok());
    first.fail();
    assert!(auth.authenticate(&two.sign_with_kid("2")).await.is_ok());
}

#[tokio::test]
async fn a_working_set_does_not_wait_for_one_that_is_down() {
    let (one, two) = (TestKey::p256(), TestKey::p256());
    let down = Issuer::start(Answer::Status(StatusCode::BAD_GATEWAY)).await;
    let up = Issuer::with_keys(&[one.jwk("1")]).await;
    let auth = authenticator(vec![down.source(), up.source()]);
    assert!(auth.authenticate(&one.sign_with_kid("1")).await.is_ok());
    assert_eq!(auth.authenticate(&two.sign_with_kid("2")).await, Err(AuthError::KeysUnavailable));
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_fetch() {
    let key = TestKey::p256();
    let issuer = Issuer::with_keys(&[key.jwk("a")]).await;
    let auth = authenticator(vec![issuer.source()]);
    let token = key.sign_with_kid("a");
    // Polled once, then dropped: the fetch has begun by then.
    assert!(futures::poll!(Box::pin(auth.authenticate(&token))).is_pending());
    assert!(auth.authenticate(&token).await.is_ok());
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn a_file_is_read_again_when_its_keys_change() {
    let (old, new) = (TestKey::p256(), TestKey::p256());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let write = |keys: &[Value]| std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    write(&[old.jwk("old")]);
    let (auth, clock) = with_clock(vec![KeySource::JwksFile(path.clone())]);
    assert!(auth.authenticate(&lasting(&old, "old")).await.is_ok());
    write(&[new.jwk("new")]);
    assert!(auth.authenticate(&lasting(&new, "new")).await.is_ok());
    std::fs::remove_file(&path).unwrap();
    clock.advance_seconds(3_600);
    assert!(auth.authenticate(&lasting(&new, "new")).await.is_ok());
}

#[tokio::test]
async fn a_set_without_a_usable_key_does_not_replace_a_good_one() {
    let key = TestKey::p256();
    let issuer = Issuer::with_keys(&[key.jwk("a")]).await;
    let (auth, clock) = with_clock(vec![issuer.source()]);
    let token = lasting(&key, "a");
    assert!(auth.authenticate(&token).await.is_ok());
    issuer.publish(&[]);
    clock.advance_seconds(301);
    assert!(auth.authenticate(&token).await.is_ok());
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test]
async fn keys_fetched_by_a_clock_that_was_ahead_are_fetched_again() {
    let key = TestKey::p256();
    let issuer = Issuer::with_keys(&[key.jwk("a")]).await;
    let (auth, clock) = with_clock(vec![issuer.source()]);
    assert!(auth.authenticate(&lasting(&key, "a")).await.is_ok());
    clock.advance_seconds(-3600);
    assert!(auth.authenticate(&lasting(&key, "a")).await.is_ok());
    assert_eq!(issuer.requests(), 2);
}
