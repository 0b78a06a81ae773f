//! Signed URLs, followed as clients follow them: to the service, or out of this process to the store.

use artifactd::metadata::{Kind, Replaced};
use axum::http::Method;
use bytes::Bytes;
use serde_json::Value;

use super::{Client, Reply, TestApp};

/// How the paths of URLs begin that lead to the service.
const SIGNED: &str = "/v1/signed/";

impl TestApp {
    /// Sends a request without a token, as whoever has the URL may.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let body = body.into();
        let length = body.len().to_string();
        // As clients do, also with nothing.
        let length = Some(("content-length", length.as_str())).filter(|_| method == Method::PUT || !body.is_empty());
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain(length).collect();
        let Some(path) = url.find(SIGNED) else {
            return self.send_out(method, url, &headers, body).await;
        };
        let call = self.nobody().call(method, &url[path..]);
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).body(body).await
    }

    /// Reads what a URL leads to.
    pub(crate) async fn fetch(&self, url: &str) -> Reply {
        self.send(Method::GET, url, &[], "").await
    }

    /// Sends bytes as a ticket says.
    pub(crate) async fn upload(&self, ticket: &Ticket, bytes: impl Into<Bytes>) -> Reply {
        self.send(Method::PUT, ticket.url(), &ticket.headers(), bytes).await
    }

    /// Whether an upload is on record, completed or not.
    pub(crate) async fn remembers(&self, upload: &str) -> bool {
        self.metadata().document(Kind::Upload, upload).await.unwrap().is_some()
    }

    /// Changes the record of an upload, as only a crash would leave it.
    pub(crate) async fn rewrite_upload(&self, upload: &str, change: impl FnOnce(&mut Value)) {
        let mut document = self.metadata().document(Kind::Upload, upload).await.unwrap().unwrap();
        let mut body = serde_json::from_str(&document.body).unwrap();
        change(&mut body);
        document.body = body.to_string();
        let replaced = self.metadata().replace_document(&document, document.version).await.unwrap();
        assert_eq!(replaced, Replaced::Done);
    }

    async fn send_out(&self, method: Method, url: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
        let http = self.http.get_or_init(|| reqwest::Client::builder().no_proxy().build().unwrap());
        let request =
            headers.iter().fold(http.request(method, url), |request, (name, value)| request.header(*name, *value));
        let response = request.body(body).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Reply { status, headers, body: response.bytes().await.unwrap() }
    }
}

/// Where to send bytes, as the service has said.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) json: Value,
}

impl Ticket {
    pub(crate) fn url(&self) -> &str {
        let url = self.json.get("upload_url").or_else(|| self.json.get("url"));
        url.unwrap().as_str().unwrap()
    }

    pub(crate) fn headers(&self) -> Vec<(&str, &str)> {
        let headers = self.json["headers"].as_object().unwrap();
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect()
    }

    /// Where the upload is.
    pub(crate) fn path(&self) -> String {
        format!("/v1/uploads/{}", self.id())
    }

    /// Where the record of the artifact will be.
    pub(crate) fn artifact(&self) -> String {
        format!("/v1/artifacts/{}", self.id())
    }

    /// Where its content will be.
    pub(crate) fn content(&self) -> String {
        format!("{}/content", self.artifact())
    }

    pub(crate) fn id(&self) -> &str {
        self.json["artifact_id"].as_str().unwrap()
    }
}

impl Client {
    /// Opens an upload to a signed URL, which must succeed.
    pub(crate) async fn opened(&self, order: Value) -> Ticket {
        let reply = self.post("/v1/uploads").json(order).await.expect(201);
        Ticket { json: reply.json() }
    }

    /// Makes an artifact of an upload.
    pub(crate) async fn complete(&self, ticket: &Ticket) -> Reply {
        self.post(&format!("{}/complete", ticket.path())).await
    }

    /// Makes an artifact of an upload, with these changes.
    pub(crate) async fn complete_with(&self, ticket: &Ticket, changes: Value) -> Reply {
        self.post(&format!("{}/complete", ticket.path())).json(changes).await
    }
}
