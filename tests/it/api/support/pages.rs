//! Questions, and the pages that answer them.

use serde_json::{Map, Value, json};

use super::client::{Client, Reply, Stored};
use super::encoded;

impl Client {
    /// The answer to a question, asked by GET and by POST, which must answer the same.
    pub(crate) async fn ask(&self, question: &Value) -> Reply {
        let by_get = self.get(&format!("/v1/artifacts?{}", query_of(question))).await;
        let by_post = self.post("/v1/artifacts/search").json(question.clone()).await;
        let (one, other) = (by_get.json(), by_post.json());
        assert_eq!(by_get.status, by_post.status, "{question}: {one} and {other}");
        for member in ["/items", "/code", "/errors/0/field"] {
            assert_eq!(one.pointer(member), other.pointer(member), "{question}");
        }
        assert_eq!(one["next_cursor"].is_null(), other["next_cursor"].is_null(), "{question}");
        by_get
    }

    /// The names of all that a question finds, sorted.
    pub(crate) async fn found(&self, question: &Value) -> Vec<String> {
        let reply = self.ask(question).await.expect(200);
        assert!(reply.json()["next_cursor"].is_null(), "{question}: all is on one page");
        let mut names = reply.names();
        names.sort();
        names
    }

    /// All pages of a listing at `path`, of which each leads to the next. None has more than `limit`.
    pub(crate) async fn pages(&self, path: &str, parameters: &str, limit: usize) -> Vec<Reply> {
        let path = format!("{path}?limit={limit}&{parameters}");
        let mut pages = vec![self.get(&path).await.expect(200)];
        while let Some(cursor) = pages.last().and_then(Reply::cursor) {
            // Whoever changes something at the same time has a turn between two pages.
            tokio::task::yield_now().await;
            pages.push(self.get(&format!("{path}&cursor={cursor}")).await.expect(200));
        }
        for page in &pages {
            let prefixes = page.json()["prefixes"].as_array().map_or(0, Vec::len);
            assert!(page.items().len() + prefixes <= limit, "{path}: {}", page.text());
        }
        pages
    }

    /// All items of all pages of a search.
    pub(crate) async fn walk(&self, parameters: &str, limit: usize) -> Vec<Value> {
        self.pages("/v1/artifacts", parameters, limit).await.iter().flat_map(Reply::items).collect()
    }
}

impl Reply {
    /// The items of a page.
    pub(crate) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap_or_else(|| panic!("no page: {}", self.text())).clone()
    }

    /// The names of the items of a page.
    pub(crate) fn names(&self) -> Vec<String> {
        names_of(&self.items())
    }

    /// What leads to the next page.
    pub(crate) fn cursor(&self) -> Option<String> {
        self.json()["next_cursor"].as_str().map(str::to_owned)
    }
}

/// Names in their order; `-` where there is none.
pub(crate) fn names_of(items: &[Value]) -> Vec<String> {
    items.iter().map(|item| item["filename"].as_str().unwrap_or("-").to_owned()).collect()
}

/// The query that asks the same as a JSON body.
pub(crate) fn query_of(question: &Value) -> String {
    let mut pairs = Vec::new();
    for (name, value) in question.as_object().unwrap() {
        match value {
            Value::Object(meta) if name == "meta" => flatten("meta", meta, &mut pairs),
            value => pairs.push((name.clone(), text_of(value))),
        }
    }
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    pairs.join("&")
}

fn flatten(path: &str, members: &Map<String, Value>, pairs: &mut Vec<(String, String)>) {
    for (name, value) in members {
        let path = format!("{path}.{name}");
        match value {
            Value::Object(members) => flatten(&path, members, pairs),
            value => pairs.push((path, text_of(value))),
        }
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Stores a file that is described as by a search, its size included.
pub(crate) async fn store_file(client: &Client, mut description: Value) -> Stored {
    let bytes = description["bytes"].take().as_u64().unwrap_or(1);
    description.as_object_mut().unwrap().remove("bytes");
    description["text"] = json!("x".repeat(bytes as usize));
    client.post("/v1/artifacts").document(description).await.stored()
}
