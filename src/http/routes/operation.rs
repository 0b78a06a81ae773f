//! Health, version, figures.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::AppState;
use crate::http::error::ApiError;
use crate::http::metrics::CONTENT_TYPE;
use crate::http::openapi::ServiceUnavailable;
use crate::http::readiness::Ready;

/// A state in one word.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Json<Status> = Json(Status { status: "ok" });

/// Tell whether the process runs
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    security(()),
    responses((status = 200, description = "It does.", body = Status))
)]
pub(super) async fn healthz() -> Json<Status> {
    OK
}

/// Tell whether requests can be served: all providers do what they should, and the service is not stopping
///
/// A store that is full does not count: reading and deleting go on. `status` and `conditions` say so.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "They can.", body = Ready),
        (status = 503, response = ServiceUnavailable),
    )
)]
pub(super) async fn readyz(State(state): State<AppState>) -> Result<Json<Ready>, ApiError> {
    if state.gate.is_closed() {
        return Err(ApiError::Draining);
    }
    Ok(Json(state.readiness.check(&state.service).await?))
}

/// What runs here.
#[derive(Serialize, ToSchema)]
pub(super) struct Version {
    /// `artifactd`.
    #[schema(example = "artifactd")]
    name: &'static str,
    /// The version.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// Tell name and version
#[utoipa::path(
    get,
    path = "/version",
    tag = "operation",
    security(()),
    responses((status = 200, description = "Name and version.", body = Version))
)]
pub(super) async fn version() -> Json<Version> {
    Json(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}

/// Give the figures of this process to a monitoring system, in the OpenMetrics text format
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    security(()),
    responses((status = 200, description = "Requests counted and timed by method, route and status.", body = String,
        content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(State(state): State<AppState>) -> Result<Response, ApiError> {
    // Some of them are known by asking only.
    let _ = state.service.known_conditions();
    let figures = state.metrics.encode(state.gate.in_flight());
    let figures = figures.map_err(|error| ApiError::Panic(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], figures).into_response())
}
