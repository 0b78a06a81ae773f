//! The log: to standard error, for people or for programs. It never decides whether requests are answered.

mod json;
mod outlet;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use self::json::{JsonFields, JsonLine};
pub use self::outlet::Outlet;
use crate::config::{LogFormat, LoggingConfig};

/// At the end, what was logged last gets so long to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The log of this process. Dropping it waits for what was logged last, but not long.
pub struct Log(Outlet);

impl Log {
    /// Where the lines go.
    pub fn outlet(&self) -> Outlet {
        self.0.clone()
    }

    /// Adds the figures of the log.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Lines of the log that could not be written, or not fast enough";
        registry.register("log_lines_dropped", help, self.0.dropped().clone());
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush(FLUSH_TIMEOUT);
    }
}

/// Starts the log. What was started before goes on.
pub fn start(config: &LoggingConfig) -> Log {
    let outlet = Outlet::to(standard_error());
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // What goes wrong with a line must not be printed past the outlet.
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(outlet.clone()).log_internal_errors(false);
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
    log_panics();
    Log(outlet)
}

/// Standard error without the lock of the standard library, which would stay taken while a write hangs.
fn standard_error() -> Box<dyn Write + Send> {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(File::from(descriptor)),
        Err(_) => Box::new(io::stderr()),
    }
}

/// Panics are logged like everything else: printed, as is usual, they would wait for whoever reads standard error.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("without a text");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(location, thread, backtrace, "panicked: {message}");
    }));
}
