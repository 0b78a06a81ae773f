//! `GET /v1/artifacts` and `POST /v1/artifacts/search`.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use crate::domain::filename::MAX_FILENAME_BYTES;
use crate::domain::id::SessionId;
use crate::domain::scope::Scope;
use crate::domain::search::{Filter, MetaTerm, MimePrefix, Order};
use crate::domain::time::Timestamp;
use crate::domain::words::words;
use crate::http::AppState;
use crate::http::cursor::Cursors;
use crate::http::error::ApiError;
use crate::http::extract::json::Json;
use crate::http::extract::limit::Limit;
use crate::http::extract::params::{None as NoParams, Params, from_pairs, query_pairs, scalar};
use crate::http::extract::size::Size;
use crate::http::extract::store::ReadStore;
use crate::http::openapi::{UsualErrors, UsualErrorsWithBody};
use crate::http::view::ArtifactView;
use crate::policy::{ArtifactStore, SearchRequest};

/// The longest path that can be asked for, in bytes.
const MAX_PATH_BYTES: usize = 1024;
/// The most values of metadata, and the most words, in one search.
const MAX_TERMS: usize = 20;
const MAX_Q_BYTES: usize = 1024;
/// The longest question: as long as a URL may be. As values, JSON can take a hundred times its size.
const MAX_QUESTION_BYTES: usize = 64 * 1024;
const META: &str = "meta.";

/// What to search for. All that is given must hold.
#[derive(Debug, Default, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct SearchQuery {
    /// `session`, `user` or `sandbox`. Default: everything that the caller may read, which is what is in the
    /// session that the caller acts in, the user's, and what is shared.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<String>, example = "user")]
    #[param(value_type = Option<String>, example = "user")]
    scope: Option<Scope>,
    /// Stored in this session, which must be the caller's.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<String>)]
    #[param(value_type = Option<String>)]
    session_id: Option<SessionId>,
    /// What the media type starts with.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<String>, example = "image/")]
    #[param(value_type = Option<String>, example = "image/")]
    mime_prefix: Option<MimePrefix>,
    /// What the name starts with.
    #[serde(deserialize_with = "scalar")]
    #[schema(example = "docs/")]
    #[param(example = "docs/")]
    filename_prefix: Option<String>,
    /// Values of metadata, at most 20: texts, numbers, booleans; a list is found by each of its members. A path into
    /// nested objects has dots and at most 1024 bytes. A file is found by the first 64 values of its metadata, each of
    /// at most 128 bytes with its path.
    #[schema(value_type = Object, example = json!({"project": "demo", "size.width": 1920}))]
    #[param(ignore)]
    meta: Map<String, Value>,
    /// Words that are in the name or the summary, in any order and without regard to case; at most 20.
    #[serde(deserialize_with = "scalar")]
    #[schema(example = "quarterly report")]
    #[param(example = "quarterly report")]
    q: Option<String>,
    /// Stored later than this.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<String>, format = DateTime)]
    #[param(value_type = Option<String>, format = DateTime)]
    stored_after: Option<Timestamp>,
    /// Stored earlier than this.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<String>, format = DateTime)]
    #[param(value_type = Option<String>, format = DateTime)]
    stored_before: Option<Timestamp>,
    /// At least so large.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<u64>)]
    #[param(value_type = Option<u64>)]
    min_bytes: Option<Size>,
    /// At most so large.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<u64>)]
    #[param(value_type = Option<u64>)]
    max_bytes: Option<Size>,
    /// `stored_at`, `filename` or `bytes`, with a `-` before it to descend. Default: `-stored_at`.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<String>, example = "-stored_at")]
    #[param(value_type = Option<String>, example = "-stored_at")]
    order: Option<Order>,
    /// How many at most: 1 to 1000. Default: 100.
    #[serde(deserialize_with = "scalar")]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before. All else but `limit` must be as it was there.
    #[serde(deserialize_with = "scalar")]
    cursor: Option<String>,
}

impl SearchQuery {
    /// From the parameters of a URL, where each `meta.PATH=VALUE` stands for a value of metadata.
    fn from_parameters(query: &str) -> Result<(Self, Vec<MetaTerm>), ApiError> {
        let (meta, others): (Vec<_>, Vec<_>) =
            query_pairs(query)?.into_iter().partition(|(name, _)| name.starts_with(META));
        let mut terms = Vec::new();
        for (name, value) in meta {
            add_term(&name[META.len()..], &Value::String(value), &mut terms)?;
        }
        Ok((from_pairs(others)?, terms))
    }

    fn into_request(self, mut meta: Vec<MetaTerm>) -> Result<(SearchRequest, Option<String>), ApiError> {
        collect_terms(&mut String::new(), &self.meta, &mut meta)?;
        if self.filename_prefix.as_ref().is_some_and(|prefix| prefix.len() > MAX_FILENAME_BYTES) {
            return Err(ApiError::field("filename_prefix", format!("must take at most {MAX_FILENAME_BYTES} bytes")));
        }
        let filter = Filter {
            session: self.session_id,
            mime_prefix: self.mime_prefix,
            filename_prefix: self.filename_prefix,
            meta,
            words: self.q.map(|q| searched_words(&q)).transpose()?.unwrap_or_default(),
            stored_after: self.stored_after,
            stored_before: self.stored_before,
            min_bytes: self.min_bytes.map(|size| size.0),
            max_bytes: self.max_bytes.map(|size| size.0),
        };
        let limit = self.limit.unwrap_or_default().get();
        let request =
            SearchRequest { scope: self.scope, filter, order: self.order.unwrap_or_default(), after: None, limit };
        Ok((request, self.cursor))
    }
}

fn searched_words(q: &str) -> Result<std::collections::BTreeSet<String>, ApiError> {
    if q.len() > MAX_Q_BYTES {
        return Err(ApiError::field("q", format!("must take at most {MAX_Q_BYTES} bytes")));
    }
    let words = words(q);
    match words.len() {
        0 => Err(ApiError::field("q", "must hold a word")),
        1..=MAX_TERMS => Ok(words),
        _ => Err(ApiError::field("q", format!("must hold at most {MAX_TERMS} words"))),
    }
}

/// The values of nested objects. The recursion is bounded: the JSON parser refuses more than 128 levels.
fn collect_terms(path: &mut String, members: &Map<String, Value>, terms: &mut Vec<MetaTerm>) -> Result<(), ApiError> {
    let parent = path.len();
    for (name, value) in members {
        path.push_str(name);
        match value {
            Value::Object(members) if !members.is_empty() => {
                path.push('.');
                collect_terms(path, members, terms)?;
            }
            value => add_term(path, value, terms)?,
        }
        path.truncate(parent);
    }
    Ok(())
}

fn add_term(path: &str, value: &Value, terms: &mut Vec<MetaTerm>) -> Result<(), ApiError> {
    let refuse = |message| Err(ApiError::field(format!("{META}{path}"), message));
    if path.len() > MAX_PATH_BYTES {
        return refuse(format!("must have a path of at most {MAX_PATH_BYTES} bytes"));
    }
    if terms.len() == MAX_TERMS {
        return Err(ApiError::field("meta", format!("must name at most {MAX_TERMS} values")));
    }
    let Some(term) = MetaTerm::new(path, value) else {
        return refuse("must be text, a number or a boolean".to_owned());
    };
    terms.push(term);
    Ok(())
}

/// A page of what was found.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchPage)]
pub(in crate::http) struct Page {
    /// What was found. A page may hold fewer than `limit`, even none, and not be the last.
    items: Vec<ArtifactView>,
    /// What to give as `cursor` to get the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Search files
///
/// Everything that is given must hold. A page ends early when many files had to be looked at for few that match,
/// and when it holds some MiB: go on for as long as there is a `next_cursor`.
#[utoipa::path(
    get,
    path = "/v1/artifacts",
    operation_id = "list_artifacts",
    tag = "artifacts",
    params(
        SearchQuery,
        ("meta.PATH" = Option<String>, Query, description = "A value of metadata: equal to the text, or to the JSON text of a number or boolean, at the path; dots lead into nested objects. Repeatable."),
        ("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none."),
    ),
    responses(
        (status = 200, description = "A page.", body = Page, headers(
            ("Link" = String, description = "The next page, if there is one: `<…>; rel=\"next\"`."),
        )),
        UsualErrors,
    )
)]
pub(in crate::http) async fn list(
    store: ReadStore,
    State(state): State<AppState>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = uri.query().unwrap_or_default();
    let (parameters, meta) = SearchQuery::from_parameters(query)?;
    let page = search(&store, &state, parameters.into_request(meta)?).await?;
    let link = match &page.next_cursor {
        Some(cursor) => link_to_next(&state, &uri, cursor)?,
        None => None,
    };
    let mut response = Answer(page).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// The `Link` field that leads to the same search behind `cursor`.
fn link_to_next(state: &AppState, uri: &Uri, cursor: &str) -> Result<Option<HeaderValue>, ApiError> {
    let mut pairs = query_pairs(uri.query().unwrap_or_default())?;
    pairs.retain(|(name, _)| name != "cursor");
    pairs.push(("cursor".to_owned(), cursor.to_owned()));
    // Written anew: what comes in need not be ASCII.
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let url = state.location(&format!("{}?{query}", uri.path()));
    Ok(url.and_then(|url| HeaderValue::try_from(format!("<{}>; rel=\"next\"", url.to_str().ok()?)).ok()))
}

/// Search files, with the question in a JSON body
#[utoipa::path(
    post,
    path = "/v1/artifacts/search",
    operation_id = "search_artifacts",
    tag = "artifacts",
    params(("X-Session-Id" = Option<String>, Header, description = "The session to act in, if the token names none.")),
    request_body(content = SearchQuery, content_type = "application/json"),
    responses((status = 200, description = "A page.", body = Page), UsualErrorsWithBody)
)]
pub(in crate::http) async fn post(
    store: ReadStore,
    State(state): State<AppState>,
    _: Params<NoParams>,
    Json(query): Json<SearchQuery, MAX_QUESTION_BYTES>,
) -> Result<Answer<Page>, ApiError> {
    Ok(Answer(search(&store, &state, query.into_request(Vec::new())?).await?))
}

async fn search(
    store: &ArtifactStore,
    state: &AppState,
    (mut request, cursor): (SearchRequest, Option<String>),
) -> Result<Page, ApiError> {
    let question = ("search", request.scope, &request.filter, request.order);
    let cursors = Cursors::new(&state.signing, store, question);
    request.after = cursor.map(|cursor| cursors.open(&cursor)).transpose()?;
    let found = store.search(&request).await?;
    let view = |artifact| ArtifactView::new(artifact, store.metadata_provider());
    Ok(Page {
        items: found.items.iter().map(view).collect(),
        next_cursor: found.next.as_ref().map(|next| cursors.seal(next)),
    })
}
