//! Where a bucket is that is not where it was looked for. Nobody follows there by themselves: a request is signed for
//! one region and one host. So the operator is told.

use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;

/// The longest name of a region or host that is repeated.
const MAX_NAME: usize = 255;

/// What a refusal says of the place of the bucket.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Elsewhere {
    region: Option<String>,
    endpoint: Option<String>,
}

impl Elsewhere {
    /// What the answer says, if it is one to a request that came to the wrong place.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>, status: u16, code: &str) -> Self {
        let is_redirect = matches!(status, 300..400);
        let Some(response) = error.raw_response() else { return Self::default() };
        if !is_redirect && !matches!(code, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") {
            return Self::default();
        }
        let header = |name: &str| response.headers().get(name);
        let body = response.body().bytes().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
        let region = header("x-amz-bucket-region").or_else(|| element(body, "Region"));
        let endpoint = element(body, "Endpoint").or_else(|| header("location"));
        Self { region: region.and_then(name), endpoint: endpoint.and_then(host).and_then(name) }
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(region) = &self.region {
            write!(f, "; the bucket is in the region {region}: set AWS_REGION")?;
        }
        if let Some(endpoint) = &self.endpoint {
            write!(f, "; it is to be asked for at {endpoint}: see S3_ENDPOINT_URL")?;
        }
        Ok(())
    }
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}

/// The host of a URL, or what is one already: the path may hold keys, the query a signature.
fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next()
}

/// What may be a name, and not whatever a server likes to see in the log.
fn name(text: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    ((1..=MAX_NAME).contains(&text.len()) && text.chars().all(legal)).then(|| text.to_owned())
}
