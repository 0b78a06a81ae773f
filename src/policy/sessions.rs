//! Sessions: found, created on use, kept by their owner, ended with their artifacts.

use super::access::{Action, Resource};
use super::{ArtifactStore, Error, Service};
use crate::domain::id::{SessionId, UserId};
use crate::domain::meta::Meta;
use crate::domain::principal::Subject;
use crate::domain::scope::Partition;
use crate::domain::search::{Filter, Order};
use crate::domain::session::Session;
use crate::domain::ttl::{Lifetime, Ttl};
use crate::metadata::{Replaced, Search, session_name};

/// How many records of an ending session are removed at a time.
const PURGE_PAGE: usize = 100;

const SESSION_TAKEN: Error = Error::Conflict(std::borrow::Cow::Borrowed("a session with this id exists"));

/// A session to be created.
#[derive(Debug, Clone, Default)]
pub struct NewSession {
    /// Its id; without, one is generated.
    pub id: Option<SessionId>,
    /// Its life; without, the operator's default.
    pub ttl: Option<Ttl>,
    /// What its owner attaches.
    pub metadata: Meta,
}

impl ArtifactStore {
    /// Creates a session.
    pub async fn create_session(&self, new: NewSession) -> Result<Session, Error> {
        self.decide(Action::Write, &Resource::Sandbox)?;
        self.service.limits.check_meta("metadata", &new.metadata)?;
        let id = match (new.id, &self.caller.principal.subject) {
            (Some(id), _) => id,
            (None, Subject::Session(claimed) | Subject::UserInSession(_, claimed)) => claimed.clone(),
            (None, Subject::User(user)) => self.generate_session_id(user),
        };
        self.decide(Action::Write, &Resource::SessionId(&id))?;
        let ttl = new.ttl.unwrap_or(self.service.limits.session_life);
        let session = Session { metadata: new.metadata, ..self.draft_session(id, ttl) };
        let service = self.service.clone();
        self.service
            .to_completion(async move {
                service.remove_if_over(&session).await?;
                if service.metadata.insert(&session).await? { Ok(session) } else { Err(SESSION_TAKEN) }
            })
            .await
    }

    /// A session of the caller's.
    pub async fn session(&self, id: &SessionId) -> Result<Session, Error> {
        self.own_session(id, Action::Read).await
    }

    /// Merges `patch` into the metadata of a session of the caller's (RFC 7396).
    pub async fn patch_session(&self, id: &SessionId, patch: Meta) -> Result<Session, Error> {
        self.change_session(id, move |store, session| {
            session.metadata = std::mem::take(&mut session.metadata).merged_with(patch.clone());
            store.service.limits.check_meta("metadata", &session.metadata)
        })
        .await
    }

    /// Moves the end of a session of the caller's by `ttl`, or by the life of a new session.
    pub async fn extend_session(&self, id: &SessionId, ttl: Option<Ttl>) -> Result<Session, Error> {
        self.change_session(id, move |store, session| {
            let by = ttl.unwrap_or(store.service.limits.session_life);
            session.life = Lifetime {
                ttl: session.life.ttl.plus(by),
                expires_at: session.life.expires_at.plus_seconds(by.as_seconds()),
            };
            Ok(())
        })
        .await
    }

    /// Ends a session of the caller's, and its session-scoped artifacts with it.
    pub async fn delete_session(&self, id: &SessionId) -> Result<(), Error> {
        let (store, id) = (self.clone(), id.clone());
        self.service
            .to_completion(async move {
                // Ending it first keeps new artifacts out while the old ones go.
                let ended = store.change_session(&id, |store, session| {
                    session.life.expires_at = store.service.clock.now();
                    Ok(())
                });
                store.service.remove_session(&ended.await?).await
            })
            .await
    }

    /// Applies `change` to a session of the caller's, again if another change comes between.
    async fn change_session(
        &self,
        id: &SessionId,
        change: impl Fn(&Self, &mut Session) -> Result<(), Error>,
    ) -> Result<Session, Error> {
        loop {
            let mut session = self.own_session(id, Action::Write).await?;
            let version = session.version;
            change(self, &mut session)?;
            session.version += 1;
            match self.service.metadata.replace(&session, version).await? {
                Replaced::Done => return Ok(session),
                Replaced::Stale => {}
                Replaced::Missing => return Err(Error::SessionNotFound),
            }
        }
    }

    async fn own_session(&self, id: &SessionId, action: Action) -> Result<Session, Error> {
        self.decide(action, &Resource::SessionId(id))?;
        let session = self.live_session(id).await?.ok_or(Error::SessionNotFound)?;
        self.decide(action, &Resource::Session(&session))?;
        Ok(session)
    }

    pub(super) async fn live_session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        self.service.live_session(self.sandbox(), id).await
    }

    /// The session that the token or the request names; for a user who names none, their default one.
    pub(super) async fn acting_session(&self) -> Result<Option<SessionId>, Error> {
        let principal = &self.caller.principal;
        match (principal.session().or(self.caller.named_session.as_ref()), principal.user()) {
            (Some(session), _) => Ok(Some(session.clone())),
            (None, Some(user)) => Ok(self.service.metadata.default_session(&principal.sandbox, user).await?),
            (None, None) => Ok(None),
        }
    }

    /// The session to store in, created when it is not there. A user who names none gets one only if
    /// `needed`.
    pub(super) async fn session_for_storing(&self, needed: bool) -> Result<Option<Session>, Error> {
        match (&self.caller.principal.subject, &self.caller.named_session) {
            (Subject::Session(id) | Subject::UserInSession(_, id), named) => {
                if let Some(named) = named {
                    self.decide(Action::Write, &Resource::SessionId(named))?;
                }
                self.use_session(id).await.map(Some)
            }
            (Subject::User(_), Some(named)) => self.use_session(named).await.map(Some),
            (Subject::User(user), None) if needed => self.use_default_session(user).await.map(Some),
            (Subject::User(_), None) => Ok(None),
        }
    }

    /// The session with this id, which becomes the caller's if nobody has it.
    async fn use_session(&self, id: &SessionId) -> Result<Session, Error> {
        loop {
            let session = match self.live_session(id).await? {
                Some(session) => session,
                None => {
                    let session = self.draft_session(id.clone(), self.service.limits.session_life);
                    self.service.remove_if_over(&session).await?;
                    if self.service.metadata.insert(&session).await? {
                        return Ok(session);
                    }
                    continue;
                }
            };
            self.decide(Action::Write, &Resource::Session(&session))?;
            match self.caller.principal.user() {
                Some(user) if session.owner.is_none() => {
                    let adopted =
                        Session { owner: Some(user.clone()), version: session.version + 1, ..session.clone() };
                    if self.service.metadata.replace(&adopted, session.version).await? == Replaced::Done {
                        return Ok(adopted);
                    }
                }
                _ => return Ok(session),
            }
        }
    }

    /// The session of a user who names none, created when there is none.
    async fn use_default_session(&self, user: &UserId) -> Result<Session, Error> {
        let sandbox = &self.caller.principal.sandbox;
        loop {
            let current = self.service.metadata.default_session(sandbox, user).await?;
            if let Some(id) = &current
                && let Some(session) = self.live_session(id).await?
                && session.owner.as_ref() == Some(user)
            {
                return Ok(session);
            }
            let session = self.draft_session(self.generate_session_id(user), self.service.limits.session_life);
            if !self.service.metadata.insert(&session).await? {
                continue;
            }
            if self.service.metadata.set_default_session(sandbox, user, current.as_ref(), &session.id).await? {
                return Ok(session);
            }
            // Another request of the same user was faster: theirs is the default one.
            let _ = self.service.metadata.remove(&session).await?;
        }
    }

    fn generate_session_id(&self, user: &UserId) -> SessionId {
        SessionId::generate(user, self.service.clock.now(), rand::random())
    }

    fn draft_session(&self, id: SessionId, ttl: Ttl) -> Session {
        let now = self.service.clock.now();
        Session {
            sandbox: self.caller.principal.sandbox.clone(),
            id,
            owner: self.caller.principal.user().cloned(),
            created_at: now,
            life: Lifetime::starting(now, ttl),
            metadata: Meta::default(),
            // Not 1: a session that takes the place of an ended one is told from it by its version.
            version: now.as_millis().unsigned_abs(),
        }
    }
}

impl Service {
    /// Makes room for `session` if its id belongs to one that is over but still there.
    async fn remove_if_over(&self, session: &Session) -> Result<(), Error> {
        match self.metadata.find::<Session>(&session_name(&session.sandbox, &session.id)).await? {
            Some(old) if old.life.is_over(self.clock.now()) => self.remove_session(&old).await,
            _ => Ok(()),
        }
    }

    /// Removes an ended session: first its artifacts, then its record.
    pub(super) async fn remove_session(&self, session: &Session) -> Result<(), Error> {
        let partition = Partition::Session { sandbox: session.sandbox.clone(), session: session.id.clone() };
        let mut after = None;
        loop {
            let all = Search {
                partitions: std::slice::from_ref(&partition),
                filter: &Filter::default(),
                order: Order::default(),
                after: after.as_ref(),
                limit: PURGE_PAGE,
                // Others belong to a session that has taken this one's place meanwhile.
                visible: &|artifact| artifact.session.as_ref() == Some(&session.into()),
            };
            let page = self.metadata.search(&all).await?;
            for artifact in page.items {
                self.remove_any_version(artifact).await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        // A stale version means just that: another session has taken its place.
        let _ = self.metadata.remove(session).await?;
        Ok(())
    }
}
