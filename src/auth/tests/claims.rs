use super::*;
use crate::domain::principal::{Rights, Subject};

async fn authenticate(options: AuthOptions, claims: &Value) -> Result<Principal, AuthError> {
    let auth = Authenticator::new(AuthOptions { keys: vec![secret(SECRET)], ..options }, clock()).unwrap();
    auth.authenticate(&TestKey::secret(SECRET).sign(claims)).await.map(Arc::unwrap_or_clone)
}

/// Alice's claims with others added or put in their place.
fn with(claims: Value) -> Value {
    let mut all = alice();
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    all
}

async fn refusal(options: AuthOptions, claims: Value) -> String {
    match authenticate(options, &claims).await {
        Ok(principal) => panic!("{claims} is {principal:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn times_are_checked_with_leeway() {
    for (claims, expected) in [
        (json!({ "exp": NOW + 1 }), None),
        (json!({ "exp": NOW - 29 }), None),
        (json!({ "exp": (NOW as f64) - 29.5 }), None),
        (json!({ "exp": NOW - 30 }), Some("token has expired")),
        (json!({ "exp": 0 }), Some("token has expired")),
        (json!({ "exp": -1e300 }), Some("token has expired")),
        (json!({ "exp": 1e300 }), None),
        (json!({ "exp": null }), Some("claim `exp` is missing")),
        (json!({ "exp": (NOW + 60).to_string() }), Some("claim `exp` must be a number")),
        (json!({ "exp": true }), Some("claim `exp` must be a number")),
        (json!({ "nbf": NOW }), None),
        (json!({ "nbf": NOW + 30 }), None),
        (json!({ "nbf": NOW + 31 }), Some("token is not valid yet")),
        (json!({ "nbf": "now" }), Some("claim `nbf` must be a number")),
        (json!({ "nbf": null }), None),
    ] {
        let outcome = authenticate(options(vec![]), &with(claims.clone())).await;
        assert_eq!(outcome.err().map(|error| error.to_string()).as_deref(), expected, "{claims}");
    }
    assert_eq!(refusal(options(vec![]), json!({ "sub": "alice" })).await, "claim `exp` is missing");
}

#[tokio::test]
async fn a_token_expires_while_the_clock_moves() {
    let clock = clock();
    let auth = Authenticator::new(options(vec![secret(SECRET)]), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let token = TestKey::secret(SECRET).sign(&alice());
    for (advance, expected) in [(0, true), (89, true), (1, false)] {
        clock.advance_seconds(advance);
        assert_eq!(auth.authenticate(&token).await.is_ok(), expected);
    }
}

#[tokio::test]
async fn issuer_and_audience_are_checked_when_configured() {
    let strict = || AuthOptions {
        issuers: vec!["https://one".into(), "https://two".into()],
        audiences: vec!["files".into(), "artifacts".into()],
        ..options(vec![])
    };
    let from = |iss: Value, aud: Value| with(json!({ "iss": iss, "aud": aud }));
    for (iss, aud) in [(json!("https://one"), json!("files")), (json!("https://two"), json!(["mail", "artifacts"]))] {
        assert!(authenticate(strict(), &from(iss, aud)).await.is_ok());
    }
    for (iss, aud, expected) in [
        (json!("https://three"), json!("files"), "token is from an issuer that is not accepted"),
        (json!("https://one/"), json!("files"), "token is from an issuer that is not accepted"),
        (json!(null), json!("files"), "claim `iss` is missing"),
        (json!(["https://one"]), json!("files"), "claim `iss` must be a string"),
        (json!("https://one"), json!("mail"), "token is for another audience"),
        (json!("https://one"), json!([]), "token is for another audience"),
        (json!("https://one"), json!(null), "claim `aud` is missing"),
        (json!("https://one"), json!(["files", 1]), "claim `aud` must be a string or an array of strings"),
        (json!("https://one"), json!({}), "claim `aud` must be a string or an array of strings"),
    ] {
        assert_eq!(refusal(strict(), from(iss, aud)).await, expected);
    }
    assert!(authenticate(options(vec![]), &from(json!(1), json!(2))).await.is_ok(), "not configured, not checked");
}

#[tokio::test]
async fn claims_say_who_is_calling() {
    let user = || "alice".parse().unwrap();
    let session = |id: &str| id.parse().unwrap();
    for (claims, subject) in [
        (json!({}), Subject::User(user())),
        (json!({ "sid": "s1" }), Subject::UserInSession(user(), session("s1"))),
        (json!({ "session_id": "s2" }), Subject::UserInSession(user(), session("s2"))),
        (json!({ "sid": "s1", "session_id": "s2" }), Subject::UserInSession(user(), session("s1"))),
        (json!({ "sub": null, "sid": "s1" }), Subject::Session(session("s1"))),
        (json!({ "sid": null }), Subject::User(user())),
        (json!({ "sub": "auth0|42" }), Subject::User("auth0|42".parse().unwrap())),
    ] {
        let principal = authenticate(options(vec![]), &with(claims)).await.unwrap();
        assert_eq!(principal.subject, subject);
        assert_eq!(principal.sandbox.as_str(), "default");
    }
    let principal = authenticate(options(vec![]), &with(json!({ "sandbox": "acme" }))).await.unwrap();
    assert_eq!(principal.sandbox.as_str(), "acme");
}

#[tokio::test]
async fn claims_that_name_nobody_are_refused() {
    let too_long = "x".repeat(256);
    for (claims, expected) in [
        (json!({ "sub": null }), "token names neither a user (claim `sub`) nor a session (claim `sid`)"),
        (json!({ "sub": 42 }), "claim `sub` must be a string"),
        (json!({ "sub": "" }), "claim `sub` must not be empty"),
        (json!({ "sub": "a\u{0}b" }), "claim `sub` must not contain control characters"),
        (json!({ "sub": too_long }), "claim `sub` must take at most 255 bytes when percent-encoded"),
        (json!({ "sid": ["s"] }), "claim `sid` must be a string"),
        (json!({ "session_id": "" }), "claim `session_id` must not be empty"),
        (json!({ "sandbox": {} }), "claim `sandbox` must be a string"),
        (json!({ "sandbox": "" }), "claim `sandbox` must not be empty"),
        (json!({ "scope": ["artifacts:read"] }), "claim `scope` must be a string"),
        (json!({ "roles": "artifacts:read" }), "claim `roles` must be an array of strings"),
        (json!({ "roles": ["a", 1] }), "claim `roles` must be an array of strings"),
    ] {
        assert_eq!(refusal(options(vec![]), with(claims)).await, expected);
    }
    assert_eq!(refusal(options(vec![]), json!([])).await, "token is not a signed JWT");
}

#[tokio::test]
async fn rights_come_from_scope_and_roles() {
    let rights = |read, write, admin| Rights { read, write, admin };
    for (claims, expected) in [
        (json!({}), Rights::DEFAULT),
        (json!({ "scope": "" }), Rights::DEFAULT),
        (json!({ "scope": "openid profile", "roles": ["editor"] }), Rights::DEFAULT),
        (json!({ "scope": "openid artifacts:read" }), rights(true, false, false)),
        (json!({ "scope": "artifacts:write" }), rights(false, true, false)),
        (json!({ "scope": "artifacts:read  artifacts:write" }), rights(true, true, false)),
        (json!({ "roles": ["artifacts:read"] }), rights(true, false, false)),
        (json!({ "scope": "artifacts:read", "roles": ["artifacts:write"] }), rights(true, true, false)),
        (json!({ "scope": "artifacts:admin" }), Rights::ADMIN),
        (json!({ "roles": ["artifacts:read", "artifacts:admin"] }), Rights::ADMIN),
        (json!({ "scope": "ARTIFACTS:ADMIN" }), Rights::DEFAULT),
        (json!({ "scp": "artifacts:admin" }), Rights::DEFAULT),
    ] {
        assert_eq!(authenticate(options(vec![]), &with(claims.clone())).await.unwrap().rights, expected, "{claims}");
    }
}

#[tokio::test]
async fn claim_names_are_configurable() {
    let options = || AuthOptions {
        claims: ClaimNames {
            user: "https://app.example/user".into(),
            session: "app.session.id".into(),
            sandbox: "app.tenant".into(),
        },
        ..options(vec![])
    };
    let claims = json!({
        "exp": NOW + 60,
        "sub": "ignored",
        "sid": "ignored",
        "https://app.example/user": "alice",
        "app": { "session": { "id": "s1" }, "tenant": "acme" },
    });
    let principal = authenticate(options(), &claims).await.unwrap();
    assert_eq!(principal.subject, Subject::UserInSession("alice".parse().unwrap(), "s1".parse().unwrap()));
    assert_eq!(principal.sandbox.as_str(), "acme");
    for claims in [
        json!({ "exp": NOW + 60, "sub": "x", "session_id": "x" }),
        json!({ "exp": NOW + 60, "app": { "session": "s1" } }),
        json!({ "exp": NOW + 60, "app": ["session"] }),
    ] {
        assert_eq!(
            refusal(options(), claims).await,
            "token names neither a user (claim `https://app.example/user`) nor a session (claim `app.session.id`)"
        );
    }
    let claims = json!({ "exp": NOW + 60, "app": { "session": { "id": 7 } } });
    assert_eq!(refusal(options(), claims).await, "claim `app.session.id` must be a string");
}
