//! Which storage provider keeps the bytes of which scope.

use std::sync::Arc;

use crate::domain::scope::Scope;
use crate::storage::Storage;

/// The storage providers, one for each scope. A provider is known by its name: records say with it where
/// their bytes are, so two with the same name are taken for one.
#[derive(Clone)]
pub struct Stores {
    session: Arc<dyn Storage>,
    user: Arc<dyn Storage>,
    sandbox: Arc<dyn Storage>,
}

impl Stores {
    /// One provider for all scopes.
    pub fn one(storage: Arc<dyn Storage>) -> Self {
        Self::per_scope(Arc::clone(&storage), Arc::clone(&storage), storage)
    }

    /// A provider for each scope; several may be the same.
    pub fn per_scope(session: Arc<dyn Storage>, user: Arc<dyn Storage>, sandbox: Arc<dyn Storage>) -> Self {
        Self { session, user, sandbox }
    }

    /// Where new bytes of a scope go.
    pub fn for_scope(&self, scope: Scope) -> &Arc<dyn Storage> {
        match scope {
            Scope::Session => &self.session,
            Scope::User => &self.user,
            Scope::Sandbox => &self.sandbox,
        }
    }

    /// The provider with this name.
    pub fn named(&self, name: &str) -> Option<&Arc<dyn Storage>> {
        self.all().into_iter().find(|storage| storage.name() == name)
    }

    /// All providers, each once.
    pub fn distinct(&self) -> Vec<&Arc<dyn Storage>> {
        let mut distinct: Vec<&Arc<dyn Storage>> = Vec::new();
        for storage in self.all() {
            if distinct.iter().all(|known| known.name() != storage.name()) {
                distinct.push(storage);
            }
        }
        distinct
    }

    fn all(&self) -> [&Arc<dyn Storage>; 3] {
        Scope::ALL.map(|scope| self.for_scope(scope))
    }
}
