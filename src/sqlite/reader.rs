//! A pool of read-only connections.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pace::Pace;
use super::{BUSY_TIMEOUT, Error, STATEMENT_CACHE};

/// Enough to keep a disk busy; each connection has a page cache of its own.
pub(super) const CONNECTIONS: usize = 8;

pub(super) struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    /// For those who wait for the disk on a thread that serves others, too: should it hang, some threads are left.
    on_threads: Semaphore,
    pace: Pace,
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let idle = (0..CONNECTIONS).map(|_| open_read_only(path)).collect::<rusqlite::Result<_>>()?;
        let threads = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
        Ok(Self {
            idle: Arc::new(Mutex::new(idle)),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            on_threads: Semaphore::new((threads / 2).max(1)),
            pace: Pace::default(),
        })
    }

    /// Runs a job that reads a few pages, on the thread that asks as long as the disk keeps up: handing it to another
    /// thread takes longer than finding pages that are in memory.
    pub(super) async fn look_up<T, F>(&self, job: F) -> Result<T, Error>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok().filter(|_| self.pace.is_good());
        let (Some(permit), Ok(_on_thread)) = (permit, self.on_threads.try_acquire()) else {
            return self.run(job).await;
        };
        let lease = self.lease(permit);
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| lease.run(job)));
        self.pace.note(begun.elapsed());
        result.unwrap_or(Err(Error::Panicked))
    }

    /// Runs a job on the blocking pool.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, Error>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let lease = self.lease(permit);
        tokio::task::spawn_blocking(move || lease.run(job)).await.map_err(|_| Error::Panicked)?
    }

    fn lease(&self, permit: OwnedSemaphorePermit) -> Lease {
        Lease { connection: self.idle.lock().pop(), idle: Arc::clone(&self.idle), _permit: permit }
    }
}

fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    Ok(connection)
}

/// A connection on loan: it goes back even if the job panics or nobody waits for it any more, and only
/// then lets another job in.
struct Lease {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    fn run<T>(&self, job: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        match &self.connection {
            Some(connection) => job(connection).map_err(Error::Sqlite),
            None => Err(Error::Closed),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle.lock().push(connection);
        }
    }
}
