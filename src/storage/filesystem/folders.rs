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
        let _made = self.rename(file, target)?;
        sync(parent)?;
        self.sync_those_being_made(parent)
    }

    /// Moves a file to its place. Neither that nor the folders that were made for it are durable yet.
    pub(super) fn rename(&self, file: &Path, target: &Path) -> io::Result<Vec<Unsynced<'_>>> {
        let parent = target.parent().unwrap_or(&self.root);
        let mut made = Vec::new();
        let mut moved = fs::rename(file, target);
        for _ in 0..ATTEMPTS {
            match &moved {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    moved = self.create(parent, &mut made).and_then(|()| fs::rename(file, target));
                }
                _ => break,
            }
        }
        moved.map(|()| made)
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

    fn create<'a>(&'a self, folder: &Path, made: &mut Vec<Unsynced<'a>>) -> io::Result<()> {
        if folder == self.root {
            return Ok(());
        }
        // Announced before it can be seen.
        made.push(Unsynced::enter(self, folder));
        let created = match create_one(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.create(folder.parent().unwrap_or(&self.root), made)?;
                create_one(folder)
            }
            created => created,
        };
        match created {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    /// A file may lie in a folder that has been made, by this thread or another, but is not durable yet; it would be
    /// lost with it.
    fn sync_those_being_made(&self, folder: &Path) -> io::Result<()> {
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

/// Announces, while it lives, that a folder is being made and not durable yet.
pub(super) struct Unsynced<'a> {
    folders: &'a Folders,
    folder: PathBuf,
}

impl<'a> Unsynced<'a> {
    fn enter(folders: &'a Folders, folder: &Path) -> Self {
        *folders.unsynced.lock().entry(folder.to_owned()).or_default() += 1;
        Self { folders, folder: folder.to_owned() }
    }
}

impl Drop for Unsynced<'_> {
    fn drop(&mut self) {
        let mut unsynced = self.folders.unsynced.lock();
        if let Some(count) = unsynced.get_mut(&self.folder) {
            *count -= 1;
            if *count == 0 {
                unsynced.remove(&self.folder);
            }
        }
    }
}
