//! The servers behind the service.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use tempfile::TempDir;

use super::process::Process;

/// What `scripts/with-services` says of its servers.
pub(super) fn variable(name: &str) -> String {
    let name = format!("ARTIFACTD_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run `scripts/with-services cargo test`"))
}

/// A bucket and the keys to it.
#[derive(Debug, Clone)]
pub(crate) struct S3 {
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) bucket: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl S3 {
    pub(crate) fn from_environment() -> Self {
        Self {
            endpoint: variable("S3_ENDPOINT"),
            region: variable("S3_REGION"),
            bucket: variable("S3_BUCKET"),
            access_key: variable("S3_ACCESS_KEY"),
            secret_key: variable("S3_SECRET_KEY"),
        }
    }

    /// The keys of all objects and unfinished uploads of a sandbox.
    pub(crate) async fn contents(&self, sandbox: &str) -> Vec<String> {
        let client = self.client();
        let mut found = Vec::new();
        for prefix in [format!("grid/{sandbox}/"), format!("pending/{sandbox}/")] {
            let objects = client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).send().await.unwrap();
            found.extend(objects.contents().iter().map(|object| format!("object {}", object.key().unwrap())));
            found.extend(self.keys_in_parts(&prefix).await.iter().map(|key| format!("upload {key}")));
        }
        found
    }

    /// The keys of unfinished uploads that begin with `prefix`.
    pub(crate) async fn keys_in_parts(&self, prefix: &str) -> Vec<String> {
        let uploads = self.client().list_multipart_uploads().bucket(&self.bucket).prefix(prefix).send().await.unwrap();
        uploads.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
    }

    /// Removes the bucket, which is empty.
    pub(crate) async fn remove_bucket(&self) {
        self.client().delete_bucket().bucket(&self.bucket).send().await.unwrap();
    }

    fn client(&self) -> Client {
        let credentials = Credentials::new(&self.access_key, &self.secret_key, None, None, "tests");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(true)
            .build();
        Client::from_conf(config)
    }
}

/// A Redis of the test's own, which it may kill. Every answered write is on its disk.
pub(crate) struct PrivateRedis {
    port: u16,
    password: String,
    folder: TempDir,
    process: Option<Process>,
}

impl PrivateRedis {
    pub(crate) fn start() -> Self {
        let password = super::unique("redis-password");
        let mut redis = Self { port: free_port(), password, folder: tempfile::tempdir().unwrap(), process: None };
        redis.restart();
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password, self.port)
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Starts it with the data that it had.
    pub(crate) fn restart(&mut self) {
        let process = Process::spawn(command(self.port, &self.password, self.folder.path()));
        let ready = |text: &str| text.contains("Ready to accept connections").then_some(());
        process.stdout.wait_for("that Redis is ready", ready).unwrap();
        self.process = Some(process);
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        self.process.as_ref().unwrap().signal(name);
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }
}

fn command(port: u16, password: &str, folder: &Path) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--requirepass", password]);
    command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]).arg("--dir").arg(folder);
    command
}

/// A port that stays free while the server is down: below those that the system gives to clients, and
/// below those that `scripts/with-services` chooses from.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..20_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
