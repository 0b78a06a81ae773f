//! Reading files: small ones at once, large ones piece by piece with the next piece being read ahead.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::blocking;
use crate::fault::Fault;
use crate::storage::ByteStream;

/// What is read whole, without the detour of a stream.
const WHOLE_BYTES: u64 = 1024 * 1024;
/// What is read at a time otherwise.
const PIECE_BYTES: u64 = 512 * 1024;

/// A file that has been opened for reading.
pub(super) enum Opened {
    Whole(Bytes),
    Large(Reader),
}

/// An open file, positioned at the bytes that are left to read. It stays readable whatever happens to
/// its name.
pub(super) struct Reader {
    file: File,
    left: u64,
}

impl Opened {
    /// Reads `range` of a file, or gets ready to.
    pub(super) fn new(mut file: File, range: Range<u64>) -> io::Result<Self> {
        if range.start > 0 {
            file.seek(SeekFrom::Start(range.start))?;
        }
        let mut reader = Reader { file, left: range.end - range.start };
        if reader.left <= WHOLE_BYTES { Ok(Self::Whole(reader.read(WHOLE_BYTES)?)) } else { Ok(Self::Large(reader)) }
    }

    pub(super) fn into_stream(self) -> ByteStream {
        match self {
            Self::Whole(bytes) => stream::iter([Ok(bytes)]).boxed(),
            Self::Large(reader) => reader.into_stream(),
        }
    }
}

impl Reader {
    fn read(&mut self, at_most: u64) -> io::Result<Bytes> {
        let wanted = at_most.min(self.left);
        let mut buffer = Vec::with_capacity(wanted as usize);
        (&self.file).take(wanted).read_to_end(&mut buffer)?;
        if (buffer.len() as u64) < wanted {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= wanted;
        Ok(buffer.into())
    }

    /// A piece is read while the one before it is on its way.
    fn into_stream(self) -> ByteStream {
        let pieces = stream::unfold(Some(self.read_piece()), async |pending| match pending?.await {
            Ok((piece, reader)) => Some((Ok(piece), (reader.left > 0).then(|| reader.read_piece()))),
            Err(fault) => Some((Err(fault), None)),
        });
        pieces.boxed()
    }

    fn read_piece(mut self) -> impl Future<Output = Result<(Bytes, Self), Fault>> + Send {
        blocking("reading", move || {
            let piece = self.read(PIECE_BYTES)?;
            Ok((piece, self))
        })
    }
}
