//! Calls for many files at once. Each of them succeeds or fails by itself.

pub(in crate::http) mod delete;
pub(in crate::http) mod store;

use futures::StreamExt as _;
use tracing::error;

use crate::fault::Chain;
use crate::http::error::ApiError;

/// How many files of a call are worked on at the same time: enough for a provider to commit them together.
const SIDE_BY_SIDE: usize = 32;

/// Does all, in order; some at the same time.
async fn side_by_side<T, F: Future<Output = T>>(all: impl IntoIterator<Item = F>) -> Vec<T> {
    futures::stream::iter(all).buffered(SIDE_BY_SIDE).collect().await
}

/// Logs what an operator has to look at: the answer to the call says that all went well.
fn log(index: usize, failed: &ApiError) {
    if failed.code().status().is_server_error() {
        error!(index, cause = %Chain(failed), "one of many failed");
    }
}
