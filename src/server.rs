//! Connections: accepting, timeouts, and an end that lets running requests finish.

use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::http::Gate;

/// A client gets so long to send the head of a request, the first one included.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Idle connections get so long to close once all requests are answered.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// When no file descriptor is left, waiting lets some be closed.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Requests that one HTTP/2 connection may have under way.
const MAX_CONCURRENT_STREAMS: u32 = 256;

/// Serves until `stop` is cancelled and the requests under way are answered, or `grace` is over.
///
/// While it waits for them it goes on accepting connections, so that readiness probes are answered (503)
/// and new requests are refused in so many words.
pub async fn serve(listener: TcpListener, router: Router, gate: Gate, stop: CancellationToken, grace: Duration) {
    let connections = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_CONCURRENT_STREAMS);
    let drained = async {
        stop.cancelled().await;
        gate.close();
        timeout(grace, gate.emptied()).await
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
        warn!(grace_seconds = grace.as_secs(), "requests were still running and are cut short");
    }
    let _ = timeout(CLOSE_TIMEOUT, connections.shutdown()).await;
}

fn accept(stream: TcpStream, builder: &Builder<TokioExecutor>, router: &Router, connections: &GracefulShutdown) {
    // Answers are written whole: waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = TowerToHyperService::new(router.clone());
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(error, "a connection broke off");
        }
    });
}
