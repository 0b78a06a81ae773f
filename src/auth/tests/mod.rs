//! Keys, tokens and options for the tests of this module.

mod claims;
mod jwks;
mod mint;
mod signatures;
mod verified;

use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;
use crate::domain::time::Timestamp;

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600;

const SECRET: &str = "a secret of the tests, 32 bytes or more";

/// A key pair of the tests.
struct TestKey {
    algorithm: Algorithm,
    private: EncodingKey,
    public_pem: String,
}

/// RSA keys take long to make, so the tests share one.
static RSA: LazyLock<TestKey> = LazyLock::new(|| {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let private = pem("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref());
    TestKey {
        algorithm: Algorithm::RS256,
        private: EncodingKey::from_rsa_pem(private.as_bytes()).unwrap(),
        public_pem: public_pem(pair.public_key()),
    }
});

impl TestKey {
    fn secret(text: &str) -> Self {
        let private = EncodingKey::from_secret(text.as_bytes());
        Self { algorithm: Algorithm::HS256, private, public_pem: String::new() }
    }

    fn p256() -> Self {
        Self::ec(Algorithm::ES256, &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    fn p384() -> Self {
        Self::ec(Algorithm::ES384, &ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    fn ec(algorithm: Algorithm, curve: &'static EcdsaSigningAlgorithm) -> Self {
        let private = EcdsaKeyPair::generate_pkcs8(curve, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(curve, private.as_ref()).unwrap();
        let public_pem = public_pem(pair.public_key());
        Self { algorithm, private: EncodingKey::from_ec_der(private.as_ref()), public_pem }
    }

    fn ed25519() -> Self {
        let private = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).unwrap();
        let public_pem = public_pem(pair.public_key());
        Self { algorithm: Algorithm::EdDSA, private: EncodingKey::from_ed_der(private.as_ref()), public_pem }
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(self.algorithm, None, claims)
    }

    fn sign_with_kid(&self, kid: &str) -> String {
        self.sign_as(self.algorithm, Some(kid), &alice())
    }

    fn sign_as(&self, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }

    /// The public key as a JWK with this `kid` and no `alg`.
    fn jwk(&self, kid: &str) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.private, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }
}

fn public_pem(key: &impl AsDer<PublicKeyX509Der<'static>>) -> String {
    pem("PUBLIC KEY", key.as_der().unwrap().as_ref())
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn options(keys: Vec<KeySource>) -> AuthOptions {
    AuthOptions {
        keys,
        issuers: vec![],
        audiences: vec![],
        claims: ClaimNames::default(),
        sandbox: "default".parse().unwrap(),
        leeway_seconds: 30,
    }
}

fn secret(text: &str) -> KeySource {
    KeySource::Secret(Secret::from(text.to_owned()))
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(NOW * 1000)))
}

fn authenticator(keys: Vec<KeySource>) -> Authenticator {
    Authenticator::new(options(keys), clock()).unwrap()
}

/// The claims of a token that is valid for a minute.
fn alice() -> Value {
    json!({ "sub": "alice", "exp": NOW + 60 })
}

/// A token with any header at all, unsigned.
fn raw(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}
