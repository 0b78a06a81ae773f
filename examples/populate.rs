//! Fills a metadata store for the benchmark of the search, past the service: through HTTP, millions of artifacts
//! would take hours. The records are as the service would write them, but have no bytes.
//!
//! ```text
//! cargo run --release --example populate -- --sqlite data/metadata.db --user bench --artifacts 1000
//! ```

#[path = "../benches/record/mod.rs"]
mod record;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use artifactd::clock::{Clock as _, SystemClock};
use artifactd::domain::id::UserId;
use artifactd::domain::time::Timestamp;
use artifactd::metadata::{MetadataStore, RedisMetadata, SqliteMetadata};
use clap::Parser;
use futures::{TryStreamExt as _, stream};

type Failure = Box<dyn Error + Send + Sync>;

/// Fill a metadata store with the artifacts of one user among those of others
#[derive(Parser)]
struct Arguments {
    /// Database file of the service
    #[arg(long, required_unless_present = "redis", conflicts_with = "redis")]
    sqlite: Option<PathBuf>,
    /// URL of the service's Redis
    #[arg(long)]
    redis: Option<String>,
    /// The user
    #[arg(long, default_value = "bench")]
    user: UserId,
    /// How many artifacts the user gets
    #[arg(long)]
    artifacts: u64,
    /// How many artifacts all others get together, for each of the user's
    #[arg(long, default_value_t = 10)]
    others: u64,
    /// How many others there are
    #[arg(long, default_value_t = 100)]
    users: u64,
    /// How many are inserted at the same time; commits are shared
    #[arg(long, default_value_t = 1024)]
    concurrency: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let store: Arc<dyn MetadataStore> = match (&arguments.sqlite, &arguments.redis) {
        (Some(path), _) => Arc::new(SqliteMetadata::open(path)?),
        (None, Some(url)) => Arc::new(RedisMetadata::connect(url, "artifactd")?),
        (None, None) => return Err("where to?".into()),
    };
    let users = users(&arguments)?;
    let total: u64 = users.iter().map(|(_, artifacts)| artifacts).sum();
    // User by user, which keeps what is written together together; one for each millisecond up to now.
    let first = SystemClock.now().as_millis().saturating_sub(i64::try_from(total)?);
    let everything = users.iter().flat_map(|(user, artifacts)| (0..*artifacts).map(move |number| (user, number)));
    let insert = |((user, number), at)| {
        let record = record::record(user, number, Timestamp::from_millis(at), rand::random());
        let record = record.map_err(|error| error.to_string())?;
        let store = Arc::clone(&store);
        Ok::<_, Failure>(tokio::spawn(async move { store.insert_artifact(&record).await }))
    };
    stream::iter(everything.zip(first..).map(insert))
        .try_for_each_concurrent(arguments.concurrency, |inserted| async {
            if inserted.await?? { Ok(()) } else { Err("an id was taken".into()) }
        })
        .await
}

/// Who gets how many. The user's come between those of others.
fn users(arguments: &Arguments) -> Result<Vec<(UserId, u64)>, Failure> {
    let Arguments { artifacts, others, users, .. } = arguments;
    let each = (artifacts * others).div_ceil((*users).max(1));
    let mut all =
        (0..*users).map(|n| Ok((format!("other-{n}").parse()?, each))).collect::<Result<Vec<_>, Failure>>()?;
    all.insert(all.len() / 2, (arguments.user.clone(), *artifacts));
    Ok(all)
}
