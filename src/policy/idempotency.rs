//! Requests that are sent again: done once, answered the same.
//!
//! A caller names a request with a key of its own (`Idempotency-Key`). The first time, the key is claimed; the
//! answer is kept with it for a day. While the request is under way its claim is renewed, so that one that a
//! crash has ended is known by its age. Such a request is carried out again: the ids that it gives are planned
//! from the key, so what an earlier attempt has stored is found and not stored twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::register::Draft;
use super::{ArtifactStore, Error, Service};
use crate::domain::artifact::Artifact;
use crate::domain::digest::{Sha256Digest, Sha256Hasher};
use crate::domain::id::ArtifactId;
use crate::domain::scope::Partition;
use crate::domain::time::Timestamp;
use crate::fault::Chain;
use crate::metadata::{Documented, Kind, Replaced};

/// How long answers are kept, in seconds.
const KEPT_SECONDS: u64 = 86_400;
/// After this long without a renewal a request is not under way any more, in seconds.
const CLAIM_SECONDS: u64 = 30;
/// How often a claim is renewed.
const RENEWAL: Duration = Duration::from_secs(10);

const OTHER_REQUEST: Error =
    Error::Conflict(std::borrow::Cow::Borrowed("the Idempotency-Key was used for another request"));
const UNDER_WAY: Error =
    Error::Conflict(std::borrow::Cow::Borrowed("a request with this Idempotency-Key is still under way"));

/// An answer to be given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAnswer {
    /// The status code.
    pub status: u16,
    /// Names and values of the header fields that matter.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// What the request had as its body, where that can be compared.
    pub request_body: Option<BodyPrint>,
}

/// What tells one body from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyPrint {
    /// The size.
    pub bytes: u64,
    /// The digest.
    pub sha256: Sha256Digest,
}

/// What becomes of a request that bears a key.
pub enum Claim {
    /// It is to be carried out.
    First(Claimed),
    /// It has been.
    Repeat(SavedAnswer),
}

/// A key and what is known of its request.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Attempt {
    name: String,
    /// What the request looked like, but for its body.
    request: Sha256Digest,
    plan: Plan,
    state: State,
    version: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    UnderWay { until: Timestamp },
    Answered(SavedAnswer),
}

impl Documented for Attempt {
    const KIND: Kind = Kind::Answer;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn expires_at(&self) -> Timestamp {
        self.plan.began.plus_seconds(KEPT_SECONDS)
    }
}

/// Which ids a request gives to what it creates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    began: Timestamp,
    seed: u128,
    /// Counts the attempts to carry the request out, from 1.
    attempt: u32,
    /// Which one of several things.
    item: u32,
}

impl Plan {
    fn id(&self, attempt: u32, partition: &Partition) -> ArtifactId {
        let mut hasher = Sha256::new();
        hasher.update(self.seed.to_be_bytes());
        hasher.update(attempt.to_be_bytes());
        hasher.update(self.item.to_be_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        partition.adopt(ArtifactId::new(self.began, digest.first_chunk().copied().unwrap_or_default()))
    }

    /// The id to give now, and those that earlier attempts may have given.
    pub(super) fn ids(&self, partition: &Partition) -> (ArtifactId, Vec<ArtifactId>) {
        let earlier = (1..self.attempt).map(|attempt| self.id(attempt, partition));
        (self.id(self.attempt, partition), earlier.collect())
    }
}

impl ArtifactStore {
    /// Claims `key` for a request of the caller's that looks like `request`.
    pub async fn claim(&self, key: &str, request: Sha256Digest) -> Result<Claim, Error> {
        let name = self.name_of(key);
        let metadata = &self.service.metadata;
        loop {
            let now = self.service.clock.now();
            let under_way = State::UnderWay { until: now.plus_seconds(CLAIM_SECONDS) };
            let found = metadata.find::<Attempt>(&name).await?.filter(|found| now < found.expires_at());
            let Some(found) = found else {
                let plan = Plan { began: now, seed: rand::random(), attempt: 1, item: 0 };
                // Not 1: what takes the place of a forgotten one is told from it by its version.
                let version = now.as_millis().unsigned_abs();
                let attempt = Attempt { name: name.clone(), request, plan, state: under_way, version };
                if self.service.insert_attempt(&attempt).await? {
                    return Ok(Claim::First(Claimed::new(&self.service, attempt)));
                }
                continue;
            };
            if found.request != request {
                return Err(OTHER_REQUEST);
            }
            match found.state {
                State::Answered(answer) => return Ok(Claim::Repeat(answer)),
                State::UnderWay { until } if now < until => return Err(UNDER_WAY),
                State::UnderWay { .. } => {
                    let plan = Plan { attempt: found.plan.attempt + 1, ..found.plan };
                    let again =
                        Attempt { plan, state: under_way, version: found.version + 1, name: name.clone(), request };
                    if metadata.replace(&again, found.version).await? == Replaced::Done {
                        return Ok(Claim::First(Claimed::new(&self.service, again)));
                    }
                }
            }
        }
    }

    /// Fails unless the body of a repeated request is that of the first.
    pub fn check_repeated(answer: &SavedAnswer, body: BodyPrint) -> Result<(), Error> {
        if answer.request_body.is_none_or(|first| first == body) { Ok(()) } else { Err(OTHER_REQUEST) }
    }

    /// This store, giving the ids of `plan`.
    pub fn following(&self, plan: Plan) -> Self {
        Self { plan: Some(plan), ..self.clone() }
    }

    /// This store for one of several things that a request creates.
    pub fn for_item(&self, item: u32) -> Self {
        Self { plan: self.plan.clone().map(|plan| Plan { item, ..plan }), ..self.clone() }
    }

    /// What an earlier attempt of the same request has made of `draft`.
    pub(super) async fn made_before(&self, draft: &Draft) -> Result<Option<Artifact>, Error> {
        for id in &draft.earlier_ids {
            if let Some(artifact) = self.service.metadata.artifact(*id).await? {
                return Ok(Some(artifact));
            }
        }
        Ok(None)
    }

    /// Keys are each caller's own.
    fn name_of(&self, key: &str) -> String {
        let principal = self.principal();
        let mut hasher = Sha256Hasher::default();
        let subject = [principal.user().map(|user| user.as_str()), principal.session().map(|session| session.as_str())];
        for part in [Some(principal.sandbox.as_str()), subject[0], subject[1], Some(key)] {
            // No part contains NUL, and none that is there is empty.
            hasher.update(part.unwrap_or_default());
            hasher.update([0]);
        }
        hasher.finish().to_string()
    }
}

impl Service {
    /// `false` when there is one. One whose time is over makes room.
    async fn insert_attempt(&self, attempt: &Attempt) -> Result<bool, Error> {
        if self.metadata.insert(attempt).await? {
            return Ok(true);
        }
        if let Some(old) = self.metadata.find::<Attempt>(&attempt.name).await?
            && self.clock.now() >= old.expires_at()
        {
            let _ = self.metadata.remove(&old).await?;
        }
        Ok(false)
    }

    /// Forgets answers whose time is over.
    pub(super) async fn forget_answers(&self, now: Timestamp, limit: usize) -> Result<u64, Error> {
        let over = self.metadata.expired::<Attempt>(now, limit).await?;
        for attempt in &over {
            let _ = self.metadata.remove(attempt).await?;
        }
        Ok(over.len() as u64)
    }
}

/// A key that was claimed for a request that is under way. When dropped, the claim is given up.
pub struct Claimed {
    service: Service,
    attempt: Option<Attempt>,
}

impl Claimed {
    fn new(service: &Service, attempt: Attempt) -> Self {
        Self { service: service.clone(), attempt: Some(attempt) }
    }

    /// The ids that the request gives.
    pub fn plan(&self) -> Option<Plan> {
        self.attempt.as_ref().map(|attempt| attempt.plan.clone())
    }

    /// Carries the request out to its end, whether or not somebody waits for it, and keeps the answer that it
    /// is `saved` with, if any.
    pub async fn carry_out<T: Send + 'static>(
        mut self,
        request: impl Future<Output = (T, Option<SavedAnswer>)> + Send + 'static,
    ) -> Result<T, Error> {
        let service = self.service.clone();
        service
            .to_completion(async move {
                let mut request = std::pin::pin!(request);
                let (result, answer) = loop {
                    match tokio::time::timeout(RENEWAL, &mut request).await {
                        Ok(done) => break done,
                        Err(_) => self.renew().await,
                    }
                };
                match answer {
                    Some(answer) => self.change(State::Answered(answer)).await,
                    None => self.give_up().await,
                }
                Ok(result)
            })
            .await
    }

    async fn renew(&mut self) {
        let until = self.service.clock.now().plus_seconds(CLAIM_SECONDS);
        self.change(State::UnderWay { until }).await;
    }

    /// A failure is only logged: the request itself is answered.
    async fn change(&mut self, state: State) {
        let Some(attempt) = self.attempt.take() else { return };
        let settled = matches!(state, State::Answered(_));
        let changed = Attempt { state, version: attempt.version + 1, ..attempt.clone() };
        match self.service.metadata.replace(&changed, attempt.version).await {
            Ok(Replaced::Done) if settled => {}
            Ok(Replaced::Done) => self.attempt = Some(changed),
            Ok(Replaced::Stale | Replaced::Missing) => warn!("a claim on an Idempotency-Key was lost"),
            Err(fault) => {
                warn!(error = %Chain(&fault), "a claim on an Idempotency-Key could not be changed");
                self.attempt = Some(attempt).filter(|_| !settled);
            }
        }
    }

    /// Lets the request be sent again. What an earlier attempt may have stored must not be forgotten.
    async fn give_up(&mut self) {
        let Some(attempt) = &self.attempt else { return };
        if attempt.plan.attempt > 1 {
            let now = self.service.clock.now();
            self.change(State::UnderWay { until: now }).await;
            self.attempt = None;
            return;
        }
        let Some(attempt) = self.attempt.take() else { return };
        if let Err(fault) = self.service.metadata.remove(&attempt).await {
            warn!(error = %Chain(&fault), "a claim on an Idempotency-Key could not be given up");
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            let mut claimed = Self { service: self.service.clone(), attempt: Some(attempt) };
            self.service.tasks.spawn(async move { claimed.give_up().await });
        }
    }
}
