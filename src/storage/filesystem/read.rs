//! Reading files piece by piece, with the next piece being read ahead: at once what the system has in memory, on the
//! blocking pool what it has not.

use std::fs::File;
use std::future::{Ready, ready};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures::future::{BoxFuture, Either};
use futures::{FutureExt as _, StreamExt as _, stream};

use super::{blocking, cached};
use crate::fault::Fault;
use crate::storage::ByteStream;

/// What is read at a time on the blocking pool. The first piece comes with the opening.
const PIECE_BYTES: u64 = 512 * 1024;
const FIRST_BYTES: u64 = 1024 * 1024;

/// An open file with what is left to read of it. It stays readable whatever happens to its name.
pub(super) struct Reader {
    file: File,
    start: u64,
    left: u64,
}

/// Some bytes, and the reader of those behind them.
type Piece = (Bytes, Reader);
type NextPiece = Either<Ready<Result<Piece, Fault>>, BoxFuture<'static, Result<Piece, Fault>>>;

impl Reader {
    pub(super) fn new(file: File, range: Range<u64>) -> Self {
        Self { file, start: range.start, left: range.end.saturating_sub(range.start) }
    }

    /// Waits for the disk.
    pub(super) fn first_piece(self) -> io::Result<Piece> {
        self.read(FIRST_BYTES)
    }

    /// All that is left.
    pub(super) fn into_stream(self) -> ByteStream {
        pieces(self.next_piece())
    }

    /// `first` and all that is left after it.
    pub(super) fn stream_from(first: Piece) -> ByteStream {
        pieces(Either::Left(ready(Ok(first))))
    }

    fn next_piece(self) -> NextPiece {
        match cached::read(&self.file, self.start, self.left) {
            Some(bytes) => Either::Left(ready(Ok(self.after(bytes)))),
            None => Either::Right(blocking("reading", move || self.read(PIECE_BYTES)).boxed()),
        }
    }

    fn read(mut self, at_most: u64) -> io::Result<Piece> {
        let wanted = at_most.min(self.left);
        let mut buffer = Vec::with_capacity(wanted as usize);
        self.file.seek(SeekFrom::Start(self.start))?;
        (&self.file).take(wanted).read_to_end(&mut buffer)?;
        if (buffer.len() as u64) < wanted {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(self.after(buffer.into()))
    }

    fn after(self, piece: Bytes) -> Piece {
        let length = piece.len() as u64;
        (piece, Self { start: self.start + length, left: self.left - length, ..self })
    }
}

fn pieces(first: NextPiece) -> ByteStream {
    let pieces = stream::unfold(Some(first), async |next| match next?.await {
        Ok((piece, reader)) => Some((Ok(piece), (reader.left > 0).then(|| reader.next_piece()))),
        Err(fault) => Some((Err(fault), None)),
    });
    pieces.boxed()
}
