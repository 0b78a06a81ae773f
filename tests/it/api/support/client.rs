//! Callers, what they send, and what they get.

use std::future::IntoFuture;
use std::ops::Index;
use std::pin::Pin;
use std::sync::Arc;

use artifactd::clock::{Clock, ManualClock};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{HOST, SECRET};

/// A caller in a role. Each request has a fresh token.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    clock: Arc<ManualClock>,
    claims: Option<Value>,
    session: Option<String>,
}

impl Client {
    pub(super) fn new(router: Router, clock: Arc<ManualClock>, claims: Option<Value>) -> Self {
        Self { router, clock, claims, session: None }
    }

    /// The same caller, naming a session in each request.
    pub(crate) fn naming(&self, session: &str) -> Self {
        Self { session: Some(session.to_owned()), ..self.clone() }
    }

    /// The same caller with these rights only.
    pub(crate) fn with_rights(&self, rights: &str) -> Self {
        self.with_claim("scope", rights)
    }

    /// The same caller in another sandbox.
    pub(crate) fn in_sandbox(&self, sandbox: &str) -> Self {
        self.with_claim("sandbox", sandbox)
    }

    fn with_claim(&self, name: &str, text: &str) -> Self {
        let mut client = self.clone();
        client.claims.as_mut().unwrap()[name] = text.into();
        client
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn head(&self, path: &str) -> Call {
        self.call(Method::HEAD, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    pub(crate) fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let request = Request::builder().method(method).uri(path).header("host", HOST);
        let mut request = request.body(Body::empty()).unwrap();
        if let Some(claims) = &self.claims {
            let field = format!("Bearer {}", token(claims, self.clock.now().as_seconds()));
            request.headers_mut().insert("authorization", field.parse().unwrap());
        }
        if let Some(session) = &self.session {
            request.headers_mut().insert("x-session-id", session.parse().unwrap());
        }
        Call { router: self.router.clone(), request }
    }

    /// Sends raw bytes to be stored, with these query parameters.
    pub(crate) fn store(&self, parameters: &str, bytes: impl Into<Body>) -> Call {
        self.post(&format!("/v1/artifacts?{parameters}")).body(bytes)
    }

    /// Stores raw bytes, which must succeed.
    pub(crate) async fn stored(&self, parameters: &str, bytes: impl Into<Body>) -> Stored {
        self.store(parameters, bytes).await.stored()
    }
}

/// A valid token with these claims; `exp` is an hour from now unless they have one.
fn token(claims: &Value, now: i64) -> String {
    let mut claims = claims.clone();
    if claims["exp"].is_null() {
        claims["exp"] = json!(now + 3600);
    }
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// A request in the making. It is sent when awaited.
pub(crate) struct Call {
    router: Router,
    request: Request<Body>,
}

impl Call {
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.request.headers_mut().append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    /// In place of the header that every request has.
    pub(crate) fn replacing_header(mut self, name: &str, value: &str) -> Self {
        self.request.headers_mut().insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    pub(crate) fn json(self, value: Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }

    /// A file as a JSON document.
    pub(crate) fn document(self, value: Value) -> Self {
        self.header("content-type", "application/vnd.artifactd.store+json").body(value.to_string())
    }

    pub(crate) fn form(self, form: Form) -> Self {
        self.header("content-type", "multipart/form-data; boundary=frontier").body(form.finish())
    }

    /// Sends the request and leaves the body of the answer to the caller.
    pub(crate) async fn begin(self) -> axum::response::Response {
        self.router.oneshot(self.request).await.unwrap()
    }
}

impl IntoFuture for Call {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let (parts, body) = self.begin().await.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            Reply { status: parts.status, headers: parts.headers, body }
        })
    }
}

/// A `multipart/form-data` body; the parts are in the order in which they are added.
#[derive(Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    pub(crate) fn field(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.raw(format!("name=\"{name}\""), None, text)
    }

    pub(crate) fn file(self, filename: &str, mime: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.raw(format!("name=\"file\"; filename=\"{filename}\""), Some(mime), bytes)
    }

    /// A part with these parameters of its `Content-Disposition`, and whatever may follow that.
    pub(crate) fn raw(mut self, parameters: impl AsRef<[u8]>, mime: Option<&str>, content: impl AsRef<[u8]>) -> Self {
        self.0.extend(b"--frontier\r\nContent-Disposition: form-data; ");
        self.0.extend(parameters.as_ref());
        self.0.extend(b"\r\n");
        self.0.extend(mime.map(|mime| format!("Content-Type: {mime}\r\n")).unwrap_or_default().bytes());
        self.0.extend(b"\r\n");
        self.0.extend(content.as_ref());
        self.0.extend(b"\r\n");
        self
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.extend(b"--frontier--\r\n");
        self.0
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// Fails unless the answer has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// A header; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// A file that was stored by this request.
    #[track_caller]
    pub(crate) fn stored(self) -> Stored {
        Stored::new(self.expect(201).json())
    }

    /// Fails unless the answer is this kind of problem, with all that a problem has; gives it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        let problem = assert_problem(&self.headers, &self.body);
        assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{problem}");
        problem
    }

    /// Fails unless the caller was refused (403), because it is not theirs or because the token lacks a right.
    #[track_caller]
    pub(crate) fn denied(&self) -> Value {
        let lacks_right = self.header("www-authenticate").contains("insufficient_scope");
        self.problem(403, if lacks_right { "insufficient_scope" } else { "access_denied" })
    }

    /// Fails unless the token was refused (403) for want of a right.
    #[track_caller]
    pub(crate) fn lacks(&self, right: &str) {
        self.problem(403, "insufficient_scope");
        let challenge = format!("Bearer realm=\"artifactd\", error=\"insufficient_scope\", scope=\"{right}\"");
        assert_eq!(self.header("www-authenticate"), challenge);
    }

    /// Fails unless the request was refused (400) because of this field.
    #[track_caller]
    pub(crate) fn wrong_field(&self, field: &str) {
        let problem = self.problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        assert!(problem["errors"][0]["message"].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
}

/// Fails unless this is a problem document with every member of the contract.
#[track_caller]
pub(crate) fn assert_problem(headers: &HeaderMap, body: &[u8]) -> Value {
    assert_eq!(headers["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_slice(body).unwrap();
    let mut members: Vec<&str> = problem.as_object().unwrap().keys().map(String::as_str).collect();
    members.retain(|member| !matches!(*member, "errors" | "conditions"));
    assert_eq!(members, ["code", "detail", "request_id", "status", "title", "type"], "{problem}");
    let code = problem["code"].as_str().unwrap();
    assert_eq!(problem["type"], format!("urn:artifactd:problem:{code}"));
    assert!(!problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(problem["request_id"], headers["x-request-id"].to_str().unwrap());
    problem
}

/// A file as the answer to storing it described it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) json: Value,
    /// Where the record is.
    pub(crate) path: String,
    /// Where the bytes are.
    pub(crate) content: String,
}

impl Stored {
    pub(crate) fn new(json: Value) -> Self {
        let path = format!("/v1/artifacts/{}", json["artifact_id"].as_str().unwrap());
        Self { content: format!("{path}/content"), path, json }
    }

    /// A member of the record that is text.
    pub(crate) fn text(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap()
    }
}

impl Index<&str> for Stored {
    type Output = Value;

    fn index(&self, member: &str) -> &Value {
        &self.json[member]
    }
}
