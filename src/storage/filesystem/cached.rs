//! Reading what the system has in memory without a trip to the blocking pool, which takes longer than the reading.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

/// The most that is read so: copying it must not keep other requests waiting.
const MAX_BYTES: u64 = 256 * 1024;

/// The bytes of a file, or those of `range`, which lies within it. `None` when there is anything in the way of reading
/// them at once: they are not in memory, too many, not there at all, or the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn read(path: &Path, range: Option<&Range<u64>>) -> Option<Bytes> {
    use std::io::IoSliceMut;

    use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
    use rustix::io::{ReadWriteFlags, preadv2};

    // A cheap answer for what would be refused below.
    if range.is_some_and(|range| range.end - range.start > MAX_BYTES) {
        return None;
    }
    let file = openat2(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED).ok()?;
    let metadata = fstat(&file).ok()?;
    if !FileType::from_raw_mode(metadata.st_mode).is_file() {
        return None;
    }
    let Range { start, end } = range.cloned().unwrap_or(0..u64::try_from(metadata.st_size).ok()?);
    let length = end.checked_sub(start).filter(|length| *length <= MAX_BYTES)?;
    let mut buffer = vec![0; usize::try_from(length).ok()?];
    let read = preadv2(&file, &mut [IoSliceMut::new(&mut buffer)], start, ReadWriteFlags::NOWAIT).ok()?;
    (read == buffer.len()).then(|| buffer.into())
}

/// No other system tells what it has in memory.
#[cfg(not(target_os = "linux"))]
pub(super) fn read(_: &Path, _: Option<&Range<u64>>) -> Option<Bytes> {
    None
}
