//! The command line: `serve` (the default), `token`, `check`, `sweep`, `bucket`, `env`, `openapi`, `healthcheck`.

mod banner;
mod bucket;
mod terminal;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tracing::{error, info, warn};

use self::bucket::BucketAction;
use self::terminal::{announce, answer, complain, say};
use crate::auth::{TokenRequest, mint};
use crate::bootstrap::{self, StartError};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::Invalid;
use crate::domain::id::{SandboxId, SessionId, UserId};
use crate::domain::ttl::Ttl;
use crate::fault::Chain;
use crate::telemetry::Log;
use crate::{config, http, lifecycle, server, telemetry};

const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(4);
/// When all is done, threads of the runtime get so long to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Stores files ("artifacts") for AI apps, MCP servers, front ends and back ends.
///
/// All settings are environment variables; `artifactd env` lists them.
#[derive(Parser)]
#[command(version, about)]
struct Command {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Run the service (the default)
    Serve,
    /// Print a token, signed with the configured or generated secret
    Token(TokenArguments),
    /// Try the configuration out: write, read and delete with each provider
    Check,
    /// Remove what has expired, once
    Sweep {
        /// Also look for bytes that no record points at, older than a day, and name them. Looks at every object
        #[arg(long)]
        orphans: bool,
        /// Remove them, too. Never do that when records were lost
        #[arg(long, requires = "orphans")]
        yes: bool,
    },
    /// Prepare the bucket, with s3 and ibm_cos
    #[command(subcommand)]
    Bucket(BucketAction),
    /// Print all settings with their defaults, as an example of `.env`
    Env,
    /// Print the OpenAPI document
    Openapi,
    /// Ask the service on this machine whether it is ready
    Healthcheck,
}

#[derive(Args)]
struct TokenArguments {
    /// The user
    #[arg(long)]
    user: Option<UserId>,
    /// The session; the token is for this session only
    #[arg(long)]
    session: Option<SessionId>,
    /// The sandbox; default: the configured one
    #[arg(long)]
    sandbox: Option<SandboxId>,
    /// Allow administration
    #[arg(long)]
    admin: bool,
    /// How long it is valid: seconds, or a number with s, m, h or d
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: Ttl,
}

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let action = Command::parse().action.unwrap_or(Action::Serve);
    match action {
        Action::Openapi => return openapi(),
        Action::Env => return env(),
        _ => {}
    }
    let config = match Config::load(std::env::vars_os(), Some(Path::new(".env"))) {
        Ok(config) => config,
        Err(errors) => {
            complain!("artifactd: the configuration is not valid\n{errors}");
            return ExitCode::FAILURE;
        }
    };
    // Until all is said and done: it is dropped last.
    let log = telemetry::start(&config.logging);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(async {
        let done = match action {
            Action::Serve => serve(&config, &log).await,
            Action::Token(arguments) => return token(&config, arguments),
            Action::Check => return check(&config).await,
            Action::Sweep { orphans, yes } => return sweep(&config, orphans, yes).await,
            Action::Bucket(action) => return bucket::run(&config, action).await,
            Action::Healthcheck => return healthcheck(&config).await,
            Action::Openapi | Action::Env => Ok(()),
        };
        done.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
    });
    // What hangs in the system, such as a disk that does not answer, cannot be ended and is not waited for.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    code
}

/// Of two threads at least: what waits for a disk on one of them must not hold up all else.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let threads = std::thread::available_parallelism().map_or(2, |threads| threads.get().max(2));
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    complain!("artifactd: {}", Chain(error));
    ExitCode::FAILURE
}

async fn serve(config: &Config, log: &Log) -> Result<(), StartError> {
    // Each connection takes a file descriptor, and many systems allow few unless asked for more.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!(%error, "the limit of open files could not be raised");
    }
    let auth = bootstrap::auth_options(config)?;
    if config.auth.takes_tokens_of_others() {
        warn!("AUTH_AUDIENCE is not set: every token that the issuer of the keys signs for anyone may read and write");
    }
    let service = bootstrap::service(config).await?;
    let (router, gate) = bootstrap::router(config, service.clone(), auth.clone(), |registry| log.register(registry))?;
    let address = config.server.bind;
    let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
    let stop = lifecycle::stop_on_signals(log.outlet())?;
    let address = listener.local_addr()?;
    announce(banner::text(config, &auth, address));
    info!(%address, "listening");
    let sweeper = tokio::spawn(service.clone().sweep_every(config.limits.sweep_interval, stop.clone()));
    tokio::spawn(service.clone().try_writing_every(config.readiness.write_interval, stop.clone()));
    // Changes whose callers have gone, and the sweep under way, are waited for, too.
    let background = async move {
        service.drained().await;
        if let Err(failed) = sweeper.await {
            error!(%failed, "the sweeper had ended before its time");
        }
    };
    server::serve(listener, router, gate, stop, config.server.shutdown_grace, background).await;
    Ok(())
}

fn token(config: &Config, arguments: TokenArguments) -> ExitCode {
    let TokenArguments { user, session, sandbox, admin, ttl } = arguments;
    let request = TokenRequest { user, session, sandbox, admin, ttl, issuer: None, audience: None };
    let options = match bootstrap::auth_options(config) {
        Ok(options) => options,
        Err(error) => return failed(&error),
    };
    match mint(&options, &request, SystemClock.now()) {
        Ok(token) => answer(token),
        Err(error) => failed(&error),
    }
}

async fn check(config: &Config) -> ExitCode {
    let mut ok = true;
    let mut report = |line: Result<String, String>| {
        ok &= line.is_ok();
        say!("{}", line.unwrap_or_else(|problem| problem));
    };
    for line in config.redacted() {
        say!("{line}");
    }
    report(match bootstrap::auth_options(config).and_then(|auth| bootstrap::authenticator(auth).map(drop)) {
        Ok(()) => Ok("ok      keys of tokens".to_owned()),
        Err(error) => Err(format!("FAILED  {}", Chain(&error))),
    });
    match bootstrap::service(config).await {
        Err(error) => report(Err(format!("FAILED  {}", Chain(&error)))),
        Ok(service) => {
            for checked in service.check().await {
                let what = format!("{} ({})", checked.role, checked.provider);
                report(match checked.result {
                    Ok(took) => Ok(format!("ok      {what}: written, read and deleted in {} ms", took.as_millis())),
                    Err(fault) => Err(format!("FAILED  {what}: {}", Chain(&fault))),
                });
            }
        }
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn sweep(config: &Config, orphans: bool, yes: bool) -> ExitCode {
    let service = match bootstrap::service(config).await {
        Ok(service) => service,
        Err(error) => return failed(&error),
    };
    let now = SystemClock.now();
    let swept = service.sweep(now).await;
    say!(
        "removed {} expired artifacts, {} ended sessions, {} replaced contents, {} abandoned uploads",
        swept.artifacts,
        swept.sessions,
        swept.garbage,
        swept.abandoned
    );
    if orphans {
        let found = match service.find_orphans(now, |key| say!("orphan {key}")).await {
            Ok(found) => found,
            Err(error) => return failed(&error),
        };
        say!("{} of {} objects are orphans", found.orphans, found.objects);
        if found.objects > 0 && found.known == 0 {
            complain!(
                "artifactd: the records know none of the bytes, so these are not the right records; nothing was removed"
            );
            return ExitCode::FAILURE;
        }
        match (yes, found.orphans) {
            (_, 0) => {}
            (false, _) => say!("nothing was removed; with --yes they are"),
            (true, _) => match service.sweep_orphans(now).await {
                Ok(count) => say!("removed {count} orphans"),
                Err(error) => return failed(&error),
            },
        }
    }
    if swept.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn env() -> ExitCode {
    answer(config::env_example().trim_end_matches('\n'))
}

fn openapi() -> ExitCode {
    match http::openapi().to_pretty_json() {
        Ok(document) => answer(document),
        Err(error) => failed(&error),
    }
}

async fn healthcheck(config: &Config) -> ExitCode {
    let url = format!("http://{}/readyz", banner::reachable(config.server.bind));
    let client = reqwest::Client::builder().timeout(HEALTHCHECK_TIMEOUT).no_proxy().build();
    let answer = match client {
        Ok(client) => client.get(url).send().await.and_then(reqwest::Response::error_for_status),
        Err(error) => Err(error),
    };
    answer.map_or_else(|error| failed(&error), |_| ExitCode::SUCCESS)
}

/// `90`, `90s`, `15m`, `1h` or `7d`.
fn duration(text: &str) -> Result<Ttl, Invalid> {
    let (number, unit) = match text.char_indices().last() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 3_600),
        Some((end, 'd')) => (&text[..end], 86_400),
        _ => (text, 1),
    };
    let number: u64 = number.parse().map_err(|_| Invalid::new("must be a number with s, m, h or d, such as 15m"))?;
    Ttl::try_from(number.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let seconds = |text| duration(text).map(Ttl::as_seconds).ok();
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("15m"), Some(900));
        assert_eq!(seconds("1h"), Some(3_600));
        assert_eq!(seconds("7d"), Some(604_800));
        for text in ["", "h", "0", "-1h", "1.5h", "1w", "99999999999999999999d"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
