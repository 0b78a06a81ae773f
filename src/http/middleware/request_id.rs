//! The name of the request being answered, known to everything that runs within it.

use axum::http::HeaderValue;
use uuid::Uuid;

/// Carries the name both ways.
pub(super) const HEADER: &str = "x-request-id";

const MAX_BYTES: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// Runs `request` under the name `id`.
pub(super) async fn scope<F: Future>(id: String, request: F) -> F::Output {
    CURRENT.scope(id, request).await
}

/// The name of the request being answered; empty outside of one.
pub(in crate::http) fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// The caller's own name for the request if it is a plain word, otherwise a new one.
pub(super) fn choose(given: Option<&HeaderValue>) -> String {
    let plain = |text: &&str| {
        let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        word && (1..=MAX_BYTES).contains(&text.len())
    };
    match given.and_then(|value| value.to_str().ok()).filter(plain) {
        Some(given) => given.to_owned(),
        None => Uuid::from_bytes(rand::random()).simple().to_string(),
    }
}
