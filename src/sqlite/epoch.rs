//! Whether other processes have changed the database, told without asking SQLite, which takes longer than many a
//! look-up.
//!
//! Beside the database stands a file with a number that all processes count up: before a transaction is committed, to an
//! odd one, and after it, to an even one (a sequence lock). SQLite lets one of them write at a time.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use parking_lot::Mutex;

use crate::files::open_private_file;

/// A time in which nobody but this process has changed the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

#[cfg(test)]
impl Epoch {
    pub(crate) const fn of_number(number: u64) -> Self {
        Self(number)
    }
}

/// The epochs as this process sees them.
pub(super) struct Epochs {
    file: File,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    epoch: Epoch,
    /// What is in the file while this epoch lasts. It is odd while this process writes.
    number: u64,
}

impl Epochs {
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let mut path = OsString::from(database);
        path.push("-epoch");
        let file = open_private_file(Path::new(&path))?;
        let epochs = Self { file, seen: Mutex::new(Seen { epoch: Epoch(0), number: 0 }) };
        epochs.alone(|| if epochs.file.metadata()?.len() == 0 { epochs.put(0) } else { Ok(()) })?;
        Ok(epochs)
    }

    /// The epoch that this is; `None` while another process may be committing, and when the file cannot be read.
    pub(super) fn current(&self) -> Option<Epoch> {
        let Seen { epoch, number } = *self.seen.lock();
        if self.number().ok()? == number {
            return Some(epoch);
        }
        let mut seen = self.seen.lock();
        let number = self.number().ok()?;
        if number != seen.number {
            if number % 2 == 1 {
                return None;
            }
            *seen = seen.next(number);
        }
        Some(seen.epoch)
    }

    /// Tells the others that a transaction is going to be committed, for as long as the answer lives. To be called when
    /// SQLite lets nobody else write.
    pub(super) fn write(&self) -> io::Result<Writing<'_>> {
        let mut seen = self.seen.lock();
        self.alone(|| {
            let before = self.number()?;
            if before != seen.number {
                *seen = seen.next(before);
            }
            // A process that was killed has left it odd.
            seen.number = before + 1 + before % 2;
            self.put(seen.number)
        })?;
        Ok(Writing(self))
    }

    fn written(&self) -> io::Result<()> {
        let mut seen = self.seen.lock();
        self.alone(|| {
            // Otherwise another process is writing already.
            if self.number()? == seen.number {
                seen.number += 1;
                self.put(seen.number)?;
            }
            Ok(())
        })
    }

    /// Does something that no other process does meanwhile.
    fn alone(&self, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.file.lock()?;
        let done = work();
        self.file.unlock()?;
        done
    }

    fn number(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn put(&self, number: u64) -> io::Result<()> {
        self.file.write_all_at(&number.to_le_bytes(), 0)
    }
}

impl Seen {
    fn next(self, number: u64) -> Self {
        Self { epoch: Epoch(self.epoch.0 + 1), number }
    }
}

/// A transaction on its way to being committed, or given up.
#[must_use]
pub(super) struct Writing<'a>(&'a Epochs);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // The number stays odd then, and no process keeps anything until the next transaction.
        if let Err(error) = self.0.written() {
            tracing::error!(%error, "the end of a transaction could not be noted beside the database");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two processes, as far as the file can tell.
    fn two() -> (Epochs, Epochs, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        (Epochs::of(&path).unwrap(), Epochs::of(&path).unwrap(), folder)
    }

    #[test]
    fn an_epoch_lasts_until_another_process_writes() {
        let (one, other, _folder) = two();
        let before = one.current().unwrap();
        drop(one.write().unwrap());
        assert_eq!(one.current(), Some(before));
        let writing = other.write().unwrap();
        assert_eq!(one.current(), None);
        drop(writing);
        let after = one.current().unwrap();
        assert_ne!(after, before);
        assert_eq!(one.current(), Some(after));
    }

    #[test]
    fn whoever_writes_goes_on_with_its_epoch() {
        let (one, ..) = two();
        let before = one.current().unwrap();
        let _writing = one.write().unwrap();
        assert_eq!(one.current(), Some(before));
    }

    #[test]
    fn what_another_process_wrote_is_noticed_by_writing() {
        let (one, other, _folder) = two();
        let before = one.current();
        drop(other.write().unwrap());
        drop(one.write().unwrap());
        assert_ne!(one.current(), before);
    }

    /// SQLite lets the next one write before the one before has told that it is done.
    #[test]
    fn an_end_that_is_told_late_hides_no_other_writer() {
        let (one, other, _folder) = two();
        let first = one.write().unwrap();
        let second = other.write().unwrap();
        drop(first);
        assert_eq!(one.current(), None);
        drop(second);
        assert!(one.current().is_some());
    }

    #[test]
    fn a_killed_writer_is_outlived() {
        let (one, other, _folder) = two();
        std::mem::forget(other.write().unwrap());
        assert_eq!(one.current(), None);
        drop(one.write().unwrap());
        assert!(one.current().is_some());
    }
}
