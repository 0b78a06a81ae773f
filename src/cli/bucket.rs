//! `artifactd bucket`: the bucket itself.

use std::process::ExitCode;

use clap::Subcommand;

use super::failed;
use super::terminal::{complain, say};
use crate::bootstrap;
use crate::config::{Config, CorsOrigins};
use crate::storage::s3::{ABANDONED_AFTER_DAYS, Applied, BucketSetup};

#[derive(Subcommand)]
pub(super) enum BucketAction {
    /// Make the bucket if it is missing, let the pages of CORS_ALLOWED_ORIGINS use signed URLs, and have the store
    /// remove what is left of uploads that were never completed. May be repeated; rules of others stay
    Setup,
}

pub(super) async fn run(config: &Config, action: BucketAction) -> ExitCode {
    let BucketAction::Setup = action;
    let buckets = match bootstrap::buckets(config).await {
        Ok(buckets) => buckets,
        Err(error) => return failed(&error),
    };
    if buckets.is_empty() {
        complain!("artifactd: there is no bucket to set up: bytes are not kept with s3 or ibm_cos");
        return ExitCode::FAILURE;
    }
    let origins = match &config.server.cors {
        CorsOrigins::Any => vec!["*".to_owned()],
        CorsOrigins::Only(origins) => origins.clone(),
    };
    for storage in buckets {
        say!("bucket {}", storage.bucket());
        match storage.set_up_bucket(&origins, config.storage.prefix.as_ref()).await {
            Ok(setup) => print(setup, &origins),
            Err(fault) => return failed(&fault),
        }
    }
    ExitCode::SUCCESS
}

fn print(setup: BucketSetup, origins: &[String]) {
    say!("  bucket     {}", if setup.created { "created" } else { "was there" });
    let cors = format!("signed URLs can be used by pages of {}", origins.join(", "));
    say!("  CORS       {}", outcome(setup.cors, &cors));
    let lifecycle = format!("removed when not completed after {ABANDONED_AFTER_DAYS} days");
    say!("  multipart  {}", outcome(setup.incomplete_uploads, &lifecycle));
    say!("  pending    {}", outcome(setup.pending, &lifecycle));
}

fn outcome(applied: Applied, rule: &str) -> String {
    match applied {
        Applied::Changed => format!("set: {rule}"),
        Applied::Unchanged => format!("was set: {rule}"),
        Applied::LeftAlone => "left alone: CORS_ALLOWED_ORIGINS is not set".to_owned(),
        Applied::NotSupported => "not supported by this store".to_owned(),
    }
}
