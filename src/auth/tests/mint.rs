use super::*;
use crate::domain::principal::{Rights, Subject};
use crate::domain::ttl::Ttl;

fn request() -> TokenRequest {
    TokenRequest {
        user: Some("alice".parse().unwrap()),
        session: Some("s1".parse().unwrap()),
        sandbox: Some("acme".parse().unwrap()),
        admin: true,
        ttl: Ttl::try_from(60).unwrap(),
        issuer: None,
        audience: None,
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1000)
}

#[tokio::test]
async fn a_minted_token_is_understood() {
    let names = [
        ClaimNames::default(),
        ClaimNames { user: "app.user.id".into(), session: "app.session".into(), sandbox: "app.user.tenant".into() },
        ClaimNames { user: "https://app.example/user".into(), session: "s".into(), sandbox: "t".into() },
    ];
    for claims in names {
        let options = AuthOptions {
            issuers: vec!["https://dev".into(), "https://other".into()],
            audiences: vec!["files".into()],
            claims,
            ..options(vec![secret(SECRET), secret("a second secret, which does not sign")])
        };
        let auth = Authenticator::new(options.clone(), clock()).unwrap();
        let principal = auth.authenticate(&mint(&options, &request(), now()).unwrap()).await.unwrap();
        assert_eq!(principal.subject, Subject::UserInSession("alice".parse().unwrap(), "s1".parse().unwrap()));
        assert_eq!((principal.sandbox.as_str(), principal.rights), ("acme", Rights::ADMIN));

        let plain = TokenRequest { session: None, sandbox: None, admin: false, ..request() };
        let principal = auth.authenticate(&mint(&options, &plain, now()).unwrap()).await.unwrap();
        assert_eq!(principal.subject, Subject::User("alice".parse().unwrap()));
        assert_eq!((principal.sandbox.as_str(), principal.rights), ("default", Rights::DEFAULT));

        let other = TokenRequest { issuer: Some("https://elsewhere".into()), ..request() };
        let refusal = auth.authenticate(&mint(&options, &other, now()).unwrap()).await;
        assert_eq!(refusal, Err(AuthError::IssuerNotAccepted));
    }
}

#[test]
fn a_minted_token_has_the_registered_claims() {
    let token = mint(&options(vec![secret(SECRET)]), &request(), now()).unwrap();
    let claims = Token::parse(&token).unwrap().claims().unwrap();
    let expected = json!({
        "iat": NOW, "exp": NOW + 60, "sub": "alice", "sid": "s1", "sandbox": "acme", "scope": "artifacts:admin",
    });
    assert_eq!(Value::Object(claims), expected);
}

#[test]
fn what_cannot_be_minted_is_refused() {
    let named = |user: &str, session: &str| AuthOptions {
        claims: ClaimNames { user: user.into(), session: session.into(), ..ClaimNames::default() },
        ..options(vec![secret(SECRET)])
    };
    let nobody = TokenRequest { user: None, session: None, ..request() };
    for (options, request, expected) in [
        (options(vec![KeySource::Pem(RSA.public_pem.clone())]), request(), MintError::NoSecret),
        (options(vec![secret(SECRET)]), nobody, MintError::NoSubject),
        (named("sub", "sub"), request(), MintError::ClaimNames),
        (named("sub", "sub.session"), request(), MintError::ClaimNames),
        (named("app.user", "app"), request(), MintError::ClaimNames),
        (named("exp", "sid"), request(), MintError::ClaimNames),
    ] {
        assert_eq!(mint(&options, &request, now()), Err(expected));
    }
}
