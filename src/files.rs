//! Folders that only their owner may enter.

use std::io;
use std::path::Path;

/// Creates `path` and what is missing above it; new folders are for their owner only (mode 700).
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
