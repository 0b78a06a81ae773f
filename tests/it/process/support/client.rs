//! A client that speaks for one user.

use std::net::SocketAddr;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use reqwest::Body;
use serde_json::Value;

use super::{DEADLINE, sha256};

/// Talks HTTP to the service with a token.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, token: &str) -> Self {
        let http = reqwest::Client::builder().timeout(DEADLINE).no_proxy().build().unwrap();
        Self { http, base: format!("http://{address}"), token: token.to_owned() }
    }

    /// Fails when there is no answer.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Result<Answer, reqwest::Error> {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        Answer::of(request.body(body).send().await?).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        self.try_send(method, path, body).await.unwrap()
    }

    /// Sends a body of this media type.
    pub(crate) async fn send_as(&self, method: Method, path: &str, mime: &str, body: String) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        Answer::of(request.header(CONTENT_TYPE, mime).body(body).send().await.unwrap()).await.unwrap()
    }

    /// Sends JSON; fails when there is no answer.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        Answer::of(request.send().await?).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).await.unwrap()
    }

    /// Sends bytes to a signed URL, without a token.
    pub(crate) async fn put_signed(&self, url: &str, body: impl Into<Body>) -> Answer {
        Answer::of(self.http.put(url).body(body).send().await.unwrap()).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    /// Stores bytes in user scope.
    pub(crate) async fn store(&self, body: impl Into<Body>) -> Answer {
        self.send(Method::POST, "/v1/artifacts?scope=user", body).await
    }

    /// Stores bytes in user scope and returns the id.
    pub(crate) async fn stored(&self, body: impl Into<Body>) -> String {
        self.store(body).await.expect(201).id()
    }

    /// The bytes of an artifact, which must be those that its record describes.
    pub(crate) async fn content(&self, id: &str) -> Bytes {
        let record = self.get(&format!("/v1/artifacts/{id}")).await.expect(200).json();
        let content = self.get(&format!("/v1/artifacts/{id}/content")).await.expect(200).body;
        assert_eq!(record["sha256"], sha256(&content), "{record}");
        assert_eq!(record["bytes"], content.len(), "{record}");
        content
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.bytes().await? })
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// Expects the error document with this code.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
        let problem = answer.json();
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()), "{problem}");
        answer
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The id of the artifact that was answered.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.json()["artifact_id"].as_str().unwrap().to_owned()
    }
}
