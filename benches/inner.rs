//! What requests are made of, piece by piece:
//!
//! ```text
//! scripts/with-services cargo bench
//! ```
//!
//! The round trip to Redis is left out when `ARTIFACTD_TEST_REDIS_URL` does not say where it is.

mod record;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use artifactd::auth::{AuthOptions, Authenticator, ClaimNames, KeySource, TokenRequest, mint};
use artifactd::clock::{Clock as _, SystemClock};
use artifactd::domain::artifact::Artifact;
use artifactd::domain::digest::Sha256Hasher;
use artifactd::domain::grid::GridKey;
use artifactd::metadata::{MetadataStore, RedisMetadata, SqliteMetadata, entries_of};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures::executor::block_on;
use futures::future::join_all;
use tokio::runtime::Runtime;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let mut criterion = Criterion::default().configure_from_args();
    token(&mut criterion)?;
    encoding(&mut criterion)?;
    hashing(&mut criterion);
    let runtime = Runtime::new()?;
    sqlite(&mut criterion, &runtime)?;
    redis(&mut criterion, &runtime)?;
    criterion.final_summary();
    Ok(())
}

/// What every request with a token pays.
fn token(criterion: &mut Criterion) -> Outcome {
    let options = AuthOptions {
        keys: vec![KeySource::Secret("k".repeat(32).into())],
        issuers: Vec::new(),
        audiences: Vec::new(),
        claims: ClaimNames { user: "sub".to_owned(), session: "sid".to_owned(), sandbox: "sandbox".to_owned() },
        sandbox: "default".parse()?,
        leeway_seconds: 30,
    };
    let request = TokenRequest {
        user: Some("bench".parse()?),
        session: None,
        sandbox: None,
        admin: false,
        ttl: 86_400.try_into()?,
        issuer: None,
        audience: None,
    };
    let token = mint(&options, &request, SystemClock.now())?;
    let authenticator = Authenticator::new(options, Arc::new(SystemClock))?;
    block_on(authenticator.authenticate(&token))?;
    criterion.bench_function("check a token (HS256)", |bencher| {
        bencher.iter(|| block_on(authenticator.authenticate(black_box(&token))));
    });
    Ok(())
}

fn encoding(criterion: &mut Criterion) -> Outcome {
    let artifact = artifact()?;
    let json = serde_json::to_string(&artifact)?;
    criterion.bench_function("record: encode", |bencher| bencher.iter(|| serde_json::to_string(black_box(&artifact))));
    criterion.bench_function("record: decode", |bencher| {
        bencher.iter(|| serde_json::from_str::<Artifact>(black_box(&json)));
    });
    let (key, text) = (artifact.key(), artifact.key().to_string());
    criterion.bench_function("grid key: print", |bencher| bencher.iter(|| black_box(&key).to_string()));
    criterion.bench_function("grid key: parse", |bencher| bencher.iter(|| black_box(&text).parse::<GridKey>()));
    criterion.bench_function("index entries of a record", |bencher| bencher.iter(|| entries_of(black_box(&artifact))));
    Ok(())
}

fn hashing(criterion: &mut Criterion) {
    let bytes = vec![0xab; 1024 * 1024];
    let mut group = criterion.benchmark_group("SHA-256");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("1 MiB", |bencher| {
        bencher.iter(|| {
            let mut hasher = Sha256Hasher::default();
            hasher.update(black_box(&bytes));
            hasher.finish()
        });
    });
    group.finish();
}

/// Inserting records into a database on disk, so many at the same time: those share a commit.
fn sqlite(criterion: &mut Criterion, runtime: &Runtime) -> Outcome {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store = SqliteMetadata::open(&folder.path().join("metadata.db"))?;
    let mut group = criterion.benchmark_group("SQLite: insert");
    for together in [1, 16, 128] {
        let records = || (0..together).map(|_| artifact()).collect::<Result<Vec<_>, _>>();
        records()?;
        group.throughput(Throughput::Elements(together));
        group.bench_function(BenchmarkId::from_parameter(together), |bencher| {
            bencher.to_async(runtime).iter_batched(
                || records().unwrap_or_default(),
                async |records| join_all(records.iter().map(|record| store.insert_artifact(record))).await,
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    Ok(())
}

fn redis(criterion: &mut Criterion, runtime: &Runtime) -> Outcome {
    let Ok(url) = std::env::var("ARTIFACTD_TEST_REDIS_URL") else { return Ok(()) };
    let store = RedisMetadata::connect(&url, "bench")?;
    runtime.block_on(store.ping())?;
    criterion.bench_function("Redis: round trip", |bencher| bencher.to_async(runtime).iter(|| store.ping()));
    Ok(())
}

fn artifact() -> Result<Artifact, Box<dyn Error>> {
    record::record(&"bench".parse()?, 1, SystemClock.now(), rand::random())
}
