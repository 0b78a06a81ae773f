//! Reading what the system has in memory without a trip to the blocking pool, which takes longer than the reading.

use std::fs::File;
use std::path::Path;

use bytes::Bytes;

/// The most that is read so at a time: copying it must not keep other requests waiting.
const MAX_BYTES: u64 = 256 * 1024;

/// Opens a file and tells its size. `None` when there is anything in the way of doing so at once: the path to it is not in
/// memory, it is not there at all, or the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn open(path: &Path) -> Option<(File, u64)> {
    use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};

    let file = openat2(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED).ok()?;
    let metadata = fstat(&file).ok()?;
    let size = u64::try_from(metadata.st_size).ok()?;
    FileType::from_raw_mode(metadata.st_mode).is_file().then(|| (file.into(), size))
}

/// The `left` bytes of a file from `start`, or the first of them. `None` when those are not all in memory.
#[cfg(target_os = "linux")]
pub(super) fn read(file: &File, start: u64, left: u64) -> Option<Bytes> {
    use std::io::IoSliceMut;

    use rustix::io::{ReadWriteFlags, preadv2};

    let mut buffer = vec![0; usize::try_from(left.min(MAX_BYTES)).ok()?];
    let read = preadv2(file, &mut [IoSliceMut::new(&mut buffer)], start, ReadWriteFlags::NOWAIT).ok()?;
    (read == buffer.len()).then(|| buffer.into())
}

/// No other system tells what it has in memory.
#[cfg(not(target_os = "linux"))]
pub(super) fn open(_: &Path) -> Option<(File, u64)> {
    None
}

/// No other system tells what it has in memory.
#[cfg(not(target_os = "linux"))]
pub(super) fn read(_: &File, _: u64, _: u64) -> Option<Bytes> {
    None
}
