//! Media types (RFC 9110, section 8.3.1).

use std::fmt;
use std::str::FromStr;

use super::{Invalid, serde_as_text};

/// The longest media type, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// A media type as the caller wrote it, such as `text/plain; charset=utf-8`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaType(Box<str>);

impl MediaType {
    /// The media type, safe as the value of a `Content-Type` field.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the parameters, in lower case.
    pub fn essence(&self) -> String {
        self.0.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// `application/octet-stream`: what is known of bytes that came without a type.
impl Default for MediaType {
    fn default() -> Self {
        Self("application/octet-stream".into())
    }
}

impl FromStr for MediaType {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.len() > MAX_MEDIA_TYPE_BYTES {
            return Err(format!("must take at most {MAX_MEDIA_TYPE_BYTES} bytes").into());
        }
        let essence = text.split(';').next().unwrap_or_default().trim_end();
        let well_formed = essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
        let printable = text.bytes().all(|b| matches!(b, b' '..=b'~'));
        if well_formed && printable {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new("must be a media type such as text/plain"))
        }
    }
}

/// A token in the sense of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(MediaType);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_kept_but_not_part_of_the_essence() {
        let plain: MediaType = "Text/Plain; charset=utf-8".parse().unwrap();
        assert_eq!(plain.as_str(), "Text/Plain; charset=utf-8");
        assert_eq!(plain.essence(), "text/plain");
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in ["", "text", "text/", "/plain", "te xt/plain", "text/plain\r\nX: y", "text/plän", &"x".repeat(300)]
        {
            assert!(text.parse::<MediaType>().is_err(), "{text:?}");
        }
    }
}
