//! Error documents: `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::middleware::request_id;
use super::readiness::ConditionView;

/// The media type of every error answer.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// A URI for the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:artifactd:problem:artifact_not_found")]
    pub kind: String,
    /// The kind of problem in a few words; the same for each `code`.
    #[schema(example = "Artifact not found")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What is wrong with this request.
    #[schema(example = "there is no such artifact")]
    pub detail: String,
    /// The kind of problem, for programs.
    #[schema(value_type = String, example = "artifact_not_found")]
    pub code: Code,
    /// Names this request in the service's log.
    #[schema(example = "0192f0c123457abc8def0123456789ab")]
    pub request_id: String,
    /// Which fields or parameters are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// When the service is not ready: what it needs, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionView>,
}

/// What went wrong with one item of many: the members of a problem document that differ from one to another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItemProblem {
    /// The kind of problem, for programs.
    #[schema(value_type = String, example = "access_denied")]
    pub code: Code,
    /// The kind of problem in a few words; the same for each `code`.
    #[schema(example = "Access denied")]
    pub title: &'static str,
    /// What is wrong with this item.
    #[schema(example = "the artifact belongs to another user")]
    pub detail: String,
    /// Which fields are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ItemProblem {
    pub(super) fn new(code: Code, detail: String, errors: Vec<FieldError>) -> Self {
        Self { code, title: code.title(), detail, errors }
    }
}

/// One wrong field or parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldError {
    /// Its name; a dotted path for nested ones.
    #[schema(example = "ttl")]
    pub field: String,
    /// What is wrong with it.
    #[schema(example = "must be at least 1 second")]
    pub message: String,
}

/// The kinds of problem. Each has one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Code {
    /// No such artifact.
    ArtifactNotFound,
    /// The artifact's life is over.
    ArtifactExpired,
    /// No such session.
    SessionNotFound,
    /// No such upload.
    UploadNotFound,
    /// No such route.
    NotFound,
    /// The route has other methods.
    MethodNotAllowed,
    /// No valid token.
    Unauthenticated,
    /// Not allowed.
    AccessDenied,
    /// Not allowed with this token: it lacks a right.
    InsufficientScope,
    /// Something in the request is malformed or breaks a rule.
    InvalidRequest,
    /// Collides with what is there.
    Conflict,
    /// The upload lacks bytes or parts.
    UploadIncomplete,
    /// A condition of the request does not hold.
    PreconditionFailed,
    /// The body is too large.
    PayloadTooLarge,
    /// The body's type is not accepted here.
    UnsupportedMediaType,
    /// No byte lies in the range.
    RangeNotSatisfiable,
    /// The body has another digest than announced.
    DigestMismatch,
    /// The body came too slowly.
    RequestTimeout,
    /// A provider cannot be reached.
    ProviderUnavailable,
    /// A provider's answer is of no use.
    ProviderError,
    /// The store has no room.
    InsufficientStorage,
    /// The bytes are not those that were stored, or are gone.
    ArtifactDamaged,
    /// Too many requests at once, or the service is stopping.
    Overloaded,
    /// A bug.
    Internal,
}

impl Code {
    /// The status that goes with it.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::ArtifactNotFound | Self::SessionNotFound | Self::UploadNotFound | Self::NotFound => {
                StatusCode::NOT_FOUND
            }
            Self::ArtifactExpired => StatusCode::GONE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::AccessDenied | Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Conflict | Self::UploadIncomplete => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::DigestMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::ProviderUnavailable | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::ProviderError => StatusCode::BAD_GATEWAY,
            Self::InsufficientStorage => StatusCode::INSUFFICIENT_STORAGE,
            Self::ArtifactDamaged | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::ArtifactNotFound => "Artifact not found",
            Self::ArtifactExpired => "Artifact expired",
            Self::SessionNotFound => "Session not found",
            Self::UploadNotFound => "Upload not found",
            Self::NotFound => "No such resource",
            Self::MethodNotAllowed => "Method not allowed",
            Self::Unauthenticated => "Not authenticated",
            Self::AccessDenied => "Access denied",
            Self::InsufficientScope => "Insufficient scope",
            Self::InvalidRequest => "Invalid request",
            Self::Conflict => "Conflict",
            Self::UploadIncomplete => "Upload incomplete",
            Self::PreconditionFailed => "Precondition failed",
            Self::PayloadTooLarge => "Payload too large",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::RangeNotSatisfiable => "Range not satisfiable",
            Self::DigestMismatch => "Digest mismatch",
            Self::RequestTimeout => "Request timeout",
            Self::ProviderUnavailable => "Provider unavailable",
            Self::ProviderError => "Provider error",
            Self::InsufficientStorage => "Insufficient storage",
            Self::ArtifactDamaged => "Artifact damaged",
            Self::Overloaded => "Overloaded",
            Self::Internal => "Internal error",
        }
    }

    /// Seconds after which trying again makes sense, if it does.
    fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::Overloaded => Some("1"),
            Self::ProviderUnavailable => Some("5"),
            _ => None,
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

impl Problem {
    pub(super) fn new(code: Code, detail: String, errors: Vec<FieldError>) -> Self {
        Self {
            kind: format!("urn:artifactd:problem:{code}"),
            title: code.title(),
            status: code.status().as_u16(),
            detail,
            code,
            request_id: request_id::current(),
            errors,
            conditions: Vec::new(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let retry_after = self.code.retry_after();
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}
