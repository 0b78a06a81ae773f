//! The way to the server: a pool of connections, deadlines, and what an error means.

use std::time::Duration;

use deadpool_redis::redis::{
    AsyncConnectionConfig, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError,
    ServerError, ServerErrorKind,
};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use tokio::time::timeout;

use super::NAME;
use super::scripts::Script;
use crate::fault::{Cause, Fault, FaultKind};

/// Enough to keep one Redis busy, and few enough for many instances of the service to share it.
const CONNECTIONS: usize = 32;

/// What a server says that will be able to answer later.
const TRANSIENT_CODES: &[&str] =
    &["BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN"];

/// Lends connections. One that broke is found by the ping that precedes its next use, and replaced.
pub(super) struct Connector {
    pool: Pool,
    deadline: Duration,
}

impl Connector {
    /// Reads the URL. Neither this nor an error's text repeats it: it may hold a password.
    pub(super) fn new(url: &str, deadline: Duration) -> Result<Self, Fault> {
        const OPERATION: &str = "reading the URL";
        let info = url.into_connection_info().map_err(|error| fault(OPERATION, error))?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            choose_crypto_provider();
        }
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(deadline)).set_response_timeout(Some(deadline));
        let manager = Manager::new_with_config(info, config).map_err(|error| fault(OPERATION, error))?;
        // The ping gets a part of the deadline, so that a connection that died silently leaves time for another.
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .recycle_timeout(Some(deadline / 5))
            .build()
            .map_err(|error| Fault::broken(NAME, "preparing the connections", error))?;
        Ok(Self { pool, deadline })
    }

    /// A connection that has just answered, within the deadline.
    pub(super) async fn connection(&self, operation: &'static str) -> Result<Connection, Fault> {
        match timeout(self.deadline, self.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => Err(fault(operation, error)),
            Ok(Err(error)) => Err(Fault::broken(NAME, operation, error)),
            Err(_) => Err(Fault::unavailable(NAME, operation, NoConnection(self.deadline))),
        }
    }

    /// Sends commands in one go and reads their replies. A server runs them in their order; other
    /// clients' commands may come between.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        operation: &'static str,
        commands: &Pipeline,
    ) -> Result<T, Fault> {
        let mut connection = self.connection(operation).await?;
        commands.query_async(&mut connection).await.map_err(|error| fault(operation, error))
    }

    /// Runs a script in the same go as the commands `before` it, whose replies are ignored.
    ///
    /// `before` runs twice if the server does not know the script yet.
    pub(super) async fn run_script(
        &self,
        operation: &'static str,
        before: &Pipeline,
        script: &Script,
        keys: &[&str],
        args: &[&str],
    ) -> Result<i64, Fault> {
        let mut connection = self.connection(operation).await?;
        let mut commands = before.clone();
        commands.add_command(script.by_hash(keys, args));
        let mut reply = commands.query_async(&mut connection).await;
        if let Err(error) = &reply
            && error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
        {
            let mut commands = before.clone();
            commands.add_command(script.by_source(keys, args));
            reply = commands.query_async(&mut connection).await;
        }
        let (value,): (i64,) = reply.map_err(|error| fault(operation, error))?;
        Ok(value)
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
    let kind = if is_transient(&error) { FaultKind::Unavailable } else { FaultKind::Broken };
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

fn is_busy(error: &ServerError) -> bool {
    let full = error.details().is_some_and(|details| details.starts_with("max number of clients"));
    full || TRANSIENT_CODES.contains(&error.code())
}

/// The pool is exhausted, or the server neither accepts nor refuses.
#[derive(Debug, thiserror::Error)]
#[error("no connection to Redis within {0:?}")]
struct NoConnection(Duration);

#[cfg(test)]
mod tests {
    use deadpool_redis::redis::{cmd, parse_redis_value, pipe};
    use tokio::net::TcpListener;

    use super::*;
    use crate::fault::Chain;

    const DEADLINE: Duration = Duration::from_millis(100);

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
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "-ERR max number of clients reached\r\n",
        ] {
            assert_eq!(kind_of(reply), FaultKind::Unavailable, "{reply}");
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
        let fault = connector.connection("testing").await.err().unwrap();
        assert_eq!(fault.kind, FaultKind::Unavailable);
        let text = format!("{} {fault:?}", Chain(&fault));
        assert!(!text.contains("hunter2") && !text.contains("alice"), "{text}");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_unavailable_when_the_deadline_is_over() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://:hunter2@{}/0", silent.local_addr().unwrap());
        let connector = Connector::new(&url, DEADLINE).unwrap();
        let fault = connector.run::<()>("testing", pipe().add_command(cmd("PING"))).await.unwrap_err();
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
        let fault = connector.connection("testing").await.err().unwrap();
        assert_eq!(fault.kind, FaultKind::Unavailable, "{}", Chain(&fault));
    }
}
