//! What a provider says when it could not do what it was asked to.

use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The cause of a [`Fault`].
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A provider failed: which one, at what, and whether trying again may help.
///
/// The text names no secret and does not repeat its source.
#[derive(Debug, thiserror::Error)]
#[error("{provider}: {operation} failed")]
pub struct Fault {
    /// The provider's name, as in the configuration.
    pub provider: &'static str,
    /// What it was doing.
    pub operation: &'static str,
    /// Whether trying again may help.
    pub kind: FaultKind,
    /// Why.
    pub source: Cause,
}

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The provider cannot be reached, is overloaded or starting: try again later.
    Unavailable,
    /// The provider answered, but not with what it should have: an operator must look.
    Broken,
    /// The provider has no room: the disk, the quota or the memory is used up. Reading and removing go on.
    Full,
    /// The bytes are not those that were stored, or are gone: trying again does not help.
    Damaged,
}

impl Fault {
    /// The provider cannot be reached for now.
    pub fn unavailable(provider: &'static str, operation: &'static str, source: impl Into<Cause>) -> Self {
        Self { provider, operation, kind: FaultKind::Unavailable, source: source.into() }
    }

    /// The provider's answer is of no use.
    pub fn broken(provider: &'static str, operation: &'static str, source: impl Into<Cause>) -> Self {
        Self { provider, operation, kind: FaultKind::Broken, source: source.into() }
    }

    /// The provider has no room left.
    pub fn full(provider: &'static str, operation: &'static str, source: impl Into<Cause>) -> Self {
        Self { provider, operation, kind: FaultKind::Full, source: source.into() }
    }

    /// What the provider has is not what was stored.
    pub fn damaged(provider: &'static str, operation: &'static str, source: impl Into<Cause>) -> Self {
        Self { provider, operation, kind: FaultKind::Damaged, source: source.into() }
    }
}

/// Whether a provider has just refused something for lack of room.
///
/// That it could not store something large says little about something small, and the other way round. So a refusal
/// counts for a while, unless something was removed since.
#[derive(Debug, Default)]
pub struct Fullness(Mutex<Option<Instant>>);

impl Fullness {
    /// For how long a refusal counts: as long as it takes until the provider is tried out anew.
    const COUNTS_FOR: Duration = Duration::from_secs(30);

    /// Notes a refusal, if that is what `fault` is, and passes it on.
    pub fn noting(&self, fault: Fault) -> Fault {
        if fault.kind == FaultKind::Full {
            *self.0.lock() = Some(Instant::now());
        }
        fault
    }

    /// Notes that something was removed.
    pub fn removed(&self) {
        *self.0.lock() = None;
    }

    /// Whether something was refused a moment ago.
    pub fn is_full(&self) -> bool {
        self.0.lock().is_some_and(|at| at.elapsed() < Self::COUNTS_FOR)
    }
}

/// Prints an error and all its causes in one line: for logs and the operator's terminal, never for callers.
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
