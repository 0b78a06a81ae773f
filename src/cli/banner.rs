//! What a person sees who starts the service.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::auth::{AuthOptions, TokenRequest, mint};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, MetadataConfig, StorageConfig, StorageConfigs};
use crate::domain::scope::Scope;
use crate::domain::ttl::Ttl;

/// The user of the token in the banner, and how long it is valid.
const USER: &str = "dev";
const TOKEN_SECONDS: u64 = 86_400;

/// The address, the documentation, the providers; and, with a generated secret, a token and a first
/// request with it.
pub(super) fn text(config: &Config, auth: &AuthOptions, address: SocketAddr) -> String {
    let url = format!("http://{}", reachable(address));
    let mut text = format!(
        "artifactd {} listens on {address}\n\n  documentation  {url}/docs\n  bytes          {}\n  records        {}\n",
        env!("CARGO_PKG_VERSION"),
        storages(&config.storage),
        metadata(&config.metadata)
    );
    if config.auth_is_configured() {
        return text;
    }
    if let Some(token) = development_token(auth) {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\nNo key for tokens is configured: a generated secret in {} is used, and only this machine can connect.\n\
             Store a file as the user {USER}, with a token that is valid for {} hours:\n\n  \
             curl -H 'Authorization: Bearer {token}' \\\n       \
             -H 'Content-Type: text/plain' --data-binary 'Hello, world!' \\\n       \
             '{url}/v1/artifacts?filename=hello.txt&scope=user'\n",
            config.server.data_dir.display(),
            TOKEN_SECONDS / 3600
        );
    }
    text
}

/// Where programs on this machine find a server that listens on `address`.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn development_token(auth: &AuthOptions) -> Option<String> {
    let request = TokenRequest {
        user: USER.parse().ok(),
        session: None,
        sandbox: None,
        admin: false,
        ttl: Ttl::try_from(TOKEN_SECONDS).ok()?,
        issuer: None,
        audience: None,
    };
    mint(auth, &request, SystemClock.now()).ok()
}

/// The provider, or which one each scope has.
fn storages(configs: &StorageConfigs) -> String {
    let storage = |config: &StorageConfig| match &configs.prefix {
        None => storage(config),
        Some(prefix) => format!("{}, below {prefix}/", storage(config)),
    };
    match configs.distinct().as_slice() {
        [(only, _)] => storage(only),
        several => {
            let line = |(config, scopes): &(&StorageConfig, Vec<Scope>)| {
                let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
                format!("{} ({})", storage(config), scopes.join(", "))
            };
            several.iter().map(line).collect::<Vec<_>>().join("\n                 ")
        }
    }
}

fn storage(config: &StorageConfig) -> String {
    match config {
        StorageConfig::Memory => "memory: lost when the service stops".to_owned(),
        StorageConfig::Filesystem { root } => format!("filesystem: {}", root.display()),
        StorageConfig::Sqlite { path } => format!("sqlite: {}", path.display()),
        StorageConfig::S3(config) => format!("s3: bucket {}", config.bucket),
        StorageConfig::IbmCos(config) => format!("ibm_cos: bucket {}", config.bucket),
    }
}

fn metadata(config: &MetadataConfig) -> String {
    match config {
        MetadataConfig::Memory => "memory: lost when the service stops".to_owned(),
        MetadataConfig::Sqlite { path } => format!("sqlite: {}", path.display()),
        MetadataConfig::Redis { prefix, .. } => format!("redis: keys begin with {prefix}"),
    }
}
