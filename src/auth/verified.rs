//! Tokens that were verified a moment ago. A caller sends the same one with every request, and a signature costs more
//! than all else that is read of a token.
//!
//! Only tokens that were accepted are here, so nobody without one can push others out. Of the token itself nothing is
//! kept but its digest. What may change between two requests is asked anew: the time, and the keys of a key set.

use std::sync::Arc;

use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::claims::Validity;
use super::keys::VerifyingKey;
use crate::domain::principal::Principal;

/// How many tokens are remembered: a few hundred bytes each.
const TOKENS: usize = 4096;

/// The SHA-256 digest of a token.
pub(super) type Digest = [u8; 32];

pub(super) fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

/// What an accepted token says.
pub(super) struct Verified {
    pub(super) principal: Arc<Principal>,
    pub(super) validity: Validity,
    pub(super) proof: Proof,
}

/// Which keys have verified a token.
pub(super) enum Proof {
    /// Those of the configuration, which never change.
    ConfiguredKeys,
    /// Those that a key set had then.
    KeySet {
        /// The number of the set.
        set: usize,
        /// Its keys.
        keys: Arc<[VerifyingKey]>,
    },
}

pub(super) struct VerifiedTokens(Cache<Digest, Arc<Verified>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::new(TOKENS))
    }
}

impl VerifiedTokens {
    pub(super) fn recall(&self, digest: &Digest) -> Option<Arc<Verified>> {
        self.0.get(digest)
    }

    pub(super) fn remember(&self, digest: Digest, verified: Arc<Verified>) {
        self.0.insert(digest, verified);
    }
}
