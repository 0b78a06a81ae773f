//! The way to the server: a pool of connections, deadlines, and what an error means.
//!
//! The server, or something on the way to it, may have closed a connection since its last use. A read
//! is simply sent again then, over another connection. A change may not run twice, so it is sent only
//! over one that has just answered a ping.
//!
//! All of that together has one deadline. A server that hangs is as good as one that is away.

use std::time::{Duration, Instant};

use deadpool::managed::{self, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult};
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    RedisResult, ServerError, ServerErrorKind, Value, cmd, from_redis_value,
};
use tokio::time::timeout;

use super::NAME;
use super::scripts::Script;
use crate::fault::{Cause, Fault, FaultKind, Fullness};
use crate::patience::{Late, within};

/// Enough to keep one Redis busy, and few enough for many instances of the service to share it.
const CONNECTIONS: usize = 32;

/// What a server says that will be able to answer later.
const TRANSIENT_CODES: &[&str] =
    &["BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "READONLY", "TRYAGAIN"];

/// What a server says that has reached `maxmemory` and may evict nothing.
const FULL_CODE: &str = "OOM";

/// For how long a connection that has answered is good for a read. One that has died without a sign is
/// found out by a ping, before it costs a read its deadline.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Lends connections.
pub(super) struct Connector {
    pool: Pool<Manager>,
    /// For an operation as a whole.
    deadline: Duration,
    fullness: Fullness,
}

/// Makes connections. Whether one still works is for the connector to find out.
struct Manager(deadpool_redis::Manager);

/// A connection, and what is known of it.
struct Link {
    connection: MultiplexedConnection,
    answered_at: Instant,
    is_broken: bool,
}

impl managed::Manager for Manager {
    type Type = Link;
    type Error = RedisError;

    async fn create(&self) -> Result<Link, RedisError> {
        let connection = self.0.create().await?;
        Ok(Link { connection, answered_at: Instant::now(), is_broken: false })
    }

    async fn recycle(&self, link: &mut Link, _: &managed::Metrics) -> RecycleResult<RedisError> {
        if link.is_broken { Err(RecycleError::message("it broke")) } else { Ok(()) }
    }
}

impl Connector {
    /// Reads the URL. Neither this nor an error's text repeats it: it may hold a password. Every operation has an
    /// outcome within `deadline`.
    pub(super) fn new(url: &str, deadline: Duration) -> Result<Self, Fault> {
        const OPERATION: &str = "reading the URL";
        let info = url.into_connection_info().map_err(|error| fault(OPERATION, error))?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            choose_crypto_provider();
        }
        // Half of it, so that an answer that does not come spoils its connection before the operation is over.
        let step = Some(deadline / 2);
        let config = AsyncConnectionConfig::new().set_connection_timeout(step).set_response_timeout(step);
        let manager =
            deadpool_redis::Manager::new_with_config(info, config).map_err(|error| fault(OPERATION, error))?;
        // The last one back goes out first: what is in use stays trusted, the others rest.
        let pool = Pool::builder(Manager(manager)).max_size(CONNECTIONS).queue_mode(QueueMode::Lifo).build();
        let pool = pool.map_err(|error| Fault::broken(NAME, "preparing the connections", error))?;
        Ok(Self { pool, deadline, fullness: Fullness::default() })
    }

    /// Whether the server has lately refused something for lack of room.
    pub(super) fn fullness(&self) -> &Fullness {
        &self.fullness
    }

    /// Sends commands that may run twice in one go and reads their replies. A server runs them in their
    /// order; other clients' commands may come between.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        operation: &'static str,
        commands: &Pipeline,
    ) -> Result<T, Fault> {
        if commands.is_empty() {
            return from_redis_value(Value::Array(Vec::new())).map_err(|error| fault(operation, error.into()));
        }
        within(self.deadline, (NAME, operation), self.run_and_again(operation, commands)).await
    }

    async fn run_and_again<T: FromRedisValue>(&self, operation: &'static str, commands: &Pipeline) -> Result<T, Fault> {
        let mut link = self.lend(operation, TRUSTED_FOR).await?;
        let mut reply = self.send(&mut link, commands).await;
        if reply.as_ref().is_err_and(RedisError::is_connection_dropped) {
            drop(link);
            link = self.lend(operation, Duration::ZERO).await?;
            reply = self.send(&mut link, commands).await;
        }
        reply.map_err(|error| self.fault(operation, error))
    }

    /// Runs a script, once.
    pub(super) async fn run_script(
        &self,
        operation: &'static str,
        script: &Script,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<i64, Fault> {
        within(self.deadline, (NAME, operation), self.run_once(operation, script, keys, args)).await
    }

    async fn run_once(
        &self,
        operation: &'static str,
        script: &Script,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<i64, Fault> {
        let mut link = self.lend(operation, Duration::ZERO).await?;
        let mut commands = Pipeline::new();
        commands.add_command(script.by_hash(keys, args));
        let mut reply = self.send(&mut link, &commands).await;
        if let Err(error) = &reply
            && error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
        {
            commands.clear();
            commands.add_command(script.by_source(keys, args));
            reply = self.send(&mut link, &commands).await;
        }
        let (value,): (i64,) = reply.map_err(|error| self.fault(operation, error))?;
        Ok(value)
    }

    /// A connection that is new, or answered in the last `trusted_for`, or has just answered a ping.
    async fn lend(&self, operation: &'static str, trusted_for: Duration) -> Result<Object<Manager>, Fault> {
        let lend = async {
            loop {
                let mut link = self.pool.get().await?;
                let is_new = Object::metrics(&link).recycle_count == 0;
                if is_new || link.answered_at.elapsed() < trusted_for || self.ping(&mut link).await {
                    return Ok(link);
                }
            }
        };
        match timeout(self.step(), lend).await {
            Ok(Ok(link)) => Ok(link),
            Ok(Err(PoolError::Backend(error))) => Err(self.fault(operation, error)),
            Ok(Err(error)) => Err(Fault::broken(NAME, operation, error)),
            // The pool is exhausted, or the server neither accepts nor refuses.
            Err(_) => Err(Fault::unavailable(NAME, operation, Late)),
        }
    }

    /// Whether the connection answers. It gets a part of the deadline, to leave time for another one.
    async fn ping(&self, link: &mut Link) -> bool {
        let mut ping = Pipeline::new();
        ping.add_command(cmd("PING"));
        let answers = matches!(timeout(self.deadline / 10, self.send::<()>(link, &ping)).await, Ok(Ok(())));
        if !answers {
            self.give_up(link);
        }
        answers
    }

    async fn send<T: FromRedisValue>(&self, link: &mut Link, commands: &Pipeline) -> RedisResult<T> {
        let reply = commands.query_async(&mut link.connection).await;
        match &reply {
            Err(error) if error.is_io_error() => self.give_up(link),
            _ => link.answered_at = Instant::now(),
        }
        reply
    }

    /// The time for one of the steps of an operation: to get a connection, to get an answer.
    fn step(&self) -> Duration {
        self.deadline / 2
    }

    fn fault(&self, operation: &'static str, error: RedisError) -> Fault {
        if error.is_timeout() {
            return Fault::unavailable(NAME, operation, Late);
        }
        self.fullness.noting(fault(operation, error))
    }

    /// Sees to it that this connection is not used again, nor any that now waits for its use: what broke
    /// one may have broken them all.
    fn give_up(&self, link: &mut Link) {
        link.is_broken = true;
        drop(self.pool.retain(|_, _| false));
    }
}

/// Picks the implementation of cryptography for TLS, unless that was done. Without, rustls panics as
/// soon as it is compiled with more than one.
fn choose_crypto_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error says that another thread has just done it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}

pub(super) fn fault(operation: &'static str, error: RedisError) -> Fault {
    let kind = if is_full(&error) {
        FaultKind::Full
    } else if is_transient(&error) {
        FaultKind::Unavailable
    } else {
        FaultKind::Broken
    };
    Fault { provider: NAME, operation, kind, source: Cause::from(error) }
}

fn is_transient(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel => true,
        _ => error.clone().into_server_errors().is_some_and(|errors| errors.iter().all(|(_, error)| is_busy(error))),
    }
}

fn is_full(error: &RedisError) -> bool {
    error.clone().into_server_errors().is_some_and(|errors| errors.iter().any(|(_, error)| code_of(error) == FULL_CODE))
}

fn is_busy(error: &ServerError) -> bool {
    let full = error.details().is_some_and(|details| details.starts_with("max number of clients"));
    full || TRANSIENT_CODES.contains(&code_of(error))
}

/// The code of an error. Before Redis 7, that of a command in a script stands in the text of another:
/// `ERR Error running script (call to f_…): @user_script:28: -OOM command not allowed …`.
fn code_of(error: &ServerError) -> &str {
    let inner = error.details().and_then(|details| details.split_once(": -")?.1.split_whitespace().next());
    inner.filter(|_| error.code() == "ERR").unwrap_or(error.code())
}

#[cfg(test)]
mod tests {
    use deadpool_redis::redis::{parse_redis_value, pipe};
    use tokio::net::TcpListener;

    use super::*;
    use crate::fault::Chain;

    const DEADLINE: Duration = Duration::from_millis(100);

    async fn ask(connector: &Connector) -> Result<(), Fault> {
        connector.run("testing", pipe().add_command(cmd("PING"))).await
    }

    fn kind_of(reply: &str) -> FaultKind {
        let reply = parse_redis_value(reply.as_bytes()).unwrap();
        fault("testing", reply.extract_error().unwrap_err()).kind
    }

    #[test]
    fn a_server_that_will_be_able_to_answer_later_is_unavailable() {
        for reply in [
            "-LOADING Redis is loading the dataset in memory\r\n",
            "-BUSY Redis is busy running a script\r\n",
            "-READONLY You can't write against a read only replica.\r\n",
            "-CLUSTERDOWN The cluster is down\r\n",
            "-ERR max number of clients reached\r\n",
        ] {
            assert_eq!(kind_of(reply), FaultKind::Unavailable, "{reply}");
        }
    }

    #[test]
    fn a_server_without_memory_is_full_whatever_its_version_calls_that() {
        for reply in [
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "-OOM command not allowed when used memory > 'maxmemory'. script: 1a, on @user_script:28.\r\n",
            "-ERR Error running script (call to f_1a): @user_script:28: @user_script: 28: -OOM command not allowed when \
             used memory > 'maxmemory'.\r\n",
        ] {
            assert_eq!(kind_of(reply), FaultKind::Full, "{reply}");
        }
    }

    #[test]
    fn a_server_that_refuses_is_an_operators_matter() {
        for reply in [
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
            "-NOAUTH Authentication required.\r\n",
            "-NOPERM this user has no permissions\r\n",
            "-CROSSSLOT Keys in request don't hash to the same slot\r\n",
            "-MOVED 866 127.0.0.1:7001\r\n",
            "-ERR unknown command\r\n",
        ] {
            assert_eq!(kind_of(reply), FaultKind::Broken, "{reply}");
        }
    }

    #[tokio::test]
    async fn a_server_that_refuses_connections_is_unavailable_and_the_password_stays_secret() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let connector = Connector::new(&format!("redis://alice:hunter2@{closed}/0"), DEADLINE).unwrap();
        let fault = ask(&connector).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unavailable);
        let text = format!("{} {fault:?}", Chain(&fault));
        assert!(!text.contains("hunter2") && !text.contains("alice"), "{text}");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_unavailable_when_the_deadline_is_over() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://:hunter2@{}/0", silent.local_addr().unwrap());
        let connector = Connector::new(&url, DEADLINE).unwrap();
        let fault = ask(&connector).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unavailable);
        assert!(!format!("{} {fault:?}", Chain(&fault)).contains("hunter2"));
    }

    #[test]
    fn a_url_that_cannot_be_read_is_not_repeated() {
        for url in ["", "http://:hunter2@host/", "redis://:hunter2@host:port/", "redis://:hunter2@host/hunter2"] {
            let fault = Connector::new(url, DEADLINE).err().unwrap();
            assert_eq!(fault.kind, FaultKind::Broken);
            let text = format!("{} {fault:?}", Chain(&fault));
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[tokio::test]
    async fn tls_finds_its_cryptography() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connector = Connector::new(&format!("rediss://{}/", silent.local_addr().unwrap()), DEADLINE).unwrap();
        let fault = ask(&connector).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Unavailable, "{}", Chain(&fault));
    }
}
