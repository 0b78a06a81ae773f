//! The authorised store *is* an extractor: a handler that wants artifacts has a caller, and says by its type what the
//! caller's token must allow. So that can be neither forgotten nor come too late: a token without the right is refused
//! before anything else of the request is read.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::domain::principal::Right;
use crate::http::AppState;
use crate::http::error::ApiError;
use crate::policy::{ArtifactStore, Caller, Plan};

/// The store of the caller, if they may do what needs `right`.
fn store_for(parts: &Parts, state: &AppState, right: Right) -> Result<ArtifactStore, ApiError> {
    // Routes that ask for no token have no caller.
    let caller = parts.extensions.get::<Arc<Caller>>().ok_or(ApiError::NoToken)?;
    let store = state.service.for_caller(Arc::clone(caller));
    store.check_right(right)?;
    Ok(match parts.extensions.get::<Plan>() {
        Some(plan) => store.following(plan.clone()),
        None => store,
    })
}

/// Defines the store of a caller whose token has a right.
macro_rules! store_for {
    ($(#[$doc:meta])* $name:ident, $right:expr) => {
        $(#[$doc])*
        pub(in crate::http) struct $name(ArtifactStore);

        impl Deref for $name {
            type Target = ArtifactStore;

            fn deref(&self) -> &ArtifactStore {
                &self.0
            }
        }

        impl FromRequestParts<AppState> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
                store_for(parts, state, $right).map(Self)
            }
        }
    };
}

store_for!(
    /// The store of one who may read.
    ReadStore,
    Right::Read
);
store_for!(
    /// The store of one who may write.
    WriteStore,
    Right::Write
);
store_for!(
    /// The store of one who may administer the sandbox.
    AdminStore,
    Right::Admin
);
