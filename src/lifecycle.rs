//! Signals: the first asks the service to stop, the second ends it.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::telemetry::Outlet;

/// Who ends the process by a second signal is in a hurry.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// Cancels the token at the first SIGINT or SIGTERM, and ends the process at the second.
pub fn stop_on_signals(log: Outlet) -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        info!("stopping: running requests may finish; a second signal ends them");
        stopping.cancel();
        either(&mut interrupt, &mut terminate).await;
        warn!("ended by a second signal");
        log.flush(FLUSH_TIMEOUT);
        std::process::exit(130);
    });
    Ok(stop)
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
