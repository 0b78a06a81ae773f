//! Sizes of files.

use std::str::FromStr;

use serde::Serialize;

use crate::domain::Invalid;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(in crate::http) struct Size(pub u64);

impl FromStr for Size {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(bytes) if is_number => Ok(Self(bytes)),
            _ => Err(Invalid::new("must be a whole number of bytes")),
        }
    }
}
