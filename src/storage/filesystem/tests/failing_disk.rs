//! A disk whose writes can be made to fail: ext4 on a loop device over a file in a memory file system, which is then full.
//!
//! What fails so fails in the kernel: writing to a file succeeds, and the bytes are lost on their way to the disk.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(in crate::storage::filesystem) struct FailingDisk {
    folder: tempfile::TempDir,
    mounted: Vec<PathBuf>,
}

/// While it lives, nothing reaches the disk that has no place there yet.
pub(in crate::storage::filesystem) struct Failing(PathBuf);

impl FailingDisk {
    /// `None`, with a line that says why, where this may not be mounted: it takes root, loop devices and mkfs.ext4.
    pub(in crate::storage::filesystem) fn mount() -> Option<Self> {
        let mut disk = Self { folder: tempfile::tempdir().unwrap(), mounted: Vec::new() };
        match disk.try_mount() {
            Ok(()) => Some(disk),
            Err(problem) => {
                eprintln!("NOT TESTED: no disk can be made to fail here: {problem}");
                None
            }
        }
    }

    fn try_mount(&mut self) -> Result<(), String> {
        let (memory, disk) = (self.folder.path().join("memory"), self.folder.path().join("disk"));
        fs::create_dir(&memory).map_err(|error| error.to_string())?;
        fs::create_dir(&disk).map_err(|error| error.to_string())?;
        run("mount", &["-t", "tmpfs", "-o", "size=24m,mode=700", "artifactd-test"], &memory)?;
        self.mounted.push(memory.clone());
        let image = memory.join("image");
        File::create(&image).and_then(|file| file.set_len(64 << 20)).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard"], &image)?;
        run("mount", &["-o", "loop", &image.to_string_lossy()], &disk)?;
        self.mounted.push(disk);
        Ok(())
    }

    pub(in crate::storage::filesystem) fn path(&self) -> &Path {
        &self.mounted[1]
    }

    pub(in crate::storage::filesystem) fn fail(&self) -> Failing {
        let path = self.mounted[0].join("filling");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        Failing(path)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        for path in self.mounted.iter().rev() {
            // What is still open in it goes when it is closed.
            run("umount", &["-l"], path).unwrap();
        }
    }
}

fn run(program: &str, arguments: &[&str], last: &Path) -> Result<(), String> {
    let output =
        Command::new(program).args(arguments).arg(last).output().map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}
