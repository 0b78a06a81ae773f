//! Folders and files that are for their owner only, and how what is in a folder is made durable.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates `path` and what is missing above it; new folders are for their owner only (mode 700).
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens the file at `path` to read and write it. If it is missing, it is created for its owner only (mode 600).
pub(crate) fn open_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// An open folder. The system tells of a write that has failed once, to each who had the folder open by then: who opens
/// it after a change, to make that durable, may come too late. So it is opened first, and changed through this.
#[derive(Debug)]
pub(crate) struct Folder {
    handle: File,
    #[cfg(not(target_os = "linux"))]
    path: std::path::PathBuf,
}

impl Folder {
    /// Opens a folder that is there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            handle: File::open(path)?,
            #[cfg(not(target_os = "linux"))]
            path: path.to_owned(),
        })
    }

    /// Makes all that has changed in the folder since it was opened durable, or tells that it is not.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

/// Relative to the open folder: another may be at its path by now.
#[cfg(target_os = "linux")]
impl Folder {
    /// Moves a file into the folder, in place of what has the name there.
    pub(crate) fn take_in(&self, file: &Path, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(rustix::fs::CWD, file, &self.handle, name)?)
    }

    /// Makes a folder in this one, for its owner only.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.handle, name, rustix::fs::Mode::RWXU)?)
    }
}

#[cfg(not(target_os = "linux"))]
impl Folder {
    /// Moves a file into the folder, in place of what has the name there.
    pub(crate) fn take_in(&self, file: &Path, name: &OsStr) -> io::Result<()> {
        std::fs::rename(file, self.path.join(name))
    }

    /// Makes a folder in this one, for its owner only.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(self.path.join(name))
    }
}
