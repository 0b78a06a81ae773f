//! SHA-256 digests, in the two spellings of HTTP.

use std::fmt;
use std::str::FromStr;

use base16ct::{lower as hex, mixed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use super::{Invalid, serde_as_text};

const HEX_DIGITS: usize = 64;

/// A SHA-256 digest. Its text form is 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// From the raw bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The standard base64 form, as S3 and RFC 9530 want it.
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.0)
    }

    /// From the standard base64 form of 32 bytes.
    pub fn from_base64(text: &str) -> Option<Self> {
        BASE64.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The value of a `Content-Digest` or `Repr-Digest` field (RFC 9530): `sha-256=:…:`.
    pub fn to_field(&self) -> String {
        format!("sha-256=:{}:", self.to_base64())
    }

    /// Finds the SHA-256 digest in a `Content-Digest` field. Other algorithms are passed over, as
    /// RFC 9530 asks; a field without SHA-256 gives `None`.
    pub fn from_field(field: &str) -> Result<Option<Self>, Invalid> {
        let malformed = Invalid::new("must hold sha-256=:<base64 of 32 bytes>: (RFC 9530)");
        for member in field.split(',') {
            let Some((algorithm, value)) = member.trim().split_once('=') else {
                return Err(malformed);
            };
            if !algorithm.eq_ignore_ascii_case("sha-256") {
                continue;
            }
            let encoded = value.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
            return encoded.and_then(Self::from_base64).map(Some).ok_or(malformed);
        }
        Ok(None)
    }
}

/// Makes the digest of bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct Sha256Hasher(Sha256);

impl Sha256Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// The digest of all bytes that came.
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; HEX_DIGITS];
        f.write_str(hex::encode_str(&self.0, &mut digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256Digest({self})")
    }
}

impl FromStr for Sha256Digest {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut bytes = [0; 32];
        match mixed::decode(text, &mut bytes) {
            Ok(_) if text.len() == HEX_DIGITS => Ok(Self(bytes)),
            _ => Err(Invalid::new("must be 64 hexadecimal digits")),
        }
    }
}

serde_as_text!(Sha256Digest);

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const EMPTY_FIELD: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

    #[test]
    fn hex_and_field_name_the_same_digest() {
        let digest: Sha256Digest = EMPTY_HEX.parse().unwrap();
        assert_eq!(digest.to_string(), EMPTY_HEX);
        assert_eq!(digest.to_field(), EMPTY_FIELD);
        assert_eq!(Sha256Digest::from_field(EMPTY_FIELD), Ok(Some(digest)));
        assert_eq!(EMPTY_HEX.to_uppercase().parse(), Ok(digest));
    }

    #[test]
    fn other_algorithms_are_passed_over() {
        let field = format!("sha-512=:AAAA:, {EMPTY_FIELD}");
        assert!(Sha256Digest::from_field(&field).unwrap().is_some());
        assert_eq!(Sha256Digest::from_field("sha-512=:AAAA:"), Ok(None));
    }

    #[test]
    fn malformed_digests_are_refused() {
        for field in ["", "sha-256", "sha-256=", "sha-256=abc", "sha-256=:abc:", "sha-256=:AAAA:"] {
            assert!(Sha256Digest::from_field(field).is_err(), "{field}");
        }
        for hex in ["", "e3b0", &"g".repeat(64), &"é".repeat(32)] {
            assert!(hex.parse::<Sha256Digest>().is_err(), "{hex}");
        }
    }
}
