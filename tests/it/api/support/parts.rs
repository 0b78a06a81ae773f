//! Uploads in parts, as clients do them.

use axum::http::Method;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Client, Reply, TestApp, Ticket};

/// The least that all parts but the last have.
pub(crate) const PART: usize = 5 * 1024 * 1024;

/// An upload in parts, and who does it.
#[derive(Clone)]
pub(crate) struct Multipart {
    pub(crate) client: Client,
    pub(crate) json: Value,
}

impl Client {
    /// Begins an upload in parts, which must succeed.
    pub(crate) async fn begun(&self, order: Value) -> Multipart {
        let reply = self.post("/v1/multipart").json(order).await.expect(201);
        Multipart { client: self.clone(), json: reply.json() }
    }
}

impl Multipart {
    pub(crate) fn id(&self) -> &str {
        self.json["upload_id"].as_str().unwrap()
    }

    /// Where the upload is.
    pub(crate) fn path(&self) -> String {
        format!("/v1/multipart/{}", self.id())
    }

    /// Where the record of the artifact will be.
    pub(crate) fn artifact(&self) -> String {
        format!("/v1/artifacts/{}", self.id())
    }

    /// Where its content will be.
    pub(crate) fn content(&self) -> String {
        format!("{}/content", self.artifact())
    }

    /// The same upload by another caller.
    pub(crate) fn by(&self, client: Client) -> Self {
        Self { client, ..self.clone() }
    }

    /// Asks where to send a part.
    pub(crate) async fn url(&self, number: impl std::fmt::Display) -> Reply {
        self.client.get(&format!("{}/parts/{number}/url", self.path())).await
    }

    /// Where to send a part.
    pub(crate) async fn ticket(&self, number: u32) -> Ticket {
        Ticket { json: self.url(number).await.expect(200).json() }
    }

    /// Sends a part; gives its entity tag as it came.
    pub(crate) async fn sent(&self, app: &TestApp, number: u32, bytes: impl Into<Bytes>) -> String {
        let ticket = self.ticket(number).await;
        let reply = app.send(Method::PUT, ticket.url(), &ticket.headers(), bytes).await.expect(200);
        reply.header("etag").to_owned()
    }

    /// The state of the upload.
    pub(crate) async fn state(&self) -> Reply {
        self.client.get(&self.path()).await
    }

    /// Makes an artifact of these parts.
    pub(crate) async fn complete(&self, parts: &[(u32, &str)]) -> Reply {
        self.complete_with(json!({ "parts": listed(parts) })).await
    }

    pub(crate) async fn complete_with(&self, order: Value) -> Reply {
        self.client.post(&format!("{}/complete", self.path())).json(order).await
    }

    pub(crate) async fn give_up(&self) -> Reply {
        self.client.delete(&self.path()).await
    }
}

/// Numbers and entity tags as a completion lists them.
pub(crate) fn listed(parts: &[(u32, &str)]) -> Value {
    parts.iter().map(|(number, etag)| json!({ "part_number": number, "etag": etag })).collect()
}

/// A part that differs from those with another `seed`.
pub(crate) fn part(seed: u8, size: usize) -> Bytes {
    vec![seed; size].into()
}
