//! Byte ranges (RFC 9110, section 14).

use std::ops::Range;

/// What a `Range` field asks for. Only single ranges are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-last`, both included; without `last`, to the end.
    From {
        /// The offset of the first byte.
        first: u64,
        /// The offset of the last byte.
        last: Option<u64>,
    },
    /// `bytes=-length`: that many bytes from the end.
    Suffix {
        /// How many.
        length: u64,
    },
}

impl ByteRange {
    /// Reads a `Range` field. What is malformed, in another unit, or asks for several ranges gives
    /// `None`: RFC 9110 has a server ignore such a field and send the whole.
    pub fn parse(field: &str) -> Option<Self> {
        let (unit, spec) = field.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = spec.trim().split_once('-')?;
        match (first, last) {
            ("", length) => Some(Self::Suffix { length: digits(length)? }),
            (first, "") => Some(Self::From { first: digits(first)?, last: None }),
            (first, last) => {
                let (first, last) = (digits(first)?, digits(last)?);
                (first <= last).then_some(Self::From { first, last: Some(last) })
            }
        }
    }

    /// What it selects of `size` bytes.
    pub fn within(self, size: u64) -> Within {
        let range = match self {
            Self::From { first, last } => first..last.map_or(size, |last| last.saturating_add(1).min(size)),
            // A suffix longer than the content is all of it, and of nothing there is no part to send.
            Self::Suffix { length } if length > 0 && size == 0 => return Within::Whole,
            Self::Suffix { length } => size.saturating_sub(length)..size,
        };
        if range.start < range.end { Within::Part(range) } else { Within::Nothing }
    }
}

/// What a range selects of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// These offsets (206).
    Part(Range<u64>),
    /// All of none (200).
    Whole,
    /// No byte: the range cannot be satisfied (416).
    Nothing,
}

/// Digits only: no sign, no space. More than 64 bits of them means "beyond every file".
fn digits(text: &str) -> Option<u64> {
    let numeric = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numeric.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_cut_to_the_size() {
        let within = |field| ByteRange::parse(field).unwrap().within(10);
        assert_eq!(within("bytes=0-0"), Within::Part(0..1));
        assert_eq!(within("bytes=2-5"), Within::Part(2..6));
        assert_eq!(within("bytes=2-99"), Within::Part(2..10));
        assert_eq!(within("bytes=2-99999999999999999999"), Within::Part(2..10));
        assert_eq!(within("bytes=9-"), Within::Part(9..10));
        assert_eq!(within("bytes=-3"), Within::Part(7..10));
        assert_eq!(within("bytes=-99"), Within::Part(0..10));
        assert_eq!(within("Bytes = 1-2"), Within::Part(1..3));
    }

    #[test]
    fn ranges_without_a_byte_are_unsatisfiable() {
        for field in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(ByteRange::parse(field).unwrap().within(10), Within::Nothing, "{field}");
        }
        assert_eq!(ByteRange::parse("bytes=0-").unwrap().within(0), Within::Nothing);
        assert_eq!(ByteRange::parse("bytes=-0").unwrap().within(0), Within::Nothing);
        assert_eq!(ByteRange::parse("bytes=-5").unwrap().within(0), Within::Whole);
    }

    #[test]
    fn what_is_not_one_well_formed_range_is_ignored() {
        for field in
            ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=+1-2", "lines=1-2", "bytes=0-1,3-4"]
        {
            assert_eq!(ByteRange::parse(field), None, "{field}");
        }
    }
}
