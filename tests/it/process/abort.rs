//! Uploads that break off leave nothing behind, wherever bytes are kept.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::support::{Pair, S3, Server, Setup, Wire, bytes, eventually};

const ANNOUNCED: usize = 20_000_000;
const SENT: usize = 12_000_000;

/// Where a provider keeps bytes.
struct Bytes {
    pair: Pair,
    setup: Setup,
}

impl Bytes {
    /// All that is there, in words.
    async fn all(&self) -> Vec<String> {
        match self.pair {
            Pair::FilesystemSqlite => files(&self.setup.data().join("artifacts")),
            Pair::SqliteSqlite => rows(&self.setup.data().join("artifacts.db")),
            Pair::S3Redis => S3::from_environment().contents(self.setup.value("ARTIFACT_SANDBOX_ID")).await,
        }
    }
}

/// All files below a folder but for locks.
pub(super) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: std::path::PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path.display().to_string()],
    };
    entries.flat_map(of).filter(|name| !name.ends_with("/lock")).collect()
}

/// How many rows the tables of bytes have, unless they have none.
fn rows(database: &Path) -> Vec<String> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count = |table: &&str| -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let tables = ["objects", "chunks", "leases"].map(|table| (table, count(&table)));
    tables.into_iter().filter(|(_, rows)| *rows > 0).map(|(table, rows)| format!("{rows} {table}")).collect()
}

/// An upload with some of its bytes sent.
struct Broken<'a> {
    request_line: &'a str,
    content_type: &'a str,
    beginning: &'a [u8],
}

impl Broken<'_> {
    fn send(&self, server: &Server, token: &str) -> Wire {
        let mut wire = Wire::connect(server.address);
        wire.head(
            self.request_line,
            &[
                ("Authorization", &format!("Bearer {token}")),
                ("Content-Type", self.content_type),
                ("Content-Length", &ANNOUNCED.to_string()),
            ],
        );
        wire.send(self.beginning);
        wire.send(&bytes(1, SENT));
        wire
    }
}

const RAW: Broken<'_> =
    Broken { request_line: "POST /v1/artifacts?scope=user", content_type: "application/octet-stream", beginning: b"" };
const FORM: Broken<'_> = Broken {
    request_line: "POST /v1/artifacts?scope=user",
    content_type: "multipart/form-data; boundary=cut",
    beginning: b"--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n",
};

async fn nothing_is_left_of_broken_uploads(pair: Pair) {
    let bytes = Bytes { pair, setup: Setup::on(pair) };
    let server = bytes.setup.start();
    let token = bytes.setup.token(&["--user", "alice"]);
    let client = server.client(&bytes.setup);
    // An empty database has tables, and a bucket folders, that are there from now on. At the
    // start it is tried whether the store can be written; SQLite keeps what was deleted for a while, for its readers.
    let is_idle = |there: &Vec<String>| there.is_empty() || *there == ["1 chunks", "1 leases"];
    eventually("nothing is there", async || Some(bytes.all().await).filter(is_idle)).await;
    let id = client.stored("the old content").await;
    let before = bytes.all().await;
    assert!(!before.is_empty());
    let replacing = format!("PUT /v1/artifacts/{id}/content");
    let replacement = Broken { request_line: &replacing, ..RAW };

    for broken in [RAW, FORM, replacement] {
        for half_close in [false, true] {
            let mut wire = broken.send(&server, &token);
            let arriving = async || Some(bytes.all().await).filter(|now| *now != before);
            eventually("the bytes arrive", arriving).await;
            if half_close {
                wire.half_close();
                wire.answer().expect_problem(400, "invalid_request");
            }
            drop(wire);
            let gone = async || Some(bytes.all().await).filter(|now| *now == before);
            eventually("the bytes are gone", gone).await;
        }
    }
    assert_eq!(client.content(&id).await, "the old content");
    server.terminate();
}

#[tokio::test]
async fn nothing_is_left_of_broken_uploads_on_filesystem() {
    nothing_is_left_of_broken_uploads(Pair::FilesystemSqlite).await;
}

#[tokio::test]
async fn nothing_is_left_of_broken_uploads_on_sqlite() {
    nothing_is_left_of_broken_uploads(Pair::SqliteSqlite).await;
}

#[tokio::test]
async fn nothing_is_left_of_broken_uploads_on_s3() {
    nothing_is_left_of_broken_uploads(Pair::S3Redis).await;
}

#[tokio::test]
async fn nothing_is_left_of_an_upload_that_ended_with_the_process() {
    let setup = Setup::new();
    let folder = setup.data().join("artifacts");
    let mut server = setup.start();
    let _wire = RAW.send(&server, &setup.token(&["--user", "alice"]));
    eventually("the bytes arrive", async || Some(files(&folder)).filter(|files| !files.is_empty())).await;
    server.process.kill();

    let _server = setup.start();
    eventually("the bytes are gone", async || Some(files(&folder)).filter(Vec::is_empty)).await;
}
