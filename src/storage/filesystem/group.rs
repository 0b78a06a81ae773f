//! Group commit: when many small files arrive at the same time, they share the syncs that make them durable.
//!
//! A few files are written and synced each by a thread of its own: the disk takes them side by side. Where there are
//! more, threads get in each other's way, and files queue up for rounds, as long as rounds are under way: the bytes of all
//! files of a round are written and synced together, then they are moved to their places and synced again. So each is
//! durable before it can be seen and at its place before its caller has an answer, as a file by itself, at a fraction of
//! the cost.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Disk;
use super::making::{Maker, same};
use super::temp::TempFile;
use super::whole::{Round, WholeFileSystem};
use crate::storage::batch::Batch;

/// As long as no more files than these are under way, each has a thread of its own.
const FILES_APART: usize = 8;
/// At most so many files, and about so many bytes, share a round, which bounds how long the first of them waits.
const ROUND_FILES: usize = 256;
const ROUND_BYTES: usize = 16 * 1024 * 1024;
/// How many rounds are under way at a time: one is written while another waits for the disk.
const ROUNDS: usize = 2;

/// Stores small files in rounds.
pub(super) struct Group {
    disk: Arc<Disk>,
    begin: Box<dyn Fn() -> io::Result<Round> + Send + Sync>,
    queue: Mutex<Queue>,
    under_way: Arc<()>,
}

#[derive(Default)]
struct Queue {
    files: VecDeque<NewFile>,
    rounds: usize,
}

struct NewFile {
    batch: Batch,
    target: PathBuf,
    stored: oneshot::Sender<io::Result<()>>,
}

impl Group {
    pub(super) fn new(disk: Arc<Disk>, whole: WholeFileSystem) -> Arc<Self> {
        Self::with(disk, Box::new(move || whole.begin()))
    }

    fn with(disk: Arc<Disk>, begin: Box<dyn Fn() -> io::Result<Round> + Send + Sync>) -> Arc<Self> {
        Arc::new(Self { disk, begin, queue: Mutex::default(), under_way: Arc::default() })
    }

    /// Stores the bytes of `batch` at `target` and returns when they are durable there.
    pub(super) async fn store(self: &Arc<Self>, batch: Batch, target: PathBuf) -> io::Result<()> {
        let _one_of_those_under_way = Arc::clone(&self.under_way);
        let (stored, answer) = oneshot::channel();
        let file = NewFile { batch, target, stored };
        let few = Arc::strong_count(&self.under_way) <= 1 + FILES_APART;
        if few && self.queue.lock().rounds == 0 {
            let disk = Arc::clone(&self.disk);
            tokio::task::spawn_blocking(move || file.store_by_itself(&disk));
        } else if self.enqueue(file) {
            let group = Arc::clone(self);
            tokio::task::spawn_blocking(move || group.see_to_queue());
        }
        answer.await.unwrap_or_else(|_| Err(io::Error::other("the file was dropped on its way to the disk")))
    }

    /// Adds a file to the queue; `true` if somebody has to see to the queue.
    fn enqueue(&self, file: NewFile) -> bool {
        let mut queue = self.queue.lock();
        queue.files.push_back(file);
        let is_needed = queue.rounds < ROUNDS;
        queue.rounds += usize::from(is_needed);
        is_needed
    }

    fn see_to_queue(&self) {
        while let Some(round) = self.next_round() {
            // A panic loses the files of its round, whose callers learn of it, and no others.
            let _ = catch_unwind(AssertUnwindSafe(|| self.store_together(round)));
        }
    }

    /// The files of the next round; `None` when there are none, and nobody sees to the queue any more.
    fn next_round(&self) -> Option<Vec<NewFile>> {
        let mut queue = self.queue.lock();
        let (mut round, mut bytes) = (Vec::new(), 0);
        while round.len() < ROUND_FILES && bytes < ROUND_BYTES {
            let Some(file) = queue.files.pop_front() else { break };
            // Somebody has to wait for it.
            if !file.stored.is_closed() {
                bytes += file.batch.bytes;
                round.push(file);
            }
        }
        if round.is_empty() {
            queue.rounds -= 1;
            return None;
        }
        Some(round)
    }

    fn store_together(&self, files: Vec<NewFile>) {
        let round = match (self.begin)() {
            Ok(round) => round,
            Err(error) => return files.into_iter().for_each(|file| answer(file.stored, Err(same(&error)))),
        };
        let mut written = Vec::with_capacity(files.len());
        for NewFile { batch, target, stored } in files {
            match self.disk.append(None, &batch) {
                Ok(file) => written.push((file, target, stored)),
                Err(error) => answer(stored, Err(error)),
            }
        }
        if let Err(error) = round.sync() {
            return written.into_iter().for_each(|(.., stored)| answer(stored, Err(same(&error))));
        }
        let (mut moved, mut makers) = (Vec::with_capacity(written.len()), Vec::new());
        for (TempFile { file: _, path }, target, stored) in written {
            match self.disk.folders.rename(path.as_path(), &target) {
                Ok(of_it) => {
                    path.moved();
                    makers.extend(of_it);
                    moved.push((target, stored));
                }
                Err(error) => answer(stored, Err(error)),
            }
        }
        let synced = round.sync();
        makers.into_iter().for_each(|maker: Maker<'_>| maker.settle(&synced));
        for (target, stored) in moved {
            let folders = || self.disk.folders.wait_for_those_being_made(target.parent().unwrap_or(&target));
            answer(stored, synced.as_ref().copied().map_err(same).and_then(|()| folders()));
        }
    }
}

impl NewFile {
    fn store_by_itself(self, disk: &Disk) {
        let written = disk.append(None, &self.batch);
        answer(self.stored, written.and_then(|written| disk.publish(written, &self.target)));
    }
}

fn answer(stored: oneshot::Sender<io::Result<()>>, result: io::Result<()>) {
    // Who has gone meanwhile has left a file that no record points at; it is found and collected.
    let _ = stored.send(result);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn new_file(disk: &Disk, name: &str) -> (NewFile, oneshot::Receiver<io::Result<()>>) {
        let (stored, answer) = oneshot::channel();
        (NewFile { batch: Batch::default(), target: disk.folders.root().join(name), stored }, answer)
    }

    /// Fails once after both rounds have written, and tells of that as Linux does: once to each descriptor.
    #[test]
    fn a_write_that_failed_fails_every_round_that_was_under_way() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::open(folder.path().to_owned()).unwrap());
        let (failures, syncs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let written = Arc::new(Barrier::new(2));
        let begin = move || {
            let (failures, syncs, written) = (Arc::clone(&failures), Arc::clone(&syncs), Arc::clone(&written));
            let told = Cell::new(failures.load(Ordering::SeqCst));
            Ok(Round::synced_by(move || {
                if syncs.fetch_add(1, Ordering::SeqCst) < 2 {
                    failures.fetch_add(1, Ordering::SeqCst);
                    written.wait();
                }
                match told.replace(failures.load(Ordering::SeqCst)) {
                    before if before == told.get() => Ok(()),
                    _ => Err(io::Error::from_raw_os_error(5)),
                }
            }))
        };
        let group = Group::with(Arc::clone(&disk), Box::new(begin));
        let (files, answers): (Vec<_>, Vec<_>) =
            ["a/one", "b/other"].map(|name| new_file(&disk, name)).into_iter().unzip();
        std::thread::scope(|scope| {
            for file in files {
                scope.spawn(|| group.store_together(vec![file]));
            }
        });
        for answer in answers {
            assert_eq!(answer.blocking_recv().unwrap().unwrap_err().raw_os_error(), Some(5));
        }
        assert!(!folder.path().join("a").exists() && !folder.path().join("b").exists());
    }
}
