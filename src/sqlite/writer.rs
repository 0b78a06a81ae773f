//! The one thread that writes.
//!
//! While a commit waits for the disk, further jobs queue up; the next transaction takes them all. Each
//! runs in its own savepoint and is answered after the commit, so the cost of a sync is shared and a
//! failure is not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::{io, thread};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::Error;
use super::epoch::Epochs;

/// At most so many jobs share a transaction, which bounds how long the first of them waits.
const MAX_BATCH: usize = 256;

pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
}

/// Does its work and says how to answer once the fate of the transaction is known.
type Job = Box<dyn FnOnce(&Connection) -> Done + Send>;

struct Done {
    keep: bool,
    answer: Answer,
}

type Answer = Box<dyn FnOnce(Committed) + Send>;
type Committed = Result<(), Arc<rusqlite::Error>>;

impl Writer {
    /// Starts the thread. It ends, after the jobs it has, when the `Writer` is dropped.
    pub(super) fn start(connection: Connection, epochs: Arc<Epochs>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel();
        let work = move || run(connection, &epochs, &jobs);
        thread::Builder::new().name("sqlite-writer".to_owned()).spawn(work)?;
        Ok(Self { queue })
    }

    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, Error>
    where
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move |connection: &Connection| {
            let result = match catch_unwind(AssertUnwindSafe(|| job(connection))) {
                Ok(result) => result.map_err(Error::Sqlite),
                Err(_) => Err(Error::Panicked),
            };
            let keep = result.is_ok();
            let answer = move |committed: Committed| {
                // Nobody listens any more when the caller has gone; the work is done all the same.
                // A job's own error says more than that of the transaction it took down.
                let _ = sender.send(result.and_then(|value| committed.map_err(Error::Commit).map(|()| value)));
            };
            Done { keep, answer: Box::new(answer) }
        });
        self.queue.send(job).map_err(|_| Error::Closed)?;
        receiver.await.map_err(|_| Error::Lost)?
    }
}

fn run(mut connection: Connection, epochs: &Epochs, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let batch = std::iter::once(first).chain(jobs.try_iter().take(MAX_BATCH - 1));
        let mut answers = Vec::new();
        let committed = transact(&mut connection, epochs, batch, &mut answers).map_err(Arc::new);
        if let Err(error) = &committed {
            tracing::error!(%error, jobs = answers.len(), "a SQLite transaction failed");
        }
        for answer in answers {
            answer(committed.clone());
        }
    }
}

fn transact(
    connection: &mut Connection,
    epochs: &Epochs,
    batch: impl Iterator<Item = Job>,
    answers: &mut Vec<Answer>,
) -> rusqlite::Result<()> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let _writing = epochs.write().map_err(io_error)?;
    for job in batch {
        let savepoint = transaction.savepoint()?;
        let done = job(&savepoint);
        // Noted before anything else can fail, so that whoever waits is told.
        answers.push(done.answer);
        if done.keep {
            savepoint.commit()?;
        } else {
            // Undone by dropping: after some errors (disk full) SQLite has undone everything already.
            drop(savepoint);
        }
    }
    transaction.commit()
}

/// What the system says, as if SQLite had met it.
fn io_error(error: io::Error) -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
    rusqlite::Error::SqliteFailure(code, Some(error.to_string()))
}
