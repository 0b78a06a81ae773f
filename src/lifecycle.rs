//! Signals: the first asks the service to stop, the second ends it.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Cancels the token at the first SIGINT or SIGTERM, and ends the process at the second.
pub fn stop_on_signals() -> std::io::Result<CancellationToken> {
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
