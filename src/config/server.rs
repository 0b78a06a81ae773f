//! Where the server listens and what browsers may do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::parse::{self, Expected, ServiceUrl};
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};

settings! { "Server":
    CONFIG_FILE = Setting::new("ARTIFACTD_CONFIG", Default::Described("none"),
        "Path of a TOML file with these settings, their names in lower case.");
    BIND = Setting::new("ARTIFACTD_BIND", Default::Value("127.0.0.1:8080"),
        "IP address and port to listen on. Port 0 picks a free one and prints it. \
         Other than loopback needs a key for tokens.");
    DATA_DIR = Setting::new("ARTIFACTD_DATA_DIR", Default::Value("./data"),
        "Folder for embedded bytes and records and for generated secrets.");
    PUBLIC_URL = Setting::new("ARTIFACTD_PUBLIC_URL", Default::Described("none; Location is a path then"),
        "URL under which clients reach the service: the base of Location.").url();
    CORS = Setting::new("CORS_ALLOWED_ORIGINS", Default::Described("none"),
        "Origins whose pages may call the service, comma-separated; * allows all.");
    GRACE = Setting::new("SHUTDOWN_GRACE_SECONDS", Default::Value("30"),
        "How long running requests may take to end when the service stops.");
}

/// Read by the sources, before any section is.
pub(super) const CONFIG_FILE_SETTING: Setting = CONFIG_FILE;

/// Checked again when it is known whether tokens can be verified.
pub(super) const BIND_SETTING: Setting = BIND;

/// The server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where to listen; port 0 picks a free port.
    pub bind: SocketAddr,
    /// The folder of everything embedded.
    pub data_dir: PathBuf,
    /// The base of URLs that are handed out; `None`: as the request named the host.
    pub public_url: Option<ServiceUrl>,
    /// Who may call from a browser.
    pub cors: CorsOrigins,
    /// How long running requests may take to end on shutdown.
    pub shutdown_grace: Duration,
}

/// The origins that may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// These, as browsers write them; none when empty.
    Only(Vec<String>),
    /// Every origin.
    Any,
}

impl ServerConfig {
    pub(super) fn read(values: &mut Values) -> Result<Self, Reported> {
        // Only noted for the listing: by now the file has been read.
        let _ = values.optional(&CONFIG_FILE, parse::path);
        let bind = values.required(&BIND, parse::address);
        let data_dir = values.required(&DATA_DIR, parse::path);
        let public_url = values.optional(&PUBLIC_URL, base_url);
        let cors = values.list(&CORS, origin).and_then(|origins| match origins.as_slice() {
            [only] if only == "*" => Ok(CorsOrigins::Any),
            several if several.iter().any(|origin| origin == "*") => {
                Err(values.reject(&CORS, "* stands for all origins and must be the only item"))
            }
            _ => Ok(CorsOrigins::Only(origins)),
        });
        let grace = values.required(&GRACE, parse::seconds);
        Ok(Self {
            bind: bind?,
            data_dir: data_dir?,
            public_url: public_url?,
            cors: cors?,
            shutdown_grace: Duration::from_secs(grace?.into()),
        })
    }

    /// Whether only programs on this machine can connect.
    pub fn is_loopback(&self) -> bool {
        self.bind.ip().to_canonical().is_loopback()
    }
}

fn base_url(text: &str) -> Result<ServiceUrl, Expected> {
    let url = parse::http_url(text)?;
    let extra = url.expose().query().is_some() || url.expose().fragment().is_some();
    if extra { Err("a URL without query and fragment") } else { Ok(url) }
}

/// An origin, written as browsers do.
fn origin(text: &str) -> Result<String, Expected> {
    const EXPECTED: Expected = "* or an origin such as https://app.example.com";
    if text == "*" {
        return Ok(text.to_owned());
    }
    let url = Url::parse(text).map_err(|_| EXPECTED)?;
    let origin = url.origin();
    let bare = url.path().len() <= 1 && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if origin.is_tuple() && bare { Ok(origin.ascii_serialization()) } else { Err(EXPECTED) }
}
