//! How long a page may be.

use std::str::FromStr;

use serde::Serialize;

use crate::domain::Invalid;

const MAX: usize = 1000;

/// The most items of a page: 1 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(in crate::http) struct Limit(usize);

impl Limit {
    pub(in crate::http) fn get(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(100)
    }
}

impl FromStr for Limit {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(number @ 1..=MAX) if is_number => Ok(Self(number)),
            _ => Err(Invalid::new("must be a whole number from 1 to 1000")),
        }
    }
}
