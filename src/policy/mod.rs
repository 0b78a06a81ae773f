//! The rules: who may do what, how long things live, in which order bytes and records change.
//!
//! [`ArtifactStore`] is the only way to artifacts and sessions. It is bound to one caller, so no
//! operation can be asked for without saying who asks; the providers behind it are private to this
//! module. Errors know nothing of HTTP.
//!
//! Two orders keep the record true:
//! - bytes are written before the record that points at them, and a record is removed before its bytes;
//! - bytes are never changed. A replacement is a new revision under a new key.
//!
//! A crash between two steps leaves, at worst, bytes without a record.

mod access;
mod admin;
mod check;
mod contents;
mod copy;
mod delete;
mod error;
mod expectation;
mod health;
mod idempotency;
mod lifetime;
mod meter;
mod place;
mod presign;
mod register;
mod removal;
mod retrieve;
mod search;
mod sessions;
mod store;
mod stores;
pub mod sweeper;
mod update;
mod uploads;
mod utf8;

use std::ops::Deref;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

pub use self::access::Denied;
pub use self::admin::ScopeStats;
pub use self::check::Checked;
use self::contents::Contents;
pub use self::copy::{CopyRequest, MoveRequest};
pub use self::error::Error;
pub use self::expectation::{Expectation, Tags};
use self::health::Health;
pub use self::health::{Condition, State};
pub use self::idempotency::{BodyPrint, Claim, Claimed, Plan, SavedAnswer};
pub use self::lifetime::Limits;
pub use self::place::Incoming;
pub use self::presign::{Grant, MAX_PRESIGNED_SECONDS, Presigned, SignedContent};
use self::removal::Removals;
pub use self::search::{DirectoryRequest, SearchRequest};
pub use self::sessions::NewSession;
pub use self::store::{NewArtifact, Staged};
pub use self::stores::Stores;
pub use self::update::{Changes, FilenameChange, MetaChange, Replacement, TtlChange};
pub use self::uploads::{CompletedPart, Completion, NewMultipart, NewUpload, Progress, Received};
pub use crate::domain::ttl::TtlChoice;

use crate::clock::Clock;
use crate::domain::id::{SandboxId, SessionId};
use crate::domain::principal::Principal;
use crate::domain::time::Timestamp;
use crate::metadata::MetadataStore;
use crate::storage::Storage;

/// The providers and rules that all callers share.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

/// What a [`Service`] is made of.
pub struct Shared {
    metadata: Arc<dyn MetadataStore>,
    stores: Stores,
    contents: Contents,
    removals: Removals,
    clock: Arc<dyn Clock>,
    limits: Limits,
    tasks: TaskTracker,
    health: Health,
}

impl Service {
    /// A service over these providers.
    pub fn new(metadata: Arc<dyn MetadataStore>, stores: Stores, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        let shared = Shared {
            metadata,
            stores,
            contents: Contents::default(),
            removals: Removals::default(),
            clock,
            limits,
            tasks: TaskTracker::new(),
            health: Health::default(),
        };
        Self(Arc::new(shared))
    }

    /// The store as this caller may use it.
    pub fn for_caller(&self, caller: impl Into<Arc<Caller>>) -> ArtifactStore {
        ArtifactStore { service: self.clone(), caller: caller.into(), plan: None }
    }

    /// The name of the metadata provider.
    pub fn metadata_provider(&self) -> &'static str {
        self.metadata.name()
    }

    /// The rules in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Adds the figures of this service and its providers to those that a monitoring system reads.
    pub fn register(&self, registry: &mut Registry) {
        self.metadata.register(registry);
        self.health.register(registry);
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits for changes that are still under way, those whose callers have gone included.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The storage provider that holds the bytes of a record.
    fn storage_named(&self, provider: &str) -> Result<&Arc<dyn Storage>, Error> {
        self.stores.named(provider).ok_or_else(|| Error::OtherProvider { provider: provider.to_owned() })
    }

    /// Runs a change to its end even if the caller goes away meanwhile. It begins now, and not when the result is
    /// waited for, so that who waits does not carry the whole change along.
    fn to_completion<T, F>(&self, change: F) -> impl Future<Output = Result<T, Error>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let changing = self.tasks.spawn(change.in_current_span());
        async move {
            match changing.await {
                Ok(result) => result,
                Err(failed) => match failed.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Err(Error::Interrupted),
                },
            }
        }
    }
}

impl Deref for Service {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The store as one caller may use it.
#[derive(Clone)]
pub struct ArtifactStore {
    service: Service,
    caller: Arc<Caller>,
    /// The ids to give, if the request may have been sent before.
    plan: Option<Plan>,
}

/// Who asks, and in which session.
#[derive(Debug)]
pub struct Caller {
    /// Who the token says it is.
    pub principal: Arc<Principal>,
    /// The session that the request names, if it names one.
    pub named_session: Option<SessionId>,
}

impl ArtifactStore {
    /// Who is asking.
    pub fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    /// The name of the metadata provider.
    pub fn metadata_provider(&self) -> &'static str {
        self.service.metadata_provider()
    }

    /// The rules in force.
    pub fn limits(&self) -> &Limits {
        self.service.limits()
    }

    /// The session that the request names, if it names one.
    pub fn named_session(&self) -> Option<&SessionId> {
        self.caller.named_session.as_ref()
    }

    fn sandbox(&self) -> &SandboxId {
        &self.caller.principal.sandbox
    }
}
