//! A disk of the test's own, which it may freeze.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A small file system in a file.
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// `None`, and a loud line, where nobody may mount anything.
    pub(crate) fn mount(megabytes: u32) -> Option<Self> {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(disk.path()).unwrap();
        let image = disk.folder.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(u64::from(megabytes) << 20).unwrap();
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        if made && run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(disk.path())) {
            return Some(disk);
        }
        eprintln!("NOT TESTED: this machine does not let tests mount file systems (it takes root and loop devices)");
        None
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// From now on, whoever writes waits.
    pub(crate) fn freeze(&self) {
        assert!(freeze("--freeze", &self.path()));
    }

    pub(crate) fn thaw(&self) {
        assert!(freeze("--unfreeze", &self.path()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Fails when it is not frozen.
        let _ = freeze("--unfreeze", &self.path());
        // Not at once: a process may be about to end that still uses it.
        run(Command::new("umount").arg("--lazy").arg(self.path()));
    }
}

fn freeze(how: &str, path: &Path) -> bool {
    run(Command::new("fsfreeze").arg(how).arg(path))
}

fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
