//! The folders of the objects: made when needed, removed when empty, and as durable as the files in them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// How often a file is moved to its place while others remove its folder as empty.
const ATTEMPTS: usize = 100;

pub(super) struct Folders {
    root: PathBuf,
    /// Folders being made, counted by who makes them: visible, perhaps, but not durable yet.
    unsynced: Mutex<HashMap<PathBuf, usize>>,
}

impl Folders {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, unsynced: Mutex::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Moves a file to its place, in place of what is there, and returns when that is durable.
    pub(super) fn place(&self, file: &Path, target: &Path) -> io::Result<()> {
        let parent = target.parent().unwrap_or(&self.root);
        let mut moved = fs::rename(file, target);
        for _ in 0..ATTEMPTS {
            match &moved {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    moved = self.create(parent).and_then(|()| fs::rename(file, target));
                }
                _ => break,
            }
        }
        moved?;
        sync(parent)?;
        self.sync_those_of_others(parent)
    }

    /// Removes `folder` and those above it for as long as they are empty.
    pub(super) fn prune(&self, folder: &Path) {
        for folder in folder.ancestors().take_while(|folder| *folder != self.root) {
            // Not empty, most likely; whatever it is, an empty folder harms nobody.
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }

    fn create(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root {
            return Ok(());
        }
        let _unsynced = Unsynced::enter(self, folder);
        let parent = folder.parent().unwrap_or(&self.root);
        let made = match create_one(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.create(parent)?;
                create_one(folder)
            }
            made => made,
        };
        match made {
            Ok(()) => sync(parent),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A file may lie in a folder that another thread has made but not synced yet; it would be lost with it.
    fn sync_those_of_others(&self, folder: &Path) -> io::Result<()> {
        for folder in folder.ancestors().take_while(|folder| *folder != self.root) {
            if self.unsynced.lock().contains_key(folder) {
                sync(folder.parent().unwrap_or(&self.root))?;
            }
        }
        Ok(())
    }
}

fn create_one(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the entries of a folder durable. One that is gone was emptied before: nothing is left to keep.
fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(folder) => folder.sync_all(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Announces, while it lives, that a folder is being made.
struct Unsynced<'a> {
    folders: &'a Folders,
    folder: &'a Path,
}

impl<'a> Unsynced<'a> {
    fn enter(folders: &'a Folders, folder: &'a Path) -> Self {
        *folders.unsynced.lock().entry(folder.to_owned()).or_default() += 1;
        Self { folders, folder }
    }
}

impl Drop for Unsynced<'_> {
    fn drop(&mut self) {
        let mut unsynced = self.folders.unsynced.lock();
        if let Some(count) = unsynced.get_mut(self.folder) {
            *count -= 1;
            if *count == 0 {
                unsynced.remove(self.folder);
            }
        }
    }
}
