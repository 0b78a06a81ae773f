//! What is logged and how.

use tracing_subscriber::EnvFilter;

use super::parse::Expected;
use super::setting::{Default, Setting, settings};
use super::values::{Reported, Values};

settings! { "Logging":
    FORMAT = Setting::new("LOG_FORMAT", Default::Described("human on a terminal, else json"),
        "Form of the log: human or json.");
    FILTER = Setting::new("RUST_LOG", Default::Value("info"),
        "What is logged: error, warn, info, debug or trace, also by module, such as info,artifactd=debug.");
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingConfig {
    /// The form; `None`: human on a terminal, else JSON.
    pub format: Option<LogFormat>,
    /// What is logged, as directives of `tracing-subscriber`'s `EnvFilter`.
    pub filter: String,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object per line.
    Json,
}

impl LoggingConfig {
    pub(super) fn read(values: &mut Values) -> Result<Self, Reported> {
        let format = values.optional(&FORMAT, format);
        let filter = values.required(&FILTER, filter);
        Ok(Self { format: format?, filter: filter? })
    }
}

fn format(text: &str) -> Result<LogFormat, Expected> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err("human or json"),
    }
}

fn filter(text: &str) -> Result<String, Expected> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("levels such as info or info,artifactd=debug"),
    }
}
