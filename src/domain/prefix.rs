//! What all keys of a deployment begin with, in a folder or bucket that it shares with others.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// The longest prefix: S3 still takes the longest key behind it, and the id of a rule with it.
const MAX_BYTES: usize = 200;

/// Segments that mean something to a deployment: below one of these, its keys could be taken for those of another one
/// that has no prefix, or a shorter one.
const TAKEN: [&str; 5] = ["grid", "pending", "check", "tmp", "artifactd.json"];

/// A folder within a store: segments joined by `/`, without one at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyPrefix {
    type Err = Invalid;

    /// A `/` at the end is left out.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.len() > MAX_BYTES {
            return Err(Invalid::new("must be at most 200 bytes long"));
        }
        for segment in text.split('/') {
            let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
            if matches!(segment, "" | "." | "..") || !segment.bytes().all(legal) {
                return Err(Invalid::new("must be names of letters, digits, '-', '_', '.' or '~', joined by '/'"));
            }
            if TAKEN.iter().any(|taken| segment.eq_ignore_ascii_case(taken)) {
                return Err(Invalid::new("must not contain the names grid, pending, check, tmp and artifactd.json"));
            }
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_folder_that_no_key_of_another_deployment_can_be_in() {
        for (text, expected) in [
            ("a", Some("a")),
            ("team-a/artifacts/", Some("team-a/artifacts")),
            ("grid2/v1.0~x_y", Some("grid2/v1.0~x_y")),
            ("", None),
            ("/", None),
            ("/a", None),
            ("a//b", None),
            ("a/../b", None),
            (".", None),
            ("a b", None),
            ("ä", None),
            ("a%2Fb", None),
            ("grid", None),
            ("a/grid", None),
            ("a/Pending/b", None),
            ("tmp", None),
            ("check", None),
            ("artifactd.json/a", None),
        ] {
            assert_eq!(text.parse().ok().as_ref().map(KeyPrefix::as_str), expected, "{text}");
        }
        assert!("a/".repeat(100).parse::<KeyPrefix>().is_ok() && "a/".repeat(101).parse::<KeyPrefix>().is_err());
    }
}
