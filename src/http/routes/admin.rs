//! `/v1/admin`: for those with the right `artifacts:admin`.

use axum::Json as Answer;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::scope::Scope;
use crate::fault::FaultKind;
use crate::http::error::ApiError;
use crate::http::extract::params::{None as NoParams, Params};
use crate::http::extract::store::AdminStore;
use crate::http::openapi::UsualErrors;
use crate::policy::sweeper::Swept;
use crate::policy::{Checked, ScopeStats};

/// What there is in the sandbox.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Stats {
    /// The sandbox.
    #[schema(example = "default")]
    sandbox_id: String,
    /// All artifacts, those that have expired and wait to be removed included.
    #[schema(example = 42)]
    artifacts: u64,
    /// Their sizes, added up.
    #[schema(example = 1048576)]
    bytes: u64,
    /// The provider that holds the records.
    #[schema(example = "sqlite")]
    metadata_provider: &'static str,
    /// By scope.
    scopes: Vec<ScopeView>,
}

/// What there is in a scope.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ScopeView {
    /// `session`, `user` or `sandbox`.
    #[schema(value_type = String, example = "user")]
    scope: Scope,
    /// Artifacts.
    #[schema(example = 42)]
    artifacts: u64,
    /// Their sizes, added up.
    #[schema(example = 1048576)]
    bytes: u64,
    /// The provider that takes new bytes.
    #[schema(example = "s3")]
    storage_provider: &'static str,
    /// Its bucket, if it has one.
    #[schema(example = "artifacts")]
    bucket: Option<String>,
}

impl From<ScopeStats> for ScopeView {
    fn from(ScopeStats { scope, total, storage_provider, bucket }: ScopeStats) -> Self {
        Self { scope, artifacts: total.artifacts, bytes: total.bytes, storage_provider, bucket }
    }
}

/// Count artifacts and bytes of the sandbox
#[utoipa::path(
    get,
    path = "/v1/admin/stats",
    operation_id = "get_stats",
    tag = "admin",
    responses((status = 200, description = "The counts.", body = Stats), UsualErrors)
)]
pub(in crate::http) async fn stats(store: AdminStore, _: Params<NoParams>) -> Result<Answer<Stats>, ApiError> {
    let scopes: Vec<ScopeView> = store.stats().await?.into_iter().map(ScopeView::from).collect();
    Ok(Answer(Stats {
        sandbox_id: store.principal().sandbox.to_string(),
        artifacts: scopes.iter().map(|scope| scope.artifacts).sum(),
        bytes: scopes.iter().map(|scope| scope.bytes).sum(),
        metadata_provider: store.metadata_provider(),
        scopes,
    }))
}

/// How the providers do.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct CheckReport {
    /// Whether all do what they should.
    ok: bool,
    /// One by one.
    providers: Vec<ProviderView>,
}

/// How a provider does.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ProviderView {
    /// `storage` or `metadata`.
    #[schema(example = "storage")]
    role: &'static str,
    /// Its name.
    #[schema(example = "s3")]
    provider: &'static str,
    /// `ok`; `unavailable`: it does not answer; `full`: it has no room; `broken`: it answers, and not as it should.
    /// The log says more.
    #[schema(example = "ok")]
    status: &'static str,
    /// How long writing, reading and removing took together, in milliseconds.
    #[schema(example = 1.5)]
    milliseconds: Option<f64>,
}

impl From<Checked> for ProviderView {
    fn from(Checked { role, provider, result }: Checked) -> Self {
        let milliseconds = result.as_ref().ok().map(|took| took.as_secs_f64() * 1000.0);
        let status = match result {
            Ok(_) => "ok",
            Err(fault) => match fault.kind {
                FaultKind::Unavailable => "unavailable",
                FaultKind::Full => "full",
                FaultKind::Broken | FaultKind::Damaged => "broken",
            },
        };
        Self { role, provider, status, milliseconds }
    }
}

/// Try all providers out: something is written, read and removed again
#[utoipa::path(
    get,
    path = "/v1/admin/check",
    operation_id = "check_providers",
    tag = "admin",
    responses((status = 200, description = "How they do.", body = CheckReport), UsualErrors)
)]
pub(in crate::http) async fn check(store: AdminStore, _: Params<NoParams>) -> Result<Answer<CheckReport>, ApiError> {
    let providers: Vec<ProviderView> = store.check().await?.into_iter().map(ProviderView::from).collect();
    Ok(Answer(CheckReport { ok: providers.iter().all(|provider| provider.status == "ok"), providers }))
}

/// What was removed.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct CleanupReport {
    /// Expired artifacts, with their bytes.
    artifacts: u64,
    /// Ended sessions.
    sessions: u64,
    /// Uploads that were over, with their bytes.
    uploads: u64,
    /// Bytes that replaced or deleted artifacts had left.
    garbage: u64,
    /// Bytes that waited for nothing any more.
    abandoned: u64,
    /// What could not be removed; the log says why.
    failures: u64,
}

impl From<Swept> for CleanupReport {
    fn from(swept: Swept) -> Self {
        let Swept { artifacts, sessions, uploads, garbage, abandoned, failures } = swept;
        Self { artifacts, sessions, uploads, garbage, abandoned, failures }
    }
}

/// Remove now what is over, in all sandboxes, instead of waiting for the sweeper
#[utoipa::path(
    post,
    path = "/v1/admin/cleanup",
    operation_id = "cleanup",
    tag = "admin",
    responses((status = 200, description = "What was removed.", body = CleanupReport), UsualErrors)
)]
pub(in crate::http) async fn cleanup(
    store: AdminStore,
    _: Params<NoParams>,
) -> Result<Answer<CleanupReport>, ApiError> {
    Ok(Answer(store.cleanup().await?.into()))
}
