//! Keys that verify tokens. A key knows which algorithms it may be used with, so that a token cannot
//! choose: a public key never becomes an HMAC secret.

use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::error::AuthError;
use super::jwt::Token;
use crate::secret::Secret;

/// RFC 7518 asks for as many bytes as the hash has.
const MIN_SECRET_BYTES: usize = 32;

/// Smaller RSA keys are refused (RFC 7518, 3.3).
const MIN_RSA_BITS: usize = 2048;

/// A key and what it may be used for.
pub(super) struct VerifyingKey {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

impl VerifyingKey {
    /// The key that is a shared secret.
    pub(super) fn from_secret(secret: &Secret) -> Result<Self, String> {
        let bytes = secret.expose().as_bytes();
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(format!("must have at least {MIN_SECRET_BYTES} bytes"));
        }
        let algorithms = AlgorithmFamily::Hmac.algorithms().to_vec();
        Ok(Self { kid: None, algorithms, key: DecodingKey::from_secret(bytes) })
    }

    /// The public keys and certificates in PEM text, at least one.
    pub(super) fn from_pem(text: &str) -> Result<Vec<Self>, String> {
        let mut keys = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("-----BEGIN ") {
            let block = &rest[start..];
            let label = block["-----BEGIN ".len()..].split("-----").next().unwrap_or_default();
            let end = format!("-----END {label}-----");
            let length = block.find(&end).ok_or("a PEM block has no end")? + end.len();
            keys.push(Self::from_pem_block(label, &block[..length])?);
            rest = &block[length..];
        }
        if keys.is_empty() { Err("there is no PEM block".to_owned()) } else { Ok(keys) }
    }

    fn from_pem_block(label: &str, block: &str) -> Result<Self, String> {
        if !matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE") {
            return Err("a PEM block is neither a public key nor a certificate".to_owned());
        }
        let bytes = block.as_bytes();
        let key = DecodingKey::from_rsa_pem(bytes)
            .or_else(|_| DecodingKey::from_ec_pem(bytes))
            .or_else(|_| DecodingKey::from_ed_pem(bytes))
            .ok();
        let jwk = key.as_ref().and_then(|key| Jwk::from_decoding_key(key, None).ok());
        let key = jwk.as_ref().and_then(Self::from_jwk);
        key.ok_or_else(|| {
            "a PEM block is no RSA key of 2048 bits or more, EC key (P-256, P-384) or Ed25519 key".to_owned()
        })
    }

    /// The keys of a JSON Web Key Set that can verify tokens. Others are passed over, as RFC 7517 asks.
    pub(super) fn from_jwks(json: &[u8]) -> Option<Vec<Self>> {
        #[derive(Deserialize)]
        struct JwkSet {
            keys: Vec<Value>,
        }
        let set: JwkSet = serde_json::from_slice(json).ok()?;
        let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Some(jwks.filter_map(|jwk| Self::from_jwk(&jwk)).collect())
    }

    /// The key in a JWK; `None` if it is not an asymmetric key for signatures.
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        if !is_for_signatures(&jwk.common) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let of_type = algorithms(jwk, &key)?;
        let algorithms = match jwk.common.key_algorithm {
            None => of_type,
            Some(only) => of_type.into_iter().filter(|algorithm| KeyAlgorithm::from(*algorithm) == only).collect(),
        };
        (!algorithms.is_empty()).then(|| Self { kid: jwk.common.key_id.clone(), algorithms, key })
    }

    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether this key signed `token`, with an algorithm that it allows.
    pub(super) fn has_signed(&self, token: &Token<'_>) -> bool {
        let signed = token.signed.as_bytes();
        self.allows(token.algorithm)
            && jsonwebtoken::crypto::verify(token.signature, signed, &self.key, token.algorithm).unwrap_or(false)
    }
}

/// Verifies `token` with the one key of a set that it names, or the only one that fits if it names none.
pub(super) fn verify_with_set(keys: &[VerifyingKey], token: &Token<'_>) -> Result<(), AuthError> {
    let fitting = keys.iter().filter(|key| key.allows(token.algorithm));
    let candidates: Vec<_> = match &token.kid {
        Some(kid) if keys.iter().any(|key| key.kid.as_ref() == Some(kid)) => {
            fitting.filter(|key| key.kid.as_ref() == Some(kid)).collect()
        }
        Some(_) => return Err(AuthError::UnknownKey),
        None => fitting.collect(),
    };
    match candidates.as_slice() {
        [] => Err(AuthError::AlgorithmNotAllowed),
        [_, _, ..] if token.kid.is_none() => Err(AuthError::KeyNotNamed),
        // Keys of different types may share a name (RFC 7517, 4.5).
        some if some.iter().any(|key| key.has_signed(token)) => Ok(()),
        _ => Err(AuthError::BadSignature),
    }
}

fn is_for_signatures(common: &CommonParameters) -> bool {
    let right_use = !matches!(&common.public_key_use, Some(other) if *other != PublicKeyUse::Signature);
    let operations = common.key_operations.as_ref();
    right_use && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify))
}

/// The algorithms that a type of key allows; `None` for keys that are not accepted. A secret in a key
/// set is not: what is published is no secret.
fn algorithms(jwk: &Jwk, key: &DecodingKey) -> Option<Vec<Algorithm>> {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => {
            (rsa_bits(key)? >= MIN_RSA_BITS).then(|| AlgorithmFamily::Rsa.algorithms().to_vec())
        }
        AlgorithmParameters::EllipticCurve(ec) => match (&ec.curve, key.try_get_as_bytes().ok()?.len()) {
            (EllipticCurve::P256, 65) => Some(vec![Algorithm::ES256]),
            (EllipticCurve::P384, 97) => Some(vec![Algorithm::ES384]),
            _ => None,
        },
        AlgorithmParameters::OctetKeyPair(okp) => {
            let ed25519 = okp.curve == EllipticCurve::Ed25519 && key.try_get_as_bytes().ok()?.len() == 32;
            ed25519.then(|| vec![Algorithm::EdDSA])
        }
        _ => None,
    }
}

fn rsa_bits(key: &DecodingKey) -> Option<usize> {
    match key.kind() {
        jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, .. } => {
            let significant = n.iter().position(|byte| *byte != 0).map_or(&[][..], |start| &n[start..]);
            let unused = significant.first()?.leading_zeros() as usize;
            Some(significant.len() * 8 - unused)
        }
        jsonwebtoken::DecodingKeyKind::SecretOrDer(_) => None,
    }
}
