//! Figures for a monitoring system, in the OpenMetrics text format.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::fault::{Fault, FaultKind};
use crate::patience::Late;

/// The media type of [`Metrics::encode`].
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: from a read out of memory to a large upload.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0];

/// Counts and times requests.
#[derive(Clone)]
pub(super) struct Metrics {
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram>,
    provider_faults: Family<ProviderFault, Counter>,
    in_flight: Gauge,
    registry: Arc<Registry>,
}

/// Labels take few values, whatever clients send: routes are templates, unknown methods are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

/// That a request failed at a provider, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProviderFault {
    provider: &'static str,
    /// `late`: there was no answer in time.
    kind: &'static str,
}

impl From<&Fault> for ProviderFault {
    fn from(fault: &Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Unavailable if fault.source.is::<Late>() => "late",
            FaultKind::Unavailable => "unavailable",
            FaultKind::Broken => "broken",
            FaultKind::Full => "full",
            FaultKind::Damaged => "damaged",
        };
        Self { provider: fault.provider, kind }
    }
}

impl Metrics {
    /// Figures of the requests, beside those that `others` register.
    pub(super) fn new(others: impl FnOnce(&mut Registry)) -> Self {
        let requests = Family::<Request, Counter>::default();
        let durations = Family::<Route, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let provider_faults = Family::<ProviderFault, Counter>::default();
        let in_flight = Gauge::default();
        let mut registry = Registry::with_prefix("artifactd");
        others(&mut registry);
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of the request to the head of the answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("provider_faults", "Requests that failed at a provider", provider_faults.clone());
        registry.register("http_requests_in_flight", "Requests not yet answered to the last byte", in_flight.clone());
        Self { requests, durations, provider_faults, in_flight, registry: Arc::new(registry) }
    }

    /// Notes an answer.
    pub(super) fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let method = name(method);
        let request = Request { method, route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&request).inc();
        self.durations.get_or_create(&Route { method, route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// Notes at whom a request failed.
    pub(super) fn failed(&self, at: &ProviderFault) {
        self.provider_faults.get_or_create(at).inc();
    }

    /// All figures as text.
    pub(super) fn encode(&self, in_flight: usize) -> Result<String, std::fmt::Error> {
        self.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
