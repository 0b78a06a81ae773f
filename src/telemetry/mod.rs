//! The log: to standard error, for people or for programs.

mod json;

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use self::json::{JsonFields, JsonLine};
use crate::config::{LogFormat, LoggingConfig};

/// Starts the log. Does nothing when there is one already.
pub fn start(config: &LoggingConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let human = match config.format {
        Some(format) => format == LogFormat::Human,
        None => io::stderr().is_terminal(),
    };
    // An error means that a log was started before: it goes on.
    let _ = if human {
        subscriber.with_ansi(io::stderr().is_terminal()).with_target(false).try_init()
    } else {
        subscriber.fmt_fields(JsonFields).event_format(JsonLine).try_init()
    };
}
