//! HTTP: routes, extractors, answers. Handlers are short: what a request means is decided in
//! [`crate::policy`].

mod budget;
mod conditional;
mod cursor;
mod disposition;
mod error;
mod extract;
mod metrics;
mod middleware;
mod openapi;
mod presigned;
mod problem;
mod readiness;
mod routes;
mod serve;
mod signed_url;
mod view;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn, from_fn_with_state};
use prometheus_client::registry::Registry;
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, Any, CorsLayer, ExposeHeaders};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use self::budget::Budget;
use self::metrics::Metrics;
pub use self::middleware::gate::Gate;
use self::readiness::Readiness;
use self::signed_url::UrlSigner;
use crate::auth::Authenticator;
use crate::policy::Service;
use crate::signing::SigningKeys;

/// How long a request may take, unless another time is given.
const DEADLINE: Duration = Duration::from_secs(120);

/// What handlers work with. Every layer of the router clones it for every request.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// What all requests share.
#[derive(Clone)]
pub struct Shared {
    service: Service,
    authenticator: Arc<Authenticator>,
    signing: Arc<SigningKeys>,
    signer: UrlSigner,
    gate: Gate,
    bodies: Budget,
    metrics: Metrics,
    readiness: Readiness,
    public_url: Option<Arc<str>>,
    deadline: Duration,
}

impl AppState {
    /// The state of a service that lets requests in through `gate` and starts the URLs that it hands out
    /// with `public_url` (without a slash at its end; without one, they are paths).
    pub fn new(
        service: Service,
        authenticator: Authenticator,
        signing: SigningKeys,
        gate: Gate,
        public_url: Option<&str>,
    ) -> Self {
        let signing = Arc::new(signing);
        let shared = Shared {
            authenticator: Arc::new(authenticator),
            signer: UrlSigner::new(Arc::clone(&signing)),
            signing,
            gate,
            bodies: Budget::new(budget::DEFAULT_BYTES),
            readiness: Readiness::new(true),
            metrics: Metrics::new(|registry| service.register(registry)),
            public_url: public_url.map(Into::into),
            deadline: DEADLINE,
            service,
        };
        Self(Arc::new(shared))
    }

    /// The same with so many bytes for all request bodies that are held in memory at the same time.
    pub fn with_body_memory(self, bytes: usize) -> Self {
        Self(Arc::new(Shared { bodies: Budget::new(bytes), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The same with figures of other rooms beside its own.
    pub fn with_figures(self, others: impl FnOnce(&mut Registry)) -> Self {
        let shared = Arc::unwrap_or_clone(self.0);
        let metrics = Metrics::new(|registry| {
            shared.service.register(registry);
            others(registry);
        });
        Self(Arc::new(Shared { metrics, ..shared }))
    }

    /// The same, ready without being able to write, too, unless `required`.
    pub fn with_writes_required(self, required: bool) -> Self {
        Self(Arc::new(Shared { readiness: Readiness::new(required), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The same with so much time for a request, from the end of its body to its answer.
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self(Arc::new(Shared { deadline, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The `Location` field of something new at `path`.
    fn location(&self, path: &str) -> Option<HeaderValue> {
        let base = self.public_url.as_deref().unwrap_or_default();
        HeaderValue::try_from(format!("{base}{path}")).ok()
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Which front ends may call from a browser.
#[derive(Debug, Clone, Default)]
pub enum AllowedOrigins {
    /// None but those of the service itself.
    #[default]
    None,
    /// All.
    Any,
    /// These.
    List(Vec<HeaderValue>),
}

/// The service as a router.
pub fn router(state: AppState, origins: AllowedOrigins) -> Router {
    let api = routes::api()
        .layer(from_fn_with_state(state.clone(), middleware::replay::replay))
        .layer(from_fn_with_state(state.clone(), middleware::authenticate::authenticate))
        .merge(routes::signed())
        .layer(from_fn_with_state(state.clone(), middleware::deadline::answer_in_time))
        .layer(from_fn_with_state(state.gate.clone(), middleware::gate::enter))
        .layer(from_fn(middleware::linger::linger));
    let (routes, document) = documented(api).split_for_parts();
    let docs = SwaggerUi::new("/docs")
        .url("/openapi.json", openapi::with_unique_ids(document))
        // By default the page would have another host validate the document.
        .config(Config::default().validator_url("none").try_it_out_enabled(true));
    routes
        .merge(docs)
        .fallback(|| async { error::ApiError::NoRoute })
        .method_not_allowed_fallback(|| async { error::ApiError::NoMethod })
        .layer(CatchPanicLayer::custom(middleware::panic::answer))
        .layer(option_layer(cors(origins)))
        .layer(from_fn_with_state(state.metrics.clone(), middleware::observe::observe))
        .with_state(state)
}

/// The OpenAPI document of the service.
pub fn openapi() -> utoipa::openapi::OpenApi {
    openapi::with_unique_ids(documented(routes::api().merge(routes::signed())).into_openapi())
}

fn documented(api: OpenApiRouter<AppState>) -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::ApiDocument::openapi()).merge(api).merge(routes::operation())
}

fn cors(origins: AllowedOrigins) -> Option<CorsLayer> {
    let origins = match origins {
        AllowedOrigins::None => return None,
        AllowedOrigins::Any => AllowOrigin::from(Any),
        AllowedOrigins::List(origins) => AllowOrigin::list(origins),
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            header::IF_RANGE,
            header::RANGE,
            HeaderName::from_static("content-digest"),
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("x-session-id"),
        ])
        .expose_headers(ExposeHeaders::list([
            header::ETAG,
            header::LINK,
            header::LOCATION,
            header::RETRY_AFTER,
            header::ACCEPT_RANGES,
            header::CONTENT_RANGE,
            header::CONTENT_DISPOSITION,
            header::LINK,
            HeaderName::from_static("content-digest"),
            HeaderName::from_static("idempotency-replayed"),
            HeaderName::from_static("x-request-id"),
        ]));
    Some(layer)
}
