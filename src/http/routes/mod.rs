//! One file per resource or action: its parameters, its body, its answer, its handler.

mod artifacts;
mod grid;
mod operation;
mod sessions;
mod whoami;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;

/// What needs a token.
pub(super) fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(artifacts::store::store))
        .routes(routes!(artifacts::record::get, artifacts::record::patch, artifacts::record::delete))
        .routes(routes!(artifacts::content::get, artifacts::replace::put))
        .routes(routes!(artifacts::copy::copy))
        .routes(routes!(artifacts::copy::rename))
        .routes(routes!(sessions::create))
        .routes(routes!(sessions::get, sessions::patch, sessions::delete))
        .routes(routes!(sessions::extend))
        .routes(routes!(grid::parse))
        .routes(routes!(whoami::whoami))
}

/// What needs none and is always answered.
pub(super) fn operation() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(operation::healthz))
        .routes(routes!(operation::readyz))
        .routes(routes!(operation::version))
        .routes(routes!(operation::metrics))
}
