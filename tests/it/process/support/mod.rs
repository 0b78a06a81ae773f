//! Starts the program, watches it, and ends it.

mod client;
mod output;
mod process;
mod proxy;
mod services;
mod setup;
mod wire;

use std::time::Duration;

pub(crate) use self::client::{Answer, Client};
pub(crate) use self::process::{Ended, Server};
pub(crate) use self::proxy::Proxy;
pub(crate) use self::services::{PrivateRedis, S3};
pub(crate) use self::setup::{Pair, Setup};
pub(crate) use self::wire::Wire;

/// Whatever takes so long will not happen any more.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// An address where nothing listens: no program gets this port by chance.
pub(crate) const CLOSED: &str = "127.0.0.1:1";
/// How often a condition is looked at that nothing announces.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until there is something to see, and panics when `what` does not come about.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    let Ok(seen) = tokio::time::timeout(DEADLINE, looking).await else { panic!("waited in vain: {what}") };
    seen
}

/// A name that no other test has.
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}-{:032x}", rand::random::<u128>())
}

/// Bytes that differ from those of every other `seed`.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The SHA-256 digest in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
