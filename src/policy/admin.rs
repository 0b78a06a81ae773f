//! What administrators may see and do.

use tracing::error;

use super::access::{Action, Resource};
use super::sweeper::Swept;
use super::{ArtifactStore, Checked, Error};
use crate::domain::scope::Scope;
use crate::fault::Chain;
use crate::metadata::Total;

/// What there is in a scope, and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeStats {
    /// The scope.
    pub scope: Scope,
    /// How much there is.
    pub total: Total,
    /// The provider that takes new bytes.
    pub storage_provider: &'static str,
    /// Its bucket, if it has one.
    pub bucket: Option<String>,
}

impl ArtifactStore {
    /// What there is in the caller's sandbox.
    pub async fn stats(&self) -> Result<[ScopeStats; 3], Error> {
        self.decide(Action::Administer, &Resource::Sandbox)?;
        let totals = self.service.metadata.totals(self.sandbox()).await?;
        Ok(Scope::ALL.map(|scope| {
            let storage = self.service.stores.for_scope(scope);
            let bucket = storage.direct().map(|direct| direct.bucket().to_owned());
            ScopeStats { scope, total: totals.of(scope), storage_provider: storage.name(), bucket }
        }))
    }

    /// Tries all providers out. What is wrong is said in the log; callers learn only that it is.
    pub async fn check(&self) -> Result<Vec<Checked>, Error> {
        self.decide(Action::Administer, &Resource::Sandbox)?;
        let checked = self.service.check().await;
        for Checked { role, provider, result } in &checked {
            if let Err(fault) = result {
                error!(role, provider, cause = %Chain(fault), "a provider did not pass the check");
            }
        }
        Ok(checked)
    }

    /// Removes what is over.
    pub async fn cleanup(&self) -> Result<Swept, Error> {
        self.decide(Action::Administer, &Resource::Sandbox)?;
        let service = self.service.clone();
        self.service.to_completion(async move { Ok(service.sweep(service.clock.now()).await) }).await
    }
}
