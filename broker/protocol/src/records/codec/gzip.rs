//! Gzip (RFC 1952): members one behind the other, each a header, a deflate stream, its CRC-32 and its length.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{DecompressError, Window};
use crate::records::varint::Cursor;

/// Output per step: deflate itself refers back at most 32 KiB, which its context keeps.
const STEP_BYTES: usize = 64 << 10;
const HEADER_CRC: u8 = 0x02;
const EXTRA: u8 = 0x04;
const NAME: u8 = 0x08;
const COMMENT: u8 = 0x10;

pub(super) struct Gzip<'a> {
    input: Cursor<'a>,
    context: &'a mut Decompress,
    crc: Crc,
    member_open: bool,
}

impl<'a> Gzip<'a> {
    pub(super) fn new(input: &'a [u8], context: &'a mut Option<Decompress>) -> Result<Self, DecompressError> {
        let context = context.get_or_insert_with(|| Decompress::new(false));
        let mut gzip = Self { input: Cursor::new(input), context, crc: Crc::new(), member_open: false };
        gzip.open_member()?;
        Ok(gzip)
    }

    fn open_member(&mut self) -> Result<(), DecompressError> {
        read_header(&mut self.input).ok_or(DecompressError::Corrupt("no gzip header"))?;
        self.context.reset(false);
        self.crc.reset();
        self.member_open = true;
        Ok(())
    }

    fn close_member(&mut self) -> Result<(), DecompressError> {
        let trailer = self.input.take(8).ok_or(DecompressError::Corrupt("the gzip trailer is cut"))?;
        let (crc, length) = trailer.split_at(4);
        if crc != self.crc.sum().to_le_bytes() || length != self.crc.amount().to_le_bytes() {
            return Err(DecompressError::Corrupt("the gzip trailer does not match"));
        }
        self.member_open = false;
        Ok(())
    }

    pub(super) fn more(&mut self, window: &mut Window) -> Result<bool, DecompressError> {
        loop {
            if !self.member_open {
                if self.input.is_empty() {
                    return Ok(false);
                }
                self.open_member()?;
            }
            let (_, room) = window.room(STEP_BYTES, 0);
            let (in_before, out_before) = (self.context.total_in(), self.context.total_out());
            let status = self
                .context
                .decompress(self.input.rest(), room, FlushDecompress::None)
                .map_err(|_| DecompressError::Corrupt("not a deflate stream"))?;
            let taken = usize::try_from(self.context.total_in() - in_before).unwrap_or(usize::MAX);
            let made = usize::try_from(self.context.total_out() - out_before).unwrap_or(usize::MAX);
            self.crc.update(room.get(..made).unwrap_or_default());
            self.input.take(taken).ok_or(DecompressError::Corrupt("not a deflate stream"))?;
            window.filled(made)?;
            if matches!(status, Status::StreamEnd) {
                self.close_member()?;
            } else if taken == 0 && made == 0 {
                return Err(DecompressError::Corrupt("the deflate stream is cut"));
            }
            if made > 0 {
                return Ok(true);
            }
        }
    }
}

/// Steps over a member's header.
fn read_header(input: &mut Cursor<'_>) -> Option<()> {
    let fixed = input.take(10)?;
    let flags = *fixed.get(3)?;
    if !fixed.starts_with(&[0x1f, 0x8b, 8]) {
        return None;
    }
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes([input.byte()?, input.byte()?]);
        input.take(usize::from(length))?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            while input.byte()? != 0 {}
        }
    }
    if flags & HEADER_CRC != 0 {
        input.take(2)?;
    }
    Some(())
}
