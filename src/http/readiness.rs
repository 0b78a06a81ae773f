//! Whether requests can be served, asked of the providers at most once a second however often others ask.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::policy::{Condition, Service, State};

/// How long an answer holds: probes need no token, so they must not become a load on the providers.
const FRESH: Duration = Duration::from_secs(1);

/// When they were asked last.
#[derive(Clone)]
pub(super) struct Readiness {
    asked: Arc<Mutex<Option<Instant>>>,
    requires_writes: bool,
}

impl Readiness {
    /// With `requires_writes`, a provider that cannot be written makes the service unready; without, it is ready as
    /// long as it can read. What is full does not count here: it has to be reached to be emptied.
    pub(super) fn new(requires_writes: bool) -> Self {
        Self { asked: Arc::default(), requires_writes }
    }

    /// How the service is; fails when it is not ready.
    pub(super) async fn check(&self, service: &Service) -> Result<Ready, ApiError> {
        // Whoever asks while another does waits for that answer.
        let mut asked = self.asked.lock().await;
        let conditions = if asked.is_some_and(|asked| asked.elapsed() < FRESH) {
            service.known_conditions()
        } else {
            let conditions = service.conditions().await;
            *asked = Some(Instant::now());
            conditions
        };
        drop(asked);
        let views = conditions.iter().map(ConditionView::from).collect();
        if conditions.iter().all(|condition| condition.state.serves(self.requires_writes)) {
            let worst = conditions.iter().map(|condition| condition.state).max().unwrap_or(State::Ok);
            return Ok(Ready { status: worst.as_str(), conditions: views });
        }
        Err(ApiError::NotReady(views))
    }
}

/// That requests can be served, and what restricts them.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    /// `ok`; `full`: a store has no room, reading and deleting go on; `read_only`: nothing can be stored or deleted in
    /// one of them.
    #[schema(example = "ok")]
    status: &'static str,
    /// What requests need, one by one.
    conditions: Vec<ConditionView>,
}

/// Something that requests need, and how it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ConditionView {
    /// `storage`: where bytes are; `metadata`: where records are.
    #[schema(example = "storage")]
    name: &'static str,
    /// The provider.
    #[schema(example = "filesystem")]
    provider: &'static str,
    /// `ok`, `full`, `read_only`, `unavailable` or `broken`. The log says why.
    #[schema(example = "ok")]
    state: &'static str,
}

impl From<&Condition> for ConditionView {
    fn from(Condition { name, provider, state }: &Condition) -> Self {
        Self { name, provider, state: state.as_str() }
    }
}
