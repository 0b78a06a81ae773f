//! `POST /v1/artifacts`.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use utoipa::ToSchema;

use super::file::{Attributes, StoreDocument, refuse_content_digest};
use crate::domain::artifact::{Artifact, UploadedVia};
use crate::domain::media_type::MediaType;
use crate::http::AppState;
use crate::http::budget::{Budget, Held};
use crate::http::error::ApiError;
use crate::http::extract::body;
use crate::http::extract::form::{self, Form, MaxFiles};
use crate::http::extract::json;
use crate::http::extract::params::{FormParams, Pairs, from_pairs, own_pairs};
use crate::http::extract::store::WriteStore;
use crate::http::openapi::{Binary, Conflict, DigestMismatch, SessionNotFound, UsualErrorsWithBody};
use crate::http::view::{self, ArtifactView};
use crate::policy::{ArtifactStore, Incoming};

/// The media type of a JSON body that holds the bytes.
pub(super) const JSON_STORE: &str = "application/vnd.artifactd.store+json";
pub(super) const FORM: &str = "multipart/form-data";

/// The largest JSON body; base64 makes a third more of the bytes.
const MAX_JSON_STORE_BYTES: usize = 16 * 1024 * 1024;

const ONE_FILE: MaxFiles = MaxFiles { count: 1, bytes: u64::MAX };

/// A file as a form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; it is never built")]
pub(in crate::http) struct StoreForm {
    /// The bytes, with their name and type.
    #[schema(format = Binary)]
    file: String,
    /// As the query parameter; default: the name of `file`.
    filename: Option<String>,
    /// As the query parameter.
    summary: Option<String>,
    /// As the query parameter.
    scope: Option<String>,
    /// As the query parameter.
    ttl: Option<u64>,
    /// As the query parameter: JSON text.
    meta: Option<String>,
    /// As the query parameter.
    sha256: Option<String>,
}

/// Store a file
///
/// Three bodies are understood. **Raw bytes** of any type: they are streamed, and `Content-Type` is the media
/// type. **`multipart/form-data`** with one part `file` and the parameters as text fields, in any order.
/// **`application/vnd.artifactd.store+json`** with `data_base64` or `text` and the parameters as members.
///
/// Without a media type it is guessed from the ending of the file name, else from the first bytes; an empty one counts as
/// none. Text whose bytes are UTF-8 is served with `charset=utf-8`. When the answer has come, the file
/// survives a crash of the service.
#[utoipa::path(
    post,
    path = "/v1/artifacts",
    operation_id = "store_artifact",
    tag = "artifacts",
    params(
        Attributes,
        FormParams,
        ("X-Session-Id" = Option<String>, Header, description = "The session to store in, if the token names none. Also as the parameter `session_id`."),
        ("Content-Digest" = Option<String>, Header, description = "The digest of the raw bytes (RFC 9530, `sha-256=:…:`). When they have another, nothing is kept."),
    ),
    request_body(
        content(
            (Binary = "application/octet-stream"),
            (StoreForm = "multipart/form-data"),
            (StoreDocument = "application/vnd.artifactd.store+json", example = json!({
                "text": "Hello, world!", "mime": "text/plain", "filename": "hello.txt", "scope": "user",
                "meta": {"project": "demo"}
            })),
        ),
    ),
    responses(
        (status = 201, description = "Stored.", body = ArtifactView, headers(
            ("Location" = String, description = "Where the record is."),
            ("ETag" = String, description = "The entity tag of the record."),
        )),
        (status = 404, response = SessionNotFound),
        (status = 409, response = Conflict),
        (status = 422, response = DigestMismatch),
        UsualErrorsWithBody,
    )
)]
pub(in crate::http) async fn store(
    store: WriteStore,
    State(state): State<AppState>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    body::refuse_codings(&parts.headers)?;
    let parameters = own_pairs(&parts)?;
    let mime = body::content_type(&parts.headers)?;
    let artifact = match mime.as_ref().map(MediaType::essence).as_deref() {
        Some(FORM) => store_form(&store, &parts, parameters, body, &state.bodies).await?,
        Some(JSON_STORE) => store_document(&store, &parts, parameters, body, &state.bodies).await?,
        _ => store_raw(&store, &parts, parameters, mime, body).await?,
    };
    Ok(view::created(&artifact, store.metadata_provider(), &state))
}

async fn store_raw(
    store: &ArtifactStore,
    parts: &Parts,
    parameters: Pairs,
    mime: Option<MediaType>,
    body: Body,
) -> Result<Artifact, ApiError> {
    let (new, sha256) = from_pairs::<Attributes>(parameters)?.into_new(mime, store.limits())?;
    let sha256 = body::announced_digest(&parts.headers, sha256)?;
    let length = body::content_length(&parts.headers);
    let incoming = Incoming { body: body::stream(body), length, sha256 };
    Ok(store.store(new, incoming, UploadedVia::Direct).await?)
}

async fn store_form(
    store: &ArtifactStore,
    parts: &Parts,
    mut parameters: Pairs,
    body: Body,
    budget: &Budget,
) -> Result<Artifact, ApiError> {
    refuse_content_digest(&parts.headers)?;
    let form_params = FormParams::take_from(&mut parameters)?;
    let form = form::read(&parts.headers, body, store, ONE_FILE, budget).await?;
    let Form { fields, mut files, share: _share } = form;
    let file = files.pop().ok_or_else(form::no_file)?;
    let fields = form_params.relevant::<Attributes>(fields);
    let mut attributes: Attributes = from_pairs(parameters.into_iter().chain(fields).collect())?;
    if attributes.filename.is_none() {
        attributes.filename = file.filename?;
    }
    attributes.into_file(file.mime?, file.content).store(store, UploadedVia::Direct).await
}

async fn store_document(
    store: &ArtifactStore,
    parts: &Parts,
    parameters: Pairs,
    body: Body,
    budget: &Budget,
) -> Result<Artifact, ApiError> {
    refuse_content_digest(&parts.headers)?;
    if let Some((name, _)) = parameters.first() {
        return Err(ApiError::field(name, "must be a member of the JSON document"));
    }
    let Held { bytes, share } = body::whole(&parts.headers, body, MAX_JSON_STORE_BYTES, budget).await?;
    let file = json::parse::<StoreDocument>(&bytes)?.into_file(&share)?;
    drop(bytes);
    file.store(store, UploadedVia::Direct).await
}
