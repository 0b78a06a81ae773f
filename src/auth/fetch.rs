//! Reads a JSON Web Key Set from where it is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::{Action, Attempt, Policy};
use tokio::io::AsyncReadExt;
use url::Url;

use super::error::KeyError;
use super::keys::VerifyingKey;
use crate::fault::Chain;

/// The largest key set that is read.
const MAX_BYTES: usize = 1024 * 1024;

/// How long a server may take for its answer, from the first try to connect to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;

/// Where keys come from.
pub(super) enum Source {
    Url(reqwest::Client, Url),
    File(PathBuf),
}

/// Why keys could not be read. The text shows nothing of what was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the request failed")]
    Request(#[source] reqwest::Error),
    #[error("the answer was {0}")]
    Status(reqwest::StatusCode),
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    #[error("the key set is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("it is not a JSON Web Key Set")]
    NotAKeySet,
    #[error("the key set has no key that can verify tokens")]
    NoUsableKey,
}

impl Source {
    pub(super) fn url(url: Url) -> Result<Self, KeyError> {
        let client = reqwest::Client::builder()
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(Policy::custom(redirect))
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .build();
        client
            .map(|client| Self::Url(client, url))
            .map_err(|error| KeyError::new("JWKS URL", Chain(&error).to_string()))
    }

    pub(super) async fn fetch(&self) -> Result<Vec<VerifyingKey>, FetchError> {
        let json = match self {
            Self::Url(client, url) => get(client, url).await?,
            Self::File(path) => {
                let mut json = Vec::new();
                let file = tokio::fs::File::open(path).await.map_err(FetchError::File)?;
                file.take(MAX_BYTES as u64 + 1).read_to_end(&mut json).await.map_err(FetchError::File)?;
                json
            }
        };
        parse(&json)
    }
}

/// Reads the key set in a file at start, when there is nobody to keep waiting.
pub(super) fn read_file(path: &Path) -> Result<Vec<VerifyingKey>, FetchError> {
    parse(&std::fs::read(path).map_err(FetchError::File)?)
}

fn parse(json: &[u8]) -> Result<Vec<VerifyingKey>, FetchError> {
    if json.len() > MAX_BYTES {
        return Err(FetchError::TooLarge);
    }
    match VerifyingKey::from_jwks(json) {
        None => Err(FetchError::NotAKeySet),
        // Rather the old keys, or an error at start, than a service that silently refuses everybody.
        Some(keys) if keys.is_empty() => Err(FetchError::NoUsableKey),
        Some(keys) => Ok(keys),
    }
}

/// Without user, password and query, which may be secret.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_, url) => write!(f, "{}{}", url.origin().ascii_serialization(), url.path()),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

async fn get(client: &reqwest::Client, url: &Url) -> Result<Vec<u8>, FetchError> {
    let failed = |error: reqwest::Error| FetchError::Request(error.without_url());
    let mut response = client.get(url.clone()).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn redirect(attempt: Attempt<'_>) -> Action {
    match check_redirect(attempt.previous(), attempt.url()) {
        Ok(()) => attempt.follow(),
        Err(reason) => attempt.error(reason),
    }
}

/// A redirect must not lead from https to http, nor anywhere else than to a web server.
fn check_redirect(previous: &[Url], next: &Url) -> Result<(), &'static str> {
    if previous.iter().any(|url| url.scheme() != next.scheme()) {
        Err("redirect to another scheme")
    } else if previous.len() > MAX_REDIRECTS {
        Err("too many redirects")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_their_scheme_and_end() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let secure = url("https://issuer.example/jwks");
        assert_eq!(check_redirect(std::slice::from_ref(&secure), &url("https://other.example/jwks")), Ok(()));
        for next in ["http://issuer.example/jwks", "ftp://issuer.example/jwks", "file:///etc/passwd"] {
            assert_eq!(check_redirect(std::slice::from_ref(&secure), &url(next)), Err("redirect to another scheme"));
        }
        assert_eq!(check_redirect(&vec![secure.clone(); 5], &secure), Ok(()));
        assert_eq!(check_redirect(&vec![secure.clone(); 6], &secure), Err("too many redirects"));
    }
}
