//! A bug in a handler is answered like every other error.

use std::any::Any;

use axum::response::{IntoResponse as _, Response};

use crate::http::error::ApiError;

/// Answers 500 for a panic; the text goes to the log only.
pub(in crate::http) fn answer(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or_else(|| "without a text".to_owned(), ToString::to_string),
    };
    ApiError::Panic(text).into_response()
}
