//! Writing replies: bytes by one gathering write, ranges of files by sendfile.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use node::Part;
use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::loops;

/// Replies on their way out, in order.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) parts: VecDeque<Part>,
    /// Bytes of the front part that are on the wire already.
    written: usize,
}

/// Parts that one write gathers at most.
const GATHERED_PARTS_MAX: usize = 16;

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Writes until all is written or the socket takes no more; how many bytes it took.
    pub(crate) fn write(&mut self, stream: &TcpStream) -> io::Result<u64> {
        let mut written = 0;
        while let Some(front) = self.parts.front() {
            let result = match front {
                Part::Bytes(_) => self.write_bytes(stream),
                Part::Range(_) => self.write_range(stream),
            };
            match result {
                Ok(count) => {
                    self.advance(count);
                    written += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn write_bytes(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); GATHERED_PARTS_MAX];
        let mut count = 0;
        let mut range_follows = false;
        for (part, slice) in self.parts.iter().zip(slices.iter_mut()) {
            let Part::Bytes(bytes) = part else {
                range_follows = true;
                break;
            };
            let from = if count == 0 { self.written } else { 0 };
            *slice = IoSlice::new(bytes.get(from..).unwrap_or_default());
            count += 1;
        }
        let gathered = slices.get(..count).unwrap_or_default();
        // With MORE the kernel holds a partial segment back for the file's bytes that follow.
        let flags = if range_follows { SendFlags::MORE } else { SendFlags::empty() } | SendFlags::NOSIGNAL;
        stream.try_io(Interest::WRITABLE, || match gathered {
            [one] => Ok(rustix::net::send(stream, one, flags)?),
            many => Ok(rustix::net::sendmsg(
                stream,
                many,
                &mut rustix::net::SendAncillaryBuffer::default(),
                flags,
            )?),
        })
    }

    fn write_range(&self, stream: &TcpStream) -> io::Result<usize> {
        let Some(Part::Range(range)) = self.parts.front() else { return Ok(0) };
        let len = usize::try_from(range.len).unwrap_or(usize::MAX) - self.written;
        let position = range.position + self.written as u64;
        let Some(file) = range.file.descriptor() else {
            return Err(io::Error::other("a range of a file without a descriptor"));
        };
        stream.try_io(Interest::WRITABLE, || {
            let mut offset = position;
            // What left the page cache since it was looked at is read from the disk.
            let count = loops::marked(|| rustix::fs::sendfile(stream, file, Some(&mut offset), len))?;
            if count == 0 {
                // The file ends before the range: the reply cannot be completed, so the connection has to end.
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(count)
        })
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(front) = self.parts.front() {
            let left = front.len() - self.written;
            if count < left {
                self.written += count;
                return;
            }
            count -= left;
            self.written = 0;
            self.parts.pop_front();
            if count == 0 {
                return;
            }
        }
    }
}
