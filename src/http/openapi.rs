//! The OpenAPI document, put together from what stands beside each handler.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Ref, RefOr, Response};
use utoipa::{IntoResponses, Modify, OpenApi, ToResponse};

use super::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "artifactd",
        description = "Stores files (\"artifacts\") for AI apps, MCP servers, front ends and back ends.\n\n\
            Three scopes: `session` (ephemeral, for one session), `user` (persistent, for one user) and `sandbox` \
            (shared with everyone in the sandbox; written by administrators).\n\n\
            Errors are `application/problem+json` (RFC 9457). Times are RFC 3339 in UTC, sizes are bytes, durations \
            are seconds. Unknown parameters and unknown JSON members are refused.\n\n\
            Every POST may have an `Idempotency-Key` (1 to 255 ASCII characters): sent again within a day with the same \
            key, it is answered as the first time, with `Idempotency-Replayed: true`, and nothing is done twice. The key \
            of another request, or of one that is still under way, is answered 409 `conflict`.",
        license(name = "MIT", identifier = "MIT")
    ),
    modifiers(&BearerToken),
    security(("bearer" = [])),
    components(schemas(Problem), responses(
        InvalidRequest, Unauthenticated, AccessDenied, ArtifactNotFound, ArtifactExpired, SessionNotFound, UploadNotFound,
        UploadIncomplete, Conflict,
        PreconditionFailed, PayloadTooLarge, UnsupportedMediaType, RangeNotSatisfiable, DigestMismatch, RequestTimeout,
        InternalError, ProviderError, ServiceUnavailable, InsufficientStorage
    )),
    tags(
        (name = "artifacts", description = "Store, read, change and delete files"),
        (name = "uploads", description = "Send a file to a signed URL"),
        (name = "multipart", description = "Send a large file in parts"),
        (name = "signed", description = "What signed URLs of this service lead to; no token needed"),
        (name = "sessions", description = "The boundaries of ephemeral files"),
        (name = "caller", description = "Who the service takes you for"),
        (name = "admin", description = "For administrators: the right `artifacts:admin`"),
        (name = "operation", description = "Health and version; no token needed")
    )
)]
pub(super) struct ApiDocument;

/// Bytes of any kind.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes a body; it is never built")]
pub(super) struct Binary(String);

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(
            "A JWT. By default `sub` is the user, `sid` the session, `sandbox` the sandbox, and `scope` or `roles` \
             name the rights `artifacts:read`, `artifacts:write`, `artifacts:admin`; a token with none of them may \
             read and write. `exp` is required.",
        ));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    }
}

/// Gives each operation an id of its own: those of HEAD come from the handler of GET.
pub(super) fn with_unique_ids(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    // The router's way to say that a parameter takes the rest of the path is not that of OpenAPI.
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    for path in document.paths.paths.values_mut() {
        if let Some(head) = &mut path.head {
            head.operation_id = head.operation_id.take().map(|id| id.replacen("get", "head", 1));
        }
    }
    document
}

/// What can go wrong with every call that needs a token.
pub(super) struct UsualErrors;

impl IntoResponses for UsualErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        references(&[
            (400, "InvalidRequest"),
            (401, "Unauthenticated"),
            (403, "AccessDenied"),
            (500, "InternalError"),
            (502, "ProviderError"),
            (503, "ServiceUnavailable"),
        ])
    }
}

/// What else can go wrong with a call that has a body.
pub(super) struct UsualErrorsWithBody;

impl IntoResponses for UsualErrorsWithBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = UsualErrors::responses();
        responses.append(&mut references(&[
            (408, "RequestTimeout"),
            (413, "PayloadTooLarge"),
            (415, "UnsupportedMediaType"),
            (507, "InsufficientStorage"),
        ]));
        responses
    }
}

fn references(named: &[(u16, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let reference = |name: &str| RefOr::Ref(Ref::from_response_name(name));
    named.iter().map(|(status, name)| (status.to_string(), reference(name))).collect()
}

fn example(code: &str, title: &str, status: u16, detail: &str) -> serde_json::Value {
    json!({
        "type": format!("urn:artifactd:problem:{code}"),
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": "0192f0c123457abc8def0123456789ab"
    })
}

/// Defines the error answers that handlers refer to.
macro_rules! error_responses {
    ($($name:ident $status:literal $code:literal $title:literal $detail:literal: $description:literal)*) => {$(
        #[derive(ToResponse)]
        #[response(
            description = $description,
            content_type = "application/problem+json",
            example = json!(example($code, $title, $status, $detail))
        )]
        #[expect(dead_code, reason = "describes the answer; it is never built")]
        pub(super) struct $name(Problem);
    )*};
}

error_responses! {
    InvalidRequest 400 "invalid_request" "Invalid request" "the request is not valid":
        "`invalid_request`: something is malformed or breaks a rule; `errors` names the fields."
    Unauthenticated 401 "unauthenticated" "Not authenticated" "the token has expired":
        "`unauthenticated`: no token, or one that is not valid."
    AccessDenied 403 "access_denied" "Access denied" "the artifact belongs to another user":
        "`access_denied`: it belongs to someone else. `insufficient_scope`: the token lacks a right; `WWW-Authenticate` \
         names it (RFC 6750)."
    ArtifactNotFound 404 "artifact_not_found" "Artifact not found" "there is no such artifact":
        "`artifact_not_found`: not in the caller's sandbox."
    SessionNotFound 404 "session_not_found" "Session not found" "there is no such session":
        "`session_not_found`: not in the caller's sandbox, or its life is over."
    ArtifactExpired 410 "artifact_expired" "Artifact expired" "the artifact has expired":
        "`artifact_expired`: its life is over."
    UploadNotFound 404 "upload_not_found" "Upload not found" "there is no such upload":
        "`upload_not_found`: not in the caller's sandbox, given up, or its time is over."
    UploadIncomplete 409 "upload_incomplete" "Upload incomplete" "part 3 has not arrived":
        "`upload_incomplete`: bytes or parts are missing or not as announced; `conflict`: it has been completed."
    Conflict 409 "conflict" "Conflict" "a session with this id exists":
        "`conflict`: collides with what is there."
    PreconditionFailed 412 "precondition_failed" "Precondition failed" "a condition of the request does not hold":
        "`precondition_failed`: `If-Match` or another condition does not hold; `detail` has the current tags."
    PayloadTooLarge 413 "payload_too_large" "Payload too large" "the body is larger than 5368709120 bytes":
        "`payload_too_large`: nothing was kept."
    UnsupportedMediaType 415 "unsupported_media_type" "Unsupported media type" "send JSON":
        "`unsupported_media_type`: the body has a type or coding that is not accepted here."
    RangeNotSatisfiable 416 "range_not_satisfiable" "Range not satisfiable" "the range lies outside the content of 13 bytes":
        "`range_not_satisfiable`: no byte lies in the range; `Content-Range` has the size."
    DigestMismatch 422 "digest_mismatch" "Digest mismatch" "the body has another digest than announced":
        "`digest_mismatch`: the body is not what was announced; nothing was kept."
    RequestTimeout 408 "request_timeout" "Request timeout" "the request body stalled":
        "`request_timeout`: the body came too slowly; nothing was kept."
    InternalError 500 "internal" "Internal error" "something went wrong inside the service":
        "`internal`: a bug; the log has more under the `request_id`. `artifact_damaged`: the stored bytes are not those \
         that were stored, or are gone; trying again does not help."
    ProviderError 502 "provider_error" "Provider error" "a provider behind the service failed":
        "`provider_error`: the storage or metadata provider gave an answer of no use."
    ServiceUnavailable 503 "provider_unavailable" "Provider unavailable" "a provider behind the service cannot be reached":
        "`provider_unavailable` or `overloaded`: try again after `Retry-After` seconds."
    InsufficientStorage 507 "insufficient_storage" "Insufficient storage" "the store is full; reading and deleting still work":
        "`insufficient_storage`: the store has no room; nothing was kept. Reading and deleting go on."
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    fn document() -> Value {
        serde_json::to_value(crate::http::openapi()).unwrap()
    }

    fn visit<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| match value.as_str() {
                Some(text) if key == name => found.push(text),
                _ => visit(value, name, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| visit(item, name, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut references = Vec::new();
        visit(&document, "$ref", &mut references);
        assert!(references.len() > 50);
        for reference in references {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let document = document();
        let mut ids = Vec::new();
        visit(&document, "operationId", &mut ids);
        let distinct: HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:?}");
    }
}
