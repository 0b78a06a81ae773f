//! A configuration of its own for every test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::process::{Ended, Process, Server};
use super::services::{self, S3};
use super::unique;

/// Providers that keep what they are given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pair {
    FilesystemSqlite,
    SqliteSqlite,
    S3Redis,
}

/// An empty folder to run in, and an environment with nothing but what is set here. Clones share the folder.
#[derive(Clone)]
pub(crate) struct Setup {
    folder: Arc<TempDir>,
    variables: BTreeMap<String, String>,
}

impl Setup {
    /// What a first start has: no settings, but for a port that is free.
    pub(crate) fn new() -> Self {
        let setup = Self { folder: Arc::new(tempfile::tempdir().unwrap()), variables: BTreeMap::new() };
        setup.with("ARTIFACTD_BIND", "127.0.0.1:0")
    }

    /// Uses these providers.
    pub(crate) fn on(pair: Pair) -> Self {
        let setup = Self::new();
        match pair {
            Pair::FilesystemSqlite => setup,
            Pair::SqliteSqlite => setup.with("ARTIFACT_PROVIDER", "sqlite"),
            Pair::S3Redis => setup.on_s3(&S3::from_environment()).on_redis(&services::variable("REDIS_URL")),
        }
    }

    /// Keeps bytes in this bucket, in a sandbox of its own.
    pub(crate) fn on_s3(self, s3: &S3) -> Self {
        self.with("ARTIFACT_PROVIDER", "s3")
            .with("S3_ENDPOINT_URL", &s3.endpoint)
            .with("AWS_REGION", &s3.region)
            .with("ARTIFACT_BUCKET", &s3.bucket)
            .with("AWS_ACCESS_KEY_ID", &s3.access_key)
            .with("AWS_SECRET_ACCESS_KEY", &s3.secret_key)
            .with("ARTIFACT_SANDBOX_ID", &unique("it"))
    }

    /// Keeps records in this Redis, under a prefix of its own.
    pub(crate) fn on_redis(self, url: &str) -> Self {
        self.with("SESSION_PROVIDER", "redis")
            .with("SESSION_REDIS_URL", url)
            .with("SESSION_REDIS_PREFIX", &unique("it"))
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The value of a variable that was set.
    pub(crate) fn value(&self, name: &str) -> &str {
        &self.variables[name]
    }

    /// The folder it runs in.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The data folder, unless it was set.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the program with these arguments.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Process {
        Process::spawn(self.command(arguments))
    }

    /// Starts the program with standard output and standard error of the test's choice.
    pub(crate) fn spawn_printing_to(&self, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Process {
        Process::spawn_printing_to(self.command(arguments), stdout, stderr)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_artifactd"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(&self.variables);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.spawn(arguments).wait()
    }

    /// Starts the service.
    pub(crate) fn start(&self) -> Server {
        Server::listening(self.spawn(&[]), Arc::clone(&self.folder))
    }

    /// Starts the service with its log going to `stderr`.
    pub(crate) fn start_logging_to(&self, stderr: Stdio) -> Server {
        Server::listening(self.spawn_printing_to(&[], Stdio::piped(), stderr), Arc::clone(&self.folder))
    }

    /// A token as `artifactd token` prints it.
    pub(crate) fn token(&self, arguments: &[&str]) -> String {
        let ended = self.run(&[&["token"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout.trim_end().to_owned()
    }
}
