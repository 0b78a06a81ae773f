//! Syncing a file system as a whole, where that is as good a promise as syncing each file.

use std::fs::File;
use std::io;
use std::path::Path;

/// A file system that makes everything durable that was written to it before, with one call.
pub(super) struct WholeFileSystem {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is none"))]
    root: File,
}

/// Writing to a file system from a moment on. What has failed of it the system tells each open file once, so each round has
/// one of its own, and opens it before anything is written.
pub(super) struct Round(Box<dyn Fn() -> io::Result<()>>);

impl Round {
    /// Makes all that has been written since the round began durable, or tells that it is not.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0()
    }

    #[cfg(test)]
    pub(super) fn synced_by(sync: impl Fn() -> io::Result<()> + 'static) -> Self {
        Self(Box::new(sync))
    }
}

#[cfg(target_os = "linux")]
impl WholeFileSystem {
    /// Since this version, `syncfs` tells of all that has failed; since 5.8, of files, but not of the journal.
    const KERNEL: (u32, u32) = (5, 17);
    /// `f_type` (statfs(2)) of ext4 and XFS. Others do not pass the call on (FUSE, NFS, overlays), or do much more
    /// than is asked for (Btrfs).
    const KINDS: [u64; 2] = [0xEF53, 0x5846_5342];

    /// The file system of a folder; `None` if files have to be synced one by one.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let root = File::open(folder).ok()?;
        let kind = rustix::fs::fstatfs(&root).ok()?.f_type;
        let tells_of_failures = kernel_version(rustix::system::uname().release().to_str().ok()?)? >= Self::KERNEL;
        (Self::KINDS.contains(&u64::try_from(kind).ok()?) && tells_of_failures).then_some(Self { root })
    }

    /// Begins a round.
    pub(super) fn begin(&self) -> io::Result<Round> {
        use rustix::fs::{Mode, OFlags, openat, syncfs};

        let opened = openat(&self.root, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Round(Box::new(move || Ok(syncfs(&opened)?))))
    }
}

/// Major and minor number of a version such as `6.18.4-generic`.
#[cfg(target_os = "linux")]
fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|byte: char| !byte.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(not(target_os = "linux"))]
impl WholeFileSystem {
    pub(super) fn of(_: &Path) -> Option<Self> {
        None
    }

    pub(super) fn begin(&self) -> io::Result<Round> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::Folder;
    use crate::storage::filesystem::tests::FailingDisk;

    #[test]
    fn kernels_are_compared_by_number() {
        assert_eq!(kernel_version("5.10.0-28-amd64"), Some((5, 10)));
        assert_eq!(kernel_version("6.18.44"), Some((6, 18)));
        assert!(kernel_version("5.4.0-216-generic").unwrap() < WholeFileSystem::KERNEL);
        assert!(kernel_version("6.1.0").unwrap() > WholeFileSystem::KERNEL);
        assert_eq!(kernel_version("unknown"), None);
    }

    #[test]
    fn a_write_that_failed_is_told_to_every_round_that_had_begun() {
        let Some(disk) = FailingDisk::mount() else { return };
        let whole = WholeFileSystem::of(disk.path()).unwrap();
        let (one, other) = (whole.begin().unwrap(), whole.begin().unwrap());
        let failing = disk.fail();
        fs::write(disk.path().join("file"), vec![7; 4 << 20]).unwrap();
        assert!(one.sync().is_err());
        // It was told already, and the bytes are no longer waiting to be written.
        assert!(other.sync().is_err());
        drop(failing);
        whole.begin().unwrap().sync().unwrap();
    }

    #[test]
    fn a_name_that_was_not_written_is_told_to_everybody_who_had_the_folder_open() {
        let Some(disk) = FailingDisk::mount() else { return };
        let new = disk.path().join("new");
        fs::create_dir(&new).unwrap();
        let (one, other) = (Folder::open(&new).unwrap(), Folder::open(&new).unwrap());
        let failing = disk.fail();
        for number in 0..200 {
            one.create(format!("{number:0200}").as_ref()).unwrap();
        }
        assert!(one.sync().is_err());
        assert!(other.sync().is_err());
        // Who opens it only now learns nothing any more: hence the opening before the change.
        assert!(Folder::open(&new).unwrap().sync().is_ok());
        drop(failing);
    }
}
