//! The secrets of what the service signs for itself.

use super::parse;
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};
use crate::secret::Secret;

settings! { "Signed URLs and cursors":
    SECRET = Setting::new("URL_SIGNING_SECRET",
        Default::Described("generated once and kept in ARTIFACTD_DATA_DIR"),
        "Secrets of the URLs and cursors that the service signs: at least 32 bytes each, comma-separated for rotation. \
         The first signs. Several instances must have the same.").secret();
}

/// What the service signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningConfig {
    /// Secrets, of which the first signs; a generated one when empty.
    pub secrets: Vec<Secret>,
}

impl SigningConfig {
    pub(super) fn read(values: &mut Values) -> Result<Self, Reported> {
        Ok(Self { secrets: values.list(&SECRET, parse::hmac_secret)? })
    }
}
