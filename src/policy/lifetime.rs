//! How long things may live and how large they may be.

use super::Error;
use crate::domain::Invalid;
use crate::domain::meta::{Meta, MetaText};
use crate::domain::scope::Scope;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::ttl::{Lifetime, Ttl, TtlChoice};

/// The rules that an operator sets.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The life of a session-scoped artifact that asks for none.
    pub session_default_ttl: Ttl,
    /// The longest life of a session-scoped artifact.
    pub session_max_ttl: Ttl,
    /// The longest life of a user-scoped artifact; without, it may live until it is deleted.
    pub user_max_ttl: Option<Ttl>,
    /// The longest life of a sandbox-scoped artifact; without, it may live until it is deleted.
    pub sandbox_max_ttl: Option<Ttl>,
    /// The life of a session that asks for none.
    pub session_life: Ttl,
    /// The largest upload, in bytes.
    pub max_upload_bytes: u64,
    /// The largest `meta`, in bytes of JSON.
    pub max_meta_bytes: usize,
    /// How many files one request may store.
    pub max_batch_items: usize,
    /// How many bytes they may take together.
    pub max_batch_bytes: u64,
}

impl Limits {
    /// The life of an artifact that is given `choice` now. In session scope it ends, at the latest,
    /// with `session`.
    pub(super) fn lifetime(
        &self,
        scope: Scope,
        choice: TtlChoice,
        session: Option<&Session>,
        now: Timestamp,
    ) -> Result<Option<Lifetime>, Error> {
        let max = self.max_ttl(scope);
        let ttl = match (choice, max) {
            (TtlChoice::Default, _) if scope == Scope::Session => Some(self.session_default_ttl),
            (TtlChoice::Default, max) => max,
            (TtlChoice::Never, None) => None,
            (TtlChoice::Never, Some(_)) => {
                return Err(Error::invalid("ttl", format!("must be set: artifacts of {scope} scope always expire")));
            }
            (TtlChoice::For(ttl), Some(max)) if ttl > max => return Err(too_long("ttl", scope, max)),
            (TtlChoice::For(ttl), _) => Some(ttl),
        };
        Ok(ttl.map(|ttl| within(session, scope, Lifetime::starting(now, ttl), now)))
    }

    /// What gives an artifact as long a life as `life` was set to be, or as long as its scope allows by now.
    pub(super) fn renewed(&self, scope: Scope, life: Option<Lifetime>) -> TtlChoice {
        match (life.map(|life| life.ttl), self.max_ttl(scope)) {
            (Some(ttl), Some(max)) => TtlChoice::For(ttl.min(max)),
            (Some(ttl), None) | (None, Some(ttl)) => TtlChoice::For(ttl),
            (None, None) => TtlChoice::Never,
        }
    }

    /// `life` with its end moved by `by`, under the same rules.
    pub(super) fn extended(
        &self,
        scope: Scope,
        life: Lifetime,
        by: Ttl,
        session: Option<&Session>,
        now: Timestamp,
    ) -> Result<Lifetime, Error> {
        let longer = Lifetime { ttl: life.ttl.plus(by), expires_at: life.expires_at.plus_seconds(by.as_seconds()) };
        match self.max_ttl(scope) {
            Some(max) if longer.expires_at.seconds_since(now) > max.as_seconds() => {
                Err(too_long("extend_ttl", scope, max))
            }
            _ => Ok(within(session, scope, longer, now)),
        }
    }

    fn max_ttl(&self, scope: Scope) -> Option<Ttl> {
        match scope {
            Scope::Session => Some(self.session_max_ttl),
            Scope::User => self.user_max_ttl,
            Scope::Sandbox => self.sandbox_max_ttl,
        }
    }

    /// The metadata that a caller sent as `field`. Its size is looked at before its values are built.
    pub fn read_meta(&self, field: &'static str, text: Option<&MetaText>) -> Result<Option<Meta>, Error> {
        let read = text.map(|text| text.read(self.max_meta_bytes)).transpose();
        read.map_err(|reason| Error::invalid(field, reason))
    }

    /// Fails when the metadata that a caller sent as `field` is too large to be read.
    pub fn check_meta_text(&self, field: &'static str, text: Option<&MetaText>) -> Result<(), Error> {
        let fits = text.map_or(Ok(()), |text| text.check(self.max_meta_bytes));
        fits.map_err(|reason| Error::invalid(field, reason))
    }

    pub(super) fn check_meta(&self, field: &'static str, meta: &Meta) -> Result<(), Error> {
        let size = meta.encoded_len();
        if size <= self.max_meta_bytes {
            return Ok(());
        }
        let max = self.max_meta_bytes;
        Err(Error::invalid(field, Invalid::from(format!("must take at most {max} bytes as JSON, not {size}"))))
    }
}

fn too_long(field: &'static str, scope: Scope, max: Ttl) -> Error {
    let max = max.as_seconds();
    Error::invalid(field, format!("must leave an artifact of {scope} scope at most {max} seconds to live"))
}

/// `life`, cut to that of the session around it in session scope.
fn within(session: Option<&Session>, scope: Scope, life: Lifetime, now: Timestamp) -> Lifetime {
    match session {
        Some(session) if scope == Scope::Session && session.life.expires_at < life.expires_at => {
            let expires_at = session.life.expires_at;
            let ttl = Ttl::try_from(expires_at.seconds_since(now)).unwrap_or(life.ttl);
            Lifetime { ttl, expires_at }
        }
        _ => life,
    }
}
