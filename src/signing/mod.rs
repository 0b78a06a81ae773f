//! What the service signs and seals for itself, so that it can trust what comes back: URLs and cursors.
//!
//! Each configured secret yields one key per purpose (HKDF-SHA256, RFC 5869), so that what is made for
//! one purpose is of no use for the other. The first secret makes; all of them accept, so that secrets
//! can be replaced while what they made is still around. All texts are base64url without padding, and
//! every one has a single spelling.

#[cfg(test)]
mod tests;

use std::fmt;
use std::iter;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use crate::secret::Secret;

/// What keys are derived with. A change makes everything worthless that was made before.
const SALT: &[u8] = b"artifactd";
const URLS: &[u8] = b"signed URLs, version 1";
const CURSORS: &[u8] = b"sealed cursors, version 1";

/// The longest sealed text that is looked at, in bytes.
pub const MAX_SEALED_BYTES: usize = 8192;

/// The keys of everything that the service hands out and gets back.
pub struct SigningKeys {
    current: Keys,
    others: Vec<Keys>,
}

/// What one secret yields.
struct Keys {
    urls: hmac::Key,
    cursors: RandomizedNonceKey,
}

impl SigningKeys {
    /// Keys of which `current` makes signatures and seals; those that `others` made are accepted, too.
    pub fn new(current: &Secret, others: &[Secret]) -> Self {
        Self { current: Keys::derive(current), others: others.iter().map(Keys::derive).collect() }
    }

    /// The signature of `message` (HMAC-SHA256): 43 characters.
    pub fn sign(&self, message: &[u8]) -> String {
        BASE64URL.encode(hmac::sign(&self.current.urls, message))
    }

    /// Whether `signature` is that of `message`. Takes the same time wherever they differ.
    pub fn verify(&self, message: &[u8], signature: &str) -> bool {
        let Ok(tag) = BASE64URL.decode(signature) else { return false };
        self.all().any(|keys| hmac::verify(&keys.urls, message, &tag).is_ok())
    }

    /// Encrypts `plain` (AES-256-GCM-SIV, RFC 8452) into a text that opens only with the same `bound_to`.
    ///
    /// At most some 6,000 bytes, as the text must not be longer than [`MAX_SEALED_BYTES`] to open.
    #[expect(clippy::expect_used, reason = "nothing of 64 GiB is sealed")]
    pub fn seal(&self, plain: &[u8], bound_to: &[u8]) -> String {
        let mut sealed = plain.to_vec();
        let nonce = self.current.cursors.seal_in_place_append_tag(Aad::from(bound_to), &mut sealed);
        let nonce = nonce.expect("less than 64 GiB can be sealed");
        BASE64URL.encode([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What was sealed; `None` if it was changed, or sealed by others or with another `bound_to`.
    pub fn open(&self, sealed: &str, bound_to: &[u8]) -> Option<Vec<u8>> {
        if sealed.len() > MAX_SEALED_BYTES {
            return None;
        }
        let bytes = BASE64URL.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        self.all().find_map(|keys| {
            let mut opened = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let length = keys.cursors.open_in_place(nonce, Aad::from(bound_to), &mut opened).ok()?.len();
            opened.truncate(length);
            Some(opened)
        })
    }

    fn all(&self) -> impl Iterator<Item = &Keys> {
        iter::once(&self.current).chain(&self.others)
    }
}

impl Keys {
    #[expect(clippy::expect_used, reason = "the algorithm takes keys of this length")]
    fn derive(secret: &Secret) -> Self {
        let cursors = RandomizedNonceKey::new(&AES_256_GCM_SIV, &derive(secret, CURSORS));
        Self {
            urls: hmac::Key::new(HMAC_SHA256, &derive(secret, URLS)),
            cursors: cursors.expect("AES-256 takes keys of 32 bytes"),
        }
    }
}

/// The key of `secret` for one purpose.
#[expect(clippy::expect_used, reason = "the length is fixed")]
fn derive(secret: &Secret, purpose: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let pseudorandom = Salt::new(HKDF_SHA256, SALT).extract(secret.expose().as_bytes());
    let filled = pseudorandom.expand(&[purpose], HMAC_SHA256).and_then(|okm| okm.fill(&mut key));
    filled.expect("HKDF-SHA256 yields up to 8,160 bytes");
    key
}

/// Shows nothing.
impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(..)")
    }
}
