//! One name, one log line and one count for every request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument as _, Level, field, span};

use super::request_id;
use crate::http::error::LoggedCause;
use crate::http::metrics::Metrics;

/// Names the request, runs it in a span, and logs its answer. This is the only place that logs why a
/// request failed. Of what the caller sent, only who they are is logged: never token, query or body.
pub(in crate::http) async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id::choose(request.headers().get(request_id::HEADER));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let span = span!(
        Level::INFO,
        "request",
        request_id = id,
        %method,
        route = route.as_str(),
        sandbox = field::Empty,
        user = field::Empty,
        session = field::Empty
    );
    let mut response = request_id::scope(id.clone(), next.run(request).instrument(span.clone())).await;
    if let Ok(value) = HeaderValue::try_from(&id) {
        response.headers_mut().insert(request_id::HEADER, value);
    }
    let took = started.elapsed();
    metrics.answered(&method, &route, response.status(), took);
    if let Some(fault) = response.extensions().get() {
        metrics.failed(fault);
    }
    let status = response.status().as_u16();
    let milliseconds = took.as_secs_f64() * 1000.0;
    let cause = response.extensions().get::<LoggedCause>().map(|cause| cause.0.as_ref());
    span.in_scope(|| match cause {
        Some(cause) if status >= 500 => tracing::error!(status, milliseconds, cause, "answered"),
        cause => tracing::info!(status, milliseconds, cause, "answered"),
    });
    response
}
