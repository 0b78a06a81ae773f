//! `POST /v1/artifacts`.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures::StreamExt as _;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::super::super::AppState;
use super::super::super::error::ApiError;
use super::super::super::extract::form::{self, Form, FormContent};
use super::super::super::extract::params::{Pairs, from_pairs, own_pairs, text};
use super::super::super::extract::{body, json};
use super::super::super::openapi::{Binary, Conflict, DigestMismatch, SessionNotFound, UsualErrorsWithBody};
use super::super::super::view::{self, ArtifactView};
use crate::domain::artifact::{Artifact, Description};
use crate::domain::digest::Sha256Digest;
use crate::domain::filename::Filename;
use crate::domain::media_type::MediaType;
use crate::domain::meta::Meta;
use crate::domain::scope::Scope;
use crate::domain::summary::Summary;
use crate::domain::ttl::Ttl;
use crate::policy::{ArtifactStore, Incoming, NewArtifact, TtlChoice};

/// The media type of a JSON body that holds the bytes.
pub(super) const JSON_STORE: &str = "application/vnd.artifactd.store+json";
pub(super) const FORM: &str = "multipart/form-data";

/// The largest JSON body; base64 makes a third more of the bytes.
const MAX_JSON_STORE_BYTES: usize = 16 * 1024 * 1024;

/// What to know of a file besides its bytes: query parameters or form fields.
#[derive(Debug, Default, PartialEq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct Attributes {
    /// A relative path of at most 1024 bytes, without `..` and control characters.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "hello.txt")]
    filename: Option<Filename>,
    /// A few words; at most 4096 bytes.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "a greeting")]
    summary: Option<Summary>,
    /// `session` (default), `user` or `sandbox`.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = "user")]
    scope: Option<Scope>,
    /// Seconds to live. Default: 900 in session scope, for ever in the others.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<u64>, minimum = 1)]
    ttl: Option<Ttl>,
    /// A JSON object of at most 16 KiB, at most 32 levels deep.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>, example = r#"{"project":"demo"}"#)]
    meta: Option<Meta>,
    /// The SHA-256 digest of the bytes in hex. When they have another, nothing is kept.
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>)]
    sha256: Option<Sha256Digest>,
}

impl Attributes {
    fn into_new(self, mime: Option<MediaType>) -> (NewArtifact, Option<Sha256Digest>) {
        let mime = mime.or_else(|| guess(self.filename.as_ref())).unwrap_or_default();
        let description = Description {
            mime,
            filename: self.filename,
            summary: self.summary.unwrap_or_default(),
            meta: self.meta.unwrap_or_default(),
        };
        let ttl = self.ttl.map_or(TtlChoice::Default, TtlChoice::For);
        (NewArtifact { scope: self.scope.unwrap_or_default(), ttl, description }, self.sha256)
    }
}

/// The media type that a name speaks for.
pub(in crate::http) fn guess(filename: Option<&Filename>) -> Option<MediaType> {
    mime_guess::from_path(filename?.as_str()).first_raw()?.parse().ok()
}

/// A file as a JSON document.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct StoreDocument {
    /// The bytes in base64; either this or `text`.
    #[schema(example = "SGVsbG8sIHdvcmxkIQ==")]
    data_base64: Option<String>,
    /// The bytes as text; either this or `data_base64`.
    text: Option<String>,
    /// The media type.
    #[schema(value_type = Option<String>, example = "text/plain")]
    mime: Option<MediaType>,
    /// As the query parameter.
    #[schema(value_type = Option<String>, example = "hello.txt")]
    filename: Option<Filename>,
    /// As the query parameter.
    #[schema(value_type = Option<String>)]
    summary: Option<Summary>,
    /// As the query parameter.
    #[schema(value_type = Option<String>, example = "user")]
    scope: Option<Scope>,
    /// As the query parameter.
    #[schema(value_type = Option<u64>, minimum = 1)]
    ttl: Option<Ttl>,
    /// As the query parameter, but an object.
    #[serde(default, deserialize_with = "json::meta")]
    #[schema(value_type = Option<Object>)]
    meta: Option<Meta>,
    /// As the query parameter.
    #[schema(value_type = Option<String>)]
    sha256: Option<Sha256Digest>,
}

impl StoreDocument {
    fn into_parts(self) -> Result<(Attributes, Option<MediaType>, Bytes), ApiError> {
        let bytes = match (self.data_base64, self.text) {
            (Some(encoded), None) => BASE64
                .decode(encoded)
                .map_err(|error| ApiError::field("data_base64", format!("must be base64: {error}")))?
                .into(),
            (None, Some(text)) => text.into(),
            _ => return Err(ApiError::field("data_base64", "either this or text must be given")),
        };
        let Self { mime, filename, summary, scope, ttl, meta, sha256, .. } = self;
        Ok((Attributes { filename, summary, scope, ttl, meta, sha256 }, mime, bytes))
    }
}

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
/// Without a media type it is guessed from the ending of the file name. When the answer has come, the file
/// survives a crash of the service.
#[utoipa::path(
    post,
    path = "/v1/artifacts",
    operation_id = "store_artifact",
    tag = "artifacts",
    params(
        Attributes,
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
    store: ArtifactStore,
    State(state): State<AppState>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    store.check_may_write()?;
    body::refuse_codings(&parts.headers)?;
    let parameters = own_pairs(&parts)?;
    let mime = body::content_type(&parts.headers)?;
    let artifact = match mime.as_ref().map(MediaType::essence).as_deref() {
        Some(FORM) => store_form(&store, &parts, parameters, body).await?,
        Some(JSON_STORE) => store_document(&store, &parts, parameters, body).await?,
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
    let (new, sha256) = from_pairs::<Attributes>(parameters)?.into_new(mime);
    let sha256 = body::announced_digest(&parts.headers, sha256)?;
    let length = body::content_length(&parts.headers);
    Ok(store.store(new, Incoming { body: body::stream(body), length, sha256 }).await?)
}

async fn store_form(store: &ArtifactStore, parts: &Parts, parameters: Pairs, body: Body) -> Result<Artifact, ApiError> {
    refuse_content_digest(parts)?;
    let Form { fields, file } = form::read(&parts.headers, body, store).await?;
    let mut pairs = parameters;
    pairs.extend(fields);
    if !pairs.iter().any(|(name, _)| name == "filename") {
        pairs.extend(file.filename.map(|name| ("filename".to_owned(), name)));
    }
    let (new, sha256) = from_pairs::<Attributes>(pairs)?.into_new(file.mime);
    Ok(match file.content {
        FormContent::Held(bytes) => store.store(new, whole(bytes, sha256)).await?,
        FormContent::Staged(staged) => store.store_staged(new, staged, sha256).await?,
    })
}

async fn store_document(
    store: &ArtifactStore,
    parts: &Parts,
    parameters: Pairs,
    body: Body,
) -> Result<Artifact, ApiError> {
    refuse_content_digest(parts)?;
    if let Some((name, _)) = parameters.first() {
        return Err(ApiError::field(name, "must be a member of the JSON document"));
    }
    let document: StoreDocument = json::parse(body, MAX_JSON_STORE_BYTES).await?;
    let (attributes, mime, bytes) = document.into_parts()?;
    let (new, sha256) = attributes.into_new(mime);
    Ok(store.store(new, whole(bytes, sha256)).await?)
}

/// The digest of the request's body is not that of the bytes inside it: checking nothing would be a
/// promise broken in silence.
fn refuse_content_digest(parts: &Parts) -> Result<(), ApiError> {
    if parts.headers.contains_key("content-digest") {
        return Err(ApiError::field("content-digest", "is checked for raw bytes only; give sha256 here"));
    }
    Ok(())
}

fn whole(bytes: Bytes, sha256: Option<Sha256Digest>) -> Incoming {
    let length = Some(bytes.len() as u64);
    Incoming { body: futures::stream::once(async { Ok(bytes) }).boxed(), length, sha256 }
}
