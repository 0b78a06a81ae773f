//! Syncing a file system as a whole, where that is as good a promise as syncing each file.

use std::fs::File;
use std::io;
use std::path::Path;

/// A file system that makes everything durable that was written to it before, with one call.
pub(super) struct WholeFileSystem {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is none"))]
    root: File,
}

#[cfg(target_os = "linux")]
impl WholeFileSystem {
    /// Since this version, `syncfs` tells of writes that have failed.
    const KERNEL: (u32, u32) = (5, 8);
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

    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root)?)
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

    pub(super) fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::kernel_version;

    #[test]
    fn kernels_are_compared_by_number() {
        assert_eq!(kernel_version("5.10.0-28-amd64"), Some((5, 10)));
        assert_eq!(kernel_version("6.18.44"), Some((6, 18)));
        assert!(kernel_version("4.18.0-553.el8_10.x86_64").unwrap() < super::WholeFileSystem::KERNEL);
        assert!(kernel_version("5.10.0").unwrap() > super::WholeFileSystem::KERNEL);
        assert_eq!(kernel_version("unknown"), None);
    }
}
