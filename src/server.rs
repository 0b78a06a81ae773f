//! Connections: accepting, timeouts, and an end that lets running requests finish.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::http::Gate;

/// A client gets so long to send the head of a request; a connection may be idle as long.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that takes nothing of its answer for so long has given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Once all requests are answered, slow readers get so long to take the rest, and idle connections to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// When no file descriptor is left, waiting lets some be closed.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves until `stop` is cancelled, the requests under way are answered and `background` is done, or
/// `grace` is over.
///
/// While it waits for them it goes on accepting connections, so that readiness probes are answered (503)
/// and new requests are refused in so many words.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    gate: Gate,
    stop: CancellationToken,
    grace: Duration,
    background: impl Future<Output = ()>,
) {
    let connections = GracefulShutdown::new();
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    let drained = async {
        stop.cancelled().await;
        gate.close();
        let finished = async {
            gate.emptied().await;
            background.await;
        };
        timeout(grace, finished).await
    };
    let mut drained = std::pin::pin!(drained);
    let in_time = loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => accept(stream, &builder, &router, &connections),
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_RETRY).await;
                }
            },
            drained = &mut drained => break drained.is_ok(),
        }
    };
    drop(listener);
    if !in_time {
        warn!(grace_seconds = grace.as_secs(), "what is still running is cut short");
        return;
    }
    let _ = timeout(CLOSE_TIMEOUT, connections.shutdown()).await;
}

fn accept(stream: TcpStream, builder: &Builder, router: &Router, connections: &GracefulShutdown) {
    // Answers are written whole: waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY could not be set");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIMEOUT));
    let service = TowerToHyperService::new(router.clone());
    let connection = connections.watch(builder.serve_connection(TokioIo::new(Box::pin(stream)), service));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "a connection broke off");
        }
    });
}
