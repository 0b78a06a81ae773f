//! Which folders may be seen but are not durable: those being made, and those whose making has failed.
//!
//! That the entry of a new folder was not written is told once, to whoever had the folder above open when it was made. Who
//! puts a file into the folder meanwhile, or later, learns of it here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
pub(super) struct Making {
    folders: Mutex<HashMap<PathBuf, State>>,
    settled: Condvar,
}

#[derive(Default)]
struct State {
    makers: usize,
    failed: Option<io::Error>,
}

impl State {
    fn is_over(&self) -> bool {
        self.makers == 0 && self.failed.is_none()
    }
}

impl Making {
    /// Announces a folder, before it can be seen.
    pub(super) fn announce(&self, folder: &Path) -> Maker<'_> {
        self.folders.lock().entry(folder.to_owned()).or_default().makers += 1;
        Maker { making: self, folder: folder.to_owned(), stage: Stage::Announced }
    }

    /// Waits until these folders are durable. Who makes folders has to settle that first: others may wait for them.
    pub(super) fn wait_for<'a>(&self, folders: impl Iterator<Item = &'a Path> + Clone) -> io::Result<()> {
        let mut states = self.folders.lock();
        loop {
            let known = || folders.clone().filter_map(|folder| states.get(folder));
            if let Some(error) = known().find_map(|state| state.failed.as_ref()) {
                return Err(same(error));
            }
            if known().next().is_none() {
                return Ok(());
            }
            self.settled.wait(&mut states);
        }
    }

    /// Removes a folder if it is empty, and with it all doubt.
    pub(super) fn remove(&self, folder: &Path) -> io::Result<()> {
        let mut states = self.folders.lock();
        let Some(state) = states.get_mut(folder) else {
            drop(states);
            return fs::remove_dir(folder);
        };
        fs::remove_dir(folder)?;
        state.failed = None;
        if state.is_over() {
            states.remove(folder);
        }
        Ok(())
    }

    fn settle(&self, folder: &Path, failed: Option<io::Error>) {
        let has_failed = failed.is_some();
        let mut states = self.folders.lock();
        if let Some(state) = states.get_mut(folder) {
            state.makers -= 1;
            state.failed = failed.or(state.failed.take());
            if state.is_over() {
                states.remove(folder);
            }
        }
        drop(states);
        self.settled.notify_all();
        if has_failed {
            // So that the next has it made anew. If there is something in it already, that fails, and is removed soon.
            let _ = self.remove(folder);
        }
    }
}

/// Has announced a folder. When dropped without a word after making it, it has failed.
pub(super) struct Maker<'a> {
    making: &'a Making,
    folder: PathBuf,
    stage: Stage,
}

#[derive(PartialEq)]
enum Stage {
    Announced,
    Made,
    Settled,
}

impl Maker<'_> {
    /// Says that the folder was not there and is there now.
    pub(super) fn made(&mut self) {
        self.stage = Stage::Made;
    }

    /// Says what became of the folder that was made.
    pub(super) fn settle(mut self, synced: &io::Result<()>) {
        self.stage = Stage::Settled;
        self.making.settle(&self.folder, synced.as_ref().err().map(same));
    }
}

impl Drop for Maker<'_> {
    fn drop(&mut self) {
        let failed = match self.stage {
            Stage::Settled => return,
            Stage::Announced => None,
            Stage::Made => Some(io::Error::other("nobody has made the folder durable")),
        };
        self.making.settle(&self.folder, failed);
    }
}

/// An error for each of those that share it.
pub(super) fn same(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::iter::once;
    use std::thread;

    use super::*;

    fn eio() -> io::Error {
        io::Error::from_raw_os_error(5)
    }

    #[test]
    fn who_uses_a_folder_that_another_makes_shares_its_fate() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        for (outcome, expected) in [(Ok(()), None), (Err(eio()), Some(5))] {
            let making = Making::default();
            let mut maker = making.announce(&new);
            fs::create_dir(&new).unwrap();
            maker.made();
            fs::write(new.join("file"), "").unwrap();
            thread::scope(|scope| {
                let waiting = scope.spawn(|| making.wait_for(once(new.as_path())));
                maker.settle(&outcome);
                assert_eq!(waiting.join().unwrap().err().and_then(|error| error.raw_os_error()), expected);
            });
            // Those that come later, too.
            assert_eq!(making.wait_for(once(new.as_path())).is_err(), expected.is_some());
            fs::remove_file(new.join("file")).unwrap();
            making.remove(&new).unwrap();
            making.wait_for(once(new.as_path())).unwrap();
            assert!(making.folders.lock().is_empty());
        }
    }

    #[test]
    fn a_folder_that_could_not_be_made_durable_is_removed_if_it_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        let making = Making::default();
        let mut maker = making.announce(&new);
        fs::create_dir(&new).unwrap();
        maker.made();
        maker.settle(&Err(eio()));
        assert!(!new.exists());
        making.wait_for(once(new.as_path())).unwrap();
    }

    #[test]
    fn who_finds_a_folder_there_says_nothing_of_it_and_who_drops_one_has_failed() {
        let (making, new) = (Making::default(), Path::new("not/there"));
        let (mut first, second) = (making.announce(new), making.announce(new));
        first.made();
        drop(second);
        assert_eq!(making.folders.lock()[new].makers, 1);
        drop(first);
        assert!(making.wait_for(once(new)).is_err());
    }
}
