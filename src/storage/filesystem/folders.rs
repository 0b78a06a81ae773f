//! The folders of the objects: made when needed, removed when empty, and as durable as the files in them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::making::{Maker, Making};
use crate::files::Folder;

/// How often a file is moved to its place while others remove its folder as empty.
const ATTEMPTS: usize = 100;

pub(super) struct Folders {
    root: PathBuf,
    making: Making,
}

/// A folder that was not there before, and the one that it was made in.
struct New<'a> {
    maker: Maker<'a>,
    above: Folder,
}

impl Folders {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, making: Making::default() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Moves a file to its place, in place of what is there, and returns when that is durable.
    pub(super) fn place(&self, file: &Path, target: &Path) -> io::Result<()> {
        let parent = self.above(target);
        let name = target.file_name().unwrap_or_default();
        let take_in = || Folder::open(parent).and_then(|folder| folder.take_in(file, name).map(|()| folder));
        let folder = retried(take_in, || self.make(parent)?.into_iter().try_for_each(New::sync))?;
        folder.sync()?;
        self.wait_for_those_being_made(parent)
    }

    /// Moves a file to its place. Neither that nor the folders that were made for it are durable yet: what becomes of
    /// these, the makers have to be told.
    pub(super) fn rename(&self, file: &Path, target: &Path) -> io::Result<Vec<Maker<'_>>> {
        let mut makers = Vec::new();
        let make = || {
            makers.extend(self.make(self.above(target))?.into_iter().map(|new| new.maker));
            Ok(())
        };
        retried(|| fs::rename(file, target), make)?;
        Ok(makers)
    }

    /// Waits for those of `folder` and the folders above it that others are making: what is in it would be lost with them.
    pub(super) fn wait_for_those_being_made(&self, folder: &Path) -> io::Result<()> {
        self.making.wait_for(folder.ancestors().take_while(|folder| *folder != self.root))
    }

    /// Removes `folder` and those above it for as long as they are empty.
    pub(super) fn prune(&self, folder: &Path) {
        for folder in folder.ancestors().take_while(|folder| *folder != self.root) {
            // Not empty, most likely; whatever it is, an empty folder harms nobody.
            if self.making.remove(folder).is_err() {
                return;
            }
        }
    }

    fn above<'a>(&'a self, path: &'a Path) -> &'a Path {
        path.parent().unwrap_or(&self.root)
    }

    /// Makes `folder` and those above it, as far as they are missing.
    fn make(&self, folder: &Path) -> io::Result<Vec<New<'_>>> {
        if folder == self.root {
            return Ok(Vec::new());
        }
        // Announced before it can be seen.
        let mut maker = self.making.announce(folder);
        let mut made = Vec::new();
        let create = || -> io::Result<Folder> {
            let above = Folder::open(self.above(folder))?;
            above.create(folder.file_name().unwrap_or_default())?;
            Ok(above)
        };
        let created = match create() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                made = self.make(self.above(folder))?;
                create()
            }
            created => created,
        };
        match created {
            Ok(above) => {
                maker.made();
                made.push(New { maker, above });
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(made)
    }
}

impl New<'_> {
    fn sync(self) -> io::Result<()> {
        let synced = self.above.sync();
        self.maker.settle(&synced);
        synced
    }
}

/// Makes folders for as long as there are none to put a file in.
fn retried<T>(put: impl Fn() -> io::Result<T>, mut make_folders: impl FnMut() -> io::Result<()>) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match put() {
            Err(error) if error.kind() == ErrorKind::NotFound => make_folders()?,
            done => return done,
        }
    }
    put()
}
