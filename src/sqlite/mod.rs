//! SQLite as both kinds of provider need it: one writer thread with group commit, a pool of read-only
//! connections, and migrations.
//!
//! The database is in WAL mode with `synchronous=FULL`: a write that has been answered survives the
//! crash of the process and of the machine.

mod epoch;
mod migrate;
mod pace;
mod reader;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::Semaphore;

pub(crate) use self::epoch::Epoch;
use self::epoch::Epochs;
pub(crate) use self::migrate::Migration;
use self::reader::Readers;
use self::writer::Writer;
use crate::fault::{Cause, Fault, FaultKind, Fullness};
use crate::files::{create_private_dir, open_private_file};
use crate::patience::Late;

/// How long a statement waits for another process that holds the lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const BUSY_PAUSE: Duration = Duration::from_millis(5);
const STATEMENT_CACHE: usize = 64;
/// How many changes may wait for the writer. When the disk hangs, those that nobody waits for any more wait on: without
/// an end, they would take all memory.
const MAX_WAITING: usize = 4096;
/// One record has entries all over the index, so changes touch many pages. Keeping them at hand and moving them from
/// the log to their place less often makes writing twice as fast.
const WRITER_CACHE_KIB: i32 = 16 * 1024;
const CHECKPOINT_PAGES: i32 = 4_000;

/// One database file of one provider.
pub(crate) struct Database {
    provider: &'static str,
    writer: Writer,
    readers: Readers,
    epochs: Arc<Epochs>,
    fullness: Fullness,
    waiting: Arc<Semaphore>,
    deadline: Duration,
}

impl Database {
    /// Opens the file, creating it and its folder when missing, and brings its schema up to date.
    pub(crate) fn open(provider: &'static str, path: &Path, migrations: &[Migration]) -> Result<Self, Fault> {
        let fault = |source: Cause| Fault::broken(provider, "opening the database", source);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_private_dir(folder).map_err(|source| fault(source.into()))?;
        }
        // SQLite gives its journal the mode of the database.
        open_private_file(path).map_err(|source| fault(source.into()))?;
        let mut connection = Connection::open(path).map_err(|source| fault(source.into()))?;
        configure(&connection).map_err(|source| fault(source.into()))?;
        migrate::apply(&mut connection, migrations).map_err(|source| fault(source.into()))?;
        let readers = Readers::open(path).map_err(|source| fault(source.into()))?;
        let epochs = Arc::new(Epochs::of(path).map_err(|source| fault(source.into()))?);
        let writer = Writer::start(connection, Arc::clone(&epochs)).map_err(|source| fault(source.into()))?;
        let waiting = Arc::new(Semaphore::new(MAX_WAITING));
        let (fullness, deadline) = (Fullness::default(), Duration::MAX);
        Ok(Self { provider, writer, readers, epochs, fullness, waiting, deadline })
    }

    /// The same, which answers within `deadline` or not at all.
    pub(crate) fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Names the time since another process has last changed the database; `None` while one may be doing so.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.epochs.current()
    }

    /// Whether something was just refused for lack of room.
    pub(crate) fn is_full(&self) -> bool {
        self.fullness.is_full()
    }

    /// Runs `job` in a transaction and answers when it is committed. Jobs that wait at the same time
    /// share one commit; one that fails is undone alone.
    pub(crate) async fn write<T, F>(&self, operation: &'static str, job: F) -> Result<T, Fault>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let place = Arc::clone(&self.waiting).try_acquire_owned();
        let place = place.map_err(|_| self.fault(operation, Error::Crowded))?;
        let job = move |connection: &Connection| {
            let _until_done = place;
            job(connection)
        };
        self.in_time(operation, self.writer.run(job)).await
    }

    /// Runs `job`, which reads no more than a few pages, on a read-only connection.
    pub(crate) async fn look_up<T, F>(&self, operation: &'static str, job: F) -> Result<T, Fault>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.in_time(operation, self.readers.look_up(job)).await
    }

    /// Runs `job` on a read-only connection.
    pub(crate) async fn read<T, F>(&self, operation: &'static str, job: F) -> Result<T, Fault>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.in_time(operation, self.readers.run(job)).await
    }

    /// A job that is late is done all the same, when the disk comes back.
    async fn in_time<T>(
        &self,
        operation: &'static str,
        result: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        let result = tokio::time::timeout(self.deadline, result).await;
        result.unwrap_or_else(|_| Err(Error::Late(Late))).map_err(|error| self.fault(operation, error))
    }

    fn fault(&self, operation: &'static str, error: Error) -> Fault {
        let kind = match &error {
            Error::Sqlite(error) => kind_of(error),
            Error::Commit(error) => kind_of(error),
            Error::Closed | Error::Lost | Error::Crowded | Error::Late(_) => FaultKind::Unavailable,
            Error::Panicked => FaultKind::Broken,
        };
        let source = match error {
            Error::Late(late) => late.into(),
            error => error.into(),
        };
        self.fullness.noting(Fault { provider: self.provider, operation, kind, source })
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    switch_to_wal(connection)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // Each job has a savepoint, and what undoes it would be written to a temporary file otherwise.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

/// SQLite does not wait for the lock that this takes, so processes that start together have to.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_transient(&error) && begun.elapsed() < BUSY_TIMEOUT => std::thread::sleep(BUSY_PAUSE),
            outcome => return outcome,
        }
    }
}

fn kind_of(error: &rusqlite::Error) -> FaultKind {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => FaultKind::Full,
        _ if is_transient(error) => FaultKind::Unavailable,
        _ => FaultKind::Broken,
    }
}

fn is_transient(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

/// Why a job has no result.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("SQLite refused")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the transaction could not be committed")]
    Commit(#[source] Arc<rusqlite::Error>),
    #[error("the transaction could not be begun")]
    Lost,
    #[error("the database is closed")]
    Closed,
    #[error("too many changes wait for the disk")]
    Crowded,
    #[error(transparent)]
    Late(Late),
    #[error("the job panicked")]
    Panicked,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: Migration = Migration::new("CREATE TABLE numbers (n INTEGER PRIMARY KEY)");
    const MIGRATIONS: &[Migration] = &[NUMBERS];

    fn open(folder: &tempfile::TempDir) -> Database {
        Database::open("sqlite", &folder.path().join("a/b/test.db"), MIGRATIONS).unwrap()
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> rusqlite::Result<usize> + Send + 'static {
        move |connection| connection.execute("INSERT INTO numbers VALUES (?1)", [n])
    }

    async fn count(database: &Database) -> i64 {
        let count =
            |connection: &Connection| connection.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0));
        database.read("counting", count).await.unwrap()
    }

    #[tokio::test]
    async fn a_job_that_fails_is_undone_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        let jobs = [1, 2, 1, 3].map(|n| database.write("inserting", insert(n)));
        let results = futures::future::join_all(jobs).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
        assert_eq!(count(&database).await, 3);
    }

    #[tokio::test]
    async fn a_job_that_panics_harms_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        let panicking = |_: &Connection| -> rusqlite::Result<()> { panic!("a bug") };
        assert!(database.write("panicking", panicking).await.is_err());
        assert!(database.read("panicking", panicking).await.is_err());
        assert!(database.look_up("panicking", panicking).await.is_err());
        database.write("inserting", insert(1)).await.unwrap();
        assert_eq!(count(&database).await, 1);
    }

    #[tokio::test]
    async fn the_files_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        database.write("inserting", insert(1)).await.unwrap();
        for file in std::fs::read_dir(folder.path().join("a/b")).unwrap() {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_any_more_makes_no_other_fail() {
        let folder = tempfile::tempdir().unwrap();
        let database = Arc::new(open(&folder));
        let (entered, mut entries) = tokio::sync::mpsc::unbounded_channel();
        let mut releases = Vec::new();
        for _ in 0..reader::CONNECTIONS {
            let (release, released) = std::sync::mpsc::channel::<()>();
            releases.push(release);
            let (database, entered) = (Arc::clone(&database), entered.clone());
            let waiting = move |_: &Connection| {
                entered.send(()).unwrap();
                // Ends when the sender is dropped.
                let _ = released.recv();
                Ok(())
            };
            let read = tokio::spawn(async move { database.read("waiting", waiting).await });
            entries.recv().await.unwrap();
            read.abort();
            assert!(read.await.unwrap_err().is_cancelled());
        }
        let (counted, ()) = tokio::join!(count(&database), async { drop(releases) });
        assert_eq!(counted, 0);
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(&folder);
        assert!(database.read("inserting", insert(1)).await.is_err());
    }

    #[tokio::test]
    async fn a_database_is_migrated_once_and_one_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let newer: &[Migration] = &[NUMBERS, Migration::new("CREATE TABLE more (n INTEGER)")];
        drop(Database::open("sqlite", &path, MIGRATIONS).unwrap());
        drop(Database::open("sqlite", &path, newer).unwrap());
        drop(Database::open("sqlite", &path, newer).unwrap());
        let refused = Database::open("sqlite", &path, MIGRATIONS).err().unwrap();
        let text = crate::fault::Chain(&refused).to_string();
        assert!(text.contains("schema version 2") && text.contains("knows 1"), "{text}");
    }

    #[tokio::test]
    async fn the_code_of_a_migration_runs_after_its_statements_or_not_at_all() {
        const MORE: &str = "CREATE TABLE more (n INTEGER)";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let failing = Migration::new(MORE).then(|connection| {
            connection.execute("INSERT INTO more VALUES (1)", [])?;
            Err("an odd record".into())
        });
        let refused = Database::open("sqlite", &path, &[NUMBERS, failing]).err().unwrap();
        assert!(crate::fault::Chain(&refused).to_string().ends_with("an odd record"));

        let filling = Migration::new(MORE).then(|connection| {
            connection.execute("INSERT INTO numbers VALUES (7)", [])?;
            Ok(())
        });
        let database = Database::open("sqlite", &path, &[NUMBERS, filling]).unwrap();
        assert_eq!(count(&database).await, 1);
    }
}
