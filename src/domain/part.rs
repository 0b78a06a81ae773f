//! Parts of large uploads. The limits are those of S3, and hold with every provider.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The smallest part, except for the last.
pub const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;
/// The largest part.
pub const MAX_PART_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// The most parts of one upload.
pub const MAX_PARTS: u32 = 10_000;
/// The largest object.
pub const MAX_OBJECT_BYTES: u64 = 5 * 1024 * 1024 * 1024 * 1024;

/// The place of a part in the whole: 1 to [`MAX_PARTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct PartNumber(u16);

impl PartNumber {
    /// The first.
    pub const FIRST: Self = Self(1);
}

const MALFORMED: Invalid = Invalid::new("must be a whole number from 1 to 10000");

impl TryFrom<u32> for PartNumber {
    type Error = Invalid;

    fn try_from(number: u32) -> Result<Self, Invalid> {
        match u16::try_from(number) {
            Ok(small) if (1..=MAX_PARTS).contains(&number) => Ok(Self(small)),
            _ => Err(MALFORMED),
        }
    }
}

impl From<PartNumber> for u32 {
    fn from(number: PartNumber) -> Self {
        number.0.into()
    }
}

impl From<PartNumber> for i32 {
    fn from(number: PartNumber) -> Self {
        number.0.into()
    }
}

/// From decimal digits, without a sign or leading zeros.
impl FromStr for PartNumber {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number: u32 = text.parse().map_err(|_| MALFORMED)?;
        if number.to_string() == text { Self::try_from(number) } else { Err(MALFORMED) }
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for text in ["1", "9", "10", "9999", "10000"] {
            assert_eq!(text.parse::<PartNumber>().unwrap().to_string(), text);
        }
        for text in ["", "0", "10001", "+1", "-1", "01", "1.0", "1e3", " 1", "1 ", "١", "99999999999999999999"] {
            let refused = text.parse::<PartNumber>().unwrap_err();
            assert_eq!(refused.to_string(), "must be a whole number from 1 to 10000", "{text:?}");
        }
    }

    #[test]
    fn in_json_it_is_a_number_and_checked() {
        let number: PartNumber = serde_json::from_str("10000").unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "10000");
        for json in ["0", "10001", "-1", "1.5", "\"1\"", "5000000000"] {
            assert!(serde_json::from_str::<PartNumber>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_padded_number_sorts_as_text() {
        let mut names: Vec<String> = [10_000, 9, 999, 1].map(|n| format!("{:05}", PartNumber(n))).into();
        names.sort();
        assert_eq!(names, ["00001", "00009", "00999", "10000"]);
    }
}
