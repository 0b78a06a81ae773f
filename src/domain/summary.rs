//! Summaries: a few words about an artifact.

use std::fmt;
use std::str::FromStr;

use super::{Invalid, serde_as_text};

/// The longest summary, in bytes of UTF-8.
pub const MAX_SUMMARY_BYTES: usize = 4096;

/// Free text about an artifact, possibly empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Summary(Box<str>);

impl Summary {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Summary {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > MAX_SUMMARY_BYTES {
            return Err(format!("must take at most {MAX_SUMMARY_BYTES} bytes").into());
        }
        if text.contains('\0') {
            return Err(Invalid::new("must not contain NUL"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Summary);
