//! The bucket itself: made when missing, open to browsers, and rid of what uploads leave behind.
//!
//! Rules of others stay as they are. Ours are known by their ids.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_bucket_lifecycle_configuration::GetBucketLifecycleConfigurationOutput;
use aws_sdk_s3::operation::put_bucket_lifecycle_configuration::{
    PutBucketLifecycleConfigurationError, PutBucketLifecycleConfigurationOutput,
};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, CorsConfiguration, CorsRule,
    CreateBucketConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
};

use super::S3Storage;
use super::error::status;
use crate::domain::prefix::KeyPrefix;
use crate::fault::Fault;

/// What the ids of our rules begin with. Behind an `@` comes the prefix, if there is one.
const OURS: &str = "artifactd-";
/// After so many days an upload belongs to nobody: the longest life of a signed URL, and a day.
pub const ABANDONED_AFTER_DAYS: i32 = 8;
/// For how long a browser may remember what it is allowed.
const CORS_MAX_AGE_SECONDS: i32 = 3600;
/// What a page may see of an answer besides what every page may.
const EXPOSED_HEADERS: [&str; 6] =
    ["ETag", "x-amz-checksum-sha256", "Content-Length", "Content-Range", "Content-Disposition", "Accept-Ranges"];
/// The region that S3 does not want to be told.
const DEFAULT_REGION: &str = "us-east-1";

type LifecycleAnswer =
    Result<PutBucketLifecycleConfigurationOutput, SdkError<PutBucketLifecycleConfigurationError, HttpResponse>>;

const CORS: &str = "setting the CORS rules";
const LIFECYCLE: &str = "setting the lifecycle rules";

/// What was done to the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketSetup {
    /// Whether it was made just now.
    pub created: bool,
    /// The rule for browsers.
    pub cors: Applied,
    /// The rule that has the store abort uploads in parts that nobody completes.
    pub incomplete_uploads: Applied,
    /// The rule that has it remove other uploads that nobody completes.
    pub pending: Applied,
}

/// What became of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// They have been written.
    Changed,
    /// They were there already.
    Unchanged,
    /// Nothing was asked for, so nothing was touched.
    LeftAlone,
    /// The store has no such rules.
    NotSupported,
}

impl S3Storage {
    /// Makes the bucket when it is missing, lets pages of `origins` use signed URLs, and has the store remove
    /// what is left below `prefix` of uploads that were never completed. May be repeated.
    pub async fn set_up_bucket(&self, origins: &[String], prefix: Option<&KeyPrefix>) -> Result<BucketSetup, Fault> {
        let part = BucketPart(prefix);
        let created = self.create_if_missing().await?;
        let cors = if origins.is_empty() { Applied::LeftAlone } else { self.set_cors(origins, part).await? };
        let (incomplete_uploads, pending) = self.set_lifecycle(part).await?;
        Ok(BucketSetup { created, cors, incomplete_uploads, pending })
    }

    async fn create_if_missing(&self) -> Result<bool, Fault> {
        let found = self.client.head_bucket().bucket(&self.bucket).send().await;
        if self.existing("looking for the bucket", found)?.is_some() {
            return Ok(false);
        }
        let region = self.client.config().region().map(AsRef::as_ref).filter(|region| *region != DEFAULT_REGION);
        let place =
            region.map(|region| CreateBucketConfiguration::builder().location_constraint(region.into()).build());
        let request = self.client.create_bucket().bucket(&self.bucket).set_create_bucket_configuration(place);
        match request.send().await {
            Ok(_) => Ok(true),
            // By somebody else, in this moment.
            Err(error) if error.code() == Some("BucketAlreadyOwnedByYou") => Ok(false),
            Err(error) => Err(self.fault("creating the bucket", error)),
        }
    }

    async fn set_cors(&self, origins: &[String], part: BucketPart<'_>) -> Result<Applied, Fault> {
        let read = self.client.get_bucket_cors().bucket(&self.bucket).send().await;
        if is_not_implemented(&read) {
            return Ok(Applied::NotSupported);
        }
        let there = self.existing(CORS, read)?.and_then(|output| output.cors_rules).unwrap_or_default();
        let ours = vec![part.cors_rule(origins).map_err(|error| self.malformed(CORS, error))?];
        let Some(rules) = part.replaced(&there, ours, CorsRule::id, |a, b| a == b) else {
            return Ok(Applied::Unchanged);
        };
        let rules = CorsConfiguration::builder().set_cors_rules(Some(rules)).build();
        let rules = rules.map_err(|error| self.malformed(CORS, error))?;
        let request = self.client.put_bucket_cors().bucket(&self.bucket).cors_configuration(rules);
        let checksums = self.checksums;
        let request = request.customize().mutate_request(move |request| checksums.guard(request));
        self.applied(CORS, request.send().await)
    }

    /// What became of the rule for uploads in parts, and of that for others.
    async fn set_lifecycle(&self, part: BucketPart<'_>) -> Result<(Applied, Applied), Fault> {
        let read = self.client.get_bucket_lifecycle_configuration().bucket(&self.bucket).send().await;
        if is_not_implemented(&read) {
            return Ok((Applied::NotSupported, Applied::NotSupported));
        }
        let there = self.existing(LIFECYCLE, read)?;
        let there = there.unwrap_or_else(|| GetBucketLifecycleConfigurationOutput::builder().build());
        let [abort, abort_pending, expire] =
            part.lifecycle_rules().map_err(|error| self.malformed(LIFECYCLE, error))?;
        let same = |a: &LifecycleRule, b: &LifecycleRule| effect(a) == effect(b);

        let ours = vec![abort, abort_pending, expire.clone()];
        let Some(rules) = part.replaced(there.rules(), ours, LifecycleRule::id, same) else {
            return Ok((Applied::Unchanged, Applied::Unchanged));
        };
        let written = self.put_lifecycle(&there, rules).await?;
        if !is_refused(&written) {
            let applied = self.applied(LIFECYCLE, written)?;
            return Ok((applied, applied));
        }
        // Not every store can be told to abort uploads: MinIO does so by itself.
        let applied = match part.replaced(there.rules(), vec![expire], LifecycleRule::id, same) {
            Some(rules) => self.applied(LIFECYCLE, self.put_lifecycle(&there, rules).await?)?,
            None => Applied::Unchanged,
        };
        Ok((Applied::NotSupported, applied))
    }

    /// What the store says to these rules.
    async fn put_lifecycle(
        &self,
        there: &GetBucketLifecycleConfigurationOutput,
        rules: Vec<LifecycleRule>,
    ) -> Result<LifecycleAnswer, Fault> {
        let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
        let request = self.client.put_bucket_lifecycle_configuration().bucket(&self.bucket);
        let request = request
            .lifecycle_configuration(rules.map_err(|error| self.malformed(LIFECYCLE, error))?)
            // What others have set for all rules would be reset without it.
            .set_transition_default_minimum_object_size(there.transition_default_minimum_object_size.clone());
        let checksums = self.checksums;
        Ok(request.customize().mutate_request(move |request| checksums.guard(request)).send().await)
    }

    fn applied<T, E>(
        &self,
        operation: &'static str,
        written: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Applied, Fault>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if is_not_implemented(&written) {
            return Ok(Applied::NotSupported);
        }
        written.map(|_| Applied::Changed).map_err(|error| self.fault(operation, error))
    }

    fn malformed(&self, operation: &'static str, error: BuildError) -> Fault {
        Fault::broken(self.provider, operation, error)
    }
}

fn is_not_implemented<T, E: ProvideErrorMetadata>(result: &Result<T, SdkError<E, HttpResponse>>) -> bool {
    result.as_ref().is_err_and(|error| error.code() == Some("NotImplemented"))
}

/// The store does not take what it was sent.
fn is_refused<T, E>(result: &Result<T, SdkError<E, HttpResponse>>) -> bool {
    result.as_ref().is_err_and(|error| status(error) == Some(400))
}

/// The part of a bucket that is ours: what is below the prefix. The rest, and its rules, belong to others.
#[derive(Clone, Copy)]
struct BucketPart<'a>(Option<&'a KeyPrefix>);

impl BucketPart<'_> {
    fn id(self, name: &str) -> String {
        match self.0 {
            None => format!("{OURS}{name}"),
            Some(prefix) => format!("{OURS}{name}@{prefix}"),
        }
    }

    fn is_ours(self, id: &str) -> bool {
        let part = id.split_once('@').map(|(_, prefix)| prefix);
        id.starts_with(OURS) && part == self.0.map(KeyPrefix::as_str)
    }

    fn folder(self, name: &str) -> String {
        self.0.map_or_else(|| format!("{name}/"), |prefix| format!("{prefix}/{name}/"))
    }

    /// The rules to write: those of others, then ours; `None` when ours are there already.
    fn replaced<R: Clone>(
        self,
        there: &[R],
        ours: Vec<R>,
        id: fn(&R) -> Option<&str>,
        same: impl Fn(&R, &R) -> bool,
    ) -> Option<Vec<R>> {
        let (before, mut rules): (Vec<R>, Vec<R>) =
            there.iter().cloned().partition(|rule| id(rule).is_some_and(|id| self.is_ours(id)));
        if before.len() == ours.len() && ours.iter().all(|rule| before.iter().any(|other| same(rule, other))) {
            return None;
        }
        rules.extend(ours);
        Some(rules)
    }

    fn cors_rule(self, origins: &[String]) -> Result<CorsRule, BuildError> {
        CorsRule::builder()
            .id(self.id("signed-urls"))
            .set_allowed_origins(Some(origins.to_vec()))
            .set_allowed_methods(Some(["GET", "PUT", "HEAD"].map(str::to_owned).into()))
            .allowed_headers("*")
            .set_expose_headers(Some(EXPOSED_HEADERS.map(str::to_owned).into()))
            .max_age_seconds(CORS_MAX_AGE_SECONDS)
            .build()
    }

    /// A rule has one prefix: uploads in parts are below two.
    fn lifecycle_rules(self) -> Result<[LifecycleRule; 3], BuildError> {
        let rule = |name: &str, folder: &str| {
            LifecycleRule::builder()
                .id(self.id(name))
                .filter(LifecycleRuleFilter::builder().prefix(self.folder(folder)).build())
                .status(ExpirationStatus::Enabled)
        };
        let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(ABANDONED_AFTER_DAYS).build();
        let expire = LifecycleExpiration::builder().days(ABANDONED_AFTER_DAYS).build();
        Ok([
            rule("incomplete-uploads", "grid").abort_incomplete_multipart_upload(abort.clone()).build()?,
            rule("incomplete-pending", "pending").abort_incomplete_multipart_upload(abort).build()?,
            rule("pending", "pending").expiration(expire).build()?,
        ])
    }
}

/// What a rule of ours does: stores write the same rule in different ways.
fn effect(rule: &LifecycleRule) -> (Option<&str>, &str, &ExpirationStatus, Option<i32>, Option<i32>) {
    let prefix = rule.filter().and_then(LifecycleRuleFilter::prefix).unwrap_or_default();
    let expire = rule.expiration().and_then(LifecycleExpiration::days);
    let abort = rule.abort_incomplete_multipart_upload();
    let abort = abort.and_then(AbortIncompleteMultipartUpload::days_after_initiation);
    (rule.id(), prefix, rule.status(), expire, abort)
}
