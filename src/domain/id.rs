//! Identifiers: of artifacts (ours) and of sandboxes, sessions and users (the callers').

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

use super::time::Timestamp;
use super::{Invalid, serde_as_text};

/// The id of an artifact: a UUIDv7 (RFC 9562), written as 32 lower-case hex digits, so that ids sort
/// by the time they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactId(Uuid);

impl ArtifactId {
    /// The id for something made at `now`, told apart from its siblings by `random`.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The 16 bytes of the id; they sort as the text does.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// This id with `shard` in place of the last bits of its random part.
    pub(super) fn in_shard(self, shard: u8) -> Self {
        let mut bytes = *self.as_bytes();
        bytes[15] = (bytes[15] & !(SHARDS - 1)) | shard;
        Self::from_bytes(bytes)
    }

    /// The shard that its partition belongs to.
    pub fn shard(&self) -> u8 {
        self.as_bytes()[15] & (SHARDS - 1)
    }
}

/// Into how many shards records are divided, so that a provider may spread them over several servers.
/// A power of two: many enough to spread, few enough to be asked all at once.
pub const SHARDS: u8 = 64;

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

impl FromStr for ArtifactId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match Uuid::try_parse(text) {
            Ok(id) if canonical => Ok(Self(id)),
            _ => Err(Invalid::new("must be 32 lower-case hexadecimal digits")),
        }
    }
}

serde_as_text!(ArtifactId);

/// The longest percent-encoded form of an [`ExternalId`], in bytes: the longest file name of common
/// file systems. Two of them and the rest of a key stay below S3's 1,024 bytes.
pub const MAX_ENCODED_ID_BYTES: usize = 255;

/// RFC 3986 "unreserved" characters stay as they are.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An id that somebody else chose: any text that is not empty, has no control characters and whose
/// percent-encoded form fits into [`MAX_ENCODED_ID_BYTES`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ExternalId(Box<str>);

impl ExternalId {
    fn parse(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new("must not be empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new("must not contain control characters"));
        }
        if utf8_percent_encode(text, ESCAPED).map(str::len).sum::<usize>() > MAX_ENCODED_ID_BYTES {
            return Err(format!("must take at most {MAX_ENCODED_ID_BYTES} bytes when percent-encoded").into());
        }
        Ok(Self(text.into()))
    }
}

/// `text` as one path segment: percent-encoded, and never `.` or `..`.
fn encode_segment(text: &str) -> String {
    if text.bytes().all(|b| b == b'.') {
        return text.replace('.', "%2E");
    }
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Defines one kind of [`ExternalId`], so that a user cannot be passed where a session is meant.
macro_rules! external_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(ExternalId);

        impl $name {
            /// The id as its owner wrote it.
            pub fn as_str(&self) -> &str {
                &self.0.0
            }

            /// The id as one segment of a key: percent-encoded, never `.`, `..` or empty.
            pub fn to_segment(&self) -> String {
                encode_segment(&self.0.0)
            }

            /// Reads a segment back. Only what [`Self::to_segment`] writes is accepted, so that one id
            /// has one segment.
            pub fn from_segment(segment: &str) -> Result<Self, Invalid> {
                let malformed = || Invalid::new("is not a percent-encoded id");
                let text = percent_decode_str(segment).decode_utf8().map_err(|_| malformed())?;
                let id: Self = text.parse()?;
                if id.to_segment() == segment { Ok(id) } else { Err(malformed()) }
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                ExternalId::parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.as_str())
            }
        }

        serde_as_text!($name);
    };
}

external_id!(
    /// A tenant: nothing of one sandbox can be seen from another.
    SandboxId
);
external_id!(
    /// A session: the boundary around ephemeral artifacts.
    SessionId
);
external_id!(
    /// A user: the owner of persistent artifacts.
    UserId
);

impl SessionId {
    /// The id of a default session: `sess-{user}-{unix time}-{8 hex}`. A user id too long to fit is
    /// cut; the last part keeps the whole unique.
    pub fn generate(user: &UserId, now: Timestamp, random: u32) -> Self {
        let tail = format!("-{}-{random:08x}", now.as_seconds());
        let room = MAX_ENCODED_ID_BYTES - "sess-".len() - tail.len();
        let mut name = String::new();
        let mut used = 0;
        for character in user.as_str().chars() {
            used += encode_segment(character.encode_utf8(&mut [0; 4])).len();
            if used > room {
                break;
            }
            name.push(character);
        }
        Self(ExternalId(format!("sess-{name}{tail}").into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> UserId {
        text.parse().unwrap()
    }

    #[test]
    fn an_artifact_id_carries_its_time_and_sorts_by_it() {
        let early = ArtifactId::new(Timestamp::from_millis(1_000), [0xff; 10]);
        let late = ArtifactId::new(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
    }

    #[test]
    fn an_artifact_id_has_one_spelling() {
        for text in ["", "x", "0192", "0192f0c1-2345-7abc-8def-0123456789ab", "0192F0C123457ABC8DEF0123456789AB"] {
            assert!(text.parse::<ArtifactId>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_cannot_leave_its_segment() {
        for text in ["auth0|42", "a/b", "..", ".", "...", "%2f", "a%2Fb", "müller", "名前", "a b", "~x", "a.b"] {
            let id = user(text);
            let segment = id.to_segment();
            assert!(!segment.contains('/') && segment != "." && segment != "..", "{segment}");
            assert_eq!(UserId::from_segment(&segment), Ok(id));
        }
    }

    #[test]
    fn a_segment_has_one_spelling() {
        for segment in ["", "..", "a/b", "%61", "%2f", "%zz", "a b", "%FF"] {
            assert!(UserId::from_segment(segment).is_err(), "{segment}");
        }
    }

    #[test]
    fn ids_are_refused_when_empty_too_long_or_with_control_characters() {
        for text in ["", "a\0b", "a\nb", &"x".repeat(256), &"é".repeat(43)] {
            assert!(text.parse::<UserId>().is_err(), "{text:?}");
        }
        assert!("x".repeat(255).parse::<UserId>().is_ok());
    }

    #[test]
    fn a_generated_session_id_is_valid_for_every_user() {
        let now = Timestamp::from_millis(1_767_225_600_000);
        let id = SessionId::generate(&user("alice"), now, 0xbeef);
        assert_eq!(id.as_str(), "sess-alice-1767225600-0000beef");
        for name in ["x".repeat(255), "é".repeat(42), "..".to_owned()] {
            let id = SessionId::generate(&user(&name), now, 1);
            assert_eq!(id.as_str().parse(), Ok(id));
        }
    }
}
