//! A service to test: [`TestApp`] over a pair of providers, clients by role, requests and replies.

mod client;
mod paced;
mod pages;
mod parts;
mod providers;
mod signed;
mod storage;

use std::sync::{Arc, OnceLock};

use artifactd::auth::{AuthOptions, Authenticator, ClaimNames, KeySource};
use artifactd::clock::{Clock, ManualClock, SystemClock};
use artifactd::domain::scope::Scope;
use artifactd::domain::time::Timestamp;
use artifactd::domain::ttl::Ttl;
use artifactd::http::{AllowedOrigins, AppState, Gate, router};
use artifactd::metadata::MetadataStore;
use artifactd::policy::sweeper::Swept;
use artifactd::policy::{Limits, Service, Stores};
use artifactd::secret::Secret;
use artifactd::signing::SigningKeys;
use artifactd::storage::{Key, Storage};
use axum::Router;
use bytes::Bytes;
use futures::TryStreamExt as _;
use serde_json::{Value, json};

pub(super) use self::client::{Call, Client, Form, Reply, Stored, assert_problem};
pub(super) use self::paced::{Paced, broken_body};
pub(super) use self::pages::{names_of, store_file};
pub(super) use self::parts::{Multipart, PART, listed, part};
pub(super) use self::providers::{Pair, Providers};
pub(super) use self::signed::Ticket;
pub(super) use self::storage::{PacedCopy, PacedCopying, Trouble, Troubled};

/// Runs each case on each pair of providers.
macro_rules! on_every_pair {
    ($($case:ident),+ $(,)?) => {
        $(mod $case {
            use crate::api::support::{Pair, TestApp};

            on_every_pair!(@pair $case, memory, Pair::Memory);
            on_every_pair!(@pair $case, filesystem_sqlite, Pair::FilesystemSqlite);
            on_every_pair!(@pair $case, sqlite, Pair::Sqlite);
            on_every_pair!(@pair $case, s3_redis, Pair::S3Redis);
        })+
    };
    (@pair $case:ident, $name:ident, $pair:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            super::$case(TestApp::new($pair).await).await;
        }
    };
}

/// Where clients believe the service to be.
pub(super) const HOST: &str = "service.test";

/// What signs and verifies tokens.
pub(super) const SECRET: &str = "a secret of the tests, 32 bytes or more";

/// What signs URLs and seals cursors.
pub(super) const SIGNING_SECRET: &str = "another secret of the tests, 32 bytes or more";

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The service, and behind it what a caller does not see.
pub(super) struct TestApp {
    pub(super) router: Router,
    pub(super) service: Service,
    /// Where the bytes are; those of sessions, if others are elsewhere.
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) gate: Gate,
    /// The sandbox of tokens that name none; no other test has it.
    pub(super) sandbox: String,
    providers: Providers,
    /// What follows URLs out of this process.
    http: OnceLock<reqwest::Client>,
}

/// What a test may choose about its service.
pub(super) struct Options {
    pub(super) limits: Limits,
    pub(super) auth: AuthOptions,
    pub(super) public_url: Option<&'static str>,
    pub(super) max_requests: u32,
    /// The first makes signatures and cursors, all are accepted.
    pub(super) signing_secrets: Vec<&'static str>,
    pub(super) body_memory: usize,
    pub(super) clock: Arc<ManualClock>,
}

impl TestApp {
    /// A service as it is by default.
    pub(super) async fn new(pair: Pair) -> Self {
        Self::with(Providers::open(pair).await, |_| {})
    }

    /// A service as it is by default, for what no provider has a say in.
    pub(super) async fn in_memory() -> Self {
        Self::in_memory_with(|_| {}).await
    }

    /// A service in memory, as `choose` wants it.
    pub(super) async fn in_memory_with(choose: impl FnOnce(&mut Options)) -> Self {
        Self::with(Providers::open(Pair::Memory).await, choose)
    }

    /// A service over these providers, as `choose` wants it.
    pub(super) fn with(providers: Providers, choose: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options {
            limits: default_limits(),
            auth: AuthOptions {
                keys: vec![KeySource::Secret(SECRET.to_owned().into())],
                issuers: Vec::new(),
                audiences: Vec::new(),
                claims: ClaimNames::default(),
                sandbox: format!("test-{:016x}", rand::random::<u64>()).parse().unwrap(),
                leeway_seconds: 0,
            },
            public_url: None,
            max_requests: 1024,
            signing_secrets: vec![SIGNING_SECRET],
            body_memory: 256 * 1024 * 1024,
            // Providers note when they stored something by their own clocks, so ours starts where theirs are.
            clock: Arc::new(ManualClock::new(SystemClock.now())),
        };
        choose(&mut options);
        let (sandbox, clock) = (options.auth.sandbox.to_string(), options.clock);
        let Providers { stores, metadata, .. } = providers.clone();
        let storage = Arc::clone(stores.for_scope(Scope::Session));
        let service = Service::new(metadata, stores, clock.clone(), options.limits);
        let gate = Gate::new(options.max_requests);
        let authenticator = Authenticator::new(options.auth, clock.clone()).unwrap();
        let secrets: Vec<Secret> = options.signing_secrets.iter().map(|secret| (*secret).to_owned().into()).collect();
        let signing = SigningKeys::new(&secrets[0], &secrets[1..]);
        let state = AppState::new(service.clone(), authenticator, signing, gate.clone(), options.public_url);
        let state = state.with_body_memory(options.body_memory);
        let (router, http) = (router(state, AllowedOrigins::None), OnceLock::new());
        Self { router, service, storage, clock, gate, sandbox, providers, http }
    }

    /// The same service after a restart.
    pub(super) fn restarted(&self) -> Self {
        self.beside(|storage| storage)
    }

    /// Another process of the same service; what it does with the storage may be watched.
    pub(super) fn beside(&self, change: impl FnOnce(Arc<dyn Storage>) -> Arc<dyn Storage>) -> Self {
        let providers = self.providers.clone();
        let storage = change(providers.of(Scope::Session));
        Self::with(providers.with_stores(Stores::one(storage)), |options| {
            options.auth.sandbox = self.sandbox.parse().unwrap();
            options.clock = self.clock.clone();
        })
    }

    /// The same providers under a service that is set up as `choose` wants it.
    pub(super) fn with_options(self, choose: impl FnOnce(&mut Options)) -> Self {
        Self::with(self.providers, choose)
    }

    /// The same under a service whose storage is changed.
    pub(super) fn with_storage<S: Storage>(self, change: impl FnOnce(Arc<dyn Storage>) -> S) -> Self {
        Self::with(self.providers.with_storage(change), |_| {})
    }

    /// A user whose token names no session.
    pub(super) fn user(&self, user: &str) -> Client {
        self.caller(json!({ "sub": user }))
    }

    /// A user whose token is for one session.
    pub(super) fn user_in_session(&self, user: &str, session: &str) -> Client {
        self.caller(json!({ "sub": user, "sid": session }))
    }

    /// A token for one session, without a user.
    pub(super) fn session(&self, session: &str) -> Client {
        self.caller(json!({ "sid": session }))
    }

    /// A user who may administer the sandbox.
    pub(super) fn admin(&self, user: &str) -> Client {
        self.caller(json!({ "sub": user, "scope": "artifacts:admin" }))
    }

    /// Whoever these claims say.
    pub(super) fn caller(&self, claims: Value) -> Client {
        Client::new(self.router.clone(), self.clock.clone(), Some(claims))
    }

    /// Somebody without a token.
    pub(super) fn nobody(&self) -> Client {
        Client::new(self.router.clone(), self.clock.clone(), None)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The instant so many seconds from now, as answers spell it.
    pub(super) fn in_seconds(&self, seconds: u64) -> String {
        self.now().plus_seconds(seconds).to_string()
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.advance_seconds(seconds);
    }

    /// Sweeps now.
    pub(super) async fn sweep(&self) -> Swept {
        self.service.sweep(self.now()).await
    }

    /// All keys under which a storage provider has bytes, when all work behind the requests is done.
    pub(super) async fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for storage in self.providers.stores.distinct() {
            keys.extend(self.keys_in(&**storage).await);
        }
        keys
    }

    /// The keys of uploads in parts that are under way in the store itself.
    pub(super) async fn keys_in_parts(&self) -> Vec<String> {
        self.service.drained().await;
        self.providers.keys_in_parts().await
    }

    /// The keys under which this provider has bytes, when all work behind the requests is done.
    pub(super) async fn keys_in(&self, storage: &dyn Storage) -> Vec<String> {
        self.service.drained().await;
        let mut keys = Vec::new();
        for place in ["grid/", "pending/"] {
            let objects = storage.list(place, None, 1000).await.unwrap();
            keys.extend(objects.into_iter().map(|object| object.key.to_string()));
        }
        keys
    }

    /// The bytes that the storage provider has under a key.
    pub(super) async fn bytes_under(&self, key: &str) -> Option<Vec<u8>> {
        let bytes = self.storage.get(&Key::from_listing(key).unwrap(), None).await.unwrap()?;
        Some(bytes.try_collect::<Vec<Bytes>>().await.unwrap().concat())
    }

    /// Where the records are.
    pub(super) fn metadata(&self) -> &dyn MetadataStore {
        &*self.providers.metadata
    }

    /// Whether signed URLs lead to the store itself.
    pub(super) fn is_direct(&self) -> bool {
        self.storage.direct().is_some()
    }

    pub(super) fn storage_name(&self) -> &'static str {
        self.storage.name()
    }

    pub(super) fn metadata_name(&self) -> &'static str {
        self.providers.metadata.name()
    }
}

/// The limits of a service that is not told otherwise.
fn default_limits() -> Limits {
    Limits {
        session_default_ttl: ttl(900),
        session_max_ttl: ttl(86_400),
        user_max_ttl: None,
        sandbox_max_ttl: None,
        session_life: ttl(86_400),
        max_upload_bytes: 5 * 1024 * 1024 * 1024,
        max_meta_bytes: 16 * 1024,
        max_batch_items: 100,
        max_batch_bytes: 64 * 1024 * 1024,
    }
}

pub(super) fn ttl(seconds: u64) -> Ttl {
    Ttl::try_from(seconds).unwrap()
}

/// Runs all at the same time, each as a task of its own.
pub(super) async fn together<F>(all: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: IntoFuture<Output: Send + 'static, IntoFuture: Send + 'static>,
{
    let tasks: Vec<_> = all.into_iter().map(|one| tokio::spawn(one.into_future())).collect();
    futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

/// The hex SHA-256 digest of some bytes.
pub(super) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes.as_ref()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value of `Content-Digest` for some bytes.
pub(super) fn digest_field(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes.as_ref());
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(digest))
}

/// Text for a query or a path segment.
pub(super) fn encoded(text: impl AsRef<[u8]>) -> String {
    percent_encoding::percent_encode(text.as_ref(), percent_encoding::NON_ALPHANUMERIC).to_string()
}
