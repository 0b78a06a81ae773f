//! Media types (RFC 9110, section 8.3.1).

mod guess;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize as _, Deserializer};

pub use self::guess::BEGINNING_BYTES;
use super::{Invalid, serde_as_text};

/// The longest media type, in bytes.
pub const MAX_MEDIA_TYPE_BYTES: usize = 255;

/// A media type as the caller wrote it, such as `text/plain; charset=utf-8`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MediaType(Box<str>);

impl MediaType {
    /// `text/plain`.
    pub fn plain_text() -> Self {
        Self("text/plain".into())
    }

    /// The media type, safe as the value of a `Content-Type` field.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the parameters, in lower case.
    pub fn essence(&self) -> String {
        self.0.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The media type that `text` names. Empty text names none: browsers send it for files that they don't know.
    pub fn given(text: &str) -> Result<Option<Self>, Invalid> {
        if text.trim().is_empty() { Ok(None) } else { text.parse().map(Some) }
    }

    /// The value of the parameter `charset`, in lower case.
    pub fn charset(&self) -> Option<String> {
        let parameters = self.0.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        let mut charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        charsets.next().map(|(_, value)| value.trim().trim_matches('"').to_ascii_lowercase())
    }

    /// How bytes of this type are served that are known to be UTF-8: text says so, unless the caller has said otherwise.
    pub fn of_utf8(&self) -> Cow<'_, Self> {
        if !self.essence().starts_with("text/") || self.charset().is_some() {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self(format!("{}; charset=utf-8", self.0.trim_end_matches([';', ' '])).into()))
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

/// Reads an optional media type; empty text counts as absent.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MediaType>, D::Error> {
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    MediaType::given(text.as_deref().unwrap_or_default()).map_err(serde::de::Error::custom)
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
    fn text_that_is_utf8_says_so_unless_something_else_was_said() {
        for (given, served) in [
            ("text/plain", "text/plain; charset=utf-8"),
            ("Text/Markdown; variant=GFM;", "Text/Markdown; variant=GFM; charset=utf-8"),
            ("text/html; Charset=\"ISO-8859-1\"", "text/html; Charset=\"ISO-8859-1\""),
            ("application/json", "application/json"),
        ] {
            assert_eq!(given.parse::<MediaType>().unwrap().of_utf8().as_str(), served);
        }
    }

    #[test]
    fn empty_text_names_no_media_type() {
        assert_eq!(MediaType::given(" "), Ok(None));
        assert_eq!(MediaType::given("text/plain").unwrap(), "text/plain".parse().ok());
        assert!(MediaType::given("text").is_err());
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in ["", "text", "text/", "/plain", "te xt/plain", "text/plain\r\nX: y", "text/plän", &"x".repeat(300)]
        {
            assert!(text.parse::<MediaType>().is_err(), "{text:?}");
        }
    }
}
