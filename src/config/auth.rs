//! Who may call: keys of tokens and what their claims are named.

use std::path::PathBuf;

use super::parse::{self, Expected, ServiceUrl};
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};
use crate::domain::id::SandboxId;
use crate::secret::Secret;

settings! { "Callers":
    SECRET = Setting::new("AUTH_JWT_SECRET", Default::Described("generated, when listening on loopback only"),
        "Secrets of tokens signed with HS256, HS384 or HS512: at least 32 bytes each, comma-separated for rotation. \
         The first signs what the command line mints.").secret();
    // Not printed, because somebody may give a private key by mistake.
    PUBLIC_KEY = Setting::new("AUTH_JWT_PUBLIC_KEY", Default::Described("none"),
        "Public keys or certificates as PEM text (RSA, EC P-256 or P-384, Ed25519); \
         \\n may stand for a line break.").secret();
    PUBLIC_KEY_FILE = Setting::new("AUTH_JWT_PUBLIC_KEY_FILE", Default::Described("none"),
        "Path of a PEM file with public keys or certificates.");
    JWKS_URL = Setting::new("AUTH_JWKS_URL", Default::Described("none"),
        "URL of a JSON Web Key Set, fetched when first needed and again when keys change.").url();
    JWKS_FILE = Setting::new("AUTH_JWKS_FILE", Default::Described("none"),
        "Path of a file with a JSON Web Key Set.");
    ISSUER = Setting::new("AUTH_ISSUER", Default::Described("not checked"),
        "Accepted values of the claim iss, comma-separated.");
    AUDIENCE = Setting::new("AUTH_AUDIENCE", Default::Described("not checked"),
        "Accepted values of the claim aud, comma-separated.");
    CLAIM_USER = Setting::new("AUTH_CLAIM_USER", Default::Value("sub"),
        "Claim with the user's id. Dots reach into objects, here and below.");
    CLAIM_SESSION = Setting::new("AUTH_CLAIM_SESSION", Default::Value("sid"),
        "Claim with the session's id. With the default, session_id is read too.");
    CLAIM_SANDBOX = Setting::new("AUTH_CLAIM_SANDBOX", Default::Value("sandbox"),
        "Claim with the sandbox's id.");
    SANDBOX = Setting::new("ARTIFACT_SANDBOX_ID", Default::Value("default"),
        "Sandbox of tokens that name none.");
    LEEWAY = Setting::new("AUTH_LEEWAY_SECONDS", Default::Value("30"),
        "How far the clocks of this service and of the tokens' issuer may differ.");
}

/// Claims that are times and cannot be an identity.
const TIMES: [&str; 3] = ["exp", "nbf", "iat"];

/// Keys and claims of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// HMAC secrets; the first one signs.
    pub secrets: Vec<Secret>,
    /// Public keys or certificates, as PEM text.
    pub public_key: Option<String>,
    /// A file with public keys or certificates.
    pub public_key_file: Option<PathBuf>,
    /// Where a JSON Web Key Set is served.
    pub jwks_url: Option<ServiceUrl>,
    /// A file with a JSON Web Key Set.
    pub jwks_file: Option<PathBuf>,
    /// Accepted issuers; not checked when empty.
    pub issuers: Vec<String>,
    /// Accepted audiences; not checked when empty.
    pub audiences: Vec<String>,
    /// The claim with the user's id.
    pub claim_user: String,
    /// The claim with the session's id.
    pub claim_session: String,
    /// The claim with the sandbox's id.
    pub claim_sandbox: String,
    /// The sandbox of tokens that name none.
    pub sandbox: SandboxId,
    /// By how many seconds clocks may differ.
    pub leeway_seconds: u32,
}

impl AuthConfig {
    pub(super) fn read(values: &mut Values) -> Result<Self, Reported> {
        let secrets = values.list(&SECRET, parse::hmac_secret);
        let public_key = values.optional(&PUBLIC_KEY, pem);
        let public_key_file = values.optional(&PUBLIC_KEY_FILE, parse::path);
        let jwks_url = values.optional(&JWKS_URL, parse::http_url);
        let jwks_file = values.optional(&JWKS_FILE, parse::path);
        let issuers = values.list(&ISSUER, parse::text);
        let audiences = values.list(&AUDIENCE, parse::text);
        let claim_user = values.required(&CLAIM_USER, claim);
        let claim_session = values.required(&CLAIM_SESSION, claim);
        let claim_sandbox = values.required(&CLAIM_SANDBOX, claim);
        let sandbox = values.required(&SANDBOX, parse::sandbox);
        let leeway = values.required(&LEEWAY, parse::seconds);

        Ok(Self {
            secrets: secrets?,
            public_key: public_key?,
            public_key_file: public_key_file?,
            jwks_url: jwks_url?,
            jwks_file: jwks_file?,
            issuers: issuers?,
            audiences: audiences?,
            claim_user: claim_user?,
            claim_session: claim_session?,
            claim_sandbox: claim_sandbox?,
            sandbox: sandbox?,
            leeway_seconds: leeway?,
        })
    }

    /// Whether an issuer's tokens are taken without asking whom they are meant for.
    pub fn takes_tokens_of_others(&self) -> bool {
        let public = self.public_key.is_some() || self.public_key_file.is_some();
        let issued = public || self.jwks_url.is_some() || self.jwks_file.is_some();
        issued && self.audiences.is_empty()
    }

    /// Whether there is any key to verify tokens with.
    pub fn is_configured(&self) -> bool {
        !self.secrets.is_empty()
            || self.public_key.is_some()
            || self.public_key_file.is_some()
            || self.jwks_url.is_some()
            || self.jwks_file.is_some()
    }
}

/// PEM text; many tools pass it in one line with `\n` written out.
fn pem(text: &str) -> Result<String, Expected> {
    let text = text.replace("\\n", "\n");
    if text.contains("PRIVATE KEY-----") {
        return Err("a public key or a certificate, not a private key");
    }
    if text.contains("-----BEGIN ") { Ok(text) } else { Err("PEM text that begins with -----BEGIN") }
}

fn claim(text: &str) -> Result<String, Expected> {
    if TIMES.contains(&text) || text.split('.').any(str::is_empty) {
        return Err("the name of a claim that can hold an id, such as sub or app.user");
    }
    Ok(text.to_owned())
}
