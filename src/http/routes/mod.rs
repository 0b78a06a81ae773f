//! One file per resource or action: its parameters, its body, its answer, its handler.

mod admin;
mod artifacts;
mod directory;
mod grid;
mod multipart;
mod operation;
mod sessions;
mod signed;
mod uploads;
mod whoami;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;

/// What needs a token.
pub(super) fn api() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(artifacts::store::store, artifacts::search::list))
        .routes(routes!(artifacts::search::post))
        .routes(routes!(artifacts::batch::store::store))
        .routes(routes!(artifacts::batch::delete::delete))
        .routes(routes!(artifacts::record::get, artifacts::record::patch, artifacts::record::delete))
        .routes(routes!(artifacts::content::get, artifacts::replace::put))
        .routes(routes!(artifacts::copy::copy))
        .routes(routes!(artifacts::copy::rename))
        .routes(routes!(artifacts::presign::post))
        .routes(routes!(uploads::create))
        .routes(routes!(uploads::complete))
        .routes(routes!(uploads::delete))
        .routes(routes!(multipart::create))
        .routes(routes!(multipart::get, multipart::delete))
        .routes(routes!(multipart::presign))
        .routes(routes!(multipart::presign_one))
        .routes(routes!(multipart::complete))
        .routes(routes!(sessions::create))
        .routes(routes!(sessions::get, sessions::patch, sessions::delete))
        .routes(routes!(sessions::extend))
        .routes(routes!(directory::list))
        .routes(routes!(grid::parse))
        .routes(routes!(admin::stats))
        .routes(routes!(admin::check))
        .routes(routes!(admin::cleanup))
        .routes(routes!(whoami::whoami))
}

/// What needs a signature, which is as good as a token.
pub(super) fn signed() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(signed::get, signed::put))
}

/// What needs none and is always answered.
pub(super) fn operation() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(operation::healthz))
        .routes(routes!(operation::readyz))
        .routes(routes!(operation::version))
        .routes(routes!(operation::metrics))
}
