//! A check on what a store hands out.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::ByteStream;
use crate::fault::Fault;

/// `bytes`, with an error where they are fewer or more than `length`: the store was tampered with.
pub fn exactly(length: u64, bytes: ByteStream, provider: &'static str) -> ByteStream {
    let wrong = move || Fault::broken(provider, "reading", "the bytes are not as many as were stored");
    stream::try_unfold((bytes, length), move |(mut bytes, left)| async move {
        match bytes.try_next().await? {
            Some(chunk) => {
                let left = left.checked_sub(chunk.len() as u64).ok_or_else(wrong)?;
                Ok(Some((chunk, (bytes, left))))
            }
            None if left == 0 => Ok(None),
            None => Err(wrong()),
        }
    })
    .boxed()
}
