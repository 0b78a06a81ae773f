//! Searching and listing what a caller may read.

use super::access::{Action, Resource};
use super::{ArtifactStore, Error};
use crate::domain::artifact::{Artifact, SessionUse};
use crate::domain::id::SessionId;
use crate::domain::scope::{Partition, Scope};
use crate::domain::search::{Filter, Order};
use crate::domain::session::Session;
use crate::metadata::{Contents, Directory, Found, Position, Search};

/// What a caller searches for.
#[derive(Debug, Clone, Default)]
pub struct SearchRequest {
    /// In which scope; in all when there is none.
    pub scope: Option<Scope>,
    /// For what. The session-scoped artifacts are those of the session that it names or, when it names
    /// none, of the one that the caller acts in.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    /// Behind which position.
    pub after: Option<Position>,
    /// How many at most.
    pub limit: usize,
}

/// What to list of a session.
#[derive(Debug, Clone, Default)]
pub struct DirectoryRequest {
    /// What names begin with.
    pub prefix: String,
    /// What ends the common beginning of names that are summed up; not empty.
    pub delimiter: Option<String>,
    /// Behind which position.
    pub after: Option<Position>,
    /// How many artifacts and beginnings at most.
    pub limit: usize,
}

impl ArtifactStore {
    /// One page of what the caller may read and searches for.
    pub async fn search(&self, request: &SearchRequest) -> Result<Found, Error> {
        let scope = request.scope.map_or(Resource::Sandbox, Resource::Scope);
        self.decide(Action::Read, &scope)?;
        let session = self.session_to_search(request.filter.session.as_ref()).await?;
        let (wants, sandbox) = (|scope| request.scope.is_none_or(|wanted| wanted == scope), self.sandbox());
        let mut partitions = Vec::new();
        if let Some(session) = session.as_ref().filter(|_| wants(Scope::Session)) {
            partitions.push(Partition::Session { sandbox: sandbox.clone(), session: session.id.clone() });
        }
        match self.principal().user() {
            Some(user) if wants(Scope::User) => {
                partitions.push(Partition::User { sandbox: sandbox.clone(), user: user.clone() });
            }
            _ => {}
        }
        if wants(Scope::Sandbox) {
            partitions.push(Partition::Shared { sandbox: sandbox.clone() });
        }
        let search = Search {
            partitions: &partitions,
            filter: &request.filter,
            order: request.order,
            after: request.after.as_ref(),
            limit: request.limit,
            visible: &self.visible_with(session.as_ref()),
        };
        Ok(self.service.metadata.search(&search).await?)
    }

    /// One page of the session-scoped artifacts of a session of the caller's, by name.
    pub async fn session_artifacts(&self, id: &SessionId, request: &DirectoryRequest) -> Result<Contents, Error> {
        let session = self.session(id).await?;
        let directory = Directory {
            partition: &Partition::Session { sandbox: self.sandbox().clone(), session: id.clone() },
            prefix: &request.prefix,
            delimiter: request.delimiter.as_deref(),
            after: request.after.as_ref(),
            limit: request.limit,
            visible: &self.visible_with(Some(&session)),
        };
        Ok(self.service.metadata.directory(&directory).await?)
    }

    /// The session whose artifacts are searched: one that lives and is the caller's.
    async fn session_to_search(&self, named: Option<&SessionId>) -> Result<Option<Session>, Error> {
        self.check_named_session(Action::Read).await?;
        let acting = match named {
            Some(named) => Some(named.clone()),
            None => self.acting_session().await?,
        };
        let Some(id) = acting else { return Ok(None) };
        self.decide(Action::Read, &Resource::SessionId(&id))?;
        let session = self.live_session(&id).await?;
        match session.as_ref().map_or(Ok(()), |session| self.decide(Action::Read, &Resource::Session(session))) {
            // Nobody has asked for it: once a default session is over, others may use its id.
            Err(_) if named.is_none() && self.principal().session().is_none() => Ok(None),
            checked => checked.map(|()| session),
        }
    }

    /// What is expired may still be there, and so may what belongs to an earlier session with the same id.
    fn visible_with(&self, session: Option<&Session>) -> impl Fn(&Artifact) -> bool + Sync + use<> {
        let now = self.service.clock.now();
        let session = session.map(SessionUse::from);
        move |artifact| {
            let is_of_session = || artifact.session == session;
            !artifact.is_expired(now) && (artifact.partition.scope() != Scope::Session || is_of_session())
        }
    }
}
