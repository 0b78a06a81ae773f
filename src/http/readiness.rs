//! Whether the providers answer, asked at most once a second however often others ask.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::warn;

use super::error::ApiError;
use crate::fault::Chain;
use crate::policy::Service;

/// How long an answer holds: probes need no token, so they must not become a load on the providers.
const FRESH: Duration = Duration::from_secs(1);
/// How long the providers may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The latest answer.
#[derive(Clone, Default)]
pub(super) struct Readiness(Arc<Mutex<Option<(Instant, bool)>>>);

impl Readiness {
    /// Fails unless all providers answer, or have just answered.
    pub(super) async fn check(&self, service: &Service) -> Result<(), ApiError> {
        // Whoever asks while another does waits for that answer.
        let mut latest = self.0.lock().await;
        let ready = match *latest {
            Some((at, ready)) if at.elapsed() < FRESH => ready,
            _ => {
                let ready = ask(service).await;
                *latest = Some((Instant::now(), ready));
                ready
            }
        };
        if ready { Ok(()) } else { Err(ApiError::NotReady) }
    }
}

async fn ask(service: &Service) -> bool {
    match timeout(PATIENCE, service.ping()).await {
        Ok(Ok(())) => true,
        Ok(Err(fault)) => {
            warn!(cause = %Chain(&fault), "not ready");
            false
        }
        Err(_) => {
            warn!("not ready: a provider does not answer");
            false
        }
    }
}
