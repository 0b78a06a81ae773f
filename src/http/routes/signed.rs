//! `/v1/signed/…`: what a URL that this service has signed allows whoever has it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::ETAG;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::http::AppState;
use crate::http::conditional;
use crate::http::error::ApiError;
use crate::http::extract::body;
use crate::http::openapi::{
    AccessDenied, ArtifactExpired, ArtifactNotFound, Binary, DigestMismatch, PreconditionFailed, RangeNotSatisfiable,
    UploadNotFound,
};
use crate::http::serve::Served;
use crate::policy::{Grant, Incoming};
use crate::storage::PutConstraints;

/// Read the bytes that a signed URL is for
///
/// The URL comes from a call to presign; nothing in it can be changed. As for any content there are ranges and
/// conditions.
#[utoipa::path(
    method(get, head),
    path = "/v1/signed/{*key}",
    operation_id = "get_signed",
    tag = "signed",
    security(()),
    params(
        ("key" = String, Path, description = "The key of the content."),
        ("Range" = Option<String>, Header, description = "One range of bytes."),
    ),
    responses(
        (status = 200, description = "The bytes.", content_type = "application/octet-stream", body = Binary),
        (status = 206, description = "The bytes of the range.", content_type = "application/octet-stream", body = Binary),
        (status = 304, description = "The caller has them already."),
        (status = 403, response = AccessDenied),
        (status = 404, response = ArtifactNotFound),
        (status = 410, response = ArtifactExpired),
        (status = 412, response = PreconditionFailed),
        (status = 416, response = RangeNotSatisfiable),
    )
)]
pub(in crate::http) async fn get(
    State(state): State<AppState>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Grant::Download { key, content_type, content_disposition } = granted(&state, &method, &uri)? else {
        return Err(ApiError::NoMethod);
    };
    let signed = state.service.signed_content(&key).await?;
    let disposition = HeaderValue::try_from(content_disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let changed = signed.last_change();
    let served = Served { content: signed.content(), changed, mime: &content_type, disposition };
    served.answer(&method, &headers, async |range| signed.read(range).await).await
}

/// Send the bytes that a signed URL is for
///
/// The URL comes from a call to create an upload or to get the URL of a part. Bytes can be sent again until the
/// upload is completed; the last count.
#[utoipa::path(
    put,
    path = "/v1/signed/{*key}",
    operation_id = "put_signed",
    tag = "signed",
    security(()),
    params(("key" = String, Path, description = "The key of the upload or of the part.")),
    request_body(content = Binary, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "They have arrived.", headers(
            ("ETag" = String, description = "Their entity tag; completing an upload in parts needs it."),
        )),
        (status = 403, response = AccessDenied),
        (status = 404, response = UploadNotFound),
        (status = 422, response = DigestMismatch),
    )
)]
pub(in crate::http) async fn put(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let (sandbox, artifact, number, constraints) = match granted(&state, &parts.method, &parts.uri)? {
        Grant::Upload { sandbox, artifact, constraints } => (sandbox, artifact, None, constraints),
        Grant::Part { sandbox, artifact, number } => (sandbox, artifact, Some(number), PutConstraints::default()),
        Grant::Download { .. } => return Err(ApiError::NoMethod),
    };
    body::refuse_codings(&parts.headers)?;
    let content_type = body::content_type(&parts.headers)?;
    if constraints.content_type.is_some() && constraints.content_type != body::content_type_as_sent(&parts.headers)? {
        return Err(ApiError::NotAsSigned("content type"));
    }
    let incoming = incoming(&parts.headers, body, &constraints)?;
    let received = state.service.receive((&sandbox, artifact), number, incoming, content_type).await?;
    Ok((StatusCode::OK, [(ETAG, conditional::quoted(&received.etag))]).into_response())
}

fn incoming(headers: &HeaderMap, body: Body, constraints: &PutConstraints) -> Result<Incoming, ApiError> {
    let announced = body::content_length(headers);
    if let (Some(signed), Some(announced)) = (constraints.bytes, announced)
        && signed != announced
    {
        return Err(ApiError::NotAsSigned("size"));
    }
    let sha256 = body::announced_digest(headers, constraints.sha256)?;
    Ok(Incoming { length: constraints.bytes.or(announced), sha256, body: body::stream(body) })
}

fn granted(state: &AppState, method: &Method, uri: &Uri) -> Result<Grant, ApiError> {
    Ok(state.signer.check(method, uri.path(), uri.query(), state.service.now())?)
}
