//! From text to typed values. A parser that refuses says what it expected, to complete "expected …".

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::setting::printable_url;
use crate::domain::id::SandboxId;
use crate::domain::ttl::Ttl;
use crate::secret::Secret;

/// What a parser would have accepted.
pub(super) type Expected = &'static str;

/// A URL that prints without its user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceUrl(Url);

impl ServiceUrl {
    /// The whole URL, with user and password.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable_url(&self.0))
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

pub(super) fn text(text: &str) -> Result<String, Expected> {
    Ok(text.to_owned())
}

pub(super) fn secret(text: &str) -> Result<Secret, Expected> {
    Ok(Secret::from(text.to_owned()))
}

/// A secret for HMAC: RFC 7518 asks for as many bytes as the hash has, and SHA-256 has 32.
pub(super) fn hmac_secret(text: &str) -> Result<Secret, Expected> {
    if text.len() < 32 { Err("at least 32 bytes") } else { secret(text) }
}

pub(super) fn path(text: &str) -> Result<PathBuf, Expected> {
    Ok(PathBuf::from(text))
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Expected> {
    text.parse().map_err(|_| "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080")
}

pub(super) fn boolean(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false"),
    }
}

/// A number of things, at least one.
pub(super) fn count(text: &str) -> Result<u32, Expected> {
    text.parse().ok().filter(|n| *n > 0).ok_or("a whole number from 1 to 4294967295")
}

/// A number of seconds that may be zero.
pub(super) fn seconds(text: &str) -> Result<u32, Expected> {
    text.parse().map_err(|_| "a whole number of seconds")
}

/// A number of seconds, at least one.
pub(super) fn interval(text: &str) -> Result<Duration, Expected> {
    let seconds: u32 = text.parse().ok().filter(|n| *n > 0).ok_or("a whole number of seconds, at least 1")?;
    Ok(Duration::from_secs(seconds.into()))
}

pub(super) fn ttl(text: &str) -> Result<Ttl, Expected> {
    let seconds: Option<u64> = text.parse().ok();
    seconds.and_then(|n| Ttl::try_from(n).ok()).ok_or("a whole number of seconds from 1 to 3153600000 (100 years)")
}

/// A number of bytes, at least one, with or without a unit.
pub(super) fn bytes(text: &str) -> Result<u64, Expected> {
    const EXPECTED: Expected = "a number of bytes of at least 1, such as 1048576, 64 KiB, 5 GiB or 10 MB";
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(EXPECTED),
    };
    let number: Option<u64> = number.parse().ok();
    number.and_then(|n| n.checked_mul(factor)).filter(|n| *n > 0).ok_or(EXPECTED)
}

pub(super) fn sandbox(text: &str) -> Result<SandboxId, Expected> {
    text.parse().map_err(|_| "an id without control characters, at most 255 bytes long when percent-encoded")
}

pub(super) fn http_url(text: &str) -> Result<ServiceUrl, Expected> {
    url(text, &["http", "https"]).ok_or("a URL that starts with http:// or https://")
}

pub(super) fn redis_url(text: &str) -> Result<ServiceUrl, Expected> {
    url(text, &["redis", "rediss"]).ok_or("a URL that starts with redis:// or rediss://")
}

fn url(text: &str, schemes: &[&str]) -> Option<ServiceUrl> {
    let url = Url::parse(text).ok()?;
    (schemes.contains(&url.scheme()) && url.has_host()).then_some(ServiceUrl(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, expected) in [
            ("1", Some(1)),
            ("64KiB", Some(65_536)),
            ("64 KiB", Some(65_536)),
            ("16 mib", Some(16 << 20)),
            ("5 GiB", Some(5 << 30)),
            ("5TiB", Some(5 << 40)),
            ("10 kB", Some(10_000)),
            ("3MB", Some(3_000_000)),
            ("1 GB", Some(1_000_000_000)),
            ("2 TB", Some(2_000_000_000_000)),
            ("7 B", Some(7)),
            ("0", None),
            ("", None),
            ("-1", None),
            ("1.5 GiB", None),
            ("GiB", None),
            ("5 GiB extra", None),
            ("20000000 TiB", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn booleans_have_the_usual_spellings() {
        for text in ["true", "TRUE", "1", "yes", "on"] {
            assert_eq!(boolean(text), Ok(true), "{text}");
        }
        for text in ["false", "0", "no", "Off"] {
            assert_eq!(boolean(text), Ok(false), "{text}");
        }
        assert!(boolean("2").is_err());
    }

    #[test]
    fn urls_have_a_scheme_and_a_host() {
        for text in ["localhost:9000", "s3.example.com", "ftp://host", "http://", "/jwks"] {
            assert!(http_url(text).is_err(), "{text}");
        }
        assert!(redis_url("http://host").is_err() && redis_url("rediss://user:pass@host:6380/1").is_ok());
    }

    #[test]
    fn a_url_prints_without_its_password() {
        let url = redis_url("redis://user:hunter2@host:6379/1").unwrap();
        assert_eq!(format!("{url} {url:?}"), "redis://***@host:6379/1 redis://***@host:6379/1");
        assert_eq!(url.expose().password(), Some("hunter2"));
    }
}
