//! Trying the providers out.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt as _, TryStreamExt as _};

use super::Service;
use crate::clock::new_artifact_id;
use crate::domain::Invalid;
use crate::domain::meta::Meta;
use crate::domain::session::Session;
use crate::domain::ttl::{Lifetime, Ttl};
use crate::fault::Fault;
use crate::metadata::session_name;
use crate::patience::within;
use crate::storage::{Key, PutError, PutOptions, Storage};

/// What is written to try a provider out.
pub(super) const PROBE: &[u8] = b"artifactd check";
/// How long a provider may take for all of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a provider did.
#[derive(Debug)]
pub struct Checked {
    /// `storage` or `metadata`.
    pub role: &'static str,
    /// The provider's name.
    pub provider: &'static str,
    /// How long it took, or what is wrong.
    pub result: Result<Duration, Fault>,
}

impl Service {
    /// Uses each provider as the service does: what is written is read and removed again. Whoever asks wants to know
    /// how they do now, so none of them gets long to show it.
    pub async fn check(&self) -> Vec<Checked> {
        let stores = self.stores.distinct().into_iter().map(async |storage| {
            let provider = storage.name();
            Checked { role: "storage", provider, result: timed(provider, self.check_storage(&**storage)).await }
        });
        let metadata = async {
            let provider = self.metadata.name();
            Checked { role: "metadata", provider, result: timed(provider, self.check_metadata()).await }
        };
        let (mut checked, metadata) = tokio::join!(join_all(stores), metadata);
        checked.push(metadata);
        checked
    }

    async fn check_storage(&self, storage: &dyn Storage) -> Result<(), Fault> {
        let broken = |problem: &'static str| Fault::broken(storage.name(), "checking", problem);
        let key = Key::check(new_artifact_id(self.clock.now()));
        let mut body = futures::stream::once(async { Ok(Bytes::from_static(PROBE)) }).boxed();
        let options = PutOptions { content_length: Some(PROBE.len() as u64), ..PutOptions::default() };
        match storage.put(&key, &mut body, &options).await {
            Ok(_) => {}
            Err(PutError::Fault(fault)) => return Err(fault),
            Err(PutError::Body(_)) => return Err(broken("the body was not read as it was given")),
        }
        let bytes = storage.get(&key, None).await?.ok_or_else(|| broken("what was written is not there"))?;
        let chunks: Vec<Bytes> = bytes.try_collect().await?;
        storage.delete(&key).await?;
        if chunks.concat() != PROBE {
            return Err(broken("what was read is not what was written"));
        }
        match storage.head(&key).await? {
            None => Ok(()),
            Some(_) => Err(broken("what was deleted is still there")),
        }
    }

    pub(super) async fn check_metadata(&self) -> Result<(), Fault> {
        let broken = |problem: &'static str| Fault::broken(self.metadata.name(), "checking", problem);
        let unusable = |error: Invalid| Fault::broken(self.metadata.name(), "checking", error);
        let now = self.clock.now();
        let session = Session {
            sandbox: "artifactd-check".parse().map_err(unusable)?,
            id: new_artifact_id(now).to_string().parse().map_err(unusable)?,
            owner: None,
            created_at: now,
            life: Lifetime::starting(now, Ttl::try_from(60).map_err(unusable)?),
            metadata: Meta::default(),
            version: 1,
        };
        if !self.metadata.insert(&session).await? {
            return Err(broken("a new id is taken"));
        }
        let read = self.metadata.find::<Session>(&session_name(&session.sandbox, &session.id)).await?;
        let _ = self.metadata.remove(&session).await?;
        if read.as_ref() != Some(&session) {
            return Err(broken("what was read is not what was written"));
        }
        match self.metadata.find::<Session>(&session_name(&session.sandbox, &session.id)).await? {
            None => Ok(()),
            Some(_) => Err(broken("what was deleted is still there")),
        }
    }
}

async fn timed(provider: &'static str, check: impl Future<Output = Result<(), Fault>>) -> Result<Duration, Fault> {
    let started = Instant::now();
    within(PATIENCE, (provider, "checking"), check).await.map(|()| started.elapsed())
}
