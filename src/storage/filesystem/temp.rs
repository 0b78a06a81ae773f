//! Temporary files: what is not whole yet, out of sight of readers and listings.
//!
//! Each open storage has a folder of its own in `tmp/` and holds a lock in it for as long as it lives.
//! The lock ends with the process, however it ends, so a folder whose lock can be taken is a leftover.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::files::create_private_dir;

/// The folder within the root that holds no objects.
pub(super) const TEMP: &str = "tmp";
const LOCK: &str = "lock";

pub(super) struct TempFolder {
    path: PathBuf,
    _lock: File,
    count: AtomicU64,
}

impl TempFolder {
    /// Makes a folder for this process and removes those of processes that are gone.
    pub(super) fn create(root: &Path) -> io::Result<Self> {
        let temp = root.join(TEMP);
        create_private_dir(&temp)?;
        // Nobody looks for leftovers while a folder is there whose lock is not taken yet.
        let gate = private_file(&temp.join(LOCK))?;
        gate.lock()?;
        remove_leftovers(&temp)?;
        let path = temp.join(format!("{:032x}", rand::random::<u128>()));
        create_private_dir(&path)?;
        let lock = private_file(&path.join(LOCK))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock, count: AtomicU64::new(0) })
    }

    /// A path that nobody else uses.
    pub(super) fn path(&self) -> TempPath {
        TempPath(self.path.join(self.count.fetch_add(1, Ordering::Relaxed).to_string()))
    }

    /// A new, empty file.
    pub(super) fn file(&self) -> io::Result<TempFile> {
        let path = self.path();
        let file = private_file(path.as_path())?;
        Ok(TempFile { file, path })
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed as a leftover at the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What has another name than [`TempFolder::create`] gives is not ours, and stays.
fn remove_leftovers(temp: &Path) -> io::Result<()> {
    for entry in fs::read_dir(temp)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name.len() == 32 && name.to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_ours && entry.file_type()?.is_dir() {
            match remove_if_abandoned(&entry.path()) {
                // Another process removed it at the same time: its owner at its end, or one that starts, too.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}

fn remove_if_abandoned(folder: &Path) -> io::Result<()> {
    // Opened for writing, because network file systems give exclusive locks on nothing else.
    let lock = match OpenOptions::new().write(true).open(folder.join(LOCK)) {
        Ok(lock) => lock,
        // Whoever made it came no further, or it is of others: then it is not empty.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let _ = fs::remove_dir(folder);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => fs::remove_dir_all(folder),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens a file for writing that only its owner may read; creates it when missing.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A temporary file, removed when dropped unless it was moved away.
pub(super) struct TempFile {
    pub(super) file: File,
    pub(super) path: TempPath,
}

impl TempFile {
    /// Appends chunks with as few system calls as possible.
    pub(super) fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        let mut left = slices.as_mut_slice();
        while !left.is_empty() {
            match self.file.write_vectored(left) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A path in the temporary folder; what is there when it is dropped is removed.
pub(super) struct TempPath(PathBuf);

impl TempPath {
    pub(super) fn as_path(&self) -> &Path {
        &self.0
    }

    /// Says that nothing is there any more.
    pub(super) fn moved(mut self) {
        self.0.clear();
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What cannot be removed now is removed as a leftover at the next start.
            let _ = fs::remove_file(&self.0);
        }
    }
}
